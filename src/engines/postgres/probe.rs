//! Observation: reads from Docker and from the server, nothing else. What is dear to read is read
//! only when a decision needs it.
//!
//! The one exception to "nothing else" is in `probe/image.rs`: looking into an image takes a throw-away
//! container.

mod data;
mod image;
mod initialisation;
mod objects;
mod placement;
mod ports;
mod server;

pub use data::{Found, data, left_clean};
pub use server::again;

use super::action::Action;
use super::collation::Columns;
use super::facts::{ImageFacts, below};
use super::parameters;
use super::plan::{SILENT, Subject, astray, image_to_run, plan, successor, trial_due};
use super::record::Memory;
use super::rollout::Rollout;
use super::tools::{PasswordError, Tools};
use super::trial::Verdict;
use super::world::{DataSeen, Deaths, ImageSeen, ImageStarts, InitSeen, Placement, Server, World};
use crate::core::seen::{ContainerState, EngineInfo, SeenContainer, Slot};
use crate::core::will::Wanted;
use crate::docker::{Docker, DockerError};
use image::Unseen;
use initialisation::initialisation;
use objects::{container, extra_volumes, network, others, volume};
use placement::placement;
use ports::ports;
use server::{columns, server};
use std::collections::BTreeMap;
use std::time::Duration;

/// Bytes of a collector's file that are read; the one of a server that dies at start is small.
const COLLECTED: usize = 1 << 20;
/// Lines of a dead server's log that go into a condition.
const LOG_LINES: usize = 6;

/// Why nothing could be seen.
#[derive(Debug, thiserror::Error)]
pub enum ObserveError {
    #[error(transparent)]
    Docker(#[from] DockerError),
    #[error(transparent)]
    Password(#[from] PasswordError),
}

/// Who looks: a pass that will act leases the free port it sees, a mere view does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    Act,
    View,
}

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
    let (id, memory) = (subject.identity, subject.memory);
    let password_sealed = tools.password(&id.object)?.is_some();
    let image = async {
        match subject.wanted() {
            Wanted::Running | Wanted::Stopped => image::wanted(tools, subject, engine).await,
            Wanted::Retained | Wanted::Deleted => ImageSeen::Missing,
        }
    };
    // Side by side where one does not depend on the other: a busy engine answers each after a while.
    let (container, mut image) = tokio::join!(container(tools, id, memory), image);
    let (container, misnamed) = container?;
    if let Slot::Ours(c) = &container {
        image = image::still_local(tools, subject, engine, c, image).await;
    }
    let mut pinned = image::pinned(tools, subject, engine, container.ours(), &image).await;
    without_old_commands(memory, &mut image, &mut pinned);
    let (volume, network) =
        tokio::join!(volume(tools, subject, &container), network(tools, id, container.ours()));
    let mut world = World {
        engine: engine.clone(),
        container,
        misnamed,
        volume: volume?,
        network: network?,
        image,
        data: DataSeen::NotLooked,
        server: Server::NotRunning,
        usage: None,
        log_tail: Vec::new(),
        file_sha256: None,
        free_port: None,
        port_holder: None,
        port_taken: None,
        port_kept: false,
        password_sealed,
        image_starts: ImageStarts::default(),
        init: InitSeen::NotLooked,
        placement: Placement::NotLooked,
        extra_volumes: BTreeMap::new(),
        duplicates: Vec::new(),
        sharers: Vec::new(),
        system_identifier: None,
        pinned,
        data_catalog: None,
        left_clean: None,
        columns: Columns::NotAsked,
        trials: BTreeMap::new(),
        deaths: Deaths::default(),
        silent: Duration::ZERO,
        room: None,
        rollout: Rollout::default(),
        fallback: None,
        unseen_successor: None,
    };
    world.trials = trials(tools, subject, &world);
    starts(tools, subject, intent, &mut world);
    others(tools, subject, &mut world).await?;
    ports(tools, subject, intent, &mut world).await?;
    if let Slot::Ours(c) = world.container.clone() {
        details(tools, subject, &c, &mut world).await?;
        deaths(tools, subject, &c, &mut world).await?;
        let mount = c.mounts.iter().find(|mount| mount.volume == id.volume());
        let inside = mount.filter(|_| c.state == ContainerState::Running);
        let inside = inside.map(|mount| (c.id.as_str(), mount.path.as_str()));
        let room = tools.room(&id.object, &id.volume(), inside).await;
        world.room = room.map(|(space, room, _)| (space, room));
        if let (ImageSeen::Fit(image), Wanted::Running) = (&world.image, subject.wanted()) {
            world.init = initialisation(tools, subject, image, &c, &world).await?;
        }
    }
    world.extra_volumes = extra_volumes(tools, id, memory, &world.container).await?;
    if let Slot::Ours(c) = world.container.clone() {
        look_at_placement(tools, subject, &c, &mut world).await?;
        look_at_successor(tools, subject, engine, &c, &mut world).await;
    }
    Ok(world)
}

