//! The operator as a machine: what is ours and what only says so; who else has our volume.

use crate::machine::rig::{Rig, engine, image, object};
use seawall::control::api::{Api, Operation};
use seawall::control::operator::Times;
use seawall::core::condition::{ConditionType as C, Truth};
use seawall::core::seen::ContainerState;
use seawall::docker::Docker;
use seawall::store::Store;
use std::collections::BTreeMap;
use std::time::Duration;

const MAIN: &str = "{version: '18', database: appdb, username: appuser}";
const CONTAINER: &str = "postgres-main";
const VOLUME: &str = "postgres-main-data";

async fn settled() -> Rig {
    let rig = Rig::start(&[("main", MAIN)]);
    rig.ready("main").await;
    rig
}

fn calls(rig: &Rig, method: &str) -> u64 {
    rig.fake.call_log().get(method).copied().unwrap_or_default()
}

/// A container made from an image of ours has all of our labels.
fn copy(rig: &Rig, name: &str) -> String {
    rig.fake.add_copy(name, CONTAINER, &image("", 18, 2).id)
}

#[tokio::test(start_paused = true)]
async fn a_copy_of_our_container_is_left_alone_and_ours_goes_on() {
    let rig = settled().await;
    let (ours, copy) = (rig.container("main").unwrap().id, copy(&rig, "copy"));
    let why = rig.reason("main", C::Degraded, "DuplicateContainer").await;
    assert!(why.contains(&format!("container {CONTAINER} ({})", &ours[..12])), "{why}");
    assert!(why.contains(&format!("copy ({})", &copy[..12])) && why.contains("Neither is removed"), "{why}");
    assert_eq!(rig.condition("main", C::Ready).unwrap().status, Truth::True);
    rig.fake.drift_kill(CONTAINER).unwrap();
    rig.until("ours is healed", || (rig.container("main")?.state == ContainerState::Running).then_some(()))
        .await;
    // Ours is lost: a new one is made, and the copy does not get its name.
    rig.fake.drift_remove(CONTAINER).unwrap();
    rig.until("made again", || rig.container("main").map(|c| assert_ne!(c.id, copy))).await;
    rig.let_pass(Duration::from_secs(300)).await;
    assert_eq!(rig.fake.seen("copy").map(|c| (c.id, c.state)), Some((copy, ContainerState::Running)));
    assert_eq!(rig.condition("main", C::Ready).unwrap().status, Truth::True);
}

#[tokio::test(start_paused = true)]
async fn of_two_with_our_labels_none_is_removed() {
    let rig = settled().await;
    copy(&rig, "copy");
    rig.reason("main", C::Degraded, "DuplicateContainer").await;
    rig.remove("main");
    rig.reason("main", C::Ready, "Retained").await;
    rig.let_pass(Duration::from_secs(600)).await;
    assert_eq!(calls(&rig, "remove"), 0);
    assert!(rig.fake.seen("copy").is_some() && rig.container("main").is_some());
    rig.fake.drift_remove("copy").unwrap();
    rig.until("ours goes", || rig.container("main").is_none().then_some(())).await;
}

#[tokio::test(start_paused = true)]
async fn a_copy_under_our_name_is_not_taken_for_ours() {
    let rig = settled().await;
    let ours = rig.container("main").unwrap().id;
    let stops = calls(&rig, "stop");
    rig.fake.drop_events(true);
    rig.fake.drift_rename(CONTAINER, "mine").unwrap();
    let copy = copy(&rig, CONTAINER);
    rig.fake.drop_events(false);
    let why = rig.reason("main", C::Degraded, "DuplicateContainer").await;
    assert!(why.contains(&format!("mine ({})", &ours[..12])) && why.contains("Neither was touched"), "{why}");
    rig.let_pass(Duration::from_secs(300)).await;
    assert_eq!((calls(&rig, "remove"), calls(&rig, "stop")), (0, stops));
    assert_eq!(rig.fake.seen(CONTAINER).unwrap().id, copy);
    // Once the name is free, ours gets it back.
    rig.fake.drift_rename(CONTAINER, "other").unwrap();
    rig.until("ours has its name", || (rig.container("main")?.id == ours).then_some(())).await;
}

