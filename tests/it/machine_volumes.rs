//! The operator as a machine, for every kind with a container: who else has our volume, and what is done when it is lost.

use crate::kinds::postgres::KIND as POSTGRES;
use crate::kinds::{Kind, machine_tests};
use crate::machine::of::Of;
use seawall::control::api::{Api, Operation};
use seawall::core::condition::{ConditionType as C, Truth};
use seawall::core::seen::Space;
use seawall::docker::Docker;
use seawall::store::Store;
use std::collections::BTreeMap;
use std::time::Duration;

machine_tests!(
    a_server_is_not_started_beside_another_on_its_volume,
    a_container_that_comes_to_our_volume_later_is_told_and_ours_is_not_restarted,
    one_that_came_between_the_plan_and_the_start_stops_the_start,
    what_looks_after_volumes_is_let_in_by_an_annotation,
    another_volume_on_the_same_place_is_seen_by_the_sweep,
    many_foreign_containers_cost_no_look_each,
    a_stranger_with_our_name_on_the_network_takes_ready_and_gives_it_back,
    a_volume_that_only_its_container_sees_read_only_is_said,
    a_volume_that_is_lost_while_nothing_runs_is_told_at_once,
    the_data_on_an_empty_volume_in_the_place_of_a_lost_one_is_served_again,
);

async fn a_server_is_not_started_beside_another_on_its_volume(kind: &'static dyn Kind) {
    let rig = Of::settled(kind).await;
    rig.fake.add_foreign_container("theirs");
    let point = format!("/var/lib/docker/volumes/{}/_data", rig.volume);
    for (mounts, shares) in [
        (vec![(rig.volume.as_str(), "rw")], true),
        (vec![(point.as_str(), "rw")], true),
        (vec![("/var/lib/docker", "rw")], true),
        (vec![(rig.volume.as_str(), "ro")], false),
    ] {
        rig.operator.operate(&rig.named("main"), Operation::Stop).await.unwrap();
        rig.until("stopped", || (!rig.is_running("main")).then_some(())).await;
        rig.fake.set_mounts("theirs", &mounts).unwrap();
        let starts = rig.calls("start");
        rig.operator.operate(&rig.named("main"), Operation::Start).await.unwrap();
        if shares {
            let why = rig.reason("main", C::Degraded, "VolumeShared").await;
            assert!(why.contains("theirs (") && why.contains("image foreign"), "{why}");
            let ready = rig.condition("main", C::Ready).unwrap();
            assert_eq!((ready.status, ready.reason.as_str()), (Truth::False, "VolumeShared"));
            rig.let_pass(Duration::from_secs(120)).await;
            assert_eq!(rig.calls("start"), starts, "{mounts:?}");
            assert!(!rig.is_running("main"));
            rig.fake.set_mounts("theirs", &[]).unwrap();
        }
        rig.ready("main").await;
        assert_eq!(rig.container("main").unwrap().restart_policy, "always");
    }
}

async fn a_container_that_comes_to_our_volume_later_is_told_and_ours_is_not_restarted(
    kind: &'static dyn Kind,
) {
    let rig = Of::settled(kind).await;
    rig.fake.add_foreign_container("theirs");
    rig.fake.set_mounts("theirs", &[(&rig.volume, "rw")]).unwrap();
    let why = rig.reason("main", C::Degraded, "VolumeShared").await;
    assert!(why.contains("theirs") && why.contains("docker stop theirs"), "{why}");
    assert_eq!(rig.condition("main", C::Ready).unwrap().status, Truth::False);
    assert!(rig.said("VolumeShared", "theirs"), "{:#?}", rig.events());
    assert!(rig.is_running("main"), "ours goes on");
    // Nor by the engine itself.
    assert_eq!(rig.container("main").unwrap().restart_policy, "no");
    rig.fake.crash(&rig.container, 1).unwrap();
    rig.let_pass(Duration::from_secs(120)).await;
    assert!(!rig.is_running("main"));
    rig.fake.drift_remove("theirs").unwrap();
    rig.ready("main").await;
    assert_eq!(rig.container("main").unwrap().restart_policy, "always");
}

async fn one_that_came_between_the_plan_and_the_start_stops_the_start(kind: &'static dyn Kind) {
    let rig = Of::settled(kind).await;
    rig.operator.operate(&rig.named("main"), Operation::Stop).await.unwrap();
    rig.until("stopped", || (!rig.is_running("main")).then_some(())).await;
    rig.fake.drop_events(true);
    rig.fake.add_foreign_container("theirs");
    rig.fake.set_mounts("theirs", &[(&rig.volume, "rw")]).unwrap();
    rig.operator.operate(&rig.named("main"), Operation::Start).await.unwrap();
    rig.reason("main", C::Degraded, "VolumeShared").await;
    assert!(!rig.is_running("main"));
}

