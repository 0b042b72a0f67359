//! What PostgreSQL's adapters work with beside what all kinds share: logins, trials, and what is worth keeping of them
//! between passes. All of it can be lost.

use super::client::{Monitor, Servers, Session};
use super::monitoring;
use super::trial::Verdict;
use super::wal::{Health, Snapshot, Trend};
use super::world::{NewLogin, Placement, Server, ServerFacts, Statements};
use crate::core::names::ObjectRef;
use crate::workload;
use crate::workload::tools::silences::Silences;
use jiff::Timestamp;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// Trial starts that run at once.
const TRIALS_AT_ONCE: usize = 2;
/// Ends of trials that are remembered; one that was forgotten costs a second.
const TRIALS: usize = 1_000;
/// How long a login proves that there can be others.
const PROOF: Duration = Duration::from_secs(45);

pub struct Tools {
    pub work: Arc<workload::Tools>,
    pub servers: Arc<dyn Servers>,
    sessions: Mutex<BTreeMap<ObjectRef, Arc<dyn Session>>>,
    /// Each takes a core for a second.
    pub(super) trials_at_once: Semaphore,
    /// By key, how trial starts ended.
    trials: Mutex<BTreeMap<String, Verdict>>,
    /// Where data lay when it was last looked at, and at which start of which container.
    placements: Mutex<BTreeMap<ObjectRef, (String, Placement)>>,
    /// What the server said in the last pass.
    answers: Mutex<BTreeMap<ObjectRef, Server>>,
    pub(super) silences: Silences<Server>,
    /// How applications last got in.
    proofs: Mutex<BTreeMap<ObjectRef, Proof>>,
    /// What is known of each server's WAL.
    healths: Mutex<BTreeMap<ObjectRef, Watch>>,
    /// Seconds are counted from here: the clock of the host may jump.
    began: Instant,
}

/// How one server's WAL is watched.
#[derive(Clone, Default)]
pub(super) struct Watch {
    /// Which start of which container was last looked at.
    pub epoch: String,
    /// When, in seconds of [`Tools::seconds`].
    pub at: i64,
    pub trend: Trend,
    pub last: Option<Arc<Snapshot>>,
    /// The same of what goes on inside.
    pub inside: Option<Arc<monitoring::Snapshot>>,
    /// Why the last look failed as a whole.
    pub failed: Option<String>,
    /// The server refused the password.
    pub refused: bool,
    /// What the last pass said of it.
    pub said: Health,
    pub session: Option<Arc<dyn Monitor>>,
}

/// A new login that worked.
struct Proof {
    /// Of which start of which container.
    epoch: String,
    at: Instant,
    told: NewLogin,
}

impl Tools {
    #[must_use]
    pub fn new(work: Arc<workload::Tools>, servers: Arc<dyn Servers>) -> Self {
        Self {
            work,
            servers,
            sessions: Mutex::default(),
            trials_at_once: Semaphore::new(TRIALS_AT_ONCE),
            trials: Mutex::default(),
            placements: Mutex::default(),
            answers: Mutex::default(),
            silences: Silences::default(),
            proofs: Mutex::default(),
            healths: Mutex::default(),
            began: Instant::now(),
        }
    }

    /// The kept session, which others use at the same time: a pass, a probe and a look at plans ask one statement
    /// each, and none may find it missing because another one has it.
    pub(super) fn session(&self, object: &ObjectRef) -> Option<Arc<dyn Session>> {
        lock(&self.sessions).get(object).cloned()
    }

    pub(super) fn keep_session(&self, object: &ObjectRef, session: Arc<dyn Session>) {
        lock(&self.sessions).insert(object.clone(), session);
    }

    /// This one is of no use; another that took its place meanwhile stays.
    pub(super) fn give_up_session(&self, object: &ObjectRef, session: &Arc<dyn Session>) {
        let mut sessions = lock(&self.sessions);
        if sessions.get(object).is_some_and(|kept| Arc::ptr_eq(kept, session)) {
            sessions.remove(object);
        }
    }

    /// Ends the kept session: before a stop, so that it does not look like a user's.
    pub fn drop_session(&self, object: &ObjectRef) {
        lock(&self.sessions).remove(object);
        self.watch(object, |watch| watch.session = None);
        self.forget_proof(object);
    }

