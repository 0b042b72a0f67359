//! The end of a pass: what was seen becomes conditions and status, and when to look again.

use super::{Again, Typed, typed};
use crate::control::objects::Record;
use crate::control::operator::Operator;
use crate::control::state::Watched;
use crate::core::backoff::{STALLED_AFTER, delay_ms, patience_ms};
use crate::core::condition::{ConditionType, Finding, Truth, find};
use crate::core::event::Note;
use crate::core::failure::{Failure, Outlook, Retry};
use crate::core::identity::Identity;
use crate::core::names::ObjectRef;
use crate::core::neighbours::Offer;
use crate::core::plan::{Plan, Until};
use crate::core::seen::SeenContainer;
use crate::core::status::Status as CoreStatus;
use crate::kinds::{Act, Reconciler, Subject};
use crate::workload::Action as Work;
use crate::workload::findings::unknown as nothing_seen;

pub(super) fn outlook(
    operator: &Operator,
    object: &ObjectRef,
    failure: Option<Failure>,
    failures: u32,
) -> Outlook {
    let mut state = operator.state();
    Outlook {
        failure,
        stalled: failures >= STALLED_AFTER,
        manifest_broken: state.look_at_kept(object),
        guard: state.guard.as_ref().and_then(|g| g.about(object)),
        leaving: state.live.get(object).and_then(|l| l.absence.as_ref()).map(|a| a.words.clone()),
    }
}

/// When nothing could be seen: what was seen last.
pub(super) fn last<R: Reconciler>(old: Option<&CoreStatus>) -> R::Status {
    old.map(CoreStatus::body).unwrap_or_default()
}

/// The status of what was seen.
pub(super) async fn write<R: Reconciler>(
    operator: &Operator,
    subject: &Subject<'_, R>,
    world: &R::World,
    findings: &[Finding],
    at_rest: bool,
) {
    let Identity { object, generation, uid, .. } = subject.identity;
    let ready = findings.iter().any(|f| f.kind == ConditionType::Ready && f.status == Truth::True);
    let says = R::offer(subject, world);
    operator.publish(object, Offer { uid: uid.clone(), ready, present: subject.present, at_rest, says });
    let notes = changes(operator, object, findings);
    operator
        .write_status(object, *generation, findings, |old| {
            R::status(subject, world, old.map(CoreStatus::body))
        })
        .await;
    // Not before: whoever waits for it to settle would read the status of before.
    operator.note(Some(object), &notes).await;
}

/// What became wrong or well by itself, once each time.
fn changes(operator: &Operator, object: &ObjectRef, findings: &[Finding]) -> Vec<Note> {
    let state = operator.state();
    let before = state.statuses.get(object).map(|s| s.conditions.as_slice()).unwrap_or_default();
    let mut notes = Vec::new();
    for finding in findings.iter().filter(|finding| finding.kind.is_told()) {
        let old = find(before, finding.kind);
        if old.is_some_and(|old| (old.status, old.reason.as_str()) == (finding.status, finding.reason)) {
            continue;
        }
        // What was not seen yet is nothing that became wrong.
        if old.is_none() && finding.status == Truth::Unknown {
            continue;
        }
        let was_wrong = old.is_some_and(|old| old.kind.is_wrong(old.status, &old.reason));
        if finding.kind.is_wrong(finding.status, finding.reason) {
            notes.push(Note::warning(finding.reason, &finding.message));
        } else if was_wrong && old.is_some_and(|old| old.status != Truth::Unknown) {
            notes.push(Note::normal(finding.reason, &finding.message));
        }
    }
    notes
}

