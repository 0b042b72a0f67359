//! Conditions in the Kubernetes form, and how a new one replaces an old one.
//!
//! Only a change of `status` moves `lastTransitionTime`, so status written twice is the same bytes.

use super::text::shown;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Reason of Progressing while a new password takes the place of an old one.
pub const ROTATING: &str = "Rotating";

/// Characters of a message that are kept: words of servers, engines and files go into it.
const WORDS: usize = 4_000;

/// The condition types; the order is the order in which people read them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum ConditionType {
    Ready,
    Progressing,
    Degraded,
    Stalled,
    Paused,
    PendingRestart,
    ResourcesInSync,
    ContinuousArchiving,
    WalHealthy,
    DiskPressure,
}

impl ConditionType {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            ConditionType::Ready => "Ready",
            ConditionType::Progressing => "Progressing",
            ConditionType::Degraded => "Degraded",
            ConditionType::Stalled => "Stalled",
            ConditionType::Paused => "Paused",
            ConditionType::PendingRestart => "PendingRestart",
            ConditionType::ResourcesInSync => "ResourcesInSync",
            ConditionType::ContinuousArchiving => "ContinuousArchiving",
            ConditionType::WalHealthy => "WalHealthy",
            ConditionType::DiskPressure => "DiskPressure",
        }
    }
}

impl ConditionType {
    /// Whether a person has to care about a condition of this type. Nothing archived is what was asked for as long as
    /// nothing is set up.
    #[must_use]
    pub fn is_wrong(self, status: Truth, reason: &str) -> bool {
        use ConditionType as T;
        match self {
            T::Ready | T::ResourcesInSync | T::WalHealthy => status != Truth::True,
            T::ContinuousArchiving => status != Truth::True && reason != "NotConfigured",
            T::Progressing | T::Degraded | T::Stalled | T::Paused | T::PendingRestart | T::DiskPressure => {
                status != Truth::False
            }
        }
    }

    /// Whether its changes are events: what it tells of comes and goes without a step of ours.
    #[must_use]
    pub fn is_told(self) -> bool {
        matches!(
            self,
            ConditionType::WalHealthy | ConditionType::ContinuousArchiving | ConditionType::DiskPressure
        )
    }
}

impl fmt::Display for ConditionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Three values: what could not be read is `Unknown`, never `False`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Truth {
    True,
    False,
    Unknown,
}

impl Truth {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Truth::True => "True",
            Truth::False => "False",
            Truth::Unknown => "Unknown",
        }
    }
}

impl fmt::Display for Truth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<bool> for Truth {
    fn from(b: bool) -> Self {
        if b { Truth::True } else { Truth::False }
    }
}

/// One condition of an object's status.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    #[serde(rename = "type")]
    pub kind: ConditionType,
    pub status: Truth,
    /// One CamelCase word, from a closed set.
    pub reason: String,
    pub message: String,
    /// RFC 3339, UTC, whole seconds.
    pub last_transition_time: String,
    pub observed_generation: u64,
}

/// A condition before it has a time: what a pure function can say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub kind: ConditionType,
    pub status: Truth,
    pub reason: &'static str,
    pub message: String,
}

impl Finding {
    #[must_use]
    pub fn new(kind: ConditionType, status: Truth, reason: &'static str, message: impl Into<String>) -> Self {
        Self { kind, status, reason, message: message.into() }
    }
}

/// A state of its own, whatever it was before: it begins with the removal.
const RETAINED: &str = "Retained";

/// The conditions that follow from `findings`, keeping the time of those whose status did not change.
/// The result is ordered by type; a type that is not in `findings` is gone.
#[must_use]
pub fn merge(old: &[Condition], findings: &[Finding], now: &str, generation: u64) -> Vec<Condition> {
    let mut new: Vec<Condition> = findings
        .iter()
        .map(|finding| {
            let since = old
                .iter()
                .find(|c| c.kind == finding.kind && c.status == finding.status)
                .filter(|c| finding.reason != RETAINED || c.reason == RETAINED)
                .map_or_else(|| now.to_owned(), |c| c.last_transition_time.clone());
            Condition {
                kind: finding.kind,
                status: finding.status,
                reason: finding.reason.to_owned(),
                message: shown(&finding.message, WORDS),
                last_transition_time: since,
                observed_generation: generation,
            }
        })
        .collect();
    new.sort_by_key(|c| c.kind);
    new
}