#[tokio::test(start_paused = true)]
async fn a_copy_under_our_name_when_ours_is_gone_is_a_name_conflict() {
    let rig = settled().await;
    let stops = calls(&rig, "stop");
    rig.fake.drop_events(true);
    let copy = copy(&rig, "copy");
    rig.fake.drift_remove(CONTAINER).unwrap();
    rig.fake.drift_rename("copy", CONTAINER).unwrap();
    rig.fake.drop_events(false);
    let why = rig.reason("main", C::Degraded, "NameConflict").await;
    assert!(why.contains("not made by Seawall") && why.contains("was not touched"), "{why}");
    rig.let_pass(Duration::from_secs(300)).await;
    assert_eq!(rig.fake.seen(CONTAINER).unwrap().id, copy);
    assert_eq!((calls(&rig, "remove"), calls(&rig, "stop")), (0, stops));
}

#[tokio::test(start_paused = true)]
async fn a_record_that_does_not_know_its_container_learns_it() {
    let mut rig = settled().await;
    let id = rig.container("main").unwrap().id;
    rig.leave().await;
    // As an older Seawall left it, or a kill between making and remembering.
    rig.edit_record("main", |memory| {
        memory.remove("container");
        memory.remove("passwordEmptiedIn");
    });
    rig.restart();
    rig.ready("main").await;
    rig.until("learnt", || (rig.memory("main")["container"] == id.as_str()).then_some(())).await;
    assert_eq!(rig.container("main").unwrap().id, id, "the same container");
}

