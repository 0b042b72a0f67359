//! One pass for one object: observe, plan, apply one step at a time, look again, say what was seen. Written once for all
//! kinds; must never ask which one it is.

mod report;
mod steps;
mod typed;

use super::any::Spec;
use super::children::Tended;
use super::objects::Record;
use super::operator::{Operator, now};
use super::pulls::{Pulled, pull};
use super::will::Will;
use crate::core::condition::{ConditionType, Finding, Truth, find};
use crate::core::event::Note;
use crate::core::failure::{Failure, Retry};
use crate::core::member::Role;
use crate::core::names::ObjectRef;
use crate::core::plan::{Plan, Step};
use crate::core::seen::{ContainerState, EngineInfo, Slot};
use crate::docker::DockerError;
use crate::kinds::{Act, Learnt, Reconciler, Scene, Subject};
use crate::store::Saving;
use crate::workload::Action as Work;
use crate::workload::act::{Made, WithRecord};
use crate::workload::observe::{Intent, ObserveError};
use report::{failed, outlook, rest};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use steps::{StepsEnd, run_steps, store_failed, unavailable};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
pub(super) use typed::Typed;
use typed::{NotNow, typed};

/// Plans made in one pass; a world that still moves after so many is looked at again later.
const ROUNDS: usize = 12;

/// Automatic ports lost to somebody else in one pass; after these the pass has failed.
const LOST_PORTS: usize = 5;

/// When to look again; `None`: an event, a probe or the sweep will wake us.
pub type Again = Option<u64>;

/// How one pass ended.
enum End<R: Reconciler> {
    /// Nothing left that can be done now.
    Rest(Box<R::World>, Plan<R::Action>),
    /// The image is on its way; the end of the pull wakes the object.
    Pulling(Box<R::World>, Plan<R::Action>),
    /// A step failed, or nothing could be seen.
    Failed(Option<Box<R::World>>, Failure),
    NotNow(NotNow),
    /// Something newer cancels this pass at a step border.
    Stale,
    /// The world still moved after [`ROUNDS`].
    Moving,
}

impl<R: Reconciler> End<R> {
    /// For counting.
    fn word(&self) -> &'static str {
        match self {
            End::Rest(_, plan) if plan.is_settled() => "settled",
            End::Rest(_, plan) if !plan.blocked.is_empty() => "blocked",
            End::Rest(..) => "waiting",
            End::Pulling(..) => "pulling",
            End::Failed(..) => "failed",
            End::NotNow(NotNow::Forgotten) => "forgotten",
            End::NotNow(_) => "unusable",
            End::Stale => "stale",
            End::Moving => "moving",
        }
    }
}

/// Runs a pass. Errors end up in status and events, never here.
pub async fn pass<R: Reconciler>(
    kind: &R,
    operator: &Arc<Operator>,
    object: &ObjectRef,
    cancel: &CancellationToken,
) -> Again {
    let (mut arrived, mut begun) = (None, None);
    let start = Instant::now();
    let end = rounds(kind, operator, object, cancel, &mut arrived, &mut begun).await;
    let result = end.word();
    let again = match end {
        End::Stale => Some(0),
        End::Moving => Some(1_000),
        End::NotNow(NotNow::Forgotten) => None,
        End::NotNow(NotNow::NoSpec(record)) => invalid::<R>(operator, &record).await,
        End::NotNow(NotNow::Unreadable(record, why)) => unreadable::<R>(operator, &record, &why).await,
        End::Rest(world, plan) => rest::<R>(operator, object, &world, &plan).await,
        End::Pulling(world, plan) => {
            rest::<R>(operator, object, &world, &plan).await;
            None
        }
        End::Failed(world, failure) => failed::<R>(operator, object, world, failure).await,
    };
    operator.tallies.pass(object.kind, result, start.elapsed());
    // Not before its status says so: whoever reads it would see one that is Ready, as it was before.
    if let Some(record) = begun {
        operator.has_begun(object, &record.asked);
    }
    // Nor this: they would see two that are down.
    if let Some(spec) = arrived {
        operator.next_may_go(object, &spec);
    }
    again
}

