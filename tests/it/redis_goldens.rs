//! One row a situation of a Redis: what the plan is and which conditions follow, as text in `tests/goldens/redis.txt`. After
//! a wanted change: `UPDATE_GOLDENS=1 cargo test --test it goldens`, then read the difference.

use crate::formats::{is_as_it_was, told};
use crate::plan_goldens::{Case as Postgres, render};
use seawall::core::condition::Finding;
use seawall::core::desired::DesiredContainer;
use seawall::core::failure::Outlook;
use seawall::core::identity::Identity;
use seawall::core::neighbours::Around;
use seawall::core::quantity::Bytes;
use seawall::core::seen::{ContainerState, SeenContainer, SeenMount, Slot, Usage};
use seawall::core::will::{Asked, Rotate};
use seawall::kinds::Reconciler;
use seawall::kinds::redis::Redis;
use seawall::kinds::redis::check::Checked;
use seawall::kinds::redis::client::RedisError;
use seawall::kinds::redis::desired::process;
use seawall::kinds::redis::facts::RedisImage;
use seawall::kinds::redis::plan::{Plan, Subject, files, plan, written};
use seawall::kinds::redis::record::{Memory, Refused};
use seawall::kinds::redis::spec::{EvictionPolicy, Persistence};
use seawall::kinds::redis::world::{Data, Saves, Server, ServerFacts, World};
use seawall::manifest::secret::SecretSource;
use seawall::workload;
use seawall::workload::hardening::Profile;
use seawall::workload::image::{Image, ImageSeen};
use seawall::workload::memory::{PinnedImage, RefusedImage};
use seawall::workload::schedule::Due;
use seawall::workload::world::{Deaths, Declared};
use std::collections::BTreeMap;
use std::fmt::Write as _;

#[derive(Clone)]
struct Case {
    identity: Identity,
    spec: Checked,
    asked: Asked,
    memory: Memory,
    present: bool,
    around: Around,
    world: World,
}

fn image(n: &str, major: u32) -> RedisImage {
    let work = Image {
        id: format!("sha256:{}", n.repeat(32)),
        mount_path: "/data".to_owned(),
        cmd: vec!["redis-server".to_owned()],
        ..Image::default()
    };
    RedisImage { work, version: format!("{major}.0.6"), major, gid: 999 }
}

