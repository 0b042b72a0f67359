//! Parameters reach a running server; what PostgreSQL refuses is said in its words and hurts nothing.

use crate::harness::{Sea, condition, image, is_degraded, postgres, text};
use crate::kinds::{Kind, Parameter, tests};
use serde_json::Value;

tests!(
    what_needs_a_restart_gets_one_or_waits_as_the_manifest_says,
    a_value_that_only_the_server_can_judge_is_reported_in_its_words,
);

fn server_start(sea: &Sea, name: &str) -> String {
    sea.sql(name, "SELECT pg_postmaster_start_time()")
}

fn container(status: &Value) -> (Value, Value) {
    (status["container"]["id"].clone(), status["container"]["startedAt"].clone())
}

#[test]
fn a_reload_is_enough_where_postgresql_allows_it() {
    let sea = Sea::start();
    let spec = |parameters: &str| format!("{{version: '17', parameters: {{{parameters}}}}}");
    sea.postgres("a", &spec("work_mem: 16MB, app.tenant: acme, pg_stat_statements.track: all"));
    let before = sea.ready("a");
    let started = server_start(&sea, "a");
    assert_eq!(sea.sql("a", "SHOW work_mem"), "16MB");
    assert_eq!(sea.sql("a", "SHOW app.tenant"), "acme");
    assert_eq!(sea.sql("a", "SHOW pg_stat_statements.track"), "all");

    let tricky = "log_line_prefix: \"it's \\\\ %m \", search_path: '\"$user\", public, shop', jit: off, Random_Page_Cost: 1.1";
    sea.postgres("a", &spec(tricky));
    let after = sea.ready("a");
    assert_eq!(sea.sql("a", "SHOW log_line_prefix"), "it's \\ %m");
    assert_eq!(sea.sql("a", "SHOW search_path"), "\"$user\", public, shop");
    assert_eq!(sea.sql("a", "SHOW jit"), "off");
    assert_eq!(sea.sql("a", "SHOW random_page_cost"), "1.1");
    // Removed from the manifest: back to the default.
    assert_eq!(sea.sql("a", "SHOW work_mem"), "4MB");
    assert_eq!(sea.sql("a", "SELECT current_setting('app.tenant', true)"), "");
    assert_eq!(container(&before), container(&after));
    assert_eq!(server_start(&sea, "a"), started);
    sea.event("ParametersReloaded", "spec.parameters changed");
}

fn what_needs_a_restart_gets_one_or_waits_as_the_manifest_says(kind: &dyn Kind) {
    let sea = Sea::start_of(kind);
    let auto = &kind.object("auto");
    let manual = &kind.object("manual");
    sea.put(auto, &kind.spec(""));
    sea.put(manual, &kind.spec("restartPolicy: Manual"));
    let (was, before) = (sea.ready(auto), sea.ready(manual));
    let (all, Parameter { name: live, values: [value, _] }) = (kind.at_start(), kind.live());
    let pairs: Vec<String> = all.iter().map(|p| format!("{}: {}", p.name, p.values[1])).collect();
    let names: Vec<&str> = all.iter().map(|p| p.name).collect();
    let (pairs, names) = (pairs.join(", "), names.join(", "));

    sea.put(auto, &kind.spec(&format!("parameters: {{{pairs}}}")));
    let after = sea.until(auto, "restarted", |s| {
        condition(s, "Ready").0 == "True"
            && condition(s, "Progressing").0 == "False"
            && s["container"]["startedAt"] != was["container"]["startedAt"]
    });
    assert_eq!(after["container"]["id"], was["container"]["id"]);
    for p in &all {
        assert_eq!(sea.parameter(auto, p.name), p.values[1]);
    }
    assert_eq!(condition(&after, "PendingRestart").0, "False");
    sea.event("ServerRestarted", &format!("{names} changed and need a restart"));

    let pairs = format!("{pairs}, {live}: {value}");
    sea.put(manual, &kind.spec(&format!("restartPolicy: Manual, parameters: {{{pairs}}}")));
    let words = sea.until_condition(manual, "PendingRestart", "True", "ParametersChanged");
    assert!(words.contains(&names) && !words.contains(live), "{words}");
    assert!(words.contains(&format!("seawall restart {manual}")), "{words}");
    let status = sea.status(manual);
    assert_eq!(condition(&status, "Ready").0, "True");
    assert_eq!(container(&status), container(&before));
    assert_eq!(sea.parameter(manual, live), value, "what can be reloaded does not wait");
    for p in &all {
        assert_eq!(sea.parameter(manual, p.name), p.values[0]);
    }

    sea.ok(&["restart", manual]);
    sea.until(manual, "without a pending restart", |s| {
        condition(s, "PendingRestart").0 == "False"
            && condition(s, "Ready").0 == "True"
            && s["container"]["id"] == before["container"]["id"]
    });
    for p in &all {
        assert_eq!(sea.parameter(manual, p.name), p.values[1]);
    }
    // Once: the one that was restarted before was not restarted again.
    assert_eq!(container(&sea.status(auto)), container(&after));
}

