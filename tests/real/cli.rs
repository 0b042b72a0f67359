//! What a person and a script see, with and without an operator.

use crate::harness::{PATIENCE, Sea, but_for_figures, postgres, text, wait_for};
use serde_json::Value;
use std::process::Stdio;
use std::time::{Duration, Instant};

fn now() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    format!("{}.{:09}", now.as_secs(), now.subsec_nanos())
}

/// What the engine did to containers of this installation since `since`, without what merely looks.
fn writes_since(sea: &Sea, since: &str) -> Vec<String> {
    let filter = format!("label=seawall.dev/installation={}", sea.installation);
    let events = sea.docker(&[
        "events",
        "--since",
        since,
        "--until",
        &now(),
        "--filter",
        &filter,
        "--format",
        "{{.Type}} {{.Action}}",
    ]);
    let looks = ["exec_", "archive-path", "health_status"];
    events.lines().filter(|l| !looks.iter().any(|look| l.contains(look))).map(str::to_owned).collect()
}

#[test]
fn sigterm_leaves_the_containers_and_the_next_operator_writes_nothing() {
    let mut sea = Sea::start();
    sea.postgres("a", "{version: '18'}");
    sea.postgres("b", "{version: '17', parameters: {work_mem: 5MB}, resources: {memory: 256Mi, cpus: 0.5}}");
    let before = ["a", "b"].map(|name| but_for_figures(sea.ready(name)));
    let since = now();
    let took = sea.stop();
    assert!(took < Duration::from_secs(10), "{took:?}");
    // Without an operator everything can still be looked at, from the store.
    assert_eq!(but_for_figures(sea.status("a")), before[0]);
    assert!(sea.ok(&["get"]).contains("postgres/b"));
    assert!(sea.ok(&["describe", "postgres/a"]).contains("LoginSucceeded"));
    assert!(sea.ok(&["events", "postgres/a"]).contains("PasswordGenerated"));
    assert!(sea.ok(&["connection", "postgres/a"]).contains("****"));
    assert!(sea.password("a").len() >= 28);
    assert!(sea.ok(&["export"]).contains("postgres/a"));
    assert!(sea.ok(&["version"]).contains("none answers"));
    let manifests = sea.manifests.to_str().unwrap().to_owned();
    let plan = sea.cli(&["--manifests", &manifests, "plan"]);
    assert_eq!(plan.status.code(), Some(0), "{}", text(&plan));
    for verb in [&["stop", "postgres/a"][..], &["delete", "postgres/a", "--confirm", "a"], &["get", "-w"]] {
        let output = sea.cli(verb);
        assert_eq!(output.status.code(), Some(1), "{verb:?}");
        assert!(text(&output).contains("seawall run"), "{verb:?}: {}", text(&output));
    }
    assert!(sea.ok(&["logs", "postgres/a", "--tail", "3"]).lines().count() <= 3);
    assert_eq!(sea.ok(&["psql", "a", "--", "-XAtc", "SELECT 6*7"]).trim(), "42");

    sea.run();
    // A pass has ended for each: a plan of the running operator has nothing to do.
    for (name, before) in [("a", &before[0]), ("b", &before[1])] {
        let after = but_for_figures(sea.ready(name));
        assert_eq!(before["container"], after["container"]);
        assert_eq!(before, &after, "nothing differs, so nothing was written, not even a time");
    }
    assert_eq!(sea.ok(&["plan"]), "Nothing to do: 2 objects as planned.\n");
    assert_eq!(writes_since(&sea, &since), Vec::<String>::new());
}

#[test]
fn logs_are_told_by_time_and_of_before_the_last_start() {
    let sea = Sea::start();
    sea.postgres("a", "{version: '18'}");
    sea.ready("a");
    // The first database of an image is started once more before it is Ready: what was before is made sure of here.
    sea.sql("a", "DO $$BEGIN RAISE LOG 'in the first life'; END$$");
    sea.ok(&["restart", "a", "--wait"]);
    sea.sql("a", "DO $$BEGIN RAISE LOG 'in the second life'; END$$");
    let between = jiff::Timestamp::now().to_string();
    sea.sql("a", "DO $$BEGIN RAISE LOG 'and later'; END$$");
    let lives = |words: &[&str]| {
        let log = sea.ok(&[&["logs", "a"], words].concat());
        ["in the first life", "in the second life", "and later", "database system is shut down"]
            .map(|said| log.contains(said))
    };
    assert_eq!(lives(&[]), [true, true, true, true]);
    assert_eq!(lives(&["--previous"]), [true, false, false, true]);
    assert_eq!(lives(&["--since", "1h"]), [true, true, true, true]);
    assert_eq!(lives(&["--since-time", &between]), [false, false, true, false]);
    let last = sea.ok(&["logs", "a", "-p", "-n", "1"]);
    assert!(last.lines().count() == 1 && last.contains("database system is shut down"), "{last}");
    // Another container has a log of its own.
    sea.docker(&["rm", "-f", &sea.container("a")]);
    wait_for("a log without one of before", || {
        let output = sea.cli(&["logs", "a", "--previous"]);
        let says = text(&output).contains("the log of the one before went with that one");
        (says && output.status.code() == Some(1)).then_some(())
    });
}

