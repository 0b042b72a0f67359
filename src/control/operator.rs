//! The operator's heart: shared state, durable writes of records, status and events.
//!
//! Passes, sources and surfaces all go through here. It decides nothing about an engine.

use super::access::{Access, handed_on};
use super::changes::Hub;
use super::gates::Gates;
use super::git::Git;
use super::history::Rounds;
use super::ids::Ids;
use super::journal;
use super::metrics::Tallies;
use super::objects::{self, Record, STATUS};
use super::probes::first_pause;
use super::pulls::Pulls;
use super::registry::Kinds;
use super::settling::Settling;
use super::state::{Away, Live, State};
use super::top::Samples;
use super::versions::Versions;
use super::watch_dir::Arrivals;
use crate::core::event::Note;
use crate::core::identity::Identity;
use crate::core::member::{Member, Role};
use crate::core::names::{Installation, ObjectRef};
use crate::core::queue::{Lane, Queue};
use crate::core::seen::EngineInfo;
use crate::docker::{Docker, DockerError};
use crate::secrets::Sealer;
use crate::store::{Store, StoreError};
use crate::workload::tools::sources::Places;
use crate::workload::tools::{Reach, Tools};
use jiff::Timestamp;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

/// Passes that run at once.
pub const PARALLEL: usize = 8;

/// How often things are looked at without being told to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// What notify and events lose is caught after this long.
    pub sweep: Duration,
    /// Between two proofs that a server still answers.
    pub probe: Duration,
    /// Each object is looked at as a whole after this long: caps and restart policy do not show in the
    /// sweep's list, and the event that told of them may be lost.
    pub look: Duration,
    /// A manifest that is written in place counts once it was left alone for so long.
    pub rest: Duration,
    /// A container goes once its manifest was seen to be gone for so long.
    pub removal: Duration,
    /// Data whose deletion was agreed to in the manifest go once it was gone for so long.
    pub deletion: Duration,
    /// Between two samples of what objects use; `None`: nothing is kept over time.
    pub history: Option<Duration>,
}

impl Default for Times {
    fn default() -> Self {
        Self {
            sweep: Duration::from_secs(30),
            probe: Duration::from_secs(15),
            look: Duration::from_secs(600),
            rest: Duration::from_secs(1),
            removal: Duration::from_secs(30),
            deletion: Duration::from_secs(600),
            history: None,
        }
    }
}

/// What an operator works for.
#[derive(Clone, Debug)]
pub struct Config {
    pub installation: Installation,
    pub data: PathBuf,
    pub manifests: PathBuf,
    /// Below these env files may be written; none: below the manifests.
    pub env_file_roots: Vec<PathBuf>,
    pub reach: Reach,
    pub times: Times,
}

pub struct Operator {
    pub config: Config,
    pub tools: Arc<Tools>,
    pub kinds: Kinds,
    /// False when the store was opened only to look.
    pub running: bool,
    pub started_at: String,
    start: Instant,
    state: Mutex<State>,
    pub(super) queue: Mutex<Queue<ObjectRef>>,
    pub(super) wake: Notify,
    pub(super) pulls: Pulls,
    pub(super) tallies: Tallies,
    pub(super) gates: Gates,
    pub(super) access: Access,
    pub(super) ids: Ids,
    pub(super) samples: Samples,
    pub(super) rounds: Rounds,
    /// One look at the manifests at a time: what a later one saw is never overwritten by an earlier one's.
    pub(super) looking: tokio::sync::Mutex<Settling>,
    /// Files that were seen to arrive as a whole.
    pub(super) arrivals: Arc<Arrivals>,
    /// Containers that are not ours started or ended.
    pub(super) strangers: Notify,
    pub(super) git: Git,
    /// Ask for a new look at the manifests.
    pub(super) rescan: Notify,
    revision: watch::Sender<u64>,
    pub(super) hub: Hub,
    me: Weak<Self>,
}

