//! Both sides of each threshold.

use super::super::reading::{Archiver, Backlog, Files, Held, Horizon, Position, Settings};
use super::*;

const GI: u64 = 1 << 30;
const SEGMENT: u64 = 16 << 20;

fn healthy() -> Reading {
    Reading {
        settings: Ok(Settings {
            max_wal_size_bytes: GI,
            archive_mode: "on".to_owned(),
            archive_command: "cp %p /archive/%f".to_owned(),
            archive_library: Some(String::new()),
        }),
        files: Ok(Files { bytes: SEGMENT, oldest_age_secs: Some(5.0) }),
        backlog: Ok(Backlog::default()),
        archiver: Ok(Archiver::default()),
        slots: Ok(Vec::new()),
        position: Ok(Position { in_recovery: false, lsn: Some(1) }),
        horizon: Ok(Horizon {
            database: "app".to_owned(),
            xid_age: 100,
            mxid_age: 1,
            freeze_max_age: 200_000_000,
            failsafe_age: Some(1_600_000_000),
            held: None,
        }),
    }
}

fn slot(name: &str, active: bool, retained: i64) -> Slot {
    Slot {
        slot_name: name.to_owned(),
        slot_type: "physical".to_owned(),
        active,
        wal_status: Some("reserved".to_owned()),
        safe_wal_size: None,
        retained_bytes: Some(retained),
        wal_missing: false,
    }
}

fn judged(reading: &Reading, trend: &Trend, disk: Option<Space>) -> Vec<(Severity, &'static str)> {
    let all = warnings(&Figures { reading, trend, disk, object: "postgres/main", psql: "psql" });
    all.iter().map(|warning| (warning.severity, warning.what.reason())).collect()
}

fn of(change: impl FnOnce(&mut Reading)) -> Vec<(Severity, &'static str)> {
    let mut reading = healthy();
    change(&mut reading);
    judged(&reading, &Trend::default(), None)
}

use Severity::{Critical, Warning as Warn};

#[test]
fn nothing_is_wrong_with_a_healthy_server() {
    assert_eq!(of(|_| ()), []);
}

#[test]
fn bloat_begins_at_three_times_and_is_critical_at_ten() {
    let bytes = |bytes| of(|r| r.files = Ok(Files { bytes, oldest_age_secs: None }));
    assert_eq!(bytes(3 * GI - 1), []);
    assert_eq!(bytes(3 * GI), [(Warn, "WalBloat")]);
    assert_eq!(bytes(10 * GI - 1), [(Warn, "WalBloat")]);
    assert_eq!(bytes(10 * GI), [(Critical, "WalBloat")]);
}

#[test]
fn old_segments_matter_only_where_there_are_too_many() {
    let day = 86_400.0;
    let old = |bytes, age| of(|r| r.files = Ok(Files { bytes, oldest_age_secs: Some(age) }));
    assert_eq!(old(GI, 30.0 * day), [], "PostgreSQL renames old ones for later use");
    assert_eq!(old(3 * GI, day - 1.0), [(Warn, "WalBloat")]);
    assert_eq!(old(3 * GI, day), [(Warn, "WalBloat"), (Warn, "WalNotRecycled")]);
    assert_eq!(old(3 * GI, -5.0), [(Warn, "WalBloat")], "a clock that went back");
}

#[test]
fn a_slot_is_stale_when_nobody_reads_it_and_it_keeps_three_times() {
    let three = i64::try_from(3 * GI).unwrap();
    let with = |slot| of(|r| r.slots = Ok(vec![slot]));
    assert_eq!(with(slot("s", false, three - 1)), []);
    assert_eq!(with(slot("s", false, three)), [(Critical, "StaleSlot")]);
    assert_eq!(with(slot("s", true, three)), [], "somebody reads it");
    assert_eq!(with(slot("pgautofailover_standby_1", false, three)), []);
    assert_eq!(with(Slot { retained_bytes: None, ..slot("s", false, 0) }), []);
}

