//! Objects and what can be done with one.

use super::extract::{Asked, At, Params, kind};
use super::watch::{self, Watcher};
use super::{Answer, need};
use crate::control::api::{ConnectionView, Done, EnvironmentView, ObjectView, Operation, TestView};
use crate::core::access::{Caller, Permission};
use crate::core::names::{API_VERSION, ObjectRef};
use crate::core::plan::PlanView;
use crate::http::error::Failure;
use crate::http::select::{Fields, Labels, page};
use crate::http::server::Shared;
use crate::http::wire::{
    ALL, ConnectionQuery, EnvironmentQuery, ListMeta, ListQuery, ListView, Nothing, RenameBody, StatusView,
};
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use std::str::FromStr;

pub async fn list(
    State(shared): State<Shared>,
    Path(word): Path<String>,
    Params(ask): Params<ListQuery>,
    watcher: Watcher,
) -> Answer<Response> {
    watch::fits(&ask)?;
    let kind = if word == ALL { None } else { Some(kind(&word)?) };
    let labels: Labels = read("labelSelector", ask.label_selector.as_deref())?.unwrap_or_default();
    let fields: Fields = read("fieldSelector", ask.field_selector.as_deref())?.unwrap_or_default();
    if ask.watch {
        return watch::stream(&shared, watcher, &ask, kind, labels, fields).await;
    }
    let kind = kind.map(|kind| kind.as_str());
    let after: Option<ObjectRef> = read("continue", ask.after.as_deref())?;
    let mut list = shared.api.objects().await?;
    list.items.retain(|view| {
        kind.is_none_or(|kind| view.kind == kind) && labels.select(view) && fields.select(view)
    });
    let part = page(list.items, ask.limit, after.as_ref());
    let list = ListView {
        api_version: API_VERSION.to_owned(),
        kind: format!("{}List", kind.unwrap_or_default()),
        metadata: ListMeta {
            resource_version: list.revision.to_string(),
            after: part.next,
            remaining_item_count: part.remaining,
        },
        items: part.items,
        problems: list.problems,
        guard: list.guard,
        engine_down: list.engine_down,
        notices: list.notices,
        kinds: list.kinds,
    };
    Ok(Json(list).into_response())
}

fn read<T: FromStr>(name: &str, text: Option<&str>) -> Answer<Option<T>>
where
    T::Err: std::fmt::Display,
{
    text.map(str::parse).transpose().map_err(|e| Failure::invalid(format!("{name}: {e}")))
}

pub async fn one(State(shared): State<Shared>, At(object): At) -> Answer<Json<ObjectView>> {
    Ok(Json(shared.api.object(&object).await?))
}

pub async fn status(State(shared): State<Shared>, At(object): At) -> Answer<Json<StatusView>> {
    let ObjectView { api_version, kind, metadata, status, .. } = shared.api.object(&object).await?;
    Ok(Json(StatusView { api_version, kind, metadata, status }))
}

pub async fn plan(State(shared): State<Shared>, At(object): At) -> Answer<Json<PlanView>> {
    Ok(Json(shared.api.plan_of(&object).await?))
}

pub async fn operate(
    operation: Operation,
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    At(object): At,
    Asked(Nothing {}): Asked<Nothing>,
) -> Answer<Json<Done>> {
    if operation == Operation::Reinitialise {
        need(&caller, Permission::ExternalServicesDelete)?;
    }
    Ok(Json(shared.api.operate(&object, operation).await?))
}

pub async fn rename(
    State(shared): State<Shared>,
    At(object): At,
    Asked(ask): Asked<RenameBody>,
) -> Answer<Json<Done>> {
    Ok(Json(shared.api.rename(&object, &ask.to).await?))
}

pub async fn connection(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    At(object): At,
    Params(ask): Params<ConnectionQuery>,
) -> Answer<Json<ConnectionView>> {
    if ask.reveal {
        need(&caller, Permission::SecretsReveal)?;
    }
    Ok(Json(match ask.program.filter(|_| ask.reveal) {
        Some(program) => shared.api.login(&object, &program).await?,
        None => shared.api.connection(&object, ask.reveal).await?,
    }))
}

pub async fn environment(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    At(object): At,
    Params(ask): Params<EnvironmentQuery>,
) -> Answer<Json<EnvironmentView>> {
    if ask.reveal {
        need(&caller, Permission::SecretsReveal)?;
    }
    Ok(Json(shared.api.environment(&object, &ask.environment, ask.on_host, ask.reveal).await?))
}

pub async fn test(State(shared): State<Shared>, At(object): At) -> Answer<Json<TestView>> {
    Ok(Json(shared.api.test(&object).await?))
}
