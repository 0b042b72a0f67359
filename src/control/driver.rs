//! The loops: manifests, engine events, sweep, probes, and the queue that turns all of them into
//! passes. Each only says "look again"; losing any of them costs time, never correctness.

use super::engine_events::follow_events;
use super::history::sample_all;
use super::operator::Operator;
use super::probes::probe_all;
use super::state::Watched;
use super::watch_dir;
use crate::core::event::Note;
use crate::core::identity::Home;
use crate::core::member::Member;
use crate::core::names::{ObjectRef, label};
use crate::core::queue::Lane;
use crate::core::seen::ContainerSummary;
use crate::docker::DockerError;
use crate::store::Store as _;
use crate::workload::ownership::is_left_over;
use crate::workload::world::{Company, own_names};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::PoisonError;
use std::time::Duration;
use tokio::task::{Id, JoinSet};
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

/// Quiet time after a change in the manifest directory.
const QUIET: Duration = Duration::from_millis(50);
/// Between the start of a container that is not ours and the look whether it uses a volume of ours.
const STRANGERS: Duration = Duration::from_secs(1);
/// Milliseconds after which a pass gives its place to another one: it waits for a server or an engine.
const SLOW: u64 = 15_000;
/// For what still waits for the disk when the operator ends.
const LAST_WRITE: Duration = Duration::from_secs(2);

/// Runs until `cancel`; then lets the steps in hand end.
pub async fn drive(operator: Arc<Operator>, cancel: CancellationToken) {
    if let Err(error) = operator.number_what_has_none().await {
        tracing::error!(%error, "objects of an earlier version could not be given their numbers; the next start does");
    }
    let mut tasks = JoinSet::new();
    tasks.spawn(watch_manifests(Arc::clone(&operator), cancel.clone()));
    tasks.spawn(follow_events(Arc::clone(&operator), cancel.clone()));
    tasks.spawn(sweep(Arc::clone(&operator), cancel.clone()));
    tasks.spawn(probe_all(Arc::clone(&operator), cancel.clone()));
    tasks.spawn(sample_all(Arc::clone(&operator), cancel.clone()));
    tasks.spawn(write_what_waits(Arc::clone(&operator), cancel.clone()));
    run_queue(&operator, &cancel).await;
    while tasks.join_next().await.is_some() {}
    if tokio::time::timeout(LAST_WRITE, operator.write_what_waits()).await.is_ok_and(|written| written) {
        return;
    }
    if let Some(why) = operator.not_saved() {
        tracing::error!(why, "the operator ends with changes that are not saved");
    }
}

