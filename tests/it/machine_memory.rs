//! What an object's record remembers and this version cannot read: that object's trouble, and nobody else's.

use crate::machine::rig::{Rig, engine, object};
use seawall::control::objects::key;
use seawall::control::operator::Times;
use seawall::core::condition::{ConditionType as C, Truth};
use seawall::store::{Change, Store};
use serde_json::json;
use std::time::Duration;

const MAIN: &str = "{version: '18'}";

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_is_said_and_left_as_it_is() {
    let mut rig = Rig::new(engine(), Times::default());
    rig.manifest("main", MAIN);
    rig.manifest("other", MAIN);
    rig.drive();
    rig.ready("main").await;
    rig.ready("other").await;
    rig.leave().await;
    let stored = |rig: &Rig| rig.store.get(&key(&object("main"))).unwrap().unwrap();
    let mut newer = stored(&rig);
    newer["memory"]["everReady"] = json!({"since": "a later version has more to say"});
    rig.store.commit(vec![Change::put(key(&object("main")), newer.clone())]).await.unwrap();
    let writes = rig.fake.writes();
    rig.restart();
    rig.ready("other").await;
    rig.let_pass(Duration::from_secs(60)).await;
    let ready = rig.condition("main", C::Ready).unwrap();
    assert_eq!((ready.status, ready.reason.as_str()), (Truth::Unknown, "MemoryUnreadable"));
    assert!(ready.message.contains("nothing is done with it"), "{}", ready.message);
    // Also a manifest that changes, or goes, is no reason to touch it.
    rig.manifest("main", "{version: '18', resources: {memory: 256Mi}}");
    rig.let_pass(Duration::from_secs(60)).await;
    assert_eq!(rig.fake.writes(), writes, "nothing was done on the engine");
    assert_eq!(stored(&rig)["memory"], newer["memory"], "and nothing is lost");
    assert!(rig.is_ready("other"));
}
