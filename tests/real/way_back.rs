//! Nothing is taken that a start cannot survive, and there is always a way back: trial starts, files and
//! images that fail all the same, corrections that must arrive although nobody can log in.

use crate::harness::{Sea, condition, docker, is_degraded, manifest, postgres, wait_for};
use crate::kinds::{Deadly, Kind, Parameter, tests};
use crate::lifecycle::TestImage;
use serde_json::Value;
use std::fs;
use std::process::Command;

tests!(the_way_back_needs_no_words, an_image_that_does_not_start_gives_way_to_the_last_one);

fn start(status: &Value) -> (Value, Value) {
    (status["container"]["id"].clone(), status["container"]["startedAt"].clone())
}

fn with(sea: &Sea, version: &str, annotations: &str, parameters: &str) {
    let text = postgres("a", &format!("{{version: '{version}', parameters: {{{parameters}}}}}"));
    let text = text.replace("name: a", &format!("name: a, annotations: {{{annotations}}}"));
    let before = sea.object("a")["metadata"]["generation"].clone();
    sea.write("a.yaml", &text);
    wait_for("a new generation", || (sea.object("a")["metadata"]["generation"] != before).then_some(()));
}

const UNTRIED: &str = "seawall.dev/skip-trial: 'true'";

#[test]
fn what_no_start_would_survive_never_reaches_the_server() {
    let sea = Sea::start();
    sea.postgres("a", "{version: '18'}");
    let first = sea.ready("a");
    sea.sql("a", "CREATE TABLE kept AS SELECT 42 AS answer");
    for (parameters, words) in [
        ("ssl: 'on'", "could not load server certificate file"),
        ("shared_preload_libraries: nosuch", "could not access file \"nosuch\""),
        ("session_preload_libraries: nosuch", "lets nobody in"),
        ("timezone: Nowhere/City", "invalid value for parameter"),
        ("log_destination: nowhere", "invalid value for parameter"),
    ] {
        with(&sea, "18", "", &format!("work_mem: 9MB, {parameters}"));
        sea.until("a", parameters, |s| {
            let (truth, reason, said) = condition(s, "Degraded");
            truth == "True" && reason == "ParameterRejected" && said.contains(words)
        });
        let status = sea.status("a");
        assert_eq!(condition(&status, "Ready").0, "True", "{parameters}");
        assert_eq!(start(&status), start(&first), "{parameters}");
        assert_eq!(sea.sql("a", "SELECT current_setting('work_mem') || answer FROM kept"), "4MB42");
    }
    // Not by the back door of a restart either.
    sea.ok(&["restart", "postgres/a"]);
    sea.until("a", "restarted", |s| condition(s, "Ready").0 == "True" && start(s) != start(&first));
    assert_eq!(sea.sql("a", "SHOW work_mem"), "4MB");
    with(&sea, "18", "", "work_mem: 9MB");
    let status = sea.ready("a");
    assert_ne!(condition(&status, "Degraded").0, "True");
    assert_eq!(sea.sql("a", "SHOW work_mem"), "9MB");
    assert!(sea.containers().iter().all(|name| name == &sea.container("a")), "{:?}", sea.containers());
}

#[test]
fn a_certificate_in_the_data_directory_is_there_in_the_trial_too() {
    let sea = Sea::start();
    sea.postgres("a", "{version: '18'}");
    sea.ready("a");
    let make = "cd \"$PGDATA\" && openssl req -new -x509 -days 3 -nodes -subj /CN=a -out server.crt -keyout server.key 2>/dev/null && chmod 600 server.key";
    sea.docker(&["exec", "-u", "postgres", &sea.container("a"), "sh", "-c", make]);
    with(&sea, "18", "", "ssl: 'on'");
    sea.ready("a");
    sea.until("a", "without a complaint", |s| !is_degraded(s));
    assert_eq!(sea.sql("a", "SHOW ssl"), "on");
}

/// A start that dies, although all that could be tried before it was well.
fn the_way_back_needs_no_words(kind: &dyn Kind) {
    let sea = Sea::start_of(kind);
    let a = &kind.object("a");
    let Parameter { name, values: [old, new] } = kind.live();
    let Deadly { annotations, of, parameters: deadly, words } = kind.deadly();
    let with = |all: &str| {
        let before = sea.object(a)["metadata"]["generation"].clone();
        let spec = format!("{{{of}, parameters: {{{all}}}}}");
        sea.write("a.yaml", &manifest(a, annotations, &spec));
        wait_for("a new generation", || (sea.object(a)["metadata"]["generation"] != before).then_some(()));
    };
    with(&format!("{name}: {old}"));
    let first = sea.ready(a);
    sea.keep(a, 42);
    with(&format!("{name}: {new}, {deadly}"));
    sea.event("ParametersRestored", "does not start with the new parameters");
    let status = sea.until(a, "Ready with the last parameters", |s| {
        condition(s, "Ready").0 == "True" && condition(s, "Degraded").1 == "ParameterRejected"
    });
    assert!(condition(&status, "Degraded").2.contains(words), "{status:#}");
    assert_eq!(status["container"]["id"], first["container"]["id"]);
    assert_eq!((sea.parameter(a, name).as_str(), sea.kept(a)), (old, vec![42]));
    with(&format!("{name}: {new}"));
    sea.ready(a);
    sea.until(a, "without a complaint", |s| !is_degraded(s));
    assert_eq!(sea.parameter(a, name), new);
}

