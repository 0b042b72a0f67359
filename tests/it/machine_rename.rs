//! An object of any kind with a container keeps, under another name, its volume, port and password, whatever happens on the way.

use crate::kinds::{Kind, machine_tests};
use crate::machine::of::Of;
use seawall::control::api::{Api, ErrorCode};
use seawall::core::condition::ConditionType as C;
use seawall::core::names::label;
use seawall::docker::fake::{Fault, What, When};
use seawall::store::Store;
use std::time::Duration;

machine_tests!(
    a_renamed_database_keeps_volume_port_and_password,
    a_retained_one_takes_the_name_of_another_spec,
    what_cannot_be_renamed_is_told_and_nothing_changes,
    the_old_name_in_a_manifest_again_ends_it,
    killed_anywhere_on_the_way_it_ends_all_the_same,
    nothing_goes_over_before_the_store_has_it,
);

/// What must be the same after it was renamed.
#[derive(Debug, PartialEq)]
struct Kept {
    id: u64,
    volume: String,
    port: String,
    password: String,
    /// What is sealed for it, by what stands behind its name.
    secrets: Vec<String>,
}

/// Keys of all that is sealed.
fn sealed(rig: &Of) -> Vec<String> {
    rig.store.scan("secret/").unwrap().into_keys().collect()
}

async fn kept(rig: &Of, name: &str) -> Kept {
    let view = rig.view(name).unwrap();
    let key = format!("secret/{}", rig.named(name));
    let of_it = |sealed: &String| {
        let more = sealed.strip_prefix(&key)?;
        (more.is_empty() || more.starts_with('/')).then(|| more.to_owned())
    };
    Kept {
        secrets: sealed(rig).iter().filter_map(of_it).collect(),
        id: view.metadata.id,
        volume: view.status["volume"]["name"].as_str().unwrap().to_owned(),
        port: view.status["endpoint"]["hostPort"].to_string(),
        password: rig.password(name).await,
    }
}

/// `old` is Ready, and its manifest has just taken the name `new`.
async fn renamed_in_git(kind: &'static dyn Kind) -> (Of, Kept) {
    let rig = Of::started(kind, &["old"]).await;
    let before = kept(&rig, "old").await;
    rig.remove("old");
    rig.manifest("new", &rig.wish(""));
    (rig, before)
}

async fn rename(rig: &Of, old: &str, new: &str) -> Result<String, seawall::control::api::ApiError> {
    rig.operator.rename(&rig.named(old), &rig.named(new)).await.map(|done| done.message)
}

/// Everything of `old` is that of `new`, and nothing else is left.
async fn is_renamed(rig: &Of, before: &Kept, what: &str) {
    rig.ready("new").await;
    assert_eq!(kept(rig, "new").await, *before, "{what}");
    assert!(rig.view("old").is_none() && rig.container("old").is_none(), "{what}");
    let container = rig.container("new").unwrap();
    assert_eq!(container.labels.get(label::NAME), Some("new"), "{what}");
    assert_eq!(container.labels.get(label::VOLUMES), Some(rig.called("old").as_str()), "{what}");
    let inventory = rig.fake.inventory();
    assert_eq!(inventory.len(), 3, "{what}: container, volume, network: {inventory:?}");
    assert_eq!(sealed(rig).len(), before.secrets.len(), "{what}: {:?}", sealed(rig));
    let old = rig.named("old");
    assert!(rig.store.get(&format!("status/{old}")).unwrap().is_none(), "{what}");
    assert!(!rig.data(&format!("status/{old}.yaml")).exists(), "{what}");
}

