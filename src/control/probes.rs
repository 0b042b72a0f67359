//! Proves again and again that servers answer, each by its own time. A changed answer asks for a pass; it must
//! never wait for a server that hangs while another one is due.

use super::operator::Operator;
use super::pass::Typed;
use crate::core::names::ObjectRef;
use crate::kinds::{Probed, Reconciler};
use std::collections::{BTreeSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

/// Probes that are worked on at once.
const AT_ONCE: usize = 8;
/// A probe without an answer for so long is a wait and no work: the next one begins beside it. There is never
/// more than one an object.
const WORK: Duration = Duration::from_millis(200);

/// Proves again, over the kept session, that servers answer.
pub(super) async fn probe_all(operator: Arc<Operator>, cancel: CancellationToken) {
    let mut ticks = interval(Duration::from_secs(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let room = Arc::new(Semaphore::new(AT_ONCE));
    let mut probes: JoinSet<ObjectRef> = JoinSet::new();
    let mut under_way: BTreeSet<ObjectRef> = BTreeSet::new();
    let mut due: VecDeque<ObjectRef> = VecDeque::new();
    loop {
        tokio::select! {
            () = cancel.cancelled() => return,
            _ = ticks.tick() => {
                let more = take_due(&operator, |object| !under_way.contains(object));
                under_way.extend(more.iter().cloned());
                due.extend(more);
            }
            Some(done) = probes.join_next() => match done {
                Ok(object) => drop(under_way.remove(&object)),
                Err(error) => tracing::error!(%error, "a probe ended abnormally"),
            },
            Ok(permit) = Arc::clone(&room).acquire_owned(), if !due.is_empty() => {
                if let Some(object) = due.pop_front() {
                    probes.spawn(probe(Arc::clone(&operator), object, permit));
                }
            }
        }
    }
}

/// The objects whose time has come; each gets its next one.
fn take_due(operator: &Operator, may: impl Fn(&ObjectRef) -> bool) -> Vec<ObjectRef> {
    let (clock, next) = (operator.clock(), operator.next_probe());
    let mut state = operator.state();
    let due = state
        .live
        .iter_mut()
        .filter(|(object, l)| l.probe_at <= clock && l.running().next().is_some() && may(object));
    due.map(|(object, live)| {
        live.probe_at = next;
        object.clone()
    })
    .collect()
}

/// From a pass to the first probe after it, in milliseconds: between half a pause and a whole one, as its name has it, so that many
/// that were made or found at once are not proven at once for ever.
pub(super) fn first_pause(object: &str, pause: Duration) -> u64 {
    let half = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX) / 2;
    let mut hasher = DefaultHasher::new();
    object.hash(&mut hasher);
    half + hasher.finish() % half.max(1)
}

async fn probe(operator: Arc<Operator>, object: ObjectRef, permit: OwnedSemaphorePermit) -> ObjectRef {
    {
        let mut probe = std::pin::pin!(probe_one(&operator, &object));
        let answered = tokio::select! {
            () = &mut probe => true,
            () = sleep(WORK) => false,
        };
        drop(permit);
        if !answered {
            // It has its own timeout.
            probe.await;
        }
    }
    object
}

async fn probe_one(operator: &Operator, object: &ObjectRef) {
    let Some(kind) = operator.kinds.get(object.kind) else { return };
    let start = Instant::now();
    let probed = kind.prove(operator, object).await;
    operator.tallies.probe(object.kind, start.elapsed());
    if probed == Probed::LookAgain {
        operator.enqueue(object, 0);
    }
}

/// One proof, unless a pass is under way, which proves more.
pub(super) async fn prove<R: Reconciler>(kind: &R, operator: &Operator, object: &ObjectRef) -> Probed {
    let (record, spec, containers) = {
        let state = operator.state();
        let (Some(record), Some(spec), Some(live)) =
            (state.records.get(object).cloned(), state.checked.get(object).cloned(), state.live.get(object))
        else {
            return Probed::Same;
        };
        let running = live.running().map(|(role, container)| (role.clone(), container.clone()));
        (record, spec, running.collect::<Vec<_>>())
    };
    let running = operator.queue.lock().unwrap_or_else(PoisonError::into_inner).is_running(object);
    let stopped = record.asked.stopped || spec.work().is_none_or(|spec| spec.stopped);
    if running || !record.is_present() || stopped {
        return Probed::Same;
    }
    match Typed::<R>::new(operator, record, spec) {
        Ok(moment) => {
            let subject = moment.subject();
            for (role, container) in &containers {
                // A pass looks at all of them.
                let member = moment.identity.member(role.clone());
                if operator.tools.looks_otherwise(&member, &container.id).await
                    || kind.probe(&subject, role, container).await == Probed::LookAgain
                {
                    return Probed::LookAgain;
                }
            }
            Probed::Same
        }
        Err(_) => Probed::Same,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_that_were_made_at_once_are_not_proven_at_once() {
        let pause = Duration::from_secs(15);
        let mut seconds = [0_u32; 15];
        for n in 0..200 {
            let first = first_pause(&format!("postgres/p{n:03}"), pause);
            seconds[usize::try_from(first / 1000).unwrap()] += 1;
        }
        assert_eq!(seconds[..7], [0; 7], "never sooner than half a pause");
        assert!(seconds[8..].iter().all(|count| (15..=45).contains(count)), "{seconds:?}");
        for short in [Duration::ZERO, Duration::from_millis(1), Duration::MAX] {
            let first = first_pause("postgres/main", short);
            assert!(u128::from(first) <= short.as_millis(), "{first}");
        }
    }
}
