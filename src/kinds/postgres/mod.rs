//! PostgreSQL: a server in a container with its data in a volume, proven by logins. Here is what hangs on the seam; each
//! function is handed on to the file that answers it.

pub mod act;
pub mod action;
pub mod archive;
pub mod check;
pub mod client;
pub mod collation;
pub mod command;
pub mod conditions;
pub mod control_file;
pub mod desired;
pub mod dump;
pub mod facts;
pub mod fake_server;
pub mod initialisation;
pub mod inspect;
mod learn;
mod metrics;
pub mod monitoring;
pub mod parameters;
pub mod plan;
pub mod probe;
pub mod programs;
pub mod record;
mod recover;
mod service;
pub mod spec;
pub mod status;
pub mod survey;
pub mod tenancy;
pub mod tools;
pub mod trial;
pub mod wal;
pub mod world;

use super::archive::Archive;
use super::tenancy::Tenancy;
use super::{
    About, Ask, Call, Client, Column, Context, Each, End, Ended, Found, Inspections, Learnt, Login, Panel,
    Part, Probed, Question, Reconciler, Scene, Subject, Unanswered, Undone, only,
};
use crate::core::condition::Finding;
use crate::core::diagnosis::Check;
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
use crate::core::table::Table;
use crate::docker::{Docker, DockerError};
use crate::manifest::scalar::Text;
use crate::manifest::schema::spec_schema;
use crate::workload;
use crate::workload::observe::{Intent, ObserveError};
use crate::workload::plan::{another_port, successor};
use crate::workload::world::Seen;
use act::{ActError, ask_again};
use action::Action;
use check::Checked;
use client::statements::HARMLESS;
use record::Memory;
use serde_json::{Map, Value};
use status::Status;
use std::sync::Arc;
use tools::Tools;
use world::{Server, World};

/// What a list shows of it.
const COLUMNS: [Column; 8] = [
    Column { header: "VERSION", paths: &["/server/version", "/image/major"], wide: false },
    Column { header: "PORT", paths: &["/endpoint/hostPort"], wide: false },
    Column { header: "MEMORY", paths: &["/resources/applied/memory"], wide: false },
    Column { header: "IMAGE", paths: &["/image/reference"], wide: true },
    Column { header: "MANAGED", paths: &["/image/managed"], wide: true },
    Column { header: "CPUS", paths: &["/resources/applied/cpus"], wide: true },
    Column { header: "CONTAINER", paths: &["/container/name"], wide: true },
    Column { header: "RESTARTS", paths: &["/container/restartCount"], wide: true },
];

const PANELS: [Panel; 1] = [Panel {
    verb: "wal",
    about: "How a server's write-ahead log, its archiver, slots and disk are, and what to do",
    field: "walHealth",
    print: wal::panel,
    figures: wal::figures,
}];

const CLIENT: Client = Client {
    scheme: "postgresql",
    program: "psql",
    package: "a PostgreSQL client",
    verb: "psql",
    local: Some(Call {
        environment: &[
            ("PGHOST", Part::Host),
            ("PGPORT", Part::Port),
            ("PGPASSWORD", Part::Password),
            ("PGUSER", Part::Username),
            ("PGDATABASE", Part::Database),
        ],
        arguments: &[],
    }),
    version: Some("/server/version"),
    // Over the local socket. A name in an argument could be a whole connection string (`a=b`); in a variable it is a
    // name.
    inside: Call {
        environment: &[("PGDATABASE", Part::Database)],
        arguments: &[Part::Text("-U"), Part::Username],
    },
    inside_needs_password: false,
    reach: Question {
        program: "pg_isready",
        call: Call {
            environment: &[
                ("PGHOST", Part::Host),
                ("PGPORT", Part::Port),
                ("PGCONNECT_TIMEOUT", Part::Text("5")),
            ],
            arguments: &[],
        },
        fine: &["accepting connections"],
    },
    login: Question {
        program: "psql",
        call: Call {
            environment: &[
                ("PGHOST", Part::Host),
                ("PGPORT", Part::Port),
                ("PGUSER", Part::Username),
                ("PGPASSWORD", Part::Password),
                ("PGDATABASE", Part::Database),
                ("PGCONNECT_TIMEOUT", Part::Text("5")),
                // Since libpq 16: being let in without a password proves nothing.
                ("PGREQUIREAUTH", Part::Text("scram-sha-256")),
            ],
            arguments: &[Part::Text("-XwAtc"), Part::Text(HARMLESS)],
        },
        fine: &["1"],
    },
    variables: &[
        ("PGHOST", Part::Host),
        ("PGPORT", Part::Port),
        ("PGUSER", Part::Username),
        ("PGDATABASE", Part::Database),
        ("PGPASSWORD", Part::Password),
    ],
    url_variable: "DATABASE_URL",
};

