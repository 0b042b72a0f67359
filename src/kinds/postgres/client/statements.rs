//! Every statement that Seawall sends, and the settings of its sessions.
//!
//! Others can make functions, operators and types in the databases that these run in, and settings for
//! roles and databases. So each name is qualified with the schema that only PostgreSQL itself writes
//! to, operators too; only a literal is cast, as a cast between types can be anybody's who owns one of them;
//! and what could turn a statement into something else is set in the start-up packet,
//! which wins over `ALTER ROLE … SET` and `ALTER DATABASE … SET`. Answers are cut by the server.

pub mod archive;
pub mod contents;
pub mod inspect;
pub mod monitor;
pub mod monitoring;
pub mod owner;
pub mod tenants;

use super::sql::Sql;
use crate::secrets::{ExposeSecret, Secret};

/// Settings of every session of ours, on every server that is supported.
///
/// * names mean PostgreSQL's own, whatever `search_path` or `role` is set for this role or database;
/// * text and times are written in one way, and no default of transactions makes a server in recovery refuse them.
///   Other styles (of numbers, intervals, bytes) matter to no answer of ours, and are left alone: of what a session
///   sets itself, nobody can see any more whether something overrides the manifest;
/// * a statement ends in time, and so does a transaction that nobody goes on with;
/// * no statement reaches the server's log, its statistics or its list of activities: one of them holds
///   the verifier of a password. A setting of a library that is not loaded is kept by the server and
///   does nothing.
const OPTIONS: &str = "-c search_path=pg_catalog,pg_temp -c role=none -c row_security=off \
    -c default_transaction_read_only=off -c default_transaction_deferrable=off \
    -c default_transaction_isolation=read\\ committed \
    -c client_encoding=UTF8 -c datestyle=ISO -c timezone=GMT -c standard_conforming_strings=on \
    -c statement_timeout=5000 -c lock_timeout=4000 -c idle_in_transaction_session_timeout=10000 \
    -c lc_messages=C -c client_min_messages=error \
    -c track_activities=off -c log_statement=none -c log_duration=off -c log_min_duration_statement=-1 \
    -c log_min_duration_sample=-1 -c log_transaction_sample_rate=0 -c log_min_error_statement=panic \
    -c debug_print_parse=off -c debug_print_rewritten=off -c debug_print_plan=off \
    -c pg_stat_statements.track=none -c pg_stat_statements.track_utility=off -c pgaudit.log=none \
    -c auto_explain.log_min_duration=-1";

/// Changes nothing; for the client program in a server's container.
pub const HARMLESS: &str = "SELECT 1";

/// What servers since [`NEWER_SINCE`] know beside it: a trigger on login would run before our first
/// statement, as us.
const NEWER_OPTIONS: &str = " -c event_triggers=off -c transaction_timeout=0 -c idle_session_timeout=0";

/// The first major version that has all of [`NEWER_OPTIONS`].
pub const NEWER_SINCE: u32 = 17;

/// The options of a session, in the form of `PGOPTIONS` and of the start-up packet.
#[must_use]
pub fn options(newer: bool) -> String {
    format!("{OPTIONS}{}", if newer { NEWER_OPTIONS } else { "" })
}

/// Whether sessions of ours have a value of their own for this parameter: another default could break them.
#[must_use]
pub fn fixes(parameter: &str) -> bool {
    let options = [OPTIONS, NEWER_OPTIONS].into_iter().flat_map(str::split_whitespace);
    options.filter_map(|word| word.split_once('=')).any(|(name, _)| name.eq_ignore_ascii_case(parameter))
}

/// The same, but that triggers on login run: only servers that have such triggers know it.
#[must_use]
pub fn options_with_triggers() -> String {
    options(true).replace(" -c event_triggers=off", "")
}

/// Whose functions run when somebody logs into this database: `none`, `superuser`, or somebody else's as well.
#[must_use]
pub fn login_triggers() -> Sql {
    Sql::of(
        "SELECT CASE WHEN EXISTS(SELECT FROM pg_catalog.pg_event_trigger AS t \
             JOIN pg_catalog.pg_proc AS p ON p.oid OPERATOR(pg_catalog.=) t.evtfoid \
             JOIN pg_catalog.pg_authid AS r ON r.oid OPERATOR(pg_catalog.=) p.proowner \
             WHERE t.evtevent OPERATOR(pg_catalog.=) 'login' AND t.evtenabled OPERATOR(pg_catalog.<>) 'D' \
               AND NOT r.rolsuper) THEN 'other' \
           WHEN EXISTS(SELECT FROM pg_catalog.pg_event_trigger AS t \
             WHERE t.evtevent OPERATOR(pg_catalog.=) 'login' AND t.evtenabled OPERATOR(pg_catalog.<>) 'D') \
             THEN 'superuser' ELSE 'none' END",
    )
}

