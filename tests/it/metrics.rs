//! What monitoring is told: the text as a golden (`UPDATE_GOLDENS=1 cargo test --test it metrics`, then read the difference),
//! which labels there are, what is gone with an object, and what is answered over TCP.

mod rules;

use crate::formats::is_as_it_was;
use crate::machine::rig::{Rig, engine};
use seawall::control::api::Api;
use seawall::control::metrics::families;
use seawall::control::operator::{Operator, Times};
use seawall::core::condition::{ConditionType, Truth};
use seawall::core::metric::Sort;
use seawall::core::names::Kind;
use seawall::http::metrics::serve;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

const MAIN: &str = "{version: '18', resources: {memory: 512Mi, cpus: '1.5'}}";

async fn settled() -> Rig {
    let mut rig = Rig::new(engine(), Times::default());
    rig.manifest("main", MAIN);
    rig.redis("cache", "", "{version: '8'}");
    rig.drive();
    rig.ready("postgres/main").await;
    rig.ready("redis/cache").await;
    rig
}

/// Of how often and how long nothing is told here: that differs.
fn differs(line: &str) -> bool {
    let of_objects =
        ["seawall_object_", "seawall_container_", "seawall_warning", "seawall_postgres_", "seawall_redis_"];
    let times = line.contains("_timestamp_seconds{") || line.starts_with("seawall_object_failed_passes");
    !line.starts_with('#') && (times || !of_objects.iter().any(|family| line.starts_with(family)))
}

#[tokio::test(start_paused = true)]
async fn the_text_is_as_it_was() {
    let rig = settled().await;
    // Until each server was proven once.
    rig.let_pass(Duration::from_secs(60)).await;
    let text = rig.operator.metrics().await.unwrap();
    let told: Vec<&str> = text.lines().filter(|line| !differs(line)).collect();
    is_as_it_was("metrics.txt", &(told.join("\n") + "\n"));
}

/// Name and labels of a line. Fails on what is no sample.
fn sample(line: &str) -> (&str, BTreeMap<String, String>) {
    let (series, value) = line.rsplit_once(' ').expect(line);
    assert!(value.parse::<f64>().is_ok_and(f64::is_finite), "{line}");
    let (name, labels) = series
        .split_once('{')
        .map_or((series, ""), |(name, labels)| (name, labels.strip_suffix('}').expect(line)));
    let labels = labels.split("\",").filter(|label| !label.is_empty()).map(|label| {
        let (name, value) = label.split_once("=\"").expect(line);
        (name.to_owned(), value.trim_end_matches('"').to_owned())
    });
    (name, labels.collect())
}

/// The family that a sample belongs to.
fn family_of(sample: &str) -> Option<seawall::core::metric::Family> {
    families().into_iter().find(|family| match family.sort {
        Sort::Histogram => {
            ["_bucket", "_sum", "_count"].iter().any(|end| sample == format!("{}{end}", family.name))
        }
        _ => sample == family.name,
    })
}

