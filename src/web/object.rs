//! One object: how it is, how to get in, what it uses, what threatens it, what is planned for it, what happened.

use super::Web;
use super::chart::charts;
use super::connection;
use super::environments;
use super::layout::{Answer, Fault, framed};
use super::links;
use super::operate::actions;
use super::parts::{State as How, address, age, ago, condition, conditions, object_name, pill, seen};
use super::session::Visitor;
use super::usage::{runtime, usage};
use crate::control::api::{Api, ApiError, ErrorCode, LogOptions, ManagedBy, ObjectList, ObjectView};
use crate::control::registry::Kinds;
use crate::core::event::{Event, EventType};
use crate::core::names::{Kind, Name, ObjectRef};
use crate::core::plan::{BlockView, PlanView, WaitView};
use crate::kinds::About;
use axum::Extension;
use axum::extract::{FromRequestParts, Path, Query, State};
use axum::http::request::Parts;
use futures_util::StreamExt;
use jiff::Timestamp;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

const EVENTS: usize = 20;
/// Lines of a log, and bytes of one and of all of them.
const LINES: u32 = 200;
const LINE: usize = 2_000;
const LOG: usize = 40_000;
/// How long a page waits for a log.
const READ: Duration = Duration::from_secs(10);
/// What else refers to it that is shown.
const RELATED: usize = 40;
/// How far back charts go: what the link says, and seconds.
const SPANS: [(&str, u64); 3] = [("1 h", 3_600), ("24 h", 86_400), ("7 d", 604_800)];

/// Seconds for which an object is young.
const YOUNG: i64 = 2 * 3_600;

/// The object that the path names.
pub struct At(pub ObjectRef);

impl At {
    /// Of its page.
    pub fn address(&self) -> String {
        address(self.0.kind.lower(), self.0.name.as_str())
    }
}

#[derive(Deserialize)]
struct Named {
    kind: String,
    name: String,
}

impl FromRequestParts<Web> for At {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Fault> {
        let unknown = |what: String| Fault::from(ApiError::new(ErrorCode::NotFound, what, ""));
        let path: Result<Path<Named>, _> = Path::from_request_parts(parts, web).await;
        let Path(Named { kind, name }) = path.map_err(|e| unknown(e.body_text()))?;
        let kind: Kind = kind.parse().map_err(|e| unknown(format!("{e}")))?;
        let name = Name::parse(&name).map_err(|e| unknown(e.to_string()))?;
        Ok(Self(ObjectRef::new(kind, name)))
    }
}

#[derive(Deserialize)]
pub struct Span {
    #[serde(default)]
    since: u64,
}

pub async fn page(
    State(api): State<Arc<dyn Api>>,
    Extension(visitor): Extension<Visitor>,
    at: At,
    Query(span): Query<Span>,
) -> Answer {
    let (object, api) = (&at.0, api.as_ref());
    let view = api.object(object).await?;
    let list = api.objects_around(object).await?;
    let events = api.events(Some(object), 0).await?;
    let kinds = Kinds::all(None);
    let about = kinds.about().find(|about| about.kind == object.kind);
    let connect = connection::card(api, &visitor, &at, false).await;
    let now = Timestamp::now();
    let usual = usual_span(&view, now);
    let since = SPANS.iter().find(|(_, secs)| *secs == span.since).map_or(usual, |(_, secs)| *secs);
    let containers = about.is_some_and(|about| about.containers) || view.status.get("runtime").is_some();
    let page = address(&view.kind, &view.metadata.name);
    let others = "#conditions,#panels,#runtime,#ties,#events,#seen";
    let markup = html! {
        p.trail { a href="/services" { "Services" } " / " (view.kind) }
        div.title {
            h1 { (view.metadata.name) }
            // What is polled is small, and no form is inside of it: nothing that is being typed goes.
            div #state hx-get=(page) hx-trigger="changed from:body, every 30s" hx-select="#state" hx-select-oob=(others) hx-swap="outerHTML" {
                (state(&view, now))
            }
            div #seen { (seen(now)) }
        }
        (facts(&view, now))
        @if let Some(about) = &about { (actions(&visitor, &at, &view, about)) }
        div.columns {
            div {
                section.card #conditions { h2 { "Conditions" } (all_conditions(&view, now)) }
                @if containers {
                    section.card {
                        h2 { "Resources" }
                        div #runtime { (runtime(&view)) }
                        (usage(api, &at).await)
                    }
                }
            }
            div {
                @if let Some(connect) = connect { (connect) }
                @if let Some(environments) = environments::card(&at, &view) { (environments) }
                @if let Some(links) = links::card(&visitor, &at, &list) { (links) }
                section.card { h2 { "Plan" } (later(&at, "plan", "What is planned, and why")) }
                (related(&view, &list))
            }
        }
        div #panels { @if let Some(about) = &about { (panels(&view, about)) } }
        (over_time(api, &at, since, span.since != 0).await)
        section.card #events { h2 { "Events" } (happened(&events, now)) }
        @if containers { section.card { h2 { "Log" } (later(&at, "logs", "Its last lines")) } }
        details.card { summary { "Spec" } pre tabindex="0" { (yaml(&view.spec)) } }
    };
    Ok(framed(&visitor, &object.to_string(), Some(&list), &markup))
}