async fn what_looks_after_volumes_is_let_in_by_an_annotation(kind: &'static dyn Kind) {
    let rig = Of::settled(kind).await;
    rig.fake.add_foreign_container("keeper");
    rig.fake.set_mounts("keeper", &[("/var/lib/docker/volumes", "rw")]).unwrap();
    rig.reason("main", C::Degraded, "VolumeShared").await;
    rig.manifest_with("main", "seawall.dev/volume-users: 'other, keeper'", &rig.wish(""));
    rig.ready("main").await;
    rig.fake.drift_kill(&rig.container).unwrap();
    rig.until("started beside it", || rig.is_running("main").then_some(())).await;
}

async fn another_volume_on_the_same_place_is_seen_by_the_sweep(kind: &'static dyn Kind) {
    let rig = Of::settled(kind).await;
    rig.fake.add_foreign_volume("alias");
    rig.fake.set_device("alias", &format!("none /var/lib/docker/volumes/{}/_data", rig.volume));
    rig.fake.add_foreign_container("theirs");
    rig.fake.drop_events(true);
    rig.fake.set_mounts("theirs", &[("alias", "rw")]).unwrap();
    rig.reason("main", C::Degraded, "VolumeShared").await;
}

async fn many_foreign_containers_cost_no_look_each(kind: &'static dyn Kind) {
    let rig = Of::settled(kind).await;
    rig.let_pass(Duration::from_secs(60)).await;
    rig.fake.reset_calls();
    for n in 0..100 {
        let name = format!("job{n}");
        rig.fake.add_foreign_container(&name);
        rig.fake.set_mounts(&name, &[("cache", "rw")]).unwrap();
    }
    rig.let_pass(Duration::from_secs(5)).await;
    assert!(rig.calls("list") <= 3, "{:?}", rig.fake.call_log());
    assert_eq!(rig.fake.call_log().get("inspect"), None);
}

async fn a_stranger_with_our_name_on_the_network_takes_ready_and_gives_it_back(kind: &'static dyn Kind) {
    let rig = Of::settled(kind).await;
    let network = rig.fake.network_ids("seawall").remove(0);
    rig.fake.add_foreign_container("theirs");
    let connect = async |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        rig.fake.connect(&network, "theirs", &names).await.unwrap();
        rig.let_pass(Duration::from_secs(60)).await;
    };
    connect(&["theirs-too"]).await;
    assert_eq!(rig.condition("main", C::Ready).unwrap().status, Truth::True);
    rig.fake.drift_disconnect("theirs", "seawall").unwrap();
    let before = rig.container("main").unwrap();
    connect(&["x", &rig.container.to_uppercase()]).await;
    let why = rig.condition("main", C::Degraded).unwrap();
    assert_eq!((why.status, why.reason.as_str()), (Truth::True, "DnsNameTaken"));
    assert!(
        why.message.contains("theirs (") && why.message.contains("docker network disconnect"),
        "{}",
        why.message
    );
    let ready = rig.condition("main", C::Ready).unwrap();
    assert_eq!((ready.status, ready.reason.as_str()), (Truth::False, "DnsNameTaken"));
    // Looked at once, and ours goes on as it is.
    rig.fake.reset_calls();
    rig.let_pass(Duration::from_secs(300)).await;
    assert!(rig.calls("inspect") < 30, "{:?}", rig.fake.call_log());
    assert_eq!(rig.container("main").unwrap().started_at, before.started_at);
    rig.fake.drift_disconnect("theirs", "seawall").unwrap();
    rig.ready("main").await;
    assert!(rig.condition("main", C::Degraded).is_none_or(|c| c.status != Truth::True));
}

/// What its server has on the volume of `main`: by path.
fn backup(rig: &Of) -> Vec<(&'static str, Vec<u8>)> {
    let file = |path| rig.fake.file(&rig.container, path).unwrap().unwrap().content.to_vec();
    rig.kind.fake_files().iter().map(|path| (*path, file(path))).collect()
}

fn restore(rig: &Of, files: &[(&str, Vec<u8>)]) {
    for (path, content) in files {
        rig.fake.write_file(&rig.container, path, content).unwrap();
    }
}

/// As `docker system prune --volumes` does.
fn prune(rig: &Of) {
    if rig.seen().is_some() {
        rig.fake.drift_remove(&rig.container).unwrap();
    }
    rig.fake.drift_remove_volume(&rig.volume).unwrap();
}

async fn labelled(rig: &Of) {
    let labels = [("installation", "default"), ("kind", rig.kind.kind()), ("name", "main")];
    let mut labels: BTreeMap<String, String> =
        labels.iter().map(|(k, v)| (format!("seawall.dev/{k}"), (*v).to_owned())).collect();
    labels.insert("seawall.dev/store".to_owned(), rig.store.id());
    rig.fake.create_volume(&rig.volume, &labels).await.unwrap();
}

