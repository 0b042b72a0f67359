//! What others change of an object that is Ready, for every kind with a container: each is put right, whether an event
//! told it or not.

use crate::kinds::{FakeDrift, Kind, machine_tests};
use crate::machine::of::{NETWORK, Of, memory};
use seawall::core::quantity::NanoCpus;
use seawall::core::resource::Caps;

machine_tests!(
    every_drift_is_repaired_with_its_cause_in_an_event,
    a_drift_that_no_event_told_is_found_by_the_sweep_or_the_probe,
    an_event_stream_that_ends_is_opened_again_and_everything_looked_at,
);

type Drift = fn(&Of);
type Back = fn(&Of) -> bool;

/// Drift by hand, what can be seen once it is repaired, the event's reason and words.
const DRIFTS: [(&str, Drift, Back, &str, &str); 10] = [
    (
        "stopped",
        |rig| {
            rig.fake.drift_restart_policy(&rig.container, "no").unwrap();
            rig.fake.crash(&rig.container, 0).unwrap();
        },
        Of::up,
        "ContainerStarted",
        "exited with code 0",
    ),
    (
        "killed",
        |rig| rig.fake.drift_kill(&rig.container).unwrap(),
        Of::up,
        "ContainerStarted",
        "killed (exit code 137)",
    ),
    (
        "removed",
        |rig| rig.fake.drift_remove(&rig.container).unwrap(),
        Of::up,
        "ContainerCreated",
        "re-create on volume",
    ),
    (
        "caps",
        |rig| {
            let caps = Caps { memory: memory(256), swap: None, cpus: Some(NanoCpus(500_000_000)) };
            rig.fake.drift_update_caps(&rig.container, caps).unwrap();
        },
        |rig| rig.caps() == Some(Caps::default()),
        "ResourcesUpdated",
        "memory 256Mi, cpus 0.5 → memory unlimited, cpus unlimited",
    ),
    (
        "restart policy",
        |rig| rig.fake.drift_restart_policy(&rig.container, "unless-stopped").unwrap(),
        |rig| rig.seen().is_some_and(|c| c.restart_policy == "always"),
        "RestartPolicyUpdated",
        "unless-stopped",
    ),
    (
        "disconnected",
        |rig| rig.fake.drift_disconnect(&rig.container, NETWORK).unwrap(),
        |rig| rig.seen().is_some_and(|c| c.endpoint(NETWORK).is_some()),
        "NetworkConnected",
        "not connected to network seawall",
    ),
    (
        "removed with its network",
        |rig| {
            rig.fake.drift_remove(&rig.container).unwrap();
            let id = rig.fake.network_ids(NETWORK).remove(0);
            rig.fake.drift_remove_network(&id).unwrap();
        },
        Of::up,
        "NetworkCreated",
        "network missing",
    ),
    (
        "renamed",
        |rig| rig.fake.drift_rename(&rig.container, "mine").unwrap(),
        Of::up,
        "ContainerRenamed",
        "our container is called mine",
    ),
    (
        "paused",
        |rig| rig.fake.drift_pause(&rig.container).unwrap(),
        Of::up,
        "ContainerUnpaused",
        "container paused by hand",
    ),
    (
        "out of memory",
        |rig| rig.fake.oom(&rig.container).unwrap(),
        |rig| rig.up() && rig.said("ContainerDied", "the engine restarts it"),
        "OutOfMemory",
        "want of memory",
    ),
];

/// One drift: of any container, or of this kind's servers alone.
struct Row {
    name: &'static str,
    drift: Box<dyn Fn(&Of)>,
    back: Box<dyn Fn(&Of) -> bool>,
    reason: &'static str,
    words: &'static str,
}

fn rows(kind: &'static dyn Kind) -> Vec<Row> {
    let all = DRIFTS.into_iter().map(|(name, drift, back, reason, words)| Row {
        name,
        drift: Box::new(drift),
        back: Box::new(back),
        reason,
        words,
    });
    let own = kind.fake_drifts().into_iter().map(|FakeDrift { name, drift, back, reason, words }| Row {
        name,
        drift: Box::new(move |rig: &Of| drift(&rig.fakes(), &rig.container)),
        back: Box::new(move |rig: &Of| back(&rig.fakes(), &rig.container) && rig.said(reason, "")),
        reason,
        words,
    });
    all.chain(own).collect()
}

async fn drifted(kind: &'static dyn Kind, row: &Row, told: bool) -> Of {
    let rig = Of::settled(kind).await;
    let (data, password) = (kind.fake_data(&rig.fakes(), &rig.container), rig.password(&rig.object).await);
    rig.fake.drop_events(!told);
    (row.drift)(&rig);
    if row.name == "password changed" {
        // A kept session goes on; the next one shows it.
        rig.drop_session(&rig.object);
    }
    let name = row.name;
    rig.until(&format!("repaired: {name}"), || ((row.back)(&rig) && rig.is_ready(&rig.object)).then_some(()))
        .await;
    assert_eq!(kind.fake_data(&rig.fakes(), &rig.container), data, "{name}: the same data");
    assert_eq!(rig.password(&rig.object).await, password, "{name}: the same password");
    assert_eq!(rig.fake.inventory(), rig.whole(), "{name}");
    rig
}

async fn every_drift_is_repaired_with_its_cause_in_an_event(kind: &'static dyn Kind) {
    for row in rows(kind) {
        let rig = drifted(kind, &row, true).await;
        assert!(rig.said(row.reason, row.words), "{}: {:#?}", row.name, rig.events());
    }
}

async fn a_drift_that_no_event_told_is_found_by_the_sweep_or_the_probe(kind: &'static dyn Kind) {
    // An engine does not tell of an `oom` or a restart in its list: the container runs as before.
    for row in rows(kind).into_iter().filter(|row| row.name != "out of memory") {
        let rig = drifted(kind, &row, false).await;
        assert!(
            rig.events().iter().any(|e| e.message.contains(row.words)),
            "{}: {:#?}",
            row.name,
            rig.events()
        );
    }
}

async fn an_event_stream_that_ends_is_opened_again_and_everything_looked_at(kind: &'static dyn Kind) {
    let rig = Of::settled(kind).await;
    rig.fake.drop_events(true);
    rig.fake.drift_update_caps(&rig.container, Caps { memory: memory(256), ..Caps::default() }).unwrap();
    rig.fake.drop_events(false);
    rig.fake.end_event_streams();
    rig.until("the caps back", || (rig.caps() == Some(Caps::default())).then_some(())).await;
    rig.fake.drift_kill(&rig.container).unwrap();
    rig.until("back by an event of the new stream", || rig.up().then_some(())).await;
}