/// The condition of a type, when there is one.
#[must_use]
pub fn find(conditions: &[Condition], kind: ConditionType) -> Option<&Condition> {
    conditions.iter().find(|c| c.kind == kind)
}

/// The one word for tables. Derived, never stored.
#[must_use]
pub fn phase(conditions: &[Condition]) -> String {
    phase_and_source(conditions).0
}

/// The same, with the condition that says since when and why; none while nothing is known.
#[must_use]
pub fn phase_and_source(conditions: &[Condition]) -> (String, Option<&Condition>) {
    let is = |kind| find(conditions, kind).filter(|c| c.status == Truth::True);
    let Some(ready) = find(conditions, ConditionType::Ready) else { return ("Pending".to_owned(), None) };
    let (word, source) = match (ready.status, ready.reason.as_str()) {
        (_, "Stopped" | "Retained" | "Blocked" | "NameConflict" | "Invalid" | "Deleting") => {
            (ready.reason.as_str(), ready)
        }
        (Truth::Unknown, _) => ("Unknown", ready),
        (status, _) => {
            if let Some(paused) = is(ConditionType::Paused) {
                ("Paused", paused)
            } else if let Some(stalled) = is(ConditionType::Stalled) {
                ("Stalled", stalled)
            } else if status == Truth::True {
                is(ConditionType::Degraded).map_or(("Ready", ready), |degraded| ("Degraded", degraded))
            } else if is(ConditionType::Progressing).is_some() {
                ("Progressing", ready)
            } else {
                ("NotReady", ready)
            }
        }
    };
    (word.to_owned(), Some(source))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(status: Truth) -> Finding {
        Finding::new(ConditionType::Ready, status, "Reason", "m")
    }

    #[test]
    fn only_a_change_of_status_moves_the_time() {
        let first = merge(&[], &[finding(Truth::False)], "t1", 1);
        let same = merge(&first, &[finding(Truth::False)], "t2", 2);
        assert_eq!(same[0].last_transition_time, "t1");
        assert_eq!(same[0].observed_generation, 2);
        let changed = merge(&same, &[finding(Truth::True)], "t3", 2);
        assert_eq!(changed[0].last_transition_time, "t3");
    }

    #[test]
    fn phase_is_one_word() {
        let c = |kind, status, reason: &'static str| Finding::new(kind, status, reason, "");
        use ConditionType::{Degraded, Paused, Progressing, Ready, Stalled};
        use Truth::{False, True, Unknown};
        for (findings, want) in [
            (vec![], "Pending"),
            (vec![c(Ready, True, "LoginSucceeded")], "Ready"),
            (vec![c(Ready, True, "LoginSucceeded"), c(Degraded, True, "X")], "Degraded"),
            (vec![c(Ready, False, "Starting"), c(Progressing, True, "X")], "Progressing"),
            (vec![c(Ready, False, "LoginFailed")], "NotReady"),
            (vec![c(Ready, False, "Stopped")], "Stopped"),
            (vec![c(Ready, False, "Blocked"), c(Stalled, True, "X")], "Blocked"),
            (vec![c(Ready, False, "LoginFailed"), c(Stalled, True, "X")], "Stalled"),
            (vec![c(Ready, Unknown, "EngineUnavailable"), c(Paused, True, "X")], "Unknown"),
            (vec![c(Ready, True, "LoginSucceeded"), c(Paused, True, "X")], "Paused"),
        ] {
            assert_eq!(phase(&merge(&[], &findings, "t", 1)), want, "{findings:?}");
        }
    }
}
