//! The manifest is gone: the container goes, the data only when that was confirmed.

use super::container::remove_container;
use super::preconditions::lost;
use super::{Plan, Subject, placement};
use crate::core::plan::Sign;
use crate::core::resource::DeletionPolicy;
use crate::engines::postgres::action::Action;
use crate::engines::postgres::world::{Slot, World};

pub(super) fn gone(subject: &Subject<'_>, world: &World, delete: bool, plan: &mut Plan) {
    let id = subject.identity;
    let why = if delete {
        "manifest removed and deletion confirmed"
    } else {
        "manifest removed, data is kept (Retain)"
    };
    if !delete {
        lost(subject, world, plan);
    }
    if let Slot::Ours(c) = &world.container {
        if !delete && placement::forbids_removal(subject, world, c, plan) {
            // Nobody wants it to run; what it holds is kept.
            if c.state.is_up() {
                plan.step(Sign::Change, Action::StopContainer(id.container()), why);
            }
            return;
        }
        remove_container(c, id, why, plan);
    }
    for (misnamed, name) in &world.misnamed {
        plan.step(Sign::Delete, Action::RemoveContainer { name: name.clone(), id: misnamed.clone() }, why);
    }
    if delete {
        if world.volume.ours().is_some() {
            plan.step(Sign::Data, Action::RemoveVolume(id.volume()), why);
        }
        for volume in subject.memory.volumes.values() {
            plan.step(Sign::Data, Action::RemoveVolume(volume.clone()), why);
        }
        plan.step(Sign::Delete, Action::Forget, why);
    } else if subject.spec.deletion == DeletionPolicy::Delete {
        plan.block(
            "DeletionNotConfirmed",
            "deletionPolicy is Delete, but the deletion of the data was not confirmed; data and credentials are kept",
            format!("seawall delete {} --confirm {}", id.object, id.object.name),
        );
    }
}
