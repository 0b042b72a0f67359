//! Tables: what is left on the engine in, records out.

use super::survey::{unproven_because, whose};
use super::*;
use crate::core::desired::PortMap;
use crate::core::member::{Member, Role};
use crate::core::names::ObjectRef;
use crate::core::pairs::Pairs;
use crate::core::resource::Caps;
use crate::core::seen::{SeenImage, SeenMount};
use crate::kinds::postgres::record::Memory;
use crate::manifest::load::{FileText, load_texts};
use crate::workload::hardening::Profile;

fn container() -> SeenContainer {
    let labels = [
        (label::STORE, "s1"),
        (label::KIND, "Postgres"),
        (label::NAME, "main"),
        (label::UID, "u1"),
        (label::GENERATION, "7"),
    ];
    let env = [("POSTGRES_USER", "owner"), ("POSTGRES_DB", "shop"), ("PGDATA", "/d")];
    let pairs = |list: &[(&str, &str)]| list.iter().copied().collect();
    SeenContainer {
        id: "c1".into(),
        name: "postgres-main".into(),
        image_id: "sha256:i1".into(),
        image_ref: "sha256:i1".into(),
        labels: pairs(&labels),
        env: pairs(&env),
        state: ContainerState::Running,
        exit_code: None,
        oom_killed: false,
        error: String::new(),
        started_at: "2026-01-01T00:00:00Z".into(),
        finished_at: String::new(),
        restart_count: 0,
        caps: Caps { memory: Some(crate::core::quantity::Bytes(256 << 20)), ..Caps::default() },
        restart_policy: "always".into(),
        networks: Vec::new(),
        mounts: vec![SeenMount {
            kind: "volume".into(),
            volume: "postgres-main-data".into(),
            path: "/d".into(),
        }],
        port_bindings: vec![PortMap { container: 5432, host_ip: "127.0.0.1".parse().unwrap(), host: 5444 }],
        published: Vec::new(),
        shm_size: None,
        pids_limit: None,
        init: true,
        cap_add: vec!["CHOWN".into()],
        cap_drop: vec!["ALL".into()],
        no_new_privileges: true,
        user: String::new(),
    }
}

fn remains(container: Option<SeenContainer>) -> Remains {
    Remains {
        object: "postgres/main".parse().unwrap(),
        role: Role::default(),
        store: "s1".into(),
        container,
        volume: None,
        home: None,
    }
}

fn wish(spec: &str) -> Wish {
    let text =
        format!("apiVersion: seawall.dev/v1\nkind: Postgres\nmetadata: {{name: main}}\nspec: {spec}\n");
    let loaded = load_texts(BTreeMap::from([("a.yaml".to_owned(), FileText::Bytes(text.into_bytes()))]));
    wishes(&Kinds::all(None), &loaded).good.remove(&"postgres/main".parse().unwrap()).unwrap()
}

fn data(major: Option<u32>, sure: bool) -> Looked {
    let data = major.map(|major| Found { major: Some(major), identifier: None });
    Looked { data, sure, ..Looked::default() }
}

fn record(remains: &Remains, looked: &Looked, wish: Option<&Wish>) -> Record {
    super::record(&Kinds::all(None), remains, looked, wish)
}

#[test]
fn a_container_tells_who_the_object_was() {
    let wish = wish("{version: '18', database: shop}");
    let looked = Looked { wanted_image: Some("sha256:i1".into()), ..data(Some(18), false) };
    let record = record(&remains(Some(container())), &looked, Some(&wish));
    assert_eq!((record.uid.as_str(), record.generation), ("u1", 7));
    assert_eq!(record.spec, wish.document.spec);
    assert_eq!(record.source.unwrap().file, "a.yaml");
    assert!(!record.asked.stopped);
    let memory: Memory = record.memory.read().unwrap();
    assert_eq!((memory.work.port, memory.data_major, memory.work.ever_ready), (Some(5444), Some(18), true));
    assert_eq!(memory.init_username.as_deref(), Some("owner"));
    assert_eq!(memory.init_database.as_deref(), Some("shop"));
    assert!(memory.seen_databases.contains("shop"));
    assert_eq!(memory.work.image.unwrap().id, "sha256:i1");
}

#[test]
fn an_image_that_the_manifest_no_longer_names_is_not_pinned() {
    let looked = Looked { wanted_image: Some("sha256:i2".into()), ..data(Some(18), false) };
    let record = record(&remains(Some(container())), &looked, Some(&wish("{version: '18'}")));
    assert_eq!(record.memory.work().image, None);
}

#[test]
fn what_may_hold_data_is_never_initialised_again() {
    let mut never_started = container();
    never_started.started_at = String::new();
    never_started.state = ContainerState::Created;
    for (container, looked, holds) in [
        (Some(container()), data(Some(17), false), true),
        (Some(container()), data(None, false), true),
        (Some(never_started.clone()), data(Some(18), true), true),
        (Some(never_started), data(None, true), false),
        (None, data(Some(18), true), true),
        (None, data(None, false), true),
        (None, data(None, true), false),
    ] {
        let memory = record(&remains(container), &looked, None).memory;
        assert_eq!(memory.work().ever_ready, holds, "{looked:?}");
        assert!(!memory.work().volume_fresh);
    }
}

