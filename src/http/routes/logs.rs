//! A container's log, streamed as it is printed.

use super::Answer;
use super::extract::{At, Params};
use crate::control::api::{ApiError, ErrorCode, Lines, LogOptions, Result};
use crate::http::gate::Standing;
use crate::http::server::Shared;
use crate::http::wire::LogLine;
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use futures_util::stream::{self, StreamExt};
use std::time::Duration;
use tokio::time::{Interval, interval};

/// How often it is asked whether who follows may still do so, where nothing is printed.
const STILL: Duration = Duration::from_secs(5);

/// A log that somebody reads who was let in by a token.
struct Following {
    lines: Lines,
    standing: Standing,
    ticks: Interval,
}

/// The next line, for who may still see it; an error ends it.
async fn next(following: Option<Following>) -> Option<(Result<String>, Option<Following>)> {
    let mut following = following?;
    loop {
        let line = tokio::select! {
            line = following.lines.next() => Some(line?),
            _ = following.ticks.tick() => None,
        };
        if !following.standing.holds() {
            let what = "the token opens nothing any more";
            return Some((Err(ApiError::new(ErrorCode::Unauthenticated, what, "")), None));
        }
        if let Some(line) = line {
            return Some((line, Some(following)));
        }
    }
}

pub async fn stream(
    State(shared): State<Shared>,
    standing: Option<Extension<Standing>>,
    At(object): At,
    Params(ask): Params<LogOptions>,
) -> Answer<impl IntoResponse> {
    let Ok(slot) = shared.streams.clone().try_acquire_owned() else {
        let what = "too many logs are being followed already";
        return Err(ApiError::new(ErrorCode::Unavailable, what, "end one of them").into());
    };
    let lines = shared.api.logs(&object, &ask).await?;
    // Over the unix socket, nothing can be taken back.
    let lines = match standing {
        Some(Extension(standing)) => {
            stream::unfold(Some(Following { lines, standing, ticks: interval(STILL) }), next).boxed()
        }
        None => lines,
    };
    // A follower must not keep an operator that leaves.
    let ended = shared.cancel.clone().cancelled_owned();
    let lines = lines.take_until(ended).map(move |line| {
        let _held = &slot;
        let line = line.map_or_else(LogLine::Error, LogLine::Text);
        let mut json = serde_json::to_vec(&line)?;
        json.push(b'\n');
        Ok::<_, serde_json::Error>(json)
    });
    Ok(([(CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(lines)))
}