#[test]
fn a_slot_is_lost_or_near_to_it() {
    let with = |status: &str, safe, retained| {
        let wal_status = Some(status.to_owned());
        let slot = Slot { wal_status, safe_wal_size: safe, ..slot("s", true, retained) };
        of(|r| r.slots = Ok(vec![slot]))
    };
    assert_eq!(with("lost", None, 0), [(Critical, "SlotLost")]);
    assert_eq!(with("unreserved", Some(1 << 40), 1), [(Warn, "SlotNearLimit")]);
    assert_eq!(with("extended", Some(20), 80), []);
    assert_eq!(with("extended", Some(19), 81), [(Warn, "SlotNearLimit")]);
    assert_eq!(with("extended", Some(-5), 105), [(Warn, "SlotNearLimit")]);
    assert_eq!(with("reserved", None, 1 << 40), [], "nothing limits it");
    let hole = Slot { wal_missing: true, wal_status: Some("reserved".to_owned()), ..slot("s", false, 1) };
    assert_eq!(
        of(|r| r.slots = Ok(vec![hole.clone()])),
        [(Critical, "SlotLost")],
        "its segment was taken away"
    );
}

#[test]
fn what_keeps_vacuum_from_what_it_is_forced_to_is_named() {
    let held = |age| {
        of(|r| {
            let holder = "process 7 of role web".to_owned();
            if let Ok(horizon) = &mut r.horizon {
                horizon.held = Some(Held { age, holder });
            }
        })
    };
    assert_eq!(held(199_999_999), []);
    assert_eq!(held(200_000_000), [(Warn, "VacuumHeldBack")]);
}

#[test]
fn a_hundred_segments_that_wait_are_a_backlog() {
    let waiting = |segments, other| of(|r| r.backlog = Ok(Backlog { segments, other }));
    assert_eq!(waiting(99, 500), [], "histories and labels are no segments");
    assert_eq!(waiting(100, 0), [(Warn, "ArchiveBacklog")]);
}

#[test]
fn archiving_to_nobody_is_a_warning_and_into_nothing_is_none() {
    let set = |mode: &str, command: &str, library: Option<&str>| {
        of(|r| {
            r.settings = Ok(Settings {
                max_wal_size_bytes: GI,
                archive_mode: mode.to_owned(),
                archive_command: command.to_owned(),
                archive_library: library.map(str::to_owned),
            });
        })
    };
    assert_eq!(set("on", "", None), [(Warn, "ArchiveModeWithoutCommand")]);
    assert_eq!(set("always", "", Some("")), [(Warn, "ArchiveModeWithoutCommand")]);
    assert_eq!(set("on", "", Some("basic_archive")), []);
    assert_eq!(set("off", "(disabled)", Some("")), []);
    assert_eq!(set("on", "/bin/true", Some("")), []);
}

/// After so many looks in which one more failed.
fn failing(looks: u64) -> (Reading, Trend) {
    let mut trend = Trend::default().after(&healthy(), None, 0);
    let mut reading = healthy();
    for failed in 1..=looks {
        reading.archiver = Ok(Archiver {
            failed_count: failed,
            last_failed_at: Some(9.0),
            last_failed_wal: Some("000000010000000000000007".to_owned()),
            ..Archiver::default()
        });
        trend = trend.after(&reading, None, 0);
    }
    (reading, trend)
}

#[test]
fn archiving_fails_from_the_second_look_on() {
    let (reading, trend) = failing(1);
    assert_eq!(judged(&reading, &trend, None), []);
    let (reading, trend) = failing(2);
    assert_eq!(judged(&reading, &trend, None), [(Warn, "ArchiverFailing")]);
    let off = Settings { archive_mode: "off".to_owned(), ..reading.settings.clone().unwrap() };
    let reading = Reading { settings: Ok(off), ..reading };
    assert_eq!(judged(&reading, &trend, None), [], "nobody archives any more");
}

