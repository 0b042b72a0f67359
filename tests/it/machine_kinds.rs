//! What the operator does about changes, losses and failures, for every kind with a container: the rows that are not
//! about one of them.

use crate::kinds::{Kind, machine_tests};
use crate::machine::of::{NETWORK, Of, memory};
use crate::machine::rig::{engine, object};
use seawall::control::api::{Api, Operation};
use seawall::core::condition::{ConditionType as C, Truth};
use seawall::core::quantity::{Bytes, NanoCpus};
use seawall::core::resource::Caps;
use seawall::core::seen::Usage;
use seawall::docker::Docker;
use seawall::docker::fake::{Fault, What, When};
use seawall::store::Store;
use std::time::Duration;

machine_tests!(
    an_engine_that_goes_away_makes_objects_unknown_and_nothing_twice,
    an_engine_that_is_down_at_the_start_is_waited_for,
    a_newer_generation_cancels_an_older_pass_at_a_step_border,
    a_manifest_that_went_and_came_back_has_the_same_data_and_password,
    a_volume_goes_only_after_the_deletion_was_confirmed,
    a_paused_object_is_not_written_to_and_its_plan_says_what_would_be_done,
    what_an_earlier_process_saw_is_unknown_until_the_first_pass,
    what_is_stopped_stays_stopped_also_after_a_restart_of_the_engine,
    caps_change_live_and_a_lowering_below_use_is_refused_with_both_numbers,
    another_build_is_a_new_container_on_the_same_data_and_another_major_is_blocked,
    what_is_not_ours_is_never_touched,
    a_server_that_hangs_is_not_ready_within_thirty_seconds,
    a_server_that_dies_at_start_is_reported_with_its_last_words,
    a_broken_manifest_leaves_its_last_good_version_and_all_others_in_force,
    a_lost_volume_with_data_is_not_replaced_by_an_empty_one,
    a_new_process_over_the_same_store_writes_nothing_when_nothing_changed,
);

async fn an_engine_that_goes_away_makes_objects_unknown_and_nothing_twice(kind: &'static dyn Kind) {
    let rig = Of::settled(kind).await;
    let before = rig.seen().unwrap().id;
    rig.fake.stop_engine();
    let why = rig.reason(&rig.object, C::Ready, "EngineUnavailable").await;
    assert!(why.starts_with("unknown since 2"), "{why}");
    assert_eq!(rig.condition(&rig.object, C::Ready).unwrap().status, Truth::Unknown);
    assert!(rig.operator.objects().await.unwrap().engine_down.is_some());
    let since = rig.condition(&rig.object, C::Ready).unwrap().last_transition_time;
    rig.let_pass(Duration::from_secs(120)).await;
    let now = rig.condition(&rig.object, C::Ready).unwrap();
    assert_eq!((now.last_transition_time, now.message), (since, why), "since when stays");
    rig.fake.start_engine();
    rig.ready(&rig.object).await;
    assert_eq!(rig.seen().unwrap().id, before);
    assert_eq!(rig.fake.inventory(), rig.whole());
    assert!(rig.said("EngineAvailable", "answers again"));
    assert!(rig.operator.objects().await.unwrap().engine_down.is_none());
}

async fn an_engine_that_is_down_at_the_start_is_waited_for(kind: &'static dyn Kind) {
    let fake = engine();
    fake.stop_engine();
    let mut rig = Of::new(kind, fake);
    rig.put("");
    rig.drive();
    rig.reason(&rig.object, C::Ready, "EngineUnavailable").await;
    rig.fake.start_engine();
    rig.ready(&rig.object).await;
}

