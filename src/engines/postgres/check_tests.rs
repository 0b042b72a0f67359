//! Tables: a spec in, what it means or what is wrong with it out.

use super::*;
use crate::core::names::{Kind, Name, ObjectRef};
use crate::core::problem::Place;
use crate::core::resource::Metadata;
use serde_json::{Value, json};

fn document(spec: Value) -> Document {
    let name = Name::parse("main").unwrap();
    Document {
        object: ObjectRef::new(Kind::Postgres, name.clone()),
        metadata: Metadata { name, labels: BTreeMap::new(), annotations: BTreeMap::new() },
        spec,
        place: Place { file: "a.yaml".into(), line: 1, column: 1 },
        places: Default::default(),
    }
}

fn run(spec: Value) -> Result<Checked, Vec<String>> {
    let catalog = Catalog::builtin();
    check(&document(spec), &Against { catalog: &catalog, host_cpus: Some(2) })
        .map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

#[test]
fn defaults_are_those_of_the_manual() {
    let got = run(json!({"version": "18"})).unwrap();
    assert_eq!(got.image.as_str(), "gotempsh/postgres-walg:18-bookworm");
    assert_eq!((got.database.as_str(), got.username.as_str()), ("app", "postgres"));
    assert_eq!(got.caps, Caps::default());
    assert_eq!(got.port, PortRequest::Auto);
    assert!(!got.stopped && got.restart_automatically && !got.paused);
    assert_eq!(got.deletion, DeletionPolicy::Retain);
}

#[test]
fn presets_and_explicit_values() {
    let mib = |n: u64| Some(Bytes(n * Bytes::MI));
    let got = run(json!({"version": 18, "size": "small"})).unwrap();
    assert_eq!((got.caps.memory, got.caps.cpus), (mib(1024), Some(NanoCpus(1_000_000_000))));
    let got = run(json!({"version": 18, "size": "small", "resources": {"memory": "512Mi"}})).unwrap();
    assert_eq!((got.caps.memory, got.caps.cpus), (mib(512), Some(NanoCpus(1_000_000_000))));
    let got = run(json!({"version": 18, "size": "large"})).unwrap();
    assert_eq!(got.caps.cpus, None, "a preset takes what the host has");
    let got = run(json!({"version": 18, "resources": {"memory": 536_870_912, "swap": "256Mi", "cpus": 1.5}}))
        .unwrap();
    assert_eq!((got.caps.memory, got.caps.swap), (mib(512), mib(256)));
    assert_eq!(got.caps.cpus, Some(NanoCpus(1_500_000_000)));
    let got = run(json!({"image": "postgres:17-alpine", "port": "none", "parameters": {"Work_Mem": "1MB", "jit": false, "max_connections": 20}}))
        .unwrap();
    assert_eq!(got.port, PortRequest::None);
    assert_eq!(got.parameters["work_mem"], "1MB");
    assert_eq!(got.parameters["jit"], "false");
    assert_eq!(got.parameters["max_connections"], "20");
}

#[test]
fn wrong_values_say_what_where_and_what_to_write() {
    for (spec, needles) in [
        (json!({}), vec!["spec.version: is missing: give version"]),
        (json!({"version": "18", "image": "x"}), vec!["not both"]),
        (
            json!({"version": "9.6"}),
            vec!["spec.version: \"9.6\" is not in the catalog; it has 16, 16-alpine, 17"],
        ),
        (
            json!({"image": "Not An Image"}),
            vec!["spec.image: \"Not An Image\" is not an image reference: ' '"],
        ),
        (json!({"image": "a:b:c"}), vec!["there is a colon too many: did you mean a:b-c?"]),
        (json!({"image": "a@18"}), vec!["did you mean a:18?"]),
        (json!({"version": "18", "port": 0}), vec!["spec.port: 0 is no port; write auto"]),
        (json!({"version": "18", "port": 70000}), vec!["70000 is no port"]),
        (
            json!({"version": "18", "resources": {"memory": "512MB"}}),
            vec!["spec.resources.memory: \"512MB\"", "512Mi"],
        ),
        (json!({"version": "18", "resources": {"memory": "1Mi"}}), vec!["at least 64Mi"]),
        (json!({"version": "18", "resources": {"memory": -5}}), vec!["negative"]),
        (json!({"version": "18", "resources": {"swap": "1Gi"}}), vec!["give resources.memory too"]),
        (
            json!({"version": "18", "resources": {"cpus": 64}}),
            vec!["64 CPUs are more than the 2 this host has"],
        ),
        (json!({"version": "18", "resources": {"cpus": 0}}), vec!["at least 0.01"]),
        (json!({"version": "18", "database": ""}), vec!["spec.database: must not be empty"]),
        (json!({"version": "18", "database": "template1"}), vec!["reserved"]),
        (json!({"version": "18", "username": "pg_x"}), vec!["reserved"]),
        (json!({"version": "18", "username": "a\"b"}), vec!["contains \": initdb cannot"]),
        (json!({"version": "18", "username": "a'b"}), vec!["contains '"]),
        (json!({"version": "18", "username": "$(id)"}), vec!["contains $"]),
        (json!({"version": "18", "username": "a\\b"}), vec!["contains \\"]),
        (json!({"version": "18", "username": "my_ENCODING"}), vec!["initdb replaces"]),
        (
            json!({"version": "18", "parameters": {"port": 1}}),
            vec!["spec.parameters.port: port cannot be set"],
        ),
        (json!({"version": "18", "parameters": {"A": 1, "a": 2}}), vec!["set twice"]),
        (
            json!({"version": "18", "parameters": {"a.b": "x\n"}}),
            vec!["spec.parameters[\"a.b\"]", "write |-"],
        ),
        (json!({"version": "18", "parameters": {"a.b": "x\ny\n"}}), vec!["has several lines"]),
        (
            json!({"version": "9", "port": 0, "username": ""}),
            vec!["spec.version", "spec.port", "spec.username"],
        ),
    ] {
        let problems = run(spec.clone()).expect_err(&spec.to_string()).join("\n");
        for needle in needles {
            assert!(problems.contains(needle), "{spec}: {problems}");
        }
    }
}
