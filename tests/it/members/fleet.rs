//! A kind with several containers, for tests: a monitor and so many nodes, planned one after another. A server that runs
//! serves. It stands in the place of Redis.

use async_trait::async_trait;
use schemars::JsonSchema;
use seawall::core::condition::{ConditionType as C, Finding, Truth};
use seawall::core::event::Note;
use seawall::core::failure::Outlook;
use seawall::core::identity::{Home, Identity};
use seawall::core::member::Role;
use seawall::core::names::{Kind, annotation};
use seawall::core::plan::Plan;
use seawall::core::problem::Problem;
use seawall::core::quantity::Bytes;
use seawall::core::resource::{Caps, DeletionPolicy, Document, PortRequest};
use seawall::core::seen::{ContainerState, EngineInfo, Glance, SeenImage};
use seawall::core::will::{Asked, Wanted};
use seawall::docker::{DockerError, FileToPut};
use seawall::kinds::{
    About, Act, Context, Each, Learnt, Probed, Reconciler, Remembered, Scene, Subject, Undone,
};
use seawall::manifest::schema::spec_schema;
use seawall::workload::action::Step;
use seawall::workload::desired::Process;
use seawall::workload::hardening::LogWords;
use seawall::workload::image::{Facts, Image, Unfit};
use seawall::workload::observe::image::{LookInto, Looker};
use seawall::workload::observe::{Intent, ObserveError};
use seawall::workload::plan::{self as work, Reached, Verdicts, Want};
use seawall::workload::server::Server;
use seawall::workload::world::Seen;
use seawall::workload::{self, Case, Tools};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex};
use zeroize::Zeroizing;

/// Where each node has a file with its role.
pub const FILE: &str = "/etc/fleet";

static SERVER: Server = Server {
    port: 6379,
    user: "redis",
    shutdown: "clean shutdown",
    stop_signal: "SIGTERM",
    stop_timeout: 10,
    log: LogWords { serves: "ready", of_clients: &[] },
    capabilities: &[],
    keeps_data: true,
};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Spec {
    nodes: u8,
    image: String,
    /// Of a node, in MiB.
    memory: u64,
    #[serde(default)]
    delete: bool,
    #[serde(default)]
    published: bool,
}

/// What is wanted of each.
#[derive(Clone, Debug, PartialEq)]
pub struct Checked(BTreeMap<Role, workload::Checked>);

#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    #[serde(skip)]
    work: workload::Memory,
    members: BTreeMap<Role, workload::Memory>,
}

impl Remembered for Memory {
    fn work(&self) -> Option<&workload::Memory> {
        Some(&self.work)
    }

    fn work_mut(&mut self) -> Option<&mut workload::Memory> {
        Some(&mut self.work)
    }
}

#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Plain(Image);

impl Facts for Plain {
    const KEY: &'static str = "fleet";
    fn image(&self) -> &Image {
        &self.0
    }
    fn image_mut(&mut self) -> &mut Image {
        &mut self.0
    }
}

#[async_trait]
impl LookInto for Plain {
    async fn find(_: &Looker<'_>, image: &SeenImage) -> Result<Result<Self, Unfit>, DockerError> {
        let mount_path = "/data".to_owned();
        Ok(Ok(Plain(Image { id: image.id.clone(), mount_path, cmd: image.cmd.clone(), ..Image::default() })))
    }
}

type World = workload::World<Plain>;

/// One step for one member.
#[derive(Clone, PartialEq)]
pub enum Deed {
    Work(workload::Action),
    Upload,
}

impl From<workload::Action> for Deed {
    fn from(action: workload::Action) -> Self {
        Deed::Work(action)
    }
}

impl Step for Deed {
    fn work(&self) -> Option<&workload::Action> {
        if let Deed::Work(action) = self { Some(action) } else { None }
    }
}

#[derive(Clone, PartialEq)]
pub struct Action {
    role: Role,
    deed: Deed,
}

impl From<workload::Action> for Action {
    /// Of the object as a whole.
    fn from(action: workload::Action) -> Self {
        Self { role: Role::default(), deed: Deed::Work(action) }
    }
}

