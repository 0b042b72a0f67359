//! A new object that is probably another one under a new name: blocked before anything is made for it. Must never
//! stand in the way of an object that has something.

use super::{Plan, Subject};

/// Whether the user has to say first what it is.
pub(super) fn probably_renamed(subject: &Subject<'_>, plan: &mut Plan) -> bool {
    let Some(old) = subject.memory.renamed_from.as_ref().filter(|_| subject.memory.is_untouched()) else {
        return false;
    };
    let id = subject.identity;
    plan.block(
        "ProbablyRenamed",
        format!(
            "{} is new and has the very spec of {old}, which no manifest names any more: it is probably the same database under another name, whose data a new name does not bring along. No empty one was made",
            id.object
        ),
        format!(
            "name it {old} again to go on with its data; if it is another database, say so under its metadata: annotations: {{seawall.dev/new: \"true\"}} (a dump of {old} can be loaded into it while both are there)"
        ),
    );
    true
}
