//! The API over TCP, with a token, on the simulated engine: one object, a list, many who watch; and a page of the dashboard.

use crate::fake::fake_engine;
use crate::{Bench, HOUR, IMAGE, line, manifest, median, ms, resident_mb, setting};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use seawall::control::api::{Api, ApplyOptions, NewToken};
use seawall::control::operator::Times;
use seawall::core::access::{Grant, Role};
use seawall::core::names::Name;
use seawall::http::listen::{Listen, serve};
use seawall::kinds::postgres::fake_server::FakeServers;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, oneshot};
use tokio::time::{sleep, timeout};

const ROOT: &str = "/apis/seawall.dev/v1";
/// Changes that all who watch are told.
const ROUNDS: usize = 20;

pub fn http() {
    let services = setting("SEAWALL_BENCH_HTTP", 1_000).to_string();
    let me = std::env::current_exe().expect("this program");
    let status = Command::new(&me).args(["http-of", &services]).status().expect("a run");
    assert!(status.success());
}

struct Server {
    at: SocketAddr,
    token: String,
}

impl Server {
    async fn of(bench: &Bench) -> Self {
        let name = Name::parse("bench").expect("a name");
        let new = NewToken { name, grant: Grant::Role(Role::Viewer), expires: "1h".to_owned() };
        let token = bench.operator.create_token(&new).await.expect("a token").token;
        let (heard, at) = oneshot::channel();
        let heard = Mutex::new(Some(heard));
        let (operator, cancel) = (Arc::clone(&bench.operator), bench.cancel.clone());
        let listen = Listen {
            address: ([127, 0, 0, 1], 0).into(),
            tls: None,
            behind_proxy: false,
            pages: seawall::web::router(operator.clone(), operator.clone(), false, cancel.clone()),
        };
        tokio::spawn(async move {
            let told = |at| {
                if let Some(heard) = heard.lock().expect("a lock").take() {
                    let _ = heard.send(at);
                }
            };
            serve(operator.clone(), operator, listen, cancel, told).await;
        });
        Self { at: at.await.expect("a word").expect("an address"), token }
    }

    async fn ask(&self, path: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.at).await.expect("a connection");
        stream.set_nodelay(true).expect("set");
        self.ask_on(&mut stream, path).await;
        stream
    }

    async fn ask_on(&self, stream: &mut TcpStream, path: &str) {
        let token = &self.token;
        let request =
            format!("GET {ROOT}/{path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("asked");
    }

    /// The median of so many, one after the other on one connection; and the last answer.
    async fn time(&self, path: &str, times: usize) -> (Duration, Vec<u8>) {
        let mut stream = TcpStream::connect(self.at).await.expect("a connection");
        let (mut all, mut body) = (Vec::new(), Vec::new());
        for _ in 0..times {
            let begun = Instant::now();
            self.ask_on(&mut stream, path).await;
            body = answer(&mut stream).await;
            all.push(begun.elapsed());
        }
        (median(all), body)
    }
}

/// One question on a connection of its own: how long its first byte took, the head and the rest.
async fn page(at: SocketAddr, ask: &str, cookies: &str, form: &str) -> (Duration, String, String) {
    let mut stream = TcpStream::connect(at).await.expect("a connection");
    let kind = "application/x-www-form-urlencoded";
    let request = format!(
        "{ask} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncookie: {cookies}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n{form}",
        form.len()
    );
    let begun = Instant::now();
    stream.write_all(request.as_bytes()).await.expect("asked");
    let mut text = vec![0];
    stream.read_exact(&mut text).await.expect("a first byte");
    let first = begun.elapsed();
    stream.read_to_end(&mut text).await.expect("the rest");
    let text = String::from_utf8(text).expect("text");
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    (first, head.to_owned(), body.to_owned())
}

/// As a browser does; gives its cookies.
async fn sign_in(server: &Server) -> String {
    let cookie = |head: &str| {
        let all = head.lines().filter_map(|line| line.strip_prefix("set-cookie: ")?.split(';').next());
        all.collect::<Vec<_>>().join("; ")
    };
    let (_, head, form) = page(server.at, "GET /sign-in", "", "").await;
    let word =
        form.split_once("name=\"csrf\" value=\"").expect("a form").1.split('"').next().expect("a word");
    let form = format!("csrf={word}&token={}", server.token);
    let (_, head, _) = page(server.at, "POST /sign-in", &cookie(&head), &form).await;
    assert!(head.starts_with("HTTP/1.1 303"), "{head}");
    cookie(&head)
}

async fn answer(stream: &mut TcpStream) -> Vec<u8> {
    let (mut all, mut more) = (Vec::new(), vec![0; 1 << 16]);
    let begin = loop {
        let n = stream.read(&mut more).await.expect("an answer");
        all.extend(&more[..n]);
        if let Some(end) = all.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        assert!(n > 0, "no head");
    };
    let head = String::from_utf8_lossy(&all[..begin]).to_lowercase();
    assert!(head.starts_with("http/1.1 200"), "{head}");
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
    let whole = begin + length.expect("a length");
    while all.len() < whole {
        let n = stream.read(&mut more).await.expect("the rest");
        assert!(n > 0, "cut");
        all.extend(&more[..n]);
    }
    all.split_off(begin)
}

