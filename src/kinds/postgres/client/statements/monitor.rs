//! The statements of the role that looks at a server's health, and those that make that role. What [`super`] says holds for
//! them, too.
//!
//! It is a role of its own, which may read what `pg_monitor` may and nothing else (PostgreSQL docs, "Predefined Roles"); its
//! transactions are read only. Its mark, in a comment that only a superuser can write, tells it from somebody else's.

use super::Sql;

/// Has a hyphen: no role of a tenant does.
pub const ROLE: &str = "seawall-monitor";
/// The comment of the role.
const MARK: &str = "Seawall reads the health of this server with it";

/// Settings of its sessions: those of [`super::options`] that an ordinary role may set. It changes nothing, and never holds
/// anybody up for long.
const OPTIONS: &str = "-c search_path=pg_catalog,pg_temp -c role=none -c row_security=off \
    -c default_transaction_read_only=on -c default_transaction_deferrable=off \
    -c default_transaction_isolation=read\\ committed \
    -c client_encoding=UTF8 -c datestyle=ISO -c timezone=GMT -c standard_conforming_strings=on \
    -c statement_timeout=4000 -c lock_timeout=1000 -c idle_in_transaction_session_timeout=10000 \
    -c client_min_messages=error";

const NEWER_OPTIONS: &str = " -c transaction_timeout=0 -c idle_session_timeout=0";

/// The options of a session of it; `newer`: since [`super::NEWER_SINCE`].
#[must_use]
pub fn options(newer: bool) -> String {
    format!("{OPTIONS}{}", if newer { NEWER_OPTIONS } else { "" })
}

/// A column of the probe: how the role is. `missing`, `foreign` (somebody else's by its mark), `fine`, or `differs`; behind
/// a colon, and between commas, the roles that it should not be a member of.
#[must_use]
pub fn state(sql: Sql) -> Sql {
    sql.then(
        "COALESCE((SELECT CASE \
           WHEN COALESCE(pg_catalog.shobj_description(r.oid, 'pg_authid'), '') OPERATOR(pg_catalog.<>) ",
    )
    .literal(MARK)
    .then(
        " THEN 'foreign' \
           WHEN r.rolcanlogin AND r.rolinherit AND r.rolpassword IS NOT NULL AND NOT (r.rolsuper OR r.rolcreatedb \
             OR r.rolcreaterole OR r.rolreplication OR r.rolbypassrls) \
             AND NOT COALESCE(r.rolvaliduntil OPERATOR(pg_catalog.<>) 'infinity', false) \
             AND r.rolconnlimit OPERATOR(pg_catalog.=) (-1) \
             AND COALESCE(m.others, '') OPERATOR(pg_catalog.=) '' AND COALESCE(m.reads, false) \
             AND NOT EXISTS(SELECT FROM pg_catalog.pg_db_role_setting AS g \
               LEFT JOIN pg_catalog.pg_database AS d ON d.oid OPERATOR(pg_catalog.=) g.setdatabase \
               WHERE g.setrole OPERATOR(pg_catalog.=) r.oid AND (d.datname IS NULL \
                 OR d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database())) \
             AND pg_catalog.has_database_privilege(r.oid, pg_catalog.current_database(), 'CONNECT') THEN 'fine' \
           ELSE pg_catalog.concat('differs', pg_catalog.chr(58), m.others) END \
         FROM pg_catalog.pg_authid AS r LEFT JOIN LATERAL (SELECT \
             pg_catalog.bool_or(o.rolname OPERATOR(pg_catalog.=) 'pg_monitor') AS reads, \
             pg_catalog.left(pg_catalog.string_agg(o.rolname, ',' ORDER BY o.rolname) \
               FILTER (WHERE o.rolname OPERATOR(pg_catalog.<>) 'pg_monitor'), 2000) AS others \
           FROM pg_catalog.pg_auth_members AS a \
           JOIN pg_catalog.pg_authid AS o ON o.oid OPERATOR(pg_catalog.=) a.roleid \
           WHERE a.member OPERATOR(pg_catalog.=) r.oid) AS m ON true \
         WHERE r.rolname OPERATOR(pg_catalog.=) ",
    )
    .literal(ROLE)
    .then("), 'missing')")
}