#[test]
fn a_stop_on_purpose_stays_one() {
    for (state, policy, stopped, by_operation) in [
        (ContainerState::Exited, "no", "false", true),
        (ContainerState::Exited, "no", "true", false),
        (ContainerState::Exited, "always", "false", false),
        (ContainerState::Running, "no", "false", false),
    ] {
        let mut c = container();
        c.state = state;
        c.restart_policy = policy.into();
        let wish = wish(&format!("{{version: '18', stopped: {stopped}}}"));
        let asked = record(&remains(Some(c)), &data(Some(18), false), Some(&wish)).asked;
        assert_eq!(asked.stopped, by_operation, "{state:?} {policy} {stopped}");
    }
}

#[test]
fn without_a_manifest_the_spec_keeps_things_as_they_are() {
    let looked = Looked { tags: vec!["seawall/postgres:18".into()], ..data(Some(18), false) };
    let kept = record(&remains(Some(container())), &looked, None);
    assert_eq!(
        kept.spec,
        json!({"deletionPolicy": "Retain", "image": "seawall/postgres:18", "username": "owner",
            "database": "shop", "port": "auto", "resources": {"memory": "256Mi"}})
    );
    // The prune guard watches over its removal.
    assert!(kept.source.is_some());
    let retained = record(&remains(None), &data(Some(17), true), None);
    assert_eq!(retained.spec.value()["version"], "17");
    assert_eq!((retained.source, retained.uid.is_empty()), (None, false));
}

#[test]
fn the_hardening_a_container_was_made_with_is_kept() {
    for (add, drop, profile) in [
        (&[][..], &["ALL"][..], Profile::AsUser),
        (&["CHOWN"], &["ALL"], Profile::Root),
        (&["CHOWN", "DAC_OVERRIDE"], &["ALL"], Profile::RootWrites),
        (&[], &[], Profile::EngineDefault),
    ] {
        let mut c = container();
        c.cap_add = add.iter().map(|s| (*s).to_owned()).collect();
        c.cap_drop = drop.iter().map(|s| (*s).to_owned()).collect();
        assert_eq!(record(&remains(Some(c)), &data(Some(18), false), None).memory.work().profile(), profile);
    }
}

#[test]
fn a_confirmation_fits_what_was_shown_only() {
    let (one, other) = (remains(Some(container())), remains(None));
    assert_ne!(confirm_words("s1", &[&one]), confirm_words("s1", &[&other]));
    assert_ne!(confirm_words("s1", &[&one]), confirm_words("s2", &[&one]));
}

#[test]
fn labels_alone_make_nothing_worth_recovering() {
    let (installation, object) = (Installation::default(), "postgres/main".parse::<ObjectRef>().unwrap());
    let object = Member::from(object);
    let image = |labels: &[(&str, &str)]| SeenImage {
        id: "sha256:i1".into(),
        tags: Vec::new(),
        digests: Vec::new(),
        env: Pairs::default(),
        labels: labels.iter().copied().collect(),
        volumes: Vec::new(),
        architecture: "amd64".into(),
        user: String::new(),
        stop_signal: String::new(),
        cmd: Vec::new(),
        entrypoint: Vec::new(),
    };
    let renamed = SeenContainer { name: "copy".into(), ..container() };
    let path = SeenContainer { name: "../postgres-main".into(), ..container() };
    let elsewhere = SeenContainer { mounts: Vec::new(), ..container() };
    let plain = image(&[(label::MANAGED, "true")]);
    let committed = image(&[(label::STORE, "s1"), (label::NAME, "main")]);
    for (c, image, why) in [
        (container(), Some(&plain), None),
        (renamed, Some(&plain), Some("is called postgres-main")),
        (path, Some(&plain), Some("is called postgres-main")),
        (elsewhere, Some(&plain), Some("does not mount volume postgres-main-data")),
        (container(), Some(&committed), Some("made by docker commit?")),
        (container(), None, Some("its image is not there")),
    ] {
        let got = unproven_because(&c, image, &installation, &object, Some("postgres-main-data"));
        assert_eq!(got.is_some(), why.is_some(), "{got:?}");
        assert!(why.is_none_or(|why| got.as_ref().unwrap().contains(why)), "{got:?}");
    }
    // What keeps no data has no such volume.
    let elsewhere = SeenContainer { mounts: Vec::new(), ..container() };
    assert_eq!(unproven_because(&elsewhere, Some(&plain), &installation, &object, None), None);
}

#[test]
fn a_label_that_could_be_a_path_is_no_store_and_no_object() {
    let labels = |store: &str, name: &str| -> Pairs {
        [(label::STORE, store), (label::KIND, "Postgres"), (label::NAME, name)].into_iter().collect()
    };
    let id = "0123456789abcdef";
    assert!(whose(&labels(id, "main")).is_some());
    for (store, name) in [
        ("../../etc", "main"),
        ("", "main"),
        (&*"a".repeat(17), "main"),
        (id, "../main"),
        (id, ""),
        (id, "A b"),
    ] {
        assert!(whose(&labels(store, name)).is_none(), "{store:?} {name:?}");
    }
}
