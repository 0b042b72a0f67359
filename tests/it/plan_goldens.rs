//! One row a situation: what the plan is and which conditions follow, as text in
//! `tests/goldens/postgres.txt`. After a wanted change: `UPDATE_GOLDENS=1 cargo test --test it goldens`,
//! then read the difference.

use seawall::core::census::User;
use seawall::core::condition::Finding;
use seawall::core::desired::DesiredContainer;
use seawall::core::digest::sha256;
use seawall::core::failure::{Failure, Outlook};
use seawall::core::identity::{Home, Identity};
use seawall::core::names::{Installation, Name};
use seawall::core::neighbours::Around;
use seawall::core::pairs::Pairs;
use seawall::core::quantity::{Bytes, NanoCpus};
use seawall::core::resource::{Caps, DeletionPolicy, PortRequest};
use seawall::core::seen::{
    ContainerState, EngineInfo, Lacks, SeenContainer, SeenEndpoint, SeenMount, Slot, Space, Usage,
};
use seawall::core::will::{Asked, Gone, Rename, Rotate};
use seawall::kinds::postgres::action::Action;
use seawall::kinds::postgres::check::Checked;
use seawall::kinds::postgres::collation::{Collations, Columns, InDatabase, Libraries, Mismatch, Named};
use seawall::kinds::postgres::conditions::{before_steps, findings};
use seawall::kinds::postgres::desired;
use seawall::kinds::postgres::facts::ImageFacts;
use seawall::kinds::postgres::plan::{Plan, Subject, plan};
use seawall::kinds::postgres::record::{Memory, RefusedParameters};
use seawall::kinds::postgres::status::status;
use seawall::kinds::postgres::trial::Verdict;
use seawall::kinds::postgres::wal::Health;
use seawall::kinds::postgres::world::{
    DataSeen, Declared, InitSeen, MonitorRole, Pending, Placement, Server, ServerFacts, Statements, Weak,
    World,
};
use seawall::manifest::secret::SecretSource;
use seawall::workload;
use seawall::workload::disk::Room;
use seawall::workload::hardening::Profile;
use seawall::workload::image::ImageSeen;
use seawall::workload::image::Unfit;
use seawall::workload::memory::PinnedImage;
use seawall::workload::rollout::Rollout;
use seawall::workload::schedule::Due;
use seawall::workload::world::Deaths;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

/// Everything that a plan and conditions are made from.
#[derive(Clone)]
pub struct Case {
    pub identity: Identity,
    pub spec: Checked,
    pub asked: Asked,
    pub memory: Memory,
    pub present: bool,
    pub world: World,
    pub outlook: Outlook,
    pub around: Around,
}

fn mib(n: u64) -> Option<Bytes> {
    Some(Bytes(n << 20))
}

pub fn facts_of(id: &str, major: u32) -> ImageFacts {
    let mount = if major >= 18 { "/var/lib/postgresql" } else { "/var/lib/postgresql/data" };
    ImageFacts {
        work: workload::image::Image {
            id: format!("sha256:{}", id.repeat(32)),
            digest: None,
            mount_path: mount.to_owned(),
            extra_volumes: Vec::new(),
            cmd: vec!["postgres".to_owned()],
        },
        major,
        managed: true,
        capabilities: vec!["pgbackrest".to_owned()],
        pgdata: if major >= 18 { format!("{mount}/{major}/docker") } else { mount.to_owned() },
        uid: 999,
        gid: 999,
        libraries: Libraries::default(),
        init_scripts: true,
        catalog: None,
        statements: true,
    }
}

/// The container that these lead to.
pub fn container(
    identity: &Identity,
    spec: &Checked,
    image: &ImageFacts,
    memory: &Memory,
    port: Option<u16>,
) -> DesiredContainer {
    let (asked, around) = (Asked::default(), Around::default());
    let subject = Subject { identity, spec, asked: &asked, memory, present: true, around: &around };
    let process = desired::process(spec, image, memory);
    workload::desired::container(&subject.work(), &image.work, &memory.work, port, &process)
}

impl Case {
    /// A server that runs, Ready, with nothing to do.
    pub fn settled() -> Self {
        let identity = Identity {
            installation: Installation::parse("default").unwrap(),
            store: "0123".to_owned(),
            object: "postgres/main".parse().unwrap(),
            role: Default::default(),
            uid: "u1".to_owned(),
            generation: 1,
            home: None,
        };
        let spec = Checked {
            work: workload::Checked {
                image: "postgres:18".parse().unwrap(),
                caps: Caps { memory: mib(512), swap: None, cpus: Some(NanoCpus(1_500_000_000)) },
                force_caps: false,
                port: PortRequest::Auto,
                stopped: false,
                deletion: DeletionPolicy::Retain,
                restart_automatically: true,
                paused: false,
                delete_confirmed: false,
                volume_users: BTreeSet::new(),
                at_once: 1,
            },
            database: "app".to_owned(),
            username: "owner".to_owned(),
            password: None,
            schedule: None,
            parameters: BTreeMap::from([("work_mem".to_owned(), "16MB".to_owned())]),
            skip_trial: false,
            accept_cluster: None,
            accept_collation_change: false,
        };
        let image = facts_of("aa", 18);
        let mut memory = Memory {
            work: workload::Memory {
                port: Some(5432),
                image: Some(PinnedImage {
                    reference: spec.work.image.to_string(),
                    id: image.work.id.clone(),
                }),
                ever_ready: true,
                password_generation: 1,
                container: Some("c1".repeat(32)),
                ..workload::Memory::default()
            },
            data_major: Some(18),
            init_username: Some("owner".to_owned()),
            init_database: Some("app".to_owned()),
            seen_databases: BTreeSet::from(["app".to_owned()]),
            password_emptied_in: Some("c1".repeat(32)),
            counts_statements: true,
            ..Memory::default()
        };
        let file = desired::parameter_file(&identity, &spec, &memory, &image);
        memory.written_parameters = Some(sha256(file.as_bytes()));
        memory.proven_parameters = Some(file);
        let world = World {
            work: workload::World {
                engine: EngineInfo {
                    cpus: 4,
                    swap_limit: true,
                    architecture: "amd64".to_owned(),
                    ..EngineInfo::default()
                },
                container: Slot::Missing,
                misnamed: Vec::new(),
                volume: Slot::Ours(()),
                network: Slot::Ours("n1".to_owned()),
                image: ImageSeen::Fit(image),
                usage: None,
                log_tail: Vec::new(),
                free_port: None,
                port_holder: None,
                port_taken: None,
                port_kept: false,
                password_sealed: true,
                image_starts: Default::default(),
                deaths: Deaths::default(),
                silent: std::time::Duration::ZERO,
                room: None,
                rollout: Rollout::default(),
                fallback: None,
                unseen_successor: None,
                troubles: Default::default(),
                extra_volumes: BTreeMap::new(),
                duplicates: Vec::new(),
                sharers: Vec::new(),
                called_alike: Vec::new(),
                pinned: Some(facts_of("aa", 18)),
            },
            data: DataSeen::NotLooked,
            declared: Declared::No,
            pending: Pending::No,
            due: Due::default(),
            server: Server::NotRunning,
            file_sha256: None,
            trials: BTreeMap::new(),
            init: Default::default(),
            placement: Placement::NotLooked,
            system_identifier: None,
            data_catalog: None,
            left_clean: None,
            health: Health::NotYet,
            monitor_refused: false,
            columns: Columns::NotAsked,
        };
        let mut case = Self {
            identity,
            spec,
            asked: Asked::default(),
            memory,
            present: true,
            world,
            outlook: Outlook::default(),
            around: Around::default(),
        };
        case.world.work.container = Slot::Ours(case.made());
        case.up();
        case
    }

    /// Nothing there yet but the image.
    pub fn fresh() -> Self {
        let mut case = Self::settled();
        case.memory = Memory::default();
        case.world.work.container = Slot::Missing;
        case.world.work.volume = Slot::Missing;
        case.world.work.network = Slot::Missing;
        case.world.server = Server::NotRunning;
        case.world.work.password_sealed = false;
        case.world.work.pinned = None;
        case.world.work.free_port = Some(5432);
        case
    }

