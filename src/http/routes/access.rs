//! Tokens and the audit log.

use super::Answer;
use super::extract::{Asked, Params};
use crate::control::api::{AuditEntry, Done, IssuedToken, NewToken, SignInUrl, TokenView};
use crate::core::names::Name;
use crate::http::error::Failure;
use crate::http::server::Shared;
use crate::http::wire::AuditQuery;
use axum::Json;
use axum::extract::{Path, State};

pub async fn tokens(State(shared): State<Shared>) -> Answer<Json<Vec<TokenView>>> {
    Ok(Json(shared.api.tokens().await?))
}

pub async fn create(State(shared): State<Shared>, Asked(new): Asked<NewToken>) -> Answer<Json<IssuedToken>> {
    Ok(Json(shared.api.create_token(&new).await?))
}

pub async fn revoke(State(shared): State<Shared>, Path(name): Path<String>) -> Answer<Json<Done>> {
    let name = Name::parse(&name).map_err(|e| Failure::invalid(e.to_string()))?;
    Ok(Json(shared.api.revoke_token(&name).await?))
}

pub async fn sign_in_link(State(shared): State<Shared>) -> Answer<Json<SignInUrl>> {
    Ok(Json(shared.api.sign_in_link().await?))
}

pub async fn audit(
    State(shared): State<Shared>,
    Params(ask): Params<AuditQuery>,
) -> Answer<Json<Vec<AuditEntry>>> {
    Ok(Json(shared.api.audit(ask.after).await?))
}
