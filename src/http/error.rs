//! Every error leaves as problem+json (RFC 9457) with the status of its code, also those of the HTTP
//! layer itself (unknown route, body too large, wrong JSON), and every answer says which request it is of.
//!
//! It shows the words that it is given; what may not be told was left out before.

use super::wire::ErrorBody;
use crate::control::api::{ApiError, ErrorCode};
use crate::core::text::shown;
use crate::secrets::random_id;
use axum::body::Body;
use axum::extract::Request;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

const PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Characters of a path that are told.
const PATH: usize = 300;

/// An error on its way out. It has no body until [`told`] gives it one.
#[derive(Clone, Debug)]
pub struct Failure {
    status: StatusCode,
    error: ApiError,
}

impl Failure {
    pub fn new(code: ErrorCode, what: impl Into<String>, next: impl Into<String>) -> Self {
        ApiError::new(code, what, next).into()
    }

    pub fn invalid(what: impl Into<String>) -> Self {
        Self::new(ErrorCode::Invalid, what, "")
    }

    /// The same with another status than that of its code.
    pub fn with(status: StatusCode, what: impl Into<String>) -> Self {
        Self { status, ..Self::invalid(what) }
    }

    /// Of an answer that is not ours.
    fn of(status: StatusCode) -> Self {
        let code = match status {
            StatusCode::NOT_FOUND => ErrorCode::NotFound,
            status if status.is_server_error() => ErrorCode::Internal,
            _ => ErrorCode::Invalid,
        };
        Self { status, ..Self::new(code, "the request is not understood", "") }
    }

    /// The last part of its type, and its title. They stay as they are: clients tell errors apart by them.
    fn words(&self) -> (&'static str, &'static str) {
        match (self.status, self.error.code) {
            (StatusCode::METHOD_NOT_ALLOWED, _) => ("method-not-allowed", "Method not allowed"),
            (StatusCode::PAYLOAD_TOO_LARGE, _) => ("too-large", "Too large"),
            (_, ErrorCode::NotFound) => ("not-found", "Not found"),
            (_, ErrorCode::Invalid) => ("invalid", "Not valid"),
            (_, ErrorCode::Unauthenticated) => ("unauthenticated", "Unauthenticated"),
            (_, ErrorCode::Forbidden) => ("forbidden", "Forbidden"),
            (_, ErrorCode::TooManyRequests) => ("too-many-requests", "Too many requests"),
            (_, ErrorCode::Expired) => ("expired", "Too old"),
            (_, ErrorCode::Conflict) => ("conflict", "Conflict"),
            (_, ErrorCode::Unavailable) => ("unavailable", "Unavailable"),
            (_, ErrorCode::Internal) => ("internal", "Internal error"),
        }
    }

    /// As the end of an answer that has begun: its head has said the rest.
    pub fn in_an_answer(self) -> ErrorBody {
        self.body("", "")
    }

    fn body(self, instance: &str, request_id: &str) -> ErrorBody {
        let (kind, title) = self.words();
        ErrorBody {
            kind: format!("urn:seawall:error:{kind}"),
            title: title.to_owned(),
            status: self.status.as_u16(),
            detail: self.error.what,
            next: self.error.next,
            code: self.error.code,
            instance: instance.to_owned(),
            request_id: request_id.to_owned(),
        }
    }
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        Self { status: status(error.code), error }
    }
}

impl From<QueryRejection> for Failure {
    fn from(error: QueryRejection) -> Self {
        Self::invalid(error.body_text())
    }
}

impl From<PathRejection> for Failure {
    fn from(error: PathRejection) -> Self {
        Self::invalid(error.body_text())
    }
}

fn status(code: ErrorCode) -> StatusCode {
    match code {
        ErrorCode::NotFound => StatusCode::NOT_FOUND,
        ErrorCode::Invalid => StatusCode::BAD_REQUEST,
        ErrorCode::Unauthenticated => StatusCode::UNAUTHORIZED,
        ErrorCode::Forbidden => StatusCode::FORBIDDEN,
        ErrorCode::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
        ErrorCode::Expired => StatusCode::GONE,
        ErrorCode::Conflict => StatusCode::CONFLICT,
        ErrorCode::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Gives the request its id and an error its words. Around everything else that answers.
pub async fn told(request: Request, next: Next) -> Response {
    let (id, method) = (random_id(), request.method().clone());
    let path = shown(request.uri().path(), PATH);
    let mut response = next.run(request).await;
    let failed = response.status().is_client_error() || response.status().is_server_error();
    // A page has its words.
    let is_page =
        response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    if failed && !is_page {
        response = in_words(response, &method, &path, &id);
    }
    if let Ok(id) = HeaderValue::try_from(id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

fn in_words(response: Response, method: &Method, path: &str, id: &str) -> Response {
    let (mut parts, _) = response.into_parts();
    let failure = parts.extensions.remove::<Failure>().unwrap_or_else(|| Failure::of(parts.status));
    let ApiError { code, what, .. } = &failure.error;
    match code {
        ErrorCode::Internal => {
            tracing::error!(request_id = id, %method, path, error = what, "a request failed")
        }
        _ => tracing::debug!(request_id = id, %method, path, ?code, error = what, "a request was refused"),
    }
    if parts.status == StatusCode::UNAUTHORIZED {
        parts.headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"seawall\""));
    }
    parts.headers.remove(CONTENT_LENGTH);
    parts.headers.insert(CONTENT_TYPE, PROBLEM);
    let body = serde_json::to_vec(&failure.body(path, id)).unwrap_or_default();
    Response::from_parts(parts, Body::from(body))
}