/// Which of these the session has from `ALTER ROLE` or `ALTER DATABASE … SET`.
#[must_use]
pub fn overridden(parameters: &[&str]) -> Sql {
    Sql::of(
        "SELECT COALESCE(pg_catalog.left(pg_catalog.string_agg(pg_catalog.left(s.name, 63), ',' ORDER BY s.name), 10000), '') \
         FROM pg_catalog.pg_settings AS s WHERE s.name OPERATOR(pg_catalog.=) ANY (",
    )
    .literals(parameters)
    .then(
        ") AND (s.source OPERATOR(pg_catalog.=) 'database' OR s.source OPERATOR(pg_catalog.=) 'user' \
         OR s.source OPERATOR(pg_catalog.=) 'database user' OR s.source OPERATOR(pg_catalog.=) 'global')",
    )
}

/// Has this session look into the configuration files, so that it takes note of what waits for a restart.
#[must_use]
pub fn look_into_files() -> Sql {
    Sql::of(
        "SELECT pg_catalog.textin(pg_catalog.int8out(pg_catalog.count(*))) FROM pg_catalog.pg_file_settings AS f",
    )
}

/// Lines of configuration files with which the server would not start, `FILE:LINE NAME ERROR`, between record separators: such
/// as are no lines, or of parameters that there are not, or with illegal values. Of a value that cannot be put in force the view says
/// the same whether it is illegal, waits for a restart (which a session knows that has looked into the files,
/// [`look_into_files`]), or is refused by this session alone: only text can be, of a parameter that a session may set
/// (`default_tablespace`), so that is left out. And it has rows of no file for what was taken out of one and waits for a restart; of no file
/// is also that the first one cannot be read, in other words.
#[must_use]
pub fn broken_configuration() -> Sql {
    Sql::of(
        "SELECT COALESCE(pg_catalog.string_agg(pg_catalog.left(pg_catalog.concat(b.sourcefile, pg_catalog.chr(58), \
           b.sourceline, pg_catalog.chr(32), b.name, pg_catalog.chr(32), b.error), 400), pg_catalog.chr(30) \
           ORDER BY b.seqno), '') \
         FROM (SELECT * FROM pg_catalog.pg_file_settings AS f WHERE f.error IS NOT NULL \
           AND NOT (f.sourcefile IS NULL AND pg_catalog.starts_with(f.error, 'parameter \"')) \
           AND NOT EXISTS(SELECT FROM pg_catalog.pg_settings AS s \
             WHERE pg_catalog.lower(s.name) OPERATOR(pg_catalog.=) pg_catalog.lower(f.name) AND (s.pending_restart \
               OR s.vartype OPERATOR(pg_catalog.=) 'string' AND s.context OPERATOR(pg_catalog.<>) 'sighup' \
                 AND s.context OPERATOR(pg_catalog.<>) 'postmaster')) ORDER BY f.seqno LIMIT 5) AS b",
    )
}

/// What waits for a restart, as a session knows that has looked into the files ([`look_into_files`]); of that what
/// another file than `file` sets last, which is the one that counts; and what only seems to wait: somebody took it out again, and the
/// server has its default all the while. Names between commas.
#[must_use]
pub fn pending(file: &str) -> Sql {
    Sql::of(
        "SELECT COALESCE(pg_catalog.left(pg_catalog.string_agg(pg_catalog.left(p.name, 63), ',' ORDER BY p.name), 10000), ''), \
         COALESCE(pg_catalog.left(pg_catalog.string_agg(pg_catalog.left(p.name, 63), ',' ORDER BY p.name) \
           FILTER (WHERE p.sourcefile OPERATOR(pg_catalog.<>) ",
    )
    .literal(file)
    .then(
        "), 10000), ''), \
         COALESCE(pg_catalog.left(pg_catalog.string_agg(pg_catalog.left(p.name, 63), ',' ORDER BY p.name) \
           FILTER (WHERE p.sourcefile IS NULL AND p.source OPERATOR(pg_catalog.=) 'default'), 10000), '') \
         FROM (SELECT s.name, s.source, (SELECT f.sourcefile FROM pg_catalog.pg_file_settings AS f \
             WHERE pg_catalog.lower(f.name) OPERATOR(pg_catalog.=) pg_catalog.lower(s.name) \
             ORDER BY f.seqno DESC LIMIT 1) AS sourcefile \
           FROM pg_catalog.pg_settings AS s WHERE s.pending_restart) AS p",
    )
}

