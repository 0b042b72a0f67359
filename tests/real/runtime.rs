//! What is said of containers on the real engine: what killed them, what killed processes in them, and what they use.

use crate::harness::{Sea, condition, is_degraded, signal};
use crate::kinds::{Kind, tests};
use serde_json::Value;
use std::time::{Duration, Instant};

tests!(
    a_server_that_is_killed_again_and_again_is_counted_and_is_a_loop,
    a_server_that_the_kernel_killed_for_memory_is_said_to_be,
    a_process_that_the_kernel_killed_is_told_from_the_server,
    what_is_used_is_told_of_an_idle_and_of_a_busy_one,
);

fn runtime(status: &Value) -> &Value {
    assert_eq!(status["runtime"].as_array().map(Vec::len), Some(1), "{status:#}");
    &status["runtime"][0]
}

fn a_server_that_is_killed_again_and_again_is_counted_and_is_a_loop(kind: &dyn Kind) {
    let sea = Sea::start_of(kind);
    let a = &kind.object("a");
    sea.put(a, &kind.spec("resources: {memory: 512Mi}"));
    let first = sea.ready(a);
    let told = runtime(&first);
    let engine = sea.inspect(a);
    assert_eq!(told["container_name"], sea.container(a));
    assert_eq!((&told["container_id"], &told["image_id"]), (&engine["Id"], &engine["Image"]));
    assert_eq!((&told["started_at"], &told["status"]), (&engine["State"]["StartedAt"], &"running".into()));
    assert_eq!((&told["restart_count"], &told["oom_killed"]), (&0.into(), &false.into()));
    assert_eq!(told["image"], first["image"]["reference"]);
    assert_eq!(
        (&told["limits"]["applied"]["memory"], &told["limits"]["drift"]),
        (&"512Mi".into(), &false.into())
    );
    for n in 1..=3 {
        assert_ne!(sea.condition(a, "Degraded").0, "True", "{n}");
        signal("-9", &[sea.server(a)]);
        let status = sea.until(a, "counted", |s| {
            s["runtime"][0]["restart_count"] == n && condition(s, "Ready").0 == "True"
        });
        assert_eq!(runtime(&status)["finished_at"], sea.inspect(a)["State"]["FinishedAt"]);
    }
    let words = sea.until_condition(a, "Degraded", "True", "CrashLoop");
    assert!(words.contains("the container died 3 times between 20"), "{words}");
    assert_eq!(sea.condition(a, "Ready").0, "True");
}

/// Takes more memory than there is, in a process of its own; returns when that has ended.
fn hog(sea: &Sea, a: &str) {
    let name = sea.container(a);
    // What tail reads it keeps, as there is no line in it.
    let arguments = ["exec", &name, "sh", "-c", "head -c 900000000 /dev/zero | tail -c 900000000 >/dev/null"];
    std::process::Command::new("docker").args(arguments).output().unwrap();
}

fn a_server_that_the_kernel_killed_for_memory_is_said_to_be(kind: &dyn Kind) {
    let sea = Sea::start_of(kind);
    let a = &kind.object("a");
    sea.put(a, &kind.spec("resources: {memory: 192Mi}"));
    let first = sea.ready(a);
    // The server is the one that the kernel prefers.
    std::fs::write(format!("/proc/{}/oom_score_adj", sea.server(a)), "1000").unwrap();
    hog(&sea, a);
    // Before it is up again, that it dies is said in other words.
    let status = sea.until(a, "said of what is up again", |s| {
        let (_, reason, words) = condition(s, "Degraded");
        reason == "OutOfMemory" && words.contains("killed the server for want of memory once, at 20")
    });
    let words = condition(&status, "Degraded").2;
    assert!(words.contains("the memory limit is 192Mi: raise resources.memory"), "{words}");
    let status = sea.ready(a);
    assert_eq!(runtime(&status)["restart_count"], 1);
    assert_ne!(runtime(&status)["started_at"], runtime(&first)["started_at"]);
    sea.event("OutOfMemory", "want of memory");
    let described = sea.ok(&["describe", a]);
    assert!(described.contains("OutOfMemory") && described.contains("OOM KILLED"), "{described}");
    // More memory is the answer to it.
    sea.put(a, &kind.spec("resources: {memory: 512Mi}"));
    sea.until(a, "answered", |s| condition(s, "Ready").0 == "True" && !is_degraded(s));
}

