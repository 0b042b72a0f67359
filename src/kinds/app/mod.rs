//! App: a container of an application in one environment of a project, with the variables that the environment's links give.
//! Its project makes it. It must never run on a password that is not in force, nor stop what serves for what does not.

pub mod act;
pub mod action;
pub mod check;
pub mod client;
pub mod conditions;
pub mod desired;
pub mod image;
pub mod launcher;
pub mod plan;
pub mod probe;
pub mod record;
pub mod recover;
pub mod spec;
pub mod status;
pub mod streak;
pub mod world;

use super::{About, Column, Context, Each, Learnt, Probed, Reconciler, Scene, Subject, Undone};
use crate::core::condition::Finding;
use crate::core::event::Note;
use crate::core::failure::Outlook;
use crate::core::member::Role;
use crate::core::names::{Kind, ObjectRef};
use crate::core::neighbours::Ties;
use crate::core::plan::Plan;
use crate::core::problem::Problem;
use crate::core::resource::Document;
use crate::core::seen::{EngineInfo, Glance, SeenContainer};
use crate::manifest::schema::spec_schema;
use crate::workload;
use crate::workload::Tools;
use crate::workload::observe::{Intent, ObserveError};
use crate::workload::world::Seen;
use action::Action;
use check::Checked;
use client::Checks;
use record::{Memory, Proven};
use status::Status;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use streak::{Judged, Streak};
use tokio::time::Instant;
use world::World;

/// What a list shows of it.
const COLUMNS: [Column; 4] = [
    Column { header: "PROJECT", paths: &["/project"], wide: false },
    Column { header: "ENVIRONMENT", paths: &["/environment"], wide: false },
    Column { header: "IMAGE", paths: &["/image/reference"], wide: false },
    Column { header: "CONTAINER", paths: &["/container/name"], wide: true },
];

/// An object and the name of a container → which start of it, and since when that is seen.
type Starts = BTreeMap<(ObjectRef, String), (String, Instant)>;

/// An application.
pub struct App {
    pub tools: Arc<Tools>,
    pub checks: Arc<dyn Checks>,
    starts: Mutex<Starts>,
    /// What the checks of each container came to.
    streaks: Mutex<BTreeMap<(ObjectRef, Role), Streak>>,
    began: Instant,
}

impl App {
    /// Reached over the network.
    #[must_use]
    pub fn real(tools: &Arc<Tools>) -> Self {
        Self::new(tools, Arc::new(client::Network))
    }

    #[must_use]
    pub fn new(tools: &Arc<Tools>, checks: Arc<dyn Checks>) -> Self {
        let (starts, streaks) = (Mutex::default(), Mutex::default());
        Self { tools: Arc::clone(tools), checks, starts, streaks, began: Instant::now() }
    }

    fn starts(&self) -> std::sync::MutexGuard<'_, Starts> {
        self.starts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn streaks(&self) -> std::sync::MutexGuard<'_, BTreeMap<(ObjectRef, Role), Streak>> {
        self.streaks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a container is healthy by what its check said now and before. `kept`: that is remembered.
    fn judge(
        &self,
        key: (ObjectRef, Role),
        c: &Glance,
        said: Result<String, String>,
        kept: bool,
    ) -> (Judged, bool) {
        let start = format!("{} {}", c.id, c.started_at);
        let mut streaks = self.streaks();
        let mut streak = streaks.get(&key).cloned().unwrap_or_default();
        let before = streak.is_healthy();
        let judged = streak.take(&start, said, self.began.elapsed());
        if kept {
            streaks.insert(key, streak);
        }
        (judged, before)
    }
}

impl Reconciler for App {
    type Checked = Checked;
    type Memory = Memory;
    type World = World;
    type Action = Action;
    type Status = Status;
    const KEEPS_DATA: bool = false;
    const ABOUT: About = About {
        kind: Kind::App,
        folder: "app",
        description: "A container of an application in one environment of a project, which makes it.",
        runs: true,
        containers: true,
        rotates: false,
        made_by: Some(Kind::Project),
        gone: "its containers are stopped and removed; its volumes are kept",
        columns: &COLUMNS,
        panels: &[],
        metrics: &[],
        history: &[],
        least_memory: 6 << 20,
        warnings: None,
        client: None,
        backups: None,
        service: None,
        images: &[],
        spec: spec_schema::<spec::PlacedSpec>,
    };

