//! The engine goes away and comes back, in every way: nothing is forgotten, nothing is made twice.

use super::engine::OwnEngine;
use super::harness::{Sea, condition, image, wait_for};

fn unknown(sea: &Sea, name: &str) {
    let status = sea.until(name, "unknown", |s| condition(s, "Ready").1 == "EngineUnavailable");
    let (truth, _, words) = condition(&status, "Ready");
    assert_eq!(truth, "Unknown", "{words}");
    assert!(words.starts_with("unknown since 20"), "{words}");
    let list = sea.cli(&["get"]);
    let warned = String::from_utf8_lossy(&list.stderr).into_owned();
    assert!(warned.contains("the Docker engine does not answer since"), "{warned}");
}

fn running(sea: &Sea, name: &str) -> bool {
    sea.inspect(name)["State"]["Running"] == true
}

#[test]
fn an_engine_that_is_down_stopped_or_killed_costs_nothing_but_time() {
    let mut engine = OwnEngine::new();
    engine.start();
    engine.load(&[&image("18")]);
    engine.stop();
    let mut sea = engine.sea();
    sea.postgres("a", "{version: '18'}");

    // Down when the operator starts.
    sea.run();
    unknown(&sea, "a");
    engine.start();
    let first = sea.ready("a");
    sea.event("EngineAvailable", "it was away since");
    assert_eq!(sea.containers(), [sea.container("a")]);
    assert_eq!(sea.volumes(), [sea.volume("a")]);
    sea.sql("a", "CREATE TABLE kept AS SELECT 1 AS n");
    sea.postgres("asleep", "{version: '18'}");
    sea.ready("asleep");
    sea.postgres("asleep", "{version: '18', stopped: true}");
    sea.until_condition("asleep", "Ready", "False", "Stopped");
    let port = sea.host_port("a");

    // Stopped while it runs, as by a service restart; then killed.
    for kill in [false, true] {
        if kill {
            engine.kill();
        } else {
            engine.stop();
        }
        unknown(&sea, "a");
        unknown(&sea, "asleep");
        engine.start();
        wait_for("the engine to be back", || {
            (condition(&sea.status("a"), "Ready").0 != "Unknown").then_some(())
        });
        let again = sea.ready("a");
        assert_eq!(again["container"]["id"], first["container"]["id"], "killed: {kill}");
        assert_eq!(sea.host_port("a"), port);
        assert_eq!(sea.sql("a", "SELECT n FROM kept"), "1");
        sea.until_condition("asleep", "Ready", "False", "Stopped");
        assert!(!running(&sea, "asleep"), "killed: {kill}");
        assert_eq!(sea.inspect("a")["HostConfig"]["RestartPolicy"]["Name"], "always");
        assert_eq!(sea.containers(), [sea.container("a"), sea.container("asleep")]);
        assert_eq!(sea.volumes(), [sea.volume("a"), sea.volume("asleep")]);
    }

    // Without an operator: what should run is brought back by the engine alone, what should not is not.
    sea.stop();
    engine.stop();
    engine.start();
    wait_for("the engine to bring it back", || running(&sea, "a").then_some(()));
    assert!(!running(&sea, "asleep"));
    sea.run();
    // Until the first pass the status is the stored one.
    wait_for("a login", || sea.try_sql("a", "SELECT 1").status.success().then_some(()));
    sea.ready("a");
    assert_eq!(sea.status("a")["container"]["id"], first["container"]["id"]);
    assert_eq!(sea.sql("a", "SELECT n FROM kept"), "1");

    // The same container wakes up again.
    let slept = sea.inspect("asleep")["Id"].clone();
    sea.postgres("asleep", "{version: '18'}");
    assert_eq!(sea.ready("asleep")["container"]["id"], slept);
}
