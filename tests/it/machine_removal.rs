//! What the user wants, read while something is under way: a wish that is gone stops what it had begun,
//! and a manifest that is there in any form removes nothing.

use crate::machine::rig::{Rig, object};
use seawall::control::api::{Api, Operation};
use seawall::core::condition::{ConditionType as C, Truth};
use seawall::core::seen::ContainerState;
use seawall::docker::fake::{Fault, What, When};
use std::time::Duration;

const MAIN: &str = "{version: '18', database: appdb, username: appuser}";
const GIVEN_UP: &str = "{version: '18', database: appdb, username: appuser, deletionPolicy: Delete}";
const CONSENT: &str = "seawall.dev/confirm-delete: main";
const CONTAINER: &str = "postgres-main";
const VOLUME: &str = "postgres-main-data";

fn calls(rig: &Rig, method: &str) -> u64 {
    rig.fake.call_log().get(method).copied().unwrap_or_default()
}

/// The next call of `method` takes longer than it takes until the directory is read again.
fn slow(rig: &Rig, method: &'static str) {
    let what = What::Slow(Duration::from_secs(100));
    rig.fake.inject(Fault { method, when: When::After, what, times: 1 });
}

/// In the middle of the call of `method` that was told to be slow.
async fn in_step(rig: &Rig, method: &'static str) {
    rig.until(method, || (rig.fake.faults_left() == 0).then_some(())).await;
}

/// Ready, with the policy and the consent to lose its data with its file.
async fn given_up() -> Rig {
    let rig = Rig::start(&[]);
    rig.manifest_with("main", CONSENT, GIVEN_UP);
    rig.ready("main").await;
    rig.fake.reset_calls();
    rig
}

type Back = fn(&Rig);

