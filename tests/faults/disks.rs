//! Where the data lies, and whose it is.

use super::postgres::{PLAIN, inside, mount, mountpoint, off, shell};
use super::table::{Disk, Fault, Then, judge, nothing};
use crate::harness::{Sea, condition, docker, signal};
use std::fs;
use std::process::Command;

fn stop(sea: &Sea, name: &str) {
    sea.put(name, "{version: '18', stopped: true, parameters: {shared_buffers: 16MB}}");
    sea.until(name, "stopped", |s| condition(s, "Ready").1 == "Stopped");
}

/// The data directory, as the host sees it.
fn data(sea: &Sea, name: &str) -> String {
    format!("{}/18/docker", mountpoint(&sea.volume(name)))
}

/// The process of the container that sees its mounts.
fn in_mounts(sea: &Sea, name: &str, script: &str) {
    let pid = sea.inspect(name)["State"]["Pid"].to_string();
    let done = Command::new("nsenter").args(["-t", &pid, "-m", "sh", "-ec", script]).status().unwrap();
    assert!(done.success(), "{script}");
}

fn free_bytes(path: &str) -> u64 {
    let output = Command::new("df").args(["--output=avail", "-B1", path]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().lines().nth(1).unwrap().trim().parse().unwrap()
}

#[test]
fn what_is_wrong_with_the_data_is_said_and_nothing_else() {
    judge(&[
        Fault {
            name: "full",
            spec: PLAIN,
            prepare: |sea, name| {
                off(sea, name, || mount(&sea.volume(name)));
                Some(Disk(mountpoint(&sea.volume(name))))
            },
            breaks: |sea, name| {
                let filler = format!("{}/filler", mountpoint(&sea.volume(name)));
                let space = free_bytes(&mountpoint(&sea.volume(name))) - (20 << 20);
                fs::write(&filler, vec![0u8; usize::try_from(space).unwrap()]).unwrap();
                Box::new(move || fs::remove_file(filler).unwrap())
            },
            then: Then::Said {
                conditions: &["Ready False DiskFull", "Degraded True DiskFull"],
                lets_in: true,
            },
        },
        // Not the disk, but what the container sees of it.
        Fault {
            name: "inside",
            spec: PLAIN,
            prepare: nothing,
            breaks: |sea, name| {
                let at = "/var/lib/postgresql";
                in_mounts(sea, name, &format!("mount --bind {at} {at}; mount -o remount,bind,ro {at}"));
                Box::new(move || drop(docker(&["restart", &sea.container(name)])))
            },
            // What it has open it still writes to.
            then: Then::Said {
                conditions: &[
                    "Ready False DiskReadOnly",
                    "Degraded True DiskReadOnly",
                    "Progressing * *",
                    "Stalled * *",
                ],
                lets_in: true,
            },
        },
        Fault {
            name: "walaway",
            spec: PLAIN,
            prepare: nothing,
            breaks: |sea, name| {
                let moved = |script: &str| {
                    inside(sea, name, &format!("cd \"$PGDATA\"; {script}"));
                    signal("-9", &[sea.server(name)]);
                };
                moved("cp -a pg_wal /tmp/wal; mv pg_wal pg_wal.away; ln -s /tmp/wal pg_wal");
                Box::new(move || moved("rm pg_wal; cp -a /tmp/wal pg_wal"))
            },
            then: Then::Said {
                conditions: &[
                    "Degraded True DataOutsideVolume",
                    "Ready False Blocked",
                    "Progressing False Blocked",
                ],
                lets_in: true,
            },
        },
        Fault {
            name: "another",
            spec: PLAIN,
            prepare: nothing,
            breaks: |sea, name| {
                stop(sea, name);
                let data = data(sea, name);
                shell("mv \"$0\" \"$0.away\"", &data);
                let volume = format!("{}:/var/lib/postgresql", sea.volume(name));
                let make = "initdb -D /var/lib/postgresql/18/docker -U postgres -A scram-sha-256 --pwfile=/etc/hostname --auth-local=trust && cp /var/lib/postgresql/18/docker.away/pg_hba.conf /var/lib/postgresql/18/docker/";
                sea.docker(&[
                    "run",
                    "--rm",
                    "-u",
                    "postgres",
                    "-v",
                    &volume,
                    "--entrypoint",
                    "sh",
                    "seawall/postgres:18",
                    "-ec",
                    make,
                ]);
                sea.put(name, PLAIN);
                Box::new(move || {
                    let events = sea.ok(&["events", &format!("postgres/{name}")]);
                    assert!(!events.contains("PasswordReset"), "that of other data was set: {events}");
                    stop(sea, name);
                    shell("rm -r \"$0\"; mv \"$0.away\" \"$0\"", &data);
                    sea.put(name, PLAIN);
                })
            },
            then: Then::Said {
                conditions: &[
                    "Degraded True DifferentCluster",
                    "Ready False Blocked",
                    "Progressing False Blocked",
                ],
                lets_in: false,
            },
        },
    ]);
}
