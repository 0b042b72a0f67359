//! Services are made, changed, let go; each way leads through the one that objects have.

use super::{Found, found};
use crate::control::api::{ApplyOptions, Done, ErrorCode, ManagedBy, Operation};
use crate::core::names::{API_VERSION, Name, ObjectRef};
use crate::http::error::Failure;
use crate::http::routes::Answer;
use crate::http::routes::extract::{Asked, InPath, Params};
use crate::http::server::Shared;
use crate::http::services::bodies::{CreateBody, DeleteQuery, UpdateBody, UpgradeBody};
use crate::http::services::limits::LimitsBody;
use crate::http::services::parameters::Asked as Parameters;
use crate::http::services::views::{Acted, CheckView, HealthView, Resources, ServiceDetails, applied};
use crate::http::services::{Offered, of_type};
use crate::secrets::PublicKey;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

/// For how long a request waits until limits are in force: a container that has to be made anew takes that long.
const IN_FORCE: Duration = Duration::from_secs(15);
/// After so long it is looked at, even when nothing was told.
const LOOK_MS: u64 = 1_000;

pub async fn create(
    State(shared): State<Shared>,
    Asked(ask): Asked<CreateBody>,
) -> Answer<(StatusCode, Json<ServiceDetails>)> {
    let CreateBody { name, service_type, version, mut parameters } = ask;
    let offered = of_type(&service_type).map_err(|_| no_type(&service_type))?;
    let name = Name::parse(&name).map_err(|e| Failure::invalid(format!("name: {e}")))?;
    let object = ObjectRef::new(offered.about.kind, name);
    if let Some(version) = version
        && parameters.insert("version".to_owned(), version.into()).is_some()
    {
        return Err(Failure::invalid("the version is given twice"));
    }
    refuse(offered.wrong(&parameters))?;
    let given = |name: &str| parameters.get(name).is_some_and(|value| !value.is_null());
    if !given("version") && !given("docker_image") {
        let newest = offered.about.images.first().map(|(version, _)| Value::from(*version));
        parameters.extend(newest.map(|version| ("version".to_owned(), version)));
    }
    let spec = fields(&shared, offered, &object, parameters, false).await?;
    let document = json!({
        "apiVersion": API_VERSION,
        "kind": object.kind.as_str(),
        "metadata": {"name": object.name.as_str()},
        "spec": spec,
    });
    let options = ApplyOptions { create: true, ..ApplyOptions::default() };
    shared.api.apply(&document.to_string(), &options).await?;
    let view = shared.api.object(&object).await?;
    let found = Found { object, offered, view };
    Ok((StatusCode::CREATED, super::details(&shared, found, false).await?))
}

/// A type that a body names is no part of a path.
fn no_type(word: &str) -> Failure {
    let all: Vec<&str> = crate::http::services::all().map(|offered| offered.about.kind.lower()).collect();
    let word = crate::core::text::quoted(word);
    Failure::invalid(format!("service_type: there is no {word}; there are {}", all.join(", ")))
}

fn refuse(wrong: Vec<String>) -> Answer<()> {
    if wrong.is_empty() { Ok(()) } else { Err(Failure::invalid(wrong.join("; "))) }
}

/// Secrets leave this function sealed.
async fn fields(
    shared: &Shared,
    offered: Offered,
    object: &ObjectRef,
    parameters: Parameters,
    changes: bool,
) -> Answer<Value> {
    let key: Option<PublicKey> = match offered.has_secret(&parameters) {
        true => shared.api.public_key().await?.key.parse().ok(),
        false => None,
    };
    offered.fields(object, parameters, key.as_ref(), changes).map_err(Failure::invalid)
}

pub async fn update(
    State(shared): State<Shared>,
    InPath(id): InPath<u64>,
    Asked(ask): Asked<UpdateBody>,
) -> Answer<Json<ServiceDetails>> {
    let UpdateBody { mut parameters, docker_image } = ask;
    if let Some(image) = docker_image
        && parameters.insert("docker_image".to_owned(), image.into()).is_some()
    {
        return Err(Failure::invalid("docker_image is given twice"));
    }
    let found = changed(&shared, found(&shared, id).await?, parameters).await?;
    super::details(&shared, found, false).await
}

