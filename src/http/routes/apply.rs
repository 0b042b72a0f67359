//! An object as its document.

use super::extract::{Asked, At};
use super::{Answer, need};
use crate::control::api::Applied;
use crate::core::access::{Caller, Permission};
use crate::http::server::Shared;
use crate::http::wire::ApplyBody;
use axum::extract::State;
use axum::{Extension, Json};

pub async fn apply(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    Asked(ask): Asked<ApplyBody>,
) -> Answer<Json<Applied>> {
    need(&caller, Permission::ExternalServicesCreate)?;
    Ok(Json(shared.api.apply(&ask.document, &ask.options).await?))
}

pub async fn patch(
    State(shared): State<Shared>,
    At(object): At,
    Asked(ask): Asked<ApplyBody>,
) -> Answer<Json<Applied>> {
    Ok(Json(shared.api.patch(&object, &ask.document, &ask.options).await?))
}
