//! Figures of a PostgreSQL's status that monitoring sees.

use crate::core::measure::Unit;
use crate::core::metric::Family;
use crate::kinds::{Metric, Read, Series, Word};

/// What threatens it.
pub const WARNINGS: &str = "/walHealth/warnings";

/// All of them.
pub const METRICS: [Metric; WAL.len() + INSIDE.len()] = {
    let mut all = [WAL[0]; WAL.len() + INSIDE.len()];
    let mut at = 0;
    while at < all.len() {
        all[at] = if at < WAL.len() { WAL[at] } else { INSIDE[at - WAL.len()] };
        at += 1;
    }
    all
};

/// From what the WAL probe found last.
pub const WAL: [Metric; 15] = [
    number("seawall_postgres_wal_bytes", "Size of pg_wal.", "/walHealth/pg_wal_bytes"),
    number(
        "seawall_postgres_max_wal_size_bytes",
        "max_wal_size: what pg_wal is meant to stay around.",
        "/walHealth/max_wal_size_bytes",
    ),
    number(
        "seawall_postgres_wal_archive_backlog",
        "WAL segments that wait to be archived.",
        "/walHealth/archive_backlog",
    ),
    Metric {
        family: Family::counter(
            "seawall_postgres_archiver_failed_total",
            "Failed tries to archive, since the server's statistics were reset.",
        ),
        path: "/walHealth/archiver_failed_count",
        read: Read::Number,
    },
    number(
        "seawall_postgres_wal_oldest_age_seconds",
        "Age of the oldest segment in pg_wal.",
        "/walHealth/oldest_wal_age_secs",
    ),
    number(
        "seawall_postgres_wal_rate_bytes_per_second",
        "WAL that is written, between the last two probes.",
        "/walHealth/wal_rate_bytes_per_s",
    ),
    number(
        "seawall_postgres_disk_full_in_seconds",
        "Until the disk under the data is full, at the present rate; none is foreseen: no series.",
        "/walHealth/time_to_full_secs",
    ),
    number(
        "seawall_postgres_disk_free_bytes",
        "Free space of the file system that holds the data.",
        "/walHealth/disk/free_bytes",
    ),
    number(
        "seawall_postgres_disk_size_bytes",
        "Size of the file system that holds the data.",
        "/walHealth/disk/total_bytes",
    ),
    Metric {
        family: Family::gauge(
            "seawall_postgres_wal_probe_duration_seconds",
            "How long the last WAL probe took.",
        ),
        path: "/walHealth/probe_duration_ms",
        read: Read::Millis,
    },
    Metric {
        family: Family::gauge(
            "seawall_postgres_wal_probe_timestamp_seconds",
            "When the WAL figures were read, in seconds since 1970.",
        ),
        path: "/walHealth/probed_at",
        read: Read::Time,
    },
    of_slots(
        "seawall_postgres_replication_slot_retained_bytes",
        "WAL that a replication slot keeps; of one that keeps none: no series.",
        "/retained_bytes",
    ),
    of_slots(
        "seawall_postgres_replication_slot_safe_wal_bytes",
        "WAL that can be written before a slot is in danger of losing what it needs; nothing limits it, or it is lost: no series.",
        "/safe_wal_size",
    ),
    of_slots(
        "seawall_postgres_replication_slot_active",
        "Whether somebody is connected to a replication slot.",
        "/active",
    ),
    Metric {
        family: Family::gauge(
            "seawall_postgres_replication_slot_wal_status",
            "1 for what the server says of the WAL that a replication slot needs.",
        ),
        path: "/walHealth/slots",
        read: Read::WordByRow {
            label: "slot",
            of: "/slot_name",
            value: "/wal_status",
            word: Word { label: "wal_status", words: &["reserved", "extended", "unreserved", "lost"] },
        },
    },
];

