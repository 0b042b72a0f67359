//! One pass for one object: observe, plan, apply one step at a time, look again, say what was seen.

mod report;
mod steps;

use super::objects::Record;
use super::operator::{Operator, now};
use super::pulls::{Pulled, pull};
use super::will::Will;
use crate::core::condition::{ConditionType, Finding, Truth, find};
use crate::core::event::Note;
use crate::core::failure::{Failure, Retry};
use crate::core::names::ObjectRef;
use crate::core::seen::{ContainerState, SeenContainer};
use crate::docker::DockerError;
use crate::kinds::postgres::act::{Scene, ask_again};
use crate::kinds::postgres::action::Action;
use crate::kinds::postgres::check::Checked;
use crate::kinds::postgres::collation::Columns;
use crate::kinds::postgres::conditions;
use crate::kinds::postgres::desired::parameter_file;
use crate::kinds::postgres::facts::below;
use crate::kinds::postgres::parameters;
use crate::kinds::postgres::plan::{Plan, Subject, image_to_run, plan};
use crate::kinds::postgres::probe::observe;
use crate::kinds::postgres::world::{InitSeen, Server, World};
use crate::store::Saving;
use crate::workload::Action as Work;
use crate::workload::act as work;
use crate::workload::hardening::Profile;
use crate::workload::observe::{Intent, ObserveError};
use crate::workload::plan::{another_port, successor};
use report::{failed, outlook, rest};
use std::sync::{Arc, OnceLock};
use steps::{StepsEnd, run_steps, unavailable};
use tokio_util::sync::CancellationToken;

/// Plans made in one pass; a world that still moves after so many is looked at again later.
const ROUNDS: usize = 12;

/// Automatic ports lost to somebody else in one pass; after these the pass has failed.
const LOST_PORTS: usize = 5;

/// When to look again; `None`: an event, a probe or the sweep will wake us.
pub type Again = Option<u64>;

/// How one pass ended.
enum End {
    /// Nothing left that can be done now.
    Rest(Box<World>, Plan),
    /// The image is on its way; the end of the pull wakes the object.
    Pulling(Box<World>, Plan),
    /// A step failed, or nothing could be seen.
    Failed(Option<Box<World>>, Failure),
    Forgotten,
    /// Something newer cancels this pass at a step border.
    Stale,
    /// The world still moved after [`ROUNDS`].
    Moving,
}

/// Runs a pass. Errors end up in status and events, never here.
pub async fn pass(operator: &Arc<Operator>, object: &ObjectRef, cancel: &CancellationToken) -> Again {
    let record = operator.state().records.get(object).cloned()?;
    let Some(checked) = operator.state().checked.get(object).cloned() else {
        return invalid(operator, &record).await;
    };
    match rounds(operator, object, &checked, cancel).await {
        End::Stale => Some(0),
        End::Moving => Some(1_000),
        End::Forgotten => None,
        End::Rest(world, plan) => rest(operator, object, &checked, &world, &plan).await,
        End::Pulling(world, plan) => {
            rest(operator, object, &checked, &world, &plan).await;
            None
        }
        End::Failed(world, failure) => failed(operator, object, &checked, world, failure).await,
    }
}

/// The last good version cannot be used any more (the catalog lost its version, say).
async fn invalid(operator: &Operator, record: &Record) -> Again {
    let why = operator.state().kept.get(&record.object).cloned().unwrap_or_else(|| {
        "the manifest cannot be used with the present catalog; see `seawall validate`".to_owned()
    });
    let finding = Finding::new(ConditionType::Ready, Truth::Unknown, "Invalid", why);
    operator.write_status(&record.object, record.generation, &[finding], report::last).await;
    None
}

