//! The real operator and its driver over the fake engine, fake servers and a store in memory, with
//! manifests in a real directory. Time jumps whenever nothing is left to do, so that a sweep of 30 s
//! costs nothing; tests wait for conditions, never for time.

use crate::kinds::{Fakes, Kind};
use seawall::control::api::{Api, ObjectView};
use seawall::control::driver::drive;
use seawall::control::operator::{Config, Operator, Times};
use seawall::control::recover::{Unproven, look, record, survey, wishes};
use seawall::control::registry::Kinds;
use seawall::core::condition::{Condition, ConditionType, Truth, find, phase};
use seawall::core::event::Event;
use seawall::core::names::{Installation, ObjectRef, label};
use seawall::core::pairs::Pairs;
use seawall::core::plan::PlanView;
use seawall::core::problem::Problem;
use seawall::core::seen::{SeenContainer, SeenImage};
use seawall::docker::Docker;
use seawall::docker::fake::FakeDocker;
use seawall::kinds::postgres::Postgres;
use seawall::kinds::postgres::fake_server::FakeServers;
use seawall::kinds::redis::Redis;
use seawall::kinds::redis::fake_server::FakeServers as FakeRedis;
use seawall::manifest::load::load_dir;
use seawall::secrets::{Algorithm, Keys, Sealer};
use seawall::store::{Change, MemoryStore, Store};
use seawall::workload::Tools;
use seawall::workload::tools::{Reach, secret_key};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// On the clock that jumps: only a failing test waits so long.
const PATIENCE: Duration = Duration::from_secs(3_600);

pub const CATALOG: &str = "apiVersion: seawall.dev/v1
kind: ImageCatalog
metadata: {name: local}
spec:
  engine: postgres
  images:
    '18': {image: 'local/postgres:18'}
    '18b': {image: 'local/postgres:18b'}
    '17': {image: 'local/postgres:17'}
    'remote': {image: 'remote/postgres:18'}
";

pub const REDIS_CATALOG: &str = "apiVersion: seawall.dev/v1
kind: ImageCatalog
metadata: {name: redis}
spec:
  engine: redis
  images:
    '8': {image: 'local/redis:8'}
    '8b': {image: 'local/redis:8b'}
    '7': {image: 'local/redis:7'}
";

/// An image as `deploy/images` builds them; `n` tells one from another.
pub fn image(tag: &str, major: u32, n: u8) -> SeenImage {
    let (pgdata, volume) = if major >= 18 {
        (format!("/var/lib/postgresql/{major}/docker"), "/var/lib/postgresql")
    } else {
        ("/var/lib/postgresql/data".to_owned(), "/var/lib/postgresql/data")
    };
    let env = [("PG_MAJOR", major.to_string()), ("PGDATA", pgdata)];
    SeenImage {
        id: format!("sha256:{}", format!("{n:02x}").repeat(32)),
        tags: vec![tag.to_owned()],
        digests: Vec::new(),
        env: env.into_iter().collect(),
        labels: Pairs::from([(label::MANAGED, if major == 18 { "true" } else { "false" })]),
        volumes: vec![volume.to_owned()],
        architecture: "amd64".to_owned(),
        user: String::new(),
        stop_signal: "SIGINT".to_owned(),
        cmd: vec!["postgres".to_owned()],
        entrypoint: vec!["docker-entrypoint.sh".to_owned()],
    }
}