/// A managed PostgreSQL server.
pub struct Postgres {
    pub tools: Arc<Tools>,
}

impl Postgres {
    /// With real servers.
    #[must_use]
    pub fn real(tools: &Arc<workload::Tools>) -> Self {
        Self::new(tools, Arc::new(client::Network))
    }

    #[must_use]
    pub fn new(tools: &Arc<workload::Tools>, servers: Arc<dyn client::Servers>) -> Self {
        Self { tools: Arc::new(Tools::new(Arc::clone(tools), servers)) }
    }

    /// What it does for those that are linked to its servers.
    #[must_use]
    pub fn tenancy(&self) -> Arc<dyn Tenancy> {
        Arc::new(tenancy::Tenants::new(&self.tools))
    }
}

impl Postgres {
    /// How its data are put somewhere else and come back.
    #[must_use]
    pub fn archive(&self) -> Arc<dyn Archive> {
        Arc::new(archive::Dumps::new(&self.tools))
    }
}

impl Reconciler for Postgres {
    type Checked = Checked;
    type Memory = Memory;
    type World = World;
    type Action = Action;
    type Status = Status;
    const INSPECTIONS: Option<&'static Inspections> = Some(&inspect::INSPECTIONS);
    const ABOUT: About = About {
        kind: Kind::Postgres,
        folder: "postgres",
        description: "A managed PostgreSQL server: one container, one data volume, proven by logins.",
        runs: true,
        containers: true,
        rotates: true,
        made_by: None,
        gone: "the container is stopped and removed",
        columns: &COLUMNS,
        panels: &PANELS,
        metrics: &metrics::METRICS,
        history: &metrics::HISTORY,
        least_memory: check::MIN_MEMORY,
        warnings: Some(metrics::WARNINGS),
        client: Some(&CLIENT),
        backups: Some(
            "snapshots by pg_dump, as it was when each was taken; no point in time between them, as no WAL is archived yet",
        ),
        service: Some(&service::SERVICE),
        // The public images of the product brief.
        images: &[
            ("18", "gotempsh/postgres-walg:18-bookworm"),
            ("18-alpine", "postgres:18-alpine"),
            ("17", "postgres:17-bookworm"),
            ("17-alpine", "postgres:17-alpine"),
            ("16", "postgres:16-bookworm"),
            ("16-alpine", "postgres:16-alpine"),
        ],
        spec: spec_schema::<spec::PostgresSpec>,
    };

    fn check(document: &Document, context: &Context<'_>) -> Result<Checked, Vec<Problem>> {
        check::check(document, context)
    }

    fn warnings(document: &Document, checked: &Checked) -> Vec<Problem> {
        check::warnings(document, checked)
    }

    fn offer(subject: &Subject<'_, Self>, _: &World) -> Said {
        let own = [
            (offers::USERNAME, subject.memory.owner(&subject.spec.username).to_owned()),
            (offers::DATABASE, subject.spec.database.clone()),
        ];
        subject.work().offer().into_iter().chain(own).collect()
    }

