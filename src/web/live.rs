//! Tells open pages that something has changed, and nothing else: each asks anew for what it shows, as whoever it is by then.

use super::Web;
use super::gate::{from, nowhere, visitor};
use super::layout::Fault;
use crate::control::api::{ApiError, ErrorCode};
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::header::{CONNECTION, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::sleep;

/// Pages that are told at once; further ones come on their own time.
pub const MOST: usize = 64;
/// For so long nothing more is told: what happens in quick succession is one change.
const QUIET: Duration = Duration::from_secs(1);
/// Milliseconds after which a page hears that there is nothing new, and its session is looked at.
const WAIT_MS: u64 = 5_000;
/// A proxy is not to keep what it gets.
const BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

struct Told {
    web: Web,
    headers: HeaderMap,
    from: IpAddr,
    revision: u64,
    _slot: OwnedSemaphorePermit,
}

pub async fn stream(State(web): State<Web>, request: Request) -> Result<Response, Fault> {
    let full = |_| ApiError::new(ErrorCode::Unavailable, format!("{MOST} pages are told already"), "");
    let slot = Arc::clone(&web.told).try_acquire_owned().map_err(full)?;
    let from = from(&request).ok_or_else(nowhere)?;
    let revision = web.api.watch(0, 0).await?;
    let stop = web.stop.clone().cancelled_owned();
    let told = Told { headers: request.headers().clone(), web, from, revision, _slot: slot };
    let pieces = stream::unfold(told, next).take_until(stop).map(Ok::<_, Infallible>);
    let head = [(CONTENT_TYPE, "text/event-stream"), (BUFFERING, "no"), (CONNECTION, "close")];
    Ok((head, Body::from_stream(pieces)).into_response())
}

/// `None` ends it: whoever is signed in no more hears nothing.
async fn next(mut told: Told) -> Option<(Bytes, Told)> {
    visitor(&told.web, &told.headers, Some(told.from)).await.ok()??;
    let revision = told.web.api.watch(told.revision, WAIT_MS).await.ok()?;
    if revision == told.revision {
        return Some((Bytes::from_static(b":\n\n"), told));
    }
    sleep(QUIET).await;
    told.revision = revision;
    Some((Bytes::from(format!("data: {revision}\n\n")), told))
}
