//! `seawall rename` on a real server: the same data, volume, port and password under another name.

use super::harness::{Sea, condition, docker, manifest, text, wait_for};
use crate::kinds::{Kind, tests};

tests!(a_database_takes_another_name_and_keeps_volume_port_and_password);

fn a_database_takes_another_name_and_keeps_volume_port_and_password(kind: &dyn Kind) {
    let mut sea = Sea::start_of(kind);
    let old = &kind.object("old");
    let new = &kind.object("new");
    let stays = &kind.object("stays");
    let spec = &kind.spec(&(kind.owned_by("owner", "shop") + ", resources: {memory: 256Mi}"));
    sea.write("shop.yaml", &manifest(old, "", spec));
    sea.put(stays, &kind.spec("stopped: true"));
    sea.ready(old);
    let (port, password, volume) = (sea.host_port(old), sea.password(old), sea.volume(old));
    sea.keep(old, 42);
    let system = kind.identifier(&sea.status(old));

    // As it would be tried first: before the manifest says so, and with a name that is in use.
    let refused = text(&sea.cli(&["rename", old, new]));
    assert!(refused.contains(&format!("{old} has a manifest in shop.yaml")), "{refused}");
    assert!(refused.contains("write `name: new` there"), "{refused}");

    sea.write("shop.yaml", &manifest(new, "", spec));
    let advice = sea.until_condition(new, "Degraded", "True", "ProbablyRenamed");
    assert!(advice.contains(&format!("seawall rename {old} {new}")), "{advice}");
    let said = sea.ok(&["rename", old, new]);
    assert!(said.contains(&sea.container(new)), "{said}");
    sea.ok(&["wait", new, "--for=condition=Ready", "--timeout=90s"]);
    let status = sea.ready(new);
    assert_eq!((sea.host_port(new), sea.password(new)), (port, password.clone()));
    assert_eq!(status["volume"]["name"], volume.as_str());
    assert_eq!(kind.identifier(&status), system);
    assert_eq!(sea.kept(new), [42]);
    assert!(sea.object(old).is_null());
    assert_eq!(sea.containers(), [sea.container(new)]);
    assert!(!text(&sea.cli(&["get"])).contains("removals are held back"));
    sea.event("Renamed", &format!("{old} is {new} now"));

    // The name is free again, for another database beside it.
    sea.write("again.yaml", &manifest(old, "", spec));
    sea.ready(old);
    assert_ne!(sea.host_port(old), port);
    sea.keep(old, 1);
    assert_eq!(sea.kept(old), [1], "other data");

    // Both survive a restart of the operator and a re-create of their containers.
    sea.stop();
    docker(&["rm", "-f", &sea.container(new), &sea.container(old)]);
    sea.run();
    sea.ready(new);
    sea.ready(old);
    assert_eq!(sea.kept(new), [42]);
    assert_eq!(sea.kept(old), [1]);

    // Without the store, containers and volumes still tell whose is whose.
    sea.stop();
    std::fs::rename(sea.data.join("store"), sea.root().join("lost")).unwrap();
    let _ = std::fs::remove_file(sea.data.join("store.id"));
    super::recover::recovered(&sea);
    sea.run();
    sea.ready(new);
    sea.ready(old);
    assert_eq!(sea.kept(new), [42]);
    assert_eq!(sea.kept(old), [1]);

    // Its data go with it, under the name that they have, and the other's stay.
    sea.remove("shop.yaml");
    sea.until(new, "retained", |s| condition(s, "Ready").1 == "Retained" && s["container"].is_null());
    sea.ok(&["delete", new, "--confirm", "new"]);
    wait_for("the deletion", || sea.object(new).is_null().then_some(()));
    assert!(!sea.volumes().contains(&volume), "{:?}", sea.volumes());
    assert_eq!(sea.kept(old), [1]);
}
