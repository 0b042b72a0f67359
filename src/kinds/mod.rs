//! The seam: what a kind is to everybody above. One folder a kind; they never import each other.
//!
//! A kind's decisions are functions over values, without a receiver and without adapters; its effects have one. The pass
//! (`control/pass.rs`) is written once for all of them.

mod about;
pub mod app;
pub mod app_spec;
pub mod archive;
pub mod archive_index;
pub mod backup;
pub mod backup_target;
pub mod image_catalog;
mod inspections;
pub mod link;
mod moving;
pub mod notifier;
pub mod plain;
pub mod postgres;
pub mod project;
pub mod redis;
pub mod restore;
mod service;
pub mod tenancy;

pub use about::{
    About, Call, Client, Column, Metric, OF_CONTAINERS, Panel, Part, Question, Read, Series, Word,
};
pub use inspections::{Ask, End, Ended, Inspection, Inspections, Kill, Unanswered};
pub use service::{Form, Parameter, Service};

use crate::core::condition::Finding;
use crate::core::diagnosis::Check;
use crate::core::event::Note;
use crate::core::failure::Outlook;
use crate::core::identity::Identity;
use crate::core::member::Role;
use crate::core::names::{Kind, ObjectRef};
use crate::core::neighbours::{Around, Said, Ties};
use crate::core::plan::Plan;
use crate::core::problem::Problem;
use crate::core::resource::Document;
use crate::core::seen::{EngineInfo, Glance, Host, SeenContainer};
use crate::core::table::Table;
use crate::core::will::Asked;
use crate::docker::{Docker, DockerError};
use crate::workload;
use crate::workload::catalog::Catalog;
use crate::workload::observe::{Intent, ObserveError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt::{Debug, Display};
use std::sync::OnceLock;

/// What a spec is checked against.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The images of each kind, by version.
    pub catalogs: &'a BTreeMap<Kind, Catalog>,
    /// The engine's host, when it is known.
    pub host: Option<Host>,
    /// It is the version in force: what was legal when it came is carried on, so that a rule that came later, or a
    /// smaller host, leaves no server unattended.
    pub in_force: bool,
}

impl Context<'_> {
    /// The catalog of this kind; an empty one where it has none.
    #[must_use]
    pub fn catalog(&self, kind: Kind) -> &Catalog {
        static NONE: OnceLock<Catalog> = OnceLock::new();
        self.catalogs.get(&kind).unwrap_or_else(|| NONE.get_or_init(|| Catalog::of(&[])))
    }
}

/// What a plan is about.
pub struct Subject<'a, R: Reconciler> {
    pub identity: &'a Identity,
    pub spec: &'a R::Checked,
    pub asked: &'a Asked,
    pub memory: &'a R::Memory,
    /// Whether a manifest (or its last good version) is in force.
    pub present: bool,
    /// Its neighbours.
    pub around: &'a Around,
}

// By hand: what it points to need not be `Copy`.
impl<R: Reconciler> Clone for Subject<'_, R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R: Reconciler> Copy for Subject<'_, R> {}

/// An object that another one makes.
#[derive(Clone, Debug, PartialEq)]
pub struct Child {
    pub object: ObjectRef,
    pub labels: BTreeMap<String, String>,
    pub annotations: BTreeMap<String, String>,
    /// As in a manifest.
    pub spec: Value,
}

/// One step of a kind's plans.
pub trait Act: Display + Clone + PartialEq + Send + Sync {
    /// The event reason: one CamelCase word from a closed set.
    fn reason(&self) -> &'static str;
    /// The step when it is one of its container's; those on the record as a whole are among them.
    fn work(&self) -> Option<&workload::Action> {
        None
    }
    /// It waits for a server that starts or stops, up to minutes: others must not wait for it.
    fn takes_long(&self) -> bool {
        self.work().is_some_and(workload::Action::takes_long)
    }
    /// No other step waits for it: that it fails holds up nothing else.
    fn stands_alone(&self) -> bool {
        self.work().is_some_and(workload::Action::stands_alone)
    }
    /// It took its time, and the server served meanwhile: what comes after it is planned anew.
    fn looks_again(&self) -> bool {
        false
    }
}

