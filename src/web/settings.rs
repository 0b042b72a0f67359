//! The operator itself: what runs, who may come in, keys, who did what.

use super::gate::Fields;
use super::layout::{Answer, Fault, framed, word};
use super::parts::{ago, day, or_dash, pill};
use super::session::{Said, Visitor};
use crate::control::api::{
    Api, ApiError, AuditEntry, EXPIRES, ErrorCode, KeyList, KeyUse, NewToken, OperatorView, TokenView,
};
use crate::core::access::{Grant, Role};
use crate::core::names::Name;
use axum::Extension;
use axum::extract::State;
use axum::response::Redirect;
use jiff::Timestamp;
use maud::{Markup, html};
use std::sync::Arc;

/// The last lines of the audit log; `seawall audit` shows all.
const LINES: usize = 50;
/// Tokens that are shown; there may be a thousand.
const TOKENS: usize = 100;

pub async fn page(State(api): State<Arc<dyn Api>>, Extension(visitor): Extension<Visitor>) -> Answer {
    let (operator, tokens) = (api.operator().await?, api.tokens().await?);
    let (keys, audit) = (api.keys().await?, api.audit(0).await?);
    let now = Timestamp::now();
    let markup = html! {
        div.title { h1 { "Settings" } }
        div.columns {
            div {
                section.card { h2 { "Tokens" } (all_tokens(&visitor, &tokens, now)) (new_token(&visitor)) }
                section.card { h2 { "Audit log" } (who_did_what(&audit, now)) }
            }
            div {
                section.card { h2 { "Operator" } (running(&operator, now)) }
                section.card { h2 { "Keys" } (all_keys(&keys)) }
            }
        }
    };
    Ok(framed(&visitor, "Settings", None, &markup))
}

fn running(operator: &OperatorView, now: Timestamp) -> Markup {
    html! {
        dl.pairs {
            dt { "Version" } dd { (operator.version) }
            dt { "Runs for" } dd { (ago(&operator.started_at, now)) }
            dt { "Installation" } dd { (operator.installation) }
            dt { "Manifests" } dd { code { (operator.manifests) } }
            dt { "Docker engine" } dd { (operator.engine) }
            dt { "Metrics" } dd { (or_dash(operator.metrics.clone().or_else(|| operator.metrics_trouble.clone()))) }
        }
    }
}

fn all_tokens(visitor: &Visitor, tokens: &[TokenView], now: Timestamp) -> Markup {
    html! {
        @if tokens.is_empty() { p.quiet { "There are no tokens." } } @else {
            table.list.small {
                thead { tr { th scope="col" { "Name" } th scope="col" { "May" } th scope="col" { "Ends" } th scope="col" { "Last used" } th {} } }
                tbody { @for token in tokens.iter().take(TOKENS) {
                    tr {
                        th scope="row" { (token.name) }
                        td data-label="May" { (token.grant) }
                        td data-label="Ends" { @if token.expired { (pill("bad", "Over")) } @else { @match &token.expires { Some(at) => { (day(at)) }, None => { "never" } } } }
                        td data-label="Last used" { @match &token.last_used { Some(at) => { (ago(at, now)) " ago" }, None => { "never" } } }
                        td { form method="post" action="/settings/revoke" {
                            (word(visitor)) button.danger name="name" value=(token.name) { "Revoke" }
                        } }
                    }
                } }
            }
        }
    }
}

fn new_token(visitor: &Visitor) -> Markup {
    html! {
        form method="post" action="/settings/tokens" {
            (word(visitor))
            label for="name" { "A new token" }
            div.actions {
                input #name name="name" placeholder="its name" autocomplete="off" required;
                select name="role" aria-label="Role" { @for role in Role::ALL.iter().rev() { option value=(role) { (role) } } }
                input name="expires" value=(EXPIRES) size="6" aria-label="Ends after";
                button { "Make it" }
            }
        }
    }
}

fn all_keys(keys: &KeyList) -> Markup {
    html! {
        table.list.small { tbody { @for key in &keys.keys {
            tr {
                th scope="row" { code { (key.id) } }
                td { @match key.state {
                    KeyUse::Seals => { (pill("good", "Seals")) },
                    KeyUse::Opens => { (pill("warn", "Only opens")) },
                    KeyUse::Missing => { (pill("bad", "Missing")) },
                } }
                td { (key.records) " records" }
            }
        } } }
        p.quiet { "In " code { (keys.file) } ": keep a copy of it somewhere else. Another one: " code { "seawall keys rotate" } }
    }
}

fn who_did_what(audit: &[AuditEntry], now: Timestamp) -> Markup {
    html! {
        @if audit.is_empty() { p.quiet { "Nothing was written down yet." } } @else {
            table.list.small {
                thead { tr { th scope="col" { "When" } th scope="col" { "Who" } th scope="col" { "What" } th scope="col" { "Of" } } }
                tbody { @for entry in audit.iter().rev().take(LINES) {
                    tr {
                        td data-label="When" { (ago(&entry.last_at, now)) @if entry.count > 1 { span.quiet { " ×" (entry.count) } } }
                        td data-label="Who" { (entry.who) span.quiet { " " (entry.from) } }
                        td data-label="What" { (entry.what) @if !entry.detail.is_empty() { p.quiet { (entry.detail) } } }
                        td data-label="Of" { (entry.object) }
                    }
                } }
            }
            @if audit.len() > LINES { p.quiet { "Older lines: " code { "seawall audit" } } }
        }
    }
}

fn invalid(error: &dyn std::fmt::Display) -> Fault {
    ApiError::new(ErrorCode::Invalid, error.to_string(), "").into()
}

/// A token, this one time: it is in no address and is kept by nobody.
pub async fn create(
    State(api): State<Arc<dyn Api>>,
    Extension(visitor): Extension<Visitor>,
    Extension(fields): Extension<Fields>,
) -> Answer {
    let value = |name: &str| fields.get(name).map(|text| text.trim()).unwrap_or_default();
    let name = Name::parse(value("name")).map_err(|e| invalid(&e))?;
    let role: Role = value("role").parse().map_err(|e| invalid(&e))?;
    let new = NewToken { name, grant: Grant::Role(role), expires: value("expires").to_owned() };
    let issued = api.create_token(&new).await?;
    let markup = html! {
        p.trail { a href="/settings" { "Settings" } " / Token" }
        h1 { "Token " (issued.view.name) }
        section.card {
            p { "It is shown this once:" }
            pre tabindex="0" { (issued.token) }
        }
    };
    Ok(framed(&visitor, "A new token", None, &markup))
}

pub async fn revoke(
    State(api): State<Arc<dyn Api>>,
    Extension(visitor): Extension<Visitor>,
    Extension(fields): Extension<Fields>,
) -> Result<Redirect, Fault> {
    let name = fields.get("name").map(String::as_str).unwrap_or_default();
    let done = api.revoke_token(&Name::parse(name).map_err(|e| invalid(&e))?).await?;
    visitor.say(Said { wrong: false, what: done.message, next: String::new() });
    Ok(Redirect::to("/settings"))
}
