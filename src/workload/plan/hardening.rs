//! With which privilege a container is made, when one more is given, and the proof that it starts again.
//! Must never give more because of what a server says of a statement, and never make a server that is
//! in use prove anything.

use super::has;
use crate::core::plan::{Plan, Sign};
use crate::core::seen::{ContainerState, SeenContainer};
use crate::core::text::shown;
use crate::workload::action::{Action, Step};
use crate::workload::hardening::Profile;
use crate::workload::image::{Facts, Image};
use crate::workload::world::Deaths;
use crate::workload::{Case, Memory, World};

/// A start that lived longer did not fail for want of a permission to start.
const A_START: i64 = 60;

/// The profile for a container of this image: chosen anew only before the first server, so that what runs
/// well is never re-created for it.
#[must_use]
pub fn profile<F: Facts>(memory: &Memory, world: &World<F>, image: &F) -> Profile {
    let new_image = memory.image.as_ref().is_none_or(|pinned| pinned.id != image.image().id);
    if memory.ever_ready || !new_image {
        return memory.profile();
    }
    let known = &world.image_starts;
    known.proven.first().copied().unwrap_or_else(|| Profile::least(&known.refused))
}

/// The step that gives one more privilege, when the container dies at its start for want of one.
pub(super) fn relax<A: Step, F>(
    case: &Case<'_>,
    world: &World<F>,
    image: &Image,
    refused: Option<&String>,
    c: &SeenContainer,
    plan: &mut Plan<A>,
) -> bool {
    let memory = case.memory;
    let Some(words) = refused.filter(|_| wants_more(case, world, image, c)) else { return false };
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
    plan.step(Sign::Change, Action::RelaxHardening { from, to, image_refuses, user: case.server.user }, why);
    true
}

/// Whether it died at its start, so that a line which asks for a permission counts.
fn wants_more<F>(case: &Case<'_>, world: &World<F>, image: &Image, c: &SeenContainer) -> bool {
    let died = matches!(c.state, ContainerState::Restarting | ContainerState::Exited | ContainerState::Dead);
    // By itself, with an error: 0 is an end on purpose, above 128 is a signal.
    let by_itself = died && c.exit_code.is_some_and(|code| (1..128).contains(&code));
    // One that is started again at once may never be seen dead.
    let again = c.state == ContainerState::Running && world.deaths.count >= Deaths::LOOP;
    (by_itself || again)
        && c.image_id == image.id
        // Made with another profile than the one in force: that one was not tried yet.
        && Profile::of_container(c) == case.memory.profile()
        && !(case.memory.ever_ready && lived_long(c))
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
pub fn prove<A: Step, F>(case: &Case<'_>, world: &World<F>, plan: &mut Plan<A>) {
    if case.memory.first_start.is_none() {
        return;
    }
    let from = case.memory.profile();
    if world.image_starts.refused.contains(&from) {
        let mut refused = case.memory.refused_profiles.clone();
        refused.extend(&world.image_starts.refused);
        if let Some(to) = from.next(&refused) {
            let action = Action::RelaxHardening { from, to, image_refuses: None, user: case.server.user };
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
    if !has(plan, restarts) {
        let action = Action::ProveRestart { container: case.identity.container() };
        plan.step(Sign::Change, action, "to prove that it starts again, before it counts as ready");
    }
}
