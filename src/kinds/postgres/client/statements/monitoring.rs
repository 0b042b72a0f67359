//! What goes on inside of a server: the statements of each look. What [`super::monitor`] says of its role holds for all of
//! them. Each answers with one JSON value, in the form that `monitoring/reading.rs` reads.

use super::Sql;
use super::monitor::END;

/// Of the server, as `170006`: some views were others before.
#[must_use]
pub fn version() -> Sql {
    Sql::of("SELECT CAST(pg_catalog.current_setting('server_version_num') AS pg_catalog.int4)")
}

/// Seconds since `$1`, never below 0: the server's clock may be set back.
macro_rules! since {
    ($from:literal) => {
        concat!(
            "GREATEST(0, pg_catalog.floor(pg_catalog.date_part('epoch', \
             pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) ",
            $from,
            ")))"
        )
    };
}

#[must_use]
pub fn server() -> Sql {
    Sql::of(concat!(
        "SELECT pg_catalog.json_build_object(\
         'started_at', pg_catalog.date_part('epoch', pg_catalog.pg_postmaster_start_time()), \
         'uptime_secs', ",
        since!("pg_catalog.pg_postmaster_start_time()"),
        ", 'max_connections', CAST(pg_catalog.current_setting('max_connections') AS pg_catalog.int8), \
         'reserved_connections', CAST(pg_catalog.current_setting('superuser_reserved_connections') AS pg_catalog.int8) \
           OPERATOR(pg_catalog.+) \
           COALESCE(CAST(pg_catalog.current_setting('reserved_connections', true) AS pg_catalog.int8), 0))",
    ))
}

/// Of clients, ours among them.
#[must_use]
pub fn connections() -> Sql {
    Sql::of(
        "SELECT pg_catalog.json_build_object('used', pg_catalog.count(*), 'by_state', pg_catalog.json_build_object(\
         'active', pg_catalog.count(*) FILTER (WHERE a.state OPERATOR(pg_catalog.=) 'active'), \
         'idle', pg_catalog.count(*) FILTER (WHERE a.state OPERATOR(pg_catalog.=) 'idle'), \
         'idle_in_transaction', pg_catalog.count(*) \
           FILTER (WHERE pg_catalog.left(a.state, 19) OPERATOR(pg_catalog.=) 'idle in transaction'), \
         'other', pg_catalog.count(*) FILTER (WHERE COALESCE(a.state OPERATOR(pg_catalog.<>) 'active' \
           AND a.state OPERATOR(pg_catalog.<>) 'idle' \
           AND pg_catalog.left(a.state, 19) OPERATOR(pg_catalog.<>) 'idle in transaction', true)))) \
         FROM pg_catalog.pg_stat_activity AS a WHERE a.backend_type OPERATOR(pg_catalog.=) 'client backend'",
    )
}

/// Those that are open for the longest, and what keeps vacuum from taking rows away. A vacuum's own transaction holds up
/// nobody's.
#[must_use]
pub fn transactions() -> Sql {
    Sql::of(concat!(
        "WITH a AS MATERIALIZED (SELECT s.pid, s.usename, s.datname, s.state, s.backend_type, ",
        since!("s.xact_start"),
        " AS open, s.xact_start, ",
        since!("s.state_change"),
        " AS idle, GREATEST(pg_catalog.age(s.backend_xid), pg_catalog.age(s.backend_xmin)) AS held \
         FROM pg_catalog.pg_stat_activity AS s WHERE s.pid OPERATOR(pg_catalog.<>) pg_catalog.pg_backend_pid() \
           AND s.backend_type OPERATOR(pg_catalog.<>) 'autovacuum worker') \
         SELECT pg_catalog.json_build_object(\
         'longest', (SELECT pg_catalog.json_build_object('pid', a.pid, 'username', a.usename, 'database', a.datname, \
             'state', a.state, 'secs', a.open) FROM a WHERE a.xact_start IS NOT NULL \
             AND a.backend_type OPERATOR(pg_catalog.=) 'client backend' ORDER BY a.open DESC, a.pid LIMIT 1), \
         'longest_idle', (SELECT pg_catalog.json_build_object('pid', a.pid, 'username', a.usename, \
             'database', a.datname, 'state', a.state, 'secs', a.idle) FROM a \
             WHERE pg_catalog.left(a.state, 19) OPERATOR(pg_catalog.=) 'idle in transaction' \
             ORDER BY a.idle DESC, a.pid LIMIT 1), \
         'oldest_xmin', (SELECT pg_catalog.json_build_object('holder', h.holder, 'name', h.name, 'age', h.held) \
             FROM (SELECT 'session' AS holder, CAST(a.pid AS pg_catalog.text) AS name, a.held FROM a \
               UNION ALL SELECT 'replication slot', CAST(r.slot_name AS pg_catalog.text), \
                 GREATEST(pg_catalog.age(r.xmin), pg_catalog.age(r.catalog_xmin)) \
                 FROM pg_catalog.pg_replication_slots AS r \
               UNION ALL SELECT 'prepared transaction', p.gid, pg_catalog.age(p.transaction) \
                 FROM pg_catalog.pg_prepared_xacts AS p) AS h \
             WHERE h.held IS NOT NULL ORDER BY h.held DESC, h.holder, h.name LIMIT 1))",
    ))
}

