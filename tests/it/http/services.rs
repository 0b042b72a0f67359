//! The service API: what is asked and told, over an operator of a script.

use super::listen::with_services;
use super::{Answer, ask};
use crate::cli::fake::{Fake, PASSWORD, Place, main_view, used};
use seawall::control::api::{ApiError, ErrorCode};
use serde_json::{Value, json};
use tokio::net::UnixStream;

const ROOT: &str = "/api/external-services";

pub async fn asked(place: &Place, line: &str, body: &str) -> Answer {
    let socket = UnixStream::connect(place.socket()).await.unwrap();
    let (method, path) = line.split_once(' ').unwrap_or((line, ""));
    ask(socket, &format!("{method} {ROOT}{path}"), "", body).await
}

fn detail(answer: &Answer) -> String {
    format!(
        "{} {}",
        answer.body["detail"].as_str().unwrap(),
        answer.body["next"].as_str().unwrap_or_default()
    )
}

#[tokio::test]
async fn services_are_found_by_number_and_by_slug_and_tell_no_secret() {
    let fake = with_services();
    let place = Place::live(&fake).await;
    let list = asked(&place, "GET", "").await.body;
    assert_eq!(list.as_array().unwrap().len(), 1, "{list}");
    let main = &list[0];
    for (field, want) in [
        ("id", json!(1)),
        ("name", json!("main")),
        ("slug", json!("main")),
        ("service_type", json!("postgres")),
        ("topology", json!("standalone")),
        ("version", json!("18.6")),
        ("docker_image", json!("seawall/postgres:18")),
        ("status", json!("running")),
        ("health_status", json!("operational")),
        ("container_name", json!("postgres-main")),
        ("managed_by", json!("api")),
    ] {
        assert_eq!(main[field], want, "{field}");
    }
    let one = asked(&place, "GET /1", "").await.body;
    assert_eq!(one, asked(&place, "GET /by-slug/main", "").await.body);
    assert_eq!(one["name"], "main");
    let parameters = json!({"version": "18", "username": "appuser", "password": "****"});
    assert_eq!(one["parameters"], parameters);
    assert_eq!(one["limits"], json!({"memory_mb": 512, "memory_swap_mb": 512, "nano_cpus": null}));
    assert_eq!(one["connection_string"], "postgresql://appuser:****@postgres-main:5432/appdb");
    fake.change(|w| {
        let conditions = w.list.items[0].status["conditions"].as_array_mut().unwrap();
        let ready = conditions.iter_mut().find(|condition| condition["type"] == "Ready").unwrap();
        (ready["status"], ready["reason"]) = ("Unknown".into(), "Requested".into());
    });
    let begun = asked(&place, "GET /1", "").await.body;
    assert_eq!((&begun["status"], &begun["health_status"]), (&json!("pending"), &json!("unknown")));
    let shown = asked(&place, "GET /1?reveal=true", "").await.body;
    let url = format!("postgresql://appuser:{PASSWORD}@postgres-main:5432/appdb");
    assert_eq!(shown["connection_string"], url);
}

#[tokio::test]
async fn one_slug_of_two_services_is_no_answer() {
    let fake = with_services();
    fake.change(|w| {
        let mut other = main_view();
        other.kind = "Redis".into();
        other.metadata.id = 9;
        w.list.items.push(other);
    });
    let place = Place::live(&fake).await;
    let answer = asked(&place, "GET /by-slug/main", "").await;
    assert_eq!(answer.status, 409);
    assert!(detail(&answer).contains("services of several types have the slug \"main\": 1, 9"), "{answer:?}");
    assert_eq!(asked(&place, "GET /9", "").await.body["service_type"], "redis");
}

