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

fn calls(rig: &Rig, method: &str) -> u64 {
    rig.fake.call_log().get(method).copied().unwrap_or_default()
}

/// The next call of `method` takes longer than it takes until the directory is read again.
fn slow(rig: &Rig, method: &'static str) {
    let what = What::Slow(Duration::from_secs(100));
    rig.fake.inject(Fault { method, when: When::After, what, times: 1 });
}

/// In the middle of the next call of `method`.
async fn in_step(rig: &Rig, method: &'static str) {
    let before = calls(rig, method);
    rig.until(method, || (calls(rig, method) > before).then_some(())).await;
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
    let rig = given_up().await;
    let data = rig.servers.system_identifier(CONTAINER);
    // The clock jumps to the end of the step before the system tells that the file is back.
    let what = What::Slow(Duration::from_millis(600));
    rig.fake.inject(Fault { method: "remove", when: When::After, what, times: 1 });
    rig.remove("main");
    in_step(&rig, "remove").await;
    rig.manifest_with("main", CONSENT, GIVEN_UP);
    rig.ready("main").await;
    assert_eq!(calls(&rig, "remove_volume"), 0);
    assert_eq!(rig.servers.system_identifier(CONTAINER), data);
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

/// A Postgres document.
fn document(name: &str) -> String {
    format!("apiVersion: seawall.dev/v1\nkind: Postgres\nmetadata: {{name: {name}}}\nspec: {MAIN}\n")
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_still_there_removes_nothing_until_it_is_confirmed_or_gone() {
    let rig = Rig::start(&[("stays", MAIN), ("stays-too", MAIN)]);
    let all = format!("{}---\n{}", document("a"), document("b"));
    std::fs::write(rig.path("all.yaml"), &all).unwrap();
    for name in ["a", "b"] {
        rig.ready(name).await;
    }
    let before = (rig.container("a"), rig.container("b"));
    for (text, held) in [("", ["a", "b"]), ("# later\n", ["a", "b"]), (&document("a"), ["b", "b"])] {
        std::fs::write(rig.path("all.yaml"), text).unwrap();
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
        std::fs::write(rig.path("all.yaml"), &all).unwrap();
        for name in ["a", "b"] {
            rig.until("let go of", || {
                rig.condition(name, C::Degraded).is_none_or(|c| c.status != Truth::True).then_some(())
            })
            .await;
        }
    }
    // A clean edit is confirmed by its command.
    std::fs::write(rig.path("all.yaml"), document("a")).unwrap();
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
    std::fs::write(rig.path("all.yaml"), "").unwrap();
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
