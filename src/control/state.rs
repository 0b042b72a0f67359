//! What the operator knows right now: one structure behind one lock that is never held over a wait.

use super::any::Spec;
use super::api::Marks;
use super::guard::Guard;
use super::jobs::Job;
use super::journal::Journal;
use super::objects::Record;
use super::removals::Absence;
use super::rollout::Claimed;
use super::versions::{Last, Versions};
use crate::core::condition::{Condition, ConditionType, Truth};
use crate::core::member::Role;
use crate::core::names::{Kind, ObjectRef};
use crate::core::neighbours::{Graph, Offer};
use crate::core::plan::PlanView;
use crate::core::problem::Problem;
use crate::core::seen::{ContainerState, EngineInfo, Glance};
use crate::core::status::Status;
use crate::core::will::Asked;
use crate::workload::catalog::Catalog;
use crate::workload::world::Company;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

/// The engine as last heard of.
#[derive(Clone, Debug, Default)]
pub struct EngineState {
    pub info: Option<EngineInfo>,
    /// While it cannot be asked.
    pub down: Option<Away>,
    /// Requests of which nobody tells the outcome, that a proxy refuses: request → words.
    pub refused: BTreeMap<String, String>,
    /// Its events are being followed.
    pub followed: bool,
}

/// Why the engine cannot be asked.
#[derive(Clone, Debug)]
pub struct Away {
    /// RFC 3339
    pub since: String,
    /// The condition's and the event's word for it.
    pub reason: &'static str,
    pub words: String,
}

impl Away {
    /// For a line that concerns all objects.
    #[must_use]
    pub fn headline(&self) -> String {
        let Self { since, words, .. } = self;
        let silent = "the Docker engine does not answer";
        match (words.strip_prefix(silent), self.reason) {
            // It says so itself.
            (Some(rest), _) => format!("{silent} since {since}{rest}"),
            (None, "EngineUnavailable") => format!("{silent} since {since}: {words}"),
            (None, _) => format!("the Docker engine cannot be asked since {since}: {words}"),
        }
    }
}

/// What is known of an object between passes; all of it can be lost.
#[derive(Clone, Debug, Default)]
pub struct Live {
    /// Passes in a row that failed or got nowhere.
    pub failures: u32,
    /// Passes in a row that ended waiting for something that comes by itself.
    pub waits: u32,
    /// Its containers as the last pass left them.
    pub members: Vec<Watched>,
    /// Nothing was left to do after the last pass.
    pub settled: bool,
    /// Milliseconds of the operator's clock: when to probe again.
    pub probe_at: u64,
    /// The same clock: the first sweep after this looks at it, even when nothing seems to differ.
    pub look_at: u64,
    /// The manifest is gone, and the container goes with it unless it comes back.
    pub absence: Option<Absence>,
    /// Milliseconds of the operator's clock: up to here the grace of a deletion is counted.
    pub counted_at: Option<u64>,
    /// The last pass's plan, in words.
    pub plan: Option<PlanView>,
    /// How far that is.
    pub job: Job,
    /// What of the wishes in the record the passes of this process have begun with.
    pub begun: Option<Box<Asked>>,
    /// What was wrong with its manifest when a pass last looked.
    pub kept_seen: Option<String>,
    /// The same of what its status tells.
    pub kept_told: Option<String>,
    /// At least one pass has ended since the start.
    pub seen: bool,
}

/// One container of an object, between passes.
#[derive(Clone, Debug)]
pub struct Watched {
    pub role: Role,
    /// `None`: there was none, or what was seen of it may have changed since.
    pub container: Option<Glance>,
    /// Who else had its volume or its labels, and whether the volume was there.
    pub company: Company,
}

impl Live {
    /// The containers that ran.
    pub fn running(&self) -> impl Iterator<Item = (&Role, &Glance)> {
        let seen = self.members.iter().filter_map(|member| Some((&member.role, member.container.as_ref()?)));
        seen.filter(|(_, container)| container.state == ContainerState::Running)
    }
}

