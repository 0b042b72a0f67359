//! From what is wanted of a container and what was seen of it to the steps that can run now. Pure. No plan removes a
//! volume that the user has not confirmed.
//!
//! A kind's plan calls these in its own order, and goes on from [`Reached::Running`]. What differs between kinds comes in
//! as values: [`Want`].

pub mod conflicts;
mod container;
mod hardening;
mod image;
mod live;
pub mod lost;
mod port;
pub mod removal;
mod rename;
mod rotation;
mod sharing;
mod start;
mod volumes;

pub use container::{remove_container, replace_cause};
pub use hardening::{profile, prove};
pub use image::{Verdicts, image_to_run, not_local, pull, usable};
pub use live::{caps_in_sync, live};
pub use port::{another_port, port_was_refused};
pub use removal::{end, gone, is_unmade, left};
pub use rename::probably_renamed;
pub use rotation::due;
pub use sharing::{DNS_NAME_TAKEN, called_alike, duplicates, is_others_too, shared};
pub use start::{asked_restart, keep_serving, port_silent, restart, silent_words, stopped_cause};
pub use volumes::lost_volumes;

use super::action::{Action, Step};
use super::desired::{self, Process};
use super::image::{Facts, ImageSeen};
use super::{Case, Memory, World};
use crate::core::plan::{Blocked, Plan, Sign};
use crate::core::seen::{SeenContainer, Slot};
use crate::core::will::Wanted;
use container::{create, existing};

/// What a kind wants of its container at this moment.
pub struct Want<'a, A> {
    pub process: Process,
    /// What of the image's own command is not in force, in words; empty when all is.
    pub not_kept: String,
    /// The step that lays the server's files before a start.
    pub upload: A,
    /// The files in the container are others, as far as that was looked at.
    pub files_differ: bool,
    /// Nobody knows what lies on the volume: it is looked at before a server starts.
    pub look_first: bool,
    /// What stands against removing the container: it holds what is nowhere else.
    pub keeps: Option<Blocked>,
    /// The step that makes the credentials, while there are none.
    pub credentials: Option<A>,
    /// The way back from what the server does not start with, and what that was.
    pub way_back: Option<(A, &'static str)>,
    /// A line of its log that asks for a permission to start.
    pub refused: Option<&'a String>,
    /// A server answers, whatever it says.
    pub answers: bool,
    /// Why it dies, as far as is known.
    pub dies: String,
}

/// How far the container is.
pub enum Reached<'w> {
    /// Something stands in the way of what is wanted; what is there goes on.
    Held,
    /// There are steps to do, or something to wait for.
    NotYet,
    /// Its process runs: the rest is the kind's.
    Running(&'w SeenContainer),
}

/// The image of the container that `plan` makes in the place of the one of this name.
#[must_use]
pub fn successor<'p, A: Step>(plan: &'p Plan<A>, container: &str) -> Option<&'p str> {
    let mut steps = plan.steps.iter().filter_map(|s| s.action.work());
    steps
        .clone()
        .find(|action| matches!(action, Action::RemoveContainer { name, .. } if name == container))?;
    steps.find_map(|action| match action {
        Action::CreateContainer(desired) if desired.name == container => Some(desired.image.as_str()),
        _ => None,
    })
}

/// Whether `plan` has a step of its container's for which this holds.
#[must_use]
pub fn has<A: Step>(plan: &Plan<A>, is: impl Fn(&Action) -> bool) -> bool {
    plan.steps.iter().filter_map(|s| s.action.work()).any(is)
}

