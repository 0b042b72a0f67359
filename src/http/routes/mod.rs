//! The routes, one file per resource: objects as in Kubernetes' API, and under `/v1` what is about the operator or many objects.

mod events;
mod extract;
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
use crate::core::text::shown;
use axum::Router;
use axum::http::{Method, StatusCode, Uri};
use axum::routing::{get, post};

pub type Answer<T> = Result<T, Failure>;

pub fn router(shared: Shared) -> Router {
    Router::new()
        .route("/apis/seawall.dev/v1/events", get(events::all))
        .route("/apis/seawall.dev/v1/{kind}", get(objects::list))
        .route("/apis/seawall.dev/v1/{kind}/{name}", get(objects::one))
        .route("/apis/seawall.dev/v1/{kind}/{name}/status", get(objects::status))
        .route("/apis/seawall.dev/v1/{kind}/{name}/plan", get(objects::plan))
        .route("/apis/seawall.dev/v1/{kind}/{name}/events", get(events::of_one))
        .route("/apis/seawall.dev/v1/{kind}/{name}/logs", get(logs::stream))
        .route("/apis/seawall.dev/v1/{kind}/{name}/history", get(history::one))
        .route("/apis/seawall.dev/v1/{kind}/{name}/diagnose", get(inspect::diagnose))
        .route("/apis/seawall.dev/v1/{kind}/{name}/inspect/{verb}", get(inspect::inspect))
        .route("/apis/seawall.dev/v1/{kind}/{name}/connection", get(objects::connection))
        .route("/apis/seawall.dev/v1/{kind}/{name}/environment", get(objects::environment))
        .route("/apis/seawall.dev/v1/{kind}/{name}/operate", post(objects::operate))
        .route("/apis/seawall.dev/v1/{kind}/{name}/rename", post(objects::rename))
        .route("/apis/seawall.dev/v1/{kind}/{name}/delete", post(objects::delete))
        .route("/apis/seawall.dev/v1/{kind}/{name}/test", post(objects::test))
        .route("/apis/seawall.dev/v1/{kind}/{name}/kill", post(inspect::kill))
        .route("/v1/healthz", get(operator::healthz))
        .route("/v1/operator", get(operator::operator))
        .route("/v1/export", get(operator::export))
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

async fn unknown(uri: Uri) -> Failure {
    Failure::new(ErrorCode::NotFound, format!("there is nothing at {}", shown(uri.path(), 300)), "")
}

async fn wrong_method(method: Method, uri: Uri) -> Failure {
    let what = format!("{} does not take {method}", shown(uri.path(), 300));
    Failure::with(StatusCode::METHOD_NOT_ALLOWED, what)
}