/// With other parameters; those that are not named stay as they are.
async fn changed(shared: &Shared, found: Found, parameters: Parameters) -> Answer<Found> {
    let Found { object, offered, .. } = found;
    refuse(offered.change_wrong(&parameters))?;
    let spec = fields(shared, offered, &object, parameters, true).await?;
    let patch = json!({"spec": spec}).to_string();
    shared.api.patch(&object, &patch, &ApplyOptions::default()).await?;
    let view = shared.api.object(&object).await?;
    Ok(Found { object, offered, view })
}

pub async fn upgrade(
    State(shared): State<Shared>,
    InPath(id): InPath<u64>,
    Asked(ask): Asked<UpgradeBody>,
) -> Answer<Json<Acted>> {
    let (name, to) = match (ask.docker_image, ask.version) {
        (Some(image), None) => ("docker_image", image),
        (None, Some(version)) => ("version", version),
        _ => {
            return Err(Failure::invalid(
                "an upgrade is to a docker_image or to a version: give one of both",
            ));
        }
    };
    let found = found(&shared, id).await?;
    let message = format!("{} goes to {to}", found.object);
    let found = changed(&shared, found, Parameters::from_iter([(name.to_owned(), to.into())])).await?;
    Ok(Json(Acted { service: found.told()?, message, commit: String::new() }))
}

pub async fn remove(
    State(shared): State<Shared>,
    InPath(id): InPath<u64>,
    Params(ask): Params<DeleteQuery>,
) -> Answer<Json<Done>> {
    let Found { object, view, .. } = found(&shared, id).await?;
    if view.metadata.managed_by == Some(ManagedBy::File) {
        return Err(of_a_file(&object, &view.metadata.source));
    }
    Ok(Json(shared.api.delete(&object, &ask.confirm).await?))
}

/// Nothing that a file holds goes by the API.
pub fn of_a_file(object: &ObjectRef, source: &str) -> Failure {
    let what = format!("{object} has a manifest in {source}; nothing was changed");
    Failure::new(ErrorCode::Conflict, what, format!("remove {object} from {source}, and commit that"))
}

pub async fn start(State(shared): State<Shared>, InPath(id): InPath<u64>) -> Answer<Json<Acted>> {
    operate(&shared, id, Operation::Start).await
}

pub async fn stop(State(shared): State<Shared>, InPath(id): InPath<u64>) -> Answer<Json<Acted>> {
    operate(&shared, id, Operation::Stop).await
}

pub async fn rotate(State(shared): State<Shared>, InPath(id): InPath<u64>) -> Answer<Json<Acted>> {
    operate(&shared, id, Operation::Rotate).await
}

/// Its server is asked now, and its conditions are as they are after that.
pub async fn check(State(shared): State<Shared>, InPath(id): InPath<u64>) -> Answer<Json<CheckView>> {
    let object = found(&shared, id).await?.object;
    let checks = shared.api.diagnose(&object).await?.checks;
    let health = HealthView::of(&found(&shared, id).await?.view);
    Ok(Json(CheckView { health, checks }))
}

async fn operate(shared: &Shared, id: u64, operation: Operation) -> Answer<Json<Acted>> {
    let object = found(shared, id).await?.object;
    let Done { message, commit } = shared.api.operate(&object, operation).await?;
    let service = found(shared, id).await?.told()?;
    Ok(Json(Acted { service, message, commit }))
}

/// All of them are replaced by these, and it is told what the engine says of them then.
pub async fn limit(
    State(shared): State<Shared>,
    InPath(id): InPath<u64>,
    Asked(ask): Asked<LimitsBody>,
) -> Answer<Json<Resources>> {
    let limits = ask.limits().map_err(Failure::invalid)?;
    let patch = limits.patch().map_err(Failure::invalid)?;
    let object = found(&shared, id).await?.object;
    shared.api.patch(&object, &patch.to_string(), &ApplyOptions::default()).await?;
    let end = Instant::now() + IN_FORCE;
    loop {
        let revision = shared.api.watch(0, 0).await?;
        let (applied, done) = applied(&shared.api.object(&object).await?);
        if done || Instant::now() >= end {
            return Ok(Json(Resources { limits: limits.whole(), applied }));
        }
        shared.api.watch(revision, LOOK_MS).await?;
    }
}
