//! The questions of `seawall pg` and of a diagnosis, asked as the role that may only read. What [`super`] says holds for them,
//! too. Each answers with one JSON array of rows; its columns are those of Heroku's `pg` commands where they have the same.

use super::Sql;

/// Rows of an answer; every row tells how many there are in all.
pub const ROWS: u64 = 100;

const HEAD: &str = "SELECT COALESCE(pg_catalog.json_agg(t), CAST('[]' AS pg_catalog.json)) FROM (SELECT pg_catalog.count(*) OVER () AS all_rows, ";
const TAIL: &str = " LIMIT 100) AS t";

/// Sessions of clients other than Seawall's own: those that look, and those of the superuser, who hides what he does.
const OTHERS: &str = "a.backend_type OPERATOR(pg_catalog.=) 'client backend' \
     AND COALESCE(a.usename, '') OPERATOR(pg_catalog.<>) 'seawall-monitor' \
     AND NOT (a.application_name OPERATOR(pg_catalog.=) 'seawall' \
       AND COALESCE(a.state, '') OPERATOR(pg_catalog.=) 'disabled')";

const SESSION: &str = "a.pid, a.state, pg_catalog.left(a.application_name, 64) AS source, a.usename AS username, \
     a.datname AS database, \
     pg_catalog.date_part('epoch', pg_catalog.clock_timestamp()) OPERATOR(pg_catalog.-) \
       pg_catalog.date_part('epoch', a.query_start) AS running_for, \
     pg_catalog.to_char(pg_catalog.timezone('UTC', a.xact_start), 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') AS transaction_start, \
     pg_catalog.date_part('epoch', pg_catalog.clock_timestamp()) OPERATOR(pg_catalog.-) \
       pg_catalog.date_part('epoch', a.xact_start) AS transaction_for, \
     pg_catalog.date_part('epoch', pg_catalog.clock_timestamp()) OPERATOR(pg_catalog.-) \
       pg_catalog.date_part('epoch', a.state_change) AS state_for, \
     CASE WHEN a.wait_event_type OPERATOR(pg_catalog.<>) 'Client' \
       AND a.wait_event_type OPERATOR(pg_catalog.<>) 'Activity' \
       THEN pg_catalog.concat_ws('/', a.wait_event_type, a.wait_event) END AS waiting, \
     pg_catalog.host(a.client_addr) AS client, pg_catalog.left(a.query, 500) AS query \
     FROM pg_catalog.pg_stat_activity AS a WHERE ";

/// Schemas that are PostgreSQL's own.
const NOT_OURS: &str = "n.nspname OPERATOR(pg_catalog.<>) 'pg_catalog' \
     AND n.nspname OPERATOR(pg_catalog.<>) 'information_schema' \
     AND pg_catalog.left(n.nspname, 8) OPERATOR(pg_catalog.<>) 'pg_toast' \
     AND pg_catalog.left(n.nspname, 7) OPERATOR(pg_catalog.<>) 'pg_temp'";

