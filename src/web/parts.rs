//! Small parts of pages: how something is, since when, a figure.

use crate::control::api::{ColumnView, KindView, ObjectView};
use crate::core::condition::{self, Condition, Truth};
use crate::core::duration::human;
use crate::core::measure::Unit;
use crate::core::text::{shown, url_part};
use jiff::Timestamp;
use maud::{Markup, html};
use serde_json::Value;

/// Characters of a message in a row of a list.
const ROW: usize = 160;

/// The conditions of a status; one that is not understood is left out.
pub fn conditions(view: &ObjectView) -> Vec<Condition> {
    let list = view.status.get("conditions").and_then(Value::as_array);
    list.into_iter().flatten().filter_map(|c| serde_json::from_value(c.clone()).ok()).collect()
}

/// A value deep in something as text, if it is there.
pub fn field(value: &Value, path: &str) -> Option<String> {
    match value.pointer(path)? {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// What a list says of an object in one of the columns of its kind.
pub fn cell(view: &ObjectView, column: &ColumnView) -> Option<String> {
    column.paths.iter().find_map(|path| field(&view.status, path)).filter(|text| !text.is_empty())
}

/// `postgres/main`
pub fn object_name(view: &ObjectView) -> String {
    format!("{}/{}", view.kind.to_lowercase(), view.metadata.name)
}

/// Its page.
pub fn address(kind: &str, name: &str) -> String {
    format!("/services/{}/{}", url_part(&kind.to_lowercase()), url_part(name))
}

/// How long ago, as kubectl says it.
pub fn age(time: &str, now: Timestamp) -> String {
    match time.parse::<Timestamp>() {
        Ok(time) => human(now.as_second().saturating_sub(time.as_second()).max(0).unsigned_abs()),
        Err(_) => "unknown".to_owned(),
    }
}

/// The same with the time itself for who points at it.
pub fn ago(time: &str, now: Timestamp) -> Markup {
    html! { time datetime=(time) title=(time) { (age(time, now)) } }
}

/// The day of a time, with all of it for who points at it.
pub fn day(time: &str) -> Markup {
    html! { time datetime=(time) title=(time) { (time.split('T').next().unwrap_or_default()) } }
}

/// How it is: one word, its colour, and the condition that says why.
pub struct State {
    pub word: String,
    pub class: &'static str,
    pub why: Option<Condition>,
}

impl State {
    pub fn of(view: &ObjectView) -> Self {
        let conditions = conditions(view);
        let (word, why) = condition::phase_and_source(&conditions);
        let class = match word.as_str() {
            "Ready" => "good",
            "Progressing" | "Pending" | "Degraded" | "Paused" | "Unknown" => "warn",
            "Stopped" | "Retained" => "idle",
            _ => "bad",
        };
        Self { word: spaced(&word), class, why: why.cloned() }
    }

    /// The worst first.
    pub fn rank(&self) -> u8 {
        match self.class {
            "bad" => 0,
            "warn" => 1,
            "good" => 2,
            _ => 3,
        }
    }

    pub fn pill(&self) -> Markup {
        pill(self.class, &self.word)
    }

    /// What else is to be said in a row of a list: nothing of what is as it should be.
    pub fn words(&self) -> Option<String> {
        let why = self.why.as_ref().filter(|_| self.class != "good")?;
        Some(shown(if why.message.is_empty() { &why.reason } else { &why.message }, ROW))
    }
}

/// A word in a colour that says the same.
pub fn pill(class: &str, word: &str) -> Markup {
    html! { span.pill.(class) { (word) } }
}

/// `NotReady` as people write it: `Not ready`.
pub fn spaced(word: &str) -> String {
    let mut text = String::with_capacity(word.len() + 4);
    for (at, letter) in word.chars().enumerate() {
        if at > 0 && letter.is_uppercase() {
            text.push(' ');
            text.extend(letter.to_lowercase());
        } else {
            text.push(letter);
        }
    }
    text.replace("Wal ", "WAL ")
}

/// A condition in words, in the colour of whether somebody has to care. `whole`: that of the object, which may be stopped on purpose
/// or about to be well.
pub fn condition(c: &Condition, whole: &'static str, now: Timestamp) -> Markup {
    let class = match (c.kind.is_wrong(c.status, &c.reason), c.status) {
        (true, Truth::Unknown) => "warn",
        (true, _) if matches!(whole, "warn" | "idle") => whole,
        (true, _) => "bad",
        (false, _) => "good",
    };
    let says = match c.status {
        Truth::True => "yes",
        Truth::False => "no",
        Truth::Unknown => "unknown",
    };
    let words = format!("{}: {says}", spaced(c.kind.as_str()));
    html! {
        li {
            div { (pill(class, &words)) " " span.quiet { (c.reason) " for " (ago(&c.last_transition_time, now)) } }
            @if !c.message.is_empty() { p { (c.message) } }
        }
    }
}

pub fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
}

#[expect(clippy::cast_precision_loss, reason = "a size has three figures")]
pub fn size(bytes: u64) -> String {
    Unit::Bytes.text(bytes as f64)
}

/// A part of a hundred as a bar; beside it stands what it says.
pub fn bar(percent: f64) -> Markup {
    let width = format!("{:.0}", percent.clamp(0.0, 100.0));
    let class = if percent >= 90.0 {
        "bad"
    } else if percent >= 75.0 {
        "warn"
    } else {
        "good"
    };
    html! {
        svg.bar.(class) viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true" {
            rect.all width="100" height="6" {}
            rect.part width=(width) height="6" {}
        }
    }
}

/// What is not known.
pub fn or_dash(text: Option<String>) -> Markup {
    html! { @match text { Some(text) => { (text) }, None => { span.quiet title="not known" { "–" } } } }
}

/// The column of a kind with this header.
pub fn column<'a>(kind: &'a KindView, header: &str) -> Option<&'a ColumnView> {
    kind.columns.iter().find(|column| column.header == header)
}

/// When a page was made: without it nobody sees that nothing comes any more.
pub fn seen(now: Timestamp) -> Markup {
    html! { p.quiet.seen { "Seen at " (now.strftime("%H:%M:%S UTC")) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_being_worked_on_or_meant_is_no_failure() {
        let ready = |reason: &str, status| Condition {
            kind: condition::ConditionType::Ready,
            status,
            reason: reason.to_owned(),
            message: String::new(),
            last_transition_time: String::new(),
            observed_generation: 1,
        };
        let now = Timestamp::UNIX_EPOCH;
        for (status, whole, class) in [
            (Truth::False, "warn", "pill warn"),
            (Truth::False, "idle", "pill idle"),
            (Truth::False, "bad", "pill bad"),
            (Truth::Unknown, "bad", "pill warn"),
            (Truth::True, "warn", "pill good"),
        ] {
            let shown = super::condition(&ready("Starting", status), whole, now).into_string();
            assert!(shown.contains(class), "{shown}");
        }
    }

    #[test]
    fn words_are_said_as_people_write_them() {
        for (word, want) in [("NotReady", "Not ready"), ("Ready", "Ready"), ("WalHealthy", "WAL healthy")] {
            assert_eq!(spaced(word), want);
        }
        assert_eq!(sentence("not ready"), "Not ready");
        assert_eq!(address("Postgres", "a b"), "/services/postgres/a%20b");
    }
}