/// Who waits for a lock, and for whom. Who blocks is looked up only for those that are told. Since when one waits the
/// server knows since 14.
#[must_use]
pub fn locks() -> Sql {
    Sql::of(concat!(
        "WITH l AS MATERIALIZED (SELECT k.pid, k.mode, \
           CAST(pg_catalog.row_to_json(k) OPERATOR(pg_catalog.->>) 'waitstart' AS pg_catalog.timestamptz) AS since \
           FROM pg_catalog.pg_locks AS k WHERE NOT k.granted AND k.pid IS NOT NULL), \
         w AS MATERIALIZED (SELECT f.pid, f.mode, f.since, pg_catalog.pg_blocking_pids(f.pid) AS by \
           FROM (SELECT l.pid, l.mode, l.since FROM l ORDER BY l.since NULLS LAST, l.pid LIMIT 20) AS f) \
         SELECT pg_catalog.json_build_object('waiting', (SELECT pg_catalog.count(*) FROM l), \
         'blocked', COALESCE((SELECT pg_catalog.json_agg(pg_catalog.json_build_object('pid', w.pid, \
             'username', a.usename, 'database', a.datname, 'mode', w.mode, 'blocked_by', w.by, \
             'secs', CASE WHEN w.since IS NOT NULL THEN ",
        since!("w.since"),
        " END) ORDER BY w.since NULLS LAST, w.pid) \
             FROM w LEFT JOIN pg_catalog.pg_stat_activity AS a ON a.pid OPERATOR(pg_catalog.=) w.pid), \
           CAST('[]' AS pg_catalog.json)), \
         'blockers', COALESCE((SELECT pg_catalog.json_agg(pg_catalog.json_build_object('pid', b.pid, \
             'username', b.usename, 'database', b.datname, 'state', b.state, \
             'secs', CASE WHEN b.xact_start IS NOT NULL THEN ",
        since!("b.xact_start"),
        " END) ORDER BY b.xact_start NULLS LAST, b.pid) \
             FROM (SELECT s.* FROM pg_catalog.pg_stat_activity AS s WHERE s.pid OPERATOR(pg_catalog.=) ANY \
               (SELECT pg_catalog.unnest(w.by) FROM w) ORDER BY s.xact_start NULLS LAST, s.pid LIMIT 20) AS b), \
           CAST('[]' AS pg_catalog.json)))",
    ))
}

/// Its standbys, and how far it is itself where it is one. On a standby nothing is asked that only a primary can answer.
#[must_use]
pub fn replication() -> Sql {
    Sql::of(
        "SELECT pg_catalog.json_build_object('standbys', COALESCE((SELECT pg_catalog.json_agg(\
           pg_catalog.json_build_object('name', r.application_name, 'state', r.state, 'sync_state', r.sync_state, \
             'lag_secs', pg_catalog.date_part('epoch', r.replay_lag), 'lag_bytes', pg_catalog.pg_wal_lsn_diff(",
    )
    .then(END)
    .then(concat!(
        ", r.replay_lsn)) ORDER BY r.application_name, r.pid) FROM (SELECT s.* FROM pg_catalog.pg_stat_replication AS s \
           ORDER BY s.application_name, s.pid LIMIT 20) AS r), CAST('[]' AS pg_catalog.json)), \
         'replay', CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.json_build_object(\
           'lag_bytes', pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_last_wal_receive_lsn(), \
             pg_catalog.pg_last_wal_replay_lsn()), \
           'lag_secs', CASE WHEN pg_catalog.pg_last_wal_receive_lsn() OPERATOR(pg_catalog.=) \
             pg_catalog.pg_last_wal_replay_lsn() THEN 0 ELSE ",
        since!("pg_catalog.pg_last_xact_replay_timestamp()"),
        " END) END)",
    ))
}

/// Counted since the server's statistics were last reset; the first row of the view is of no database.
#[must_use]
pub fn totals() -> Sql {
    Sql::of(
        "SELECT pg_catalog.json_build_object('commits', pg_catalog.sum(d.xact_commit), \
         'rollbacks', pg_catalog.sum(d.xact_rollback), 'blocks_hit', pg_catalog.sum(d.blks_hit), \
         'blocks_read', pg_catalog.sum(d.blks_read), 'temp_files', pg_catalog.sum(d.temp_files), \
         'temp_bytes', pg_catalog.sum(d.temp_bytes), 'deadlocks', pg_catalog.sum(d.deadlocks)) \
         FROM pg_catalog.pg_stat_database AS d",
    )
}

/// The first version with a view of the checkpointer's own.
pub const CHECKPOINTER_SINCE: u32 = 170_000;

/// `version`: as [`version`] tells it.
#[must_use]
pub fn checkpoints(version: u32) -> Sql {
    Sql::of(if version >= CHECKPOINTER_SINCE {
        "SELECT pg_catalog.json_build_object('timed', c.num_timed, 'requested', c.num_requested) \
         FROM pg_catalog.pg_stat_checkpointer AS c"
    } else {
        "SELECT pg_catalog.json_build_object('timed', c.checkpoints_timed, 'requested', c.checkpoints_req) \
         FROM pg_catalog.pg_stat_bgwriter AS c"
    })
}
