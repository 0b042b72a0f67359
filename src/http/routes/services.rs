//! The service API of the product brief, under `/api/external-services`: the same objects, found by number.

mod change;
mod elsewhere;
mod links;

use super::extract::{InPath, Params};
use super::row::{Row, does, reads, row};
use super::{Answer, need};
use crate::control::api::{Done, ErrorCode, ObjectView};
use crate::control::registry::Kinds;
use crate::core::access::{Caller, Permission};
use crate::core::names::ObjectRef;
use crate::core::text::quoted;
use crate::http::error::Failure;
use crate::http::server::Shared;
use crate::http::services::bodies::{
    BatchQuery, CreateBody, DeleteQuery, LinkBody, RevealQuery, UntieQuery, UpdateBody, UpgradeBody,
    VariablesQuery,
};
use crate::http::services::limits::{Limits, LimitsBody};
use crate::http::services::ties::{EnvironmentVariable, LinkView};
use crate::http::services::views::{
    Acted, CheckView, HealthStatusView, HealthView, ProviderView, Resources, RuntimeView, ServiceDetails,
    ServiceView, StatsView, limits,
};
use crate::http::services::{Offered, all, of_type, offered};
use crate::kinds::Part;
use axum::extract::State;
use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{delete, patch, post, put};
use axum::{Extension, Json};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// In the place of what is not told.
const MASK: &str = "****";
const LIST: &str = "GET /api/external-services lists those that there are";

pub fn table() -> Vec<Row> {
    use Permission::{
        ExternalServicesCreate as Create, ExternalServicesDelete as Delete, ExternalServicesRead as Read,
        ExternalServicesWrite as Write,
    };
    let mut all = vec![
        reads("/api/external-services", Read, list).says("All services").gives::<Vec<ServiceView>>(),
        row(Method::POST, "/api/external-services", Create, post(change::create))
            .says("A new service")
            .takes::<CreateBody>()
            .makes::<ServiceDetails>(),
        reads("/api/external-services/types", Read, types).says("Types of services").gives::<Vec<String>>(),
        reads("/api/external-services/types/{service_type}/parameters", Read, parameters)
            .says("JSON Schema of the parameters of a type")
            .gives::<Map<String, Value>>(),
        reads("/api/external-services/providers/metadata", Read, providers)
            .says("Types with their versions, images and variables")
            .gives::<Vec<ProviderView>>(),
        reads("/api/external-services/providers/metadata/{service_type}", Read, provider)
            .says("The same of one type")
            .gives::<ProviderView>(),
        reads("/api/external-services/by-slug/{slug}", Read, by_slug)
            .says("One service, by its name")
            .gives::<ServiceDetails>(),
        reads("/api/external-services/projects/{project_id}", Read, links::of_project)
            .says("The links of a project")
            .gives::<Vec<LinkView>>(),
        // With `reveal`: SecretsReveal, too, as below.
        reads("/api/external-services/projects/{project_id}/environment", Read, links::whole_environment)
            .says("Variables of an environment, of all that gives to it; `reveal` needs SecretsReveal, too")
            .query::<VariablesQuery>()
            .gives::<Vec<EnvironmentVariable>>(),
        reads("/api/external-services/{id}", Read, one)
            .says("One service; with `reveal` (SecretsReveal) the password in its connection string, too")
            .query::<RevealQuery>()
            .gives::<ServiceDetails>(),
        row(Method::PUT, "/api/external-services/{id}", Write, put(change::update))
            .says("Other parameters; those that are not named stay")
            .takes::<UpdateBody>()
            .gives::<ServiceDetails>(),
        row(Method::DELETE, "/api/external-services/{id}", Delete, delete(change::remove))
            .says("Lets a service go, with its data when that is confirmed; not while it is linked")
            .query::<DeleteQuery>()
            .gives::<Done>(),
        reads("/api/external-services/{id}/health", Read, health).says("How it is").gives::<HealthView>(),
        reads("/api/external-services/{id}/health-status", Read, health_status)
            .says("The same in a few words")
            .gives::<HealthStatusView>(),
        reads("/api/external-services/health-status-batch", Read, health_of_many)
            .says("The same of many at once")
            .query::<BatchQuery>()
            .gives::<Vec<HealthStatusView>>(),
        reads("/api/external-services/{id}/wal-health", Read, wal_health)
            .says("The write-ahead log of a PostgreSQL")
            .gives::<Map<String, Value>>(),
        reads("/api/external-services/{id}/runtime", Read, runtime)
            .says("Its containers, with limits configured and in force")
            .gives::<RuntimeView>(),
        reads("/api/external-services/{id}/stats", Read, stats)
            .says("What they use now")
            .gives::<StatsView>(),
        reads("/api/external-services/{id}/resources", Read, resources)
            .says("The limits that are asked for")
            .gives::<LimitsView>(),
        row(Method::PATCH, "/api/external-services/{id}/resources", Write, patch(change::limit))
            .says("Replaces all limits; all null remove them")
            .takes::<LimitsBody>()
            .gives::<Resources>(),
        reads("/api/external-services/{id}/preview-environment-names", Read, names)
            .says("Names of the variables that a link would give")
            .gives::<Vec<String>>(),
        reads("/api/external-services/{id}/preview-environment-masked", Read, masked)
            .says("The same with their values, as far as they are no secret and the same for every link")
            .gives::<BTreeMap<String, String>>(),
        writes("/api/external-services/{id}/health-check", change::check)
            .says("Asks its server now")
            .gives::<CheckView>(),
        writes("/api/external-services/{id}/start", change::start)
            .says("Starts what was stopped")
            .gives::<Acted>(),
        writes("/api/external-services/{id}/stop", change::stop)
            .says("Stops it, until it is started")
            .gives::<Acted>(),
        writes("/api/external-services/{id}/rotate", change::rotate).says("A new password").gives::<Acted>(),
        writes("/api/external-services/{id}/upgrade", change::upgrade)
            .says("To another image or version")
            .takes::<UpgradeBody>()
            .gives::<Acted>(),
        reads("/api/external-services/{id}/projects", Read, links::of_service)
            .says("The links of a service")
            .gives::<Vec<LinkView>>(),
        writes("/api/external-services/{id}/projects", links::tie)
            .says("Links it to an environment of a project")
            .takes::<LinkBody>()
            .makes::<LinkView>(),
        row(Method::DELETE, "/api/external-services/{id}/projects/{project_id}", Write, delete(links::untie))
            .says("Takes the link away; the database stays")
            .query::<UntieQuery>()
            .gives::<Done>(),
        reads("/api/external-services/{id}/projects/{project_id}/environment", Read, links::environment)
            .says("The variables of one link; `reveal` needs SecretsReveal, too")
            .query::<VariablesQuery>()
            .gives::<Vec<EnvironmentVariable>>(),
        reads(
            "/api/external-services/{id}/projects/{project_id}/environment/{var_name}",
            Read,
            links::variable,
        )
        .says("One of them")
        .query::<VariablesQuery>()
        .gives::<EnvironmentVariable>(),
    ];
    all.extend(elsewhere::table());
    all
}

