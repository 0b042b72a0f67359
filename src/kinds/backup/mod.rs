//! Backup: one backup of a service, taken once and then kept. It knows its service by [`Archive`] alone and its place by what its
//! target lets see. Ready is only said of one whose index lies at its place.

pub mod check;
pub mod spec;

use super::archive::{Archive, ArchiveError, this_second};
use super::archive_index::{Index, VERSION};
use super::moving::Moving;
use super::plain;
use super::{
    About, Act, Column, Context, Metric, Read, Reconciler, Remembered, Scene, Subject, Then, Undone,
};
use crate::core::condition::{ConditionType as C, Finding, Truth};
use crate::core::event::Note;
use crate::core::failure::Outlook;
use crate::core::identity::Identity;
use crate::core::measure::Unit;
use crate::core::metric::Family;
use crate::core::names::{Kind, ObjectRef};
use crate::core::neighbours::{Said, Ties, offers};
use crate::core::plan::{Plan, Sign};
use crate::core::problem::Problem;
use crate::core::resource::Document;
use crate::core::seen::EngineInfo;
use crate::core::storage::Place;
use crate::depot::{self, DepotError, Shelf};
use crate::manifest::schema::spec_schema;
use crate::workload;
use crate::workload::observe::{Intent, ObserveError};
use check::{Checked, check};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// Nobody tells when a service answers again.
const WAIT_MS: u64 = 5_000;
/// Nor when somebody removes what was stored.
const LOOK_MS: u64 = 300_000;

pub struct Backup {
    /// By the kind of the service.
    archives: BTreeMap<Kind, Arc<dyn Archive>>,
    moving: Moving,
}

impl Backup {
    #[must_use]
    pub fn new(archives: BTreeMap<Kind, Arc<dyn Archive>>) -> Self {
        Self { archives, moving: Moving::default() }
    }
}

/// What must be remembered of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Memory {
    /// Something was written there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Stored>,
    /// What was taken, once it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub taken: Option<Taken>,
}

/// Where it lies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stored {
    pub place: Place,
    pub key: String,
}

/// What its status tells of it; the whole is in the index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Taken {
    pub service: ObjectRef,
    pub tool: String,
    /// Of the server.
    pub version: String,
    /// RFC 3339
    pub started_at: String,
    /// RFC 3339
    pub finished_at: String,
    pub bytes: u64,
    /// What is in it, in words.
    pub holds: Vec<String>,
}

impl Remembered for Memory {}

/// What one pass saw.
pub struct World {
    service: Service,
    /// Where its target is now; `None`: it is not there, or not usable.
    place: Option<Place>,
    /// Of one that was taken: whether its index lies there.
    stored: Option<Result<bool, DepotError>>,
}

enum Service {
    /// There is no way to take a backup of this kind.
    NoArchive,
    Away(String),
    /// With the tool by which a backup of it is made.
    Seen(&'static str),
    NotAsked,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    Work(workload::Action),
    /// Into the store: something is written there from now on.
    Begin(Stored),
    Take {
        service: ObjectRef,
        tool: &'static str,
    },
    Remove(Stored),
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Work(action) => action.fmt(f),
            Action::Begin(at) => write!(f, "choose {} in {}", at.key, at.place.in_words()),
            Action::Take { service, tool } => write!(f, "take a backup of {service} by {tool}"),
            Action::Remove(at) => write!(f, "remove {} from {}", at.key, at.place.in_words()),
        }
    }
}

impl Act for Action {
    fn reason(&self) -> &'static str {
        match self {
            Action::Work(action) => action.reason(),
            Action::Begin(_) => "BackupBegun",
            Action::Take { .. } => "BackupTaken",
            Action::Remove(_) => "BackupRemoved",
        }
    }
    fn work(&self) -> Option<&workload::Action> {
        if let Action::Work(action) = self { Some(action) } else { None }
    }
    fn takes_long(&self) -> bool {
        matches!(self, Action::Take { .. } | Action::Remove(_))
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    #[default]
    Pending,
    Completed,
    /// It was taken, and is not at its place any more.
    Lost,
}

/// The body of its status.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Status {
    pub phase: Phase,
    pub service: String,
    /// Where it lies, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub taken: Option<Told>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Told {
    /// By which tool it was made.
    pub tool: String,
    pub server_version: String,
    pub started_at: String,
    pub stopped_at: String,
    pub size_bytes: u64,
    /// The same for people.
    pub size: String,
    pub holds: Vec<String>,
}