/// What is decided alike for every kind before its server is looked at. True when it should run: the rest, and
/// [`duplicates`] at its end, is the kind's. `restored`: see [`conflicts::conflicts`]; `data`: what must be on a volume that
/// comes back; `keeps`: what stands against removing the container.
pub fn should_run<A: Step, F>(
    case: &Case<'_>,
    world: &World<F>,
    restored: Option<&str>,
    data: &str,
    keeps: Option<Blocked>,
    plan: &mut Plan<A>,
) -> bool {
    if conflicts::conflicts(case, world, restored, plan) || shared(case, world, plan) {
        return false;
    }
    if case.present && probably_renamed(case, plan) {
        return false;
    }
    match case.wanted() {
        Wanted::Running => return true,
        Wanted::Stopped => {
            lost::lost(case, world, data, plan);
            stopped(case, world, plan);
        }
        wanted @ (Wanted::Retained | Wanted::Deleted) => {
            gone(case, world, wanted == Wanted::Deleted, data, keeps, plan);
        }
    }
    duplicates(case, world, plan);
    false
}

/// Stops what should be stopped, and sees to it that the engine does not start it again.
pub fn stopped<A: Step, F>(case: &Case<'_>, world: &World<F>, plan: &mut Plan<A>) {
    let Slot::Ours(c) = &world.container else { return };
    let why = if case.spec.stopped { "spec.stopped is true" } else { "stopped by `seawall stop`" };
    if c.state.is_up() {
        plan.step(Sign::Change, stop::<A>(case), why);
    } else if c.restart_policy != "no" {
        // Otherwise the next start of the engine would bring it back.
        let why = format!("{why}, but the restart policy is {:?}", c.restart_policy);
        plan.step(Sign::Change, stop::<A>(case), why);
    }
}

/// The step that stops the container as its server wants.
#[must_use]
pub fn stop<A: From<Action>>(case: &Case<'_>) -> A {
    Action::StopContainer { name: case.identity.container(), how: case.server.shutdown }.into()
}

/// Everything up to "its process runs", with `image`.
pub fn member<'w, A: Step, F: Facts>(
    case: &Case<'_>,
    world: &'w World<F>,
    image: &F,
    want: &Want<'_, A>,
    plan: &mut Plan<A>,
) -> Reached<'w> {
    let (id, memory) = (case.identity, case.memory);
    let Some(port) = port::port(case, world, plan) else {
        keep_serving(case, world, plan);
        return Reached::Held;
    };
    if volumes::keep(case, world, image.image(), plan) {
        return Reached::Held;
    }
    let memory_to_be = Memory { profile: Some(profile(memory, world, image)), ..memory.clone() };
    let desired = desired::container(case, image.image(), &memory_to_be, port, &want.process);
    if let Slot::Ours(c) = &world.container
        && !matches!(world.image, ImageSeen::Missing)
        && replace_cause(c, &desired, world).is_some()
        && let Some(keeps) = want.keeps.clone().filter(|_| holds_data(case, c))
    {
        // It goes on as it is; of the change only what needs no other container.
        plan.blocked.push(keeps);
        keep_serving(case, world, plan);
        return Reached::Held;
    }
    if !world.password_sealed
        && let Some(action) = &want.credentials
    {
        plan.step(Sign::Create, action.clone(), "no password yet");
    }
    image::pin(case, world, image, plan);
    if world.network == Slot::Missing {
        plan.step(Sign::Create, Action::CreateNetwork(id.network()), "network missing");
    }
    if world.volume == Slot::Missing {
        plan.step(Sign::Create, Action::CreateVolume(id.volume()), "volume missing");
    }
    volumes::extra(case, image.image(), plan);
    match &world.container {
        Slot::Missing if start::misnamed(case, world, plan) => Reached::NotYet,
        Slot::Missing => {
            let why = if memory.ever_ready {
                format!("container missing: re-create on volume {}", id.volume())
            } else {
                "container missing".to_owned()
            };
            create(case, want, desired, &why, Sign::Create, plan);
            Reached::NotYet
        }
        Slot::Ours(c) => existing(case, world, image, want, desired, c, plan),
        Slot::Foreign(_) => Reached::NotYet,
    }
}

/// Without the object's volume it never served the object: whose it is, is decided elsewhere.
fn holds_data(case: &Case<'_>, c: &SeenContainer) -> bool {
    let data = case.identity.volume();
    c.mounts.iter().any(|m| m.volume == data)
}
