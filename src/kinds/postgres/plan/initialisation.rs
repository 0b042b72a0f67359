//! An initialisation that did not run to its end: the data it left is never taken for a database. Must
//! never remove anything without consent, and nothing at all of an object that was Ready once.

use super::{Plan, Subject};
use crate::core::plan::Sign;
use crate::core::seen::Slot;
use crate::kinds::postgres::action::Action;
use crate::kinds::postgres::world::{InitSeen, World};
use crate::workload;
use crate::workload::plan::remove_container;

/// True when the data is half-made: then nothing else is planned.
pub(super) fn unfinished(subject: &Subject<'_>, world: &World, plan: &mut Plan) -> bool {
    let (id, memory) = (subject.identity, subject.memory);
    let InitSeen::Unfinished(seen) = &world.init else { return false };
    if memory.work.ever_ready {
        return false;
    }
    let container = world.work.container.ours();
    if subject.work().reinitialise_due() {
        let why = "to be made anew, by `seawall reinitialise`";
        if let Some(c) = container {
            remove_container(&subject.work(), c, why, plan);
        }
        for volume in memory.work.volumes.values() {
            plan.step(Sign::Data, workload::Action::RemoveVolume(volume.clone()), why);
        }
        if world.work.volume != Slot::Missing {
            plan.step(Sign::Data, workload::Action::RemoveVolume(id.volume()), why);
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
            subject.spec.work.image, id.object, id.object.name
        ),
    );
    true
}