/// What takes longer than a page should: a script brings it here once it is looked at, else there is a page of it.
fn later(at: &At, what: &str, says: &str) -> Markup {
    let page = format!("{}/{what}", at.address());
    html! {
        div hx-get=(page) hx-trigger="revealed" hx-select={ "#" (what) } { p { a href=(page) { (says) } } }
    }
}

fn state(view: &ObjectView, now: Timestamp) -> Markup {
    let how = How::of(view);
    html! {
        (how.pill())
        @if let Some(why) = &how.why { " " span.quiet { "for " (age(&why.last_transition_time, now)) } }
        @if let Some(since) = &view.not_saved_since {
            p.why { "Not saved since " (since) ": the disk does not take it, and this is held in memory." }
        }
    }
}

/// Who holds it, and what it is called.
fn facts(view: &ObjectView, now: Timestamp) -> Markup {
    let meta = &view.metadata;
    let observed = view.status.get("observedGeneration").and_then(Value::as_u64).unwrap_or(0);
    let owner = meta.owner_references.iter().find(|owner| owner.controller);
    html! {
        ul.facts {
            li {
                @match (meta.managed_by, owner) {
                    (Some(ManagedBy::File), _) => { "from " code { (meta.source) } },
                    (Some(ManagedBy::Api), _) => { "made here or by the API, in no file" },
                    (None, Some(owner)) => { "made by " a href=(address(&owner.kind, &owner.name)) { (owner.kind) " " (owner.name) } },
                    (None, None) => { "no manifest holds it" },
                }
            }
            li {
                "generation " (meta.generation)
                @if observed < meta.generation { ", seen up to " (observed) }
            }
            li { "created " (ago(&meta.creation_timestamp, now)) " ago" }
            @for (key, value) in &meta.labels { li { code { (key) "=" (value) } } }
        }
    }
}

fn all_conditions(view: &ObjectView, now: Timestamp) -> Markup {
    let all = conditions(view);
    let (wrong, fine): (Vec<_>, Vec<_>) = all.iter().partition(|c| c.kind.is_wrong(c.status, &c.reason));
    let whole = How::of(view).class;
    html! {
        @if all.is_empty() { p.quiet { "It was not looked at yet." } }
        @if !wrong.is_empty() { ul.conditions { @for c in &wrong { (condition(c, whole, now)) } } }
        @if !fine.is_empty() {
            details open[wrong.is_empty()] {
                summary.quiet { (fine.len()) " as they should be" }
                ul.conditions { @for c in &fine { (condition(c, whole, now)) } }
            }
        }
    }
}

/// What threatens it, and the parts of its status that its kind has words for.
fn panels(view: &ObjectView, about: &About) -> Markup {
    let warnings = about.warnings.and_then(|path| view.status.pointer(path)?.as_array());
    let word =
        |warning: &Value, field: &str| super::parts::field(warning, &format!("/{field}")).unwrap_or_default();
    let known = about.panels.iter().filter_map(|panel| Some((panel, view.status.get(panel.field)?)));
    let known: Vec<_> = known.filter(|(_, value)| !value.is_null()).collect();
    html! {
        @if !known.is_empty() || warnings.is_some_and(|all| !all.is_empty()) {
            section.card.panel {
                @for warning in warnings.into_iter().flatten() {
                    @let class = if word(warning, "severity") == "critical" { "bad" } else { "warn" };
                    div.warning.(class) {
                        (pill(class, &super::parts::sentence(&word(warning, "severity")))) " "
                        strong { (word(warning, "kind").replace('_', " ")) }
                        p { (word(warning, "message")) }
                        p { "To do: " (word(warning, "action")) }
                    }
                }
                @for (panel, value) in &known {
                    h2 { (panel.verb.to_uppercase()) @if warnings.is_some_and(Vec::is_empty) { " " (pill("good", "No warnings")) } }
                    dl.pairs { @for (name, figure) in (panel.figures)(value) { dt { (name.trim()) } dd { (figure) } } }
                    p.quiet { "In a terminal: " code { "seawall " (panel.verb) " " (view.metadata.name) } }
                }
            }
        }
    }
}

