//! The steps of a plan, one at a time; after each one the record is durable and the event written.
//!
//! It decides nothing: a step that fails ends the pass, and the next plan sees what came of it.

use crate::control::crash_point;
use crate::control::objects::Record;
use crate::control::operator::{Operator, now};
use crate::control::rename::{HandOverError, HandedOver};
use crate::control::will::Will;
use crate::core::event::Note;
use crate::core::failure::{Failure, Retry};
use crate::core::member::Role;
use crate::core::names::ObjectRef;
use crate::core::plan::Step;
use crate::docker::DockerError;
use crate::kinds::{Act, Reconciler, Scene, Then, Undone};
use crate::store::{Saving, StoreError};
use crate::workload::{Action as Work, Memory};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How the steps of one plan ended.
pub(super) enum StepsEnd {
    Done,
    Replan,
    Stopped,
    Forgotten,
    /// The engine could not publish the port: another may be free.
    PortTaken(Failure),
    Failed(Failure),
}

pub(super) async fn run_steps<R: Reconciler>(
    kind: &R,
    operator: &Operator,
    record: &Record,
    will: &Will,
    scene: &Scene<'_, R>,
    cancel: &CancellationToken,
) -> StepsEnd {
    let object = &record.object;
    let mut memory = scene.subject.memory.clone();
    // Events of steps that left nothing to remember: written while the next step is under way.
    let mut unwritten = Vec::new();
    // Of a step on which no other one waits: said when the others are done.
    let mut failed = None;
    let end = async {
        for step in &scene.plan.steps {
            if cancel.is_cancelled() {
                return StepsEnd::Stopped;
            }
            let work = step.action.work();
            // What cannot be undone is not done on an old reading of the manifests.
            if work.is_some_and(Work::is_final) {
                match operator.read_manifests_now().await {
                    Ok(true) => {}
                    Ok(false) => return StepsEnd::Stopped,
                    Err(error) => return StepsEnd::Failed(store_failed(&error)),
                }
                // Nor before who made it has said what it makes of those.
                if operator.owner_is_due(record) {
                    return StepsEnd::Stopped;
                }
                // Nor on what a crash could still take back.
                if !operator.write_what_waits().await
                    && let Some(words) = operator.not_saved()
                {
                    return StepsEnd::Failed(Failure::new("StoreFailed", words));
                }
            }
            // Whatever changed is a new look: a manifest that came back, a consent that was taken back.
            if !(scene.still)() {
                return StepsEnd::Replan;
            }
            // It waits more than it works: its place is for others. Where too many wait already, it waits its turn.
            if step.action.takes_long() && !operator.set_aside(object) {
                return StepsEnd::Stopped;
            }
            let before = memory.clone();
            let counted = crash_point::before();
            let notes = std::mem::take(&mut unwritten);
            let start = Instant::now();
            let action = step.action.to_string();
            operator.live(object, |l| l.step_begins(&action));
            let acting = async {
                let applied = kind.act(scene, &step.action, &mut memory).await;
                operator.tallies.step(step.action.reason(), applied.is_ok(), start.elapsed());
                applied
            };
            let (applied, ()) = tokio::join!(acting, operator.note(Some(object), &notes));
            crash_point::after(counted);
            operator.live(object, |l| l.step_ends(&action, applied.is_ok()));
            match work.filter(|_| applied.is_ok()) {
                Some(Work::Forget) => return forget(operator, record, will, &step.cause).await,
                Some(Work::HandOver(to)) => return hand_over(operator, object, to, will).await,
                _ => {}
            }
            unwritten = notes_of(step, &applied);
            let with = scene.with_record.take();
            if memory != before || !with.is_empty() {
                // What cannot be done again, or seen, with it.
                let saving = if with.is_empty() { saving::<R>(&before, &memory) } else { Saving::Durable };
                // Both wait for the disk, and the disk takes both at once.
                let notes = std::mem::take(&mut unwritten);
                let (saved, ()) = tokio::join!(
                    operator.remember(object, saving, None, &memory, with),
                    operator.note(Some(object), &notes)
                );
                match saved {
                    Ok(Some(_)) => {}
                    Ok(None) => return StepsEnd::Forgotten,
                    Err(failure) => return StepsEnd::Failed(failure),
                }
            }
            let Undone { reason, message, then } = match applied {
                Ok(_) if step.action.looks_again() => return StepsEnd::Replan,
                Ok(_) => continue,
                Err(undone) => undone,
            };
            let failure = Failure::new(reason, format!("{}: {message}", step.action));
            match then {
                Then::Replan | Then::Outdated => return StepsEnd::Replan,
                Then::Unknown(error) => return StepsEnd::Failed(unknown_failure(operator, &error).await),
                Then::PortTaken => return StepsEnd::PortTaken(failure.again(Retry::Within(15_000))),
                Then::Fail if !step.action.stands_alone() => return StepsEnd::Failed(failure),
                Then::Fail => drop(failed.get_or_insert(failure)),
            }
        }
        match failed.take() {
            Some(failure) => StepsEnd::Failed(failure),
            None => StepsEnd::Done,
        }
    }
    .await;
    operator.note(Some(object), &unwritten).await;
    end
}