/// What a server and this database are, in one row.
#[must_use]
pub fn info() -> Sql {
    Sql::of(HEAD)
        .then(
            "pg_catalog.current_setting('server_version') AS version, \
             pg_catalog.pg_is_in_recovery() AS in_recovery, d.datname AS database, \
             pg_catalog.pg_database_size(d.oid) AS data_size, \
             (SELECT pg_catalog.count(*) FROM pg_catalog.pg_class AS c \
               JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace \
               WHERE c.relkind OPERATOR(pg_catalog.=) ANY (CAST('{r,p}' AS pg_catalog.\"char\"[])) AND ",
        )
        .then(NOT_OURS)
        .then(
            ") AS tables, \
             (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity AS a \
               WHERE a.backend_type OPERATOR(pg_catalog.=) 'client backend') AS connections, \
             pg_catalog.current_setting('max_connections') AS max_connections, \
             pg_catalog.current_setting('superuser_reserved_connections') AS reserved_for_superusers, \
             pg_catalog.current_setting('reserved_connections', true) AS reserved_for_some, \
             s.blks_hit, s.blks_read, s.xact_commit, s.xact_rollback, s.deadlocks, s.temp_bytes, \
             pg_catalog.to_char(pg_catalog.timezone('UTC', s.stats_reset), 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') AS stats_reset, \
             pg_catalog.to_char(pg_catalog.timezone('UTC', pg_catalog.pg_postmaster_start_time()), \
               'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') AS up_since, \
             (SELECT pg_catalog.sum(f.size) FROM pg_catalog.pg_ls_waldir() AS f) AS wal, \
             pg_catalog.current_setting('archive_mode') AS archive_mode, \
             pg_catalog.left(pg_catalog.current_setting('archive_command'), 200) AS archive_command, \
             pg_catalog.current_setting('archive_library', true) AS archive_library, \
             (SELECT pg_catalog.max(pg_catalog.age(o.datfrozenxid)) FROM pg_catalog.pg_database AS o) AS xid_age, \
             (SELECT pg_catalog.max(pg_catalog.mxid_age(o.datminmxid)) FROM pg_catalog.pg_database AS o) AS mxid_age, \
             pg_catalog.current_setting('autovacuum_freeze_max_age') AS freeze_max_age, \
             pg_catalog.pg_size_bytes(pg_catalog.current_setting('shared_buffers')) AS shared_buffers, \
             (SELECT pg_catalog.left(pg_catalog.string_agg(p.name, ', ' ORDER BY p.name), 500) \
               FROM pg_catalog.pg_settings AS p WHERE p.pending_restart) AS pending_restart \
             FROM pg_catalog.pg_database AS d \
             JOIN pg_catalog.pg_stat_database AS s ON s.datid OPERATOR(pg_catalog.=) d.oid \
             WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()",
        )
        .then(TAIL)
}

/// What clients do; `idle`: those that do nothing, too.
#[must_use]
pub fn ps(idle: bool) -> Sql {
    let sql = Sql::of(HEAD).then(SESSION).then(OTHERS);
    let sql = if idle { sql } else { sql.then(" AND COALESCE(a.state, '') OPERATOR(pg_catalog.<>) 'idle'") };
    sql.then(" ORDER BY a.query_start, a.pid").then(TAIL)
}

/// Locks that keep others out, and whoever waits for one.
#[must_use]
pub fn locks() -> Sql {
    Sql::of(HEAD)
        .then(
            "l.pid, CASE WHEN c.oid IS NOT NULL THEN pg_catalog.concat(n.nspname, '.', c.relname) END AS relname, \
             l.mode, l.locktype, l.transactionid, l.granted, a.usename AS username, a.datname AS database, \
             pg_catalog.left(a.query, 500) AS query_snippet, \
             pg_catalog.date_part('epoch', pg_catalog.clock_timestamp()) OPERATOR(pg_catalog.-) \
               pg_catalog.date_part('epoch', COALESCE(a.xact_start, a.query_start)) AS age \
             FROM pg_catalog.pg_locks AS l \
             JOIN pg_catalog.pg_stat_activity AS a ON a.pid OPERATOR(pg_catalog.=) l.pid \
             LEFT JOIN pg_catalog.pg_database AS d ON d.oid OPERATOR(pg_catalog.=) l.database \
             LEFT JOIN pg_catalog.pg_class AS c ON c.oid OPERATOR(pg_catalog.=) l.relation \
               AND d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database() \
             LEFT JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace \
             WHERE l.pid OPERATOR(pg_catalog.<>) pg_catalog.pg_backend_pid() \
               AND l.locktype OPERATOR(pg_catalog.<>) 'virtualxid' AND (NOT l.granted OR l.mode \
                 OPERATOR(pg_catalog.=) ANY (CAST(ARRAY['ExclusiveLock', 'AccessExclusiveLock', 'RowExclusiveLock', \
                   'ShareRowExclusiveLock', 'ShareUpdateExclusiveLock'] AS pg_catalog.text[]))) \
             ORDER BY l.granted, a.query_start, l.pid, l.locktype, l.mode, c.relname",
        )
        .then(TAIL)
}