/// The last good version cannot be used any more (the catalog lost its version, say).
async fn invalid<R: Reconciler>(operator: &Operator, record: &Record) -> Again {
    let why = operator.state().look_at_kept(&record.object).unwrap_or_else(|| {
        "the manifest cannot be used with the present catalog; see `seawall validate`".to_owned()
    });
    let finding = Finding::new(ConditionType::Ready, Truth::Unknown, "Invalid", why);
    operator.write_status(&record.object, record.generation, &[finding], report::last::<R>).await;
    None
}

/// Nothing is done with what cannot be told from what was never there.
async fn unreadable<R: Reconciler>(operator: &Operator, record: &Record, why: &str) -> Again {
    let words = format!(
        "what is remembered of this object cannot be read ({why}): nothing is done with it. Was it written by a newer Seawall? Start that one again, or bring the data directory back from its backup"
    );
    // All that can be said is said, and nobody waits for more.
    operator.state().look_at_kept(&record.object);
    operator.live(&record.object, |l| (l.seen, l.settled) = (true, true));
    let finding = Finding::new(ConditionType::Ready, Truth::Unknown, "MemoryUnreadable", words);
    operator.write_status(&record.object, record.generation, &[finding], report::last::<R>).await;
    None
}

/// What the pass asks the engine with, where it needs one.
async fn engine<R: Reconciler>(operator: &Operator) -> Result<EngineInfo, DockerError> {
    if R::ABOUT.runs && R::NEEDS_ENGINE { operator.engine().await } else { Ok(EngineInfo::default()) }
}