impl Step for Action {
    fn work(&self) -> Option<&workload::Action> {
        self.deed.work()
    }
}

impl Act for Action {
    fn reason(&self) -> &'static str {
        self.deed.work().map_or("FileUploaded", workload::Action::reason)
    }
    fn work(&self) -> Option<&workload::Action> {
        self.deed.work()
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let role = self.role.label().map(|role| format!("{role}: ")).unwrap_or_default();
        match &self.deed {
            Deed::Work(action) => write!(f, "{role}{action}"),
            Deed::Upload => write!(f, "{role}upload its file"),
        }
    }
}

/// One member, and what is wanted and remembered of it.
struct Node<'a> {
    identity: Identity,
    spec: &'a workload::Checked,
    asked: &'a Asked,
    memory: workload::Memory,
    present: bool,
    /// The object has such a member.
    wanted: bool,
}

impl<'a> Node<'a> {
    fn of(subject: &Subject<'a, Fleet>, role: &Role) -> Self {
        let (specs, memory) = (&subject.spec.0, subject.memory);
        // Of a new one, what holds for all.
        let new =
            || workload::Memory { refused_ports: memory.work.refused_ports.clone(), ..Default::default() };
        let wanted = specs.contains_key(role);
        Self {
            identity: subject.identity.member(role.clone()),
            spec: specs.get(role).or_else(|| specs.values().next()).unwrap(),
            asked: subject.asked,
            memory: memory.members.get(role).cloned().unwrap_or_else(new),
            present: subject.present && wanted,
            wanted,
        }
    }

    fn case(&self) -> Case<'_> {
        Case {
            identity: &self.identity,
            spec: self.spec,
            asked: self.asked,
            memory: &self.memory,
            present: self.present,
            server: &SERVER,
        }
    }

    fn plan(&self, world: &World, whole_is_present: bool) -> Plan<Deed> {
        let (mut plan, case) = (Plan::default(), self.case());
        if !self.wanted && whole_is_present {
            work::left(&case, world, None, &mut plan);
            return plan;
        }
        if !work::should_run(&case, world, None, "its data", None, &mut plan) {
            return plan;
        }
        self.run(world, &mut plan);
        work::duplicates(&case, world, &mut plan);
        plan
    }

    fn run(&self, world: &World, plan: &mut Plan<Deed>) {
        let case = self.case();
        work::lost::lost(&case, world, "its data", plan);
        let verdicts = Verdicts { unfit: &|_| None, refusal: &|_| None };
        let image = work::usable(&case, world, &verdicts, "another image", plan);
        let Some(image) = image.filter(|_| plan.blocked.is_empty()) else {
            work::keep_serving(&case, world, plan);
            work::pull(&case, world, plan);
            return;
        };
        let want = Want {
            process: Process::default(),
            not_kept: String::new(),
            upload: Deed::Upload,
            files_differ: false,
            look_first: false,
            keeps: None,
            credentials: None,
            way_back: None,
            refused: None,
            answers: true,
            dies: String::new(),
        };
        if let Reached::Running(c) = work::member(&case, world, image, &want, plan) {
            work::asked_restart(&case, c, plan);
        }
        work::pull(&case, world, plan);
    }
}

/// The members that are wanted, or of which there may be something.
fn roles(subject: &Subject<'_, Fleet>) -> BTreeSet<Role> {
    subject.spec.0.keys().chain(subject.memory.members.keys()).cloned().collect()
}

#[derive(Clone)]
pub struct Fleet {
    pub tools: Arc<Tools>,
    /// How often each was proven.
    pub proofs: Arc<Mutex<BTreeMap<Role, u32>>>,
}

impl Reconciler for Fleet {
    type Checked = Checked;
    type Memory = Memory;
    type World = BTreeMap<Role, World>;
    type Action = Action;
    type Status = Map<String, Value>;
    const ABOUT: About = About {
        kind: Kind::Redis,
        folder: "tests",
        description: "A monitor and its nodes.",
        runs: true,
        containers: true,
        rotates: false,
        made_by: None,
        gone: "its containers are stopped and removed",
        columns: &[],
        panels: &[],
        metrics: &[],
        history: &[],
        least_memory: 0,
        warnings: None,
        client: None,
        backups: None,
        service: None,
        images: &[],
        spec: spec_schema::<Spec>,
    };

