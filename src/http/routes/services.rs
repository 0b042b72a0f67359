//! The service API of the product brief, under `/api/external-services`: the same objects, found by number.

mod change;
mod links;

use super::extract::{InPath, Params};
use super::{Answer, Row, need, reads};
use crate::control::api::{ErrorCode, ObjectView};
use crate::control::registry::Kinds;
use crate::core::access::{Caller, Permission};
use crate::core::names::ObjectRef;
use crate::http::error::Failure;
use crate::http::server::Shared;
use crate::http::services::bodies::RevealQuery;
use crate::http::services::limits::Limits;
use crate::http::services::views::{
    HealthView, ProviderView, RuntimeView, ServiceDetails, ServiceView, StatsView, limits,
};
use crate::http::services::{Offered, all, of_type, offered};
use axum::extract::State;
use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{delete, patch, post, put};
use axum::{Extension, Json};
use serde::Serialize;
use serde_json::Value;

const LIST: &str = "GET /api/external-services lists those that there are";

pub fn table() -> Vec<Row> {
    use Permission::{
        ExternalServicesCreate as Create, ExternalServicesDelete as Delete, ExternalServicesRead as Read,
        ExternalServicesWrite as Write,
    };
    let row = |method, path, needs, answer| Row { method, path, needs, answer };
    vec![
        reads("/api/external-services", Read, list),
        row(Method::POST, "/api/external-services", Create, post(change::create)),
        reads("/api/external-services/types", Read, types),
        reads("/api/external-services/types/{service_type}/parameters", Read, parameters),
        reads("/api/external-services/providers/metadata", Read, providers),
        reads("/api/external-services/providers/metadata/{service_type}", Read, provider),
        reads("/api/external-services/by-slug/{slug}", Read, by_slug),
        reads("/api/external-services/projects/{project_id}", Read, links::of_project),
        // With `reveal`: SecretsReveal, too, as below.
        reads("/api/external-services/projects/{project_id}/environment", Read, links::whole_environment),
        reads("/api/external-services/{id}", Read, one),
        row(Method::PUT, "/api/external-services/{id}", Write, put(change::update)),
        row(Method::DELETE, "/api/external-services/{id}", Delete, delete(change::remove)),
        reads("/api/external-services/{id}/health", Read, health),
        reads("/api/external-services/{id}/wal-health", Read, wal_health),
        reads("/api/external-services/{id}/runtime", Read, runtime),
        reads("/api/external-services/{id}/stats", Read, stats),
        reads("/api/external-services/{id}/resources", Read, resources),
        row(Method::PATCH, "/api/external-services/{id}/resources", Write, patch(change::limit)),
        reads("/api/external-services/{id}/preview-environment-names", Read, names),
        writes("/api/external-services/{id}/health-check", change::check),
        writes("/api/external-services/{id}/start", change::start),
        writes("/api/external-services/{id}/stop", change::stop),
        writes("/api/external-services/{id}/rotate", change::rotate),
        writes("/api/external-services/{id}/upgrade", change::upgrade),
        reads("/api/external-services/{id}/projects", Read, links::of_service),
        writes("/api/external-services/{id}/projects", links::tie),
        row(Method::DELETE, "/api/external-services/{id}/projects/{project_id}", Write, delete(links::untie)),
        reads("/api/external-services/{id}/projects/{project_id}/environment", Read, links::environment),
        reads(
            "/api/external-services/{id}/projects/{project_id}/environment/{var_name}",
            Read,
            links::variable,
        ),
    ]
}

fn writes<H: Handler<T, Shared>, T: 'static>(path: &'static str, handler: H) -> Row {
    super::does(path, Permission::ExternalServicesWrite, handler)
}

/// The service of a number, as it is now.
struct Found {
    object: ObjectRef,
    offered: Offered,
    view: ObjectView,
}

impl Found {
    fn told(&self) -> Answer<ServiceView> {
        ServiceView::of(&self.view).ok_or_else(|| no_service(self.view.metadata.id))
    }
}

fn no_service(id: u64) -> Failure {
    Failure::new(ErrorCode::NotFound, format!("no service has the id {id}"), LIST)
}

async fn found(shared: &Shared, id: u64) -> Answer<Found> {
    let object = numbered(shared, id, no_service).await?;
    let offered = offered(object.kind).ok_or_else(|| no_service(id))?;
    let view = shared.api.object(&object).await?;
    Ok(Found { object, offered, view })
}

async fn numbered(shared: &Shared, id: u64, none: impl Fn(u64) -> Failure) -> Answer<ObjectRef> {
    shared.api.numbered(id).await.map_err(|error| match error.code {
        ErrorCode::NotFound => none(id),
        _ => error.into(),
    })
}

async fn project(shared: &Shared, id: u64) -> Answer<(ObjectRef, ObjectView)> {
    let none = |id| Failure::new(ErrorCode::NotFound, format!("no project has the id {id}"), "");
    let object = numbered(shared, id, none).await?;
    if object.kind != Kinds::of_environments() {
        return Err(none(id));
    }
    let view = shared.api.object(&object).await?;
    Ok((object, view))
}

