//! `kill -9` at every step: the operator dies just before or just after each step that it applies,
//! starts again, and must arrive at one container, one volume, the same password, and nothing else.
//!
//! One service goes through the scenarios for one crash point; the points end when every scenario has
//! run through without reaching its point.

use super::harness::{PATIENCE, Sea, condition, docker, manifest, wait_for};
use crate::kinds::{Kind, tests};
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
    /// Which of the kind's versions, and what more is in the spec.
    spec: Option<(usize, String)>,
    done: fn(&Value) -> bool,
}

fn settled(status: &Value) -> bool {
    condition(status, "Ready").0 == "True" && condition(status, "Progressing").0 == "False"
}

fn stopped(status: &Value) -> bool {
    condition(status, "Ready").1 == "Stopped"
}

fn scenarios(kind: &dyn Kind) -> [Scenario; 6] {
    let live = kind.live();
    let parameters = format!(", parameters: {{{}: {}}}", live.name, live.values[0]);
    let scenario = |name, version, memory: &str, more: &str, done| Scenario {
        name,
        spec: Some((version, format!("resources: {{memory: {memory}}}{more}, deletionPolicy: Delete"))),
        done,
    };
    [
        scenario("create", 0, "256Mi", "", settled as fn(&Value) -> bool),
        scenario("cap change", 0, "320Mi", &parameters, settled),
        scenario("re-create", 1, "320Mi", &parameters, settled),
        scenario("stop", 1, "320Mi", ", stopped: true", stopped),
        scenario("start", 1, "320Mi", "", settled),
        Scenario { name: "delete", spec: None, done: Value::is_null },
    ]
}

/// One service, and what must stay the same of it.
struct Walk<'a> {
    kind: &'a dyn Kind,
    sea: Sea,
    object: String,
    port: u16,
    password: Option<String>,
    kept: bool,
}

/// Whether the object of the manifest in force is where the scenario leads.
fn arrived(walk: &Walk<'_>, scenario: &Scenario, manifest: &str) -> bool {
    let output = walk.sea.cli(&["get", &walk.object, "-o", "json"]);
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
fn write(walk: &Walk<'_>, scenario: &Scenario) -> String {
    let Some((version, more)) = &scenario.spec else {
        fs::remove_file(walk.sea.manifests.join("a.yaml")).unwrap();
        return String::new();
    };
    let kind = walk.kind;
    let spec = kind.spec_of(kind.versions()[*version], &format!("port: {}, {more}", walk.port));
    let text = manifest(&walk.object, "seawall.dev/confirm-delete: a", &spec);
    walk.sea.write("a.yaml", &text);
    text
}

/// Runs one scenario with a crash point; true when the process died at it.
fn crashed(walk: &mut Walk<'_>, scenario: &Scenario, point: &str) -> bool {
    let manifest = write(walk, scenario);
    walk.sea.run_with(&[("SEAWALL_CRASH_AT", point)]);
    let start = Instant::now();
    let crashed = loop {
        if walk.sea.died() {
            break true;
        }
        if arrived(walk, scenario, &manifest) && !walk.sea.died() {
            break false;
        }
        assert!(start.elapsed() < *PATIENCE, "{} {point}: neither\n{}", scenario.name, tail(&walk.sea));
        std::thread::sleep(Duration::from_millis(150));
    };
    if crashed {
        walk.sea.run();
    }
    wait_for(&format!("{} {point}: not done after the crash\n{}", scenario.name, tail(&walk.sea)), || {
        arrived(walk, scenario, &manifest).then_some(())
    });
    walk.sea.stop();
    crashed
}

fn tail(sea: &Sea) -> String {
    let log = sea.log();
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}

/// All that may be there after each scenario, and that a login with the one password works.
fn check(walk: &mut Walk<'_>, scenario: &Scenario, at: &str) {
    let (sea, a) = (&walk.sea, walk.object.as_str());
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
    assert_eq!(sea.containers(), [sea.container(a)], "{here}");
    assert_eq!(sea.volumes(), [sea.volume(a)], "{here}");
    assert_eq!(docker(&["network", "ls", "-q", "--filter", &label]).lines().count(), 1, "{here}");
    let now = sea.password(a);
    assert!(now.len() >= 28, "{here}");
    assert_eq!(*walk.password.get_or_insert_with(|| now.clone()), now, "{here}: another password");
    if scenario.name == "stop" {
        assert_eq!(sea.inspect(a)["State"]["Running"], false, "{here}");
        assert_eq!(sea.inspect(a)["State"]["ExitCode"], 0, "{here}");
        assert_eq!(sea.inspect(a)["HostConfig"]["RestartPolicy"]["Name"], "no", "{here}");
        return;
    }
    if walk.kept {
        assert_eq!(sea.kept(a), [1], "{here}");
    } else {
        sea.keep(a, 1);
        walk.kept = true;
    }
    let inspect = sea.inspect(a);
    let memory = if scenario.name == "create" { 256 << 20 } else { 320 << 20_u64 };
    assert_eq!(inspect["HostConfig"]["Memory"], memory, "{here}");
    assert_eq!(inspect["HostConfig"]["RestartPolicy"]["Name"], "always", "{here}");
    if let Some(file) = walk.kind.spent_secret() {
        let emptied = docker(&["exec", "-u", "root", &sea.container(a), "cat", file]);
        assert_eq!(emptied, "", "{here}: the password file");
    }
}

/// Scenario → the smallest crash point that it did not reach: it has fewer steps.
type Through = Mutex<BTreeMap<&'static str, u32>>;

/// All scenarios that have an n-th step.
fn walk(kind: &dyn Kind, n: u32, moment: &str, through: &Through) {
    let point = format!("{n}:{moment}");
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let sea = Sea::of(kind);
    let mut walk = Walk { kind, sea, object: kind.object("a"), port, password: None, kept: false };
    for scenario in &scenarios(kind) {
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
        if !crashed(&mut walk, scenario, &point) {
            let mut through = through.lock().unwrap();
            let smallest = through.entry(scenario.name).or_insert(n);
            *smallest = n.min(*smallest);
        }
        check(&mut walk, scenario, &point);
    }
}

tests!(killed_before_or_after_any_step_it_converges_without_duplicate_orphan_or_lost_password);

fn killed_before_or_after_any_step_it_converges_without_duplicate_orphan_or_lost_password(kind: &dyn Kind) {
    let (through, next) = (Through::default(), AtomicU32::new(0));
    let all = scenarios(kind);
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while through.lock().unwrap().len() < all.len() {
                    let i = next.fetch_add(1, Ordering::Relaxed);
                    assert!(i < 40, "some scenario has no end: {through:?}");
                    walk(kind, i / 2 + 1, if i % 2 == 0 { "before" } else { "after" }, &through);
                }
            });
        }
    });
    let through = through.into_inner().unwrap();
    let steps: Vec<(&str, u32)> = all.iter().map(|s| (s.name, through[s.name] - 1)).collect();
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