/// Everything a probe needs, in one row of [`PROBE_COLUMNS`] columns.
#[must_use]
pub fn probe(database: &str, parameters: &[&str], file: &str) -> Sql {
    let sql = Sql::of(
        "SELECT pg_catalog.left(pg_catalog.current_setting('server_version'), 100), \
         (SELECT pg_catalog.textin(pg_catalog.int8out(c.system_identifier)) FROM pg_catalog.pg_control_system() AS c), \
         pg_catalog.left(pg_catalog.current_setting('data_directory'), 4096), \
         pg_catalog.to_char(pg_catalog.timezone('UTC', pg_catalog.pg_postmaster_start_time()), \
           'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), \
         CASE WHEN pg_catalog.pg_is_in_recovery() THEN 'true' ELSE 'false' END, \
         CASE WHEN EXISTS(SELECT 1 FROM pg_catalog.pg_database AS d \
           WHERE d.datname OPERATOR(pg_catalog.=) CAST(",
    )
    .literal(database)
    .then(
        " AS pg_catalog.name)) THEN 'true' ELSE 'false' END, \
         COALESCE(pg_catalog.encode(pg_catalog.sha256(pg_catalog.pg_read_binary_file(",
    )
    .literal(file)
    .then(
        ", 0, 1000000, true)), 'hex'), ''), \
         COALESCE(pg_catalog.left(pg_catalog.string_agg(pg_catalog.left(s.name, 63), ',' ORDER BY s.name) \
           FILTER (WHERE s.pending_restart), 10000), ''), \
         COALESCE(pg_catalog.left(pg_catalog.string_agg(pg_catalog.left(s.name, 63), ',' ORDER BY s.name) \
           FILTER (WHERE s.name OPERATOR(pg_catalog.=) ANY (",
    )
    .literals(parameters)
    .then(") AND s.sourcefile IS NOT NULL AND s.sourcefile OPERATOR(pg_catalog.<>) ")
    .literal(file)
    .then(
        " AND NOT s.pending_restart), 10000), ''), \
         (SELECT pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to( \
             pg_catalog.concat(a.rolpassword, a.rolcanlogin, a.rolvaliduntil), 'UTF8')), 'hex') \
           FROM pg_catalog.pg_authid AS a WHERE a.rolname OPERATOR(pg_catalog.=) SESSION_USER), \
         COALESCE((SELECT pg_catalog.left(pg_catalog.string_agg( \
             pg_catalog.concat(t.oid), ',' ORDER BY t.oid), 10000) \
           FROM pg_catalog.pg_tablespace AS t WHERE t.spcname OPERATOR(pg_catalog.<>) 'pg_default' \
             AND t.spcname OPERATOR(pg_catalog.<>) 'pg_global'), ''), ",
    );
    // Connections in all, those that the server takes, those that it keeps for some roles, those into the managed database,
    // and those that it takes.
    monitor::state(sql)
        .then(
            ", (SELECT pg_catalog.concat_ws(',', \
               pg_catalog.count(*), pg_catalog.current_setting('max_connections'), \
               pg_catalog.current_setting('superuser_reserved_connections'), \
               COALESCE(pg_catalog.current_setting('reserved_connections', true), '0'), \
               pg_catalog.count(*) FILTER (WHERE a.datname OPERATOR(pg_catalog.=) d.datname), d.datconnlimit) \
             FROM pg_catalog.pg_stat_activity AS a, (SELECT datname, datconnlimit FROM pg_catalog.pg_database \
               WHERE datname OPERATOR(pg_catalog.=) CAST(",
        )
        .literal(database)
        .then(
            " AS pg_catalog.name)) AS d WHERE a.backend_type OPERATOR(pg_catalog.=) 'client backend' \
             GROUP BY d.datname, d.datconnlimit), ",
        )
        .then(COUNTER)
        .then(" FROM pg_catalog.pg_settings AS s")
}

