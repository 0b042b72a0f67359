//! The routes, one file per resource: objects as in Kubernetes' API, and under `/v1` what is about the operator or many objects.

mod access;
mod events;
mod extract;
mod history;
mod inspect;
mod jobs;
mod keys;
mod logs;
mod objects;
mod operator;
mod plan;
mod prune;
mod recommend;
mod row;
mod services;
mod top;
mod watch;
mod write;

use super::error::Failure;
use super::openapi::{self, Body, Route};
use super::server::Shared;
use super::wire::{
    AuditQuery, ConfirmBody, ConnectionQuery, DeleteQuery, Deleted, EnvironmentQuery, EventsQuery,
    EventsView, HistoryQuery, InspectQuery, KillBody, ListQuery, ListView, Nothing, PlanBody, ReadAnswer,
    RenameBody, RotateKeysBody, StatusView, TopQuery, WatchAnswer, WatchQuery, WriteQuery, Written,
};
use crate::control::api::{
    AuditEntry, ConnectionView, DiagnosisView, Done, EnvironmentView, ErrorCode, HistoryView, InspectView,
    IssuedToken, JobList, KeyCheck, KeyList, KillView, LogOptions, NewToken, ObjectView, Operation,
    OperatorView, PlanList, PruneView, PublicKeyView, RecommendList, SignInUrl, TestView, TokenView, TopList,
};
use crate::core::access::{Caller, Permission};
use crate::core::plan::PlanView;
use crate::core::text::shown;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, patch, post, put};
use axum::{Json, Router};
use row::{Row, does, reads, row};
use serde_json::Value;
use std::sync::LazyLock;

pub type Answer<T> = Result<T, Failure>;

