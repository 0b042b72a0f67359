//! Services and environments, tied together.

use super::{Found, found, project};
use crate::control::api::{ApplyOptions, Done, ErrorCode, VariableView};
use crate::control::registry::Kinds;
use crate::core::access::{Caller, Permission};
use crate::core::names::ObjectRef;
use crate::http::error::Failure;
use crate::http::routes::extract::{Asked, InPath, Params};
use crate::http::routes::{Answer, need};
use crate::http::server::Shared;
use crate::http::services::bodies::{LinkBody, UntieQuery, VariablesQuery};
use crate::http::services::ties::{Ends, EnvironmentVariable, Everything, LinkView, environments};
use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde_json::Map;

async fn everything(shared: &Shared) -> Answer<Everything> {
    Ok(Everything::of(shared.api.objects().await?.items))
}

fn told(all: &Everything, which: impl Fn(&Ends) -> bool) -> Json<Vec<LinkView>> {
    let links = all.links().filter(|(_, ends, _)| which(ends)).map(|(_, _, view)| view);
    Json(links.collect())
}

pub async fn of_service(
    State(shared): State<Shared>,
    InPath(id): InPath<u64>,
) -> Answer<Json<Vec<LinkView>>> {
    let service = found(&shared, id).await?.object;
    Ok(told(&everything(&shared).await?, |ends| ends.service == service))
}

pub async fn of_project(
    State(shared): State<Shared>,
    InPath(id): InPath<u64>,
) -> Answer<Json<Vec<LinkView>>> {
    let (project, _) = project(&shared, id).await?;
    Ok(told(&everything(&shared).await?, |ends| ends.project == project))
}

/// The one that is meant; the only one where none is named.
fn one_of(what: &str, all: Vec<String>, asked: Option<String>) -> Answer<String> {
    let known = || all.join(", ");
    match asked {
        Some(asked) if all.contains(&asked) => Ok(asked),
        Some(asked) => {
            let asked = crate::core::text::quoted(&asked);
            let next = if all.is_empty() { String::new() } else { format!("it has {}", known()) };
            Err(Failure::new(ErrorCode::NotFound, format!("{what} has no environment {asked}"), next))
        }
        None => match <[String; 1]>::try_from(all.clone()) {
            Ok([only]) => Ok(only),
            Err(_) if all.is_empty() => {
                Err(Failure::new(ErrorCode::NotFound, format!("{what} has no environment"), ""))
            }
            Err(_) => {
                Err(Failure::invalid(format!("{what} has several environments: say which of {}", known())))
            }
        },
    }
}

pub async fn tie(
    State(shared): State<Shared>,
    InPath(id): InPath<u64>,
    Asked(ask): Asked<LinkBody>,
) -> Answer<(StatusCode, Json<LinkView>)> {
    let Found { object: service, .. } = found(&shared, id).await?;
    let (project, view) = project(&shared, ask.project_id).await?;
    let environment = one_of(&project.to_string(), environments(&view), ask.environment)?;
    let manifest = Kinds::manifest_of_link(&service, (&project.name, &environment), None, Map::new())
        .map_err(|(why, _)| Failure::invalid(why))?;
    let options = ApplyOptions { create: true, ..ApplyOptions::default() };
    shared.api.apply(&manifest.to_string(), &options).await?;
    let ends = Ends { service, project, environment };
    let all = everything(&shared).await?;
    let made = all.links().find(|(_, of, _)| *of == ends).map(|(_, _, view)| view);
    let gone = || Failure::new(ErrorCode::Conflict, "it was taken away again meanwhile", "");
    Ok((StatusCode::CREATED, Json(made.ok_or_else(gone)?)))
}

/// What ties these two together, in one environment.
async fn tied(
    shared: &Shared,
    (id, project_id): (u64, u64),
    environment: Option<String>,
) -> Answer<(ObjectRef, Ends)> {
    let service = found(shared, id).await?.object;
    let (project, _) = project(shared, project_id).await?;
    let all = everything(shared).await?;
    let both = |ends: &Ends| ends.service == service && ends.project == project;
    let ties: Vec<(ObjectRef, Ends)> = all
        .links()
        .filter(|(_, ends, _)| both(ends))
        .map(|(object, ends, _)| (object.clone(), ends))
        .collect();
    if ties.is_empty() {
        let what = format!("{service} and {project} are not linked");
        return Err(Failure::new(ErrorCode::NotFound, what, ""));
    }
    let names = ties.iter().map(|(_, ends)| ends.environment.clone()).collect();
    let environment = one_of(&format!("{service} and {project}"), names, environment)?;
    let found = ties.into_iter().find(|(_, ends)| ends.environment == environment);
    found.ok_or_else(|| Failure::new(ErrorCode::NotFound, "it is gone", ""))
}

pub async fn untie(
    State(shared): State<Shared>,
    InPath(ids): InPath<(u64, u64)>,
    Params(ask): Params<UntieQuery>,
) -> Answer<Json<Done>> {
    let (object, _) = tied(&shared, ids, ask.environment).await?;
    Ok(Json(shared.api.delete(&object, "").await?))
}

async fn variables(
    shared: &Shared,
    project: &ObjectRef,
    environment: &str,
    reveal: bool,
) -> Answer<Vec<VariableView>> {
    Ok(shared.api.environment(project, environment, false, reveal).await?.variables)
}

/// Of one link alone; `one`: with the secret of no other.
async fn given(
    shared: &Shared,
    caller: &Caller,
    ids: (u64, u64),
    ask: VariablesQuery,
    one: Option<&str>,
) -> Answer<Vec<EnvironmentVariable>> {
    if ask.reveal {
        need(caller, Permission::SecretsReveal)?;
    }
    let (object, ends) = tied(shared, ids, ask.environment).await?;
    let all = match one.filter(|_| ask.reveal) {
        // Nothing else is seen, and nothing else is written down.
        Some(name) => shared.api.reveal_variable(&ends.project, &ends.environment, name).await?.variables,
        None => variables(shared, &ends.project, &ends.environment, ask.reveal).await?,
    };
    let from = object.to_string();
    Ok(all.into_iter().filter(|variable| variable.from == from).map(EnvironmentVariable::from).collect())
}

pub async fn environment(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    InPath(ids): InPath<(u64, u64)>,
    Params(ask): Params<VariablesQuery>,
) -> Answer<Json<Vec<EnvironmentVariable>>> {
    Ok(Json(given(&shared, &caller, ids, ask, None).await?))
}

pub async fn variable(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    InPath((id, project_id, name)): InPath<(u64, u64, String)>,
    Params(ask): Params<VariablesQuery>,
) -> Answer<Json<EnvironmentVariable>> {
    let all = given(&shared, &caller, (id, project_id), ask, Some(&name)).await?;
    let what = || format!("no variable {} is given", crate::core::text::quoted(&name));
    let none = || Failure::new(ErrorCode::NotFound, what(), "");
    Ok(Json(all.into_iter().find(|variable| variable.name == name).ok_or_else(none)?))
}

/// Of all that gives to it.
pub async fn whole_environment(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    InPath(id): InPath<u64>,
    Params(ask): Params<VariablesQuery>,
) -> Answer<Json<Vec<EnvironmentVariable>>> {
    if ask.reveal {
        need(&caller, Permission::SecretsReveal)?;
    }
    let (project, view) = project(&shared, id).await?;
    let environment = one_of(&project.to_string(), environments(&view), ask.environment)?;
    let all = variables(&shared, &project, &environment, ask.reveal).await?;
    Ok(Json(all.into_iter().map(EnvironmentVariable::from).collect()))
}