/// What a step works with.
pub struct Scene<'a, R: Reconciler> {
    pub subject: Subject<'a, R>,
    pub world: &'a R::World,
    pub plan: &'a Plan<R::Action>,
    /// RFC 3339
    pub now: &'a str,
    /// Whether what the plan was made for is still wanted: asked between the waits of a long step.
    pub still: &'a (dyn Fn() -> bool + Send + Sync),
    /// The containers that steps of this plan made.
    pub made: &'a workload::act::Made,
    /// Secrets that change with what the step remembers.
    pub with_record: &'a workload::act::WithRecord,
}

/// Why a step did not work.
#[derive(Debug)]
pub struct Undone {
    /// One CamelCase word from a closed set.
    pub reason: &'static str,
    pub message: String,
    pub then: Then,
}

/// What follows from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Then {
    Fail,
    /// It is said, and the next plan takes it into account.
    Replan,
    /// The world is another one by now: nothing to say.
    Outdated,
    /// The engine could not publish the port: another may be free.
    PortTaken,
    /// The engine could not be asked: nothing is known.
    Unknown(DockerError),
}

impl From<workload::act::ActError> for Undone {
    fn from(error: workload::act::ActError) -> Self {
        use workload::act::ActError;
        let then = match &error {
            ActError::Docker(docker) if docker.is_unavailable() => Then::Unknown(docker.clone()),
            ActError::Docker(DockerError::PortTaken { .. }) => Then::PortTaken,
            outdated if outdated.is_outdated() => Then::Outdated,
            _ => Then::Fail,
        };
        Self { reason: error.reason(), message: error.to_string(), then }
    }
}

/// What a server that serves taught, beside what is remembered of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Learnt {
    /// It started again: with this image and this privilege.
    pub restarts: Option<(String, workload::hardening::Profile)>,
    /// There is more to be seen before anything is said.
    pub look_again: bool,
}

/// What a proof that a server still answers came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probed {
    Same,
    /// Only a pass tells more.
    LookAgain,
}

/// What lies on a volume of an object that nobody remembers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Major version of the server that it is of.
    pub major: Option<u32>,
    /// By which it can be told from other data of the kind.
    pub identifier: Option<String>,
}

/// As whom applications log in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Login {
    pub username: String,
    /// Empty where the kind has none.
    pub database: String,
    /// Of the server, inside its container.
    pub port: u16,
}

/// Something of each container of an object, by what it is among them.
pub type Each<T> = Vec<(Role, T)>;

/// Of an object with one container.
#[must_use]
pub fn only<T>(one: T) -> Each<T> {
    vec![(Role::default(), one)]
}

/// What a kind remembers of an object, as it is in the store.
pub trait Remembered: Serialize + DeserializeOwned + Default + Clone + PartialEq + Send + Sync {
    /// Of its container, or of the object as a whole where it has several. In the store its fields lie beside those of the
    /// kind; it is read for it, so the kind's own serialisation leaves it out.
    fn work(&self) -> Option<&workload::Memory> {
        None
    }

    /// The same, to be set.
    fn work_mut(&mut self) -> Option<&mut workload::Memory> {
        None
    }
}

/// Nothing of a container.
impl Remembered for serde_json::Map<String, Value> {}

