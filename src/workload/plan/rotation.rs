//! When a new password is made in the place of the one in use.

use crate::core::plan::Plan;
use crate::workload::World;
use crate::workload::schedule::Due;

/// Why it is made now, of a server that lets in; `asked`: somebody did, and nothing stands against it. By itself it is made only
/// where nothing else is to be done, waits or is blocked.
#[must_use]
pub fn due<A, F>(asked: bool, due: &Due, world: &World<F>, plan: &Plan<A>) -> Option<&'static str> {
    if asked {
        return Some("asked for by `seawall rotate`");
    }
    (due.now && plan.is_settled() && !world.is_full()).then_some("due by spec.rotation")
}