/// Where a backup of this identity goes; each has a place of its own, whatever it is called and was called before.
fn key(identity: &Identity, service: &ObjectRef) -> String {
    let uid: String = identity.uid.chars().filter(char::is_ascii_alphanumeric).take(12).collect();
    let (installation, name) = (&identity.installation, &identity.object.name);
    format!("{installation}/{}/{}/{name}-{}", service.kind.lower(), service.name, uid.to_ascii_lowercase())
}

fn is_gone(world: &World) -> bool {
    matches!(world.stored, Some(Ok(false)))
}

fn unlink(subject: &Subject<'_, Backup>, plan: &mut Plan<Action>) {
    let (spec, asked, memory) = (subject.spec, subject.asked, subject.memory);
    let forget = Action::Work(workload::Action::Forget);
    let given_up = spec.deletes && spec.delete_confirmed;
    match &memory.at {
        // What is no backup is nothing that anybody wants to keep.
        Some(at) if memory.taken.is_none() => {
            plan.step(
                Sign::Delete,
                Action::Remove(at.clone()),
                "manifest removed, and it was not taken to its end",
            );
            plan.step(Sign::Delete, forget, "manifest removed");
        }
        Some(at) if asked.deletes_now(given_up) => {
            plan.step(Sign::Delete, Action::Remove(at.clone()), "manifest removed and deletion confirmed");
            plan.step(Sign::Delete, forget, "manifest removed and deletion confirmed");
        }
        Some(_) if asked.deletes_later(given_up) => {
            let when = workload::plan::removal::pending(asked);
            let why = format!(
                "it is deleted{when} (deletionPolicy is Delete, confirmed in the manifest). To keep it, bring the manifest back"
            );
            plan.due("DeletionPending", why);
        }
        Some(_) if spec.deletes => {
            let object = &subject.identity.object;
            let why = "deletionPolicy is Delete, but its deletion was not confirmed; it is kept";
            plan.block(
                "DeletionNotConfirmed",
                why,
                format!("seawall delete {object} --confirm {}", object.name),
            );
        }
        Some(at) => {
            let cause =
                format!("manifest removed; what was stored stays: {} in {}", at.key, at.place.in_words());
            plan.step(Sign::Delete, forget, cause);
        }
        None => plan.step(Sign::Delete, forget, "manifest removed, and nothing was stored"),
    }
}

impl Reconciler for Backup {
    type Checked = Checked;
    type Memory = Memory;
    type World = World;
    type Action = Action;
    type Status = Status;
    const ABOUT: About = About {
        kind: Kind::Backup,
        folder: "backup",
        description: "One backup of a service, taken once.",
        runs: true,
        containers: false,
        rotates: false,
        made_by: None,
        gone: "it is forgotten; what was stored stays, unless its deletion was confirmed",
        columns: &[
            Column { header: "SERVICE", paths: &["/service"], wide: false },
            Column { header: "PHASE", paths: &["/phase"], wide: false },
            Column { header: "SIZE", paths: &["/size"], wide: false },
            Column { header: "FINISHED", paths: &["/stoppedAt"], wide: false },
            Column { header: "TOOL", paths: &["/tool"], wide: true },
            Column { header: "LOCATION", paths: &["/location"], wide: true },
        ],
        panels: &[],
        metrics: &[
            Metric {
                family: Family::gauge("seawall_backup_size_bytes", "Bytes of a backup at its target."),
                path: "/sizeBytes",
                read: Read::Number,
            },
            Metric {
                family: Family::gauge(
                    "seawall_backup_finished_timestamp_seconds",
                    "When a backup was taken, in seconds since 1970.",
                ),
                path: "/stoppedAt",
                read: Read::Time,
            },
        ],
        history: &[],
        least_memory: 0,
        warnings: None,
        client: None,
        backups: None,
        service: None,
        images: &[],
        spec: spec_schema::<spec::BackupSpec>,
    };

    fn check(document: &Document, _: &Context<'_>) -> Result<Checked, Vec<Problem>> {
        check(document)
    }

