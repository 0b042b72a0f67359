//! Caps change on the running container, in the engine's and the kernel's own numbers.

use crate::harness::{Sea, condition};
use crate::kinds::{Kind, tests};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

tests!(
    caps_are_raised_lowered_and_removed_live,
    caps_that_change_while_stopped_hold_at_the_next_start,
    a_cap_is_lowered_as_soon_as_it_is_raised,
    a_cap_below_what_is_in_use_is_refused_with_both_numbers,
);

const MI: i64 = 1 << 20;

/// What the kernel enforces, read inside the container.
fn kernel_limit(sea: &Sea, name: &str) -> i64 {
    let files =
        "cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.max";
    let text = sea.docker(&["exec", &sea.container(name), "sh", "-c", files]);
    // v1 writes no limit as a huge number, v2 as a word.
    text.trim().parse().unwrap_or(i64::MAX)
}

fn engine(sea: &Sea, name: &str) -> (i64, i64, i64) {
    let host = sea.inspect(name)["HostConfig"].clone();
    let number = |key: &str| host[key].as_i64().unwrap();
    (number("Memory"), number("MemorySwap"), number("NanoCpus"))
}

fn same_run(a: &Value, b: &Value) {
    assert_eq!(a["container"]["id"], b["container"]["id"]);
    assert_eq!(a["container"]["startedAt"], b["container"]["startedAt"]);
}

fn in_sync(status: &Value) {
    assert_eq!(status["resources"]["inSync"], true, "{status:#}");
    assert_eq!(status["resources"]["desired"], status["resources"]["applied"]);
    assert_eq!(condition(status, "ResourcesInSync").0, "True");
}

fn caps_are_raised_lowered_and_removed_live(kind: &dyn Kind) {
    let sea = Sea::start_of(kind);
    let a = &kind.object("a");
    sea.put(a, &kind.spec("resources: {memory: 256Mi}"));
    let first = sea.ready(a);
    in_sync(&first);
    assert_eq!(engine(&sea, a), (256 * MI, 256 * MI, 0), "no swap beside the memory");
    assert_eq!(kernel_limit(&sea, a), 256 * MI);

    for (spec, memory, total, nano, applied) in [
        // Raised, with swap as an extra above it.
        (
            "{memory: 512Mi, swap: 128Mi, cpus: 1.5}",
            512,
            640,
            1_500_000_000,
            json!({"memory": "512Mi", "swap": "128Mi", "cpus": "1.5"}),
        ),
        // Lowered; swap and CPUs removed... a limit of all CPUs is none.
        ("{memory: 192Mi}", 192, 192, 0, json!({"memory": "192Mi", "swap": null, "cpus": null})),
        (
            "{memory: 192Mi, cpus: 500m}",
            192,
            192,
            500_000_000,
            json!({"memory": "192Mi", "swap": null, "cpus": "0.5"}),
        ),
    ] {
        sea.put(a, &kind.spec(&format!("resources: {spec}")));
        let status = sea.ready(a);
        same_run(&first, &status);
        assert_eq!(status["resources"]["desired"], applied, "{spec}");
        assert_eq!(status["resources"]["inSync"], true, "{status:#}");
        let (m, t, n) = engine(&sea, a);
        assert_eq!((m, t), (memory * MI, total * MI), "{spec}");
        let all =
            i64::from(std::thread::available_parallelism().map_or(1, |n| n.get() as i32)) * 1_000_000_000;
        assert!(n == nano || (nano == 0 && n >= all), "{spec}: {n}");
        assert_eq!(kernel_limit(&sea, a), memory * MI, "{spec}");
    }

    sea.put(a, &kind.spec(""));
    let status = sea.ready(a);
    same_run(&first, &status);
    assert_eq!(status["resources"]["desired"], json!({"memory": null, "swap": null, "cpus": null}));
    in_sync(&status);
    assert!(kernel_limit(&sea, a) > (1 << 50), "the kernel has a limit: {}", kernel_limit(&sea, a));
    assert!(sea.lets_in(a, &sea.password(a)));
    sea.event("ResourcesUpdated", "memory");

    // From no limit to one, and a preset.
    sea.put(a, &kind.spec("size: small, resources: {cpus: 0.25}"));
    let status = sea.ready(a);
    same_run(&first, &status);
    in_sync(&status);
    assert_eq!(status["resources"]["applied"], json!({"memory": "1Gi", "swap": null, "cpus": "0.25"}));
    assert_eq!(kernel_limit(&sea, a), 1024 * MI);
}

