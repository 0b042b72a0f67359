//! The routes, one file per resource: objects as in Kubernetes' API, and under `/v1` what is about the operator or many objects.

mod access;
mod apply;
mod events;
mod extract;
mod history;
mod inspect;
mod keys;
mod logs;
mod objects;
mod operator;
mod plan;
mod prune;
mod recommend;
mod services;
mod top;
mod watch;

use super::error::Failure;
use super::server::Shared;
use crate::control::api::ErrorCode;
use crate::core::access::{Caller, Permission};
use crate::core::text::shown;
use axum::Router;
use axum::extract::{Request, State};
use axum::handler::Handler;
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, delete, get, post};

pub type Answer<T> = Result<T, Failure>;

/// One thing that can be asked, and what a caller must be allowed for it. There is no route but by one of these.
struct Row {
    method: Method,
    path: &'static str,
    needs: Permission,
    answer: MethodRouter<Shared>,
}

fn table() -> Vec<Row> {
    use Permission::{
        ExternalServicesDelete as Delete, ExternalServicesRead as Read, ExternalServicesWrite as Write,
        SettingsManage as Manage,
    };
    let mut all = vec![
        reads("/apis/seawall.dev/v1/events", Read, events::all),
        reads("/apis/seawall.dev/v1/{kind}", Read, objects::list),
        reads("/apis/seawall.dev/v1/{kind}/{name}", Read, objects::one),
        reads("/apis/seawall.dev/v1/{kind}/{name}/status", Read, objects::status),
        reads("/apis/seawall.dev/v1/{kind}/{name}/plan", Read, objects::plan),
        reads("/apis/seawall.dev/v1/{kind}/{name}/events", Read, events::of_one),
        reads("/apis/seawall.dev/v1/{kind}/{name}/logs", Read, logs::stream),
        reads("/apis/seawall.dev/v1/{kind}/{name}/history", Read, history::one),
        reads("/apis/seawall.dev/v1/{kind}/{name}/diagnose", Read, inspect::diagnose),
        // What clients say to a server may be anything, also somebody's data.
        reads("/apis/seawall.dev/v1/{kind}/{name}/inspect/{verb}", Write, inspect::inspect),
        // With `reveal`: SecretsReveal, too.
        reads("/apis/seawall.dev/v1/{kind}/{name}/connection", Read, objects::connection),
        reads("/apis/seawall.dev/v1/{kind}/{name}/environment", Read, objects::environment),
        does("/apis/seawall.dev/v1/{kind}/{name}/operate", Write, objects::operate),
        does("/apis/seawall.dev/v1/{kind}/{name}/rename", Write, objects::rename),
        does("/apis/seawall.dev/v1/{kind}/{name}/delete", Delete, objects::delete),
        does("/apis/seawall.dev/v1/{kind}/{name}/test", Write, objects::test),
        does("/apis/seawall.dev/v1/{kind}/{name}/kill", Write, inspect::kill),
        reads("/v1/healthz", Read, operator::healthz),
        reads("/v1/operator", Read, operator::operator),
        reads("/v1/export", Manage, operator::export),
        reads("/v1/watch", Read, events::watch),
        reads("/v1/top", Read, top::list),
        reads("/v1/recommend", Read, recommend::list),
        // Nothing is done that would not be done by itself.
        does("/v1/manifests/read", Read, plan::read),
        // Of other manifests than those in force: Write, too.
        does("/v1/plan", Read, plan::plan),
        reads("/v1/keys", Manage, keys::list),
        reads("/v1/keys/public", Read, keys::public),
        does("/v1/keys/verify", Manage, keys::verify),
        does("/v1/keys/rotate", Manage, keys::rotate),
        reads("/v1/prune", Read, prune::show),
        does("/v1/prune", Manage, prune::confirm),
        // Create, too: the object need not be there.
        does("/v1/apply", Write, apply::apply),
        does("/apis/seawall.dev/v1/{kind}/{name}/patch", Write, apply::patch),
        reads("/v1/tokens", Manage, access::tokens),
        does("/v1/tokens", Manage, access::create),
        Row {
            method: Method::DELETE,
            path: "/v1/tokens/{name}",
            needs: Manage,
            answer: delete(access::revoke),
        },
        does("/v1/sign-in-links", Manage, access::sign_in_link),
        reads("/v1/audit", Manage, access::audit),
    ];
    all.extend(services::table());
    all
}

fn reads<H: Handler<T, Shared>, T: 'static>(path: &'static str, needs: Permission, handler: H) -> Row {
    Row { method: Method::GET, path, needs, answer: get(handler) }
}

fn does<H: Handler<T, Shared>, T: 'static>(path: &'static str, needs: Permission, handler: H) -> Row {
    Row { method: Method::POST, path, needs, answer: post(handler) }
}

/// What each route demands.
#[must_use]
pub fn permissions() -> Vec<(Method, &'static str, Permission)> {
    table().into_iter().map(|row| (row.method, row.path, row.needs)).collect()
}

/// Without who asks: that goes around it, as an extension of the request.
pub fn router(shared: Shared) -> Router {
    let routes = table().into_iter().fold(Router::new(), |router, row| {
        router.route(row.path, row.answer.route_layer(from_fn_with_state(row.needs, allowed)))
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
