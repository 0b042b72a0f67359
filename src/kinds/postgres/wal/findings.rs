//! From the last look to conditions. Pure, and honest: what was not read, or long ago, is `Unknown`.

use super::archiving::{PLACEHOLDER, Target};
use super::pressure::Pressure;
use super::rules::{Severity, Warning, What};
use super::snapshot::Snapshot;
use crate::core::condition::{ConditionType as C, Finding, Truth};
use std::sync::Arc;

/// What is known of a server's WAL.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Health {
    /// Nobody has looked at this start of the server yet.
    #[default]
    NotYet,
    Read(Arc<Snapshot>),
    /// The last look failed as a whole.
    Failed {
        why: String,
        last: Option<Arc<Snapshot>>,
    },
}

/// Of a managed image without a target, and of one that has no tool for archiving.
pub const PREPARED: &str = "nothing is archived: archive_mode is on with a command that does nothing, so that a target can be added without a restart";
pub const NO_TOOL: &str = "nothing is archived; the image is custom: it has no tool for archiving";

/// The three conditions that follow from it.
#[must_use]
pub fn findings(health: &Health, managed: bool) -> Vec<Finding> {
    let unknown = |reason, words: &str| {
        let all = [C::WalHealthy, C::ContinuousArchiving, C::DiskPressure];
        all.map(|kind| Finding::new(kind, Truth::Unknown, reason, words)).to_vec()
    };
    match health {
        Health::NotYet => unknown("NotProbedYet", "its WAL was not looked at since this start of the server"),
        Health::Failed { why, .. } => unknown("ProbeFailed", why),
        Health::Read(snapshot) => {
            vec![wal(snapshot), archiving(snapshot, managed), disk(snapshot)]
        }
    }
}

/// The same without the words: another one is worth a pass.
#[must_use]
pub fn verdict(health: &Health) -> Vec<(C, Truth, &'static str)> {
    let mut all: Vec<_> =
        findings(health, true).iter().map(|finding| (finding.kind, finding.status, finding.reason)).collect();
    all.extend(degraded(health).map(|(reason, _)| (C::Degraded, Truth::True, reason)));
    all
}

/// The worst of what is wrong. That a disk gets fuller is DiskPressure alone, until it is critical.
#[must_use]
pub fn degraded(health: &Health) -> Option<(&'static str, String)> {
    let snapshot = match health {
        Health::NotYet => return None,
        Health::Failed { why, .. } => {
            return Some(("WalProbeFailed", format!("its WAL cannot be looked at: {why}")));
        }
        Health::Read(snapshot) => snapshot,
    };
    let counts = |warning: &&Warning| {
        warning.severity == Severity::Critical || !matches!(warning.what, What::DiskPressure { .. })
    };
    let worst = snapshot.warnings.iter().find(counts)?;
    Some((worst.what.reason(), in_words(snapshot)))
}

/// All of it; the worst one says what to do.
fn in_words(snapshot: &Snapshot) -> String {
    let messages: Vec<&str> = snapshot.warnings.iter().map(|warning| warning.message.as_str()).collect();
    let action = snapshot.warnings.first().map_or("", |warning| warning.action.as_str());
    format!("{}. To do: {action}", messages.join("; "))
}

/// What has a condition of its own is not said twice.
fn of_wal(what: &What) -> bool {
    !matches!(what, What::DiskPressure { .. })
}

fn wal(snapshot: &Snapshot) -> Finding {
    match snapshot.warnings.iter().find(|warning| of_wal(&warning.what)) {
        None => Finding::new(C::WalHealthy, Truth::True, "WithinLimits", "no rule finds anything wrong"),
        // What could not be read is not healthy, nor is it ill.
        Some(Warning { what: what @ What::ProbeFailed { .. }, message, .. }) => {
            Finding::new(C::WalHealthy, Truth::Unknown, what.reason(), message)
        }
        Some(warning) => Finding::new(C::WalHealthy, Truth::False, warning.what.reason(), &warning.message),
    }
}

fn archiving(snapshot: &Snapshot, managed: bool) -> Finding {
    let say = |status, reason, words: &str| Finding::new(C::ContinuousArchiving, status, reason, words);
    let settings = match &snapshot.reading.settings {
        Ok(settings) => settings,
        Err(why) => return say(Truth::Unknown, "ProbeFailed", why),
    };
    let no = |reason, words: &str| say(Truth::False, reason, words);
    match settings.target() {
        Target::Off if managed => return no("NotConfigured", "nothing is archived: archive_mode is off"),
        Target::Off => {
            return no("NotConfigured", NO_TOOL);
        }
        Target::Nobody => {
            return no("NoArchiveCommand", "archive_mode is on, and there is nobody to archive to");
        }
        Target::Discarded if settings.command() == Some(PLACEHOLDER) => {
            return no("NotConfigured", PREPARED);
        }
        Target::Discarded => {
            return no(
                "WalDiscarded",
                "archive_command says that it archives, and does nothing: no WAL is kept anywhere",
            );
        }
        Target::Library | Target::Command => {}
    }
    let archiver = match &snapshot.reading.archiver {
        Ok(archiver) => archiver,
        Err(why) => return say(Truth::Unknown, "ProbeFailed", why),
    };
    let wrong = |what: &What| matches!(what, What::ArchiverFailing { .. } | What::ArchiverStalled { .. });
    if let Some(warning) = snapshot.warnings.iter().find(|warning| wrong(&warning.what)) {
        return no(warning.what.reason(), &warning.message);
    }
    if archiver.last_archived_at.is_none() {
        let words = "no segment was archived since the server's statistics were last reset";
        return say(Truth::Unknown, "NothingArchivedYet", words);
    }
    say(Truth::True, "Archiving", "finished segments are archived")
}

fn disk(snapshot: &Snapshot) -> Finding {
    let say = |status, reason, words: &str| Finding::new(C::DiskPressure, status, reason, words);
    if snapshot.disk.is_none() {
        return say(Truth::Unknown, "NotSeen", "the file system under the volume cannot be seen");
    }
    let said = snapshot.warnings.iter().find(|warning| !of_wal(&warning.what));
    match (snapshot.pressure, said) {
        (Pressure::Critical, Some(warning)) => say(Truth::True, "DiskAlmostFull", &warning.message),
        (_, Some(warning)) => say(Truth::True, "DiskLow", &warning.message),
        (_, None) => say(Truth::False, "EnoughRoom", "the disk under the volume has room"),
    }
}

#[cfg(test)]
#[path = "findings_tests.rs"]
mod tests;
