//! Observation of a PostgreSQL: what its container tells, and the server by a login. Reads only; what is dear to read
//! is read only when a decision needs it.

mod contents;
mod data;
mod image;
mod initialisation;
pub mod inspect;
mod placement;
mod server;
mod wal;

pub use data::{Found, data, left_clean, left_over};
pub use server::again;

use super::collation::Columns;
use super::facts::below;
use super::parameters;
use super::plan::{Subject, astray, image_to_run, plan, trial_due};
use super::tools::Tools;
use super::trial::Verdict;
use super::wal::Health;
use super::world::{DataSeen, InitSeen, Pending, Placement, Server, World};
use crate::core::digest::sha256;
use crate::core::seen::{ContainerState, EngineInfo, SeenContainer, Slot};
use crate::core::will::Wanted;
use crate::docker::{Docker, DockerError};
use crate::workload::Action;
use crate::workload::observe::{self, Intent, LOG_LINES, ObserveError, gives_up, unless_away};
use crate::workload::plan as work;
use initialisation::initialisation;
use jiff::Timestamp;
use placement::placement;
use server::{columns, server};
use std::collections::BTreeMap;

/// Bytes of a collector's file that are read; the one of a server that dies at start is small.
const COLLECTED: usize = 1 << 20;

/// Looks at everything that the plan for `subject` depends on.
///
/// # Errors
/// When the engine or the store could not be asked; then nothing is known.
pub async fn observe(
    tools: &Tools,
    subject: &Subject<'_>,
    engine: &EngineInfo,
    intent: Intent,
) -> Result<World, ObserveError> {
    let case = subject.work();
    let known = &subject.memory.system_identifier;
    let accepted = known.is_some() && subject.spec.accept_cluster == *known;
    let mut world = World {
        work: observe::observe(&tools.work, &case, engine, intent, accepted).await?,
        data: DataSeen::NotLooked,
        declared: tools.work.declared(&case, subject.spec.password.as_ref()).await?,
        pending: Pending::No,
        due: case.due(Timestamp::now(), subject.spec.schedule.as_ref()),
        server: Server::NotRunning,
        health: Health::NotYet,
        monitor_refused: false,
        file_sha256: None,
        init: InitSeen::NotLooked,
        placement: Placement::NotLooked,
        system_identifier: None,
        data_catalog: None,
        left_clean: None,
        columns: Columns::NotAsked,
        trials: BTreeMap::new(),
    };
    world.trials = trials(tools, subject, &world);
    let Slot::Ours(c) = world.work.container.clone() else {
        return Ok(world);
    };
    details(tools, subject, &c, &mut world).await?;
    if let Server::Up(facts) = &world.server {
        (world.health, world.monitor_refused) = match intent {
            Intent::Act => wal::in_pass(tools, subject, &c.glance(), facts).await,
            _ => (wal::known(tools, subject, &c.glance()), false),
        };
    }
    deaths(tools, subject, &c, &mut world).await?;
    if let (Some(image), Wanted::Running) = (world.work.image.fit(), case.wanted()) {
        world.init = initialisation(tools, subject, image, &c, &world).await?;
    }
    look_at_placement(tools, subject, &c, &mut world).await?;
    // What is wanted may be gone, and then what is in use, which would have its place.
    for _ in 0..2 {
        let planned = plan(subject, &world);
        let Some(successor) = work::successor(&planned, &subject.identity.container()) else { break };
        if !observe::successor(&tools.work, &case, engine, successor, &mut world.work).await {
            break;
        }
        world.trials = trials(tools, subject, &world);
    }
    if intent == Intent::Act {
        tools.remember_answer(&subject.identity.object, world.server.clone());
    }
    Ok(world)
}

/// How the trials ended that are due and were held already.
fn trials(tools: &Tools, subject: &Subject<'_>, world: &World) -> BTreeMap<String, Verdict> {
    let images = world.work.image.fit().into_iter().chain(&world.work.pinned);
    let due = images.filter_map(|image| Some((image.work.id.clone(), trial_due(subject, world, image)?.key)));
    due.filter_map(|(image, key)| Some((image, tools.trial(&key)?))).collect()
}

