//! PostgreSQL servers for tests and benches, over the fake engine: what a server keeps lies as a file
//! in the fake volume, so that it survives and vanishes with it.
//!
//! Always compiled, as the fake engine is; the product itself must never use it. What a login can see
//! is derived from the container: whether it runs, the parameter file in it, the password file at
//! the first start.

mod inspect;
mod monitor;
mod stage;
mod tenants;

pub use monitor::{calm_figures, few_contents, healthy_reading};

use super::client::{Furnishing, Inspector, Monitor, Servers, Session, Sql, SqlError, Target};
use super::collation::{Collations, InDatabase};
use super::control_file;
use super::desired::{PASSWORD_FILE, SERVER};
use super::inspect::Whom;
use super::monitoring::{Contents, Figures};
use super::parameters;
use super::survey::Survey;
use super::tenancy::Tending;
use super::wal::Reading;
use super::world::{Crowd, NewLogin, ServerFacts};
use crate::core::digest::sha256;
use crate::core::names::label;
use crate::core::seen::{ContainerState, SeenContainer};
use crate::docker::fake::FakeDocker;
use crate::docker::{ExecRequest, ExecResult};
use crate::secrets::{ExposeSecret, Secret};
use async_trait::async_trait;
use inspect::FakeInspector;
use monitor::{FakeMonitor, MonitorState};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Parameters that a running server does not take over by a reload.
const NEED_RESTART: [&str; 4] =
    ["max_connections", "shared_buffers", "shared_preload_libraries", "wal_level"];
/// A value that no server starts with, although its check takes it.
pub const BAD_AT_START: &str = "missing_library";
/// A value that only the server's own check refuses, of a time zone.
pub const BAD_VALUE: &str = "Nowhere/City";

/// After which the client gives a server up.
const LIMIT: Duration = Duration::from_secs(5);

/// What lies on the volume.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Cluster {
    username: String,
    /// `None`: a verifier was set. What it is for cannot be told from it; every password then fits.
    password: Option<String>,
    databases: BTreeSet<String>,
    system_identifier: String,
    #[serde(default)]
    tenants: Survey,
    #[serde(default)]
    monitor: MonitorState,
    /// There is the extension that tells statements.
    #[serde(default)]
    statements: bool,
}

/// One start of a container.
#[derive(Clone, Debug)]
struct Run {
    started_at: String,
    at_start: Arc<str>,
    loaded: Arc<str>,
}

#[derive(Default)]
struct Script {
    /// Container name → what a login or statement gets instead of an answer.
    answers: BTreeMap<String, SqlError>,
    /// Container name → what a new login into the managed database gets, whoever is in already.
    locked_out: BTreeMap<String, SqlError>,
    /// Container id → its present run.
    runs: BTreeMap<String, Run>,
    /// Names of parameters that ALTER SYSTEM set, by container name.
    overridden: BTreeMap<String, Vec<String>>,
    /// What a server says about the order of text, by container name.
    collations: BTreeMap<String, Collations>,
    /// The same of its columns.
    columns: BTreeMap<String, Vec<InDatabase>>,
    /// Container name → how long each answer of its server takes.
    slow: BTreeMap<String, Duration>,
    df: String,
    /// Container name → what of its server is full.
    crowds: BTreeMap<String, Crowd>,
    /// What a look at a server's health tells, by container name.
    readings: BTreeMap<String, Reading>,
    /// Lines of configuration files that a server cannot read, by container name.
    broken: BTreeMap<String, Vec<String>>,
    /// The same of its inside.
    figures: BTreeMap<String, Figures>,
    contents: BTreeMap<String, Contents>,
    /// What a server tells by questions of `seawall pg`, by container name and question.
    told: BTreeMap<(String, String), Result<serde_json::Value, SqlError>>,
    /// What was asked, by whom and where: `monitor app ps`.
    asked: Vec<String>,
    /// Statements of rebuilds.
    rebuilt: Vec<String>,
    /// Container name → questions over a kept session.
    probes: BTreeMap<String, u64>,
    clusters: u64,
    logins: u64,
}

struct Shared {
    docker: Arc<FakeDocker>,
    script: Mutex<Script>,
}

/// The servers of one fake engine. Cheap to clone.
#[derive(Clone)]
pub struct FakeServers {
    shared: Arc<Shared>,
}

struct FakeSession {
    shared: Arc<Shared>,
    target: Target,
}

fn refused() -> SqlError {
    SqlError::Refused("Connection refused (os error 111)".to_owned())
}

