//! An `Api` that answers from a script, a `Backend` around it, and a place to run commands in.

use async_trait::async_trait;
use futures_util::stream::{self, StreamExt};
use seawall::cli::backend::{Backend, Check, OfflineError, Validated};
use seawall::cli::out::Out;
use seawall::cli::settings::{Environment, RunSettings, Settings};
use seawall::control::api::*;
use seawall::control::registry::Kinds;
use seawall::core::access::Grant;
use seawall::core::condition::{Condition, ConditionType, Truth};
use seawall::core::event::{Event, EventType};
use seawall::core::names::{Kind, Name, ObjectRef};
use seawall::core::problem::{Place as At, Problem};
use seawall::kinds::{Ask, End};
use seawall::secrets::Algorithm;
use serde_json::json;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

pub const PUBLIC_KEY: &str = "swk1-9b16d501-sNCPNbRoM4FImvsygl5ZFS1H0ZvJ4FDW1alUmEydHiw";
pub const TOKEN: &str = "swl_00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
pub const PASSWORD: &str = "ThePasswordThatNobodyMaySee1";

/// What the API holds; tests change it between calls.
#[derive(Clone, Default)]
pub struct World {
    pub list: ObjectList,
    pub plan: PlanList,
    pub events: Vec<Event>,
    pub prune: PruneView,
    pub applied: Applied,
    pub keys: KeyList,
    pub check: KeyCheck,
    pub test: TestView,
    pub top: TopList,
    pub history: HistoryView,
    pub recommend: RecommendList,
    pub jobs: JobList,
    pub inspected: InspectView,
    pub kill: KillView,
    pub diagnosis: DiagnosisView,
    pub tokens: Vec<TokenView>,
    pub audit: Vec<AuditEntry>,
    /// Its manifests are being written.
    pub unread: bool,
    /// What every deletion answers.
    pub deletes_refused: Option<ApiError>,
    /// What every change of a document answers.
    pub writes_refused: Option<ApiError>,
    /// Logs end, and with no error.
    pub log_ends: bool,
    /// It is another process each time it is asked.
    pub restarts: bool,
    /// Every question fails with it.
    pub error: Option<ApiError>,
    /// Every question hangs.
    pub hang: bool,
    pub calls: Vec<String>,
}

#[derive(Clone, Default)]
pub struct Fake(pub Arc<Mutex<World>>);

impl Fake {
    pub fn with(f: impl FnOnce(&mut World)) -> Self {
        let fake = Self::default();
        fake.change(f);
        fake
    }
    pub fn change(&self, f: impl FnOnce(&mut World)) {
        f(&mut self.0.lock().unwrap());
    }
    pub fn calls(&self) -> Vec<String> {
        self.0.lock().unwrap().calls.clone()
    }
    async fn asked(&self, call: String) -> Result<World> {
        let world = {
            let mut world = self.0.lock().unwrap();
            world.calls.push(call);
            world.clone()
        };
        if world.hang {
            std::future::pending::<()>().await;
        }
        match &world.error {
            Some(error) => Err(error.clone()),
            None => Ok(world),
        }
    }
}