#[test]
fn archiving_is_stalled_after_five_minutes() {
    let waiting = Reading { backlog: Ok(Backlog { segments: 3, other: 0 }), ..healthy() };
    let begun = Trend::default().after(&waiting, None, 0);
    assert_eq!(judged(&waiting, &begun.after(&waiting, None, 299), None), []);
    assert_eq!(judged(&waiting, &begun.after(&waiting, None, 300), None), [(Warn, "ArchiverStalled")]);
}

#[test]
fn a_disk_is_low_before_it_is_almost_full() {
    let disk = |free| {
        let space = Some(Space { free, total: 1000, read_only: false });
        judged(&healthy(), &Trend::default().after(&healthy(), space, 0), space)
    };
    assert_eq!(disk(150), []);
    assert_eq!(disk(149), [(Warn, "DiskPressure")]);
    assert_eq!(disk(50), [(Warn, "DiskPressure")]);
    assert_eq!(disk(49), [(Critical, "DiskPressure")]);
}

#[test]
fn transactions_that_vacuum_does_not_freeze_are_told_by_the_servers_own_limits() {
    let old = |xid_age, mxid_age, failsafe_age| {
        of(|r| {
            r.horizon = Ok(Horizon {
                database: "app".to_owned(),
                xid_age,
                mxid_age,
                freeze_max_age: 200_000_000,
                failsafe_age,
                held: None,
            });
        })
    };
    assert_eq!(old(399_999_999, 0, Some(1_600_000_000)), []);
    assert_eq!(old(400_000_000, 0, Some(1_600_000_000)), [(Warn, "Wraparound")]);
    assert_eq!(old(0, 400_000_000, None), [(Warn, "Wraparound")]);
    assert_eq!(old(1_599_999_999, 0, None), [(Warn, "Wraparound")]);
    assert_eq!(old(1_600_000_000, 0, None), [(Critical, "Wraparound")]);
    assert_eq!(old(500_000_000, 0, Some(450_000_000)), [(Critical, "Wraparound")]);
}

#[test]
fn what_was_not_read_is_no_zero_and_said_once() {
    assert_eq!(of(|r| *r = Reading::failed("permission denied")), [(Warn, "ProbeFailed")]);
    let part = of(|r| {
        r.files = Err("permission denied".to_owned());
        r.backlog = Ok(Backlog { segments: 100, other: 0 });
    });
    assert_eq!(part, [(Warn, "ArchiveBacklog"), (Warn, "ProbeFailed")]);
}

#[test]
fn the_worst_comes_first_and_each_says_what_to_do() {
    let reading = Reading {
        files: Ok(Files { bytes: 4 * GI, oldest_age_secs: Some(90_000.0) }),
        slots: Ok(vec![slot("gone", false, i64::try_from(4 * GI).unwrap())]),
        backlog: Ok(Backlog { segments: 120, other: 0 }),
        ..healthy()
    };
    let trend = Trend::default();
    let all = warnings(&Figures {
        reading: &reading,
        trend: &trend,
        disk: None,
        object: "postgres/main",
        psql: "p",
    });
    let kinds: Vec<_> = all.iter().map(|warning| warning.what.reason()).collect();
    assert_eq!(kinds, ["StaleSlot", "WalBloat", "WalNotRecycled", "ArchiveBacklog"]);
    assert_eq!(all[0].message, "replication slot \"gone\" is not in use and keeps 4Gi of WAL");
    assert_eq!(all[1].message, "pg_wal holds 4Gi, 4.0 times max_wal_size (1Gi)");
    assert!(all.iter().all(|warning| !warning.action.is_empty()));
    let json = serde_json::to_value(&all[1]).unwrap();
    assert_eq!(json["kind"], "wal_bloat");
    assert_eq!(json["severity"], "warning");
    assert_eq!(json["ratio"], 4.0);
    assert_eq!(serde_json::to_value(all[0].severity).unwrap(), "critical");
}
