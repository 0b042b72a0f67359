//! How to get in: masked, until somebody who may asks for the password, which is written down.

use super::layout::{Answer, framed, word};
use super::object::At;
use super::session::Visitor;
use crate::control::api::{Api, ApiError, ConnectionView, ErrorCode, HostPort};
use crate::control::registry::Kinds;
use crate::core::access::Permission;
use crate::core::text::url_part;
use crate::kinds::Client;
use axum::Extension;
use axum::extract::State;
use maud::{Markup, html};
use std::sync::Arc;

const MASK: &str = "••••••••";

/// `None`: there is nothing to connect to, or nobody knows how yet.
pub async fn card(api: &dyn Api, visitor: &Visitor, at: &At, reveal: bool) -> Option<Markup> {
    let client = Kinds::all(None).client(at.0.kind)?;
    let view = api.connection(&at.0, reveal).await.ok()?;
    Some(markup(client, &view, visitor, at))
}

/// The password in clear, once: a page of its own that nothing keeps. What is asked leaves its event and its line of the audit log.
pub async fn reveal(
    State(api): State<Arc<dyn Api>>,
    Extension(visitor): Extension<Visitor>,
    at: At,
) -> Answer {
    let nothing = || ApiError::new(ErrorCode::NotFound, format!("{} is nothing to connect to", at.0), "");
    let client = Kinds::all(None).client(at.0.kind).ok_or_else(nothing)?;
    let view = api.connection(&at.0, true).await?;
    let content = html! {
        p.trail { a href=(at.address()) { (at.0) } " / Connection" }
        h1 { "Connection" }
        (markup(client, &view, &visitor, &at))
        p.quiet { "That it was shown to " (visitor.caller.name) " is in the audit log." }
    };
    Ok(framed(&visitor, &format!("Connection of {}", at.0), None, &content))
}

fn markup(client: &Client, view: &ConnectionView, visitor: &Visitor, at: &At) -> Markup {
    let password = view.password.as_deref().unwrap_or(MASK);
    html! {
        section.card.connection {
            h2 { "Connection" }
            dl.pairs {
                dt { "From containers" } dd { code { (url(client, view, &view.network)) } p.quiet { "on network " (view.network_name) } }
                dt { "From this host" }
                dd { @match &view.host {
                    Some(host) => { code { (url(client, view, host)) } },
                    None => { span.quiet { "no port is published" } },
                } }
                dt { "Username" } dd { code { (view.username) } }
                @if !view.database.is_empty() { dt { "Database" } dd { code { (view.database) } } }
                dt { "Password" } dd { code { (password) } }
            }
            @if view.password.is_none() {
                @if visitor.caller.may(Permission::SecretsReveal) {
                    form method="post" action={ (at.address()) "/reveal" } {
                        (word(visitor))
                        button { "Reveal the password" }
                        span.quiet { " It is written down who saw it." }
                    }
                } @else { p.quiet { "Your token does not show passwords: that needs SecretsReveal." } }
            }
            p.quiet { "In a terminal: " code { "seawall " (client.verb) " " (at.0.name) } }
        }
    }
}

fn url(client: &Client, view: &ConnectionView, to: &HostPort) -> String {
    let password = view.password.as_deref().map_or_else(|| MASK.to_owned(), url_part);
    let host = if to.host.contains(':') { format!("[{}]", to.host) } else { to.host.clone() };
    let database =
        if view.database.is_empty() { String::new() } else { format!("/{}", url_part(&view.database)) };
    format!("{}://{}:{password}@{host}:{}{database}", client.scheme, url_part(&view.username), to.port)
}
