//! The rules: which figures are a warning, how bad, and what to do. The first four are the product brief's, with its
//! thresholds; `docs/wal-health.md` says why for each. Pure.

use super::archiving::Target;
use super::pressure::{Confidence, Forecast, Pressure};
use super::reading::{Reading, Slot};
use super::trend::Trend;
use crate::core::duration::human;
use crate::core::seen::Space;
use crate::core::text::shown;
pub use crate::core::trouble::Severity;
use crate::workload::disk::roughly;
use serde::Serialize;

/// Times max_wal_size.
const BLOAT: u64 = 3;
const BLOAT_CRITICAL: u64 = 10;
/// Segments that wait.
const BACKLOG: u64 = 100;
/// Seconds.
const NOT_RECYCLED: u64 = 24 * 3600;
/// Of what a slot may retain, in percent: less than this is left.
const NEAR_LIMIT: u128 = 20;
/// Times autovacuum_freeze_max_age: vacuum did not do what it is forced to at one.
const FREEZE: i64 = 2;
/// Where the server has no vacuum_failsafe_age: its default (PostgreSQL docs, "vacuum_failsafe_age").
const FAILSAFE: i64 = 1_600_000_000;

/// What is wrong, with its figures: bytes, seconds, counts.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum What {
    WalBloat { pg_wal_bytes: u64, max_wal_size_bytes: u64, ratio: f64 },
    StaleSlot { slot_name: String, retained_bytes: i64, active: bool },
    ArchiveBacklog { ready_count: u64 },
    WalNotRecycled { oldest_age_secs: u64 },
    ArchiveModeWithoutCommand,
    ArchiverFailing { failed_wal: Option<String>, probes: u32 },
    ArchiverStalled { secs: u64, ready_count: u64 },
    SlotLost { slot_name: String },
    SlotNearLimit { slot_name: String, safe_wal_size: i64 },
    DiskPressure { free_bytes: u64, total_bytes: u64, time_to_full_secs: Option<u64> },
    Wraparound { database: String, xid_age: i64, mxid_age: i64 },
    VacuumHeldBack { holder: String, age: i64 },
    ProbeFailed { parts: Vec<&'static str> },
}

/// One finding, for people and for programs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Warning {
    #[serde(flatten)]
    pub what: What,
    pub severity: Severity,
    /// One sentence, with the figures.
    pub message: String,
    /// What to do next. It destroys nothing.
    pub action: String,
}

