//! A container that should run, by the state it is in: started, given its files, waited for. Must never
//! change what the container is.

use super::live::live;
use super::{Want, has, stop};
use crate::core::plan::{Plan, Sign};
use crate::core::seen::{ContainerState, SeenContainer, Slot};
use crate::workload::action::{Action, Step};
use crate::workload::world::Deaths;
use crate::workload::{Case, World};
use std::net::IpAddr;

/// What the state that a container is in asks for. True when its process runs and the rest is the kind's.
pub(super) fn by_state<A: Step, F>(
    case: &Case<'_>,
    world: &World<F>,
    want: &Want<'_, A>,
    c: &SeenContainer,
    plan: &mut Plan<A>,
) -> bool {
    let name = case.identity.container();
    let upload = || want.upload.clone();
    match c.state {
        ContainerState::Created => {
            plan.step(Sign::Change, upload(), "before the first start");
            let why = if c.error.is_empty() { "never started".to_owned() } else { stopped_cause(c) };
            plan.step(Sign::Change, Action::StartContainer(name), why);
        }
        ContainerState::Exited | ContainerState::Dead => {
            if want.files_differ {
                plan.step(Sign::Change, upload(), "parameters differ");
            }
            plan.step(Sign::Change, Action::StartContainer(name), stopped_cause(c));
        }
        ContainerState::Restarting if want.files_differ => {
            plan.step(Sign::Change, stop::<A>(case), "parameters differ");
            plan.step(Sign::Change, upload(), "parameters differ");
            plan.step(Sign::Change, Action::StartContainer(name), "parameters differ");
        }
        ContainerState::Restarting => crash_loop(world, want, c, plan),
        // Nobody who is connected loses more than the time: `docker commit` pauses, too.
        ContainerState::Paused => {
            plan.step(Sign::Change, Action::UnpauseContainer(name), "container paused by hand");
        }
        // Between two deaths.
        ContainerState::Running if world.deaths.count >= Deaths::LOOP && !want.answers => {
            crash_loop(world, want, c, plan);
        }
        ContainerState::Running | ContainerState::Removing => return published(case, c, plan),
    }
    false
}

/// Whether its port is published as it should be; if not, a restart helps.
fn published<A: Step>(case: &Case<'_>, c: &SeenContainer, plan: &mut Plan<A>) -> bool {
    let connected = c.endpoint(&case.identity.network()).is_some();
    if connected && !c.port_bindings.is_empty() && c.published.is_empty() {
        restart(case, "the port is not published although it should be", plan);
        return false;
    }
    true
}

/// The restart that a user asked for, unless there is one already.
pub fn asked_restart<A: Step>(case: &Case<'_>, c: &SeenContainer, plan: &mut Plan<A>) {
    let restarts = |a: &Action| matches!(a, Action::RestartServer { .. });
    if case.restart_due() && c.state == ContainerState::Running && !has(plan, restarts) {
        restart(case, "asked for by `seawall restart`", plan);
    }
}

/// A restart of the server: the step's cause is the reason that users are told.
pub fn restart<A: Step>(case: &Case<'_>, why: &str, plan: &mut Plan<A>) {
    let action = Action::RestartServer { container: case.identity.container(), why: why.to_owned() };
    plan.step(Sign::Change, action, why);
}

/// The server answers on the network and not at its published port: one restart gives that a new process of the engine's.
pub fn port_silent<A: Step>(case: &Case<'_>, words: &str, plan: &mut Plan<A>) {
    if case.memory.port_restarted {
        let why = format!("{words}, and a restart did not help: see the log of the Docker engine");
        plan.stuck("PortSilent", why, 15_000);
    } else {
        restart(case, words, plan);
    }
}

/// The same in words; `error`: what the port said.
#[must_use]
pub fn silent_words(host: IpAddr, port: u16, error: &str) -> String {
    format!("the server answers on the network, and not at its published port {host}:{port}: {error}")
}

/// What is there goes on serving while a change of what it is is not possible: it keeps its name, its
/// caps, its network, and is started and restarted.
pub fn keep_serving<A: Step, F>(case: &Case<'_>, world: &World<F>, plan: &mut Plan<A>) {
    let (id, memory) = (case.identity, case.memory);
    let Slot::Ours(c) = &world.container else {
        misnamed(case, world, plan);
        return;
    };
    if c.state != ContainerState::Removing && world.network.ours().is_some() {
        live(case, world, c, plan);
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
        ContainerState::Running if case.restart_due() => {
            restart(case, "asked for by `seawall restart`", plan);
        }
        _ => {}
    }
}

/// Our container, under another name: it gets ours back. True when there is one.
pub(super) fn misnamed<A: Step, F>(case: &Case<'_>, world: &World<F>, plan: &mut Plan<A>) -> bool {
    let Some((container, from)) = world.misnamed.first() else { return false };
    let to = case.identity.container();
    let action = Action::RenameContainer { id: container.clone(), from: from.clone(), to };
    plan.step(Sign::Change, action, format!("our container is called {from}"));
    true
}

/// How a container ended, in words.
#[must_use]
pub fn stopped_cause(c: &SeenContainer) -> String {
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

fn crash_loop<A: Step, F>(world: &World<F>, want: &Want<'_, A>, c: &SeenContainer, plan: &mut Plan<A>) {
    let on = if c.oom_killed { "OutOfMemory" } else { "CrashLoop" };
    let often = match &world.deaths {
        Deaths { count: 0, .. } => String::new(),
        Deaths { count, since } => format!(" ({count} times since {since})"),
    };
    // Soon, until it is a loop: then the way back is due.
    let again = if world.deaths.count < Deaths::LOOP { 500 } else { 5_000 };
    plan.stuck(on, format!("the server dies at start{often}: {}", want.dies), again);
}
