//! Redis: a server in a container with its data in a volume, proven by logins. Here is what hangs on the seam; each
//! function is handed on to the file that answers it.

pub mod act;
pub mod action;
pub mod check;
pub mod client;
pub mod conditions;
pub mod desired;
pub mod facts;
pub mod fake_server;
mod monitoring;
pub mod parameters;
pub mod plan;
pub mod probe;
pub mod record;
mod service;
pub mod spec;
pub mod status;
pub mod tenancy;
pub mod world;

use super::{
    About, Call, Client, Column, Context, Each, Found, Learnt, Login, Part, Probed, Question, Reconciler,
    Scene, Subject, Undone, only,
};
use crate::core::condition::Finding;
use crate::core::digest::sha256;
use crate::core::event::Note;
use crate::core::failure::Outlook;
use crate::core::identity::Home;
use crate::core::member::Role;
use crate::core::names::{Kind, ObjectRef};
use crate::core::neighbours::{Said, offers};
use crate::core::plan::Plan;
use crate::core::problem::Problem;
use crate::core::resource::Document;
use crate::core::seen::{EngineInfo, Glance, SeenContainer};
use crate::docker::{Docker, DockerError};
use crate::manifest::scalar::Text;
use crate::manifest::schema::spec_schema;
use crate::workload;
use crate::workload::observe::{Intent, ObserveError};
use crate::workload::plan::another_port;
use crate::workload::tools::silences::Silences;
use crate::workload::world::{Declared, Seen};
use crate::workload::{Tools, findings as work};
use action::Action;
use check::Checked;
use jiff::Timestamp;
use monitoring::Inside;
use record::Memory;
use serde_json::{Map, Value, json};
use spec::{Persistence, word};
use status::Status;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use world::{Server, World};

/// What a list shows of it.
const COLUMNS: [Column; 8] = [
    Column { header: "VERSION", paths: &["/server/version", "/image/version"], wide: false },
    Column { header: "PORT", paths: &["/endpoint/hostPort"], wide: false },
    Column { header: "MEMORY", paths: &["/resources/applied/memory"], wide: false },
    Column { header: "IMAGE", paths: &["/image/reference"], wide: true },
    Column { header: "USED", paths: &["/server/usedMemory"], wide: true },
    Column { header: "CPUS", paths: &["/resources/applied/cpus"], wide: true },
    Column { header: "CONTAINER", paths: &["/container/name"], wide: true },
    Column { header: "RESTARTS", paths: &["/container/restartCount"], wide: true },
];

const CLIENT: Client = Client {
    scheme: "redis",
    program: "redis-cli",
    package: "redis-cli (Debian: redis-tools)",
    verb: "redis",
    local: Some(Call {
        environment: &[("REDISCLI_AUTH", Part::Password)],
        arguments: &[
            Part::Text("-h"),
            Part::Host,
            Part::Text("-p"),
            Part::Port,
            Part::Text("--user"),
            Part::Username,
        ],
    }),
    version: None,
    inside: Call {
        environment: &[("REDISCLI_AUTH", Part::Password)],
        arguments: &[Part::Text("--user"), Part::Username],
    },
    // Nobody gets in without, not from the container's own address either.
    inside_needs_password: true,
    reach: Question {
        program: "redis-cli",
        call: Call {
            environment: &[],
            arguments: &[Part::Text("-h"), Part::Host, Part::Text("-p"), Part::Port, Part::Text("PING")],
        },
        // That it wants to know who asks is an answer, too.
        fine: &["NOAUTH", "PONG"],
    },
    login: Question {
        program: "redis-cli",
        call: Call {
            environment: &[("REDISCLI_AUTH", Part::Password)],
            arguments: &[
                Part::Text("-h"),
                Part::Host,
                Part::Text("-p"),
                Part::Port,
                Part::Text("--user"),
                Part::Username,
                Part::Text("PING"),
            ],
        },
        fine: &["PONG"],
    },
    variables: &[
        ("REDIS_HOST", Part::Host),
        ("REDIS_PORT", Part::Port),
        ("REDIS_USERNAME", Part::Username),
        ("REDIS_PASSWORD", Part::Password),
    ],
    url_variable: "REDIS_URL",
};

/// A managed Redis server.
pub struct Redis {
    pub tools: Arc<Tools>,
    pub servers: Arc<dyn client::Servers>,
    /// What each server said in the last pass, without what is another one each time.
    answers: Mutex<BTreeMap<ObjectRef, Server>>,
    /// What each told last of its inside.
    inside: Mutex<BTreeMap<ObjectRef, Inside>>,
    silences: Silences<Server>,
    tenants: Arc<tenancy::Tenants>,
}