async fn a_renamed_database_keeps_volume_port_and_password(kind: &'static dyn Kind) {
    let (mut rig, before) = renamed_in_git(kind).await;
    let why = rig.reason("new", C::Degraded, "ProbablyRenamed").await;
    assert!(why.contains(&format!("seawall rename {} {}", rig.named("old"), rig.named("new"))), "{why}");
    let said = rename(&rig, "old", "new").await.unwrap();
    assert!(said.contains(&rig.called("new")), "{said}");
    is_renamed(&rig, &before, "first").await;
    assert!(rig.said("Renamed", &format!("{} is {} now", rig.named("old"), rig.named("new"))));
    assert!(rig.operator.objects().await.unwrap().guard.is_none(), "nothing is held any more");

    // Also after a restart of both, and when its container has to be made anew.
    rig.leave().await;
    rig.fake.drift_remove(&rig.called("new")).unwrap();
    rig.check_and_restart().await;
    is_renamed(&rig, &before, "made anew").await;

    // Its old name is free: another database of that name gets a volume of its own.
    rig.manifest("old", &rig.wish(""));
    rig.ready("old").await;
    let other = kept(&rig, "old").await;
    assert!(other.volume != before.volume && other.port != before.port && other.password != before.password);
    assert!(other.volume.starts_with(&format!("{}.", rig.called("old"))), "{other:?}");
    assert_eq!(kept(&rig, "new").await, before);
    rig.settled("both").await;

    // And a renamed one can be renamed again.
    rig.remove("new");
    rig.manifest("newer", &rig.wish(""));
    rig.until("seen", || rig.view("newer")).await;
    rename(&rig, "new", "newer").await.unwrap();
    rig.ready("newer").await;
    assert_eq!(kept(&rig, "newer").await, before);
    assert_eq!(kept(&rig, "old").await, other);
}

async fn a_retained_one_takes_the_name_of_another_spec(kind: &'static dyn Kind) {
    let rig = Of::started(kind, &["old"]).await;
    let before = kept(&rig, "old").await;
    rig.remove("old");
    rig.until("retained", || rig.view("old").filter(|v| v.metadata.source.is_empty())).await;
    // Not the same spec, so that nobody would think of it: without the operator's knowledge it would be made.
    rig.manifest_with("new", "seawall.dev/paused: 'true'", &rig.wish("resources: {memory: 512Mi}"));
    rig.until("seen", || rig.view("new")).await;
    rename(&rig, "old", "new").await.unwrap();
    rig.until("gone", || rig.view("old").is_none().then_some(())).await;
    rig.manifest("new", &rig.wish("resources: {memory: 512Mi}"));
    is_renamed(&rig, &before, "retained").await;
}

async fn what_cannot_be_renamed_is_told_and_nothing_changes(kind: &'static dyn Kind) {
    let rig = Of::started(kind, &["old"]).await;
    rig.manifest("used", &kind.spec(&kind.owned_by("other", "other")));
    rig.ready("used").await;
    let rows = [
        ("old", "used", "has a manifest in old.yaml", ErrorCode::Conflict),
        ("old", "old", "cannot become", ErrorCode::Invalid),
        ("none", "used", "does not exist", ErrorCode::NotFound),
    ];
    for (old, new, words, code) in rows {
        let error = rename(&rig, old, new).await.unwrap_err();
        assert!(error.what.contains(words) && !error.next.is_empty(), "{error:?}");
        assert_eq!(error.code, code, "{error:?}");
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

async fn the_old_name_in_a_manifest_again_ends_it(kind: &'static dyn Kind) {
    let (rig, before) = renamed_in_git(kind).await;
    rig.reason("new", C::Degraded, "ProbablyRenamed").await;
    // Its stop takes long: meanwhile the commit is taken back.
    let what = What::Slow(Duration::from_secs(30));
    rig.fake.inject(Fault { method: "stop", when: When::Before, what, times: 1 });
    let stops = rig.fake.call_log().get("stop").copied().unwrap_or_default();
    rename(&rig, "old", "new").await.unwrap();
    rig.until("stopping", || (rig.fake.call_log().get("stop").copied() > Some(stops)).then_some(())).await;
    let error = rig.operator.delete(&rig.named("old"), "old").await.unwrap_err();
    assert!(error.what.contains(&format!("is being renamed to {}", rig.named("new"))), "{error:?}");
    rig.remove("new");
    rig.manifest("old", &rig.wish(""));
    rig.until("new gone", || rig.view("new").is_none().then_some(())).await;
    rig.ready("old").await;
    assert_eq!(kept(&rig, "old").await, before);
    assert_eq!(rig.fake.inventory().len(), 3, "{:?}", rig.fake.inventory());
}

async fn killed_anywhere_on_the_way_it_ends_all_the_same(kind: &'static dyn Kind) {
    // Every call that the engine gets from the rename to Ready, once before and once after it.
    let calls = ["inspect", "update", "stop", "remove", "volume", "create", "put_files", "start"];
    for method in calls {
        for when in [When::Before, When::After] {
            let (mut rig, before) = renamed_in_git(kind).await;
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

async fn nothing_goes_over_before_the_store_has_it(kind: &'static dyn Kind) {
    let (mut rig, before) = renamed_in_git(kind).await;
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
