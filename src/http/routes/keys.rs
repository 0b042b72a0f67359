//! The keys that seal the secrets of the store.

use super::Answer;
use super::extract::Asked;
use crate::control::api::{Done, KeyCheck, KeyList, PublicKeyView};
use crate::http::server::Shared;
use crate::http::wire::RotateKeysBody;
use axum::Json;
use axum::extract::State;

pub async fn list(State(shared): State<Shared>) -> Answer<Json<KeyList>> {
    Ok(Json(shared.api.keys().await?))
}

pub async fn public(State(shared): State<Shared>) -> Answer<Json<PublicKeyView>> {
    Ok(Json(shared.api.public_key().await?))
}

pub async fn verify(State(shared): State<Shared>) -> Answer<Json<KeyCheck>> {
    Ok(Json(shared.api.verify_keys().await?))
}

pub async fn rotate(State(shared): State<Shared>, Asked(ask): Asked<RotateKeysBody>) -> Answer<Json<Done>> {
    Ok(Json(shared.api.rotate_keys(ask.cipher).await?))
}
