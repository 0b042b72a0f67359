//! What the prune guard holds back, and the consent to let it go.

use super::Answer;
use super::extract::Asked;
use crate::control::api::{Done, PruneView};
use crate::http::server::Shared;
use crate::http::wire::ConfirmBody;
use axum::Json;
use axum::extract::State;

pub async fn show(State(shared): State<Shared>) -> Answer<Json<PruneView>> {
    Ok(Json(shared.api.prune().await?))
}

pub async fn confirm(State(shared): State<Shared>, Asked(ask): Asked<ConfirmBody>) -> Answer<Json<Done>> {
    Ok(Json(shared.api.confirm_prune(&ask.confirm).await?))
}