fn failed(why: impl std::fmt::Display) -> SqlError {
    SqlError::Failed(why.to_string())
}

/// The values that a parameter file sets, by name.
fn values(text: &str) -> BTreeMap<&str, &str> {
    text.lines().filter_map(|line| line.split_once(" = ")).collect()
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes as long as it was told, and is given up after as long as the real client takes.
    async fn takes(&self, target: &Target) -> Result<(), SqlError> {
        let id = target.epoch.split(' ').next().unwrap_or_default();
        let name = self.docker.seen(id).map(|c| c.name).unwrap_or_default();
        let Some(pause) = self.lock().slow.get(&name).copied() else { return Ok(()) };
        tokio::time::sleep(pause.min(LIMIT)).await;
        if pause < LIMIT { Ok(()) } else { Err(SqlError::Hung(LIMIT)) }
    }

    /// The volume's mount and PGDATA of a container.
    fn places(&self, c: &SeenContainer) -> Option<(String, String)> {
        let pgdata = c.env.get("PGDATA")?.to_owned();
        let mount = c.mounts.iter().find(|m| pgdata.starts_with(&m.path))?;
        Some((format!("{}/fake-cluster.json", mount.path), pgdata))
    }

    fn text(&self, c: &SeenContainer, path: &str) -> Option<String> {
        let file = self.docker.file(&c.id, path).ok().flatten()?;
        Some(String::from_utf8_lossy(&file.content).into_owned())
    }

    fn cluster(&self, c: &SeenContainer) -> Option<Cluster> {
        let (path, _) = self.places(c)?;
        serde_json::from_str(&self.text(c, &path)?).ok()
    }

    fn keep(&self, c: &SeenContainer, cluster: &Cluster) -> Result<(), SqlError> {
        let (path, pgdata) = self.places(c).ok_or_else(|| failed("the container has no data volume"))?;
        let identifier: u64 = cluster.system_identifier.parse().unwrap_or_default();
        // The layout of 18, little-endian, in production.
        let fields = [1800_u32, 202_506_291, 6].map(u32::to_le_bytes);
        let head = [&identifier.to_le_bytes()[..], &fields.concat()];
        let control = format!("{pgdata}/{}", control_file::PATH);
        self.docker.write_file(&c.id, &control, &head.concat()).map_err(failed)?;
        let text = serde_json::to_vec(cluster).map_err(failed)?;
        self.docker.write_file(&c.id, &path, &text).map_err(failed)
    }

    /// What initdb does at the first start on an empty volume.
    fn initialise(&self, c: &SeenContainer, target: &Target) -> Result<Cluster, SqlError> {
        let (_, pgdata) = self.places(c).ok_or_else(|| failed("the container has no data volume"))?;
        let password = self.text(c, PASSWORD_FILE).filter(|p| !p.is_empty());
        let password = password.ok_or_else(|| failed("initdb: the password file is empty"))?;
        let number = {
            let mut script = self.lock();
            script.clusters += 1;
            script.clusters
        };
        let cluster = Cluster {
            username: target.username.clone(),
            password: Some(password),
            databases: BTreeSet::from([target.database.clone()]),
            system_identifier: format!("{}", 7_000_000_000_000_000_000_u64 + number),
            tenants: tenants::new(&target.database),
            monitor: MonitorState::Missing,
            statements: false,
        };
        let major = c.env.get("PG_MAJOR").unwrap_or_default().to_owned();
        let version_file = format!("{pgdata}/PG_VERSION");
        self.docker.write_file(&c.id, &version_file, major.as_bytes()).map_err(failed)?;
        self.keep(c, &cluster)?;
        // The last words of every clean stop.
        let words = vec!["LOG:  database system is shut down".to_owned()];
        self.docker.set_logs(&c.id, words).map_err(failed)?;
        Ok(cluster)
    }

    /// The running container that a target reaches.
    fn reach(&self, target: &Target) -> Result<SeenContainer, SqlError> {
        let mut epoch = target.epoch.split(' ');
        let id = epoch.next().unwrap_or_default();
        let c = self.docker.seen(id).ok_or_else(refused)?;
        if let Some(answer) = self.lock().answers.get(&c.name) {
            return Err(answer.clone());
        }
        let ip = target.host;
        let published = |p: &crate::core::desired::PortMap| p.host_ip == ip && p.host == target.port;
        let address = c.published.iter().any(published)
            || c.networks.iter().any(|e| target.port == SERVER.port && e.ip == ip.to_string());
        if c.state != ContainerState::Running || epoch.next() != Some(c.started_at.as_str()) || !address {
            return Err(refused());
        }
        Ok(c)
    }

    /// The run that a container is in; noticed at the first login after its start.
    fn run(&self, c: &SeenContainer) -> Run {
        let file: Arc<str> = self.text(c, parameters::PATH).unwrap_or_default().into();
        let mut script = self.lock();
        if let Some(run) = script.runs.get(&c.id).filter(|r| r.started_at == c.started_at) {
            return run.clone();
        }
        let run = Run { started_at: c.started_at.clone(), at_start: Arc::clone(&file), loaded: file };
        script.runs.insert(c.id.clone(), run.clone());
        run
    }

    /// A throw-away container ends at once; a trial start in it as its parameters say.
    fn trial(&self, c: &SeenContainer) -> Option<i64> {
        c.labels.get(label::PROBE)?;
        let text = self.text(c, parameters::PATH).unwrap_or_default();
        let bad = text.lines().find(|l| l.contains(BAD_AT_START) || l.contains(BAD_VALUE));
        let Some((name, value)) = bad.and_then(|line| line.split_once(" = ")) else { return Some(0) };
        let words = format!("FATAL:  invalid value for parameter \"{name}\": {value}");
        let _ = self.docker.set_logs(&c.id, vec![words, "seawall: exit code 1".to_owned()]);
        Some(92)
    }

    /// `postgres -C` of the candidate file, and `psql` with a new verifier.
    fn exec(&self, c: &SeenContainer, request: &ExecRequest) -> ExecResult {
        let result = |exit_code, stderr: &str| ExecResult {
            exit_code,
            stdout: String::new(),
            stderr: stderr.to_owned(),
        };
        let first = request.argv.first().map(String::as_str);
        if first == Some("postgres") {
            let candidate = request.argv.iter().find_map(|a| a.strip_prefix("config_file="));
            let text = candidate.and_then(|path| self.text(c, path)).unwrap_or_default();
            return match text.lines().find(|l| l.contains(BAD_VALUE)).and_then(|l| l.split_once(" = ")) {
                Some((name, value)) => {
                    result(1, &format!("LOG:  invalid value for parameter \"{name}\": {value}\n"))
                }
                None => result(0, ""),
            };
        }
        if first == Some("cat") && request.argv.iter().any(|a| a.starts_with("/sys/fs/cgroup/")) {
            let limit = c.caps.memory.map_or_else(|| "max".to_owned(), |limit| limit.0.to_string());
            return ExecResult { exit_code: 0, stdout: format!("{limit}\n"), stderr: String::new() };
        }
        if request.argv.get(2).is_some_and(|script| script.contains("kill -HUP")) {
            let file = self.text(c, parameters::PATH).unwrap_or_default();
            if let Some(run) = self.lock().runs.get_mut(&c.id) {
                run.loaded = file.into();
            }
            return result(0, "");
        }
        if first == Some("df") {
            let stdout = self.lock().df.clone();
            return ExecResult { exit_code: 0, stdout, stderr: String::new() };
        }
        let sql = request.stdin.as_ref().map(|s| String::from_utf8_lossy(s).into_owned()).unwrap_or_default();
        if first == Some("psql") && sql.contains("SCRAM-SHA-256$") {
            let Some(cluster) = self.cluster(c) else { return result(2, "psql: error: no server") };
            return match self.keep(c, &Cluster { password: None, ..cluster }) {
                Ok(()) => result(0, ""),
                Err(error) => result(2, &error.to_string()),
            };
        }
        result(127, "not scripted")
    }
}