    /// The container that the present spec and memory lead to, running.
    pub fn made(&self) -> SeenContainer {
        let ImageSeen::Fit(image) = &self.world.work.image else { panic!("no image") };
        let port = match self.spec.work.port {
            PortRequest::None => None,
            PortRequest::Fixed(port) => Some(port),
            PortRequest::Auto => self.memory.work.port.or(self.world.work.free_port),
        };
        let desired = container(&self.identity, &self.spec, image, &self.memory, port);
        let endpoint = SeenEndpoint {
            network: "seawall".to_owned(),
            network_id: "n1".to_owned(),
            ip: "172.18.0.2".to_owned(),
            aliases: Vec::new(),
        };
        SeenContainer {
            id: "c1".repeat(32),
            name: desired.name.clone(),
            image_id: desired.image.clone(),
            image_ref: self.spec.work.image.to_string(),
            labels: Pairs::from(&desired.all_labels()),
            env: Pairs::from(&desired.env),
            state: ContainerState::Running,
            exit_code: None,
            oom_killed: false,
            error: String::new(),
            started_at: "2027-01-01T00:00:00Z".to_owned(),
            finished_at: String::new(),
            restart_count: 0,
            caps: self.spec.work.caps,
            restart_policy: "always".to_owned(),
            networks: vec![endpoint],
            mounts: vec![SeenMount {
                kind: "volume".to_owned(),
                volume: self.identity.volume(),
                path: image.work.mount_path.clone(),
            }],
            port_bindings: desired.ports.clone(),
            published: desired.ports,
            shm_size: desired.shm_size,
            pids_limit: Some(4096),
            init: true,
            cap_drop: desired.hardening.only_capabilities.iter().map(|_| "ALL".to_owned()).collect(),
            cap_add: desired.hardening.only_capabilities.unwrap_or_default(),
            no_new_privileges: true,
            user: desired.hardening.user.unwrap_or_default(),
        }
    }

    pub fn up(&mut self) {
        let ImageSeen::Fit(image) = self.world.work.image.clone() else { panic!("no image") };
        let file = desired::parameter_file(&self.identity, &self.spec, &self.memory, &image);
        self.world.server = Server::Up(Box::new(ServerFacts {
            overridden_by_role: Vec::new(),
            broken_configuration: Vec::new(),
            version: format!("{}.1", image.major),
            system_identifier: "7000".to_owned(),
            data_directory: image.pgdata,
            started_at: "2027-01-01".to_owned(),
            in_recovery: false,
            database_exists: true,
            parameters_sha256: sha256(file.as_bytes()),
            pending_restart: Vec::new(),
            pending_by_hand: Vec::new(),
            overridden: Vec::new(),
            tablespaces: String::new(),
            monitor: MonitorRole::Fine,
            statements: Statements::Told,
            crowd: None,
            collations: Collations::default(),
        }));
    }

    pub fn c(&mut self) -> &mut SeenContainer {
        match &mut self.world.work.container {
            Slot::Ours(c) => c,
            _ => panic!("no container"),
        }
    }

    /// Links in the data directory, by name, and where they lead.
    fn astray(&mut self, links: &[(&str, &str)]) {
        let pgdata = "/var/lib/postgresql/18/docker";
        let links = links.iter().map(|(name, to)| (format!("{pgdata}/{name}"), (*to).to_owned()));
        let links = links.chain([(pgdata.to_owned(), pgdata.to_owned())]).collect();
        self.world.placement = Placement::Links(links);
    }

    /// The image declares a second volume, at /wal.
    fn with_extra_volume(&mut self) {
        let ImageSeen::Fit(image) = &mut self.world.work.image else { panic!("no image") };
        image.work.extra_volumes = vec!["/wal".to_owned()];
    }

    fn facts(&mut self) -> &mut ServerFacts {
        match &mut self.world.server {
            Server::Up(facts) => facts,
            _ => panic!("no server"),
        }
    }

    /// The container does not run; its file is as it was written.
    fn down(&mut self, state: ContainerState, code: i64) {
        let c = self.c();
        (c.state, c.exit_code) = (state, Some(code));
        c.published.clear();
        self.world.server = Server::NotRunning;
        self.world.file_sha256.clone_from(&self.memory.written_parameters);
    }

    /// As before the first login.
    fn never_ready(&mut self) {
        self.memory.work.ever_ready = false;
        self.memory.data_major = None;
        self.memory.work.volume_fresh = true;
        self.memory.seen_databases.clear();
        self.memory.password_emptied_in = None;
        self.memory.proven_parameters = None;
    }

    pub fn subject(&self) -> Subject<'_> {
        Subject {
            identity: &self.identity,
            spec: &self.spec,
            asked: &self.asked,
            memory: &self.memory,
            present: self.present,
            around: &self.around,
        }
    }

    pub fn plan(&self) -> Plan {
        plan(&self.subject(), &self.world)
    }

    fn text(&self) -> String {
        let plan = self.plan();
        let mut text = render(&plan);
        for finding in findings(&self.subject(), &self.world, &plan, &self.outlook) {
            let Finding { kind, status, reason, message } = finding;
            let _ = writeln!(text, "    {kind}={status} {reason}: {message}");
        }
        // What is said before the steps run, where that differs.
        let before = before_steps(&self.subject(), &self.world, &plan, &self.outlook).unwrap_or_default();
        let now = findings(&self.subject(), &self.world, &plan, &self.outlook);
        for Finding { kind, status, reason, message } in before.iter().filter(|f| !now.contains(f)) {
            let _ = writeln!(text, "    before: {kind}={status} {reason}: {message}");
        }
        text
    }
}

pub fn render<A: std::fmt::Display>(plan: &seawall::core::plan::Plan<A>) -> String {
    let view = plan.view("", false);
    let mut text = String::new();
    for step in view.steps {
        let _ = writeln!(text, "{} {}: {}", step.sign.as_str(), step.action, step.cause);
    }
    for wait in &plan.waiting {
        let again =
            wait.retry_ms.map_or("until something wakes us".to_owned(), |ms| format!("again in {ms} ms"));
        let _ = writeln!(text, "… {}: {} ({again})", wait.on, wait.why);
    }
    for block in view.blocked {
        let _ = writeln!(text, "! {}: {} → {}", block.reason, block.why, block.unblock);
    }
    if text.is_empty() { "nothing to do\n".to_owned() } else { text }
}

type Edit = fn(&mut Case);

/// Another image of the same major with a newer C library; what runs was made from the one before.
fn sorts_otherwise(c: &mut Case) {
    let libc = |version: &str| Libraries { libc: Some(version.to_owned()), icu: None };
    c.memory.libraries = Some(libc("glibc 2.36"));
    c.world.work.image = ImageSeen::Fit(ImageFacts { libraries: libc("glibc 2.41"), ..facts_of("bb", 18) });
}

/// A container of another image than a server last came up with, which is still there, in a crash loop.
fn dies_with_another_image(c: &mut Case) {
    c.spec.work.image = "postgres:18.2".parse().unwrap();
    c.memory.work.proven_image = Some(facts_of("aa", 18).work.id);
    c.memory.work.image =
        Some(PinnedImage { reference: "postgres:18.2".into(), id: facts_of("bb", 18).work.id });
    c.world.work.image = ImageSeen::Fit(facts_of("bb", 18));
    c.world.work.container = Slot::Ours(c.made());
    c.down(ContainerState::Restarting, 1);
    c.world.work.deaths = Deaths { count: 2, since: "2026-01-01T00:00:00Z".into() };
    c.world.work.fallback = Some(facts_of("aa", 18).work.id);
}

fn rotates(c: &mut Case) {
    c.asked.rotate = Some(Rotate { at: "2027-01-02T00:00:00Z".into(), now: false });
}

/// The wanted image is another one than that which runs.
fn other_image(c: &mut Case) {
    c.spec.work.image = "postgres:18b".parse().unwrap();
    c.memory.work.proven_image = Some(facts_of("aa", 18).work.id);
    c.world.work.pinned = Some(facts_of("aa", 18));
    c.world.work.image = ImageSeen::Fit(facts_of("bb", 18));
}

fn silent() -> Server {
    let words =
        "the server answers on the network, and not at its published port 127.0.0.1:5432: connection refused";
    Server::PortSilent(words.to_owned())
}

