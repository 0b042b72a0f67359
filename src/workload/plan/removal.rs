//! The manifest is gone: the container goes, the data only when that was confirmed.

use super::container::remove_container;
use super::lost::lost;
use super::stop;
use crate::core::plan::{Blocked, Plan, Sign};
use crate::core::resource::DeletionPolicy;
use crate::core::seen::Slot;
use crate::core::will::{Asked, Wanted};
use crate::workload::action::{Action, Step};
use crate::workload::{Case, World};

/// `data`: what must be on a volume that comes back; `keeps`: what stands against removing the container. Of several
/// members each goes by itself; the end of the whole is [`end`].
pub fn gone<A: Step, F>(
    case: &Case<'_>,
    world: &World<F>,
    delete: bool,
    data: &str,
    keeps: Option<Blocked>,
    plan: &mut Plan<A>,
) {
    let unmade = is_unmade(case, world);
    if !unmade && !goes(case, world, delete, data, keeps, plan) {
        return;
    }
    if case.identity.role.is_only() {
        end(case, unmade, &case.identity.volume(), plan);
    }
}

/// Nothing was made for it, and nothing is there.
#[must_use]
pub fn is_unmade<F>(case: &Case<'_>, world: &World<F>) -> bool {
    case.memory.is_untouched() && world.container == Slot::Missing && world.volume == Slot::Missing
}

/// A member that its object has no more: its container goes. Its data are kept, as nobody agreed to lose them, until the
/// object itself is deleted.
pub fn left<A: Step, F>(case: &Case<'_>, world: &World<F>, keeps: Option<Blocked>, plan: &mut Plan<A>) {
    container_goes(case, world, keeps, "the object has no such member any more; its data are kept", plan);
}

fn why(case: &Case<'_>, delete: bool) -> String {
    match &case.asked.renamed_to {
        Some(to) => format!("renamed to {to}"),
        None if delete => "manifest removed and deletion confirmed".to_owned(),
        None => "manifest removed, data is kept (Retain)".to_owned(),
    }
}

/// False when its container stays.
fn container_goes<A: Step, F>(
    case: &Case<'_>,
    world: &World<F>,
    keeps: Option<Blocked>,
    why: &str,
    plan: &mut Plan<A>,
) -> bool {
    if let Slot::Ours(c) = &world.container {
        if let Some(keeps) = keeps.filter(|_| super::holds_data(case, c)) {
            plan.blocked.push(keeps);
            // Nobody wants it to run; what it holds is kept.
            if c.state.is_up() {
                plan.step(Sign::Change, stop::<A>(case), why);
            }
            return false;
        }
        remove_container(case, c, why, plan);
    }
    for (misnamed, name) in &world.misnamed {
        plan.step(Sign::Delete, Action::RemoveContainer { name: name.clone(), id: misnamed.clone() }, why);
    }
    true
}

/// Everything of it that goes with the manifest. False when its container stays.
fn goes<A: Step, F>(
    case: &Case<'_>,
    world: &World<F>,
    delete: bool,
    data: &str,
    keeps: Option<Blocked>,
    plan: &mut Plan<A>,
) -> bool {
    let why = why(case, delete);
    if !delete {
        lost(case, world, data, plan);
    }
    if !container_goes(case, world, keeps.filter(|_| !delete), &why, plan) {
        return false;
    }
    if delete {
        if world.volume.ours().is_some() {
            plan.step(Sign::Data, Action::RemoveVolume(case.identity.volume()), &why);
        }
        for volume in case.memory.volumes.values() {
            plan.step(Sign::Data, Action::RemoveVolume(volume.clone()), &why);
        }
    }
    true
}

/// The last of an object whose manifest is gone, once, after everything of all of its members has gone or goes with the
/// steps before. `unmade`: there was nothing. `volumes`: those of its data, in words.
pub fn end<A: Step>(case: &Case<'_>, unmade: bool, volumes: &str, plan: &mut Plan<A>) {
    let id = case.identity;
    if unmade {
        plan.step(Sign::Delete, Action::Forget, "manifest removed, and nothing was made for it");
    } else if case.wanted() == Wanted::Deleted {
        // What stays of it needs somebody who remembers it.
        if plan.blocked.is_empty() {
            plan.step(Sign::Delete, Action::Forget, why(case, true));
        }
    } else if let Some(to) = case.asked.renamed_to.clone() {
        // What is blocked here would be blocked there: it is said where it was before.
        if plan.blocked.is_empty() {
            plan.step(Sign::Change, Action::HandOver(to), why(case, false));
        }
    } else if case.deletes_later() {
        plan.due("DeletionPending", deletion_pending(case, volumes));
    } else if case.spec.deletion == DeletionPolicy::Delete {
        plan.block(
            "DeletionNotConfirmed",
            "deletionPolicy is Delete, but the deletion of the data was not confirmed; data and credentials are kept",
            format!("seawall delete {} --confirm {}", id.object, id.object.name),
        );
    }
}

/// When the data go, and how to stop it.
fn deletion_pending(case: &Case<'_>, volumes: &str) -> String {
    let what = format!("volume {volumes} with all data, credentials and record are deleted");
    let when = pending(case.asked);
    format!(
        "{what}{when} (deletionPolicy is Delete, confirmed in the manifest). To keep them, bring the manifest back"
    )
}

/// When what was given up with the manifest goes.
#[must_use]
pub fn pending(asked: &Asked) -> String {
    match &asked.gone {
        Some(gone) => match &gone.held {
            Some(why) => {
                format!(" once the manifest was gone for long enough, which does not count now: {why}")
            }
            None => format!(" at {}", gone.due),
        },
        None => " once the manifest was gone for long enough".to_owned(),
    }
}
