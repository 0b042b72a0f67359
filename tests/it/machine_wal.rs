//! WAL health on the fake engine and its servers: the role that reads it, what is said of a look, and what is not written.

use crate::machine::rig::Rig;
use seawall::core::condition::{ConditionType as C, Truth};
use seawall::kinds::postgres::client::SqlError;
use seawall::kinds::postgres::fake_server::healthy_reading;
use seawall::kinds::postgres::wal::{Archiver, Backlog, Files, Position, Reading, Settings, Slot};
use seawall::store::Store;
use serde_json::{Value, json};
use std::time::Duration;

const CONTAINER: &str = "postgres-main";
/// Two probes: every second one looks.
const LOOK: Duration = Duration::from_secs(46);

async fn settled() -> Rig {
    let rig = Rig::start(&[("main", "{version: '18'}")]);
    rig.ready("main").await;
    rig.settled("main").await;
    rig
}

fn health(rig: &Rig) -> Value {
    rig.view("main").map(|view| view.status["walHealth"].clone()).unwrap_or_default()
}

fn said(rig: &Rig, kind: C) -> (Truth, String) {
    let condition = rig.condition("main", kind).unwrap();
    (condition.status, condition.reason)
}

fn bloated() -> Reading {
    Reading { files: Ok(Files { bytes: 4 << 30, oldest_age_secs: Some(10.0) }), ..healthy_reading() }
}

#[tokio::test(start_paused = true)]
async fn a_ready_server_was_looked_at_by_a_role_of_its_own() {
    let rig = settled().await;
    let health = health(&rig);
    assert_eq!(health["pg_wal_bytes"], 32 << 20);
    assert_eq!(health["archive_command"], "/bin/true");
    assert_eq!(health["warnings"], json!([]));
    assert_eq!(health["stale"], false);
    assert_eq!(said(&rig, C::WalHealthy), (Truth::True, "WithinLimits".to_owned()));
    assert_eq!(said(&rig, C::ContinuousArchiving), (Truth::False, "NotConfigured".to_owned()));
    let made: Vec<_> = rig.events().into_iter().filter(|e| e.reason == "MonitorRoleSet").collect();
    assert_eq!((made.len(), made[0].count), (1, 1), "{made:?}");
    assert!(made[0].message.contains("make role seawall-monitor"), "{made:?}");
}

#[tokio::test(start_paused = true)]
async fn whatever_is_done_to_the_role_is_put_right() {
    let rig = settled().await;
    let times = |rig: &Rig| {
        let made = rig.events().into_iter().filter(|e| e.reason == "MonitorRoleSet");
        made.map(|event| event.count).sum::<u64>()
    };
    let rows: [(&str, &dyn Fn() -> bool); 3] = [
        ("dropped", &|| rig.servers.drop_monitor(CONTAINER)),
        ("given more", &|| rig.servers.promote_monitor(CONTAINER, &["pg_write_all_data"])),
        ("its password was changed", &|| rig.servers.change_monitor_password(CONTAINER)),
    ];
    for (n, (what, harm)) in (2..).zip(rows) {
        assert!(harm());
        rig.until(what, || (times(&rig) == n).then_some(())).await;
        rig.ready("main").await;
        rig.let_pass(LOOK).await;
        assert_eq!(said(&rig, C::WalHealthy).0, Truth::True, "{what}");
        assert_eq!(times(&rig), n, "{what}: once");
    }
}

#[tokio::test(start_paused = true)]
async fn a_role_of_that_name_that_is_somebody_elses_is_left_alone() {
    let rig = settled().await;
    assert!(rig.servers.take_monitor_name(CONTAINER));
    rig.let_pass(LOOK).await;
    rig.let_pass(LOOK).await;
    assert_eq!(said(&rig, C::WalHealthy), (Truth::Unknown, "ProbeFailed".to_owned()));
    let degraded = rig.condition("main", C::Degraded).unwrap();
    assert_eq!(degraded.reason, "WalProbeFailed");
    assert!(degraded.message.contains("is not Seawall's"), "{}", degraded.message);
    assert!(rig.is_ready("main"));
    assert!(health(&rig)["errors"]["probe"].as_str().unwrap().contains("is not Seawall's"));
}

