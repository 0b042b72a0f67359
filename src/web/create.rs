//! A new object from a manifest, which can as well be committed: its plan is there to be read first.

use super::gate::{Fields, need};
use super::layout::{Answer, Fault, Page, framed, word};
use super::limits::{looked, tell};
use super::parts::address;
use super::session::Visitor;
use crate::control::api::{Api, ApiError, Applied, ApplyOptions};
use crate::control::registry::Kinds;
use crate::core::access::Permission;
use crate::core::names::ObjectRef;
use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use maud::html;
use std::sync::Arc;

/// The page of a new object.
pub async fn form(Extension(visitor): Extension<Visitor>) -> Answer {
    Ok(page(&visitor, &example(), None))
}

/// A document that is one of the first kind with something to connect to.
fn example() -> String {
    let all = Kinds::all(None);
    let about = all.about().find(|about| about.client.is_some());
    let kind = about.map_or("", |about| about.kind.as_str());
    let version = about.and_then(|about| about.images.first()).map_or("", |(version, _)| version);
    format!(
        "apiVersion: seawall.dev/v1\nkind: {kind}\nmetadata:\n  name: main\nspec:\n  version: \"{version}\"\n  resources:\n    memory: 512Mi\n"
    )
}

fn page(visitor: &Visitor, document: &str, outcome: Option<&Result<Applied, ApiError>>) -> Page {
    let all = Kinds::all(None);
    let kinds = all.about().filter(|about| about.client.is_some());
    let markup = html! {
        p.trail { a href="/services" { "Services" } " / New" }
        h1 { "Create a service" }
        div.columns {
            section.card {
                form method="post" action="/create" {
                    (word(visitor))
                    label for="document" { "Manifest" }
                    textarea #document name="document" spellcheck="false" { (document) }
                    div.actions {
                        button.primary name="do" value="plan" { "Show the plan" }
                        @if matches!(outcome, Some(Ok(_))) { button name="do" value="save" { "Create here" } }
                    }
                }
            }
            div {
                @if let Some(outcome) = outcome { (looked(outcome)) }
                section.card {
                    h2 { "As a file, or here" }
                    p { "Commit this text to the directory that Seawall watches, and it is made within seconds. Made here it is kept by Seawall, and a file of the same text takes it over later." }
                    h3 { "Kinds and versions" }
                    ul { @for about in kinds {
                        li { code { (about.kind.as_str()) } ": " (about.images.iter().map(|(version, _)| *version).collect::<Vec<_>>().join(", ")) }
                    } }
                    p.quiet { "Every field: " code { "seawall schema KIND" } }
                }
            }
        }
    };
    framed(visitor, "Create a service", None, &markup)
}

pub async fn create(
    State(api): State<Arc<dyn Api>>,
    Extension(visitor): Extension<Visitor>,
    Extension(fields): Extension<Fields>,
) -> Result<Response, Fault> {
    // As the API has it: a document may be of what is there.
    need(&visitor.caller, Permission::ExternalServicesWrite)?;
    // A browser sends lines with both characters.
    let document = fields.get("document").map(|text| text.replace("\r\n", "\n")).unwrap_or_default();
    let save = fields.get("do").is_some_and(|what| what == "save");
    let options = ApplyOptions { dry_run: !save, create: true, ..ApplyOptions::default() };
    let outcome = api.apply(&document, &options).await;
    match outcome {
        Ok(applied) if save => {
            tell(&visitor, &applied);
            let object: Option<ObjectRef> = applied.object.parse().ok();
            let to = object.map_or("/services".to_owned(), |o| address(o.kind.lower(), o.name.as_str()));
            Ok(Redirect::to(&to).into_response())
        }
        outcome => Ok(page(&visitor, &document, Some(&outcome)).into_response()),
    }
}
