//! A container's log, streamed as it is printed.

use super::Answer;
use super::extract::{At, Params};
use crate::control::api::{ApiError, ErrorCode};
use crate::http::server::Shared;
use crate::http::wire::{LogLine, LogsQuery};
use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use futures_util::StreamExt;

pub async fn stream(
    State(shared): State<Shared>,
    At(object): At,
    Params(ask): Params<LogsQuery>,
) -> Answer<impl IntoResponse> {
    let Ok(slot) = shared.streams.clone().try_acquire_owned() else {
        let what = "too many logs are being followed already";
        return Err(ApiError::new(ErrorCode::Unavailable, what, "end one of them").into());
    };
    let lines = shared.api.logs(&object, ask.lines, ask.follow).await?;
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
