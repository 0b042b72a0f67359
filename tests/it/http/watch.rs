//! `watch=true` of the operator itself, over the fake engine: what a watcher is told, when, and when no more.

use super::{Answer, ask};
use crate::machine::rig::{Rig, engine, object};
use futures_util::StreamExt;
use seawall::control::api::{Api, ApplyOptions, Changes, Gatekeeper, NewToken, Operation, Told};
use seawall::control::operator::Times;
use seawall::core::access::{Grant, Role};
use seawall::core::names::{Name, ObjectRef};
use seawall::docker::fake::{Fault, What, When};
use seawall::http::listen::{Listen, serve};
use seawall::kinds::postgres::world::Crowd;
use seawall::secrets::{Secret, TokenHash};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

const ROOT: &str = "/apis/seawall.dev/v1";

/// The API of a rig's operator, on a unix socket.
struct Served {
    dir: TempDir,
    cancel: CancellationToken,
    served: JoinHandle<()>,
}

impl Served {
    async fn of(rig: &Rig) -> Self {
        let served = Self::new(rig);
        while UnixStream::connect(served.socket()).await.is_err() {
            tokio::task::yield_now().await;
        }
        served
    }

    fn new(rig: &Rig) -> Self {
        let (dir, cancel) = (tempfile::tempdir().unwrap(), CancellationToken::new());
        let (api, at, stop) = (rig.operator.clone(), dir.path().join("s"), cancel.clone());
        let served = tokio::spawn(async move { seawall::http::server::serve(api, &at, stop).await.unwrap() });
        Self { dir, cancel, served }
    }

    fn socket(&self) -> PathBuf {
        self.dir.path().join("s")
    }

    async fn connect(&self) -> UnixStream {
        UnixStream::connect(self.socket()).await.unwrap()
    }

    async fn get(&self, path: &str) -> Answer {
        ask(self.connect().await, &format!("GET {ROOT}/{path}"), "", "").await
    }

    async fn revision(&self) -> String {
        let list = self.get("all?limit=1").await.body;
        list["metadata"]["resourceVersion"].as_str().unwrap().to_owned()
    }

    async fn watch(&self, query: &str) -> Events<UnixStream> {
        Events::of(self.connect().await, query, "").await
    }

