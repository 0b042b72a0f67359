//! What stands before the pages: who is signed in and may, forms that come from our own pages, and what a browser is told to
//! keep from doing with any of them.

use super::Web;
use super::layout::Fault;
use super::session::{Found, Visitor};
use crate::control::access::asked_by;
use crate::control::api::{ApiError, ErrorCode};
use crate::core::access::{Caller, Permission};
use axum::body::Body;
use axum::extract::{ConnectInfo, Form, FromRequest, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, COOKIE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use http_body_util::Limited;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::PoisonError;
use subtle::ConstantTimeEq;
use tokio::time::Instant;

/// Bytes of a form: a manifest is in one of them.
const MAX_FORM: usize = 512 << 10;
/// The field of the word of a session.
pub const WORD: &str = "csrf";
/// Nothing but what we serve, no script or style inside of a page, no page inside of another one's.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
);
/// htmx goes to another page when an answer says so.
const GO: HeaderName = HeaderName::from_static("hx-redirect");
const BY_SCRIPT: HeaderName = HeaderName::from_static("hx-request");

/// The fields of a form.
pub type Fields = BTreeMap<String, String>;

/// Told with every answer.
pub async fn headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // Not less: without it a browser says that a form comes from nowhere.
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    let opener = HeaderName::from_static("cross-origin-opener-policy");
    headers.insert(opener, HeaderValue::from_static("same-origin"));
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Whoever is signed in, as a [`Visitor`] for what answers; a form as [`Fields`], if it has the word of the session.
pub async fn signed_in(State(web): State<Web>, request: Request, next: Next) -> Response {
    let mut visitor = match visitor(&web, request.headers(), from(&request)).await {
        Ok(Some(visitor)) => visitor,
        Ok(None) => return to_sign_in(&request),
        Err(fault) => return fault.into_response(),
    };
    visitor.by_script = request.headers().contains_key(&BY_SCRIPT);
    visitor.section = request.uri().path().split('/').nth(1).unwrap_or_default().into();
    let (mut parts, body) = request.into_parts();
    let body = if parts.method.is_safe() {
        body
    } else {
        match fields(Request::from_parts(parts.clone(), body)).await {
            Ok(fields) if is(fields.get(WORD), &visitor.word) => {
                parts.extensions.insert(fields);
                Body::empty()
            }
            Ok(_) => return not_ours().into_response(),
            Err(fault) => return fault.into_response(),
        }
    };
    let caller = visitor.caller.clone();
    parts.extensions.insert(visitor);
    asked_by(caller, next.run(Request::from_parts(parts, body))).await
}

/// Who has this cookie, and whose token opened something within the last seconds.
pub async fn visitor(web: &Web, headers: &HeaderMap, from: Option<IpAddr>) -> Result<Option<Visitor>, Fault> {
    let Some(id) = cookie(headers, &session_cookie(web.secure)) else { return Ok(None) };
    let sessions = || web.sessions.lock().unwrap_or_else(PoisonError::into_inner);
    let found = sessions().find(id, Instant::now());
    let token = match found {
        Found::In(visitor) => return Ok(Some(visitor)),
        Found::Nothing => return Ok(None),
        Found::Ask(token) => token,
    };
    match web.keeper.admit(&token, from.ok_or_else(nowhere)?).await {
        Ok(caller) => Ok(sessions().renew(id, caller, Instant::now())),
        Err(error) if error.code == ErrorCode::Unauthenticated => {
            sessions().end(id);
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// Where a request comes from, as the listener tells it.
pub fn from(request: &Request) -> Option<IpAddr> {
    request.extensions().get::<ConnectInfo<IpAddr>>().map(|from| from.0)
}

pub fn nowhere() -> Fault {
    ApiError::new(ErrorCode::Internal, "the address of who asks is not known", "").into()
}

fn to_sign_in(request: &Request) -> Response {
    if request.headers().contains_key(&BY_SCRIPT) {
        return (StatusCode::UNAUTHORIZED, [(GO, HeaderValue::from_static("/sign-in"))]).into_response();
    }
    Redirect::to("/sign-in").into_response()
}

/// # Errors
/// It is no form, or too large a one.
pub async fn fields(request: Request) -> Result<Fields, Fault> {
    let request = request.map(|body| Body::new(Limited::new(body, MAX_FORM)));
    let form: Result<Form<Fields>, _> = Form::from_request(request, &()).await;
    form.map(|Form(fields)| fields).map_err(|error| {
        ApiError::new(ErrorCode::Invalid, format!("the form cannot be read: {}", error.body_text()), "")
            .into()
    })
}

/// The same word, and there is one.
pub fn is(said: Option<&String>, word: &str) -> bool {
    said.is_some_and(|said| bool::from(said.as_bytes().ct_eq(word.as_bytes())) && !word.is_empty())
}

pub fn not_ours() -> Fault {
    let what = "the form is not one of this session";
    ApiError::new(ErrorCode::Forbidden, what, "go back, load the page again, and send it once more").into()
}

/// With TLS by a name that no page without it can set.
pub fn session_cookie(secure: bool) -> String {
    named("session", secure)
}

pub fn named(name: &str, secure: bool) -> String {
    format!("{}seawall-{name}", if secure { "__Host-" } else { "" })
}

/// The value of a cookie that is there once.
pub fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let all = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = all.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut values = pairs.filter(|(found, _)| *found == name).map(|(_, value)| value);
    let first = values.next()?;
    values.next().is_none().then_some(first)
}

/// Of a session's cookie: no script reads it, no other site sends it.
pub fn set_cookie(name: &str, value: &str, secure: bool, seconds: u64) -> Option<HeaderValue> {
    let secure = if secure { "; Secure" } else { "" };
    let line = format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}");
    HeaderValue::try_from(line).ok()
}

/// What a route demands.
pub async fn allowed(State(needs): State<Permission>, request: Request, next: Next) -> Response {
    let asks = request.extensions().get::<Visitor>().map(|visitor| &visitor.caller);
    match asks.ok_or_else(nowhere).and_then(|caller| need(caller, needs)) {
        Ok(()) => next.run(request).await,
        Err(fault) => fault.into_response(),
    }
}

/// # Errors
/// `Forbidden` of who may not.
pub fn need(caller: &Caller, permission: Permission) -> Result<(), Fault> {
    if caller.may(permission) {
        return Ok(());
    }
    let what = format!("`{}` does not allow this: it needs {permission}", caller.name);
    Err(ApiError::new(ErrorCode::Forbidden, what, "sign in with a token that has this permission").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_there_once() {
        let of = |lines: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(COOKIE, HeaderValue::from_static(line));
            }
            cookie(&headers, "a").map(str::to_owned)
        };
        assert_eq!(of(&["b=2; a=1"]).as_deref(), Some("1"));
        assert_eq!(of(&["b=2", "a=1=2"]).as_deref(), Some("1=2"));
        for none in [&["b=2"][..], &["a=1; a=2"], &["a=1", "a=1"], &["aa=1"], &["a"]] {
            assert_eq!(of(none), None, "{none:?}");
        }
    }

    #[test]
    fn an_empty_word_is_none() {
        assert!(is(Some(&"x".to_owned()), "x"));
        assert!(!is(Some(&"y".to_owned()), "x") && !is(None, "x") && !is(Some(&String::new()), ""));
    }
}