/// Once for each start of a server and each change of its tablespaces, and anew before a container goes: a link can be
/// made at any time.
async fn look_at_placement(
    tools: &Tools,
    subject: &Subject<'_>,
    c: &SeenContainer,
    world: &mut World,
) -> Result<(), ObserveError> {
    let object = &subject.identity.object;
    let tablespaces = match &world.server {
        Server::Up(facts) => facts.tablespaces.as_str(),
        _ => "",
    };
    let epoch = format!("{} {} {tablespaces}", c.id, c.started_at);
    let data_directory = match &world.server {
        Server::Up(facts) => {
            if let Some(known) = tools.known_placement(object, &epoch) {
                world.placement = known;
            }
            Some(facts.data_directory.clone())
        }
        _ => c.env.get("PGDATA").map(str::to_owned),
    };
    let Some(data_directory) = data_directory.filter(|_| !c.started_at.is_empty()) else { return Ok(()) };
    let goes =
        |world: &World| work::has(&plan(subject, world), |a| matches!(a, Action::RemoveContainer { .. }));
    // What was astray may have been put right.
    let unknown = matches!(world.server, Server::Up(_))
        && (world.placement == Placement::NotLooked || astray(subject, world, c).is_some());
    let goes = goes(world);
    if unknown || goes {
        // A list costs the engine a process of its own. What a container leaves behind is not taken on trust.
        let none = matches!(&world.server, Server::Up(facts) if facts.tablespaces.is_empty()) && !goes;
        world.placement = placement(tools.work.docker.as_ref(), c, &data_directory, none).await?;
        tools.remember_placement(object, epoch, world.placement.clone());
    }
    Ok(())
}

/// Before a switch to an image that sorts text otherwise, and after one until nothing is left to build again.
/// Not where the answer changes nothing: it is agreed to, or a database forbids it already.
fn asks_columns(subject: &Subject<'_>, world: &World, c: &SeenContainer) -> bool {
    let memory = subject.memory;
    let switches = match (world.work.image.fit(), &memory.libraries) {
        (Some(image), Some(old)) if image.work.id != c.image_id => {
            let by_databases = old.changed(&image.libraries, memory.collation_providers.as_deref());
            by_databases.is_none() && old.changed(&image.libraries, None).is_some()
        }
        _ => false,
    };
    let switches = switches && !subject.spec.accept_collation_change;
    switches || memory.order_changed
}

/// How often it died since it last answered, and with which files.
async fn deaths(
    tools: &Tools,
    subject: &Subject<'_>,
    c: &SeenContainer,
    world: &mut World,
) -> Result<(), ObserveError> {
    let answers = matches!(world.server, Server::Up(_));
    let closed = matches!(world.server, Server::Refused(_));
    observe::deaths(&tools.work, &subject.work(), c, &mut world.work, answers, closed).await?;
    // Reading a file of a container is dear: not of one that is only starting.
    let starts = matches!(world.server, Server::NotRunning | Server::Starting(_) | Server::Refused(_));
    if c.state == ContainerState::Running && !answers && (gives_up(&world.work) || !starts) {
        world.file_sha256 = file_sha256(tools, c).await?;
    }
    if let Some(image) = image_to_run(subject, world) {
        let pgdata = image.pgdata.clone();
        collected(tools.work.docker.as_ref(), c, &pgdata, &mut world.work.log_tail).await?;
    }
    Ok(())
}