/// A column of the probe: whether statements are counted. `missing`: the extension that tells them can be made here. Its script runs as the
/// owner of the cluster, so not where anything has a name of its own, nor where event triggers (which sessions before 17
/// cannot turn off) would run what is not a superuser's. What it costs to know that is spent only where there is none.
const COUNTER: &str = "CASE WHEN NOT 'pg_stat_statements' OPERATOR(pg_catalog.=) ANY (pg_catalog.regexp_split_to_array(\
       pg_catalog.current_setting('shared_preload_libraries'), '[[:space:]\",]+')) THEN 'not loaded' \
     WHEN EXISTS(SELECT FROM pg_catalog.pg_extension AS e \
       WHERE e.extname OPERATOR(pg_catalog.=) 'pg_stat_statements') THEN 'told' \
     WHEN pg_catalog.current_database() OPERATOR(pg_catalog.=) 'postgres' \
       AND EXISTS(SELECT FROM pg_catalog.pg_namespace AS n WHERE n.nspname OPERATOR(pg_catalog.=) 'public' \
         AND NOT EXISTS(SELECT FROM pg_catalog.pg_class AS k WHERE k.relnamespace OPERATOR(pg_catalog.=) n.oid \
           AND pg_catalog.starts_with(k.relname, 'pg_stat_statements')) \
         AND NOT EXISTS(SELECT FROM pg_catalog.pg_proc AS p WHERE p.pronamespace OPERATOR(pg_catalog.=) n.oid \
           AND pg_catalog.starts_with(p.proname, 'pg_stat_statements'))) \
       AND NOT EXISTS(SELECT FROM pg_catalog.pg_event_trigger AS t \
         JOIN pg_catalog.pg_proc AS p ON p.oid OPERATOR(pg_catalog.=) t.evtfoid \
         JOIN pg_catalog.pg_authid AS r ON r.oid OPERATOR(pg_catalog.=) p.proowner \
         WHERE t.evtenabled OPERATOR(pg_catalog.<>) 'D' AND NOT r.rolsuper) \
       AND EXISTS(SELECT FROM pg_catalog.pg_available_extensions AS v \
         WHERE v.name OPERATOR(pg_catalog.=) 'pg_stat_statements') THEN 'missing' \
     ELSE 'not made' END";

/// The extension that tells the statements which a server counts: in the schema where whoever looks for it by hand finds it.
#[must_use]
pub fn count_statements() -> Sql {
    Sql::of("CREATE EXTENSION IF NOT EXISTS pg_stat_statements SCHEMA public")
}

/// Columns of the row that [`probe`] asks for.
pub const PROBE_COLUMNS: usize = 14;

/// Databases whose order of text has another version than recorded, as fields between unit separators and
/// rows between record separators; and the providers with a version that databases go by.
#[must_use]
pub fn collations() -> Sql {
    Sql::of(
        "SELECT COALESCE((SELECT pg_catalog.string_agg(m.line, pg_catalog.chr(30)) FROM \
           (SELECT pg_catalog.concat(d.datname, pg_catalog.chr(31), pg_catalog.left(d.datcollversion, 40), \
             pg_catalog.chr(31), \
             pg_catalog.left(pg_catalog.pg_database_collation_actual_version(d.oid), 40)) AS line \
           FROM pg_catalog.pg_database AS d WHERE d.datallowconn AND d.datcollversion \
             OPERATOR(pg_catalog.<>) pg_catalog.pg_database_collation_actual_version(d.oid) \
           ORDER BY d.datname LIMIT 20) AS m), ''), \
         COALESCE((SELECT pg_catalog.string_agg(DISTINCT pg_catalog.textin(pg_catalog.charout(d.datlocprovider)), '') \
           FROM pg_catalog.pg_database AS d WHERE d.datallowconn AND d.datcollversion IS NOT NULL), '')",
    )
}

/// Databases that [`columns`] is asked in.
pub const DATABASES: usize = 200;

/// Names of the databases that can be logged into, one more than [`DATABASES`] at most, between record separators.
#[must_use]
pub fn databases() -> Sql {
    Sql::of(
        "SELECT COALESCE(pg_catalog.string_agg(d.datname, pg_catalog.chr(30)), '') FROM \
           (SELECT datname FROM pg_catalog.pg_database WHERE datallowconn ORDER BY datname LIMIT 201) AS d",
    )
}

