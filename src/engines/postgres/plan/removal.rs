//! The manifest is gone: the container goes, the data only when that was confirmed.

use super::container::remove_container;
use super::preconditions::lost;
use super::{Plan, Subject, placement};
use crate::core::plan::Sign;
use crate::core::resource::DeletionPolicy;
use crate::core::seen::Slot;
use crate::engines::postgres::action::Action;
use crate::engines::postgres::world::World;

pub(super) fn gone(subject: &Subject<'_>, world: &World, delete: bool, plan: &mut Plan) {
    let id = subject.identity;
    if subject.memory.is_untouched() && world.container == Slot::Missing && world.volume == Slot::Missing {
        plan.step(Sign::Delete, Action::Forget, "manifest removed, and nothing was made for it");
        return;
    }
    let to = subject.asked.renamed_to.clone();
    let renamed = to.as_ref().map(|to| format!("renamed to {to}"));
    let why = match &renamed {
        Some(renamed) => renamed.as_str(),
        None if delete => "manifest removed and deletion confirmed",
        None => "manifest removed, data is kept (Retain)",
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
    } else if let Some(to) = to {
        // What is blocked here would be blocked there: it is said where it was before.
        if plan.blocked.is_empty() {
            plan.step(Sign::Change, Action::HandOver(to), why);
        }
    } else if subject.deletes_later() {
        plan.due("DeletionPending", pending(subject));
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
    let when = match &subject.asked.gone {
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