impl FakeServers {
    /// Answers `exec` of this engine too.
    #[must_use]
    pub fn new(docker: Arc<FakeDocker>) -> Self {
        let shared = Arc::new(Shared { docker: Arc::clone(&docker), script: Mutex::default() });
        // Weak: the engine holds the script, the script must not hold the engine for ever.
        let weak = Arc::downgrade(&shared);
        docker.on_exec(move |c, request| {
            Ok(match weak.upgrade() {
                Some(shared) => shared.exec(c, request),
                None => ExecResult { exit_code: 1, stdout: String::new(), stderr: "gone".to_owned() },
            })
        });
        let weak = Arc::downgrade(&shared);
        docker.on_start(move |c| weak.upgrade().and_then(|shared| shared.trial(c)));
        Self { shared }
    }
}

#[async_trait]
impl Servers for FakeServers {
    async fn login(&self, target: &Target, password: &Secret) -> Result<Box<dyn Session>, SqlError> {
        let shared = &self.shared;
        shared.lock().logins += 1;
        shared.takes(target).await?;
        let c = shared.reach(target)?;
        let cluster = match shared.cluster(&c) {
            Some(cluster) => cluster,
            None => shared.initialise(&c, target)?,
        };
        let fits = cluster.password.as_ref().is_none_or(|p| p == password.expose_secret());
        if !fits || cluster.username != target.username {
            return Err(SqlError::LoginRefused(format!(
                "password authentication failed for user {:?}",
                target.username
            )));
        }
        shared.run(&c);
        Ok(Box::new(FakeSession { shared: Arc::clone(shared), target: target.clone() }))
    }