/// Of the database that it is asked in: the providers of the collations with a version that some column or index
/// names, and those of them whose version is another one than recorded.
#[must_use]
pub fn columns() -> Sql {
    Sql::of(
        "SELECT COALESCE(pg_catalog.string_agg(DISTINCT \
             pg_catalog.textin(pg_catalog.charout(u.collprovider)), ''), ''), \
         COALESCE(pg_catalog.left(pg_catalog.string_agg(u.line, pg_catalog.chr(30) ORDER BY u.line) \
           FILTER (WHERE u.differs), 10000), '') \
         FROM (SELECT c.collprovider, pg_catalog.concat(n.nspname, pg_catalog.chr(31), c.collname, pg_catalog.chr(31), \
             pg_catalog.left(c.collversion, 40), pg_catalog.chr(31), \
             pg_catalog.left(pg_catalog.pg_collation_actual_version(c.oid), 40)) AS line, \
             c.collversion OPERATOR(pg_catalog.<>) pg_catalog.pg_collation_actual_version(c.oid) AS differs \
           FROM pg_catalog.pg_collation AS c \
           JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.collnamespace \
           WHERE c.collversion IS NOT NULL AND (EXISTS (SELECT FROM pg_catalog.pg_attribute AS a \
               WHERE a.attcollation OPERATOR(pg_catalog.=) c.oid) \
             OR EXISTS (SELECT FROM pg_catalog.pg_partitioned_table AS p \
               WHERE c.oid OPERATOR(pg_catalog.=) ANY (p.partcollation)))) AS u",
    )
}

/// The first major version that has what [`collations`] asks.
pub const COLLATIONS_SINCE: u32 = 15;

/// When the server last read its configuration.
#[must_use]
pub fn load_time() -> Sql {
    Sql::of("SELECT pg_catalog.textin(pg_catalog.timestamptz_out(pg_catalog.pg_conf_load_time()))")
}

#[must_use]
pub fn reload() -> Sql {
    Sql::of("SELECT pg_catalog.pg_reload_conf()")
}

#[must_use]
pub fn create_database(name: &str) -> Sql {
    Sql::of("CREATE DATABASE ").identifier(name)
}

/// What a server keeps in place of a password.
#[must_use]
pub fn verifier(password: &Secret) -> String {
    postgres_protocol::password::scram_sha_256(password.expose_secret().as_bytes())
}

/// `ALTER ROLE` with a SCRAM verifier: neither the wire nor the server's log sees the password.
#[must_use]
pub fn set_password(username: &str, password: &Secret) -> Sql {
    Sql::of("ALTER ROLE ")
        .identifier(username)
        .then(" WITH LOGIN PASSWORD ")
        .literal(&verifier(password))
        .then(" VALID UNTIL 'infinity';\n")
}

