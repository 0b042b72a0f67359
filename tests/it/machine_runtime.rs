//! What is said of the containers themselves: what the engine tells of each, and what killed them, of every kind with one.

use crate::kinds::{Kind, machine_tests};
use crate::machine::of::{Of, memory};
use crate::machine::rig::object;
use seawall::control::api::{Against, Api, ErrorCode, Operation};
use seawall::core::condition::{ConditionType as C, Truth};
use seawall::core::quantity::Bytes;
use seawall::core::resource::Caps;
use seawall::core::seen::Usage;
use seawall::docker::DockerError;
use seawall::docker::fake::{Fault, What, When};
use serde_json::{Value, json};
use std::time::Duration;

machine_tests!(
    what_the_engine_tells_of_a_container_is_in_its_status,
    a_server_that_the_kernel_killed_is_degraded_for_ten_minutes,
    a_process_that_the_kernel_killed_is_told_from_the_container,
    a_kill_that_no_event_told_is_found,
    what_is_used_is_sampled_when_somebody_asks_and_never_else,
    a_server_that_dies_again_and_again_is_in_a_loop_though_it_answers_each_time,
);

/// `status.runtime` of the only container.
fn runtime(rig: &Of) -> Value {
    let status = rig.view(&rig.object).map(|view| view.status).unwrap_or_default();
    status["runtime"][0].clone()
}

async fn what_the_engine_tells_of_a_container_is_in_its_status(kind: &'static dyn Kind) {
    let rig = Of::start(kind, &[]);
    rig.put("resources: {memory: 256Mi}");
    rig.ready("main").await;
    let c = rig.seen().unwrap();
    let limits = json!({"memory": "256Mi", "swap": null, "cpus": null});
    let want = json!({
        "role": "standalone", "container_name": rig.container, "container_id": c.id, "status": "running",
        "restart_count": 0, "oom_killed": false, "oom_kills": null, "exit_code": null,
        "started_at": c.started_at, "finished_at": Some(c.finished_at).filter(|time| !time.is_empty()),
        "image": rig.view("main").unwrap().status["image"]["reference"], "image_id": c.image_id,
        "limits": {"configured": limits, "applied": limits, "drift": false},
    });
    assert_eq!(runtime(&rig), want);
    assert_eq!(rig.view("main").unwrap().status["runtime"].as_array().unwrap().len(), 1);

    // What somebody else sets is seen; it is put right, unless nothing is written.
    rig.put_with("seawall.dev/paused: 'true'", "resources: {memory: 256Mi}");
    rig.until("paused", || (rig.phase("main") == "Paused").then_some(())).await;
    rig.fake.drift_update_caps(&rig.container, Caps { memory: memory(512), ..Caps::default() }).unwrap();
    rig.until("drift", || (runtime(&rig)["limits"]["drift"] == true).then_some(())).await;
    assert_eq!(runtime(&rig)["limits"]["configured"]["memory"], "256Mi");
    assert_eq!(runtime(&rig)["limits"]["applied"]["memory"], "512Mi");
    rig.put("resources: {memory: 256Mi}");
    rig.until("put right", || (runtime(&rig)["limits"]["drift"] == false).then_some(())).await;

    // Its last end, and then nothing that is made up.
    rig.operator.operate(&object(&rig.object), Operation::Stop).await.unwrap();
    rig.until("stopped", || (runtime(&rig)["status"] == "exited").then_some(())).await;
    let seen = rig.seen().unwrap();
    assert_eq!(
        (runtime(&rig)["exit_code"].clone(), runtime(&rig)["finished_at"].clone()),
        (json!(0), json!(seen.finished_at))
    );
    rig.fake.drift_remove(&rig.container).unwrap();
    rig.until("gone", || runtime(&rig).is_null().then_some(())).await;
}

fn is_degraded(rig: &Of) -> bool {
    rig.condition(&rig.object, C::Degraded).is_some_and(|c| c.status == Truth::True)
}