/// A pass that came as far as it can now.
pub(super) async fn rest<R: Reconciler>(
    operator: &Operator,
    object: &ObjectRef,
    world: &R::World,
    plan: &Plan<R::Action>,
) -> Again {
    let moment = typed::<R>(operator, object).ok()?;
    let subject = moment.subject();
    let nowhere = plan.waiting.iter().any(|w| w.until == Until::Mended);
    let pulling = plan.steps.iter().any(|s| matches!(s.action.work(), Some(Work::PullImage(_))));
    let (probe_at, look_at) = (operator.first_probe(object), operator.next_look());
    let quiet = R::seen(world).into_iter().filter_map(|(_, seen)| seen.look_again()).min();
    let quiet = quiet.map(|in_a| u64::try_from(in_a.as_millis()).unwrap_or(u64::MAX).saturating_add(100));
    let seen = R::seen(world).into_iter().map(|(role, seen)| {
        let container = seen.container().ours().map(SeenContainer::glance);
        Watched { role, container, company: seen.company() }
    });
    let members: Vec<Watched> = seen.collect();
    let has_container = members.iter().any(|member| member.container.is_some());
    let ids = members.iter().filter_map(|member| Some(member.container.as_ref()?.id.clone()));
    operator.remember_containers(object, &ids.collect::<Vec<_>>());
    let (before, failures, waits) = operator.live(object, |l| {
        let before = l.failures;
        l.waits = if plan.waiting.is_empty() { 0 } else { l.waits.saturating_add(1) };
        l.failures = match (nowhere, pulling) {
            (true, _) => l.failures.saturating_add(1),
            // A pull that is tried again is no success yet.
            (false, true) => l.failures,
            (false, false) => 0,
        };
        l.members = members;
        l.settled = plan.is_settled();
        l.seen = true;
        l.probe_at = probe_at;
        l.look_at = look_at;
        (before, l.failures, l.waits)
    });
    if before > 0 && failures == 0 {
        operator.state().journal.is_well(&object.to_string());
    }
    let outlook = outlook(operator, object, None, failures);
    let findings = said(operator, &moment.record, R::findings(&subject, world, plan, &outlook));
    say_danger(operator, object, plan).await;
    let at_rest = !subject.present && plan.is_idle() && plan.waiting.is_empty() && !has_container;
    write(operator, &subject, world, &findings, at_rest).await;
    if !plan.is_idle() && !moment.record.is_paused() {
        return Some(1_000);
    }
    let soonest = plan.waiting.iter().filter_map(|w| w.retry_ms).min();
    match soonest {
        Some(ms) if nowhere => Some(ms.max(delay_ms(failures.min(4), jitter()))),
        Some(ms) => Some(patience_ms(ms, waits)),
        None => {
            let blocked = !plan.blocked.is_empty() && wants_to_run(&moment);
            let again = R::look_again(world).or(blocked.then_some(30_000));
            again.into_iter().chain(quiet).min()
        }
    }
}

/// What the kind says, and what holds for every kind.
fn said(operator: &Operator, record: &Record, mut findings: Vec<Finding>) -> Vec<Finding> {
    let degraded = findings.iter().any(|f| f.kind == ConditionType::Degraded && f.status == Truth::True);
    if let Some(words) = operator.state().orphaned(record).filter(|_| !degraded) {
        findings.retain(|f| f.kind != ConditionType::Degraded);
        findings.push(Finding::new(ConditionType::Degraded, Truth::True, "OwnerMissing", words));
    }
    findings
}

/// Whether what is blocked keeps it from what is wanted.
fn wants_to_run<R: Reconciler>(moment: &Typed<R>) -> bool {
    let record = &moment.record;
    let stopped = record.asked.stopped || moment.spec.work().is_some_and(|spec| spec.stopped);
    record.is_present() && !stopped
}

/// Blocks that tell of data at risk are events, too, once each time that they begin.
async fn say_danger<A>(operator: &Operator, object: &ObjectRef, plan: &Plan<A>) {
    let Some(block) = plan.blocked.first().filter(|b| b.danger) else { return };
    let said = {
        let state = operator.state();
        let conditions = state.statuses.get(object).map(|s| s.conditions.as_slice()).unwrap_or_default();
        find(conditions, ConditionType::Degraded).is_some_and(|c| c.reason == block.reason)
    };
    if !said {
        operator.note(Some(object), &[Note::warning(block.reason, &block.why)]).await;
    }
}

/// A pass that a step or a look ended.
pub(super) async fn failed<R: Reconciler>(
    operator: &Operator,
    object: &ObjectRef,
    world: Option<Box<R::World>>,
    failure: Failure,
) -> Again {
    let moment = typed::<R>(operator, object).ok()?;
    let subject = moment.subject();
    operator.remember_containers(object, &[]);
    let failures = operator.live(object, |l| {
        l.failures = l.failures.saturating_add(1);
        l.settled = false;
        l.seen = true;
        // What was last seen may have changed: the next sweep must not take it for the truth.
        l.members.iter_mut().for_each(|member| member.container = None);
        l.failures
    });
    let (unknown, retry) = (failure.unknown, failure.retry);
    let outlook = outlook(operator, object, Some(failure.clone()), failures);
    match world.filter(|_| !unknown) {
        Some(world) => {
            let plan = moment.plan(operator, &world, None);
            let findings = said(operator, &moment.record, R::findings(&subject, &world, &plan, &outlook));
            write(operator, &subject, &world, &findings, false).await;
        }
        None => {
            let findings = nothing_seen(&failure, moment.record.is_paused());
            let last_offer = operator.state().offers.get(object).cloned().unwrap_or_default();
            operator.publish(object, Offer { ready: false, at_rest: false, ..last_offer });
            operator.write_status(object, moment.record.generation, &findings, last::<R>).await;
        }
    }
    let delay = delay_ms(failures, jitter());
    Some(match retry {
        Retry::Backoff => delay,
        Retry::Within(most) => delay.min(most),
        Retry::After(ms) => ms,
    })
}

/// Spreads retries of objects that failed together; need not be good randomness.
fn jitter() -> f64 {
    let nanos = jiff::Timestamp::now().subsec_nanosecond();
    f64::from(nanos.rem_euclid(1_000_000)) / 1_000_000.0
}