fn caps_that_change_while_stopped_hold_at_the_next_start(kind: &dyn Kind) {
    let sea = Sea::start_of(kind);
    let a = &kind.object("a");
    sea.put(a, &kind.spec("resources: {memory: 256Mi}"));
    let before = sea.ready(a);
    sea.put(a, &kind.spec("resources: {memory: 256Mi}, stopped: true"));
    sea.until_condition(a, "Ready", "False", "Stopped");
    sea.put(a, &kind.spec("resources: {memory: 320Mi, cpus: 0.5}, stopped: true"));
    sea.until_condition(a, "Ready", "False", "Stopped");
    sea.put(a, &kind.spec("resources: {memory: 320Mi, cpus: 0.5}"));
    let after = sea.ready(a);
    assert_eq!(before["container"]["id"], after["container"]["id"]);
    in_sync(&after);
    assert_eq!(engine(&sea, a), (320 * MI, 320 * MI, 500_000_000));
    assert_eq!(kernel_limit(&sea, a), 320 * MI);
}

fn a_cap_is_lowered_as_soon_as_it_is_raised(kind: &dyn Kind) {
    let sea = Sea::start_of(kind);
    let a = &kind.object("a");
    sea.put(a, &kind.spec("resources: {memory: 512Mi}"));
    sea.ready(a);
    let set = |memory: &str| {
        let began = Instant::now();
        sea.put(a, &kind.spec(&format!("resources: {{memory: {memory}}}")));
        loop {
            let status = sea.status(a);
            if status["runtime"][0]["limits"]["applied"]["memory"] == memory {
                return began.elapsed();
            }
            assert!(began.elapsed() < Duration::from_secs(60), "{status:#}");
            std::thread::sleep(Duration::from_millis(10));
        }
    };
    let (mut down, mut up) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        down.push(set("384Mi"));
        up.push(set("512Mi"));
    }
    down.sort();
    up.sort();
    assert!(down[2] < up[2] + Duration::from_millis(300), "down {down:?}, up {up:?}");
}

fn a_cap_below_what_is_in_use_is_refused_with_both_numbers(kind: &dyn Kind) {
    let sea = Sea::start_of(kind);
    let a = &kind.object("a");
    sea.put(a, &kind.spec("resources: {memory: 512Mi}"));
    let before = sea.ready(a);
    // 200 MB that cannot be reclaimed: tail keeps what it reads until the pipe ends.
    let hog = "(head -c 200000000 /dev/zero; sleep 600) | tail -c 200000000 >/dev/null";
    sea.docker(&["exec", "-d", &sea.container(a), "sh", "-c", hog]);
    let used = "tail=$(pidof tail) && awk '/VmRSS/ {print $2}' /proc/$tail/status";
    for _ in 0..300 {
        let kilobytes = sea.docker(&["exec", &sea.container(a), "sh", "-c", &format!("{used} || echo 0")]);
        if kilobytes.trim().parse::<u64>().unwrap_or(0) > 190_000 {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }

    sea.put(a, &kind.spec("resources: {memory: 128Mi}"));
    let words = sea.until_condition(a, "ResourcesInSync", "False", "LimitBelowUse");
    let in_use: i64 = words
        .split_once("below the ")
        .and_then(|(_, rest)| rest.split_once("Mi in use"))
        .and_then(|(number, _)| number.parse().ok())
        .unwrap_or_else(|| panic!("no number in {words:?}"));
    assert!(words.contains("128Mi") && (190..512).contains(&in_use), "{words}");
    let status = sea.status(a);
    assert_eq!(condition(&status, "Ready").0, "True");
    assert_eq!(condition(&status, "Degraded").1, "LimitBelowUse");
    assert_eq!(status["resources"]["inSync"], false);
    assert_eq!(status["resources"]["applied"]["memory"], "512Mi");
    assert_eq!(engine(&sea, a).0, 512 * MI);

    // Forced: the engine (cgroup v1) refuses in its turn; the condition says so.
    sea.put(a, &kind.spec("resources: {memory: 128Mi, force: true}"));
    let status = sea.until(a, "refused by the engine, or done", |s| {
        s["resources"]["inSync"] == true || condition(s, "Degraded").2.contains("set caps of")
    });
    if status["resources"]["inSync"] == false {
        assert_eq!(condition(&status, "Degraded").1, "LimitBelowUse", "{status:#}");
        assert_eq!(condition(&status, "ResourcesInSync").0, "False");
        assert_eq!(condition(&status, "Ready").0, "True");
        assert_eq!(status["resources"]["applied"]["memory"], "512Mi");
        same_run(&before, &status);
    }
    // When the memory is free again the same manifest takes effect.
    sea.docker(&["exec", &sea.container(a), "sh", "-c", "kill $(pidof tail) $(pidof head) || true"]);
    let status =
        sea.until(a, "lowered", |s| s["resources"]["inSync"] == true && condition(s, "Ready").0 == "True");
    same_run(&before, &status);
    assert_eq!(kernel_limit(&sea, a), 128 * MI);
    assert_ne!(condition(&status, "Degraded").0, "True");
}