#[test]
fn once_converges_and_says_what_does_not() {
    let mut sea = Sea::new();
    let once = |sea: &Sea| {
        let output =
            sea.command().args(["run", "--once", "--manifests"]).arg(&sea.manifests).output().unwrap();
        (output.status.code(), text(&output))
    };
    sea.postgres("a", "{version: '18'}");
    sea.postgres("off", "{version: '17', stopped: true}");
    // Before anything runs: what would happen, from the directory alone.
    let manifests = sea.manifests.to_str().unwrap().to_owned();
    let (code, said) = once(&sea);
    assert_eq!(code, Some(0), "{said}");
    for needle in ["NAME", "postgres/a", "Ready", "postgres/off", "Stopped"] {
        assert!(said.contains(needle), "{needle}: {said}");
    }
    let first = sea.inspect("a")["Id"].clone();
    let plan = sea.cli(&["--manifests", &manifests, "plan", "-o", "json"]);
    assert_eq!(plan.status.code(), Some(0), "{}", text(&plan));

    sea.postgres("b", "{image: 'seawall/not-postgres:test'}");
    let plan = sea.cli(&["--manifests", &manifests, "plan", "-o", "json"]);
    assert_eq!(plan.status.code(), Some(2), "{}", text(&plan));
    let json: Value = serde_json::from_slice(&plan.stdout).unwrap();
    let b = json["plans"].as_array().unwrap().iter().find(|p| p["object"] == "postgres/b").unwrap().clone();
    assert_eq!(b["blocked"][0]["reason"], "ImageUnfit", "{b:#}");
    let (code, said) = once(&sea);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("postgres/b is not Ready: Blocked: image seawall/not-postgres:test"), "{said}");
    assert_eq!(sea.inspect("a")["Id"], first);

    // A broken file does not keep the rest from converging, and shows in the exit code.
    sea.remove("b.yaml");
    sea.write("broken.yaml", "kind: [");
    sea.postgres("a", "{version: '18', parameters: {work_mem: 5MB}}");
    let (code, said) = once(&sea);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("broken.yaml:1:7: the [ that opens here is not closed"), "{said}");
    assert_eq!(sea.sql("a", "SHOW work_mem"), "5MB");
    sea.remove("broken.yaml");
    // Nothing was ever made for b: it is gone with its manifest. What is kept of another one is no failure.
    sea.remove("off.yaml");
    sea.postgres("more", "{version: '17'}");
    let (code, said) = once(&sea);
    assert_eq!(code, Some(0), "{said}");
    sea.remove("more.yaml");
    let (code, said) = once(&sea);
    assert_eq!(code, Some(0), "{said}");
    let rows: Vec<&str> = said.lines().filter(|line| line.starts_with("postgres/")).collect();
    assert!(
        matches!(rows[..], [_, more] if more.contains("postgres/more") && more.contains("Retained")),
        "{said}"
    );

    // One operator per store: the second one names the first.
    sea.run();
    sea.ready("a");
    let (code, said) = once(&sea);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains(&sea.pid().to_string()), "{said}");
    sea.stop();
}

