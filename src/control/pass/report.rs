//! The end of a pass: what was seen becomes conditions and status, and when to look again.

use super::Again;
use crate::control::operator::Operator;
use crate::control::state::Company;
use crate::core::backoff::{STALLED_AFTER, delay_ms, patience_ms};
use crate::core::condition::{ConditionType, Finding, find};
use crate::core::event::Note;
use crate::core::failure::{Failure, Outlook, Retry};
use crate::core::identity::Identity;
use crate::core::names::ObjectRef;
use crate::core::plan::Until;
use crate::core::seen::SeenContainer;
use crate::core::status::Status as CoreStatus;
use crate::core::will::Wanted;
use crate::kinds::postgres::action::Action;
use crate::kinds::postgres::check::Checked;
use crate::kinds::postgres::conditions;
use crate::kinds::postgres::plan::{Plan, Subject, plan};
use crate::kinds::postgres::status::{Status, status};
use crate::kinds::postgres::world::World;
use crate::workload::Action as Work;
use crate::workload::findings;

pub(super) fn outlook(
    operator: &Operator,
    object: &ObjectRef,
    failure: Option<Failure>,
    failures: u32,
) -> Outlook {
    let state = operator.state();
    Outlook {
        failure,
        stalled: failures >= STALLED_AFTER,
        manifest_broken: state.kept.get(object).cloned(),
        guard: state.guard.as_ref().and_then(|g| g.about(object)),
        leaving: state.live.get(object).and_then(|l| l.absence.as_ref()).map(|a| a.words.clone()),
    }
}

/// When nothing could be seen: what was seen last.
pub(super) fn last(old: Option<&CoreStatus>) -> Status {
    old.map(CoreStatus::body).unwrap_or_default()
}

/// The status of what was seen.
pub(super) async fn write(operator: &Operator, subject: &Subject<'_>, world: &World, findings: &[Finding]) {
    let Identity { object, generation, .. } = subject.identity;
    operator
        .write_status(object, *generation, findings, |old| {
            let old = old.map(CoreStatus::body);
            status(subject, world).with_image_in_use(old.as_ref(), &world.work)
        })
        .await;
}

/// A pass that came as far as it can now.
pub(super) async fn rest(
    operator: &Operator,
    object: &ObjectRef,
    checked: &Checked,
    world: &World,
    plan: &Plan,
) -> Again {
    let record = operator.state().records.get(object).cloned()?;
    let identity = operator.identity(&record);
    let subject = record.subject(&identity, checked);
    let nowhere = plan.waiting.iter().any(|w| w.until == Until::Mended);
    let pulling = plan.steps.iter().any(|s| matches!(s.action, Action::Work(Work::PullImage(_))));
    let (probe_at, look_at) = (operator.next_probe(), operator.next_look());
    operator.remember_container(object, world.work.container.ours());
    let (before, failures, waits) = operator.live(object, |l| {
        let before = l.failures;
        l.waits = if plan.waiting.is_empty() { 0 } else { l.waits.saturating_add(1) };
        l.failures = match (nowhere, pulling) {
            (true, _) => l.failures.saturating_add(1),
            // A pull that is tried again is no success yet.
            (false, true) => l.failures,
            (false, false) => 0,
        };
        l.container = world.work.container.ours().map(SeenContainer::glance);
        l.server = Some(world.server.clone());
        l.company = Company::of(world);
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
    let findings = conditions::findings(&subject, world, plan, &outlook);
    say_danger(operator, object, plan).await;
    write(operator, &subject, world, &findings).await;
    if !plan.steps.is_empty() && !checked.work.paused {
        return Some(1_000);
    }
    let soonest = plan.waiting.iter().filter_map(|w| w.retry_ms).min();
    match soonest {
        Some(ms) if nowhere => Some(ms.max(delay_ms(failures.min(4), jitter()))),
        Some(ms) => Some(patience_ms(ms, waits)),
        // No probe tells that the indexes were built again.
        None if world.columns.mismatched().iter().any(|one| !one.mismatched.is_empty()) => Some(30_000),
        None if !plan.blocked.is_empty() && subject.work().wanted() == Wanted::Running => Some(30_000),
        None => None,
    }
}

/// Blocks that tell of data at risk are events, too, once each time that they begin.
async fn say_danger(operator: &Operator, object: &ObjectRef, plan: &Plan) {
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
pub(super) async fn failed(
    operator: &Operator,
    object: &ObjectRef,
    checked: &Checked,
    world: Option<Box<World>>,
    failure: Failure,
) -> Again {
    let record = operator.state().records.get(object).cloned()?;
    let identity = operator.identity(&record);
    let subject = record.subject(&identity, checked);
    operator.remember_container(object, None);
    let failures = operator.live(object, |l| {
        l.failures = l.failures.saturating_add(1);
        l.settled = false;
        l.seen = true;
        // What was last seen may have changed: the next sweep must not take it for the truth.
        l.container = None;
        l.failures
    });
    let (unknown, retry) = (failure.unknown, failure.retry);
    let outlook = outlook(operator, object, Some(failure.clone()), failures);
    match world.filter(|_| !unknown) {
        Some(world) => {
            let plan = plan(&subject, &world);
            let found = conditions::findings(&subject, &world, &plan, &outlook);
            write(operator, &subject, &world, &found).await;
        }
        None => {
            let findings = findings::unknown(&failure, checked.work.paused);
            operator.write_status(object, record.generation, &findings, last).await;
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