/// Makes the role, marked at once; it lets nobody in yet.
#[must_use]
pub fn make() -> Sql {
    let sql = Sql::of("CREATE ROLE ").identifier(ROLE).then(" NOLOGIN; COMMENT ON ROLE ").identifier(ROLE);
    sql.then(" IS ").literal(MARK)
}

/// What it should be, and no more, with this verifier of its password; `database`: where it logs in.
#[must_use]
pub fn put_right(verifier: &str, database: &str, others: &[&str]) -> Sql {
    let mut sql = Sql::of("ALTER ROLE ")
        .identifier(ROLE)
        .then(
            " LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS INHERIT CONNECTION LIMIT -1 \
             VALID UNTIL 'infinity' PASSWORD ",
        )
        .literal(verifier)
        .then("; ALTER ROLE ")
        .identifier(ROLE)
        .then(" RESET ALL; ALTER ROLE ")
        .identifier(ROLE)
        .then(" IN DATABASE ")
        .identifier(database)
        .then(" RESET ALL; GRANT pg_monitor TO ")
        .identifier(ROLE)
        .then("; GRANT CONNECT ON DATABASE ")
        .identifier(database)
        .then(" TO ")
        .identifier(ROLE);
    for other in others {
        sql = sql.then("; REVOKE ").identifier(other).then(" FROM ").identifier(ROLE).then(" CASCADE");
    }
    sql
}

/// One statement for several that answer with one value each: a row of these values.
#[must_use]
pub fn row(all: &[Sql]) -> Sql {
    let mut row = Sql::of("SELECT ");
    for (index, one) in all.iter().enumerate() {
        row = row.then(if index > 0 { ", " } else { "" }).value(one);
    }
    row
}

/// The settings that rules go by.
#[must_use]
pub fn settings() -> Sql {
    Sql::of(
        "SELECT pg_catalog.json_build_object(\
         'max_wal_size_bytes', pg_catalog.pg_size_bytes(pg_catalog.current_setting('max_wal_size')), \
         'archive_mode', pg_catalog.current_setting('archive_mode'), \
         'archive_command', pg_catalog.left(pg_catalog.current_setting('archive_command'), 1000), \
         'archive_library', pg_catalog.left(pg_catalog.current_setting('archive_library', true), 1000))",
    )
}

/// The files in pg_wal. A segment's name has 24 characters; PostgreSQL renames old ones for later use, and writes to them
/// only then.
#[must_use]
pub fn files() -> Sql {
    Sql::of(
        "SELECT pg_catalog.json_build_object('bytes', COALESCE(pg_catalog.sum(f.size), 0), \
         'oldest_age_secs', pg_catalog.date_part('epoch', pg_catalog.clock_timestamp()) OPERATOR(pg_catalog.-) \
           pg_catalog.date_part('epoch', pg_catalog.min(f.modification) \
             FILTER (WHERE pg_catalog.length(f.name) OPERATOR(pg_catalog.=) 24))) \
         FROM pg_catalog.pg_ls_waldir() AS f",
    )
}

/// What waits in archive_status. `NAME.ready` of a segment has 30 characters.
#[must_use]
pub fn backlog() -> Sql {
    Sql::of(
        "SELECT pg_catalog.json_build_object(\
         'segments', pg_catalog.count(*) FILTER (WHERE pg_catalog.length(f.name) OPERATOR(pg_catalog.=) 30), \
         'other', pg_catalog.count(*) FILTER (WHERE pg_catalog.length(f.name) OPERATOR(pg_catalog.<>) 30)) \
         FROM pg_catalog.pg_ls_archive_statusdir() AS f \
         WHERE pg_catalog.right(f.name, 6) OPERATOR(pg_catalog.=) '.ready'",
    )
}

#[must_use]
pub fn archiver() -> Sql {
    Sql::of(
        "SELECT pg_catalog.json_build_object('archived_count', a.archived_count, \
         'last_archived_wal', a.last_archived_wal, \
         'last_archived_at', pg_catalog.date_part('epoch', a.last_archived_time), \
         'failed_count', a.failed_count, 'last_failed_wal', a.last_failed_wal, \
         'last_failed_at', pg_catalog.date_part('epoch', a.last_failed_time)) \
         FROM pg_catalog.pg_stat_archiver AS a",
    )
}