#[test]
fn every_form_tells_the_same_and_status_is_mirrored_to_a_file() {
    let sea = Sea::start();
    sea.postgres("a", "{version: '18', resources: {memory: 256Mi}}");
    let waited = sea.ok(&["wait", "postgres/a", "--for=condition=Ready", "--timeout=60s"]);
    assert!(waited.contains("condition met"), "{waited}");
    let late = sea.cli(&["wait", "postgres/a", "--for=condition=Stalled", "--timeout=1s"]);
    assert_eq!(late.status.code(), Some(1));
    let status = sea.ready("a");

    let table = sea.ok(&["get", "postgres"]);
    let mut lines = table.lines();
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(words(lines.next().unwrap()), ["NAME", "READY", "STATUS", "VERSION", "PORT", "MEMORY", "AGE"]);
    let row = words(lines.next().unwrap());
    let version = status["server"]["version"].as_str().unwrap();
    let port = sea.host_port("a").to_string();
    assert_eq!(row[..6], ["a", "True", "Ready", version, &port, "256Mi"], "{table}");
    assert_eq!(lines.next(), None);
    assert!(sea.ok(&["get", "-o", "wide"]).contains(&sea.container("a")));
    assert!(sea.ok(&["get", "-o", "name"]).lines().any(|l| l == "postgres/a"));
    assert_eq!(sea.ok(&["get", "postgres/a", "-o", "jsonpath={.status.endpoint.hostPort}"]).trim(), port);
    assert_eq!(
        sea.ok(&["get", "postgres", "a", "-o", "jsonpath={.status.image.capabilities[0]}"]).trim(),
        "pg_auto_failover"
    );

    let yaml: Value = serde_yaml::from_str(&sea.ok(&["get", "postgres/a", "-o", "yaml"])).unwrap();
    let file = sea.data.join("status/postgres/a.yaml");
    let mirrored: Value = serde_yaml::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let status = but_for_figures(status);
    assert_eq!(but_for_figures(yaml["status"].clone()), status);
    // The file is the status alone, or the object around it.
    let mirrored = if mirrored.get("status").is_some() { mirrored["status"].clone() } else { mirrored };
    assert_eq!(but_for_figures(mirrored), status);

    // `plan DIR` looks at other manifests and does nothing.
    let other = sea.root().join("other");
    std::fs::create_dir(&other).unwrap();
    std::fs::copy(sea.manifests.join("catalog.yaml"), other.join("catalog.yaml")).unwrap();
    std::fs::write(other.join("a.yaml"), postgres("a", "{version: '18', resources: {memory: 512Mi}}"))
        .unwrap();
    std::fs::write(other.join("b.yaml"), postgres("b", "{version: '17', port: 15999}")).unwrap();
    let plan = sea.cli(&["plan", other.to_str().unwrap()]);
    assert_eq!(plan.status.code(), Some(2));
    let said = text(&plan);
    for needle in ["memory 256Mi", "memory 512Mi", "container missing", "reserve host port"] {
        assert!(said.contains(needle), "{needle}: {said}");
    }
    let again = sea.cli(&["plan", other.to_str().unwrap()]);
    assert_eq!(again.stdout, plan.stdout, "the same values, the same bytes");
    assert_eq!(but_for_figures(sea.ready("a")), status);
    assert_eq!(sea.cli(&["plan"]).status.code(), Some(0));

    let describe = sea.ok(&["describe", "postgres/a"]);
    for needle in ["LoginSucceeded", "ResourcesInSync", "ContainerStarted", "256Mi"] {
        assert!(describe.contains(needle), "{needle}: {describe}");
    }
    let env = sea.ok(&["connection", "postgres/a", "-o", "env"]);
    assert!(env.contains(&format!("PGPORT={port}")) && !env.contains("PGPASSWORD"), "{env}");
    assert!(sea.ok(&["version"]).contains("engine    Docker"));
    let doctor = sea.cli(&["doctor"]);
    let said = text(&doctor);
    for needle in ["docker engine", "key file", "store", "clock"] {
        assert!(said.contains(needle), "{needle}: {said}");
    }
    let failed = said.lines().any(|l| l.starts_with("FAIL"));
    assert_eq!(doctor.status.code(), Some(i32::from(failed)), "{said}");
    assert_eq!(sea.ok(&["psql", "a", "--", "-XAtc", "SELECT current_user"]).trim(), "postgres");
    // What is watched is printed when it happens.
    let watching = |arguments: &[&str], file: &str| {
        let out = std::fs::File::create(sea.root().join(file)).unwrap();
        sea.command().args(arguments).stdin(Stdio::null()).stdout(out).spawn().unwrap()
    };
    let mut watchers =
        [watching(&["get", "postgres/a", "-w"], "rows"), watching(&["events", "-w"], "events")];
    let deadline = Instant::now() + *PATIENCE;
    let printed = |file: &str, needle: &str| loop {
        let printed = std::fs::read_to_string(sea.root().join(file)).unwrap();
        if printed.contains(needle) {
            break;
        }
        assert!(Instant::now() < deadline, "{file}: no {needle:?} in {printed}");
        std::thread::sleep(Duration::from_millis(50));
    };
    printed("rows", "256Mi");
    printed("events", "ContainerStarted");
    sea.postgres("a", "{version: '18', resources: {memory: 288Mi}}");
    printed("rows", "288Mi");
    printed("events", "ResourcesUpdated");
    for watcher in &mut watchers {
        watcher.kill().unwrap();
        watcher.wait().unwrap();
    }
    let missing = sea.cli(&["get", "postgres/nobody"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(text(&missing).contains("postgres/nobody not found"), "{}", text(&missing));
}
