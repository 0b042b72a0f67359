//! What one look told of the inside, part by part, in the form in which it is shown. Each part can fail on its own. Words of
//! others are made harmless and cut where they come in, and so are lists.

use crate::core::text::shown;
use crate::kinds::postgres::wal::Told;
use serde::{Deserialize, Deserializer, Serialize};

/// Characters of a word of a server that are kept.
const WORD: usize = 100;
/// Rows of a list; no statement asks for more.
const ROWS: usize = 20;

/// One look.
#[derive(Clone, Debug, PartialEq)]
pub struct Figures {
    pub server: Told<Server>,
    pub connections: Told<Connections>,
    pub transactions: Told<Transactions>,
    pub locks: Told<Locks>,
    pub replication: Told<Replication>,
    pub totals: Told<Totals>,
    pub checkpoints: Told<Checkpoints>,
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
pub struct Server {
    /// Seconds since 1970.
    pub started_at: f64,
    pub uptime_secs: u64,
    pub max_connections: u64,
    /// Of those, for superusers and for members of `pg_use_reserved_connections`.
    pub reserved_connections: u64,
}

/// Of clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connections {
    pub used: u64,
    pub by_state: ByState,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ByState {
    pub active: u64,
    pub idle: u64,
    /// Also those whose transaction has failed.
    pub idle_in_transaction: u64,
    pub other: u64,
}

/// Absent is what there is none of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transactions {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub longest: Option<Transaction>,
    /// `secs`: since its last statement ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub longest_idle: Option<Transaction>,
    /// What keeps vacuum from taking away rows that nobody else needs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest_xmin: Option<Held>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transaction {
    pub pid: i64,
    #[serde(default, deserialize_with = "word", skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    #[serde(default, deserialize_with = "word", skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    #[serde(default, deserialize_with = "word", skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    pub secs: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// `session`, `replication slot` or `prepared transaction`.
    #[serde(deserialize_with = "word")]
    pub holder: Option<String>,
    /// Its pid, or its name.
    #[serde(deserialize_with = "word")]
    pub name: Option<String>,
    /// In transactions.
    pub age: i64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Locks {
    /// All that wait.
    pub waiting: u64,
    /// The first twenty of them, by how long they wait.
    #[serde(deserialize_with = "few")]
    pub blocked: Vec<Blocked>,
    /// Who they wait for, by how long their transactions are open.
    #[serde(deserialize_with = "few")]
    pub blockers: Vec<Blocker>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blocked {
    pub pid: i64,
    #[serde(default, deserialize_with = "word", skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    #[serde(default, deserialize_with = "word", skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// `AccessExclusiveLock`
    #[serde(default, deserialize_with = "word", skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// 0 is a prepared transaction.
    #[serde(deserialize_with = "few")]
    pub blocked_by: Vec<i64>,
    /// For how long it waits; since PostgreSQL 14.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secs: Option<u64>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blocker {
    pub pid: i64,
    #[serde(default, deserialize_with = "word", skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    #[serde(default, deserialize_with = "word", skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    #[serde(default, deserialize_with = "word", skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Since its transaction began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secs: Option<u64>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Replication {
    #[serde(deserialize_with = "few")]
    pub standbys: Vec<Standby>,
    /// Of a standby itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay: Option<Replay>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Standby {
    #[serde(default, deserialize_with = "word", skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `streaming`, `catchup`, …
    #[serde(default, deserialize_with = "word", skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    #[serde(default, deserialize_with = "word", skip_serializing_if = "Option::is_none")]
    pub sync_state: Option<String>,
    /// WAL that it has yet to replay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag_bytes: Option<i64>,
    /// Absent while it has nothing to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag_secs: Option<f64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Replay {
    /// WAL that is here and not yet replayed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag_bytes: Option<i64>,
    /// Age of the last transaction that was replayed, while there is more to replay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag_secs: Option<f64>,
}

/// `pg_stat_database`, all databases together, since its statistics were reset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    pub commits: u64,
    pub rollbacks: u64,
    pub blocks_hit: u64,
    pub blocks_read: u64,
    pub temp_files: u64,
    pub temp_bytes: u64,
    pub deadlocks: u64,
}

/// Since the statistics were reset. Those that were requested came before their time: `max_wal_size` was reached, mostly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoints {
    pub timed: u64,
    pub requested: u64,
}

pub(super) fn word<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.map(|text| shown(&text, WORD)))
}

pub(super) fn few<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    let mut all = Vec::deserialize(deserializer)?;
    all.truncate(ROWS);
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn what_is_absent_stays_absent_and_what_others_wrote_is_harmless() {
        let none: Transactions =
            serde_json::from_value(json!({"longest": null, "longest_idle": null, "oldest_xmin": null}))
                .unwrap();
        assert_eq!(serde_json::to_value(none).unwrap(), json!({}));
        let evil = format!("a\nb\u{202e}{}", "x".repeat(10_000));
        let told = json!({"waiting": 9_000, "blockers": [], "blocked": vec![
            json!({"pid": 7, "username": evil, "blocked_by": vec![1; 500], "secs": null}); 300
        ]});
        let locks: Locks = serde_json::from_value(told).unwrap();
        assert_eq!((locks.waiting, locks.blocked.len(), locks.blocked[0].blocked_by.len()), (9_000, 20, 20));
        let name = locks.blocked[0].username.clone().unwrap();
        assert!(name.starts_with("a\\nb\\u{202e}xxx") && name.chars().count() < 120, "{name}");
        let shown: Value = serde_json::to_value(&locks.blocked[0]).unwrap();
        assert!(shown.get("secs").is_none() && shown.get("database").is_none(), "{shown}");
    }

    #[test]
    fn what_is_not_as_asked_for_is_no_figure() {
        for told in [
            json!({}),
            json!(null),
            json!({"timed": -1, "requested": 0}),
            json!({"timed": "1", "requested": 0}),
        ] {
            assert!(serde_json::from_value::<Checkpoints>(told.clone()).is_err(), "{told}");
        }
    }
}
