//! Figures of a PostgreSQL's status that monitoring sees.

use crate::core::measure::Unit;
use crate::core::metric::Family;
use crate::kinds::{Metric, Read, Series};

/// What threatens it.
pub const WARNINGS: &str = "/walHealth/warnings";

/// From what the WAL probe found last.
pub const METRICS: [Metric; 11] = [
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
];

/// From the same, over time.
pub const HISTORY: [Series; 7] = [
    series("wal_bytes", Unit::Bytes, "/walHealth/pg_wal_bytes"),
    series("wal_rate", Unit::BytesPerSecond, "/walHealth/wal_rate_bytes_per_s"),
    series("wal_oldest_age", Unit::Seconds, "/walHealth/oldest_wal_age_secs"),
    series("archive_backlog", Unit::Count, "/walHealth/archive_backlog"),
    series("archiver_failures", Unit::Count, "/walHealth/archiver_failed_count"),
    series("xid_age", Unit::Count, "/walHealth/xid_age"),
    series("disk_free", Unit::Bytes, "/walHealth/disk/free_bytes"),
];

const fn series(name: &'static str, unit: Unit, path: &'static str) -> Series {
    Series { name, unit, path, read: Read::Number }
}

const fn number(name: &'static str, help: &'static str, path: &'static str) -> Metric {
    Metric { family: Family::gauge(name, help), path, read: Read::Number }
}
