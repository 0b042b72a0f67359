//! What keeps WAL, or takes it away from whom it is needed by.

use super::postgres::{Client, PLAIN, auto_conf, end_sessions, inside, sql, without_auto_conf};
use super::table::{Fault, Then, judge, judge_within, nothing};
use crate::harness::{Sea, docker, wait_for};
use std::process::Command;
use std::time::Duration;

const SMALL: &str =
    "{version: '18', parameters: {shared_buffers: 16MB, max_wal_size: 32MB, min_wal_size: 32MB}}";

/// Fills segments with nothing.
fn segments(sea: &Sea, name: &str, n: u32) {
    for _ in 0..n {
        sql(sea, name, "postgres", "SELECT pg_logical_emit_message(true, 'x', 'y')");
        sql(sea, name, "postgres", "SELECT pg_switch_wal()");
    }
}

fn slot(sea: &Sea, name: &str) {
    sql(sea, name, "postgres", "SELECT pg_create_physical_replication_slot('gone', true)");
}

/// And what it kept goes.
fn drop_slot(sea: &Sea, name: &str) {
    sql(sea, name, "postgres", "SELECT pg_drop_replication_slot('gone')");
    for _ in 0..2 {
        segments(sea, name, 1);
        sql(sea, name, "postgres", "CHECKPOINT");
    }
}

const LOST: Then =
    Then::Said { conditions: &["WalHealthy False SlotLost", "Degraded True SlotLost"], lets_in: true };

#[test]
fn what_keeps_wal_or_lost_it_is_said_and_nothing_else() {
    judge(&[
        Fault {
            name: "slot",
            spec: SMALL,
            prepare: nothing,
            breaks: |sea, name| {
                slot(sea, name);
                segments(sea, name, 7);
                Box::new(move || drop_slot(sea, name))
            },
            then: Then::Said {
                conditions: &["WalHealthy False StaleSlot", "Degraded True StaleSlot"],
                lets_in: true,
            },
        },
        Fault {
            name: "lost",
            spec: "{version: '18', parameters: {shared_buffers: 16MB, max_wal_size: 32MB, min_wal_size: 32MB, max_slot_wal_keep_size: 48MB}}",
            prepare: nothing,
            breaks: |sea, name| {
                slot(sea, name);
                segments(sea, name, 7);
                sql(sea, name, "postgres", "CHECKPOINT");
                Box::new(move || drop_slot(sea, name))
            },
            then: LOST,
        },
        // The server itself does not look whether it is there.
        Fault {
            name: "hole",
            spec: PLAIN,
            prepare: nothing,
            breaks: |sea, name| {
                slot(sea, name);
                segments(sea, name, 2);
                sql(sea, name, "postgres", "CHECKPOINT");
                let file = docker(&[
                    "exec",
                    "-u",
                    "postgres",
                    &sea.container(name),
                    "psql",
                    "-XAtqU",
                    "postgres",
                    "-c",
                    "SELECT pg_walfile_name(restart_lsn) FROM pg_replication_slots",
                ]);
                inside(sea, name, &format!("rm \"$PGDATA/pg_wal/{}\"", file.trim()));
                Box::new(move || drop_slot(sea, name))
            },
            then: LOST,
        },
        Fault {
            name: "held",
            spec: "{version: '18', parameters: {shared_buffers: 16MB, autovacuum_freeze_max_age: 100000, synchronous_commit: 'off'}}",
            prepare: |sea, name| {
                sql(sea, name, "postgres", "CREATE ROLE web LOGIN PASSWORD 'web'");
                None
            },
            breaks: |sea, name| {
                let holder = Client::new(sea, name, "BEGIN; SELECT txid_current(); SELECT pg_sleep(600)");
                wait_for("the transaction", || {
                    let held = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'web' AND backend_xid IS NOT NULL";
                    (sea.sql(name, held) == "1").then_some(())
                });
                let spend =
                    "DO $$ BEGIN FOR i IN 1..110000 LOOP PERFORM txid_current(); COMMIT; END LOOP; END $$";
                sql(sea, name, "postgres", spend);
                Box::new(move || {
                    drop(holder);
                    end_sessions(sea, name);
                })
            },
            then: Then::Said {
                conditions: &["WalHealthy False VacuumHeldBack", "Degraded True VacuumHeldBack"],
                lets_in: true,
            },
        },
    ]);
}

/// Five minutes are what the rule waits for.
#[test]
fn an_archive_command_that_hangs_is_said_and_nothing_else() {
    judge_within(
        Duration::from_secs(330),
        &[Fault {
            name: "hanging",
            spec: PLAIN,
            prepare: nothing,
            breaks: |sea, name| {
                auto_conf(sea, name, "archive_command = 'sleep 3600'");
                segments(sea, name, 1);
                wait_for("it hangs", || {
                    crate::harness::processes(&sea.container(name))
                        .iter()
                        .any(|(_, args)| args.starts_with("sleep 3600"))
                        .then_some(())
                });
                Box::new(move || {
                    without_auto_conf(sea, name);
                    let hangs = crate::harness::processes(&sea.container(name)).into_iter();
                    for (pid, _) in hangs.filter(|(_, args)| args.contains("sleep 3600")) {
                        let _ = Command::new("kill").arg(pid).output();
                    }
                })
            },
            then: Then::Said {
                conditions: &[
                    "WalHealthy False ArchiverStalled",
                    "ContinuousArchiving False ArchiverStalled",
                    "Degraded True ArchiverStalled",
                ],
                lets_in: true,
            },
        }],
    );
}
