//! What only the owner of a cluster may ask and do: planner statistics that sizes are estimated from, sequences, and the end of
//! a session. What [`super`] says holds here above all: this runs as a superuser in databases of others.

use super::Sql;

const HEAD: &str = "SELECT COALESCE(pg_catalog.json_agg(t), CAST('[]' AS pg_catalog.json)) FROM (SELECT pg_catalog.count(*) OVER () AS all_rows, ";

const NOT_OURS: &str = "n.nspname OPERATOR(pg_catalog.<>) 'pg_catalog' \
     AND n.nspname OPERATOR(pg_catalog.<>) 'information_schema' \
     AND pg_catalog.left(n.nspname, 8) OPERATOR(pg_catalog.<>) 'pg_toast' \
     AND pg_catalog.left(n.nspname, 7) OPERATOR(pg_catalog.<>) 'pg_temp'";

/// Nothing is changed by a question.
#[must_use]
pub fn read_only(options: &str) -> String {
    format!("{options} -c default_transaction_read_only=on")
}

/// Tables and indexes (B-trees) by size, with what their bloat is estimated from: bytes, rows, and the mean width of a row
/// as ANALYZE found it; `blind`: columns that it knows nothing about.
#[must_use]
pub fn relations() -> Sql {
    Sql::of(HEAD)
        .then(
            "CASE WHEN c.relkind OPERATOR(pg_catalog.=) 'i' THEN 'index' ELSE 'table' END AS type, \
             n.nspname AS schemaname, c.relname AS object_name, pg_catalog.pg_relation_size(c.oid) AS bytes, \
             c.reltuples AS tuples, w.width, w.blind, c.reloptions AS options, \
             pg_catalog.current_setting('block_size') AS block \
             FROM pg_catalog.pg_class AS c \
             JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace \
             JOIN pg_catalog.pg_am AS m ON m.oid OPERATOR(pg_catalog.=) c.relam \
             LEFT JOIN pg_catalog.pg_index AS i ON i.indexrelid OPERATOR(pg_catalog.=) c.oid \
             JOIN LATERAL (SELECT \
                 pg_catalog.sum(COALESCE((1 OPERATOR(pg_catalog.-) s.stanullfrac) OPERATOR(pg_catalog.*) s.stawidth, \
                   CASE WHEN a.attlen OPERATOR(pg_catalog.>) 0 THEN a.attlen ELSE 0 END)) AS width, \
                 pg_catalog.count(*) FILTER (WHERE s.starelid IS NULL AND a.attlen OPERATOR(pg_catalog.<) 0) AS blind \
               FROM pg_catalog.pg_attribute AS a \
               LEFT JOIN pg_catalog.pg_statistic AS s ON NOT s.stainherit \
                 AND ((s.starelid OPERATOR(pg_catalog.=) a.attrelid AND s.staattnum OPERATOR(pg_catalog.=) a.attnum) \
                   OR (s.starelid OPERATOR(pg_catalog.=) i.indrelid AND s.staattnum \
                     OPERATOR(pg_catalog.=) i.indkey[a.attnum OPERATOR(pg_catalog.-) 1])) \
               WHERE a.attrelid OPERATOR(pg_catalog.=) c.oid AND a.attnum OPERATOR(pg_catalog.>) 0 \
                 AND NOT a.attisdropped) AS w ON true \
             WHERE ((c.relkind OPERATOR(pg_catalog.=) 'i' AND m.amname OPERATOR(pg_catalog.=) 'btree') \
                 OR (m.amname OPERATOR(pg_catalog.=) 'heap' \
                   AND (c.relkind OPERATOR(pg_catalog.=) 'r' OR c.relkind OPERATOR(pg_catalog.=) 'm'))) \
               AND pg_catalog.pg_relation_size(c.oid) OPERATOR(pg_catalog.>) 0 AND ",
        )
        .then(NOT_OURS)
        .then(" ORDER BY 5 DESC, 3, 4 LIMIT 500) AS t")
}

/// Sequences that are more than half through and do not begin again.
#[must_use]
pub fn sequences() -> Sql {
    Sql::of(HEAD).then(
        "n.schemaname AS schema, n.sequencename AS sequence, n.last_value, n.min_value, n.max_value \
             FROM pg_catalog.pg_sequences AS n \
             WHERE NOT n.cycle AND n.increment_by OPERATOR(pg_catalog.>) 0 \
               AND n.last_value OPERATOR(pg_catalog.>) (n.max_value OPERATOR(pg_catalog./) 2) \
             ORDER BY n.schemaname, n.sequencename LIMIT 100) AS t",
    )
}

/// One session, and whether it is one of Seawall's own.
#[must_use]
pub fn session(pid: u32) -> Sql {
    Sql::of(HEAD)
        .then(
            "a.pid, a.state, pg_catalog.left(a.application_name, 64) AS source, a.usename AS username, \
             a.datname AS database, a.backend_type, \
             pg_catalog.date_part('epoch', pg_catalog.clock_timestamp()) OPERATOR(pg_catalog.-) \
               pg_catalog.date_part('epoch', a.query_start) AS running_for, \
             pg_catalog.date_part('epoch', pg_catalog.clock_timestamp()) OPERATOR(pg_catalog.-) \
               pg_catalog.date_part('epoch', a.xact_start) AS transaction_for, \
             pg_catalog.host(a.client_addr) AS client, pg_catalog.left(a.query, 500) AS query, ",
        )
        .then(SINCE)
        .then(" AS since, (")
        .then(OURS)
        .then(") AS ours FROM pg_catalog.pg_stat_activity AS a WHERE a.pid OPERATOR(pg_catalog.=) ")
        .number(pid)
        .then(") AS t")
}

/// When a session began, to the microsecond.
const SINCE: &str =
    "pg_catalog.to_char(pg_catalog.timezone('UTC', a.backend_start), 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')";

const OURS: &str = "COALESCE(a.usename, '') OPERATOR(pg_catalog.=) 'seawall-monitor' \
     OR (a.application_name OPERATOR(pg_catalog.=) 'seawall' AND a.usename OPERATOR(pg_catalog.=) SESSION_USER)";

/// Cancels what a session does, or ends it: only the client's that began then. `true`: the signal was sent.
#[must_use]
pub fn end(pid: u32, since: &str, force: bool) -> Sql {
    let how =
        if force { "pg_catalog.pg_terminate_backend(a.pid)" } else { "pg_catalog.pg_cancel_backend(a.pid)" };
    Sql::of(HEAD)
        .then(how)
        .then(" AS sent FROM pg_catalog.pg_stat_activity AS a WHERE a.pid OPERATOR(pg_catalog.=) ")
        .number(pid)
        .then(" AND a.backend_type OPERATOR(pg_catalog.=) 'client backend' AND ")
        .then(SINCE)
        .then(" OPERATOR(pg_catalog.=) ")
        .literal(since)
        .then(" AND NOT (")
        .then(OURS)
        .then(")) AS t")
}

#[cfg(test)]
pub fn all() -> Vec<Sql> {
    vec![relations(), sequences(), session(1), end(1, "x", true), end(1, "x", false)]
}
