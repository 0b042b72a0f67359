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
use crate::core::names::ObjectRef;
use crate::core::plan::Step;
use crate::docker::DockerError;
use crate::kinds::postgres::act::{ActError, Scene, apply};
use crate::kinds::postgres::action::Action;
use crate::kinds::postgres::plan::Plan;
use crate::kinds::postgres::record::Memory;
use crate::store::{Saving, StoreError};
use crate::workload::Action as Work;
use crate::workload::act as work;
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

pub(super) async fn run_steps(
    operator: &Operator,
    record: &Record,
    will: &Will,
    scene: &Scene<'_>,
    plan: &Plan,
    cancel: &CancellationToken,
) -> StepsEnd {
    let object = &record.object;
    let mut memory = record.memory.clone();
    // Events of steps that left nothing to remember: written while the next step is under way.
    let mut unwritten = Vec::new();
    // Of a step on which no other one waits: said when the others are done.
    let mut failed = None;
    let end = async {
        for step in &plan.steps {
            if cancel.is_cancelled() {
                return StepsEnd::Stopped;
            }
            // What cannot be undone is not done on an old reading of the manifests.
            if is_final(&step.action) {
                match operator.read_manifests_now().await {
                    Ok(true) => {}
                    Ok(false) => return StepsEnd::Stopped,
                    Err(error) => return store_failed(&error),
                }
                // Nor on what a crash could still take back.
                if !operator.write_what_waits().await
                    && let Some(words) = operator.not_saved()
                {
                    return StepsEnd::Failed(Failure::new("StoreFailed", words));
                }
            }
            // Whatever changed is a new look: a manifest that came back, a consent that was taken back.
            if !(scene.work.still)() {
                return StepsEnd::Replan;
            }
            let before = memory.clone();
            let counted = crash_point::before();
            let notes = std::mem::take(&mut unwritten);
            let (applied, ()) =
                tokio::join!(apply(scene, &step.action, &mut memory), operator.note(Some(object), &notes));
            crash_point::after(counted);
            if applied.is_ok() && step.action == Action::Work(Work::Forget) {
                return forget(operator, record, will, &step.cause).await;
            }
            if applied.is_ok()
                && let Action::Work(Work::HandOver(to)) = &step.action
            {
                return hand_over(operator, object, to, will).await;
            }
            unwritten = notes_of(step, &applied);
            if memory != before {
                // Both wait for the disk, and the disk takes both at once.
                let notes = std::mem::take(&mut unwritten);
                let (saved, ()) = tokio::join!(
                    remember(operator, object, &before, &memory),
                    operator.note(Some(object), &notes)
                );
                match saved {
                    Ok(saved) => memory = saved,
                    Err(end) => return end,
                }
            }
            match applied {
                // It took its time, and the server served meanwhile: what comes now is announced by its own plan.
                Ok(_) if matches!(step.action, Action::TrialStart(_)) => return StepsEnd::Replan,
                Ok(_) => {}
                Err(ActError::TrialRefused(_)) => return StepsEnd::Replan,
                Err(ActError::Work(error)) if error.is_outdated() => return StepsEnd::Replan,
                Err(ActError::Work(work::ActError::Docker(error))) if error.is_unavailable() => {
                    return StepsEnd::Failed(unknown_failure(operator, &error).await);
                }
                Err(error) => {
                    let message = format!("{}: {error}", step.action);
                    let failure = Failure::new(error.reason(), message);
                    if matches!(error, ActError::Work(work::ActError::Docker(DockerError::PortTaken { .. })))
                    {
                        return StepsEnd::PortTaken(failure.again(Retry::Within(15_000)));
                    }
                    if !stands_alone(&step.action) {
                        return StepsEnd::Failed(failure);
                    }
                    failed.get_or_insert(failure);
                }
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
fn notes_of(step: &Step<Action>, applied: &Result<Vec<Note>, ActError>) -> Vec<Note> {
    match applied {
        Ok(more) => {
            let done = Note::normal(step.action.reason(), format!("{}: {}", step.action, step.cause));
            std::iter::once(done).chain(more.iter().cloned()).collect()
        }
        Err(ActError::Work(error)) if error.is_outdated() => Vec::new(),
        Err(ActError::Work(work::ActError::Docker(error))) if error.is_unavailable() => Vec::new(),
        Err(error) => vec![Note::warning(error.reason(), format!("{}: {error}", step.action))],
    }
}

/// Records what a step changed in memory, and gives what it is then. Of a database that was Ready almost everything
/// a step teaches can be seen or done again, so that a full disk stops no repair; of one that is being made it cannot.
async fn remember(
    operator: &Operator,
    object: &ObjectRef,
    before: &Memory,
    after: &Memory,
) -> Result<Memory, StepsEnd> {
    let may_wait = after.work.ever_ready && before.work.proves_as(&after.work);
    let saving = if may_wait { Saving::MayWait } else { Saving::Durable };
    match operator.edit(object, saving, |r| r.memory = after.clone()).await {
        Ok(Some(record)) => Ok(record.memory.clone()),
        Ok(None) => Err(StepsEnd::Forgotten),
        Err(error) => Err(store_failed(&error)),
    }
}

/// The last step of a removal: nothing of the object stays but a word to the operator.
async fn forget(operator: &Operator, record: &Record, will: &Will, cause: &str) -> StepsEnd {
    let object = &record.object;
    match operator.forget(object, Some(will)).await {
        Ok(true) => {}
        Ok(false) => return StepsEnd::Replan,
        Err(error) => return store_failed(&error),
    }
    let what = if record.memory.work.is_untouched() { "was forgotten" } else { "and its data were deleted" };
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
        Err(HandOverError::Store(error)) => return store_failed(&error),
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

fn store_failed(error: &StoreError) -> StepsEnd {
    StepsEnd::Failed(Failure::new("StoreFailed", error.to_string()))
}

async fn unknown_failure(operator: &Operator, error: &DockerError) -> Failure {
    if operator.engine_fails(error).await {
        return unavailable(operator, &error.to_string());
    }
    Failure::unknown(error.reason(), error.to_string())
}

fn is_final(action: &Action) -> bool {
    matches!(action, Action::Work(action) if action.is_final())
}

fn stands_alone(action: &Action) -> bool {
    matches!(action, Action::Work(action) if action.stands_alone())
}

pub(super) fn unavailable(operator: &Operator, words: &str) -> Failure {
    let away = operator.state().engine.down.clone();
    let (since, reason) = away.map_or_else(|| (now(), "EngineUnavailable"), |away| (away.since, away.reason));
    // An engine that is away wakes everybody when it is back.
    Failure::unknown(reason, format!("unknown since {since}: {words}")).again(Retry::After(30_000))
}