    /// From what there is now.
    async fn watch_now(&self, query: &str) -> Events<UnixStream> {
        let revision = self.revision().await;
        let mut events = self.watch(&format!("{query}watch=true&resourceVersion={revision}")).await;
        assert_eq!(events.next().await.unwrap().word, "BOOKMARK");
        events
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

#[derive(Clone, Debug, PartialEq)]
struct Event {
    word: String,
    id: Option<u64>,
    object: Value,
    text: String,
}

impl Event {
    fn name(&self) -> &str {
        self.object["metadata"]["name"].as_str().unwrap()
    }
    fn told(&self) -> String {
        format!("{} {}", self.word, self.name())
    }
    fn version(&self) -> u64 {
        let version = self.object["metadata"]["resourceVersion"].as_str().unwrap();
        version.split('.').next().unwrap().parse().unwrap()
    }
}

/// A watch, as a client reads it that knows chunks and events and nothing else.
struct Events<S> {
    stream: S,
    raw: Vec<u8>,
    text: Vec<u8>,
    ended: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Events<S> {
    async fn of(mut stream: S, query: &str, head: &str) -> Self {
        let request = format!("GET {ROOT}/{query} HTTP/1.1\r\nhost: localhost\r\n{head}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut events = Self { stream, raw: Vec::new(), text: Vec::new(), ended: false };
        let head = loop {
            if let Some(end) = find(&events.raw, b"\r\n\r\n") {
                let rest = events.raw.split_off(end + 4);
                break String::from_utf8(std::mem::replace(&mut events.raw, rest)).unwrap().to_lowercase();
            }
            assert!(events.read().await, "no head: {:?}", String::from_utf8_lossy(&events.raw));
        };
        assert!(head.starts_with("http/1.1 200"), "{head}");
        for line in ["content-type: text/event-stream", "cache-control: no-store", "connection: close"] {
            assert!(head.contains(line), "{head}");
        }
        events
    }

    async fn read(&mut self) -> bool {
        let mut more = [0; 16_384];
        let read = timeout(Duration::from_secs(600), self.stream.read(&mut more)).await;
        let n = read.expect("nothing comes").unwrap_or(0);
        self.raw.extend(&more[..n]);
        n > 0
    }

    /// `None`: that was all, and it ended as an answer ends.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(end) = find(&self.text, b"\n\n") {
                let rest = self.text.split_off(end + 2);
                return Some(event(String::from_utf8(std::mem::replace(&mut self.text, rest)).unwrap()));
            }
            while let Some(end) = find(&self.raw, b"\r\n").filter(|_| !self.ended) {
                let size = usize::from_str_radix(std::str::from_utf8(&self.raw[..end]).unwrap(), 16).unwrap();
                if self.raw.len() < end + 2 + size + 2 {
                    break;
                }
                self.text.extend(&self.raw[end + 2..end + 2 + size]);
                self.raw.drain(..end + 2 + size + 2);
                self.ended = size == 0;
            }
            if find(&self.text, b"\n\n").is_some() {
                continue;
            }
            if !self.read().await {
                assert!(self.ended && self.text.is_empty(), "cut: {:?}", String::from_utf8_lossy(&self.text));
                return None;
            }
        }
    }

    /// Until one is found; what came before it is passed over.
    async fn until(&mut self, what: &str, found: impl Fn(&Event) -> bool) -> Event {
        let mut before = Vec::new();
        while let Some(event) = self.next().await {
            if found(&event) {
                return event;
            }
            before.push(event.text);
            assert!(before.len() < 1_000, "never {what}: {before:#?}");
        }
        panic!("never {what}: {before:#?}")
    }

    /// Up to the next bookmark.
    async fn told(&mut self) -> Vec<Event> {
        let mut all = Vec::new();
        while let Some(event) = self.next().await.filter(|event| event.word != "BOOKMARK") {
            all.push(event);
        }
        all
    }
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

fn event(text: String) -> Event {
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(ToOwned::to_owned);
    let data: Value = serde_json::from_str(&field("data: ").unwrap()).unwrap();
    let word = field("event: ").unwrap();
    assert_eq!(data["type"], word.as_str());
    let id = field("id: ").map(|id| id.parse().unwrap());
    Event { word, id, object: data["object"].clone(), text }
}

async fn project(rig: &Rig, name: &str, team: &str) {
    let text = format!(
        "apiVersion: seawall.dev/v1\nkind: Project\nmetadata: {{name: {name}, labels: {{team: {team}}}}}\nspec: {{environments: {{production: {{}}}}}}\n"
    );
    rig.operator.apply(&text, &ApplyOptions::default()).await.unwrap();
}

async fn gone(rig: &Rig, name: &str) {
    let object: ObjectRef = format!("project/{name}").parse().unwrap();
    rig.operator.delete(&object, "").await.unwrap();
    rig.until("gone", || rig.view(&object.to_string()).is_none().then_some(())).await;
}

/// Quiet, with one project of team x.
async fn quiet() -> Rig {
    let rig = Rig::start(&[]);
    rig.until("scanned", || rig.view("imagecatalog/local").map(|_| ())).await;
    project(&rig, "p", "x").await;
    rig.let_pass(Duration::from_secs(60)).await;
    rig
}

#[tokio::test(start_paused = true)]
async fn what_becomes_of_objects_is_told_in_order_and_as_they_are() {
    let rig = Rig::start(&[("main", "{version: '18'}")]);
    rig.ready("main").await;
    rig.settled("main").await;
    let api = Served::of(&rig).await;
    let mut events = api.watch_now("pg?").await;
    rig.manifest("main", "{version: '18', resources: {memory: 512Mi}}");
    let first = events.until("changed", |event| event.word != "BOOKMARK").await;
    assert_eq!(
        (first.told().as_str(), first.object["metadata"]["generation"].clone()),
        ("MODIFIED main", json!(2))
    );
    assert_eq!(first.id, Some(first.version()));
    rig.settled("main").await;
    // The last of it is what a question is answered with.
    let mut last = first;
    while let Ok(Some(event)) = timeout(Duration::from_secs(2), events.next()).await {
        if event.word != "BOOKMARK" {
            assert!(event.id > last.id, "{event:?} after {last:?}");
            last = event;
        }
    }
    let now = api.get("pg/main").await.body;
    assert_eq!(last.object["status"]["observedGeneration"], 2);
    for part in ["/apiVersion", "/kind", "/metadata", "/spec", "/status/conditions"] {
        assert_eq!(last.object.pointer(part), now.pointer(part), "{part}");
    }
    // Of another kind; then one that comes, and that goes with its data.
    project(&rig, "p", "x").await;
    rig.manifest("other", "{version: '18'}");
    assert_eq!(events.until("there", |e| e.word != "BOOKMARK").await.told(), "ADDED other");
    rig.ready("other").await;
    rig.remove("other");
    rig.until("kept", || rig.container("other").is_none().then_some(())).await;
    let uid = rig.view("other").unwrap().metadata.uid;
    rig.operator.delete(&object("other"), "other").await.unwrap();
    let gone = events.until("gone", |event| event.word == "DELETED").await;
    assert_eq!((gone.name(), &gone.object["metadata"]["uid"]), ("other", &json!(uid)));
    assert_eq!(gone.id, Some(gone.version()), "{gone:?}");
}

#[tokio::test(start_paused = true)]
async fn without_a_version_all_there_is_comes_first() {
    let rig = quiet().await;
    project(&rig, "q", "y").await;
    let api = Served::of(&rig).await;
    for query in ["all?watch=true", "all?watch=true&resourceVersion=0"] {
        let mut events = api.watch(query).await;
        let all = events.told().await;
        let mut told: Vec<String> = all.iter().map(Event::told).collect();
        told.sort();
        assert_eq!(told, ["ADDED local", "ADDED p", "ADDED q"]);
        // Nobody can go on from the middle of it.
        assert!(all.iter().all(|event| event.id.is_none()), "{all:?}");
        project(&rig, "q", if query.ends_with('0') { "z" } else { "w" }).await;
        assert_eq!(events.next().await.unwrap().told(), "MODIFIED q");
    }
    let mut events = api.watch("projects?watch=true&labelSelector=team%3Dx").await;
    assert_eq!(events.told().await.iter().map(Event::told).collect::<Vec<_>>(), ["ADDED p"]);
}

#[tokio::test(start_paused = true)]
async fn who_was_away_is_told_what_he_missed_once() {
    let rig = quiet().await;
    let api = Served::of(&rig).await;
    let mut events = api.watch_now("projects?").await;
    project(&rig, "p", "y").await;
    let heard = events.next().await.unwrap();
    drop(events);
    project(&rig, "p", "z").await;
    project(&rig, "q", "x").await;
    project(&rig, "p", "w").await;
    project(&rig, "brief", "x").await;
    gone(&rig, "brief").await;
    let id = heard.id.unwrap();
    let of_object = heard.object["metadata"]["resourceVersion"].as_str().unwrap();
    let stale = "projects?watch=true&resourceVersion=1";
    for (query, head) in [
        (format!("projects?watch=true&resourceVersion={id}"), String::new()),
        (format!("projects?watch=true&resourceVersion={of_object}"), String::new()),
        // A browser asks for what it asked first.
        (stale.to_owned(), format!("last-event-id: {id}\r\n")),
    ] {
        let mut events = Events::of(api.connect().await, &query, &head).await;
        let missed = events.told().await;
        let mut told: Vec<String> = missed.iter().map(Event::told).collect();
        assert!(missed.windows(2).all(|two| two[0].id < two[1].id), "{missed:?}");
        told.sort();
        assert_eq!(told, ["ADDED q", "MODIFIED p"], "{query}");
        let p = missed.iter().find(|event| event.name() == "p").unwrap();
        assert_eq!(p.object["metadata"]["labels"]["team"], "w");
    }
    gone(&rig, "p").await;
    let mut events = api.watch(&format!("projects?watch=true&resourceVersion={id}")).await;
    assert_eq!(events.told().await.last().unwrap().told(), "DELETED p");
    // It is the new one's name now.
    project(&rig, "p", "v").await;
    let mut events = api.watch(&format!("projects?watch=true&resourceVersion={id}")).await;
    let told: Vec<String> = events.told().await.iter().map(Event::told).collect();
    assert_eq!(told.iter().filter(|told| told.ends_with(" p")).collect::<Vec<_>>(), ["DELETED p", "ADDED p"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_too_old_is_said_to_be() {
    let mut rig = quiet().await;
    let api = Served::of(&rig).await;
    let revision: u64 = api.revision().await.parse().unwrap();
    for old in [1, revision + 1_000_000] {
        let answer = api.get(&format!("all?watch=true&resourceVersion={old}")).await;
        assert_eq!((answer.status, &answer.body["code"]), (410, &json!("Expired")), "{answer:?}");
        assert!(answer.body["next"].as_str().unwrap().starts_with("list again"), "{answer:?}");
    }
    rig.leave().await;
    rig.restart();
    let again = Served::of(&rig).await;
    assert_eq!(again.get(&format!("all?watch=true&resourceVersion={revision}")).await.status, 410);
}

#[tokio::test(start_paused = true)]
async fn bookmarks_tell_every_half_minute_where_one_is() {
    let rig = quiet().await;
    let api = Served::of(&rig).await;
    let mut events = api.watch_now("redis?").await;
    // For nobody here: only the place moves on.
    project(&rig, "p", "y").await;
    let mut before: Option<(u64, Instant)> = None;
    for _ in 0..4 {
        let event = events.next().await.unwrap();
        assert_eq!((event.word.as_str(), &event.object["kind"]), ("BOOKMARK", &json!("Redis")));
        let (id, now) = (event.id.unwrap(), Instant::now());
        assert_eq!(id, event.version());
        let pause = before.map(|(_, at)| now - at);
        assert!(
            pause.is_none_or(|p| p > Duration::from_secs(25) && p < Duration::from_secs(35)),
            "{pause:?}"
        );
        before = Some((id, now));
    }
    let newest: u64 = api.revision().await.parse().unwrap();
    assert!(newest - before.unwrap().0 < 100, "{newest}");
}

#[tokio::test(start_paused = true)]
async fn who_selects_is_told_what_comes_and_goes_for_him() {
    let rig = Rig::start(&[("main", "{version: '18'}")]);
    rig.ready("main").await;
    rig.settled("main").await;
    let api = Served::of(&rig).await;
    let mut ready =
        api.watch_now("all?fieldSelector=status.conditions.Ready%3DTrue,metadata.name%3Dmain&").await;
    let mut team = api.watch_now("all?labelSelector=team%3Dx&").await;
    rig.servers.set_crowd("postgres-main", Some(Crowd::Server { max: 100, reserved: 3 }));
    let left = ready.until("not ready", |event| event.word != "BOOKMARK" && event.word != "MODIFIED").await;
    assert_eq!(left.told(), "DELETED main");
    assert!(rig.view("main").is_some());
    rig.servers.set_crowd("postgres-main", None);
    assert_eq!(ready.until("ready", |event| event.word != "BOOKMARK").await.told(), "ADDED main");
    for (name, label, told) in [
        ("p", "x", "ADDED p"),
        ("p", "y", "DELETED p"),
        ("q", "y", ""),
        ("q", "x", "ADDED q"),
        ("p", "x", "ADDED p"),
    ] {
        project(&rig, name, label).await;
        if !told.is_empty() {
            assert_eq!(
                team.until(told, |event| event.word != "BOOKMARK" && event.word != "MODIFIED").await.told(),
                told
            );
        }
    }
    gone(&rig, "q").await;
    assert_eq!(team.until("gone", |event| event.word == "DELETED").await.name(), "q");
}

/// Two watchers: of what is Ready, and of all.
#[tokio::test(start_paused = true)]
async fn a_restart_is_no_longer_ready_and_then_is_again_to_who_watches() {
    let rig = Rig::start(&[("main", "{version: '18'}")]);
    rig.ready("main").await;
    rig.settled("main").await;
    let api = Served::of(&rig).await;
    let of_object = |event: &Event| event.word != "BOOKMARK" && event.word != "MODIFIED";
    let ready = |event: &Event| {
        let conditions = event.object["status"]["conditions"].as_array().unwrap();
        let ready = conditions.iter().find(|condition| condition["type"] == "Ready").unwrap();
        format!("{} {}", ready["status"].as_str().unwrap(), ready["reason"].as_str().unwrap())
    };
    let mut only = api.watch_now("pg?fieldSelector=status.conditions.Ready%3DTrue&").await;
    // What the pass that begins with it sees takes a moment: the request is told apart.
    let slow = || {
        let what = What::Slow(Duration::from_secs(1));
        rig.fake.inject(Fault { method: "inspect", when: When::Before, what, times: 1 });
    };
    for _ in 0..2 {
        rig.let_pass(Duration::from_secs(1)).await;
        slow();
        rig.operator.operate(&object("main"), Operation::Restart).await.unwrap();
        // From the request on, not from its first step.
        let left = only.until("asked", of_object).await;
        assert_eq!((left.told().as_str(), ready(&left).as_str()), ("DELETED main", "Unknown Requested"));
        let back = only.until("done", of_object).await;
        assert_eq!((back.told().as_str(), &ready(&back)[..5]), ("ADDED main", "True "));
        assert_eq!(back.id, Some(back.version()));
        rig.settled("main").await;
    }
    // A pass that finds it otherwise and has nothing to do does not say Ready in between.
    rig.manifest_with("main", "seawall.dev/paused: 'true'", "{version: '18'}");
    rig.until("paused", || {
        rig.view("main")?.metadata.annotations.contains_key("seawall.dev/paused").then_some(())
    })
    .await;
    rig.settled("main").await;
    let mut all = api.watch_now("pg?").await;
    rig.servers.set_crowd("postgres-main", Some(Crowd::Server { max: 100, reserved: 3 }));
    slow();
    rig.operator.operate(&object("main"), Operation::Restart).await.unwrap();
    rig.store.slow_answers(Duration::from_secs(1));
    let mut said = Vec::new();
    loop {
        let event = all.until("more", |event| event.word != "BOOKMARK").await;
        said.push(ready(&event));
        if !said.last().unwrap().ends_with("Requested") {
            break;
        }
    }
    assert_eq!(said.first().map(String::as_str), Some("Unknown Requested"));
    assert!(said.last().unwrap().starts_with("False"), "{said:?}");
}

async fn change(news: &mut Changes) -> Arc<seawall::control::api::Change> {
    loop {
        if let Told::Change(change) = news.next().await.unwrap().unwrap() {
            return change;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_is_written_down_once_for_all() {
    let rig = quiet().await;
    let api = Served::of(&rig).await;
    let (mut one, mut two) = (api.watch_now("all?").await, api.watch_now("projects?").await);
    let revision = api.revision().await.parse().ok();
    let mut first = rig.operator.changes(revision).await.unwrap();
    let mut second = rig.operator.changes(revision).await.unwrap();
    project(&rig, "p", "y").await;
    let of_p = |event: &Event| event.word == "MODIFIED" && event.name() == "p";
    assert_eq!(one.until("p", of_p).await.text, two.until("p", of_p).await.text);
    assert!(Arc::ptr_eq(&change(&mut first).await, &change(&mut second).await));
    // Nobody watches for a while; then somebody does again.
    drop((one, two, first, second));
    rig.let_pass(Duration::from_secs(60)).await;
    let mut again = api.watch_now("projects?").await;
    project(&rig, "p", "z").await;
    assert_eq!(again.next().await.unwrap().told(), "MODIFIED p");
}

#[tokio::test(start_paused = true)]
async fn who_does_not_keep_up_is_told_so_and_holds_up_nobody() {
    let rig = quiet().await;
    let api = Served::of(&rig).await;
    let (mut slow, mut quick) = (api.watch_now("projects?").await, api.watch_now("projects?").await);
    // More than the buffers between the two and the queue hold.
    for n in 0..1_300 {
        let note = format!("n{n}-{}", "x".repeat(4_000));
        let text = format!(
            "apiVersion: seawall.dev/v1\nkind: Project\nmetadata: {{name: p, annotations: {{note: {note}}}}}\nspec: {{environments: {{production: {{}}}}}}\n"
        );
        rig.operator.apply(&text, &ApplyOptions::default()).await.unwrap();
        let told = |event: &Event| event.text.contains(&format!("n{n}-"));
        quick.until("the change", told).await;
        rig.let_pass(Duration::from_millis(20)).await;
    }
    let end = slow.until("its end", |event| event.word == "ERROR").await;
    assert_eq!((&end.object["code"], &end.object["status"]), (&json!("Expired"), &json!(410)));
    assert_eq!(slow.next().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_leaving_operator_ends_watches_as_answers_end() {
    let rig = quiet().await;
    let mut api = Served::of(&rig).await;
    let mut events = api.watch_now("projects?").await;
    let begin = std::time::Instant::now();
    api.cancel.cancel();
    (&mut api.served).await.unwrap();
    assert_eq!(events.next().await, None);
    assert!(begin.elapsed() < Duration::from_secs(3), "{:?}", begin.elapsed());
}

/// The same over TCP; gives where.
async fn listening(rig: &Rig, cancel: &CancellationToken) -> SocketAddr {
    let (heard, at) = oneshot::channel();
    let heard = std::sync::Mutex::new(Some(heard));
    let (operator, stop) = (rig.operator.clone(), cancel.clone());
    let listen = Listen {
        address: "127.0.0.1:0".parse().unwrap(),
        tls: None,
        behind_proxy: false,
        pages: axum::Router::new(),
    };
    tokio::spawn(async move {
        serve(operator.clone(), operator, listen, stop, |at| {
            heard.lock().unwrap().take().unwrap().send(at).unwrap();
        })
        .await;
    });
    at.await.unwrap().unwrap()
}

async fn token(rig: &Rig, name: &str) -> String {
    let name = Name::parse(name).unwrap();
    let new = NewToken { name, grant: Grant::Role(Role::Viewer), expires: "90d".to_owned() };
    rig.operator.create_token(&new).await.unwrap().token
}

#[tokio::test(start_paused = true)]
async fn a_revoked_token_ends_its_watches_and_no_others() {
    let rig = quiet().await;
    let cancel = CancellationToken::new();
    let at = listening(&rig, &cancel).await;
    let (ci, other) = (token(&rig, "ci").await, token(&rig, "other").await);
    let watch = async |token: &str| {
        let stream = TcpStream::connect(at).await.unwrap();
        let head = format!("authorization: Bearer {token}\r\n");
        Events::of(stream, "projects?watch=true", &head).await
    };
    let (mut quiet, mut told, mut stays) = (watch(&ci).await, watch(&ci).await, watch(&other).await);
    for events in [&mut quiet, &mut told, &mut stays] {
        assert_eq!(events.told().await.len(), 1);
    }
    let name = Name::parse("ci").unwrap();
    rig.operator.revoke_token(&name).await.unwrap();
    // Another one of the same name is another one.
    token(&rig, "ci").await;
    project(&rig, "p", "secret").await;
    let end = told.next().await.unwrap();
    assert_eq!((end.word.as_str(), &end.object["status"]), ("ERROR", &json!(401)));
    assert!(!end.text.contains("secret") && told.next().await.is_none());
    assert_eq!(stays.next().await.unwrap().told(), "MODIFIED p");
    assert_eq!((quiet.next().await.unwrap().word.as_str(), quiet.next().await), ("ERROR", None));
    // Also where nothing happens.
    let begin = Instant::now();
    rig.operator.revoke_token(&Name::parse("other").unwrap()).await.unwrap();
    assert_eq!(stays.until("its end", |event| event.word != "BOOKMARK").await.word, "ERROR");
    assert!(begin.elapsed() < Duration::from_secs(7), "{:?}", begin.elapsed());
    cancel.cancel();
}

/// Each ends as answers end.
#[tokio::test(start_paused = true)]
async fn a_revoked_token_ends_the_logs_that_are_followed_by_it() {
    let rig = Rig::start(&[("main", "{version: '18'}")]);
    rig.ready("main").await;
    rig.fake.set_logs("postgres-main", vec!["one".to_owned()]).unwrap();
    let cancel = CancellationToken::new();
    let at = listening(&rig, &cancel).await;
    let (ci, other) = (token(&rig, "ci").await, token(&rig, "other").await);
    let follow = async |token: &str| {
        let mut stream = TcpStream::connect(at).await.unwrap();
        let path = format!("{ROOT}/pg/main/logs?lines=1&follow=true");
        let head = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut text = String::new();
        while !text.contains("{\"text\":\"one\"}") {
            text += &more(&mut stream).await.expect("it is followed");
        }
        stream
    };
    let (mut ends, mut stays) = (follow(&ci).await, follow(&other).await);
    let begin = Instant::now();
    rig.operator.revoke_token(&Name::parse("ci").unwrap()).await.unwrap();
    let told = more(&mut ends).await.expect("why it ends");
    assert!(told.contains("the token opens nothing any more") && told.contains("Unauthenticated"), "{told}");
    assert!(begin.elapsed() <= Duration::from_secs(5), "{:?}", begin.elapsed());
    assert_eq!(more(&mut stays).await, None, "what is let in is not ended");
    cancel.cancel();
}

/// What comes next within a minute.
async fn more(stream: &mut TcpStream) -> Option<String> {
    let mut text = [0; 4_096];
    let read = timeout(Duration::from_secs(60), stream.read(&mut text)).await.ok()?;
    Some(String::from_utf8_lossy(&text[..read.unwrap()]).into_owned())
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_over_holds_no_more() {
    let mut rig = Rig::new(engine(), Times::default());
    rig.drive();
    let hash = TokenHash::of(&Secret::from(token(&rig, "ci").await));
    let other = TokenHash::of(&Secret::from("swl_other"));
    let still = |rig: &Rig, name: &str, hash: &TokenHash| rig.operator.still(name, hash);
    assert!(still(&rig, "ci", &hash) && !still(&rig, "ci", &other) && !still(&rig, "it", &hash));
    let mut record = seawall::store::Store::get(rig.store.as_ref(), "token/ci").unwrap().unwrap();
    record["expires"] = "2020-01-01T00:00:00Z".into();
    let put = seawall::store::Change::put("token/ci", record);
    seawall::store::Store::commit(rig.store.as_ref(), vec![put]).await.unwrap();
    rig.leave().await;
    rig.restart();
    assert!(!still(&rig, "ci", &hash));
}

#[tokio::test(start_paused = true)]
async fn watches_leave_room_for_questions_and_have_a_bound() {
    let rig = quiet().await;
    let cancel = CancellationToken::new();
    let at = listening(&rig, &cancel).await;
    let head = format!("authorization: Bearer {}\r\n", token(&rig, "ci").await);
    let mut watches = Vec::new();
    for _ in 0..300 {
        let stream = TcpStream::connect(at).await.unwrap();
        watches.push(Events::of(stream, "projects?watch=true", &head).await);
    }
    // More than connections at once; and nobody waits for his.
    let begin = Instant::now();
    let get = async |query: &str| {
        ask(TcpStream::connect(at).await.unwrap(), &format!("GET {ROOT}/{query}"), &head, "").await
    };
    assert_eq!(get("project/p").await.status, 200);
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    use rustix::process::{Resource, getrlimit};
    if getrlimit(Resource::Nofile).current.is_some_and(|files| files < 3_000) {
        return;
    }
    for _ in 300..1_024 {
        let stream = TcpStream::connect(at).await.unwrap();
        watches.push(Events::of(stream, "projects?watch=true", &head).await);
    }
    let refused = get("projects?watch=true").await;
    assert_eq!((refused.status, &refused.body["detail"]), (503, &json!("1024 watches are open already")));
    // Who goes makes room.
    drop(watches.pop());
    let stream = TcpStream::connect(at).await.unwrap();
    rig.let_pass(Duration::from_secs(1)).await;
    Events::of(stream, "projects?watch=true", &head).await;
    cancel.cancel();
}
