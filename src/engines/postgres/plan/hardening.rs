//! With which privilege a container is made, when one more is given, and the proof that it starts again.
//! Must never give more because of what a server says of a statement, and never make a server that is
//! in use prove anything.

use super::Plan;
use super::Subject;
use super::parameter_file::way_back;
use crate::core::plan::Sign;
use crate::core::seen::{ContainerState, SeenContainer};
use crate::core::text::shown;
use crate::engines::postgres::action::Action;
use crate::engines::postgres::facts::ImageFacts;
use crate::engines::postgres::hardening::{Profile, refused_in};
use crate::engines::postgres::record::Memory;
use crate::engines::postgres::world::{Deaths, World};

/// A start that lived longer did not fail for want of a permission to start.
const A_START: i64 = 60;

/// The profile for a container of this image: chosen anew only before the first server, so that what runs
/// well is never re-created for it.
pub(super) fn profile(memory: &Memory, world: &World, image: &ImageFacts) -> Profile {
    let new_image = memory.image.as_ref().is_none_or(|pinned| pinned.id != image.id);
    if memory.ever_ready || !new_image {
        return memory.profile();
    }
    let known = &world.image_starts;
    known.proven.first().copied().unwrap_or_else(|| Profile::least(&known.refused))
}

/// The step that gives one more privilege, when the container dies at its start for want of one.
pub(super) fn relax(
    subject: &Subject<'_>,
    world: &World,
    image: &ImageFacts,
    c: &SeenContainer,
    plan: &mut Plan,
) -> bool {
    let memory = subject.memory;
    let Some(words) = wants_more(subject, world, image, c) else { return false };
    let from = memory.profile();
    let mut refused = memory.refused_profiles.clone();
    refused.insert(from);
    // What another object's volume would not allow says nothing about this one's.
    let on_its_own_data = !memory.ever_ready || memory.first_start.is_some();
    if on_its_own_data {
        refused.extend(&world.image_starts.refused);
    }
    let Some(to) = from.next(&refused) else { return false };
    let image_refuses = on_its_own_data.then(|| image.id.clone());
    let why = format!("the image does not start with the privilege it has: {}", shown(words, 300));
    plan.step(Sign::Change, Action::RelaxHardening { from, to, image_refuses }, why);
    true
}

fn wants_more<'a>(
    subject: &Subject<'_>,
    world: &'a World,
    image: &ImageFacts,
    c: &SeenContainer,
) -> Option<&'a String> {
    let died = matches!(c.state, ContainerState::Restarting | ContainerState::Exited | ContainerState::Dead);
    // By itself, with an error: 0 is an end on purpose, above 128 is a signal.
    let by_itself = died && c.exit_code.is_some_and(|code| (1..128).contains(&code));
    // One that is started again at once may never be seen dead.
    let again = c.state == ContainerState::Running && world.deaths.count >= Deaths::LOOP;
    if !(by_itself || again) || c.image_id != image.id {
        return None;
    }
    // Made with another profile than the one in force: that one was not tried yet.
    if Profile::of_container(c) != subject.memory.profile() {
        return None;
    }
    if subject.memory.ever_ready && lived_long(c) {
        return None;
    }
    // New parameters have a way back of their own, and may well name a file that cannot be read. An image is
    // given up only when no privilege lets it start.
    if matches!(way_back(subject, image, world, c), Some(Action::RestoreParameters { .. })) {
        return None;
    }
    refused_in(&world.log_tail)
}

fn lived_long(c: &SeenContainer) -> bool {
    let time = |text: &str| text.parse::<jiff::Timestamp>().ok();
    match (time(&c.started_at), time(&c.finished_at)) {
        (Some(started), Some(finished)) => finished.as_second() - started.as_second() > A_START,
        _ => false,
    }
}

/// Before Ready is said the first time: the server that initdb just made is restarted once, unless this
/// image is known to start again with this profile. One object proves it for all that wait.
pub(super) fn prove(subject: &Subject<'_>, world: &World, plan: &mut Plan) {
    if subject.memory.first_start.is_none() {
        return;
    }
    let from = subject.memory.profile();
    if world.image_starts.refused.contains(&from) {
        let mut refused = subject.memory.refused_profiles.clone();
        refused.extend(&world.image_starts.refused);
        if let Some(to) = from.next(&refused) {
            let action = Action::RelaxHardening { from, to, image_refuses: None };
            plan.step(Sign::Change, action, "another server of this image did not start again with less");
        }
        return;
    }
    if let Some(other) = &world.image_starts.prover {
        let why = format!("{other} restarts first, to prove that this image starts again");
        plan.wait("ProvingRestart", why, Some(1_000));
        return;
    }
    let restarts = |a: &Action| matches!(a, Action::RestartServer { .. });
    if !plan.steps.iter().any(|s| restarts(&s.action)) {
        let action = Action::ProveRestart { container: subject.identity.container() };
        plan.step(Sign::Change, action, "to prove that it starts again, before it counts as ready");
    }
}
