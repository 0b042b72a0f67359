//! What ends a server, or a process of it, and what keeps it from coming up again.

use super::postgres::{PLAIN, inside, mountpoint, sql};
use super::table::{Fault, Mend, Then, judge, nothing};
use crate::harness::{Frozen, Sea, condition, docker, signal, wait_for};
use crate::readiness::startup_process;
use std::fs;
use std::process::Command;

const TIGHT: &str = "{version: '18', resources: {memory: 192Mi}, parameters: {shared_buffers: 16MB}}";
const ROOMY: &str = "{version: '18', resources: {memory: 512Mi}, parameters: {shared_buffers: 16MB}}";

/// It serves on.
const UP: [&str; 2] = ["Ready True LoginSucceeded", "Progressing False Settled"];

fn more_memory<'a>(sea: &'a Sea, name: &'a str) -> Mend<'a> {
    Box::new(move || sea.put(name, ROOMY))
}

/// Whoever does that may have mended it: its deaths are counted anew, and need not be ten minutes ago.
pub(super) fn started_by_hand(sea: &Sea, name: &str) {
    docker(&["restart", &sea.container(name)]);
}

/// A file of the data directory, as the host sees it.
fn file(sea: &Sea, name: &str, path: &str) -> String {
    format!("{}/18/docker/{path}", mountpoint(&sea.volume(name)))
}

#[test]
fn what_ends_a_server_is_said_and_nothing_else() {
    judge(&[
        Fault {
            name: "oom",
            spec: TIGHT,
            prepare: nothing,
            breaks: |sea, name| {
                // The server is the one that the kernel prefers.
                fs::write(format!("/proc/{}/oom_score_adj", sea.server(name)), "1000").unwrap();
                // What tail reads it keeps, as there is no line in it.
                let hog = "head -c 900000000 /dev/zero | tail -c 900000000 >/dev/null";
                let _ = Command::new("docker").args(["exec", &sea.container(name), "sh", "-c", hog]).output();
                more_memory(sea, name)
            },
            then: Then::Said { conditions: &["Degraded True OutOfMemory", UP[0], UP[1]], lets_in: true },
        },
        Fault {
            name: "backend",
            spec: TIGHT,
            prepare: nothing,
            breaks: |sea, name| {
                assert!(!sea.try_sql(name, "SELECT length(repeat('x', 900000000))").status.success());
                more_memory(sea, name)
            },
            then: Then::Said {
                conditions: &["Degraded True ProcessOutOfMemory", UP[0], UP[1]],
                lets_in: true,
            },
        },
        Fault {
            name: "dying",
            spec: PLAIN,
            prepare: nothing,
            breaks: |sea, name| {
                for n in 1..=3 {
                    signal("-9", &[sea.server(name)]);
                    sea.until(name, "up again", |s| {
                        s["runtime"][0]["restart_count"] == n && condition(s, "Ready").0 == "True"
                    });
                }
                Box::new(move || started_by_hand(sea, name))
            },
            then: Then::Said { conditions: &["Degraded True CrashLoop", UP[0], UP[1]], lets_in: true },
        },
        Fault {
            name: "loop",
            spec: PLAIN,
            prepare: nothing,
            breaks: |sea, name| {
                let control = file(sea, name, "global/pg_control");
                fs::rename(&control, format!("{control}.away")).unwrap();
                signal("-9", &[sea.server(name)]);
                Box::new(move || {
                    fs::rename(format!("{control}.away"), &control).unwrap();
                    started_by_hand(sea, name);
                })
            },
            then: DIES,
        },
        // What the recovery from a crash has to read.
        Fault {
            name: "segment",
            spec: PLAIN,
            prepare: nothing,
            breaks: |sea, name| {
                let server = sea.server(name);
                let wal = file(sea, name, "pg_wal");
                signal("-STOP", std::slice::from_ref(&server));
                fs::rename(&wal, format!("{wal}.away")).unwrap();
                let again = "mkdir \"$0\" \"$0/archive_status\" \"$0/summaries\"; chown -R --reference=\"$0.away\" \"$0\"; chmod 700 \"$0\"";
                assert!(Command::new("sh").args(["-ec", again, &wal]).status().unwrap().success());
                signal("-9", &[server]);
                Box::new(move || {
                    let back = "rm -r \"$0\"; mv \"$0.away\" \"$0\"";
                    assert!(Command::new("sh").args(["-ec", back, &wal]).status().unwrap().success());
                    started_by_hand(sea, name);
                })
            },
            then: DIES,
        },
        Fault {
            name: "recovering",
            spec: "{version: '18', parameters: {shared_buffers: 16MB, max_wal_size: 4GB, checkpoint_timeout: 1h}}",
            prepare: |sea, name| {
                // Work for the recovery: no checkpoint comes between.
                sql(
                    sea,
                    name,
                    "app",
                    "CREATE TABLE kept AS SELECT n, repeat('x', 200) AS t FROM generate_series(1, 400000) n",
                );
                None
            },
            breaks: |sea, name| {
                let id = sea.inspect(name)["Id"].as_str().unwrap().to_owned();
                signal("-9", &[sea.server(name)]);
                let pid = wait_for("the startup process", || {
                    (0..200).find_map(|_| {
                        let found = startup_process(&id);
                        if found.is_none() {
                            std::thread::sleep(std::time::Duration::from_millis(2));
                        }
                        found
                    })
                });
                let frozen = Frozen::new(vec![pid]);
                Box::new(move || drop(frozen))
            },
            then: Then::Said {
                conditions: &[
                    "Ready False ServerStarting",
                    "Progressing True ServerStarting",
                    "Stalled * *",
                    "Degraded * *",
                ],
                lets_in: false,
            },
        },
        Fault {
            name: "standby",
            spec: PLAIN,
            prepare: nothing,
            breaks: |sea, name| {
                inside(sea, name, "touch \"$PGDATA/standby.signal\"");
                docker(&["restart", &sea.container(name)]);
                Box::new(move || sql(sea, name, "postgres", "SELECT pg_promote()"))
            },
            then: Then::Said {
                conditions: &["Ready False InRecovery", "Progressing True InRecovery", "Stalled * *"],
                lets_in: true,
            },
        },
    ]);
}

const DIES: Then = Then::Said {
    conditions: &[
        "Ready False CrashLoop",
        "Progressing False CrashLoop",
        "Degraded True CrashLoop",
        "Stalled * *",
    ],
    lets_in: false,
};