#[tokio::test(start_paused = true)]
async fn labels_are_of_closed_sets_or_names_of_objects() {
    let rig = settled().await;
    // What a user writes is no label, and nothing of others.
    rig.manifest_with("main", "'evil\"} 1': 'x\ny'", MAIN);
    rig.manifest("\"} 1", MAIN);
    rig.until("the problem", || (!rig.problems().is_empty()).then_some(())).await;
    rig.ready("postgres/main").await;
    let kinds: BTreeSet<&str> = Kind::ALL.iter().map(|kind| kind.lower()).collect();
    let is_word =
        |value: &str| !value.is_empty() && value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let text = rig.operator.metrics().await.unwrap();
    let mut seen = BTreeSet::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, labels) = sample(line);
        assert!(family_of(name).is_some(), "{line}");
        assert!(seen.insert((name.to_owned(), labels.clone())), "twice: {line}");
        for (label, value) in &labels {
            let known = match label.as_str() {
                "kind" => kinds.contains(value.as_str()),
                "name" => ["main", "cache", "local", "redis"].contains(&value.as_str()),
                "condition" => serde_json::from_value::<ConditionType>(value.as_str().into()).is_ok(),
                "status" => ["True", "False", "Unknown"].contains(&value.as_str()),
                "place" => ["front", "back", "aside"].contains(&value.as_str()),
                "call" => family_of(name).is_some_and(|f| f.name.starts_with("seawall_docker_call")),
                // What our own statement names.
                "policy" if name == "seawall_redis_maxmemory_policy" => is_word(value),
                "state" | "cause" if name.starts_with("seawall_postgres_") => is_word(value),
                "database" => ["app", "postgres"].contains(&value.as_str()),
                "result" | "reason" | "warning" | "severity" | "outcome" => is_word(value),
                "le" => value == "+Inf" || value.parse::<f64>().is_ok(),
                "version" => value == env!("CARGO_PKG_VERSION"),
                _ => false,
            };
            assert!(known, "{label}={value:?} in {line}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_told_of_an_object_that_is_gone() {
    let rig = settled().await;
    assert!(rig.operator.metrics().await.unwrap().contains("name=\"main\""));
    rig.remove("main");
    rig.until("let go", || (rig.container("postgres/main").is_none()).then_some(())).await;
    let object = rig.named("postgres/main");
    rig.until("retained", || (rig.phase("postgres/main") == "Retained").then_some(())).await;
    rig.operator.delete(&object, "main").await.unwrap();
    rig.until("deleted", || rig.view("postgres/main").is_none().then_some(())).await;
    let text = rig.operator.metrics().await.unwrap();
    assert!(!text.contains("name=\"main\"") && text.contains("name=\"cache\""), "{text}");
}

#[tokio::test(start_paused = true)]
async fn what_the_operator_did_is_counted() {
    let rig = settled().await;
    // A pass counts once it has ended, which is after it has said Ready; and each server was proven once.
    rig.let_pass(Duration::from_secs(60)).await;
    let text = rig.operator.metrics().await.unwrap();
    let value = |series: &str| -> f64 {
        let line =
            text.lines().find(|line| line.strip_prefix(series).is_some_and(|rest| rest.starts_with(' ')));
        line.and_then(|line| line.rsplit_once(' ')?.1.parse().ok())
            .unwrap_or_else(|| panic!("{series}: {text}"))
    };
    for (series, least) in [
        ("seawall_passes_total{kind=\"postgres\",result=\"settled\"}", 1.0),
        ("seawall_pass_duration_seconds_count{kind=\"redis\"}", 1.0),
        ("seawall_step_duration_seconds_count{reason=\"ContainerCreated\"}", 2.0),
        ("seawall_probe_duration_seconds_count{kind=\"postgres\"}", 1.0),
        ("seawall_store_commit_duration_seconds_count", 5.0),
        ("seawall_docker_calls_total{call=\"create\",outcome=\"Ok\"}", 2.0),
        ("seawall_store_writable", 1.0),
        ("seawall_engine_up", 1.0),
        ("seawall_engine_events_followed", 1.0),
        ("seawall_manifests_scanned", 1.0),
    ] {
        assert!(value(series) >= least, "{series}: {text}");
    }
    assert!(value("seawall_manifest_problems") < 1.0);
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_is_down_is_told_and_nothing_is_said_to_be_ready() {
    let rig = settled().await;
    assert!(rig.operator.readiness().iter().all(|part| part.state == Truth::True));
    rig.fake.stop_engine();
    rig.until("down", || rig.engine_down()).await;
    rig.until("unknown", || {
        rig.condition("postgres/main", ConditionType::Ready).filter(|c| c.status == Truth::Unknown)
    })
    .await;
    let parts = rig.operator.readiness();
    let states: Vec<_> = parts.iter().map(|part| (part.name, part.state)).collect();
    assert_eq!(states, [("manifests", Truth::True), ("store", Truth::True), ("engine", Truth::False)]);
    let text = rig.operator.metrics().await.unwrap();
    assert!(text.contains("\nseawall_engine_up 0\n"), "{text}");
    assert!(!text.contains("seawall_object_ready{kind=\"postgres\""), "{text}");
    assert!(
        text.contains("name=\"main\",condition=\"Ready\",status=\"Unknown\",reason=\"EngineUnavailable\"} 1"),
        "{text}"
    );
    rig.fake.start_engine();
    rig.ready("postgres/main").await;
    assert!(rig.operator.readiness().iter().all(|part| part.state == Truth::True));
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_is_full_is_told() {
    let rig = settled().await;
    rig.store.fail_writes(true);
    rig.fake.drift_kill("postgres-main").unwrap();
    rig.until("not saved", || (!rig.notices().is_empty()).then_some(())).await;
    let [_, store, _] = rig.operator.readiness();
    assert!(store.state == Truth::False && store.why.contains("no space left"), "{store:?}");
    let text = rig.operator.metrics().await.unwrap();
    assert!(text.contains("\nseawall_store_writable 0\n"), "{text}");
    assert!(!text.contains("\nseawall_store_commit_failures_total 0\n"), "{text}");
    rig.store.fail_writes(false);
    rig.until("saved", || rig.notices().is_empty().then_some(())).await;
    assert_eq!(rig.operator.readiness()[1].state, Truth::True);
    assert!(rig.operator.metrics().await.unwrap().contains("\nseawall_store_unsaved_changes 0\n"));
}

#[tokio::test(start_paused = true)]
async fn an_operator_that_has_not_looked_yet_is_not_ready_and_says_why() {
    let rig = Rig::new(engine(), Times::default());
    let parts = rig.operator.readiness();
    let states: Vec<_> = parts.iter().map(|part| (part.name, part.state)).collect();
    assert_eq!(states, [("manifests", Truth::Unknown), ("store", Truth::True), ("engine", Truth::Unknown)]);
    let text = rig.operator.metrics().await.unwrap();
    assert!(!text.contains("seawall_engine_up "), "not known is not down: {text}");
}

/// A served operator that is dropped with the test.
struct Served {
    rig: Rig,
    at: SocketAddr,
    cancel: CancellationToken,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

async fn address_of(operator: &Operator) -> Option<String> {
    operator.operator().await.unwrap().metrics
}

async fn served() -> Served {
    let rig = settled().await;
    let cancel = CancellationToken::new();
    tokio::spawn(serve(Arc::clone(&rig.operator), "127.0.0.1:0".parse().unwrap(), cancel.clone()));
    let mut revision = rig.operator.revision();
    let url = loop {
        match address_of(&rig.operator).await {
            Some(url) => break url,
            None => drop(revision.changed().await),
        }
    };
    let at = url.strip_prefix("http://").unwrap().strip_suffix("/metrics").unwrap().parse().unwrap();
    Served { rig, at, cancel }
}

async fn ask(at: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(at).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

async fn get(at: SocketAddr, path: &str) -> String {
    ask(at, &format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")).await
}

/// On the real clock: on the one that jumps, no answer over TCP would be in time.
#[tokio::test]
async fn it_is_answered_over_tcp_and_nothing_else_is() {
    let served = served().await;
    let metrics = get(served.at, "/metrics").await;
    assert!(metrics.starts_with("HTTP/1.1 200 OK\r\n"), "{metrics}");
    assert!(metrics.contains("content-type: text/plain; version=0.0.4; charset=utf-8\r\n"), "{metrics}");
    assert!(metrics.contains("seawall_object_ready{kind=\"postgres\",name=\"main\"} 1\n"), "{metrics}");
    assert!(get(served.at, "/healthz").await.ends_with("\r\n\r\nok\n"));
    let ready = get(served.at, "/readyz").await;
    assert!(
        ready.starts_with("HTTP/1.1 200 OK") && ready.ends_with("manifests: ok\nstore: ok\nengine: ok\n"),
        "{ready}"
    );
    for path in ["/", "/v1/export", "/apis/seawall.dev/v1/all", "/metrics/../v1/export"] {
        assert!(get(served.at, path).await.starts_with("HTTP/1.1 404 "), "{path}");
    }
    let post = ask(served.at, "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n").await;
    assert!(post.starts_with("HTTP/1.1 405 "), "{post}");
    served.rig.fake.stop_engine();
    served.rig.until("down", || served.rig.engine_down()).await;
    let ready = get(served.at, "/readyz").await;
    assert!(ready.starts_with("HTTP/1.1 503 "), "{ready}");
    assert!(
        ready.contains("store: ok\nengine: not ready: the Docker engine does not answer since "),
        "{ready}"
    );
    assert!(get(served.at, "/healthz").await.ends_with("ok\n"), "alive all the same");
}

#[tokio::test]
async fn who_says_nothing_keeps_nobody_away() {
    let served = served().await;
    let mut idle = Vec::new();
    for n in 0..20 {
        let mut stream = TcpStream::connect(served.at).await.unwrap();
        if n % 2 == 0 {
            stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x").await.unwrap();
        }
        idle.push(stream);
    }
    let answer = tokio::time::timeout(Duration::from_secs(60), get(served.at, "/healthz")).await;
    assert!(answer.expect("an answer").ends_with("ok\n"));
}

#[tokio::test(start_paused = true)]
async fn an_address_that_somebody_has_is_said_and_tried_again() {
    let rig = settled().await;
    let theirs = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = theirs.local_addr().unwrap();
    let cancel = CancellationToken::new();
    let server = tokio::spawn(serve(Arc::clone(&rig.operator), at, cancel.clone()));
    let mut revision = rig.operator.revision();
    let trouble = loop {
        match rig.operator.operator().await.unwrap().metrics_trouble {
            Some(why) => break why,
            None => drop(revision.changed().await),
        }
    };
    assert!(trouble.starts_with(&at.to_string()), "{trouble}");
    assert!(rig.is_ready("postgres/main"), "nobody waits for it");
    drop(theirs);
    // On the clock that jumps.
    for _ in 0..600 {
        rig.let_pass(Duration::from_secs(1)).await;
    }
    assert!(address_of(&rig.operator).await.is_some(), "it is tried again");
    assert_eq!(rig.operator.operator().await.unwrap().metrics_trouble, None);
    cancel.cancel();
    server.await.unwrap();
}

#[test]
fn names_follow_the_conventions_and_are_told_apart() {
    let mut seen = BTreeSet::new();
    for family in families() {
        let name = family.name;
        assert!(seen.insert(name), "{name} is there twice");
        let ours = name.starts_with("seawall_") || name == "process_start_time_seconds";
        let plain = name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        assert!(ours && plain && !family.help.is_empty() && family.help.ends_with('.'), "{family:?}");
        assert_eq!(family.sort == Sort::Counter, name.ends_with("_total"), "{name}");
        assert!(family.sort != Sort::Histogram || name.ends_with("_duration_seconds"), "{name}");
        for unit in ["_ms", "_millis", "_kb", "_mb", "_minutes", "_secs"] {
            assert!(!name.ends_with(unit), "{name} is in no base unit");
        }
    }
}
