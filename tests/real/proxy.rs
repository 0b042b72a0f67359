//! Seawall behind a proxy that lets through only what its rules say, before the real engine.

#[path = "../common/proxy.rs"]
pub mod before;

use super::harness::{Sea, condition, docker, image, wait_for};
use before::{Proxy, Rule, raw, versioned};
use std::path::Path;

/// What a test made is removed through it, too, also after a failure.
pub struct Opened(pub Proxy);

impl Drop for Opened {
    fn drop(&mut self) {
        self.0.rules(Box::new(|_| None));
    }
}

/// Only paths with a version, and without these; `docker` itself asks one without.
fn strict(refused: &'static [&'static str]) -> Rule {
    Box::new(move |request| {
        let cli = request.ends_with(" /_ping");
        (!versioned(request) && !cli || refused.iter().any(|part| request.contains(part)))
            .then(|| raw(403, "Forbidden"))
    })
}

pub fn engine() -> String {
    let host = std::env::var("DOCKER_HOST").unwrap_or_default();
    host.strip_prefix("unix://").unwrap_or("/var/run/docker.sock").to_owned()
}

#[test]
fn a_strict_proxy_lets_everything_through_and_what_it_refuses_is_named() {
    let mut sea = Sea::new();
    let socket = sea.root().join("proxy.sock");
    let proxy = Proxy::start(&socket, Some(Path::new(&engine())), strict(&[]));
    sea.docker_host = Some(proxy.address());
    let _opened = Opened(proxy.clone());
    let memory = |sea: &Sea| {
        let all: serde_json::Value =
            serde_json::from_str(&docker(&["inspect", &sea.container("a")])).unwrap();
        all[0]["HostConfig"]["Memory"].as_u64().map(|bytes| bytes >> 20)
    };
    sea.postgres("a", &format!("{{image: '{}', resources: {{memory: 256Mi}}}}", image("18")));
    sea.run();
    let first = sea.ready("a");
    sea.sql("a", "CREATE TABLE kept AS SELECT 1 AS n");
    sea.postgres("a", &format!("{{image: '{}', resources: {{memory: 320Mi}}}}", image("18")));
    wait_for("the cap", || (memory(&sea) == Some(320)).then_some(()));
    let seen = proxy.seen();
    assert!(seen.iter().all(|request| versioned(request) || request.ends_with(" /_ping")), "{seen:#?}");
    // From before the first look on: the stream itself is opened after it, and nothing may fall in between.
    let whole = proxy.seen_whole();
    let events: Vec<&String> = whole.iter().filter(|request| request.contains("/events")).collect();
    assert!(!events.is_empty() && events.iter().all(|request| request.contains("since=")), "{events:#?}");
    let doctor = sea.cli(&["doctor"]);
    let text = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert!(text.contains("docker engine") && !text.contains("the proxy at"), "{text}");

    // One kind of request: the rest goes on.
    proxy.rules(strict(&["/update"]));
    sea.postgres("a", &format!("{{image: '{}', resources: {{memory: 384Mi}}}}", image("18")));
    let status = sea.until("a", "named", |s| condition(s, "Degraded").1 == "ProxyRefuses");
    let words = condition(&status, "Degraded").2;
    assert!(words.contains("refuses POST /v1.") && words.contains("/update (403)"), "{words}");
    assert_eq!(condition(&status, "Ready").0, "True");
    docker(&["kill", &sea.container("a")]);
    wait_for("a login", || sea.try_sql("a", "SELECT n FROM kept").status.success().then_some(()));
    assert_eq!(sea.status("a")["container"]["id"], first["container"]["id"]);

    // Every look: unknown, and not an engine that is down.
    proxy.rules(strict(&["/containers/"]));
    docker(&["kill", &sea.container("a")]);
    // A step that was under way may have been refused before.
    sea.until_condition("a", "Ready", "Unknown", "ProxyRefuses");
    let doctor = sea.cli(&["doctor"]);
    let text = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert!(text.contains("the proxy at") && text.contains("/containers/json (403)"), "{text}");
    assert!(!text.contains("deploy/setup.sh"), "{text}");

    proxy.rules(strict(&[]));
    wait_for("the cap", || (memory(&sea) == Some(384)).then_some(()));
    sea.ready("a");
    assert_eq!(sea.sql("a", "SELECT n FROM kept"), "1");
    assert_eq!(sea.status("a")["container"]["id"], first["container"]["id"]);
}
