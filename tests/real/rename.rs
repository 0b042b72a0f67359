//! `seawall rename` on a real server: the same data, volume, port and password under another name.

use super::harness::{Sea, condition, docker, postgres, text, wait_for};

const SPEC: &str = "{version: '18', database: shop, resources: {memory: 256Mi}}";

#[test]
fn a_database_takes_another_name_and_keeps_volume_port_and_password() {
    let mut sea = Sea::start();
    sea.write("shop.yaml", &postgres("old", SPEC));
    sea.postgres("stays", "{version: '18', stopped: true}");
    sea.ready("old");
    let (port, password, volume) = (sea.host_port("old"), sea.password("old"), sea.volume("old"));
    sea.sql("old", "CREATE TABLE kept AS SELECT 42 AS answer");
    let system = sea.status("old")["server"]["systemIdentifier"].clone();

    // As it would be tried first: before the manifest says so, and with a name that is in use.
    let refused = text(&sea.cli(&["rename", "postgres/old", "postgres/new"]));
    assert!(refused.contains("postgres/old has a manifest in shop.yaml"), "{refused}");
    assert!(refused.contains("write `name: new` there"), "{refused}");

    sea.write("shop.yaml", &postgres("new", SPEC));
    let advice = sea.until_condition("new", "Degraded", "True", "ProbablyRenamed");
    assert!(advice.contains("seawall rename postgres/old postgres/new"), "{advice}");
    let said = sea.ok(&["rename", "postgres/old", "postgres/new"]);
    assert!(said.contains(&sea.container("new")), "{said}");
    sea.ok(&["wait", "postgres/new", "--for=condition=Ready", "--timeout=90s"]);
    let status = sea.ready("new");
    assert_eq!((sea.host_port("new"), sea.password("new")), (port, password.clone()));
    assert_eq!(status["volume"]["name"], volume.as_str());
    assert_eq!(status["server"]["systemIdentifier"], system);
    assert_eq!(sea.sql("new", "SELECT answer FROM kept"), "42");
    assert!(sea.object("old").is_null());
    assert_eq!(sea.containers(), [sea.container("new")]);
    assert!(!text(&sea.cli(&["get"])).contains("removals are held back"));
    sea.event("Renamed", "postgres/old is postgres/new now");

    // The name is free again, for another database beside it.
    sea.write("again.yaml", &postgres("old", SPEC));
    sea.ready("old");
    assert_ne!(sea.host_port("old"), port);
    assert_eq!(sea.sql("old", "SELECT count(*) FROM pg_tables WHERE tablename = 'kept'"), "0");
    sea.sql("old", "CREATE TABLE other AS SELECT 1 AS n");

    // Both survive a restart of the operator and a re-create of their containers.
    sea.stop();
    docker(&["rm", "-f", &sea.container("new"), &sea.container("old")]);
    sea.run();
    sea.ready("new");
    sea.ready("old");
    assert_eq!(sea.sql("new", "SELECT answer FROM kept"), "42");
    assert_eq!(sea.sql("old", "SELECT n FROM other"), "1");

    // Without the store, containers and volumes still tell whose is whose.
    sea.stop();
    std::fs::rename(sea.data.join("store"), sea.root().join("lost")).unwrap();
    let _ = std::fs::remove_file(sea.data.join("store.id"));
    super::recover::recovered(&sea);
    sea.run();
    sea.ready("new");
    sea.ready("old");
    assert_eq!(sea.sql("new", "SELECT answer FROM kept"), "42");
    assert_eq!(sea.sql("old", "SELECT n FROM other"), "1");

    // Its data go with it, under the name that they have, and the other's stay.
    sea.remove("shop.yaml");
    sea.until("new", "retained", |s| condition(s, "Ready").1 == "Retained" && s["container"].is_null());
    sea.ok(&["delete", "postgres/new", "--confirm", "new"]);
    wait_for("the deletion", || sea.object("new").is_null().then_some(()));
    assert!(!sea.volumes().contains(&volume), "{:?}", sea.volumes());
    assert_eq!(sea.sql("old", "SELECT n FROM other"), "1");
}
