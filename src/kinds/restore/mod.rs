//! Restore: puts a backup into a new service, once. It never puts anything where something is: what is to be restored comes
//! beside what is there, and people decide by what they find in it. Ready is only said when what is there was compared with what
//! was taken.

pub mod check;
pub mod spec;

use super::archive::{Archive, ArchiveError, this_second};
use super::archive_index as index;
use super::moving::Moving;
use super::plain;
use super::{About, Act, Column, Context, Reconciler, Remembered, Scene, Subject, Then, Undone};
use crate::core::condition::{ConditionType as C, Finding, Truth};
use crate::core::event::Note;
use crate::core::failure::Outlook;
use crate::core::names::{Kind, ObjectRef};
use crate::core::neighbours::{Ties, offers};
use crate::core::plan::{Plan, Sign};
use crate::core::problem::Problem;
use crate::core::resource::Document;
use crate::core::seen::EngineInfo;
use crate::core::storage::Place;
use crate::depot::{self, Shelf};
use crate::manifest::schema::spec_schema;
use crate::workload;
use crate::workload::observe::{Intent, ObserveError};
use check::{Checked, check};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Nobody tells when a service answers again.
const WAIT_MS: u64 = 5_000;

pub struct Restore {
    /// By the kind of the service.
    archives: BTreeMap<Kind, Arc<dyn Archive>>,
    moving: Moving,
}

impl Restore {
    #[must_use]
    pub fn new(archives: BTreeMap<Kind, Arc<dyn Archive>>) -> Self {
        Self { archives, moving: Moving::default() }
    }
}

/// What must be remembered of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Memory {
    /// Nothing was in the server, and what is there since was put there: by which its data are told from others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub into: Option<Into>,
    /// Once it was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub done: Option<Done>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Into {
    pub service: ObjectRef,
    pub identifier: String,
    pub backup: ObjectRef,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Done {
    /// RFC 3339
    pub started_at: String,
    /// RFC 3339
    pub finished_at: String,
    /// RFC 3339: when the backup was begun.
    pub of: String,
    pub bytes: u64,
    /// What was compared with the backup, in words.
    pub compared: Vec<String>,
}

impl Remembered for Memory {}

/// What one pass saw.
pub struct World {
    service: Service,
    /// Where the backup lies; `None`: there is none, or it is not Ready.
    from: Option<(Place, String)>,
}

enum Service {
    NoArchive,
    Away(String),
    /// By which its data are told from others, and what is in it already, in words.
    Seen {
        identifier: String,
        holds: Option<String>,
    },
    NotAsked,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    Work(workload::Action),
    /// Into the store: nothing is in it but what is put there from now on.
    Begin(Into),
    Put {
        service: ObjectRef,
        backup: ObjectRef,
    },
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Work(action) => action.fmt(f),
            Action::Begin(into) => write!(f, "choose {}, in which nothing is", into.service),
            Action::Put { service, backup } => write!(f, "put {backup} into {service}"),
        }
    }
}

impl Act for Action {
    fn reason(&self) -> &'static str {
        match self {
            Action::Work(action) => action.reason(),
            Action::Begin(_) => "RestoreBegun",
            Action::Put { .. } => "Restored",
        }
    }
    fn work(&self) -> Option<&workload::Action> {
        if let Action::Work(action) = self { Some(action) } else { None }
    }
    fn takes_long(&self) -> bool {
        matches!(self, Action::Put { .. })
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    #[default]
    Pending,
    Restoring,
    Completed,
}

/// The body of its status.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Status {
    pub phase: Phase,
    pub from: String,
    pub to: String,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub done: Option<Told>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Told {
    pub started_at: String,
    pub stopped_at: String,
    /// When the backup was begun: what was written after that is not in it.
    pub reached: String,
    pub size_bytes: u64,
    pub compared: Vec<String>,
}