    fn password_is_elsewhere(checked: &Checked) -> Option<(String, String)> {
        let given =
            || ("the one that its manifest names".to_owned(), "change spec.password there".to_owned());
        checked.password.is_some().then(given)
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

    fn has_another_port(subject: &Subject<'_, Self>, world: &World) -> bool {
        another_port(&subject.work(), &world.work)
    }

    fn look_again(world: &World) -> Option<u64> {
        // No probe tells that the indexes were built again, or that a secret is to be had now.
        let waits = world.columns.mismatched().iter().any(|one| !one.mismatched.is_empty());
        let soon = (waits || matches!(world.declared, world::Declared::Unreadable(_))).then_some(30_000);
        soon.into_iter().chain(world.due.again_ms).min()
    }

    fn findings(
        subject: &Subject<'_, Self>,
        world: &World,
        plan: &Plan<Action>,
        outlook: &Outlook,
    ) -> Vec<Finding> {
        conditions::findings(subject, world, plan, outlook)
    }

    fn before_steps(
        subject: &Subject<'_, Self>,
        world: &World,
        plan: &Plan<Action>,
        outlook: &Outlook,
    ) -> Option<Vec<Finding>> {
        conditions::before_steps(subject, world, plan, outlook)
    }

    fn status(subject: &Subject<'_, Self>, world: &World, last: Option<Status>) -> Status {
        status::status(subject, world).with_image_in_use(last.as_ref(), &world.work)
    }

    fn learn(subject: &Subject<'_, Self>, world: &World, memory: &mut Memory, now: &str) -> Learnt {
        learn::learn(subject, world, memory, now)
    }

    fn handed_over(memory: Memory, home: Home) -> Memory {
        memory.handed_over(home)
    }

    fn login(document: &Document, checked: Option<&Checked>, memory: &Memory) -> Option<Login> {
        // Also of one whose spec cannot be used now: its server may well be up.
        let text = |name: &str, default: &str| {
            document.spec.get(name).and_then(Text::of).map_or_else(|| default.to_owned(), |text| text.0)
        };
        Some(Login {
            username: memory.init_username.clone().unwrap_or_else(|| text("username", "postgres")),
            database: checked.map_or_else(|| text("database", "app"), |checked| checked.database.clone()),
            port: desired::SERVER.port,
        })
    }

    async fn look_at_data(
        docker: &dyn Docker,
        container: &str,
        root: &str,
        own: Option<&SeenContainer>,
    ) -> Result<Option<Found>, DockerError> {
        probe::left_over(docker, container, root, own).await
    }

    fn recovered(work: workload::Memory, own: Option<&SeenContainer>, found: Option<&Found>) -> Memory {
        recover::memory(work, own, found)
    }

    fn recovered_spec(own: Option<&SeenContainer>, found: Option<&Found>) -> Map<String, Value> {
        recover::spec(own, found)
    }

    async fn observe(
        &self,
        subject: &Subject<'_, Self>,
        engine: &EngineInfo,
        intent: Intent,
    ) -> Result<World, ObserveError> {
        probe::observe(&self.tools, subject, engine, intent).await
    }

    async fn act(
        &self,
        scene: &Scene<'_, Self>,
        action: &Action,
        memory: &mut Memory,
    ) -> Result<Vec<Note>, Undone> {
        let scene = act::Scene {
            tools: &self.tools,
            work: workload::act::Scene {
                tools: &self.tools.work,
                case: scene.subject.work(),
                world: &scene.world.work,
                now: scene.now,
                still: scene.still,
                made: scene.made,
                successor: successor(scene.plan, &scene.subject.identity.container()),
                ask_again: ask_again(),
            },
            with_record: scene.with_record,
            world: scene.world,
            image: plan::image_to_run(&scene.subject, scene.world),
        };
        act::apply(&scene, action, memory).await.map_err(ActError::into)
    }

    async fn probe(&self, subject: &Subject<'_, Self>, _: &Role, container: &Glance) -> Probed {
        probe::again(&self.tools, subject, container).await
    }

    fn sampled(&self, object: &ObjectRef) -> Map<String, Value> {
        self.tools.sampled(object)
    }

    async fn inspect(&self, subject: &Subject<'_, Self>, c: &Glance, ask: &Ask) -> Result<Table, Unanswered> {
        probe::inspect::inspect(&self.tools, subject, c, ask).await
    }

    async fn end(&self, subject: &Subject<'_, Self>, c: &Glance, end: &End) -> Result<Ended, Unanswered> {
        probe::inspect::end(&self.tools, subject, c, end).await
    }

    async fn diagnose(&self, subject: &Subject<'_, Self>, c: &Glance, status: &Value) -> Vec<Check> {
        probe::inspect::diagnose(&self.tools, subject, c, status).await
    }

    fn forget(&self, object: &ObjectRef) {
        self.tools.forget(object);
    }
}
