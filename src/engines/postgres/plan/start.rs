//! A container that should run, by the state it is in: started, given its files, waited for. Must never
//! change what the container is.

use super::live::live;
use super::parameter_file::{file_in_force, upload};
use super::server::server;
use super::{Plan, Subject};
use crate::core::identity::Identity;
use crate::core::plan::Sign;
use crate::core::seen::{ContainerState, SeenContainer, Slot};
use crate::engines::postgres::action::Action;
use crate::engines::postgres::facts::ImageFacts;
use crate::engines::postgres::parameters::{self, is_of_session};
use crate::engines::postgres::world::{Deaths, Server, World};

/// What the state that a container is in asks for.
pub(super) fn by_state(
    subject: &Subject<'_>,
    world: &World,
    image: &ImageFacts,
    c: &SeenContainer,
    plan: &mut Plan,
) {
    let name = subject.identity.container();
    let wanted_sha = parameters::sha256(file_in_force(subject, world, image).as_bytes());
    let file_differs = world.file_sha256.as_ref() != Some(&wanted_sha);
    match c.state {
        ContainerState::Created => {
            plan.step(Sign::Change, upload(subject, world, image, &name), "before the first start");
            let why = if c.error.is_empty() { "never started".to_owned() } else { stopped_cause(c) };
            plan.step(Sign::Change, Action::StartContainer(name), why);
        }
        ContainerState::Exited | ContainerState::Dead => {
            if file_differs {
                plan.step(Sign::Change, upload(subject, world, image, &name), "parameters differ");
            }
            plan.step(Sign::Change, Action::StartContainer(name), stopped_cause(c));
        }
        ContainerState::Restarting if file_differs => {
            plan.step(Sign::Change, Action::StopContainer(name.clone()), "parameters differ");
            plan.step(Sign::Change, upload(subject, world, image, &name), "parameters differ");
            plan.step(Sign::Change, Action::StartContainer(name), "parameters differ");
        }
        ContainerState::Restarting => {
            crash_loop(subject, world, c, plan);
        }
        // Nobody who is connected loses more than the time: `docker commit` pauses, too.
        ContainerState::Paused => {
            plan.step(Sign::Change, Action::UnpauseContainer(name), "container paused by hand");
        }
        // Between two deaths.
        ContainerState::Running
            if world.deaths.count >= Deaths::LOOP
                && matches!(world.server, Server::NotRunning | Server::Starting(_) | Server::Refused(_)) =>
        {
            crash_loop(subject, world, c, plan);
        }
        ContainerState::Running | ContainerState::Removing => server(subject, world, image, c, plan),
    }
}

/// A restart of the server: the step's cause is the reason that users are told.
pub(super) fn restart(id: &Identity, why: &str, plan: &mut Plan) {
    let action = Action::RestartServer { container: id.container(), why: why.to_owned() };
    plan.step(Sign::Change, action, why);
}

/// What is there goes on serving while a change of what it is is not possible: it keeps its name, its
/// caps, its network, and is started and restarted.
pub(super) fn keep_serving(subject: &Subject<'_>, world: &World, plan: &mut Plan) {
    let (id, memory) = (subject.identity, subject.memory);
    let Slot::Ours(c) = &world.container else {
        misnamed(subject, world, plan);
        return;
    };
    if c.state != ContainerState::Removing && world.network.ours().is_some() {
        live(subject, world, c, plan);
    }
    match c.state {
        // Also the one that was stopped for another, of which nothing has come yet.
        ContainerState::Exited | ContainerState::Dead
            if memory.ever_ready
                && (memory.image.as_ref().is_some_and(|pinned| pinned.id == c.image_id)
                    || memory.proven_image.as_ref() == Some(&c.image_id)) =>
        {
            plan.step(Sign::Change, Action::StartContainer(id.container()), stopped_cause(c));
        }
        ContainerState::Paused => {
            let action = Action::UnpauseContainer(id.container());
            plan.step(Sign::Change, action, "container paused by hand");
        }
        ContainerState::Running if subject.restart_due() => {
            restart(id, "asked for by `seawall restart`", plan);
        }
        _ => {}
    }
}

