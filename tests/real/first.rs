//! The thin line through every floor: a manifest becomes a container that accepts a login.

use crate::harness::{Sea, condition};

#[test]
fn a_manifest_becomes_a_ready_postgres() {
    let sea = Sea::start();
    sea.postgres("main", "{version: '18', database: appdb, username: appuser, parameters: {work_mem: 16MB}}");
    let status = sea.ready("main");
    assert_eq!(condition(&status, "Ready").1, "LoginSucceeded");
    assert_eq!(
        sea.sql("main", "SELECT current_user, current_database(), current_setting('work_mem')"),
        "appuser|appdb|16MB"
    );
    assert_eq!(status["image"]["managed"], true);
    assert_eq!(status["image"]["major"], 18);
    assert_eq!(status["volume"]["name"], sea.volume("main").as_str());
    assert_eq!(condition(&status, "ContinuousArchiving").1, "NotConfigured");
}

#[test]
fn parameters_and_caps_reach_a_running_server() {
    let sea = Sea::start();
    sea.postgres("a", "{version: '18', resources: {memory: 256Mi}}");
    let before = sea.ready("a");
    sea.postgres("a", "{version: '18', resources: {memory: 384Mi, cpus: 0.5}, parameters: {work_mem: 8MB}}");
    let after = sea.ready("a");
    assert_eq!(before["container"]["id"], after["container"]["id"]);
    assert_eq!(before["container"]["startedAt"], after["container"]["startedAt"]);
    assert_eq!(after["resources"]["applied"]["memory"], "384Mi");
    assert_eq!(sea.inspect("a")["HostConfig"]["NanoCpus"], 500_000_000);
    assert_eq!(sea.sql("a", "SHOW work_mem"), "8MB");
}
