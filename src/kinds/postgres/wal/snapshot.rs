//! `status.walHealth`: one look as people and programs read it. Names and units are the product brief's
//! (PostgresWalHealth); a field that could not be read is absent, and `errors` says why.

use super::STALE_AFTER;
use super::pressure::{Confidence, Forecast, Pressure};
use super::reading::{Reading, Slot};
use super::rules::{Figures, Warning, stale, warnings, whole};
use super::trend::Trend;
use crate::core::seen::Space;
use crate::core::text::shown;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Characters of a server's words that are kept.
const WORDS: usize = 500;

/// How a look went, beside what it told.
#[derive(Clone, Debug)]
pub struct Look<'a> {
    pub at: Timestamp,
    pub took_ms: u64,
    /// Of the file system under the volume.
    pub disk: Option<Space>,
    /// `postgres/main`
    pub object: &'a str,
    /// Words of a shell that open psql on the server.
    pub psql: &'a str,
}

/// See the module. Sizes in bytes, times in RFC 3339 or in seconds by their names.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Snapshot {
    pub probed_at: String,
    /// From then on it says nothing about now.
    pub stale_after: String,
    pub probe_duration_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_recovery: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pg_wal_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_wal_size_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest_wal_age_secs: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wal_rate_bytes_per_s: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archive_mode: Option<String>,
    /// `null`: there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archive_command: Option<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archive_library: Option<Option<String>>,
    /// Segments that wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archive_backlog: Option<u64>,
    /// Other files that wait: histories, labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archive_backlog_other: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archiver_archived_count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archiver_last_archived_wal: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archiver_last_archived_at: Option<String>,
    /// Since the server's statistics were last reset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archiver_failed_count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archiver_last_failed_wal: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archiver_last_failed_at: Option<String>,
    /// Looks that saw new failures since the last success.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archiver_failure_streak: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slots: Option<Vec<Slot>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stale_slots: Option<Vec<Slot>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost_slots: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub xid_age: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk: Option<Disk>,
    /// `null`: it was not watched for long enough, or does not get fuller.
    pub time_to_full_secs: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_to_full_confidence: Option<Confidence>,
    pub warnings: Vec<Warning>,
    /// Part → why it could not be read.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub errors: BTreeMap<&'static str, String>,
    /// What conditions are made from.
    #[serde(skip)]
    pub reading: Reading,
    #[serde(skip)]
    pub pressure: Pressure,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Disk {
    pub free_bytes: u64,
    pub total_bytes: u64,
}

