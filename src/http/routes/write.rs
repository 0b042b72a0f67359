//! An object as its document, in Kubernetes' form: made, replaced, patched, taken away.

use super::Answer;
use super::extract::{At, InPath, Params, Text, kind};
use crate::control::api::{Applied, ApplyOptions, Outcome};
use crate::core::access::{Caller, Permission};
use crate::core::names::ObjectRef;
use crate::http::document::{manifest, named};
use crate::http::error::Failure;
use crate::http::server::Shared;
use crate::http::wire::{DeleteQuery, Deleted, WriteQuery, Written};
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::{Extension, Json};

type Told = Answer<(StatusCode, Json<Written>)>;

pub async fn create(
    State(shared): State<Shared>,
    InPath(word): InPath<String>,
    Params(ask): Params<WriteQuery>,
    Text(body): Text,
) -> Told {
    let kind = kind(&word)?;
    let (document, version) = manifest(body);
    if let Some(object) = named(&document).filter(|object| object.kind != kind) {
        return Err(Failure::invalid(format!("the document is of {object}, which is no {kind}")));
    }
    let options = ApplyOptions { create: true, ..options(&ask, version) };
    told(&shared, shared.api.apply(&document, &options).await?, &options).await
}

/// One that is not there is made, by who may.
pub async fn replace(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    At(at): At,
    Params(ask): Params<WriteQuery>,
    Text(body): Text,
) -> Told {
    let (document, version) = manifest(body);
    if let Some(object) = named(&document).filter(|object| *object != at) {
        return Err(Failure::invalid(format!("the document is of {object}, and the path of {at}")));
    }
    let update = !caller.may(Permission::ExternalServicesCreate);
    let options = ApplyOptions { update, ..options(&ask, version) };
    told(&shared, shared.api.apply(&document, &options).await?, &options).await
}

pub async fn patch(
    State(shared): State<Shared>,
    At(object): At,
    Params(ask): Params<WriteQuery>,
    headers: HeaderMap,
    Text(body): Text,
) -> Told {
    let of = headers.get(CONTENT_TYPE).and_then(|of| of.to_str().ok()).unwrap_or_default();
    // What these say would be something else.
    if ["json-patch", "strategic-merge-patch", "apply-patch"].iter().any(|other| of.contains(other)) {
        let what = "a patch is application/merge-patch+json (RFC 7396)";
        return Err(Failure::with(StatusCode::UNSUPPORTED_MEDIA_TYPE, what));
    }
    let (patch, version) = manifest(body);
    let options = options(&ask, version);
    told(&shared, shared.api.patch(&object, &patch, &options).await?, &options).await
}

pub async fn delete(
    State(shared): State<Shared>,
    At(object): At,
    Params(ask): Params<DeleteQuery>,
) -> Answer<Json<Deleted>> {
    Ok(Json(match ask.dry_run {
        Some(_) => Deleted::Planned(shared.api.would_delete(&object, &ask.confirm).await?),
        None => Deleted::Done(shared.api.delete(&object, &ask.confirm).await?),
    }))
}

fn options(ask: &WriteQuery, version: Option<String>) -> ApplyOptions {
    let resource_version = ask.resource_version.clone().or(version);
    ApplyOptions { dry_run: ask.dry_run.is_some(), resource_version, ..ApplyOptions::default() }
}

async fn told(shared: &Shared, applied: Applied, options: &ApplyOptions) -> Told {
    let object: Option<ObjectRef> = applied.object.parse().ok().filter(|_| !options.dry_run);
    let object = match object {
        // It may be gone again.
        Some(object) => shared.api.object(&object).await.ok(),
        None => None,
    };
    let made = applied.outcome == Outcome::Created && !options.dry_run;
    let status = if made { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(Written { applied, object })))
}