/// Longer than what is over takes to be forgotten.
const OVER: Duration = Duration::from_secs(605);

async fn capped(kind: &'static dyn Kind) -> Of {
    let rig = Of::start(kind, &[]);
    rig.put("resources: {memory: 256Mi}");
    rig.ready("main").await;
    rig
}

async fn a_server_that_the_kernel_killed_is_degraded_for_ten_minutes(kind: &'static dyn Kind) {
    let rig = capped(kind).await;
    rig.fake.oom(&rig.container).unwrap();
    let why = rig.reason("main", C::Degraded, "OutOfMemory").await;
    assert!(
        why.contains("killed the server for want of memory once, at 20") && why.contains("limit is 256Mi"),
        "{why}"
    );
    rig.ready("main").await;
    assert_eq!(
        (runtime(&rig)["restart_count"].clone(), runtime(&rig)["oom_killed"].clone()),
        (json!(1), json!(true))
    );
    rig.let_pass(Duration::from_secs(300)).await;
    rig.fake.oom(&rig.container).unwrap();
    let twice =
        || rig.condition("main", C::Degraded).filter(|c| c.message.contains("2 times between 20")).map(drop);
    rig.until("twice", twice).await;
    rig.let_pass(Duration::from_secs(590)).await;
    assert!(is_degraded(&rig));
    rig.let_pass(Duration::from_secs(15)).await;
    assert!(!is_degraded(&rig) && rig.is_ready("main"), "{:?}", rig.conditions("main"));
    // More memory is the answer to it.
    rig.fake.oom(&rig.container).unwrap();
    rig.reason("main", C::Degraded, "OutOfMemory").await;
    rig.ready("main").await;
    rig.put("resources: {memory: 512Mi}");
    rig.until("answered", || (!is_degraded(&rig) && rig.is_ready("main")).then_some(())).await;
}

async fn a_process_that_the_kernel_killed_is_told_from_the_container(kind: &'static dyn Kind) {
    for shown in [false, true] {
        let rig = capped(kind).await;
        if shown {
            rig.fake.show_cgroups();
        }
        let before = rig.seen().unwrap();
        rig.fake.oom_inside(&rig.container).unwrap();
        let why = rig.reason("main", C::Degraded, "ProcessOutOfMemory").await;
        assert!(why.contains("once, at 20") && why.contains("the container itself lives on"), "{why}");
        assert!(rig.is_ready("main"), "it answers");
        rig.fake.oom_inside(&rig.container).unwrap();
        let twice = || rig.condition("main", C::Degraded).filter(|c| c.message.contains("2 times")).map(drop);
        rig.until("twice", twice).await;
        if shown {
            rig.until("counted", || (runtime(&rig)["oom_kills"] == 2).then_some(())).await;
        }
        assert_eq!(rig.seen().unwrap().started_at, before.started_at);
        rig.let_pass(OVER).await;
        assert!(!is_degraded(&rig), "{:?}", rig.conditions("main"));
    }
}

async fn a_kill_that_no_event_told_is_found(kind: &'static dyn Kind) {
    let rig = capped(kind).await;
    rig.fake.show_cgroups();
    rig.let_pass(Duration::from_secs(620)).await;
    rig.fake.drop_events(true);
    rig.fake.oom_inside(&rig.container).unwrap();
    rig.let_pass(Duration::from_secs(650)).await;
    rig.reason("main", C::Degraded, "ProcessOutOfMemory").await;
    // And one that ended the server, by what the engine says of the end.
    rig.fake.oom(&rig.container).unwrap();
    rig.reason("main", C::Degraded, "OutOfMemory").await;
}