async fn rounds<R: Reconciler>(
    kind: &R,
    operator: &Arc<Operator>,
    object: &ObjectRef,
    cancel: &CancellationToken,
    arrived: &mut Option<Spec>,
    begun: &mut Option<Arc<Record>>,
) -> End<R> {
    let engine = match engine::<R>(operator).await {
        Ok(engine) => engine,
        Err(error) => {
            operator.engine_is_away(&error).await;
            return End::Failed(None, unavailable(operator, &error.to_string()));
        }
    };
    let mut first: Option<Spec> = None;
    let mut before: Option<Plan<R::Action>> = None;
    let (mut lost_ports, mut port_taken, mut pull_failed) = (0, None, None);
    for _ in 0..ROUNDS {
        let mut moment = match typed::<R>(operator, object) {
            Ok(moment) => moment,
            Err(why) => return End::NotNow(why),
        };
        if first.get_or_insert_with(|| moment.spec.clone()) != &moment.spec {
            return End::Stale;
        }
        let will = Will::new(&moment.record, &moment.spec);
        let mut world = match kind.observe(&moment.subject(), &engine, Intent::Act).await {
            Ok(world) => world,
            Err(error) => return not_seen(operator, object, &error).await,
        };
        operator.hold_back::<R>(&moment, &mut world);
        super::attach::attach::<R>(operator, &world).await;
        note_restart::<R>(operator, object, &world).await;
        let learnt = match learn::<R>(operator, &mut moment, &world, arrived).await {
            Ok(learnt) => learnt,
            Err(failure) => return End::Failed(Some(Box::new(world)), failure),
        };
        // Learning takes what the record is by then: it may be wanted otherwise.
        if !will.is(&moment.record, &moment.spec) || learnt.look_again {
            continue;
        }
        let subject = moment.subject();
        if let Some(failure) = port_taken.take()
            && !R::has_another_port(&subject, &world)
        {
            return End::Failed(Some(Box::new(world)), failure);
        }
        let mut plan = moment.plan(operator, &world, None);
        let work = |is: &dyn Fn(&Work) -> bool| plan.steps.iter().filter_map(|s| s.action.work()).any(is);
        if !work(&|action| matches!(action, Work::PinImage { .. })) {
            operator.stays(object);
        }
        let paused = moment.record.is_paused();
        let view = operator.tools.masked(object, plan.view(&object.to_string(), paused));
        operator.live(object, |l| l.planned(view));
        if plan.is_idle() || paused {
            // Nothing is settled of what is wanted by now, if that is something else.
            if !operator.still(object, &will) {
                continue;
            }
            *begun = Some(moment.record);
            return End::Rest(Box::new(world), plan);
        }
        if before.as_ref() == Some(&plan) {
            // The steps worked, and nothing came of them.
            let first = plan.view("", false).steps.into_iter().next();
            let step = first.map(|s| format!("{}: {}", s.action, s.cause)).unwrap_or_default();
            let message = format!("done, and to be done again at once: {step}");
            return End::Failed(Some(Box::new(world)), Failure::new("NoProgress", message));
        }
        if !plan.children.is_empty() {
            match operator.tend(&moment.record, &will, &plan, cancel).await {
                Ok(Tended::Done) => before = Some(plan),
                Ok(Tended::Replan) => {}
                Ok(Tended::Stopped) => return End::Rest(Box::new(world), plan),
                Err(error) => return End::Failed(Some(Box::new(world)), store_failed(&error)),
            }
            continue;
        }
        let wanted = plan.steps.iter().filter_map(|s| match s.action.work() {
            Some(Work::PullImage(reference)) => Some(reference.clone()),
            _ => None,
        });
        let wanted: BTreeSet<String> = wanted.collect();
        if !wanted.is_empty() {
            // Beside the passes; what else there is to do does not wait for it.
            for reference in &wanted {
                if pull_failed.is_none() {
                    pull_failed = pull_failure(operator, object, reference).await;
                }
            }
            let pulls = |s: &Step<R::Action>| matches!(s.action.work(), Some(Work::PullImage(_)));
            for step in plan.steps.iter().filter(|step| pulls(step)) {
                let action = step.action.to_string();
                operator.live(object, |l| match pull_failed {
                    None => l.step_begins(&action),
                    Some(_) => l.step_ends(&action, false),
                });
            }
            if plan.steps.iter().all(pulls) {
                return match pull_failed {
                    None => End::Pulling(Box::new(world), plan),
                    Some(failure) => End::Failed(Some(Box::new(world)), failure),
                };
            }
            plan.steps.retain(|s| !pulls(s));
        }
        say_before::<R>(operator, &subject, &world, &plan).await;
        let still = || operator.still(object, &will);
        let now = now();
        let (made, with_record) = (Made::default(), WithRecord::default());
        let scene = Scene {
            subject,
            world: &world,
            plan: &plan,
            now: &now,
            still: &still,
            made: &made,
            with_record: &with_record,
        };
        match run_steps(kind, operator, &moment.record, &will, &scene, cancel).await {
            StepsEnd::Done => before = Some(plan),
            StepsEnd::Replan => {}
            StepsEnd::Forgotten => return End::NotNow(NotNow::Forgotten),
            StepsEnd::Stopped => return End::Rest(Box::new(world), plan),
            // Lost in a race for a port, which only the start can tell: the next plan may have another.
            StepsEnd::PortTaken(failure) if lost_ports < LOST_PORTS => {
                lost_ports += 1;
                port_taken = Some(failure);
            }
            StepsEnd::PortTaken(failure) | StepsEnd::Failed(failure) => {
                return End::Failed(Some(Box::new(world)), failure);
            }
        }
    }
    End::Moving
}

/// Sees to it that the image is on its way; a failure of the last try is told, and ends this pass when
/// nothing else is left to do.
async fn pull_failure(operator: &Arc<Operator>, object: &ObjectRef, reference: &str) -> Option<Failure> {
    let Pulled::Failed { why, failures } = pull(operator, reference) else { return None };
    // To be told again of the same try is no further failure.
    operator.live(object, |l| l.failures = failures.saturating_sub(1));
    let message = format!("pull image {reference}: {why}");
    operator.note(Some(object), &[Note::warning("ImagePullFailed", message.clone())]).await;
    Some(Failure::new("ImagePullFailed", message))
}