/// Of what is young an hour, as a day of it would be a dot.
fn usual_span(view: &ObjectView, now: Timestamp) -> u64 {
    let since = view.metadata.creation_timestamp.parse::<Timestamp>();
    let young = since.is_ok_and(|since| now.as_second().saturating_sub(since.as_second()) < YOUNG);
    SPANS[usize::from(!young)].1
}

async fn over_time(api: &dyn Api, at: &At, since: u64, asked: bool) -> Markup {
    let history = api.history(&at.0, None, since).await.unwrap_or_default();
    html! {
        @if !history.series.is_empty() || asked {
            section.card {
                h2 {
                    "Over time "
                    span.spans { @for (word, secs) in SPANS {
                        a href={ (at.address()) "?since=" (secs) } aria-current=[(secs == since).then_some("true")] { (word) }
                    } }
                }
                @if history.series.is_empty() { p.quiet { "Nothing is known of this time." } }
                (charts(&history))
            }
        }
    }
}

/// The objects that name it, or that it made.
fn related(view: &ObjectView, list: &ObjectList) -> Markup {
    let name = object_name(view);
    let kind = view.kind.to_lowercase();
    let of_it = |other: &&ObjectView| {
        other.metadata.uid != view.metadata.uid
            // They are told of with what they tie it to.
            && other.kind != Kinds::of_links().as_str()
            && (names(&other.spec, &name, &kind, &view.metadata.name)
                || other.metadata.owner_references.iter().any(|owner| owner.uid == view.metadata.uid))
    };
    let all: Vec<&ObjectView> = list.items.iter().filter(of_it).collect();
    html! {
        @if !all.is_empty() {
            section.card {
                h2 { "Used by" }
                ul.related { @for other in all.iter().take(RELATED) {
                    li {
                        a href=(address(&other.kind, &other.metadata.name)) { (other.kind) " " (other.metadata.name) }
                        " " (How::of(other).pill())
                    }
                } }
                @if all.len() > RELATED { p.quiet { "and " (all.len() - RELATED) " more" } }
            }
        }
    }
}

/// Whether a spec has this object in it: as `KIND/NAME`, or its name in a field of its kind.
fn names(spec: &Value, object: &str, kind: &str, name: &str) -> bool {
    match spec {
        Value::String(text) => text == object,
        Value::Array(all) => all.iter().any(|part| names(part, object, kind, name)),
        Value::Object(fields) => {
            fields.iter().any(|(key, part)| (key == kind && part == name) || names(part, object, kind, name))
        }
        _ => false,
    }
}

fn happened(events: &[Event], now: Timestamp) -> Markup {
    html! {
        @if events.is_empty() { p.quiet { "Nothing has happened to it yet." } } @else {
            table.list.small {
                thead { tr { th scope="col" { "Last" } th scope="col" { "What" } th scope="col" { "In words" } } }
                tbody { @for event in events.iter().rev().take(EVENTS) {
                    tr {
                        td data-label="Last" { (ago(&event.last_seen, now)) @if event.count > 1 { span.quiet { " ×" (event.count) } } }
                        td data-label="What" { (pill(if event.kind == EventType::Warning { "warn" } else { "idle" }, &event.reason)) }
                        td data-label="In words" { (event.message) }
                    }
                } }
            }
            @if events.len() > EVENTS { p.quiet { "Older ones: " code { "seawall events" } } }
        }
    }
}

fn yaml(value: &Value) -> String {
    serde_yaml::to_string(value).unwrap_or_default()
}

