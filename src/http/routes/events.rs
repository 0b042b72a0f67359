//! Events, and the long poll that tells when to look again.

use super::Answer;
use super::extract::{At, Params};
use crate::core::names::ObjectRef;
use crate::http::server::Shared;
use crate::http::wire::{EventsQuery, EventsView, MAX_WAIT_MS, WatchAnswer, WatchQuery};
use axum::Json;
use axum::extract::State;

pub async fn all(State(shared): State<Shared>, Params(ask): Params<EventsQuery>) -> Answer<Json<EventsView>> {
    told(&shared, None, &ask).await
}

pub async fn of_one(
    State(shared): State<Shared>,
    At(object): At,
    Params(ask): Params<EventsQuery>,
) -> Answer<Json<EventsView>> {
    told(&shared, Some(&object), &ask).await
}

async fn told(shared: &Shared, object: Option<&ObjectRef>, ask: &EventsQuery) -> Answer<Json<EventsView>> {
    Ok(Json(EventsView { items: shared.api.events(object, ask.after).await? }))
}

pub async fn watch(
    State(shared): State<Shared>,
    Params(ask): Params<WatchQuery>,
) -> Answer<Json<WatchAnswer>> {
    let revision = tokio::select! {
        // A watch must not keep a leaving operator for half a minute.
        () = shared.cancel.cancelled() => ask.after,
        revision = shared.api.watch(ask.after, ask.wait_ms.min(MAX_WAIT_MS)) => revision?,
    };
    Ok(Json(WatchAnswer { revision }))
}