/// A logging collector has the last words of a server in a file of its own, named in `current_logfiles`
/// (PostgreSQL docs, "Error Reporting and Logging").
async fn collected(
    docker: &dyn Docker,
    c: &SeenContainer,
    pgdata: &str,
    tail: &mut Vec<String>,
) -> Result<(), DockerError> {
    if !tail.iter().any(|line| line.contains("logging collector")) {
        return Ok(());
    }
    let read = async |path: &str, most: usize| match docker.get_file(&c.id, path, most).await {
        Err(DockerError::Refused { status, .. }) if status < 500 => Ok(None),
        answer => answer,
    };
    let Some(list) = read(&format!("{pgdata}/current_logfiles"), 4096).await? else { return Ok(()) };
    let list = String::from_utf8_lossy(&list).into_owned();
    let Some((_, file)) = list.lines().find_map(|line| line.split_once(' ')) else { return Ok(()) };
    let path = if file.starts_with('/') { file.to_owned() } else { format!("{pgdata}/{file}") };
    let Some(text) = read(&path, COLLECTED).await? else { return Ok(()) };
    let text = String::from_utf8_lossy(&text).into_owned();
    let mut lines: Vec<String> = text.lines().rev().take(LOG_LINES).map(parameters::log_line).collect();
    lines.reverse();
    if !lines.is_empty() {
        *tail = lines;
    }
    Ok(())
}

async fn file_sha256(tools: &Tools, c: &SeenContainer) -> Result<Option<String>, DockerError> {
    let file = tools.work.docker.get_file(&c.id, parameters::PATH, 1 << 20).await?;
    Ok(file.map(|bytes| sha256(&bytes)))
}

/// What a container of ours tells by its state: the server when it runs, the log when it died.
async fn details(
    tools: &Tools,
    subject: &Subject<'_>,
    c: &SeenContainer,
    world: &mut World,
) -> Result<(), ObserveError> {
    let memory = subject.memory;
    let wanted = subject.work().wanted();
    if c.state == ContainerState::Running && wanted == Wanted::Running {
        (world.server, world.pending) = server(tools, subject, &c.glance()).await?;
        // It may be a server of other data, which nobody is to set a password of.
        if matches!(world.server, Server::LoginRefused(_))
            && let (Some(_), Some(image)) = (&memory.system_identifier, image_to_run(subject, world))
        {
            let docker = tools.work.docker.as_ref();
            let found = data(docker, &c.id, &image.work.mount_path, Some(&image.pgdata)).await;
            world.system_identifier = unless_away(found)?.and_then(|found| found.system_identifier);
        }
        if matches!(world.server, Server::Up(_)) && asks_columns(subject, world, c) {
            world.columns = columns(tools, subject, &c.glance(), world.pending).await?;
        }
        observe::usage(&tools.work, &subject.work(), c, &mut world.work).await?;
        return Ok(());
    }
    if wanted == Wanted::Stopped && !c.state.is_up() && c.exit_code.is_some_and(|code| code != 0) {
        world.left_clean = left_clean(tools.work.docker.as_ref(), c).await?;
    }
    if wanted != Wanted::Running {
        return Ok(());
    }
    let Some(image) = image_to_run(subject, world).cloned() else { return Ok(()) };
    // A container that was made and not yet started may have been given another volume than the last one.
    let returned = memory.work.ever_ready && c.state == ContainerState::Created;
    if !matches!(c.state, ContainerState::Running | ContainerState::Removing)
        && (memory.must_look_at_volume() || returned)
    {
        let docker = tools.work.docker.as_ref();
        let found = data(docker, &c.id, &image.work.mount_path, Some(&image.pgdata)).await?;
        world.data_catalog = found.as_ref().and_then(|f| f.catalog);
        world.system_identifier = found.as_ref().and_then(|f| f.system_identifier.clone());
        world.data = match found {
            None => DataSeen::Empty,
            Some(found) if found.directory == image.pgdata => DataSeen::Major(found.major),
            Some(Found { major, directory, .. }) => DataSeen::Elsewhere {
                major,
                path: below(&directory, &image.work.mount_path).unwrap_or(directory),
            },
        };
    }
    if matches!(c.state, ContainerState::Exited | ContainerState::Dead | ContainerState::Restarting) {
        world.work.log_tail = unless_away(tools.work.docker.logs(&c.id, LOG_LINES).await)?;
        world.file_sha256 = unless_away(file_sha256(tools, c).await)?;
    }
    Ok(())
}