/// What the disk refused is tried again until it takes it, and both the beginning and the end are told.
async fn write_what_waits(operator: Arc<Operator>, cancel: CancellationToken) {
    let mut ticks = interval(Duration::from_secs(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut told = false;
    loop {
        tokio::select! {
            () = cancel.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let before = operator.not_saved();
        if let Some(why) = before.as_ref().filter(|_| !told) {
            told = true;
            operator.note(None, &[Note::warning("StoreUnwritable", why.clone())]).await;
        }
        // A disk that does not answer must not hold up the end.
        let written = tokio::select! {
            () = cancel.cancelled() => return,
            written = operator.write_what_waits() => written,
        };
        if written && told {
            told = false;
            let words = "everything that waited for the disk is written";
            operator.note(None, &[Note::normal("StoreWritable", words)]).await;
            // What had to be durable and failed for it goes on.
            operator.rescan.notify_one();
            operator.enqueue_all();
        }
    }
}

async fn run_queue(operator: &Arc<Operator>, cancel: &CancellationToken) {
    let mut passes: JoinSet<Option<u64>> = JoinSet::new();
    let mut keys: BTreeMap<Id, ObjectRef> = BTreeMap::new();
    let mut ordered: Vec<(Id, ObjectRef)> = Vec::new();
    // When each pass is taken for a slow one, soonest first.
    let mut slow: VecDeque<(u64, Id)> = VecDeque::new();
    loop {
        let now = operator.clock();
        while let Some((_, id)) = slow.front().copied().filter(|(at, _)| *at <= now) {
            slow.pop_front();
            let Some(key) = keys.get(&id) else { continue };
            let mut queue = operator.queue.lock().unwrap_or_else(PoisonError::into_inner);
            if !queue.set_aside(key) {
                slow.push_back((now.saturating_add(SLOW), id));
            }
        }
        let ready = operator.state().scanned;
        while ready && !cancel.is_cancelled() {
            let Some(key) = operator.queue.lock().unwrap_or_else(PoisonError::into_inner).take(now) else {
                break;
            };
            let (operator, token, object) = (Arc::clone(operator), cancel.clone(), key.clone());
            let handle = passes.spawn(async move {
                match operator.kinds.get(object.kind) {
                    Some(kind) => kind.pass(&operator, &object, &token).await,
                    None => None,
                }
            });
            slow.push_back((now.saturating_add(SLOW), handle.id()));
            ordered.push((handle.id(), key));
        }
        keys.extend(ordered.drain(..));
        if cancel.is_cancelled() && passes.is_empty() {
            return;
        }
        let next = operator.queue.lock().unwrap_or_else(PoisonError::into_inner).next_due();
        let next = next.into_iter().chain(slow.front().map(|(at, _)| *at)).min();
        let pause =
            next.map_or(Duration::from_secs(3600), |at| Duration::from_millis(at.saturating_sub(now).max(1)));
        tokio::select! {
            // Cancel safe: a finished pass stays in the set until it is taken.
            Some(ended) = passes.join_next_with_id(), if !passes.is_empty() => {
                let (id, again) = match ended {
                    Ok((id, again)) => (id, again),
                    Err(error) => {
                        tracing::error!(%error, "a pass ended abnormally");
                        (error.id(), Some(30_000))
                    }
                };
                if let Some(key) = keys.remove(&id) {
                    let failing = operator.state().live.get(&key).is_some_and(|l| l.failures > 0);
                    let clock = operator.clock();
                    let mut queue = operator.queue.lock().unwrap_or_else(PoisonError::into_inner);
                    queue.set_lane(&key, if failing { Lane::Back } else { Lane::Front });
                    if let Some(ms) = again.filter(|_| failing) {
                        queue.rest(&key, clock.saturating_add(ms));
                    }
                    queue.done(&key);
                    drop(queue);
                    if let Some(ms) = again {
                        operator.enqueue(&key, ms);
                    }
                    operator.changed();
                }
            }
            () = operator.wake.notified() => {}
            () = sleep(pause), if ready && !cancel.is_cancelled() => {}
            () = cancel.cancelled(), if passes.is_empty() => {}
        }
    }
}

async fn watch_manifests(operator: Arc<Operator>, cancel: CancellationToken) {
    let dir = operator.config.manifests.clone();
    let poll = operator.config.times.sweep;
    let mut looks = match watch_dir::watch(dir, poll, QUIET, Arc::clone(&operator.arrivals), cancel.clone()) {
        Ok(looks) => Some(looks),
        Err(error) => {
            tracing::error!(%error, "the manifest directory cannot be watched; it is read every 30 s");
            None
        }
    };
    let mut again: Option<u64> = Some(0);
    loop {
        let pause = again.map_or(poll, Duration::from_millis);
        tokio::select! {
            () = cancel.cancelled() => return,
            Some(()) = next_look(&mut looks) => {}
            () = operator.rescan.notified() => {}
            () = sleep(pause) => {}
        }
        // A disk that does not answer must not hold up the end; what is half taken over is read again at the start.
        let taken = tokio::select! {
            () = cancel.cancelled() => return,
            taken = operator.rescan_manifests() => taken,
        };
        let trouble = taken.as_ref().err().map(ToString::to_string);
        if std::mem::replace(&mut operator.state().not_taken_over, trouble.clone()) != trouble {
            operator.changed();
        }
        again = match taken {
            Ok(again) => again,
            Err(error) => {
                tracing::error!(%error, "manifests could not be taken over");
                Some(5_000)
            }
        };
        operator.wake.notify_one();
    }
}

async fn next_look(looks: &mut Option<tokio::sync::mpsc::Receiver<()>>) -> Option<()> {
    match looks {
        Some(receiver) => receiver.recv().await,
        None => std::future::pending().await,
    }
}

/// Why everything is listed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Sweep {
    /// The engine was not followed for a while: all are looked at.
    All,
    Timer,
    /// What started or ended may also be a container that a pass only tries something in.
    Strangers,
}

async fn sweep(operator: Arc<Operator>, cancel: CancellationToken) {
    let mut ticks = interval(operator.config.times.sweep);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.tick().await;
    loop {
        let why = tokio::select! {
            () = cancel.cancelled() => return,
            _ = ticks.tick() => Sweep::Timer,
            // Many that start at once are one look.
            () = operator.strangers.notified() => tokio::select! {
                () = cancel.cancelled() => return,
                () = sleep(STRANGERS) => Sweep::Strangers,
            },
        };
        // One that is away is asked, too: nothing else may have a reason to notice that it is back.
        let was_away = operator.state().engine.info.is_none();
        match operator.engine().await {
            Ok(_) => sweep_once(&operator, if was_away { Sweep::All } else { why }).await,
            Err(error) => operator.engine_is_away(&error).await,
        }
    }
}

/// One list of containers and one of volumes for all; what differs from what the last pass left is looked
/// at. With [`Sweep::All`], everything is: after a reconnect caps may have changed, which the list does not show. The
/// same for one that has not been looked at for long.
pub(super) async fn sweep_once(operator: &Operator, why: Sweep) {
    let docker = &operator.tools.docker;
    // One after the other: there may be thousands, and what is kept of volumes is little.
    let volumes = match docker.volumes(&[]).await {
        Ok(volumes) => volumes.into_iter().collect(),
        Err(error) => {
            tracing::warn!(%error, "the sweep could not list volumes");
            not_swept(operator, &error).await;
            return;
        }
    };
    let listed = match docker.list(&[]).await {
        Ok(listed) => listed,
        Err(error) => {
            tracing::warn!(%error, "the sweep could not list containers");
            not_swept(operator, &error).await;
            return;
        }
    };
    operator.proxy_refuses(LISTS, None).await;
    let census = operator.tools.take_census(&listed, volumes).await;
    let installation = &operator.config.installation;
    let mut by_name: BTreeMap<String, ContainerSummary> = BTreeMap::new();
    for summary in listed {
        if summary.labels.get(label::INSTALLATION) != Some(installation.as_str()) {
            continue;
        }
        remove_left_over(operator, &summary).await;
        by_name.insert(summary.name.clone(), summary);
    }
    let clock = operator.clock();
    for object in operator.services() {
        let look = why == Sweep::All || {
            let state = operator.state();
            let Some(record) = state.records.get(&object) else { continue };
            let base = installation.container(&object);
            let home = record.memory.work().home.as_ref();
            let differs = |watched: &Watched| {
                let member = Member { object: object.clone(), role: watched.role.clone() };
                let own = record.memory.member(&member.role).and_then(|work| work.container.as_deref());
                let volume = Home::data_volume(home, installation, &object, &member.role);
                let names = own_names(installation, &member);
                if Company::in_census(&census, &member, &volume, &names, own) != watched.company {
                    return true;
                }
                match (by_name.get(&member.role.container(&base)), &watched.container) {
                    (Some(summary), Some(seen)) => seen.differs(summary),
                    (None, None) => false,
                    _ => true,
                }
            };
            state.live.get(&object).is_none_or(|live| {
                let absent = |watched: &Watched| watched.container.is_none();
                live.look_at <= clock
                    || (!live.settled && (live.members.is_empty() || live.members.iter().any(absent)))
                    || live.members.iter().any(differs)
            })
        };
        match (look, why) {
            (false, _) => {}
            (true, Sweep::Strangers) => operator.nudge(&object),
            (true, Sweep::All | Sweep::Timer) => operator.enqueue(&object, 0),
        }
    }
}

/// Who refuses the list leaves nothing to compare with: each object looks for itself, and says what it cannot see.
async fn not_swept(operator: &Operator, error: &DockerError) {
    if !operator.engine_fails(error).await && matches!(error, DockerError::Forbidden { .. }) {
        operator.proxy_refuses(LISTS, Some(error)).await;
        operator.enqueue_all();
    }
}

/// What a refused request of the sweep is kept under.
const LISTS: &str = "lists";

/// A container that only looked into an image, and that nobody uses any more.
async fn remove_left_over(operator: &Operator, probe: &ContainerSummary) {
    if !is_left_over(probe, &operator.tools.store.id()) || operator.tools.is_probing(&probe.name) {
        return;
    }
    if let Err(error) = operator.tools.docker.remove_throwaway(&probe.id).await {
        tracing::warn!(container = %probe.name, %error, "a left-over image probe could not be removed");
    }
}
