//! What the user wants, of every kind with a container, read while something is under way: a wish that is gone stops what it
//! had begun.

use crate::kinds::{Kind, machine_tests};
use crate::machine::of::Of;
use seawall::control::api::{Api, Operation};
use seawall::core::condition::ConditionType as C;
use seawall::docker::fake::{Fault, What, When};
use std::time::Duration;

machine_tests!(
    a_deletion_under_way_stops_when_the_wish_is_gone,
    a_file_that_is_back_in_the_last_moment_is_seen_before_the_volume_goes,
    data_that_were_given_up_go_after_their_grace_and_not_for_time_that_nobody_watched,
    nothing_goes_while_git_is_at_work_or_the_directory_is_away,
    a_manifest_that_returns_takes_back_the_consent_of_the_command,
    a_manifest_that_returns_after_its_volume_went_with_consent_starts_anew,
    an_operation_that_is_given_during_another_one_is_followed,
);

const CONSENT: &str = "seawall.dev/confirm-delete: main";
const GIVEN_UP: &str = "deletionPolicy: Delete";

/// The next call of `method` takes longer than it takes until the directory is read again.
fn slow(rig: &Of, method: &'static str) {
    let what = What::Slow(Duration::from_secs(100));
    rig.fake.inject(Fault { method, when: When::After, what, times: 1 });
}

/// In the middle of the call of `method` that was told to be slow.
async fn in_step(rig: &Of, method: &'static str) {
    rig.until(method, || (rig.fake.faults_left() == 0).then_some(())).await;
}

/// Ready, with the policy and the consent to lose its data with its file.
async fn given_up(kind: &'static dyn Kind) -> Of {
    let rig = Of::start(kind, &[]);
    rig.put_with(CONSENT, GIVEN_UP);
    rig.ready("main").await;
    rig.fake.reset_calls();
    rig
}

type Back = fn(&Of);

async fn a_deletion_under_way_stops_when_the_wish_is_gone(kind: &'static dyn Kind) {
    let backs: [(&str, Back); 4] = [
        ("the same file", |rig| rig.put_with(CONSENT, GIVEN_UP)),
        ("without the consent", |rig| rig.put(GIVEN_UP)),
        ("to be kept", |rig| rig.put("")),
        ("another build", |rig| rig.put_version("main", "", rig.another(), "")),
    ];
    for (what, back) in backs {
        for step in ["stop", "remove"] {
            let rig = given_up(kind).await;
            let data = rig.marked();
            let (password, uid) = (rig.password("main").await, rig.view("main").unwrap().metadata.uid);
            slow(&rig, step);
            rig.remove("main");
            in_step(&rig, step).await;
            back(&rig);
            rig.until("back", || rig.said("Returned", "main.yaml").then_some(())).await;
            rig.ready("main").await;
            assert_eq!(rig.calls("remove_volume"), 0, "{what}, in {step}");
            assert_eq!(rig.content(), data, "{what}, in {step}");
            assert_eq!(rig.password("main").await, password, "{what}, in {step}");
            assert_eq!(rig.view("main").unwrap().metadata.uid, uid, "{what}, in {step}");
        }
    }
}

async fn a_file_that_is_back_in_the_last_moment_is_seen_before_the_volume_goes(kind: &'static dyn Kind) {
    let rig = Of::settled(kind).await;
    let data = rig.marked();
    slow(&rig, "stop");
    rig.remove("main");
    in_step(&rig, "stop").await;
    // The clock jumps to the end of the step before the system tells that the file is back.
    let what = What::Slow(Duration::from_millis(600));
    rig.fake.inject(Fault { method: "remove", when: When::After, what, times: 1 });
    rig.operator.delete(&rig.named("main"), "main").await.unwrap();
    in_step(&rig, "remove").await;
    rig.put("");
    rig.ready("main").await;
    assert_eq!(rig.calls("remove_volume"), 0);
    assert_eq!(rig.content(), data);
}

fn deletion_at(rig: &Of) -> Option<String> {
    Some(rig.view("main")?.status.get("deletionAt")?.as_str()?.to_owned())
}

async fn data_that_were_given_up_go_after_their_grace_and_not_for_time_that_nobody_watched(
    kind: &'static dyn Kind,
) {
    let mut rig = given_up(kind).await;
    let data = rig.marked();
    let begun = tokio::time::Instant::now();
    rig.remove("main");
    let due = rig.until("a time is said", || deletion_at(&rig)).await;
    let why = rig.reason("main", C::Degraded, "DeletionPending").await;
    assert!(
        why.contains(&format!("{} with all data, credentials and record are deleted at {due}", rig.volume)),
        "{why}"
    );
    assert!(why.contains("bring the manifest back"), "{why}");
    rig.until("without its container", || rig.container("main").is_none().then_some(())).await;
    rig.let_pass(Duration::from_secs(480)).await;
    assert_eq!((rig.calls("remove_volume"), rig.phase("main").as_str()), (0, "Retained"));
    // Away for an hour: that is no hour of absence.
    rig.leave().await;
    rig.let_pass(Duration::from_secs(3_600)).await;
    rig.restart();
    rig.until("counted again", || deletion_at(&rig)).await;
    rig.let_pass(Duration::from_secs(30)).await;
    assert_eq!(rig.calls("remove_volume"), 0);
    rig.put_with(CONSENT, GIVEN_UP);
    rig.ready("main").await;
    assert_eq!((rig.content(), deletion_at(&rig)), (data, None));
    assert!(begun.elapsed() > Duration::from_secs(600));

    // And to the end.
    let begun = tokio::time::Instant::now();
    rig.remove("main");
    rig.until("forgotten", || rig.view("main").is_none().then_some(())).await;
    assert!(begun.elapsed() >= Duration::from_secs(600), "{:?}", begun.elapsed());
    assert_eq!(rig.fake.inventory(), ["seawall"]);
}

