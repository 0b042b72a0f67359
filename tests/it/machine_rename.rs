//! A database under another name keeps its volume, port and password, whatever happens on the way.

use crate::machine::rig::{Rig, object};
use seawall::control::api::{Api, ErrorCode};
use seawall::core::condition::ConditionType as C;
use seawall::core::names::label;
use seawall::docker::fake::{Fault, What, When};
use seawall::store::Store;
use std::time::Duration;

const MAIN: &str = "{version: '18', database: shop}";

/// What must be the same after it was renamed.
#[derive(Debug, PartialEq)]
struct Kept {
    volume: String,
    port: String,
    password: String,
}

async fn kept(rig: &Rig, name: &str) -> Kept {
    let view = rig.view(name).unwrap();
    Kept {
        volume: view.status["volume"]["name"].as_str().unwrap().to_owned(),
        port: view.status["endpoint"]["hostPort"].to_string(),
        password: rig.password(name).await,
    }
}

/// `old` is Ready, and its manifest has just taken the name `new`.
async fn renamed_in_git() -> (Rig, Kept) {
    let rig = Rig::start(&[("old", MAIN)]);
    rig.ready("old").await;
    let before = kept(&rig, "old").await;
    rig.remove("old");
    rig.manifest("new", MAIN);
    (rig, before)
}

async fn rename(rig: &Rig, old: &str, new: &str) -> Result<String, seawall::control::api::ApiError> {
    rig.operator.rename(&object(old), &object(new)).await.map(|done| done.message)
}

/// Everything of `old` is that of `new`, and nothing else is left.
async fn is_renamed(rig: &Rig, before: &Kept, what: &str) {
    rig.ready("new").await;
    assert_eq!(kept(rig, "new").await, *before, "{what}");
    assert!(rig.view("old").is_none() && rig.container("old").is_none(), "{what}");
    let container = rig.container("new").unwrap();
    assert_eq!(container.labels.get(label::NAME), Some("new"), "{what}");
    assert_eq!(container.labels.get(label::VOLUMES), Some("postgres-old"), "{what}");
    let inventory = rig.fake.inventory();
    assert_eq!(inventory.len(), 3, "{what}: container, volume, network: {inventory:?}");
    let secrets: Vec<String> = rig.store.scan("secret/").unwrap().into_keys().collect();
    assert_eq!(secrets, ["secret/postgres/new"], "{what}");
    assert!(rig.store.get("status/postgres/old").unwrap().is_none(), "{what}");
    assert!(!rig.data("status/postgres/old.yaml").exists(), "{what}");
}

#[tokio::test(start_paused = true)]
async fn a_renamed_database_keeps_volume_port_and_password() {
    let (mut rig, before) = renamed_in_git().await;
    let why = rig.reason("new", C::Degraded, "ProbablyRenamed").await;
    assert!(why.contains("seawall rename postgres/old postgres/new"), "{why}");
    let said = rename(&rig, "old", "new").await.unwrap();
    assert!(said.contains("postgres-new"), "{said}");
    is_renamed(&rig, &before, "first").await;
    assert!(rig.said("Renamed", "postgres/old is postgres/new now"));
    assert!(rig.operator.objects().await.unwrap().guard.is_none(), "nothing is held any more");

    // Also after a restart of both, and when its container has to be made anew.
    rig.leave().await;
    rig.fake.drift_remove("postgres-new").unwrap();
    rig.check_and_restart().await;
    is_renamed(&rig, &before, "made anew").await;

    // Its old name is free: another database of that name gets a volume of its own.
    rig.manifest("old", MAIN);
    rig.ready("old").await;
    let other = kept(&rig, "old").await;
    assert!(other.volume != before.volume && other.port != before.port && other.password != before.password);
    assert!(other.volume.starts_with("postgres-old."), "{other:?}");
    assert_eq!(kept(&rig, "new").await, before);
    rig.settled("both").await;

    // And a renamed one can be renamed again.
    rig.remove("new");
    rig.manifest("newer", MAIN);
    rig.until("seen", || rig.view("newer")).await;
    rename(&rig, "new", "newer").await.unwrap();
    rig.ready("newer").await;
    assert_eq!(kept(&rig, "newer").await, before);
    assert_eq!(kept(&rig, "old").await, other);
}