impl Reconciler for Restore {
    type Checked = Checked;
    type Memory = Memory;
    type World = World;
    type Action = Action;
    type Status = Status;
    const ABOUT: About = About {
        kind: Kind::Restore,
        folder: "restore",
        description: "Puts a backup into a new service, once.",
        runs: true,
        containers: false,
        rotates: false,
        made_by: None,
        gone: "it is forgotten; what was restored stays",
        columns: &[
            Column { header: "FROM", paths: &["/from"], wide: false },
            Column { header: "TO", paths: &["/to"], wide: false },
            Column { header: "PHASE", paths: &["/phase"], wide: false },
            Column { header: "REACHED", paths: &["/reached"], wide: false },
        ],
        panels: &[],
        metrics: &[],
        history: &[],
        least_memory: 0,
        warnings: None,
        client: None,
        backups: None,
        service: None,
        images: &[],
        spec: spec_schema::<spec::RestoreSpec>,
    };

    fn check(document: &Document, _: &Context<'_>) -> Result<Checked, Vec<Problem>> {
        check(document)
    }

    /// No two of them put something into one service.
    fn ties(checked: &Checked) -> Ties {
        Ties {
            refs: BTreeSet::from([checked.backup.clone()]),
            claims: BTreeSet::from([format!("restore into {}", checked.to)]),
            ..Ties::default()
        }
    }

    fn plan(subject: &Subject<'_, Self>, world: &World) -> Plan<Action> {
        let mut plan = Plan::default();
        let (spec, memory) = (subject.spec, subject.memory);
        if !subject.present {
            let cause = "manifest removed; what was restored stays";
            plan.step(Sign::Delete, Action::Work(workload::Action::Forget), cause);
            return plan;
        }
        if let Some(into) = &memory.into
            && (into.service != spec.to || into.backup != spec.backup)
        {
            let why = format!("it puts {} into {}, and is done once", into.backup, into.service);
            plan.block("RestoreBegun", why, "make another Restore, into another new service");
            return plan;
        }
        if memory.done.is_some() {
            return plan;
        }
        if let Some((claim, holder)) = subject.around.lost_claims.first_key_value() {
            plan.block("NameConflict", format!("{claim}: {holder} does"), "restore into another new service");
            return plan;
        }
        if world.from.is_none() {
            let why = match subject.around.others.get(&spec.backup) {
                None => format!("there is no {} yet", spec.backup),
                Some(_) => format!("{} is not Ready", spec.backup),
            };
            plan.wait("BackupNotReady", why, None);
            return plan;
        }
        match &world.service {
            Service::NoArchive => {
                let why = format!("there is no way to restore a {} yet", spec.to.kind);
                plan.block("NoBackups", why, "a Backup of a postgres can be restored");
                return plan;
            }
            Service::Away(why) => {
                plan.wait("ServiceNotReady", why.clone(), Some(WAIT_MS));
                return plan;
            }
            Service::NotAsked => return plan,
            Service::Seen { identifier, holds } => match (&memory.into, holds) {
                (Some(into), _) if into.identifier != *identifier => {
                    let why = format!("{} has other data than those that were begun with", spec.to);
                    plan.block("RestoreBegun", why, "make another Restore, into another new service");
                    return plan;
                }
                (Some(_), _) => {}
                (None, Some(holds)) => {
                    let why =
                        format!("{} is not empty: {holds}; nothing that is there is overwritten", spec.to);
                    plan.block("NotEmpty", why, "restore into a new service");
                    return plan;
                }
                (None, None) => {
                    let (service, backup) = (spec.to.clone(), spec.backup.clone());
                    let into = Into { service, identifier: identifier.clone(), backup };
                    plan.step(Sign::Change, Action::Begin(into), "nothing is in it");
                }
            },
        }
        let put = Action::Put { service: spec.to.clone(), backup: spec.backup.clone() };
        plan.step(Sign::Create, put, "it was not done yet");
        plan
    }

    fn findings(
        subject: &Subject<'_, Self>,
        _: &World,
        plan: &Plan<Action>,
        outlook: &Outlook,
    ) -> Vec<Finding> {
        let done = subject.memory.done.as_ref();
        let words =
            done.map(|done| format!("{} is as it was at {}", subject.spec.to, done.of)).unwrap_or_default();
        let ready = Finding::new(C::Ready, Truth::True, "Restored", words);
        plain::findings(plan, outlook, subject.spec.paused, ready)
    }

