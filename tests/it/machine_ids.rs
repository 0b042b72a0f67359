//! The number of an object: one for good, nobody else's ever.

use crate::kinds::{Kind, machine_tests};
use crate::machine::of::Of;
use crate::machine::rig::{Rig, object};
use seawall::control::api::{Api, ApplyOptions, ErrorCode};
use seawall::control::ids::IDS_KEY;
use seawall::store::{Change, Store};
use serde_json::{Value, json};

machine_tests!(
    a_number_outlives_restarts_and_is_given_once,
    what_was_there_before_gets_numbers_in_the_order_of_creation,
);

fn id(rig: &Rig, name: &str) -> u64 {
    rig.view(name).unwrap().metadata.id
}

async fn apply(rig: &Of, name: &str) {
    let text = rig.document(name, "", &rig.wish(""));
    rig.operator.apply(&text, &ApplyOptions::default()).await.unwrap();
}

async fn a_number_outlives_restarts_and_is_given_once(kind: &'static dyn Kind) {
    let mut rig = Of::start(kind, &["a"]);
    rig.ready("a").await;
    let a = id(&rig, "a");
    apply(&rig, "b").await;
    let b = id(&rig, "b");
    assert!(a > 0 && b > a, "{a} {b}");
    assert_eq!(rig.operator.numbered(b).await.unwrap(), rig.named("b"));
    for unknown in [0, b + 1] {
        assert_eq!(rig.operator.numbered(unknown).await.unwrap_err().code, ErrorCode::NotFound);
    }
    // Whatever becomes of it.
    rig.manifest("a", &rig.wish("resources: {memory: 512Mi}"));
    rig.until("changed", || (rig.view("a")?.metadata.generation == 2).then_some(())).await;
    rig.ready("a").await;
    assert_eq!(id(&rig, "a"), a);
    rig.crash().await;
    rig.restart();
    rig.ready("b").await;
    assert_eq!((id(&rig, "a"), id(&rig, "b")), (a, b));
    // The highest one goes, and is nobody's: neither now nor after a crash.
    rig.operator.delete(&rig.named("b"), "b").await.unwrap();
    rig.until("gone", || rig.view("b").is_none().then_some(())).await;
    assert_eq!(rig.operator.numbered(b).await.unwrap_err().code, ErrorCode::NotFound);
    rig.crash().await;
    rig.restart();
    rig.ready("a").await;
    apply(&rig, "b").await;
    assert!(id(&rig, "b") > b, "{} {b}", id(&rig, "b"));
}

async fn what_was_there_before_gets_numbers_in_the_order_of_creation(kind: &'static dyn Kind) {
    let names = ["a", "b", "c"];
    let mut rig = Of::start(kind, &names);
    for name in names {
        rig.ready(name).await;
    }
    rig.crash().await;
    // As an earlier version left it: `b` is the oldest.
    let mut changes = vec![Change::delete(IDS_KEY)];
    for (key, mut body) in rig.store.scan("obj/").unwrap() {
        let record = body.as_object_mut().unwrap();
        assert!(record.remove("id").is_some_and(|id: Value| id.as_u64() > Some(0)), "{key}");
        let made = ["postgres/b", "redis/b"].iter().any(|b| key.ends_with(b));
        record["createdAt"] = json!(if made { "2026-01-01T00:00:00Z" } else { "2026-02-01T00:00:00Z" });
        changes.push(Change::put(key, body));
    }
    rig.store.commit(changes).await.unwrap();
    rig.restart();
    rig.until("numbered", || (id(&rig, "a") > 0).then_some(())).await;
    let numbers = |rig: &Of| names.map(|name| id(rig, name));
    let first = numbers(&rig);
    assert!(first[1] < first[0] && first[0] < first[2], "{first:?}");
    assert_eq!(rig.operator.numbered(first[1]).await.unwrap(), object(&rig.kind.object("b")));
    rig.crash().await;
    rig.restart();
    rig.ready("a").await;
    assert_eq!(numbers(&rig), first);
}
