//! What the next pass would do.

use super::Answer;
use super::extract::Asked;
use crate::control::api::PlanList;
use crate::http::server::Shared;
use crate::http::wire::PlanBody;
use axum::Json;
use axum::extract::State;

pub async fn plan(State(shared): State<Shared>, Asked(ask): Asked<PlanBody>) -> Answer<Json<PlanList>> {
    Ok(Json(shared.api.plan(ask.files).await?))
}