/// Our container, under another name: it gets ours back. True when there is one.
pub(super) fn misnamed(subject: &Subject<'_>, world: &World, plan: &mut Plan) -> bool {
    let Some((container, from)) = world.misnamed.first() else { return false };
    let to = subject.identity.container();
    let action = Action::RenameContainer { id: container.clone(), from: from.clone(), to };
    plan.step(Sign::Change, action, format!("our container is called {from}"));
    true
}

fn stopped_cause(c: &SeenContainer) -> String {
    let how = match c.exit_code {
        _ if c.oom_killed => "out of memory".to_owned(),
        // The engine forgets the code at the next start.
        None => "died, and was started again before its exit code was seen".to_owned(),
        Some(135) => "ended by a bus error (exit code 135): shared memory or the disk gave out".to_owned(),
        Some(137) => "killed (exit code 137)".to_owned(),
        Some(139) => "ended by a segmentation fault (exit code 139)".to_owned(),
        Some(code) => format!("exited with code {code}"),
    };
    if c.error.is_empty() {
        format!("container {how}")
    } else {
        format!("container could not start: {}", c.error)
    }
}

fn crash_loop(subject: &Subject<'_>, world: &World, c: &SeenContainer, plan: &mut Plan) {
    let on = if c.oom_killed { "OutOfMemory" } else { "CrashLoop" };
    let often = match &world.deaths {
        Deaths { count: 0, .. } => String::new(),
        Deaths { count, since } => format!(" ({count} times since {since})"),
    };
    let words = crash_words(subject, world, c);
    // Soon, until it is a loop: then the way back is due.
    let again = if world.deaths.count < Deaths::LOOP { 500 } else { 5_000 };
    plan.stuck(on, format!("the server dies at start{often}: {words}"), again);
}

/// Why a server dies, as far as container and log tell.
pub(super) fn crash_words(subject: &Subject<'_>, world: &World, c: &SeenContainer) -> String {
    let how = match c.exit_code {
        _ if c.oom_killed => Some(out_of_memory(subject, c)),
        // PostgreSQL's own end: its words say it.
        Some(0 | 1) | None => None,
        Some(_) => Some(stopped_cause(c)),
    };
    let words = telling(&world.log_tail);
    // Without such words it ended in silence, and the last line may be of a life before.
    let how = how.or_else(|| words.filter(|line| !grave(line)).map(|_| stopped_cause(c)));
    match (how, words) {
        (Some(how), Some(words)) => format!("{how}; its last words: {words}"),
        (Some(how), None) => how,
        (None, Some(words)) => words.clone(),
        (None, None) => stopped_cause(c),
    }
}

/// The cap, and what was asked for.
fn out_of_memory(subject: &Subject<'_>, c: &SeenContainer) -> String {
    const TAKES: [&str; 4] = ["shared_buffers", "max_connections", "huge_pages", "work_mem"];
    let asked: Vec<String> = TAKES
        .iter()
        .filter_map(|name| Some(format!("{name} = {}", subject.spec.parameters.get(*name)?)))
        .collect();
    let asked =
        if asked.is_empty() { String::new() } else { format!(", the manifest sets {}", asked.join(", ")) };
    match c.caps.memory {
        Some(cap) => format!("killed for want of memory: the cap is {cap}{asked}"),
        None => format!("killed for want of memory, without a cap: the host had none left{asked}"),
    }
}

/// The line of a dead server's log that says most: its last fatal one, else the last.
fn telling(log: &[String]) -> Option<&String> {
    log.iter().rev().find(|line| grave(line)).or_else(|| log.last())
}

fn grave(line: &str) -> bool {
    ["PANIC:", "FATAL:", "ERROR:"].iter().any(|word| line.contains(word)) && !is_of_session(line)
}
