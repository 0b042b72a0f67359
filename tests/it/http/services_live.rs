//! The service API over the operator itself on the fake engine: a service from its making to its end.

use super::{Answer, ask};
use crate::machine::of::memory;
use crate::machine::rig::{Rig, image};
use seawall::control::api::{Api, ApplyOptions};
use seawall::core::condition::ConditionType as C;
use seawall::core::resource::Caps;
use seawall::http::server::serve;
use seawall::store::Store;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UnixStream;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

const PASSWORD: &str = "The0nePasswordOfTheTest";
const CREATE: &str = "{\"name\":\"my-database\",\"service_type\":\"postgres\",\"parameters\":{\"version\":\"18\",\"database\":\"appdb\",\"username\":\"appuser\",\"password\":\"The0nePasswordOfTheTest\",\"max_connections\":\"200\"}}";

struct Live {
    rig: Rig,
    socket: PathBuf,
    cancel: CancellationToken,
    _place: tempfile::TempDir,
}

impl Live {
    async fn start(manifests: &[(&str, &str)]) -> Self {
        let rig = Rig::start(manifests);
        let (place, cancel) = (tempfile::tempdir().unwrap(), CancellationToken::new());
        let socket = place.path().join("s");
        let (api, at, stop) = (Arc::clone(&rig.operator), socket.clone(), cancel.clone());
        tokio::spawn(async move { serve(api, &at, stop).await.unwrap() });
        while UnixStream::connect(&socket).await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Self { rig, socket, cancel, _place: place }
    }

    async fn ask(&self, line: &str, body: &str) -> Answer {
        let (method, path) = line.split_once(' ').unwrap_or((line, ""));
        let socket = UnixStream::connect(&self.socket).await.unwrap();
        ask(socket, &format!("{method} /api/external-services{path}"), "", body).await
    }

    /// What must work.
    async fn told(&self, line: &str, body: &str) -> Value {
        let answer = self.ask(line, body).await;
        assert!([200, 201].contains(&answer.status), "{line}: {answer:?}");
        answer.body
    }

    /// What is refused with 409: its words.
    async fn refused(&self, line: &str, body: &str) -> String {
        let answer = self.ask(line, body).await;
        assert_eq!(answer.status, 409, "{line}: {answer:?}");
        format!(
            "{} {}",
            answer.body["detail"].as_str().unwrap(),
            answer.body["next"].as_str().unwrap_or_default()
        )
    }

    /// A service as the brief makes one, Ready: its id.
    async fn made(&self) -> u64 {
        let id = self.told("POST", CREATE).await["id"].as_u64().unwrap();
        self.rig.ready("my-database").await;
        self.rig.settled("it is made").await;
        id
    }