#[tokio::test(start_paused = true)]
async fn what_becomes_wrong_is_said_within_a_look_and_once() {
    let rig = settled().await;
    rig.servers.set_reading(CONTAINER, bloated());
    rig.let_pass(LOOK).await;
    assert_eq!(said(&rig, C::WalHealthy), (Truth::False, "WalBloat".to_owned()));
    assert_eq!(said(&rig, C::Degraded), (Truth::True, "WalBloat".to_owned()));
    assert!(rig.is_ready("main"), "it serves all the same");
    assert_eq!(rig.phase("main"), "Degraded");
    let warning = health(&rig)["warnings"][0].clone();
    assert_eq!((&warning["kind"], &warning["severity"]), (&json!("wal_bloat"), &json!("warning")));
    rig.let_pass(LOOK * 5).await;
    let told = |reason: &str| rig.events().into_iter().filter(|e| e.reason == reason).count();
    let count = rig.events().into_iter().find(|e| e.reason == "WalBloat").map(|e| e.count);
    assert_eq!((told("WalBloat"), count), (1, Some(1)));
    rig.servers.set_reading(CONTAINER, healthy_reading());
    rig.let_pass(LOOK).await;
    assert_eq!(said(&rig, C::WalHealthy).0, Truth::True);
    assert_eq!(told("WithinLimits"), 1);
    assert_eq!(rig.phase("main"), "Ready");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_has_pass_after_pass_is_looked_at_as_often() {
    let rig = settled().await;
    let standby =
        |reading: Reading| Reading { position: Ok(Position { in_recovery: true, lsn: None }), ..reading };
    rig.servers.set_reading(CONTAINER, standby(healthy_reading()));
    rig.until("not ready", || (said(&rig, C::Ready).1 == "InRecovery").then_some(())).await;
    rig.servers.set_reading(CONTAINER, standby(bloated()));
    rig.let_pass(LOOK).await;
    assert_eq!(said(&rig, C::WalHealthy), (Truth::False, "WalBloat".to_owned()));
    rig.servers.set_reading(CONTAINER, healthy_reading());
    rig.ready("main").await;
}

#[tokio::test(start_paused = true)]
async fn figures_alone_are_shown_and_never_written() {
    let rig = settled().await;
    rig.let_pass(LOOK).await;
    let commits = || rig.store.get("meta/store").unwrap().unwrap_or_default()["commits"].clone();
    let stored = |rig: &Rig| rig.store.scan("").unwrap();
    let (before, at) = (stored(&rig), commits());
    for n in 1..=4_u64 {
        let bytes = n << 20;
        let files = Files { bytes, oldest_age_secs: Some(1.0) };
        rig.servers.set_reading(CONTAINER, Reading { files: Ok(files), ..healthy_reading() });
        rig.let_pass(LOOK).await;
        assert_eq!(health(&rig)["pg_wal_bytes"], bytes);
    }
    assert_eq!((stored(&rig), commits()), (before, at));
}

#[tokio::test(start_paused = true)]
async fn a_part_that_cannot_be_read_is_absent_and_named() {
    let rig = settled().await;
    let reading = Reading { backlog: Err("permission denied".to_owned()), ..bloated() };
    rig.servers.set_reading(CONTAINER, reading);
    rig.let_pass(LOOK).await;
    let health = health(&rig);
    assert!(health.get("archive_backlog").is_none());
    assert_eq!(health["errors"]["archive_backlog"], "permission denied");
    let kinds: Vec<&str> =
        health["warnings"].as_array().unwrap().iter().map(|w| w["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["wal_bloat", "probe_failed"]);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_answer_keeps_its_last_look_and_its_age() {
    let rig = settled().await;
    let taken = health(&rig)["probed_at"].clone();
    rig.servers.set_answer(CONTAINER, Some(SqlError::Hung(Duration::from_secs(5))));
    rig.let_pass(LOOK * 3).await;
    assert!(!rig.is_ready("main"));
    assert_eq!(health(&rig)["probed_at"], taken);
    assert_eq!(rig.condition("main", C::WalHealthy), None, "nothing is said of a server that hangs");
    rig.servers.set_answer(CONTAINER, None);
    rig.ready("main").await;
    rig.let_pass(LOOK).await;
    assert_eq!(said(&rig, C::WalHealthy).0, Truth::True);
}

#[tokio::test(start_paused = true)]
async fn archiving_that_fails_again_and_again_and_a_slot_that_is_left_behind() {
    let rig = settled().await;
    let settings =
        Settings { archive_command: "cp %p /gone/%f".to_owned(), ..healthy_reading().settings.unwrap() };
    let failing = |failed_count| Reading {
        settings: Ok(settings.clone()),
        backlog: Ok(Backlog { segments: 2, other: 1 }),
        archiver: Ok(Archiver {
            failed_count,
            last_failed_wal: Some("000000010000000000000003".to_owned()),
            last_failed_at: Some(1_700_000_000.0),
            ..Archiver::default()
        }),
        ..healthy_reading()
    };
    rig.servers.set_reading(CONTAINER, failing(3));
    rig.let_pass(LOOK).await;
    rig.servers.set_reading(CONTAINER, failing(6));
    rig.let_pass(LOOK).await;
    assert_eq!(said(&rig, C::ContinuousArchiving), (Truth::False, "ArchiverFailing".to_owned()));
    assert_eq!(said(&rig, C::Degraded).1, "ArchiverFailing");
    assert_eq!(health(&rig)["archiver_failure_streak"], 2);
    assert_eq!(health(&rig)["archiver_last_failed_at"], "2023-11-14T22:13:20Z");
    let slot = Slot {
        slot_name: "gone".to_owned(),
        slot_type: "physical".to_owned(),
        wal_status: Some("extended".to_owned()),
        retained_bytes: Some(3 << 30),
        ..Slot::default()
    };
    rig.servers.set_reading(CONTAINER, Reading { slots: Ok(vec![slot]), ..failing(9) });
    rig.let_pass(LOOK).await;
    assert_eq!(said(&rig, C::WalHealthy).1, "StaleSlot", "critical first");
    assert_eq!(health(&rig)["stale_slots"][0]["slot_name"], "gone");
    let words = rig.condition("main", C::Degraded).unwrap().message;
    assert!(words.contains("\"gone\"") && words.contains("archiving fails"), "{words}");
}