#[tokio::test(start_paused = true)]
async fn a_database_whose_image_says_it_is_a_left_over_is_not_removed() {
    let fake = engine();
    let mut hostile = image("local/hostile:18", 18, 8);
    hostile.labels = hostile.labels.iter().chain([("seawall.dev/image-probe", "true")]).collect();
    let id = hostile.id.clone();
    fake.add_image(hostile);
    let mut rig = Rig::new(fake, Times::default());
    rig.manifest("main", MAIN);
    rig.manifest("bad", "{image: 'local/hostile:18'}");
    rig.drive();
    rig.ready("main").await;
    // It is refused before anything is made from it.
    let why = rig.reason("bad", C::Degraded, "ImageUnfit").await;
    assert!(why.contains("carries seawall.dev/image-probe") && why.contains("docker commit"), "{why}");
    assert!(rig.container("bad").is_none());
    // One that somebody made from it, in our name.
    let labels = rig.fake.seen(CONTAINER).unwrap().labels;
    let copy = rig.fake.add_copy("db", CONTAINER, &id);
    rig.fake.relabel("db", labels.iter().chain([("seawall.dev/image-probe", "true")])).unwrap();
    rig.fake.relabel(CONTAINER, labels.iter().chain([("seawall.dev/image-probe", "true")])).unwrap();
    rig.let_pass(Duration::from_secs(120)).await;
    assert_eq!(rig.fake.seen("db").map(|c| c.id), Some(copy));
    assert!(rig.is_running("main"));
    rig.leave().await;
    rig.check_and_restart().await;
    rig.let_pass(Duration::from_secs(120)).await;
    assert!(rig.fake.seen("db").is_some() && rig.is_running("main"));
    assert_eq!(calls(&rig, "remove"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_server_is_not_started_beside_another_on_its_volume() {
    let rig = settled().await;
    rig.fake.add_foreign_container("theirs");
    let point = format!("/var/lib/docker/volumes/{VOLUME}/_data");
    for (mounts, shares) in [
        (vec![(VOLUME, "rw")], true),
        (vec![(point.as_str(), "rw")], true),
        (vec![("/var/lib/docker", "rw")], true),
        (vec![(VOLUME, "ro")], false),
    ] {
        rig.operator.operate(&object("main"), Operation::Stop).await.unwrap();
        rig.until("stopped", || (!rig.is_running("main")).then_some(())).await;
        rig.fake.set_mounts("theirs", &mounts).unwrap();
        let starts = calls(&rig, "start");
        rig.operator.operate(&object("main"), Operation::Start).await.unwrap();
        if shares {
            let why = rig.reason("main", C::Degraded, "VolumeShared").await;
            assert!(why.contains("theirs (") && why.contains("image foreign"), "{why}");
            let ready = rig.condition("main", C::Ready).unwrap();
            assert_eq!((ready.status, ready.reason.as_str()), (Truth::False, "VolumeShared"));
            rig.let_pass(Duration::from_secs(120)).await;
            assert_eq!(calls(&rig, "start"), starts, "{mounts:?}");
            assert!(!rig.is_running("main"));
            rig.fake.set_mounts("theirs", &[]).unwrap();
        }
        rig.ready("main").await;
        assert_eq!(rig.container("main").unwrap().restart_policy, "always");
    }
}

#[tokio::test(start_paused = true)]
async fn a_container_that_comes_to_our_volume_later_is_told_and_ours_is_not_restarted() {
    let rig = settled().await;
    rig.fake.add_foreign_container("theirs");
    rig.fake.set_mounts("theirs", &[(VOLUME, "rw")]).unwrap();
    let why = rig.reason("main", C::Degraded, "VolumeShared").await;
    assert!(why.contains("theirs") && why.contains("docker stop theirs"), "{why}");
    assert_eq!(rig.condition("main", C::Ready).unwrap().status, Truth::False);
    assert!(rig.said("VolumeShared", "theirs"), "{:#?}", rig.events());
    assert!(rig.is_running("main"), "ours goes on");
    // Nor by the engine itself.
    assert_eq!(rig.container("main").unwrap().restart_policy, "no");
    rig.fake.crash(CONTAINER, 1).unwrap();
    rig.let_pass(Duration::from_secs(120)).await;
    assert!(!rig.is_running("main"));
    rig.fake.drift_remove("theirs").unwrap();
    rig.ready("main").await;
    assert_eq!(rig.container("main").unwrap().restart_policy, "always");
}

#[tokio::test(start_paused = true)]
async fn one_that_came_between_the_plan_and_the_start_stops_the_start() {
    let rig = settled().await;
    rig.operator.operate(&object("main"), Operation::Stop).await.unwrap();
    rig.until("stopped", || (!rig.is_running("main")).then_some(())).await;
    rig.fake.drop_events(true);
    rig.fake.add_foreign_container("theirs");
    rig.fake.set_mounts("theirs", &[(VOLUME, "rw")]).unwrap();
    rig.operator.operate(&object("main"), Operation::Start).await.unwrap();
    rig.reason("main", C::Degraded, "VolumeShared").await;
    assert!(!rig.is_running("main"));
}

#[tokio::test(start_paused = true)]
async fn what_looks_after_volumes_is_let_in_by_an_annotation() {
    let rig = settled().await;
    rig.fake.add_foreign_container("keeper");
    rig.fake.set_mounts("keeper", &[("/var/lib/docker/volumes", "rw")]).unwrap();
    rig.reason("main", C::Degraded, "VolumeShared").await;
    rig.manifest_with("main", "seawall.dev/volume-users: 'other, keeper'", MAIN);
    rig.ready("main").await;
    rig.fake.drift_kill(CONTAINER).unwrap();
    rig.until("started beside it", || rig.is_running("main").then_some(())).await;
}

#[tokio::test(start_paused = true)]
async fn another_volume_on_the_same_place_is_seen_by_the_sweep() {
    let rig = settled().await;
    rig.fake.add_foreign_volume("alias");
    rig.fake.set_device("alias", &format!("none /var/lib/docker/volumes/{VOLUME}/_data"));
    rig.fake.add_foreign_container("theirs");
    rig.fake.drop_events(true);
    rig.fake.set_mounts("theirs", &[("alias", "rw")]).unwrap();
    rig.reason("main", C::Degraded, "VolumeShared").await;
}

#[tokio::test(start_paused = true)]
async fn many_foreign_containers_cost_no_look_each() {
    let rig = settled().await;
    rig.let_pass(Duration::from_secs(60)).await;
    rig.fake.reset_calls();
    for n in 0..100 {
        let name = format!("job{n}");
        rig.fake.add_foreign_container(&name);
        rig.fake.set_mounts(&name, &[("cache", "rw")]).unwrap();
    }
    rig.let_pass(Duration::from_secs(5)).await;
    assert!(calls(&rig, "list") <= 3, "{:?}", rig.fake.call_log());
    assert_eq!(rig.fake.call_log().get("inspect"), None);
}

const FILES: [&str; 3] = [
    "/var/lib/postgresql/fake-cluster.json",
    "/var/lib/postgresql/18/docker/PG_VERSION",
    "/var/lib/postgresql/18/docker/global/pg_control",
];

/// What lies on the volume of `main`: by path.
fn backup(rig: &Rig) -> Vec<(&'static str, Vec<u8>)> {
    FILES
        .iter()
        .map(|path| (*path, rig.fake.file(CONTAINER, path).unwrap().unwrap().content.to_vec()))
        .collect()
}

fn restore(rig: &Rig, files: &[(&str, Vec<u8>)]) {
    for (path, content) in files {
        rig.fake.write_file(CONTAINER, path, content).unwrap();
    }
}

/// As `docker system prune --volumes` does.
fn prune(rig: &Rig) {
    if rig.container("main").is_some() {
        rig.fake.drift_remove(CONTAINER).unwrap();
    }
    rig.fake.drift_remove_volume(VOLUME).unwrap();
}

async fn labelled(rig: &Rig) {
    let labels = [("installation", "default"), ("kind", "Postgres"), ("name", "main")];
    let mut labels: BTreeMap<String, String> =
        labels.iter().map(|(k, v)| (format!("seawall.dev/{k}"), (*v).to_owned())).collect();
    labels.insert("seawall.dev/store".to_owned(), rig.store.id());
    rig.fake.create_volume(VOLUME, &labels).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_volume_that_is_lost_while_nothing_runs_is_told_at_once() {
    for retained in [false, true] {
        let rig = settled().await;
        if retained {
            rig.manifest("other", MAIN);
            rig.ready("other").await;
            rig.remove("main");
            rig.until("gone", || rig.container("main").is_none().then_some(())).await;
            rig.reason("main", C::Ready, "Retained").await;
        } else {
            rig.operator.operate(&object("main"), Operation::Stop).await.unwrap();
            rig.until("stopped", || (rig.phase("main") == "Stopped").then_some(())).await;
        }
        // No event tells it: the sweep does.
        rig.fake.drop_events(true);
        prune(&rig);
        let why = rig.reason("main", C::Degraded, "VolumeMissing").await;
        assert!(why.contains("with the data of this object is gone"), "{why}");
        assert!(why.contains("docker volume create --label") && !why.contains("delete"), "{why}");
        assert!(rig.said("VolumeMissing", VOLUME));
        assert_eq!(rig.view("main").unwrap().status["volume"], serde_json::Value::Null);
        let ready = rig.condition("main", C::Ready).unwrap().message;
        assert!(!ready.contains("volume"), "{ready}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_empty_volume_in_the_place_of_a_lost_one_starts_no_server() {
    let rig = settled().await;
    let (files, data) = (backup(&rig), rig.servers.system_identifier(CONTAINER));
    prune(&rig);
    rig.reason("main", C::Degraded, "VolumeMissing").await;
    let starts = calls(&rig, "start");
    labelled(&rig).await;
    let why = rig.reason("main", C::Degraded, "VolumeEmpty").await;
    assert!(why.contains("would make an empty database") && why.contains("cp -v COPY:/from:ro"), "{why}");
    // Half a copy, then another cluster's.
    restore(&rig, &files[1..2]);
    rig.until("half", || {
        let c = rig.condition("main", C::Degraded)?;
        c.message.contains("no global/pg_control").then_some(())
    })
    .await;
    let mut other = files[2].1.clone();
    other[0] ^= 1;
    restore(&rig, &[(FILES[2], other)]);
    rig.reason("main", C::Degraded, "DifferentCluster").await;
    rig.let_pass(Duration::from_secs(300)).await;
    assert_eq!(calls(&rig, "start"), starts, "nothing was started on any of these");
    restore(&rig, &files);
    rig.ready("main").await;
    assert_eq!(rig.servers.system_identifier(CONTAINER), data);
}

#[tokio::test(start_paused = true)]
async fn data_that_was_restored_without_labels_is_taken_when_it_is_said_and_right() {
    let rig = settled().await;
    let (files, data) = (backup(&rig), rig.servers.system_identifier(CONTAINER).unwrap());
    prune(&rig);
    rig.fake.add_foreign_volume(VOLUME);
    let why = rig.reason("main", C::Degraded, "NameConflict").await;
    assert!(why.contains(&format!("seawall.dev/accept-cluster: \"{data}\"")), "{why}");
    rig.manifest_with("main", &format!("seawall.dev/accept-cluster: '{data}'"), MAIN);
    rig.reason("main", C::Degraded, "VolumeEmpty").await;
    restore(&rig, &files);
    rig.ready("main").await;
    assert_eq!(rig.servers.system_identifier(CONTAINER), Some(data));
}

#[tokio::test(start_paused = true)]
async fn a_store_is_of_one_installation() {
    let mut rig = settled().await;
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

#[tokio::test(start_paused = true)]
async fn a_plan_beside_containers_of_another_store_says_whose_they_are() {
    let mut rig = settled().await;
    rig.leave().await;
    rig.forget_everything();
    let labels = rig.fake.seen(CONTAINER).unwrap().labels;
    let others = labels.iter().chain([("seawall.dev/store", "0123456789abcdef")]);
    rig.fake.relabel(CONTAINER, others).unwrap();
    let error = rig.operator.plan(None).await.unwrap_err();
    assert!(
        error.what.contains("belong to another store") && error.what.contains(CONTAINER),
        "{}",
        error.what
    );
    assert!(
        error.next.starts_with("give --data of the store") && !error.next.contains("recover"),
        "{}",
        error.next
    );
}
