//! `kill -9` at every step: the operator dies just before or just after each step that it applies,
//! starts again, and must arrive at one container, one volume, the same password, and nothing else.
//!
//! One service goes through the scenarios for one crash point; the points end when every scenario has
//! run through without reaching its point.

use super::harness::{PATIENCE, Sea, condition, docker, wait_for};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Services that go through their scenarios at once.
const AT_ONCE: usize = 3;

struct Scenario {
    name: &'static str,
    spec: Option<&'static str>,
    done: fn(&Value) -> bool,
}

fn settled(status: &Value) -> bool {
    condition(status, "Ready").0 == "True" && condition(status, "Progressing").0 == "False"
}

fn stopped(status: &Value) -> bool {
    condition(status, "Ready").1 == "Stopped"
}

const SCENARIOS: [Scenario; 6] = [
    Scenario {
        name: "create",
        spec: Some("{version: '18', resources: {memory: 256Mi}, deletionPolicy: Delete}"),
        done: settled,
    },
    Scenario {
        name: "cap change",
        spec: Some(
            "{version: '18', resources: {memory: 320Mi}, parameters: {work_mem: 8MB}, deletionPolicy: Delete}",
        ),
        done: settled,
    },
    Scenario {
        name: "re-create",
        spec: Some(
            "{version: 18b, resources: {memory: 320Mi}, parameters: {work_mem: 8MB}, deletionPolicy: Delete}",
        ),
        done: settled,
    },
    Scenario {
        name: "stop",
        spec: Some("{version: 18b, resources: {memory: 320Mi}, stopped: true, deletionPolicy: Delete}"),
        done: stopped,
    },
    Scenario {
        name: "start",
        spec: Some("{version: 18b, resources: {memory: 320Mi}, deletionPolicy: Delete}"),
        done: settled,
    },
    Scenario { name: "delete", spec: None, done: Value::is_null },
];

/// Whether the object of the manifest in force is where the scenario leads.
fn arrived(sea: &Sea, scenario: &Scenario, manifest: &str) -> bool {
    let output = sea.cli(&["get", "postgres/a", "-o", "json"]);
    let object: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    if scenario.spec.is_none() {
        // Not found is an answer; no answer is not.
        return object.is_null() && String::from_utf8_lossy(&output.stderr).contains("not found");
    }
    let stopped_in_force = object["spec"]["stopped"].as_bool().unwrap_or(false);
    object["status"]["observedGeneration"] == object["metadata"]["generation"]
        && stopped_in_force == manifest.contains("stopped: true")
        && same(&object["spec"]["version"], manifest, "version: ")
        && same(&object["spec"]["resources"]["memory"], manifest, "memory: ")
        && (scenario.done)(&object["status"])
}

/// Whether the manifest's text says this value after this word.
fn same(value: &Value, manifest: &str, word: &str) -> bool {
    let said = manifest.split(word).nth(1).unwrap_or_default();
    let said = said.split([',', '}']).next().unwrap_or_default();
    value.as_str() == Some(said.trim_matches('\''))
}

/// The port is pinned: that of `auto` may be lost to another installation, and a retry is a step more.
fn write(sea: &Sea, scenario: &Scenario, port: u16) -> String {
    let Some(spec) = scenario.spec else {
        fs::remove_file(sea.manifests.join("a.yaml")).unwrap();
        return String::new();
    };
    let head = "apiVersion: seawall.dev/v1\nkind: Postgres\nmetadata:\n  name: a\n  annotations: {seawall.dev/confirm-delete: a}\n";
    let spec = spec.replacen('{', &format!("{{port: {port}, "), 1);
    let text = format!("{head}spec: {spec}\n");
    sea.write("a.yaml", &text);
    text
}

/// Runs one scenario with a crash point; true when the process died at it.
fn crashed(sea: &mut Sea, scenario: &Scenario, port: u16, point: &str) -> bool {
    let manifest = write(sea, scenario, port);
    sea.run_with(&[("SEAWALL_CRASH_AT", point)]);
    let start = Instant::now();
    let crashed = loop {
        if sea.died() {
            break true;
        }
        if arrived(sea, scenario, &manifest) && !sea.died() {
            break false;
        }
        assert!(start.elapsed() < *PATIENCE, "{} {point}: neither\n{}", scenario.name, tail(sea));
        std::thread::sleep(Duration::from_millis(150));
    };
    if crashed {
        sea.run();
    }
    wait_for(&format!("{} {point}: not done after the crash\n{}", scenario.name, tail(sea)), || {
        arrived(sea, scenario, &manifest).then_some(())
    });
    sea.stop();
    crashed
}

