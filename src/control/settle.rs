//! `run --once`: waits until every object is where it can get by itself.

use super::api::{Api, ObjectList};
use super::objects::Record;
use super::operator::Operator;
use super::registry::Kinds;
use super::state::{Live, State};
use crate::core::condition::{ConditionType, Truth, find};
use crate::core::names::ObjectRef;
use crate::core::plan::Until;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// Failed passes after which `--once` does not wait any longer for an object.
const ENOUGH: u32 = 3;

/// The objects once all are settled or cannot be, or when `limit` is over.
pub async fn settled(operator: &Operator, limit: Duration) -> ObjectList {
    let mut revision = operator.revision();
    let end = Instant::now() + limit;
    // Objects change one after the other: to look at all of them each time is much for many.
    let mut waits_for = None;
    loop {
        waits_for = first_unsettled(&operator.kinds, &operator.state(), waits_for.as_ref());
        if waits_for.is_none() && may_end(&operator.state()) {
            break;
        }
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        // Also without a change: a guard's or a grace's time may be over.
        let _ = timeout(left.min(Duration::from_millis(500)), revision.changed()).await;
    }
    operator.objects().await.unwrap_or_default()
}

fn may_end(state: &State) -> bool {
    let leaves = |live: &Live| live.absence.as_ref().is_some_and(|absence| !absence.held);
    state.scanned && !state.live.values().any(|live| leaves(live))
}

/// The next one from `from` on, and from the beginning when there is none.
fn first_unsettled(kinds: &Kinds, state: &State, from: Option<&ObjectRef>) -> Option<ObjectRef> {
    let unsettled = |(object, record): &(&ObjectRef, &Arc<Record>)| {
        kinds.runs(object.kind) && !is_settled(state, object, record)
    };
    let after = from.and_then(|from| state.records.range(from..).find(unsettled));
    after.or_else(|| state.records.iter().find(unsettled)).map(|(object, _)| object.clone())
}

fn is_settled(state: &State, object: &ObjectRef, record: &Record) -> bool {
    let Some(live) = state.live.get(object).filter(|l| l.seen) else {
        return !state.checked.contains_key(object) && state.statuses.contains_key(object);
    };
    let Some(status) = state.statuses.get(object) else { return false };
    let is = |kind, truth| find(&status.conditions, kind).is_some_and(|c| c.status == truth);
    // Nobody waits for an engine that is away.
    if state.engine.down.is_some() {
        return true;
    }
    let current = status.observed_generation == record.generation;
    let blocked = live.plan.as_ref().is_some_and(|p| !p.blocked.is_empty());
    // The grace of a deletion is the running operator's: it outlasts this.
    let leaving = live.plan.as_ref().is_some_and(|p| {
        p.steps.is_empty() && !p.waiting.is_empty() && p.waiting.iter().all(|w| w.until == Until::Due)
    });
    let paused = record.is_paused();
    current
        && (live.settled
            || blocked
            || leaving
            || paused
            || live.failures >= ENOUGH
            || is(ConditionType::Stalled, Truth::True))
}
