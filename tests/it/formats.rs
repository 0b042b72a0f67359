//! What outlives a version: names, labels, hashes of labels, keys and records. A changed one would make every
//! database anew on an upgrade while all other tests stay green.
//!
//! `tests/goldens/store-1.jsonl` is what layout 1 wrote, and never changes again. After a wanted change of the rest:
//! `UPDATE_GOLDENS=1 cargo test --test it formats`, then read the difference.

use crate::plan_goldens::{Case, container, facts_of};
use seawall::control;
use seawall::control::objects::Record;
use seawall::core::desired::DesiredContainer;
use seawall::core::identity::{Home, Identity};
use seawall::core::names::{Installation, Name, ObjectRef};
use seawall::core::resource::{Document, Metadata, PortRequest};
use seawall::core::status::Status;
use seawall::core::will::Asked;
use seawall::kinds::app::desired::{Version, roles};
use seawall::kinds::app::image::AppImage;
use seawall::kinds::app::{self, App, world};
use seawall::kinds::postgres::facts::ImageFacts;
use seawall::kinds::postgres::record::Memory;
use seawall::kinds::{Context, Reconciler};
use seawall::store::Record as Envelope;
use seawall::workload;
use seawall::workload::hardening::Profile;
use seawall::workload::image::ImageSeen;
use seawall::workload::memory::PinnedImage;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens").join(name)
}

/// Compares with the golden of this name, or writes it.
pub fn is_as_it_was(name: &str, text: &str) {
    let path = golden(name);
    if std::env::var_os("UPDATE_GOLDENS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    for (got, want) in text.lines().zip(golden.lines()) {
        assert_eq!(got, want, "see the head of this file");
    }
    assert!(text == golden, "lines were added or removed: see the head of this file");
}

type Edit = fn(&mut Case, &mut Option<u16>);

/// What makes another name, label or hash.
const CONTAINERS: [(&str, Edit); 12] = [
    ("as most are", |_, _| {}),
    ("another installation", |c, _| c.identity.installation = Installation::parse("team-a").unwrap()),
    ("renamed", |c, _| {
        c.identity.home =
            Some(Home { base: "postgres-before".to_owned(), name: Name::parse("before").unwrap() });
    }),
    ("not published", |c, port| {
        c.spec.work.port = PortRequest::None;
        *port = None;
    }),
    ("another port", |_, port| *port = Some(6543)),
    ("PostgreSQL 17", |c, _| c.world.work.image = fit("bb", 17)),
    ("made by another user", |c, _| c.memory.init_username = Some("first".to_owned())),
    ("made with another database", |c, _| c.memory.init_database = Some("first".to_owned())),
    ("no parameters", |c, _| c.spec.parameters = BTreeMap::new()),
    ("as postgres", |c, _| c.memory.work.profile = Some(Profile::AsUser)),
    ("as the engine gives it", |c, _| c.memory.work.profile = Some(Profile::EngineDefault)),
    ("a volume besides", |c, _| {
        c.memory.work.volumes = BTreeMap::from([("/var/lib/x y".to_owned(), "postgres-main.x".to_owned())]);
    }),
];

fn fit(id: &str, major: u32) -> ImageSeen<ImageFacts> {
    ImageSeen::Fit(facts_of(id, major))
}

#[test]
fn names_labels_and_hashes_are_as_they_were() {
    let mut text = String::new();
    for (name, edit) in CONTAINERS {
        let (mut case, mut port) = (Case::settled(), Some(5432));
        edit(&mut case, &mut port);
        let ImageSeen::Fit(image) = &case.world.work.image else { panic!() };
        let wanted = container(&case.identity, &case.spec, image, &case.memory, port);
        let _ = writeln!(text, "## {name}\n{}", told(&case.identity, &wanted));
    }
    is_as_it_was("formats.txt", &text);
}

/// All of a container and its object that another version must find again.
pub fn told(identity: &Identity, wanted: &DesiredContainer) -> String {
    let mut text = format!("{} network {:?} {:?}\n", wanted.name, wanted.network, wanted.aliases);
    let _ = writeln!(text, "env {:?}\ncommand {:?} {:?}", wanted.env, wanted.entrypoint, wanted.command);
    for mount in &wanted.mounts {
        let _ = writeln!(text, "mount {} {}", mount.volume, mount.path);
    }
    for (key, value) in wanted.all_labels() {
        let _ = writeln!(text, "{key}={value}");
    }
    let _ = writeln!(text, "volume {:?}", identity.volume_labels());
    let _ = writeln!(text, "network {:?}", identity.installation_labels());
    let _ = writeln!(text, "extra {}", identity.extra_volume("/var/lib/x y"));
    text
}

/// The lines of a store as version 1 wrote them: key and body.
fn of_layout_1() -> Vec<(String, Value)> {
    let text = std::fs::read_to_string(golden("store-1.jsonl")).unwrap();
    let read = |line: &str| {
        let mut line: Value = serde_json::from_str(line).unwrap();
        let key = line["key"].as_str().unwrap().to_owned();
        line.as_object_mut().unwrap().remove("key");
        let record = Envelope::decode(&key, line.to_string().as_bytes()).unwrap();
        (key, record.body)
    };
    text.lines().map(read).collect()
}

/// Whatever the order of its fields: that means nothing.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields: BTreeMap<String, Value> =
                fields.into_iter().map(|(key, value)| (key, sorted(value))).collect();
            fields.into_iter().collect()
        }
        Value::Array(items) => items.into_iter().map(sorted).collect(),
        plain => plain,
    }
}

