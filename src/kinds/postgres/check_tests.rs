//! Tables: a spec in, what it means or what is wrong with it out.

use super::*;
use crate::core::names::{Kind, Name, ObjectRef};
use crate::core::problem::Place;
use crate::core::quantity::NanoCpus;
use crate::core::resource::Metadata;
use crate::core::resource::{Caps, DeletionPolicy, PortRequest};
use crate::core::seen::Host;
use crate::kinds::Reconciler;
use crate::kinds::postgres::Postgres;
use crate::manifest::secret::SecretSource;
use crate::workload::catalog::Catalog;
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

fn catalogs() -> BTreeMap<Kind, Catalog> {
    BTreeMap::from([(Kind::Postgres, Catalog::of(Postgres::ABOUT.images))])
}

fn run(spec: Value) -> Result<Checked, Vec<String>> {
    let catalog = catalogs();
    check(
        &document(spec),
        &Context { catalogs: &catalog, host: Some(Host { cpus: 2, memory: 3 << 30 }), in_force: false },
    )
    .map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

#[test]
fn defaults_are_those_of_the_manual() {
    let got = run(json!({"version": "18"})).unwrap();
    assert_eq!(got.work.image.as_str(), "gotempsh/postgres-walg:18-bookworm");
    assert_eq!((got.database.as_str(), got.username.as_str()), ("app", "postgres"));
    assert_eq!(got.work.caps, Caps::default());
    assert_eq!(got.work.port, PortRequest::Auto);
    assert!(!got.work.stopped && got.work.restart_automatically && !got.work.paused);
    assert_eq!(got.work.deletion, DeletionPolicy::Retain);
}

#[test]
fn a_password_that_is_given_has_no_schedule() {
    let schedule = run(
        json!({"version": "18", "rotation": {"every": "90d", "window": "02:00-04:00", "timeZone": "Europe/Berlin"}}),
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
        let mut spec = json!({"version": "18"});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let why = run(spec.clone()).unwrap_err().join("; ");
        assert!(why.contains(needle), "{spec}: {why}");
    }
}

#[test]
fn presets_and_explicit_values() {
    let mib = |n: u64| Some(Bytes(n * Bytes::MI));
    let got = run(json!({"version": 18, "size": "small"})).unwrap();
    assert_eq!((got.work.caps.memory, got.work.caps.cpus), (mib(1024), Some(NanoCpus(1_000_000_000))));
    let got = run(json!({"version": 18, "size": "small", "resources": {"memory": "512Mi"}})).unwrap();
    assert_eq!((got.work.caps.memory, got.work.caps.cpus), (mib(512), Some(NanoCpus(1_000_000_000))));
    let got = run(json!({"version": 18, "size": "large"})).unwrap();
    assert_eq!(got.work.caps.cpus, None, "a preset takes what the host has");
    assert_eq!(got.work.caps.memory, mib(3072), "a preset takes what the host has");
    let got = run(json!({"version": 18, "resources": {"memory": 536_870_912, "swap": "256Mi", "cpus": 1.5}}))
        .unwrap();
    assert_eq!((got.work.caps.memory, got.work.caps.swap), (mib(512), mib(256)));
    assert_eq!(got.work.caps.cpus, Some(NanoCpus(1_500_000_000)));
    let got = run(json!({"image": "postgres:17-alpine", "port": "none", "parameters": {"Work_Mem": "1MB", "jit": false, "max_connections": 20}}))
        .unwrap();
    assert_eq!(got.work.port, PortRequest::None);
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
        (json!({"version": "18", "username": "seawall-monitor"}), vec!["choose another name"]),
        (json!({"version": "18", "username": "a\"b"}), vec!["contains \": initdb cannot"]),
        (json!({"version": "18", "username": "a'b"}), vec!["contains '"]),
        (json!({"version": "18", "username": "$(id)"}), vec!["contains $"]),
        (json!({"version": "18", "username": "a\\b"}), vec!["contains \\"]),
        (json!({"version": "18", "username": "my_ENCODING"}), vec!["initdb replaces"]),
        (
            json!({"version": "18", "parameters": {"port": 1}}),
            vec!["spec.parameters.port: port cannot be set"],
        ),
        (json!({"version": "18", "parameters": {"Jit": "on", "jit": "off"}}), vec!["set twice"]),
        (
            json!({"version": "18", "parameters": {"Wrok_Mem": "1MB", "jit": "maybe", "fsync": false}}),
            vec![
                "spec.parameters.Wrok_Mem: \"wrok_mem\" is not a parameter of PostgreSQL 18: did you mean work_mem?",
                "spec.parameters.jit: jit must be on or off: \"maybe\" is neither",
                "spec.parameters.fsync: fsync cannot be set: off",
            ],
        ),
        (
            json!({"image": "x/y:17", "parameters": {"work_mem": "16Mb"}}),
            vec![
                "spec.parameters.work_mem: work_mem must be 64kB to 2147483647kB, with a unit such as kB, MB, GB",
            ],
        ),
        (
            json!({"version": "18", "parameters": {"Max_Connections": 5000}}),
            vec!["spec.parameters.Max_Connections: max_connections 5000 cannot be reached", "at most 4040"],
        ),
        (
            json!({"version": "18", "resources": {"memory": "4Gi"}}),
            vec![
                "spec.resources.memory: 4Gi is more than the 3Gi of memory that this host has; write 3Gi or less",
            ],
        ),
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

#[test]
fn what_is_in_force_is_not_lost_to_a_later_rule_or_a_smaller_host() {
    let spec = json!({
        "version": "18",
        "parameters": {"include_dir": "/etc", "no_such_thing": "1", "work_mem": "lots", "max_connections": 9000},
        "resources": {"memory": "8Gi", "cpus": 16},
    });
    let catalog = catalogs();
    let judged = |spec: &Value, in_force| {
        let host = Some(Host { cpus: 2, memory: 3 << 30 });
        check(&document(spec.clone()), &Context { catalogs: &catalog, host, in_force })
    };
    assert!(judged(&spec, false).is_err());
    let got = judged(&spec, true).unwrap();
    assert_eq!(got.parameters.len(), 4);
    assert_eq!((got.work.caps.memory, got.work.caps.cpus), (Some(Bytes(3 << 30)), None), "all that there is");
    // What would break the file that Seawall writes is none, whenever it came.
    let broken = json!({"version": "18", "parameters": {"work_mem": "1\n2"}});
    assert!(judged(&broken, true).is_err());
}

#[test]
fn a_warning_names_the_place_and_refuses_nothing() {
    let of = |spec: Value| {
        let catalog = catalogs();
        let document = document(spec);
        let checked = check(&document, &Context { catalogs: &catalog, host: None, in_force: false }).unwrap();
        warnings(&document, &checked).iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    };
    let got =
        of(json!({"version": 18, "resources": {"memory": "512Mi"}, "parameters": {"Shared_Buffers": "1GB"}}));
    let want = "a.yaml:1:1: spec.parameters.Shared_Buffers: shared_buffers 1Gi of the 512Mi that resources.memory allows";
    assert!(got.starts_with(want), "{got}");
    let got = of(json!({"version": 18, "size": "small", "parameters": {"shared_buffers": "256MB"}}));
    assert_eq!(got, "");
}

#[test]
fn nobody_has_a_thousand_parameters() {
    let many: BTreeMap<String, u8> = (0..=1000).map(|n| (format!("a.b{n}"), 1)).collect();
    let problems = run(json!({"version": "18", "parameters": many})).unwrap_err();
    assert_eq!(problems, ["a.yaml:1:1: spec.parameters: has 1001 parameters; at most 1000 are allowed"]);
}

#[test]
fn annotations_are_consents_and_no_slip_of_one_is_silent() {
    let with = |key: &str, value: &str| {
        let mut document = document(json!({"version": "18"}));
        document.metadata.annotations.insert(key.to_owned(), value.to_owned());
        let catalog = catalogs();
        let problems = check(&document, &Context { catalogs: &catalog, host: None, in_force: false });
        problems.err().map(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    };
    for (key, value) in [
        ("seawall.dev/paused", "true"),
        ("seawall.dev/paused", "false"),
        ("seawall.dev/confirm-delete", "main"),
        ("seawall.dev/volume-users", "a, b"),
        ("example.org/paused", "yes"),
        ("note", ""),
    ] {
        assert_eq!(with(key, value), None, "{key}={value}");
    }
    for (key, value, words) in [
        ("seawall.dev/paused", "yes", "write \"true\" or \"false\", not \"yes\""),
        ("seawall.dev/paused", "True", "not \"True\""),
        ("seawall.dev/skip-trial", "1", "write \"true\""),
        ("seawall.dev/confirm-delete", "mian", "the object's own name, main"),
        ("seawall.dev/confirm-delete", "true", "the object's own name, main"),
        ("seawall.dev/pausd", "true", "did you mean seawall.dev/paused?"),
        ("seawall.dev/confirm_delete", "main", "did you mean seawall.dev/confirm-delete?"),
    ] {
        let said = with(key, value).unwrap_or_default();
        assert!(said.contains(words), "{key}={value}: {said}");
    }
}

#[test]
fn a_password_is_named_and_never_written() {
    use crate::manifest::letter::Letter;
    let letter = |place: &str| {
        Letter { to: "0a0b0c0d".to_owned(), place: place.to_owned(), body: vec![7; 50] }.write()
    };
    let with = |password: Value| run(json!({"version": "18", "password": password}));
    let sealed = letter("postgres/main:password");
    let got = with(json!({"valueFrom": {"sealed": sealed}})).unwrap();
    assert_eq!(got.password, Some(SecretSource::Sealed(sealed)));
    let got = with(json!({"valueFrom": {"file": "./main"}})).unwrap();
    assert_eq!(got.password, Some(SecretSource::File("main".into())));
    for (password, says) in [
        (
            json!({"valueFrom": {"sealed": letter("postgres/b:password")}}),
            "spec.password.valueFrom.sealed: it was sealed for postgres/b:password",
        ),
        (json!({"valueFrom": {"file": "/etc/shadow"}}), "spec.password.valueFrom.file: must be relative"),
        (json!({"valueFrom": {}}), "spec.password.valueFrom: needs sealed or file"),
    ] {
        let problems = with(password).unwrap_err();
        assert!(problems.len() == 1 && problems[0].contains(says), "{problems:?} / {says}");
    }
    assert!(with(json!("hunter2")).is_err());
}
