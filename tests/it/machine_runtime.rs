//! What is said of the containers themselves: what the engine tells of each, and what killed them, of every kind with one.

use crate::kinds::{Kind, machine_tests};
use crate::machine::of::{Of, memory};
use crate::machine::rig::object;
use seawall::control::api::{Api, Operation};
use seawall::core::resource::Caps;
use serde_json::{Value, json};

machine_tests!(what_the_engine_tells_of_a_container_is_in_its_status,);

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
        "restart_count": 0, "oom_killed": false, "exit_code": null,
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
