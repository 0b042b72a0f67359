//! Events, and the long poll that tells when to look again.

use super::Answer;
use crate::core::event::Event;
use crate::core::names::ObjectRef;
use crate::http::error::Failure;
use crate::http::server::Shared;
use crate::http::wire::{EventsQuery, MAX_WAIT_MS, WatchAnswer, WatchQuery};
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};

pub async fn list(
    State(shared): State<Shared>,
    query: Result<Query<EventsQuery>, QueryRejection>,
) -> Answer<Json<Vec<Event>>> {
    let Query(query) = query?;
    let object = match &query.object {
        Some(text) => Some(text.parse::<ObjectRef>().map_err(|e| Failure::invalid(format!("{e}")))?),
        None => None,
    };
    Ok(Json(shared.api.events(object.as_ref(), query.after).await?))
}

pub async fn watch(
    State(shared): State<Shared>,
    query: Result<Query<WatchQuery>, QueryRejection>,
) -> Answer<Json<WatchAnswer>> {
    let Query(query) = query?;
    let revision = tokio::select! {
        // A watch must not keep a leaving operator for half a minute.
        () = shared.cancel.cancelled() => query.after,
        revision = shared.api.watch(query.after, query.wait_ms.min(MAX_WAIT_MS)) => revision?,
    };
    Ok(Json(WatchAnswer { revision }))
}
