//! What applications find in an environment: names of variables, who gives each, and the secrets in them for who may see those.

use super::Web;
use super::gate::Fields;
use super::layout::{Answer, Fault, Page, framed, word};
use super::object::At;
use super::parts::pill;
use super::session::Visitor;
use crate::control::api::{Api, ApiError, EnvironmentView, ErrorCode, ObjectView, VariableView};
use crate::core::access::Permission;
use crate::core::text::url_part;
use axum::Extension;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;

/// The field that names the variable to reveal.
const VARIABLE: &str = "variable";

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
    let view = api.environment(&at.0, &of.environment, false, false).await?;
    Ok(page(&visitor, &at, &of, &view))
}

/// The same in clear, all of it or the one that is named; who saw it is written down.
pub async fn revealed(
    State(api): State<Arc<dyn Api>>,
    Extension(visitor): Extension<Visitor>,
    Extension(fields): Extension<Fields>,
    at: At,
    of: Of,
) -> Answer {
    let view = match fields.get(VARIABLE) {
        Some(variable) => api.reveal_variable(&at.0, &of.environment, variable).await?,
        None => api.environment(&at.0, &of.environment, false, true).await?,
    };
    Ok(page(&visitor, &at, &of, &view))
}

fn page(visitor: &Visitor, at: &At, of: &Of, view: &EnvironmentView) -> Page {
    let name = &of.environment;
    let may = visitor.caller.may(Permission::SecretsReveal);
    let reveal = format!("{}/reveal", address(at, name));
    let withheld = view.variables.iter().any(|variable| variable.withheld);
    let markup = html! {
        p.trail { a href=(at.address()) { (at.0) } " / " (name) }
        h1 { "Variables of " (name) }
        section.card {
            @if view.variables.is_empty() {
                p { "Nothing gives it variables yet. A link of a service to it does:" }
                pre tabindex="0" { "seawall link KIND/NAME " (at.0.name) "/" (name) }
            } @else { (table(visitor, &view.variables, may.then_some(reveal.as_str()))) }
            @for from in &view.not_ready { p { (pill("warn", "Not ready")) " " (from) } }
            @for from in &view.unreachable { p { (pill("warn", "Not reachable")) " " (from) } }
            @if withheld && may {
                form method="post" action=(reveal) {
                    (word(visitor))
                    button { "Reveal all of them" }
                    span.quiet { " It is written down who saw what." }
                }
            } @else if withheld { p.quiet { "Your token does not show passwords: that needs SecretsReveal." } }
        }
    };
    framed(visitor, &format!("Variables of {}/{name}", at.0.name), None, &markup)
}

/// `reveal`: where a form asks for one of them.
fn table(visitor: &Visitor, variables: &[VariableView], reveal: Option<&str>) -> Markup {
    html! {
        table.list.small {
            thead { tr { th scope="col" { "Name" } th scope="col" { "Value" } th scope="col" { "From" } } }
            tbody { @for variable in variables {
                tr {
                    th scope="row" { code { (variable.name) } }
                    td data-label="Value" {
                        code { (variable.value) }
                        @if variable.secret { " " (pill("idle", "secret")) }
                        @if let (true, Some(reveal)) = (variable.withheld, reveal) {
                            form.reveal method="post" action=(reveal) {
                                (word(visitor))
                                button.plain name=(VARIABLE) value=(variable.name) aria-label={ "Reveal " (variable.name) } { "Reveal" }
                            }
                        }
                    }
                    td data-label="From" { a href={ "/services/" (variable.from) } { (variable.from) } }
                }
            } }
        }
    }
}