#[tokio::test]
async fn what_is_asked_wrongly_is_told_in_words_and_does_nothing() {
    let fake = with_services();
    let place = Place::live(&fake).await;
    // A project and a link have numbers, too, and are no services.
    for (line, body, status, says) in [
        ("GET /99", "", 404, "no service has the id 99"),
        ("GET /2", "", 404, "no service has the id 2"),
        ("GET /0", "", 404, "no service has the id 0"),
        ("GET /main", "", 400, "`main`"),
        ("GET /-1", "", 400, "`-1`"),
        ("GET /99/runtime", "", 404, "no service has the id 99"),
        ("GET /by-slug/nothing", "", 404, "no service has the slug \"nothing\""),
        ("GET /by-slug/shop", "", 404, "no service has the slug \"shop\""),
        ("GET /projects/1", "", 404, "no project has the id 1"),
        ("GET /1/projects/99/environment", "", 404, "no project has the id 99"),
        ("GET /1/projects/2/environment?environment=x", "", 404, "no environment \"x\" it has production"),
        ("GET /1/projects/2/environment/NOTHING", "", 404, "no variable \"NOTHING\" is given"),
        ("GET /1?revael=true", "", 400, "revael"),
        ("GET /types/oracle/parameters", "", 404, "no service type \"oracle\" there are postgres, redis"),
        ("GET /types/project/parameters", "", 404, "no service type \"project\""),
        ("GET /1/nothing", "", 404, "there is nothing at"),
        ("GET /1/upgrades", "", 404, "upgrades are no objects POST /api/external-services/{id}/upgrade"),
        ("DELETE /1/runtime", "", 405, "does not take DELETE"),
        ("POST", "{\"name\":\"a\",\"service_type\":\"oracle\"}", 400, "service_type: there is no \"oracle\""),
        ("POST", "{\"name\":\"A b\",\"service_type\":\"postgres\"}", 400, "name:"),
        ("POST", "{\"name\":\"a\",\"service_type\":\"redis\",\"nmae\":1}", 400, "unknown field `nmae`"),
        (
            "POST",
            "{\"name\":\"a\",\"service_type\":\"postgres\",\"parameters\":{\"databse\":\"x\",\"port\":[]}}",
            400,
            "a postgres needs the parameters database, username, password; a postgres has no parameter \"databse\": did you mean database?; port is a text or a number",
        ),
        (
            "POST",
            "{\"name\":\"a\",\"service_type\":\"redis\",\"version\":\"8\",\"parameters\":{\"docker_image\":\"x\"}}",
            400,
            "give docker_image or version, not both",
        ),
        ("PUT /1", "{\"parameters\":{\"username\":\"x\"}}", 400, "username stays what it was"),
        ("PUT /1", "{\"parameters\":{\"ssl_mode\":\"x\"}}", 400, "no parameter \"ssl_mode\"; it has version"),
        ("PUT /1", "{\"parameters\":{\"password\":1}}", 400, "password is a text"),
        ("POST /1/upgrade", "", 400, "give one of both"),
        ("POST /1/projects", "{}", 400, "project_id"),
        ("POST /1/projects", "{\"project_id\":1}", 404, "no project has the id 1"),
        ("POST /1/projects", "{\"project_id\":2,\"environment\":\"x\"}", 404, "no environment \"x\""),
        ("PATCH /1/resources", "{\"shm_sizemb\":64}", 400, "unknown field `shm_sizemb`"),
        ("PATCH /1/resources", "{\"shm_size_mb\":64}", 400, "shm_size_mb follows from memory_mb"),
        (
            "PATCH /1/resources",
            "{\"cpu_shares\":512,\"memory_mb\":512}",
            400,
            "cpu_shares is not supported: nano_cpus",
        ),
        ("GET /providers/metadata/oracle", "", 404, "no service type \"oracle\""),
        ("PATCH /1/resources", "{\"memory_mb\":-1}", 400, "expected u64"),
        ("PATCH /1/resources", "{\"memory_mb\":512,\"memory_swap_mb\":256}", 400, "256 is less than the 512"),
    ] {
        let answer = asked(&place, line, body).await;
        let detail = detail(&answer);
        assert_eq!(answer.status, status, "{line} {body}: {answer:?}");
        assert!(detail.contains(says), "{line} {body}: {detail}");
        assert!(answer.head.contains("application/problem+json"), "{answer:?}");
    }
    let did =
        |call: &String| ["apply", "patch", "operate", "delete"].iter().any(|verb| call.starts_with(verb));
    assert!(!fake.calls().iter().any(did), "{:?}", fake.calls());
}

#[tokio::test]
async fn types_say_what_they_take() {
    let place = Place::live(&Fake::default()).await;
    assert_eq!(asked(&place, "GET /types", "").await.body, json!(["postgres", "redis"]));
    let schema = asked(&place, "GET /types/postgres/parameters", "").await.body;
    assert_eq!(schema["required"], json!(["database", "username", "password"]));
    assert_eq!((&schema["additionalProperties"], &schema["type"]), (&json!(false), &json!("object")));
    let of = |name: &str| schema["properties"][name].clone();
    assert_eq!(of("password")["writeOnly"], true);
    assert_eq!((&of("username")["x-editable"], &of("port")["x-editable"]), (&json!(false), &json!(true)));
    assert!(of("database")["description"].as_str().unwrap().contains("Database to create"), "{schema}");
    let providers = asked(&place, "GET /providers/metadata", "").await.body;
    let one = asked(&place, "GET /providers/metadata/pg", "").await.body;
    assert_eq!((&providers[0], &one["service_type"]), (&one, &json!("postgres")));
    assert_eq!(one["required_parameters"], schema["required"]);
    assert_eq!(one["versions"][1], json!({"version": "18-alpine", "docker_image": "postgres:18-alpine"}));
    assert!(one["environment_names"].as_array().unwrap().contains(&json!("POSTGRES_URL")), "{one}");
    let redis = asked(&place, "GET /types/redis/parameters", "").await.body;
    assert_eq!(redis["required"], json!([]));
}