impl Redis {
    /// With real servers.
    #[must_use]
    pub fn real(tools: &Arc<Tools>) -> Self {
        Self::new(tools, Arc::new(client::Network))
    }

    #[must_use]
    pub fn new(tools: &Arc<Tools>, servers: Arc<dyn client::Servers>) -> Self {
        let tenants = Arc::new(tenancy::Tenants::new(&servers));
        let (answers, inside, silences) = (Mutex::default(), Mutex::default(), Silences::default());
        Self { tools: Arc::clone(tools), servers, answers, inside, silences, tenants }
    }

    fn answers(&self) -> std::sync::MutexGuard<'_, BTreeMap<ObjectRef, Server>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn inside(&self) -> std::sync::MutexGuard<'_, BTreeMap<ObjectRef, Inside>> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reconciler for Redis {
    type Checked = Checked;
    type Memory = Memory;
    type World = World;
    type Action = Action;
    type Status = Status;
    const ABOUT: About = About {
        kind: Kind::Redis,
        folder: "redis",
        description: "A managed Redis server: one container, one data volume, proven by logins.",
        runs: true,
        containers: true,
        rotates: true,
        made_by: None,
        gone: "the container is stopped and removed",
        columns: &COLUMNS,
        panels: &[],
        metrics: &monitoring::METRICS,
        history: &monitoring::HISTORY,
        least_memory: 64 << 20,
        warnings: None,
        client: Some(&CLIENT),
        backups: None,
        service: Some(&service::SERVICE),
        images: &[("8", "redis:8-bookworm"), ("8-alpine", "redis:8-alpine"), ("7", "redis:7-bookworm")],
        spec: spec_schema::<spec::RedisSpec>,
    };

    fn check(document: &Document, context: &Context<'_>) -> Result<Checked, Vec<Problem>> {
        check::check(document, context)
    }

    fn offer(subject: &Subject<'_, Self>, world: &World) -> Said {
        let tenants = match &world.server {
            Server::Up(facts) => facts.tenants.clone(),
            _ => BTreeMap::new(),
        };
        // Wakes links whose users are in force now, or are no longer.
        let tenants =
            (!tenants.is_empty()).then(|| ("tenants", sha256(desired::users_file(&tenants).as_bytes())));
        let own = (offers::USERNAME, subject.spec.username.clone());
        subject.work().offer().into_iter().chain([own]).chain(tenants).collect()
    }

    fn containers(checked: &Checked) -> Each<&workload::Checked> {
        only(&checked.work)
    }

    fn memories(memory: &Memory) -> Each<&workload::Memory> {
        only(&memory.work)
    }

    fn seen(world: &World) -> Each<&dyn Seen> {
        only(&world.work)
    }

    fn seen_mut(world: &mut World) -> Each<&mut dyn Seen> {
        only(&mut world.work)
    }

    fn answers(world: &World) -> bool {
        matches!(world.server, Server::Up(_))
    }

    fn plan(subject: &Subject<'_, Self>, world: &World) -> Plan<Action> {
        plan::plan(subject, world)
    }

    fn password_is_elsewhere(checked: &Checked) -> Option<(String, String)> {
        let given =
            || ("the one that its manifest names".to_owned(), "change spec.password there".to_owned());
        checked.password.is_some().then(given)
    }

    /// A secret that could not be read may be there.
    fn look_again(world: &World) -> Option<u64> {
        let soon = matches!(world.declared, Declared::Unreadable(_)).then_some(30_000);
        soon.into_iter().chain(world.due.again_ms).min()
    }

    fn has_another_port(subject: &Subject<'_, Self>, world: &World) -> bool {
        another_port(&subject.work(), &world.work)
    }

    fn findings(
        subject: &Subject<'_, Self>,
        world: &World,
        plan: &Plan<Action>,
        outlook: &Outlook,
    ) -> Vec<Finding> {
        let served = conditions::served(subject, world, plan);
        work::findings(&subject.work(), &world.work, plan, outlook, &served)
    }

    fn before_steps(
        subject: &Subject<'_, Self>,
        world: &World,
        plan: &Plan<Action>,
        outlook: &Outlook,
    ) -> Option<Vec<Finding>> {
        let served = conditions::served(subject, world, plan);
        work::before_steps(&subject.work(), &world.work, plan, outlook, &served, |_| false)
    }

    fn status(subject: &Subject<'_, Self>, world: &World, last: Option<Status>) -> Status {
        status::status(subject, world).with_image_in_use(last.as_ref(), &world.work)
    }

    fn learn(subject: &Subject<'_, Self>, world: &World, memory: &mut Memory, now: &str) -> Learnt {
        let mut learnt = Learnt::default();
        let granted = tenancy::grants(subject);
        memory.tenants = granted.into_iter().map(|(link, grant)| (link.to_string(), grant)).collect();
        let Some(c) = world.work.container.ours() else { return learnt };
        // From the first look on a container is ours by its id.
        memory.work.container = Some(c.id.clone());
        memory.dumped |= world.data.is_some_and(|data| data.rdb);
        let Server::Up(facts) = &world.server else { return learnt };
        memory.users_restarted = false;
        if !facts.serves() {
            return learnt;
        }
        if facts.tenants == tenancy::rules(subject) {
            memory.users_loaded_in = None;
        }
        learnt.restarts = memory.work.saw_server(c, &world.work);
        memory.work.proven(c);
        memory.work.volume_fresh = false;
        memory.work.port_restarted = false;
        memory.data_major = facts.major().max(memory.data_major);
        memory.dumped |= facts.saves.rdb_ok && facts.saves.rdb_count > 0;
        if plan::runs_as_written(subject, world, facts, c) {
            memory.proven = Some(memory.parameters.clone());
            if memory.written_in.as_ref() != Some(&c.started_at) {
                memory.started.clone_from(&memory.proven);
            }
        }
        memory.work.saw_password(now);
        learnt
    }

    fn handed_over(memory: Memory, home: Home) -> Memory {
        memory.handed_over(home)
    }

    fn login(document: &Document, checked: Option<&Checked>, _: &Memory) -> Option<Login> {
        // Also of one whose spec cannot be used now: its server may well be up.
        let written = || document.spec.get("username").and_then(Text::of).map(|text| text.0);
        let username = checked.map(|checked| checked.username.clone()).or_else(written);
        let username = username.unwrap_or_else(|| "app".to_owned());
        Some(Login { username, database: String::new(), port: desired::SERVER.port })
    }

    async fn look_at_data(
        docker: &dyn Docker,
        container: &str,
        root: &str,
        own: Option<&SeenContainer>,
    ) -> Result<Option<Found>, DockerError> {
        let mode = probe::left_over(docker, container, root, own).await?;
        Ok(mode.map(|mode| Found { major: None, identifier: mode.map(word) }))
    }

    fn recovered(work: workload::Memory, _: Option<&SeenContainer>, found: Option<&Found>) -> Memory {
        Memory { work, persistence: found.and_then(mode_of), ..Memory::default() }
    }

    fn recovered_spec(_: Option<&SeenContainer>, found: Option<&Found>) -> Map<String, Value> {
        let mode = found.and_then(mode_of).unwrap_or_default();
        [("version".to_owned(), json!("8")), ("persistence".to_owned(), json!(mode))].into_iter().collect()
    }

    async fn observe(
        &self,
        subject: &Subject<'_, Self>,
        engine: &EngineInfo,
        intent: Intent,
    ) -> Result<World, ObserveError> {
        let world = probe::observe(self, subject, engine, intent).await?;
        if intent == Intent::Act {
            self.answers().insert(subject.identity.object.clone(), world.server.steady());
            self.tenants.saw(subject, &world, self.tools.reach);
        }
        Ok(world)
    }

    async fn act(
        &self,
        scene: &Scene<'_, Self>,
        action: &Action,
        memory: &mut Memory,
    ) -> Result<Vec<Note>, Undone> {
        act::apply(self, scene, action, memory).await
    }

    async fn probe(&self, subject: &Subject<'_, Self>, _: &Role, container: &Glance) -> Probed {
        if self.tools.declared_changed(&subject.work(), subject.spec.password.as_ref()).await {
            return Probed::LookAgain;
        }
        let now = probe::server(self, subject, container).await.map(|now| now.steady());
        if let Ok(hung @ Server::Down(client::RedisError::Hung)) = &now {
            self.silences.remember(&subject.identity.object, probe::epoch(container), hung.clone());
        }
        match self.answers().get(&subject.identity.object) {
            Some(last) if now.is_ok_and(|now| now == *last) => Probed::Same,
            _ => Probed::LookAgain,
        }
    }

    fn sampled(&self, object: &ObjectRef) -> Map<String, Value> {
        let told = self.inside().get(object).map(|inside| inside.shown(Timestamp::now()));
        told.map(|told| ("monitoring".to_owned(), told)).into_iter().collect()
    }

    fn forget(&self, object: &ObjectRef) {
        self.answers().remove(object);
        self.inside().remove(object);
        self.silences.forget(object);
        self.tenants.forget(object);
    }
}

fn mode_of(found: &Found) -> Option<Persistence> {
    serde_json::from_value(json!(found.identifier.as_ref()?)).ok()
}