    fn check(document: &Document, _: &Context<'_>) -> Result<Checked, Vec<Problem>> {
        let spec: Spec = serde_json::from_value(document.spec.clone()).unwrap();
        let confirmed = document.metadata.annotations.get(annotation::CONFIRM_DELETE);
        let of = |published: bool, memory: u64| workload::Checked {
            image: spec.image.parse().unwrap(),
            caps: Caps { memory: Some(Bytes(memory << 20)), ..Caps::default() },
            force_caps: false,
            port: if published { PortRequest::Auto } else { PortRequest::None },
            stopped: false,
            deletion: if spec.delete { DeletionPolicy::Delete } else { DeletionPolicy::Retain },
            restart_automatically: true,
            paused: false,
            delete_confirmed: confirmed.is_some_and(|name| name == document.object.name.as_str()),
            volume_users: BTreeSet::new(),
            at_once: 1,
        };
        let nodes = (1..=spec.nodes).map(|n| (role(&format!("node-{n}")), of(spec.published, spec.memory)));
        Ok(Checked(nodes.chain([(role("monitor"), of(false, 64))]).collect()))
    }

    fn containers(checked: &Checked) -> Each<&workload::Checked> {
        checked.0.iter().map(|(role, work)| (role.clone(), work)).collect()
    }

    fn memories(memory: &Memory) -> Each<&workload::Memory> {
        memory.members.iter().map(|(role, work)| (role.clone(), work)).collect()
    }

    fn seen(world: &Self::World) -> Each<&dyn Seen> {
        world.iter().map(|(role, world)| (role.clone(), world as &dyn Seen)).collect()
    }

    fn seen_mut(world: &mut Self::World) -> Each<&mut dyn Seen> {
        world.iter_mut().map(|(role, world)| (role.clone(), world as &mut dyn Seen)).collect()
    }

