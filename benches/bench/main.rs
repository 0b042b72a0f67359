//! What Seawall costs, beside the same calls sent raw in the same run. Prints, asserts nothing.
//!
//! `cargo bench --bench bench [-- SECTION…]`; sections: `fake`, `binary`, `hostile`, `history`, `http` and `hung` need no Docker,
//! `provisioning`, `sweep`, `repair`, `caps`, `rollout`, `idle`, `links` and `apps` use the local engine and the
//! images of `deploy/images/build.sh`. SEAWALL_BENCH_SERVICES sets how many services (12), SEAWALL_BENCH_LINKS how
//! many links on one service (200), SEAWALL_BENCH_SECONDS how long `idle` and `links` look (60; `links` also once
//! eleven times as long, until each login was proven anew), SEAWALL_BENCH_FAKE how many fake services (10000),
//! SEAWALL_BENCH_HUNG how many of them hang (200), SEAWALL_BENCH_HTTP and SEAWALL_BENCH_WATCHERS how many objects (1000) and who watch (1000) `http` has, SEAWALL_BENCH_HISTORY and SEAWALL_BENCH_DAYS of how many (20) and how many days (7) figures over time are written.
//! Numbers taken while others use the machine are not to be trusted.

mod apps;
mod engine;
mod fake;
mod history;
mod http;
mod idle;
mod links;
mod program;
mod sections;

use engine::Engine;
use seawall::control::api::Api;
use seawall::control::driver::drive;
use seawall::control::operator::{Config, Operator, Times};
use seawall::control::registry::Kinds;
use seawall::core::names::{Installation, ObjectRef};
use seawall::docker::Docker;
use seawall::kinds::postgres::Postgres;
use seawall::kinds::postgres::client::Servers;
use seawall::kinds::redis::Redis;
use seawall::secrets::{Algorithm, Key, Sealer, random_id};
use seawall::store::{SledStore, Store};
use seawall::workload;
use seawall::workload::tools::Reach;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

#[path = "../../tests/common/hostile.rs"]
mod hostile_shapes;

const IMAGE: &str = "seawall/postgres:18";
const AT_ONCE: usize = 8;
const PATIENCE: Duration = Duration::from_secs(600);
const HOUR: Duration = Duration::from_secs(3_600);

fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default)
}

fn line(what: &str, figure: impl std::fmt::Display, target: &str) {
    println!("{what:<58} {figure:>12}   {target}");
}

fn ms(duration: Duration) -> String {
    format!("{:.1} ms", duration.as_secs_f64() * 1e3)
}

fn seconds(duration: Duration) -> String {
    format!("{:.2} s", duration.as_secs_f64())
}

/// CPU time of a process so far, in steps of 10 ms.
fn cpu(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |i: usize| fields.get(i).and_then(|f| f.parse::<u64>().ok()).unwrap_or(0);
    Duration::from_millis((ticks(11) + ticks(12)) * 10)
}

fn resident_mb(pid: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let kb = status
        .lines()
        .find_map(|l| l.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse::<f64>().ok());
    kb.unwrap_or(0.0) / 1024.0
}

/// Of the medians, and the least and the most of each round.
fn ratios(ours: &[Duration], theirs: &[Duration]) -> String {
    let of = |ours: &Duration, theirs: &Duration| ours.as_secs_f64() / theirs.as_secs_f64();
    let mut rounds: Vec<f64> = ours.iter().zip(theirs).map(|(ours, theirs)| of(ours, theirs)).collect();
    rounds.sort_by(f64::total_cmp);
    let (least, most) =
        (rounds.first().copied().unwrap_or_default(), rounds.last().copied().unwrap_or_default());
    format!("{:.2} ({least:.2}–{most:.2})", of(&median(ours.to_vec()), &median(theirs.to_vec())))
}

/// A port of this host that nobody has in this moment.
fn free_port() -> u16 {
    let bound = std::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0));
    bound.and_then(|socket| socket.local_addr()).expect("a port").port()
}

fn median(mut list: Vec<Duration>) -> Duration {
    list.sort();
    list.get(list.len() / 2).copied().unwrap_or_default()
}

/// Polls until `done`.
async fn until(what: &str, every: Duration, mut done: impl AsyncFnMut() -> bool) -> Duration {
    let begun = Instant::now();
    while !done().await {
        assert!(begun.elapsed() < PATIENCE, "never {what}");
        sleep(every).await;
    }
    begun.elapsed()
}

fn manifest(name: &str, spec: &str) -> String {
    manifest_of("Postgres", name, spec)
}

fn manifest_of(kind: &str, name: &str, spec: &str) -> String {
    format!("apiVersion: seawall.dev/v1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {spec}\n")
}

/// A manifest that arrives as a whole.
fn put(manifests: &Path, file: &str, text: &str) {
    let path = manifests.join(file);
    let temporary = path.with_extension("tmp");
    fs::write(&temporary, text).expect("written");
    fs::rename(temporary, path).expect("renamed");
}

fn object(name: &str) -> ObjectRef {
    format!("postgres/{name}").parse().expect("a name")
}

