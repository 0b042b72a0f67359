//! What is done to an object by a form: stop, start, restart, rotate, delete. Each says on the next page what became of it.

use super::Web;
use super::gate::Fields;
use super::layout::{Answer, Fault, framed, word};
use super::object::At;
use super::session::{Said, Visitor};
use crate::control::api::{Api, ApiError, Done, ErrorCode, ManagedBy, ObjectView, Operation};
use crate::control::registry::Kinds;
use crate::core::access::Permission;
use crate::core::condition;
use crate::kinds::About;
use axum::Extension;
use axum::extract::State;
use axum::response::Redirect;
use maud::{Markup, html};
use std::sync::Arc;

/// What a button asks for, and what it says.
const OPERATIONS: [(&str, Operation, &str); 4] = [
    ("start", Operation::Start, "Start"),
    ("restart", Operation::Restart, "Restart"),
    ("stop", Operation::Stop, "Stop"),
    ("rotate", Operation::Rotate, "Rotate the password"),
];

/// A field of a deletion that takes no data.
const KEEP: &str = "keep";

/// The buttons above an object: those that have a sense as it is, for who may.
pub fn actions(visitor: &Visitor, at: &At, view: &ObjectView, about: &About) -> Markup {
    let may = |permission| visitor.caller.may(permission);
    let stopped = condition::phase(&super::parts::conditions(view)) == "Stopped";
    let fits = |operation: Operation| match operation {
        Operation::Start => about.containers && stopped,
        Operation::Rotate => about.rotates && !stopped,
        _ => about.containers && !stopped,
    };
    let write = may(Permission::ExternalServicesWrite);
    html! {
        div.actions {
            @if write {
                @for (name, _, says) in OPERATIONS.iter().filter(|(_, operation, _)| fits(*operation)) {
                    form method="post" action={ (at.address()) "/operate" } {
                        (word(visitor))
                        button name="operation" value=(name) { (says) }
                    }
                }
                @if about.containers { a.button href={ (at.address()) "/limits" } { "Edit limits" } }
            } @else { p.quiet { "Your token only looks: changes need ExternalServicesWrite." } }
            @if may(Permission::ExternalServicesDelete) { a.button.danger href={ (at.address()) "/delete" } { "Delete…" } }
        }
    }
}

pub fn said(visitor: &Visitor, outcome: Result<Done, ApiError>) -> bool {
    let (wrong, what, next) = match outcome {
        Ok(Done { message, commit }) => (false, message, commit),
        Err(ApiError { what, next, .. }) => (true, what, next),
    };
    visitor.say(Said { wrong, what, next });
    !wrong
}

pub async fn operate(
    State(api): State<Arc<dyn Api>>,
    Extension(visitor): Extension<Visitor>,
    Extension(fields): Extension<Fields>,
    at: At,
) -> Result<Redirect, Fault> {
    let asked = fields.get("operation").map(String::as_str).unwrap_or_default();
    let found = OPERATIONS.iter().find(|(name, _, _)| *name == asked);
    let unknown = || ApiError::new(ErrorCode::Invalid, "there is no such operation", "");
    let (_, operation, _) = found.ok_or_else(unknown)?;
    said(&visitor, api.operate(&at.0, *operation).await);
    Ok(Redirect::to(&at.address()))
}

/// What would go, before anything does.
pub async fn ask_delete(
    State(api): State<Arc<dyn Api>>,
    Extension(visitor): Extension<Visitor>,
    at: At,
) -> Answer {
    let view = api.object(&at.0).await?;
    let gone = Kinds::all(None).gone(at.0.kind);
    let by_file = view.metadata.managed_by == Some(ManagedBy::File);
    let by_api = view.metadata.managed_by == Some(ManagedBy::Api);
    let owner = view.metadata.owner_references.iter().find(|owner| owner.controller);
    let markup = html! {
        p.trail { a href=(at.address()) { (at.0) } " / Delete" }
        h1 { "Delete " (at.0) }
        section.card {
            @if by_file {
                p { "It is held by a file. Take it out of " code { (view.metadata.source) } " and commit that:" }
                p.quiet { "Without its manifest: " (gone) "." }
            } @else if let Some(owner) = owner {
                p { "It was made by " (owner.kind) " " (owner.name) ", which makes it anew as long as it wants it." }
            }
            @if !by_file {
                @if by_api {
                    p { "It goes as an object whose manifest goes: " (gone) "." }
                    p.quiet { "Data that are kept are deleted afterwards, by name and in the same way." }
                } @else {
                    p.wrong { strong { "Its data go with it, and nobody can bring them back." } }
                }
                form method="post" action={ (at.address()) "/delete" } {
                    (word(&visitor))
                    @if by_api { input type="hidden" name=(KEEP) value="yes"; }
                    label for="confirm" { "Type its name, " code { (at.0.name) } ", to confirm" }
                    input #confirm name="confirm" autocomplete="off" required;
                    " " button.danger { "Delete" } " " a.button href=(at.address()) { "Keep it" }
                }
            }
        }
    };
    Ok(framed(&visitor, &format!("Delete {}", at.0), None, &markup))
}

pub async fn delete(
    State(web): State<Web>,
    Extension(visitor): Extension<Visitor>,
    Extension(fields): Extension<Fields>,
    at: At,
) -> Redirect {
    let confirm = fields.get("confirm").map(|name| name.trim()).unwrap_or_default();
    // With the name the API takes the data, too: not of one of which the page said that it is let go.
    let sent = if fields.contains_key(KEEP) { "" } else { confirm };
    let outcome = match confirm == at.0.name.as_str() {
        true => web.api.delete(&at.0, sent).await,
        false => {
            let what = format!("nothing was deleted: the name that was typed is not {}", at.0.name);
            Err(ApiError::new(ErrorCode::Conflict, what, ""))
        }
    };
    let there_still = web.api.object(&at.0).await.is_ok();
    match said(&visitor, outcome) && !there_still {
        true => Redirect::to("/services"),
        false => Redirect::to(&at.address()),
    }
}
