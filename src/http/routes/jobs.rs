//! What there is to do.

use super::Answer;
use crate::control::api::JobList;
use crate::http::server::Shared;
use axum::Json;
use axum::extract::State;

pub async fn list(State(shared): State<Shared>) -> Answer<Json<JobList>> {
    Ok(Json(shared.api.jobs().await?))
}