/// Where the log ends. On a standby nothing is asked that only a primary can answer.
pub(super) const END: &str = "CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_receive_lsn() \
     ELSE pg_catalog.pg_current_wal_lsn() END";

/// Slots that are looked at.
pub const SLOTS: usize = 100;

/// As the server's version has them: what an older one does not know is not among their fields. Whether the segment is there
/// that a slot begins at the server does not look itself: it is missing where a later one is there. Of a slot in use that is not asked:
/// it may have moved on between two looks.
#[must_use]
pub fn slots() -> Sql {
    Sql::of(
        "SELECT COALESCE(pg_catalog.json_agg(pg_catalog.json_build_object('slot', pg_catalog.row_to_json(s), \
         'retained_bytes', pg_catalog.pg_wal_lsn_diff(",
    )
    .then(END)
    .then(
        ", s.restart_lsn), 'wal_missing', CASE WHEN s.active OR pg_catalog.pg_is_in_recovery() THEN false ELSE \
           NOT pg_catalog.right(pg_catalog.pg_walfile_name(s.restart_lsn), 16) OPERATOR(pg_catalog.=) ANY (w.names) \
           AND pg_catalog.right(pg_catalog.pg_walfile_name(s.restart_lsn), 16) OPERATOR(pg_catalog.<) w.last END)), \
           CAST('[]' AS pg_catalog.json)) \
         FROM (SELECT * FROM pg_catalog.pg_replication_slots ORDER BY slot_name LIMIT 100) AS s, \
           (SELECT pg_catalog.array_agg(pg_catalog.right(f.name, 16)) AS names, pg_catalog.max(pg_catalog.right(f.name, 16)) AS last \
             FROM pg_catalog.pg_ls_waldir() AS f WHERE pg_catalog.length(f.name) OPERATOR(pg_catalog.=) 24) AS w",
    )
}

#[must_use]
pub fn position() -> Sql {
    Sql::of(
        "SELECT pg_catalog.json_build_object('in_recovery', pg_catalog.pg_is_in_recovery(), \
         'lsn', pg_catalog.pg_wal_lsn_diff(",
    )
    .then(END)
    .then(", CAST('0/0' AS pg_catalog.pg_lsn)))")
}

#[must_use]
pub fn horizon() -> Sql {
    Sql::of(
        "SELECT pg_catalog.json_build_object('database', d.datname, 'xid_age', d.xids, 'mxid_age', d.mxids, \
         'freeze_max_age', pg_catalog.current_setting('autovacuum_freeze_max_age'), \
         'failsafe_age', pg_catalog.current_setting('vacuum_failsafe_age', true), \
         'held', (SELECT pg_catalog.row_to_json(o) FROM (SELECT h.age, pg_catalog.left(h.holder, 120) AS holder FROM ( \
             SELECT GREATEST(pg_catalog.age(a.backend_xid), pg_catalog.age(a.backend_xmin)) AS age, \
               pg_catalog.concat('process ', a.pid, ' of role ', a.usename) AS holder FROM pg_catalog.pg_stat_activity AS a \
             UNION ALL SELECT pg_catalog.age(p.transaction), pg_catalog.concat('prepared transaction ', p.gid) \
               FROM pg_catalog.pg_prepared_xacts AS p \
             UNION ALL SELECT GREATEST(pg_catalog.age(s.xmin), pg_catalog.age(s.catalog_xmin)), \
               pg_catalog.concat('replication slot ', s.slot_name) FROM pg_catalog.pg_replication_slots AS s) AS h \
           WHERE h.age IS NOT NULL ORDER BY h.age DESC, h.holder LIMIT 1) AS o)) \
         FROM (SELECT a.datname, a.xids, a.mxids FROM (SELECT datname, pg_catalog.age(datfrozenxid) AS xids, \
             pg_catalog.mxid_age(datminmxid) AS mxids FROM pg_catalog.pg_database) AS a \
           ORDER BY CASE WHEN a.mxids OPERATOR(pg_catalog.>) a.xids THEN a.mxids ELSE a.xids END DESC, a.datname \
           LIMIT 1) AS d",
    )
}
