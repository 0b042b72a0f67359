//! What the prune guard holds back, and the consent to let it go.

use super::{Answer, body};
use crate::control::api::{Done, PruneView};
use crate::http::server::Shared;
use crate::http::wire::ConfirmBody;
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;

pub async fn show(State(shared): State<Shared>) -> Answer<Json<PruneView>> {
    Ok(Json(shared.api.prune().await?))
}

pub async fn confirm(
    State(shared): State<Shared>,
    bytes: Result<Bytes, BytesRejection>,
) -> Answer<Json<Done>> {
    let ask: ConfirmBody = body(bytes)?;
    Ok(Json(shared.api.confirm_prune(&ask.confirm).await?))
}
