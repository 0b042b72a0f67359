//! What was asked for by name and no pass has begun with: until one has, nobody can rely on what was seen before it.

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
