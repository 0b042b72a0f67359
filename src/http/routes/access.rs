//! Tokens and the audit log.

use super::{Answer, body};
use crate::control::api::{AuditEntry, Done, IssuedToken, NewToken, TokenView};
use crate::core::names::Name;
use crate::http::error::Failure;
use crate::http::server::Shared;
use crate::http::wire::AuditQuery;
use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Path, Query, State};

pub async fn tokens(State(shared): State<Shared>) -> Answer<Json<Vec<TokenView>>> {
    Ok(Json(shared.api.tokens().await?))
}

pub async fn create(
    State(shared): State<Shared>,
    bytes: Result<Bytes, BytesRejection>,
) -> Answer<Json<IssuedToken>> {
    let new: NewToken = body(bytes)?;
    Ok(Json(shared.api.create_token(&new).await?))
}

pub async fn revoke(State(shared): State<Shared>, Path(name): Path<String>) -> Answer<Json<Done>> {
    let name = Name::parse(&name).map_err(|e| Failure::invalid(e.to_string()))?;
    Ok(Json(shared.api.revoke_token(&name).await?))
}

pub async fn audit(
    State(shared): State<Shared>,
    query: Result<Query<AuditQuery>, QueryRejection>,
) -> Answer<Json<Vec<AuditEntry>>> {
    let Query(AuditQuery { after }) = query?;
    Ok(Json(shared.api.audit(after).await?))
}
