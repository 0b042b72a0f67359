//! Tells who watches what changed, as it changes.
//!
//! As long as anybody watches, one task asks [`Versions`](super::versions::Versions) after each change what is new, writes each
//! object down once, and hands the same bytes to all. Who does not keep up is told so and begins anew.

use super::answers::Known;
use super::api::{ApiError, Change, Changes, ErrorCode, Result, Told};
use super::operator::Operator;
use super::state::State;
use super::versions::Changed;
use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::{broadcast, watch};
use tokio::time::{MissedTickBehavior, interval, sleep};

/// News that wait for the slowest watcher. Held as long as one has not read them.
const QUEUE: usize = 1_024;
/// News in one go; watchers get a moment to read them.
const AT_ONCE: usize = QUEUE / 4;
/// After each go: what comes meanwhile goes into the next one.
const PAUSE: Duration = Duration::from_millis(10);
/// How often it is told up to where everything was told.
const TICK: Duration = Duration::from_secs(5);

/// Where news go; `None` while nobody watches.
#[derive(Default)]
pub struct Hub(Mutex<Option<broadcast::Sender<Told>>>);

/// A change, taken out of the state by its pointers.
struct Found {
    changed: Changed,
    known: Known,
    now: Option<super::api::Marks>,
}

impl Found {
    fn of(state: &State, changed: Changed) -> Option<Self> {
        let (known, now) = match &changed.last {
            Some(last) => (Known::last(last, changed.revision), None),
            None => {
                let record = state.records.get(&changed.object)?;
                (Known::of(state, record), state.marks(&changed.object))
            }
        };
        Some(Self { changed, known, now })
    }
}

fn too_old() -> ApiError {
    let what = "what changed since then is not known any more: too much has, or the operator was restarted";
    ApiError::new(ErrorCode::Expired, what, "list again, and watch from the resourceVersion of that list")
}

fn too_slow() -> ApiError {
    let what = "more has changed than was read in time";
    ApiError::new(ErrorCode::Expired, what, "list again, and watch from the resourceVersion of that list")
}

impl Operator {
    /// What changed after this revision, or everything there is, then what changes.
    pub(super) fn changes_after(&self, after: Option<u64>) -> Result<Changes> {
        self.must_run("watching")?;
        // Before the look: what changes after it is heard.
        let news = self.listen();
        let (missed, up_to) = {
            let mut state = self.state();
            let up_to = self.stamped(&mut state);
            (self.missed(&state, after).ok_or_else(too_old)?, up_to)
        };
        let me = self.me_weak();
        let missed = stream::iter(missed).map(move |found| match me.upgrade() {
            Some(me) => Ok(Told::Change(Arc::new(me.written(found)))),
            None => Err(too_old()),
        });
        let news = stream::unfold(Some(news), |news| async move {
            let mut news = news?;
            Some(match news.recv().await {
                Ok(told) => (Ok(told), Some(news)),
                Err(_) => (Err(too_slow()), None),
            })
        });
        Ok(missed.chain(stream::iter([Ok(Told::UpTo(up_to))])).chain(news).boxed())
    }

    /// `None`: that is too old.
    fn missed(&self, state: &State, after: Option<u64>) -> Option<Vec<Found>> {
        let changed = match after {
            Some(revision) => state.versions.since(revision)?,
            None => {
                let new = |object| {
                    let revision = state.versions.of(object);
                    Changed { object: object.clone(), revision, steps: Vec::new(), last: None }
                };
                state.records.keys().map(new).collect()
            }
        };
        Some(changed.into_iter().filter_map(|changed| Found::of(state, changed)).collect())
    }

    fn written(&self, Found { changed, known, now }: Found) -> Change {
        let json = serde_json::to_vec(&self.view(&known)).unwrap_or_else(|_| b"null".to_vec());
        let Changed { object, revision, steps, .. } = changed;
        Change { object, revision, steps, now, json: Bytes::from(json) }
    }

    fn listen(&self) -> broadcast::Receiver<Told> {
        let mut hub = self.hub.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = hub.as_ref() {
            return sender.subscribe();
        }
        let (sender, news) = broadcast::channel(QUEUE);
        *hub = Some(sender.clone());
        let revision = self.revision();
        let told = *revision.borrow();
        tokio::spawn(tell(self.me_weak(), sender, revision, told));
        news
    }

    /// Whether somebody still watches; if not, the next one begins anew.
    fn is_watched(&self, sender: &broadcast::Sender<Told>) -> bool {
        let mut hub = self.hub.0.lock().unwrap_or_else(PoisonError::into_inner);
        let watched = sender.receiver_count() > 0;
        if !watched {
            *hub = None;
        }
        watched
    }

    /// Those who listen hear that it ended.
    fn hang_up(&self) {
        *self.hub.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Until nobody listens any more.
async fn tell(
    operator: Weak<Operator>,
    sender: broadcast::Sender<Told>,
    mut revision: watch::Receiver<u64>,
    mut told: u64,
) {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let tick = tokio::select! {
            changed = revision.changed() => match changed {
                Ok(()) => false,
                Err(_) => return,
            },
            _ = ticks.tick() => true,
        };
        let Some(me) = operator.upgrade() else { return };
        if !me.is_watched(&sender) {
            return;
        }
        let (found, up_to) = {
            let mut state = me.state();
            let up_to = me.stamped(&mut state);
            (me.missed(&state, Some(told)), up_to)
        };
        let Some(found) = found else { return me.hang_up() };
        for (n, found) in found.into_iter().enumerate() {
            if n > 0 && n % AT_ONCE == 0 {
                sleep(PAUSE).await;
            }
            // Nobody is there: seen at the next turn.
            let _ = sender.send(Told::Change(Arc::new(me.written(found))));
        }
        told = up_to;
        if tick {
            let _ = sender.send(Told::UpTo(told));
        }
        drop(me);
        sleep(PAUSE).await;
    }
}
