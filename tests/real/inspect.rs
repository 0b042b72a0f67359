//! What goes on inside real servers, asked by `seawall pg` and `seawall diagnose`; and sessions that are ended.

use super::harness::{Sea, text, version, wait_for};
use serde_json::Value;
use std::process::{Child, Stdio};

const VERBS: [&str; 8] = ["info", "ps", "locks", "blocking", "outliers", "bloat", "indexes", "vacuum-stats"];

fn started(more: &str) -> Sea {
    let sea = Sea::start();
    sea.postgres("a", &format!("{{version: '{}'{more}}}", version()));
    sea.ready("a");
    sea
}

fn asked(sea: &Sea, words: &[&str]) -> Value {
    let all = [&["pg"], words, &["-o", "json"]].concat();
    serde_json::from_str(&sea.ok(&all)).unwrap()
}

fn rows(sea: &Sea, words: &[&str]) -> Vec<Value> {
    asked(sea, words)["rows"].as_array().cloned().unwrap_or_default()
}

/// Checks of a diagnosis: name, colour, what was found and what it is about.
fn diagnosed(sea: &Sea, name: &str) -> Vec<(String, String, String)> {
    let said: Value = serde_json::from_slice(&sea.cli(&["diagnose", name, "--json"]).stdout).unwrap();
    let word = |check: &Value, field: &str| check[field].as_str().unwrap_or_default().to_owned();
    let all = said["checks"].as_array().cloned().unwrap_or_default();
    let of = |check: &Value| format!("{} {}", word(check, "found"), check["of"]);
    all.iter().map(|check| (word(check, "check"), word(check, "level"), of(check))).collect()
}

fn level_of(all: &[(String, String, String)], check: &str) -> (String, String) {
    let found = all.iter().find(|(name, ..)| name == check).unwrap_or_else(|| panic!("{check}: {all:#?}"));
    (found.1.clone(), found.2.clone())
}

/// A session of an application that goes on; ended with the test.
struct Session(Child);

