//! In by a token, and out again.

use super::Web;
use super::gate::{
    WORD, cookie, fields, from, is, named, not_ours, nowhere, session_cookie, set_cookie, visitor,
};
use super::layout::{Fault, bare};
use super::session::LONGEST;
use crate::control::api::ErrorCode;
use crate::secrets::{ExposeSecret, Secret, password};
use axum::extract::{Query, Request, State};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde::Deserialize;
use std::sync::PoisonError;
use tokio::time::Instant;

/// Bytes of a token; ours are far shorter.
const MAX_TOKEN: usize = 512;
/// Seconds in which a form of the sign-in page has to be sent.
const PATIENCE: u64 = 3600;
/// The field of a link that signs in once.
const TICKET: &str = "ticket";
/// The page that comes first.
const HOME: &str = "/services";

pub async fn home(State(web): State<Web>, request: Request) -> Response {
    match visitor(&web, request.headers(), from(&request)).await {
        Ok(Some(_)) => Redirect::to(HOME).into_response(),
        Ok(None) => Redirect::to("/sign-in").into_response(),
        Err(fault) => fault.into_response(),
    }
}

#[derive(Deserialize)]
pub struct By {
    ticket: Option<String>,
}

/// A link is not used up by looking at it: whatever looks ahead for somebody sends no form.
pub async fn form(State(web): State<Web>, Query(by): Query<By>) -> Response {
    match by.ticket.filter(|ticket| ticket.len() <= MAX_TOKEN) {
        Some(ticket) => by_link(&web, &ticket),
        None => page(&web, StatusCode::OK, None),
    }
}

fn by_link(web: &Web, ticket: &str) -> Response {
    let word = password();
    let markup = html! {
        h1 { "Sign in" }
        p { "This link signs you in once. You may do everything then, for 12 hours." }
        form method="post" action="/sign-in" {
            input type="hidden" name=(WORD) value=(word.expose_secret());
            input type="hidden" name=(TICKET) value=(ticket);
            button.primary autofocus { "Sign in" }
        }
        p.quiet { a href="/sign-in" { "With a token instead" } }
    };
    asked(web, StatusCode::OK, &markup, &word)
}

/// Its form has a word of its own, which a cookie tells us again: nobody is signed in as somebody else by another page.
fn asked(web: &Web, status: StatusCode, markup: &Markup, word: &Secret) -> Response {
    let cookie = set_cookie(&named("form", web.secure), word.expose_secret(), web.secure, PATIENCE);
    with_cookie((status, bare("Sign in", markup)).into_response(), cookie)
}

fn page(web: &Web, status: StatusCode, wrong: Option<&str>) -> Response {
    let word = password();
    let markup = html! {
        h1 { "Sign in" }
        p.quiet { "To this installation of Seawall, with a token." }
        @if let Some(wrong) = wrong { p.wrong role="alert" { (wrong) } }
        form method="post" action="/sign-in" {
            input type="hidden" name=(WORD) value=(word.expose_secret());
            label for="token" { "Token" }
            input #token type="password" name="token" autocomplete="current-password" placeholder="swl_…" required autofocus;
            button.primary { "Sign in" }
        }
        p.quiet {
            "Whoever may open the operator's socket needs none, or makes one:"
            br;
            code { "seawall dashboard" }
            br;
            code { "seawall token create me --role admin" }
        }
    };
    asked(web, status, &markup, &word)
}

pub async fn sign_in(State(web): State<Web>, request: Request) -> Result<Response, Fault> {
    let address = from(&request).ok_or_else(nowhere)?;
    let word = cookie(request.headers(), &named("form", web.secure)).unwrap_or_default().to_owned();
    let mut fields = fields(request).await?;
    if !is(fields.get(WORD), &word) {
        return Err(not_ours());
    }
    let ticket = fields.remove(TICKET);
    let by_link = ticket.is_some();
    let shown = Secret::from(ticket.or_else(|| fields.remove("token")).unwrap_or_default().trim());
    if shown.expose_secret().is_empty() || shown.expose_secret().len() > MAX_TOKEN {
        return Ok(page(&web, StatusCode::UNAUTHORIZED, Some("That is no token.")));
    }
    let admitted = match by_link {
        true => web.keeper.redeem(&shown, address).await,
        false => web.keeper.admit(&shown, address).await,
    };
    match admitted {
        Ok(caller) => {
            let id = {
                let mut sessions = web.sessions.lock().unwrap_or_else(PoisonError::into_inner);
                sessions.begin(caller, (!by_link).then_some(shown), Instant::now())
            };
            let name = session_cookie(web.secure);
            let cookie = set_cookie(&name, id.expose_secret(), web.secure, LONGEST.as_secs());
            Ok(with_cookie(Redirect::to(HOME).into_response(), cookie))
        }
        Err(error) if error.code == ErrorCode::Unauthenticated => {
            let wrong = match by_link {
                true => "This link opens nothing any more: it was used, or is older than ten minutes.",
                false => "This token opens nothing: it is wrong, revoked or over.",
            };
            Ok(page(&web, StatusCode::UNAUTHORIZED, Some(wrong)))
        }
        Err(error) => Err(error.into()),
    }
}

pub async fn sign_out(State(web): State<Web>, headers: HeaderMap) -> Response {
    let name = session_cookie(web.secure);
    if let Some(id) = cookie(&headers, &name) {
        web.sessions.lock().unwrap_or_else(PoisonError::into_inner).end(id);
    }
    let gone = set_cookie(&name, "", web.secure, 0);
    with_cookie(Redirect::to("/sign-in").into_response(), gone)
}

fn with_cookie(mut response: Response, cookie: Option<HeaderValue>) -> Response {
    response.headers_mut().extend(cookie.map(|cookie| (SET_COOKIE, cookie)));
    response
}