/// RFC 3339, UTC, whole seconds.
#[must_use]
pub fn now() -> String {
    this_second().to_string()
}

/// What [`now`] says.
#[must_use]
pub fn this_second() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}

impl Operator {
    /// Reads everything the store holds.
    ///
    /// # Errors
    /// When a record cannot be read: nothing is guessed.
    pub fn open(
        config: Config,
        docker: Arc<dyn Docker>,
        kinds: impl FnOnce(&Arc<Tools>) -> Kinds,
        store: Arc<dyn Store>,
        sealer: Arc<Sealer>,
        running: bool,
    ) -> Result<Arc<Self>, StoreError> {
        let mut state = State::default();
        let mut unread = None;
        store.each(
            objects::PREFIX,
            &mut |key, found| match serde_json::from_value::<Record>(found.body) {
                Ok(record) => state.put(Arc::new(record)),
                Err(e) => unread = Some(StoreError::Read { key, detail: e.to_string() }),
            },
        )?;
        if let Some(error) = unread {
            return Err(error);
        }
        store.each(STATUS, &mut |key, found| {
            if let Some(object) = key.strip_prefix(STATUS).and_then(|name| name.parse().ok())
                && state.records.contains_key(&object)
                && let Ok(status) = serde_json::from_value(found.body)
            {
                state.statuses.insert(object, Arc::new(status));
            }
        })?;
        store.each(journal::PREFIX, &mut |_, found| state.journal.load(found.body))?;
        let access = Access::load(store.as_ref())?;
        let ids = Ids::load(store.as_ref(), state.records.values())?;
        let tools = Tools::new(docker, store, sealer, config.installation.clone(), config.reach);
        let places = Places {
            data: config.data.clone(),
            manifests: config.manifests.clone(),
            env_file_roots: config.env_file_roots.clone(),
        };
        state.manifests = std::path::absolute(&places.manifests).unwrap_or_else(|_| places.manifests.clone());
        let tools = Arc::new(tools.at(places));
        let kinds = kinds(&tools);
        state.schemas = kinds.spec_schemas();
        for record in state.records.values() {
            for (role, port) in record.memory.ports() {
                tools.ports.reserve(port, &Member { object: record.object.clone(), role });
            }
            tools.ports.set_retained(&record.object, !record.is_present());
        }
        // Above all revisions of the process before: what was changed then is never taken for what is now.
        let first = u64::try_from(Timestamp::now().as_microsecond()).unwrap_or(1);
        state.versions = Versions::from(first);
        let kinds_that_run = kinds.about().filter(|about| running && about.runs);
        state.looked_at = kinds_that_run.map(|about| about.kind).collect();
        Ok(Arc::new_cyclic(|me| Self {
            config,
            tools,
            kinds,
            running,
            started_at: now(),
            start: Instant::now(),
            state: Mutex::new(state),
            queue: Mutex::new(Queue::new(PARALLEL)),
            wake: Notify::new(),
            pulls: Pulls::default(),
            tallies: Tallies::default(),
            gates: Gates::default(),
            access,
            ids,
            samples: Samples::default(),
            rounds: Rounds::default(),
            looking: tokio::sync::Mutex::default(),
            arrivals: Arc::default(),
            strangers: Notify::new(),
            git: Git::default(),
            rescan: Notify::new(),
            revision: watch::channel(first).0,
            hub: Hub::default(),
            me: Weak::clone(me),
        }))
    }

    /// Work that goes on when whoever waits for it goes away: what is in the store is then also known in memory,
    /// told, and acted on. `None` when it ended abnormally.
    pub(super) async fn to_the_end<T, F>(&self, work: impl FnOnce(Arc<Self>) -> F + Send) -> Option<T>
    where
        F: Future<Output = T> + Send + 'static,
        T: Send + 'static,
    {
        let task = tokio::spawn(handed_on(work(self.me.upgrade()?)));
        task.await.inspect_err(|error| tracing::error!(%error, "an operation ended abnormally")).ok()
    }