/// An instant that a server told, as people write it.
fn time(secs: Option<f64>) -> Option<String> {
    let span = SignedDuration::try_from_secs_f64(secs?).ok()?;
    let at = Timestamp::from_duration(span).ok()?;
    Some(at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

/// The same of ours.
fn at(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

impl Snapshot {
    /// Of one look, with what the looks before it taught.
    #[must_use]
    pub fn new(look: &Look<'_>, reading: Reading, trend: &Trend) -> Self {
        let figures =
            Figures { reading: &reading, trend, disk: look.disk, object: look.object, psql: look.psql };
        let warnings = warnings(&figures);
        let words = |text: &str| shown(text, WORDS);
        let settings = reading.settings.as_ref().ok();
        let (files, backlog) = (reading.files.as_ref().ok(), reading.backlog.as_ref().ok());
        let (archiver, slots) = (reading.archiver.as_ref().ok(), reading.slots.as_ref().ok());
        let position = reading.position.as_ref().ok();
        let forecast = trend.forecast();
        let until = look.at + SignedDuration::from_secs(i64::try_from(STALE_AFTER).unwrap_or_default());
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bytes a second, from 0")]
        let rate = trend.rate.map(|rate| rate.max(0.0).round() as u64);
        Self {
            probed_at: at(look.at),
            stale_after: at(until),
            probe_duration_ms: look.took_ms,
            in_recovery: position.map(|position| position.in_recovery),
            pg_wal_bytes: files.map(|files| files.bytes),
            max_wal_size_bytes: settings.map(|settings| settings.max_wal_size_bytes),
            oldest_wal_age_secs: files.and_then(|files| files.oldest_age_secs).map(whole),
            wal_rate_bytes_per_s: rate,
            archive_mode: settings.map(|settings| words(&settings.archive_mode)),
            archive_command: settings.map(|settings| settings.command().map(words)),
            archive_library: settings.map(|settings| settings.library().map(words)),
            archive_backlog: backlog.map(|backlog| backlog.segments),
            archive_backlog_other: backlog.map(|backlog| backlog.other),
            archiver_archived_count: archiver.map(|archiver| archiver.archived_count),
            archiver_last_archived_wal: archiver.and_then(|a| a.last_archived_wal.as_deref().map(words)),
            archiver_last_archived_at: archiver.and_then(|a| time(a.last_archived_at)),
            archiver_failed_count: archiver.map(|archiver| archiver.failed_count),
            archiver_last_failed_wal: archiver.and_then(|a| a.last_failed_wal.as_deref().map(words)),
            archiver_last_failed_at: archiver.and_then(|a| time(a.last_failed_at)),
            archiver_failure_streak: archiver.map(|_| trend.failing),
            stale_slots: (settings.is_some() && slots.is_some())
                .then(|| stale(&reading).into_iter().cloned().collect()),
            lost_slots: slots.map(|slots| {
                slots.iter().filter(|slot| slot.is_lost()).map(|slot| words(&slot.slot_name)).collect()
            }),
            slots: slots.cloned(),
            xid_age: reading.horizon.as_ref().ok().map(|horizon| horizon.xid_age),
            disk: look.disk.map(|space| Disk { free_bytes: space.free, total_bytes: space.total }),
            time_to_full_secs: forecast.map(|Forecast { secs, .. }| secs),
            time_to_full_confidence: forecast.map(|Forecast { confidence, .. }| confidence),
            warnings,
            errors: errors(&reading, look.disk),
            reading,
            pressure: trend.pressure,
        }
    }

    /// As it is shown; `failing`: why the looks since then failed.
    #[must_use]
    pub fn shown(&self, now: Timestamp, failing: Option<&str>) -> Value {
        let mut value = serde_json::to_value(self).unwrap_or_default();
        let age = self.age_secs(now);
        value["stale"] = json!(age > STALE_AFTER);
        value["age_secs"] = json!(age);
        if let Some(why) = failing {
            value["errors"]["probe"] = json!(shown(why, WORDS));
        }
        value
    }

    /// Seconds since it was taken; 0 when the clock went back since.
    #[must_use]
    pub fn age_secs(&self, now: Timestamp) -> u64 {
        let taken: Option<Timestamp> = self.probed_at.parse().ok();
        taken.and_then(|taken| u64::try_from(now.duration_since(taken).as_secs()).ok()).unwrap_or(0)
    }
}

/// By the fields that are absent for it.
fn errors(reading: &Reading, disk: Option<Space>) -> BTreeMap<&'static str, String> {
    let parts = [
        ("max_wal_size_bytes, archive_mode, archive_command", reading.settings.as_ref().err()),
        ("pg_wal_bytes, oldest_wal_age_secs", reading.files.as_ref().err()),
        ("archive_backlog", reading.backlog.as_ref().err()),
        ("archiver_failed_count, archiver_last_failed_at", reading.archiver.as_ref().err()),
        ("slots, stale_slots", reading.slots.as_ref().err()),
        ("in_recovery, wal_rate_bytes_per_s", reading.position.as_ref().err()),
        ("xid_age", reading.horizon.as_ref().err()),
    ];
    let mut all = BTreeMap::new();
    for (fields, why) in parts {
        for field in fields.split(", ").filter(|_| why.is_some()) {
            all.insert(field, shown(why.map_or("", String::as_str), WORDS));
        }
    }
    if disk.is_none() {
        all.insert("disk", "the file system under the volume cannot be seen".to_owned());
    }
    all
}