    fn check(document: &Document, context: &Context<'_>) -> Result<Checked, Vec<Problem>> {
        check::check(document, context)
    }

    fn ties(checked: &Checked) -> Ties {
        let port = |port: &crate::core::desired::PortMap| format!("host port {}:{}", port.host_ip, port.host);
        let claims = checked.app.ports.iter().map(port).collect();
        Ties { refs: checked.links.clone(), claims, ..Ties::default() }
    }

    fn containers(checked: &Checked) -> Each<&workload::Checked> {
        desired::roles().map(|role| (role, &checked.work)).into()
    }

    fn memories(memory: &Memory) -> Each<&workload::Memory> {
        memory.members.iter().map(|(role, work)| (role.clone(), work)).collect()
    }

    fn serves(memory: &Memory) -> Role {
        memory.serves.clone().unwrap_or_else(|| desired::roles()[0].clone())
    }

    fn seen(world: &World) -> Each<&dyn Seen> {
        world.members.iter().map(|(role, member)| (role.clone(), &member.work as &dyn Seen)).collect()
    }

    fn seen_mut(world: &mut World) -> Each<&mut dyn Seen> {
        world
            .members
            .iter_mut()
            .map(|(role, member)| (role.clone(), &mut member.work as &mut dyn Seen))
            .collect()
    }

    fn plan(subject: &Subject<'_, Self>, world: &World) -> Plan<Action> {
        plan::plan(subject, world)
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

    fn status(subject: &Subject<'_, Self>, world: &World, _: Option<Status>) -> Status {
        status::status(subject, world)
    }

    /// One check that failed is asked again soon.
    fn look_again(world: &World) -> Option<u64> {
        world.members.values().any(|member| member.doubted).then_some(streak::AGAIN_MS)
    }

    fn learn(subject: &Subject<'_, Self>, world: &World, memory: &mut Memory, _: &str) -> Learnt {
        for (role, member) in &world.members {
            if let Some(c) = member.work.container.ours() {
                memory.members.entry(role.clone()).or_default().container = Some(c.id.clone());
            }
        }
        // What is written anew of it, a check say, is not what it was made from, and is how it is seen from now on.
        let now = &subject.spec.written;
        for made in memory.made.values_mut().filter(|made| made.written.has_the_container_of(now)) {
            made.written.clone_from(now);
        }
        let role = plan::serves(subject);
        let Some(member) = world.members.get(&role).filter(|member| member.healthy().is_some()) else {
            return Learnt::default();
        };
        memory.work.ever_ready = true;
        memory.serves = Some(role.clone());
        if let (Some(c), Some(made)) = (member.work.container.ours(), memory.made.get(&role)) {
            let reference = made.written.image.0.clone();
            let image = workload::memory::PinnedImage { reference, id: c.image_id.clone() };
            memory.proven = Some(Proven { written: made.written.clone(), image });
        }
        Learnt::default()
    }

    fn adopted(checked: &Checked, containers: &Each<SeenContainer>, local: Option<&str>) -> Option<Memory> {
        recover::memory(checked, containers, local)
    }

    async fn observe(
        &self,
        subject: &Subject<'_, Self>,
        engine: &EngineInfo,
        intent: Intent,
    ) -> Result<World, ObserveError> {
        probe::observe(self, subject, engine, intent).await
    }

    async fn act(
        &self,
        scene: &Scene<'_, Self>,
        action: &Action,
        memory: &mut Memory,
    ) -> Result<Vec<Note>, Undone> {
        act::apply(self, scene, action, memory).await
    }

    async fn probe(&self, subject: &Subject<'_, Self>, role: &Role, container: &Glance) -> Probed {
        let said = probe::prove(self, subject, role, container).await;
        let key = (subject.identity.object.clone(), role.clone());
        let (now, before) = self.judge(key, container, said, true);
        if now.health.is_ok() == before && !now.doubted { Probed::Same } else { Probed::LookAgain }
    }

    fn forget(&self, object: &ObjectRef) {
        self.starts().retain(|(of, _), _| of != object);
        self.streaks().retain(|(of, _), _| of != object);
    }
}