fn table() -> Vec<Row> {
    use Permission::{
        ExternalServicesCreate as Create, ExternalServicesDelete as Delete, ExternalServicesRead as Read,
        ExternalServicesWrite as Write, SettingsManage as Manage,
    };
    let mut all = vec![
        reads("/apis/seawall.dev/v1/events", Read, events::all)
            .says("What happened, oldest first")
            .query::<EventsQuery>()
            .gives::<EventsView>(),
        reads("/apis/seawall.dev/v1/{kind}", Read, objects::list)
            .says("Objects of a kind, or of all; or what becomes of them")
            .query::<ListQuery>()
            .gives::<ListView>()
            .or_stream("text/event-stream"),
        does("/apis/seawall.dev/v1/{kind}", Create, write::create)
            .says("Makes an object that no file holds")
            .query::<WriteQuery>()
            .takes_form(Body::Manifest)
            .gives::<Written>()
            .may_make(),
        reads("/apis/seawall.dev/v1/{kind}/{name}", Read, objects::one)
            .says("One object")
            .gives::<ObjectView>(),
        // With Create: also of an object that is not there.
        row(Method::PUT, "/apis/seawall.dev/v1/{kind}/{name}", Write, put(write::replace))
            .says("Makes an object what this document says")
            .query::<WriteQuery>()
            .takes_form(Body::Manifest)
            .gives::<Written>()
            .may_make(),
        row(Method::PATCH, "/apis/seawall.dev/v1/{kind}/{name}", Write, patch(write::patch))
            .says("Changes some fields of an object")
            .query::<WriteQuery>()
            .takes_form(Body::MergePatch)
            .gives::<Written>(),
        row(Method::DELETE, "/apis/seawall.dev/v1/{kind}/{name}", Delete, delete(write::delete))
            .says("Lets an object go, with its data when that is confirmed")
            .query::<DeleteQuery>()
            .gives::<Deleted>(),
        reads("/apis/seawall.dev/v1/{kind}/{name}/status", Read, objects::status)
            .says("An object without its spec")
            .gives::<StatusView>(),
        reads("/apis/seawall.dev/v1/{kind}/{name}/plan", Read, objects::plan)
            .says("What its next pass would do, and why")
            .gives::<PlanView>(),
        reads("/apis/seawall.dev/v1/{kind}/{name}/events", Read, events::of_one)
            .says("What happened to it, oldest first")
            .query::<EventsQuery>()
            .gives::<EventsView>(),
        reads("/apis/seawall.dev/v1/{kind}/{name}/logs", Read, logs::stream)
            .says("The log of its container, a JSON value a line")
            .query::<LogOptions>()
            .media("application/x-ndjson"),
        reads("/apis/seawall.dev/v1/{kind}/{name}/history", Read, history::one)
            .says("Figures over time")
            .query::<HistoryQuery>()
            .gives::<HistoryView>(),
        reads("/apis/seawall.dev/v1/{kind}/{name}/diagnose", Read, inspect::diagnose)
            .says("Looks for everything that is worth a word, the worst first")
            .gives::<DiagnosisView>(),
        // What clients say to a server may be anything, also somebody's data.
        reads("/apis/seawall.dev/v1/{kind}/{name}/inspect/{verb}", Write, inspect::inspect)
            .says("What goes on inside its server")
            .query::<InspectQuery>()
            .gives::<InspectView>(),
        // With `reveal`: SecretsReveal, too.
        reads("/apis/seawall.dev/v1/{kind}/{name}/connection", Read, objects::connection)
            .says("How to connect; with `reveal` (SecretsReveal) the password, too")
            .query::<ConnectionQuery>()
            .gives::<ConnectionView>(),
        reads("/apis/seawall.dev/v1/{kind}/{name}/environment", Read, objects::environment)
            .says("The variables that applications find; with `reveal` (SecretsReveal) the secrets in them")
            .query::<EnvironmentQuery>()
            .gives::<EnvironmentView>(),
        does("/apis/seawall.dev/v1/{kind}/{name}/rename", Write, objects::rename)
            .says("Its data, port and password go to another name")
            .takes::<RenameBody>()
            .gives::<Done>(),
        does("/apis/seawall.dev/v1/{kind}/{name}/test", Write, objects::test)
            .says("Goes the way of an application of this link")
            .gives::<TestView>(),
        does("/apis/seawall.dev/v1/{kind}/{name}/kill", Write, inspect::kill)
            .says("Shows a session of its server, or ends the very one that was shown")
            .takes::<KillBody>()
            .gives::<KillView>(),
        reads("/v1/healthz", Read, operator::healthz).says("Whether it answers").media("text/plain"),
        reads("/v1/operator", Read, operator::operator).says("Which operator this is").gives::<OperatorView>(),
        reads("/v1/export", Manage, operator::export)
            .says("The store as JSON lines, secrets sealed")
            .media("text/plain"),
        reads("/v1/watch", Read, events::watch)
            .says("Waits until there is something new")
            .query::<WatchQuery>()
            .gives::<WatchAnswer>(),
        reads("/v1/top", Read, top::list)
            .says("What containers use right now")
            .query::<TopQuery>()
            .gives::<TopList>(),
        reads("/v1/jobs", Read, jobs::list)
            .says("What there is to do, since when, and how far it is")
            .gives::<JobList>(),
        reads("/v1/recommend", Read, recommend::list)
            .says("Limits by what was used")
            .query::<TopQuery>()
            .gives::<RecommendList>(),
        // Nothing is done that would not be done by itself.
        does("/v1/manifests/read", Read, plan::read)
            .says("Reads the manifests as they are now")
            .gives::<ReadAnswer>(),
        // Of other manifests than those in force: Write, too.
        does("/v1/plan", Read, plan::plan)
            .says("What the next passes would do, for the manifests in force or (ExternalServicesWrite) for these")
            .takes::<PlanBody>()
            .gives::<PlanList>(),
        reads("/v1/keys", Manage, keys::list).says("The keys that seal secrets").gives::<KeyList>(),
        reads("/v1/keys/public", Read, keys::public)
            .says("What values of manifests are sealed to")
            .gives::<PublicKeyView>(),
        does("/v1/keys/verify", Manage, keys::verify).says("Opens every sealed record").gives::<KeyCheck>(),
        does("/v1/keys/rotate", Manage, keys::rotate)
            .says("Seals every record with a new key")
            .takes::<RotateKeysBody>()
            .gives::<Done>(),
        reads("/v1/prune", Read, prune::show).says("Removals that are held back").gives::<PruneView>(),
        does("/v1/prune", Manage, prune::confirm)
            .says("Lets them go, once")
            .takes::<ConfirmBody>()
            .gives::<Done>(),
        reads("/v1/tokens", Manage, access::tokens).says("Tokens, without what opens").gives::<Vec<TokenView>>(),
        does("/v1/tokens", Manage, access::create)
            .says("A new token; what opens is told this once")
            .takes::<NewToken>()
            .gives::<IssuedToken>(),
        row(Method::DELETE, "/v1/tokens/{name}", Manage, delete(access::revoke))
            .says("From now on it opens nothing")
            .gives::<Done>(),
        does("/v1/sign-in-links", Manage, access::sign_in_link)
            .says("A way into the dashboard, over the socket alone: whoever uses it first may do everything")
            .gives::<SignInUrl>(),
        reads("/v1/audit", Manage, access::audit)
            .says("Who did what must be answered for, oldest first")
            .query::<AuditQuery>()
            .gives::<Vec<AuditEntry>>(),
        reads("/openapi.json", Read, document).says("This document").gives::<serde_json::Map<String, Value>>(),
    ];
    all.extend(Operation::ALL.map(|operation| {
        let answer =
            post(move |shared, caller, at, body| objects::operate(operation, shared, caller, at, body));
        // Reinitialise: Delete, too.
        let (path, says) = operated(operation);
        row(Method::POST, path, Write, answer).says(says).takes::<Nothing>().gives::<Done>()
    }));
    all.extend(services::table());
    all
}