/// What there is to say about a step that was tried.
fn notes_of<A: Act>(step: &Step<A>, applied: &Result<Vec<Note>, Undone>) -> Vec<Note> {
    match applied {
        Ok(more) => {
            let done = Note::normal(step.action.reason(), format!("{}: {}", step.action, step.cause));
            std::iter::once(done).chain(more.iter().cloned()).collect()
        }
        Err(Undone { then: Then::Outdated | Then::Unknown(_), .. }) => Vec::new(),
        Err(Undone { reason, message, .. }) => {
            vec![Note::warning(reason, format!("{}: {message}", step.action))]
        }
    }
}

/// Of a database that was Ready almost everything a step teaches can be seen or done again, so that a full disk stops no
/// repair; of one that is being made it cannot.
fn saving<R: Reconciler>(before: &R::Memory, after: &R::Memory) -> Saving {
    let (before, after) = (R::memories(before), R::memories(after));
    let proven = |((role, before), (same, after)): (&(Role, &Memory), &(Role, &Memory))| {
        role == same && after.ever_ready && before.proves_as(after)
    };
    if !after.is_empty() && before.len() == after.len() && before.iter().zip(&after).all(proven) {
        Saving::MayWait
    } else {
        Saving::Durable
    }
}

/// The last step of a removal: nothing of the object stays but a word to the operator.
async fn forget(operator: &Operator, record: &Record, will: &Will, cause: &str) -> StepsEnd {
    let object = &record.object;
    match operator.forget(object, Some(will)).await {
        Ok(true) => {}
        Ok(false) => return StepsEnd::Replan,
        Err(error) => return StepsEnd::Failed(store_failed(&error)),
    }
    // What others make and run for them has data in volumes alone.
    let made = operator.kinds.get(object.kind).is_some_and(|kind| kind.about().made_by.is_some());
    let no_data = record.memory.is_untouched() || (made && record.memory.work().volumes.is_empty());
    let what = if no_data { "was forgotten" } else { "and its data were deleted" };
    let words = format!("{object} {what}: {cause}");
    operator.note(None, &[Note::normal("Deleted", words)]).await;
    StepsEnd::Forgotten
}

/// The last step of a rename: the object of the old name is no more.
async fn hand_over(operator: &Operator, old: &ObjectRef, new: &ObjectRef, will: &Will) -> StepsEnd {
    match operator.hand_over(old, new, will).await {
        Ok(HandedOver::Done) => {}
        Ok(HandedOver::Changed) => return StepsEnd::Replan,
        Ok(HandedOver::Refused(why)) => {
            operator.note(Some(old), &[Note::warning("RenameRefused", why)]).await;
            return StepsEnd::Replan;
        }
        Err(HandOverError::Store(error)) => return StepsEnd::Failed(store_failed(&error)),
        Err(error @ HandOverError::Memory(_)) => {
            return StepsEnd::Failed(Failure::new("MemoryUnreadable", error.to_string()));
        }
        Err(error @ HandOverError::Password(_)) => {
            let chain = std::error::Error::source(&error).map(|s| format!(": {s}")).unwrap_or_default();
            let message = format!("{error}{chain}");
            return StepsEnd::Failed(Failure::new("CredentialsUnreadable", message));
        }
    }
    let words = format!("{old} is {new} now, with its volume, port and password");
    operator.note(Some(new), &[Note::normal("Renamed", words)]).await;
    operator.rescan.notify_one();
    operator.hurry(new);
    StepsEnd::Forgotten
}

pub(super) fn store_failed(error: &StoreError) -> Failure {
    Failure::new("StoreFailed", error.to_string())
}

async fn unknown_failure(operator: &Operator, error: &DockerError) -> Failure {
    if operator.engine_fails(error).await {
        return unavailable(operator, &error.to_string());
    }
    Failure::unknown(error.reason(), error.to_string())
}

pub(super) fn unavailable(operator: &Operator, words: &str) -> Failure {
    let away = operator.state().engine.down.clone();
    let (since, reason) = away.map_or_else(|| (now(), "EngineUnavailable"), |away| (away.since, away.reason));
    // An engine that is away wakes everybody when it is back.
    Failure::unknown(reason, format!("unknown since {since}: {words}")).again(Retry::After(30_000))
}