fn a_process_that_the_kernel_killed_is_told_from_the_server(kind: &dyn Kind) {
    let sea = Sea::start_of(kind);
    let a = &kind.object("a");
    sea.put(a, &kind.spec("resources: {memory: 192Mi}"));
    let first = sea.ready(a);
    hog(&sea, a);
    let words = sea.until_condition(a, "Degraded", "True", "ProcessOutOfMemory");
    assert!(words.contains("the container itself lives on"), "{words}");
    let status = sea.ready(a);
    for field in ["started_at", "restart_count"] {
        assert_eq!(runtime(&status)[field], runtime(&first)[field]);
    }
    // Where the kernel shows it to us.
    let kills = &runtime(&status)["oom_kills"];
    assert!(kills.is_null() || kills.as_u64() >= Some(1), "{kills}");
}

#[test]
fn a_backend_that_the_kernel_killed_is_told_from_the_server() {
    let sea = Sea::start();
    sea.put("a", "{version: '18', resources: {memory: 192Mi}}");
    let first = sea.ready("a");
    assert!(!sea.try_sql("a", "select length(repeat('x', 900000000))").status.success());
    let words = sea.until_condition("a", "Degraded", "True", "ProcessOutOfMemory");
    assert!(words.contains("once, at 20"), "{words}");
    let status = sea.ready("a");
    assert_eq!(runtime(&status)["started_at"], runtime(&first)["started_at"]);
    assert_eq!(sea.sql("a", "select 1"), "1");
}

fn used(sea: &Sea, a: &str) -> Value {
    let all: Value = serde_json::from_str(&sea.ok(&["top", a, "-o", "json"])).unwrap();
    all["items"][0]["members"][0].clone()
}

fn what_is_used_is_told_of_an_idle_and_of_a_busy_one(kind: &dyn Kind) {
    let sea = Sea::start_of(kind);
    let a = &kind.object("a");
    sea.put(a, &kind.spec("resources: {memory: 512Mi, cpus: 0.5}"));
    sea.ready(a);
    let (began, idle) = (Instant::now(), [used(&sea, a), used(&sea, a), used(&sea, a)]);
    let took = began.elapsed();
    for seen in &idle {
        assert!(seen["cpu_percent"].as_f64().is_some_and(|percent| percent < 60.0), "{idle:#?}");
        assert_eq!((&seen["cpu_of"], &seen["cpu_limit_cores"]), (&"cap".into(), &0.5.into()));
        assert_eq!(
            (&seen["memory_of"], &seen["memory_limit_bytes"]),
            (&"cap".into(), &(512u64 << 20).into())
        );
    }
    let memory = |seen: &Value| seen["memory_usage_bytes"].as_u64().unwrap();
    let container = sea.container(a);
    let inside = |script: &str| sea.docker(&["exec", "-u", "0", &container, "sh", "-c", script]);
    // Read and written, but not used.
    inside("head -c 150000000 /dev/zero > /tmp/file && cat /tmp/file > /dev/null && sync");
    let cached = used(&sea, a);
    assert!(memory(&cached) < memory(&idle[0]) + (60 << 20), "page cache counts: {idle:#?} {cached:#}");
    inside("rm /tmp/file");
    sea.docker(&["exec", "-d", &container, "sh", "-c", "timeout 60 sh -c 'while :; do :; done'"]);
    let busy = (0..40).find_map(|_| {
        std::thread::sleep(Duration::from_millis(500));
        let seen = used(&sea, a);
        seen["cpu_percent"].as_f64().is_some_and(|percent| (60.0..140.0).contains(&percent)).then_some(seen)
    });
    assert!(busy.is_some(), "{:#}", used(&sea, a));
    let table = sea.ok(&["top"]);
    assert!(table.starts_with("NAME") && table.contains("% of cap") && table.contains("/ 512Mi"), "{table}");
    assert!(took < Duration::from_secs(9), "three questions took {took:?}");
}
