//! Figures over time of a real server, over a crash of Seawall.

use crate::harness::Sea;
use serde_json::Value;
use std::time::{Duration, Instant};

fn series(sea: &Sea, metric: &str) -> Vec<f64> {
    let output = sea.cli(&["history", "postgres/main", "--metric", metric, "--since", "1h", "-o", "json"]);
    let view: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let points = view["series"][0]["points"].as_array().cloned().unwrap_or_default();
    points.iter().filter_map(|point| point["mean"].as_f64()).collect()
}

#[test]
fn a_running_postgresql_gets_figures_that_outlive_a_crash_of_seawall() {
    let mut sea = Sea::start();
    sea.postgres("main", "{version: '18', resources: {memory: 512Mi, cpus: 1}}");
    sea.ready("main");
    let begun = Instant::now();
    // Two rounds: the first count of CPU makes no rate.
    while series(&sea, "cpu_cores").is_empty() || series(&sea, "wal_bytes").is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(120), "{}", sea.log());
        // What a busy server uses.
        sea.sql("main", "select count(*) from generate_series(1, 3000000)");
    }
    let top: Value = serde_json::from_str(&sea.ok(&["top", "postgres/main", "-o", "json"])).unwrap();
    let used = top["items"][0]["members"][0]["memory_usage_bytes"].as_f64().unwrap();
    let memory = *series(&sea, "memory_bytes").last().unwrap();
    assert!((4e6..used * 1.5).contains(&memory), "{memory} {used}");
    let cpu = series(&sea, "cpu_cores")[0];
    assert!((0.02..1.2).contains(&cpu), "{cpu}");
    assert!(series(&sea, "volume_free_bytes")[0] > 1e6 && series(&sea, "wal_bytes")[0] > 1e6);
    let list = sea.ok(&["history", "postgres/main"]);
    assert!(list.starts_with("METRIC") && list.contains("cpu_cores"), "{list}");
    let chart = sea.ok(&["history", "postgres/main", "--metric", "memory_bytes"]);
    assert!(chart.contains('┤') && chart.contains("last "), "{chart}");
    assert!(sea.ok(&["recommend", "postgres/main"]).contains("too early"));
    sea.kill();
    // By the store itself, with nobody to ask.
    assert!(!series(&sea, "wal_bytes").is_empty());
    let old = sea.ok(&["wal", "main"]);
    assert!(old.contains("STALE: it says nothing about now") && old.contains("WAL   "), "{old}");
    sea.run();
    assert!(!series(&sea, "cpu_cores").is_empty());
    sea.ready("main");
    sea.until("main", "looked at again", |status| status["walHealth"]["stale"] == false);
}