async fn a_volume_that_is_lost_while_nothing_runs_is_told_at_once(kind: &'static dyn Kind) {
    for retained in [false, true] {
        let rig = Of::settled(kind).await;
        if retained {
            rig.manifest("other", &rig.wish(""));
            rig.ready("other").await;
            rig.remove("main");
            rig.until("gone", || rig.container("main").is_none().then_some(())).await;
            rig.reason("main", C::Ready, "Retained").await;
        } else {
            rig.operator.operate(&rig.named("main"), Operation::Stop).await.unwrap();
            rig.until("stopped", || (rig.phase("main") == "Stopped").then_some(())).await;
        }
        // No event tells it: the sweep does.
        rig.fake.drop_events(true);
        prune(&rig);
        let why = rig.reason("main", C::Degraded, "VolumeMissing").await;
        assert!(why.contains("with the data of this object is gone"), "{why}");
        assert!(why.contains("docker volume create --label") && !why.contains("delete"), "{why}");
        assert!(rig.said("VolumeMissing", &rig.volume));
        assert_eq!(rig.view("main").unwrap().status["volume"], serde_json::Value::Null);
        let ready = rig.condition("main", C::Ready).unwrap().message;
        assert!(!ready.contains("volume"), "{ready}");
    }
}

async fn the_data_on_an_empty_volume_in_the_place_of_a_lost_one_is_served_again(kind: &'static dyn Kind) {
    let rig = Of::settled(kind).await;
    let (files, data) = (backup(&rig), rig.marked());
    prune(&rig);
    rig.reason("main", C::Degraded, "VolumeMissing").await;
    let starts = rig.calls("start");
    labelled(&rig).await;
    let why = rig.reason("main", C::Degraded, "VolumeEmpty").await;
    assert!(why.contains("No server was started on it") && why.contains("cp -v COPY:/from:ro"), "{why}");
    rig.let_pass(Duration::from_secs(300)).await;
    assert_eq!(rig.calls("start"), starts, "nothing was started on it");
    restore(&rig, &files);
    rig.mark();
    rig.ready("main").await;
    assert_eq!(rig.content(), data);
}

// What of a PostgreSQL's data tells whose it is.

#[tokio::test(start_paused = true)]
async fn an_empty_volume_in_the_place_of_a_lost_one_starts_no_server() {
    let rig = Of::settled(&POSTGRES).await;
    let (files, data) = (backup(&rig), rig.kind.fake_data(&rig.fakes(), &rig.container));
    prune(&rig);
    rig.reason("main", C::Degraded, "VolumeMissing").await;
    let starts = rig.calls("start");
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
    restore(&rig, &[(files[2].0, other)]);
    rig.reason("main", C::Degraded, "DifferentCluster").await;
    rig.let_pass(Duration::from_secs(300)).await;
    assert_eq!(rig.calls("start"), starts, "nothing was started on any of these");
    restore(&rig, &files);
    rig.ready("main").await;
    assert_eq!(rig.kind.fake_data(&rig.fakes(), &rig.container), data);
}

#[tokio::test(start_paused = true)]
async fn data_that_was_restored_without_labels_is_taken_when_it_is_said_and_right() {
    let rig = Of::settled(&POSTGRES).await;
    let (files, data) = (backup(&rig), rig.kind.fake_data(&rig.fakes(), &rig.container));
    prune(&rig);
    rig.fake.add_foreign_volume(&rig.volume);
    let why = rig.reason("main", C::Degraded, "NameConflict").await;
    assert!(why.contains(&format!("seawall.dev/accept-cluster: \"{data}\"")), "{why}");
    rig.manifest_with("main", &format!("seawall.dev/accept-cluster: '{data}'"), &rig.wish(""));
    rig.reason("main", C::Degraded, "VolumeEmpty").await;
    restore(&rig, &files);
    rig.ready("main").await;
    assert_eq!(rig.kind.fake_data(&rig.fakes(), &rig.container), data);
}

async fn a_volume_that_only_its_container_sees_read_only_is_said(kind: &'static dyn Kind) {
    let rig = Of::settled(kind).await;
    rig.fake.set_space(Some(Space { free: 90 << 30, total: 100 << 30, read_only: false }));
    rig.let_pass(Duration::from_secs(60)).await;
    assert_eq!(rig.condition("main", C::Ready).unwrap().status, Truth::True);
    let id = rig.container("main").unwrap().id;
    rig.fake.set_read_only(&id, true);
    let words = rig.reason("main", C::Degraded, "DiskReadOnly").await;
    assert!(words.contains("mount it writable again"), "{words}");
    assert_eq!(rig.condition("main", C::Ready).unwrap().reason, "DiskReadOnly");
    rig.fake.set_read_only(&id, false);
    rig.ready("main").await;
}
