//! One Seawall with its own installation, data and manifests on the real engine; removed with all it
//! made when dropped, also after a failure.

use crate::kinds::postgres::KIND as POSTGRES;
use crate::kinds::{ALL, Ask, ByHand, Kind, Login};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Long enough for a busy two-core machine; reached only by a failing test. SEAWALL_TEST_PATIENCE gives an
/// emulated machine more seconds.
pub static PATIENCE: LazyLock<Duration> = LazyLock::new(|| {
    let seconds = std::env::var("SEAWALL_TEST_PATIENCE").ok().and_then(|s| s.parse().ok());
    Duration::from_secs(seconds.unwrap_or(90))
});

static NEXT: AtomicU32 = AtomicU32::new(0);

pub use crate::kinds::postgres::image;

/// The versions of PostgreSQL that tests use.
pub fn catalog() -> String {
    POSTGRES.catalog("local")
}

/// Which PostgreSQL the rows about links have: 17 with SEAWALL_TEST_VERSION=17, and where alpine's image is asked for, as that is
/// of no other.
pub fn version() -> &'static str {
    let is = |name, wanted: &str| std::env::var(name).is_ok_and(|value| value == wanted);
    if is("SEAWALL_TEST_VERSION", "17") || is("SEAWALL_TEST_IMAGES", "alpine") { "17" } else { "18" }
}

pub struct Sea {
    pub installation: String,
    pub manifests: PathBuf,
    pub data: PathBuf,
    /// Further arguments and environment of every command.
    pub docker_host: Option<String>,
    /// Goes before every command: `nsenter …` for an engine in a network of its own.
    pub prefix: Vec<String>,
    root: tempfile::TempDir,
    operator: Option<Child>,
}

impl Sea {
    /// An installation with the local catalog of PostgreSQL; no operator runs yet.
    pub fn new() -> Self {
        Self::of(&POSTGRES)
    }

    /// An installation with the local catalog of this kind; no operator runs yet.
    pub fn of(kind: &dyn Kind) -> Self {
        let root = tempfile::tempdir().unwrap();
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let installation = format!("t{:x}-{n:x}", std::process::id());
        let (manifests, data) = (root.path().join("manifests"), root.path().join("data"));
        fs::create_dir(&manifests).unwrap();
        fs::write(manifests.join("catalog.yaml"), kind.catalog("local")).unwrap();
        Self { installation, manifests, data, docker_host: None, prefix: Vec::new(), root, operator: None }
    }

    /// With a running operator.
    pub fn start() -> Self {
        Self::start_of(&POSTGRES)
    }

    pub fn start_of(kind: &dyn Kind) -> Self {
        let mut sea = Self::of(kind);
        sea.run();
        sea
    }

    pub fn root(&self) -> &Path {
        self.root.path()
    }

    /// Writes a manifest file, by rename as editors do.
    pub fn write(&self, file: &str, text: &str) {
        let path = self.manifests.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let temporary = path.with_extension("tmp");
        fs::write(&temporary, text).unwrap();
        fs::rename(temporary, path).unwrap();
    }

    /// Writes `NAME.yaml` with a Postgres of this spec, as [`Sea::put`] does.
    pub fn postgres(&self, name: &str, spec: &str) {
        self.put(name, spec);
    }

    /// Writes `main.yaml` with a Postgres of [`version`].
    pub fn main(&self) {
        self.put("main", &format!("{{version: '{}'}}", version()));
    }

