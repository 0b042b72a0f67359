//! What clients of the brief's reference ask for beside what is in the brief: some of it there is, the rest says what there is instead.

use super::listen::{request, start, with_services};
use super::services::asked;
use crate::cli::fake::{Place, main_view};
use seawall::core::access::Permission;
use seawall::http::permissions;
use serde_json::{Value, json};

/// Routes of which the document knows no good answer.
pub fn not_offered() -> Vec<(String, String)> {
    let document = seawall::http::openapi();
    let paths = document["paths"].as_object().unwrap();
    let each = paths.iter().flat_map(|(path, methods)| {
        let methods = methods.as_object().unwrap().iter();
        let none = methods.filter(|(_, operation)| {
            !operation["responses"].as_object().unwrap().keys().any(|status| status.starts_with('2'))
        });
        none.map(|(method, _)| (method.to_uppercase(), path.clone())).collect::<Vec<_>>()
    });
    each.collect()
}

#[tokio::test]
async fn what_is_not_offered_says_what_there_is_instead() {
    let fake = with_services();
    let server = start(&fake, None, false).await;
    let all = not_offered();
    let has = |method: &str, path: &str| {
        all.contains(&(method.to_owned(), format!("/api/external-services/{path}")))
    };
    for (method, path) in [
        ("GET", "available-containers"),
        ("POST", "import"),
        ("GET", "{id}/cluster-health"),
        ("POST", "{id}/members"),
        ("GET", "{id}/metrics/latest"),
        ("GET", "{id}/upgrades"),
    ] {
        assert!(has(method, path), "{method} {path}: {all:?}");
    }
    let known = permissions();
    for (method, path) in all {
        assert!(path.starts_with("/api/"), "{path}");
        let needs = known.iter().find(|(of, at, _)| of.as_str() == method && *at == path).unwrap().2;
        let (at, body) = request(&path, &method);
        let answer = server.ask(&format!("{method} {at}"), needs.as_str(), "", body).await;
        assert_eq!(
            (answer.status, answer.body["code"].as_str()),
            (404, Some("NotFound")),
            "{path}: {answer:?}"
        );
        let next = answer.body["next"].as_str().unwrap_or_default();
        assert!(next.len() > 20 && answer.head.contains("application/problem+json"), "{path}: {answer:?}");
        // What it sends people to is there.
        for word in next.split_whitespace().filter(|word| word.starts_with("/api")) {
            let word = word.trim_matches(|c: char| !c.is_alphanumeric() && !"/{}".contains(c));
            assert!(known.iter().any(|(_, at, _)| *at == word), "{path}: {word}");
        }
        // And of what is not there, that comes first.
        if path.contains("{id}") {
            let other = at.replace("/1", "/77");
            let answer = server.ask(&format!("{method} {other}"), needs.as_str(), "", body).await;
            assert!(
                answer.body["detail"].as_str().unwrap().contains("no service has the id 77"),
                "{answer:?}"
            );
        }
    }
    assert!(!fake.calls().iter().any(|call| call.starts_with("apply") || call.starts_with("operate")));
}

#[tokio::test]
async fn health_is_told_in_a_few_words_of_one_and_of_many() {
    let fake = with_services();
    fake.change(|w| {
        let mut other = main_view();
        (other.metadata.name, other.metadata.id) = ("other".into(), 9);
        let conditions = other.status["conditions"].as_array_mut().unwrap();
        let ready = conditions.iter_mut().find(|condition| condition["type"] == "Ready").unwrap();
        (ready["status"], ready["message"]) = ("False".into(), "no login".into());
        w.list.items.push(other);
        w.list.items[0].status["walHealth"]["probed_at"] = "2026-11-30T12:00:00Z".into();
    });
    let place = Place::live(&fake).await;
    let one = asked(&place, "GET /1/health-status", "").await.body;
    assert_eq!((&one["service_id"], &one["health_status"]), (&json!(1), &json!("operational")));
    assert_eq!(
        (&one["last_health_check_at"], &one["last_health_error"]),
        (&json!("2026-11-30T12:00:00Z"), &Value::Null)
    );
    let down = asked(&place, "GET /9/health-status", "").await.body;
    assert_eq!((&down["health_status"], &down["last_health_error"]), (&json!("down"), &json!("no login")));
    assert_eq!(asked(&place, "GET /health-status-batch", "").await.body, json!([one, down]));
    assert_eq!(asked(&place, "GET /health-status-batch?ids=9", "").await.body, json!([down]));
    assert_eq!(asked(&place, "GET /health-status-batch?ids=9,%201", "").await.body, json!([one, down]));
    for (ids, status, says) in [
        ("7", 404, "no service has the id 7"),
        ("2", 404, "no service has the id 2"),
        ("x", 400, "\"x\" is no id"),
        ("", 400, "is no id"),
    ] {
        let answer = asked(&place, &format!("GET /health-status-batch?ids={ids}"), "").await;
        let detail = answer.body["detail"].as_str().unwrap();
        assert!(answer.status == status && detail.contains(says), "{ids}: {answer:?}");
    }
}

#[tokio::test]
async fn a_preview_tells_where_it_is_and_no_secret() {
    let place = Place::live(&with_services()).await;
    let masked = asked(&place, "GET /1/preview-environment-masked", "").await.body;
    let names = asked(&place, "GET /1/preview-environment-names", "").await.body;
    let masked = masked.as_object().unwrap();
    let mut want: Vec<&str> = names.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    want.sort_unstable();
    let mut found: Vec<&str> = masked.keys().map(String::as_str).collect();
    found.sort_unstable();
    assert_eq!(found, want);
    for (name, value) in masked {
        let want = match name.as_str() {
            "POSTGRES_HOST" => "postgres-main",
            "POSTGRES_PORT" => "5432",
            _ => "****",
        };
        assert_eq!(value, want, "{name}");
    }
}

#[tokio::test]
async fn one_variable_is_shown_alone() {
    let fake = with_services();
    let place = Place::live(&fake).await;
    let answer = asked(&place, "GET /1/projects/2/environment/POSTGRES_PASSWORD?reveal=true", "").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let calls = fake.calls();
    assert!(calls.contains(&"reveal project/shop production POSTGRES_PASSWORD".to_owned()), "{calls:?}");
    assert!(!calls.iter().any(|call| call.starts_with("environment") && call.ends_with("true")), "{calls:?}");
}

#[tokio::test]
async fn what_there_is_to_do_is_told_to_who_may_look() {
    let fake = with_services();
    let server = start(&fake, None, false).await;
    let answer = server.ask("GET /v1/jobs", Permission::ExternalServicesRead.as_str(), "", "").await;
    assert_eq!((answer.status, &answer.body), (200, &json!({"items": []})));
}
