//! What is wrong with objects, by their conditions: what somebody may want to be told. Pure; it must never call wrong what a
//! person asked for, such as a server that is stopped.

use super::condition::{Condition, ConditionType, Truth, find};
use super::names::ObjectRef;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// How bad it is; the worse one comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    Critical,
    Warning,
    Info,
}

impl Severity {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Critical => "critical",
            Severity::Warning => "warning",
            Severity::Info => "info",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A condition that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    pub object: ObjectRef,
    pub condition: ConditionType,
    pub status: Truth,
    pub reason: String,
    pub message: String,
    pub severity: Severity,
    /// Since when the condition has this status, RFC 3339.
    pub since: String,
    /// Seawall is at work on the object: it may be over soon.
    pub under_way: bool,
}

/// What is wrong by these conditions.
pub fn of<'a>(object: &'a ObjectRef, conditions: &'a [Condition]) -> impl Iterator<Item = Trouble> + 'a {
    let under_way =
        find(conditions, ConditionType::Progressing).is_some_and(|progress| progress.status == Truth::True);
    conditions.iter().filter_map(move |condition| {
        Some(Trouble {
            object: object.clone(),
            condition: condition.kind,
            status: condition.status,
            reason: condition.reason.clone(),
            message: condition.message.clone(),
            severity: severity(condition.kind, condition.status, &condition.reason)?,
            since: condition.last_transition_time.clone(),
            under_way: under_way && condition.kind == ConditionType::Ready,
        })
    })
}

/// Whether something else is wrong now than was before.
#[must_use]
pub fn differ(before: &[Condition], after: &[Condition]) -> bool {
    fn wrong(all: &[Condition]) -> impl Iterator<Item = (ConditionType, Truth, &str)> {
        let wrong = all.iter().filter(|c| severity(c.kind, c.status, &c.reason).is_some());
        wrong.map(|c| (c.kind, c.status, c.reason.as_str()))
    }
    !wrong(before).eq(wrong(after))
}

/// How bad a condition is by itself; `None`: nothing is wrong. The same as in the alerts of `deploy/prometheus`.
#[must_use]
pub fn severity(kind: ConditionType, status: Truth, reason: &str) -> Option<Severity> {
    use ConditionType as T;
    if !kind.is_wrong(status, reason) {
        return None;
    }
    match (kind, status, reason) {
        // Somebody wanted it so; what is being done is no trouble.
        (T::Ready, _, "Stopped" | "Retained" | "Deleting") | (T::Progressing, ..) => None,
        (T::PendingRestart | T::Paused, ..) => Some(Severity::Info),
        (_, Truth::Unknown, _) => Some(Severity::Warning),
        (T::Ready | T::Stalled, ..) | (T::DiskPressure, _, "DiskAlmostFull") => Some(Severity::Critical),
        _ => Some(Severity::Warning),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ConditionType as T;
    use Truth::{False, True, Unknown};

    fn condition(kind: T, status: Truth, reason: &str) -> Condition {
        Condition {
            kind,
            status,
            reason: reason.to_owned(),
            message: "m".to_owned(),
            last_transition_time: "2026-01-01T00:00:00Z".to_owned(),
            observed_generation: 1,
        }
    }

    #[test]
    fn what_is_wrong_has_a_severity_and_what_was_asked_for_has_none() {
        let rows = [
            (T::Ready, True, "LoginWorks", None),
            (T::Ready, False, "Stopped", None),
            (T::Ready, False, "Retained", None),
            (T::Ready, False, "Deleting", None),
            (T::Ready, False, "AuthFailed", Some(Severity::Critical)),
            (T::Ready, Unknown, "EngineUnavailable", Some(Severity::Warning)),
            (T::Progressing, True, "Starting", None),
            (T::Progressing, Unknown, "x", None),
            (T::Degraded, True, "WalBloat", Some(Severity::Warning)),
            (T::Degraded, False, "x", None),
            (T::Stalled, True, "NoProgress", Some(Severity::Critical)),
            (T::Paused, True, "Paused", Some(Severity::Info)),
            (T::PendingRestart, True, "x", Some(Severity::Info)),
            (T::WalHealthy, False, "StaleSlot", Some(Severity::Warning)),
            (T::WalHealthy, Unknown, "ProbeFailed", Some(Severity::Warning)),
            (T::ContinuousArchiving, False, "NotConfigured", None),
            (T::ContinuousArchiving, False, "WalDiscarded", Some(Severity::Warning)),
            (T::DiskPressure, True, "DiskLow", Some(Severity::Warning)),
            (T::DiskPressure, True, "DiskAlmostFull", Some(Severity::Critical)),
        ];
        for (kind, status, reason, want) in rows {
            assert_eq!(severity(kind, status, reason), want, "{kind} {status} {reason}");
        }
    }

    #[test]
    fn only_another_wrong_is_a_difference() {
        let ready = condition(T::Ready, True, "LoginWorks");
        let down = condition(T::Ready, False, "NotRunning");
        let other = condition(T::Ready, False, "AuthFailed");
        let busy = condition(T::Progressing, True, "Starting");
        let (up, lying) = (|| vec![ready.clone()], || vec![down.clone()]);
        assert!(differ(&up(), &lying()));
        assert!(differ(&lying(), &[other]));
        assert!(!differ(&lying(), &[down.clone(), busy.clone()]));
        assert!(!differ(&up(), &[Condition { message: "n".into(), ..ready.clone() }]));
        let object = "postgres/main".parse().unwrap();
        let all = [down, busy, condition(T::Degraded, True, "x")];
        let found: Vec<_> = of(&object, &all).map(|trouble| (trouble.condition, trouble.under_way)).collect();
        assert_eq!(found, [(T::Ready, true), (T::Degraded, false)]);
    }
}
