//! A container that should run, by the state it is in: started, looked after, waited for. Must never change what it is.

use super::OfMember;
use crate::core::plan::Sign;
use crate::core::seen::{ContainerState, SeenContainer};
use crate::kinds::app::action::Deed;
use crate::kinds::app::world::Member;
use crate::workload::Case;
use crate::workload::action::Action as Work;
use crate::workload::plan::{self as work, stopped_cause};
use crate::workload::world::Deaths;

/// With what it said last.
pub(super) fn with_log(words: String, member: &Member) -> String {
    let log = &member.work.log_tail;
    if log.is_empty() { words } else { format!("{words}; its last lines: {}", log.join(" | ")) }
}

/// What the state of a container that should run asks for. `reads_file`: it finds its secrets in one.
pub(super) fn by_state(
    case: &Case<'_>,
    member: &Member,
    c: &SeenContainer,
    reads_file: bool,
    plan: &mut OfMember,
) {
    let name = case.identity.container();
    if c.state != ContainerState::Removing {
        work::live(case, &member.work, c, plan);
    }
    match c.state {
        ContainerState::Created | ContainerState::Exited | ContainerState::Dead => {
            if c.state == ContainerState::Created && reads_file {
                plan.step(Sign::Change, Deed::Upload, "before the first start");
            }
            plan.step(Sign::Change, Work::StartContainer(name), stopped_cause(c));
        }
        ContainerState::Paused => {
            plan.step(Sign::Change, Work::UnpauseContainer(name), "container paused by hand");
        }
        ContainerState::Restarting => dies(member, c, plan),
        ContainerState::Running if member.work.deaths.count >= Deaths::LOOP && member.healthy().is_none() => {
            dies(member, c, plan);
        }
        ContainerState::Running => {
            work::asked_restart(case, c, plan);
            if member.healthy().is_none() {
                unhealthy(member, plan);
            }
        }
        ContainerState::Removing => {
            plan.wait("ContainerRemoving", "the engine is removing the container", Some(500));
        }
    }
}

fn unhealthy(member: &Member, plan: &mut OfMember) {
    let words = match &member.health {
        Some(Err(words)) => words.clone(),
        _ => "it has just been started".to_owned(),
    };
    if member.age < member.grace {
        plan.wait("Starting", format!("not healthy yet: {words}"), Some(300));
    } else {
        plan.stuck("Unhealthy", with_log(words, member), 5_000);
    }
}

fn dies(member: &Member, c: &SeenContainer, plan: &mut OfMember) {
    let on = if c.oom_killed { "OutOfMemory" } else { "CrashLoop" };
    let often = match &member.work.deaths {
        Deaths { count: 0, .. } => String::new(),
        Deaths { count, since } => format!(" ({count} times since {since})"),
    };
    let again = if member.work.deaths.count < Deaths::LOOP { 500 } else { 5_000 };
    plan.stuck(on, with_log(format!("it ends again and again{often}: {}", stopped_cause(c)), member), again);
}
