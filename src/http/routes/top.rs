//! What containers use right now.

use super::Answer;
use super::extract::Params;
use crate::control::api::TopList;
use crate::core::names::ObjectRef;
use crate::http::error::Failure;
use crate::http::server::Shared;
use crate::http::wire::TopQuery;
use axum::Json;
use axum::extract::State;

pub async fn list(State(shared): State<Shared>, Params(ask): Params<TopQuery>) -> Answer<Json<TopList>> {
    let object = ask.object.map(|text| text.parse::<ObjectRef>()).transpose();
    let object = object.map_err(|e| Failure::invalid(format!("{e}")))?;
    Ok(Json(shared.api.top(object.as_ref()).await?))
}