/// How many were told something.
#[derive(Default)]
struct Told {
    many: AtomicUsize,
    all: Notify,
}

impl Told {
    async fn each(&self, many: usize) {
        while self.many.load(Ordering::SeqCst) < many {
            timeout(Duration::from_secs(60), self.all.notified()).await.expect("all are told");
        }
    }
}

/// Counts what comes.
async fn hear(mut stream: TcpStream, of: usize, begun: Arc<Told>, added: Arc<Told>) {
    let (mut text, mut more) = (Vec::new(), [0; 2_048]);
    while let Ok(n @ 1..) = stream.read(&mut more).await {
        text.extend(&more[..n]);
        for (word, told) in [(&b"event: BOOKMARK"[..], &begun), (&b"event: ADDED"[..], &added)] {
            while let Some(at) = text.windows(word.len()).position(|window| window == word) {
                text[at] = b'-';
                if (told.many.fetch_add(1, Ordering::SeqCst) + 1).is_multiple_of(of) {
                    told.all.notify_one();
                }
            }
        }
        text.drain(..text.len().saturating_sub(16));
    }
}

/// In a process of its own, so that memory is that of this alone; who watches is in it, too.
pub async fn http_of(services: usize) {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).expect("enough files");
    let fake = fake_engine();
    let servers = Arc::new(FakeServers::new(Arc::clone(&fake)));
    let times = Times { probe: HOUR, look: HOUR, ..Times::default() };
    let mut bench = Bench::new(fake, servers, times);
    let names: Vec<String> = (0..services).map(|n| format!("p{n:05}")).collect();
    let spec = format!("{{image: '{IMAGE}', resources: {{memory: 256Mi}}}}");
    let documents: Vec<String> = names.iter().map(|name| manifest(name, &spec)).collect();
    bench.write("all.yaml", &documents.join("---\n"));
    bench.drive();
    bench.until_ready(&names, Duration::from_millis(20)).await;
    sleep(Duration::from_secs(2)).await;

    let server = Server::of(&bench).await;
    let (one, _) = server.time("postgres/p00000", 500).await;
    line("http: one object, client and token included (median)", ms(one), "≤ 1 ms");
    let (list, body) = server.time("postgres", 50).await;
    let size = format!("{:.1} MB", body.len() as f64 / 1e6);
    line(&format!("http: list of {services}, {size} (median)"), ms(list), "≤ 20 ms at 1,000");
    let list: serde_json::Value = serde_json::from_slice(&body).expect("a list");
    let revision = list["metadata"]["resourceVersion"].as_str().expect("a version").to_owned();
    drop((body, list));

    let cookies = sign_in(&server).await;
    for (what, path) in [("an object", "/services/postgres/p00000"), ("the list", "/services")] {
        let (mut all, mut size) = (Vec::new(), 0);
        for _ in 0..100 {
            let (first, head, body) = page(server.at, &format!("GET {path}"), &cookies, "").await;
            assert!(head.starts_with("HTTP/1.1 200"), "{head}");
            all.push(first);
            size = body.len();
        }
        let head = format!("http: page of {what}, {} kB, first byte (median)", size / 1_000);
        line(&head, ms(median(all)), "≤ 20 ms");
    }

    let watchers = setting("SEAWALL_BENCH_WATCHERS", 1_000);
    let before = resident_mb(std::process::id());
    let (begun, added) = (Arc::new(Told::default()), Arc::new(Told::default()));
    for _ in 0..watchers {
        let stream = server.ask(&format!("all?watch=true&resourceVersion={revision}")).await;
        tokio::spawn(hear(stream, watchers, Arc::clone(&begun), Arc::clone(&added)));
    }
    begun.each(watchers).await;
    let mut told = Vec::new();
    for round in 1..=ROUNDS {
        sleep(Duration::from_millis(500)).await;
        let head = "apiVersion: seawall.dev/v1\nkind: Project";
        let text =
            format!("{head}\nmetadata: {{name: w{round}}}\nspec: {{environments: {{production: {{}}}}}}\n");
        let begun = Instant::now();
        bench.operator.apply(&text, &ApplyOptions::default()).await.expect("applied");
        added.each(round * watchers).await;
        told.push(begun.elapsed());
    }
    let most = told.iter().max().copied().unwrap_or_default();
    let more = resident_mb(std::process::id()) - before;
    let head = format!("http: {watchers} who watch");
    line(&format!("{head}: memory, theirs included"), format!("{more:.1} MB"), "≤ 60 MB");
    let figure = format!("{}; {}", ms(median(told)), ms(most));
    line(&format!("{head}: object applied to the last told, median; most"), figure, "≤ 100 ms");
    bench.stop().await;
}