fn an_image_that_does_not_start_gives_way_to_the_last_one(kind: &dyn Kind) {
    let image = kind.image(kind.versions()[0]);
    // It starts on an empty cluster, and not on this one.
    let broken = TestImage::build(
        &kind.object("breaks"),
        &format!("FROM {image}\nENTRYPOINT [\"sh\", \"-c\", \"echo no such luck; exit 3\"]\n"),
    );
    let sea = Sea::start_of(kind);
    let a = &kind.object("a");
    let Parameter { name, values: [value, other] } = kind.live();
    sea.put(a, &kind.spec(&format!("parameters: {{{name}: {value}}}")));
    let first = sea.ready(a);
    sea.keep(a, 42);

    sea.put(a, &kind.spec_with_image(&broken.0, &format!("parameters: {{{name}: {value}}}")));
    let words = sea.until_condition(a, "Degraded", "True", "ImageRefused");
    assert!(words.contains("exit code 3") || words.contains("no such luck"), "{words}");
    let status = sea.until(a, "Ready on the last image", |s| condition(s, "Ready").0 == "True");
    assert_eq!(status["image"]["id"], first["image"]["id"], "{status:#}");
    assert_eq!((sea.parameter(a, name).as_str(), sea.kept(a)), (value, vec![42]));
    // It is not tried again by itself.
    let settled = start(&sea.ready(a));
    sea.ok(&["restart", a]);
    let again = sea.until(a, "restarted", |s| condition(s, "Ready").0 == "True" && start(s) != settled);
    assert_eq!(again["image"]["id"], first["image"]["id"]);
    sea.put(a, &kind.spec(&format!("parameters: {{{name}: {other}}}")));
    sea.ready(a);
    sea.until(a, "without a complaint", |s| !is_degraded(s));
    assert_eq!((sea.parameter(a, name).as_str(), sea.kept(a)), (other, vec![42]));
}

#[test]
fn an_image_in_which_no_cluster_can_be_made_does_not_stand_in_the_way_of_a_correction() {
    let useless = TestImage::build(
        "useless",
        "FROM seawall/postgres:18\nUSER root\nRUN rm -f /usr/lib/postgresql/*/lib/dict_snowball.so\n",
    );
    let sea = Sea::start();
    sea.postgres("a", "{version: '18', parameters: {work_mem: 8MB}}");
    let first = sea.ready("a");
    sea.sql("a", "CREATE TABLE kept AS SELECT 42 AS answer");

    let before = start(&first);
    sea.postgres("a", &format!("{{image: '{}', parameters: {{work_mem: 9MB}}}}", useless.0));
    sea.until("a", "tried", |s| {
        // Where no cluster can be made, the trial says nothing, and the real start must do.
        condition(s, "Ready").0 == "True" && (start(s) != before || is_degraded(s))
    });
    sea.postgres("a", "{version: '18', parameters: {work_mem: 10MB}}");
    sea.ready("a");
    sea.until("a", "without a complaint", |s| !is_degraded(s));
    assert_eq!(sea.sql("a", "SELECT current_setting('work_mem') || answer FROM kept"), "10MB42");
}

#[test]
fn a_correction_arrives_although_nobody_can_log_in() {
    let sea = Sea::start();
    with(&sea, "17", UNTRIED, "work_mem: 8MB");
    let first = sea.ready("a");
    let _watch = sea.watch("a");
    with(&sea, "17", UNTRIED, "session_preload_libraries: nosuch");
    let words = sea.until_condition("a", "Ready", "False", "LibraryMissing");
    assert!(words.contains("nosuch"), "{words}");
    with(&sea, "17", UNTRIED, "work_mem: 9MB");
    let status = sea.ready("a");
    assert_eq!(sea.sql("a", "SHOW work_mem"), "9MB");
    assert_eq!(start(&status), start(&first), "a signal was enough");
    // What a signal does not change takes one restart.
    with(&sea, "17", UNTRIED, "max_connections: 4, superuser_reserved_connections: 1");
    sea.until("a", "too small to let us in, or not", |s| {
        s["container"]["startedAt"] != first["container"]["startedAt"]
    });
    with(&sea, "17", UNTRIED, "max_connections: 40");
    sea.ready("a");
    assert_eq!(sea.sql("a", "SHOW max_connections"), "40");
}

#[test]
fn a_crash_loop_says_how_often_and_why() {
    let sea = Sea::start();
    sea.postgres("a", "{version: '18'}");
    sea.ready("a");
    let stop = "{version: '18', stopped: true}";
    sea.postgres("a", stop);
    sea.until("a", "stopped", |s| condition(s, "Ready").1 == "Stopped");
    // Its control file is gone: no file or image to go back to.
    let volume = sea.volume("a");
    let path = docker(&["volume", "inspect", "-f", "{{.Mountpoint}}", &volume]);
    let find = Command::new("find").args([path.trim(), "-name", "pg_control"]).output().unwrap();
    let control = String::from_utf8(find.stdout).unwrap().trim().to_owned();
    fs::rename(&control, format!("{control}.away")).unwrap();
    sea.postgres("a", "{version: '18'}");
    let status = sea.until("a", "in a crash loop, counted", |s| {
        let (_, reason, words) = condition(s, "Degraded");
        reason == "CrashLoop" && words.contains("times since 20")
    });
    assert_ne!(condition(&status, "Progressing").0, "True");
    let (_, _, words) = condition(&status, "Ready");
    assert!(words.contains("pg_control") || words.contains("control file"), "{words}");
    let events = sea.ok(&["events"]);
    let died = events.lines().filter(|l| l.contains("ContainerDied")).count();
    assert!(died <= 2, "{events}");
    fs::rename(format!("{control}.away"), &control).unwrap();
    sea.ready("a");
}