async fn a_newer_generation_cancels_an_older_pass_at_a_step_border(kind: &'static dyn Kind) {
    let mut rig = Of::new(kind, engine());
    rig.drive();
    let [version, another] = kind.versions();
    let put = |version: &str, memory: &str| {
        rig.put_version(&rig.object, "", version, &format!("port: none, resources: {{memory: {memory}}}"));
    };
    // Longer than it takes until the directory is read again.
    let what = What::Slow(Duration::from_secs(100));
    rig.fake.inject(Fault { method: "create_volume", when: When::After, what, times: 1 });
    put(version, "256Mi");
    rig.until("in the step", || rig.fake.call_log().get("create_volume").map(|_| ())).await;
    put(another, "512Mi");
    rig.ready(&rig.object).await;
    let c = rig.seen().unwrap();
    let reference = format!("local/{}:{another}", kind.kind().to_lowercase());
    let wanted = rig.fake.image(&reference).await.unwrap().unwrap();
    assert_eq!((c.caps.memory, c.image_id), (memory(512), wanted.id));
    let calls = rig.fake.call_log();
    let made = rig.events().iter().filter(|e| e.reason == "ContainerCreated").map(|e| e.count).sum::<u64>();
    // One start, and the restart that proves the image.
    assert_eq!((made, calls["start"]), (1, 2), "the older generation made and started nothing");
}

async fn a_manifest_that_went_and_came_back_has_the_same_data_and_password(kind: &'static dyn Kind) {
    let rig = Of::settled(kind).await;
    let (data, password) = (kind.fake_data(&rig.fakes(), &rig.container), rig.password(&rig.object).await);
    let port = rig.seen().unwrap().port_bindings;
    rig.remove("main");
    rig.until("retained", || (rig.phase(&rig.object) == "Retained" && rig.seen().is_none()).then_some(()))
        .await;
    assert_eq!(rig.fake.inventory(), rig.kept());
    assert!(rig.said("ContainerStopped", "data is kept"), "a fast shutdown first");
    rig.put("");
    rig.ready(&rig.object).await;
    assert_eq!(kind.fake_data(&rig.fakes(), &rig.container), data);
    assert_eq!(rig.password(&rig.object).await, password);
    assert_eq!(rig.seen().unwrap().port_bindings, port);
}

async fn a_volume_goes_only_after_the_deletion_was_confirmed(kind: &'static dyn Kind) {
    let rig = Of::settled(kind).await;
    assert!(rig.operator.delete(&object(&rig.object), "main").await.is_err(), "it has a manifest");
    rig.remove("main");
    rig.until("retained", || (rig.phase(&rig.object) == "Retained" && rig.seen().is_none()).then_some(()))
        .await;
    assert!(rig.operator.delete(&object(&rig.object), "mian").await.is_err());
    rig.let_pass(Duration::from_secs(120)).await;
    assert_eq!(rig.fake.inventory(), rig.kept());
    rig.operator.delete(&object(&rig.object), "main").await.unwrap();
    rig.until("forgotten", || rig.view(&rig.object).is_none().then_some(())).await;
    assert_eq!(rig.fake.inventory(), [NETWORK]);
    let left: Vec<String> =
        rig.store.records("").unwrap().into_keys().filter(|k| k.contains("main")).collect();
    assert_eq!(left, Vec::<String>::new());
    rig.until("no mirror", || (!rig.data(&format!("status/{}.yaml", rig.object)).exists()).then_some(()))
        .await;
    rig.put("");
    rig.ready(&rig.object).await;

    // deletionPolicy: Delete without the annotation keeps everything and says what is missing.
    rig.put("deletionPolicy: Delete");
    rig.until("read", || rig.view(&rig.object).filter(|v| v.spec["deletionPolicy"] == "Delete").map(|_| ()))
        .await;
    rig.remove("main");
    rig.reason(&rig.object, C::Degraded, "DeletionNotConfirmed").await;
    assert!(rig.fake.inventory().contains(&rig.volume));
    rig.put_with("seawall.dev/confirm-delete: main", "deletionPolicy: Delete");
    rig.until("back", || rig.view(&rig.object).filter(|v| !v.metadata.annotations.is_empty()).map(|_| ()))
        .await;
    rig.remove("main");
    rig.until("forgotten", || rig.view(&rig.object).is_none().then_some(())).await;
    assert_eq!(rig.fake.inventory(), [NETWORK]);
}

