//! What is said of any object, whether it ever was Ready or not: from its conditions, plan, events and the last lines of its
//! log. Pure.

use super::api::{ObjectView, Recommendation, Verdict};
use crate::core::condition::{Condition, ConditionType as C, Truth};
use crate::core::diagnosis::{Check, Level};
use crate::core::event::{Event, EventType};
use crate::core::names::ObjectRef;
use crate::core::trouble::{Severity, severity};
use serde_json::Value;
use std::time::Duration;

/// Events that are shown of an object that is not Ready.
const EVENTS: usize = 5;

/// What is known of an object without asking its server.
pub struct Known<'a> {
    pub view: &'a ObjectView,
    /// Oldest first.
    pub events: &'a [Event],
    /// Of its manifest.
    pub problems: &'a [String],
    /// What its last plan waits for.
    pub plan: &'a [String],
}

impl Known<'_> {
    fn conditions(&self) -> Vec<Condition> {
        let list = self.view.status.get("conditions").and_then(Value::as_array);
        list.into_iter().flatten().filter_map(|c| serde_json::from_value(c.clone()).ok()).collect()
    }

    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.conditions().iter().any(|c| c.kind == C::Ready && c.status == Truth::True)
    }

    fn name(&self) -> String {
        format!("{}/{}", self.view.kind.to_lowercase(), self.view.metadata.name)
    }
}

/// The checks that need no server.
#[must_use]
pub fn of_object(known: &Known<'_>) -> Vec<Check> {
    let (conditions, ready) = (known.conditions(), known.is_ready());
    let mut checks: Vec<Check> = Vec::new();
    if !conditions.iter().any(|c| c.kind == C::Ready) {
        let found = "nothing is known of it yet: no pass has ended";
        let next = "seawall get shows whether the engine answers and whether manifests are held back";
        checks.push(Check::new("Ready", Level::Unknown, found).because("", next));
    }
    // What a warning of its server says, with figures, is not said once more.
    let told: Vec<&str> = conditions
        .iter()
        .filter(|c| ready && c.kind.is_told() && c.kind.is_wrong(c.status, &c.reason))
        .map(|c| c.reason.as_str())
        .collect();
    for condition in &conditions {
        let shown = condition.kind != C::Progressing || !ready;
        let elsewhere = ready && condition.kind.is_told()
            || condition.kind == C::Degraded && told.contains(&condition.reason.as_str());
        if shown && !elsewhere {
            checks.push(of_condition(condition, &known.name(), ready));
        }
    }
    if !known.problems.is_empty() {
        let found = format!("{} problems in its manifest", known.problems.len());
        let why = "what was good before stays in force; what the file says now does nothing";
        let check = Check::new("Manifest", Level::Yellow, found);
        checks.push(check.because(why, "seawall validate").about(known.problems.to_vec()));
    }
    if !known.plan.is_empty() {
        let level = if ready { Level::Yellow } else { Level::Red };
        let check = Check::new("Plan", level, format!("{} of its steps: not now", known.plan.len()));
        let next = format!("seawall plan shows all of it; seawall describe {}", known.name());
        checks.push(check.because("each says what it waits for", next).about(known.plan.to_vec()));
    }
    let bad = known.events.iter().rev().filter(|event| event.kind == EventType::Warning);
    let bad: Vec<String> = bad
        .take(EVENTS)
        .map(|e| format!("{} {} x{}: {}", e.last_seen, e.reason, e.count, e.message))
        .collect();
    if !ready && !bad.is_empty() {
        let found = "what went wrong last, the newest first";
        let next = format!("seawall events {}", known.name());
        checks.push(Check::new("Events", Level::Yellow, found).because("", next).about(bad));
    }
    checks
}

fn of_condition(condition: &Condition, object: &str, ready: bool) -> Check {
    let level = match (severity(condition.kind, condition.status, &condition.reason), condition.status) {
        (Some(_), Truth::Unknown) => Level::Unknown,
        (Some(Severity::Critical), _) => Level::Red,
        (Some(_), _) => Level::Yellow,
        // No trouble, and nothing that is done, either.
        (None, Truth::True) if condition.kind == C::Progressing => Level::Yellow,
        (None, _) => Level::Green,
    };
    let describe = format!("seawall describe {object}");
    let (why, next) = match condition.kind {
        C::Ready => ("applications do not get in", describe),
        C::Progressing => ("it is being worked on: this may be over in a moment", describe),
        C::Degraded if !ready => ("", describe),
        C::Degraded => ("it serves, and something about it is not as it should be", describe),
        C::Stalled => ("it was tried again and again: without you it does not go on", describe),
        C::Paused => ("nothing is repaired meanwhile", "remove the annotation seawall.dev/paused".to_owned()),
        C::PendingRestart => {
            ("what the manifest says is not in force until then", format!("seawall restart {object}"))
        }
        C::ResourcesInSync => ("the limits in force are others than those in the manifest", describe),
        C::ContinuousArchiving | C::WalHealthy => ("what is lost then cannot be had back", describe),
        C::DiskPressure => ("a full disk ends the server", describe),
    };
    let found = match condition.message.as_str() {
        "" => condition.reason.clone(),
        message => format!("{}: {message}", condition.reason),
    };
    Check::new(condition.kind.as_str(), level, found).because(why, next)
}

/// Whether it has the limits that it needs, by what it used; `None` as long as less than a day of that is known. Too much is no
/// trouble: it is said, and green.
#[must_use]
pub fn of_limits(known: &Recommendation) -> Option<Check> {
    let all = [("memory", &known.memory), ("cpus", &known.cpus)].into_iter();
    let all: Vec<_> = all.filter_map(|(name, advice)| Some((name, advice.as_ref()?))).collect();
    let words = all.iter().map(|(name, advice)| {
        let now = advice.now.as_deref().unwrap_or("without a limit");
        match advice.verdict {
            Verdict::Keep => format!("{name} {now}, near enough to {}", advice.wanted),
            _ => format!("{name} {now}, by use {}", advice.wanted),
        }
    });
    let raise = all.iter().any(|(_, advice)| advice.verdict == Verdict::Raise);
    let found = words.collect::<Vec<_>>().join("; ");
    let found = if raise || known.changes().next().is_none() {
        found
    } else {
        format!("{found} (seawall recommend {})", known.object)
    };
    let check = Check::new("Limits", if raise { Level::Yellow } else { Level::Green }, found);
    let why = "short memory ends in a kill, short CPU costs time";
    let next = format!("seawall recommend {} prints the lines for its manifest", known.object);
    let lines = all.iter().map(|(name, advice)| format!("{name} {}: {}", advice.wanted, advice.why));
    (!all.is_empty()).then(|| check.because(why, next).about(lines.collect()))
}

/// The last lines of its container's log.
#[must_use]
pub fn of_log(object: &ObjectRef, lines: &[String]) -> Option<Check> {
    if lines.is_empty() {
        return None;
    }
    let check = Check::new("Log", Level::Yellow, "what its container printed last");
    Some(check.because("", format!("seawall logs {object}")).about(lines.to_vec()))
}

/// The server did not tell in time.
#[must_use]
pub fn no_answer(limit: Duration) -> Check {
    let found = format!("the server was not through with the questions within {} s", limit.as_secs());
    Check::new("Server", Level::Unknown, found).because("it is busy, or hangs", "seawall top")
}

#[cfg(test)]
#[path = "diagnosis_tests.rs"]
mod tests;
