//! The API over the operator itself on the fake engine: what a request costs it, and who hangs up.

use super::listen::request;
use super::{Answer, ask};
use crate::machine::rig::{Rig, object};
use seawall::control::api::{Api, ApplyOptions};
use seawall::core::condition::ConditionType as C;
use seawall::http::permissions;
use seawall::http::server::serve;
use seawall::store::Store;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio_util::sync::{CancellationToken, DropGuard};

struct Live {
    rig: Rig,
    socket: PathBuf,
    _stop: DropGuard,
    _place: tempfile::TempDir,
}

impl Live {
    async fn of(rig: Rig) -> Self {
        let (place, cancel) = (tempfile::tempdir().unwrap(), CancellationToken::new());
        let socket = place.path().join("s");
        let (api, at, stop) = (Arc::clone(&rig.operator), socket.clone(), cancel.clone());
        tokio::spawn(async move { serve(api, &at, stop).await.unwrap() });
        while UnixStream::connect(&socket).await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Self { rig, socket, _stop: cancel.drop_guard(), _place: place }
    }

    async fn ask(&self, line: &str, body: &str) -> Answer {
        ask(UnixStream::connect(&self.socket).await.unwrap(), line, "", body).await
    }

    /// Asks, and is gone before the answer; `all`: the whole request was sent.
    async fn hang_up(&self, line: &str, body: &str, all: bool) {
        let mut stream = UnixStream::connect(&self.socket).await.unwrap();
        let head = format!("{line} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n", body.len());
        let sent = if all { body.len() } else { body.len() / 2 };
        stream.write_all((head + &body[..sent]).as_bytes()).await.unwrap();
        self.rig.let_pass(Duration::from_millis(500)).await;
        drop(stream);
        self.rig.let_pass(Duration::from_secs(5)).await;
    }

    /// What is in the store is what is known, and nothing else is.
    fn agrees(&self, after: &str) {
        let kept = self.rig.store.scan("obj/").unwrap();
        let known = self.rig.all();
        assert_eq!(kept.len(), known.len(), "{after}");
        for (key, record) in kept {
            let view =
                self.rig.view(key.strip_prefix("obj/").unwrap()).unwrap_or_else(|| panic!("{after}: {key}"));
            assert_eq!(
                (&record["generation"], &record["spec"]),
                (&view.metadata.generation.into(), &view.spec)
            );
            assert_eq!(record["id"], view.metadata.id, "{after}: {key}");
        }
    }
}

const BY_API: &str =
    "apiVersion: seawall.dev/v1\nkind: Postgres\nmetadata: {name: made}\nspec: {version: '18'}\n";

/// The plan itself asks the engine about everything; a log and figures of use are the engine's answers.
const MAY_ASK_MORE: [&str; 6] = ["/plan", "/logs", "/top", "/stats", "/diagnose", "/health-check"];

#[tokio::test(start_paused = true)]
async fn no_request_asks_the_engine_more_than_once_but_for_what_is_the_engines() {
    let rig = Rig::start(&[("main", "{version: '18'}")]);
    rig.ready("main").await;
    rig.operator.apply(BY_API, &ApplyOptions::default()).await.unwrap();
    rig.ready("made").await;
    rig.settled("both").await;
    // Nobody runs passes from here on: what is counted is the request's own.
    let mut rig = rig;
    rig.leave().await;
    let live = Live::of(rig).await;
    let (mut asked, mut answered) = (0, 0);
    for (method, path, _) in permissions() {
        if MAY_ASK_MORE.iter().any(|end| path.ends_with(end)) {
            continue;
        }
        let (at, body) = request(path, method.as_str());
        live.rig.fake.reset_calls();
        let line = format!("{method} {at}");
        let answer = live.ask(&line, body).await;
        let calls = live.rig.fake.call_log();
        assert!(calls.values().sum::<u64>() <= 1, "{line}: {calls:?}");
        asked += 1;
        answered += usize::from(answer.status < 300);
    }
    assert!(asked > 40 && answered > 15, "{answered} of {asked} were answered");
}

#[tokio::test(start_paused = true)]
async fn who_hangs_up_in_the_middle_of_a_write_leaves_store_and_memory_the_same() {
    let rig = Rig::start(&[("main", "{version: '18'}")]);
    rig.ready("main").await;
    let live = Live::of(rig).await;
    let capped = BY_API.replace("'18'", "'18', resources: {memory: 512Mi}");
    let at = |method: &str, rest: &str| format!("{method} /apis/seawall.dev/v1/postgres/made{rest}");
    // Half a request is none.
    live.hang_up(&at("PUT", ""), BY_API, false).await;
    assert!(live.rig.view("made").is_none());
    live.agrees("half");
    let steps: [(&str, String, String); 5] = [
        ("apply", at("PUT", ""), BY_API.to_owned()),
        ("change", at("PUT", ""), capped),
        ("patch", at("PATCH", ""), "{spec: {resources: {memory: 256Mi}}}".to_owned()),
        ("stop", at("POST", "/stop"), "{}".to_owned()),
        (
            "token",
            "POST /v1/tokens".to_owned(),
            "{\"name\":\"ci\",\"role\":\"viewer\",\"expires\":\"1h\"}".to_owned(),
        ),
    ];
    for (what, line, body) in &steps {
        live.rig.store.slow_answers(Duration::from_secs(1));
        live.hang_up(line, body, true).await;
        live.rig.store.slow_answers(Duration::ZERO);
        live.rig.let_pass(Duration::from_secs(60)).await;
        live.agrees(what);
        // It was done: the request was whole.
        let generation = live.rig.view("made").unwrap().metadata.generation;
        match *what {
            "apply" => assert_eq!(generation, 1),
            "change" => assert_eq!(generation, 2),
            "patch" => assert_eq!(generation, 3),
            "stop" => drop(live.rig.reason("made", C::Ready, "Stopped").await),
            _ => {
                assert_eq!(live.rig.operator.tokens().await.unwrap().len(), 1);
                assert_eq!(live.rig.store.scan("token/").unwrap().len(), 1);
            }
        }
    }
    live.rig.store.slow_answers(Duration::from_secs(1));
    live.hang_up(&at("DELETE", "?confirm=made"), "", true).await;
    live.rig.store.slow_answers(Duration::ZERO);
    live.rig.until("it goes", || live.rig.view("made").is_none().then_some(())).await;
    live.agrees("delete");
    assert!(live.rig.operator.object(&object("main")).await.is_ok());
}