impl What {
    /// The CamelCase word for conditions.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            What::WalBloat { .. } => "WalBloat",
            What::StaleSlot { .. } => "StaleSlot",
            What::ArchiveBacklog { .. } => "ArchiveBacklog",
            What::WalNotRecycled { .. } => "WalNotRecycled",
            What::ArchiveModeWithoutCommand => "ArchiveModeWithoutCommand",
            What::ArchiverFailing { .. } => "ArchiverFailing",
            What::ArchiverStalled { .. } => "ArchiverStalled",
            What::SlotLost { .. } => "SlotLost",
            What::SlotNearLimit { .. } => "SlotNearLimit",
            What::DiskPressure { .. } => "DiskPressure",
            What::Wraparound { .. } => "Wraparound",
            What::VacuumHeldBack { .. } => "VacuumHeldBack",
            What::ProbeFailed { .. } => "ProbeFailed",
        }
    }

    fn severity(&self) -> Severity {
        match self {
            What::WalBloat { pg_wal_bytes, max_wal_size_bytes, .. }
                if at_least(*pg_wal_bytes, BLOAT_CRITICAL, *max_wal_size_bytes) =>
            {
                Severity::Critical
            }
            What::StaleSlot { .. } | What::SlotLost { .. } => Severity::Critical,
            _ => Severity::Warning,
        }
    }

    fn message(&self) -> String {
        let size = |bytes: i64| roughly(u64::try_from(bytes).unwrap_or(0));
        match self {
            What::WalBloat { pg_wal_bytes, max_wal_size_bytes, ratio } => format!(
                "pg_wal holds {}, {ratio:.1} times max_wal_size ({})",
                roughly(*pg_wal_bytes),
                roughly(*max_wal_size_bytes)
            ),
            What::StaleSlot { slot_name, retained_bytes, .. } => format!(
                "replication slot {slot_name:?} is not in use and keeps {} of WAL",
                size(*retained_bytes)
            ),
            What::ArchiveBacklog { ready_count } => {
                format!("{ready_count} finished WAL segments wait to be archived")
            }
            What::WalNotRecycled { oldest_age_secs } => {
                format!("the oldest WAL segment is {} old, and pg_wal is bloated", human(*oldest_age_secs))
            }
            What::ArchiveModeWithoutCommand => {
                "archive_mode is on with neither archive_command nor archive_library: every WAL segment is kept for ever".to_owned()
            }
            What::ArchiverFailing { failed_wal, probes } => {
                let which = failed_wal.as_deref().map(|wal| format!(", last of {wal}")).unwrap_or_default();
                format!("archiving fails{which}: {probes} looks in a row saw new failures and no success")
            }
            What::ArchiverStalled { secs, ready_count } => format!(
                "nothing was archived for {} while {ready_count} segments wait",
                human(*secs)
            ),
            What::SlotLost { slot_name } => format!(
                "replication slot {slot_name:?} is lost: WAL that its consumer still needs was removed"
            ),
            What::SlotNearLimit { slot_name, safe_wal_size } => format!(
                "replication slot {slot_name:?} is near max_slot_wal_keep_size: it is lost after {} more of WAL",
                size(*safe_wal_size)
            ),
            What::DiskPressure { free_bytes, total_bytes, time_to_full_secs } => {
                let when = time_to_full_secs.map(|secs| format!("; full in {} at the present rate", human(secs)));
                format!(
                    "{} of {} are free on the disk under the volume{}",
                    roughly(*free_bytes),
                    roughly(*total_bytes),
                    when.unwrap_or_default()
                )
            }
            What::Wraparound { database, xid_age, mxid_age } => format!(
                "the oldest transaction of database {database:?} that is not frozen is {xid_age} transactions old (multixacts {mxid_age}); at some 2 billion the server stops taking writes"
            ),
            What::VacuumHeldBack { holder, age } => format!(
                "{holder} keeps vacuum from the last {age} transactions: nothing that they left behind can be cleared away, or frozen"
            ),
            What::ProbeFailed { parts } => format!("could not be read: {}", parts.join(", ")),
        }
    }

    /// `psql`: words of a shell that open psql on the server.
    fn action(&self, object: &str, psql: &str) -> String {
        let ask = |what: &str| format!("{psql} -c '{what}'");
        match self {
            What::WalBloat { .. } => "find what keeps it: a slot, an archiver that does not archive, or a wal_keep_size; the other warnings name it. A burst of writes goes by itself after the next checkpoints".to_owned(),
            What::StaleSlot { .. } | What::SlotNearLimit { .. } => format!(
                "start its consumer again, or find out whose it is: {}. Give max_slot_wal_keep_size in spec.parameters so that no slot can fill the disk",
                ask("TABLE pg_catalog.pg_replication_slots")
            ),
            What::SlotLost { .. } => format!(
                "its consumer has to be built anew from a copy of the data; it was {}",
                ask("TABLE pg_catalog.pg_replication_slots")
            ),
            What::ArchiveBacklog { .. } | What::ArchiverFailing { .. } | What::ArchiverStalled { .. } => format!(
                "read why in the server's log: seawall logs {object}. Whether the place takes files: {}",
                ask("TABLE pg_catalog.pg_stat_archiver")
            ),
            What::ArchiveModeWithoutCommand => format!(
                "somebody took archive_command away: {}. Set it, or let Seawall's file decide again (seawall describe {object})",
                ask("TABLE pg_catalog.pg_file_settings")
            ),
            What::WalNotRecycled { .. } => "see what keeps WAL (the other warnings name it); segments go at the checkpoints after that".to_owned(),
            What::DiskPressure { .. } => "make room on that disk, or move the volume to a bigger one, before the server has to stop".to_owned(),
            What::Wraparound { .. } => format!(
                "let vacuum get there: end what holds it back ({}; prepared transactions and slots, too), then VACUUM (FREEZE) in that database",
                ask("TABLE pg_catalog.pg_stat_activity")
            ),
            What::VacuumHeldBack { .. } => format!(
                "end it: seawall pg ps {object} shows open transactions, ROLLBACK PREPARED ends a prepared one, and a slot goes on with its consumer ({})",
                ask("TABLE pg_catalog.pg_prepared_xacts")
            ),
            What::ProbeFailed { .. } => "status.walHealth.errors says why".to_owned(),
        }
    }

    fn warning(self, severity: Option<Severity>, object: &str, psql: &str) -> Warning {
        Warning {
            severity: severity.unwrap_or_else(|| self.severity()),
            message: self.message(),
            action: self.action(object, psql),
            what: self,
        }
    }
}

