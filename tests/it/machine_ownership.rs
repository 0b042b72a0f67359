//! The operator as a machine, for every kind with a container: what is ours and what only says so.

use crate::kinds::{Kind, machine_tests};
use crate::machine::of::Of;
use crate::machine::rig::engine;
use seawall::control::api::Api;
use seawall::core::condition::{ConditionType as C, Truth};
use seawall::core::seen::ContainerState;
use std::time::Duration;

machine_tests!(
    a_copy_of_our_container_is_left_alone_and_ours_goes_on,
    of_two_with_our_labels_none_is_removed,
    a_copy_under_our_name_is_not_taken_for_ours,
    a_copy_under_our_name_when_ours_is_gone_is_a_name_conflict,
    a_record_that_does_not_know_its_container_learns_it,
    a_database_whose_image_says_it_is_a_left_over_is_not_removed,
    a_store_is_of_one_installation,
    a_plan_beside_containers_of_another_store_says_whose_they_are,
);

/// A container made from an image of ours has all of our labels.
async fn copy(rig: &Of, name: &str) -> String {
    rig.fake.add_copy(name, &rig.container, &rig.image(rig.another()).await.id)
}

async fn a_copy_of_our_container_is_left_alone_and_ours_goes_on(kind: &'static dyn Kind) {
    let rig = Of::settled(kind).await;
    let (ours, copy) = (rig.id(), copy(&rig, "copy").await);
    let why = rig.reason("main", C::Degraded, "DuplicateContainer").await;
    assert!(why.contains(&format!("container {} ({})", rig.container, &ours[..12])), "{why}");
    assert!(why.contains(&format!("copy ({})", &copy[..12])) && why.contains("Neither is removed"), "{why}");
    assert_eq!(rig.condition("main", C::Ready).unwrap().status, Truth::True);
    rig.fake.drift_kill(&rig.container).unwrap();
    rig.until("ours is healed", || (rig.container("main")?.state == ContainerState::Running).then_some(()))
        .await;
    // Ours is lost: a new one is made, and the copy does not get its name.
    rig.fake.drift_remove(&rig.container).unwrap();
    rig.until("made again", || rig.container("main").map(|c| assert_ne!(c.id, copy))).await;
    rig.let_pass(Duration::from_secs(300)).await;
    assert_eq!(rig.fake.seen("copy").map(|c| (c.id, c.state)), Some((copy, ContainerState::Running)));
    assert_eq!(rig.condition("main", C::Ready).unwrap().status, Truth::True);
}

async fn of_two_with_our_labels_none_is_removed(kind: &'static dyn Kind) {
    let rig = Of::settled(kind).await;
    copy(&rig, "copy").await;
    rig.reason("main", C::Degraded, "DuplicateContainer").await;
    rig.remove("main");
    rig.reason("main", C::Ready, "Retained").await;
    rig.let_pass(Duration::from_secs(600)).await;
    assert_eq!(rig.calls("remove"), 0);
    assert!(rig.fake.seen("copy").is_some() && rig.container("main").is_some());
    rig.fake.drift_remove("copy").unwrap();
    rig.until("ours goes", || rig.container("main").is_none().then_some(())).await;
}

async fn a_copy_under_our_name_is_not_taken_for_ours(kind: &'static dyn Kind) {
    let rig = Of::settled(kind).await;
    let ours = rig.container("main").unwrap().id;
    let stops = rig.calls("stop");
    rig.fake.drop_events(true);
    rig.fake.drift_rename(&rig.container, "mine").unwrap();
    let copy = copy(&rig, &rig.container).await;
    rig.fake.drop_events(false);
    let why = rig.reason("main", C::Degraded, "DuplicateContainer").await;
    assert!(why.contains(&format!("mine ({})", &ours[..12])) && why.contains("Neither was touched"), "{why}");
    rig.let_pass(Duration::from_secs(300)).await;
    assert_eq!((rig.calls("remove"), rig.calls("stop")), (0, stops));
    assert_eq!(rig.fake.seen(&rig.container).unwrap().id, copy);
    // Once the name is free, ours gets it back.
    rig.fake.drift_rename(&rig.container, "other").unwrap();
    rig.until("ours has its name", || (rig.container("main")?.id == ours).then_some(())).await;
}