const ROWS: &[(&str, Edit)] = &[
    ("settled", |_| {}),
    ("first: nothing there", |c| *c = Case::fresh()),
    ("first: image not local", |c| {
        *c = Case::fresh();
        c.world.work.image = ImageSeen::Missing;
    }),
    ("first: image of another architecture", |c| {
        *c = Case::fresh();
        c.world.work.image =
            ImageSeen::Unfit(Unfit("it is for arm64, this host is amd64; use an image for amd64".into()));
    }),
    ("first: image without PostgreSQL", |c| {
        *c = Case::fresh();
        c.world.work.image = ImageSeen::Unfit(Unfit("it contains no PostgreSQL server (no PG_MAJOR); use an image that keeps the official image's contract".into()));
    }),
    ("first: a volume of ours that nobody knows", |c| {
        *c = Case::fresh();
        c.world.work.volume = Slot::Ours(());
        c.world.work.network = Slot::Ours("n1".into());
    }),
    ("first: looked at an unknown volume: empty", |c| {
        c.never_ready();
        c.memory.work.volume_fresh = false;
        c.down(ContainerState::Created, 0);
        c.world.data = DataSeen::Empty;
    }),
    ("first: looked at an unknown volume: another major", |c| {
        c.never_ready();
        c.memory.work.volume_fresh = false;
        c.down(ContainerState::Created, 0);
        c.world.data = DataSeen::Major(17);
    }),
    ("first: created, never started", |c| {
        c.never_ready();
        c.down(ContainerState::Created, 0);
    }),
    ("first: started, nobody listens", |c| {
        c.never_ready();
        c.world.server = Server::Refused("Connection refused (os error 111)".into());
    }),
    ("first: starting up", |c| {
        c.never_ready();
        c.world.server = Server::Starting("the database system is starting up".into());
    }),
    ("first: ready, the password file still there", |c| c.memory.password_emptied_in = None),
    ("server: asks for the password itself", |c| c.world.server = Server::Weak(Weak::ClearText)),
    ("server: asks for MD5", |c| c.world.server = Server::Weak(Weak::Md5)),
    ("server: asks for MD5 again", |c| {
        c.memory.verifier_set_in = Some(c.c().id.clone());
        c.world.server = Server::Weak(Weak::Md5);
    }),
    ("server: lets everybody in", |c| c.world.server = Server::Weak(Weak::NoPassword)),
    ("image: sorts text otherwise, and a database goes by it", |c| {
        sorts_otherwise(c);
        c.memory.collation_providers = Some("c".into());
    }),
    ("image: sorts text otherwise, and nobody can tell who goes by it", sorts_otherwise),
    ("image: sorts text otherwise, but for nobody", |c| {
        sorts_otherwise(c);
        c.memory.collation_providers = Some(String::new());
        c.world.columns =
            Columns::Asked(vec![InDatabase { database: "app".into(), ..InDatabase::default() }]);
    }),
    ("image: sorts text otherwise, and a column goes by it", |c| {
        sorts_otherwise(c);
        c.memory.collation_providers = Some(String::new());
        let providers = "c".to_owned();
        c.world.columns =
            Columns::Asked(vec![InDatabase { database: "app".into(), providers, ..InDatabase::default() }]);
    }),
    ("image: sorts text otherwise, and the server was not asked for its columns", |c| {
        sorts_otherwise(c);
        c.memory.collation_providers = Some(String::new());
        c.down(ContainerState::Exited, 0);
    }),
    ("image: sorts text otherwise, and the server did not tell of its columns", |c| {
        sorts_otherwise(c);
        c.memory.collation_providers = Some(String::new());
        c.world.columns = Columns::Unknown("no answer within 5s".into());
    }),
    ("image: sorts text otherwise, and that is accepted", |c| {
        sorts_otherwise(c);
        c.spec.accept_collation_change = true;
    }),
    ("server: indexes of another order", |c| {
        c.facts().collations.mismatched =
            vec![Mismatch { database: "app".into(), built_with: "2.36".into(), now: "2.41".into() }];
    }),
    ("server: indexes of another order by what a column names", |c| {
        c.memory.order_changed = true;
        let named = |collation: &str| Named {
            collation: collation.into(),
            built_with: "153.112".into(),
            now: "153.120".into(),
        };
        let mismatched = vec![named("\"pg_catalog\".\"de-x-icu\""), named("\"public\".\"own\"")];
        c.world.columns =
            Columns::Asked(vec![InDatabase { database: "app".into(), providers: "i".into(), mismatched }]);
    }),
    ("server: indexes of another order, nobody can tell which", |c| {
        c.memory.order_changed = true;
        c.world.columns = Columns::Unknown("it has more than 200 databases".into());
    }),
    ("server: other data than ours", |c| {
        c.memory.system_identifier = Some("6999".into());
        c.facts().database_exists = false;
    }),
    ("drift: stopped", |c| c.down(ContainerState::Exited, 0)),
    ("drift: killed", |c| c.down(ContainerState::Exited, 137)),
    ("drift: out of memory", |c| {
        c.down(ContainerState::Exited, 137);
        c.c().oom_killed = true;
    }),
    ("drift: removed", |c| {
        c.world.work.container = Slot::Missing;
        c.world.server = Server::NotRunning;
    }),
    ("drift: renamed", |c| {
        c.world.work.container = Slot::Missing;
        c.world.server = Server::NotRunning;
        c.world.work.misnamed = vec![("c1".into(), "mine".into())];
    }),
    ("drift: re-created from another image under our name", |c| c.c().image_id = facts_of("bb", 18).work.id),
    ("drift: caps by docker update", |c| c.c().caps = Caps { memory: mib(256), ..Caps::default() }),
    ("drift: restart policy", |c| c.c().restart_policy = "no".into()),
    ("drift: disconnected from the network", |c| {
        c.c().networks.clear();
        c.c().published.clear();
        c.world.server = Server::Failed("the container has no address on the network".into());
    }),
    ("drift: connected again, the port not published", |c| c.c().published.clear()),
    ("drift: the network made again", |c| c.world.work.network = Slot::Ours("n2".into())),
    ("drift: the network gone", |c| c.world.work.network = Slot::Missing),
    ("drift: port map", |c| c.c().port_bindings.clear()),
    ("drift: mounted elsewhere", |c| c.c().mounts.clear()),
    ("drift: paused", |c| c.down(ContainerState::Paused, 0)),
    ("drift: being removed", |c| c.down(ContainerState::Removing, 0)),
    ("drift: database dropped", |c| c.facts().database_exists = false),
    ("drift: database dropped that was never seen", |c| {
        c.facts().database_exists = false;
        c.memory.seen_databases.clear();
    }),
    ("drift: password changed in the server", |c| {
        c.world.server = Server::LoginRefused("password authentication failed for user \"owner\"".into());
    }),
    ("drift: other data, of which the password is another", |c| {
        c.world.server = Server::LoginRefused("password authentication failed for user \"owner\"".into());
        c.world.system_identifier = Some("7000".into());
        c.memory.system_identifier = Some("6999".into());
    }),
    ("rotate: asked for", rotates),
    ("rotate: due by the schedule", |c| c.world.due.now = true),
    ("rotate: due by the schedule, and there is something else to do first", |c| {
        c.world.due.now = true;
        c.facts().parameters_sha256.clear();
    }),
    ("rotate: due by the schedule, and something is blocked", |c| {
        c.world.due.now = true;
        c.facts().database_exists = false;
    }),
    ("rotate: due by the schedule, and the disk is full", |c| {
        c.world.due.now = true;
        c.world.work.room = Some((Space { free: 0, total: 1 << 30, read_only: false }, Room::Full));
    }),
    ("rotate: due by the schedule, paused", |c| {
        c.world.due.now = true;
        c.spec.work.paused = true;
    }),
    ("rotate: due by the schedule, stopped", |c| {
        c.world.due.now = true;
        c.spec.work.stopped = true;
    }),
    ("rotate: due by the schedule, nobody is let in", |c| {
        c.world.due.now = true;
        c.world.server = Server::Hung("no answer".into());
    }),
    ("rotate: asked for and done", |c| {
        rotates(c);
        c.memory.rotated_for = Some("2027-01-02T00:00:00Z".into());
    }),
    ("rotate: asked for, and there is something else to do first", |c| {
        rotates(c);
        c.facts().parameters_sha256.clear();
    }),
    ("rotate: asked for, the manifest names the password", |c| {
        rotates(c);
        c.spec.password = Some(SecretSource::File("main".into()));
        c.world.declared = Declared::Same;
    }),
    ("rotate: asked for, paused", |c| {
        rotates(c);
        c.spec.work.paused = true;
    }),
    ("rotate: the next password is sealed", |c| {
        rotates(c);
        c.world.pending = Pending::Sealed;
    }),
    ("rotate: the next password is sealed, and the other one was changed in the server", |c| {
        c.world.pending = Pending::Sealed;
        c.world.server = Server::LoginRefused("password authentication failed for user \"owner\"".into());
    }),
    ("rotate: the next password is sealed, the present one is stored as MD5", |c| {
        c.world.pending = Pending::Sealed;
        c.world.server = Server::Weak(Weak::Md5);
    }),
    ("rotate: the next password is sealed, the manifest names another one", |c| {
        c.world.pending = Pending::Sealed;
        c.spec.password = Some(SecretSource::File("main".into()));
        c.world.declared = Declared::Differs;
    }),
    ("rotate: the next password is in force", |c| c.world.pending = Pending::InForce),
    ("rotate: the next password is in force, and the store refuses it", |c| {
        c.world.pending = Pending::InForce;
        c.outlook.failure = Some(Failure::new("StoreFailed", "no space left on device".to_owned()));
    }),
    ("rotate: the next password is sealed, stopped", |c| {
        c.world.pending = Pending::Sealed;
        c.asked.stopped = true;
    }),
    ("drift: parameter file edited", |c| c.facts().parameters_sha256 = "0".repeat(64)),
    ("drift: parameter file gone", |c| c.facts().parameters_sha256.clear()),
    ("drift: the volume gone with its data", |c| {
        c.world.work.container = Slot::Missing;
        c.world.work.volume = Slot::Missing;
        c.world.server = Server::NotRunning;
    }),
    ("drift: password missing in the store", |c| c.world.work.password_sealed = false),
    ("conflict: container", |c| {
        c.world.work.container = Slot::Foreign("it has no label seawall.dev/installation".into())
    }),
    ("conflict: volume and network", |c| {
        *c = Case::fresh();
        c.world.work.volume = Slot::Foreign("it has no label seawall.dev/installation".into());
        c.world.work.network = Slot::Foreign("it does not carry this installation's labels".into());
    }),
    ("server: hangs", |c| c.world.server = Server::Hung("no answer within 5s".into())),
    ("server: fails", |c| c.world.server = Server::Failed("too many clients already".into())),
    ("server: in recovery", |c| c.facts().in_recovery = true),
    ("server: data outside the volume", |c| c.facts().data_directory = "/tmp/data".into()),
    ("data: the WAL outside the volume", |c| c.astray(&[("pg_wal", "/wal")])),
    ("data: a link that stays in the volume", |c| c.astray(&[("pg_wal", "/var/lib/postgresql/18/wal")])),
    ("data: tablespaces and more outside, another image wanted", |c| {
        c.astray(&[("pg_tblspc/16385", "/srv/a"), ("pg_tblspc/16386", "/srv/b"), ("log", "/var/log/pg")]);
        c.world.work.image = ImageSeen::Fit(facts_of("bb", 18));
        c.spec.work.image = "postgres:18b".parse().unwrap();
    }),
    ("data: outside, the container does not run, another image wanted", |c| {
        c.astray(&[("pg_wal", "/wal")]);
        c.down(ContainerState::Exited, 0);
        c.world.work.image = ImageSeen::Fit(facts_of("bb", 18));
        c.spec.work.image = "postgres:18b".parse().unwrap();
    }),
    ("data: outside, the manifest is gone", |c| {
        c.astray(&[("pg_wal", "/wal")]);
        c.present = false;
    }),
    ("data: outside, the manifest is gone, stopped already", |c| {
        c.astray(&[("pg_wal", "/wal")]);
        c.down(ContainerState::Exited, 0);
        c.present = false;
    }),
    ("data: outside, deletion confirmed", |c| {
        c.astray(&[("pg_wal", "/wal")]);
        c.present = false;
        c.asked.delete = true;
    }),
    ("data: more links than can be looked at, another image wanted", |c| {
        c.world.placement = Placement::TooMany;
        c.world.work.image = ImageSeen::Fit(facts_of("bb", 18));
        c.spec.work.image = "postgres:18b".parse().unwrap();
    }),
    ("data: in a directory that a mount inside the volume hides", |c| {
        c.c().mounts.push(SeenMount {
            kind: "tmpfs".into(),
            volume: String::new(),
            path: "/var/lib/postgresql/wal".into(),
        });
        c.astray(&[("pg_wal", "/var/lib/postgresql/wal/here")]);
    }),
    ("volumes: the image declares another, first start", |c| {
        *c = Case::fresh();
        c.with_extra_volume();
    }),
    ("volumes: the image declares another, the container has one without a name", |c| {
        c.with_extra_volume();
        c.c().mounts.push(SeenMount { kind: "volume".into(), volume: "e1".repeat(32), path: "/wal".into() });
        c.astray(&[("pg_wal", "/wal/pg")]);
    }),
    ("volumes: another, kept", |c| {
        c.with_extra_volume();
        c.memory.work.volumes.insert("/wal".into(), "e1".repeat(32));
        c.c().mounts.push(SeenMount { kind: "volume".into(), volume: "e1".repeat(32), path: "/wal".into() });
        c.astray(&[("pg_wal", "/wal/pg")]);
    }),
    ("volumes: another, the container without it", |c| {
        c.with_extra_volume();
        c.memory.work.volumes.insert("/wal".into(), "postgres-main.wal".into());
        c.astray(&[]);
    }),
    ("volumes: another, lost", |c| {
        c.with_extra_volume();
        c.memory.work.volumes.insert("/wal".into(), "postgres-main.wal".into());
        c.world.work.extra_volumes.insert("postgres-main.wal".into(), Slot::Missing);
        c.world.work.container = Slot::Missing;
        c.world.server = Server::NotRunning;
    }),
    ("volumes: another, deletion confirmed", |c| {
        c.memory.work.volumes.insert("/wal".into(), "postgres-main.wal".into());
        c.present = false;
        c.asked.delete = true;
    }),
    ("server: just started", |c| c.world.server = Server::NotRunning),
    ("server: dies at start, again and again", |c| {
        c.down(ContainerState::Restarting, 1);
        c.world.work.log_tail = vec!["LOG:  starting".into(), "FATAL:  could not open file \"x\"".into()];
    }),
    ("server: dies at start, stalled", |c| {
        c.down(ContainerState::Restarting, 1);
        c.world.work.log_tail = vec!["FATAL:  could not open file \"x\"".into()];
        c.outlook.stalled = true;
    }),
    ("server: dies with new parameters, worked with the old", |c| {
        c.spec.parameters.insert("shared_preload_libraries".into(), "nothere".into());
        let ImageSeen::Fit(image) = &c.world.work.image else { return };
        let text = desired::parameter_file(&c.identity, &c.spec, &c.memory, image);
        c.memory.written_parameters = Some(sha256(text.as_bytes()));
        c.down(ContainerState::Restarting, 1);
        c.world.work.log_tail =
            vec!["FATAL:  could not access file \"nothere\": No such file or directory".into()];
    }),
    ("spec: parameters changed", |c| drop(c.spec.parameters.insert("work_mem".into(), "32MB".into()))),
    ("spec: parameters changed, tried", |c| {
        c.spec.parameters.insert("work_mem".into(), "32MB".into());
        c.world.trials.insert(facts_of("aa", 18).work.id, Verdict::Passed);
    }),
    ("spec: parameters changed, the trial could not be held", |c| {
        c.spec.parameters.insert("work_mem".into(), "32MB".into());
        c.world.trials.insert(facts_of("aa", 18).work.id, Verdict::Unknown("no psql".into()));
    }),
    ("spec: parameters changed, the trial refused them", |c| {
        c.spec.parameters.insert("ssl".into(), "on".into());
        let words = "the server does not start: could not load server certificate file".into();
        c.world.trials.insert(facts_of("aa", 18).work.id, Verdict::Refused(words));
    }),
    ("spec: parameters changed, the trial refused them, it does not run", |c| {
        c.down(ContainerState::Exited, 0);
        c.spec.parameters.insert("ssl".into(), "on".into());
        let words = "the server does not start: could not load server certificate file".into();
        c.world.trials.insert(facts_of("aa", 18).work.id, Verdict::Refused(words));
    }),
    ("spec: parameters changed, no trial wanted", |c| {
        c.spec.parameters.insert("work_mem".into(), "32MB".into());
        c.spec.skip_trial = true;
    }),
    ("new: the trial refused its parameters", |c| {
        c.memory = Memory::default();
        c.world.work.volume = Slot::Missing;
        c.world.work.container = Slot::Missing;
        c.world.server = Server::NotRunning;
        let words = "the server does not start: could not access file \"nope\"".into();
        c.world.trials.insert(facts_of("aa", 18).work.id, Verdict::Refused(words));
    }),
    ("spec: another image, the trial refused it", |c| {
        other_image(c);
        c.world
            .trials
            .insert(facts_of("bb", 18).work.id, Verdict::Refused("the server does not start".into()));
    }),
    ("spec: parameters changed while it does not run", |c| {
        c.down(ContainerState::Exited, 0);
        c.spec.parameters.insert("work_mem".into(), "32MB".into());
    }),
    ("spec: parameters refused by the server", |c| {
        c.spec.parameters.insert("work_mem".into(), "16ZB".into());
        let ImageSeen::Fit(image) = &c.world.work.image else { return };
        let text = desired::parameter_file(&c.identity, &c.spec, &c.memory, image);
        c.memory.refused_parameters = Some(RefusedParameters {
            sha256: sha256(text.as_bytes()),
            message: "invalid value for parameter \"work_mem\": \"16ZB\"".into(),
            image: None,
        });
    }),
    ("spec: parameters overridden by ALTER SYSTEM", |c| c.facts().overridden = vec!["work_mem".into()]),
    ("spec: shared_buffers above the memory cap", |c| {
        drop(c.spec.parameters.insert("shared_buffers".into(), "1GB".into()));
    }),
    ("spec: parameters overridden by ALTER SYSTEM before 17", |c| {
        c.facts().overridden = vec!["work_mem".into()];
        c.facts().version = "16.4".into();
    }),
    ("spec: parameters overridden by ALTER ROLE", |c| c.facts().overridden_by_role = vec!["work_mem".into()]),
    ("spec: a configuration file that no start would survive", |c| {
        c.facts().broken_configuration = vec!["/d/postgresql.auto.conf:3  syntax error".into()];
    }),
    ("spec: restart pending, Auto", |c| c.facts().pending_restart = vec!["max_connections".into()]),
    ("spec: restart pending, and another by hand", |c| {
        c.facts().pending_restart = vec!["max_connections".into(), "shared_preload_libraries".into()];
        c.facts().pending_by_hand = vec!["shared_preload_libraries".into()];
    }),
    ("spec: restart pending, and a configuration file that no start would survive", |c| {
        c.facts().pending_restart = vec!["max_connections".into()];
        c.facts().broken_configuration = vec!["/d/postgresql.auto.conf:3 max_connections x".into()];
    }),
    ("spec: restart pending, Manual", |c| {
        c.facts().pending_restart = vec!["max_connections".into(), "shared_buffers".into()];
        c.spec.work.restart_automatically = false;
    }),
    ("spec: memory raised, cpus removed", |c| {
        c.spec.work.caps = Caps { memory: mib(1024), ..Caps::default() }
    }),
    ("spec: memory lowered", |c| {
        c.spec.work.caps.memory = mib(256);
        c.world.work.usage =
            Some(Usage { memory: Bytes(99 << 20), unreclaimable: Bytes(64 << 20), memory_limit: mib(512) });
    }),
    ("spec: memory lowered below use", |c| {
        c.spec.work.caps.memory = mib(256);
        c.world.work.usage =
            Some(Usage { memory: Bytes(400 << 20), unreclaimable: Bytes(300 << 20), memory_limit: mib(512) });
    }),
    ("spec: memory lowered below use, forced", |c| {
        c.spec.work.caps.memory = mib(256);
        c.spec.work.force_caps = true;
        c.world.work.usage =
            Some(Usage { memory: Bytes(400 << 20), unreclaimable: Bytes(300 << 20), memory_limit: mib(512) });
    }),
    ("spec: memory lowered, use unknown", |c| c.spec.work.caps.memory = mib(256)),
    ("spec: memory lowered below use while it does not run", |c| {
        c.down(ContainerState::Exited, 0);
        c.spec.work.caps.memory = mib(64);
    }),
    ("spec: all caps removed", |c| c.spec.work.caps = Caps::default()),
    ("spec: all CPUs are no cap", |c| {
        c.spec.work.caps.cpus = Some(NanoCpus(4_000_000_000));
        c.c().caps.cpus = None;
    }),
    ("spec: swap on a kernel that cannot cap it", |c| {
        c.spec.work.caps.swap = mib(256);
        c.world.work.engine.swap_limit = false;
    }),
    ("engine: cannot limit CPUs, memory raised", |c| {
        c.world.work.engine.lacks.cpu_quota = true;
        c.c().caps.cpus = None;
        c.spec.work.caps.memory = mib(1024);
    }),
    ("engine: cannot limit CPUs", |c| {
        c.world.work.engine.lacks.cpu_quota = true;
        c.c().caps.cpus = None;
    }),
    ("engine: cannot limit CPUs, and none are limited", |c| {
        c.world.work.engine.lacks.cpu_quota = true;
        c.c().caps.cpus = None;
        c.spec.work.caps.cpus = None;
    }),
    ("engine: cannot limit memory, cpus changed", |c| {
        c.world.work.engine.lacks.memory_limit = true;
        c.c().caps.memory = None;
        c.spec.work.caps.swap = mib(256);
        c.spec.work.caps.cpus = Some(NanoCpus(2_000_000_000));
    }),
    ("engine: cannot limit memory nor swap", |c| {
        c.world.work.engine.lacks.memory_limit = true;
        c.world.work.engine.swap_limit = false;
        c.c().caps.memory = None;
        c.spec.work.caps.swap = mib(256);
    }),
    ("engine: no limit of processes, no docker-init", |c| {
        c.world.work.engine.lacks.pids_limit = true;
        c.world.work.engine.lacks.init = true;
        c.c().init = false;
        c.c().pids_limit = None;
    }),
    ("engine: lacks everything, stopped", |c| {
        c.spec.work.stopped = true;
        c.down(ContainerState::Exited, 0);
        c.c().restart_policy = "no".into();
        c.c().caps = Caps::default();
        c.world.work.engine.lacks =
            Lacks { memory_limit: true, cpu_quota: true, pids_limit: true, init: true };
    }),
    ("spec: another port", |c| c.spec.work.port = PortRequest::Fixed(6000)),
    ("spec: another port that another object has", |c| {
        c.spec.work.port = PortRequest::Fixed(6000);
        c.world.work.port_holder = Some("postgres/other".into());
    }),
    ("spec: another port, and the image is not seen to be local", |c| {
        c.spec.work.port = PortRequest::Fixed(6000);
        c.spec.work.caps.memory = mib(1024);
        c.world.work.unseen_successor =
            Some("the Docker engine took longer than 10s (inspect an image)".into());
    }),
    ("spec: port none", |c| c.spec.work.port = PortRequest::None),
    ("spec: no free port", |c| {
        *c = Case::fresh();
        c.world.work.free_port = None;
    }),
    ("port: refused at the first start, another is free", |c| {
        c.never_ready();
        c.down(ContainerState::Created, 128);
        c.c().error = "Bind for 127.0.0.1:5432 failed: port is already allocated".into();
        c.world.work.free_port = Some(5433);
    }),
    ("port: refused, but once ready: kept", |c| {
        c.down(ContainerState::Exited, 128);
        c.c().error = "listen tcp4 127.0.0.1:5432: bind: address already in use".into();
        c.world.work.free_port = Some(5433);
    }),
    ("spec: another build of the same major", |c| {
        c.spec.work.image = "postgres:18.2".parse().unwrap();
        c.world.work.image = ImageSeen::Fit(facts_of("bb", 18));
    }),
    ("spec: another build that is not local", |c| {
        c.spec.work.image = "postgres:18.2".parse().unwrap();
        c.world.work.image = ImageSeen::Missing;
    }),
    ("spec: another build that is not seen to be local, killed", |c| {
        c.spec.work.image = "postgres:18.2".parse().unwrap();
        c.memory.work.image =
            Some(PinnedImage { reference: "postgres:18.2".into(), id: facts_of("bb", 18).work.id });
        c.memory.work.proven_image = Some(facts_of("aa", 18).work.id);
        c.world.work.image = ImageSeen::Fit(facts_of("bb", 18));
        c.world.work.unseen_successor =
            Some("the Docker engine took longer than 10s (inspect an image)".into());
        c.down(ContainerState::Exited, 137);
    }),
    ("spec: an image that the engine refuses, more memory and a killed server", |c| {
        c.down(ContainerState::Exited, 137);
        c.spec.work.caps.memory = mib(1024);
        c.world.work.image = ImageSeen::Unknown { words: "invalid reference format".into(), refused: true };
    }),
    ("spec: an image that the engine refuses, the server runs", |c| {
        c.world.work.image = ImageSeen::Unknown { words: "invalid reference format".into(), refused: true };
    }),
    ("spec: an image that the engine does not tell of, nothing is known of the old one", |c| {
        c.spec.work.caps.memory = mib(1024);
        c.world.work.image = ImageSeen::Unknown { words: "took longer than 30s".into(), refused: false };
        c.world.work.pinned = None;
    }),
    ("spec: an image that the engine refuses, asked to stop", |c| {
        c.spec.work.stopped = true;
        c.world.work.image = ImageSeen::Unknown { words: "invalid reference format".into(), refused: true };
    }),
    ("spec: another build that is not local, the container removed by hand", |c| {
        c.world.work.container = Slot::Missing;
        c.world.server = Server::NotRunning;
        c.spec.work.image = "postgres:18.2".parse().unwrap();
        c.world.work.image = ImageSeen::Missing;
    }),
    ("spec: another build that is not local, and another port", |c| {
        c.spec.work.image = "postgres:18.2".parse().unwrap();
        c.spec.work.port = PortRequest::Fixed(6000);
        c.world.work.image = ImageSeen::Missing;
    }),
    ("spec: another build that is not local, then killed", |c| {
        c.down(ContainerState::Exited, 137);
        c.spec.work.image = "postgres:18.2".parse().unwrap();
        c.world.work.image = ImageSeen::Missing;
    }),
    ("spec: an image that cannot be used, then killed", |c| {
        c.down(ContainerState::Exited, 137);
        c.spec.work.image = "postgres:18.2".parse().unwrap();
        c.world.work.image =
            ImageSeen::Unfit(Unfit("it holds PostgreSQL 9; Seawall needs 13 or newer".into()));
    }),
    ("spec: a port that another object has, then killed", |c| {
        c.down(ContainerState::Exited, 137);
        c.spec.work.port = PortRequest::Fixed(6000);
        c.world.work.port_holder = Some("postgres/other".into());
    }),
    ("spec: another image, the first of three to go to it", |c| {
        other_image(c);
        c.world.work.rollout = Rollout { to_go: 2, at_once: 1, ..Rollout::default() };
    }),
    ("spec: another image, another one goes first", |c| {
        other_image(c);
        let going = vec!["postgres/a".to_owned()];
        c.world.work.rollout = Rollout { going, to_go: 1, at_once: 1, ..Rollout::default() };
    }),
    ("spec: another image, another one did not come back with it", |c| {
        other_image(c);
        c.down(ContainerState::Exited, 137);
        let failed = Some(("postgres/a".to_owned(), "exited with code 3".to_owned()));
        c.world.work.rollout = Rollout { failed, to_go: 1, at_once: 1, ..Rollout::default() };
    }),
    ("spec: a port that somebody else has", |c| {
        c.spec.work.port = PortRequest::Fixed(6000);
        c.world.work.port_taken = Some("container web publishes it".into());
    }),
    ("first: a port that somebody else has", |c| {
        *c = Case::fresh();
        c.spec.work.port = PortRequest::Fixed(6000);
        c.world.work.port_taken = Some("container web publishes it".into());
    }),
    ("spec: another build of the same major that looks for the data elsewhere", |c| {
        c.spec.work.image = "mine:18".parse().unwrap();
        let mut image = facts_of("bb", 18);
        image.pgdata = "/var/lib/postgresql/data".to_owned();
        image.work.mount_path.clone_from(&image.pgdata);
        c.world.work.image = ImageSeen::Fit(image);
    }),
    ("spec: another build that looks for the data elsewhere, then killed", |c| {
        c.down(ContainerState::Exited, 137);
        c.spec.work.image = "mine:18".parse().unwrap();
        c.memory.data_path = Some("18/docker".into());
        let pgdata = "/var/lib/postgresql/other".to_owned();
        c.world.work.image = ImageSeen::Fit(ImageFacts { pgdata, ..facts_of("bb", 18) });
    }),
    ("spec: another build with the same place under another path", |c| {
        c.spec.work.image = "mine:18".parse().unwrap();
        let mut image = facts_of("bb", 18);
        (image.work.mount_path, image.pgdata) = ("/data".to_owned(), "/data/18/docker".to_owned());
        c.world.work.image = ImageSeen::Fit(image);
    }),
    ("spec: another build of the same major with another catalog version", |c| {
        c.spec.work.image = "postgres:18beta2".parse().unwrap();
        c.memory.data_catalog = Some(202_506_291);
        let catalog = Some(202_505_071);
        c.world.work.image = ImageSeen::Fit(ImageFacts { catalog, ..facts_of("bb", 18) });
    }),
    ("spec: another catalog version than that of the image in use", |c| {
        c.spec.work.image = "postgres:18beta2".parse().unwrap();
        c.world.work.pinned = Some(ImageFacts { catalog: Some(202_506_291), ..facts_of("aa", 18) });
        let catalog = Some(202_505_071);
        c.world.work.image = ImageSeen::Fit(ImageFacts { catalog, ..facts_of("bb", 18) });
    }),
    ("first: looked at an unknown volume: data elsewhere", |c| {
        c.never_ready();
        c.memory.work.volume_fresh = false;
        c.down(ContainerState::Created, 0);
        c.world.data = DataSeen::Elsewhere { major: 18, path: "data".into() };
    }),
    ("first: looked at an unknown volume: another catalog version", |c| {
        c.never_ready();
        c.memory.work.volume_fresh = false;
        c.down(ContainerState::Created, 0);
        (c.world.data, c.world.data_catalog) = (DataSeen::Major(18), Some(202_505_071));
        c.world.work.pinned = None;
        c.world.work.image = ImageSeen::Fit(ImageFacts { catalog: Some(202_506_291), ..facts_of("aa", 18) });
    }),
    ("server: another image and new parameters, it dies at start", |c| {
        c.spec.work.image = "postgres:18.2".parse().unwrap();
        c.spec.parameters.insert("shared_preload_libraries".into(), "nothere".into());
        c.memory.work.proven_image = Some(facts_of("aa", 18).work.id);
        c.memory.work.image =
            Some(PinnedImage { reference: "postgres:18.2".into(), id: facts_of("bb", 18).work.id });
        c.world.work.image = ImageSeen::Fit(facts_of("bb", 18));
        let made = c.made();
        c.world.work.container = Slot::Ours(made);
        let text = desired::parameter_file(&c.identity, &c.spec, &c.memory, &facts_of("bb", 18));
        c.memory.written_parameters = Some(sha256(text.as_bytes()));
        c.down(ContainerState::Restarting, 1);
        c.world.work.log_tail = vec!["FATAL:  could not access file \"nothere\"".into()];
    }),
    ("server: its published port is silent", |c| c.world.server = silent()),
    ("server: its published port is silent after a restart, too", |c| {
        c.world.server = silent();
        c.memory.work.port_restarted = true;
    }),
    ("server: another image, it dies again and again", |c| {
        dies_with_another_image(c);
        c.world.work.log_tail = vec!["exec: not found".into()];
    }),
    ("server: another image, it dies again and again for want of a permission", |c| {
        dies_with_another_image(c);
        c.world.work.log_tail =
            vec!["FATAL:  could not open file \"postmaster.pid\": Permission denied".into()];
    }),
    ("server: another image, it dies without a word and is never seen dead", |c| {
        dies_with_another_image(c);
        c.c().state = ContainerState::Running;
        c.c().exit_code = None;
    }),
    ("server: another image, it dies again and again and is never seen dead", |c| {
        dies_with_another_image(c);
        c.c().state = ContainerState::Running;
        c.world.work.log_tail =
            vec!["FATAL:  could not open file \"postmaster.pid\": Permission denied".into()];
    }),
    ("server: another image, it dies with every permission that there is", |c| {
        c.memory.work.profile = Some(Profile::EngineDefault);
        dies_with_another_image(c);
        c.world.work.log_tail =
            vec!["FATAL:  could not open file \"postmaster.pid\": Permission denied".into()];
    }),
    ("spec: parameters that another image refused, the new one is proven", |c| {
        c.spec.parameters.insert("work_mem".into(), "16ZB".into());
        let text = desired::parameter_file(&c.identity, &c.spec, &c.memory, &facts_of("aa", 18));
        c.memory.work.proven_image = Some(facts_of("aa", 18).work.id);
        let image = Some(facts_of("bb", 18).work.id);
        let message = "unrecognized".into();
        c.memory.refused_parameters =
            Some(RefusedParameters { sha256: sha256(text.as_bytes()), message, image });
    }),
    ("spec: parameters that another image refused, the new one is not proven", |c| {
        c.down(ContainerState::Exited, 0);
        c.spec.parameters.insert("work_mem".into(), "16ZB".into());
        let text = desired::parameter_file(&c.identity, &c.spec, &c.memory, &facts_of("aa", 18));
        c.memory.work.proven_image = Some(facts_of("bb", 18).work.id);
        let image = Some(facts_of("bb", 18).work.id);
        let message = "unrecognized".into();
        c.memory.refused_parameters =
            Some(RefusedParameters { sha256: sha256(text.as_bytes()), message, image });
    }),
    ("spec: another major", |c| {
        c.spec.work.image = "postgres:17".parse().unwrap();
        c.world.work.image = ImageSeen::Fit(facts_of("cc", 17));
    }),
    ("spec: another major, then killed", |c| {
        c.down(ContainerState::Exited, 137);
        c.spec.work.image = "postgres:17".parse().unwrap();
        c.world.work.image = ImageSeen::Fit(facts_of("cc", 17));
    }),
    ("spec: the pinned image no longer local", |c| {
        c.world.work.image = ImageSeen::Fit(facts_of("bb", 18));
    }),
    ("spec: another username", |c| c.spec.username = "somebody".into()),
    ("spec: another database", |c| {
        c.spec.database = "shop".into();
        c.facts().database_exists = false;
    }),
    ("hardening: refused at the first start", |c| {
        c.never_ready();
        c.down(ContainerState::Restarting, 1);
        c.world.work.log_tail = vec!["chown: changing ownership of '/data': Operation not permitted".into()];
    }),
    ("hardening: refused at the last level", |c| {
        c.never_ready();
        c.memory.work.hardening_level = 2;
        let made = c.made();
        c.world.work.container = Slot::Ours(made);
        c.down(ContainerState::Restarting, 1);
        c.world.work.log_tail = vec!["chown: Operation not permitted".into()];
    }),
    ("hardening: a first server is restarted once", |c| {
        c.memory.work.first_start = Some("c1 t".into());
    }),
    ("hardening: another server of the image is restarted", |c| {
        c.memory.work.first_start = Some("c1 t".into());
        c.world.work.image_starts.prover = Some("postgres/other".into());
    }),
    ("hardening: another server of the image did not start again", |c| {
        c.memory.work.first_start = Some("c1 t".into());
        c.world.work.image_starts.refused = BTreeSet::from([Profile::Root]);
    }),
    ("hardening: does not start again", |c| {
        c.down(ContainerState::Restarting, 1);
        c.world.work.log_tail = vec!["find: '/var/lib/postgresql/18/docker': Permission denied".into()];
    }),
    ("hardening: a statement that was refused is no entry point that was", |c| {
        c.down(ContainerState::Restarting, 1);
        c.world.work.log_tail = vec!["[9] ERROR:  permission denied for table t".into()];
    }),
    ("hardening: a server that was killed wanted nothing", |c| {
        c.down(ContainerState::Restarting, 137);
        c.world.work.log_tail = vec!["x: Permission denied".into()];
    }),
    ("hardening: new parameters that name a file nobody can read go back", |c| {
        c.down(ContainerState::Restarting, 1);
        c.spec.parameters.insert("ssl_key_file".into(), "/root/key".into());
        let file = desired::parameter_file(&c.identity, &c.spec, &c.memory, &facts_of("aa", 18));
        c.world.file_sha256 = Some(sha256(file.as_bytes()));
        c.world.work.log_tail = vec!["FATAL:  could not load private key file: Permission denied".into()];
    }),
    ("hardening: reduced", |c| {
        c.memory.work.hardening_level = 1;
        let made = c.made();
        c.world.work.container = Slot::Ours(made);
    }),
    ("command: what the image brings is kept, what the manifest sets is not", |c| {
        let memory = c.memory.clone();
        *c = Case::fresh();
        let words =
            ["postgres", "-c", "shared_preload_libraries=timescaledb", "-c", "work_mem=1MB", "-p", "6543"];
        if let ImageSeen::Fit(image) = &mut c.world.work.image {
            image.work.cmd = words.map(str::to_owned).to_vec();
        }
        c.memory.init_username = memory.init_username;
    }),
    ("initialisation: half-made data is not used", |c| {
        c.never_ready();
        c.world.init = InitSeen::Unfinished("its last words were: ERROR:  boom".into());
    }),
    ("initialisation: half-made data waits for consent", |c| {
        c.never_ready();
        c.down(ContainerState::Exited, 1);
        c.memory.init_failed = Some("its last words were: ERROR:  boom".into());
        c.world.init = InitSeen::Unfinished("later words".into());
    }),
    ("initialisation: half-made data is thrown away with consent", |c| {
        c.never_ready();
        c.down(ContainerState::Exited, 1);
        c.asked.reinitialise = Some("t".into());
        c.world.init = InitSeen::Unfinished("its last words were: ERROR:  boom".into());
    }),
    ("initialisation: what was ready once is never thrown away", |c| {
        c.asked.reinitialise = Some("t".into());
        c.world.init = InitSeen::Unfinished("it lost its mark".into());
    }),
    ("stopped: running", |c| c.spec.work.stopped = true),
    ("stopped: by an operation", |c| c.asked.stopped = true),
    ("stopped: done, clean", |c| {
        c.spec.work.stopped = true;
        c.down(ContainerState::Exited, 0);
        c.c().restart_policy = "no".into();
    }),
    ("stopped: done, not clean", |c| {
        c.spec.work.stopped = true;
        c.down(ContainerState::Exited, 137);
        c.c().restart_policy = "no".into();
    }),
    ("stopped: ended before its server ran", |c| {
        c.spec.work.stopped = true;
        c.down(ContainerState::Exited, 2);
        c.c().restart_policy = "no".into();
        c.world.left_clean = Some(true);
    }),
    ("stopped: the restart policy would bring it back", |c| {
        c.spec.work.stopped = true;
        c.down(ContainerState::Exited, 0);
    }),
    ("stopped: before it was ever made", |c| {
        *c = Case::fresh();
        c.spec.work.stopped = true;
    }),
    ("stopped: started again", |c| {
        c.down(ContainerState::Exited, 0);
        c.c().restart_policy = "no".into();
    }),
    ("restart: asked for", |c| c.asked.restart = Some("2027-01-01T00:00:00Z".into())),
    ("gone: Retain", |c| c.present = false),
    ("gone: Retain, done", |c| {
        c.present = false;
        c.world.work.container = Slot::Missing;
        c.world.server = Server::NotRunning;
    }),
    ("gone: Delete without confirmation", |c| {
        c.present = false;
        c.spec.work.deletion = DeletionPolicy::Delete;
    }),
    ("gone: Delete, confirmed in the manifest", |c| {
        c.present = false;
        c.spec.work.deletion = DeletionPolicy::Delete;
        c.spec.work.delete_confirmed = true;
        c.asked.gone = Some(Gone::default());
    }),
    ("gone: confirmed on the command line", |c| {
        c.present = false;
        c.asked.delete = true;
        c.down(ContainerState::Exited, 0);
    }),
    ("present: a confirmation alone deletes nothing", |c| {
        c.asked.delete = true;
        c.spec.work.deletion = DeletionPolicy::Delete;
        c.spec.work.delete_confirmed = true;
    }),
    ("paused: with drift", |c| {
        c.spec.work.paused = true;
        c.down(ContainerState::Exited, 137);
    }),
    ("volume lost: stopped", |c| {
        c.spec.work.stopped = true;
        c.world.work.container = Slot::Missing;
        c.world.server = Server::NotRunning;
        c.world.work.volume = Slot::Missing;
    }),
    ("volume lost: retained", |c| {
        c.present = false;
        c.world.work.container = Slot::Missing;
        c.world.server = Server::NotRunning;
        c.world.work.volume = Slot::Missing;
    }),
    ("volume back: looked at before the start", |c| {
        c.world.work.container = Slot::Missing;
        c.world.server = Server::NotRunning;
        c.memory.system_identifier = Some("6999".into());
    }),
    ("volume back: empty", |c| {
        c.down(ContainerState::Created, 0);
        c.world.data = DataSeen::Empty;
        c.memory.system_identifier = Some("6999".into());
    }),
    ("volume back: of a record that knows no identifier, empty", |c| {
        c.down(ContainerState::Created, 0);
        c.world.data = DataSeen::Empty;
    }),
    ("volume back: half a copy", |c| {
        c.down(ContainerState::Created, 0);
        c.world.data = DataSeen::Major(18);
        c.memory.system_identifier = Some("6999".into());
    }),
    ("volume back: other data", |c| {
        c.down(ContainerState::Created, 0);
        c.world.data = DataSeen::Major(18);
        c.world.system_identifier = Some("7000".into());
        c.memory.system_identifier = Some("6999".into());
    }),
    ("volume back: the data", |c| {
        c.down(ContainerState::Created, 0);
        c.world.data = DataSeen::Major(18);
        c.world.system_identifier = Some("6999".into());
        c.memory.system_identifier = Some("6999".into());
    }),
    ("volume back: without labels", |c| {
        c.world.work.container = Slot::Missing;
        c.world.server = Server::NotRunning;
        c.world.work.volume = Slot::Foreign("it has no label seawall.dev/installation".to_owned());
        c.memory.system_identifier = Some("6999".into());
    }),
    ("shared: ours is stopped", |c| {
        c.down(ContainerState::Exited, 0);
        c.world.work.sharers = vec![theirs()];
    }),
    ("shared: ours runs", |c| c.world.work.sharers = vec![theirs()]),
    ("shared: ours runs and is not started by the engine", |c| {
        c.world.work.sharers = vec![theirs()];
        c.c().restart_policy = "no".to_owned();
    }),
    ("shared: the engine starts ours again and again", |c| {
        c.down(ContainerState::Restarting, 1);
        c.world.work.sharers = vec![theirs()];
    }),
    ("shared: let in", |c| {
        c.world.work.sharers = vec![theirs()];
        c.spec.work.volume_users = BTreeSet::from(["theirs".to_owned()]);
    }),
    ("shared: to be deleted", |c| {
        c.present = false;
        c.asked.delete = true;
        c.world.work.sharers = vec![theirs()];
    }),
    ("name on the network: another has it, too", |c| c.world.work.called_alike = vec![theirs()]),
    ("name on the network: another has it, too, and ours is stopped", |c| {
        c.down(ContainerState::Exited, 0);
        c.world.work.called_alike = vec![theirs()];
    }),
    ("duplicate: ours runs", |c| c.world.work.duplicates = vec![("c2".repeat(32), "copy".to_owned())]),
    ("duplicate: ours would be removed", |c| {
        c.present = false;
        c.world.work.duplicates = vec![("c2".repeat(32), "copy".to_owned())];
    }),
    ("duplicate: ours is missing", |c| {
        c.world.work.container = Slot::Missing;
        c.world.server = Server::NotRunning;
        c.world.work.duplicates = vec![("c2".repeat(32), "copy".to_owned())];
    }),
    ("duplicate: a copy has our name", |c| {
        c.world.work.container = Slot::Foreign("its image is another one".to_owned());
        c.world.server = Server::NotRunning;
        c.world.work.misnamed = vec![("c1".repeat(32), "mine".to_owned())];
    }),
    ("port: kept for a retained object", |c| {
        c.spec.work.port = PortRequest::Fixed(6000);
        c.world.work.port_holder = Some("postgres/other".to_owned());
        c.world.work.port_kept = true;
    }),
    ("new: probably another one under a new name", |c| {
        c.memory = Memory::default();
        c.asked.renamed_from = was("postgres/old", false);
        c.world.work.container = Slot::Missing;
        c.world.work.volume = Slot::Missing;
        c.world.server = Server::NotRunning;
    }),
    ("new: takes over what another one had", |c| {
        c.memory = Memory::default();
        c.asked.renamed_from = was("postgres/old", true);
        c.world.work.container = Slot::Missing;
        c.world.work.volume = Slot::Missing;
        c.world.server = Server::NotRunning;
    }),
    ("renamed: its container goes, then everything", |c| {
        c.present = false;
        c.asked.renamed_to = Some("postgres/new".parse().unwrap());
    }),
    ("renamed: the data would have gone after their grace", |c| {
        c.present = false;
        c.spec.work.deletion = DeletionPolicy::Delete;
        c.spec.work.delete_confirmed = true;
        c.asked.renamed_to = Some("postgres/new".parse().unwrap());
        c.asked.gone = Some(Gone { left_ms: 0, ..Gone::default() });
    }),
    ("renamed: its volume is lost", |c| {
        c.present = false;
        c.asked.renamed_to = Some("postgres/new".parse().unwrap());
        c.world.work.container = Slot::Missing;
        c.world.work.volume = Slot::Missing;
        c.world.server = Server::NotRunning;
    }),
    ("renamed before: its volume bears the old name", |c| {
        c.identity.home = Some(Home { base: "postgres-old".to_owned(), name: Name::parse("old").unwrap() });
        c.world.work.container = Slot::Missing;
        c.world.server = Server::NotRunning;
    }),
    ("gone: nothing was made for it", |c| {
        *c = Case::fresh();
        c.present = false;
    }),
    ("in use: what it is called does not matter any more", |c| {
        c.asked.renamed_from = was("postgres/old", false);
    }),
    ("gone: Delete, confirmed in the manifest, in its grace", |c| {
        c.present = false;
        c.spec.work.deletion = DeletionPolicy::Delete;
        c.spec.work.delete_confirmed = true;
        let due = "2027-01-01T00:10:00Z".to_owned();
        c.asked.gone = Some(Gone { left_ms: 1, due, ..Gone::default() });
        c.world.work.container = Slot::Missing;
        c.world.server = Server::NotRunning;
    }),
    ("gone: in its grace, while git is at work", |c| {
        c.present = false;
        c.spec.work.deletion = DeletionPolicy::Delete;
        c.spec.work.delete_confirmed = true;
        let held = Some("git is at work".to_owned());
        c.asked.gone = Some(Gone { left_ms: 1, held, ..Gone::default() });
        c.world.work.container = Slot::Missing;
        c.world.server = Server::NotRunning;
    }),
    ("outlook: the engine is away", |c| {
        let message = "unknown since 2027: the Docker engine does not answer".to_owned();
        c.outlook.failure = Some(Failure::unknown("EngineUnavailable", message));
    }),
    ("outlook: a step failed", |c| {
        c.down(ContainerState::Exited, 137);
        let message = "start container postgres-main: refused".to_owned();
        c.outlook.failure = Some(Failure::new("EngineRefused", message));
    }),
    ("outlook: the manifest is broken", |c| {
        c.outlook.manifest_broken = Some("main.yaml:5:3: spec.memry: unknown field".to_owned());
    }),
    ("outlook: the guard holds the removal back", |c| {
        c.outlook.guard = Some(("PruneGuard", "2 of 3 manifests are gone".to_owned()))
    }),
];