    pub(super) fn me(&self) -> Option<Arc<Self>> {
        self.me.upgrade()
    }

    /// The same for what goes on beside it, and is not to keep it.
    pub(super) fn me_weak(&self) -> Weak<Self> {
        Weak::clone(&self.me)
    }

    /// Never held over an await.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Milliseconds since the start.
    #[must_use]
    pub fn clock(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// When a server that was just proven is to be proven again.
    pub(super) fn next_probe(&self) -> u64 {
        let pause = u64::try_from(self.config.times.probe.as_millis()).unwrap_or(u64::MAX);
        self.clock().saturating_add(pause)
    }

    /// The same of one that a pass has proven.
    pub(super) fn first_probe(&self, object: &ObjectRef) -> u64 {
        self.clock().saturating_add(first_pause(&object.to_string(), self.config.times.probe))
    }

    /// When an object that was just looked at is to be looked at again for no other reason.
    pub(super) fn next_look(&self) -> u64 {
        let pause = u64::try_from(self.config.times.look.as_millis()).unwrap_or(u64::MAX);
        self.clock().saturating_add(pause)
    }

    pub fn enqueue(&self, object: &ObjectRef, in_ms: u64) {
        let at = self.clock() + in_ms;
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).add(object.clone(), at);
        self.wake.notify_one();
    }

    /// Something was seen that may be our own doing: an object whose last pass failed keeps its pause, and the
    /// sweep looks at it meanwhile.
    pub(super) fn nudge(&self, object: &ObjectRef) {
        self.nudge_in(object, 0);
    }