fn writes<H: Handler<T, Shared>, T: 'static>(path: &'static str, handler: H) -> Row {
    does(path, Permission::ExternalServicesWrite, handler)
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
        let slug = quoted(&slug);
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
        Ok(view) => scheme.map(|scheme| view.url(scheme, &view.network, Some(MASK))),
        Err(error) if reveal => return Err(error.into()),
        Err(_) => None,
    };
    let Found { offered, ref view, .. } = found;
    Ok(Json(found.told()?.with_details(offered, view, connection)))
}

async fn health(State(shared): State<Shared>, InPath(id): InPath<u64>) -> Answer<Json<HealthView>> {
    Ok(Json(HealthView::of(&found(&shared, id).await?.view)))
}

async fn health_status(
    State(shared): State<Shared>,
    InPath(id): InPath<u64>,
) -> Answer<Json<HealthStatusView>> {
    Ok(Json(HealthStatusView::of(&found(&shared, id).await?.view)))
}

async fn health_of_many(
    State(shared): State<Shared>,
    Params(ask): Params<BatchQuery>,
) -> Answer<Json<Vec<HealthStatusView>>> {
    let wanted = |word: &str| {
        let word = word.trim();
        word.parse::<u64>().map_err(|_| Failure::invalid(format!("{} is no id", quoted(word))))
    };
    let wanted =
        ask.ids.map(|ids| ids.split(',').map(wanted).collect::<Answer<BTreeSet<u64>>>()).transpose()?;
    let all = shared.api.objects().await?.items;
    let mut all: BTreeMap<u64, ObjectView> = all
        .into_iter()
        .filter(|view| ServiceView::of(view).is_some())
        .map(|view| (view.metadata.id, view))
        .collect();
    if let Some(wanted) = wanted {
        if let Some(none) = wanted.iter().find(|id| !all.contains_key(id)) {
            return Err(no_service(*none));
        }
        all.retain(|id, _| wanted.contains(id));
    }
    Ok(Json(all.values().map(HealthStatusView::of).collect()))
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

#[derive(Debug, Serialize, JsonSchema)]
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

/// The same with what is known without a link: where it is. What a link has of its own is not told before there is one.
async fn masked(
    State(shared): State<Shared>,
    InPath(id): InPath<u64>,
) -> Answer<Json<BTreeMap<&'static str, String>>> {
    let Found { object, offered, .. } = found(&shared, id).await?;
    let at = shared.api.connection(&object, false).await?.network;
    let value = |name: &str| {
        let is = |part: Part| {
            part.variable().is_some_and(|end| name.strip_suffix(end).is_some_and(|head| head.ends_with('_')))
        };
        if is(Part::Host) {
            at.host.clone()
        } else if is(Part::Port) {
            at.port.to_string()
        } else {
            MASK.to_owned()
        }
    };
    Ok(Json(offered.service.variables.iter().map(|name| (*name, value(name))).collect()))
}