async fn list(State(shared): State<Shared>) -> Answer<Json<Vec<ServiceView>>> {
    let all = shared.api.objects().await?.items;
    let mut all: Vec<ServiceView> = all.iter().filter_map(ServiceView::of).collect();
    all.sort_by_key(|service| service.id);
    Ok(Json(all))
}

async fn types() -> Json<Vec<&'static str>> {
    Json(all().map(|offered| offered.about.kind.lower()).collect())
}

async fn parameters(InPath(word): InPath<String>) -> Answer<Json<Value>> {
    Ok(Json(of_type(&word)?.schema()))
}

async fn providers() -> Json<Vec<ProviderView>> {
    Json(all().map(ProviderView::from).collect())
}

async fn provider(InPath(word): InPath<String>) -> Answer<Json<ProviderView>> {
    Ok(Json(of_type(&word)?.into()))
}

async fn one(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    InPath(id): InPath<u64>,
    Params(ask): Params<RevealQuery>,
) -> Answer<Json<ServiceDetails>> {
    if ask.reveal {
        need(&caller, Permission::SecretsReveal)?;
    }
    let found = found(&shared, id).await?;
    details(&shared, found, ask.reveal).await
}

/// Names are of a kind: two services of different types may have the same.
async fn by_slug(State(shared): State<Shared>, InPath(slug): InPath<String>) -> Answer<Json<ServiceDetails>> {
    let all = shared.api.objects().await?.items;
    let mut named: Vec<ObjectView> = all.into_iter().filter(|view| view.metadata.name == slug).collect();
    named.retain(|view| ServiceView::of(view).is_some());
    let ids: Vec<String> = named.iter().map(|view| view.metadata.id.to_string()).collect();
    let (Some(view), []) = (named.pop(), &named[..]) else {
        let slug = crate::core::text::quoted(&slug);
        return Err(match ids.is_empty() {
            true => Failure::new(ErrorCode::NotFound, format!("no service has the slug {slug}"), LIST),
            false => {
                let what = format!("services of several types have the slug {slug}: {}", ids.join(", "));
                Failure::new(ErrorCode::Conflict, what, "ask by id")
            }
        });
    };
    let found = found(&shared, view.metadata.id).await?;
    details(&shared, found, false).await
}

async fn details(shared: &Shared, found: Found, reveal: bool) -> Answer<Json<ServiceDetails>> {
    let scheme = found.offered.about.client.map(|client| client.scheme);
    let connection = match shared.api.connection(&found.object, reveal).await {
        Ok(view) => scheme.map(|scheme| view.url(scheme, &view.network, Some("****"))),
        Err(error) if reveal => return Err(error.into()),
        Err(_) => None,
    };
    let Found { offered, ref view, .. } = found;
    Ok(Json(found.told()?.with_details(offered, view, connection)))
}

async fn health(State(shared): State<Shared>, InPath(id): InPath<u64>) -> Answer<Json<HealthView>> {
    Ok(Json(HealthView::of(&found(&shared, id).await?.view)))
}

async fn wal_health(State(shared): State<Shared>, InPath(id): InPath<u64>) -> Answer<Json<Value>> {
    let Found { object, mut view, .. } = found(&shared, id).await?;
    let seen = view.status.get_mut("walHealth").map(Value::take).filter(Value::is_object);
    let none = || {
        Failure::new(ErrorCode::NotFound, format!("{object} has no write-ahead log that was looked at"), "")
    };
    Ok(Json(seen.ok_or_else(none)?))
}

async fn runtime(State(shared): State<Shared>, InPath(id): InPath<u64>) -> Answer<Json<RuntimeView>> {
    Ok(Json(RuntimeView::of(&found(&shared, id).await?.view)))
}

async fn stats(State(shared): State<Shared>, InPath(id): InPath<u64>) -> Answer<Json<StatsView>> {
    let Found { object, view, .. } = found(&shared, id).await?;
    let top = shared.api.top(Some(&object)).await?;
    let of = object.to_string();
    let members = top.items.into_iter().find(|item| item.object == of).map(|item| item.members);
    Ok(Json(StatsView::of(&view, members.unwrap_or_default(), top.online_cpus)))
}

#[derive(Debug, Serialize)]
struct LimitsView {
    limits: Limits,
}

async fn resources(State(shared): State<Shared>, InPath(id): InPath<u64>) -> Answer<Json<LimitsView>> {
    Ok(Json(LimitsView { limits: limits(&found(&shared, id).await?.view) }))
}

/// Nothing is made for it, nor asked of anybody.
async fn names(State(shared): State<Shared>, InPath(id): InPath<u64>) -> Answer<Json<Vec<&'static str>>> {
    Ok(Json(found(&shared, id).await?.offered.service.variables.to_vec()))
}
