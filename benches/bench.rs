//! What Seawall costs, beside the same calls sent raw in the same run. Prints, asserts nothing.
//!
//! `cargo bench --bench bench [-- SECTION…]`; sections: `fake`, `binary` and `hostile` need no Docker,
//! `provisioning`, `sweep`, `repair`, `caps` and `idle` use the local engine and the images of
//! `deploy/images/build.sh`. SEAWALL_BENCH_SERVICES sets how many services (12), SEAWALL_BENCH_SECONDS
//! how long `idle` looks (60), SEAWALL_BENCH_FAKE how many fake ones (10000). Numbers taken while
//! others use the machine are not to be trusted.

use futures_util::{StreamExt, stream};
use seawall::control::api::Api;
use seawall::control::driver::drive;
use seawall::control::operator::{Config, Operator, Times};
use seawall::control::registry::Kinds;
use seawall::core::identity::Identity;
use seawall::core::names::{Installation, ObjectRef, label};
use seawall::core::neighbours::Around;
use seawall::core::pairs::Pairs;
use seawall::core::quantity::Bytes;
use seawall::core::resource::{Caps, DeletionPolicy, PortRequest};
use seawall::core::seen::{LiveUpdate, SeenImage};
use seawall::core::will::Asked;
use seawall::docker::fake::FakeDocker;
use seawall::docker::{BollardDocker, Docker, FileToPut};
use seawall::kinds::postgres::Postgres;
use seawall::kinds::postgres::check::Checked;
use seawall::kinds::postgres::client::{Network, Servers};
use seawall::kinds::postgres::desired::{PASSWORD_FILE, parameter_file, process};
use seawall::kinds::postgres::facts::{Contents, facts};
use seawall::kinds::postgres::fake_server::FakeServers;
use seawall::kinds::postgres::parameters;
use seawall::kinds::postgres::plan::Subject;
use seawall::kinds::postgres::record::Memory;
use seawall::secrets::{Algorithm, Key, Sealer, random_id};
use seawall::store::{SledStore, Store};
use seawall::workload;
use seawall::workload::desired::container;
use seawall::workload::tools::Reach;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