/// Who waits for whom. Process 0 is a prepared transaction.
#[must_use]
pub fn blocking() -> Sql {
    Sql::of(HEAD)
        .then(
            "a.pid AS blocked_pid, a.usename AS blocked_user, pg_catalog.left(a.query, 500) AS blocked_statement, \
             pg_catalog.date_part('epoch', pg_catalog.clock_timestamp()) OPERATOR(pg_catalog.-) \
               pg_catalog.date_part('epoch', COALESCE(w.since, a.query_start)) AS blocked_duration, \
             p.pid AS blocking_pid, b.usename AS blocking_user, b.state AS blocking_state, \
             pg_catalog.left(b.query, 500) AS blocking_statement, \
             pg_catalog.date_part('epoch', pg_catalog.clock_timestamp()) OPERATOR(pg_catalog.-) \
               pg_catalog.date_part('epoch', COALESCE(b.xact_start, b.query_start)) AS blocking_duration \
             FROM pg_catalog.pg_stat_activity AS a \
             JOIN LATERAL (SELECT DISTINCT pg_catalog.unnest(pg_catalog.pg_blocking_pids(a.pid)) AS pid) AS p ON true \
             LEFT JOIN pg_catalog.pg_stat_activity AS b ON b.pid OPERATOR(pg_catalog.=) p.pid \
             LEFT JOIN LATERAL (SELECT pg_catalog.min(l.waitstart) AS since FROM pg_catalog.pg_locks AS l \
               WHERE l.pid OPERATOR(pg_catalog.=) a.pid AND NOT l.granted) AS w ON true \
             WHERE a.wait_event_type OPERATOR(pg_catalog.=) 'Lock' \
             ORDER BY 5 DESC, 2, 6",
        )
        .then(TAIL)
}

/// The schema of `pg_stat_statements` in this database, and whether it has the names of columns that it has since its
/// version 1.11.
#[must_use]
pub fn statements_extension() -> Sql {
    Sql::of(HEAD)
        .then(
            "n.nspname AS schema, EXISTS(SELECT FROM pg_catalog.pg_attribute AS c \
               JOIN pg_catalog.pg_class AS r ON r.oid OPERATOR(pg_catalog.=) c.attrelid \
               WHERE r.relname OPERATOR(pg_catalog.=) 'pg_stat_statements' \
                 AND r.relnamespace OPERATOR(pg_catalog.=) n.oid \
                 AND c.attname OPERATOR(pg_catalog.=) 'shared_blk_read_time') AS newer \
             FROM pg_catalog.pg_extension AS e \
             JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) e.extnamespace \
             WHERE e.extname OPERATOR(pg_catalog.=) 'pg_stat_statements'",
        )
        .then(TAIL)
}

/// The statements in `database` that took longest in all: the extension tells those of all databases, whichever it is in.
/// `schema` and `newer` as [`statements_extension`] tells them.
#[must_use]
pub fn outliers(schema: &str, newer: bool, database: &str) -> Sql {
    let io = if newer {
        "(s.shared_blk_read_time OPERATOR(pg_catalog.+) s.shared_blk_write_time)"
    } else {
        "(s.blk_read_time OPERATOR(pg_catalog.+) s.blk_write_time)"
    };
    Sql::of(HEAD)
        .then("s.total_exec_time AS total_ms, pg_catalog.sum(s.total_exec_time) OVER () AS sum_ms, s.calls AS ncalls, ")
        .then(io)
        .then(" AS sync_io_ms, r.rolname AS username, pg_catalog.left(s.query, 500) AS query FROM ")
        .identifier(schema)
        .then(
            ".pg_stat_statements AS s \
             JOIN pg_catalog.pg_database AS d ON d.oid OPERATOR(pg_catalog.=) s.dbid \
             LEFT JOIN pg_catalog.pg_roles AS r ON r.oid OPERATOR(pg_catalog.=) s.userid \
             WHERE d.datname OPERATOR(pg_catalog.=) CAST(",
        )
        .literal(database)
        .then(
            " AS pg_catalog.name) AND COALESCE(r.rolname, '') OPERATOR(pg_catalog.<>) 'seawall-monitor' \
             ORDER BY s.total_exec_time DESC, s.queryid LIMIT 20) AS t",
        )
}

