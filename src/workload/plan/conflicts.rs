//! Names of ours that are somebody else's. Must never touch what is in the way.

use crate::core::plan::Plan;
use crate::core::seen::Slot;
use crate::workload::action::{Step, short};
use crate::workload::{Case, World};

/// Whether a name of ours is taken by what is not ours.
/// `restored`: what to say where it may be the volume that was restored.
pub fn conflicts<A: Step, F>(
    case: &Case<'_>,
    world: &World<F>,
    restored: Option<&str>,
    plan: &mut Plan<A>,
) -> bool {
    let id = case.identity;
    let mut conflict = |what: &str, name: &str, why: &str| {
        let own = if what == "container" { world.misnamed.first() } else { None };
        if let Some((own, called)) = own {
            plan.danger(
                "DuplicateContainer",
                format!(
                    "container {name} exists and is not ours: {why}. The container of this object is {called} ({}). Neither was touched",
                    short(own)
                ),
                format!("give the other one another name (docker rename {name} NAME); {called} then gets its name back"),
            );
            return;
        }
        let rename =
            if what == "container" { format!(" (docker rename {name} NAME)") } else { String::new() };
        let theirs = if rename.is_empty() {
            String::new()
        } else {
            format!(", or give that container another name{rename}")
        };
        let restored = restored.filter(|_| what == "volume").unwrap_or_default();
        plan.block(
            "NameConflict",
            format!("{what} {name} exists and is not ours: {why}. It was not touched"),
            format!(
                "choose another name for this object, or run Seawall with another --installation{theirs}{restored}"
            ),
        );
    };
    if let Slot::Foreign(why) = &world.container {
        conflict("container", &id.container(), why);
    }
    if let Slot::Foreign(why) = &world.volume {
        conflict("volume", &id.volume(), why);
    }
    if let Slot::Foreign(why) = &world.network {
        conflict("network", &id.network(), why);
    }
    !plan.blocked.is_empty()
}