async fn a_copy_under_our_name_when_ours_is_gone_is_a_name_conflict(kind: &'static dyn Kind) {
    let rig = Of::settled(kind).await;
    let stops = rig.calls("stop");
    rig.fake.drop_events(true);
    let copy = copy(&rig, "copy").await;
    rig.fake.drift_remove(&rig.container).unwrap();
    rig.fake.drift_rename("copy", &rig.container).unwrap();
    rig.fake.drop_events(false);
    let why = rig.reason("main", C::Degraded, "NameConflict").await;
    assert!(why.contains("not made by Seawall") && why.contains("was not touched"), "{why}");
    rig.let_pass(Duration::from_secs(300)).await;
    assert_eq!(rig.fake.seen(&rig.container).unwrap().id, copy);
    assert_eq!((rig.calls("remove"), rig.calls("stop")), (0, stops));
}

async fn a_record_that_does_not_know_its_container_learns_it(kind: &'static dyn Kind) {
    let mut rig = Of::settled(kind).await;
    let id = rig.container("main").unwrap().id;
    rig.leave().await;
    // As an older Seawall left it, or a kill between making and remembering.
    rig.edit_record("main", |memory| {
        memory.remove("container");
        // A PostgreSQL's alone.
        memory.remove("passwordEmptiedIn");
    });
    rig.restart();
    rig.ready("main").await;
    rig.until("learnt", || (rig.memory("main")["container"] == id.as_str()).then_some(())).await;
    assert_eq!(rig.container("main").unwrap().id, id, "the same container");
}

async fn a_database_whose_image_says_it_is_a_left_over_is_not_removed(kind: &'static dyn Kind) {
    let mut rig = Of::new(kind, engine());
    let mut hostile = rig.image_like("local/hostile:1", 32).await;
    hostile.labels = hostile.labels.iter().chain([("seawall.dev/image-probe", "true")]).collect();
    let id = hostile.id.clone();
    rig.fake.add_image(hostile);
    rig.put("");
    rig.manifest("bad", &kind.spec_with_image("local/hostile:1", ""));
    rig.drive();
    rig.ready("main").await;
    // It is refused before anything is made from it.
    let why = rig.reason("bad", C::Degraded, "ImageUnfit").await;
    assert!(why.contains("carries seawall.dev/image-probe") && why.contains("docker commit"), "{why}");
    assert!(rig.container("bad").is_none());
    // One that somebody made from it, in our name.
    let labels = rig.fake.seen(&rig.container).unwrap().labels;
    let copy = rig.fake.add_copy("db", &rig.container, &id);
    rig.fake.relabel("db", labels.iter().chain([("seawall.dev/image-probe", "true")])).unwrap();
    rig.fake.relabel(&rig.container, labels.iter().chain([("seawall.dev/image-probe", "true")])).unwrap();
    rig.let_pass(Duration::from_secs(120)).await;
    assert_eq!(rig.fake.seen("db").map(|c| c.id), Some(copy));
    assert!(rig.is_running("main"));
    rig.leave().await;
    rig.check_and_restart().await;
    rig.let_pass(Duration::from_secs(120)).await;
    assert!(rig.fake.seen("db").is_some() && rig.is_running("main"));
    assert_eq!(rig.calls("remove"), 0);
}

async fn a_store_is_of_one_installation(kind: &'static dyn Kind) {
    let mut rig = Of::settled(kind).await;
    rig.leave().await;
    rig.check_and_restart().await;
    rig.leave().await;
    rig.rename_installation("blue");
    let error = seawall::control::start::check(&rig.operator).await.unwrap_err();
    assert!(error.what.contains("is of installation default, not blue"), "{}", error.what);
    assert!(error.next.starts_with("give --installation default"), "{}", error.next);
    // One of before that was kept: what it made tells.
    rig.forget_installation();
    let error = seawall::control::start::check(&rig.operator).await.unwrap_err();
    assert!(error.what.contains("is of installation default"), "{}", error.what);
    rig.rename_installation("default");
    seawall::control::start::check(&rig.operator).await.unwrap();
}

async fn a_plan_beside_containers_of_another_store_says_whose_they_are(kind: &'static dyn Kind) {
    let mut rig = Of::settled(kind).await;
    rig.leave().await;
    rig.forget_everything();
    let labels = rig.fake.seen(&rig.container).unwrap().labels;
    let others = labels.iter().chain([("seawall.dev/store", "0123456789abcdef")]);
    rig.fake.relabel(&rig.container, others).unwrap();
    let error = rig.operator.plan(None).await.unwrap_err();
    assert!(
        error.what.contains("belong to another store") && error.what.contains(&rig.container),
        "{}",
        error.what
    );
    assert!(
        error.next.starts_with("give --data of the store") && !error.next.contains("recover"),
        "{}",
        error.next
    );
}