/// The image that a container is made from in the place of another, where one is planned: seen to be local before the
/// other is stopped for it. One that is gone is one that is not local, with what follows from that.
async fn look_at_successor(
    tools: &Tools,
    subject: &Subject<'_>,
    engine: &EngineInfo,
    c: &SeenContainer,
    world: &mut World,
) {
    // What is wanted may be gone, and then what is in use, which would have its place.
    for _ in 0..2 {
        let planned = plan(subject, world);
        let Some(successor) = successor(&planned) else { return };
        match image::unseen(tools, successor).await {
            None => return,
            Some(Unseen::Unknown(words)) => {
                world.unseen_successor = Some(words);
                return;
            }
            Some(Unseen::Gone) => {
                world.image = image::wanted(tools, subject, engine).await;
                world.pinned = image::pinned(tools, subject, engine, Some(c), &world.image).await;
                without_old_commands(subject.memory, &mut world.image, &mut world.pinned);
                world.trials = trials(tools, subject, world);
            }
        }
    }
}

/// An image that was taken up before its command was kept goes on without.
fn without_old_commands(memory: &Memory, image: &mut ImageSeen, pinned: &mut Option<ImageFacts>) {
    let wanted = match image {
        ImageSeen::Fit(image) => Some(image),
        _ => None,
    };
    for image in wanted.into_iter().chain(pinned.as_mut()).filter(|i| !memory.keeps_command_of(&i.id)) {
        image.cmd.clear();
    }
}

/// How the trials ended that are due and were held already.
fn trials(tools: &Tools, subject: &Subject<'_>, world: &World) -> BTreeMap<String, Verdict> {
    let wanted = match &world.image {
        ImageSeen::Fit(image) => Some(image),
        _ => None,
    };
    let images = wanted.into_iter().chain(&world.pinned);
    let due = images.filter_map(|image| Some((image.id.clone(), trial_due(subject, world, image)?.key)));
    due.filter_map(|(image, key)| Some((image, tools.trial(&key)?))).collect()
}

/// How the image starts is needed before the first Ready only; who has to prove it by a restart says so
/// to the others.
fn starts(tools: &Tools, subject: &Subject<'_>, intent: Intent, world: &mut World) {
    let (memory, object) = (subject.memory, &subject.identity.object);
    let ImageSeen::Fit(image) = &world.image else { return };
    if memory.ever_ready && memory.first_start.is_none() {
        return;
    }
    let profile = memory.profile();
    if intent == Intent::Act && memory.first_start.is_some() && !subject.spec.paused {
        tools.claim_proof(&image.id, profile, object);
    }
    world.image_starts = tools.image_starts(&image.id, profile, object);
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
    let goes = |world: &World| {
        plan(subject, world).steps.iter().any(|s| matches!(s.action, Action::RemoveContainer { .. }))
    };
    // What was astray may have been put right.
    let unknown = matches!(world.server, Server::Up(_))
        && (world.placement == Placement::NotLooked || astray(subject, world, c).is_some());
    if unknown || goes(world) {
        world.placement = placement(tools.docker.as_ref(), c, &data_directory).await?;
        tools.remember_placement(object, epoch, world.placement.clone());
    }
    Ok(())
}

/// Before a switch to an image that sorts text otherwise, and after one until nothing is left to build again.
/// Not where the answer changes nothing: it is agreed to, or a database forbids it already.
fn asks_columns(subject: &Subject<'_>, world: &World, c: &SeenContainer) -> bool {
    let memory = subject.memory;
    let switches = match (&world.image, &memory.libraries) {
        (ImageSeen::Fit(image), Some(old)) if image.id != c.image_id => {
            let by_databases = old.changed(&image.libraries, memory.collation_providers.as_deref());
            by_databases.is_none() && old.changed(&image.libraries, None).is_some()
        }
        _ => false,
    };
    let switches = switches && !subject.spec.accept_collation_change;
    switches || memory.order_changed
}

