//! Who wants to know what is wrong is told of it: all that is wrong with other objects, and a wake-up when something else is. Must
//! never wake anybody for words alone.

use super::operator::Operator;
use crate::core::condition::ConditionType;
use crate::core::names::ObjectRef;
use crate::core::trouble::{Severity, Trouble, of};
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;

/// Milliseconds within which several changes are one: with an engine that goes away, all objects say so.
const TOGETHER: u64 = 500;

/// A warning of a kind, as far as everybody can read it.
#[derive(Deserialize)]
struct Warning {
    kind: String,
    severity: Severity,
}

impl Operator {
    /// What is wrong with all objects but `listener`; nothing for one that does not listen.
    pub(super) fn troubles_for(&self, listener: &ObjectRef) -> Vec<Trouble> {
        let statuses: Vec<_> = {
            let state = self.state();
            if !state.graph.listeners().contains(listener) {
                return Vec::new();
            }
            let others = state.statuses.iter().filter(|(object, _)| *object != listener);
            others.map(|(object, status)| (object.clone(), Arc::clone(status))).collect()
        };
        let mut all = Vec::new();
        for (object, status) in &statuses {
            for trouble in of(object, &status.conditions) {
                let severity = self.worse(&trouble).unwrap_or(trouble.severity);
                all.push(Trouble { severity, ..trouble });
            }
        }
        all
    }

    /// How bad its kind says that it is, where a warning is behind the condition.
    fn worse(&self, trouble: &Trouble) -> Option<Severity> {
        if !trouble.condition.is_told() && trouble.condition != ConditionType::Degraded {
            return None;
        }
        let kind = self.kinds.get(trouble.object.kind)?;
        let pointer = kind.about().warnings?;
        let sampled = Value::Object(kind.sampled(&trouble.object));
        severity_of(&sampled, pointer, &trouble.reason)
    }

    /// Something else is wrong than before.
    pub(super) fn wake_listeners(&self) {
        let listeners: Vec<ObjectRef> = self.state().graph.listeners().iter().cloned().collect();
        listeners.iter().for_each(|listener| self.nudge_in(listener, TOGETHER));
    }
}

/// The severity of the warning that is called as this reason: `stale_slot` is behind `StaleSlot`.
fn severity_of(status: &Value, pointer: &str, reason: &str) -> Option<Severity> {
    let warnings = status.pointer(pointer)?.as_array()?;
    let warnings = warnings.iter().filter_map(|warning| Warning::deserialize(warning).ok());
    let named = |warning: &Warning| warning.kind.split('_').map(capital).collect::<String>() == reason;
    warnings.filter(named).map(|warning| warning.severity).min()
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_severity_of_a_condition_is_that_of_the_warning_behind_it() {
        let status = json!({"walHealth": {"warnings": [
            {"kind": "wal_bloat", "severity": "warning"},
            {"kind": "stale_slot", "severity": "warning"},
            {"kind": "stale_slot", "severity": "critical"},
            {"kind": "odd"},
        ]}});
        let of = |reason| severity_of(&status, "/walHealth/warnings", reason);
        assert_eq!(of("WalBloat"), Some(Severity::Warning));
        assert_eq!(of("StaleSlot"), Some(Severity::Critical));
        assert_eq!(of("Odd"), None);
        assert_eq!(of("SlotLost"), None);
        assert_eq!(severity_of(&json!({}), "/walHealth/warnings", "WalBloat"), None);
    }
}