/// Values stand behind pointers: they are large, a map of small entries wastes little, and whoever works
/// with one takes the pointer and leaves the lock.
#[derive(Debug, Default)]
pub struct State {
    pub records: BTreeMap<ObjectRef, Arc<Record>>,
    /// Specs in force; an object without one cannot be used with the present catalog.
    pub checked: BTreeMap<ObjectRef, Spec>,
    pub statuses: BTreeMap<ObjectRef, Arc<Status>>,
    pub versions: Versions,
    /// Of these kinds nothing is known before this process has looked.
    pub looked_at: BTreeSet<Kind>,
    /// Their directory, absolute: paths in them begin there.
    pub manifests: PathBuf,
    /// Who refers to whom; whole once the manifests were read the first time.
    pub graph: Graph,
    /// What objects let their neighbours see, as of their last pass.
    pub offers: BTreeMap<ObjectRef, Offer>,
    pub live: BTreeMap<ObjectRef, Box<Live>>,
    /// Container id → object, for events that carry no labels.
    pub by_container: BTreeMap<String, ObjectRef>,
    pub catalogs: BTreeMap<Kind, Catalog>,
    pub problems: Vec<Problem>,
    /// Of files that look like manifests and are not read.
    pub passed_over: Option<String>,
    /// Objects on their last good version, with what is wrong with the newest.
    pub kept: BTreeMap<ObjectRef, String>,
    pub guard: Option<Guard>,
    pub prune_confirmed: Option<String>,
    /// The files that could not be read when an object was last named.
    pub unread: BTreeMap<ObjectRef, Arc<BTreeSet<String>>>,
    pub engine: EngineState,
    pub journal: Journal,
    pub schemas: BTreeMap<Kind, Value>,
    /// A first scan of the manifests has been read.
    pub scanned: bool,
    pub scan_hash: String,
    /// Objects whose status file is older than their status.
    pub unmirrored: BTreeSet<ObjectRef>,
    /// Objects that were let go to another image a moment ago.
    pub claims: Vec<Claimed>,
    /// Where its figures are served, or why they are not; neither: they are not asked for.
    pub metrics: Option<Result<SocketAddr, String>>,
    /// Why the manifests as they are now could not be taken over (the disk is full, say).
    pub not_taken_over: Option<String>,
}

/// The revision at which it last changed, and which document it is.
#[must_use]
pub fn resource_version(revision: u64, record: &Record) -> String {
    format!("{revision}.{}", record.document_version())
}

impl State {
    /// Takes over a record, and whose it is.
    pub fn put(&mut self, record: Arc<Record>) {
        self.graph.own(&record.object, record.owner.as_ref().map(|owner| &owner.object));
        let same = |old: &Arc<Record>| old.shows_as(&record) && old.asked.is_same_wish(&record.asked);
        if !self.records.get(&record.object).is_some_and(same) {
            self.touch(&record.object);
        }
        // With what it had when it was first heard of every pass begins.
        let live = self.live.entry(record.object.clone()).or_default();
        live.begun.get_or_insert_with(|| Box::new(record.asked.clone()));
        self.records.insert(record.object.clone(), record);
    }

    /// Takes over what a pass found.
    pub fn put_status(&mut self, object: &ObjectRef, status: Arc<Status>) {
        self.touch(object);
        self.statuses.insert(object.clone(), status);
        self.is_told(object);
    }

    /// Its status tells of its manifest what the pass saw that wrote it; whether that shows.
    pub fn is_told(&mut self, object: &ObjectRef) -> bool {
        let shows = self.live.get(object).is_some_and(|live| live.kept_told != live.kept_seen);
        if shows {
            self.touch(object);
            let live = self.live.entry(object.clone()).or_default();
            live.kept_told.clone_from(&live.kept_seen);
        }
        shows
    }

    /// What is wrong with its manifest, for the status of a pass.
    pub fn look_at_kept(&mut self, object: &ObjectRef) -> Option<String> {
        let kept = self.kept.get(object).cloned();
        self.live.entry(object.clone()).or_default().kept_seen.clone_from(&kept);
        kept
    }

    /// Its manifest became a broken one, or a good one again, and its status does not tell it yet.
    #[must_use]
    pub fn has_moved(&self, object: &ObjectRef) -> bool {
        let told = self.live.get(object).and_then(|live| live.kept_told.as_ref());
        self.looked_at.contains(&object.kind) && self.kept.get(object) != told
    }

