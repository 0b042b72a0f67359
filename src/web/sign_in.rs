//! In by a token, and out again.

use super::Web;
use super::gate::{
    WORD, cookie, fields, from, is, named, not_ours, nowhere, session_cookie, set_cookie, visitor,
};
use super::layout::{Fault, bare};
use super::session::LONGEST;
use crate::control::api::ErrorCode;
use crate::secrets::{ExposeSecret, Secret, password};
use axum::extract::{Request, State};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use maud::html;
use std::sync::PoisonError;
use tokio::time::Instant;

/// Bytes of a token; ours are far shorter.
const MAX_TOKEN: usize = 512;
/// Seconds in which a form of the sign-in page has to be sent.
const PATIENCE: u64 = 3600;
/// The page that comes first.
const HOME: &str = "/services";

pub async fn home(State(web): State<Web>, request: Request) -> Response {
    match visitor(&web, request.headers(), from(&request)).await {
        Ok(Some(_)) => Redirect::to(HOME).into_response(),
        Ok(None) => Redirect::to("/sign-in").into_response(),
        Err(fault) => fault.into_response(),
    }
}

pub async fn form(State(web): State<Web>) -> Response {
    page(&web, StatusCode::OK, None)
}

/// Its form has a word of its own, which a cookie tells us again: nobody is signed in as somebody else by another page.
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
            "Whoever may open the operator's socket makes one:"
            br;
            code { "seawall token create me --role admin" }
        }
    };
    let cookie = set_cookie(&named("form", web.secure), word.expose_secret(), web.secure, PATIENCE);
    with_cookie((status, bare("Sign in", &markup)).into_response(), cookie)
}

pub async fn sign_in(State(web): State<Web>, request: Request) -> Result<Response, Fault> {
    let address = from(&request).ok_or_else(nowhere)?;
    let word = cookie(request.headers(), &named("form", web.secure)).unwrap_or_default().to_owned();
    let mut fields = fields(request).await?;
    if !is(fields.get(WORD), &word) {
        return Err(not_ours());
    }
    let token = fields.remove("token").unwrap_or_default();
    let token = Secret::from(token.trim());
    if token.expose_secret().is_empty() || token.expose_secret().len() > MAX_TOKEN {
        return Ok(page(&web, StatusCode::UNAUTHORIZED, Some("That is no token.")));
    }
    match web.keeper.admit(&token, address).await {
        Ok(caller) => {
            let id = {
                let mut sessions = web.sessions.lock().unwrap_or_else(PoisonError::into_inner);
                sessions.begin(caller, token, Instant::now())
            };
            let name = session_cookie(web.secure);
            let cookie = set_cookie(&name, id.expose_secret(), web.secure, LONGEST.as_secs());
            Ok(with_cookie(Redirect::to(HOME).into_response(), cookie))
        }
        Err(error) if error.code == ErrorCode::Unauthenticated => {
            let wrong = "This token opens nothing: it is wrong, revoked or over.";
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
