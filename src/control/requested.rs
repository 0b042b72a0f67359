//! What was asked for by name and no pass has begun with, and manifests that broke or were mended, which no status tells: until
//! then, nobody can rely on what was seen before it.

use super::api::ObjectView;
use super::operator::Operator;
use crate::core::condition::Truth;
use crate::core::names::ObjectRef;
use crate::core::will::Asked;

impl Operator {
    /// Nothing is left to begin of this wish; what it changes is told already.
    pub(super) fn has_begun(&self, object: &ObjectRef, asked: &Asked) {
        if self.state().begins(object, asked) {
            self.changed();
        }
    }

    /// Its status tells of its manifest what the pass saw, and is as it was otherwise.
    pub(super) fn is_told(&self, object: &ObjectRef) {
        let moved = self.state().is_told(object);
        if moved {
            self.changed();
        }
    }
}

/// A status of what was wanted before, by what the user was told of its generation.
pub(super) fn of_before(view: &mut ObjectView) {
    let before = view.metadata.generation.saturating_sub(1);
    if let Some(observed) = view.status.get_mut("observedGeneration")
        && observed.as_u64().is_some_and(|observed| observed > before)
    {
        *observed = before.into();
    }
}

/// Ready, as it was before.
pub(super) fn not_begun_yet(view: &mut ObjectView) {
    let conditions = view.status.get_mut("conditions").and_then(|c| c.as_array_mut());
    let ready = conditions.and_then(|c| c.iter_mut().find(|c| c["type"] == "Ready"));
    if let Some(ready) = ready.filter(|ready| ready["status"] == Truth::True.as_str()) {
        ready["message"] = "something was asked for a moment ago, and is not begun yet".into();
        ready["reason"] = "Requested".into();
        ready["status"] = Truth::Unknown.as_str().into();
    }
}