#[tokio::test(start_paused = true)]
async fn a_retained_one_takes_the_name_of_another_spec() {
    let rig = Rig::start(&[("old", MAIN)]);
    rig.ready("old").await;
    let before = kept(&rig, "old").await;
    rig.remove("old");
    rig.until("retained", || rig.view("old").filter(|v| v.metadata.source.is_empty())).await;
    // Not the same spec, so that nobody would think of it: without the operator's knowledge it would be made.
    rig.manifest_with(
        "new",
        "seawall.dev/paused: 'true'",
        "{version: '18', database: shop, resources: {memory: 512Mi}}",
    );
    rig.until("seen", || rig.view("new")).await;
    rename(&rig, "old", "new").await.unwrap();
    rig.until("gone", || rig.view("old").is_none().then_some(())).await;
    rig.manifest("new", "{version: '18', database: shop, resources: {memory: 512Mi}}");
    is_renamed(&rig, &before, "retained").await;
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_renamed_is_told_and_nothing_changes() {
    let rig = Rig::start(&[("old", MAIN), ("used", "{version: '18', database: other}")]);
    rig.ready("old").await;
    rig.ready("used").await;
    let rows = [
        ("old", "used", "has a manifest in old.yaml"),
        ("old", "old", "cannot become"),
        ("none", "used", "does not exist"),
    ];
    for (old, new, words) in rows {
        let error = rename(&rig, old, new).await.unwrap_err();
        assert!(error.what.contains(words) && !error.next.is_empty(), "{error:?}");
        assert!(matches!(error.code, ErrorCode::Conflict | ErrorCode::Invalid), "{error:?}");
    }
    rig.remove("old");
    rig.until("retained", || rig.view("old").filter(|v| v.metadata.source.is_empty())).await;
    for (new, words) in [("used", "of its own"), ("nobody", "no manifest names")] {
        let error = rename(&rig, "old", new).await.unwrap_err();
        assert!(error.what.contains(words), "{error:?}");
    }
    rig.let_pass(Duration::from_secs(60)).await;
    assert!(rig.is_ready("used") && rig.view("old").is_some());
}

#[tokio::test(start_paused = true)]
async fn the_old_name_in_a_manifest_again_ends_it() {
    let (rig, before) = renamed_in_git().await;
    rig.reason("new", C::Degraded, "ProbablyRenamed").await;
    // Its stop takes long: meanwhile the commit is taken back.
    let what = What::Slow(Duration::from_secs(30));
    rig.fake.inject(Fault { method: "stop", when: When::Before, what, times: 1 });
    let stops = rig.fake.call_log().get("stop").copied().unwrap_or_default();
    rename(&rig, "old", "new").await.unwrap();
    rig.until("stopping", || (rig.fake.call_log().get("stop").copied() > Some(stops)).then_some(())).await;
    let error = rig.operator.delete(&object("old"), "old").await.unwrap_err();
    assert!(error.what.contains("is being renamed to postgres/new"), "{error:?}");
    rig.remove("new");
    rig.manifest("old", MAIN);
    rig.until("new gone", || rig.view("new").is_none().then_some(())).await;
    rig.ready("old").await;
    assert_eq!(kept(&rig, "old").await, before);
    assert_eq!(rig.fake.inventory().len(), 3, "{:?}", rig.fake.inventory());
}

#[tokio::test(start_paused = true)]
async fn killed_anywhere_on_the_way_it_ends_all_the_same() {
    // Every call that the engine gets from the rename to Ready, once before and once after it.
    let calls = ["inspect", "update", "stop", "remove", "volume", "create", "put_files", "start"];
    for method in calls {
        for when in [When::Before, When::After] {
            let (mut rig, before) = renamed_in_git().await;
            rig.reason("new", C::Degraded, "ProbablyRenamed").await;
            rig.fake.inject(Fault { method, when, what: What::Slow(Duration::from_secs(100_000)), times: 1 });
            rename(&rig, "old", "new").await.unwrap();
            rig.let_pass(Duration::from_secs(20)).await;
            rig.crash().await;
            rig.fake.clear_faults();
            rig.check_and_restart().await;
            is_renamed(&rig, &before, &format!("{when:?} {method}")).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_goes_over_before_the_store_has_it() {
    let (mut rig, before) = renamed_in_git().await;
    rig.reason("new", C::Degraded, "ProbablyRenamed").await;
    rig.store.fail_writes(true);
    let error = rename(&rig, "old", "new").await.unwrap_err();
    assert!(error.what.contains("no space left"), "{error:?}");
    rig.store.fail_writes(false);
    rename(&rig, "old", "new").await.unwrap();
    rig.store.fail_writes(true);
    rig.let_pass(Duration::from_secs(90)).await;
    rig.crash().await;
    rig.store.fail_writes(false);
    rig.check_and_restart().await;
    is_renamed(&rig, &before, "after a full disk").await;
}
