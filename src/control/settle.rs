//! `run --once`: waits until every object is where it can get by itself.

use super::api::{Api, ObjectList};
use super::operator::Operator;
use crate::core::condition::{ConditionType, Truth, find};
use crate::core::names::Kind;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// Failed passes after which `--once` does not wait any longer for an object.
const ENOUGH: u32 = 3;

/// The objects once all are settled or cannot be, or when `limit` is over.
pub async fn settled(operator: &Operator, limit: Duration) -> ObjectList {
    let mut revision = operator.revision();
    let end = Instant::now() + limit;
    loop {
        if is_settled(operator) {
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

fn is_settled(operator: &Operator) -> bool {
    let state = operator.state();
    if !state.scanned || state.live.values().any(|l| l.absence.as_ref().is_some_and(|a| !a.held)) {
        return false;
    }
    state.records.iter().filter(|(o, _)| o.kind == Kind::Postgres).all(|(object, record)| {
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
            p.steps.is_empty() && !p.waiting.is_empty() && p.waiting.iter().all(|w| w.on == "DeletionPending")
        });
        let paused = state.checked.get(object).is_some_and(|c| c.paused);
        current
            && (live.settled
                || blocked
                || leaving
                || paused
                || live.failures >= ENOUGH
                || is(ConditionType::Stalled, Truth::True))
    })
}