/// As it is written back.
fn again<T: DeserializeOwned + Serialize>(body: &Value) -> Value {
    serde_json::to_value(serde_json::from_value::<T>(body.clone()).unwrap()).unwrap()
}

#[test]
fn a_store_of_layout_1_is_read_in_full() {
    let mut text = String::new();
    for (key, body) in of_layout_1() {
        let body = match key.split('/').next() {
            Some("obj") => {
                let mut record: Record = serde_json::from_value(body.clone()).unwrap();
                if key.starts_with("obj/postgres/") {
                    let memory: Memory = record.memory.read().unwrap();
                    record.memory = control::memory::Memory::of(&memory).unwrap();
                }
                serde_json::to_value(record).unwrap()
            }
            Some("status") => again::<Status>(&body),
            _ => body,
        };
        let _ = writeln!(text, "{key} {}", sorted(body));
    }
    is_as_it_was("store-1-read.txt", &text);
}

/// A field that no record of the golden has would be lost without a test that sees it.
#[test]
fn the_golden_has_every_field() {
    let every = of_layout_1().into_iter().find(|(key, _)| key == "obj/postgres/every").unwrap().1;
    let memory = serde_json::to_value(Memory::default()).unwrap();
    let work = serde_json::to_value(workload::Memory::default()).unwrap();
    let asked = serde_json::to_value(Asked::default()).unwrap();
    for (part, unset) in [("memory", memory), ("memory", work), ("asked", asked)] {
        for (field, unset) in unset.as_object().unwrap() {
            assert_ne!(every[part].get(field), Some(unset), "{part} {field} is not in store-1.jsonl");
        }
    }
}

#[test]
fn keys_are_as_they_were() {
    let object: ObjectRef = "postgres/main".parse().unwrap();
    let keys = [
        seawall::control::objects::key(&object),
        seawall::control::objects::status_key(&object),
        seawall::workload::tools::secret_key(&object, ""),
        seawall::workload::tools::secret_key(&"redis/cache".parse().unwrap(), "admin"),
        seawall::control::journal::PREFIX.to_owned(),
        seawall::control::start::INSTALLATION_KEY.to_owned(),
        seawall::control::access::AUDIT.to_owned(),
        seawall::store::TOKENS.to_owned(),
    ];
    let want = [
        "obj/postgres/main",
        "status/postgres/main",
        "secret/postgres/main",
        "secret/redis/cache/admin",
        "event/",
        "meta/installation",
        "audit/",
        "token/",
    ];
    assert_eq!(keys, want);
}

#[test]
fn an_application_is_as_it_was() {
    let object: ObjectRef = "app/shop-production-web".parse().unwrap();
    let all = serde_json::json!({
        "image": "shop:1.4", "command": ["serve"], "env": {"A": "1"}, "ports": ["8080:3000"],
        "volumes": ["uploads:/srv/up"], "resources": {"memory": "64Mi"},
        "healthCheck": {"http": {"port": 3000}},
    });
    let few = serde_json::json!({"image": "shop:1.4", "injection": "file"});
    let env = world::Env {
        shown: [("A".to_owned(), "1".to_owned()), ("P".to_owned(), "digest".to_owned())].into(),
        secret: ["P".to_owned()].into(),
        ..world::Env::default()
    };
    let image = AppImage {
        work: workload::image::Image {
            id: "sha256:aa".to_owned(),
            extra_volumes: vec!["/data".to_owned()],
            cmd: vec!["of-image".to_owned()],
            ..Default::default()
        },
        entrypoint: vec!["/entry".to_owned()],
    };
    let identity = Identity { object: object.clone(), ..Case::settled().identity };
    let mut text = String::new();
    for (name, spec) in [("all there is", &all), ("as little as can be", &few)] {
        let placed = serde_json::json!({
            "project": "shop", "environment": "production", "app": "web", "links": ["link/x"], "container": spec,
        });
        let metadata =
            Metadata { name: object.name.clone(), labels: BTreeMap::new(), annotations: BTreeMap::new() };
        let document = Document {
            object: object.clone(),
            metadata,
            spec: placed,
            place: Default::default(),
            places: Default::default(),
        };
        let context = Context { catalogs: &BTreeMap::new(), host: None, in_force: false };
        let checked = App::check(&document, &context).unwrap();
        let version = Version { app: &checked.app, written: &checked.written, image: &image, env: &env };
        let role = roles()[0].clone();
        let container = version.container(&identity, &role, false);
        let member = identity.member(role.clone());
        let _ = writeln!(text, "## {name}\n{}key {}", told(&member, &container), version.key(&identity));
        let memory = app::record::Memory {
            members: [(
                role.clone(),
                workload::Memory { container: Some("c1".to_owned()), ..Default::default() },
            )]
            .into(),
            serves: Some(role.clone()),
            proven: Some(app::record::Proven {
                written: checked.written.clone(),
                image: PinnedImage { reference: "shop:1.4".to_owned(), id: "sha256:aa".to_owned() },
            }),
            refused: vec![app::record::Refused { version: "k".to_owned(), words: "w".to_owned() }],
            made: [(role, app::record::Made { written: checked.written, env: env.shown.clone(), again: 1 })]
                .into(),
            ..Default::default()
        };
        let memory = serde_json::to_value(control::memory::Memory::of(&memory).unwrap()).unwrap();
        let _ = writeln!(text, "{}", serde_json::to_string_pretty(&sorted(memory)).unwrap());
    }
    is_as_it_was("formats-app.txt", &text);
}