    fn caps(&self) -> Option<Caps> {
        self.rig.container("postgres/my-database").map(|c| c.caps)
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_is_made_as_the_brief_says_and_its_password_is_nowhere() {
    let live = Live::start(&[]).await;
    let made = live.told("POST", CREATE).await;
    let id = made["id"].as_u64().unwrap();
    assert!(id > 0 && made["status"] != "running", "{made}");
    live.rig.ready("my-database").await;
    live.rig.settled("it is made").await;
    let shown = live.told(&format!("GET /{id}"), "").await;
    assert_eq!((&shown["status"], &shown["health_status"]), (&json!("running"), &json!("operational")));
    let parameters = json!({"version": "18", "database": "appdb", "username": "appuser", "password": "****", "max_connections": 200});
    assert_eq!(shown["parameters"], parameters);
    let url = shown["connection_string"].as_str().unwrap();
    assert_eq!(url, "postgresql://appuser:****@postgres-my-database:5432/appdb");
    assert_eq!(live.rig.password("my-database").await, PASSWORD);
    let told = live.told(&format!("GET /{id}?reveal=true"), "").await;
    assert!(told["connection_string"].as_str().unwrap().contains(PASSWORD));
    for (key, body) in live.rig.store.scan("").unwrap() {
        assert!(!body.to_string().contains(PASSWORD), "{key}");
    }
    assert!(live.refused("POST", CREATE).await.contains("postgres/my-database exists already"));
    // Its number, health and log.
    let health = live.told(&format!("GET /{id}/health"), "").await;
    assert_eq!((&health["service_id"], &health["health_status"]), (&json!(id), &json!("operational")));
    let checked = live.told(&format!("POST /{id}/health-check"), "").await;
    assert_eq!(
        (&checked["health_status"], &checked["conditions"]),
        (&health["health_status"], &health["conditions"])
    );
    assert!(!checked["checks"].as_array().unwrap().is_empty(), "{checked}");
    let wal = live.told(&format!("GET /{id}/wal-health"), "").await;
    for field in [
        "probed_at",
        "pg_wal_bytes",
        "max_wal_size_bytes",
        "archive_mode",
        "archive_command",
        "archive_backlog",
        "archiver_failed_count",
        "stale_slots",
        "oldest_wal_age_secs",
        "warnings",
    ] {
        assert!(wal.get(field).is_some(), "{field}: {wal}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_version_of_alpine_is_the_plain_image() {
    let live = Live::start(&[]).await;
    live.rig.fake.add_image(image("postgres:18-alpine", 18, 77));
    live.rig.fake.copy_image_files("local/postgres:18", "postgres:18-alpine");
    let body = CREATE.replace("\"18\"", "\"18-alpine\"");
    let id = live.told("POST", &body).await["id"].as_u64().unwrap();
    live.rig.ready("my-database").await;
    let shown = live.told(&format!("GET /{id}"), "").await;
    assert_eq!(
        (&shown["docker_image"], &shown["parameters"]["version"]),
        (&json!("postgres:18-alpine"), &json!("18-alpine"))
    );
    // Without a version it is the newest of the built-in catalog.
    let newest = "{\"name\":\"b\",\"service_type\":\"redis\"}";
    assert_eq!(live.told("POST", newest).await["parameters"]["version"], "8");
}

#[tokio::test(start_paused = true)]
async fn limits_are_in_force_when_it_is_answered_and_all_nulls_remove_them() {
    let live = Live::start(&[]).await;
    let id = live.made().await;
    let resources = format!("PATCH /{id}/resources");
    let limits = |memory: u64, all: u64, cpus: Value| json!({"memory_mb": memory, "memory_swap_mb": all, "nano_cpus": cpus});
    let none = json!({"memory_mb": null, "memory_swap_mb": null, "nano_cpus": null});
    let applied = json!([{"role": "standalone", "container_name": "postgres-my-database", "outcome": "applied", "error": null}]);
    for (body, want) in [
        (
            "{\"memory_mb\":512,\"memory_swap_mb\":768,\"nano_cpus\":1500000000}",
            limits(512, 768, json!(1_500_000_000)),
        ),
        // No more is said of swap than of memory: there is none.
        ("{\"memory_mb\":1024}", limits(1024, 1024, Value::Null)),
        ("{\"memory_mb\":null,\"memory_swap_mb\":null,\"nano_cpus\":null}", none.clone()),
        ("{\"memory_mb\":256}", limits(256, 256, Value::Null)),
        // As the brief's clients send it: all that they know.
        (
            "{\"memory_mb\":null,\"memory_swap_mb\":null,\"nano_cpus\":null,\"cpu_shares\":null,\"shm_size_mb\":null}",
            none.clone(),
        ),
        ("{}", none),
    ] {
        let answer = live.told(&resources, body).await;
        assert_eq!(answer, json!({"limits": want, "applied": applied}), "{body}");
        // And it is so.
        let memory_mb = want["memory_mb"].as_u64();
        assert_eq!(live.caps().unwrap().memory, memory_mb.and_then(memory), "{body}");
        assert_eq!(live.told(&format!("GET /{id}/resources"), "").await["limits"], want, "{body}");
        let member = live.told(&format!("GET /{id}/runtime"), "").await["members"][0].clone();
        assert_eq!(
            (&member["resource_limits"], &member["configured_limits"], &member["drift"]),
            (&want, &want, &json!(false))
        );
        live.rig.ready("my-database").await;
    }
    // What does not run has them at its next start.
    live.told(&format!("POST /{id}/stop"), "").await;
    live.rig.until("stopped", || (live.rig.phase("my-database") == "Stopped").then_some(())).await;
    let answer = live.told(&resources, "{\"memory_mb\":512}").await;
    assert_eq!(answer["applied"][0]["outcome"], "stopped", "{answer}");
    assert_eq!(live.told(&format!("GET /{id}"), "").await["status"], "stopped");
    let start = live.told(&format!("POST /{id}/start"), "").await;
    assert!(start["message"].as_str().unwrap().contains("is being started"), "{start}");
    live.rig.ready("my-database").await;
    assert_eq!(live.caps().unwrap().memory, memory(512));
}

#[tokio::test(start_paused = true)]
async fn what_it_uses_is_told_within_300_ms_also_twice_in_a_row() {
    let live = Live::start(&[]).await;
    let id = live.made().await;
    for _ in 0..2 {
        let begin = Instant::now();
        let stats = live.told(&format!("GET /{id}/stats"), "").await;
        assert!(begin.elapsed() <= Duration::from_millis(300), "{:?}", begin.elapsed());
        assert!(stats["members"][0]["cpu_percent"].is_number(), "{stats}");
    }
}

#[tokio::test(start_paused = true)]
async fn it_is_linked_to_a_project_and_not_deleted_before_that_is_undone() {
    let live = Live::start(&[]).await;
    let id = live.made().await;
    let shop = "apiVersion: seawall.dev/v1\nkind: Project\nmetadata: {name: shop}\nspec: {environments: {production: {}, staging: {}}}\n";
    live.rig.operator.apply(shop, &ApplyOptions::default()).await.unwrap();
    let project = live.rig.view("project/shop").unwrap().metadata.id;
    let ambiguous = live.ask(&format!("POST /{id}/projects"), &format!("{{\"project_id\":{project}}}")).await;
    assert!(
        ambiguous.body["detail"].as_str().unwrap().contains("say which of production, staging"),
        "{ambiguous:?}"
    );
    let body = format!("{{\"project_id\":{project},\"environment\":\"production\"}}");
    let tied = live.told(&format!("POST /{id}/projects"), &body).await;
    assert_eq!((&tied["service"]["id"], &tied["project"]["id"]), (&json!(id), &json!(project)));
    live.rig.reason("link/shop-production-my-database", C::Ready, "LoginSucceeded").await;
    live.rig.reason("project/shop", C::Ready, "LinksReady").await;
    let path = format!("/{id}/projects/{project}/environment");
    let variables = live.told(&format!("GET {path}"), "").await;
    let all = variables.as_array().unwrap().clone();
    let names = |all: &[Value]| {
        let mut names: Vec<String> =
            all.iter().map(|v| v["name"].as_str().unwrap_or_default().to_owned()).collect();
        names.sort();
        names
    };
    let preview = live.told(&format!("GET /{id}/preview-environment-names"), "").await;
    let preview: Vec<Value> = preview.as_array().unwrap().iter().map(|name| json!({"name": name})).collect();
    assert_eq!(names(&all), names(&preview));
    assert!(!variables.to_string().contains(PASSWORD));
    let shown = live.told(&format!("GET {path}/POSTGRES_PASSWORD?reveal=true"), "").await;
    let secret = shown["value"].as_str().unwrap();
    assert!(secret.len() > 20 && !variables.to_string().contains(secret), "masked without reveal");

    let why = live.refused(&format!("DELETE /{id}"), "").await;
    assert!(why.contains("is referred to by link/shop-production-my-database"), "{why}");
    live.told(&format!("DELETE /{id}/projects/{project}"), "").await;
    let gone = || {
        live.rig
            .view("link/shop-production-my-database")
            .is_none_or(|view| view.metadata.managed_by.is_none())
    };
    live.rig.until("unlinked", || gone().then_some(())).await;
    assert_eq!(live.told(&format!("GET /{id}/projects"), "").await, json!([]));
    // First it alone goes, and its data when that is confirmed.
    let done = live.told(&format!("DELETE /{id}"), "").await;
    assert!(done["message"].as_str().unwrap().contains("its data are kept"), "{done}");
    assert_eq!(live.told(&format!("GET /{id}"), "").await["status"], "retained");
    let why = live.refused(&format!("DELETE /{id}"), "").await;
    assert!(why.contains("destroys its data"), "{why}");
    live.rig.until("away", || live.caps().is_none().then_some(())).await;
    live.told(&format!("DELETE /{id}?confirm=my-database"), "").await;
    live.rig.until("gone", || live.rig.view("my-database").is_none().then_some(())).await;
    assert_eq!(live.ask(&format!("GET /{id}"), "").await.status, 404);
    let again = live.told("POST", CREATE).await["id"].as_u64().unwrap();
    assert!(again > id, "{again}");
}

#[tokio::test(start_paused = true)]
async fn it_is_changed_upgraded_and_its_password_rotated() {
    let live = Live::start(&[]).await;
    let body = CREATE.replace("\"password\"", "\"size\":\"small\",\"password\"");
    let id = live.told("POST", &body).await["id"].as_u64().unwrap();
    live.rig.ready("my-database").await;
    let changed =
        live.told(&format!("PUT /{id}"), "{\"parameters\":{\"max_connections\":150,\"size\":null}}").await;
    assert_eq!(changed["parameters"]["max_connections"], 150);
    assert_eq!(changed["parameters"].get("size"), None);
    // One takes the place of the other.
    let there = live.told(&format!("POST /{id}/upgrade"), "{\"docker_image\":\"local/postgres:18b\"}").await;
    assert!(there["message"].as_str().unwrap().contains("goes to local/postgres:18b"), "{there}");
    live.rig
        .until("upgraded", || {
            let view = live.rig.view("my-database")?;
            (view.status["image"]["reference"] == "local/postgres:18b" && live.rig.is_ready("my-database"))
                .then_some(())
        })
        .await;
    let shown = live.told(&format!("GET /{id}"), "").await;
    assert_eq!(
        (&shown["parameters"]["docker_image"], shown["parameters"].get("version")),
        (&json!("local/postgres:18b"), None)
    );
    // The password that was given is the one; another one is given the same way.
    let why = live.ask(&format!("POST /{id}/rotate"), "").await;
    assert!([400, 409].contains(&why.status), "{why:?}");
    live.told(&format!("PUT /{id}"), "{\"parameters\":{\"password\":\"AnotherPassword22\"}}").await;
    let now = async || live.rig.password("my-database").await;
    for _ in 0..600 {
        if now().await == "AnotherPassword22" {
            break;
        }
        live.rig.let_pass(Duration::from_secs(1)).await;
    }
    assert_eq!(now().await, "AnotherPassword22");
    let redis =
        "{\"name\":\"cache\",\"service_type\":\"redis\",\"parameters\":{\"docker_image\":\"local/redis:8\"}}";
    let redis = live.told("POST", redis).await["id"].as_u64().unwrap();
    live.rig.ready("redis/cache").await;
    let rotated = live.told(&format!("POST /{redis}/rotate"), "").await;
    assert_eq!((&rotated["id"], &rotated["service_type"]), (&json!(redis), &json!("redis")));
    assert_eq!(live.ask(&format!("GET /{redis}/wal-health"), "").await.status, 404);
}

#[tokio::test(start_paused = true)]
async fn what_a_file_holds_is_changed_there() {
    let live = Live::start(&[("main", "{version: '18'}")]).await;
    live.rig.ready("main").await;
    let shown = live.told("GET /by-slug/main", "").await;
    let id = shown["id"].as_u64().unwrap();
    assert_eq!((&shown["managed_by"], &shown["source"]), (&json!("file"), &json!("main.yaml:1:1")));
    for (line, body, commit) in [
        (format!("PUT /{id}"), "{\"parameters\":{\"port\":\"5499\"}}", "port: 5499"),
        (format!("PATCH /{id}/resources"), "{\"memory_mb\":512}", "memory: 512Mi"),
        (format!("POST /{id}/upgrade"), "{\"version\":\"18b\"}", "version: 18b"),
        (format!("DELETE /{id}"), "", "remove postgres/main from main.yaml:1"),
        (format!("DELETE /{id}?confirm=main"), "", "remove postgres/main from main.yaml:1"),
    ] {
        let why = live.refused(&line, body).await;
        assert!(why.contains("has a manifest in main.yaml:1") && why.contains(commit), "{line}: {why}");
    }
    assert_eq!(live.rig.view("main").unwrap().metadata.generation, 1);
    let stopped = live.told(&format!("POST /{id}/stop"), "").await;
    assert!(stopped["commit"].as_str().unwrap().contains("stopped: true"), "{stopped}");
}
