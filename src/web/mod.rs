//! The web dashboard: pages for who has a browser and a token, made here and whole without a script.
//!
//! It stands on an [`Api`](crate::control::api::Api), as the command line does, and decides nothing but who may ask. It names no
//! kind: what a page shows of one comes from the views and the registry. Where it is served is the listener's business.

mod assets;
mod chart;
mod connection;
mod create;
mod environments;
mod gate;
mod jobs;
mod layout;
mod limits;
mod links;
mod live;
mod object;
mod operate;
mod parts;
mod services;
mod session;
mod settings;
mod sign_in;
mod usage;

use crate::control::api::{Api, Gatekeeper};
use crate::core::access::Permission;
use axum::Router;
use axum::extract::FromRef;
use axum::handler::Handler;
use axum::http::Method;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{MethodRouter, get, post};
use session::Sessions;
use std::sync::{Arc, Mutex};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// What the pages see.
#[derive(Clone)]
struct Web {
    api: Arc<dyn Api>,
    keeper: Arc<dyn Gatekeeper>,
    sessions: Arc<Mutex<Sessions>>,
    /// Cookies go over TLS only.
    secure: bool,
    /// Room for pages that are told what changes.
    told: Arc<Semaphore>,
    stop: CancellationToken,
}

/// Routes take the operator alone where they need nothing else.
impl FromRef<Web> for Arc<dyn Api> {
    fn from_ref(web: &Web) -> Self {
        Arc::clone(&web.api)
    }
}

/// Whoever is signed in and may do so is let through.
struct Row {
    method: Method,
    path: &'static str,
    needs: Permission,
    answer: MethodRouter<Web>,
}

fn reads<H: Handler<T, Web>, T: 'static>(path: &'static str, needs: Permission, handler: H) -> Row {
    Row { method: Method::GET, path, needs, answer: get(handler) }
}

fn does<H: Handler<T, Web>, T: 'static>(path: &'static str, needs: Permission, handler: H) -> Row {
    Row { method: Method::POST, path, needs, answer: post(handler) }
}

/// There is no page behind the sign-in but by one of these. Each form of a page has the word of its session, which [`gate`] asks for.
fn table() -> Vec<Row> {
    use Permission::{
        ExternalServicesCreate as Create, ExternalServicesDelete as Delete, ExternalServicesRead as Read,
        ExternalServicesWrite as Write, SecretsReveal as Reveal, SettingsManage as Manage,
    };
    vec![
        reads("/services", Read, services::list),
        reads("/services/{kind}/{name}", Read, object::page),
        reads("/services/{kind}/{name}/usage", Read, usage::part),
        reads("/services/{kind}/{name}/plan", Read, object::plan),
        reads("/services/{kind}/{name}/logs", Read, object::logs),
        does("/services/{kind}/{name}/reveal", Reveal, connection::reveal),
        does("/services/{kind}/{name}/operate", Write, operate::operate),
        reads("/services/{kind}/{name}/limits", Write, limits::form),
        does("/services/{kind}/{name}/limits", Write, limits::edit),
        reads("/services/{kind}/{name}/delete", Delete, operate::ask_delete),
        does("/services/{kind}/{name}/delete", Delete, operate::delete),
        reads("/services/{kind}/{name}/environments/{environment}", Read, environments::masked),
        does("/services/{kind}/{name}/environments/{environment}/reveal", Reveal, environments::revealed),
        // Write, too: a document may be of what is there.
        reads("/create", Create, create::form),
        does("/create", Create, create::create),
        reads("/changes", Read, live::stream),
        reads("/jobs", Read, jobs::page),
        reads("/projects", Read, links::list),
        does("/projects", Create, links::create),
        does("/links", Create, links::make),
        does("/links/remove", Write, links::remove),
        reads("/settings", Manage, settings::page),
        does("/settings/tokens", Manage, settings::create),
        does("/settings/revoke", Manage, settings::revoke),
    ]
}

/// What each page and form demands of who is signed in.
#[must_use]
pub fn permissions() -> Vec<(Method, &'static str, Permission)> {
    table().into_iter().map(|Row { method, path, needs, .. }| (method, path, needs)).collect()
}

/// The pages. Whoever serves them has to have looked at `Host` and `Origin`, and tells where a request comes from as
/// `ConnectInfo<IpAddr>`. `secure`: they are reached over TLS. `stop`: what goes on and on ends.
pub fn router(
    api: Arc<dyn Api>,
    keeper: Arc<dyn Gatekeeper>,
    secure: bool,
    stop: CancellationToken,
) -> Router {
    let told = Arc::new(Semaphore::new(live::MOST));
    let web = Web { api, keeper, sessions: Arc::default(), secure, told, stop };
    let behind = table().into_iter().fold(Router::new(), |router, row| {
        router.route(row.path, row.answer.route_layer(from_fn_with_state(row.needs, gate::allowed)))
    });
    let behind = behind
        .route("/sign-out", post(sign_in::sign_out))
        .route_layer(from_fn_with_state(web.clone(), gate::signed_in));
    let open = Router::new()
        .route("/", get(sign_in::home))
        .route("/sign-in", get(sign_in::form).post(sign_in::sign_in))
        .route("/assets/{file}", get(assets::file));
    behind.merge(open).layer(from_fn(gate::headers)).with_state(web)
}
