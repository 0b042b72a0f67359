//! What is sent. Pure; a message is bounded, and says first what is wrong, the worst at the top.

use super::incident::Incident;
use super::spec::Format;
use crate::core::duration::human;
use crate::core::names::Installation;
use crate::core::text::shown;
use crate::core::trouble::Severity;
use jiff::Timestamp;
use serde_json::{Value, json};

/// Lines of a message that people read.
const LINES: usize = 20;
/// Characters of one.
const LINE: usize = 400;

/// A message to be posted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub content_type: &'static str,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
}

/// What a message is about.
pub struct News<'a> {
    pub installation: &'a Installation,
    pub notifier: &'a str,
    /// The same again when it is sent once more, as nobody knows whether it arrived.
    pub id: String,
    /// None: it is the first one, which shows that somebody takes it.
    pub incidents: &'a [&'a Incident],
    pub now: Timestamp,
}

#[must_use]
pub fn message(news: &News<'_>, format: Format) -> Message {
    match format {
        Format::Json => json_text(&whole(news), Vec::new()),
        Format::Slack => json_text(&json!({"text": escaped(&text(news))}), Vec::new()),
        Format::Ntfy => ntfy(news),
    }
}

fn json_text(value: &Value, headers: Vec<(&'static str, String)>) -> Message {
    Message { content_type: "application/json", headers, body: value.to_string() }
}

/// What Slack would take for markup or a mention ("Escaping text" of its docs).
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// ntfy docs, "Publishing": title, priority and tags are headers, which are ASCII.
fn ntfy(news: &News<'_>) -> Message {
    let worst = news.incidents.iter().filter(|incident| incident.over.is_none()).map(|i| i.severity).min();
    let (priority, tag) = match worst {
        Some(Severity::Critical) => ("urgent", "rotating_light"),
        Some(Severity::Warning) => ("high", "warning"),
        Some(Severity::Info) => ("default", "information_source"),
        None => ("default", "white_check_mark"),
    };
    let text = text(news);
    let (title, body) = text.split_once('\n').unwrap_or((&text, &text));
    let headers =
        vec![("Title", title.to_owned()), ("Priority", priority.to_owned()), ("Tags", tag.to_owned())];
    Message { content_type: "text/plain; charset=utf-8", headers, body: body.to_owned() }
}

/// `2 wrong, 1 well again`
#[must_use]
pub fn summary(incidents: &[&Incident]) -> String {
    let over = incidents.iter().filter(|incident| incident.over.is_some()).count();
    let wrong = incidents.len() - over;
    let part = |count: usize, what: &str| (count > 0).then(|| format!("{count} {what}"));
    let parts: Vec<String> = [part(wrong, "wrong"), part(over, "well again")].into_iter().flatten().collect();
    if parts.is_empty() { "ready to tell what goes wrong".to_owned() } else { parts.join(", ") }
}

fn text(news: &News<'_>) -> String {
    let mut lines = vec![format!("Seawall {}: {}", news.installation, summary(news.incidents))];
    if news.incidents.is_empty() {
        lines.push(format!(
            "notifier/{} writes here what goes wrong, and when it is well again.",
            news.notifier
        ));
    }
    lines.extend(news.incidents.iter().take(LINES).map(|incident| shown(&line(incident, news.now), LINE)));
    let left = news.incidents.len().saturating_sub(LINES);
    if left > 0 {
        lines.push(format!("and {left} more: seawall get"));
    }
    lines.join("\n")
}

fn line(incident: &Incident, now: Timestamp) -> String {
    let Incident { object, condition, status, reason, message, severity, since, .. } = incident;
    let seconds =
        |from: Timestamp, to: Timestamp| u64::try_from(from.duration_until(to).as_secs()).unwrap_or(0);
    match incident.over {
        Some(over) => {
            let lasted = human(seconds(*since, over));
            format!("OK {object} {condition}: well again; it was wrong for {lasted} ({reason})")
        }
        None => {
            let (word, lasts) = (severity.as_str().to_uppercase(), human(seconds(*since, now)));
            format!("{word} {object} {condition} is {status} for {lasts} ({reason}): {message}")
        }
    }
}

fn whole(news: &News<'_>) -> Value {
    let alert = |incident: &&Incident| {
        let mut alert = json!({
            "status": if incident.over.is_some() { "resolved" } else { "firing" },
            "object": incident.object,
            "condition": incident.condition,
            "conditionStatus": incident.status,
            "reason": incident.reason,
            "severity": incident.severity,
            "message": incident.message,
            "startsAt": incident.since,
        });
        if let Some(over) = incident.over {
            alert["endsAt"] = json!(over);
        } else if incident.told_at.is_some() {
            alert["repeated"] = true.into();
        }
        alert
    };
    let firing = news.incidents.iter().any(|incident| incident.over.is_none());
    json!({
        "version": "1",
        "id": news.id,
        "installation": news.installation.as_str(),
        "notifier": news.notifier,
        "status": if firing { "firing" } else if news.incidents.is_empty() { "test" } else { "resolved" },
        "summary": summary(news.incidents),
        "alerts": news.incidents.iter().map(alert).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
#[path = "message_tests.rs"]
mod tests;