/// From what the last look at the inside found.
pub const INSIDE: [Metric; 29] = [
    Metric {
        family: Family::gauge(
            "seawall_postgres_start_timestamp_seconds",
            "When the server started, in seconds since 1970.",
        ),
        path: "/monitoring/started_at",
        read: Read::Time,
    },
    number("seawall_postgres_max_connections", "max_connections.", "/monitoring/max_connections"),
    number(
        "seawall_postgres_reserved_connections",
        "Connections of max_connections that are kept for superusers and pg_use_reserved_connections.",
        "/monitoring/reserved_connections",
    ),
    Metric {
        family: Family::gauge("seawall_postgres_connections", "Connections of clients, by their state."),
        path: "/monitoring/connections/by_state",
        read: Read::ByField("state"),
    },
    number("seawall_postgres_locks_waiting", "Sessions that wait for a lock.", "/monitoring/locks/waiting"),
    number(
        "seawall_postgres_longest_lock_wait_seconds",
        "For how long a session waits for a lock; none does: no series.",
        "/monitoring/locks/blocked/0/secs",
    ),
    number(
        "seawall_postgres_longest_transaction_seconds",
        "For how long the oldest transaction of a client is open; there is none: no series.",
        "/monitoring/transactions/longest/secs",
    ),
    number(
        "seawall_postgres_longest_idle_in_transaction_seconds",
        "For how long a client does nothing inside of a transaction; there is none: no series.",
        "/monitoring/transactions/longest_idle/secs",
    ),
    number(
        "seawall_postgres_oldest_xmin_age_transactions",
        "Transactions since the oldest one whose rows vacuum must keep; nothing holds it back: no series.",
        "/monitoring/transactions/oldest_xmin/age",
    ),
    number(
        "seawall_postgres_replay_lag_bytes",
        "WAL that a standby has yet to replay; of a primary: no series.",
        "/monitoring/replication/replay/lag_bytes",
    ),
    number(
        "seawall_postgres_replay_lag_seconds",
        "Age of what a standby replayed last; of a primary: no series.",
        "/monitoring/replication/replay/lag_secs",
    ),
    Metric {
        family: Family::gauge(
            "seawall_postgres_standby_lag_bytes",
            "WAL that a standby has yet to replay, as its primary sees it.",
        ),
        path: "/monitoring/replication/standbys",
        read: Read::ByRow { label: "standby", of: "/name", value: "/lag_bytes" },
    },
    Metric {
        family: Family::gauge(
            "seawall_postgres_standby_lag_seconds",
            "For how long WAL was on its way to be replayed by a standby; it has nothing to do: no series.",
        ),
        path: "/monitoring/replication/standbys",
        read: Read::ByRow { label: "standby", of: "/name", value: "/lag_secs" },
    },
    counter("seawall_postgres_commits_total", "Transactions committed.", "/monitoring/totals/commits"),
    counter("seawall_postgres_rollbacks_total", "Transactions rolled back.", "/monitoring/totals/rollbacks"),
    counter(
        "seawall_postgres_blocks_hit_total",
        "Blocks that were found in shared buffers.",
        "/monitoring/totals/blocks_hit",
    ),
    counter("seawall_postgres_blocks_read_total", "Blocks that were not.", "/monitoring/totals/blocks_read"),
    counter(
        "seawall_postgres_temp_files_total",
        "Temporary files that queries wrote.",
        "/monitoring/totals/temp_files",
    ),
    counter(
        "seawall_postgres_temp_bytes_total",
        "What was written to them.",
        "/monitoring/totals/temp_bytes",
    ),
    counter("seawall_postgres_deadlocks_total", "Deadlocks.", "/monitoring/totals/deadlocks"),
    Metric {
        family: Family::counter("seawall_postgres_checkpoints_total", "Checkpoints, by what they came for."),
        path: "/monitoring/checkpoints",
        read: Read::ByField("cause"),
    },
    Metric {
        family: Family::gauge(
            "seawall_postgres_database_size_bytes",
            "Size of the largest databases, looked at every five minutes.",
        ),
        path: "/monitoring/databases",
        read: Read::ByRow { label: "database", of: "/name", value: "/size_bytes" },
    },
    number(
        "seawall_postgres_size_bytes",
        "Size of all databases, looked at every five minutes.",
        "/monitoring/size_bytes",
    ),
    Metric {
        family: Family::gauge(
            "seawall_postgres_table_size_bytes",
            "Size of the largest tables of the managed database, with their indexes, looked at every five minutes.",
        ),
        path: "/monitoring/tables",
        read: Read::ByRow { label: "table", of: "/name", value: "/size_bytes" },
    },
    Metric {
        family: Family::gauge(
            "seawall_postgres_table_dead_rows",
            "Rows of these tables that vacuum has yet to take away, as the server estimates them.",
        ),
        path: "/monitoring/tables",
        read: Read::ByRow { label: "table", of: "/name", value: "/dead_rows" },
    },
    Metric {
        family: Family::gauge(
            "seawall_postgres_table_live_rows",
            "The other rows of these tables, by the same estimate.",
        ),
        path: "/monitoring/tables",
        read: Read::ByRow { label: "table", of: "/name", value: "/live_rows" },
    },
    Metric {
        family: Family::gauge(
            "seawall_postgres_collation_mismatches",
            "Databases whose indexes were built with another version of what sorts text.",
        ),
        path: "/monitoring/collation_mismatches",
        read: Read::Rows,
    },
    Metric {
        family: Family::counter(
            "seawall_postgres_statement_seconds_total",
            "Time of the ten statements that took the most; status.monitoring.statements has their texts.",
        ),
        path: "/monitoring/statements",
        read: Read::ByRow { label: "queryid", of: "/queryid", value: "/total_secs" },
    },
    Metric {
        family: Family::gauge(
            "seawall_postgres_monitoring_timestamp_seconds",
            "When these figures were read, in seconds since 1970.",
        ),
        path: "/monitoring/probed_at",
        read: Read::Time,
    },
];