async fn nothing_goes_while_git_is_at_work_or_the_directory_is_away(kind: &'static dyn Kind) {
    let rig = given_up(kind).await;
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
    assert_eq!((rig.calls("remove_volume"), deletion_at(&rig)), (0, None));
    std::fs::rename(rig.path(""), root.join("away")).unwrap();
    std::fs::remove_file(&merge).unwrap();
    rig.until("held by the directory", || {
        rig.condition("main", C::Degraded).filter(|c| c.message.contains("directory is missing")).map(drop)
    })
    .await;
    rig.let_pass(Duration::from_secs(3_600)).await;
    assert_eq!(rig.calls("remove_volume"), 0);
    std::fs::rename(root.join("away"), rig.path("")).unwrap();
    rig.until("forgotten", || rig.view("main").is_none().then_some(())).await;
}

async fn a_manifest_that_returns_takes_back_the_consent_of_the_command(kind: &'static dyn Kind) {
    let rig = Of::settled(kind).await;
    let data = rig.marked();
    slow(&rig, "stop");
    rig.remove("main");
    in_step(&rig, "stop").await;
    rig.operator.delete(&rig.named("main"), "main").await.unwrap();
    rig.put("");
    rig.ready("main").await;
    // Gone again: what was agreed to before is agreed to no longer.
    rig.remove("main");
    rig.until("retained", || {
        (rig.phase("main") == "Retained" && rig.container("main").is_none()).then_some(())
    })
    .await;
    rig.let_pass(Duration::from_secs(120)).await;
    assert_eq!((rig.calls("remove_volume"), rig.phase("main").as_str()), (0, "Retained"));
    rig.put("");
    rig.ready("main").await;
    assert_eq!(rig.content(), data);
}

async fn a_manifest_that_returns_after_its_volume_went_with_consent_starts_anew(kind: &'static dyn Kind) {
    let rig = given_up(kind).await;
    let (data, password) = (rig.marked(), rig.password("main").await);
    slow(&rig, "remove_volume");
    rig.remove("main");
    in_step(&rig, "remove_volume").await;
    rig.put_with(CONSENT, GIVEN_UP);
    rig.ready("main").await;
    assert!(rig.said("VolumeRemoved", "deletion confirmed"), "{:?}", rig.events());
    assert_ne!(rig.content(), data);
    assert_eq!(rig.password("main").await, password, "the record never went");
}

async fn an_operation_that_is_given_during_another_one_is_followed(kind: &'static dyn Kind) {
    let operate = |rig: &Of, operation| {
        let (operator, main) = (rig.operator.clone(), rig.named("main"));
        async move { operator.operate(&main, operation).await.unwrap() }
    };

    let rig = Of::settled(kind).await;
    slow(&rig, "stop");
    operate(&rig, Operation::Stop).await;
    in_step(&rig, "stop").await;
    operate(&rig, Operation::Start).await;
    rig.ready("main").await;

    // Stopped while it is made anew: what is not started yet is not started.
    rig.fake.reset_calls();
    slow(&rig, "create");
    rig.put_version("main", "", rig.another(), "");
    in_step(&rig, "create").await;
    operate(&rig, Operation::Stop).await;
    rig.reason("main", C::Ready, "Stopped").await;
    assert_eq!(rig.calls("start"), 0);
    operate(&rig, Operation::Start).await;
    rig.ready("main").await;

    // Stopped in the middle of a restart; the restart is not made up for later.
    rig.fake.reset_calls();
    slow(&rig, "stop");
    operate(&rig, Operation::Restart).await;
    in_step(&rig, "stop").await;
    operate(&rig, Operation::Stop).await;
    rig.reason("main", C::Ready, "Stopped").await;
    assert_eq!((rig.calls("start"), rig.up()), (0, false));
    operate(&rig, Operation::Start).await;
    rig.ready("main").await;
    assert_eq!(rig.calls("start"), 1);

    // Two restarts, the second one during the first: both are done.
    rig.fake.reset_calls();
    slow(&rig, "stop");
    operate(&rig, Operation::Restart).await;
    in_step(&rig, "stop").await;
    operate(&rig, Operation::Restart).await;
    rig.until("restarted twice", || (rig.calls("start") == 2 && rig.is_ready("main")).then_some(())).await;
    rig.let_pass(Duration::from_secs(120)).await;
    assert_eq!(rig.calls("start"), 2);
}
