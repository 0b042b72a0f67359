//! What is asked seldom of a server: how large its databases and tables are, how their text sorts, and which statements took
//! its time. What [`super::monitor`] says of its role holds for all of them.

use super::Sql;

/// Of all databases, and the largest of them.
#[must_use]
pub fn databases() -> Sql {
    Sql::of(
        "WITH d AS MATERIALIZED (SELECT b.datname AS name, b.datistemplate AS template, \
           pg_catalog.pg_database_size(b.oid) AS size_bytes FROM pg_catalog.pg_database AS b) \
         SELECT pg_catalog.json_build_object('size_bytes', (SELECT COALESCE(pg_catalog.sum(d.size_bytes), 0) FROM d), \
         'databases', COALESCE((SELECT pg_catalog.json_agg(pg_catalog.json_build_object('name', l.name, \
             'size_bytes', l.size_bytes) ORDER BY l.size_bytes DESC, l.name) \
           FROM (SELECT d.* FROM d WHERE NOT d.template ORDER BY d.size_bytes DESC, d.name LIMIT 20) AS l), \
         CAST('[]' AS pg_catalog.json)))",
    )
}

/// Of the database that it is asked in. What is measured is chosen by what the server counts anyway, so that many tables cost
/// little; one that is locked whole is left out, as its size would be waited for.
#[must_use]
pub fn tables() -> Sql {
    Sql::of(
        "WITH c AS MATERIALIZED (SELECT s.* FROM pg_catalog.pg_stat_user_tables AS s \
           JOIN pg_catalog.pg_class AS k ON k.oid OPERATOR(pg_catalog.=) s.relid \
           LEFT JOIN pg_catalog.pg_class AS t ON t.oid OPERATOR(pg_catalog.=) k.reltoastrelid \
           WHERE NOT EXISTS(SELECT FROM pg_catalog.pg_locks AS l WHERE l.relation OPERATOR(pg_catalog.=) s.relid \
             AND l.mode OPERATOR(pg_catalog.=) 'AccessExclusiveLock') \
           ORDER BY GREATEST(k.relpages OPERATOR(pg_catalog.+) COALESCE(t.relpages, 0), \
             (s.n_live_tup OPERATOR(pg_catalog.+) s.n_dead_tup) OPERATOR(pg_catalog./) 50) DESC, s.relid LIMIT 200), \
         z AS MATERIALIZED (SELECT c.*, pg_catalog.pg_total_relation_size(c.relid) AS size_bytes FROM c) \
         SELECT COALESCE(pg_catalog.json_agg(pg_catalog.json_build_object(\
           'name', pg_catalog.concat(f.schemaname, '.', f.relname), 'size_bytes', f.size_bytes, \
           'live_rows', f.n_live_tup, 'dead_rows', f.n_dead_tup, \
           'last_vacuum', pg_catalog.to_char(f.last_vacuum, 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), \
           'last_autovacuum', pg_catalog.to_char(f.last_autovacuum, 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), \
           'last_analyze', pg_catalog.to_char(f.last_analyze, 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), \
           'last_autoanalyze', pg_catalog.to_char(f.last_autoanalyze, 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')) \
           ORDER BY f.size_bytes DESC, f.relid), CAST('[]' AS pg_catalog.json)) \
         FROM (SELECT z.* FROM z WHERE z.size_bytes IS NOT NULL ORDER BY z.size_bytes DESC, z.relid LIMIT 20) AS f",
    )
}

/// The first `server_version_num` that tells it.
pub const MISMATCHES_SINCE: u32 = 150_000;

/// Databases whose order of text has another version than recorded.
#[must_use]
pub fn mismatches() -> Sql {
    Sql::of(
        "SELECT COALESCE(pg_catalog.json_agg(pg_catalog.json_build_object('database', m.datname, \
           'built_with', m.old, 'now', m.new) ORDER BY m.datname), CAST('[]' AS pg_catalog.json)) \
         FROM (SELECT d.datname, d.datcollversion AS old, \
             pg_catalog.pg_database_collation_actual_version(d.oid) AS new \
           FROM pg_catalog.pg_database AS d WHERE d.datallowconn AND d.datcollversion \
             OPERATOR(pg_catalog.<>) pg_catalog.pg_database_collation_actual_version(d.oid) \
           ORDER BY d.datname LIMIT 20) AS m",
    )
}

/// Whether statements are counted, and in which schema of this database that is told.
#[must_use]
pub fn counter() -> Sql {
    Sql::of(
        "SELECT pg_catalog.json_build_object(\
         'loaded', 'pg_stat_statements' OPERATOR(pg_catalog.=) ANY (pg_catalog.regexp_split_to_array(\
           pg_catalog.current_setting('shared_preload_libraries'), '[[:space:]\",]+')), \
         'database', pg_catalog.current_database(), \
         'schema', (SELECT n.nspname FROM pg_catalog.pg_extension AS e JOIN pg_catalog.pg_namespace AS n \
           ON n.oid OPERATOR(pg_catalog.=) e.extnamespace \
           WHERE e.extname OPERATOR(pg_catalog.=) 'pg_stat_statements'))",
    )
}

/// Those that took the most time, but for those of this role itself. `schema`: where the extension is, as [`counter`] tells; what is in an extension only a
/// superuser can replace.
#[must_use]
pub fn statements(schema: &str) -> Sql {
    Sql::of(
        "SELECT COALESCE(pg_catalog.json_agg(pg_catalog.json_build_object(\
           'queryid', CAST(s.queryid AS pg_catalog.text), 'database', d.datname, 'username', r.rolname, \
           'calls', s.calls, 'total_secs', s.total_exec_time OPERATOR(pg_catalog./) 1000, \
           'mean_ms', s.mean_exec_time, 'rows', s.rows, 'query', pg_catalog.left(s.query, 2000)) \
           ORDER BY s.total_exec_time DESC, s.queryid), CAST('[]' AS pg_catalog.json)) \
         FROM (SELECT p.* FROM ",
    )
    .identifier(schema)
    .then(
        ".pg_stat_statements(true) AS p WHERE p.queryid IS NOT NULL \
             AND pg_catalog.pg_get_userbyid(p.userid) OPERATOR(pg_catalog.<>) CURRENT_USER \
           ORDER BY p.total_exec_time DESC, p.queryid LIMIT 10) AS s \
         LEFT JOIN pg_catalog.pg_database AS d ON d.oid OPERATOR(pg_catalog.=) s.dbid \
         LEFT JOIN pg_catalog.pg_roles AS r ON r.oid OPERATOR(pg_catalog.=) s.userid",
    )
}