#[tokio::test]
async fn limits_use_and_runtime_are_in_the_briefs_names_and_units() {
    let fake = with_services();
    fake.change(|w| {
        w.top = used();
        let limits = json!({
            "configured": {"memory": "1Gi", "swap": "256Mi", "cpus": "1.5"},
            "applied": {"memory": "512Mi", "swap": null, "cpus": null},
            "drift": true,
        });
        w.list.items[0].status["runtime"][0]["limits"] = limits;
    });
    let place = Place::live(&fake).await;
    let runtime = asked(&place, "GET /1/runtime", "").await.body;
    assert_eq!((&runtime["service_id"], &runtime["topology"]), (&json!(1), &json!("standalone")));
    let member = &runtime["members"][0];
    let limits = |memory: u64, all: u64, cpus: Value| json!({"memory_mb": memory, "memory_swap_mb": all, "nano_cpus": cpus});
    assert_eq!(member["resource_limits"], limits(512, 512, Value::Null));
    assert_eq!(member["configured_limits"], limits(1024, 1280, json!(1_500_000_000)));
    assert_eq!(
        (&member["drift"], &member["restart_count"], &member["oom_killed"]),
        (&json!(true), &json!(2), &json!(false))
    );
    let stats = asked(&place, "GET /1/stats", "").await.body;
    let want = json!({"role": "standalone", "container_name": "c", "cpu_percent": 25.0, "memory_usage_bytes": 48 << 20,
        "memory_limit_bytes": 2_u64 << 30, "memory_percent": 2.34, "online_cpus": 4});
    assert_eq!(stats["members"], json!([want]));
    assert_eq!(asked(&place, "GET /1/wal-health", "").await.body, json!({"pg_wal_bytes": 1}));
    fake.change(|w| drop(w.list.items[0].status.as_object_mut().unwrap().remove("walHealth")));
    assert_eq!(asked(&place, "GET /1/wal-health", "").await.status, 404);
}

#[tokio::test]
async fn links_are_told_from_both_ends() {
    let place = Place::live(&with_services()).await;
    let want = json!([{
        "id": 3, "environment": "production", "status": "running", "database": "shop_production",
        "project": {"id": 2, "name": "shop", "slug": "shop"},
        "service": {"id": 1, "name": "main", "slug": "main", "service_type": "postgres"},
    }]);
    assert_eq!(asked(&place, "GET /1/projects", "").await.body, want);
    assert_eq!(asked(&place, "GET /projects/2", "").await.body, want);
    let variable = |name: &str, value: &str, sensitive: bool| json!({"name": name, "value": value, "sensitive": sensitive});
    let masked = json!([
        variable("POSTGRES_HOST", "postgres-main", false),
        variable("POSTGRES_PASSWORD", "****", true)
    ]);
    for path in ["/1/projects/2/environment", "/projects/2/environment?environment=production"] {
        assert_eq!(asked(&place, &format!("GET {path}"), "").await.body, masked, "{path}");
    }
    let one = asked(&place, "GET /1/projects/2/environment/POSTGRES_PASSWORD?reveal=true", "").await.body;
    assert_eq!(one, variable("POSTGRES_PASSWORD", PASSWORD, true));
}

#[tokio::test]
async fn what_an_operator_refuses_keeps_its_words() {
    let fake = with_services();
    let place = Place::live(&fake).await;
    fake.change(|w| {
        w.error = Some(ApiError::new(ErrorCode::Unavailable, "needs a running operator", "start it"))
    });
    for line in ["GET", "GET /1", "POST /1/stop", "DELETE /1", "GET /1/stats", "GET /projects/2"] {
        let answer = asked(&place, line, "").await;
        assert_eq!(
            (answer.status, detail(&answer).as_str()),
            (503, "needs a running operator start it"),
            "{line}"
        );
    }
}