fn parameters(list: &[(&str, &str)]) -> BTreeMap<String, String> {
    list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

impl Case {
    /// A server that runs, Ready, with nothing to do.
    fn settled() -> Self {
        let of = Postgres::settled();
        let given = parameters(&[("hz", "20")]);
        let spec = Checked {
            work: workload::Checked { image: "redis:8".parse().unwrap(), ..of.spec.work },
            persistence: Persistence::Aof,
            eviction: EvictionPolicy::Noeviction,
            password: None,
            schedule: None,
            username: "app".to_owned(),
            parameters: given.clone(),
        };
        let memory = Memory {
            work: workload::Memory {
                port: Some(6379),
                image: Some(PinnedImage { reference: "redis:8".to_owned(), id: image("aa", 8).work.id }),
                ..of.memory.work
            },
            data_major: Some(8),
            persistence: Some(Persistence::Aof),
            parameters: given.clone(),
            proven: Some(given.clone()),
            started: Some(given),
            ..Memory::default()
        };
        let work = workload::World {
            image: ImageSeen::Fit(image("aa", 8)),
            engine: of.world.work.engine.clone(),
            volume: Slot::Ours(()),
            network: Slot::Ours("n1".to_owned()),
            password_sealed: true,
            ..workload::World::unseen(of.world.work.engine.clone())
        };
        let mut case = Self {
            identity: Identity { object: "redis/cache".parse().unwrap(), ..of.identity },
            spec,
            asked: Asked::default(),
            memory,
            present: true,
            around: Around::default(),
            world: World {
                work,
                server: Server::NotRunning,
                data: None,
                pending: false,
                due: Due::default(),
                declared: Declared::No,
            },
        };
        case.made();
        case.up();
        case
    }

    fn subject(&self) -> Subject<'_> {
        let Self { identity, spec, asked, memory, present, around, .. } = self;
        Subject { identity, spec, asked, memory, present: *present, around }
    }

    fn desired(&self) -> DesiredContainer {
        let ImageSeen::Fit(image) = &self.world.work.image else { panic!("no image") };
        let case = self.subject().work();
        workload::desired::container(&case, &image.work, &self.memory.work, Some(6379), &process())
    }

    /// The container that the present spec and memory lead to, running.
    fn made(&mut self) {
        let desired = self.desired();
        let mut c = Postgres::settled().c().clone();
        c.image_id.clone_from(&desired.image);
        c.labels = (&desired.all_labels()).into();
        c.caps = self.spec.work.caps;
        let volume = self.identity.volume();
        c.mounts = vec![SeenMount { kind: "volume".to_owned(), volume, path: "/data".to_owned() }];
        (c.name, c.published, c.port_bindings) = (desired.name, desired.ports.clone(), desired.ports);
        self.memory.work.container = Some(c.id.clone());
        self.world.work.container = Slot::Ours(c);
    }

    fn up(&mut self) {
        let files = files(&self.subject(), &self.world);
        self.memory.written = Some(written(&self.c().id.clone(), &files));
        self.world.server = Server::Up(Box::new(ServerFacts {
            version: "8.0.6".to_owned(),
            ping: Ok(()),
            loading: None,
            saves: Saves { rdb_ok: true, aof: true, aof_ok: true, ..Saves::default() },
            lost: false,
            used: Some(100 << 20),
            full: false,
            config: files.settings(),
            users_fit: true,
            tenants: BTreeMap::new(),
        }));
    }

    fn c(&mut self) -> &mut SeenContainer {
        let Slot::Ours(c) = &mut self.world.work.container else { panic!("no container") };
        c
    }

    fn facts(&mut self) -> &mut ServerFacts {
        let Server::Up(facts) = &mut self.world.server else { panic!("no server") };
        facts
    }

    fn fresh(&mut self) {
        (self.memory, self.world.server) = (Memory::default(), Server::NotRunning);
        let work = &mut self.world.work;
        (work.container, work.volume, work.network) = (Slot::Missing, Slot::Missing, Slot::Missing);
        (work.password_sealed, work.free_port) = (false, Some(6379));
    }

    fn down(&mut self, state: ContainerState, code: i64) {
        (self.c().state, self.c().exit_code) = (state, Some(code));
        self.c().published.clear();
        self.world.server = Server::NotRunning;
        self.world.data = Some(Data { aof: true, rdb: false });
    }

    fn dies_of(&mut self, words: &[&str]) {
        self.down(ContainerState::Restarting, 1);
        self.world.work.log_tail = words.iter().map(|line| (*line).to_owned()).collect();
        self.world.work.deaths = Deaths { count: 3, since: "2027-01-01T00:00:00Z".to_owned() };
    }
}

const FATAL: [&str; 3] = ["*** FATAL CONFIG FILE ERROR ***", ">>> 'locale-collate \"x\"'", "Invalid locale"];

fn declares(case: &mut Case) {
    case.spec.password = Some(SecretSource::File("cache".into()));
    case.world.declared = Declared::Differs;
}

fn rotates(case: &mut Case) {
    case.asked.rotate = Some(Rotate { at: "2027-01-02T00:00:00Z".into(), now: false });
}