async fn a_paused_object_is_not_written_to_and_its_plan_says_what_would_be_done(kind: &'static dyn Kind) {
    let rig = Of::settled(kind).await;
    rig.put_with("seawall.dev/paused: 'true'", "");
    rig.reason(&rig.object, C::Paused, "Annotation").await;
    rig.fake.reset_calls();
    rig.fake.drift_kill(&rig.container).unwrap();
    rig.until("seen", || (!rig.is_ready(&rig.object)).then_some(())).await;
    rig.let_pass(Duration::from_secs(120)).await;
    assert_eq!(rig.fake.writes(), 0, "{:?}", rig.fake.call_log());
    let plan = rig.plan(&rig.object).await;
    assert!(plan.paused && plan.steps.iter().any(|s| s.action.contains("start container")), "{plan:?}");
    rig.put("");
    rig.ready(&rig.object).await;
}

async fn what_an_earlier_process_saw_is_unknown_until_the_first_pass(kind: &'static dyn Kind) {
    let mut rig = Of::settled(kind).await;
    rig.leave().await;
    rig.restart();
    // Nothing has run yet: the list and the object say the same.
    let list = rig.all().into_iter().find(|o| o.metadata.name == "main").unwrap();
    for status in [&list.status, &rig.view(&rig.object).unwrap().status] {
        let ready = status["conditions"].as_array().unwrap().iter().find(|c| c["type"] == "Ready").unwrap();
        assert_eq!((&ready["status"], &ready["reason"]), (&"Unknown".into(), &"NotLookedAt".into()));
    }
    rig.ready(&rig.object).await;
}

async fn what_is_stopped_stays_stopped_also_after_a_restart_of_the_engine(kind: &'static dyn Kind) {
    let rig = Of::settled(kind).await;
    let id = rig.seen().unwrap().id;
    rig.put("stopped: true");
    let why = rig.reason(&rig.object, C::Ready, "Stopped").await;
    assert!(why.contains("clean shutdown (exit code 0)"), "{why}");
    rig.fake.stop_engine();
    rig.reason(&rig.object, C::Ready, "EngineUnavailable").await;
    rig.fake.start_engine();
    rig.reason(&rig.object, C::Ready, "Stopped").await;
    rig.let_pass(Duration::from_secs(120)).await;
    assert!(!rig.up());
    rig.put("");
    rig.ready(&rig.object).await;
    assert_eq!(rig.seen().unwrap().id, id, "the same container");
    rig.operator.operate(&object(&rig.object), Operation::Stop).await.unwrap();
    rig.until("stopped", || (rig.phase(&rig.object) == "Stopped" && !rig.up()).then_some(())).await;
    assert!(rig.operator.operate(&object(&rig.object), Operation::Restart).await.is_err());
    rig.operator.operate(&object(&rig.object), Operation::Start).await.unwrap();
    rig.ready(&rig.object).await;
    let started = rig.seen().unwrap().started_at;
    rig.operator.operate(&object(&rig.object), Operation::Restart).await.unwrap();
    rig.until("restarted", || {
        (rig.is_ready(&rig.object) && rig.seen().unwrap().started_at != started).then_some(())
    })
    .await;
    assert_eq!(rig.seen().unwrap().id, id);
}