    /// The same, to be looked at in so many milliseconds: more is to come.
    pub(super) fn nudge_in(&self, object: &ObjectRef, in_ms: u64) {
        let at = self.clock().saturating_add(in_ms);
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).nudge(object.clone(), at);
        self.wake.notify_one();
    }

    /// A user waits for this one: whatever went wrong with it before is another matter.
    pub(super) fn hurry(&self, object: &ObjectRef) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).set_lane(object, Lane::Front);
        self.enqueue(object, 0);
    }

    /// The pass of this object gives its place to another one. False: too many did so already.
    pub(super) fn set_aside(&self, object: &ObjectRef) -> bool {
        let aside = self.queue.lock().unwrap_or_else(PoisonError::into_inner).set_aside(object);
        self.wake.notify_one();
        aside
    }

    pub fn enqueue_all(&self) {
        let objects: Vec<ObjectRef> = self.services();
        for object in objects {
            self.enqueue(&object, 0);
        }
    }

    /// Objects for which something runs.
    pub(super) fn services(&self) -> Vec<ObjectRef> {
        self.state().records.keys().filter(|o| self.kinds.runs(o.kind)).cloned().collect()
    }

    /// Tells watchers that something can be seen anew.
    pub(super) fn changed(&self) {
        let mut state = self.state();
        self.revision.send_modify(|r| *r = state.versions.stamp(*r));
    }

    /// The revision that tells of everything that is in this state, and of nothing else.
    pub(super) fn stamped(&self, state: &mut State) -> u64 {
        if state.versions.are_touched() {
            self.revision.send_modify(|r| *r = state.versions.stamp(*r));
        }
        *self.revision.borrow()
    }

    #[must_use]
    pub fn revision(&self) -> watch::Receiver<u64> {
        self.revision.subscribe()
    }

    #[must_use]
    pub fn identity(&self, record: &Record) -> Identity {
        Identity {
            installation: self.config.installation.clone(),
            store: self.tools.store.id(),
            object: record.object.clone(),
            role: Role::default(),
            uid: record.uid.clone(),
            generation: record.generation,
            home: record.memory.work().home.clone(),
        }
    }

    /// The engine's facts, asked once and again after each time it was away.
    ///
    /// # Errors
    /// When it does not answer.
    pub(super) async fn engine(&self) -> Result<EngineInfo, DockerError> {
        if let Some(info) = self.state().engine.info.clone() {
            return Ok(info);
        }
        let info = self.tools.docker.info().await?;
        self.engine_is_back(info.clone()).await;
        // What the host has decides what a manifest may ask for.
        self.rescan.notify_one();
        Ok(info)
    }

    pub(super) async fn engine_is_back(&self, info: EngineInfo) {
        let was = {
            let mut state = self.state();
            state.engine.info = Some(info.clone());
            state.engine.down.take()
        };
        self.tools.remember_network(None);
        if let Some(was) = was {
            let words = format!(
                "the Docker engine answers again (version {}); it was away since {}",
                info.version, was.since
            );
            self.note(None, &[Note::normal("EngineAvailable", words)]).await;
        }
    }

    /// A call failed: whether that is the engine's fault or that of what was asked about is told by another one.
    pub(super) async fn engine_fails(&self, error: &DockerError) -> bool {
        let error = match error {
            DockerError::Unavailable { .. } => error.clone(),
            DockerError::Timeout { .. } => match self.tools.docker.info().await {
                Err(error) if error.is_unavailable() => error,
                _ => return false,
            },
            _ => return false,
        };
        self.engine_is_away(&error).await;
        true
    }

    /// A request of the operator itself failed, or did not: one that a proxy refuses is said for as long as it does.
    pub(super) async fn proxy_refuses(&self, request: &'static str, error: Option<&DockerError>) {
        let words = error.filter(|e| matches!(e, DockerError::Forbidden { .. })).map(ToString::to_string);
        let was = {
            let mut state = self.state();
            match &words {
                Some(words) => state.engine.refused.insert(request.to_owned(), words.clone()),
                None => state.engine.refused.remove(request),
            }
        };
        if let Some(words) = words.filter(|words| was.as_ref() != Some(words)) {
            self.note(None, &[Note::warning("ProxyRefuses", words)]).await;
        }
    }

    /// Marks the engine as away, once for each reason, and lets every object say so.
    pub(super) async fn engine_is_away(&self, error: &DockerError) {
        let reason = match error {
            DockerError::Forbidden { .. } => error.reason(),
            _ => "EngineUnavailable",
        };
        let first = {
            let mut state = self.state();
            state.engine.info = None;
            let was = state.engine.down.take();
            let first = was.as_ref().is_none_or(|was| was.reason != reason);
            let since = was.as_ref().map_or_else(now, |was| was.since.clone());
            let words = was.filter(|_| !first).map_or_else(|| error.to_string(), |was| was.words);
            state.engine.down = Some(Away { since, reason, words });
            first
        };
        if first {
            self.note(None, &[Note::warning(reason, error.to_string())]).await;
            self.enqueue_all();
        }
    }

    /// Which containers are the object's, for events that name the container only.
    pub(super) fn remember_containers(&self, object: &ObjectRef, ids: &[String]) {
        let mut state = self.state();
        let members = state.live.get(object).map(|l| l.members.as_slice()).unwrap_or_default();
        let old = members.iter().filter_map(|member| Some(member.container.as_ref()?.id.clone()));
        for old in old.filter(|old| !ids.contains(old)).collect::<Vec<_>>() {
            state.by_container.remove(&old);
        }
        state.by_container.extend(ids.iter().map(|id| (id.clone(), object.clone())));
    }

    pub(super) fn live<T>(&self, object: &ObjectRef, change: impl FnOnce(&mut Live) -> T) -> T {
        let mut state = self.state();
        let unseen = !state.live.get(object).is_some_and(|live| live.seen);
        let before = if unseen { state.marks(object) } else { None };
        let live = state.live.entry(object.clone()).or_default();
        let answer = change(live);
        // What was found before the start is known to be so still: nothing else may follow that tells it.
        if unseen && live.seen && before.is_some() {
            state.versions.touch(object, before);
            self.stamped(&mut state);
        }
        answer
    }
}

#[cfg(test)]
#[path = "operator_tests.rs"]
mod tests;