async fn a_server_that_dies_again_and_again_is_in_a_loop_though_it_answers_each_time(
    kind: &'static dyn Kind,
) {
    let rig = capped(kind).await;
    for n in 1..=3 {
        assert!(!is_degraded(&rig), "{n}");
        let died = rig.seen().unwrap().restart_count;
        rig.fake.crash(&rig.container, 1).unwrap();
        rig.until("seen", || (runtime(&rig)["restart_count"] == died + 1).then_some(())).await;
        rig.ready("main").await;
        rig.let_pass(Duration::from_secs(240)).await;
    }
    let why = rig.reason("main", C::Degraded, "CrashLoop").await;
    assert!(why.contains("the container died 3 times between 20"), "{why}");
    assert!(rig.is_ready("main"));
    rig.let_pass(OVER).await;
    assert!(!is_degraded(&rig), "{:?}", rig.conditions("main"));
}

async fn what_is_used_is_sampled_when_somebody_asks_and_never_else(kind: &'static dyn Kind) {
    let rig = Of::start(kind, &[]);
    rig.put("resources: {memory: 256Mi, cpus: 0.5}");
    rig.ready("main").await;
    let usage = Usage { memory: Bytes(64 << 20), unreclaimable: Bytes(32 << 20), memory_limit: None };
    rig.fake.set_usage(&rig.container, usage).unwrap();
    rig.let_pass(Duration::from_secs(1300)).await;
    let samples = || rig.fake.call_log().get("sample").copied().unwrap_or_default();
    assert_eq!(samples(), 0);
    let main = object(&rig.object);
    let top = async |of| rig.operator.top(of).await.unwrap().items;
    // The first question takes two samples; a second passes with each on this engine.
    let items = top(None).await;
    assert_eq!((items.len(), items[0].object.clone(), samples()), (1, main.to_string(), 2));
    let seen = &items[0].members[0];
    assert_eq!((seen.cpu_percent, seen.cpu_of, seen.cpu_limit_cores), (Some(0.0), Against::Cap, Some(0.5)));
    assert_eq!((seen.memory_usage_bytes, seen.memory_percent), (Some(64 << 20), Some(25.0)));
    // The next one begins where that ended.
    rig.fake.set_cpu(&rig.container, 250_000_000).unwrap();
    let items = top(Some(&main)).await;
    assert_eq!(samples(), 3);
    let cores = items[0].members[0].cpu_cores.unwrap();
    assert!((0.24..0.26).contains(&cores), "{cores}");
    // After a start it counts anew.
    rig.fake.crash(&rig.container, 1).unwrap();
    rig.until("seen", || (runtime(&rig)["restart_count"] == 1).then_some(())).await;
    assert_eq!(top(None).await[0].members[0].cpu_percent, Some(0.0));
    assert_eq!(samples(), 5);
    // What a proxy refuses is no container that uses nothing.
    let (address, request) = ("http://proxy".to_owned(), "GET /v1.41/containers/x/stats".to_owned());
    let refused = DockerError::Forbidden { address, request, status: 403, said: String::new() };
    rig.fake.inject(Fault { method: "sample", when: When::Before, what: What::Error(refused), times: 1 });
    let error = rig.operator.top(None).await.unwrap_err();
    assert!(error.code == ErrorCode::Unavailable && error.what.contains("refuses GET"), "{error:?}");
    rig.operator.operate(&main, Operation::Stop).await.unwrap();
    rig.until("stopped", || (runtime(&rig)["status"] == "exited").then_some(())).await;
    let seen = top(None).await[0].members[0].clone();
    assert_eq!(
        (seen.cpu_percent, seen.memory_usage_bytes, seen.container_name),
        (None, None, rig.container.clone())
    );
    rig.fake.stop_engine();
    assert_eq!(rig.operator.top(None).await.unwrap_err().code, ErrorCode::Unavailable);
    for (wrong, code) in [("postgres/none", ErrorCode::NotFound), ("imagecatalog/local", ErrorCode::Invalid)]
    {
        rig.fake.start_engine();
        assert_eq!(rig.operator.top(Some(&object(wrong))).await.unwrap_err().code, code, "{wrong}");
    }
}