    /// Writes `NAME.yaml` with an object of this spec (YAML flow style). With a running operator it
    /// returns once the new text was read: as a new generation, or as a broken manifest.
    pub fn put(&self, name: &str, spec: &str) {
        let before = self.operator.as_ref().map(|_| self.object(name));
        self.write(&file_of(name), &manifest(name, "", spec));
        let Some(before) = before.filter(|b| !b.is_null()) else { return };
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(5) {
            let now = self.object(name);
            if now["metadata"]["generation"] != before["metadata"]["generation"]
                || condition(&now["status"], "Degraded").1 == "ManifestBroken"
            {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn remove(&self, file: &str) {
        fs::remove_file(self.manifests.join(file)).unwrap();
    }

    pub fn container(&self, name: &str) -> String {
        format!("{}-{}", self.installation, object(name).replace('/', "-"))
    }
    pub fn volume(&self, name: &str) -> String {
        format!("{}-data", self.container(name))
    }

    /// A program that sees the same network as the engine.
    pub fn program(&self, program: &str) -> Command {
        match self.prefix.split_first() {
            None => Command::new(program),
            Some((first, rest)) => {
                let mut command = Command::new(first);
                command.args(rest).arg(program);
                command
            }
        }
    }

    pub fn command(&self) -> Command {
        let mut command = self.program(env!("CARGO_BIN_EXE_seawall"));
        command.args(["--installation", &self.installation, "--data"]).arg(&self.data).env("NO_COLOR", "1");
        command.env_remove("SEAWALL_REACH").current_dir(self.root.path());
        // As short as a test can wait; those about the graces say their own.
        command.envs([("SEAWALL_REMOVAL_GRACE", "1s"), ("SEAWALL_DELETION_GRACE", "2s")]);
        // Many run at once; those about the figures ask for a free port.
        command.env("SEAWALL_METRICS_ADDR", "off");
        if let Some(host) = &self.docker_host {
            command.args(["--docker-host", host]);
        }
        command
    }

    /// Starts the operator; its log goes to `operator.log`.
    pub fn run(&mut self) {
        self.run_with(&[]);
    }

    /// As `run`, with more environment. Returns once the operator answers, or has ended by itself: before
    /// that a verb would read the store, and see what an earlier operator left there.
    pub fn run_with(&mut self, environment: &[(&str, &str)]) {
        assert!(self.operator.is_none());
        let log = fs::OpenOptions::new().create(true).append(true).open(self.log_path()).unwrap();
        let child = self
            .command()
            .args(["run", "--manifests"])
            .arg(&self.manifests)
            .env("SEAWALL_LOG", "debug")
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.operator = Some(child);
        let deadline = Instant::now() + *PATIENCE;
        while !self.ended() && text(&self.cli(&["version"])).contains("none answers") {
            assert!(Instant::now() < deadline, "the operator never answered: {}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn ended(&mut self) -> bool {
        self.operator.as_mut().is_some_and(|child| child.try_wait().unwrap().is_some())
    }

    /// Whether the operator ended by itself; then it is forgotten.
    pub fn died(&mut self) -> bool {
        let ended = self.ended();
        if ended {
            self.operator = None;
        }
        ended
    }

    fn log_path(&self) -> PathBuf {
        self.root.path().join("operator.log")
    }
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }
    pub fn pid(&self) -> u32 {
        self.operator.as_ref().unwrap().id()
    }

    /// `kill -9`, as a crash.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.operator.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// SIGTERM; returns how long it took to leave.
    pub fn stop(&mut self) -> Duration {
        let mut child = self.operator.take().unwrap();
        let start = Instant::now();
        assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
        let status = child.wait().unwrap();
        assert!(status.success(), "{status}: {}", self.log());
        start.elapsed()
    }

    /// Runs a verb and returns everything it said.
    pub fn cli(&self, arguments: &[&str]) -> Output {
        self.command().args(arguments).stdin(Stdio::null()).output().unwrap()
    }

    /// Runs what an advice says, where `seawall` is the one under test.
    pub fn shell(&self, advice: &str) -> Output {
        let seawall = self.command();
        let words: Vec<_> = std::iter::once(seawall.get_program()).chain(seawall.get_args()).collect();
        let words: Vec<_> = words.iter().map(|word| format!("'{}'", word.to_str().unwrap())).collect();
        let script = format!("seawall() {{ {} \"$@\"; }}; {advice}", words.join(" "));
        Command::new("sh").args(["-ec", &script]).current_dir(self.root()).output().unwrap()
    }

    /// Runs a verb that must succeed and returns its output.
    pub fn ok(&self, arguments: &[&str]) -> String {
        let output = self.cli(arguments);
        assert!(output.status.success(), "{arguments:?}: {}\n{}", text(&output), self.log());
        String::from_utf8(output.stdout).unwrap()
    }

    /// The object as JSON; `Null` when there is none or no answer.
    pub fn object(&self, name: &str) -> Value {
        let output = self.cli(&["get", &object(name), "-o", "json"]);
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    }

    pub fn status(&self, name: &str) -> Value {
        self.object(name)["status"].clone()
    }

    /// `(status, reason, message)` of a condition; empty strings when there is none.
    pub fn condition(&self, name: &str, kind: &str) -> (String, String, String) {
        condition(&self.status(name), kind)
    }

    /// Waits until `done` says so about the status, and returns that status.
    pub fn until(&self, name: &str, what: &str, done: impl Fn(&Value) -> bool) -> Value {
        let start = Instant::now();
        loop {
            let object = self.object(name);
            let current = object["status"]["observedGeneration"] == object["metadata"]["generation"];
            if current && done(&object["status"]) {
                return object["status"].clone();
            }
            assert!(
                start.elapsed() < *PATIENCE,
                "{name}: not {what} in time: {object:#}\n{}\nevents: {}",
                self.log().lines().rev().take(40).collect::<Vec<_>>().join("\n"),
                text(&self.cli(&["events"]))
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Waits until the newest generation is Ready and nothing is left to do.
    pub fn ready(&self, name: &str) -> Value {
        self.until(name, "Ready", |status| {
            condition(status, "Ready").0 == "True" && condition(status, "Progressing").0 == "False"
        })
    }

    /// Waits until a condition has this status and reason.
    pub fn until_condition(&self, name: &str, kind: &str, truth: &str, reason: &str) -> String {
        let what = format!("{kind}={truth} {reason}");
        let status = self.until(name, &what, |status| {
            let (t, r, _) = condition(status, kind);
            t == truth && r == reason
        });
        condition(&status, kind).2
    }

    /// Waits for an event with this reason whose message contains `needle`.
    pub fn event(&self, reason: &str, needle: &str) {
        let start = Instant::now();
        loop {
            let events = self.ok(&["events"]);
            if events.lines().any(|l| l.contains(reason) && l.contains(needle)) {
                return;
            }
            assert!(start.elapsed() < *PATIENCE, "no event {reason} {needle:?}:\n{events}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    pub fn password(&self, name: &str) -> String {
        let json = self.ok(&["connection", &object(name), "--reveal", "-o", "json"]);
        let value: Value = serde_json::from_str(&json).unwrap();
        value["password"].as_str().unwrap().to_owned()
    }

    pub fn host_port(&self, name: &str) -> u16 {
        u16::try_from(self.status(name)["endpoint"]["hostPort"].as_u64().unwrap()).unwrap()
    }

    /// Runs SQL as the managed user over the published port; returns psql's unaligned output.
    pub fn sql(&self, name: &str, sql: &str) -> String {
        let output = self.try_sql(name, sql);
        assert!(output.status.success(), "{sql}: {}", text(&output));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// As `sql`, for a server that may not answer.
    pub fn try_sql(&self, name: &str, sql: &str) -> Output {
        let object = format!("postgres/{name}");
        let url = self.ok(&["connection", &object, "--reveal", "-o", "url"]);
        self.program("psql")
            .args([url.trim(), "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", sql])
            .output()
            .unwrap()
    }

    /// Who the owner is, with the password.
    pub fn login(&self, name: &str) -> Login {
        let json = self.ok(&["connection", &object(name), "--reveal", "-o", "json"]);
        let value: Value = serde_json::from_str(&json).unwrap();
        let word = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
        Login {
            container: self.container(name),
            port: value["host"]["port"].as_u64().unwrap_or_default(),
            username: word("username"),
            password: word("password"),
            database: word("database"),
        }
    }

    /// The kind's own client, with a new login.
    pub fn client(&self, at: &Login, name: &str, ask: Ask<'_>) -> Command {
        let (environment, words) = kind_of(name).client(at, ask);
        let mut command = self.program(&words[0]);
        command.args(&words[1..]).envs(environment);
        command
    }

    pub fn try_ask(&self, at: &Login, name: &str, ask: Ask<'_>) -> Output {
        self.client(at, name, ask).output().unwrap()
    }

    /// Whether a login with this password is let in.
    pub fn lets_in(&self, name: &str, password: &str) -> bool {
        let at = Login { password: password.to_owned(), ..self.login(name) };
        self.try_ask(&at, name, Ask::Login).status.success()
    }

    fn ask(&self, name: &str, ask: Ask<'_>) -> String {
        let output = self.try_ask(&self.login(name), name, ask);
        assert!(output.status.success(), "{name} {ask:?}: {}", text(&output));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Writes a number into the data.
    pub fn keep(&self, name: &str, number: u32) {
        self.ask(name, Ask::Keep(number));
    }

    /// All numbers in the data, in order.
    pub fn kept(&self, name: &str) -> Vec<u32> {
        let said = self.ask(name, Ask::Kept);
        let mut numbers: Vec<u32> = said.lines().map(|line| line.trim().parse().expect(&said)).collect();
        numbers.sort_unstable();
        numbers
    }

    pub fn flush(&self, name: &str) {
        self.ask(name, Ask::Flush);
    }

    /// What the server says a parameter is.
    pub fn parameter(&self, name: &str, parameter: &str) -> String {
        self.ask(name, Ask::Parameter(parameter))
    }

    pub fn by_hand(&self, what: &ByHand) {
        for command in &what.commands {
            self.docker(&command.iter().map(String::as_str).collect::<Vec<_>>());
        }
    }

    pub fn docker(&self, arguments: &[&str]) -> String {
        docker_at(self.docker_host.as_deref(), arguments)
    }

    /// The host's pid of the server itself.
    pub fn server(&self, name: &str) -> String {
        let all = processes(&self.container(name));
        let kind = kind_of(name);
        all.iter().find(|(_, args)| kind.is_server(args)).unwrap_or_else(|| panic!("{all:?}")).0.clone()
    }

    /// `docker inspect` of a container as JSON.
    pub fn inspect(&self, name: &str) -> Value {
        let all: Value = serde_json::from_str(&self.docker(&["inspect", &self.container(name)])).unwrap();
        all[0].clone()
    }

    /// Names of this installation's containers, sorted.
    pub fn containers(&self) -> Vec<String> {
        let filter = format!("label=seawall.dev/installation={}", self.installation);
        let names = self.docker(&["ps", "-a", "--filter", &filter, "--format", "{{.Names}}"]);
        let mut names: Vec<String> = names.lines().map(str::to_owned).collect();
        names.sort();
        names
    }

    pub fn volumes(&self) -> Vec<String> {
        let filter = format!("label=seawall.dev/installation={}", self.installation);
        let names = self.docker(&["volume", "ls", "-q", "--filter", &filter]);
        let mut names: Vec<String> = names.lines().map(str::to_owned).collect();
        names.sort();
        names
    }

    fn clean_up(&self) {
        let filter = format!("label=seawall.dev/installation={}", self.installation);
        for (list, remove) in [
            (vec!["ps", "-aq", "--filter", filter.as_str()], vec!["rm", "-fv"]),
            (vec!["volume", "ls", "-q", "--filter", filter.as_str()], vec!["volume", "rm", "-f"]),
            (vec!["network", "ls", "-q", "--filter", filter.as_str()], vec!["network", "rm"]),
        ] {
            let run = |arguments: &[&str]| {
                let mut command = Command::new("docker");
                if let Some(host) = &self.docker_host {
                    command.args(["-H", host]);
                }
                command.args(arguments).output()
            };
            let Ok(listed) = run(&list) else { continue };
            let ids = String::from_utf8_lossy(&listed.stdout).into_owned();
            let ids: Vec<&str> = ids.split_whitespace().collect();
            if !ids.is_empty() {
                let _ = run(&[remove, ids].concat());
            }
        }
    }
}

impl Drop for Sea {
    fn drop(&mut self) {
        if let Some(mut child) = self.operator.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        self.clean_up();
    }
}

/// A Postgres, unless the kind is said: `redis/cache`.
fn object(name: &str) -> String {
    if name.contains('/') { name.to_owned() } else { format!("postgres/{name}") }
}

/// `a.yaml` of `redis/a`.
fn file_of(name: &str) -> String {
    format!("{}.yaml", name.rsplit('/').next().unwrap_or(name))
}

/// The kind of an object.
fn kind_of(name: &str) -> &'static dyn Kind {
    let object = object(name);
    *ALL.iter().find(|kind| object == kind.object(object.rsplit('/').next().unwrap())).expect(&object)
}

/// A Postgres manifest.
pub fn postgres(name: &str, spec: &str) -> String {
    manifest(name, "", spec)
}

/// The manifest of an object; annotations in YAML's flow style.
pub fn manifest(name: &str, annotations: &str, spec: &str) -> String {
    let (kind, object) = (kind_of(name).kind(), object(name));
    let name = object.rsplit('/').next().unwrap();
    let more =
        if annotations.is_empty() { String::new() } else { format!(", annotations: {{{annotations}}}") };
    format!("apiVersion: seawall.dev/v1\nkind: {kind}\nmetadata: {{name: {name}{more}}}\nspec: {spec}\n")
}

pub fn condition(status: &Value, kind: &str) -> (String, String, String) {
    let found = status["conditions"].as_array().and_then(|c| c.iter().find(|c| c["type"] == kind).cloned());
    let found = found.unwrap_or_default();
    let word = |key: &str| found[key].as_str().unwrap_or_default().to_owned();
    (word("status"), word("reason"), word("message"))
}

/// Whether something is degraded that is the object's own: the machine's disk may be low for all of them.
pub fn is_degraded(status: &Value) -> bool {
    let (is, reason, _) = condition(status, "Degraded");
    is == "True" && reason != "DiskLow"
}

pub fn docker(arguments: &[&str]) -> String {
    docker_at(None, arguments)
}

fn docker_at(host: Option<&str>, arguments: &[&str]) -> String {
    let mut command = Command::new("docker");
    if let Some(host) = host {
        command.args(["-H", host]);
    }
    let output = command.args(arguments).output().expect("docker must be installed: deploy/setup.sh");
    assert!(output.status.success(), "docker {arguments:?}: {}", text(&output));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Again where the engine could not: the kernel's freezer (cgroup v1) loses to processes that fork, and runc gives up.
pub fn pause(container: &str) {
    wait_for("a pause", || {
        let output = Command::new("docker").args(["pause", container]).output().unwrap();
        (output.status.success() || text(&output).contains("already paused")).then_some(())
    });
}

/// The host's pids and the arguments of the processes in a container.
pub fn processes(container: &str) -> Vec<(String, String)> {
    let top = docker(&["top", container, "-eo", "pid,args"]);
    let lines = top.lines().skip(1).filter_map(|l| l.trim().split_once(' '));
    lines.map(|(pid, args)| (pid.to_owned(), args.trim().to_owned())).collect()
}

/// To those that are still there: a client's process may have ended since they were listed.
pub fn signal(signal: &str, pids: &[String]) {
    assert!(!pids.is_empty());
    Command::new("kill").arg(signal).args(pids).output().unwrap();
}

/// Stopped processes go on when this ends, also after a failure.
pub struct Frozen(Vec<String>);

impl Frozen {
    pub fn new(pids: Vec<String>) -> Self {
        signal("-STOP", &pids);
        Self(pids)
    }

    /// All of a container.
    pub fn container(container: &str) -> Self {
        Self::new(processes(container).into_iter().map(|(pid, _)| pid).collect())
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg("-CONT").args(&self.0).output();
    }
}

/// Everything a command said.
pub fn text(output: &Output) -> String {
    format!(
        "{} {}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// A status without the figures that are others' as well, or other ones at each look: free room on the disk, and what a probe
/// read.
pub fn but_for_figures(mut status: Value) -> Value {
    if let Some(volume) = status["volume"].as_object_mut() {
        volume.remove("free");
    }
    if let Some(status) = status.as_object_mut() {
        status.remove("walHealth");
        status.remove("monitoring");
    }
    if let Some(conditions) = status["conditions"].as_array_mut() {
        conditions.retain(|c| c["type"] != "DiskPressure");
    }
    status
}

/// Waits until `done` gives something.
pub fn wait_for<T>(what: &str, mut done: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(got) = done() {
            return got;
        }
        assert!(start.elapsed() < *PATIENCE, "{what}: not in time");
        std::thread::sleep(Duration::from_millis(50));
    }
}
