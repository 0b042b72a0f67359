//! What applications find in an environment: names of variables, who gives each, and the secrets in them for who may see those.

use super::Web;
use super::layout::{Answer, Fault, framed, word};
use super::object::At;
use super::parts::pill;
use super::session::Visitor;
use crate::control::api::{Api, ApiError, ErrorCode, ObjectView, VariableView};
use crate::core::access::Permission;
use crate::core::text::url_part;
use axum::Extension;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;

/// The environment that the path names.
#[derive(Deserialize)]
pub struct Of {
    environment: String,
}

impl FromRequestParts<Web> for Of {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Fault> {
        let path: Result<Path<Self>, _> = Path::from_request_parts(parts, web).await;
        path.map(|Path(of)| of).map_err(|e| ApiError::new(ErrorCode::NotFound, e.body_text(), "").into())
    }
}

/// The environments of an object that has some.
pub fn card(at: &At, view: &ObjectView) -> Option<Markup> {
    let all = view.spec.get("environments").and_then(Value::as_object)?;
    Some(html! {
        section.card {
            h2 { "Environments" }
            ul.related { @for name in all.keys() { li { a href=(address(at, name)) { (name) } } } }
        }
    })
}

pub fn address(at: &At, environment: &str) -> String {
    format!("{}/environments/{}", at.address(), url_part(environment))
}

pub async fn masked(
    State(api): State<Arc<dyn Api>>,
    Extension(visitor): Extension<Visitor>,
    at: At,
    of: Of,
) -> Answer {
    page(api.as_ref(), &visitor, &at, &of, false).await
}

/// The same in clear; who saw it is written down.
pub async fn revealed(
    State(api): State<Arc<dyn Api>>,
    Extension(visitor): Extension<Visitor>,
    at: At,
    of: Of,
) -> Answer {
    page(api.as_ref(), &visitor, &at, &of, true).await
}

async fn page(api: &dyn Api, visitor: &Visitor, at: &At, of: &Of, reveal: bool) -> Answer {
    let name = &of.environment;
    let view = api.environment(&at.0, name, false, reveal).await?;
    let withheld = view.variables.iter().any(|variable| variable.withheld);
    let markup = html! {
        p.trail { a href=(at.address()) { (at.0) } " / " (name) }
        h1 { "Variables of " (name) }
        section.card {
            @if view.variables.is_empty() {
                p { "Nothing gives it variables yet. A link of a service to it does:" }
                pre tabindex="0" { "seawall link KIND/NAME " (at.0.name) "/" (name) }
            } @else { (table(&view.variables)) }
            @for from in &view.not_ready { p { (pill("warn", "Not ready")) " " (from) } }
            @for from in &view.unreachable { p { (pill("warn", "Not reachable")) " " (from) } }
            @if withheld && visitor.caller.may(Permission::SecretsReveal) {
                form method="post" action={ (address(at, name)) "/reveal" } {
                    (word(visitor))
                    button { "Reveal the secrets" }
                    span.quiet { " It is written down who saw them." }
                }
            }
        }
    };
    Ok(framed(visitor, &format!("Variables of {}/{name}", at.0.name), None, &markup))
}

fn table(variables: &[VariableView]) -> Markup {
    html! {
        table.list.small {
            thead { tr { th scope="col" { "Name" } th scope="col" { "Value" } th scope="col" { "From" } } }
            tbody { @for variable in variables {
                tr {
                    th scope="row" { code { (variable.name) } }
                    td data-label="Value" { code { (variable.value) } @if variable.secret { " " (pill("idle", "secret")) } }
                    td data-label="From" { a href={ "/services/" (variable.from) } { (variable.from) } }
                }
            } }
        }
    }
}
