//! What the next pass would do.

use super::{Answer, body};
use crate::control::api::PlanList;
use crate::http::server::Shared;
use crate::http::wire::PlanBody;
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;

pub async fn plan(
    State(shared): State<Shared>,
    bytes: Result<Bytes, BytesRejection>,
) -> Answer<Json<PlanList>> {
    let ask: PlanBody = body(bytes)?;
    Ok(Json(shared.api.plan(ask.files).await?))
}