/// By what two indexes are the same, as text.
const SAME: [&str; 2] = [
    "pg_catalog.concat_ws('/', i.indrelid, i.indkey, i.indclass, i.indcollation, i.indoption, \
       pg_catalog.pg_get_expr(i.indexprs, i.indrelid), '', pg_catalog.pg_get_expr(i.indpred, i.indrelid))",
    "pg_catalog.concat_ws('/', o.indrelid, o.indkey, o.indclass, o.indcollation, o.indoption, \
       pg_catalog.pg_get_expr(o.indexprs, o.indrelid), '', pg_catalog.pg_get_expr(o.indpred, o.indrelid))",
];

/// Every index with its use. A duplicate is said of the one that can go: not of the one that keeps values unique.
#[must_use]
pub fn indexes() -> Sql {
    Sql::of(HEAD)
        .then(
            "n.nspname AS schema, r.relname AS table, c.relname AS index, \
             pg_catalog.pg_relation_size(c.oid) AS index_size, \
             pg_catalog.pg_stat_get_numscans(c.oid) AS index_scans, \
             (i.indisunique OR i.indisexclusion) AS keeps_rules, i.indisvalid AS valid, q.relname AS duplicate_of \
             FROM pg_catalog.pg_index AS i \
             JOIN pg_catalog.pg_class AS c ON c.oid OPERATOR(pg_catalog.=) i.indexrelid \
             JOIN pg_catalog.pg_class AS r ON r.oid OPERATOR(pg_catalog.=) i.indrelid \
             JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace \
             LEFT JOIN LATERAL (SELECT x.relname FROM pg_catalog.pg_index AS o \
               JOIN pg_catalog.pg_class AS x ON x.oid OPERATOR(pg_catalog.=) o.indexrelid \
               WHERE o.indrelid OPERATOR(pg_catalog.=) i.indrelid \
                 AND o.indexrelid OPERATOR(pg_catalog.<>) i.indexrelid AND o.indisvalid \
                 AND x.relam OPERATOR(pg_catalog.=) c.relam AND ",
        )
        .then(SAME[0])
        .then(" OPERATOR(pg_catalog.=) ")
        .then(SAME[1])
        .then(
            " AND (NOT i.indisunique OR o.indisunique) \
                 AND ((o.indisunique AND NOT i.indisunique) \
                   OR (o.indisprimary AND NOT i.indisprimary) \
                   OR (o.indisprimary OPERATOR(pg_catalog.=) i.indisprimary \
                     AND o.indexrelid OPERATOR(pg_catalog.<) i.indexrelid)) \
               ORDER BY o.indexrelid LIMIT 1) AS q ON true \
             WHERE c.relkind OPERATOR(pg_catalog.=) 'i' AND ",
        )
        .then(NOT_OURS)
        .then(
            " ORDER BY i.indisvalid, (q.relname IS NULL), \
               (i.indisunique OR pg_catalog.pg_stat_get_numscans(c.oid) OPERATOR(pg_catalog.>) 0), \
               5 DESC, 2, 4",
        )
        .then(TAIL)
}

