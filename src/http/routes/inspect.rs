//! What goes on inside a server, asked while somebody waits.

use super::{Answer, Ref, body, reference};
use crate::control::api::{DiagnosisView, InspectView, KillView};
use crate::http::server::Shared;
use crate::http::wire::{InspectQuery, KillBody};
use crate::kinds::{Ask, End};
use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Path, Query, State};

pub async fn inspect(
    State(shared): State<Shared>,
    Path((kind, name, verb)): Path<(String, String, String)>,
    query: Result<Query<InspectQuery>, QueryRejection>,
) -> Answer<Json<InspectView>> {
    let object = reference(&kind, &name)?;
    let Query(InspectQuery { database, verbose }) = query?;
    Ok(Json(shared.api.inspect(&object, &Ask { verb, database, verbose }).await?))
}

pub async fn kill(
    State(shared): State<Shared>,
    Path((kind, name)): Ref,
    bytes: Result<Bytes, BytesRejection>,
) -> Answer<Json<KillView>> {
    let object = reference(&kind, &name)?;
    let KillBody { session, since, force } = body(bytes)?;
    Ok(Json(shared.api.kill(&object, &End { session, since, force }).await?))
}

pub async fn diagnose(State(shared): State<Shared>, Path((kind, name)): Ref) -> Answer<Json<DiagnosisView>> {
    Ok(Json(shared.api.diagnose(&reference(&kind, &name)?).await?))
}