/// What is judged.
pub struct Figures<'a> {
    pub reading: &'a Reading,
    pub trend: &'a Trend,
    pub disk: Option<Space>,
    /// `postgres/main`
    pub object: &'a str,
    pub psql: &'a str,
}

/// Everything that is wrong, critical first, in a fixed order.
#[must_use]
pub fn warnings(figures: &Figures<'_>) -> Vec<Warning> {
    let mut found: Vec<(Option<Severity>, What)> = Vec::new();
    bloat(figures.reading, &mut found);
    slots(figures.reading, &mut found);
    archiving(figures.reading, figures.trend, &mut found);
    disk(figures.trend, figures.disk, &mut found);
    wraparound(figures.reading, &mut found);
    held_back(figures.reading, &mut found);
    let parts = unread(figures.reading);
    if !parts.is_empty() {
        found.push((None, What::ProbeFailed { parts }));
    }
    let words = |(severity, what): (_, What)| what.warning(severity, figures.object, figures.psql);
    let mut all: Vec<Warning> = found.into_iter().map(words).collect();
    all.sort_by_key(|warning| warning.severity);
    all
}

/// Slots that keep too much, and nobody reads.
#[must_use]
pub fn stale(reading: &Reading) -> Vec<&Slot> {
    let (Ok(settings), Ok(slots)) = (&reading.settings, &reading.slots) else { return Vec::new() };
    let much = |slot: &Slot| {
        let retained = slot.retained_bytes.and_then(|bytes| u64::try_from(bytes).ok());
        retained.is_some_and(|retained| at_least(retained, BLOAT, settings.max_wal_size_bytes))
    };
    // pg_auto_failover keeps one for each node, and looks after them.
    let ours = |slot: &Slot| !slot.slot_name.starts_with("pgautofailover_");
    slots.iter().filter(|slot| !slot.active && ours(slot) && much(slot)).collect()
}

/// Parts that could not be read.
fn unread(reading: &Reading) -> Vec<&'static str> {
    let parts = [
        ("settings", reading.settings.is_err()),
        ("pg_wal", reading.files.is_err()),
        ("archive_status", reading.backlog.is_err()),
        ("pg_stat_archiver", reading.archiver.is_err()),
        ("replication slots", reading.slots.is_err()),
        ("WAL position", reading.position.is_err()),
        ("transaction ages", reading.horizon.is_err()),
    ];
    parts.into_iter().filter(|(_, failed)| *failed).map(|(part, _)| part).collect()
}

fn at_least(bytes: u64, times: u64, of: u64) -> bool {
    u128::from(bytes) >= u128::from(of) * u128::from(times)
}

fn bloat(reading: &Reading, found: &mut Vec<(Option<Severity>, What)>) {
    let (Ok(settings), Ok(files)) = (&reading.settings, &reading.files) else { return };
    let (bytes, most) = (files.bytes, settings.max_wal_size_bytes);
    if !at_least(bytes, BLOAT, most) {
        return;
    }
    #[expect(clippy::cast_precision_loss, reason = "a ratio has a few figures")]
    let ratio = bytes as f64 / most.max(1) as f64;
    let bloat = What::WalBloat { pg_wal_bytes: bytes, max_wal_size_bytes: most, ratio };
    found.push((None, bloat));
    if let Some(age) = files.oldest_age_secs.map(whole).filter(|age| *age >= NOT_RECYCLED) {
        found.push((None, What::WalNotRecycled { oldest_age_secs: age }));
    }
}

