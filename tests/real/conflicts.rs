//! Objects of our names that are not ours are never touched.

use super::harness::{Sea, docker};
use crate::kinds::{Kind, tests};
use std::process::Command;

tests!(
    a_container_of_our_name_that_is_not_ours_is_left_alone,
    a_volume_and_a_network_of_our_names_that_are_not_ours_are_left_alone,
    a_volume_with_the_labels_of_another_store_is_not_ours,
);

/// Somebody else's object; gone with the test.
pub struct Foreign(pub &'static [&'static str], pub String);

impl Foreign {
    fn remove(&self) {
        docker(&[self.0, &[self.1.as_str()]].concat());
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        let _ = Command::new("docker").args(self.0).arg(&self.1).output();
    }
}

fn a_container_of_our_name_that_is_not_ours_is_left_alone(kind: &dyn Kind) {
    let mut sea = Sea::of(kind);
    let a = &kind.object("a");
    let name = sea.container(a);
    docker(&[
        "run",
        "-d",
        "--init",
        "--name",
        &name,
        "--entrypoint=sleep",
        &kind.image(kind.versions()[0]),
        "3600",
    ]);
    let foreign = Foreign(&["rm", "-fv"], name.clone());
    let before = docker(&["inspect", &name]);
    sea.put(a, &kind.spec(""));
    sea.run();
    let why = sea.until_condition(a, "Degraded", "True", "NameConflict");
    assert!(why.contains(&format!("container {name} exists and is not ours")), "{why}");
    assert!(
        why.contains("has no label seawall.dev/installation") && why.contains("was not touched"),
        "{why}"
    );
    assert!(why.contains(&format!("docker rename {name} NAME")) && !why.contains("remove"), "{why}");
    let (ready, reason, _) = sea.condition(a, "Ready");
    assert_eq!((ready.as_str(), reason.as_str()), ("False", "NameConflict"));
    assert_eq!(docker(&["inspect", &name]), before);
    assert!(sea.volumes().is_empty(), "nothing of it was begun");
    foreign.remove();
    sea.ready(a);
}

fn a_volume_and_a_network_of_our_names_that_are_not_ours_are_left_alone(kind: &dyn Kind) {
    let mut sea = Sea::of(kind);
    let a = &kind.object("a");
    let (volume, network) = (sea.volume(a), format!("{}-seawall", sea.installation));
    docker(&["volume", "create", "--label", "whose=theirs", &volume]);
    let foreign_volume = Foreign(&["volume", "rm"], volume.clone());
    docker(&["network", "create", &network]);
    let foreign_network = Foreign(&["network", "rm"], network.clone());
    let before = (docker(&["volume", "inspect", &volume]), docker(&["network", "inspect", &network]));
    sea.put(a, &kind.spec(""));
    sea.run();
    let why = sea.until_condition(a, "Degraded", "True", "NameConflict");
    assert!(why.contains(&format!("volume {volume} exists and is not ours")), "{why}");
    assert!(why.contains("choose another name for this object") && !why.contains("remove"), "{why}");
    assert_eq!((docker(&["volume", "inspect", &volume]), docker(&["network", "inspect", &network])), before);
    assert!(sea.containers().is_empty());
    foreign_volume.remove();
    sea.until(a, "in conflict with the network", |status| {
        let (_, reason, message) = super::harness::condition(status, "Degraded");
        reason == "NameConflict" && message.starts_with(&format!("network {network} exists and is not ours"))
    });
    assert_eq!(docker(&["network", "inspect", &network]), before.1);
    foreign_network.remove();
    sea.ready(a);
}

/// The labels of another object of ours are not this one's either.
fn a_volume_with_the_labels_of_another_store_is_not_ours(kind: &dyn Kind) {
    let mut sea = Sea::of(kind);
    let a = &kind.object("a");
    let volume = sea.volume(a);
    let installation = format!("seawall.dev/installation={}", sea.installation);
    docker(&["volume", "create", "--label", &installation, "--label", "seawall.dev/store=other", &volume]);
    sea.put(a, &kind.spec(""));
    sea.run();
    let why = sea.until_condition(a, "Degraded", "True", "NameConflict");
    assert!(why.contains("its label seawall.dev/store is \"other\""), "{why}");
    assert!(sea.containers().is_empty());
}
