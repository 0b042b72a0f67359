//! Objects and what can be done with one.

use super::{Answer, Ref, body, reference};
use crate::control::api::{ConnectionView, Done, EnvironmentView, ObjectList, ObjectView, TestView};
use crate::http::server::Shared;
use crate::http::wire::{ConfirmBody, ConnectionQuery, EnvironmentQuery, OperateBody, RenameBody};
use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Path, Query, State};

pub async fn list(State(shared): State<Shared>) -> Answer<Json<ObjectList>> {
    Ok(Json(shared.api.objects().await?))
}

pub async fn one(State(shared): State<Shared>, Path((kind, name)): Ref) -> Answer<Json<ObjectView>> {
    Ok(Json(shared.api.object(&reference(&kind, &name)?).await?))
}

pub async fn operate(
    State(shared): State<Shared>,
    Path((kind, name)): Ref,
    bytes: Result<Bytes, BytesRejection>,
) -> Answer<Json<Done>> {
    let object = reference(&kind, &name)?;
    let ask: OperateBody = body(bytes)?;
    Ok(Json(shared.api.operate(&object, ask.operation).await?))
}

pub async fn rename(
    State(shared): State<Shared>,
    Path((kind, name)): Ref,
    bytes: Result<Bytes, BytesRejection>,
) -> Answer<Json<Done>> {
    let object = reference(&kind, &name)?;
    let ask: RenameBody = body(bytes)?;
    Ok(Json(shared.api.rename(&object, &ask.to).await?))
}

pub async fn delete(
    State(shared): State<Shared>,
    Path((kind, name)): Ref,
    bytes: Result<Bytes, BytesRejection>,
) -> Answer<Json<Done>> {
    let object = reference(&kind, &name)?;
    let ask: ConfirmBody = body(bytes)?;
    Ok(Json(shared.api.delete(&object, &ask.confirm).await?))
}

pub async fn connection(
    State(shared): State<Shared>,
    Path((kind, name)): Ref,
    query: Result<Query<ConnectionQuery>, QueryRejection>,
) -> Answer<Json<ConnectionView>> {
    let object = reference(&kind, &name)?;
    Ok(Json(shared.api.connection(&object, query?.reveal).await?))
}

pub async fn environment(
    State(shared): State<Shared>,
    Path((kind, name)): Ref,
    query: Result<Query<EnvironmentQuery>, QueryRejection>,
) -> Answer<Json<EnvironmentView>> {
    let object = reference(&kind, &name)?;
    let Query(ask) = query?;
    Ok(Json(shared.api.environment(&object, &ask.environment, ask.on_host, ask.reveal).await?))
}

pub async fn test(State(shared): State<Shared>, Path((kind, name)): Ref) -> Answer<Json<TestView>> {
    Ok(Json(shared.api.test(&reference(&kind, &name)?).await?))
}