    fn status(subject: &Subject<'_, Self>, _: &World, _: Option<Status>) -> Status {
        let memory = subject.memory;
        let told = |done: &Done| Told {
            started_at: done.started_at.clone(),
            stopped_at: done.finished_at.clone(),
            reached: done.of.clone(),
            size_bytes: done.bytes,
            compared: done.compared.clone(),
        };
        Status {
            phase: match (&memory.done, &memory.into) {
                (Some(_), _) => Phase::Completed,
                (None, Some(_)) => Phase::Restoring,
                (None, None) => Phase::Pending,
            },
            from: subject.spec.backup.to_string(),
            to: subject.spec.to.to_string(),
            done: memory.done.as_ref().map(told),
        }
    }

    async fn observe(
        &self,
        subject: &Subject<'_, Self>,
        _: &EngineInfo,
        _: Intent,
    ) -> Result<World, ObserveError> {
        let (spec, memory) = (subject.spec, subject.memory);
        let backup = subject.around.others.get(&spec.backup).filter(|backup| backup.ready);
        let from = backup.and_then(|backup| {
            Some((Place::told(backup.say(offers::PLACE)?)?, backup.say(offers::KEY)?.to_owned()))
        });
        let service = match self.archives.get(&spec.to.kind) {
            _ if memory.done.is_some() || !subject.present || from.is_none() => Service::NotAsked,
            None => Service::NoArchive,
            Some(archive) => look(archive.as_ref(), &spec.to, memory).await,
        };
        Ok(World { service, from })
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
            Action::Begin(into) => memory.into = Some(into.clone()),
            Action::Put { service, .. } => {
                let object = &scene.subject.identity.object;
                let moved = self.moving.begin(object);
                let done = self.put(scene, service, &moved).await;
                self.moving.end(object);
                memory.done = Some(done?);
            }
        }
        Ok(Vec::new())
    }

    /// How far it is.
    fn sampled(&self, object: &ObjectRef) -> Map<String, Value> {
        self.moving.sampled(object)
    }
}

/// What is in it is only asked before something is put there.
async fn look(archive: &dyn Archive, service: &ObjectRef, memory: &Memory) -> Service {
    let facts = match archive.look(service).await {
        Ok(facts) => facts,
        Err(error) => return Service::Away(error.to_string()),
    };
    let holds = match &memory.into {
        Some(_) => None,
        None => match archive.holds(service).await {
            Ok(holds) => holds,
            Err(error) => return Service::Away(error.to_string()),
        },
    };
    Service::Seen { identifier: facts.identifier, holds }
}

impl Restore {
    async fn put(
        &self,
        scene: &Scene<'_, Self>,
        service: &ObjectRef,
        moved: &AtomicU64,
    ) -> Result<Done, Undone> {
        let gone = || Undone {
            reason: "Changed",
            message: "the backup is not there any more".to_owned(),
            then: Then::Outdated,
        };
        let archive = self.archives.get(&service.kind).ok_or_else(gone)?;
        let (place, key) = scene.world.from.as_ref().ok_or_else(gone)?;
        let depot = depot::open(place);
        let text = depot.index(key).await.map_err(ArchiveError::from)?.ok_or_else(gone)?;
        let index = index::read(&text).map_err(ArchiveError::Failed)?;
        if index.service.kind != service.kind {
            let why = format!("the backup is of a {}, and {service} is none", index.service.kind);
            return Err(ArchiveError::Failed(why).into());
        }
        let shelf = Shelf { depot: depot.as_ref(), backup: key, moved, still: scene.still };
        let started_at = this_second();
        let compared = archive.put(service, &shelf, &index.taken).await?;
        Ok(Done {
            started_at,
            finished_at: this_second(),
            of: index.started_at,
            bytes: moved.load(Ordering::Relaxed),
            compared,
        })
    }
}