#[async_trait]
impl Api for Fake {
    async fn operator(&self) -> Result<OperatorView> {
        let world = self.asked("operator".into()).await?;
        let process = if world.restarts { world.calls.len() } else { 0 };
        Ok(OperatorView {
            version: "9.9.9".into(),
            installation: "default".into(),
            store: "s1".into(),
            pid: 42,
            started_at: format!("2026-08-10T12:00:{process:02}Z"),
            manifests: "/m".into(),
            engine: "20.10.24".into(),
            metrics: Some("http://127.0.0.1:9188/metrics".into()),
            metrics_trouble: None,
        })
    }
    async fn objects(&self) -> Result<ObjectList> {
        Ok(ObjectList { kinds: kind_views(&Kinds::all(None)), ..self.asked("objects".into()).await?.list })
    }
    async fn object(&self, object: &ObjectRef) -> Result<ObjectView> {
        let world = self.asked(format!("object {object}")).await?;
        let found = world
            .list
            .items
            .into_iter()
            .find(|v| v.kind == object.kind.as_str() && v.metadata.name == object.name.as_str());
        found.ok_or_else(|| ApiError::new(ErrorCode::NotFound, format!("{object} not found"), ""))
    }
    async fn events(&self, object: Option<&ObjectRef>, after: u64) -> Result<Vec<Event>> {
        let name = object.map(ToString::to_string);
        let world = self.asked(format!("events {name:?} {after}")).await?;
        let keep = |e: &Event| e.sequence > after && name.as_ref().is_none_or(|n| *n == e.object);
        Ok(world.events.into_iter().filter(keep).collect())
    }
    async fn top(&self, object: Option<&ObjectRef>) -> Result<TopList> {
        let of = object.map(ToString::to_string).unwrap_or_default();
        Ok(self.asked(format!("top {of}")).await?.top)
    }
    async fn history(&self, object: &ObjectRef, metric: Option<&str>, since: u64) -> Result<HistoryView> {
        let metric = metric.unwrap_or("all");
        Ok(self.asked(format!("history {object} {metric} {since}")).await?.history)
    }
    async fn recommend(&self, object: Option<&ObjectRef>) -> Result<RecommendList> {
        let of = object.map(ToString::to_string).unwrap_or_default();
        Ok(self.asked(format!("recommend {of}")).await?.recommend)
    }
    async fn jobs(&self) -> Result<JobList> {
        Ok(self.asked("jobs".into()).await?.jobs)
    }
    async fn watch(&self, after: u64, wait_ms: u64) -> Result<u64> {
        self.asked(format!("watch {after} {wait_ms}")).await?;
        let until = tokio::time::Instant::now() + Duration::from_millis(wait_ms);
        loop {
            let revision = self.0.lock().unwrap().list.revision;
            if revision > after || tokio::time::Instant::now() >= until {
                return Ok(revision);
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    async fn read_manifests(&self) -> Result<bool> {
        Ok(!self.asked("read manifests".into()).await?.unread)
    }
    async fn plan(&self, files: Option<BTreeMap<String, String>>) -> Result<PlanList> {
        Ok(self.asked(format!("plan {files:?}")).await?.plan)
    }
    async fn plan_beside(&self, files: BTreeMap<String, String>) -> Result<PlanList> {
        Ok(self.asked(format!("plan_beside {files:?}")).await?.plan)
    }
    async fn operate(&self, object: &ObjectRef, operation: Operation) -> Result<Done> {
        self.asked(format!("{operation:?} {object}")).await?;
        Ok(Done { message: format!("{object} stops"), commit: "spec:\n  stopped: true".into() })
    }
    async fn rename(&self, old: &ObjectRef, new: &ObjectRef) -> Result<Done> {
        self.asked(format!("rename {old} {new}")).await?;
        Ok(Done { message: format!("{old} renamed"), commit: String::new() })
    }
    async fn apply(&self, document: &str, options: &ApplyOptions) -> Result<Applied> {
        let World { applied, writes_refused, .. } =
            self.asked(format!("apply {options:?} {document}")).await?;
        writes_refused.map_or(Ok(applied), Err)
    }
    async fn patch(&self, object: &ObjectRef, patch: &str, options: &ApplyOptions) -> Result<Applied> {
        let World { applied, writes_refused, .. } =
            self.asked(format!("patch {object} {options:?} {patch}")).await?;
        writes_refused.map_or(Ok(applied), Err)
    }
    async fn delete(&self, object: &ObjectRef, confirm: &str) -> Result<Done> {
        let refused = self.asked(format!("delete {object} {confirm}")).await?.deletes_refused;
        if let Some(error) = refused {
            return Err(error);
        }
        Ok(Done { message: format!("{object} deleted"), commit: String::new() })
    }
    async fn would_delete(&self, object: &ObjectRef, confirm: &str) -> Result<Applied> {
        let applied = self.asked(format!("would delete {object} {confirm}")).await?.applied;
        Ok(Applied { object: object.to_string(), outcome: Outcome::Deleted, ..applied })
    }
    async fn logs(&self, object: &ObjectRef, options: &LogOptions) -> Result<Lines> {
        let LogOptions { lines, follow, since_seconds, since_time, previous } = options;
        let mut call = format!("logs {object} {follow}");
        if since_seconds.is_some() || since_time.is_some() || *previous {
            call = format!("{call} {since_seconds:?} {since_time:?} {previous}");
        }
        let ends = self.asked(call).await?.log_ends;
        let cut = ApiError::new(ErrorCode::Unavailable, "the log ended early", "");
        let mut lines = vec![Ok(format!("{lines:?} line")), Ok("\u{1f40b}".repeat(50_000))];
        lines.extend((!ends).then_some(Err(cut)));
        Ok(stream::iter(lines).boxed())
    }
    async fn environment(
        &self,
        object: &ObjectRef,
        environment: &str,
        on_host: bool,
        reveal: bool,
    ) -> Result<EnvironmentView> {
        self.asked(format!("environment {object} {environment} {on_host} {reveal}")).await?;
        let variable = |name: &str, value: &str, secret: bool| VariableView {
            name: name.to_owned(),
            value: value.to_owned(),
            from: "link/shop-production-main".to_owned(),
            secret,
            withheld: secret && !reveal,
        };
        let password = if reveal { PASSWORD } else { "****" };
        let variables = vec![
            variable("POSTGRES_HOST", if on_host { "127.0.0.1" } else { "postgres-main" }, false),
            variable("POSTGRES_PASSWORD", password, true),
        ];
        Ok(EnvironmentView { object: object.to_string(), variables, ..EnvironmentView::default() })
    }
    async fn reveal_variable(
        &self,
        object: &ObjectRef,
        environment: &str,
        variable: &str,
    ) -> Result<EnvironmentView> {
        let call = format!("reveal {object} {environment} {variable}");
        let mut view = self.environment(object, environment, false, false).await?;
        self.change(|w| {
            w.calls.pop();
            w.calls.push(call);
        });
        for one in view.variables.iter_mut().filter(|one| one.secret && one.name == variable) {
            (one.value, one.withheld) = (PASSWORD.to_owned(), false);
        }
        Ok(view)
    }
    async fn test(&self, object: &ObjectRef) -> Result<TestView> {
        Ok(TestView { object: object.to_string(), ..self.asked(format!("test {object}")).await?.test })
    }
    async fn login(&self, object: &ObjectRef, program: &str) -> Result<ConnectionView> {
        self.asked(format!("login {object} {program}")).await?;
        self.connection(object, true).await
    }
    async fn connection(&self, object: &ObjectRef, reveal: bool) -> Result<ConnectionView> {
        self.asked(format!("connection {object} {reveal}")).await?;
        let condition = Condition {
            kind: ConditionType::Ready,
            status: Truth::True,
            reason: "LoginSucceeded".into(),
            message: "logged in".into(),
            last_transition_time: "2026-01-01T00:00:00Z".into(),
            observed_generation: 1,
        };
        Ok(ConnectionView {
            object: object.to_string(),
            username: "appuser".into(),
            database: "appdb".into(),
            password: reveal.then(|| PASSWORD.to_owned()),
            host: Some(HostPort { host: "127.0.0.1".into(), port: 5433 }),
            network: HostPort { host: "postgres-main".into(), port: 5432 },
            network_name: "seawall".into(),
            container: "postgres-main".into(),
            ready: true,
            condition: Some(condition),
        })
    }
    async fn inspect(&self, object: &ObjectRef, ask: &Ask) -> Result<InspectView> {
        let Ask { verb, database, verbose } = ask;
        Ok(self.asked(format!("inspect {object} {verb} {database:?} {verbose}")).await?.inspected)
    }
    async fn kill(&self, object: &ObjectRef, end: &End) -> Result<KillView> {
        let End { session, since, force } = end;
        let view = self.asked(format!("kill {object} {session} {since:?} {force}")).await?.kill;
        Ok(KillView { message: since.as_ref().map(|_| "it was ended".to_owned()), ..view })
    }
    async fn diagnose(&self, object: &ObjectRef) -> Result<DiagnosisView> {
        Ok(self.asked(format!("diagnose {object}")).await?.diagnosis)
    }
    async fn prune(&self) -> Result<PruneView> {
        Ok(self.asked("prune".into()).await?.prune)
    }
    async fn confirm_prune(&self, confirm: &str) -> Result<Done> {
        self.asked(format!("confirm {confirm}")).await?;
        Ok(Done { message: "let go".into(), commit: String::new() })
    }
    async fn keys(&self) -> Result<KeyList> {
        Ok(self.asked("keys".into()).await?.keys)
    }
    async fn verify_keys(&self) -> Result<KeyCheck> {
        Ok(self.asked("verify keys".into()).await?.check)
    }
    async fn rotate_keys(&self, cipher: Option<Algorithm>) -> Result<Done> {
        self.asked(format!("rotate keys {cipher:?}")).await?;
        Ok(Done { message: "rotated".into(), commit: String::new() })
    }
    async fn public_key(&self) -> Result<PublicKeyView> {
        self.asked("public key".into()).await?;
        Ok(PublicKeyView { key: PUBLIC_KEY.to_owned() })
    }
    async fn create_token(&self, new: &NewToken) -> Result<IssuedToken> {
        let NewToken { name, grant, expires } = new.clone();
        self.asked(format!("create token {name} {grant} {expires}")).await?;
        Ok(IssuedToken { token: TOKEN.to_owned(), view: token_view(name.as_str(), grant) })
    }
    async fn tokens(&self) -> Result<Vec<TokenView>> {
        Ok(self.asked("tokens".into()).await?.tokens)
    }
    async fn revoke_token(&self, name: &Name) -> Result<Done> {
        self.asked(format!("revoke token {name}")).await?;
        Ok(Done { message: format!("token {name} is revoked"), commit: String::new() })
    }
    async fn sign_in_link(&self) -> Result<SignInUrl> {
        self.asked("sign-in link".into()).await?;
        let url = format!("http://127.0.0.1:7080/sign-in?ticket={TOKEN}");
        Ok(SignInUrl { url, expires: "2026-11-30T12:10:00Z".to_owned() })
    }
    async fn audit(&self, after: u64) -> Result<Vec<AuditEntry>> {
        let mut audit = self.asked(format!("audit {after}")).await?.audit;
        audit.retain(|entry| entry.sequence > after);
        Ok(audit)
    }
    async fn export(&self) -> Result<Vec<String>> {
        self.asked("export".into()).await?;
        Ok(vec![r#"{"key":"a"}"#.into(), r#"{"key":"b"}"#.into()])
    }
}

/// A token that was made 40 days ago and used an hour ago.
pub fn token_view(name: &str, grant: Grant) -> TokenView {
    let ago = |seconds| (jiff::Timestamp::now() - Duration::from_secs(seconds)).to_string();
    TokenView {
        name: Name::parse(name).unwrap(),
        grant,
        created: ago(40 * 86_400 + 3_600),
        expires: Some("2999-01-01T00:00:00Z".to_owned()),
        expired: false,
        last_used: Some(ago(3_600)),
        last_from: "10.0.0.1".parse().ok(),
    }
}

/// What is there when no operator answers.
#[derive(Clone, Default)]
pub struct FakeBackend {
    pub offline: Option<Fake>,
    pub locked: bool,
    pub validated: Validated,
    pub checks: Vec<Check>,
}

#[async_trait]
impl Backend for FakeBackend {
    async fn run(&self, settings: RunSettings) -> Result<Option<ObjectList>> {
        match &self.offline {
            Some(fake) if settings.once => Ok(Some(fake.objects().await?)),
            _ => Ok(None),
        }
    }
    async fn offline(&self, _: &Settings) -> Result<Arc<dyn Api>, OfflineError> {
        match &self.offline {
            _ if self.locked => Err(OfflineError::Locked { pid: "4711".into() }),
            Some(fake) => Ok(Arc::new(fake.clone())),
            None => Err(ApiError::new(ErrorCode::Unavailable, "there is no store", "seawall run").into()),
        }
    }
    fn new_installation(&self, _: &Settings) -> Result<Arc<dyn Api>> {
        Err(ApiError::new(ErrorCode::Unavailable, "no engine", ""))
    }
    fn validate(&self, _: &Path, _: &Settings) -> Result<Validated> {
        Ok(self.validated.clone())
    }
    fn schema(&self, kind: Option<Kind>) -> String {
        format!("schema {kind:?}")
    }
    fn schemas(&self) -> BTreeMap<String, String> {
        BTreeMap::from([("all.schema.json".into(), "{}".into())])
    }
    async fn doctor(&self, _: &Settings) -> Vec<Check> {
        self.checks.clone()
    }
    async fn recover(&self, _: &Settings, confirm: Option<&str>) -> Result<Done> {
        Ok(Done { message: format!("{confirm:?}"), commit: String::new() })
    }
}

/// A postgres object that is Ready; made 40 days ago, so that its age stands still.
pub fn main_view() -> ObjectView {
    view("main", "True", "LoginSucceeded", "logged in as appuser")
}

pub fn view(name: &str, ready: &str, reason: &str, message: &str) -> ObjectView {
    let made = (jiff::Timestamp::now() - Duration::from_secs(40 * 86_400 + 3_600)).to_string();
    let condition = |kind: &str, status: &str, reason: &str, message: &str| {
        json!({"type": kind, "status": status, "reason": reason, "message": message,
            "lastTransitionTime": made, "observedGeneration": 3})
    };
    ObjectView {
        api_version: "seawall.dev/v1".into(),
        kind: "Postgres".into(),
        metadata: MetadataView {
            name: name.into(),
            uid: format!("u-{name}"),
            id: 0,
            generation: 3,
            resource_version: "7.4.u".into(),
            managed_by: Some(ManagedBy::File),
            creation_timestamp: made.clone(),
            labels: BTreeMap::from([("team".into(), "shop".into())]),
            annotations: BTreeMap::new(),
            owner_references: Vec::new(),
            source: "shop.yaml:3".into(),
        },
        not_saved_since: None,
        spec: json!({"version": "18", "resources": {"memory": "512Mi"}}),
        status: json!({
            "observedGeneration": 3,
            "conditions": [
                condition("Ready", ready, reason, message),
                condition("Degraded", "False", "AsExpected", ""),
                condition("ContinuousArchiving", "False", "NotConfigured", "nothing is archived"),
            ],
            "container": {"name": format!("postgres-{name}"), "restartCount": 0, "exitCode": null},
            "runtime": [{
                "role": "standalone", "container_name": format!("postgres-{name}"), "status": "running",
                "restart_count": 2, "oom_killed": false, "oom_kills": 1, "exit_code": null,
                "finished_at": "2026-01-01T00:00:00Z", "limits": {"drift": false},
            }],
            "image": {"reference": "seawall/postgres:18", "major": 18, "managed": true, "capabilities": ["pgbackrest"]},
            "endpoint": {"host": format!("postgres-{name}"), "port": 5432, "hostPort": 5433},
            "server": {"version": "18.6"},
            "resources": {"desired": {"memory": "512Mi"}, "applied": {"memory": "512Mi", "cpus": "1.5"}, "inSync": true},
            "credentials": {"username": "appuser", "generation": 1},
        }),
    }
}

/// A container that works, one of several that does not run.
pub fn used() -> TopList {
    let member =
        |role: &str| MemberUse { role: role.into(), container_name: "c".into(), ..MemberUse::default() };
    let works = MemberUse {
        cpu_cores: Some(0.25),
        cpu_limit_cores: Some(0.5),
        cpu_percent: Some(50.04),
        cpu_of: Against::Cap,
        memory_usage_bytes: Some(48 << 20),
        memory_limit_bytes: Some(2 << 30),
        memory_percent: Some(2.34),
        block_read_bytes_per_second: Some(0),
        block_write_bytes_per_second: Some(1536),
        network_receive_bytes_per_second: Some(3 << 20),
        network_transmit_bytes_per_second: Some(9),
        ..member("standalone")
    };
    let item =
        |object: &str, member, inside| TopItem { object: object.into(), members: vec![member], inside };
    let inside = Inside {
        connections_used: Some(7),
        max_connections: Some(100),
        size_bytes: Some(22 << 20),
        wal_bytes: Some(0),
        transactions_per_second: Some(1.25),
        longest_transaction_secs: Some(200),
        ..Inside::default()
    };
    let items = vec![item("app/web", member("a"), Inside::default()), item("postgres/main", works, inside)];
    TopList { items, online_cpus: 4, host_memory_bytes: 2 << 30 }
}

pub fn two() -> Fake {
    Fake::with(|w| {
        let mut broken = view("shop-eu", "False", "LoginFailed", "no\u{1b}[2J route\nto host");
        broken.status["server"] = serde_json::Value::Null;
        broken.status["endpoint"] = serde_json::Value::Null;
        w.list.items = vec![main_view(), broken];
        w.list.revision = 1;
    })
}

pub fn problem() -> Problem {
    let place = At { file: "shop.yaml".into(), line: 7, column: 3 };
    Problem::new(place, "spec.verson", "unknown field").nearest("version")
}

pub fn event(sequence: u64, object: &str) -> Event {
    let seen = (jiff::Timestamp::now() - Duration::from_secs(40 * 86_400 + 3_600)).to_string();
    Event {
        object: object.into(),
        kind: EventType::Warning,
        reason: "Repaired".into(),
        message: format!("message {sequence}"),
        count: 2,
        first_seen: seen.clone(),
        last_seen: seen,
        sequence,
    }
}

/// A data directory, perhaps with an operator's socket in it.
pub struct Place {
    pub dir: TempDir,
    pub backend: FakeBackend,
    pub colour: bool,
    cancel: CancellationToken,
}

/// What a command printed and ended with.
#[derive(Debug)]
pub struct Ran {
    pub code: u8,
    pub out: String,
    pub err: String,
}

#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Sink {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Place {
    pub fn offline(backend: FakeBackend) -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { dir, backend, colour: false, cancel: CancellationToken::new() }
    }

    pub async fn live(fake: &Fake) -> Self {
        let place = Self::offline(FakeBackend::default());
        place.start(fake).await;
        place
    }

    /// An operator starts here.
    pub async fn start(&self, fake: &Fake) {
        self.serve(fake, self.cancel.clone()).await;
    }

    /// One that ends before the place does.
    pub async fn start_until(&self, fake: &Fake) -> CancellationToken {
        let cancel = self.cancel.child_token();
        self.serve(fake, cancel.clone()).await;
        cancel
    }

    async fn serve(&self, fake: &Fake, cancel: CancellationToken) {
        let (api, socket) = (Arc::new(fake.clone()), self.socket());
        let at = socket.clone();
        tokio::spawn(async move { seawall::http::server::serve(api, &at, cancel).await.unwrap() });
        while !seawall::http::client::Client::new(&socket).answers().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub fn socket(&self) -> PathBuf {
        self.dir.path().join("seawall.sock")
    }

    pub async fn run(&self, words: &str) -> Ran {
        let words: Vec<&str> = words.split_whitespace().collect();
        self.run_words(&words).await
    }

    pub async fn run_words(&self, words: &[&str]) -> Ran {
        self.run_with(&[("SEAWALL_DATA", self.dir.path().to_str().unwrap())], words).await
    }

    /// With these variables alone.
    pub async fn run_with(&self, variables: &[(&str, &str)], words: &[&str]) -> Ran {
        let argv = std::iter::once("seawall").chain(words.iter().copied()).map(Into::into);
        let args = match seawall::cli::parse(argv) {
            Ok(args) => args,
            Err(code) => return Ran { code, out: String::new(), err: String::new() },
        };
        let environment = Environment {
            variables: variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            cwd: self.dir.path().to_owned(),
            root: false,
        };
        let (stdout, stderr) = (Sink::default(), Sink::default());
        let out = Out {
            stdout: Box::new(stdout.clone()),
            stderr: Box::new(stderr.clone()),
            colour: self.colour,
            terminal: self.colour,
        };
        let backend = Arc::new(self.backend.clone());
        let code = seawall::cli::execute(args, environment, backend, out).await;
        Ran { code, out: stdout.text(), err: stderr.text() }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}