impl Session {
    fn of(sea: &Sea, sql: &str) -> Self {
        let url = sea.ok(&["connection", "postgres/a", "--reveal", "-o", "url"]);
        let words = [url.trim(), "-X", "-q"];
        let mut command = sea.program("psql");
        command.args(words).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.env("PGAPPNAME", "shop").spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        std::io::Write::write_all(&mut stdin, format!("{sql}\n").as_bytes()).unwrap();
        // Open, so that it waits for more.
        child.stdin = Some(stdin);
        Self(child)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn each_verb_answers_about_a_fresh_server() {
    let sea = started("");
    let counts = version() == "18";
    for verb in VERBS.into_iter().filter(|verb| counts || *verb != "outliers") {
        assert_eq!(asked(&sea, &[verb, "a"])["object"], "postgres/a");
        sea.ok(&["pg", verb, "postgres/a"]);
        sea.ok(&["pg", verb, "a", "-o", "wide"]);
    }
    let info = rows(&sea, &["info", "a"])[0].clone();
    assert!(info["version"].as_str().unwrap().starts_with(version()), "{info:#}");
    assert_eq!((&info["database"], &info["tables"]), (&"app".into(), &0.into()), "{info:#}");
    for figure in ["data_size", "connections", "connections_max", "wal", "wraparound_age", "shared_buffers"] {
        assert!(info[figure].as_u64().is_some_and(|n| n > 0), "{figure}: {info:#}");
    }
    // Only Seawall is on it.
    assert_eq!(rows(&sea, &["ps", "a", "--verbose"]), Vec::<Value>::new());
    let said = text(&sea.cli(&["pg", "outliers", "a"]));
    assert_eq!(said.contains("shared_preload_libraries: pg_stat_statements"), !counts, "{said}");
    assert_eq!(rows(&sea, &["info", "a", "-d", "postgres"])[0]["database"], "postgres");
    let said = text(&sea.cli(&["pg", "info", "a", "-d", "nothing"]));
    assert!(said.contains("has no database \"nothing\""), "{said}");
    sea.sql("a", "REVOKE CONNECT ON DATABASE app FROM PUBLIC");
    let said = text(&sea.cli(&["pg", "info", "a"]));
    assert!(said.contains("may not connect to database \"app\"") && said.contains("GRANT CONNECT"), "{said}");
    sea.sql("a", "GRANT CONNECT ON DATABASE app TO \"seawall-monitor\"");
    sea.ok(&["pg", "info", "a"]);
    // All that was looked at is well, or said to be what it is.
    wait_for("its contents are looked at", || {
        sea.status("a")["monitoring"]["contents_probed_at"].is_string().then_some(())
    });
    let output = sea.cli(&["diagnose", "postgres/a"]);
    assert!(output.status.success(), "{}", text(&output));
    let all = diagnosed(&sea, "postgres/a");
    assert!(all.len() > 20, "{all:#?}");
    let unknown: Vec<_> = all.iter().filter(|(_, level, _)| level == "unknown" || level == "red").collect();
    // What the machine's own disk has is no matter of the row.
    let may_be = |check: &str| check == "Disk" || (check == "Statements" && !counts);
    assert!(unknown.iter().all(|(check, ..)| may_be(check)), "{unknown:#?}");
}

#[test]
fn who_holds_others_up_is_shown_and_ended() {
    let sea = started("");
    sea.sql("a", "CREATE TABLE t (n int)");
    let _holder = Session::of(&sea, "BEGIN; LOCK TABLE t; SELECT 'sesame-street';");
    let holder = wait_for("the holder is there", || {
        let all = rows(&sea, &["ps", "a"]);
        all.iter().find(|row| row["state"] == "idle in transaction").cloned()
    });
    let _waiter = Session::of(&sea, "SELECT n /* open-sesame */ FROM t;");
    let blocking = wait_for("somebody waits", || rows(&sea, &["blocking", "a"]).first().cloned());
    assert_eq!(blocking["blocking_pid"], holder["pid"], "{blocking:#}");
    assert!(blocking["blocked_statement"].as_str().unwrap().contains("open-sesame"), "{blocking:#}");
    let waiting = &blocking["blocked_pid"];
    let waiter = waiting.to_string();
    let ps = rows(&sea, &["ps", "a"]);
    let of_waiter = ps.iter().find(|row| row["pid"] == *waiting).unwrap();
    assert_eq!((&of_waiter["source"], &of_waiter["waiting"]), (&"shop".into(), &"Lock/relation".into()));
    let locks = rows(&sea, &["locks", "a"]);
    let mode = |granted: bool| locks.iter().find(|row| row["granted"] == granted).cloned().unwrap();
    assert_eq!(
        (&mode(true)["relname"], &mode(true)["mode"]),
        (&"public.t".into(), &"AccessExclusiveLock".into())
    );
    assert_eq!(mode(false)["pid"], *waiting);
    wait_for("the diagnosis sees it", || {
        let (level, found) = level_of(&diagnosed(&sea, "postgres/a"), "Blocking queries");
        (level != "green" && found.contains(&format!("{waiter} waits for {}", holder["pid"]))).then_some(())
    });
    // Nobody was asked, nothing is done.
    let said = sea.cli(&["pg", "kill", "a", &waiter]);
    assert!(!said.status.success() && text(&said).contains("nothing was ended"), "{}", text(&said));
    assert_eq!(rows(&sea, &["blocking", "a"]).len(), 1);
    let said = sea.ok(&["pg", "kill", "a", &waiter, "--yes"]);
    assert!(said.contains("was cancelled"), "{said}");
    sea.event("SessionCancelled", &format!("session {waiter} of postgres in app"));
    wait_for("nobody waits", || rows(&sea, &["blocking", "a"]).is_empty().then_some(()));
    assert!(rows(&sea, &["ps", "a", "-v"]).iter().any(|row| row["pid"] == *waiting), "it is still in");
    let pid = holder["pid"].to_string();
    sea.ok(&["pg", "kill", "a", &pid, "--force", "--yes"]);
    sea.event("SessionTerminated", &format!("session {pid} of"));
    wait_for("it is gone", || {
        (!rows(&sea, &["ps", "a", "-v"]).iter().any(|row| row["pid"] == holder["pid"])).then_some(())
    });
    // What is PostgreSQL's own, Seawall's, or nobody's is left alone.
    for (whose, want) in [
        ("backend_type = 'checkpointer'", "PostgreSQL's own: checkpointer"),
        ("application_name = 'seawall'", "is Seawall's own"),
        ("usename = 'seawall-monitor'", "is Seawall's own"),
    ] {
        let pid = sea.sql("a", &format!("SELECT pid FROM pg_stat_activity WHERE {whose} LIMIT 1"));
        let said = text(&sea.cli(&["pg", "kill", "a", &pid, "--force", "--yes"]));
        assert!(said.contains(want), "{said}");
    }
    let said = text(&sea.cli(&["pg", "kill", "a", "1", "--yes"]));
    assert!(said.contains("has no session 1"), "{said}");
    // What they said is nowhere but in the answers.
    for word in ["sesame-street", "open-sesame"] {
        assert!(!sea.ok(&["events"]).contains(word) && !sea.log().contains(word));
    }
}

#[test]
fn what_was_made_is_shown_by_the_verb_for_it() {
    let sea = started(
        ", parameters: {shared_preload_libraries: pg_stat_statements, max_prepared_transactions: '2'}",
    );
    sea.sql(
        "a",
        "CREATE SCHEMA \"we\"\"ird\"; CREATE EXTENSION pg_stat_statements SCHEMA \"we\"\"ird\"; \
         CREATE TABLE t (id int PRIMARY KEY, n int, s text) WITH (autovacuum_enabled = off); \
         INSERT INTO t SELECT g, 1, md5(g::text) FROM generate_series(1, 100000) g; \
         CREATE INDEX t_s ON t (s); CREATE INDEX t_n ON t (n); CREATE INDEX t_n_again ON t (n); \
         CREATE TABLE keyless (n int); CREATE UNLOGGED TABLE volatile (n int PRIMARY KEY); \
         CREATE SEQUENCE q MAXVALUE 100; SELECT setval('q', 95); ANALYZE",
    );
    assert!(!sea.try_sql("a", "CREATE UNIQUE INDEX CONCURRENTLY t_bad ON t (n)").status.success());
    sea.sql("a", "DELETE FROM t WHERE id > 10000");
    sea.sql("a", "ANALYZE t");
    sea.sql("a", "BEGIN; INSERT INTO keyless VALUES (1); PREPARE TRANSACTION 'left'");
    let indexes = wait_for("the statistics", || {
        let vacuum = rows(&sea, &["vacuum-stats", "a"]);
        let t = vacuum.iter().find(|row| row["table"] == "t")?.clone();
        (t["dead_rowcount"].as_u64()? >= 90_000).then(|| rows(&sea, &["indexes", "a"]))
    });
    let verdict = |name: &str| {
        let index = indexes.iter().find(|row| row["index"] == name).unwrap();
        assert!(index["index_size"].is_u64() && index["index_scans"].is_u64(), "{index:#}");
        index["verdict"].as_str().unwrap().to_owned()
    };
    assert_eq!(verdict("t_bad"), "invalid: nothing uses it");
    assert_eq!((verdict("t_n_again"), verdict("t_n")), ("duplicate of t_n".to_owned(), "unused".to_owned()));
    assert_eq!((verdict("t_s"), verdict("t_pkey")), ("unused".to_owned(), "in use".to_owned()));
    let said = text(&sea.cli(&["pg", "outliers", "a"]));
    assert!(said.contains("GRANT USAGE ON SCHEMA \"we\"\"ird\" TO \"seawall-monitor\""), "{said}");
    sea.sql("a", "GRANT USAGE ON SCHEMA \"we\"\"ird\" TO \"seawall-monitor\"");
    let outliers = rows(&sea, &["outliers", "a"]);
    let insert = outliers.iter().find(|row| row["query"].as_str().unwrap().contains("INSERT INTO t SELECT"));
    let insert = insert.unwrap_or_else(|| panic!("{outliers:#?}"));
    assert!(insert["total_exec_time"].as_f64().unwrap() > 0.0 && insert["ncalls"] == 1, "{insert:#}");
    // It counts for all databases, also from the one where it disturbs nobody.
    sea.sql("a", "DROP EXTENSION pg_stat_statements");
    let make = "CREATE EXTENSION IF NOT EXISTS pg_stat_statements";
    let psql = ["psql", "-XqU", "postgres", "-d", "postgres", "-c", make];
    sea.docker(&[&["exec", "-u", "postgres", &sea.container("a")][..], &psql].concat());
    assert!(!rows(&sea, &["outliers", "a"]).is_empty());
    let of_app = sea.ok(&["pg", "outliers", "a", "-d", "app"]);
    assert!(of_app.contains("INSERT INTO t SELECT"), "wherever it is: {of_app}");
    assert!(!insert["query"].as_str().unwrap().contains("100000"), "without its literals: {insert:#}");
    let bloat = asked(&sea, &["bloat", "a"]);
    let t = bloat["rows"].as_array().unwrap().iter().find(|row| row["object_name"] == "t").cloned();
    let t = t.unwrap_or_else(|| panic!("{bloat:#}"));
    assert!(t["bloat"].as_f64().unwrap() > 80.0 && t["waste"].as_u64().unwrap() > 4 << 20, "{t:#}");
    assert!(bloat["notes"][0].as_str().unwrap().contains("estimate"), "{bloat:#}");

    let all = diagnosed(&sea, "postgres/a");
    for (check, level, of) in [
        ("Invalid indexes", "yellow", "t_bad"),
        ("Duplicate indexes", "yellow", "t_n_again"),
        ("Unused indexes", "yellow", "t_s"),
        ("Autovacuum", "yellow", "public.t"),
        ("Dead rows", "yellow", "public.t: "),
        ("Sequences", "red", "public.q: 9"),
        ("Unlogged tables", "yellow", "1"),
        ("Primary keys", "yellow", "public.keyless"),
        ("Prepared transactions", "yellow", "1, the oldest"),
    ] {
        let (found, said) = level_of(&all, check);
        assert!(found == level && said.contains(of), "{check}: {found} {said}");
    }
    assert_eq!(sea.cli(&["diagnose", "postgres/a"]).status.code(), Some(1), "one is red");
}

#[test]
fn a_diagnosis_of_what_never_became_ready_says_what_is_wrong() {
    let sea = Sea::start();
    sea.postgres(
        "a",
        &format!(
            "{{version: '{}', parameters: {{shared_preload_libraries: nothing_of_this_name}}}}",
            version()
        ),
    );
    let said = wait_for("it says so", || {
        let said = sea.cli(&["diagnose", "postgres/a"]);
        text(&said).contains("RED     Ready: ").then_some(said)
    });
    assert_eq!(said.status.code(), Some(1), "{}", text(&said));
    assert!(text(&said).contains("nothing_of_this_name"), "{}", text(&said));
}

/// A function of each name that questions use, which leaves a trace when it runs, before PostgreSQL's own on the path; and
/// tables, views and columns of names that a terminal or a statement would obey.
const HOSTILE: &str = r#"
CREATE SEQUENCE public.tripped; GRANT ALL ON SEQUENCE public.tripped TO PUBLIC;
DO $do$
DECLARE f record;
BEGIN
  FOR f IN SELECT p.* FROM pg_proc p WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.prokind = 'f' AND p.proname IN
    ('left', 'date_part', 'to_char', 'timezone', 'concat_ws', 'concat', 'current_setting', 'pg_relation_size', 'pg_size_bytes',
     'pg_database_size', 'pg_blocking_pids', 'pg_stat_get_numscans', 'age', 'host', 'pg_backend_pid', 'clock_timestamp') LOOP
    BEGIN
      EXECUTE format('CREATE FUNCTION public.%I(%s) RETURNS %s LANGUAGE plpgsql AS $f$ BEGIN PERFORM nextval(''public.tripped''); RETURN NULL; END $f$',
        f.proname, pg_get_function_arguments(f.oid), pg_get_function_result(f.oid));
    EXCEPTION WHEN OTHERS THEN NULL;
    END;
  END LOOP;
END $do$;
CREATE FUNCTION public.same(name, name) RETURNS boolean LANGUAGE plpgsql
  AS $f$ BEGIN PERFORM nextval('public.tripped'); RETURN true; END $f$;
CREATE OPERATOR public.= (LEFTARG = name, RIGHTARG = name, FUNCTION = public.same);
CREATE OPERATOR public.<> (LEFTARG = name, RIGHTARG = name, FUNCTION = public.same);
CREATE VIEW public.pg_stat_statements AS SELECT nextval('public.tripped') AS total_exec_time;
CREATE VIEW public.pg_stat_activity AS SELECT *, nextval('public.tripped') FROM pg_catalog.pg_stat_activity;
CREATE VIEW public.pg_class AS SELECT *, nextval('public.tripped') FROM pg_catalog.pg_class;
CREATE SCHEMA "a'; DROP TABLE kept; --";
CREATE TABLE public.kept (n int);
"#;

#[test]
fn nothing_that_somebody_made_runs_when_it_is_asked_about() {
    let sea = started("");
    sea.sql("a", HOSTILE);
    let name = "\u{1b}[2J\u{202e}; DROP TABLE kept\"\"; '";
    sea.sql(
        "a",
        &format!("CREATE TABLE \"a'; DROP TABLE kept; --\".\"{name}\" (\"{name}\" int PRIMARY KEY)"),
    );
    sea.sql("a", "CREATE INDEX \"\u{1b}[31mred\" ON kept (n)");
    sea.sql("a", "ALTER DATABASE app SET search_path = public, pg_catalog");
    let tripped = || sea.sql("a", "SET search_path = pg_catalog; SELECT is_called FROM public.tripped");
    for verb in VERBS {
        for form in ["text", "wide", "json", "yaml"] {
            let said = sea.cli(&["pg", verb, "a", "-o", form]);
            let log = || sea.log().lines().rev().take(20).collect::<Vec<_>>().join("\n");
            let answers = verb != "outliers" || version() == "18";
            assert_eq!(said.status.success(), answers, "{verb}: {}\n{}", text(&said), log());
            assert!(!text(&said).contains(['\u{1b}', '\u{202e}']), "{verb} {form}");
        }
    }
    let said = sea.cli(&["diagnose", "postgres/a"]);
    assert!(said.status.success() && !text(&said).contains(['\u{1b}', '\u{202e}']), "{}", text(&said));
    assert!(tripped().ends_with('f'), "something of a tenant's ran");
    assert_eq!(
        sea.sql("a", "SET search_path = pg_catalog; SELECT count(*) FROM public.kept").lines().last(),
        Some("0")
    );
    // What asks may only read.
    let writes = "SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_user_tables WHERE n_tup_ins OPERATOR(pg_catalog.>) 0";
    assert_eq!(sea.sql("a", &format!("SET search_path = pg_catalog; {writes}")).lines().last(), Some("0"));
}
