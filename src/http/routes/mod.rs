//! The routes under `/v1`, one file per resource.

mod events;
mod history;
mod inspect;
mod keys;
mod logs;
mod objects;
mod operator;
mod plan;
mod prune;
mod recommend;
mod top;

use super::error::Failure;
use super::server::Shared;
use crate::control::api::ErrorCode;
use crate::core::names::ObjectRef;
use crate::core::text::shown;
use axum::Router;
use axum::body::Bytes;
use axum::extract::Path;
use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use axum::routing::{get, post};
use serde::de::DeserializeOwned;

pub type Answer<T> = Result<T, Failure>;

/// `{kind}/{name}` of a path.
type Ref = Path<(String, String)>;

pub fn router(shared: Shared) -> Router {
    Router::new()
        .route("/v1/healthz", get(operator::healthz))
        .route("/v1/operator", get(operator::operator))
        .route("/v1/export", get(operator::export))
        .route("/v1/objects", get(objects::list))
        .route("/v1/objects/{kind}/{name}", get(objects::one))
        .route("/v1/objects/{kind}/{name}/operate", post(objects::operate))
        .route("/v1/objects/{kind}/{name}/rename", post(objects::rename))
        .route("/v1/objects/{kind}/{name}/delete", post(objects::delete))
        .route("/v1/objects/{kind}/{name}/connection", get(objects::connection))
        .route("/v1/objects/{kind}/{name}/environment", get(objects::environment))
        .route("/v1/objects/{kind}/{name}/history", get(history::one))
        .route("/v1/objects/{kind}/{name}/test", post(objects::test))
        .route("/v1/objects/{kind}/{name}/inspect/{verb}", get(inspect::inspect))
        .route("/v1/objects/{kind}/{name}/kill", post(inspect::kill))
        .route("/v1/objects/{kind}/{name}/diagnose", get(inspect::diagnose))
        .route("/v1/objects/{kind}/{name}/logs", get(logs::stream))
        .route("/v1/events", get(events::list))
        .route("/v1/watch", get(events::watch))
        .route("/v1/top", get(top::list))
        .route("/v1/recommend", get(recommend::list))
        .route("/v1/plan", post(plan::plan))
        .route("/v1/keys", get(keys::list))
        .route("/v1/keys/public", get(keys::public))
        .route("/v1/keys/verify", post(keys::verify))
        .route("/v1/keys/rotate", post(keys::rotate))
        .route("/v1/prune", get(prune::show).post(prune::confirm))
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method)
        .with_state(shared)
}

async fn unknown(uri: axum::http::Uri) -> Failure {
    Failure::new(ErrorCode::NotFound, format!("there is nothing at {}", shown(uri.path(), 300)), "")
}

async fn wrong_method(method: axum::http::Method, uri: axum::http::Uri) -> Failure {
    let what = format!("{} does not take {method}", shown(uri.path(), 300));
    Failure::with(StatusCode::METHOD_NOT_ALLOWED, what)
}

/// A JSON body; an empty one is `{}`.
fn body<T: DeserializeOwned>(bytes: Result<Bytes, BytesRejection>) -> Answer<T> {
    let bytes = bytes?;
    let text: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
    serde_json::from_slice(text).map_err(|e| Failure::invalid(format!("the body is not valid: {e}")))
}

fn reference(kind: &str, name: &str) -> Answer<ObjectRef> {
    format!("{kind}/{name}").parse().map_err(|e| Failure::invalid(format!("{e}")))
}