fn slots(reading: &Reading, found: &mut Vec<(Option<Severity>, What)>) {
    for slot in stale(reading) {
        let (slot_name, retained_bytes) =
            (shown(&slot.slot_name, 63), slot.retained_bytes.unwrap_or_default());
        found.push((None, What::StaleSlot { slot_name, retained_bytes, active: slot.active }));
    }
    for slot in reading.slots.iter().flatten() {
        let slot_name = shown(&slot.slot_name, 63);
        if slot.is_lost() {
            found.push((None, What::SlotLost { slot_name }));
        } else if let Some(safe_wal_size) = near_limit(slot) {
            found.push((None, What::SlotNearLimit { slot_name, safe_wal_size }));
        }
    }
}

/// What may still be written before the slot is lost, where that is little.
fn near_limit(slot: &Slot) -> Option<i64> {
    let safe = slot.safe_wal_size?;
    if slot.wal_status.as_deref() == Some("unreserved") || safe <= 0 {
        return Some(safe);
    }
    let (left, retained) = (u128::try_from(safe).ok()?, u128::try_from(slot.retained_bytes?).ok()?);
    (left * 100 < (left + retained) * NEAR_LIMIT).then_some(safe)
}

fn archiving(reading: &Reading, trend: &Trend, found: &mut Vec<(Option<Severity>, What)>) {
    let ready_count = reading.backlog.as_ref().map_or(0, |backlog| backlog.segments);
    if ready_count >= BACKLOG {
        found.push((None, What::ArchiveBacklog { ready_count }));
    }
    let Ok(settings) = &reading.settings else { return };
    match settings.target() {
        Target::Off => return,
        Target::Nobody => return found.push((None, What::ArchiveModeWithoutCommand)),
        Target::Discarded | Target::Library | Target::Command => {}
    }
    if trend.is_failing() {
        let failed_wal = reading.archiver.as_ref().ok().and_then(|archiver| archiver.last_failed_wal.clone());
        let failed_wal = failed_wal.map(|wal| shown(&wal, 60));
        found.push((None, What::ArchiverFailing { failed_wal, probes: trend.failing }));
    } else if let Some(secs) = trend.stalled() {
        found.push((None, What::ArchiverStalled { secs, ready_count }));
    }
}

fn disk(trend: &Trend, disk: Option<Space>, found: &mut Vec<(Option<Severity>, What)>) {
    let Some(space) = disk else { return };
    let severity = match trend.pressure {
        Pressure::None => return,
        Pressure::Low => Severity::Warning,
        Pressure::Critical => Severity::Critical,
    };
    let sure = |forecast: &Forecast| forecast.confidence >= Confidence::Medium;
    let what = What::DiskPressure {
        free_bytes: space.free,
        total_bytes: space.total,
        time_to_full_secs: trend.forecast().filter(sure).map(|forecast| forecast.secs),
    };
    found.push((Some(severity), what));
}

fn wraparound(reading: &Reading, found: &mut Vec<(Option<Severity>, What)>) {
    let Ok(horizon) = &reading.horizon else { return };
    let oldest = horizon.xid_age.max(horizon.mxid_age);
    if oldest < horizon.freeze_max_age.saturating_mul(FREEZE) {
        return;
    }
    let critical = oldest >= horizon.failsafe_age.unwrap_or(FAILSAFE);
    let what = What::Wraparound {
        database: shown(&horizon.database, 63),
        xid_age: horizon.xid_age,
        mxid_age: horizon.mxid_age,
    };
    found.push((critical.then_some(Severity::Critical), what));
}

/// At one autovacuum_freeze_max_age vacuum is forced, and comes to nothing while somebody holds what is as old.
fn held_back(reading: &Reading, found: &mut Vec<(Option<Severity>, What)>) {
    let Ok(horizon) = &reading.horizon else { return };
    let Some(held) = horizon.held.as_ref().filter(|held| held.age >= horizon.freeze_max_age) else { return };
    found.push((None, What::VacuumHeldBack { holder: shown(&held.holder, 120), age: held.age }));
}

/// Whole seconds.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an age; below zero is none")]
pub(super) fn whole(secs: f64) -> u64 {
    secs.max(0.0) as u64
}

#[cfg(test)]
#[path = "rules_tests.rs"]
mod tests;