/// An operator inside this process.
struct Bench {
    root: tempfile::TempDir,
    operator: Arc<Operator>,
    store: Arc<dyn Store>,
    installation: Installation,
    cancel: CancellationToken,
    driver: Option<JoinHandle<()>>,
}

impl Bench {
    fn new(docker: Arc<dyn Docker>, servers: Arc<dyn Servers>, times: Times) -> Self {
        let root = tempfile::tempdir().expect("a directory");
        fs::create_dir(root.path().join("manifests")).expect("a directory");
        let data = root.path().join("data");
        let store: Arc<dyn Store> = Arc::new(SledStore::open(&data).expect("a store"));
        let key = Key::load_or_create(&root.path().join("key"), false).expect("a key");
        let installation = installation();
        let config = Config {
            installation: installation.clone(),
            data,
            manifests: root.path().join("manifests"),
            env_file_roots: Vec::new(),
            reach: Reach::Host,
            times,
        };
        let sealer = Arc::new(Sealer::new(key, Algorithm::default()));
        let kinds = |tools: &Arc<workload::Tools>| {
            Kinds::of(Some(tools), Some(Postgres::new(tools, servers)), Some(Redis::real(tools)))
        };
        let operator =
            Operator::open(config, docker, kinds, Arc::clone(&store), sealer, true).expect("an operator");
        Self { root, operator, store, installation, cancel: CancellationToken::new(), driver: None }
    }

    fn write(&self, file: &str, text: &str) {
        put(&self.root.path().join("manifests"), file, text);
    }

    fn drive(&mut self) {
        self.driver = Some(tokio::spawn(drive(Arc::clone(&self.operator), self.cancel.clone())));
    }

    async fn stop(&mut self) {
        self.cancel.cancel();
        if let Some(driver) = self.driver.take() {
            let _ = tokio::time::timeout(Duration::from_secs(30), driver).await;
        }
    }

    /// One object, not the list: looking must cost less than what is looked at.
    async fn is_ready(&self, name: &str) -> bool {
        let Ok(view) = self.operator.object(&object(name)).await else { return false };
        let is = |kind: &str, truth: &str| {
            let all = view.status["conditions"].as_array();
            all.is_some_and(|c| c.iter().any(|c| c["type"] == kind && c["status"] == truth))
        };
        is("Ready", "True") && is("Progressing", "False")
    }

    async fn are_ready(&self, names: &[String]) -> bool {
        for name in names {
            if !self.is_ready(name).await {
                return false;
            }
        }
        true
    }

    async fn until_ready(&self, names: &[String], every: Duration) {
        for name in names {
            until("ready", every, async || self.is_ready(name).await).await;
        }
    }

    async fn until_happened(&self, names: &[String], reason: &str, every: Duration) {
        for name in names {
            until(reason, every, async || {
                let events = self.operator.events(Some(&object(name)), 0).await.expect("events");
                events.iter().any(|e| e.reason == reason)
            })
            .await;
        }
    }
}

impl Drop for Bench {
    /// Nothing is made any more, whatever went wrong.
    fn drop(&mut self) {
        self.cancel.cancel();
        if let Some(driver) = self.driver.take() {
            driver.abort();
        }
    }
}

fn installation() -> Installation {
    let id = random_id();
    Installation::parse(&format!("b{}", id.get(..8).unwrap_or("0"))).expect("a name")
}

#[tokio::main]
async fn main() {
    // `cargo bench` adds `--bench`.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    if let [first, services] = arguments.as_slice() {
        match (first.as_str(), services.parse()) {
            ("history-open-of", _) => return history::history_open_of(Path::new(services)),
            ("hostile-of", _) => return fake::hostile_of(Path::new(services)),
            ("http-of", Ok(services)) => return http::http_of(services).await,
            ("fake-of", Ok(services)) => return fake::fake_of(services).await,
            ("history-of", Ok(services)) => return history::history_of(services).await,
            ("history-rounds-of", Ok(services)) => return history::history_rounds_of(services).await,
            ("fake-engine-of", Ok(services)) => return fake::fake_engine_of(services).await,
            _ => {}
        }
    }
    let wanted = |section: &str| arguments.is_empty() || arguments.iter().any(|a| a == section);
    if wanted("binary") {
        fake::binary();
    }
    if wanted("hostile") {
        fake::hostile();
    }
    if wanted("fake") {
        fake::fake();
    }
    if wanted("history") {
        history::history();
    }
    if wanted("http") {
        http::http();
    }
    if wanted("hung") {
        fake::hung().await;
    }
    if wanted("provisioning") {
        Engine::new().provisioning().await;
    }
    if wanted("sweep") {
        Engine::new().sweep().await;
    }
    if wanted("repair") {
        Engine::new().repair().await;
    }
    if wanted("caps") {
        Engine::new().caps().await;
    }
    if wanted("rollout") {
        Engine::new().rollout().await;
    }
    if wanted("idle") {
        Engine::new().idle().await;
    }
    if wanted("links") {
        Engine::new().links().await;
    }
    if wanted("apps") {
        Engine::new().apps().await;
    }
}