/// An engine with the images of [`CATALOG`] but the remote one.
pub fn engine() -> Arc<FakeDocker> {
    let fake = Arc::new(FakeDocker::new());
    for (tag, major, n) in
        [("local/postgres:18", 18, 1), ("local/postgres:18b", 18, 2), ("local/postgres:17", 17, 3)]
    {
        let image = image(tag, major, n);
        fake.add_image(image);
        fake.add_image_file(tag, "/etc/passwd", PASSWD);
        let catalog = if major == 18 { 202_506_291 } else { 202_406_281 };
        let program = format!("\0PG_{major}_{catalog}\0");
        fake.add_image_file(tag, &format!("/usr/lib/postgresql/{major}/bin/postgres"), program.as_bytes());
        fake.add_image_file(tag, &format!("/usr/lib/postgresql/{major}/lib/pg_stat_statements.so"), b"x");
    }
    for (tag, version, n) in
        [("local/redis:8", "8.0.6", 8), ("local/redis:8b", "8.0.6", 9), ("local/redis:7", "7.4.1", 7)]
    {
        fake.add_image(SeenImage {
            env: [("REDIS_VERSION", version)].into_iter().collect(),
            labels: Pairs::default(),
            volumes: vec!["/data".to_owned()],
            cmd: vec!["redis-server".to_owned()],
            ..image(tag, 18, n)
        });
        fake.add_image_file(
            tag,
            "/etc/passwd",
            b"root:x:0:0::/root:/bin/sh\nredis:x:999:999::/data:/bin/sh\n",
        );
        fake.add_image_file(tag, "/usr/local/bin/redis-server", b"x");
    }
    fake
}

pub const PASSWD: &[u8] = b"root:x:0:0::/root:/bin/sh\npostgres:x:999:999::/var/lib/postgresql:/bin/sh\n";

pub struct Rig {
    /// Of the objects whose kind is not said.
    pub kind: &'static dyn Kind,
    pub fake: Arc<FakeDocker>,
    pub servers: FakeServers,
    pub redis: FakeRedis,
    pub store: Arc<MemoryStore>,
    pub operator: Arc<Operator>,
    root: tempfile::TempDir,
    sealer: Arc<Sealer>,
    cancel: CancellationToken,
    driver: Option<JoinHandle<()>>,
    more: More,
}

/// Further kinds, or others in the place of those there are.
pub type More = Arc<dyn Fn(Kinds, &Arc<Tools>) -> Kinds + Send + Sync>;

/// A Postgres, unless the kind is said: `redis/cache`.
pub fn object(name: &str) -> ObjectRef {
    if name.contains('/') { name.parse().unwrap() } else { format!("postgres/{name}").parse().unwrap() }
}

impl Rig {
    /// With the catalog and these manifests (name, spec in YAML flow style); the operator runs.
    pub fn start(manifests: &[(&str, &str)]) -> Self {
        let mut rig = Self::new(engine(), Times::default());
        for (name, spec) in manifests {
            rig.manifest(name, spec);
        }
        rig.drive();
        rig
    }

    /// The operator does not run yet.
    pub fn new(fake: Arc<FakeDocker>, times: Times) -> Self {
        Self::with(fake, times, Arc::new(|kinds, _| kinds))
    }

    /// The same with other kinds.
    pub fn with(fake: Arc<FakeDocker>, times: Times, more: More) -> Self {
        let root = tempfile::tempdir().unwrap();
        let manifests = root.path().join("manifests");
        std::fs::create_dir(&manifests).unwrap();
        std::fs::write(manifests.join("catalog.yaml"), CATALOG).unwrap();
        let servers = FakeServers::new(Arc::clone(&fake));
        let redis = FakeRedis::new(Arc::clone(&fake));
        let store = Arc::new(MemoryStore::new());
        let key = Keys::load_or_create(&root.path().join("key"), false).unwrap();
        let sealer = Arc::new(Sealer::new(key, Algorithm::default()));
        let config = Self::config(root.path().to_owned(), times);
        let operator = Self::open(config, &fake, (&servers, &redis), &store, &sealer, &more, true);
        let cancel = CancellationToken::new();
        let kind = &crate::kinds::postgres::KIND;
        Self { kind, fake, servers, redis, store, operator, root, sealer, cancel, driver: None, more }
    }

    fn config(root: PathBuf, times: Times) -> Config {
        Config {
            installation: Installation::parse("default").unwrap(),
            data: root.join("data"),
            manifests: root.join("manifests"),
            env_file_roots: Vec::new(),
            reach: Reach::Host,
            // Files have times of the real clock, which does not jump.
            times: Times { rest: Duration::ZERO, ..times },
        }
    }

