//! What the next pass would do, and by which manifests.

use super::extract::Asked;
use super::{Answer, need};
use crate::control::api::PlanList;
use crate::core::access::{Caller, Permission};
use crate::http::server::Shared;
use crate::http::wire::{PlanBody, ReadAnswer};
use axum::extract::State;
use axum::{Extension, Json};

pub async fn plan(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    Asked(ask): Asked<PlanBody>,
) -> Answer<Json<PlanList>> {
    // A plan tells whether a sealed value is the one in force.
    if ask.files.is_some() {
        need(&caller, Permission::ExternalServicesWrite)?;
    }
    Ok(Json(match ask.files {
        Some(files) if ask.beside => shared.api.plan_beside(files).await?,
        files => shared.api.plan(files).await?,
    }))
}

pub async fn read(State(shared): State<Shared>) -> Answer<Json<ReadAnswer>> {
    Ok(Json(ReadAnswer { read: shared.api.read_manifests().await? }))
}