async fn caps_change_live_and_a_lowering_below_use_is_refused_with_both_numbers(kind: &'static dyn Kind) {
    let rig = Of::settled(kind).await;
    let before = rig.seen().unwrap();
    let with = |resources: &str| rig.put(&format!("resources: {resources}"));
    for (resources, want) in [
        (
            "{memory: 512Mi, swap: 256Mi, cpus: 1.5}",
            Caps { memory: memory(512), swap: memory(256), cpus: Some(NanoCpus(1_500_000_000)) },
        ),
        ("{memory: 256Mi}", Caps { memory: memory(256), ..Caps::default() }),
        ("{}", Caps::default()),
        ("{memory: 512Mi, cpus: 4}", Caps { memory: memory(512), ..Caps::default() }),
    ] {
        with(resources);
        rig.until(resources, || (rig.caps() == Some(want) && rig.is_ready(&rig.object)).then_some(())).await;
        assert_eq!(
            rig.condition(&rig.object, C::ResourcesInSync).unwrap().status,
            Truth::True,
            "{resources}"
        );
    }
    let usage = Usage { memory: Bytes(400 << 20), unreclaimable: Bytes(300 << 20), memory_limit: None };
    rig.fake.set_usage(&rig.container, usage).unwrap();
    with("{memory: 128Mi}");
    let why = rig.reason(&rig.object, C::ResourcesInSync, "LimitBelowUse").await;
    assert!(why.contains("128Mi") && why.contains("300Mi"), "{why}");
    assert_eq!(rig.caps().unwrap().memory, memory(512));
    let after = rig.seen().unwrap();
    assert_eq!((&after.id, &after.started_at), (&before.id, &before.started_at), "no restart");
    with("{memory: 128Mi, force: true}");
    rig.until("forced", || (rig.caps().unwrap().memory == memory(128)).then_some(())).await;
}

async fn another_build_is_a_new_container_on_the_same_data_and_another_major_is_blocked(
    kind: &'static dyn Kind,
) {
    let rig = Of::settled(kind).await;
    let (data, password) = (kind.fake_data(&rig.fakes(), &rig.container), rig.password(&rig.object).await);
    let id = rig.seen().unwrap().id;
    rig.put_version(&rig.object, "", kind.versions()[1], "");
    rig.until("re-created", || rig.seen().filter(|c| c.id != id).map(|_| ())).await;
    rig.ready(&rig.object).await;
    assert_eq!(kind.fake_data(&rig.fakes(), &rig.container), data);
    assert_eq!(rig.password(&rig.object).await, password);
    rig.fake.reset_calls();
    let (older, holds) = kind.older();
    rig.put_version(&rig.object, "", older, "");
    let why = rig.reason(&rig.object, C::Degraded, "MajorVersionChange").await;
    assert!(why.contains(holds), "{why}");
    assert!(rig.up(), "what is there goes on serving");
    assert!(!rig.fake.call_log().contains_key("stop") && !rig.fake.call_log().contains_key("update"));
    let settled = rig.seen().unwrap();
    rig.let_pass(Duration::from_secs(300)).await;
    assert_eq!(rig.seen().unwrap(), settled);
}

async fn what_is_not_ours_is_never_touched(kind: &'static dyn Kind) {
    let fake = engine();
    let mut rig = Of::new(kind, fake);
    let other = kind.object("other");
    let volume = format!("{}-data", other.replace('/', "-"));
    rig.fake.add_foreign_container(&rig.container);
    rig.fake.add_foreign_volume(&volume);
    rig.put("");
    rig.put_version(&other, "", kind.versions()[0], "");
    rig.drive();
    let why = rig.reason(&rig.object, C::Ready, "NameConflict").await;
    assert!(why.contains(&format!("container {} exists and is not ours", rig.container)), "{why}");
    let why = rig.reason(&other, C::Ready, "NameConflict").await;
    assert!(why.contains(&format!("volume {volume}")), "{why}");
    rig.let_pass(Duration::from_secs(120)).await;
    let calls = rig.fake.call_log();
    for write in ["create_volume", "stop", "start", "put_files", "rename", "update"] {
        assert!(!calls.contains_key(write), "{calls:?}");
    }
    assert!(rig.fake.seen(&rig.container).is_some());
}