    fn open(
        config: Config,
        fake: &Arc<FakeDocker>,
        servers: (&FakeServers, &FakeRedis),
        store: &Arc<MemoryStore>,
        sealer: &Arc<Sealer>,
        more: &More,
        run: bool,
    ) -> Arc<Operator> {
        let (docker, store) = (Arc::clone(fake) as Arc<dyn Docker>, Arc::clone(store) as Arc<dyn Store>);
        let (servers, redis) = (Arc::new(servers.0.clone()), Arc::new(servers.1.clone()));
        let kinds = |tools: &Arc<Tools>| {
            let (postgres, redis) = (Postgres::new(tools, servers), Redis::new(tools, redis));
            more(Kinds::of(Some(tools), Some(postgres), Some(redis)), tools)
        };
        Operator::open(config, docker, kinds, store, Arc::clone(sealer), run).unwrap()
    }

    /// Another process beside the same engine.
    fn again(&self, config: Config, run: bool) -> Arc<Operator> {
        let servers = (&self.servers, &self.redis);
        Self::open(config, &self.fake, servers, &self.store, &self.sealer, &self.more, run)
    }

    /// By its name alone it is of this rig's kind.
    pub fn named(&self, name: &str) -> ObjectRef {
        if name.contains('/') { name.parse().unwrap() } else { self.kind.object(name).parse().unwrap() }
    }

    pub fn drive(&mut self) {
        self.driver = Some(tokio::spawn(drive(Arc::clone(&self.operator), self.cancel.clone())));
    }

    /// Ends the kept session: the next look logs in anew.
    pub fn drop_session(&self, name: &str) {
        let object = self.named(name);
        self.operator.kinds.get(object.kind).unwrap().forget(&object);
    }

    /// Like SIGTERM: waits for the steps in hand.
    pub async fn leave(&mut self) {
        self.cancel.cancel();
        if let Some(driver) = self.driver.take() {
            tokio::time::timeout(PATIENCE, driver).await.expect("it leaves").unwrap();
        }
    }

    /// Like kill -9: at whatever it waits for.
    pub async fn crash(&mut self) {
        if let Some(driver) = self.driver.take() {
            driver.abort();
            let _ = driver.await;
        }
        self.cancel.cancel();
    }

    /// A new process over the same store, directory and engine.
    pub fn restart(&mut self) {
        self.restart_only();
        self.drive();
    }

    fn restart_only(&mut self) {
        assert!(self.driver.is_none(), "leave or crash first");
        let config = self.operator.config.clone();
        self.operator = self.again(config, true);
        self.cancel = CancellationToken::new();
    }

    /// The same store, opened under another installation; it does not run.
    pub fn rename_installation(&mut self, name: &str) {
        let config =
            Config { installation: Installation::parse(name).unwrap(), ..self.operator.config.clone() };
        self.operator = self.again(config, true);
    }

    /// As a store of before its installation was kept.
    pub fn forget_installation(&self) {
        let change = seawall::store::Change::delete(seawall::control::start::INSTALLATION_KEY);
        Self::now(self.store.commit(vec![change])).unwrap();
    }

    /// A command on a new data directory.
    pub fn forget_everything(&mut self) {
        self.store = Arc::new(MemoryStore::new());
        let config = self.operator.config.clone();
        self.operator = self.again(config, false);
    }

    /// The store is lost, and `seawall recover` makes another one under its id of what the engine has.
    pub async fn recover(&mut self) -> Vec<Unproven> {
        let (docker, installation) = (self.operator.tools.docker.as_ref(), Installation::default());
        let kinds = &self.operator.kinds;
        let (remains, unproven) = survey(kinds, docker, &installation).await.unwrap();
        let wishes = wishes(kinds, &load_dir(&self.root.path().join("manifests")));
        let mut changes = Vec::new();
        for one in remains.iter().filter(|one| kinds.made_by(one.object.kind).is_none()) {
            let wish = wishes.good.get(&one.object);
            let looked = look(kinds, docker, &installation, one, wish, &BTreeSet::new()).await.unwrap();
            let (record, key) = (record(kinds, one, &looked, wish), secret_key(&one.object, ""));
            let sealed = self.sealer.seal(&key, &seawall::secrets::password()).unwrap();
            changes.push(Change::put(key, serde_json::to_value(sealed).unwrap()));
            changes.push(Change::put(record.key(), serde_json::to_value(record).unwrap()));
        }
        self.store = Arc::new(MemoryStore::new());
        self.store.commit(changes).await.unwrap();
        self.restart();
        unproven
    }

