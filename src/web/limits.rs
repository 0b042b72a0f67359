//! Edit limits: nothing is saved before its plan was there to be read. What a file holds is not changed here: the page says what to commit.

use super::gate::Fields;
use super::layout::{Answer, Fault, Page, framed, word};
use super::object::{At, steps};
use super::parts::{field, pill};
use super::session::{Said, Visitor};
use crate::control::api::{Api, ApiError, Applied, ApplyOptions, ManagedBy, ObjectView, Outcome};
use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde_json::{Value, json};
use std::sync::Arc;

/// Fields of the form.
const MEMORY: &str = "memory";
const SWAP: &str = "swap";
const CPUS: &str = "cpus";
/// Whether it is limited at all: a switch of its own for each.
const LIMIT_MEMORY: &str = "limit-memory";
const LIMIT_CPUS: &str = "limit-cpus";

pub async fn form(State(api): State<Arc<dyn Api>>, Extension(visitor): Extension<Visitor>, at: At) -> Answer {
    let view = api.object(&at.0).await?;
    let of = |what: &str| field(&view.spec, &format!("/resources/{what}"));
    let (memory, cpus) = (of(MEMORY), of(CPUS));
    let mut fields = Fields::new();
    for (name, limit, value) in [(MEMORY, LIMIT_MEMORY, memory), (CPUS, LIMIT_CPUS, cpus)] {
        if let Some(value) = value {
            fields.insert(name.to_owned(), value);
            fields.insert(limit.to_owned(), "on".to_owned());
        }
    }
    fields.extend(of(SWAP).map(|swap| (SWAP.to_owned(), swap)));
    Ok(page(&visitor, &at, &view, &fields, None))
}

/// `outcome`: of a look ahead.
fn page(
    visitor: &Visitor,
    at: &At,
    view: &ObjectView,
    fields: &Fields,
    outcome: Option<&Result<Applied, ApiError>>,
) -> Page {
    let value = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
    let by_file = view.metadata.managed_by == Some(ManagedBy::File);
    let markup = html! {
        p.trail { a href=(at.address()) { (at.0) } " / Limits" }
        h1 { "Limits of " (at.0) }
        div.columns {
            section.card {
                form method="post" action={ (at.address()) "/limits" } {
                    (word(visitor))
                    fieldset {
                        legend { label.inline { input type="checkbox" name=(LIMIT_MEMORY) checked[fields.contains_key(LIMIT_MEMORY)]; "Limit memory" } }
                        label for=(MEMORY) { "Memory" }
                        input id=(MEMORY) name=(MEMORY) value=(value(MEMORY)) placeholder="512Mi";
                        label for=(SWAP) { "Swap besides" }
                        input id=(SWAP) name=(SWAP) value=(value(SWAP)) placeholder="none";
                        p.quiet { "Off: unlimited. Swap is in addition to the memory; empty is none." }
                    }
                    fieldset {
                        legend { label.inline { input type="checkbox" name=(LIMIT_CPUS) checked[fields.contains_key(LIMIT_CPUS)]; "Limit CPU" } }
                        label for=(CPUS) { "Cores" }
                        input id=(CPUS) name=(CPUS) value=(value(CPUS)) placeholder="1.5";
                        p.quiet { "Off: unlimited." }
                    }
                    div.actions {
                        button.primary name="do" value="plan" { @if by_file { "Show what to commit" } @else { "Show the plan" } }
                        @if matches!(outcome, Some(Ok(_))) { button.primary name="do" value="save" { "Save" } }
                        a.button href=(at.address()) { "Back" }
                    }
                }
            }
            @match outcome {
                Some(outcome) => { (looked(outcome)) },
                None if by_file => { section.card { p { "It is held by " code { (view.metadata.source) } ": the change is a commit, and this page writes it for you." } } },
                None => { section.card { p.quiet { "Nothing is changed before you have seen the plan. Limits are put in force while the server runs." } } },
            }
        }
    };
    framed(visitor, &format!("Limits of {}", at.0), None, &markup)
}

/// What would come of it.
pub fn looked(outcome: &Result<Applied, ApiError>) -> Markup {
    html! {
        section.card {
            h2 { "Plan" }
            @match outcome {
                Ok(applied) => {
                    p { (pill(if applied.outcome == Outcome::Unchanged { "idle" } else { "good" }, would(applied.outcome))) }
                    @for warning in &applied.warnings { p.wrong { (warning) } }
                    @if let Some(plan) = &applied.plan { (steps(plan)) }
                },
                Err(error) => {
                    p.wrong { (error.what) }
                    @if !error.next.is_empty() { pre tabindex="0" { (error.next) } }
                },
            }
        }
    }
}

fn would(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Created => "It would be made",
        Outcome::Configured => "It would be changed",
        Outcome::Unchanged => "Nothing would be changed",
    }
}

/// What the form says, as a merge patch; each switch for itself.
fn patch(fields: &Fields) -> Value {
    let value = |name: &str, switch: &str| {
        let text = fields.get(name).map(|text| text.trim()).filter(|text| !text.is_empty());
        text.filter(|_| fields.contains_key(switch)).map_or(Value::Null, Value::from)
    };
    json!({"spec": {"resources": {
        "memory": value(MEMORY, LIMIT_MEMORY),
        "swap": value(SWAP, LIMIT_MEMORY),
        "cpus": value(CPUS, LIMIT_CPUS),
    }}})
}

pub async fn edit(
    State(api): State<Arc<dyn Api>>,
    Extension(visitor): Extension<Visitor>,
    Extension(fields): Extension<Fields>,
    at: At,
) -> Result<Response, Fault> {
    let view = api.object(&at.0).await?;
    let save = fields.get("do").is_some_and(|what| what == "save");
    let options = ApplyOptions { dry_run: !save, ..ApplyOptions::default() };
    let outcome = api.patch(&at.0, &patch(&fields).to_string(), &options).await;
    match outcome {
        Ok(applied) if save => {
            tell(&visitor, &applied);
            Ok(Redirect::to(&at.address()).into_response())
        }
        outcome => Ok(page(&visitor, &at, &view, &fields, Some(&outcome)).into_response()),
    }
}

/// On the next page.
pub fn tell(visitor: &Visitor, applied: &Applied) {
    let warnings: Vec<String> = applied.warnings.iter().map(ToString::to_string).collect();
    let what = format!("{} {}", applied.object, applied.outcome.as_str());
    visitor.say(Said { wrong: false, what, next: warnings.join("\n") });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_switch_is_for_itself_and_off_is_no_limit() {
        for (form, memory, swap, cpus) in [
            (&[][..], json!(null), json!(null), json!(null)),
            (&[("memory", "1Gi"), ("swap", "1Gi"), ("cpus", "2")], json!(null), json!(null), json!(null)),
            (
                &[("limit-memory", "on"), ("memory", " 1Gi "), ("swap", ""), ("cpus", "2")],
                json!("1Gi"),
                json!(null),
                json!(null),
            ),
            (
                &[("limit-cpus", "on"), ("cpus", "1.5"), ("swap", "1Gi")],
                json!(null),
                json!(null),
                json!("1.5"),
            ),
            (
                &[("limit-memory", "on"), ("memory", "1Gi"), ("swap", "256Mi")],
                json!("1Gi"),
                json!("256Mi"),
                json!(null),
            ),
        ] {
            let fields = form.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            let want = json!({"spec": {"resources": {"memory": memory, "swap": swap, "cpus": cpus}}});
            assert_eq!(patch(&fields), want, "{form:?}");
        }
    }
}