/// How often it died since it last answered. While it is between two deaths, its log tells why.
async fn deaths(
    tools: &Tools,
    subject: &Subject<'_>,
    c: &SeenContainer,
    world: &mut World,
) -> Result<(), ObserveError> {
    let answers = matches!(world.server, Server::Up(_));
    world.deaths = tools.count_deaths(&subject.identity.object, c, answers);
    let listens = c.state != ContainerState::Running || !matches!(world.server, Server::Refused(_));
    let epoch = format!("{} {}", c.id, c.started_at);
    world.silent = tools.silent_for(&subject.identity.object, epoch, !listens);
    let between = c.state == ContainerState::Running && world.deaths.count >= Deaths::LOOP;
    if between && !answers && subject.wanted() == Wanted::Running {
        world.log_tail = unless_away(tools.docker.logs(&c.id, LOG_LINES).await)?;
    }
    // Reading a file of a container is dear: not of one that is only starting.
    let starts = matches!(world.server, Server::NotRunning | Server::Starting(_) | Server::Refused(_));
    let gives_up = world.deaths.count >= Deaths::LOOP || world.silent >= SILENT;
    let may_differ = c.state == ContainerState::Running && !answers && (gives_up || !starts);
    if may_differ {
        world.file_sha256 = file_sha256(tools, c).await?;
    }
    if !answers
        && gives_up
        && let Some(proven) = subject.memory.proven_image.as_ref().filter(|id| **id != c.image_id)
    {
        // While the engine does not tell, there is none to go back to: the one that is there stays.
        world.fallback = tools.docker.image(proven).await.ok().flatten().map(|image| image.id);
    }
    if let Some(image) = image_to_run(subject, world) {
        let pgdata = image.pgdata.clone();
        collected(tools.docker.as_ref(), c, &pgdata, &mut world.log_tail).await?;
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
    let file = tools.docker.get_file(&c.id, parameters::PATH, 1 << 20).await?;
    Ok(file.map(|bytes| parameters::sha256(&bytes)))
}

/// What a container of ours tells by its state: the server when it runs, the log when it died.
async fn details(
    tools: &Tools,
    subject: &Subject<'_>,
    c: &SeenContainer,
    world: &mut World,
) -> Result<(), ObserveError> {
    let (spec, memory) = (subject.spec, subject.memory);
    let wanted = subject.wanted();
    if c.state == ContainerState::Running && wanted == Wanted::Running {
        world.server = server(tools, subject, &c.glance()).await?;
        if matches!(world.server, Server::Up(_)) && asks_columns(subject, world, c) {
            world.columns = columns(tools, subject, &c.glance()).await?;
        }
        let lowered = spec.caps.memory.is_some_and(|new| c.caps.memory.is_none_or(|old| new < old));
        if lowered && !world.engine.lacks.memory_limit {
            world.usage = unless_away(tools.docker.usage(&c.id).await)?;
        }
        return Ok(());
    }
    if wanted == Wanted::Stopped && !c.state.is_up() && c.exit_code.is_some_and(|code| code != 0) {
        world.left_clean = left_clean(tools.docker.as_ref(), c).await?;
    }
    if wanted != Wanted::Running {
        return Ok(());
    }
    let Some(image) = image_to_run(subject, world).cloned() else { return Ok(()) };
    // A container that was made and not yet started may have been given another volume than the last one.
    let returned = memory.ever_ready && c.state == ContainerState::Created;
    if !matches!(c.state, ContainerState::Running | ContainerState::Removing)
        && (memory.must_look_at_volume() || returned)
    {
        let docker = tools.docker.as_ref();
        let found = data(docker, &c.id, &image.mount_path, Some(&image.pgdata)).await?;
        world.data_catalog = found.as_ref().and_then(|f| f.catalog);
        world.system_identifier = found.as_ref().and_then(|f| f.system_identifier.clone());
        world.data = match found {
            None => DataSeen::Empty,
            Some(found) if found.directory == image.pgdata => DataSeen::Major(found.major),
            Some(Found { major, directory, .. }) => {
                DataSeen::Elsewhere { major, path: below(&directory, &image.mount_path).unwrap_or(directory) }
            }
        };
    }
    if matches!(c.state, ContainerState::Exited | ContainerState::Dead | ContainerState::Restarting) {
        world.log_tail = unless_away(tools.docker.logs(&c.id, LOG_LINES).await)?;
        world.file_sha256 = unless_away(file_sha256(tools, c).await)?;
    }
    Ok(())
}

/// What only says more: a refusal is nothing said, and ends no look.
fn unless_away<T: Default>(answer: Result<T, DockerError>) -> Result<T, DockerError> {
    match answer {
        Err(error) if !error.is_unavailable() => Ok(T::default()),
        answer => answer,
    }
}