    /// Seconds of a clock that only goes forward.
    pub(super) fn seconds(&self) -> i64 {
        i64::try_from(self.began.elapsed().as_secs()).unwrap_or(i64::MAX)
    }

    /// How its WAL is watched, where it was looked at.
    pub(super) fn watched(&self, object: &ObjectRef) -> Option<Watch> {
        lock(&self.healths).get(object).cloned()
    }

    /// Changes that, where it was looked at.
    pub(super) fn watch(&self, object: &ObjectRef, change: impl FnOnce(&mut Watch)) {
        if let Some(watch) = lock(&self.healths).get_mut(object) {
            change(watch);
        }
    }

    /// The last look that worked, as it is shown.
    pub(super) fn sampled(&self, object: &ObjectRef) -> Map<String, Value> {
        let Some(watch) = self.watched(object) else { return Map::new() };
        let (now, failing) = (Timestamp::now(), watch.failed.as_deref());
        let health = watch.last.map(|last| ("walHealth".to_owned(), last.shown(now, failing)));
        let inside = watch.inside.map(|inside| ("monitoring".to_owned(), inside.shown(now, failing)));
        health.into_iter().chain(inside).collect()
    }

    pub(super) fn remember_watch(&self, object: &ObjectRef, watch: Watch) {
        lock(&self.healths).insert(object.clone(), watch);
    }

    /// Nothing of a deleted object stays in memory.
    pub fn forget(&self, object: &ObjectRef) {
        self.drop_session(object);
        lock(&self.placements).remove(object);
        lock(&self.answers).remove(object);
        lock(&self.healths).remove(object);
        self.silences.forget(object);
    }

    /// Whether the server said the same in the last pass.
    pub(super) fn answered(&self, object: &ObjectRef, answer: &Server) -> bool {
        lock(&self.answers).get(object) == Some(answer)
    }

    /// What it said then of its statements.
    pub(super) fn statements(&self, object: &ObjectRef) -> Statements {
        match lock(&self.answers).get(object) {
            Some(Server::Up(facts)) => facts.statements,
            _ => Statements::Unknown,
        }
    }

    /// Whether it said then that the managed database is there.
    pub(super) fn has_database(&self, object: &ObjectRef) -> bool {
        matches!(lock(&self.answers).get(object), Some(Server::Up(facts)) if facts.database_exists)
    }

    /// What it told then of itself, if it let us in.
    pub(super) fn facts(&self, object: &ObjectRef) -> Option<ServerFacts> {
        match lock(&self.answers).get(object) {
            Some(Server::Up(facts)) => Some(ServerFacts::clone(facts)),
            _ => None,
        }
    }

    pub(super) fn remember_answer(&self, object: &ObjectRef, answer: Server) {
        lock(&self.answers).insert(object.clone(), answer);
    }

    /// How this trial ended, if it was held.
    #[must_use]
    pub fn trial(&self, key: &str) -> Option<Verdict> {
        lock(&self.trials).get(key).cloned()
    }

    pub fn remember_trial(&self, key: &str, verdict: Verdict) {
        let mut trials = lock(&self.trials);
        if trials.len() >= TRIALS {
            trials.clear();
        }
        trials.insert(key.to_owned(), verdict);
    }

    pub fn known_placement(&self, object: &ObjectRef, epoch: &str) -> Option<Placement> {
        lock(&self.placements).get(object).filter(|(at, _)| at == epoch).map(|(_, seen)| seen.clone())
    }

    pub fn remember_placement(&self, object: &ObjectRef, epoch: String, seen: Placement) {
        lock(&self.placements).insert(object.clone(), (epoch, seen));
    }

    /// What a new login that worked a moment ago told. With a probe every 15 s none is older than a minute.
    pub fn proof(&self, object: &ObjectRef, epoch: &str) -> Option<NewLogin> {
        let proofs = lock(&self.proofs);
        let proof = proofs.get(object).filter(|p| p.epoch == epoch && p.at.elapsed() < PROOF)?;
        Some(proof.told.clone())
    }

    pub fn remember_proof(&self, object: &ObjectRef, epoch: String, told: NewLogin) {
        lock(&self.proofs).insert(object.clone(), Proof { epoch, at: Instant::now(), told });
    }

    /// Something changed: who got in before says nothing about who gets in now.
    pub fn forget_proof(&self, object: &ObjectRef) {
        lock(&self.proofs).remove(object);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
