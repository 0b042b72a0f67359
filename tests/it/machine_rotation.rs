//! A server's own password takes the place of another one, on the fake engine: what is asked for, what is refused, and a kill
//! anywhere on the way.

use crate::kinds::postgres::KIND as POSTGRES;
use crate::kinds::{Kind, machine_tests};
use crate::machine::of::Of;
use seawall::control::api::{Api, ApplyOptions, ErrorCode, Operation};
use seawall::core::condition::{ConditionType as C, Truth};
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
    an_old_password_is_rotated_by_itself_in_its_window_and_once,
    what_does_not_run_at_its_time_is_rotated_when_it_does,
    it_is_looked_at_when_its_time_comes,
    a_password_of_unknown_age_is_not_old,
    killed_anywhere_a_rotation_by_the_schedule_is_one,
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
async fn the_password_that_was_given_without_a_manifest_is_changed_by_the_command_that_is_said() {
    let rig = made(&POSTGRES).await;
    std::fs::create_dir_all(rig.data("secrets")).unwrap();
    std::fs::write(rig.data("secrets/main"), "hunter2").unwrap();
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(rig.data("secrets/main"), private).unwrap();
    let given = "apiVersion: seawall.dev/v1\nkind: Postgres\nmetadata: {name: given}\nspec: {version: '18', password: {valueFrom: {file: ./main}}}\n";
    rig.operator.apply(given, &ApplyOptions::default()).await.unwrap();
    let object = "postgres/given".parse().unwrap();
    let error = rig.operator.operate(&object, Operation::Rotate).await.unwrap_err();
    assert_eq!((error.code, error.what.contains("manifest")), (ErrorCode::Conflict, false), "{error:?}");
    assert!(error.next.contains("seawall services update postgres/given -s password="), "{error:?}");
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

/// It is the one that it was, set again.
#[tokio::test(start_paused = true)]
async fn a_password_changed_by_hand_is_no_younger_when_it_is_back() {
    let mut rig = made(&POSTGRES).await;
    made_at(&mut rig, "2026-01-01T00:00:00Z", "").await;
    rig.ready("main").await;
    let first = rig.password("main").await;
    assert!(rig.servers.change_password(&rig.container, "by hand"));
    rig.drop_session("main");
    rig.until("set again", || rig.said("PasswordReset", "").then_some(())).await;
    rig.ready("main").await;
    rig.settled("main").await;
    assert_eq!(rig.password("main").await, first);
    assert_eq!(rig.memory("main")["passwordRotatedAt"], "2026-01-01T00:00:00Z");
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

/// The server's password was made at this time; nobody looks before `manifest` is there.
async fn made_at(rig: &mut Of, time: &str, more: &str) {
    rig.leave().await;
    rig.edit_record("main", |memory| memory["passwordRotatedAt"] = time.into());
    rig.put(more);
    rig.restart();
}

fn begun(rig: &Of) -> u64 {
    let all = rig.events();
    let due =
        all.iter().filter(|e| e.reason == "RotationBegan" && e.message.contains("due by spec.rotation"));
    due.map(|event| event.count).sum()
}

fn next(rig: &Of) -> Option<String> {
    Some(rig.view("main")?.status["credentials"]["nextRotation"].as_str()?.to_owned())
}

/// A window of two hours that begins so many hours from now.
fn window(hours: i64) -> String {
    let at = |hours: i64| {
        let time = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(hours);
        time.to_string()[11..16].to_owned()
    };
    format!("rotation: {{every: 30d, window: '{}-{}'}}", at(hours), at(hours + 2))
}

async fn an_old_password_is_rotated_by_itself_in_its_window_and_once(kind: &'static dyn Kind) {
    let mut rig = made(kind).await;
    // It is new.
    rig.put("rotation: {every: 30d}");
    rig.until("it says when", || next(&rig)).await;
    rig.let_pass(Duration::from_secs(7_300)).await;
    assert_eq!((generation(&rig), begun(&rig)), (1, 0));
    // Without a schedule nothing is old.
    made_at(&mut rig, "2026-01-01T00:00:00Z", "").await;
    rig.ready("main").await;
    rig.let_pass(Duration::from_secs(7_300)).await;
    assert_eq!((generation(&rig), next(&rig)), (1, None));
    // What was missed waits for the window.
    rig.put(&window(5));
    let said = rig.until("it says when", || next(&rig)).await;
    let left = said.parse::<jiff::Timestamp>().unwrap().duration_since(jiff::Timestamp::now());
    assert!((4..=5).contains(&left.as_hours()), "{said}");
    rig.let_pass(Duration::from_secs(600)).await;
    assert_eq!((generation(&rig), begun(&rig)), (1, 0));
    let (first, container) = (rig.password("main").await, rig.container("main").unwrap());
    rig.put(&window(-1));
    rotated(&rig, "in the window", 2).await;
    assert_ne!(rig.password("main").await, first);
    rig.let_pass(Duration::from_secs(7_300)).await;
    assert_eq!((generation(&rig), begun(&rig)), (2, 1), "once");
    let now = rig.container("main").unwrap();
    assert_eq!((&now.id, &now.started_at), (&container.id, &container.started_at));
    let made: jiff::Timestamp = rig.memory("main")["passwordRotatedAt"].as_str().unwrap().parse().unwrap();
    let next: jiff::Timestamp = next(&rig).unwrap().parse().unwrap();
    let days = next.duration_since(made).as_secs_f64() / 86_400.0;
    assert!((29.9..=31.0).contains(&days), "{days}");
}

async fn what_does_not_run_at_its_time_is_rotated_when_it_does(kind: &'static dyn Kind) {
    const OLD: &str = "2026-01-01T00:00:00Z";
    let schedule = "rotation: {every: 30d}";
    let mut rig = made(kind).await;
    let main = rig.named("main");
    rig.put_with("seawall.dev/paused: 'true'", "");
    rig.until("paused", || (rig.condition("main", C::Paused)?.status == Truth::True).then_some(())).await;
    made_at(&mut rig, OLD, "").await;
    rig.put_with("seawall.dev/paused: 'true'", schedule);
    let held =
        |rig: &Of| rig.condition("main", C::Paused).is_some_and(|c| c.message.contains("1 steps are held"));
    rig.until("held back", || held(&rig).then_some(())).await;
    rig.let_pass(Duration::from_secs(7_300)).await;
    assert_eq!((generation(&rig), begun(&rig)), (1, 0), "paused");
    rig.operator.operate(&main, Operation::Stop).await.unwrap();
    rig.put(schedule);
    rig.until("stopped", || (rig.phase("main") == "Stopped").then_some(())).await;
    rig.let_pass(Duration::from_secs(7_300)).await;
    assert_eq!((generation(&rig), begun(&rig)), (1, 0), "stopped");
    rig.operator.operate(&main, Operation::Start).await.unwrap();
    rotated(&rig, "started again", 2).await;
    assert_eq!(begun(&rig), 1);
}

async fn it_is_looked_at_when_its_time_comes(kind: &'static dyn Kind) {
    let mut rig = made(kind).await;
    let soon = jiff::Timestamp::now() - jiff::SignedDuration::from_secs(3_600 - 3);
    made_at(&mut rig, &soon.to_string(), "rotation: {every: 1h}").await;
    rig.ready("main").await;
    rig.settled("not yet").await;
    assert_eq!((generation(&rig), begun(&rig)), (1, 0));
    // The time of the world is another one than that of timers here.
    std::thread::sleep(Duration::from_millis(3_100));
    rig.let_pass(Duration::from_secs(10)).await;
    assert_eq!((generation(&rig), begun(&rig)), (2, 1));
}

async fn a_password_of_unknown_age_is_not_old(kind: &'static dyn Kind) {
    let mut rig = made(kind).await;
    made_at(&mut rig, "", "rotation: {every: 30d}").await;
    rig.until("it says when", || next(&rig)).await;
    rig.let_pass(Duration::from_secs(7_300)).await;
    assert_eq!((generation(&rig), begun(&rig)), (1, 0));
}

async fn killed_anywhere_a_rotation_by_the_schedule_is_one(kind: &'static dyn Kind) {
    for nth in 0..6 {
        let mut rig = made(kind).await;
        made_at(&mut rig, "2026-01-01T00:00:00Z", "").await;
        rig.ready("main").await;
        rig.settled("before").await;
        rig.store.slow_answers(Duration::from_secs(1));
        rig.put("rotation: {every: 30d}");
        rig.let_pass(Duration::from_millis(nth * 1_000 + 500)).await;
        // Also what the manifest does not say any more is gone on with, once it has begun.
        let goes_on = is_pending(&rig);
        rig.crash().await;
        rig.store.slow_answers(Duration::ZERO);
        if goes_on {
            rig.put("");
        }
        rig.check_and_restart().await;
        rotated(&rig, &format!("killed after commit {nth}"), 2).await;
        rig.let_pass(Duration::from_secs(7_300)).await;
        assert!(generation(&rig) == 2 && begun(&rig) <= 1, "{nth}: once");
    }
}