/// For a server without clients: it names no role that could be locked.
#[must_use]
pub fn unlock(username: &str) -> Sql {
    Sql::of("ALTER ROLE ").identifier(username).then(" LOGIN")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Vec<Sql> {
        let password = Secret::from("correct horse".to_owned());
        vec![
            probe("app", &["work_mem", "a'b"], "/etc/x"),
            probe("app", &[], "/etc/x"),
            collations(),
            login_triggers(),
            look_into_files(),
            broken_configuration(),
            pending("/etc/x"),
            overridden(&["work_mem"]),
            databases(),
            columns(),
            load_time(),
            reload(),
            create_database("app"),
            count_statements(),
            set_password("app", &password),
            unlock("app"),
            tenants::survey(),
            tenants::make_role("a", "mark"),
            tenants::bind_login("a", "b"),
            tenants::leave("a", "b"),
            tenants::plain_role("a"),
            tenants::set_verifier("a", "v"),
            tenants::open("a"),
            tenants::close("a"),
            tenants::end_sessions("a"),
            tenants::make_database("a", "b"),
            tenants::own_database("a", "b"),
            tenants::from_public("a"),
            tenants::allow("a"),
            tenants::limit("a", Some(5)),
            tenants::limit("a", None),
            tenants::schema_from_public(),
            tenants::schema_is_public(),
            tenants::about_extension("a"),
            tenants::is_untouched(["a", "b"]),
            tenants::has_extension("a"),
            tenants::extension("a", false),
            tenants::hand_to_owner("a", "b"),
            monitor::make(),
            monitor::put_right("v", "d", &["a"]),
            monitor::settings(),
            monitor::files(),
            monitor::backlog(),
            monitor::archiver(),
            monitor::slots(),
            monitor::position(),
            monitor::horizon(),
            monitoring::version(),
            monitoring::server(),
            monitoring::connections(),
            monitoring::transactions(),
            monitoring::locks(),
            monitoring::replication(),
            monitoring::totals(),
            monitoring::checkpoints(160_000),
            monitoring::checkpoints(170_000),
            contents::databases(),
            contents::tables(),
            contents::mismatches(),
            contents::counter(),
            contents::statements("s"),
        ]
        .into_iter()
        .chain(inspect::all())
        .chain(owner::all())
        .collect()
    }

    /// Words before a parenthesis that are grammar, not functions.
    const GRAMMAR: [&str; 18] = [
        "CAST",
        "COALESCE",
        "EXISTS",
        "FILTER",
        "ANY",
        "OPERATOR",
        "SELECT",
        "AND",
        "AS",
        "WHERE",
        "FROM",
        "LATERAL",
        "NOT",
        "GREATEST",
        "MATERIALIZED",
        "OVER",
        "OR",
        "BY",
    ];

    /// The text with what is in quotes taken out.
    fn unquoted(sql: &str) -> String {
        sql.split('\'').step_by(2).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn every_function_operator_type_and_table_is_qualified() {
        for sql in all() {
            let text = unquoted(sql.as_str());
            for (at, _) in text.match_indices('(') {
                let before = text[..at].trim_end();
                let word: String = {
                    let back = before.chars().rev();
                    let taken: Vec<char> =
                        back.take_while(|c| c.is_alphanumeric() || matches!(c, '_' | '.')).collect();
                    taken.into_iter().rev().collect()
                };
                // Behind a quoted name of its schema.
                let qualified = word.starts_with("pg_catalog.") || before.ends_with(&format!("\"s\"{word}"));
                let fine = word.is_empty() || qualified || GRAMMAR.contains(&&*word);
                assert!(fine, "{word}( in {}", sql.as_str());
            }
            for keyword in [" FROM ", " AS pg_", "JOIN "] {
                // Of whom something is taken there, and no table.
                let at = if text.contains("REVOKE ") { "" } else { &text };
                for (at, _) in at.match_indices(keyword) {
                    let rest = text[at..].trim_start_matches(keyword);
                    let rest = if keyword == " AS pg_" { &text[at + 4..] } else { rest };
                    let rest = rest.trim_start_matches("LATERAL ");
                    // What a statement names itself comes before any table.
                    let end = rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
                    let own = text.contains(&format!(" {} AS MATERIALIZED (", &rest[..end]));
                    let table = own || rest.starts_with("pg_catalog.") || rest.starts_with(['(', '"']);
                    assert!(table, "{rest}");
                }
            }
            let bare = ["=", "<>", ">", "<", "-", "+", "->>"].iter().fold(text.clone(), |text, operator| {
                text.replace(&format!("OPERATOR(pg_catalog.{operator})"), "")
            });
            assert!(!bare.contains(['=', '<', '>', '~', '|', '+', '%', '^', '&', '!', ':']), "{bare}");
        }
    }

    #[test]
    fn the_password_is_not_in_the_statement() {
        let sql = set_password("app", &Secret::from("correct horse".to_owned()));
        assert!(sql.as_str().contains("SCRAM-SHA-256$4096:") && !sql.as_str().contains("correct horse"));
    }

    #[test]
    fn what_sessions_of_ours_fix_is_known_by_name() {
        let known = ["search_path", "Default_Transaction_Read_Only", "TimeZone", "transaction_timeout"];
        assert!(known.into_iter().all(fixes));
        assert!(!["work_mem", "max_connections", "read", "committed", ""].into_iter().any(fixes));
    }

    #[test]
    fn options_of_older_servers_hold_nothing_that_they_do_not_know() {
        assert!(!options(false).contains("event_triggers"));
        assert!(options(true).contains("-c event_triggers=off"));
        assert!(options(true).starts_with(&options(false)));
    }
}