    /// Its service may go, and leave it behind.
    fn ties(checked: &Checked) -> Ties {
        Ties { refs: BTreeSet::from([checked.target.clone()]), ..Ties::default() }
    }

    fn given_up(checked: &Checked) -> bool {
        checked.deletes && checked.delete_confirmed
    }

    fn offer(subject: &Subject<'_, Self>, world: &World) -> Said {
        let at = subject.memory.at.as_ref().filter(|_| subject.memory.taken.is_some() && !is_gone(world));
        at.map(|at| vec![(offers::PLACE, at.place.said()), (offers::KEY, at.key.clone())]).unwrap_or_default()
    }

    fn plan(subject: &Subject<'_, Self>, world: &World) -> Plan<Action> {
        let mut plan = Plan::default();
        if !subject.present {
            unlink(subject, &mut plan);
            return plan;
        }
        let (spec, memory) = (subject.spec, subject.memory);
        if let Some(taken) = &memory.taken {
            if taken.service != spec.service {
                let why = format!("it was taken of {}, and is taken once", taken.service);
                plan.block("BackupTaken", why, "make another Backup for the other service");
            } else if is_gone(world) {
                let why = "it was taken, and is not at its place any more";
                plan.block(
                    "BackupLost",
                    why,
                    "make another Backup; remove this one when nobody looks for it",
                );
            } else if let Some(Err(error)) = &world.stored {
                plan.stuck(
                    error.reason(),
                    format!("whether it is still there is not known: {error}"),
                    WAIT_MS,
                );
            }
            return plan;
        }
        let tool = match &world.service {
            Service::NoArchive => {
                let why = format!("there is no way to take a backup of a {} yet", spec.service.kind);
                plan.block("NoBackups", why, "a Backup of a postgres can be taken");
                return plan;
            }
            Service::Away(why) => {
                plan.wait("ServiceNotReady", why.clone(), Some(WAIT_MS));
                return plan;
            }
            Service::NotAsked => return plan,
            Service::Seen(tool) => *tool,
        };
        let Some(place) = &world.place else {
            let why = match subject.around.others.get(&spec.target) {
                None => format!("there is no {} yet", spec.target),
                Some(_) => format!("{} is not Ready", spec.target),
            };
            plan.wait("TargetNotReady", why, None);
            return plan;
        };
        let at = Stored { place: place.clone(), key: key(subject.identity, &spec.service) };
        match &memory.at {
            Some(before) if *before != at => {
                let cause = "it is to be put somewhere else";
                plan.step(Sign::Delete, Action::Remove(before.clone()), cause);
            }
            Some(_) => {}
            None => plan.step(Sign::Change, Action::Begin(at), "not chosen yet"),
        }
        let take = Action::Take { service: spec.service.clone(), tool };
        plan.step(Sign::Create, take, "there is none yet");
        plan
    }

    fn look_again(_: &World) -> Option<u64> {
        Some(LOOK_MS)
    }

    fn findings(
        subject: &Subject<'_, Self>,
        _: &World,
        plan: &Plan<Action>,
        outlook: &Outlook,
    ) -> Vec<Finding> {
        let words = match (&subject.memory.taken, &subject.memory.at) {
            (Some(taken), Some(at)) => {
                format!("taken at {}; it lies in {}", taken.finished_at, at.place.in_words())
            }
            _ => String::new(),
        };
        let ready = Finding::new(C::Ready, Truth::True, "BackupCompleted", words);
        plain::findings(plan, outlook, subject.spec.paused, ready)
    }

    fn status(subject: &Subject<'_, Self>, world: &World, _: Option<Status>) -> Status {
        let memory = subject.memory;
        let told = |taken: &Taken| Told {
            tool: taken.tool.clone(),
            server_version: taken.version.clone(),
            started_at: taken.started_at.clone(),
            stopped_at: taken.finished_at.clone(),
            size_bytes: taken.bytes,
            #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
            size: Unit::Bytes.text(taken.bytes as f64),
            holds: taken.holds.clone(),
        };
        Status {
            phase: match &memory.taken {
                None => Phase::Pending,
                Some(_) if is_gone(world) => Phase::Lost,
                Some(_) => Phase::Completed,
            },
            service: subject.spec.service.to_string(),
            location: memory.at.as_ref().map(|at| format!("{}: {}", at.place.in_words(), at.key)),
            taken: memory.taken.as_ref().map(told),
        }
    }

