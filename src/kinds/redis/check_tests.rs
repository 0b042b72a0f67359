//! Tables: a spec in, what it means or what is wrong with it out.

use super::*;
use crate::core::names::{Name, ObjectRef};
use crate::core::problem::Place;
use crate::core::resource::{Caps, Metadata};
use crate::kinds::Reconciler;
use crate::kinds::redis::Redis;
use crate::workload::catalog::Catalog;
use serde_json::{Value, json};

fn run(spec: Value, in_force: bool) -> Result<Checked, String> {
    let name = Name::parse("cache").unwrap();
    let document = Document {
        object: ObjectRef::new(Kind::Redis, name.clone()),
        metadata: Metadata { name, labels: BTreeMap::new(), annotations: BTreeMap::new() },
        spec,
        place: Place { file: "a.yaml".into(), line: 1, column: 1 },
        places: Default::default(),
    };
    let catalogs = BTreeMap::from([(Kind::Redis, Catalog::of(Redis::ABOUT.images))]);
    let context = Context { catalogs: &catalogs, host: None, in_force };
    let words =
        |problems: Vec<Problem>| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    check(&document, &context).map_err(words)
}

#[test]
fn defaults_are_those_of_the_manual() {
    let got = run(json!({"version": "8"}), false).unwrap();
    assert_eq!(got.work.image.as_str(), "redis:8-bookworm");
    assert_eq!((got.persistence, got.eviction), (Persistence::Aof, EvictionPolicy::Noeviction));
    assert_eq!((got.username.as_str(), got.work.caps), ("app", Caps::default()));
    let got = run(json!({"image": "x:1", "parameters": {"HZ": 20, "x": 1}}), false).unwrap();
    assert_eq!(got.parameters, BTreeMap::from([("hz".into(), "20".into()), ("x".into(), "1".into())]));
}

#[test]
fn a_password_that_is_given_has_no_schedule() {
    let schedule = run(
        json!({"version": "8", "rotation": {"every": "90d", "window": "02:00-04:00", "timeZone": "Europe/Berlin"}}),
        false,
    );
    assert_eq!(schedule.unwrap().schedule.unwrap().every, std::time::Duration::from_secs(7_776_000));
    let given = json!({"valueFrom": {"file": "./main"}});
    for (more, needle) in [
        (
            json!({"rotation": {"every": "90d"}, "password": given}),
            "spec.rotation: the password is the one that spec.password names",
        ),
        (json!({"rotation": {"every": "59m"}}), "spec.rotation.every: every hour is the most often"),
        (json!({"rotation": {"every": "1d", "window": "2-4"}}), "spec.rotation.window: "),
        (json!({"rotation": {"every": "1d", "timeZone": "Middle/Earth"}}), "spec.rotation.timeZone: "),
        (json!({"rotation": {"window": "02:00-04:00"}}), "missing field `every`"),
        (json!({"rotation": {"every": "1d", "grace": "1h"}}), "unknown field `grace`"),
    ] {
        let mut spec = json!({"version": "8"});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let why = run(spec.clone(), false).unwrap_err();
        assert!(why.contains(needle), "{spec}: {why}");
    }
}

#[test]
fn what_is_wrong_is_said_at_its_place() {
    for (spec, needle) in [
        (json!({}), "give version"),
        (json!({"version": "8", "resources": {"memory": "32Mi"}}), "32Mi is too little for Redis"),
        (json!({"version": "8", "username": "default"}), "it is off"),
        (json!({"version": "8", "username": "seawall"}), "Seawall itself"),
        (json!({"version": "8", "username": "a\nuser x on nopass"}), "1 to 63 letters"),
        (json!({"version": "8", "parameters": {"requirepass": "x"}}), "manages the users"),
        (json!({"version": "8", "parameters": {"hz": "x"}}), "from 1 to 500"),
        (json!({"version": "8", "parameters": {"hz": 1, "HZ": 2}}), "set twice"),
        (json!({"version": "8", "persistence": "rdb", "parameters": {"appendfsync": "no"}}), "is aof"),
    ] {
        let why = run(spec.clone(), false).unwrap_err();
        assert!(why.contains(needle), "{spec}: {why}");
    }
    // A rule that came later leaves no server unattended.
    assert!(run(json!({"version": "8", "parameters": {"hz": "9999"}}), true).is_ok());
}
