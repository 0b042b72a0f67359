//! What goes on inside a server, asked while somebody waits.

use super::Answer;
use super::extract::{Asked, At, Params};
use crate::control::api::{DiagnosisView, InspectView, KillView};
use crate::http::server::Shared;
use crate::http::wire::{InspectQuery, KillBody};
use crate::kinds::{Ask, End};
use axum::Json;
use axum::extract::{Path, State};
use std::collections::BTreeMap;

pub async fn inspect(
    State(shared): State<Shared>,
    At(object): At,
    Path(mut named): Path<BTreeMap<String, String>>,
    Params(InspectQuery { database, verbose }): Params<InspectQuery>,
) -> Answer<Json<InspectView>> {
    let verb = named.remove("verb").unwrap_or_default();
    Ok(Json(shared.api.inspect(&object, &Ask { verb, database, verbose }).await?))
}

pub async fn kill(
    State(shared): State<Shared>,
    At(object): At,
    Asked(KillBody { session, since, force }): Asked<KillBody>,
) -> Answer<Json<KillView>> {
    Ok(Json(shared.api.kill(&object, &End { session, since, force }).await?))
}

pub async fn diagnose(State(shared): State<Shared>, At(object): At) -> Answer<Json<DiagnosisView>> {
    Ok(Json(shared.api.diagnose(&object).await?))
}
