//! What was wrong, since when, and whether somebody was told. A function of what is wrong now and what was remembered, so that
//! nothing is told twice and nothing is forgotten: not what began and ended while the webhook was away, either. Pure.

use super::check::Checked;
use crate::core::condition::{ConditionType, Truth};
use crate::core::text::shown;
use crate::core::trouble::{Severity, Trouble};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// What is remembered at once. With more than that wrong, the first thousand say enough.
pub const MOST: usize = 1_000;
/// Characters of a condition's message that are told.
const WORDS: usize = 500;
/// What Seawall is at work on is told after this at the earliest: a new server takes its time.
const UNDER_WAY: Duration = Duration::from_secs(300);

/// One condition of one object that is or was wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Incident {
    pub object: String,
    pub condition: ConditionType,
    pub status: Truth,
    pub reason: String,
    pub message: String,
    pub severity: Severity,
    pub since: Timestamp,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub under_way: bool,
    /// When it was last told that it is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told_at: Option<Timestamp>,
    /// Since when it is not wrong any more; that is still to be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over: Option<Timestamp>,
}

/// By object and condition.
pub type Incidents = BTreeMap<String, Incident>;

impl Incident {
    fn of(trouble: &Trouble, now: Timestamp) -> Self {
        Self {
            object: trouble.object.to_string(),
            condition: trouble.condition,
            status: trouble.status,
            reason: trouble.reason.clone(),
            message: shown(&trouble.message, WORDS),
            severity: trouble.severity,
            // A clock that was put back must not keep it from being told.
            since: trouble.since.parse().unwrap_or(now).min(now),
            under_way: trouble.under_way,
            told_at: None,
            over: None,
        }
    }

    /// When it is to be told next; `None`: it was told, and once is enough.
    fn due(&self, wanted: &Checked) -> Option<Timestamp> {
        match (self.over, self.told_at) {
            (Some(over), _) => Some(over),
            (None, None) => {
                let patience = if self.under_way { wanted.after.max(UNDER_WAY) } else { wanted.after };
                Some(after(self.since, patience))
            }
            (None, Some(told)) => wanted.repeat_after.map(|pause| after(told, pause)),
        }
    }
}

fn after(at: Timestamp, pause: Duration) -> Timestamp {
    SignedDuration::try_from(pause)
        .ok()
        .and_then(|pause| at.checked_add(pause).ok())
        .unwrap_or(Timestamp::MAX)
}

/// What is remembered from now on.
#[must_use]
pub fn advance(known: &Incidents, troubles: &[Trouble], wanted: &Checked, now: Timestamp) -> Incidents {
    let mut all = Incidents::new();
    for trouble in troubles.iter().filter(|trouble| wanted.wants(trouble)) {
        let key = format!("{} {}", trouble.object, trouble.condition);
        let incident = Incident::of(trouble, now);
        if let Some(before) = known.get(&key) {
            // What got worse is news.
            let told_at = before.told_at.filter(|_| incident.severity >= before.severity);
            let since = before.since.min(incident.since);
            all.insert(key, Incident { told_at: told_at.map(|at| at.min(now)), since, ..incident });
        } else if all.len() < MOST {
            all.insert(key, incident);
        }
    }
    for (key, before) in known {
        let lasted = || Incident { over: None, ..before.clone() }.due(wanted).is_some_and(|due| due <= now);
        // What was over before anybody had to know is no news.
        if !all.contains_key(key) && (before.over.is_some() || before.told_at.is_some() || lasted()) {
            all.insert(key.clone(), Incident { over: before.over.or(Some(now)), ..before.clone() });
        }
    }
    all
}

/// What is to be told now, the worst first.
#[must_use]
pub fn due<'a>(incidents: &'a Incidents, wanted: &Checked, now: Timestamp) -> Vec<&'a Incident> {
    let is_due = |incident: &&Incident| incident.due(wanted).is_some_and(|due| due <= now);
    let mut all: Vec<&Incident> = incidents.values().filter(is_due).collect();
    all.sort_by_key(|incident| (incident.over.is_some(), incident.severity));
    all
}

/// In how many milliseconds something is to be told that is not yet.
#[must_use]
pub fn next(incidents: &Incidents, wanted: &Checked, now: Timestamp) -> Option<u64> {
    let times = incidents.values().filter_map(|incident| incident.due(wanted));
    let first = times.filter(|due| *due > now && *due < Timestamp::MAX).min()?;
    u64::try_from(now.duration_until(first).as_millis()).ok().map(|ms| ms.saturating_add(10))
}

/// The same after [`due`] was told.
#[must_use]
pub fn told(incidents: &Incidents, wanted: &Checked, now: Timestamp) -> Incidents {
    let mut left = incidents.clone();
    left.retain(|_, incident| {
        let is_due = incident.due(wanted).is_some_and(|due| due <= now);
        if is_due {
            incident.told_at = Some(now);
        }
        !(is_due && incident.over.is_some())
    });
    left
}

#[cfg(test)]
#[path = "incident_tests.rs"]
mod tests;