#[tokio::test(start_paused = true)]
async fn a_deletion_under_way_stops_when_the_wish_is_gone() {
    let backs: [(&str, Back); 4] = [
        ("the same file", |rig| rig.manifest_with("main", CONSENT, GIVEN_UP)),
        ("without the consent", |rig| rig.manifest("main", GIVEN_UP)),
        ("to be kept", |rig| rig.manifest("main", MAIN)),
        ("another build", |rig| rig.manifest("main", "{version: '18b', database: appdb, username: appuser}")),
    ];
    for (what, back) in backs {
        for step in ["stop", "remove"] {
            let rig = given_up().await;
            let data = rig.servers.system_identifier(CONTAINER);
            let (password, uid) = (rig.password("main").await, rig.view("main").unwrap().metadata.uid);
            slow(&rig, step);
            rig.remove("main");
            in_step(&rig, step).await;
            back(&rig);
            rig.until("back", || rig.said("Returned", "main.yaml").then_some(())).await;
            rig.ready("main").await;
            assert_eq!(calls(&rig, "remove_volume"), 0, "{what}, in {step}");
            assert_eq!(rig.servers.system_identifier(CONTAINER), data, "{what}, in {step}");
            assert_eq!(rig.password("main").await, password, "{what}, in {step}");
            assert_eq!(rig.view("main").unwrap().metadata.uid, uid, "{what}, in {step}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_back_in_the_last_moment_is_seen_before_the_volume_goes() {
    let rig = Rig::start(&[("main", MAIN)]);
    rig.ready("main").await;
    let data = rig.servers.system_identifier(CONTAINER);
    slow(&rig, "stop");
    rig.remove("main");
    in_step(&rig, "stop").await;
    // The clock jumps to the end of the step before the system tells that the file is back.
    let what = What::Slow(Duration::from_millis(600));
    rig.fake.inject(Fault { method: "remove", when: When::After, what, times: 1 });
    rig.operator.delete(&object("main"), "main").await.unwrap();
    in_step(&rig, "remove").await;
    rig.manifest("main", MAIN);
    rig.ready("main").await;
    assert_eq!(calls(&rig, "remove_volume"), 0);
    assert_eq!(rig.servers.system_identifier(CONTAINER), data);
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_away_for_a_while_changes_nothing() {
    let rig = Rig::start(&[("main", MAIN)]);
    rig.ready("main").await;
    rig.fake.reset_calls();
    let before = rig.container("main");
    for _ in 0..3 {
        rig.remove("main");
        let why = rig.reason("main", C::Degraded, "ManifestGone").await;
        assert!(why.contains("main.yaml is gone; the container is stopped and removed at 2"), "{why}");
        let notices = rig.operator.objects().await.unwrap().notices;
        assert!(notices.iter().any(|n| n.starts_with("postgres/main: main.yaml is gone")), "{notices:?}");
        rig.let_pass(Duration::from_secs(20)).await;
        rig.manifest("main", MAIN);
        rig.until("back", || {
            rig.condition("main", C::Degraded).is_none_or(|c| c.status != Truth::True).then_some(())
        })
        .await;
    }
    assert_eq!((rig.container("main"), calls(&rig, "stop")), (before, 0));
    rig.remove("main");
    rig.until("retained", || (rig.phase("main") == "Retained").then_some(())).await;
}

fn deletion_at(rig: &Rig) -> Option<String> {
    Some(rig.view("main")?.status.get("deletionAt")?.as_str()?.to_owned())
}

#[tokio::test(start_paused = true)]
async fn data_that_were_given_up_go_after_their_grace_and_not_for_time_that_nobody_watched() {
    let mut rig = given_up().await;
    let data = rig.servers.system_identifier(CONTAINER);
    let begun = tokio::time::Instant::now();
    rig.remove("main");
    let due = rig.until("a time is said", || deletion_at(&rig)).await;
    let why = rig.reason("main", C::Degraded, "DeletionPending").await;
    assert!(
        why.contains(&format!("{VOLUME} with all data, credentials and record are deleted at {due}")),
        "{why}"
    );
    assert!(why.contains("bring the manifest back"), "{why}");
    rig.until("without its container", || rig.container("main").is_none().then_some(())).await;
    rig.let_pass(Duration::from_secs(480)).await;
    assert_eq!((calls(&rig, "remove_volume"), rig.phase("main").as_str()), (0, "Retained"));
    // Away for an hour: that is no hour of absence.
    rig.leave().await;
    rig.let_pass(Duration::from_secs(3_600)).await;
    rig.restart();
    rig.until("counted again", || deletion_at(&rig)).await;
    rig.let_pass(Duration::from_secs(30)).await;
    assert_eq!(calls(&rig, "remove_volume"), 0);
    rig.manifest_with("main", CONSENT, GIVEN_UP);
    rig.ready("main").await;
    assert_eq!((rig.servers.system_identifier(CONTAINER), deletion_at(&rig)), (data, None));
    assert!(begun.elapsed() > Duration::from_secs(600));

    // And to the end.
    let begun = tokio::time::Instant::now();
    rig.remove("main");
    rig.until("forgotten", || rig.view("main").is_none().then_some(())).await;
    assert!(begun.elapsed() >= Duration::from_secs(600), "{:?}", begun.elapsed());
    assert_eq!(rig.fake.inventory(), ["seawall"]);
}

#[tokio::test(start_paused = true)]
async fn nothing_goes_while_git_is_at_work_or_the_directory_is_away() {
    let rig = given_up().await;
    let before = rig.container("main");
    let root = rig.path("").parent().unwrap().to_owned();
    let lock = root.join(".git/index.lock");
    std::fs::create_dir(lock.parent().unwrap()).unwrap();
    std::fs::write(&lock, "").unwrap();
    rig.remove("main");
    let why = rig.reason("main", C::Degraded, "ManifestGone").await;
    assert!(why.contains("index.lock is there since") && why.contains("remove that file"), "{why}");
    rig.let_pass(Duration::from_secs(3_600)).await;
    assert_eq!(rig.container("main"), before);
    std::fs::remove_file(&lock).unwrap();
    rig.until("without its container", || rig.container("main").is_none().then_some(())).await;
    // The same for the data.
    let merge = root.join(".git/MERGE_HEAD");
    std::fs::write(&merge, "").unwrap();
    rig.until("held", || {
        rig.condition("main", C::Degraded).filter(|c| c.message.contains("MERGE_HEAD is there")).map(drop)
    })
    .await;
    rig.let_pass(Duration::from_secs(3_600)).await;
    assert_eq!((calls(&rig, "remove_volume"), deletion_at(&rig)), (0, None));
    std::fs::rename(rig.path(""), root.join("away")).unwrap();
    std::fs::remove_file(&merge).unwrap();
    rig.until("held by the directory", || {
        rig.condition("main", C::Degraded).filter(|c| c.message.contains("directory is missing")).map(drop)
    })
    .await;
    rig.let_pass(Duration::from_secs(3_600)).await;
    assert_eq!(calls(&rig, "remove_volume"), 0);
    std::fs::rename(root.join("away"), rig.path("")).unwrap();
    rig.until("forgotten", || rig.view("main").is_none().then_some(())).await;
}

#[tokio::test(start_paused = true)]
async fn a_manifest_that_returns_takes_back_the_consent_of_the_command() {
    let rig = Rig::start(&[("main", MAIN)]);
    rig.ready("main").await;
    let data = rig.servers.system_identifier(CONTAINER);
    slow(&rig, "stop");
    rig.remove("main");
    in_step(&rig, "stop").await;
    rig.operator.delete(&object("main"), "main").await.unwrap();
    rig.manifest("main", MAIN);
    rig.ready("main").await;
    // Gone again: what was agreed to before is agreed to no longer.
    rig.remove("main");
    rig.until("retained", || {
        (rig.phase("main") == "Retained" && rig.container("main").is_none()).then_some(())
    })
    .await;
    rig.let_pass(Duration::from_secs(120)).await;
    assert_eq!((calls(&rig, "remove_volume"), rig.phase("main").as_str()), (0, "Retained"));
    rig.manifest("main", MAIN);
    rig.ready("main").await;
    assert_eq!(rig.servers.system_identifier(CONTAINER), data);
}

#[tokio::test(start_paused = true)]
async fn a_manifest_that_returns_after_its_volume_went_with_consent_starts_anew() {
    let rig = given_up().await;
    let (data, password) = (rig.servers.system_identifier(CONTAINER), rig.password("main").await);
    slow(&rig, "remove_volume");
    rig.remove("main");
    in_step(&rig, "remove_volume").await;
    rig.manifest_with("main", CONSENT, GIVEN_UP);
    rig.ready("main").await;
    assert!(rig.said("VolumeRemoved", "deletion confirmed"), "{:?}", rig.events());
    assert_ne!(rig.servers.system_identifier(CONTAINER), data);
    assert_eq!(rig.password("main").await, password, "the record never went");
}

#[tokio::test(start_paused = true)]
async fn an_operation_that_is_given_during_another_one_is_followed() {
    let operate = |rig: &Rig, operation| {
        let operator = rig.operator.clone();
        async move { operator.operate(&object("main"), operation).await.unwrap() }
    };
    let up = |rig: &Rig| rig.container("main").is_some_and(|c| c.state == ContainerState::Running);

    let rig = Rig::start(&[("main", MAIN)]);
    rig.ready("main").await;
    slow(&rig, "stop");
    operate(&rig, Operation::Stop).await;
    in_step(&rig, "stop").await;
    operate(&rig, Operation::Start).await;
    rig.ready("main").await;

    // Stopped while it is made anew: what is not started yet is not started.
    rig.fake.reset_calls();
    slow(&rig, "create");
    rig.manifest("main", "{version: '18b', database: appdb, username: appuser}");
    in_step(&rig, "create").await;
    operate(&rig, Operation::Stop).await;
    rig.reason("main", C::Ready, "Stopped").await;
    assert_eq!(calls(&rig, "start"), 0);
    operate(&rig, Operation::Start).await;
    rig.ready("main").await;

    // Stopped in the middle of a restart; the restart is not made up for later.
    rig.fake.reset_calls();
    slow(&rig, "stop");
    operate(&rig, Operation::Restart).await;
    in_step(&rig, "stop").await;
    operate(&rig, Operation::Stop).await;
    rig.reason("main", C::Ready, "Stopped").await;
    assert_eq!((calls(&rig, "start"), up(&rig)), (0, false));
    operate(&rig, Operation::Start).await;
    rig.ready("main").await;
    assert_eq!(calls(&rig, "start"), 1);

    // Two restarts, the second one during the first: both are done.
    rig.fake.reset_calls();
    slow(&rig, "stop");
    operate(&rig, Operation::Restart).await;
    in_step(&rig, "stop").await;
    operate(&rig, Operation::Restart).await;
    rig.until("restarted twice", || (calls(&rig, "start") == 2 && rig.is_ready("main")).then_some(())).await;
    rig.let_pass(Duration::from_secs(120)).await;
    assert_eq!(calls(&rig, "start"), 2);
}

/// Writes a file by a rename: a look at it in the middle of a write would see another text.
fn put(rig: &Rig, file: &str, text: &str) {
    let temporary = rig.path(".put.tmp");
    std::fs::write(&temporary, text).unwrap();
    std::fs::rename(temporary, rig.path(file)).unwrap();
}

/// A Postgres document.
fn document(name: &str) -> String {
    format!("apiVersion: seawall.dev/v1\nkind: Postgres\nmetadata: {{name: {name}}}\nspec: {MAIN}\n")
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_still_there_removes_nothing_until_it_is_confirmed_or_gone() {
    let rig = Rig::start(&[("stays", MAIN), ("stays-too", MAIN)]);
    let all = format!("{}---\n{}", document("a"), document("b"));
    put(&rig, "all.yaml", &all);
    for name in ["a", "b"] {
        rig.ready(name).await;
    }
    let before = (rig.container("a"), rig.container("b"));
    for (text, held) in [("", ["a", "b"]), ("# later\n", ["a", "b"]), (&document("a"), ["b", "b"])] {
        put(&rig, "all.yaml", text);
        for name in held {
            let why = rig.reason(name, C::Degraded, "ManifestHeld").await;
            assert!(
                why.contains(&format!("all.yaml is still there and no longer names postgres/{name}")),
                "{why}"
            );
            assert!(why.contains("seawall prune --confirm remove-"), "{why}");
        }
        rig.let_pass(Duration::from_secs(300)).await;
        assert_eq!((rig.container("a"), rig.container("b")), before, "{text}");
        assert!(rig.operator.objects().await.unwrap().guard.is_some_and(|g| g.contains("still there")));
        put(&rig, "all.yaml", &all);
        for name in ["a", "b"] {
            rig.until("let go of", || {
                rig.condition(name, C::Degraded).is_none_or(|c| c.status != Truth::True).then_some(())
            })
            .await;
        }
    }
    // A clean edit is confirmed by its command.
    put(&rig, "all.yaml", &document("a"));
    let why = rig.reason("b", C::Degraded, "ManifestHeld").await;
    let words = why.rsplit_once("--confirm ").unwrap().1.to_owned();
    assert!(rig.operator.confirm_prune("remove-1-000000").await.is_err());
    rig.operator.confirm_prune(&words).await.unwrap();
    rig.until("b retained", || (rig.phase("b") == "Retained" && rig.container("b").is_none()).then_some(()))
        .await;
    assert!(rig.fake.inventory().contains(&"postgres-b-data".to_owned()));
    assert!(rig.operator.prune().await.unwrap().guard.is_none());
    assert_eq!(rig.container("a"), before.0);
    // Or the file goes.
    put(&rig, "all.yaml", "");
    rig.reason("a", C::Degraded, "ManifestHeld").await;
    std::fs::remove_file(rig.path("all.yaml")).unwrap();
    rig.until("a retained", || (rig.phase("a") == "Retained").then_some(())).await;
}

#[tokio::test(start_paused = true)]
async fn a_file_that_was_put_away_under_another_name_is_held_and_said() {
    let rig = Rig::start(&[("main", MAIN), ("stays", MAIN), ("stays-too", MAIN)]);
    rig.ready("main").await;
    let before = rig.container("main");
    for away in ["main.YAML", "main.yaml.disabled", ".main.yaml", "main.yaml~", "main.yaml.bak"] {
        std::fs::rename(rig.path("main.yaml"), rig.path(away)).unwrap();
        let why = rig.reason("main", C::Degraded, "ManifestBroken").await;
        assert!(why.contains(&format!("{away} lies beside it")), "{why}");
        rig.let_pass(Duration::from_secs(300)).await;
        assert_eq!(rig.container("main"), before, "{away}");
        std::fs::rename(rig.path(away), rig.path("main.yaml")).unwrap();
        rig.until("back", || {
            rig.condition("main", C::Degraded).is_none_or(|c| c.status != Truth::True).then_some(())
        })
        .await;
    }
    // Moved, and broken on the way.
    std::fs::write(rig.path("moved.yaml"), "kind: [").unwrap();
    std::fs::remove_file(rig.path("main.yaml")).unwrap();
    let why = rig.reason("main", C::Degraded, "ManifestBroken").await;
    assert!(why.contains("moved.yaml"), "{why}");
    rig.let_pass(Duration::from_secs(300)).await;
    assert_eq!(rig.container("main"), before);
    // A file that was broken all along hides nobody.
    rig.manifest("main", MAIN);
    rig.until("back", || {
        rig.condition("main", C::Degraded).is_none_or(|c| c.status != Truth::True).then_some(())
    })
    .await;
    rig.remove("main");
    rig.until("retained", || (rig.phase("main") == "Retained").then_some(())).await;
}

#[tokio::test(start_paused = true)]
async fn a_new_name_with_the_same_spec_gets_no_empty_database_before_the_user_says_so() {
    let rig = Rig::start(&[("old", MAIN), ("stays", "{version: '17'}")]);
    rig.ready("old").await;
    let before = rig.container("old");
    for same_file in [false, true] {
        // `git mv` with an edit, and an edit of the name alone.
        if same_file {
            put(&rig, "old.yaml", &document("new"));
        } else {
            // In this order: a look in between must not find two objects.
            rig.remove("old");
            rig.manifest("new", MAIN);
        }
        let why = rig.reason("new", C::Degraded, "ProbablyRenamed").await;
        assert!(why.contains("the very spec of postgres/old") && why.contains("seawall.dev/new"), "{why}");
        let why = rig.reason("old", C::Degraded, "ProbablyRenamed").await;
        assert!(why.contains("postgres/new is new") && why.contains("seawall prune --confirm"), "{why}");
        let plan = rig.plan("new").await;
        assert!(plan.steps.is_empty() && plan.blocked[0].reason == "ProbablyRenamed", "{plan:?}");
        rig.let_pass(Duration::from_secs(300)).await;
        assert_eq!((rig.container("old"), rig.container("new")), (before.clone(), None), "{same_file}");
        assert!(!rig.fake.inventory().contains(&"postgres-new-data".to_owned()));
        // It was the same one: named as before it goes on.
        if !same_file {
            std::fs::remove_file(rig.path("new.yaml")).unwrap();
            rig.manifest("old", MAIN);
            rig.until("old is back", || {
                rig.condition("old", C::Degraded).is_none_or(|c| c.status != Truth::True).then_some(())
            })
            .await;
        }
    }
    // It is another one: both are, one of them without a manifest.
    let new = document("new").replace("{name: new}", "{name: new, annotations: {seawall.dev/new: 'true'}}");
    put(&rig, "old.yaml", &new);
    rig.ready("new").await;
    rig.reason("old", C::Degraded, "ManifestHeld").await;
    assert_eq!(rig.container("old"), before);
}

#[tokio::test(start_paused = true)]
async fn a_port_that_is_kept_for_a_retained_object_is_named_so_and_can_be_released() {
    let rig = Rig::start(&[("b", "{version: '18', port: 7777}"), ("any", "{version: '18', stopped: true}")]);
    rig.ready("b").await;
    assert!(rig.operator.operate(&object("b"), Operation::ReleasePort).await.is_err(), "it has a manifest");
    rig.remove("b");
    rig.until("retained", || (rig.phase("b") == "Retained" && rig.container("b").is_none()).then_some(()))
        .await;
    rig.manifest("c", "{version: '18', port: 7777, database: other}");
    let why = rig.reason("c", C::Degraded, "PortConflict").await;
    assert!(why.contains("port 7777 is kept for postgres/b, which is Retained"), "{why}");
    assert!(why.contains("seawall release-port postgres/b"), "{why}");
    rig.operator.operate(&object("b"), Operation::ReleasePort).await.unwrap();
    rig.ready("c").await;
    assert_eq!(rig.container("c").unwrap().published[0].host, 7777);
    assert!(rig.operator.operate(&object("b"), Operation::ReleasePort).await.is_err(), "none is kept");
    // It comes back with all but the port.
    rig.manifest("b", "{version: '18'}");
    rig.ready("b").await;
    assert_ne!(rig.container("b").unwrap().published[0].host, 7777);
}