async fn a_server_that_hangs_is_not_ready_within_thirty_seconds(kind: &'static dyn Kind) {
    let rig = Of::settled(kind).await;
    rig.let_pass(Duration::from_secs(60)).await;
    let begun = tokio::time::Instant::now();
    kind.fake_hang(&rig.fakes(), &rig.container);
    rig.reason(&rig.object, C::Ready, "ServerHung").await;
    assert!(begun.elapsed() <= Duration::from_secs(30), "{:?} on the clock that jumps", begun.elapsed());
    let (reason, words) = kind.fake_begin(&rig.fakes(), &rig.container);
    let why = rig.reason(&rig.object, C::Progressing, reason).await;
    assert_eq!(why, words);
    kind.fake_answer(&rig.fakes(), &rig.container);
    rig.ready(&rig.object).await;
}

async fn a_server_that_dies_at_start_is_reported_with_its_last_words(kind: &'static dyn Kind) {
    let rig = Of::settled(kind).await;
    rig.fake.set_logs(&rig.container, vec!["FATAL:  could not access file".to_owned()]).unwrap();
    rig.fake.crash_loop(&rig.container, 1).unwrap();
    let why = rig.reason(&rig.object, C::Ready, "CrashLoop").await;
    assert!(why.contains("could not access file"), "{why}");
    rig.reason(&rig.object, C::Stalled, "NoProgress").await;
}

async fn a_broken_manifest_leaves_its_last_good_version_and_all_others_in_force(kind: &'static dyn Kind) {
    let mut rig = Of::new(kind, engine());
    let (other, third) = (kind.object("other"), kind.object("third"));
    for object in [&rig.object, &other] {
        rig.put_version(object, "", kind.versions()[0], "");
    }
    rig.drive();
    rig.ready(&rig.object).await;
    rig.ready(&other).await;
    rig.put("memry: 1");
    rig.put_version(&third, "", kind.versions()[0], "");
    rig.reason(&rig.object, C::Degraded, "ManifestBroken").await;
    rig.ready(&third).await;
    rig.fake.drift_kill(&rig.container).unwrap();
    rig.until("repaired by the last good version", || rig.up().then_some(())).await;
    let problems = rig.operator.objects().await.unwrap().problems;
    assert!(problems.iter().any(|p| p.to_string().contains("memry")), "{problems:?}");
}

async fn a_lost_volume_with_data_is_not_replaced_by_an_empty_one(kind: &'static dyn Kind) {
    let rig = Of::settled(kind).await;
    rig.fake.drift_remove(&rig.container).unwrap();
    rig.fake.drift_remove_volume(&rig.volume).unwrap();
    let why = rig.reason(&rig.object, C::Degraded, "VolumeMissing").await;
    assert!(why.contains("An empty one was not made"), "{why}");
    rig.let_pass(Duration::from_secs(120)).await;
    assert!(rig.fake.volume(&rig.volume).await.unwrap().is_none());
}

async fn a_new_process_over_the_same_store_writes_nothing_when_nothing_changed(kind: &'static dyn Kind) {
    let mut rig = Of::settled(kind).await;
    let other = kind.object("other");
    rig.put_version(&other, "", kind.older().0, "port: none");
    rig.ready(&other).await;
    let (before, records) = (rig.seen(), rig.store.records("").unwrap());
    rig.leave().await;
    rig.fake.reset_calls();
    rig.restart();
    rig.ready(&rig.object).await;
    rig.let_pass(Duration::from_secs(60)).await;
    assert_eq!(rig.fake.writes(), 0, "{:?}", rig.fake.call_log());
    assert_eq!(rig.seen(), before);
    let now = rig.store.records("").unwrap();
    let changed: Vec<&String> =
        now.iter().filter(|(k, r)| records.get(*k) != Some(*r)).map(|(k, _)| k).collect();
    assert!(changed.is_empty(), "{changed:?}");
}