#[test]
fn what_would_hurt_is_a_problem_at_its_place_before_anything_happens() {
    let sea = Sea::new();
    sea.write(
        "bad.yaml",
        &postgres("bad", "{version: '18', parameters: {fsync: off, port: 1, data_directory: /x, wrok_mem: 1MB, Work_Mem: 16Mb, include: /etc/passwd}}"),
    );
    let output = sea.cli(&["validate", sea.manifests.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output);
    for needle in [
        "bad.yaml:4:",
        "spec.parameters.fsync: fsync cannot be set: off means that a crash can destroy the database",
        "spec.parameters.port: port cannot be set",
        "spec.parameters.data_directory: data_directory cannot be set: the data lies in the volume",
        "spec.parameters.wrok_mem: \"wrok_mem\" is not a parameter of PostgreSQL 18: did you mean work_mem?",
        "spec.parameters.Work_Mem: work_mem must be 64kB to 2147483647kB, with a unit such as kB, MB, GB: \"16Mb\" has the unit \"Mb\"; units are case-sensitive: MB",
        "spec.parameters.include: include cannot be set",
    ] {
        assert!(said.contains(needle), "{needle}: {said}");
    }
}

fn a_value_that_only_the_server_can_judge_is_reported_in_its_words(kind: &dyn Kind) {
    let sea = Sea::start_of(kind);
    let a = &kind.object("a");
    let Parameter { name, values: [old, new] } = kind.live();
    let ((pair, refused), with) = (kind.refused(), |all: &str| kind.spec(&format!("parameters: {{{all}}}")));
    sea.put(a, &with(&format!("{name}: {old}")));
    let before = sea.ready(a);
    sea.keep(a, 42);

    sea.put(a, &with(&format!("{name}: {new}, {pair}")));
    let words = sea.until_condition(a, "Degraded", "True", "ParameterRejected");
    assert!(words.contains(refused), "{words}");
    let status = sea.status(a);
    assert_eq!(condition(&status, "Ready").0, "True");
    assert_eq!(container(&status), container(&before));
    assert_eq!(sea.parameter(a, name), old, "all of them or none");

    // The refused file does not come in by the back door of a restart.
    sea.ok(&["restart", a]);
    sea.until(a, "restarted", |s| {
        condition(s, "Ready").0 == "True" && s["container"]["startedAt"] != before["container"]["startedAt"]
    });
    sea.docker(&["kill", &sea.container(a)]);
    sea.event("ContainerStarted", "killed");
    sea.ready(a);
    assert_eq!(sea.parameter(a, name), old);
    assert_eq!(sea.condition(a, "Degraded").1, "ParameterRejected");

    sea.put(a, &with(&format!("{name}: {new}")));
    let status = sea.ready(a);
    assert_ne!(condition(&status, "Degraded").0, "True");
    assert_eq!((sea.parameter(a, name).as_str(), sea.kept(a)), (new, vec![42]));
}

#[test]
fn what_is_wrong_from_the_beginning_or_unknown_to_the_server_is_reported_in_its_words() {
    let sea = Sea::start();
    sea.postgres("a", "{version: '18', parameters: {work_mem: 8MB}}");
    // Wrong from the very beginning: there is no older file to go back to.
    sea.postgres("born-wrong", "{version: '17', parameters: {timezone: Nowhere/City}}");
    sea.ready("a");

    // A fork may have names of its own; this one has not.
    sea.postgres("a", &format!("{{image: '{}', parameters: {{no_such_parameter: 1}}}}", image("18")));
    let words = sea.until_condition("a", "Degraded", "True", "ParameterRejected");
    assert!(words.contains("unrecognized configuration parameter \"no_such_parameter\""), "{words}");

    sea.postgres("a", "{version: '18', parameters: {work_mem: 12MB}}");
    let status = sea.ready("a");
    assert_ne!(condition(&status, "Degraded").0, "True");
    assert_eq!(sea.sql("a", "SHOW work_mem"), "12MB");

    let status = sea.until("born-wrong", "not Ready in the server's words", |s| {
        let (_, reason, words) = condition(s, "Ready");
        reason == "Blocked" && words.contains("invalid value for parameter \"TimeZone\": \"Nowhere/City\"")
    });
    assert_eq!(condition(&status, "Ready").0, "False");
    sea.postgres("born-wrong", "{version: '17', parameters: {work_mem: 5MB}}");
    sea.ready("born-wrong");
    assert_eq!(sea.sql("born-wrong", "SHOW work_mem"), "5MB");
}

/// Every default of sessions that could change what Seawall's own statements mean, or whether they end.
#[test]
fn no_default_of_sessions_reaches_the_sessions_of_seawall() {
    let mut sea = Sea::start();
    let hostile = "search_path: nowhere, default_transaction_isolation: serializable, default_transaction_read_only: on, \
        default_transaction_deferrable: on, statement_timeout: 1, lock_timeout: 1, transaction_timeout: 1s, \
        idle_session_timeout: 1, idle_in_transaction_session_timeout: 1, client_connection_check_interval: 1, \
        client_encoding: LATIN1, client_min_messages: debug5, datestyle: 'SQL, DMY', intervalstyle: iso_8601, \
        timezone: 'Etc/GMT+5', bytea_output: escape, extra_float_digits: -15, quote_all_identifiers: on, \
        exit_on_error: on, row_security: off, standard_conforming_strings: off, backslash_quote: off, \
        transform_null_equals: on, array_nulls: off, check_function_bodies: off, default_tablespace: nowhere, \
        temp_tablespaces: nowhere, default_table_access_method: nowhere, lc_messages: C, xmlbinary: hex, event_triggers: on";
    const BOTH: [(&str, &str); 2] = [("older", "17"), ("newer", "18")];
    for (name, version) in BOTH {
        sea.postgres(name, &format!("{{version: '{version}'}}"));
        // From the first version of the manifest on: nor the sessions in which the database is made.
        let from_the_start = format!("{{version: '{version}', parameters: {{{hostile}}}}}");
        sea.postgres(&format!("{name}-from-the-start"), &from_the_start);
    }
    for (name, version) in BOTH {
        let from_the_start = format!("{name}-from-the-start");
        sea.ready(&from_the_start);
        let file =
            sea.docker(&["exec", &sea.container(&from_the_start), "cat", "/etc/seawall/postgresql.conf"]);
        assert!(file.contains("default_transaction_read_only = 'on'"), "{file}");
        sea.remove(&format!("{from_the_start}.yaml"));
        sea.ready(name);
        sea.postgres(name, &format!("{{version: '{version}', parameters: {{{hostile}}}}}"));
        sea.until(name, "Ready without a complaint", |s| {
            condition(s, "Ready").0 == "True" && condition(s, "Progressing").0 == "False" && !is_degraded(s)
        });
    }
    // A new login, a new database, and the way back: none of it goes by the user's defaults.
    sea.stop();
    sea.run();
    for (name, version) in BOTH {
        let shop = format!("version: '{version}', database: \"ärger\"");
        sea.postgres(name, &format!("{{{shop}, parameters: {{{hostile}}}}}"));
        sea.event("DatabaseCreated", "ärger");
        sea.ready(name);
        sea.postgres(name, &format!("{{{shop}}}"));
        sea.until(name, "with PostgreSQL's own defaults", |s| {
            condition(s, "Ready").0 == "True" && condition(s, "Progressing").0 == "False" && !is_degraded(s)
        });
        assert_eq!(sea.sql(name, "SHOW default_transaction_isolation"), "read committed");
    }
}

#[test]
fn memory_that_the_cap_does_not_hold_is_a_warning() {
    let sea = Sea::start();
    sea.postgres("a", "{version: '18', resources: {memory: 256Mi}, parameters: {shared_buffers: 230MB}}");
    let words = sea.until_condition("a", "Degraded", "True", "MemoryOvercommitted");
    assert!(words.contains("shared_buffers 230Mi of the 256Mi that resources.memory allows"), "{words}");
    sea.until("a", "Ready all the same", |s| condition(s, "Ready").0 == "True");
    let output = sea.cli(&["validate", sea.manifests.to_str().unwrap()]);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("warning: a.yaml:4:") && said.contains("ok: "), "{said}");
    let said = text(&sea.cli(&["plan"]));
    assert!(said.contains("warning: a.yaml") && said.contains("Nothing to do"), "{said}");
}

