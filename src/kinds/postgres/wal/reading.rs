//! What one look told, part by part. Each part can fail on its own.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

/// A part, or why it could not be read.
pub type Told<T> = Result<T, String>;

/// One look at a server.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    pub settings: Told<Settings>,
    pub files: Told<Files>,
    pub backlog: Told<Backlog>,
    pub archiver: Told<Archiver>,
    pub slots: Told<Vec<Slot>>,
    pub position: Told<Position>,
    pub horizon: Told<Horizon>,
}

impl Reading {
    /// Nothing of it is known, for one reason.
    #[must_use]
    pub fn failed(why: &str) -> Self {
        let why = || why.to_owned();
        Self {
            settings: Err(why()),
            files: Err(why()),
            backlog: Err(why()),
            archiver: Err(why()),
            slots: Err(why()),
            position: Err(why()),
            horizon: Err(why()),
        }
    }
}

/// As `SHOW` has them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Settings {
    pub max_wal_size_bytes: u64,
    /// `off`, `on` or `always`.
    pub archive_mode: String,
    /// Empty, or `(disabled)` while archive_mode is off.
    pub archive_command: String,
    /// Since 15.
    #[serde(default)]
    pub archive_library: Option<String>,
}

/// `pg_ls_waldir()`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Files {
    pub bytes: u64,
    /// Seconds since the oldest segment was last written; `None`: there is none.
    pub oldest_age_secs: Option<f64>,
}

/// Files in `archive_status` that say that something waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Backlog {
    pub segments: u64,
    /// Timeline histories, backup labels, partial segments.
    pub other: u64,
}

/// `pg_stat_archiver`; times in seconds since 1970.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Archiver {
    pub archived_count: u64,
    pub last_archived_wal: Option<String>,
    pub last_archived_at: Option<f64>,
    pub failed_count: u64,
    pub last_failed_wal: Option<String>,
    pub last_failed_at: Option<f64>,
}

impl Archiver {
    /// The last thing that it did was to fail.
    #[must_use]
    pub fn fails(&self) -> bool {
        match (self.last_failed_at, self.last_archived_at) {
            (Some(failed), Some(archived)) => failed > archived,
            (failed, None) => failed.is_some(),
            (None, Some(_)) => false,
        }
    }
}

/// One of `pg_replication_slots`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    pub slot_name: String,
    pub slot_type: String,
    pub active: bool,
    /// `reserved`, `extended`, `unreserved`, `lost`; since 13.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wal_status: Option<String>,
    /// Bytes that can still be written before it is in danger; absent where nothing limits it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub safe_wal_size: Option<i64>,
    /// Absent of one that reserves nothing, a lost one among them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retained_bytes: Option<i64>,
    /// The segment that it begins at is not in pg_wal.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub wal_missing: bool,
}

impl Slot {
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.wal_missing || self.wal_status.as_deref() == Some("lost")
    }
}

/// How far the log got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Position {
    pub in_recovery: bool,
    /// Bytes since the beginning of the log; absent of a standby that received nothing.
    pub lsn: Option<i64>,
}

/// How far transaction numbers are from their end.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Horizon {
    /// Of the database whose oldest unfrozen transaction is the oldest.
    pub database: String,
    pub xid_age: i64,
    pub mxid_age: i64,
    /// autovacuum_freeze_max_age, in transactions.
    #[serde(deserialize_with = "setting")]
    pub freeze_max_age: i64,
    /// vacuum_failsafe_age; since 14.
    #[serde(default, deserialize_with = "setting_if_known")]
    pub failsafe_age: Option<i64>,
    /// What vacuum may not go beyond, if anything.
    #[serde(default)]
    pub held: Option<Held>,
}

/// The oldest transaction that something may still want to see.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Held {
    /// In transactions.
    pub age: i64,
    /// `process 4711 of role web`
    pub holder: String,
}

/// A setting is told as text.
fn setting<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    setting_if_known(deserializer)?.ok_or_else(|| D::Error::custom("a setting is not there"))
}

fn setting_if_known<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| text.parse().map_err(D::Error::custom)).transpose()
}