type Row = (&'static str, fn(&mut Case));

const ROWS: &[Row] = &[
    ("settled", |_| ()),
    ("first: nothing there", Case::fresh),
    ("first: image not local", |case| {
        case.fresh();
        case.world.work.image = ImageSeen::Missing;
    }),
    ("container gone: made again with what its data is kept by", |case| {
        case.spec.persistence = Persistence::Rdb;
        case.world.work.container = Slot::Missing;
        case.world.server = Server::NotRunning;
    }),
    ("container was killed", |case| case.down(ContainerState::Exited, 137)),
    ("image changes", |case| {
        case.world.work.image = ImageSeen::Fit(image("bb", 8));
        case.world.work.pinned = Some(image("aa", 8));
    }),
    ("image is of an older major", |case| {
        case.world.work.image = ImageSeen::Fit(image("bb", 7));
        case.world.work.pinned = Some(image("aa", 8));
    }),
    ("volume is gone", |case| case.world.work.volume = Slot::Missing),
    ("volume is empty", |case| {
        case.down(ContainerState::Created, 0);
        case.world.data = Some(Data::default());
    }),
    ("volume is somebody else's", |case| {
        case.world.work.volume = Slot::Foreign("it carries no label of Seawall".to_owned());
    }),
    ("not listening yet", |case| {
        case.world.server = Server::Down(RedisError::Refused("connection refused".to_owned()));
    }),
    ("loading", |case| case.facts().loading = Some("the server reads its data: 12 % so far".to_owned())),
    ("cannot save", |case| {
        case.facts().ping =
            Err(RedisError::PersistenceBroken("MISCONF Errors writing to the AOF file".to_owned()));
    }),
    ("the file of its data is gone", |case| case.facts().lost = true),
    ("nothing more goes in", |case| case.facts().full = true),
    ("hangs", |case| case.world.server = Server::Down(RedisError::Hung)),
    ("own login refused", |case| {
        case.world.server = Server::Down(RedisError::LoginRefused("WRONGPASS".to_owned()));
    }),
    ("own login refused, and a restart did not help", |case| {
        case.world.server = Server::Down(RedisError::LoginRefused("WRONGPASS".to_owned()));
        case.memory.users_restarted = true;
    }),
    ("rotate: asked for", rotates),
    ("rotate: asked for, and there is something else to do first", |case| {
        rotates(case);
        case.spec.parameters = parameters(&[("hz", "30")]);
    }),
    ("rotate: due by the schedule", |case| case.world.due.now = true),
    ("rotate: due by the schedule, and there is something else to do first", |case| {
        case.world.due.now = true;
        case.spec.parameters = parameters(&[("hz", "30")]);
    }),
    ("rotate: due by the schedule, and it cannot save", |case| {
        case.world.due.now = true;
        case.facts().ping =
            Err(RedisError::PersistenceBroken("MISCONF Errors writing to the AOF file".to_owned()));
    }),
    ("rotate: due by the schedule, nobody is let in", |case| {
        case.world.due.now = true;
        case.world.server = Server::Down(RedisError::Hung);
    }),
    ("rotate: asked for and done", |case| {
        rotates(case);
        case.memory.rotated_for = Some("2027-01-02T00:00:00Z".into());
    }),
    ("rotate: the next password is sealed", |case| {
        case.world.pending = true;
        case.facts().users_fit = false;
    }),
    ("rotate: the next password lets in", |case| case.world.pending = true),
    ("rotate: the next password is sealed, the server reads its data", |case| {
        case.world.pending = true;
        case.facts().loading = Some("the server reads its data".into());
    }),
    ("password: the manifest has another one", declares),
    ("password: the same, while one is on its way", |case| {
        declares(case);
        case.world.pending = true;
        case.facts().users_fit = false;
    }),
    ("password: not to be had", |case| case.world.declared = Declared::Unreadable("no such file".into())),
    ("password: not to be had, and nothing was made yet", |case| {
        declares(case);
        case.world.declared = Declared::Unreadable("no such file".into());
        case.world.work.password_sealed = false;
        case.world.work.container = Slot::Missing;
        case.memory.work.ever_ready = false;
    }),
    ("password: the first one", |case| {
        declares(case);
        case.world.work.password_sealed = false;
        case.world.work.container = Slot::Missing;
        case.memory.work.ever_ready = false;
    }),
    ("users are others", |case| case.facts().users_fit = false),
    ("its dir is not on the volume", |case| drop(case.facts().config.insert("dir".into(), "/tmp".into()))),
    ("parameter changes", |case| case.spec.parameters = parameters(&[("hz", "30")])),
    ("parameter taken out", |case| case.spec.parameters.clear()),
    ("parameter set by hand", |case| drop(case.facts().config.insert("hz".into(), "99".into()))),
    ("parameter needs a restart", |case| {
        case.spec.parameters = parameters(&[("hz", "20"), ("io-threads", "2")]);
        case.up();
        case.facts().config.insert("io-threads".into(), "1".into());
    }),
    ("parameter needs a restart, by hand", |case| {
        case.spec.work.restart_automatically = false;
        case.spec.parameters = parameters(&[("hz", "20"), ("io-threads", "2")]);
        case.up();
        case.facts().config.insert("io-threads".into(), "1".into());
    }),
    ("does not start with new parameters", |case| {
        case.spec.parameters = parameters(&[("locale-collate", "x")]);
        case.memory.parameters.clone_from(&case.spec.parameters);
        case.dies_of(&FATAL);
    }),
    ("parameters were refused", |case| {
        let refused = parameters(&[("locale-collate", "x")]);
        case.memory.refused =
            Some(Refused { parameters: refused.clone(), message: "Invalid locale".to_owned() });
        case.spec.parameters = refused;
    }),
    ("dies at its first start", |case| {
        (case.memory.proven, case.memory.started) = (None, None);
        case.dies_of(&FATAL);
    }),
    ("persistence changes: aof to rdb", |case| case.spec.persistence = Persistence::Rdb),
    ("persistence changes: the snapshot is being written", |case| {
        case.spec.persistence = Persistence::Rdb;
        case.facts().config.insert("save".into(), "3600 1".into());
        case.facts().saves.rdb_running = true;
    }),
    ("persistence changes: the snapshot is there", |case| {
        case.spec.persistence = Persistence::Rdb;
        case.facts().config.insert("save".into(), "3600 1".into());
        case.facts().saves.rdb_count = 1;
    }),
    ("persistence changes: to none", |case| case.spec.persistence = Persistence::None),
    ("cap raised", |case| case.spec.work.caps.memory = Some(Bytes(1 << 30))),
    ("cap raised: the server's limit follows", |case| {
        case.spec.work.caps.memory = Some(Bytes(1 << 30));
        case.c().caps.memory = Some(Bytes(1 << 30));
    }),
    ("cap lowered: the server's limit first", |case| {
        case.spec.work.caps.memory = Some(Bytes(256 << 20));
        case.world.work.usage =
            Some(Usage { memory: Bytes(120 << 20), unreclaimable: Bytes(110 << 20), memory_limit: None });
    }),
    ("cap lowered below the data", |case| {
        case.spec.work.caps.memory = Some(Bytes(128 << 20));
        case.spec.eviction = EvictionPolicy::AllkeysLru;
    }),
    ("stopped", |case| {
        case.spec.work.stopped = true;
    }),
    ("manifest gone", |case| case.present = false),
];

fn findings(case: &Case, plan: &Plan) -> Vec<Finding> {
    Redis::findings(&case.subject(), &case.world, plan, &Outlook::default())
}

#[test]
fn goldens_of_plans_and_conditions() {
    let mut text = String::new();
    for (name, change) in ROWS {
        let mut case = Case::settled();
        change(&mut case);
        let plan = plan(&case.subject(), &case.world);
        let _ = write!(text, "## {name}\n{}", render(&plan));
        for f in findings(&case, &plan) {
            let _ = writeln!(text, "    {}={} {}: {}", f.kind, f.status, f.reason, f.message);
        }
        text.push('\n');
    }
    is_as_it_was("redis.txt", &text);
}

#[test]
fn names_labels_and_hashes_are_as_they_were() {
    let mut text = String::new();
    for (name, change) in [
        ("as most are", (|_| ()) as fn(&mut Case)),
        ("another image", |case| case.world.work.image = ImageSeen::Fit(image("bb", 8))),
        ("as its user", |case| case.memory.work.profile = Some(Profile::AsUser)),
        ("kept as snapshots", |case| case.spec.persistence = Persistence::Rdb),
        ("no parameters", |case| case.spec.parameters.clear()),
    ] {
        let mut case = Case::settled();
        change(&mut case);
        let _ = writeln!(text, "## {name}\n{}", told(&case.identity, &case.desired()));
    }
    is_as_it_was("formats-redis.txt", &text);
}

/// What a store of before has is read by every later version, and a field that is renamed is lost.
#[test]
fn what_is_remembered_is_called_as_it_was() {
    let fields = serde_json::to_value(Memory::default()).unwrap();
    let work = serde_json::to_value(workload::Memory::default()).unwrap();
    let own = fields.as_object().unwrap().keys().filter(|field| work.get(*field).is_none());
    let own: Vec<&str> = own.map(String::as_str).collect();
    let names = [
        "dataMajor",
        "persistence",
        "dumped",
        "written",
        "parameters",
        "writtenIn",
        "proven",
        "started",
        "refused",
        "usersLoadedIn",
        "usersRestarted",
    ];
    assert_eq!(own, names);
}

#[test]
fn an_image_that_was_given_up_is_not_tried_again_with_the_same_manifest() {
    let mut case = Case::settled();
    let (id, generation) = (image("bb", 8).work.id, case.identity.generation);
    case.world.work.pinned = Some(image("aa", 8));
    case.world.work.image = ImageSeen::Fit(image("bb", 8));
    case.memory.work.refused_image = Some(RefusedImage { id, message: "no such luck".into(), generation });
    let plan = plan(&case.subject(), &case.world);
    assert!(plan.steps.is_empty(), "{:?}", plan.steps);
    assert_eq!(plan.blocked[0].reason, "ImageRefused");
    // Another manifest is another try.
    case.identity.generation += 1;
    assert!(!self::plan(&case.subject(), &case.world).steps.is_empty());
}