    fn plan(subject: &Subject<'_, Self>, world: &Self::World) -> Plan<Action> {
        let mut plan = Plan::default();
        let nodes: Vec<(Node<'_>, &World)> =
            world.iter().map(|(role, world)| (Node::of(subject, role), world)).collect();
        let (wanted, left): (Vec<_>, Vec<_>) = nodes.iter().partition(|(node, _)| node.wanted);
        for (node, world) in left.into_iter().chain(wanted) {
            let own = node.plan(world, subject.present);
            let role = &node.identity.role;
            let moves = !own.steps.is_empty() || !own.waiting.is_empty();
            plan.add(own, |deed| Action { role: role.clone(), deed });
            // What is below waits for what is above.
            if node.wanted && node.case().wanted() == Wanted::Running && moves {
                break;
            }
        }
        if !subject.present {
            let volumes: Vec<String> = nodes.iter().map(|(node, _)| node.identity.volume()).collect();
            let unmade = nodes.iter().all(|(node, world)| work::is_unmade(&node.case(), world));
            let whole = Node { identity: subject.identity.clone(), ..Node::of(subject, &role("monitor")) };
            let case = Case { present: false, ..whole.case() };
            work::end(&case, unmade, &volumes.join(", "), &mut plan);
        }
        plan
    }

    fn findings(
        subject: &Subject<'_, Self>,
        world: &Self::World,
        plan: &Plan<Action>,
        outlook: &Outlook,
    ) -> Vec<Finding> {
        let runs = |role: &Role| {
            let c = world.get(role).and_then(|world| world.container.ours());
            c.is_some_and(|c| c.state == ContainerState::Running)
        };
        let ready = subject.present && subject.spec.0.keys().all(runs);
        let why = match (plan.blocked.first(), plan.waiting.first(), plan.steps.first(), &outlook.failure) {
            (Some(block), ..) => Some((block.reason, block.why.clone())),
            (_, _, _, Some(failure)) => Some((failure.reason, failure.message.clone())),
            (_, Some(wait), ..) => Some((wait.on, wait.why.clone())),
            (_, _, Some(step), _) => Some(("Reconciling", step.action.to_string())),
            _ => None,
        };
        let truth = |is| if is { Truth::True } else { Truth::False };
        let (reason, words) = why.clone().unwrap_or(("AllServe", String::new()));
        vec![
            Finding::new(C::Ready, truth(ready), if ready { "AllServe" } else { reason }, words.clone()),
            Finding::new(C::Progressing, truth(why.is_some()), reason, words),
        ]
    }

    fn status(_: &Subject<'_, Self>, _: &Self::World, _: Option<Self::Status>) -> Self::Status {
        Map::new()
    }

    fn learn(_: &Subject<'_, Self>, world: &Self::World, memory: &mut Memory, _: &str) -> Learnt {
        for (role, world) in world {
            let Some(c) = world.container.ours() else { continue };
            let own = memory.members.entry(role.clone()).or_default();
            own.container = Some(c.id.clone());
            if c.state == ContainerState::Running {
                own.ever_ready = true;
                own.volume_fresh = false;
                own.proven(c);
            }
        }
        Learnt::default()
    }

    fn handed_over(memory: Memory, home: Home) -> Memory {
        let members = memory.members.into_iter().map(|(role, own)| (role, own.handed_over(home.clone())));
        Memory { members: members.collect(), work: memory.work.handed_over(home) }
    }

    fn recovered(
        work: workload::Memory,
        _: Option<&seawall::core::seen::SeenContainer>,
        _: Option<&seawall::kinds::Found>,
    ) -> Memory {
        Memory { work, ..Memory::default() }
    }

    async fn observe(
        &self,
        subject: &Subject<'_, Self>,
        engine: &EngineInfo,
        intent: Intent,
    ) -> Result<Self::World, ObserveError> {
        let (mut all, mut ports) = (BTreeMap::new(), BTreeSet::new());
        for role in roles(subject) {
            let mut node = Node::of(subject, &role);
            // A mere view leases none.
            node.memory.refused_ports.extend(&ports);
            let (tools, case) = (&self.tools, node.case());
            let mut world = workload::observe::observe::<Plain>(tools, &case, engine, intent, false).await?;
            ports.extend(world.free_port);
            if let Some(c) = world.container.ours().cloned() {
                let answers = c.state == ContainerState::Running;
                if answers {
                    workload::observe::usage(tools, &case, &c, &mut world).await?;
                }
                workload::observe::deaths(tools, &case, &c, &mut world, answers, false).await?;
            }
            all.insert(role, world);
        }
        Ok(all)
    }

    async fn act(
        &self,
        scene: &Scene<'_, Self>,
        action: &Action,
        memory: &mut Memory,
    ) -> Result<Vec<Note>, Undone> {
        let Some(world) = scene.world.get(&action.role) else { return Ok(Vec::new()) };
        let subject = Subject { memory: &*memory, ..scene.subject };
        let node = Node::of(&subject, &action.role);
        let container = node.identity.container();
        let of_container = workload::act::Scene {
            tools: &self.tools,
            case: node.case(),
            world,
            now: scene.now,
            still: scene.still,
            made: scene.made,
            successor: work::successor(scene.plan, &container),
            ask_again: Default::default(),
        };
        let mut own = node.memory.clone();
        let notes = match &action.deed {
            Deed::Work(action) => workload::act::apply(&of_container, action, &mut own).await?,
            Deed::Upload => {
                let (content, id) = (action.role.to_string(), of_container.container_id(&container)?);
                let content = Zeroizing::new(content.into_bytes());
                let file = FileToPut { path: FILE.to_owned(), mode: 0o444, uid: 0, gid: 0, content };
                let put = self.tools.docker.put_files(&id, &[file]).await;
                put.map_err(workload::act::ActError::from)?;
                Vec::new()
            }
        };
        memory.members.insert(action.role.clone(), own);
        Ok(notes)
    }

    async fn probe(&self, _: &Subject<'_, Self>, role: &Role, _: &Glance) -> Probed {
        *self.proofs.lock().unwrap().entry(role.clone()).or_default() += 1;
        Probed::Same
    }
}

pub fn role(name: &str) -> Role {
    Role::parse(name).unwrap()
}