/// From the same, over time.
pub const HISTORY: [Series; 13] = [
    series("wal_bytes", Unit::Bytes, "/walHealth/pg_wal_bytes"),
    series("wal_rate", Unit::BytesPerSecond, "/walHealth/wal_rate_bytes_per_s"),
    series("wal_oldest_age", Unit::Seconds, "/walHealth/oldest_wal_age_secs"),
    series("archive_backlog", Unit::Count, "/walHealth/archive_backlog"),
    series("archiver_failures", Unit::Count, "/walHealth/archiver_failed_count"),
    series("xid_age", Unit::Count, "/walHealth/xid_age"),
    series("disk_free", Unit::Bytes, "/walHealth/disk/free_bytes"),
    series("connections", Unit::Count, "/monitoring/connections/used"),
    series("commits", Unit::PerSecond, "/monitoring/rates/commits_per_s"),
    series("cache_hit_ratio", Unit::Count, "/monitoring/rates/cache_hit_ratio"),
    series("locks_waiting", Unit::Count, "/monitoring/locks/waiting"),
    series("longest_transaction", Unit::Seconds, "/monitoring/transactions/longest/secs"),
    series("size_bytes", Unit::Bytes, "/monitoring/size_bytes"),
];

const fn series(name: &'static str, unit: Unit, path: &'static str) -> Series {
    Series { name, unit, path, read: Read::Number }
}

const fn number(name: &'static str, help: &'static str, path: &'static str) -> Metric {
    Metric { family: Family::gauge(name, help), path, read: Read::Number }
}

const fn of_slots(name: &'static str, help: &'static str, value: &'static str) -> Metric {
    let read = Read::ByRow { label: "slot", of: "/slot_name", value };
    Metric { family: Family::gauge(name, help), path: "/walHealth/slots", read }
}

/// Since the statistics of the server were reset.
const fn counter(name: &'static str, help: &'static str, path: &'static str) -> Metric {
    Metric { family: Family::counter(name, help), path, read: Read::Number }
}
