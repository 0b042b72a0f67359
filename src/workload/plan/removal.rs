//! The manifest is gone: the container goes, the data only when that was confirmed.

use super::container::remove_container;
use super::lost::lost;
use super::stop;
use crate::core::plan::{Blocked, Plan, Sign};
use crate::core::resource::DeletionPolicy;
use crate::core::seen::Slot;
use crate::workload::action::{Action, Step};
use crate::workload::{Case, World};

/// `data`: what must be on a volume that comes back; `keeps`: what stands against removing the container.
pub fn gone<A: Step, F>(
    case: &Case<'_>,
    world: &World<F>,
    delete: bool,
    data: &str,
    keeps: Option<Blocked>,
    plan: &mut Plan<A>,
) {
    let id = case.identity;
    if case.memory.is_untouched() && world.container == Slot::Missing && world.volume == Slot::Missing {
        plan.step(Sign::Delete, Action::Forget, "manifest removed, and nothing was made for it");
        return;
    }
    let to = case.asked.renamed_to.clone();
    let renamed = to.as_ref().map(|to| format!("renamed to {to}"));
    let why = match &renamed {
        Some(renamed) => renamed.as_str(),
        None if delete => "manifest removed and deletion confirmed",
        None => "manifest removed, data is kept (Retain)",
    };
    if !delete {
        lost(case, world, data, plan);
    }
    if let Slot::Ours(c) = &world.container {
        if let Some(keeps) = keeps.filter(|_| !delete && super::holds_data(case, c)) {
            plan.blocked.push(keeps);
            // Nobody wants it to run; what it holds is kept.
            if c.state.is_up() {
                plan.step(Sign::Change, stop::<A>(case), why);
            }
            return;
        }
        remove_container(case, c, why, plan);
    }
    for (misnamed, name) in &world.misnamed {
        plan.step(Sign::Delete, Action::RemoveContainer { name: name.clone(), id: misnamed.clone() }, why);
    }
    if delete {
        if world.volume.ours().is_some() {
            plan.step(Sign::Data, Action::RemoveVolume(id.volume()), why);
        }
        for volume in case.memory.volumes.values() {
            plan.step(Sign::Data, Action::RemoveVolume(volume.clone()), why);
        }
        plan.step(Sign::Delete, Action::Forget, why);
    } else if let Some(to) = to {
        // What is blocked here would be blocked there: it is said where it was before.
        if plan.blocked.is_empty() {
            plan.step(Sign::Change, Action::HandOver(to), why);
        }
    } else if case.deletes_later() {
        plan.due("DeletionPending", pending(case));
    } else if case.spec.deletion == DeletionPolicy::Delete {
        plan.block(
            "DeletionNotConfirmed",
            "deletionPolicy is Delete, but the deletion of the data was not confirmed; data and credentials are kept",
            format!("seawall delete {} --confirm {}", id.object, id.object.name),
        );
    }
}

/// When the data go, and how to stop it.
fn pending(case: &Case<'_>) -> String {
    let what = format!("volume {} with all data, credentials and record are deleted", case.identity.volume());
    let when = match &case.asked.gone {
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
