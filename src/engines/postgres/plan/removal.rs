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
    } else if subject.memory.deletes_later(subject.spec) {
        plan.wait("DeletionPending", pending(subject), None);
    } else if subject.spec.deletion == DeletionPolicy::Delete {
        plan.block(
            "DeletionNotConfirmed",
            "deletionPolicy is Delete, but the deletion of the data was not confirmed; data and credentials are kept",
            format!("seawall delete {} --confirm {}", id.object, id.object.name),
        );
    }
}

/// When the data go, and how to stop it.
fn pending(subject: &Subject<'_>) -> String {
    let what =
        format!("volume {} with all data, credentials and record are deleted", subject.identity.volume());
    let when = match &subject.memory.gone {
        Some(gone) => match &gone.held {
            Some(why) => {
                format!(" once the manifest was gone for long enough, which does not count now: {why}")
            }
            None => format!(" at {}", gone.due),
        },
        None => " once the manifest was gone for long enough".to_owned(),
    };
    format!(
        "{what}{when} (deletionPolicy is Delete, confirmed in the manifest). To keep them, bring the manifest back"
    )
}