    /// As `seawall run` begins: left-overs of an earlier process go first.
    pub async fn check_and_restart(&mut self) {
        self.restart_only();
        seawall::control::start::check(&self.operator).await.unwrap();
        self.drive();
    }

    pub fn path(&self, file: &str) -> PathBuf {
        self.root.path().join("manifests").join(file)
    }

    pub fn data(&self, file: &str) -> PathBuf {
        self.root.path().join("data").join(file)
    }

    /// All that is faked.
    pub fn fakes(&self) -> Fakes {
        Fakes { docker: Arc::clone(&self.fake), postgres: self.servers.clone(), redis: self.redis.clone() }
    }

    /// Writes `NAME.yaml` with a Redis, and the catalog with its images.
    pub fn redis(&self, name: &str, annotations: &str, spec: &str) {
        let text = format!(
            "apiVersion: seawall.dev/v1\nkind: Redis\nmetadata: {{name: {name}, annotations: {{{annotations}}}}}\nspec: {spec}\n"
        );
        std::fs::write(self.path("redis.yaml"), REDIS_CATALOG).unwrap();
        std::fs::write(self.path(&format!("{name}.yaml")), text).unwrap();
    }

    /// Writes `NAME.yaml`, by rename as editors do.
    pub fn manifest(&self, name: &str, spec: &str) {
        self.manifest_with(name, "", spec);
    }

    pub fn manifest_with(&self, name: &str, annotations: &str, spec: &str) {
        self.text(&format!("{name}.yaml"), &self.document(name, annotations, spec));
    }

    /// The text of a manifest.
    pub fn document(&self, name: &str, annotations: &str, spec: &str) -> String {
        let kind = self.kind.kind();
        format!(
            "apiVersion: seawall.dev/v1\nkind: {kind}\nmetadata: {{name: {name}, annotations: {{{annotations}}}}}\nspec: {spec}\n"
        )
    }

    /// Puts a file there at once.
    pub fn text(&self, file: &str, text: &str) {
        let temporary = self.path(&format!(".{file}.tmp"));
        std::fs::write(&temporary, text).unwrap();
        std::fs::rename(temporary, self.path(file)).unwrap();
    }

    pub fn remove(&self, name: &str) {
        std::fs::remove_file(self.path(&format!("{name}.yaml"))).unwrap();
    }

    /// Waits until `done`; it is asked after each change and at least each half second.
    pub async fn until<T>(&self, what: &str, mut done: impl FnMut() -> Option<T>) -> T {
        let end = Instant::now() + PATIENCE;
        let mut revision = self.operator.revision();
        loop {
            if let Some(found) = done() {
                return found;
            }
            if Instant::now() > end {
                let (objects, events) = (self.all(), self.events());
                let (plans, log) = (self.plans().await, self.fake.call_log());
                panic!("never {what}: {objects:#?}\n{events:#?}\n{plans:#?}\n{log:?}");
            }
            let _ = tokio::time::timeout(Duration::from_millis(500), revision.changed()).await;
        }
    }

