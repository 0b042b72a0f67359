//! Figures over time: one sample of each object with containers every 30 s, all of them in one commit. Nothing of it is kept in
//! memory but the last CPU count of each container: what a sample is added to is read from the store, so that a restart loses
//! nothing, and what the disk refuses is gone and never piles up. Must never hold up anything, nor be what somebody acts on.

mod gather;
pub mod grid;
pub mod kept;

use super::answers::not_found;
use super::api::{ApiError, ErrorCode, HistoryView, Result, SeriesView};
use super::objects::Record;
use super::operator::{Operator, this_second};
use crate::core::names::ObjectRef;
use crate::store::{Change, Store, StoreError};
use gather::Gathered;
pub(super) use gather::{CPU, MEMORY};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Seconds that are kept.
pub const LONGEST: i64 = 7 * 86_400;

/// What rounds hand on to the next one.
#[derive(Default)]
pub(super) struct Rounds {
    between: Mutex<Between>,
    /// One round at a time.
    under_way: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Between {
    /// By container, when it was and what it had used of CPUs by then, in nanoseconds.
    cpu: BTreeMap<String, (i64, u64)>,
    /// The objects of the last round by uid, each with the average in which what its probes found was last saved.
    objects: BTreeMap<String, Option<i64>>,
}

impl Rounds {
    fn between<T>(&self, change: impl FnOnce(&mut Between) -> T) -> T {
        change(&mut self.between.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Until `cancel`, where it is asked for.
pub(super) async fn sample_all(operator: Arc<Operator>, cancel: CancellationToken) {
    let Some(every) = operator.config.times.history else { return };
    loop {
        tokio::select! {
            () = cancel.cancelled() => return,
            () = tokio::time::sleep(pause(jiff::Timestamp::now().as_millisecond(), every)) => {}
        }
        tokio::select! {
            () = cancel.cancelled() => return,
            () = operator.take_samples(this_second().as_second()) => {}
        }
    }
}

/// Until the next round: in the middle between two borders of the grid, so that no sample comes to lie beyond one for a moment's delay.
fn pause(now_ms: i64, every: Duration) -> Duration {
    let every_ms = i64::try_from(every.as_millis()).unwrap_or(i64::MAX).max(1);
    let left = every_ms - (now_ms - every_ms / 2).rem_euclid(every_ms);
    // The clock was set back a little, or the last round took all its time.
    let left = if left < every_ms / 4 { left + every_ms } else { left };
    Duration::from_millis(left.unsigned_abs())
}

impl Operator {
    /// One round. `now`: seconds since 1970. What cannot be written is dropped: the next one is taken all the same.
    pub async fn take_samples(&self, now: i64) {
        let _one = self.rounds.under_way.lock().await;
        let (slot, at) = grid::place(now);
        let targets = self.targets();
        let present: BTreeSet<String> = targets.iter().map(|target| target.uid.clone()).collect();
        let gathered = self.gather(targets, at).await;
        // While something of more worth waits for the disk.
        if self.tools.store.unsaved().is_some() {
            return;
        }
        let (gone, due) = self.rounds.between(|between| {
            let gone = between.objects.keys().filter(|uid| !present.contains(*uid)).cloned();
            let due = present.iter().filter(|uid| between.objects.get(*uid).copied().flatten() != Some(slot));
            (gone.collect::<Vec<String>>(), due.cloned().collect::<BTreeSet<String>>())
        });
        let shown = gathered.iter().filter(|one| !one.sampled.is_empty() && due.contains(&one.uid));
        let saved: Vec<String> = shown.map(|one| one.uid.clone()).collect();
        let tools = Arc::clone(&self.tools);
        // It reads from the disk.
        let changes = tokio::task::spawn_blocking(move || changes(&tools.store, now, &gathered, &due, &gone));
        let Ok(changes) = changes.await else { return };
        if !changes.is_empty()
            && let Err(error) = self.tools.store.commit(changes).await
        {
            tracing::debug!(%error, "a round of samples is lost");
            return;
        }
        self.rounds.between(|between| {
            between.objects.retain(|uid, _| present.contains(uid));
            for uid in present {
                between.objects.entry(uid).or_default();
            }
            for uid in saved {
                between.objects.insert(uid, Some(slot));
            }
        });
    }

    /// What its history takes out of the store with an object.
    pub(super) fn without_history(&self, object: &ObjectRef) -> Result<Vec<Change>, StoreError> {
        let uid = self.state().records.get(object).map(|record| record.uid.clone());
        uid.map_or_else(|| Ok(Vec::new()), |uid| kept::without(&self.tools.store, &uid))
    }

    /// What an earlier process found last of an object at which none of this one has looked.
    pub(super) fn found_before(&self, record: &Record) -> Map<String, Value> {
        let samples = self.kinds.get(record.object.kind).is_some_and(|kind| !kind.about().history.is_empty());
        if !samples {
            return Map::new();
        }
        kept::last_of(&self.tools.store, &record.uid, this_second().as_second())
    }

    /// Of one object; `metric`: only this series. `since`: seconds back.
    pub(super) async fn history_of(
        &self,
        object: &ObjectRef,
        metric: Option<&str>,
        since: u64,
    ) -> Result<HistoryView> {
        let record = self.state().records.get(object).cloned().ok_or_else(|| not_found(object))?;
        if !self.kinds.has_containers(object.kind) {
            let what = format!("{object} has no container: nothing of it is kept over time");
            return Err(ApiError::new(ErrorCode::Invalid, what, "seawall history shows what has"));
        }
        let since = i64::try_from(since).unwrap_or(LONGEST).clamp(grid::MEAN, LONGEST);
        let to = this_second().as_second();
        let from = to - since;
        let mut all = self.points_of(&record.uid, from, to).await?;
        if let Some(metric) = metric {
            all.retain(|name, _| name == metric);
        }
        let series = all.into_iter().map(|(name, points)| {
            let unit = self.unit_of(object, &name);
            SeriesView::of(name, unit, points)
        });
        let step = if since <= kept::FINE { grid::SAMPLE } else { grid::MEAN };
        Ok(HistoryView { object: object.to_string(), from, to, step, series: series.collect() })
    }

    /// Off the threads that everything else runs on, as it reads from the disk.
    pub(super) async fn points_of(
        &self,
        uid: &str,
        from: i64,
        to: i64,
    ) -> Result<BTreeMap<String, Vec<super::api::Point>>> {
        let (tools, uid) = (Arc::clone(&self.tools), uid.to_owned());
        let read = tokio::task::spawn_blocking(move || kept::points(&tools.store, &uid, from, to));
        let failed = |error| ApiError::new(ErrorCode::Internal, format!("{error}"), "say it again");
        read.await.map_err(failed)
    }
}

fn changes(
    store: &dyn Store,
    now: i64,
    gathered: &[Gathered],
    due: &BTreeSet<String>,
    gone: &[String],
) -> Vec<Change> {
    let mut changes = Vec::new();
    // Also of one that a round was under way for while it was deleted.
    for uid in gone {
        changes.extend(kept::without(store, uid).unwrap_or_default());
    }
    for Gathered { uid, figures, sampled } in gathered {
        if !figures.is_empty() {
            changes.extend(kept::with(store, uid, now, figures));
        }
        if due.contains(uid) && !sampled.is_empty() {
            changes.push(kept::with_last(uid, now, sampled));
        }
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_lie_in_the_middle_of_the_grid_and_never_at_once() {
        let every = Duration::from_secs(30);
        for (now, wait) in
            [(0, 15_000), (14_000, 31_000), (15_000, 30_000), (15_001, 29_999), (29_999, 15_001)]
        {
            assert_eq!(pause(now, every), Duration::from_millis(wait), "{now}");
        }
        assert!(pause(-7, every) > Duration::from_secs(7));
        assert!(pause(5, Duration::ZERO) > Duration::ZERO);
    }
}