#[test]
fn what_overrides_the_manifest_is_said_with_a_command_that_ends_it() {
    let sea = Sea::start();
    sea.postgres("a", "{version: '18', database: shop, parameters: {work_mem: 8MB, max_connections: 50}}");
    sea.ready("a");
    // The advice needs no database but ours.
    sea.sql("a", "ALTER DATABASE template1 ALLOW_CONNECTIONS false");
    // As ALTER SYSTEM leaves it, on a server that forbids it.
    let line = "echo \"work_mem = '3MB'\" >> \"$PGDATA/postgresql.auto.conf\"";
    sea.docker(&["exec", "-u", "postgres", &sea.container("a"), "sh", "-c", line]);
    sea.sql("a", "SELECT pg_reload_conf()");
    let words = sea.until_condition("a", "Degraded", "True", "ParametersOverridden");
    assert!(words.starts_with("work_mem in the manifest"), "{words}");
    let command = words.split("decide: ").nth(1).unwrap();
    let output = std::process::Command::new("sh").args(["-ec", command]).output().unwrap();
    assert!(output.status.success(), "{command}: {}", text(&output));
    sea.until("a", "without a complaint", |s| !is_degraded(s));
    assert_eq!(sea.sql("a", "SHOW work_mem"), "8MB");

    sea.sql("a", "ALTER ROLE postgres IN DATABASE shop SET work_mem = '2MB'");
    let words = sea.until_condition("a", "Degraded", "True", "ParametersOverridden");
    assert!(words.contains("ALTER ROLE … RESET work_mem"), "{words}");
    sea.sql("a", "ALTER ROLE postgres IN DATABASE shop RESET work_mem");
    sea.until("a", "without a complaint", |s| !is_degraded(s));

    // What only waits for a restart is overridden by nothing.
    sea.postgres(
        "a",
        "{version: '18', database: shop, restartPolicy: Manual, parameters: {max_connections: 60}}",
    );
    sea.until_condition("a", "PendingRestart", "True", "ParametersChanged");
    assert_ne!(sea.condition("a", "Degraded").1, "ParametersOverridden");
}