/// Takes Ready back before it stops being true, or as soon as it is seen that it is not.
async fn say_before<R: Reconciler>(
    operator: &Operator,
    subject: &Subject<'_, R>,
    world: &R::World,
    plan: &Plan<R::Action>,
) {
    let object = &subject.identity.object;
    let said_ready = {
        let state = operator.state();
        let conditions = state.statuses.get(object).map(|s| s.conditions.as_slice()).unwrap_or_default();
        find(conditions, ConditionType::Ready).is_some_and(|c| c.status == Truth::True)
    };
    let outlook = outlook(operator, object, None, 0);
    if said_ready && let Some(findings) = R::before_steps(subject, world, plan, &outlook) {
        report::write(operator, subject, world, &findings, false).await;
    }
}

/// The engine counts its own restarts; one more than last seen means that the server died meanwhile.
/// The count grows before the next start, so that the first look sees it, restarted already or not.
async fn note_restart<R: Reconciler>(operator: &Operator, object: &ObjectRef, world: &R::World) {
    for (role, seen) in R::seen(world) {
        let Slot::Ours(c) = seen.container() else { continue };
        let died = operator.live(object, |l| {
            let mut last = l.members.iter_mut().filter_map(|member| member.container.as_mut());
            let last = last.find(|last| last.id == c.id)?;
            let died = c.restart_count > last.restart_count;
            last.restart_count = c.restart_count;
            died.then_some(())
        });
        if died.is_some() {
            let code = c.exit_code.filter(|_| c.state == ContainerState::Restarting);
            let code = code.map(|code| format!(" with exit code {code}")).unwrap_or_default();
            let which = role.label().map(|role| format!(" of {role}")).unwrap_or_default();
            // The same words each time: events are counted.
            let words = format!("the container{which} died{code} and the engine restarts it");
            operator.note(Some(object), &[Note::warning("ContainerDied", words)]).await;
        }
    }
}

/// Takes over what was learnt for good: `moment` knows it afterwards. `arrived`: on another image than before.
async fn learn<R: Reconciler>(
    operator: &Operator,
    moment: &mut Typed<R>,
    world: &R::World,
    arrived: &mut Option<Spec>,
) -> Result<Learnt, Failure> {
    let mut memory = moment.memory.clone();
    let learnt = R::learn(&moment.subject(), world, &mut memory, &now());
    if memory != moment.memory {
        let proven = |memory: &R::Memory| -> BTreeMap<Role, String> {
            let all = R::memories(memory).into_iter();
            all.filter_map(|(role, work)| Some((role, work.proven_image.clone()?))).collect()
        };
        let (before, after) = (proven(&moment.memory), proven(&memory));
        let known = moment.record.memory.clone();
        let Some(record) = operator
            .remember(&moment.record.object, Saving::MayWait, Some(&known), &memory, Vec::new())
            .await?
        else {
            // It changed meanwhile (its kept port was given up, say): the next look learns it with that.
            return Ok(Learnt { look_again: true, restarts: None });
        };
        moment.record = record;
        moment.memory = memory;
        // From another image: the first one of an object is nothing that others wait for.
        if before.iter().any(|(role, image)| after.get(role) != Some(image)) {
            *arrived = Some(moment.spec.clone());
        }
    }
    if let Some((image, profile)) = &learnt.restarts {
        operator.tools.image_restarts(image, *profile).await;
    }
    Ok(learnt)
}

fn not_known(docker: &DockerError) -> Failure {
    let failure = Failure::unknown(docker.reason(), docker.to_string());
    match docker {
        DockerError::Forbidden { .. } => failure.again(Retry::After(30_000)),
        _ => failure,
    }
}

async fn not_seen<R: Reconciler>(operator: &Operator, object: &ObjectRef, error: &ObserveError) -> End<R> {
    match error {
        ObserveError::Docker(docker) => {
            if operator.engine_fails(docker).await {
                return End::Failed(None, unavailable(operator, &docker.to_string()));
            }
            if let DockerError::Forbidden { .. } = docker {
                operator.note(Some(object), &[Note::warning(docker.reason(), docker.to_string())]).await;
            }
            End::Failed(None, not_known(docker))
        }
        ObserveError::Password(password) => {
            let chain = std::error::Error::source(password).map(|s| format!(": {s}")).unwrap_or_default();
            let message = format!("{password}{chain}");
            End::Failed(None, Failure::unknown("CredentialsUnreadable", message))
        }
    }
}