/// What its next pass would do: the whole plan is asked for, as those before it are taken into account.
pub async fn plan(State(api): State<Arc<dyn Api>>, Extension(visitor): Extension<Visitor>, at: At) -> Answer {
    api.object(&at.0).await?;
    let name = at.0.to_string();
    let plan = api.plan(None).await?.plans.into_iter().find(|plan| plan.object == name).unwrap_or_default();
    let markup = html! {
        p.trail { a href=(at.address()) { (name) } " / Plan" }
        h1 { "Plan of " (name) }
        section.card { div #plan { (steps(&plan)) } }
    };
    Ok(framed(&visitor, &format!("Plan of {name}"), None, &markup))
}

/// A plan in words.
pub fn steps(plan: &PlanView) -> Markup {
    let nothing = plan.steps.is_empty() && plan.waiting.is_empty() && plan.blocked.is_empty();
    html! {
        @if let Some(why) = &plan.unknown { p.wrong { "It is not known: " (why) } }
        @else if nothing { p { (pill("good", "Nothing to do")) " It is as it should be." } }
        @if plan.paused && !plan.steps.is_empty() { p { (pill("warn", "Paused")) " Nothing of this is done until the annotation goes." } }
        @if !plan.steps.is_empty() {
            ol.steps { @for step in &plan.steps {
                li { code.sign { (step.sign.as_str()) } div { strong { (step.action) } p.quiet { (step.cause) } } }
            } }
        }
        (waits(&plan.waiting))
        (blocks(&plan.blocked))
    }
}

pub fn waits(all: &[WaitView]) -> Markup {
    html! { @for wait in all { p { (pill("warn", &super::parts::spaced(&wait.on))) " " (wait.why) } } }
}

pub fn blocks(all: &[BlockView]) -> Markup {
    html! {
        @for block in all {
            div.warning.bad {
                (pill("bad", &super::parts::spaced(&block.reason)))
                p { (block.why) }
                @if !block.unblock.is_empty() { p { "To allow it: " code { (block.unblock) } } }
            }
        }
    }
}

pub async fn logs(State(api): State<Arc<dyn Api>>, Extension(visitor): Extension<Visitor>, at: At) -> Answer {
    let read = async {
        let ask = LogOptions { lines: Some(LINES), ..LogOptions::default() };
        let mut lines = api.logs(&at.0, &ask).await?;
        let (mut all, mut wrong) = (Vec::new(), None);
        while let Some(line) = lines.next().await {
            match line {
                Ok(line) => all.push(line),
                Err(error) => wrong = Some(error.what),
            }
        }
        Ok::<_, ApiError>((all, wrong))
    };
    let late = || ApiError::new(ErrorCode::Unavailable, "the log had no end within 10 s", "seawall logs");
    let (all, wrong) = timeout(READ, read).await.map_err(|_| late())??;
    let markup = html! {
        p.trail { a href=(at.address()) { (at.0) } " / Log" }
        h1 { "Log of " (at.0) }
        section.card { div #logs {
            @if all.is_empty() { p.quiet { "It printed nothing." } } @else { div.log tabindex="0" { pre { (last(&all, LOG)) } } }
            @if let Some(wrong) = wrong { p.wrong { (wrong) } }
            p.quiet { "As it comes: " code { "seawall logs -f " (at.0) } }
        } }
    };
    Ok(framed(&visitor, &format!("Log of {}", at.0), None, &markup))
}

/// The last lines that have room, each of them perhaps cut.
fn last(lines: &[String], room: usize) -> String {
    let mut left = room;
    let mut kept: Vec<&str> = Vec::new();
    for line in lines.iter().rev() {
        let most = LINE.min(left).min(line.len());
        let fits = (0..=most).rev().find(|end| line.is_char_boundary(*end)).unwrap_or_default();
        let line = line.get(..fits).unwrap_or_default();
        if left == 0 {
            break;
        }
        left = left.saturating_sub(line.len() + 1);
        kept.push(line);
    }
    kept.reverse();
    kept.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn who_names_an_object_is_found_by_its_whole_name_or_by_a_field_of_its_kind() {
        for (spec, want) in [
            (json!({"service": "postgres/main"}), true),
            (json!({"a": [{"b": "postgres/main"}]}), true),
            (json!({"postgres": "main"}), true),
            (json!({"database": "main"}), false),
            (json!({"service": "postgres/main2"}), false),
            (json!(null), false),
        ] {
            assert_eq!(names(&spec, "postgres/main", "postgres", "main"), want, "{spec}");
        }
    }

    #[test]
    fn a_log_of_any_size_has_a_known_one() {
        let lines = vec!["a".repeat(5_000_000), "b".repeat(3_000), "c".to_owned()];
        let text = last(&lines, 3_000);
        assert_eq!(text.len(), 3_000, "{text}");
        assert!(text.starts_with("aa") && text.contains("a\nbb") && text.ends_with("b\nc"), "{text}");
        assert_eq!(last(&["ä".repeat(2_000)], 5), "ää");
    }
}
