//! A server's own password takes the place of another one, on the fake engine: what is asked for, what is refused, and a kill
//! anywhere on the way.

use crate::kinds::postgres::KIND as POSTGRES;
use crate::kinds::{Kind, machine_tests};
use crate::machine::of::Of;
use seawall::control::api::{Api, ErrorCode, Operation};
use seawall::core::condition::ConditionType as C;
use seawall::docker::DockerError;
use seawall::docker::fake::{Fault, What, When};
use seawall::store::Store;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

machine_tests!(
    a_new_password_is_sealed_then_set_then_proven_then_the_one_in_use,
    what_cannot_be_rotated_now_is_refused_and_nothing_changes,
    killed_after_any_commit_it_goes_on_and_rotates_once,
);

async fn made(kind: &'static dyn Kind) -> Of {
    let rig = Of::started(kind, &["main"]).await;
    rig.settled("main").await;
    rig
}

fn generation(rig: &Of) -> u64 {
    rig.memory("main")["passwordGeneration"].as_u64().unwrap()
}

fn is_pending(rig: &Of) -> bool {
    rig.store.get(&format!("secret/{}/pending", rig.object)).unwrap().is_some()
}

async fn rotate(rig: &Of) -> Result<String, (ErrorCode, String)> {
    let done = rig.operator.operate(&rig.named("main"), Operation::Rotate).await;
    done.map(|done| done.message).map_err(|error| (error.code, error.what))
}

/// Waits until one password took the place of another, and nothing is left of that.
async fn rotated(rig: &Of, what: &str, to: u64) {
    rig.until(what, || (generation(rig) == to && !is_pending(rig)).then_some(())).await;
    rig.ready("main").await;
    rig.settled(what).await;
    assert_eq!((generation(rig), is_pending(rig)), (to, false), "{what}");
}

async fn a_new_password_is_sealed_then_set_then_proven_then_the_one_in_use(kind: &'static dyn Kind) {
    let rig = made(kind).await;
    let (first, container) = (rig.password("main").await, rig.container("main").unwrap());
    assert_eq!(rotate(&rig).await.unwrap(), format!("{} gets a new password", rig.object));
    rotated(&rig, "once", 2).await;
    let second = rig.password("main").await;
    assert_ne!(first, second);
    let order: Vec<String> = rig.events().into_iter().map(|event| event.reason).collect();
    let at = |reason: &str| order.iter().position(|known| known == reason).unwrap();
    assert!(
        at("RotationBegan") < at("PasswordReset") && at("PasswordReset") < at("PasswordRotated"),
        "{order:?}"
    );
    let credentials = rig.view("main").unwrap().status["credentials"].clone();
    assert_eq!(credentials["generation"], 2, "{credentials}");
    assert_eq!(credentials["rotatedAt"], rig.memory("main")["passwordRotatedAt"]);
    let now = rig.container("main").unwrap();
    assert_eq!((&now.id, &now.started_at), (&container.id, &container.started_at));

    // Two at once are one.
    let (one, two) = tokio::join!(rotate(&rig), rotate(&rig));
    assert!(one.is_ok() && two.is_ok(), "{one:?} {two:?}");
    rotated(&rig, "twice at once", 3).await;
    rig.let_pass(Duration::from_secs(120)).await;
    assert_eq!(generation(&rig), 3);

    // What comes after it finds the new one.
    rig.operator.operate(&rig.named("main"), Operation::Restart).await.unwrap();
    rig.until("another start", || (rig.container("main")?.started_at != container.started_at).then_some(()))
        .await;
    rig.ready("main").await;
    rig.manifest("main", &rig.spec(rig.another(), ""));
    rig.until("another container", || (rig.container("main")?.id != container.id).then_some(())).await;
    rig.ready("main").await;
    assert_eq!(generation(&rig), 3);
}

async fn what_cannot_be_rotated_now_is_refused_and_nothing_changes(kind: &'static dyn Kind) {
    let rig = made(kind).await;
    let main = rig.named("main");
    let error = rig.operator.operate(&main, Operation::RotateNow).await.unwrap_err();
    assert_eq!(
        (error.code, error.next),
        (ErrorCode::Invalid, format!("seawall rotate {}, without --now", rig.object))
    );
    rig.operator.operate(&main, Operation::Stop).await.unwrap();
    for _ in 0..2 {
        let (code, what) = rotate(&rig).await.unwrap_err();
        assert!(code == ErrorCode::Conflict && what.contains("nothing was changed"), "{what}");
        rig.until("stopped", || (rig.phase("main") == "Stopped").then_some(())).await;
    }
    rig.operator.operate(&main, Operation::Start).await.unwrap();
    rig.ready("main").await;
    rig.fake.crash_loop(&rig.container, 137).unwrap();
    rig.until("down", || (!rig.is_ready("main")).then_some(())).await;
    let (code, what) = rotate(&rig).await.unwrap_err();
    assert!(code == ErrorCode::Conflict && what.contains("nothing was changed"), "{what}");
    assert_eq!((generation(&rig), rig.asked("main")["rotate"].is_null()), (1, true));
}