    async fn prove(&self, target: &Target, _: &Secret, _: &[&str]) -> Result<NewLogin, SqlError> {
        self.shared.takes(target).await?;
        let c = self.shared.reach(target)?;
        let script = self.shared.lock();
        match script.locked_out.get(&c.name) {
            Some(error) => Err(error.clone()),
            None => {
                let broken = script.broken.get(&c.name).cloned().unwrap_or_default();
                let pending = NEED_RESTART.map(str::to_owned).to_vec();
                Ok(NewLogin { broken, pending, ..NewLogin::default() })
            }
        }
    }

    async fn answers(&self, target: &Target) -> Result<(), SqlError> {
        self.shared.takes(target).await?;
        self.shared.reach(target).map(drop)
    }

    async fn columns(&self, target: &Target, password: &Secret) -> Result<Vec<InDatabase>, SqlError> {
        drop(self.login(target, password).await?);
        let c = self.shared.reach(target)?;
        Ok(self.shared.lock().columns.get(&c.name).cloned().unwrap_or_default())
    }

    async fn lets_in(&self, target: &Target, _: &Secret) -> Result<(), SqlError> {
        self.shared.lock().logins += 1;
        self.shared.takes(target).await?;
        let c = self.shared.reach(target)?;
        let cluster = self.shared.cluster(&c).ok_or_else(|| failed("the data is gone"))?;
        let role = cluster.tenants.roles.get(&target.username);
        match role.filter(|role| role.login && role.password.is_some()) {
            Some(_) if cluster.tenants.databases.get(&target.database).is_some_and(|d| d.allows) => Ok(()),
            Some(_) => Err(failed(format!("database {:?} does not exist", target.database))),
            None => {
                Err(SqlError::LoginRefused(format!("role {:?} is not permitted to log in", target.username)))
            }
        }
    }

    async fn furnish(
        &self,
        target: &Target,
        password: &Secret,
        furnishing: &Furnishing<'_>,
    ) -> Result<Vec<String>, SqlError> {
        drop(self.login(target, password).await?);
        let lacks = furnishing.extensions.iter().filter(|name| name.starts_with("no_"));
        Ok(lacks.map(|name| format!("extension {name:?}: extension {name:?} is not available")).collect())
    }

    async fn rebuild(&self, target: &Target, password: &Secret, statements: &[Sql]) -> Result<(), SqlError> {
        drop(self.login(target, password).await?);
        let all = statements.iter().map(|statement| statement.as_str().to_owned());
        self.shared.lock().rebuilt.extend(all);
        Ok(())
    }
    async fn hand_over(
        &self,
        target: &Target,
        password: &Secret,
        from: &str,
        _: &str,
    ) -> Result<(), SqlError> {
        drop(self.login(target, password).await?);
        let c = self.shared.reach(target)?;
        let mut cluster = self.shared.cluster(&c).ok_or_else(|| failed("the data is gone"))?;
        if let Some(role) = cluster.tenants.roles.get_mut(from) {
            role.owns = false;
        }
        self.shared.keep(&c, &cluster)
    }

    async fn monitor(&self, target: &Target, _: &Secret) -> Result<Box<dyn Monitor>, SqlError> {
        Ok(Box::new(FakeMonitor::login(&self.shared, target).await?))
    }

    async fn inspector(
        &self,
        target: &Target,
        password: &Secret,
        whom: Whom,
    ) -> Result<Box<dyn Inspector>, SqlError> {
        match whom {
            Whom::Monitor => drop(FakeMonitor::login(&self.shared, target).await?),
            Whom::Owner | Whom::OwnerWrites => drop(self.login(target, password).await?),
        }
        Ok(Box::new(FakeInspector::new(&self.shared, target, whom)))
    }
}

#[async_trait]
impl Session for FakeSession {
    fn target(&self) -> &Target {
        &self.target
    }

