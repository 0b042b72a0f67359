//! An object as its document.

use super::{Answer, Ref, body, reference};
use crate::control::api::Applied;
use crate::http::server::Shared;
use crate::http::wire::ApplyBody;
use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};

pub async fn apply(
    State(shared): State<Shared>,
    bytes: Result<Bytes, BytesRejection>,
) -> Answer<Json<Applied>> {
    let ApplyBody { document, options } = body(bytes)?;
    Ok(Json(shared.api.apply(&document, &options).await?))
}

pub async fn patch(
    State(shared): State<Shared>,
    Path((kind, name)): Ref,
    bytes: Result<Bytes, BytesRejection>,
) -> Answer<Json<Applied>> {
    let object = reference(&kind, &name)?;
    let ApplyBody { document, options } = body(bytes)?;
    Ok(Json(shared.api.patch(&object, &document, &options).await?))
}
