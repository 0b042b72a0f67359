//! The data directory's disk is full: what is there goes on, what is seen is shown, nothing new is begun, of every kind with a
//! container.

use crate::kinds::{Kind, machine_tests};
use crate::machine::of::{Of, memory};
use crate::machine::rig::Rig;
use seawall::control::api::{Api, Operation};
use seawall::core::condition::ConditionType as C;
use seawall::store::Store;
use std::time::Duration;

machine_tests!(
    what_is_there_is_repaired_and_shown_and_everything_is_written_once_there_is_space,
    changes_and_operations_count_at_once_and_what_is_new_waits,
    a_crash_loses_what_waited_and_finds_it_again,
    what_cannot_be_undone_waits_for_the_disk,
);

const CAPPED: &str = "resources: {memory: 256Mi}";

async fn ready(kind: &'static dyn Kind) -> Of {
    let rig = Of::start(kind, &[]);
    rig.put(CAPPED);
    rig.ready("main").await;
    rig
}

async fn warning(rig: &Rig) -> Option<String> {
    rig.operator.objects().await.unwrap().notices.into_iter().find(|words| words.contains("not saved"))
}

/// What a reader of the store alone would see.
fn on_disk(rig: &Of, prefix: &str) -> serde_json::Value {
    rig.store.get(&format!("{prefix}/{}", rig.object)).unwrap().unwrap_or_default()
}

async fn what_is_there_is_repaired_and_shown_and_everything_is_written_once_there_is_space(
    kind: &'static dyn Kind,
) {
    let rig = ready(kind).await;
    let (record, status) = (on_disk(&rig, "obj"), on_disk(&rig, "status"));
    let first = rig.container("main").unwrap().id;
    rig.store.fail_writes(true);

    rig.fake.drift_kill(&rig.container).unwrap();
    rig.until("started again", || rig.is_running("main").then_some(())).await;
    rig.fake.drift_remove(&rig.container).unwrap();
    rig.until("made anew", || rig.container("main").filter(|c| c.id != first)).await;
    rig.ready("main").await;
    let second = rig.container("main").unwrap().id;
    let view = rig.view("main").unwrap();
    assert_eq!(view.status["container"]["id"], second.as_str());
    let since = view.not_saved_since.expect("marked");
    let words = warning(&rig).await.expect("a warning");
    assert!(words.contains(&since) && words.contains("no space left"), "{words}");
    assert!(rig.said("ContainerCreated", ""));
    rig.until("told", || rig.said("StoreUnwritable", "no space left").then_some(())).await;
    assert_eq!((on_disk(&rig, "obj"), on_disk(&rig, "status")), (record, status));

    rig.store.fail_writes(false);
    rig.until("written", || rig.said("StoreWritable", "").then_some(())).await;
    assert_eq!((rig.view("main").unwrap().not_saved_since, warning(&rig).await), (None, None));
    assert_eq!(on_disk(&rig, "obj")["memory"]["container"], second.as_str());
    assert_eq!(on_disk(&rig, "status")["container"]["id"], second.as_str());
    let file = std::fs::read_to_string(rig.data(&format!("status/{}.yaml", rig.object))).unwrap();
    assert!(file.contains(&second), "{file}");
    let events = rig.store.scan(&format!("event/{}", rig.object)).unwrap();
    let created = events.values().filter(|e| e["reason"] == "ContainerCreated");
    assert_eq!(created.filter_map(|e| e["count"].as_u64()).sum::<u64>(), 2, "{events:#?}");
    assert_eq!(events.len(), rig.operator.events(Some(&rig.named("main")), 0).await.unwrap().len());
}

async fn changes_and_operations_count_at_once_and_what_is_new_waits(kind: &'static dyn Kind) {
    let rig = ready(kind).await;
    rig.store.fail_writes(true);
    rig.put("resources: {memory: 512Mi}");
    rig.manifest("other", &rig.wish(CAPPED));
    rig.until("raised", || rig.container("main").filter(|c| c.caps.memory == memory(512))).await;
    rig.ready("main").await;
    let refused = |problem: &seawall::core::problem::Problem| {
        let words = problem.to_string();
        words.contains(&rig.named("other").to_string()) && words.contains("no space left")
    };
    rig.until("said", || rig.problems().iter().any(refused).then_some(())).await;
    assert!(rig.view("other").is_none() && rig.container("other").is_none());

    let said = rig.operator.operate(&rig.named("main"), Operation::Stop).await.unwrap().message;
    assert!(said.contains("not saved since") && said.contains("lost if the operator ends"), "{said}");
    rig.reason("main", C::Ready, "Stopped").await;
    rig.operator.operate(&rig.named("main"), Operation::Start).await.unwrap();
    rig.ready("main").await;

    rig.store.fail_writes(false);
    rig.ready("other").await;
    rig.until("saved", || (on_disk(&rig, "obj")["generation"] == 2).then_some(())).await;
}

async fn a_crash_loses_what_waited_and_finds_it_again(kind: &'static dyn Kind) {
    let mut rig = ready(kind).await;
    let first = rig.container("main").unwrap().id;
    rig.store.fail_writes(true);
    rig.fake.drift_remove(&rig.container).unwrap();
    rig.put("resources: {memory: 512Mi}");
    rig.until("made anew", || {
        rig.container("main").filter(|c| c.id != first && c.caps.memory == memory(512))
    })
    .await;
    rig.ready("main").await;
    let second = rig.container("main").unwrap().id;
    rig.crash().await;
    rig.store.fail_writes(false);
    rig.restart();
    rig.ready("main").await;
    assert_eq!(rig.container("main").unwrap().id, second, "it is the same one");
    assert_eq!(on_disk(&rig, "obj")["memory"]["container"], second.as_str());
    assert_eq!(rig.view("main").unwrap().metadata.generation, 2);
}

async fn what_cannot_be_undone_waits_for_the_disk(kind: &'static dyn Kind) {
    let rig = ready(kind).await;
    rig.remove("main");
    rig.until("retained", || rig.view("main").filter(|v| v.metadata.source.is_empty())).await;
    rig.until("no container", || rig.container("main").is_none().then_some(())).await;
    rig.store.fail_writes(true);
    let refused = rig.operator.delete(&rig.named("main"), "main").await.unwrap_err();
    assert!(refused.what.contains("no space left") && refused.next.contains("free space"), "{refused:?}");
    rig.let_pass(Duration::from_secs(60)).await;
    assert!(rig.fake.inventory().contains(&rig.volume), "the volume");
    rig.store.fail_writes(false);
    rig.operator.delete(&rig.named("main"), "main").await.unwrap();
    rig.until("gone", || rig.view("main").is_none().then_some(())).await;
}
