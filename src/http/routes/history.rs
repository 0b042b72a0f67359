//! Figures over time.

use super::{Answer, Ref, reference};
use crate::control::api::HistoryView;
use crate::http::server::Shared;
use crate::http::wire::HistoryQuery;
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};

pub async fn one(
    State(shared): State<Shared>,
    Path((kind, name)): Ref,
    query: Result<Query<HistoryQuery>, QueryRejection>,
) -> Answer<Json<HistoryView>> {
    let Query(HistoryQuery { metric, since }) = query?;
    let object = reference(&kind, &name)?;
    Ok(Json(shared.api.history(&object, metric.as_deref(), since).await?))
}