/// What a kind is. The functions without a receiver are pure: there is no way from them to an adapter.
pub trait Reconciler: Send + Sync + Sized + 'static {
    /// A spec whose every field is legal.
    type Checked: Clone + PartialEq + Debug + Send + Sync + 'static;
    /// What must be remembered of an object; that of several containers lies under `members`, by role.
    type Memory: Remembered;
    /// What one pass saw.
    type World: Send + Sync;
    type Action: Act;
    /// The body of `status`.
    type Status: Serialize + DeserializeOwned + Default + Send;
    const ABOUT: About;
    /// Each of its containers has a volume of its own for data, and is none of its without that.
    const KEEPS_DATA: bool = true;
    /// It can do nothing while the engine is away.
    const NEEDS_ENGINE: bool = true;
    /// What can be asked of its servers, while somebody waits.
    const INSPECTIONS: Option<&'static Inspections> = None;

    /// # Errors
    /// With every problem found, each at its own place.
    fn check(document: &Document, context: &Context<'_>) -> Result<Self::Checked, Vec<Problem>>;

    /// What is likely to end badly with a spec that is legal, at its place.
    fn warnings(_: &Document, _: &Self::Checked) -> Vec<Problem> {
        Vec::new()
    }

    /// Puts the images that it names over those in `catalogs`: what kinds for which something runs are then checked
    /// against.
    fn name_images(_: &Self::Checked, _catalogs: &mut BTreeMap<Kind, Catalog>) {}

    /// What it refers to, and what nobody else may have, too.
    fn ties(_: &Self::Checked) -> Ties {
        Ties::default()
    }

    /// What it lets its neighbours see, beside whether it is Ready.
    fn offer(_: &Subject<'_, Self>, _: &Self::World) -> Said {
        Said::new()
    }

    /// What is wanted of its containers. What holds for the object as a whole (that it is stopped, or given up) is the
    /// same in all of them.
    fn containers(_: &Self::Checked) -> Each<&workload::Checked> {
        Vec::new()
    }

    /// Whose its password is, if it is not its own and Seawall's to choose, and where to change it. In words.
    fn password_is_elsewhere(_: &Self::Checked) -> Option<(String, String)> {
        None
    }

    /// The manifest says that the data may go with it, and the user agreed by name.
    fn given_up(checked: &Self::Checked) -> bool {
        Self::containers(checked).first().is_some_and(|(_, work)| work.given_up())
    }

    /// What stays of its data when it is deleted, if it does not have them to itself. In words.
    fn outlived_by(_: &Self::Checked) -> Option<String> {
        None
    }

    /// What is remembered of its containers.
    fn memories(_: &Self::Memory) -> Each<&workload::Memory> {
        Vec::new()
    }

    /// The one of its containers that is meant where one is.
    fn serves(_: &Self::Memory) -> Role {
        Role::default()
    }

    /// What was seen of its containers, those that are not wanted any more among them.
    fn seen(_: &Self::World) -> Each<&dyn workload::world::Seen> {
        Vec::new()
    }

    /// The same, for what the controller adds to it.
    fn seen_mut(_: &mut Self::World) -> Each<&mut dyn workload::world::Seen> {
        Vec::new()
    }

    /// Whether its server lets somebody in.
    fn answers(_: &Self::World) -> bool {
        false
    }

    fn plan(subject: &Subject<'_, Self>, world: &Self::World) -> Plan<Self::Action>;

    /// The objects that there should be for its sake now, of kinds for which something runs. It makes none of them itself:
    /// what is missing is made, what differs is changed, and what is not among them any more is let go. `None`: that cannot
    /// be told now, and those there are stay as they are. Asked only while somebody wants the object itself.
    fn children(_: &Subject<'_, Self>, _: &Self::World) -> Option<Vec<Child>> {
        Some(Vec::new())
    }

    /// A port was lost to somebody else at the start, and there is another one to try.
    fn has_another_port(_: &Subject<'_, Self>, _: &Self::World) -> bool {
        false
    }

    /// When to look again although nothing is left to do, in milliseconds.
    fn look_again(_: &Self::World) -> Option<u64> {
        None
    }

    fn findings(
        subject: &Subject<'_, Self>,
        world: &Self::World,
        plan: &Plan<Self::Action>,
        outlook: &Outlook,
    ) -> Vec<Finding>;

    /// Conditions to write before the steps of `plan` run: `Some` when the server does not serve until they are done.
    fn before_steps(
        _: &Subject<'_, Self>,
        _: &Self::World,
        _: &Plan<Self::Action>,
        _: &Outlook,
    ) -> Option<Vec<Finding>> {
        None
    }

    /// `last`: the body as it was, if it can be read.
    fn status(subject: &Subject<'_, Self>, world: &Self::World, last: Option<Self::Status>) -> Self::Status;

    /// Takes into `memory` what a server that serves teaches for good. It would teach it again, should it be lost.
    fn learn(_: &Subject<'_, Self>, _: &Self::World, _: &mut Self::Memory, _now: &str) -> Learnt {
        Learnt::default()
    }

    /// What the object that this one is renamed to knows from then on.
    fn handed_over(memory: Self::Memory, _home: crate::core::identity::Home) -> Self::Memory {
        memory
    }

    /// As whom applications log in; `None`: there is nothing to connect to.
    fn login(_document: &Document, _: Option<&Self::Checked>, _: &Self::Memory) -> Option<Login> {
        None
    }

    /// What lies on a volume, read through a container that has it at `root` and need not run; `own`: it is the object's.
    /// `None`: no data of this kind.
    fn look_at_data(
        _docker: &dyn Docker,
        _container: &str,
        _root: &str,
        _own: Option<&SeenContainer>,
    ) -> impl Future<Output = Result<Option<Found>, DockerError>> + Send {
        async { Ok(None) }
    }

    /// What can be remembered of a container and data that are still there, when the record is lost; `work`: of the
    /// container.
    fn recovered(_work: workload::Memory, _own: Option<&SeenContainer>, _: Option<&Found>) -> Self::Memory {
        Self::Memory::default()
    }

    /// What can be remembered of containers that were there before the object that they are of: its record was lost, and
    /// who makes it made it anew. `local`: id of the image that is wanted, where it is on the engine. `None`: nothing, and
    /// the containers are in the way.
    fn adopted(
        _: &Self::Checked,
        _containers: &Each<SeenContainer>,
        _local: Option<&str>,
    ) -> Option<Self::Memory> {
        None
    }

    /// The fields of a spec that keep such a container as it is, beside those that every kind has.
    fn recovered_spec(_own: Option<&SeenContainer>, _: Option<&Found>) -> Map<String, Value> {
        Map::new()
    }

    /// Looks at everything that the plan depends on.
    fn observe(
        &self,
        subject: &Subject<'_, Self>,
        engine: &EngineInfo,
        intent: Intent,
    ) -> impl Future<Output = Result<Self::World, ObserveError>> + Send;

    /// Runs one step. What it has to remember goes into `memory`; the caller makes it durable before the next step. The
    /// notes are for the event list, beside the step itself.
    fn act(
        &self,
        scene: &Scene<'_, Self>,
        action: &Self::Action,
        memory: &mut Self::Memory,
    ) -> impl Future<Output = Result<Vec<Note>, Undone>> + Send;

    /// Proves that the server in this container still answers, over what is open already.
    fn probe(&self, _: &Subject<'_, Self>, _: &Role, _: &Glance) -> impl Future<Output = Probed> + Send {
        async { Probed::Same }
    }

    /// What its probes found last: fields of `status` that are another at each look. They are shown with it, and stand in no
    /// store.
    fn sampled(&self, _: &ObjectRef) -> Map<String, Value> {
        Map::new()
    }

    /// Asks the server in this container one of [`Self::INSPECTIONS`].
    fn inspect(
        &self,
        _: &Subject<'_, Self>,
        _: &Glance,
        ask: &Ask,
    ) -> impl Future<Output = Result<Table, Unanswered>> + Send {
        let what = format!("{} is nothing that can be asked", ask.verb);
        async { Err(Unanswered { what, next: String::new() }) }
    }

    /// Ends a session of the server in this container, or shows it.
    fn end(
        &self,
        _: &Subject<'_, Self>,
        _: &Glance,
        _: &End,
    ) -> impl Future<Output = Result<Ended, Unanswered>> + Send {
        async { Err(Unanswered::new("its sessions cannot be ended", "")) }
    }

    /// Looks at everything of the server in this container that is worth a word; `status`: as it is shown.
    fn diagnose(
        &self,
        _: &Subject<'_, Self>,
        _: &Glance,
        _status: &Value,
    ) -> impl Future<Output = Vec<Check>> + Send {
        async { Vec::new() }
    }

    /// Nothing of a deleted object stays in memory.
    fn forget(&self, _: &ObjectRef) {}
}