    async fn probe(&self, database: &str, names: &[&str], file: &str) -> Result<ServerFacts, SqlError> {
        self.shared.takes(&self.target).await?;
        let c = self.shared.reach(&self.target)?;
        *self.shared.lock().probes.entry(c.name.clone()).or_default() += 1;
        let cluster = self.shared.cluster(&c).ok_or_else(|| failed("the data is gone"))?;
        let (_, pgdata) = self.shared.places(&c).ok_or_else(|| failed("no data volume"))?;
        let run = self.shared.run(&c);
        let (before, after) = (values(&run.at_start), values(&run.loaded));
        let pending = NEED_RESTART.iter().filter(|n| before.get(**n) != after.get(**n));
        let overridden = self.shared.lock().overridden.get(&c.name).cloned().unwrap_or_default();
        let position = self.shared.lock().readings.get(&c.name).map(|reading| reading.position.clone());
        let in_recovery = position.and_then(Result::ok).is_some_and(|position| position.in_recovery);
        let crowd = self.shared.lock().crowds.get(&c.name).copied();
        let major = c.env.get("PG_MAJOR").unwrap_or_default().to_owned();
        Ok(ServerFacts {
            monitor: cluster.monitor_role(),
            statements: cluster.counter(before.get("shared_preload_libraries").copied().unwrap_or_default()),
            crowd,
            version: format!("{major}.1"),
            system_identifier: cluster.system_identifier,
            data_directory: pgdata,
            started_at: c.started_at.clone(),
            in_recovery,
            database_exists: cluster.databases.contains(database),
            parameters_sha256: self
                .shared
                .text(&c, file)
                .map(|text| sha256(text.as_bytes()))
                .unwrap_or_default(),
            pending_restart: pending.map(|n| (*n).to_owned()).collect(),
            pending_by_hand: Vec::new(),
            collations: self.shared.lock().collations.get(&c.name).cloned().unwrap_or_default(),
            overridden_by_role: Vec::new(),
            broken_configuration: Vec::new(),
            overridden: overridden.into_iter().filter(|n| names.contains(&n.as_str())).collect(),
            tablespaces: String::new(),
        })
    }

    async fn reload(&self) -> Result<(), SqlError> {
        let c = self.shared.reach(&self.target)?;
        let file = self.shared.text(&c, parameters::PATH).unwrap_or_default();
        self.shared.run(&c);
        if let Some(run) = self.shared.lock().runs.get_mut(&c.id) {
            run.loaded = file.into();
        }
        Ok(())
    }

    async fn create_database(&self, name: &str) -> Result<(), SqlError> {
        let c = self.shared.reach(&self.target)?;
        let mut cluster = self.shared.cluster(&c).ok_or_else(|| failed("the data is gone"))?;
        cluster.databases.insert(name.to_owned());
        self.shared.keep(&c, &cluster)
    }

    fn database(&self) -> &str {
        "postgres"
    }

    async fn put_monitor_right(&self, make: bool, _: &str, _: &[&str]) -> Result<(), SqlError> {
        let c = self.shared.reach(&self.target)?;
        let cluster = self.shared.cluster(&c).ok_or_else(|| failed("the data is gone"))?;
        match (make, &cluster.monitor) {
            (true, MonitorState::Missing) => {}
            (true, _) => return Err(failed("role \"seawall-monitor\" already exists")),
            (false, MonitorState::Missing) => {
                return Err(failed("role \"seawall-monitor\" does not exist"));
            }
            (false, _) => {}
        }
        self.shared.keep(&c, &Cluster { monitor: MonitorState::Fine, ..cluster })
    }

    async fn count_statements(&self) -> Result<(), SqlError> {
        let c = self.shared.reach(&self.target)?;
        let cluster = self.shared.cluster(&c).ok_or_else(|| failed("the data is gone"))?;
        self.shared.keep(&c, &Cluster { statements: true, ..cluster })
    }

    async fn survey(&self) -> Result<Survey, SqlError> {
        self.shared.takes(&self.target).await?;
        let c = self.shared.reach(&self.target)?;
        *self.shared.lock().probes.entry(c.name.clone()).or_default() += 1;
        Ok(self.shared.cluster(&c).ok_or_else(|| failed("the data is gone"))?.tenants)
    }

    async fn tend(&self, tending: &Tending<'_>) -> Result<(), SqlError> {
        let c = self.shared.reach(&self.target)?;
        let mut cluster = self.shared.cluster(&c).ok_or_else(|| failed("the data is gone"))?;
        tenants::tend(&mut cluster.tenants, tending).map_err(failed)?;
        self.shared.keep(&c, &cluster)
    }
}