fn tail(sea: &Sea) -> String {
    let log = sea.log();
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}

/// All that may be there after each scenario, and that a login with the one password works.
fn check(sea: &Sea, scenario: &Scenario, password: &mut Option<String>, kept: &mut bool, at: &str) {
    let here = format!("{} {at}", scenario.name);
    let label = format!("label=seawall.dev/installation={}", sea.installation);
    if scenario.spec.is_none() {
        assert!(
            sea.containers().is_empty() && sea.volumes().is_empty(),
            "{here}: {:?} {:?}",
            sea.containers(),
            sea.volumes()
        );
        return;
    }
    // All of the installation, probes of images too.
    assert_eq!(sea.containers(), [sea.container("a")], "{here}");
    assert_eq!(sea.volumes(), [sea.volume("a")], "{here}");
    assert_eq!(docker(&["network", "ls", "-q", "--filter", &label]).lines().count(), 1, "{here}");
    let now = sea.password("a");
    assert!(now.len() >= 28, "{here}");
    assert_eq!(*password.get_or_insert_with(|| now.clone()), now, "{here}: another password");
    if scenario.name == "stop" {
        assert_eq!(sea.inspect("a")["State"]["Running"], false, "{here}");
        assert_eq!(sea.inspect("a")["State"]["ExitCode"], 0, "{here}");
        assert_eq!(sea.inspect("a")["HostConfig"]["RestartPolicy"]["Name"], "no", "{here}");
        return;
    }
    if *kept {
        assert_eq!(sea.sql("a", "SELECT n FROM kept"), "1", "{here}");
    } else {
        sea.sql("a", "CREATE TABLE kept AS SELECT 1 AS n");
        *kept = true;
    }
    let inspect = sea.inspect("a");
    let memory = if scenario.name == "create" { 256 << 20 } else { 320 << 20_u64 };
    assert_eq!(inspect["HostConfig"]["Memory"], memory, "{here}");
    assert_eq!(inspect["HostConfig"]["RestartPolicy"]["Name"], "always", "{here}");
    let emptied = docker(&["exec", "-u", "root", &sea.container("a"), "cat", "/etc/seawall/password"]);
    assert_eq!(emptied, "", "{here}: the password file");
}

/// Scenario → the smallest crash point that it did not reach: it has fewer steps.
type Through = Mutex<BTreeMap<&'static str, u32>>;

/// All scenarios that have an n-th step.
fn walk(n: u32, moment: &str, through: &Through) {
    let point = format!("{n}:{moment}");
    let mut sea = Sea::new();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (mut password, mut kept) = (None, false);
    for scenario in &SCENARIOS {
        let known = through.lock().unwrap().get(scenario.name).copied();
        // Everything begins with a creation, and a start with a stop.
        let needed = match scenario.name {
            "create" => true,
            "stop" => through.lock().unwrap().get("start").is_none_or(|through| *through >= n),
            _ => false,
        };
        if known.is_some_and(|through| through < n) && !needed {
            continue;
        }
        if !crashed(&mut sea, scenario, port, &point) {
            let mut through = through.lock().unwrap();
            let smallest = through.entry(scenario.name).or_insert(n);
            *smallest = n.min(*smallest);
        }
        check(&sea, scenario, &mut password, &mut kept, &point);
    }
}

#[test]
fn killed_before_or_after_any_step_it_converges_without_duplicate_orphan_or_lost_password() {
    let (through, next) = (Through::default(), AtomicU32::new(0));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while through.lock().unwrap().len() < SCENARIOS.len() {
                    let i = next.fetch_add(1, Ordering::Relaxed);
                    assert!(i < 40, "some scenario has no end: {through:?}");
                    walk(i / 2 + 1, if i % 2 == 0 { "before" } else { "after" }, &through);
                }
            });
        }
    });
    let through = through.into_inner().unwrap();
    let steps: Vec<(&str, u32)> = SCENARIOS.iter().map(|s| (s.name, through[s.name] - 1)).collect();
    eprintln!("steps that were crashed: {steps:?}");
    for (scenario, steps) in steps {
        let least = match scenario {
            "create" => 8,
            "re-create" => 5,
            "delete" => 4,
            _ => 1,
        };
        assert!(steps >= least, "{scenario} has only {steps} steps: were the crash points reached?");
    }
}