/// Of each table what vacuum goes by; those with most dead rows first. Times are in RFC 3339.
#[must_use]
pub fn vacuum() -> Sql {
    Sql::of(HEAD)
        .then(
            "s.schemaname AS schema, s.relname AS table, \
             pg_catalog.to_char(pg_catalog.timezone('UTC', s.last_vacuum), 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') AS last_vacuum, \
             pg_catalog.to_char(pg_catalog.timezone('UTC', s.last_autovacuum), 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') \
               AS last_autovacuum, \
             c.reltuples AS rows, s.n_live_tup AS live, s.n_dead_tup AS dead, c.reloptions AS options, \
             pg_catalog.current_setting('autovacuum') AS autovacuum, \
             pg_catalog.current_setting('autovacuum_vacuum_threshold') AS base, \
             pg_catalog.current_setting('autovacuum_vacuum_scale_factor') AS scale, \
             pg_catalog.current_setting('autovacuum_vacuum_max_threshold', true) AS most \
             FROM pg_catalog.pg_stat_user_tables AS s \
             JOIN pg_catalog.pg_class AS c ON c.oid OPERATOR(pg_catalog.=) s.relid \
             ORDER BY s.n_dead_tup DESC, s.schemaname, s.relname",
        )
        .then(TAIL)
}

/// What a diagnosis asks beside it, in one row.
#[must_use]
pub fn rest() -> Sql {
    Sql::of(HEAD)
        .then(
            "(SELECT pg_catalog.count(*) FROM pg_catalog.pg_prepared_xacts AS p) AS prepared, \
             (SELECT pg_catalog.date_part('epoch', pg_catalog.clock_timestamp()) OPERATOR(pg_catalog.-) \
               pg_catalog.date_part('epoch', pg_catalog.min(p.prepared)) FROM pg_catalog.pg_prepared_xacts AS p) \
               AS prepared_for, \
             (SELECT pg_catalog.count(*) FROM pg_catalog.pg_class AS c \
               JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace \
               WHERE c.relkind OPERATOR(pg_catalog.=) 'r' AND c.relpersistence OPERATOR(pg_catalog.=) 'u' AND ",
        )
        .then(NOT_OURS)
        .then(
            ") AS unlogged, \
             (SELECT pg_catalog.json_agg(k) FROM (SELECT pg_catalog.concat(n.nspname, '.', c.relname) AS name \
               FROM pg_catalog.pg_class AS c \
               JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace \
               WHERE c.relkind OPERATOR(pg_catalog.=) 'r' AND ",
        )
        .then(NOT_OURS)
        .then(
            " AND NOT EXISTS(SELECT FROM pg_catalog.pg_index AS i \
                 WHERE i.indrelid OPERATOR(pg_catalog.=) c.oid AND i.indisprimary) \
               ORDER BY 1 LIMIT 100) AS k) AS without_key",
        )
        .then(TAIL)
}

/// Databases whose order of text is built with another version of its library than the one that runs; since
/// [`super::COLLATIONS_SINCE`].
#[must_use]
pub fn collations() -> Sql {
    Sql::of(HEAD)
        .then(
            "d.datname AS database, pg_catalog.left(d.datcollversion, 40) AS built, \
             pg_catalog.left(pg_catalog.pg_database_collation_actual_version(d.oid), 40) AS now \
             FROM pg_catalog.pg_database AS d WHERE d.datallowconn AND d.datcollversion OPERATOR(pg_catalog.<>) \
               pg_catalog.pg_database_collation_actual_version(d.oid) ORDER BY d.datname",
        )
        .then(TAIL)
}

#[cfg(test)]
pub fn all() -> Vec<Sql> {
    vec![
        info(),
        ps(true),
        ps(false),
        locks(),
        blocking(),
        statements_extension(),
        outliers("public", true, "app"),
        outliers("a\"b", false, "a'b"),
        indexes(),
        vacuum(),
        rest(),
        collations(),
    ]
}
