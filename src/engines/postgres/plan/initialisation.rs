//! An initialisation that did not run to its end: the data it left is never taken for a database. Must
//! never remove anything without consent, and nothing at all of an object that was Ready once.

use super::container::remove_container;
use super::{Plan, Subject};
use crate::core::plan::Sign;
use crate::core::seen::Slot;
use crate::engines::postgres::action::Action;
use crate::engines::postgres::world::{InitSeen, World};

/// True when the data is half-made: then nothing else is planned.
pub(super) fn unfinished(subject: &Subject<'_>, world: &World, plan: &mut Plan) -> bool {
    let (id, memory) = (subject.identity, subject.memory);
    let InitSeen::Unfinished(seen) = &world.init else { return false };
    if memory.ever_ready {
        return false;
    }
    let container = world.container.ours();
    if subject.reinitialise_due() {
        let why = "to be made anew, by `seawall reinitialise`";
        if let Some(c) = container {
            remove_container(c, id, why, plan);
        }
        for volume in memory.volumes.values() {
            plan.step(Sign::Data, Action::RemoveVolume(volume.clone()), why);
        }
        if world.volume != Slot::Missing {
            plan.step(Sign::Data, Action::RemoveVolume(id.volume()), why);
        }
        return true;
    }
    let words = memory.init_failed.as_ref().unwrap_or(seen);
    if container.is_some_and(|c| c.state.is_up()) {
        let action = Action::GiveUpInitialisation { container: id.container(), words: words.clone() };
        plan.step(Sign::Change, action, "half-made data must not be used as a database");
    }
    plan.block(
        "InitialisationFailed",
        format!(
            "the initialisation of volume {} did not run to its end, so the data in it is half-made: {words}",
            id.volume()
        ),
        format!(
            "correct what failed (an init script of the image {}, say), then throw the half-made data away and start over: seawall reinitialise {} --confirm {}",
            subject.spec.image, id.object, id.object.name
        ),
    );
    true
}