fn operated(operation: Operation) -> (&'static str, &'static str) {
    match operation {
        Operation::Stop => ("/apis/seawall.dev/v1/{kind}/{name}/stop", "Stops it, until it is started"),
        Operation::Start => ("/apis/seawall.dev/v1/{kind}/{name}/start", "Starts what was stopped"),
        Operation::Restart => {
            ("/apis/seawall.dev/v1/{kind}/{name}/restart", "Stops and starts its containers")
        }
        Operation::ReleasePort => (
            "/apis/seawall.dev/v1/{kind}/{name}/releaseport",
            "An object without a manifest gives up the port that is kept for it",
        ),
        Operation::Rotate => (
            "/apis/seawall.dev/v1/{kind}/{name}/rotate",
            "A new password, beside the old one until nobody uses that any more",
        ),
        Operation::RotateNow => {
            ("/apis/seawall.dev/v1/{kind}/{name}/rotatenow", "A new password, whoever uses the old one")
        }
        Operation::Reinitialise => (
            "/apis/seawall.dev/v1/{kind}/{name}/reinitialise",
            "Throws half-made data away (ExternalServicesDelete), never that of a database that was Ready once",
        ),
    }
}

/// The OpenAPI document of all routes.
#[must_use]
pub fn openapi() -> Value {
    let routes: Vec<Route> = table().into_iter().map(|row| row.route).collect();
    openapi::document(&routes)
}

async fn document() -> Json<&'static Value> {
    static DOCUMENT: LazyLock<Value> = LazyLock::new(openapi);
    Json(&DOCUMENT)
}

/// What each route demands.
#[must_use]
pub fn permissions() -> Vec<(Method, &'static str, Permission)> {
    table().into_iter().map(|Row { route, .. }| (route.method, route.path, route.needs)).collect()
}

/// Without who asks: that goes around it, as an extension of the request.
pub fn router(shared: Shared) -> Router {
    let routes = table().into_iter().fold(Router::new(), |router, row| {
        let Route { path, needs, .. } = row.route;
        router.route(path, row.answer.route_layer(from_fn_with_state(needs, allowed)))
    });
    routes.fallback(unknown).method_not_allowed_fallback(wrong_method).with_state(shared)
}

async fn allowed(State(needs): State<Permission>, request: Request, next: Next) -> Response {
    let Some(caller) = request.extensions().get::<Caller>() else {
        return Failure::new(ErrorCode::Unauthenticated, "nobody said who asks", "").into_response();
    };
    match need(caller, needs) {
        Ok(()) => next.run(request).await,
        Err(failure) => failure.into_response(),
    }
}

/// What depends on what is asked for.
fn need(caller: &Caller, permission: Permission) -> Answer<()> {
    if caller.may(permission) {
        return Ok(());
    }
    let what = format!("`{}` does not allow this: it needs {permission}", caller.name);
    Err(Failure::new(ErrorCode::Forbidden, what, "use a token with this permission"))
}

async fn unknown(uri: Uri) -> Failure {
    Failure::new(ErrorCode::NotFound, format!("there is nothing at {}", shown(uri.path(), 300)), "")
}

async fn wrong_method(method: Method, uri: Uri) -> Failure {
    let what = format!("{} does not take {method}", shown(uri.path(), 300));
    Failure::with(StatusCode::METHOD_NOT_ALLOWED, what)
}
