//! What others can do with what they have: a container on our network, a role in our server, a line of
//! pg_hba.conf. None of it may give them our password, our rights or our memory.

mod files;

// --- servers and statements ---

use super::harness::{Sea, docker, text, wait_for};
use seawall::kinds::postgres::client::statements;
use std::collections::BTreeSet;
use std::process::Command;

/// Runs SQL in the container, as the managed user over its local socket.
fn inside(sea: &Sea, name: &str, database: &str, sql: &str) -> String {
    let container = sea.container(name);
    let arguments = ["exec", "-u", "postgres", &container, "psql", "-XAtqU", "postgres", "-d", database];
    docker(&[&arguments[..], &["-v", "ON_ERROR_STOP=1", "-c", sql]].concat())
}

/// As [`inside`], with a script on standard input.
fn script(sea: &Sea, name: &str, database: &str, sql: &str) {
    use std::io::Write;
    let container = sea.container(name);
    let mut child = Command::new("docker")
        .args(["exec", "-i", "-u", "postgres", &container, "psql", "-XqU", "postgres", "-d", database])
        .args(["-v", "ON_ERROR_STOP=1", "-f", "-"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(sql.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
}

/// Ends every session of ours: the next probe has to log in.
fn end_sessions(sea: &Sea, name: &str) {
    let sql = "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity \
               WHERE pid OPERATOR(pg_catalog.<>) pg_catalog.pg_backend_pid() \
               AND application_name OPERATOR(pg_catalog.=) 'seawall'";
    quietly(sea, name, "template1", "pg_catalog", sql);
}

/// All lines for connections from outside get this method; the server reads it at once.
fn hba(sea: &Sea, name: &str, method: &str) {
    let edit = format!("sed -i -E 's/^(host all all all) .*/\\1 {method}/' \"$PGDATA/pg_hba.conf\"");
    docker(&["exec", "-u", "postgres", &sea.container(name), "sh", "-c", &edit]);
    inside(sea, name, "template1", "SELECT pg_catalog.pg_reload_conf()");
    end_sessions(sea, name);
}

#[test]
fn a_line_of_pg_hba_conf_gets_neither_the_password_nor_ready() {
    let sea = Sea::start();
    sea.postgres("a", "{version: '18', parameters: {log_statement: all}}");
    let first = sea.ready("a");
    for (method, words) in [
        ("password", "asked for the password in clear text"),
        ("trust", "let the login in without any password"),
    ] {
        hba(&sea, "a", method);
        let why = sea.until_condition("a", "Ready", "False", "AuthenticationWeak");
        assert!(why.contains(words) && why.contains("scram-sha-256"), "{why}");
        assert_eq!(sea.condition("a", "Degraded").1, "AuthenticationWeak");
        // What it says to do works as it stands.
        let command = why.split("Find the line with ").nth(1).unwrap().split(", give it").next().unwrap();
        let output = Command::new("sh").args(["-c", command]).output().unwrap();
        assert!(output.status.success() && text(&output).contains(method), "{}", text(&output));
        hba(&sea, "a", "scram-sha-256");
        sea.ready("a");
    }
    // The method md5 with a password that is stored as SCRAM is SCRAM.
    hba(&sea, "a", "md5");
    sea.ready("a");
    hba(&sea, "a", "reject");
    let why = sea.until_condition("a", "Ready", "False", "HbaRejects");
    assert!(why.contains("pg_hba.conf does not let this login in: pg_hba.conf rejects"), "{why}");
    let events = sea.ok(&["events", "postgres/a"]);
    assert!(!events.contains("PasswordReset"), "no password was set for it:\n{events}");
    // Stored as MD5, as servers before 14 do, it is mended once.
    hba(&sea, "a", "md5");
    sea.ready("a");
    let md5 =
        format!("SET password_encryption = 'md5'; ALTER ROLE postgres PASSWORD '{}'", sea.password("a"));
    inside(&sea, "a", "template1", &md5);
    end_sessions(&sea, "a");
    sea.event("PasswordReset", "stored as MD5");
    let again = sea.ready("a");
    let stored =
        "SELECT pg_catalog.left(rolpassword, 13) FROM pg_catalog.pg_authid WHERE rolname = 'postgres'";
    assert_eq!(inside(&sea, "a", "template1", stored), "SCRAM-SHA-256");
    assert_eq!(again["container"]["startedAt"], first["container"]["startedAt"]);
}

/// A container that is nobody's; gone with the test.
struct Other(String);

impl Drop for Other {
    fn drop(&mut self) {
        let _ = Command::new("docker").args(["rm", "-fv", &self.0]).output();
    }
}

#[test]
fn a_container_with_our_name_on_the_network_is_never_asked() {
    let sea = Sea::start();
    sea.postgres("a", "{version: '18', port: none}");
    sea.ready("a");
    let (name, network) = (sea.container("a"), format!("{}-seawall", sea.installation));
    // A server that asks for the password itself, by the name and the short id of ours.
    let other = Other(format!("{}-other", sea.installation));
    docker(&[
        "run",
        "-d",
        "--init",
        "--name",
        &other.0,
        "--network",
        &network,
        "--network-alias",
        &name,
        "-e",
        "POSTGRES_PASSWORD=x",
        "-e",
        "POSTGRES_HOST_AUTH_METHOD=password",
        "seawall/postgres:18",
        "postgres",
        "-c",
        "log_connections=on",
    ]);
    let mut sea = sea;
    sea.stop();
    // The operator in a container, as README says; it finds its own way onto the network.
    let operator = Other(format!("{}-operator", sea.installation));
    let root = sea.root().display().to_string();
    let program = env!("CARGO_BIN_EXE_seawall");
    // The engine that the tests run on need not be the one of this machine.
    let host = std::env::var("DOCKER_HOST").unwrap_or_default();
    let socket = host.strip_prefix("unix://").unwrap_or("/var/run/docker.sock");
    docker(&[
        "run",
        "-d",
        "--init",
        "--name",
        &operator.0,
        "-v",
        &format!("{root}:{root}"),
        "-v",
        &format!("{program}:/usr/local/bin/seawall:ro"),
        "-v",
        &format!("{socket}:/var/run/docker.sock"),
        "-e",
        "SEAWALL_REACH=network",
        "--entrypoint",
        "seawall",
        "seawall/base:sid",
        "--installation",
        &sea.installation,
        "--data",
        &sea.data.display().to_string(),
        "run",
        "--manifests",
        &sea.manifests.display().to_string(),
    ]);
    for round in 0..6 {
        let before = sea.status("a")["container"]["startedAt"].clone();
        docker(&["kill", &name]);
        // Of an application that goes by the name it would be true every other time.
        let what = format!("asked after kill {round}");
        sea.until("a", &what, |status| {
            status["container"]["startedAt"] != before
                && super::harness::condition(status, "Ready").1 == "DnsNameTaken"
                && status["walHealth"]["stale"] == false
        });
    }
    let output = Command::new("docker").args(["logs", &other.0]).output().unwrap();
    let log = text(&output);
    assert!(log.contains("ready to accept connections"), "{log}");
    assert!(!log.contains("connection received: host=1"), "somebody asked it: {log}");
}

/// Names of functions that our statements call.
fn functions() -> BTreeSet<String> {
    let all = [
        include_str!("../../src/kinds/postgres/client/statements.rs"),
        include_str!("../../src/kinds/postgres/client/statements/owner.rs"),
    ];
    let statements: String = all.map(|text| text.split("#[cfg(test)]").next().unwrap()).concat();
    let name = |rest: &str| {
        let name: String = rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
        rest[name.len()..].starts_with('(').then_some(name)
    };
    statements.split("pg_catalog.").skip(1).filter_map(name).collect()
}

/// A function, operator, type, view and cast in schema public for each that our statements name; each
/// counts in a sequence, which no rollback takes back.
fn traps() -> String {
    let names: Vec<String> = functions().iter().map(|n| format!("'{n}'")).collect();
    let names = names.join(",");
    format!(
        r"
CREATE SEQUENCE public.tripped;
GRANT ALL ON SEQUENCE public.tripped TO PUBLIC;
CREATE TABLE public.traps (name pg_catalog.text);
DO $do$
DECLARE f record; body pg_catalog.text;
BEGIN
  FOR f IN SELECT p.* FROM pg_catalog.pg_proc p
           WHERE p.pronamespace = 'pg_catalog'::pg_catalog.regnamespace AND p.prokind = 'f' AND p.proname IN ({names}) LOOP
    FOREACH body IN ARRAY ARRAY['RETURN NULL;', 'RETURN;'] LOOP
      BEGIN
        EXECUTE pg_catalog.format('CREATE FUNCTION public.%I(%s) RETURNS %s LANGUAGE plpgsql AS $f$ BEGIN PERFORM pg_catalog.nextval(''public.tripped''); %s END $f$',
          f.proname, pg_catalog.pg_get_function_arguments(f.oid), pg_catalog.pg_get_function_result(f.oid), body);
        INSERT INTO public.traps VALUES (f.proname);
      EXCEPTION WHEN OTHERS THEN NULL;
      END;
    END LOOP;
  END LOOP;
END $do$;
-- Not of the form above: variadic, aggregate, on cstring.
CREATE FUNCTION public.concat(pg_catalog.text, boolean, timestamptz) RETURNS pg_catalog.text LANGUAGE plpgsql
  AS $f$ BEGIN PERFORM pg_catalog.nextval('public.tripped'); RETURN ''; END $f$;
CREATE FUNCTION public.add(pg_catalog.text, pg_catalog.text, pg_catalog.text) RETURNS pg_catalog.text LANGUAGE plpgsql
  AS $f$ BEGIN PERFORM pg_catalog.nextval('public.tripped'); RETURN ''; END $f$;
CREATE AGGREGATE public.string_agg(pg_catalog.text, pg_catalog.text) (SFUNC = public.add, STYPE = pg_catalog.text);
CREATE FUNCTION public.textin(bigint) RETURNS pg_catalog.text LANGUAGE plpgsql
  AS $f$ BEGIN PERFORM pg_catalog.nextval('public.tripped'); RETURN ''; END $f$;
CREATE FUNCTION public.concat_ws(pg_catalog.text, bigint, pg_catalog.text, pg_catalog.text, pg_catalog.text, bigint, integer)
  RETURNS pg_catalog.text LANGUAGE plpgsql
  AS $f$ BEGIN PERFORM pg_catalog.nextval('public.tripped'); RETURN ''; END $f$;
CREATE FUNCTION public.next(bigint) RETURNS bigint LANGUAGE plpgsql
  AS $f$ BEGIN PERFORM pg_catalog.nextval('public.tripped'); RETURN 0; END $f$;
CREATE AGGREGATE public.count(*) (SFUNC = public.next, STYPE = bigint, INITCOND = '0');
CREATE FUNCTION public.take(pg_catalog.text, anyelement) RETURNS pg_catalog.text LANGUAGE plpgsql
  AS $f$ BEGIN PERFORM pg_catalog.nextval('public.tripped'); RETURN ''; END $f$;
CREATE AGGREGATE public.json_agg(anyelement) (SFUNC = public.take, STYPE = pg_catalog.text);
CREATE FUNCTION public.plus(double precision, double precision) RETURNS double precision LANGUAGE plpgsql
  AS $f$ BEGIN PERFORM pg_catalog.nextval('public.tripped'); RETURN 0; END $f$;
CREATE AGGREGATE public.sum(double precision) (SFUNC = public.plus, STYPE = double precision);
INSERT INTO public.traps VALUES ('concat'), ('concat_ws'), ('count'), ('json_agg'), ('string_agg'), ('sum'), ('textin');
CREATE FUNCTION public.names(pg_catalog.name, pg_catalog.name) RETURNS boolean LANGUAGE plpgsql
  AS $f$ BEGIN PERFORM pg_catalog.nextval('public.tripped'); RETURN true; END $f$;
CREATE FUNCTION public.texts(pg_catalog.text, pg_catalog.text) RETURNS boolean LANGUAGE plpgsql
  AS $f$ BEGIN PERFORM pg_catalog.nextval('public.tripped'); RETURN true; END $f$;
CREATE OPERATOR public.= (LEFTARG = pg_catalog.name, RIGHTARG = pg_catalog.name, FUNCTION = public.names);
CREATE OPERATOR public.= (LEFTARG = pg_catalog.text, RIGHTARG = pg_catalog.text, FUNCTION = public.texts);
CREATE OPERATOR public.<> (LEFTARG = pg_catalog.text, RIGHTARG = pg_catalog.text, FUNCTION = public.texts);
CREATE FUNCTION public.of_big(bigint) RETURNS pg_catalog.text LANGUAGE plpgsql
  AS $f$ BEGIN PERFORM pg_catalog.nextval('public.tripped'); RETURN ''; END $f$;
CREATE FUNCTION public.of_time(timestamptz) RETURNS pg_catalog.text LANGUAGE plpgsql
  AS $f$ BEGIN PERFORM pg_catalog.nextval('public.tripped'); RETURN ''; END $f$;
CREATE CAST (bigint AS pg_catalog.text) WITH FUNCTION public.of_big(bigint);
CREATE CAST (timestamptz AS pg_catalog.text) WITH FUNCTION public.of_time(timestamptz);
CREATE VIEW public.pg_settings AS SELECT s.*, pg_catalog.nextval('public.tripped') FROM pg_catalog.pg_settings s;
CREATE VIEW public.pg_database AS SELECT d.*, pg_catalog.nextval('public.tripped') FROM pg_catalog.pg_database d;
CREATE VIEW public.pg_authid AS SELECT a.*, pg_catalog.nextval('public.tripped') FROM pg_catalog.pg_authid a;
CREATE FUNCTION public.count_it() RETURNS boolean LANGUAGE plpgsql
  AS $f$ BEGIN PERFORM pg_catalog.nextval('public.tripped'); RETURN true; END $f$;
CREATE FUNCTION public.at_login() RETURNS event_trigger LANGUAGE plpgsql
  AS $f$ BEGIN PERFORM pg_catalog.nextval('public.tripped'); END $f$;
CREATE EVENT TRIGGER at_login ON login EXECUTE FUNCTION public.at_login();
ALTER EVENT TRIGGER at_login ENABLE ALWAYS;
CREATE EVENT TRIGGER at_command ON ddl_command_start EXECUTE FUNCTION public.at_login();
CREATE DOMAIN public.text AS pg_catalog.text CHECK (public.count_it());
CREATE DOMAIN public.name AS pg_catalog.name CHECK (public.count_it());
"
    )
}

/// What roles and databases can be set to, so that a session of ours would mean something else.
const SETTINGS: &str = "
CREATE ROLE tenant LOGIN;
ALTER ROLE postgres IN DATABASE postgres SET search_path = public, pg_catalog;
ALTER ROLE postgres SET search_path = public, pg_catalog;
ALTER DATABASE postgres SET search_path = public, pg_catalog;
ALTER DATABASE template1 SET search_path = public, pg_catalog;
ALTER ROLE postgres IN DATABASE postgres SET role = 'tenant';
ALTER ROLE postgres IN DATABASE postgres SET default_transaction_read_only = on;
ALTER ROLE postgres IN DATABASE postgres SET statement_timeout = 1;
ALTER ROLE postgres IN DATABASE postgres SET lock_timeout = 1;
ALTER ROLE postgres IN DATABASE postgres SET transaction_timeout = 1;
ALTER ROLE postgres IN DATABASE postgres SET idle_session_timeout = 1;
ALTER ROLE postgres IN DATABASE postgres SET standard_conforming_strings = off;
ALTER ROLE postgres IN DATABASE postgres SET log_statement = 'all';
ALTER ROLE postgres SET log_min_duration_statement = 0;
ALTER ROLE postgres SET log_min_error_statement = 'debug5';
ALTER ROLE postgres SET debug_print_parse = on;
ALTER ROLE postgres SET client_min_messages = 'log';
";

/// As [`inside`], by a session that none of the traps and settings reaches.
fn quietly(sea: &Sea, name: &str, database: &str, path: &str, sql: &str) -> String {
    let container = sea.container(name);
    let options = format!(
        "PGOPTIONS=-c event_triggers=off -c search_path={path} -c role=none -c statement_timeout=0 -c lock_timeout=0 -c idle_session_timeout=0 \
         -c transaction_timeout=0 -c default_transaction_read_only=off -c standard_conforming_strings=on"
    );
    docker(&[
        "exec",
        "-u",
        "postgres",
        "-e",
        &options,
        &container,
        "psql",
        "-XAtqU",
        "postgres",
        "-d",
        database,
        "-v",
        "ON_ERROR_STOP=1",
        "-c",
        sql,
    ])
}

const DATABASES: [&str; 2] = ["postgres", "template1"];

fn tripped(sea: &Sea) -> Vec<String> {
    let look = |d: &&str| quietly(sea, "a", d, "pg_catalog", "SELECT is_called FROM public.tripped");
    DATABASES.iter().map(look).collect()
}

/// Every statement of ours, against traps for all that they name.
fn nothing_is_run_as_us(version: &str) {
    let sea = Sea::start();
    let more = "shared_preload_libraries: 'pg_stat_statements,auto_explain', log_statement: all, \
                log_min_duration_statement: '0', log_duration: 'on', debug_print_parse: 'on', \
                auto_explain.log_min_duration: '0', pg_stat_statements.track_utility: 'on'";
    let spec = |database: &str, memory: &str| {
        format!("{{version: '{version}', database: {database}, parameters: {{work_mem: {memory}, {more}}}}}")
    };
    sea.postgres("a", &spec("app", "5MB"));
    sea.ready("a");
    script(&sea, "a", "postgres", "CREATE EXTENSION IF NOT EXISTS pg_stat_statements;");
    for database in DATABASES {
        script(&sea, "a", database, &traps());
        let made = quietly(&sea, "a", database, "pg_catalog", "SELECT DISTINCT name FROM public.traps");
        let made: BTreeSet<String> = made.lines().map(str::to_owned).collect();
        let missing: Vec<String> = functions().difference(&made).cloned().collect();
        // These give a cstring: no function that a role can write does.
        assert_eq!(missing, ["charout", "int8out", "timestamptz_out"]);
    }
    script(&sea, "a", "template1", SETTINGS);
    end_sessions(&sea, "a");
    for database in DATABASES {
        quietly(&sea, "a", database, "pg_catalog", "SELECT setval('public.tripped', 1, false)");
    }
    assert_eq!(tripped(&sea), ["f", "f"]);

    // A login and a probe.
    end_sessions(&sea, "a");
    wait_for("another session of ours", || {
        let sessions = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'seawall'";
        (quietly(&sea, "a", "template1", "pg_catalog", sessions) == "1").then_some(())
    });
    sea.ready("a");
    // A reload, a new database, a password set again.
    sea.postgres("a", &spec("app", "6MB"));
    sea.event("ParametersReloaded", "");
    sea.postgres("a", &spec("second", "6MB"));
    sea.event("DatabaseCreated", "never seen before");
    quietly(&sea, "a", "template1", "pg_catalog", "ALTER ROLE postgres PASSWORD 'set-by-hand'");
    end_sessions(&sea, "a");
    sea.event("PasswordReset", "password authentication failed");
    sea.ready("a");
    // The extension, where Seawall makes it; not where something of others would get in its way, or run with it.
    if version == "18" {
        let probe = statements::probe("app", &[], "/etc/seawall/postgresql.conf");
        let trigger = "CREATE FUNCTION public.theirs() RETURNS event_trigger LANGUAGE plpgsql AS $f$ BEGIN END $f$; \
             ALTER FUNCTION public.theirs() OWNER TO tenant; \
             CREATE EVENT TRIGGER theirs ON ddl_command_end EXECUTE FUNCTION public.theirs();";
        for (way, want) in [
            ("", "|missing"),
            (
                "CREATE FUNCTION public.pg_stat_statements_reset() RETURNS int LANGUAGE sql AS 'SELECT 1';",
                "|not made",
            ),
            ("CREATE TABLE public.pg_stat_statements_info ();", "|not made"),
            (trigger, "|not made"),
        ] {
            let sql = format!("BEGIN; DROP EXTENSION pg_stat_statements; {way} {}; ROLLBACK", probe.as_str());
            let told = quietly(&sea, "a", "postgres", "pg_catalog", &sql);
            assert!(told.ends_with(want), "{way}: {told}");
        }
        quietly(&sea, "a", "postgres", "pg_catalog", "DROP EXTENSION pg_stat_statements");
        wait_for("made again", || {
            let there = "SELECT count(*) FROM pg_extension WHERE extname = 'pg_stat_statements'";
            (quietly(&sea, "a", "postgres", "pg_catalog", there) == "1").then_some(())
        });
        let owned = "SELECT count(*) FROM pg_proc WHERE proname = 'pg_stat_statements' AND pronamespace = 'public'::regnamespace";
        assert_eq!(quietly(&sea, "a", "postgres", "pg_catalog", owned), "1");
    }
    // What only the owner may ask, and the end of a session.
    for words in [&["pg", "bloat", "a", "-d", "template1"][..], &["diagnose", "postgres/a"]] {
        let said = text(&sea.cli(words));
        assert!(said.contains("estimate"), "{said}");
    }
    let sleeps = ["exec", "-d", "-u", "postgres", "-e", "PGOPTIONS=-c event_triggers=off"];
    let psql = ["psql", "-XU", "postgres", "-d", "template1", "-c", "SELECT pg_catalog.pg_sleep(300)"];
    docker(&[&sleeps[..], &[&sea.container("a")], &psql].concat());
    let pid = wait_for("somebody sleeps", || {
        let who =
            "SELECT pid FROM pg_stat_activity WHERE query LIKE '%pg_sleep(300)%' AND wait_event = 'PgSleep'";
        Some(quietly(&sea, "a", "template1", "pg_catalog", who)).filter(|pid| !pid.is_empty())
    });
    let said = text(&sea.cli(&["pg", "kill", "a", &pid, "--force", "--yes"]));
    assert!(said.contains("was ended"), "{said}");
    assert_eq!(tripped(&sea), ["f", "f"], "something of a tenant's ran as us");

    // Neither the log nor the statistics have what a password could be tried against.
    let log = Command::new("docker").args(["logs", &sea.container("a")]).output().unwrap();
    let log = text(&log);
    assert!(log.contains("set-by-hand"), "this server logs statements");
    assert!(!log.contains("SCRAM-SHA-256$"), "a verifier is in the log");
    let statistics = "SELECT query FROM public.pg_stat_statements";
    let statistics = quietly(&sea, "a", "postgres", "pg_catalog", statistics);
    assert!(statistics.to_uppercase().contains("ALTER ROLE"), "this server keeps statistics of commands");
    assert!(!statistics.contains("SCRAM-SHA-256$"), "a verifier is in the statistics");

    // The traps work: the same statement with bare names falls into them.
    let probe = statements::probe("app", &["work_mem"], "/etc/seawall/postgresql.conf");
    let bare = probe.as_str().replace("OPERATOR(pg_catalog.=)", "=").replace("OPERATOR(pg_catalog.<>)", "<>");
    let bare = bare.replace("pg_catalog.", "");
    let options = "PGOPTIONS=-c search_path=public,pg_catalog -c event_triggers=off -c statement_timeout=0 -c transaction_timeout=0 -c idle_session_timeout=0";
    let container = sea.container("a");
    let psql = ["psql", "-XAtqU", "postgres", "-d", "template1", "-c", &bare];
    let arguments = ["exec", "-u", "postgres", "-e", options, &container];
    let _ = Command::new("docker").args(arguments).args(psql).output().unwrap();
    assert_eq!(tripped(&sea), ["f", "t"]);
}

#[test]
fn nothing_that_a_role_made_runs_as_us_on_18() {
    nothing_is_run_as_us("18");
}

#[test]
fn nothing_that_a_role_made_runs_as_us_on_17() {
    nothing_is_run_as_us("17");
}

/// The same PostgreSQL over two C libraries, as images of one major on two releases of a distribution are.
const TWO_LIBRARIES: &str = "apiVersion: seawall.dev/v1
kind: ImageCatalog
metadata: {name: local}
spec:
  engine: postgres
  images:
    'old': {image: 'seawall/postgres:17-en'}
    'new': {image: 'seawall/postgres:17-en-sid'}
";

#[test]
fn an_image_with_another_c_library_waits_for_consent_and_the_commands_it_prints_mend_the_indexes() {
    let mut sea = Sea::new();
    sea.write("catalog.yaml", TWO_LIBRARIES);
    sea.postgres("a", "{version: old}");
    sea.run();
    let first = sea.ready("a");
    // The image's own databases sort by bytes. This one sorts by the library, made while our session lives.
    sea.sql("a", "CREATE DATABASE words TEMPLATE template0 LOCALE 'en_US.UTF-8'");
    let table = "CREATE TABLE t (s text PRIMARY KEY); INSERT INTO t VALUES ('a-b'), ('ab'), ('a b')";
    inside(&sea, "a", "words", table);
    // Learnt by a probe, and remembered.
    wait_for("the next probe", || sea.ok(&["export"]).contains(r#""collationProviders":"c""#).then_some(()));
    sea.postgres("a", "{version: new}");
    let why = sea.until_condition("a", "Degraded", "True", "CollationChange");
    assert!(why.contains("(glibc 2.") && why.contains("acceptCollationChange: true"), "{why}");
    let status = sea.status("a");
    assert_eq!(super::harness::condition(&status, "Ready").0, "True", "what serves goes on serving");
    assert_eq!(status["container"]["id"], first["container"]["id"]);

    sea.postgres("a", "{version: new, acceptCollationChange: true}");
    let why = sea.until_condition("a", "Degraded", "True", "CollationVersionMismatch");
    let commands = why.split("meanwhile: ").nth(1).unwrap().split(". An index that").next().unwrap();
    assert!(commands.contains("-d words -c 'REINDEX DATABASE \"words\"'"), "{commands}");
    assert_eq!(commands.matches("REINDEX DATABASE").count(), 1, "the others sort by bytes: {commands}");
    let output = Command::new("sh").args(["-ec", commands]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    sea.until("a", "no mismatch", |status| super::harness::condition(status, "Degraded").0.is_empty());
    let versions = "SELECT count(*) FROM pg_database WHERE datallowconn \
                    AND datcollversion IS DISTINCT FROM pg_database_collation_actual_version(oid)";
    assert_eq!(sea.sql("a", versions), "0");
    assert_ne!(sea.ready("a")["container"]["id"], first["container"]["id"]);
}

#[test]
fn a_column_that_names_a_collation_counts_like_a_database() {
    let mut sea = Sea::new();
    sea.write("catalog.yaml", TWO_LIBRARIES);
    sea.postgres("a", "{version: old, database: shop}");
    sea.run();
    let first = sea.ready("a");
    // Every database sorts by bytes; one column of one does not.
    let table = "CREATE COLLATION \"o'wn\" (provider = libc, locale = 'en_US.UTF-8'); \
                 CREATE TABLE t (s text COLLATE \"o'wn\" PRIMARY KEY); INSERT INTO t VALUES ('a-b'), ('ab'), ('a b')";
    sea.sql("a", "CREATE DATABASE \"od'd\"");
    inside(&sea, "a", "od'd", table);
    sea.postgres("a", "{version: new, database: shop}");
    let why = sea.until_condition("a", "Degraded", "True", "CollationChange");
    assert!(why.contains("(glibc 2."), "{why}");
    assert_eq!(sea.status("a")["container"]["id"], first["container"]["id"]);

    sea.postgres("a", "{version: new, database: shop, acceptCollationChange: true}");
    let why = sea.until_condition("a", "Degraded", "True", "CollationVersionMismatch");
    let commands = why.split("meanwhile: ").nth(1).unwrap().split(". An index that").next().unwrap();
    assert_eq!(commands.matches("REINDEX DATABASE").count(), 1, "{commands}");
    let output = Command::new("sh").args(["-ec", commands]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let actual = "SELECT bool_and(collversion = pg_collation_actual_version(oid)) FROM pg_collation \
                  WHERE collname = $$o'wn$$";
    assert_eq!(inside(&sea, "a", "od'd", actual), "t");
    sea.until("a", "no mismatch", |status| super::harness::condition(status, "Degraded").0.is_empty());
    sea.ready("a");
}

// --- end of servers and statements ---

// --- labels and images ---

/// Somebody's container and image; gone with the test.
struct Theirs {
    containers: Vec<String>,
    image: String,
}

impl Drop for Theirs {
    fn drop(&mut self) {
        for name in &self.containers {
            let _ = Command::new("docker").args(["rm", "-fv", name]).output();
        }
        let _ = Command::new("docker").args(["rmi", "-f", &self.image]).output();
    }
}

#[test]
fn a_container_made_from_a_commit_of_ours_is_left_alone() {
    let mut sea = Sea::start();
    sea.postgres("a", "{version: '18'}");
    sea.ready("a");
    sea.sql("a", "create table t as select 1 as n");
    let (ours, image) = (sea.container("a"), format!("{}-commit:1", sea.installation));
    let copy = format!("{}-copy", sea.installation);
    let _theirs = Theirs { containers: vec![copy.clone()], image: image.clone() };
    docker(&["commit", "--pause=false", &ours, &image]);
    // With all of our labels, and a volume without a name in the place of ours.
    docker(&["run", "-d", "--name", &copy, "--entrypoint=sh", &image, "-c", "sleep 3600"]);
    let before = docker(&["inspect", &copy]);
    let why = sea.until_condition("a", "Degraded", "True", "DuplicateContainer");
    assert!(why.contains(&ours) && why.contains(&copy), "{why}");
    sea.until_condition("a", "Ready", "True", "LoginSucceeded");
    // Ours is lost: what is made again is ours, and the copy neither gets its name nor is it touched.
    docker(&["rm", "-f", &ours]);
    wait_for("made again", || sea.try_sql("a", "select n from t").status.success().then_some(()));
    assert_eq!(docker(&["inspect", &copy]), before);
    // Not by a new process either.
    sea.stop();
    sea.run();
    sea.until_condition("a", "Degraded", "True", "DuplicateContainer");
    assert_eq!(docker(&["inspect", &copy]), before);
    // With our manifest gone, ours stays as long as nobody can tell what was meant.
    sea.write("other.yaml", &super::harness::postgres("other", "{version: '18', username: other}"));
    sea.remove("a.yaml");
    sea.until("a", "retained", |status| super::harness::condition(status, "Ready").1 == "Retained");
    assert_eq!(docker(&["inspect", &copy]), before);
    assert!(sea.containers().contains(&ours));
}

#[test]
fn an_image_with_labels_of_ours_is_refused_and_removes_nothing() {
    let mut sea = Sea::start();
    sea.postgres("a", "{version: '18'}");
    sea.ready("a");
    let image = format!("{}-probe:1", sea.installation);
    let database = format!("{}-db", sea.installation);
    let _theirs = Theirs { containers: vec![database.clone()], image: image.clone() };
    let mut build = Command::new("docker")
        .args(["build", "-q", "-t", &image, "-"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let text = "FROM seawall/postgres:18\nLABEL seawall.dev/image-probe=true\n";
    std::io::Write::write_all(&mut build.stdin.take().unwrap(), text.as_bytes()).unwrap();
    assert!(build.wait().unwrap().success());
    // A database in our installation's name, as one that was made from such an image before looked.
    let store =
        docker(&["inspect", "-f", "{{index .Config.Labels \"seawall.dev/store\"}}", &sea.container("a")]);
    let label = |key: &str, value: &str| format!("seawall.dev/{key}={}", value.trim());
    docker(&[
        "run",
        "-d",
        "--name",
        &database,
        "--label",
        &label("installation", &sea.installation),
        "--label",
        &label("store", &store),
        "--entrypoint=sh",
        &image,
        "-c",
        "sleep 3600",
    ]);
    sea.postgres("b", &format!("{{image: '{image}'}}"));
    let why = sea.until_condition("b", "Degraded", "True", "ImageUnfit");
    assert!(why.contains("seawall.dev/image-probe"), "{why}");
    // A start and a sweep look at left-overs.
    sea.stop();
    docker(&["stop", "-t", "0", &database]);
    sea.run();
    sea.ready("a");
    assert_eq!(docker(&["inspect", "-f", "{{.State.Status}}", &database]).trim(), "exited");
}