/// Every advice there is: none tells to destroy anything, but for what the manifest itself asks for.
#[test]
fn no_advice_destroys() {
    for (name, edit) in ROWS {
        let mut case = Case::settled();
        edit(&mut case);
        for block in plan(&case.subject(), &case.world).blocked {
            let text = block.unblock.to_lowercase();
            let words =
                ["docker rm", "volume rm", "prune", "recover", "give the data up", "remove", "delete"];
            let bad: Vec<&&str> = words.iter().filter(|w| text.contains(**w)).collect();
            let asked = block.reason == "DeletionNotConfirmed";
            assert!(bad.is_empty() || asked, "{name}: {} says {bad:?}: {}", block.reason, block.unblock);
        }
    }
}

fn was(old: &str, said: bool) -> Option<Rename> {
    Some(Rename { from: old.parse().unwrap(), said })
}

fn theirs() -> User {
    User { name: "theirs".to_owned(), id: "c3".repeat(32), image: format!("sha256:{}", "bb".repeat(32)) }
}

#[test]
fn goldens_of_plans_and_conditions() {
    let mut text = String::new();
    let mut names = BTreeSet::new();
    for (name, edit) in ROWS {
        assert!(names.insert(*name), "{name} twice");
        let mut case = Case::settled();
        edit(&mut case);
        let _ = writeln!(text, "## {name}\n{}", case.text());
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/postgres.txt");
    if std::env::var_os("UPDATE_GOLDENS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    for (got, want) in text.split("## ").zip(golden.split("## ")) {
        assert_eq!(got, want, "see the head of this file");
    }
    assert!(text == golden, "rows were added or removed: see the head of this file");
}

#[test]
fn the_password_of_the_manifest_is_taken_before_it_is_set_and_nothing_is_made_without_it() {
    let steps = |case: &Case| -> Vec<String> {
        let plan = plan(&case.subject(), &case.world);
        plan.steps.iter().map(|step| format!("{}: {}", step.action, step.cause)).collect()
    };
    let source = Some(SecretSource::File("main".into()));
    let mut case = Case::settled();
    case.spec.password = source.clone();
    case.world.declared = Declared::Same;
    assert_eq!(steps(&case), Vec::<String>::new());
    case.world.declared = Declared::Differs;
    let both = [
        "seal the password that the manifest names: spec.password has another value",
        "set the managed user's password again: spec.password has another value",
    ];
    assert_eq!(steps(&case), both);
    // The server has neither of the two.
    case.world.server = Server::LoginRefused("no".to_owned());
    let refused = "set the managed user's password again: the managed credentials were refused: no";
    assert_eq!(steps(&case), [both[0], refused]);
    // One that is not to be had changes nothing.
    let mut case = Case::settled();
    case.spec.password = source.clone();
    case.world.declared = Declared::Unreadable("gone".to_owned());
    assert_eq!(steps(&case), Vec::<String>::new());
    let found = findings(&case.subject(), &case.world, &plan(&case.subject(), &case.world), &case.outlook);
    assert!(found.iter().any(|f| f.reason == "SecretUnreadable" && f.message.contains("stays as it was")));
    // Before there is any.
    let mut case = Case::fresh();
    case.spec.password = source;
    case.world.declared = Declared::Unreadable("gone".to_owned());
    let made = plan(&case.subject(), &case.world);
    assert!(made.steps.is_empty() && made.blocked[0].reason == "SecretUnreadable", "{made:?}");
    case.world.declared = Declared::Differs;
    assert!(steps(&case).contains(&"seal the password that the manifest names: no password yet".to_owned()));
}

/// The engine forgets with which code a server died as soon as it starts it again.
#[test]
fn no_exit_code_is_made_up() {
    for (state, code, words) in [
        (
            ContainerState::Running,
            None,
            "container died, and was started again before its exit code was seen",
        ),
        (ContainerState::Restarting, Some(0), "container exited with code 0"),
        (ContainerState::Restarting, Some(137), "container killed (exit code 137)"),
    ] {
        let mut case = Case::settled();
        dies_with_another_image(&mut case);
        case.c().state = state;
        case.c().exit_code = code;
        let plan = plan(&case.subject(), &case.world);
        let said: Vec<_> = plan
            .steps
            .iter()
            .filter_map(|s| match &s.action {
                Action::Work(workload::Action::GiveUpImage { words, .. }) => Some(words.as_str()),
                _ => None,
            })
            .collect();
        assert_eq!(said, [words]);
    }
}

#[test]
fn status_names_the_image_that_the_container_was_made_from() {
    let mut case = Case::settled();
    let id = |s: &seawall::kinds::postgres::status::Status| s.image.as_ref().map(|i| i.id.clone());
    let first = status(&case.subject(), &case.world).with_image_in_use(None, &case.world.work);
    let in_use = case.c().image_id.clone();
    assert_eq!(id(&first), Some(in_use.clone()));
    // Another one is wanted, and the container is still the old one, of which nothing else is known.
    case.world.work.image = ImageSeen::Fit(facts_of("bb", 18));
    let known = case.world.work.pinned.take();
    let wanted = status(&case.subject(), &case.world);
    assert_ne!(id(&wanted), Some(in_use.clone()));
    assert_eq!(id(&wanted.clone().with_image_in_use(Some(&first), &case.world.work)), Some(in_use));
    // Nobody knows the old one: it is not called the new one.
    assert_eq!(id(&wanted.clone().with_image_in_use(None, &case.world.work)), None);
    case.world.work.pinned = known;
    assert_eq!(id(&status(&case.subject(), &case.world)), id(&first));
    case.world.work.container = Slot::Missing;
    assert_eq!(id(&wanted.clone().with_image_in_use(Some(&first), &case.world.work)), id(&wanted));
}
