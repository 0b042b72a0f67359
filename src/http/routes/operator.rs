//! About the operator itself.

use super::Answer;
use crate::control::api::OperatorView;
use crate::http::server::Shared;
use axum::Json;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;

/// Only that the server answers; says nothing about objects.
pub async fn healthz() -> &'static str {
    "ok\n"
}

pub async fn operator(State(shared): State<Shared>) -> Answer<Json<OperatorView>> {
    Ok(Json(shared.api.operator().await?))
}

pub async fn export(State(shared): State<Shared>) -> Answer<impl IntoResponse> {
    let mut text = String::new();
    for line in shared.api.export().await? {
        text.push_str(&line);
        text.push('\n');
    }
    Ok(([(CONTENT_TYPE, "text/plain; charset=utf-8")], text))
}
