//! What clients of the product brief's reference ask for and is not offered here: an answer in words, with what there is instead.

use super::found;
use crate::control::api::ErrorCode;
use crate::core::access::Permission;
use crate::http::error::Failure;
use crate::http::routes::Answer;
use crate::http::routes::extract::InPath;
use crate::http::routes::row::{Row, row};
use crate::http::server::Shared;
use axum::extract::State;
use axum::http::Method;
use axum::routing::{delete, get, patch, post};
use std::collections::BTreeMap;

/// Path, what is not there, and what is instead.
struct Elsewhere {
    method: Method,
    path: &'static str,
    needs: Permission,
    what: &'static str,
    next: &'static str,
}

const ADOPT: (&str, &str) = (
    "containers that Seawall did not make are not taken over",
    "make a new service (POST /api/external-services) and copy the data into it, with pg_dump say",
);
const MEMBERS: (&str, &str) = (
    "a service has one server, and no members to add or promote",
    "GET /api/external-services/{id}/runtime tells of it",
);
const FIGURES: (&str, &str) = (
    "figures are not asked for here",
    "GET /apis/seawall.dev/v1/{kind}/{name}/history has them over time, GET /api/external-services/{id}/stats as they are now, /metrics of the operator for Prometheus",
);
const ALERTS: (&str, &str) = (
    "a service has no alert rules of its own",
    "docs/notifications.md says how a webhook is told of what is wrong; deploy/prometheus has rules",
);
const UPGRADES: (&str, &str) = (
    "upgrades are no objects",
    "POST /api/external-services/{id}/upgrade asks for one, GET /v1/jobs says how far it is",
);

pub fn table() -> Vec<Row> {
    use Permission::{
        ExternalServicesCreate as Create, ExternalServicesRead as Read, ExternalServicesWrite as Write,
    };
    let none = |method, path, needs, (what, next)| row_of(Elsewhere { method, path, needs, what, next });
    let retry = (
        "nothing need be tried again by hand: it is, by itself",
        "GET /v1/jobs says what fails and how often it was tried",
    );
    let cluster = ("a service has one server, and is no cluster", "GET /api/external-services/{id}/health");
    let always = ("figures are always kept", FIGURES.1);
    let explorer = (
        "data are not shown here",
        "connect with a client: GET /api/external-services/{id} has the connection string",
    );
    vec![
        none(Method::GET, "/api/external-services/available-containers", Read, ADOPT),
        none(Method::POST, "/api/external-services/import", Create, ADOPT),
        none(Method::GET, "/api/external-services/{id}/cluster-health", Read, cluster),
        none(Method::POST, "/api/external-services/{id}/retry", Write, retry),
        none(Method::POST, "/api/external-services/{id}/members", Write, MEMBERS),
        none(Method::GET, "/api/external-services/{id}/members/{member_id}", Read, MEMBERS),
        none(Method::DELETE, "/api/external-services/{id}/members/{member_id}", Write, MEMBERS),
        none(Method::POST, "/api/external-services/{id}/members/{member_id}/promote", Write, MEMBERS),
        none(Method::GET, "/api/external-services/{id}/metrics", Read, FIGURES),
        none(Method::GET, "/api/external-services/{id}/metrics/latest", Read, FIGURES),
        none(Method::GET, "/api/external-services/{id}/metrics/status", Read, FIGURES),
        none(Method::GET, "/api/external-services/{id}/metrics/by-database", Read, FIGURES),
        none(Method::PATCH, "/api/external-services/{id}/metrics/enable", Write, always),
        none(Method::GET, "/api/external-services/{id}/alert-rules", Read, ALERTS),
        none(Method::POST, "/api/external-services/{id}/alert-rules", Write, ALERTS),
        none(Method::GET, "/api/external-services/{id}/upgrades", Read, UPGRADES),
        none(Method::POST, "/api/external-services/{id}/upgrades", Write, UPGRADES),
        none(Method::GET, "/api/external-services/{id}/explorer-support", Read, explorer),
    ]
}

fn row_of(Elsewhere { method, path, needs, what, next }: Elsewhere) -> Row {
    let answer = move |shared, named| refused(shared, named, what, next);
    let answer = match method {
        Method::POST => post(answer),
        Method::PATCH => patch(answer),
        Method::DELETE => delete(answer),
        _ => get(answer),
    };
    row(method, path, needs, answer).not_offered(what)
}

/// Of a service that there is: what is asked wrongly is told first.
async fn refused(
    State(shared): State<Shared>,
    InPath(named): InPath<BTreeMap<String, String>>,
    what: &'static str,
    next: &'static str,
) -> Answer<()> {
    if let Some(id) = named.get("id") {
        let no_number = |_| Failure::invalid(format!("{} is no id", crate::core::text::quoted(id)));
        found(&shared, id.parse().map_err(no_number)?).await?;
    }
    Err(Failure::new(ErrorCode::NotFound, what, next))
}
