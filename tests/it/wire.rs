//! The real adapter before an engine of few words and before a proxy: what each says is taken for what it is.

#[path = "../common/proxy.rs"]
mod proxy;

use futures_util::StreamExt;
use proxy::{Proxy, Rule, raw, versioned};
use seawall::core::seen::LiveUpdate;
use seawall::docker::{BollardDocker, Docker, DockerError, ExecRequest};
use std::time::Duration;

/// As an engine answers that speaks `1.speaks`.
fn engine(status: u16, speaks: u32, body: &str) -> String {
    format!(
        "HTTP/1.1 {status} X\r\nApi-Version: 1.{speaks}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

/// Versions that an engine knows, and what it answers.
fn speaking(oldest: u32, newest: u32) -> Rule {
    Box::new(move |request| {
        let path = request.split(' ').nth(1).unwrap_or_default();
        if !versioned(request) {
            return Some(raw(403, "Forbidden"));
        }
        let (minor, path) = path.strip_prefix("/v1.")?.split_once('/')?;
        let minor: u32 = minor.parse().ok()?;
        let wrong = |how: &str, which: &str, known: u32| {
            let words = format!(
                "client version 1.{minor} is too {how}. {which} supported API version is 1.{known}, please upgrade"
            );
            Some(engine(400, newest, &format!("{{\"message\":\"{words}\"}}")))
        };
        match path {
            _ if minor > newest => wrong("new", "Maximum", newest),
            _ if minor < oldest => wrong("old", "Minimum", oldest),
            "version" => {
                Some(engine(200, newest, &format!("{{\"Version\":\"x\",\"ApiVersion\":\"1.{newest}\"}}")))
            }
            "info" => Some(engine(200, newest, "{\"NCPU\":2,\"MemTotal\":1000}")),
            "containers/json" => Some(engine(200, newest, "[]")),
            "volumes" => Some(engine(200, newest, "{\"Volumes\":[]}")),
            _ => Some(engine(404, newest, "{\"message\":\"No such thing: x\"}")),
        }
    })
}

fn docker(proxy: &Proxy) -> BollardDocker {
    BollardDocker::connect(Some(&proxy.address())).unwrap()
}

#[tokio::test]
async fn every_path_carries_the_version_that_both_know() {
    for (oldest, newest, want) in [(12, 41, 41), (24, 51, 51), (44, 52, 52), (44, 60, 53), (12, 40, 40)] {
        let dir = tempfile::tempdir().unwrap();
        let proxy = Proxy::start(&dir.path().join("s"), None, speaking(oldest, newest));
        let docker = docker(&proxy);
        // Also what is asked first of all.
        assert_eq!(docker.list(&[]).await.unwrap(), []);
        assert_eq!(docker.info().await.unwrap().cpus, 2);
        assert_eq!(docker.inspect("x").await.unwrap(), None);
        assert_eq!(docker.volumes(&[]).await.unwrap(), []);
        let _ = docker.events(0).next().await;
        for request in proxy.seen() {
            assert!(versioned(&request), "{request}");
            let same = request.starts_with(&format!("GET /v1.{want}/")) || request.ends_with("/version");
            assert!(same, "{request} of an engine with 1.{oldest} to 1.{newest}");
        }
        // Another engine by now: one call is lost, and says that it is, and then it goes on.
        proxy.rules(speaking(30, 38));
        let error = docker.list(&[]).await.unwrap_err();
        assert!(error.is_unavailable(), "{error}");
        assert_eq!(docker.list(&[]).await.unwrap(), []);
    }
}

#[tokio::test]
async fn an_engine_that_does_not_say_what_it_speaks_is_spoken_to_as_the_oldest() {
    let dir = tempfile::tempdir().unwrap();
    let rule: Rule = Box::new(|request| {
        Some(raw(200, if request.ends_with("/version") { "{\"Version\":\"x\"}" } else { "[]" }))
    });
    let proxy = Proxy::start(&dir.path().join("s"), None, rule);
    assert_eq!(docker(&proxy).list(&[]).await.unwrap(), []);
    assert_eq!(proxy.seen(), ["GET /v1.41/version", "GET /v1.41/containers/json"]);
}

/// Answers that a proxy gives to what it does not let through.
const REFUSALS: [(u16, &str); 6] = [
    (403, "<html><body><h1>403 Forbidden</h1>\nRequest forbidden by administrative rules.\n</body></html>\n"),
    (403, "{\"message\":\"Forbidden\"}"),
    (404, "404 page not found\n"),
    (404, "No such container: x"),
    (404, ""),
    (405, "Method Not Allowed"),
];

#[tokio::test]
async fn what_a_proxy_refuses_is_neither_gone_nor_down() {
    for (status, body) in REFUSALS {
        let dir = tempfile::tempdir().unwrap();
        let rule: Rule = Box::new(move |request| match request.split_once("/v1.41/")?.1 {
            path if path.ends_with("version") || path.ends_with("info") => speaking(12, 41)(request),
            _ => Some(raw(status, if request.starts_with("HEAD") { "" } else { body })),
        });
        let proxy = Proxy::start(&dir.path().join("s"), None, rule);
        let docker = docker(&proxy);
        docker.info().await.unwrap();
        let second = Duration::from_secs(1);
        let ask = ExecRequest { argv: vec!["true".to_owned()], ..ExecRequest::default() };
        let answers = [
            ("GET containers/json", docker.list(&[]).await.err()),
            ("GET containers/x/json", docker.inspect("x").await.err()),
            ("GET images/x/json", docker.image("x").await.err()),
            ("GET volumes/x", docker.volume("x").await.err()),
            ("GET volumes", docker.volumes(&[]).await.err()),
            ("GET networks", docker.networks("x").await.err()),
            ("GET containers/x/archive", docker.get_file("x", "/f", 1).await.err()),
            ("HEAD containers/x/archive", docker.exists("x", "/f").await.err()),
            ("HEAD containers/x/archive", docker.link("x", "/f").await.err()),
            ("GET containers/x/archive", docker.links("x", "/f").await.err()),
            ("GET containers/x/logs", docker.logs("x", 1).await.err()),
            ("GET containers/x/stats", docker.usage("x").await.err()),
            ("GET events", docker.events(0).next().await.and_then(Result::err)),
            ("DELETE containers/x", docker.remove("x").await.err()),
            ("DELETE volumes/x", docker.remove_volume("x").await.err()),
            ("DELETE networks/x", docker.remove_network("x").await.err()),
            ("POST containers/x/update", docker.update("x", &LiveUpdate::default()).await.err()),
            ("POST containers/x/start", docker.start("x").await.err()),
            ("POST containers/x/stop", docker.stop("x", second).await.err()),
            ("POST containers/x/exec", docker.exec("x", &ask, second).await.err()),
            ("POST images/create", docker.pull("x").await.err()),
        ];
        for (request, error) in answers {
            let Some(error) = error else { panic!("{request} {status}: no error") };
            let named = request.replace(' ', " /v1.41/");
            let begins =
                format!("the proxy at {} refuses {named} ({status}): allow this request", proxy.address());
            assert!(error.to_string().starts_with(&begins), "{request}: {error}");
            assert!(!error.to_string().contains('\n') && !error.is_unavailable(), "{error}");
            assert!(matches!(error, DockerError::Forbidden { .. }), "{error:?}");
        }
    }
}

#[tokio::test]
async fn a_proxy_without_its_engine_is_an_engine_that_does_not_answer() {
    for status in [502, 503, 504] {
        let dir = tempfile::tempdir().unwrap();
        let proxy =
            Proxy::start(&dir.path().join("s"), None, Box::new(move |_| Some(raw(status, "bad gateway"))));
        let error = docker(&proxy).info().await.unwrap_err();
        assert!(error.is_unavailable() && error.to_string().contains("the proxy at unix://"), "{error}");
    }
    let error = BollardDocker::connect(Some("unix:///nowhere/x.sock")).unwrap().info().await.unwrap_err();
    assert!(error.to_string().contains("no socket at /nowhere/x.sock"), "{error}");
}

#[tokio::test]
async fn an_answer_that_makes_no_sense_is_no_absence_and_no_outage() {
    for body in ["", "{\"Id\":", "<html>login</html>", "[]", "{\"Id\": 5}"] {
        let dir = tempfile::tempdir().unwrap();
        let rule: Rule = Box::new(move |request| match request.contains("/images/") {
            true => Some(engine(200, 41, body)),
            false => speaking(12, 41)(request),
        });
        let proxy = Proxy::start(&dir.path().join("s"), None, rule);
        let error = docker(&proxy).image("x").await.unwrap_err();
        assert!(matches!(error, DockerError::Refused { status: 200, .. }), "{body}: {error:?}");
    }
}