    async fn observe(
        &self,
        subject: &Subject<'_, Self>,
        _: &EngineInfo,
        _: Intent,
    ) -> Result<World, ObserveError> {
        let (spec, memory) = (subject.spec, subject.memory);
        let target = subject.around.others.get(&spec.target).filter(|target| target.ready && target.present);
        let place = target.and_then(|target| target.say(offers::PLACE)).and_then(Place::told);
        let stored = match (&memory.at, &memory.taken) {
            (Some(at), Some(_)) => {
                Some(depot::open(&at.place).index(&at.key).await.map(|index| index.is_some()))
            }
            _ => None,
        };
        let service = match self.archives.get(&spec.service.kind) {
            _ if memory.taken.is_some() || !subject.present => Service::NotAsked,
            None => Service::NoArchive,
            Some(archive) => match archive.look(&spec.service).await {
                Ok(_) => Service::Seen(archive.tool()),
                Err(error) => Service::Away(error.to_string()),
            },
        };
        Ok(World { service, place, stored })
    }

    async fn act(
        &self,
        scene: &Scene<'_, Self>,
        action: &Action,
        memory: &mut Memory,
    ) -> Result<Vec<Note>, Undone> {
        match action {
            // The controller's.
            Action::Work(_) => {}
            Action::Begin(at) => memory.at = Some(at.clone()),
            Action::Remove(at) => {
                depot::open(&at.place).remove(&at.key).await.map_err(ArchiveError::from)?;
                *memory = Memory::default();
            }
            Action::Take { service, .. } => {
                let Some(at) = memory.at.clone() else {
                    // It was to be put somewhere else: the next plan says where.
                    return Err(outdated());
                };
                let object = &scene.subject.identity.object;
                let moved = self.moving.begin(object);
                let taken = self.take(scene, service, &at, &moved).await;
                self.moving.end(object);
                memory.taken = Some(taken?);
            }
        }
        Ok(Vec::new())
    }

    /// How far it is.
    fn sampled(&self, object: &ObjectRef) -> Map<String, Value> {
        self.moving.sampled(object)
    }
}

fn outdated() -> Undone {
    Undone { reason: "Changed", message: "something else is wanted by now".to_owned(), then: Then::Outdated }
}

impl From<ArchiveError> for Undone {
    fn from(error: ArchiveError) -> Self {
        let then = match &error {
            ArchiveError::Unwanted => Then::Outdated,
            ArchiveError::Docker(docker) if docker.is_unavailable() => Then::Unknown(docker.clone()),
            _ => Then::Fail,
        };
        Undone { reason: error.reason(), message: error.to_string(), then }
    }
}

impl Backup {
    async fn take(
        &self,
        scene: &Scene<'_, Self>,
        service: &ObjectRef,
        at: &Stored,
        moved: &AtomicU64,
    ) -> Result<Taken, Undone> {
        let archive = self.archives.get(&service.kind).ok_or_else(outdated)?;
        let depot = depot::open(&at.place);
        // What an earlier try left is no part of this one.
        depot.remove(&at.key).await.map_err(ArchiveError::from)?;
        let shelf = Shelf { depot: depot.as_ref(), backup: &at.key, moved, still: scene.still };
        let started_at = this_second();
        let taken = archive.take(service, &shelf).await?;
        let finished_at = this_second();
        let identity = scene.subject.identity;
        let bytes = taken.parts.iter().map(|part| part.bytes).sum();
        let told = Taken {
            service: service.clone(),
            tool: archive.tool().to_owned(),
            version: taken.version.clone(),
            started_at: started_at.clone(),
            finished_at: finished_at.clone(),
            bytes,
            holds: taken.holds.clone(),
        };
        let index = Index {
            version: VERSION,
            service: service.clone(),
            backup: identity.object.clone(),
            uid: identity.uid.clone(),
            tool: told.tool.clone(),
            started_at,
            finished_at,
            taken,
        };
        let text = serde_json::to_vec_pretty(&index).map_err(|error| Undone {
            reason: "IndexFailed",
            message: error.to_string(),
            then: Then::Fail,
        })?;
        depot.put_index(&at.key, &text).await.map_err(ArchiveError::from)?;
        Ok(told)
    }
}
