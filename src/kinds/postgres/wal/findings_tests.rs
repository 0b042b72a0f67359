//! What is said of a look, and what of none.

use super::super::reading::{Archiver, Files, Reading, Settings};
use super::super::snapshot::Look;
use super::super::trend::Trend;
use super::*;
use crate::core::seen::Space;
use crate::kinds::postgres::fake_server::healthy_reading;
use jiff::Timestamp;

fn read(reading: Reading, trend: &Trend, disk: Option<Space>) -> Health {
    let at: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let look = Look { at, took_ms: 3, disk, object: "postgres/main", psql: "psql" };
    Health::Read(Arc::new(Snapshot::new(&look, reading.clone(), &trend.after(&reading, disk, 1_000))))
}

const ROOM: Option<Space> = Some(Space { free: 900, total: 1000, read_only: false });

fn said(health: &Health) -> String {
    let words = findings(health, true);
    let words: Vec<String> = words.iter().map(|f| format!("{}={} {}", f.kind, f.status, f.reason)).collect();
    words.join(", ")
}

fn archiving(command: &str, archiver: Archiver) -> String {
    let settings = Settings { archive_command: command.to_owned(), ..healthy_reading().settings.unwrap() };
    let reading = Reading { settings: Ok(settings), archiver: Ok(archiver), ..healthy_reading() };
    said(&read(reading, &Trend::default(), ROOM)).split(", ").nth(1).unwrap_or_default().to_owned()
}

#[test]
fn conditions_of_a_healthy_server() {
    let health = read(healthy_reading(), &Trend::default(), ROOM);
    let want = "WalHealthy=True WithinLimits, ContinuousArchiving=False NotConfigured, DiskPressure=False EnoughRoom";
    assert_eq!(said(&health), want);
    assert_eq!(degraded(&health), None);
}

#[test]
fn what_is_not_known_is_unknown() {
    let why = || "connection refused".to_owned();
    let failed = Health::Failed { why: why(), last: None };
    for condition in findings(&failed, true) {
        assert_eq!((condition.status, condition.reason), (Truth::Unknown, "ProbeFailed"));
    }
    assert_eq!(degraded(&failed).map(|(reason, _)| reason), Some("WalProbeFailed"));
    assert_eq!(degraded(&Health::NotYet), None);
    let part = Reading { settings: Err(why()), files: Err(why()), ..healthy_reading() };
    let want = "WalHealthy=Unknown ProbeFailed, ContinuousArchiving=Unknown ProbeFailed, DiskPressure=Unknown NotSeen";
    assert_eq!(said(&read(part, &Trend::default(), None)), want);
}

#[test]
fn archiving_is_true_only_of_what_was_archived() {
    let archived =
        |at, failed| Archiver { last_archived_at: at, last_failed_at: failed, ..Archiver::default() };
    for (command, archiver, want) in [
        ("cp %p /a/%f", archived(Some(5.0), None), "ContinuousArchiving=True Archiving"),
        ("cp %p /a/%f", archived(None, None), "ContinuousArchiving=Unknown NothingArchivedYet"),
        // Once is not yet a failing archiver.
        ("cp %p /a/%f", archived(Some(5.0), Some(9.0)), "ContinuousArchiving=True Archiving"),
        ("", archived(Some(5.0), None), "ContinuousArchiving=False NoArchiveCommand"),
        (PLACEHOLDER, archived(Some(5.0), None), "ContinuousArchiving=False NotConfigured"),
        ("true", archived(Some(5.0), None), "ContinuousArchiving=False WalDiscarded"),
    ] {
        assert_eq!(archiving(command, archiver), want, "{command}");
    }
}

#[test]
fn a_rule_that_finds_something_is_said_by_its_name_and_degrades() {
    let bloated = Files { bytes: 3 << 30, oldest_age_secs: None };
    let health = read(Reading { files: Ok(bloated), ..healthy_reading() }, &Trend::default(), ROOM);
    assert!(said(&health).starts_with("WalHealthy=False WalBloat"));
    let (reason, words) = degraded(&health).unwrap();
    assert_eq!(reason, "WalBloat");
    assert!(words.starts_with("pg_wal holds 3Gi, 3.0 times max_wal_size (1Gi). To do: "), "{words}");
}

#[test]
fn a_disk_degrades_only_when_it_is_almost_full() {
    let disk = |free| {
        read(healthy_reading(), &Trend::default(), Some(Space { free, total: 1000, read_only: false }))
    };
    assert!(said(&disk(100)).ends_with("DiskPressure=True DiskLow"));
    assert_eq!(degraded(&disk(100)), None);
    assert!(said(&disk(10)).ends_with("DiskPressure=True DiskAlmostFull"));
    assert_eq!(degraded(&disk(10)).map(|(reason, _)| reason), Some("DiskPressure"));
    assert!(said(&disk(10)).starts_with("WalHealthy=True"), "the disk is not the log");
}

#[test]
fn figures_alone_are_no_new_verdict() {
    let bytes = |bytes| Files { bytes, oldest_age_secs: None };
    let of =
        |n| verdict(&read(Reading { files: Ok(bytes(n)), ..healthy_reading() }, &Trend::default(), ROOM));
    assert_eq!(of(1 << 20), of(2 << 30));
    assert_ne!(of(1 << 20), of(3 << 30));
    assert_eq!(of(3 << 30), of(4 << 30));
}

#[test]
fn a_snapshot_tells_its_age_and_what_it_lacks() {
    let slot = |n: i64| super::super::reading::Slot {
        slot_name: "s".to_owned(),
        retained_bytes: Some(n),
        ..super::super::reading::Slot::default()
    };
    let reading = Reading {
        backlog: Err("permission denied".to_owned()),
        slots: Ok(vec![slot(5)]),
        ..healthy_reading()
    };
    let Health::Read(snapshot) = read(reading, &Trend::default(), ROOM) else { panic!("it was read") };
    let later = |text: &str| snapshot.shown(text.parse().unwrap(), None);
    let shown = later("2026-01-01T00:01:30Z");
    assert_eq!((shown["stale"].clone(), shown["age_secs"].clone()), (false.into(), 90.into()));
    assert_eq!(later("2026-01-01T00:01:31Z")["stale"], true);
    assert_eq!(shown["stale_after"], "2026-01-01T00:01:30Z");
    // Absent, and never 0.
    assert!(shown.get("archive_backlog").is_none());
    assert_eq!(shown["errors"]["archive_backlog"], "permission denied");
    assert_eq!(shown["pg_wal_bytes"], 32 << 20);
    assert_eq!(shown["archive_command"], PLACEHOLDER);
    assert!(shown["time_to_full_secs"].is_null());
    assert_eq!(shown["slots"][0]["retained_bytes"], 5);
    let failing = snapshot.shown("2026-01-01T00:00:10Z".parse().unwrap(), Some("it hangs"));
    assert_eq!(failing["errors"]["probe"], "it hangs");
}