#[tokio::test(start_paused = true)]
async fn the_password_of_a_manifest_is_not_seawalls_to_choose() {
    let rig = made(&POSTGRES).await;
    std::fs::create_dir_all(rig.data("secrets")).unwrap();
    std::fs::write(rig.data("secrets/main"), "hunter2").unwrap();
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(rig.data("secrets/main"), private).unwrap();
    let named = rig.wish("password: {valueFrom: {file: ./main}}");
    // It comes while another one is on its way: that one is of no use any more.
    let fails =
        What::Error(DockerError::Refused { doing: "exec", status: 500, detail: "not now".to_owned() });
    rig.fake.inject(Fault { method: "exec", when: When::Before, what: fails, times: 1_000 });
    rotate(&rig).await.unwrap();
    rig.until("sealed", || is_pending(&rig).then_some(())).await;
    rig.manifest("main", &named);
    rig.until("taken", || rig.said("PasswordTaken", "spec.password").then_some(())).await;
    rig.fake.clear_faults();
    rig.ready("main").await;
    rig.settled("main").await;
    assert_eq!((rig.password("main").await.as_str(), is_pending(&rig)), ("hunter2", false));
    let (code, what) = rotate(&rig).await.unwrap_err();
    assert!(code == ErrorCode::Conflict && what.contains("its manifest names"), "{what}");
    // What was asked for before is not done when the field is gone.
    rig.manifest("main", &rig.wish(""));
    rig.let_pass(Duration::from_secs(120)).await;
    assert_eq!(rig.password("main").await, "hunter2");
}

/// Each commit is on the disk at once and its answer takes a second: half a second later there is a kill.
async fn killed_after_any_commit_it_goes_on_and_rotates_once(kind: &'static dyn Kind) {
    let mut seen = BTreeSet::new();
    for nth in 0..12 {
        let mut rig = made(kind).await;
        let first = rig.password("main").await;
        rig.store.slow_answers(Duration::from_secs(1));
        let (operator, main) = (Arc::clone(&rig.operator), rig.named("main"));
        let asked = tokio::spawn(async move { operator.operate(&main, Operation::Rotate).await });
        rig.let_pass(Duration::from_millis(nth * 1_000 + 500)).await;
        rig.crash().await;
        asked.abort();
        seen.insert((is_pending(&rig), generation(&rig)));
        rig.store.slow_answers(Duration::ZERO);
        rig.check_and_restart().await;
        rotated(&rig, &format!("killed after commit {nth}"), 2).await;
        assert_ne!(rig.password("main").await, first);
        rig.let_pass(Duration::from_secs(60)).await;
        let begun: u64 = rig.events().iter().filter(|e| e.reason == "RotationBegan").map(|e| e.count).sum();
        assert!(generation(&rig) == 2 && begun <= 1, "{nth}: once");
    }
    assert_eq!(seen, BTreeSet::from([(false, 1), (true, 1), (false, 2)]), "killed at every border");
}

#[tokio::test(start_paused = true)]
async fn killed_while_the_server_is_told_it_goes_on() {
    for when in [When::Before, When::After] {
        let mut rig = made(&POSTGRES).await;
        rig.fake.set_hang_limit(Duration::from_secs(100_000));
        rig.fake.inject(Fault { method: "exec", when, what: What::Hang, times: 1 });
        rotate(&rig).await.unwrap();
        rig.until("it hangs", || (rig.fake.faults_left() == 0).then_some(())).await;
        assert!(is_pending(&rig) && generation(&rig) == 1);
        rig.crash().await;
        rig.check_and_restart().await;
        rotated(&rig, &format!("{when:?}"), 2).await;
    }
}

/// Nobody gets in by either password: the next one is set, and takes its place.
#[tokio::test(start_paused = true)]
async fn a_password_changed_by_hand_on_the_way_ends_nothing() {
    let mut rig = made(&POSTGRES).await;
    let first = rig.password("main").await;
    rig.fake.set_hang_limit(Duration::from_secs(100_000));
    rig.fake.inject(Fault { method: "exec", when: When::Before, what: What::Hang, times: 1 });
    rotate(&rig).await.unwrap();
    rig.until("it hangs", || (rig.fake.faults_left() == 0).then_some(())).await;
    rig.crash().await;
    assert!(rig.servers.change_password(&rig.container, "by hand"));
    rig.check_and_restart().await;
    rotated(&rig, "by hand", 2).await;
    assert!(
        rig.said("PasswordReset", "give the managed user the next password: the managed credentials"),
        "{:?}",
        rig.events()
    );
    assert_ne!(rig.password("main").await, first);
}

/// The server has it, and the store does not take it: both are tried until it does.
#[tokio::test(start_paused = true)]
async fn a_full_disk_between_the_server_and_the_store_loses_neither_password() {
    for killed in [false, true] {
        let mut rig = made(&POSTGRES).await;
        let first = rig.password("main").await;
        let slow = What::Slow(Duration::from_secs(10));
        rig.fake.inject(Fault { method: "exec", when: When::Before, what: slow, times: 1 });
        rotate(&rig).await.unwrap();
        rig.until("told", || (rig.fake.faults_left() == 0).then_some(())).await;
        rig.store.fail_writes(true);
        rig.reason("main", C::Degraded, "StoreFailed").await;
        assert_eq!((rig.password("main").await, is_pending(&rig)), (first.clone(), true));
        let words = rig.reason("main", C::Progressing, "Rotating").await;
        assert!(words.contains("take the next password"), "{words}");
        assert_eq!(rotate(&rig).await.unwrap_err().1, "postgres/main is being given a new password already");
        if killed {
            rig.crash().await;
            rig.store.fail_writes(false);
            rig.check_and_restart().await;
        }
        rig.store.fail_writes(false);
        rotated(&rig, "there is room again", 2).await;
        assert_ne!(rig.password("main").await, first);
    }
}