async fn rounds(
    operator: &Arc<Operator>,
    object: &ObjectRef,
    checked: &Arc<Checked>,
    cancel: &CancellationToken,
) -> End {
    let engine = match operator.engine().await {
        Ok(engine) => engine,
        Err(error) => {
            operator.engine_is_away(&error).await;
            return End::Failed(None, unavailable(operator, &error.to_string()));
        }
    };
    let mut before: Option<Plan> = None;
    let (mut lost_ports, mut port_taken, mut pull_failed) = (0, None, None);
    for _ in 0..ROUNDS {
        let Some(record) = operator.state().records.get(object).cloned() else { return End::Forgotten };
        if operator.state().checked.get(object) != Some(checked) {
            return End::Stale;
        }
        let will = Will::new(&record, checked);
        let identity = operator.identity(&record);
        let subject = record.subject(&identity, checked);
        let mut world = match observe(&operator.postgres, &subject, &engine, Intent::Act).await {
            Ok(world) => world,
            Err(error) => return not_seen(operator, object, &error).await,
        };
        world.work.rollout = operator.rollout(&record, checked, &world);
        super::attach::attach(operator, &world).await;
        note_restart(operator, object, &world).await;
        let record = match learn(operator, &record, checked, &world).await {
            Ok(record) => record,
            Err(failure) => return End::Failed(Some(Box::new(world)), failure),
        };
        // Learning takes what the record is by then: it may be wanted otherwise.
        if !will.is(&record, checked) {
            continue;
        }
        // What was learnt is a reason to look closer before anything is said.
        if record.memory.order_changed
            && matches!(world.server, Server::Up(_))
            && world.columns == Columns::NotAsked
        {
            continue;
        }
        let subject = Subject { memory: &record.memory, ..subject };
        if let Some(failure) = port_taken.take()
            && !another_port(&subject.work(), &world.work)
        {
            return End::Failed(Some(Box::new(world)), failure);
        }
        let mut plan = plan(&subject, &world);
        if !plan.steps.iter().any(|s| matches!(s.action, Action::Work(Work::PinImage { .. }))) {
            operator.stays(object);
        }
        let view = operator.tools.masked(object, plan.view(&object.to_string(), checked.work.paused));
        operator.live(object, |l| l.plan = Some(view));
        if plan.steps.is_empty() || checked.work.paused {
            return End::Rest(Box::new(world), plan);
        }
        if before.as_ref() == Some(&plan) {
            // The steps worked, and nothing came of them.
            let step = plan.steps.first().map(|s| format!("{}: {}", s.action, s.cause)).unwrap_or_default();
            let message = format!("done, and to be done again at once: {step}");
            return End::Failed(Some(Box::new(world)), Failure::new("NoProgress", message));
        }
        let wanted = plan.steps.iter().find_map(|s| match &s.action {
            Action::Work(Work::PullImage(reference)) => Some(reference.clone()),
            _ => None,
        });
        if let Some(reference) = wanted {
            // Beside the passes; what else there is to do does not wait for it.
            if pull_failed.is_none() {
                pull_failed = pull_failure(operator, object, &reference).await;
            }
            if plan.steps.len() == 1 {
                return match pull_failed {
                    None => End::Pulling(Box::new(world), plan),
                    Some(failure) => End::Failed(Some(Box::new(world)), failure),
                };
            }
            plan.steps.retain(|s| !matches!(s.action, Action::Work(Work::PullImage(_))));
        }
        say_before(operator, &subject, &world, &plan).await;
        let still = || operator.still(object, &will);
        let scene = Scene {
            tools: &operator.postgres,
            work: work::Scene {
                tools: &operator.tools,
                case: subject.work(),
                world: &world.work,
                now: now(),
                still: &still,
                made: OnceLock::new(),
                successor: successor(&plan),
                ask_again: ask_again(),
            },
            world: &world,
            image: image_to_run(&subject, &world),
        };
        match run_steps(operator, &record, &will, &scene, &plan, cancel).await {
            StepsEnd::Done => before = Some(plan),
            StepsEnd::Replan => {}
            StepsEnd::Forgotten => return End::Forgotten,
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
async fn say_before(operator: &Operator, subject: &Subject<'_>, world: &World, plan: &Plan) {
    let object = &subject.identity.object;
    let said_ready = {
        let state = operator.state();
        let conditions = state.statuses.get(object).map(|s| s.conditions.as_slice()).unwrap_or_default();
        find(conditions, ConditionType::Ready).is_some_and(|c| c.status == Truth::True)
    };
    let outlook = outlook(operator, object, None, 0);
    if said_ready && let Some(findings) = conditions::before_steps(subject, world, plan, &outlook) {
        report::write(operator, subject, world, &findings).await;
    }
}

/// The engine counts its own restarts; one more than last seen means that the server died meanwhile.
/// The count grows before the next start, so that the first look sees it, restarted already or not.
async fn note_restart(operator: &Operator, object: &ObjectRef, world: &World) {
    let Some(c) = world.work.container.ours() else { return };
    let died = operator.live(object, |l| {
        let last = l.container.as_mut().filter(|last| last.id == c.id)?;
        let died = c.restart_count > last.restart_count;
        last.restart_count = c.restart_count;
        died.then_some(())
    });
    if died.is_some() {
        let code = c.exit_code.filter(|_| c.state == ContainerState::Restarting);
        let code = code.map(|code| format!(" with exit code {code}")).unwrap_or_default();
        // The same words each time: events are counted.
        let words = format!("the container died{code} and the engine restarts it");
        operator.note(Some(object), &[Note::warning("ContainerDied", words)]).await;
    }
}

/// One start of a container, and what it stands for.
struct Start {
    name: String,
    image: String,
    profile: Profile,
}

impl Start {
    fn of(c: &SeenContainer) -> Self {
        Self {
            name: format!("{} {}", c.id, c.started_at),
            image: c.image_id.clone(),
            profile: Profile::of_container(c),
        }
    }

    /// Whether another server of this image has already started again like this.
    fn is_known(&self, world: &World) -> bool {
        world.work.image.fit().is_some_and(|image| image.work.id == self.image)
            && world.work.image_starts.proven.contains(&self.profile)
    }
}

/// From the first look on a container is ours by its id: a record of before that was kept learns it, and one
/// whose process was killed between making a container and remembering it.
async fn known_container(
    operator: &Operator,
    record: &Arc<Record>,
    world: &World,
) -> Result<Arc<Record>, Failure> {
    let Some(c) = world.work.container.ours() else { return Ok(Arc::clone(record)) };
    if record.memory.work.container.as_ref() == Some(&c.id) {
        return Ok(Arc::clone(record));
    }
    match operator
        .edit(&record.object, Saving::MayWait, |r| r.memory.work.container = Some(c.id.clone()))
        .await
    {
        Ok(edited) => Ok(edited.unwrap_or_else(|| Arc::clone(record))),
        Err(error) => Err(Failure::new("StoreFailed", error.to_string())),
    }
}

/// What a Ready server teaches for good. It would teach it again, should it be lost with the disk full.
async fn learn(
    operator: &Operator,
    record: &Arc<Record>,
    checked: &Checked,
    world: &World,
) -> Result<Arc<Record>, Failure> {
    let record = &known_container(operator, record, world).await?;
    let Server::Up(facts) = &world.server else { return Ok(Arc::clone(record)) };
    // A server on half-made data teaches nothing.
    if matches!(world.init, InitSeen::Unfinished(_)) {
        return Ok(Arc::clone(record));
    }
    let identity = operator.identity(record);
    let runs = world.work.container.ours().map(|c| c.image_id.as_str());
    let image = image_to_run(&record.subject(&identity, checked), world)
        .filter(|image| Some(image.work.id.as_str()) == runs);
    let loaded = |text: &String| {
        facts.pending_restart.is_empty() && parameters::sha256(text.as_bytes()) == facts.parameters_sha256
    };
    // A reload takes over what a start may not survive.
    let only_reloaded = record.memory.reloaded_untried.is_some()
        && record.memory.reloaded_untried == world.work.container.ours().map(|c| c.started_at.clone());
    // Also the one that worked before, with another image.
    let proven = image
        .map(|image| parameter_file(&identity, checked, image))
        .filter(loaded)
        .or_else(|| record.memory.proven_parameters.clone().filter(loaded));
    let volume = identity.volume();
    let mount = world.work.container.ours().and_then(|c| c.mounts.iter().find(|m| m.volume == volume));
    let data_path = mount.and_then(|m| below(&facts.data_directory, &m.path));
    let start = world.work.container.ours().map(Start::of);
    let mut restarted = false;
    let libraries = match (world.work.image.fit(), world.work.container.ours()) {
        (Some(image), Some(c)) if c.image_id == image.work.id => Some(image.libraries.clone()),
        _ => None,
    };
    let edited = operator
        .edit(&record.object, Saving::MayWait, |r| {
            let memory = &mut r.memory;
            let was_ready = memory.work.ever_ready;
            let accepted = checked.accept_cluster.as_ref() == Some(&facts.system_identifier);
            let first = facts.database_exists && memory.system_identifier.is_none();
            if (accepted || first) && !facts.system_identifier.is_empty() {
                memory.system_identifier = Some(facts.system_identifier.clone());
            }
            // What another cluster has or runs with says nothing about this object's data.
            if !memory.same_cluster(&facts.system_identifier) {
                return;
            }
            if facts.database_exists {
                if let Some(start) = &start {
                    restarted = memory.work.saw_start(&start.name, start.is_known(world));
                }
                memory.work.ever_ready = true;
                memory.seen_databases.insert(checked.database.clone());
            }
            // Missing only when a crash came between the sealed password and this record.
            memory.init_username.get_or_insert_with(|| checked.username.clone());
            memory.init_database.get_or_insert_with(|| checked.database.clone());
            if memory.work.password_generation == 0 {
                memory.work.password_generation = 1;
                memory.work.password_rotated_at = now();
            }
            if let Some(libraries) = &libraries {
                // Of a database that ran before this was looked at nobody knows what its indexes were built with.
                memory.order_changed |=
                    memory.libraries.as_ref().map_or(was_ready, |old| old.changed(libraries, None).is_some());
                if memory.order_changed && world.columns.is_clean() && facts.collations.mismatched.is_empty()
                {
                    memory.order_changed = false;
                }
                memory.libraries = Some(libraries.clone());
                memory.collation_providers.clone_from(&facts.collations.providers);
            }
            memory.work.port_restarted = false;
            // From the server that runs, not from the image that the manifest names now.
            memory.data_major = facts.major().or(memory.data_major);
            if facts.database_exists && proven.is_some() {
                if only_reloaded {
                    let last = memory.started_parameters.take();
                    memory.started_parameters = last.or_else(|| memory.proven_parameters.clone());
                } else {
                    memory.started_parameters.clone_from(&proven);
                }
                memory.proven_parameters = proven;
                memory.work.proven_image = runs.map(str::to_owned);
                memory.work.proven_profile = start.as_ref().map(|start| start.profile);
            }
            memory.data_path = data_path.or(memory.data_path.take());
            memory.data_catalog = image.and_then(|image| image.catalog).or(memory.data_catalog);
            memory.work.volume_fresh = false;
        })
        .await;
    // From another image: the first one of an object is nothing that others wait for.
    if let (Some(old), Ok(Some(now))) = (&record.memory.work.proven_image, &edited)
        && now.memory.work.proven_image.as_ref() != Some(old)
    {
        operator.next_may_go(&record.object, checked);
    }
    if let Some(start) = start.filter(|_| restarted) {
        operator.tools.image_restarts(&start.image, start.profile).await;
    }
    match edited {
        Ok(edited) => Ok(edited.unwrap_or_else(|| Arc::clone(record))),
        Err(error) => Err(Failure::new("StoreFailed", error.to_string())),
    }
}

fn not_known(docker: &DockerError) -> Failure {
    let failure = Failure::unknown(docker.reason(), docker.to_string());
    match docker {
        DockerError::Forbidden { .. } => failure.again(Retry::After(30_000)),
        _ => failure,
    }
}

async fn not_seen(operator: &Operator, object: &ObjectRef, error: &ObserveError) -> End {
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