    /// From now on these are the objects whose manifests have problems.
    pub fn put_kept(&mut self, kept: BTreeMap<ObjectRef, String>) {
        let all: BTreeSet<ObjectRef> = self.kept.keys().chain(kept.keys()).cloned().collect();
        for object in &all {
            if self.records.contains_key(object) && self.kept.get(object) != kept.get(object) {
                self.touch(object);
            }
        }
        self.kept = kept;
    }

    /// What tells what is shown of it now from what was shown before, and whether its document is the same.
    #[must_use]
    pub fn resource_version(&self, record: &Record) -> String {
        resource_version(self.versions.of(&record.object), record)
    }

    /// A pass begins with these wishes: whether that shows.
    pub fn begins(&mut self, object: &ObjectRef, asked: &Asked) -> bool {
        let begun = self.live.get(object).and_then(|live| live.begun.as_ref());
        if begun.is_some_and(|begun| begun.is_same_wish(asked)) {
            return false;
        }
        // Other wishes may have come meanwhile: then it stays as it was.
        let shows = self
            .records
            .get(object)
            .is_some_and(|record| self.is_requested(record) == asked.is_same_wish(&record.asked));
        if shows {
            self.touch(object);
        }
        self.live.entry(object.clone()).or_default().begun = Some(Box::new(asked.clone()));
        shows
    }

    /// To be called before what is shown of it changes.
    fn touch(&mut self, object: &ObjectRef) {
        if !self.versions.is_touched(object) {
            let before = self.marks(object);
            self.versions.touch(object, before);
        }
    }

    fn is_seen(&self, object: &ObjectRef) -> bool {
        self.live.get(object).is_some_and(|live| live.seen)
    }

    /// Whether something was asked for by name that no pass of this process has begun with.
    #[must_use]
    pub fn is_requested(&self, record: &Record) -> bool {
        let begun = self.live.get(&record.object).and_then(|live| live.begun.as_ref());
        begun.is_some_and(|begun| !begun.is_same_wish(&record.asked))
    }

    /// What selectors look at, as it is shown; `None`: there is no such object.
    #[must_use]
    pub fn marks(&self, object: &ObjectRef) -> Option<Marks> {
        let record = self.records.get(object)?;
        let unknown = self.looked_at.contains(&object.kind) && !self.is_seen(object);
        let requested = self.is_requested(record);
        let conditions = self.statuses.get(object).map(|status| status.conditions.as_slice());
        let shown = |c: &Condition| match c.kind {
            ConditionType::Ready if unknown => (c.kind, Truth::Unknown),
            ConditionType::Ready if requested && c.status == Truth::True => (c.kind, Truth::Unknown),
            kind => (kind, c.status),
        };
        let conditions = conditions.unwrap_or_default().iter().map(shown).collect();
        Some(Marks { labels: record.metadata.labels.clone(), conditions })
    }

    /// Nothing is known of the object any more.
    pub fn forget(&mut self, object: &ObjectRef) {
        let (before, seen) = (self.marks(object), self.is_seen(object));
        let status = self.statuses.remove(object);
        if let Some(record) = self.records.remove(object) {
            self.versions.forget(object, before, Last { record, status, seen });
        }
        let members = self.live.remove(object).map(|live| live.members).unwrap_or_default();
        for container in members.into_iter().filter_map(|member| member.container) {
            self.by_container.remove(&container.id);
        }
        self.checked.remove(object);
        self.unread.remove(object);
        self.offers.remove(object);
        self.graph.own(object, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_tells_of_the_manifest_that_its_pass_looked_at() {
        let object: ObjectRef = "postgres/main".parse().unwrap();
        let mut state = State { looked_at: [object.kind].into(), ..State::default() };
        let broken = |why: &str| BTreeMap::from([(object.clone(), why.to_owned())]);
        assert!(!state.is_told(&object) && !state.has_moved(&object));
        state.put_kept(broken("a"));
        assert!(!state.is_told(&object) && state.has_moved(&object), "no pass has looked since");
        assert_eq!(state.look_at_kept(&object).as_deref(), Some("a"));
        state.put_kept(BTreeMap::new());
        assert!(state.is_told(&object) && state.has_moved(&object), "it was mended while that was written");
        assert_eq!(state.look_at_kept(&object), None);
        assert!(state.is_told(&object) && !state.has_moved(&object));
    }
}