    fn now<T: Send + 'static>(answer: impl Future<Output = T>) -> T {
        // These answers come from memory: they never wait.
        let mut answer = std::pin::pin!(answer);
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match answer.as_mut().poll(&mut context) {
            std::task::Poll::Ready(answer) => answer,
            std::task::Poll::Pending => panic!("it waits"),
        }
    }

    pub fn all(&self) -> Vec<ObjectView> {
        Self::now(self.operator.objects()).unwrap().items
    }

    pub fn notices(&self) -> Vec<String> {
        Self::now(self.operator.objects()).unwrap().notices
    }

    pub fn engine_down(&self) -> Option<String> {
        Self::now(self.operator.objects()).unwrap().engine_down
    }

    pub fn problems(&self) -> Vec<Problem> {
        Self::now(self.operator.objects()).unwrap().problems
    }

    pub fn view(&self, name: &str) -> Option<ObjectView> {
        Self::now(self.operator.object(&self.named(name))).ok()
    }

    pub fn events(&self) -> Vec<Event> {
        Self::now(self.operator.events(None, 0)).unwrap()
    }

    /// Whether an event with this reason says this.
    pub fn said(&self, reason: &str, needle: &str) -> bool {
        self.events().iter().any(|e| e.reason == reason && e.message.contains(needle))
    }

    pub fn conditions(&self, name: &str) -> Vec<Condition> {
        let status = self.view(name).map(|v| v.status).unwrap_or_default();
        serde_json::from_value(status.get("conditions").cloned().unwrap_or_default()).unwrap_or_default()
    }

    pub fn condition(&self, name: &str, kind: ConditionType) -> Option<Condition> {
        find(&self.conditions(name), kind).cloned()
    }

    pub fn phase(&self, name: &str) -> String {
        phase(&self.conditions(name))
    }

    pub fn is_ready(&self, name: &str) -> bool {
        let is = |kind, truth| self.condition(name, kind).is_some_and(|c| c.status == truth);
        let Some(view) = self.view(name) else { return false };
        view.status["observedGeneration"] == view.metadata.generation
            && is(ConditionType::Ready, Truth::True)
            && is(ConditionType::Progressing, Truth::False)
    }

    /// Waits for a login that worked with nothing left to do.
    pub async fn ready(&self, name: &str) {
        self.until(&format!("{name} ready"), || self.is_ready(name).then_some(())).await;
    }

    /// Waits until a condition has this reason and gives its message.
    pub async fn reason(&self, name: &str, kind: ConditionType, reason: &str) -> String {
        self.until(&format!("{name} {kind} {reason}"), || {
            self.condition(name, kind).filter(|c| c.reason == reason).map(|c| c.message)
        })
        .await
    }

    pub async fn plans(&self) -> Vec<PlanView> {
        self.operator.plan(None).await.unwrap().plans
    }

    /// Waits until no object has anything left to do.
    pub async fn settled(&self, what: &str) {
        for _ in 0..1_000 {
            let plans = self.plans().await;
            let nothing = |p: &PlanView| {
                p.steps.is_empty() && p.waiting.is_empty() && p.blocked.is_empty() && p.unknown.is_none()
            };
            if plans.iter().all(nothing) {
                return;
            }
            self.let_pass(Duration::from_secs(1)).await;
        }
        panic!("{what}: never settled: {:#?} {:#?}", self.plans().await, self.events());
    }

    pub async fn plan(&self, name: &str) -> PlanView {
        let name = self.named(name).to_string();
        self.plans().await.into_iter().find(|p| p.object == name).expect("a plan")
    }

    /// How often the engine was asked for it.
    pub fn calls(&self, method: &str) -> u64 {
        self.fake.call_log().get(method).copied().unwrap_or_default()
    }

    pub fn container(&self, name: &str) -> Option<SeenContainer> {
        self.fake.seen(&self.named(name).to_string().replace('/', "-"))
    }

    pub fn is_running(&self, name: &str) -> bool {
        self.container(name).is_some_and(|c| c.state == seawall::core::seen::ContainerState::Running)
    }

    fn record(&self, name: &str) -> serde_json::Value {
        self.store.get(&format!("obj/{}", self.named(name))).unwrap().unwrap()
    }

    /// What the store remembers of an object.
    pub fn memory(&self, name: &str) -> serde_json::Value {
        self.record(name)["memory"].clone()
    }

    /// What the user asked for beside the manifest.
    pub fn asked(&self, name: &str) -> serde_json::Value {
        self.record(name)["asked"].clone()
    }

    /// Changes what the store remembers, while no operator runs.
    pub fn edit_record(
        &self,
        name: &str,
        edit: impl FnOnce(&mut serde_json::Map<String, serde_json::Value>),
    ) {
        let key = format!("obj/{}", self.named(name));
        let mut record = self.store.get(&key).unwrap().unwrap();
        edit(record["memory"].as_object_mut().unwrap());
        Self::now(self.store.commit(vec![seawall::store::Change::put(key, record)])).unwrap();
    }

    pub async fn password(&self, name: &str) -> String {
        let view = self.operator.connection(&self.named(name), true).await.unwrap();
        view.password.unwrap()
    }

    /// On the clock that jumps.
    pub async fn let_pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.cancel.cancel();
        if let Some(driver) = self.driver.take() {
            driver.abort();
        }
    }
}