#[path = "../tests/common/hostile.rs"]
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
    format!("apiVersion: seawall.dev/v1\nkind: Postgres\nmetadata: {{name: {name}}}\nspec: {spec}\n")
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
            reach: Reach::Host,
            times,
        };
        let sealer = Arc::new(Sealer::new(key, Algorithm::default()));
        let kinds =
            |tools: &Arc<workload::Tools>| Kinds::all(Some(tools)).with(Postgres::new(tools, servers));
        let operator =
            Operator::open(config, docker, kinds, Arc::clone(&store), sealer, true).expect("an operator");
        Self { root, operator, store, installation, cancel: CancellationToken::new(), driver: None }
    }

    fn write(&self, file: &str, text: &str) {
        let path = self.root.path().join("manifests").join(file);
        let temporary = path.with_extension("tmp");
        fs::write(&temporary, text).expect("written");
        fs::rename(temporary, path).expect("renamed");
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

fn installation() -> Installation {
    let id = random_id();
    Installation::parse(&format!("b{}", id.get(..8).unwrap_or("0"))).expect("a name")
}

// Without Docker

fn fake_engine() -> Arc<FakeDocker> {
    let fake = Arc::new(FakeDocker::new());
    fake.add_image(SeenImage {
        id: format!("sha256:{}", "01".repeat(32)),
        tags: vec![IMAGE.to_owned()],
        digests: Vec::new(),
        env: Pairs::from([("PG_MAJOR", "18"), ("PGDATA", "/var/lib/postgresql/18/docker")]),
        labels: Pairs::from([(label::MANAGED, "true")]),
        volumes: vec!["/var/lib/postgresql".to_owned()],
        architecture: "amd64".to_owned(),
        user: String::new(),
        stop_signal: "SIGINT".to_owned(),
        cmd: vec!["postgres".to_owned()],
        entrypoint: vec!["docker-entrypoint.sh".to_owned()],
    });
    fake.add_image_file(IMAGE, "/etc/passwd", b"postgres:x:999:999::/:/bin/sh\n");
    fake.add_image_file(IMAGE, "/usr/bin/postgres", b"postgres");
    fake
}

/// The simulated engine alone with as many containers, in a process of its own: what of the memory is not
/// the operator's.
async fn fake_engine_of(services: usize) {
    let empty = resident_mb(std::process::id());
    let engine = Engine { docker: fake_engine(), services };
    engine.raw(&installation(), &engine.names(), false).await;
    let resident = resident_mb(std::process::id()) - empty;
    line(&format!("fake, {services} services: the engine alone"), format!("{resident:.0} MB"), "");
}

/// In a process of its own, so that memory is that of one size only.
async fn fake_of(services: usize) {
    let fake = fake_engine();
    let servers = Arc::new(FakeServers::new(Arc::clone(&fake)));
    let times = Times { sweep: Duration::from_secs(5), probe: HOUR, look: HOUR, ..Times::default() };
    let empty = resident_mb(std::process::id());
    let mut bench = Bench::new(fake.clone(), servers, times);
    let names: Vec<String> = (0..services).map(|n| format!("p{n:05}")).collect();
    for (file, names) in names.chunks(100).enumerate() {
        let spec = format!("{{image: '{IMAGE}', resources: {{memory: 256Mi}}}}");
        let documents: Vec<String> = names.iter().map(|name| manifest(name, &spec)).collect();
        bench.write(&format!("f{file:03}.yaml"), &documents.join("---\n"));
    }
    let begun = Instant::now();
    bench.drive();
    until("a first plan", Duration::from_millis(1), async || fake.writes() > 0).await;
    let first = begun.elapsed();
    bench.until_ready(&names, Duration::from_millis(20)).await;
    let all = begun.elapsed();
    sleep(Duration::from_secs(2)).await;
    fake.reset_calls();
    let before = cpu(std::process::id());
    sleep(Duration::from_secs(20)).await;
    let used = cpu(std::process::id()) - before;
    let calls = fake.call_log();
    let lists = calls.get("list").copied().unwrap_or(0).max(1);
    line(&format!("fake, {services} services: cold start to first plan"), seconds(first), "< 2 s at 10,000");
    line(&format!("fake, {services} services: cold start to all ready"), seconds(all), "");
    line(
        &format!("fake, {services} services: CPU of a sweep"),
        ms(used / u32::try_from(lists).unwrap_or(1)),
        "linear",
    );
    line(
        &format!("fake, {services} services: calls of {lists} sweeps"),
        format!("{calls:?}"),
        "one list each",
    );
    let resident = resident_mb(std::process::id());
    line(
        &format!("fake, {services} services: resident, engine and store included"),
        format!("{resident:.0} MB"),
        &format!("< 250 MB at 10,000 ({empty:.0} MB empty)"),
    );
    bench.stop().await;
}

fn fake() {
    let most = setting("SEAWALL_BENCH_FAKE", 10_000);
    for services in [most / 4, most / 2, most] {
        let me = std::env::current_exe().expect("this program");
        for what in ["fake-engine-of", "fake-of"] {
            let status = Command::new(&me).args([what, &services.to_string()]).status().expect("a run");
            assert!(status.success());
        }
    }
}

/// Most that reading and checking manifests takes, for each byte of them, above what an empty one takes.
fn hostile() {
    let me = std::env::current_exe().expect("this program");
    let peak = |files: &[String]| -> (f64, Duration) {
        let dir = tempfile::tempdir().expect("a directory");
        for (n, text) in files.iter().enumerate() {
            fs::write(dir.path().join(format!("{n:02}.yaml")), text).expect("a file");
        }
        let begun = Instant::now();
        let output = Command::new(&me).arg("hostile-of").arg(dir.path()).output().expect("a run");
        let took = begun.elapsed();
        let kib: f64 = String::from_utf8_lossy(&output.stdout).trim().parse().expect("a figure");
        (kib * 1024.0, took)
    };
    let (empty, _) = peak(&[String::new()]);
    let mut shapes: Vec<(String, Vec<String>)> =
        hostile_shapes::shapes().into_iter().map(|(what, text)| (what.to_owned(), vec![text])).collect();
    let words = shapes.iter().find(|(what, _)| what == "lists of words").map(|(_, files)| files[0].clone());
    shapes.push(("32 files of such lists".to_owned(), vec![words.unwrap_or_default(); 32]));
    for (what, files) in shapes {
        let size: usize = files.iter().map(String::len).sum();
        let (most, took) = peak(&files);
        let figure = format!("{:.1} ×", (most - empty).max(0.0) / size as f64);
        let detail =
            format!("{:.1} MB of {:.2} MB of text, {}", (most - empty) / 1e6, size as f64 / 1e6, ms(took));
        line(&format!("hostile: {what}"), figure, &detail);
    }
}

/// In a process of its own, so that its peak is that of one directory.
fn hostile_of(dir: &Path) {
    let report = seawall::control::validate::validate(dir).expect("a directory");
    std::hint::black_box(&report);
    let status = fs::read_to_string("/proc/self/status").expect("its own status");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    println!("{}", peak.trim().trim_end_matches(" kB"));
}

fn binary() {
    let size = fs::metadata(env!("CARGO_BIN_EXE_seawall")).map(|m| m.len()).unwrap_or(0);
    line("release binary", format!("{:.1} MB", size as f64 / 1e6), "< 25 MB");
}

// With Docker

struct Engine {
    docker: Arc<dyn Docker>,
    services: usize,
}

impl Engine {
    fn new() -> Self {
        let docker: Arc<dyn Docker> = Arc::new(BollardDocker::connect(None).expect("a Docker engine"));
        Self { docker, services: setting("SEAWALL_BENCH_SERVICES", 12) }
    }

    fn names(&self) -> Vec<String> {
        (0..self.services).map(|n| format!("p{n:03}")).collect()
    }

    fn bench(&self, times: Times) -> Bench {
        Bench::new(Arc::clone(&self.docker), Arc::new(Network), times)
    }

    /// With all services Ready.
    async fn running(&self, times: Times, services: &[String], spec: &str) -> Bench {
        let mut bench = self.bench(times);
        for name in services {
            bench.write(&format!("{name}.yaml"), &manifest(name, spec));
        }
        bench.drive();
        bench.until_ready(services, Duration::from_millis(100)).await;
        bench
    }

    async fn clean(&self, installation: &Installation) {
        let ours = [(label::INSTALLATION, installation.as_str())];
        let containers = self.docker.list(&ours).await.unwrap_or_default();
        stream::iter(containers)
            .for_each_concurrent(AT_ONCE, |c| async move { drop(self.docker.remove(&c.id).await) })
            .await;
        for volume in self.docker.volumes(&ours).await.unwrap_or_default() {
            drop(self.docker.remove_volume(&volume.name).await);
        }
        for network in self.docker.networks(&installation.network()).await.unwrap_or_default() {
            drop(self.docker.remove_network(&network.id).await);
        }
    }

    /// The same containers by the same adapter, without an operator, each with a published port or without; their names.
    async fn raw(&self, installation: &Installation, names: &[String], publish: bool) -> Vec<String> {
        let image = self.docker.image(IMAGE).await.expect("an answer").expect("deploy/images/build.sh");
        let contents = Contents {
            passwd: "postgres:x:999:999::/:/bin/sh".to_owned(),
            server: Some("/usr/bin/postgres".to_owned()),
            ..Contents::default()
        };
        let image = facts(&image, &contents).expect("a PostgreSQL image");
        let spec = Checked {
            work: workload::Checked {
                image: IMAGE.parse().expect("a reference"),
                caps: Caps::default(),
                force_caps: false,
                port: PortRequest::None,
                stopped: false,
                deletion: DeletionPolicy::Retain,
                restart_automatically: true,
                paused: false,
                delete_confirmed: false,
                volume_users: std::collections::BTreeSet::new(),
                at_once: 1,
            },
            database: "app".to_owned(),
            username: "postgres".to_owned(),
            parameters: BTreeMap::new(),
            skip_trial: false,
            accept_cluster: None,
            accept_collation_change: false,
        };
        let identity = |name: &str| Identity {
            installation: installation.clone(),
            store: "raw".to_owned(),
            object: object(name),
            uid: String::new(),
            generation: 1,
            home: None,
        };
        let any = identity("any");
        drop(self.docker.create_network(&any.network(), &any.installation_labels()).await);
        let file = |path: &str, mode, text: String| FileToPut {
            path: path.to_owned(),
            mode,
            uid: 0,
            gid: image.gid,
            content: Zeroizing::new(text.into_bytes()),
        };
        let each = stream::iter(names.iter().cloned()).map(|name| {
            let id = identity(&name);
            let (memory, asked, around) = (Memory::default(), Asked::default(), Around::default());
            let subject = Subject {
                identity: &id,
                spec: &spec,
                asked: &asked,
                memory: &memory,
                present: true,
                around: &around,
            };
            let process = process(&spec, &image, &memory);
            let port = publish.then(free_port);
            let desired = container(&subject.work(), &image.work, &memory.work, port, &process);
            let text = parameter_file(&id, &spec, &image);
            let files = [file(parameters::PATH, 0o644, text), file(PASSWORD_FILE, 0o440, "raw".to_owned())];
            async move {
                self.docker.create_volume(&id.volume(), &id.labels()).await.expect("a volume");
                let made = self.docker.create(&desired).await.expect("a container");
                self.docker.put_files(&made, &files).await.expect("files");
                self.docker.start(&made).await.expect("a start");
                desired.name
            }
        });
        each.buffer_unordered(AT_ONCE).collect().await
    }

    /// The same by the engine's own client, as a user would.
    async fn docker_run(&self, installation: &Installation, names: &[String]) {
        let network = installation.network();
        let labels = BTreeMap::from([(label::INSTALLATION.to_owned(), installation.to_string())]);
        self.docker.create_network(&network, &labels).await.expect("a network");
        let run = |name: String| {
            let (ours, network) = (format!("{}={installation}", label::INSTALLATION), network.clone());
            async move {
                let volume = format!("{installation}-{name}-data");
                let labels = BTreeMap::from([(label::INSTALLATION.to_owned(), installation.to_string())]);
                self.docker.create_volume(&volume, &labels).await.expect("a volume");
                let port = format!("127.0.0.1:{}:5432", free_port());
                let mount = format!("{volume}:/var/lib/postgresql");
                let done = tokio::process::Command::new("docker")
                    .args(["run", "-d", "--label", &ours, "--network", &network, "-p", &port, "-v", &mount])
                    .args(["-e", "POSTGRES_PASSWORD=bench", IMAGE])
                    .output()
                    .await
                    .expect("docker");
                assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
            }
        };
        stream::iter(names.iter().cloned()).map(run).buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
    }

    /// All in turn, three times: a start takes as long as the disk and the kernel let it.
    async fn provisioning(&self) {
        self.provision("port: none", "port: none", false).await;
        self.provision("default spec", "database: app", true).await;
    }

    async fn provision(&self, what: &str, spec: &str, publish: bool) {
        let names = self.names();
        let (mut raws, mut runs, mut starts, mut readies) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for _ in 0..3 {
            let raw = installation();
            let begun = Instant::now();
            self.raw(&raw, &names, publish).await;
            raws.push(begun.elapsed());
            self.clean(&raw).await;
            if publish {
                let run = installation();
                let begun = Instant::now();
                self.docker_run(&run, &names).await;
                runs.push(begun.elapsed());
                self.clean(&run).await;
            }
            let mut bench = self.bench(Times::default());
            for name in &names {
                bench.write(
                    &format!("{name}.yaml"),
                    &manifest(name, &format!("{{image: '{IMAGE}', {spec}}}")),
                );
            }
            let begun = Instant::now();
            bench.drive();
            let every = Duration::from_millis(5);
            bench.until_happened(&names, "ContainerStarted", every).await;
            starts.push(begun.elapsed());
            bench.until_ready(&names, every).await;
            readies.push(begun.elapsed());
            bench.stop().await;
            self.clean(&bench.installation).await;
        }
        let head = format!("provisioning {}, {what}", names.len());
        line(&format!("{head}: the same calls raw, {AT_ONCE} at a time"), seconds(median(raws.clone())), "");
        line(&format!("{head}: manifests to all started"), seconds(median(starts.clone())), "");
        line(&format!("{head}: ratio to the raw calls"), ratios(&starts, &raws), "≤ 1.05");
        if publish {
            line(&format!("{head}: docker run, {AT_ONCE} at a time"), seconds(median(runs.clone())), "");
            line(&format!("{head}: ratio to docker run"), ratios(&starts, &runs), "≤ 1.1");
        }
        line(&format!("{head}: manifests to all Ready"), seconds(median(readies)), "");
    }

    async fn sweep(&self) {
        let names = self.names();
        let times = Times { sweep: Duration::from_secs(1), look: HOUR, ..Times::default() };
        let mut bench = self.running(times, &names, &format!("{{image: '{IMAGE}'}}")).await;
        sleep(Duration::from_secs(5)).await;
        let records = bench.store.records("").expect("records");
        let before = cpu(std::process::id());
        sleep(Duration::from_secs(30)).await;
        let used = cpu(std::process::id()) - before;
        let writes = usize::from(bench.store.records("").expect("records") != records);
        bench.stop().await;
        self.clean(&bench.installation).await;
        let all = names.len();
        line(&format!("sweep of {all} unchanged: CPU, probes included"), ms(used / 30), "≤ 10 ms at 40");
        line(&format!("sweep of {all} unchanged: store changed"), writes, "0");
    }

    async fn repair(&self) {
        let raw_installation = installation();
        let raw = self.raw(&raw_installation, &["raw".to_owned()], false).await.remove(0);
        let mut bench =
            self.running(Times::default(), &["p".to_owned()], &format!("{{image: '{IMAGE}'}}")).await;
        let name = bench.installation.container(&object("p"));
        let (mut starts, mut backs) = (Vec::new(), Vec::new());
        for _ in 0..5 {
            kill(&raw);
            let begun = Instant::now();
            self.docker.start(&raw).await.expect("a start");
            starts.push(begun.elapsed());
            let seen = self.docker.inspect(&name).await.ok().flatten().expect("a container");
            kill(&name);
            backs.push(
                until("back", Duration::from_millis(3), async || {
                    let now = self.docker.inspect(&name).await.ok().flatten();
                    now.is_some_and(|c| c.state.as_str() == "running" && c.started_at != seen.started_at)
                })
                .await,
            );
            bench.until_ready(&["p".to_owned()], Duration::from_millis(50)).await;
        }
        bench.stop().await;
        self.clean(&bench.installation).await;
        self.clean(&raw_installation).await;
        line("killed: raw start (median of 5)", ms(median(starts.clone())), "");
        line("killed: running again (median of 5)", ms(median(backs.clone())), "");
        line("killed: more than raw", ms(median(backs).saturating_sub(median(starts))), "≤ 100 ms");
    }

    async fn caps(&self) {
        let raw_installation = installation();
        let raw = self.raw(&raw_installation, &["raw".to_owned()], false).await.remove(0);
        let mut bench =
            self.running(Times::default(), &["p".to_owned()], &format!("{{image: '{IMAGE}'}}")).await;
        let name = bench.installation.container(&object("p"));
        let (mut updates, mut lives) = (Vec::new(), Vec::new());
        for mib in [512u64, 768, 1024, 1280, 1536] {
            let caps = Caps { memory: Some(Bytes(mib << 20)), ..Caps::default() };
            let begun = Instant::now();
            let change = LiveUpdate { caps: Some(caps), restart: None };
            self.docker.update(&raw, &change).await.expect("an update");
            updates.push(begun.elapsed());
            sleep(Duration::from_millis(2_500)).await;
            bench.write(
                "p.yaml",
                &manifest("p", &format!("{{image: '{IMAGE}', resources: {{memory: {mib}Mi}}}}")),
            );
            // From rest, as a person saves: the engine takes a second to tell use again.
            lives.push(
                until("live", Duration::from_millis(3), async || {
                    let now = self.docker.inspect(&name).await.ok().flatten();
                    now.is_some_and(|c| c.caps == caps)
                })
                .await,
            );
        }
        bench.stop().await;
        self.clean(&bench.installation).await;
        self.clean(&raw_installation).await;
        line("cap: raw update (median of 5)", ms(median(updates.clone())), "");
        line("cap: manifest saved to cap live (median of 5)", ms(median(lives.clone())), "");
        line("cap: more than raw", ms(median(lives).saturating_sub(median(updates))), "≤ 300 ms");
    }

    /// The program itself, as a process of its own.
    async fn idle(&self) {
        let root = tempfile::tempdir().expect("a directory");
        let (installation, names) = (installation(), self.names());
        let manifests = root.path().join("manifests");
        fs::create_dir(&manifests).expect("a directory");
        for name in &names {
            let text = manifest(name, &format!("{{image: '{IMAGE}', resources: {{memory: 128Mi}}}}"));
            fs::write(manifests.join(format!("{name}.yaml")), text).expect("written");
        }
        let data = root.path().join("data");
        let seawall = |arguments: &[&str]| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_seawall"));
            command.args(["--installation", installation.as_str(), "--data"]).arg(&data).args(arguments);
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            command
        };
        let mut operator = seawall(&["run", "--manifests", &text_of(&manifests)]).spawn().expect("a process");
        for name in &names {
            let name = format!("postgres/{name}");
            let waited = seawall(&["wait", &name, "--for=condition=Ready", "--timeout=600s"]).status();
            assert!(waited.is_ok_and(|s| s.success()), "{name} never ready");
        }
        sleep(Duration::from_secs(10)).await;
        let time = Duration::from_secs(setting("SEAWALL_BENCH_SECONDS", 60) as u64);
        let before = cpu(operator.id());
        sleep(time).await;
        let used = cpu(operator.id()) - before;
        let resident = resident_mb(operator.id());
        drop(Command::new("kill").arg(operator.id().to_string()).status());
        drop(operator.wait());
        self.clean(&installation).await;
        let share = used.as_secs_f64() / time.as_secs_f64() * 100.0;
        let all = names.len();
        line(
            &format!("{all} services idle for {time:?}: CPU of one core"),
            format!("{share:.2} %"),
            "< 1 % at 200",
        );
        line(&format!("{all} services idle: resident"), format!("{resident:.1} MB"), "< 40 MB at 200");
    }
}

fn text_of(path: &Path) -> String {
    PathBuf::from(path).display().to_string()
}

fn kill(container: &str) {
    let done = Command::new("docker").args(["kill", container]).stdout(Stdio::null()).status();
    assert!(done.is_ok_and(|s| s.success()), "docker kill {container}");
}

#[tokio::main]
async fn main() {
    // `cargo bench` adds `--bench`.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    if let [first, services] = arguments.as_slice() {
        match (first.as_str(), services.parse()) {
            ("hostile-of", _) => return hostile_of(Path::new(services)),
            ("fake-of", Ok(services)) => return fake_of(services).await,
            ("fake-engine-of", Ok(services)) => return fake_engine_of(services).await,
            _ => {}
        }
    }
    let wanted = |section: &str| arguments.is_empty() || arguments.iter().any(|a| a == section);
    if wanted("binary") {
        binary();
    }
    if wanted("hostile") {
        hostile();
    }
    if wanted("fake") {
        fake();
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
    if wanted("idle") {
        Engine::new().idle().await;
    }
}
