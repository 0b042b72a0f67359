//! `watch=true`: what becomes of the objects of a list, as it happens.

use super::Answer;
use crate::control::api::{ApiError, Changes, ErrorCode};
use crate::core::names::Kind;
use crate::http::error::Failure;
use crate::http::gate::Standing;
use crate::http::select::{Fields, Labels};
use crate::http::server::{MAX_WATCHES, Shared};
use crate::http::tcp::Place;
use crate::http::watch::{Cursor, error};
use crate::http::wire::ListQuery;
use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::http::HeaderName;
use axum::http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use std::convert::Infallible;
use tokio::task::coop::consume_budget;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// To a proxy: what is written is to arrive.
const BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Who watches.
pub struct Watcher {
    /// Over the unix socket, nothing can be taken back.
    standing: Option<Standing>,
    place: Option<Place>,
    /// What a browser heard last on the connection before.
    last: Option<String>,
}

impl FromRequestParts<Shared> for Watcher {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, Failure> {
        let last = parts.headers.get(LAST_EVENT_ID).and_then(|value| value.to_str().ok());
        Ok(Self {
            standing: parts.extensions.get().cloned(),
            place: parts.extensions.get().cloned(),
            last: last.map(ToOwned::to_owned),
        })
    }
}

/// The revision in a list's or an object's `resourceVersion`; `None`: from what there is now on.
fn revision(text: Option<&str>) -> Answer<Option<u64>> {
    let Some(text) = text.filter(|text| !matches!(*text, "" | "0")) else { return Ok(None) };
    let revision = text.split('.').next().and_then(|revision| revision.parse().ok());
    let what = "resourceVersion: write that of a list, of an object, or of a bookmark";
    revision.map(Some).ok_or_else(|| Failure::invalid(what))
}

/// What is wrong with asking for this without watching, or while watching.
pub fn fits(ask: &ListQuery) -> Answer<()> {
    match ask {
        ListQuery { watch: true, limit: 1.., .. } | ListQuery { watch: true, after: Some(_), .. } => {
            Err(Failure::invalid("limit and continue are for lists: leave them out with watch=true"))
        }
        ListQuery { watch: false, resource_version: Some(_), .. } => {
            let what = "resourceVersion is for watch=true: a list always tells what is now";
            Err(Failure::invalid(what))
        }
        _ => Ok(()),
    }
}

pub async fn stream(
    shared: &Shared,
    watcher: Watcher,
    ask: &ListQuery,
    kind: Option<Kind>,
    labels: Labels,
    fields: Fields,
) -> Answer<Response> {
    let after = revision(watcher.last.as_deref().or(ask.resource_version.as_deref()))?;
    let Ok(slot) = shared.watches.clone().try_acquire_owned() else {
        let what = format!("{MAX_WATCHES} watches are open already");
        return Err(ApiError::new(ErrorCode::Unavailable, what, "end one of them").into());
    };
    let changes = shared.api.changes(after).await?;
    // It is counted by its slot from now on: other requests keep their room.
    if let Some(place) = watcher.place {
        place.leave();
    }
    let cursor = Cursor { kind, labels, fields, after: after.unwrap_or_default(), wait: 0 };
    let watching = Watching { changes, cursor, standing: watcher.standing };
    let events = stream::unfold(Some(watching), move |watching| {
        let _held = &slot;
        next(watching)
    });
    // A watcher must not keep an operator that leaves.
    let ended = shared.cancel.clone().cancelled_owned();
    let events = events.take_until(ended).flat_map(stream::iter).map(Ok::<_, Infallible>);
    let head = [
        (CONTENT_TYPE, "text/event-stream"),
        (CACHE_CONTROL, "no-store"),
        (BUFFERING, "no"),
        // Its place is another one's by then.
        (CONNECTION, "close"),
    ];
    Ok((head, Body::from_stream(events)).into_response())
}

struct Watching {
    changes: Changes,
    cursor: Cursor,
    standing: Option<Standing>,
}

/// The next event, in pieces; an error ends it.
async fn next(watching: Option<Watching>) -> Option<(Vec<Bytes>, Option<Watching>)> {
    let mut watching = watching?;
    loop {
        // Much of it may be for others.
        consume_budget().await;
        let told = watching.changes.next().await?;
        // Asked each time, and so each five seconds: what is heard now is for who may ask now.
        if watching.standing.as_ref().is_some_and(|standing| !standing.holds()) {
            let what = "the token opens nothing any more";
            return Some(last(ApiError::new(ErrorCode::Unauthenticated, what, "")));
        }
        match told {
            Ok(told) => {
                let pieces = watching.cursor.hear(&told);
                if !pieces.is_empty() {
                    return Some((pieces, Some(watching)));
                }
            }
            Err(error) => return Some(last(error)),
        }
    }
}

fn last(why: ApiError) -> (Vec<Bytes>, Option<Watching>) {
    (vec![error(&Failure::from(why).in_an_answer())], None)
}
