//! Redis, broken from inside and from outside.

use super::deaths::started_by_hand;
use super::postgres::{mount, mountpoint, shell};
use super::table::{Disk, Fault, Then, judge_of, nothing};
use crate::harness::{Frozen, Sea, condition, processes};
use crate::kinds::redis::KIND as REDIS;
use crate::kinds::{ByHand, Kind};
use std::process::Command;
use std::time::Duration;

const PLAIN: &str = "{version: '8'}";

/// As an application. What it is told is no matter.
fn cli(sea: &Sea, name: &str, words: &[&str]) -> String {
    let auth = format!("REDISCLI_AUTH={}", sea.password(name));
    let container = sea.container(name);
    let head = ["exec", "-e", &auth, &container, "redis-cli", "--user", "app"];
    let output = Command::new("docker").args(head).args(words).output().unwrap();
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// The numbered one of what somebody may do to the users' file.
fn lock_out(sea: &Sea, name: &str, which: usize) {
    let all = REDIS.lock_outs(&sea.container(name));
    let ByHand { commands, .. } = &all[which];
    for command in commands {
        sea.docker(&command.iter().map(String::as_str).collect::<Vec<_>>());
    }
}

#[test]
fn what_is_wrong_with_a_redis_is_said_and_nothing_else() {
    judge_of(
        &REDIS,
        Duration::from_secs(30),
        &[
            Fault {
                name: "redis/stopped",
                spec: PLAIN,
                prepare: nothing,
                breaks: |sea, name| {
                    let all = processes(&sea.container(name)).into_iter();
                    let server = all.filter(|(_, args)| REDIS.is_server(args)).map(|(pid, _)| pid).collect();
                    let frozen = Frozen::new(server);
                    Box::new(move || drop(frozen))
                },
                then: Then::Said {
                    conditions: &[
                        "Ready False ServerHung",
                        "Progressing True ServerHung",
                        "Stalled * *",
                        "Degraded True ProcessStopped",
                    ],
                    lets_in: false,
                },
            },
            Fault {
                name: "redis/misconf",
                spec: "{version: '8', persistence: rdb}",
                prepare: nothing,
                breaks: |sea, name| {
                    let point = mountpoint(&sea.volume(name));
                    shell("chmod 0500 \"$0\"", &point);
                    // By the third of its rules it saves when a minute is over.
                    let write = "for i=1,10001 do redis.call('set', 'k'..i, i) end";
                    cli(sea, name, &["eval", write, "0"]);
                    Box::new(move || shell("chmod 0700 \"$0\"", &point))
                },
                then: Then::Said {
                    conditions: &[
                        "Ready False PersistenceBroken",
                        "Degraded True PersistenceBroken",
                        "Progressing False PersistenceBroken",
                        "Stalled * *",
                    ],
                    lets_in: false,
                },
            },
            Fault {
                name: "redis/disk",
                spec: PLAIN,
                prepare: |sea, name| {
                    sea.put(name, "{version: '8', stopped: true}");
                    sea.until(name, "stopped", |s| condition(s, "Ready").1 == "Stopped");
                    mount(&sea.volume(name));
                    sea.put(name, PLAIN);
                    sea.ready(name);
                    Some(Disk(mountpoint(&sea.volume(name))))
                },
                breaks: |sea, name| {
                    let point = mountpoint(&sea.volume(name));
                    shell("dd if=/dev/zero of=\"$0/filler\" bs=64k 2>/dev/null || true", &point);
                    cli(sea, name, &["set", "k", &"x".repeat(10_000)]);
                    Box::new(move || shell("rm \"$0/filler\"", &point))
                },
                then: Then::Said {
                    conditions: &[
                        "Ready False DiskFull",
                        "Degraded True DiskFull",
                        "Progressing False PersistenceBroken",
                        "Stalled * *",
                    ],
                    lets_in: false,
                },
            },
            Fault {
                name: "redis/garbled",
                spec: PLAIN,
                prepare: |sea, name| {
                    assert_eq!(cli(sea, name, &["set", "k", "v"]), "OK");
                    assert_eq!(cli(sea, name, &["waitaof", "1", "0", "5000"]), "1\n0");
                    None
                },
                breaks: |sea, name| {
                    let point = mountpoint(&sea.volume(name));
                    let garble =
                        "f=$(ls \"$0\"/appendonlydir/*.base.rdb); cp -a $f /tmp/$1.rdb; echo garbage > $f";
                    shell(&garble.replace("$1", &sea.container(name)), &point);
                    sea.docker(&["kill", "--signal", "KILL", &sea.container(name)]);
                    Box::new(move || {
                        let mend =
                            "f=$(ls \"$0\"/appendonlydir/*.base.rdb); cat /tmp/$1.rdb > $f; rm /tmp/$1.rdb";
                        shell(&mend.replace("$1", &sea.container(name)), &point);
                        started_by_hand(sea, name);
                    })
                },
                then: Then::Said {
                    conditions: &[
                        "Ready False CrashLoop",
                        "Degraded True CrashLoop",
                        "Progressing False CrashLoop",
                        "Stalled * *",
                    ],
                    lets_in: false,
                },
            },
            Fault {
                name: "redis/gone",
                spec: PLAIN,
                prepare: nothing,
                breaks: |sea, name| {
                    shell("rm -r \"$0/appendonlydir\"", &mountpoint(&sea.volume(name)));
                    Box::new(|| {})
                },
                then: Then::Repaired("PersistenceRepaired"),
            },
            Fault {
                name: "redis/full",
                spec: "{version: '8', resources: {memory: 64Mi}}",
                prepare: nothing,
                breaks: |sea, name| {
                    let fill = "for i=1,2 do redis.call('set', ARGV[1]..i, string.rep('x', 500000)) end";
                    for n in 0..60 {
                        cli(sea, name, &["eval", fill, "0", &format!("k{n}-")]);
                    }
                    assert!(cli(sea, name, &["set", "k", "v"]).contains("OOM"));
                    Box::new(move || {
                        let all = "for n=0,59 do for i=1,2 do redis.call('del', 'k'..n..'-'..i) end end";
                        cli(sea, name, &["eval", all, "0"]);
                    })
                },
                then: Then::Said { conditions: &["Degraded True MaxmemoryReached"], lets_in: true },
            },
            Fault {
                name: "redis/users",
                spec: PLAIN,
                prepare: nothing,
                breaks: |sea, name| {
                    lock_out(sea, name, 1);
                    Box::new(|| {})
                },
                then: Then::Repaired("ServerRestarted"),
            },
        ],
    );
}
