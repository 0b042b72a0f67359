//! Figures over time.

use super::Answer;
use super::extract::{At, Params};
use crate::control::api::HistoryView;
use crate::http::server::Shared;
use crate::http::wire::HistoryQuery;
use axum::Json;
use axum::extract::State;

pub async fn one(
    State(shared): State<Shared>,
    At(object): At,
    Params(HistoryQuery { metric, since }): Params<HistoryQuery>,
) -> Answer<Json<HistoryView>> {
    Ok(Json(shared.api.history(&object, metric.as_deref(), since).await?))
}
