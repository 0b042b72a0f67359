//! Limits by what was used.

use super::Answer;
use crate::control::api::RecommendList;
use crate::core::names::ObjectRef;
use crate::http::error::Failure;
use crate::http::server::Shared;
use crate::http::wire::TopQuery;
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};

pub async fn list(
    State(shared): State<Shared>,
    query: Result<Query<TopQuery>, QueryRejection>,
) -> Answer<Json<RecommendList>> {
    let Query(query) = query?;
    let object = query.object.map(|text| text.parse::<ObjectRef>()).transpose();
    let object = object.map_err(|e| Failure::invalid(format!("{e}")))?;
    Ok(Json(shared.api.recommend(object.as_ref()).await?))
}
