//! A new object that is probably another one under a new name: blocked before anything is made for it. Must never
//! stand in the way of an object that has something.

use crate::core::plan::Plan;
use crate::core::will::Rename;
use crate::workload::Case;
use crate::workload::action::Step;

/// Whether the user has to say first what it is.
pub fn probably_renamed<A: Step>(case: &Case<'_>, plan: &mut Plan<A>) -> bool {
    let Some(Rename { from: old, said }) =
        case.asked.renamed_from.as_ref().filter(|_| case.memory.is_untouched())
    else {
        return false;
    };
    let id = case.identity;
    if *said {
        let why = format!(
            "{old} becomes {}: its container goes first, then its volume, port and password come here",
            id.object
        );
        plan.wait("RenameUnderway", why, None);
        return true;
    }
    plan.block(
        "ProbablyRenamed",
        format!(
            "{} is new and has the very spec of {old}, which no manifest names any more: it is probably the same database under another name, whose data a new name does not bring along. No empty one was made",
            id.object
        ),
        format!(
            "seawall rename {old} {} keeps its data, port and password under the new name; if it is another database, say so under its metadata: annotations: {{seawall.dev/new: \"true\"}}",
            id.object
        ),
    );
    true
}
