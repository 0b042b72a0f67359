//! PostgreSQL, broken from inside and from outside.

use super::table::{Disk, Fault, Mend, Then, judge, nothing};
use crate::harness::{Frozen, Sea, condition, docker, pause, processes};
use std::process::{Child, Command, Stdio};

pub(super) const PLAIN: &str = "{version: '18', parameters: {shared_buffers: 16MB}}";

/// As the server's own user, in its container.
pub(super) fn inside(sea: &Sea, name: &str, script: &str) {
    sea.docker(&["exec", "-u", "postgres", &sea.container(name), "sh", "-ec", script]);
}

/// Over the socket, where no password is asked.
pub(super) fn sql(sea: &Sea, name: &str, database: &str, sql: &str) {
    let container = sea.container(name);
    docker(&["exec", "-u", "postgres", &container, "psql", "-XqU", "postgres", "-d", database, "-c", sql]);
}

pub(super) fn reload(sea: &Sea, name: &str) {
    sea.docker(&["kill", "--signal", "HUP", &sea.container(name)]);
}

/// The one process of a server that calls itself so.
pub(super) fn process(sea: &Sea, name: &str, called: &str) -> Vec<String> {
    let all = processes(&sea.container(name)).into_iter();
    let found: Vec<String> =
        all.filter(|(_, args)| args.contains(called) && !args.contains("init")).map(|(pid, _)| pid).collect();
    assert_eq!(found.len(), 1, "{called}: {found:?}");
    found
}

pub(super) fn auto_conf(sea: &Sea, name: &str, line: &str) {
    inside(sea, name, &format!("echo \"{line}\" >> \"$PGDATA/postgresql.auto.conf\""));
    reload(sea, name);
}

pub(super) fn without_auto_conf(sea: &Sea, name: &str) {
    inside(sea, name, "printf '' > \"$PGDATA/postgresql.auto.conf\"");
    reload(sea, name);
}

/// A container that is not ours, until this is dropped.
pub(super) struct Stranger(pub(super) String);

impl Drop for Stranger {
    fn drop(&mut self) {
        let _ = Command::new("docker").args(["rm", "-fv", &self.0]).output();
    }
}

/// A session of an application, until this is dropped.
pub(super) struct Client(Child);

impl Client {
    pub(super) fn new(sea: &Sea, name: &str, sql: &str) -> Self {
        let url = format!("postgresql://web:web@127.0.0.1:{}/app", sea.host_port(name));
        let mut psql = Command::new("psql");
        psql.args(["-XAtqc", sql, &url]).stdout(Stdio::null()).stderr(Stdio::null());
        Self(psql.spawn().unwrap())
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A server that sleeps does not see that its client is gone.
pub(super) fn end_sessions(sea: &Sea, name: &str) {
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'web'";
    sql(sea, name, "postgres", end);
}

pub(super) fn no_mend<'a>(_: &'a Sea, _: &'a str) -> Mend<'a> {
    Box::new(|| {})
}

#[test]
fn what_is_wrong_inside_is_said_and_nothing_else() {
    judge(&[
        Fault {
            name: "postmaster",
            spec: PLAIN,
            prepare: nothing,
            breaks: |sea, name| {
                let frozen = Frozen::new(process(sea, name, "config_file="));
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
            name: "checkpointer",
            spec: PLAIN,
            prepare: nothing,
            breaks: |sea, name| {
                let frozen = Frozen::new(process(sea, name, "checkpointer"));
                Box::new(move || drop(frozen))
            },
            then: Then::Said { conditions: &["Degraded True ProcessStopped"], lets_in: true },
        },
        Fault {
            name: "nobody",
            spec: PLAIN,
            prepare: nothing,
            breaks: |sea, name| {
                sql(sea, name, "postgres", "ALTER DATABASE app CONNECTION LIMIT 0");
                Box::new(move || sql(sea, name, "postgres", "ALTER DATABASE app CONNECTION LIMIT -1"))
            },
            then: Then::Said { conditions: &["Degraded True ConnectionLimitReached"], lets_in: true },
        },
        Fault {
            name: "hba",
            spec: PLAIN,
            prepare: nothing,
            breaks: |sea, name| {
                inside(
                    sea,
                    name,
                    "cd $PGDATA; cp pg_hba.conf /tmp/hba; (echo 'host all all all reject'; cat /tmp/hba) > pg_hba.conf",
                );
                reload(sea, name);
                Box::new(move || {
                    inside(sea, name, "cat /tmp/hba > $PGDATA/pg_hba.conf");
                    reload(sea, name);
                })
            },
            then: Then::Said {
                conditions: &["Ready False HbaRejects", "Progressing False HbaRejects", "Stalled * *"],
                lets_in: false,
            },
        },
        Fault {
            name: "library",
            spec: PLAIN,
            prepare: nothing,
            breaks: |sea, name| {
                sql(sea, name, "postgres", "ALTER DATABASE app SET session_preload_libraries = 'nowhere'");
                Box::new(move || {
                    sql(sea, name, "postgres", "ALTER DATABASE app RESET session_preload_libraries")
                })
            },
            then: Then::Said {
                conditions: &[
                    "Ready False LibraryMissing",
                    "Progressing False LibraryMissing",
                    "Stalled * *",
                ],
                lets_in: false,
            },
        },
        Fault {
            name: "config",
            spec: PLAIN,
            prepare: nothing,
            breaks: |sea, name| {
                auto_conf(sea, name, "this is no line of a configuration");
                Box::new(move || without_auto_conf(sea, name))
            },
            then: Then::Said { conditions: &["Degraded True ConfigurationBroken"], lets_in: true },
        },
        Fault {
            name: "archiver",
            spec: PLAIN,
            prepare: nothing,
            breaks: |sea, name| {
                auto_conf(sea, name, "archive_command = 'false'");
                sql(
                    sea,
                    name,
                    "postgres",
                    "SELECT pg_logical_emit_message(false, 'x', 'y'); SELECT pg_switch_wal()",
                );
                Box::new(move || without_auto_conf(sea, name))
            },
            then: Then::Said {
                conditions: &[
                    "WalHealthy False ArchiverFailing",
                    "ContinuousArchiving False ArchiverFailing",
                    "Degraded True ArchiverFailing",
                ],
                lets_in: true,
            },
        },
        Fault {
            name: "nowhere",
            spec: PLAIN,
            prepare: nothing,
            breaks: |sea, name| {
                auto_conf(sea, name, "archive_command = ''");
                Box::new(move || without_auto_conf(sea, name))
            },
            then: Then::Said {
                conditions: &[
                    "WalHealthy False ArchiveModeWithoutCommand",
                    "ContinuousArchiving False NoArchiveCommand",
                    "Degraded True ArchiveModeWithoutCommand",
                ],
                lets_in: true,
            },
        },
        Fault {
            name: "tablespace",
            spec: PLAIN,
            prepare: |sea, name| {
                inside(sea, name, "mkdir /tmp/inside");
                None
            },
            breaks: |sea, name| {
                sql(sea, name, "postgres", "CREATE TABLESPACE bad LOCATION '/tmp/inside'");
                Box::new(move || sql(sea, name, "postgres", "DROP TABLESPACE bad"))
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
            name: "closed",
            spec: PLAIN,
            prepare: nothing,
            breaks: |sea, name| {
                sql(sea, name, "postgres", "ALTER DATABASE app ALLOW_CONNECTIONS false");
                Box::new(move || sql(sea, name, "postgres", "ALTER DATABASE app ALLOW_CONNECTIONS true"))
            },
            then: Then::Said {
                conditions: &[
                    "Ready False DatabaseClosed",
                    "Progressing False DatabaseClosed",
                    "Stalled * *",
                ],
                lets_in: false,
            },
        },
        Fault {
            name: "trigger",
            spec: PLAIN,
            prepare: nothing,
            breaks: |sea, name| {
                let make = "CREATE FUNCTION no() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$; \
                     CREATE EVENT TRIGGER no ON login EXECUTE FUNCTION no()";
                sql(sea, name, "app", make);
                let off =
                    "PGOPTIONS='-c event_triggers=off' psql -XqU postgres -d app -c 'DROP EVENT TRIGGER no'";
                Box::new(move || inside(sea, name, off))
            },
            then: Then::Said {
                conditions: &[
                    "Ready False LoginTriggerFailed",
                    "Progressing False LoginTriggerFailed",
                    "Stalled * *",
                ],
                lets_in: false,
            },
        },
        Fault {
            name: "exhausted",
            spec: "{version: '18', parameters: {shared_buffers: 16MB, max_connections: 20}}",
            prepare: |sea, name| {
                sql(sea, name, "postgres", "CREATE ROLE web LOGIN PASSWORD 'web'");
                None
            },
            breaks: |sea, name| {
                let sessions: Vec<_> =
                    (0..20).map(|_| Client::new(sea, name, "SELECT pg_sleep(600)")).collect();
                Box::new(move || {
                    drop(sessions);
                    end_sessions(sea, name);
                })
            },
            // By the connections that are kept for superusers.
            then: Then::Said {
                conditions: &[
                    "Ready False ConnectionsExhausted",
                    "Degraded True ConnectionsExhausted",
                    "Progressing False ConnectionsExhausted",
                    "Stalled * *",
                ],
                lets_in: true,
            },
        },
        Fault {
            name: "wraparound",
            spec: "{version: '18', parameters: {shared_buffers: 16MB, autovacuum_freeze_max_age: 100000, synchronous_commit: 'off'}}",
            prepare: |sea, name| {
                sql(sea, name, "postgres", "CREATE ROLE web LOGIN PASSWORD 'web'");
                None
            },
            breaks: |sea, name| {
                // What keeps vacuum from doing what it is forced to.
                let holder = Client::new(sea, name, "BEGIN; SELECT txid_current(); SELECT pg_sleep(600)");
                let spend =
                    "DO $$ BEGIN FOR i IN 1..220000 LOOP PERFORM txid_current(); COMMIT; END LOOP; END $$";
                sql(sea, name, "postgres", spend);
                Box::new(move || {
                    drop(holder);
                    end_sessions(sea, name);
                    inside(sea, name, "vacuumdb -aqF -U postgres");
                })
            },
            then: Then::Said {
                conditions: &["WalHealthy False Wraparound", "Degraded True Wraparound"],
                lets_in: true,
            },
        },
        Fault {
            name: "locked",
            spec: PLAIN,
            prepare: |sea, name| {
                sql(sea, name, "postgres", "CREATE ROLE other SUPERUSER LOGIN");
                None
            },
            breaks: |sea, name| {
                sql(sea, name, "postgres", "ALTER ROLE postgres PASSWORD 'another'");
                no_mend(sea, name)
            },
            then: Then::Repaired("PasswordReset"),
        },
        Fault {
            name: "told",
            spec: PLAIN,
            prepare: nothing,
            breaks: |sea, name| {
                for database in ["app", "postgres"] {
                    let set =
                        format!("ALTER ROLE \"seawall-monitor\" IN DATABASE {database} SET work_mem = '1MB'");
                    sql(sea, name, "postgres", &set);
                }
                no_mend(sea, name)
            },
            then: Then::Repaired("MonitorRoleSet"),
        },
        Fault {
            name: "monitor",
            spec: PLAIN,
            prepare: nothing,
            breaks: |sea, name| {
                sql(
                    sea,
                    name,
                    "postgres",
                    "DROP OWNED BY \"seawall-monitor\"; DROP ROLE \"seawall-monitor\"",
                );
                no_mend(sea, name)
            },
            then: Then::Repaired("MonitorRoleSet"),
        },
    ]);
}

#[test]
fn what_is_wrong_outside_is_said_and_nothing_else() {
    judge(&[
        Fault {
            name: "caps",
            spec: "{version: '18', parameters: {shared_buffers: 16MB}, resources: {memory: 256Mi}}",
            prepare: nothing,
            breaks: |sea, name| {
                sea.docker(&["update", "--memory", "400m", "--memory-swap", "400m", &sea.container(name)]);
                no_mend(sea, name)
            },
            then: Then::Repaired("ResourcesUpdated"),
        },
        Fault {
            name: "paused",
            spec: PLAIN,
            prepare: nothing,
            breaks: |sea, name| {
                pause(&sea.container(name));
                no_mend(sea, name)
            },
            then: Then::Repaired("ContainerUnpaused"),
        },
        Fault {
            name: "network",
            spec: PLAIN,
            prepare: nothing,
            breaks: |sea, name| {
                let network = format!("{}-seawall", sea.installation);
                sea.docker(&["network", "disconnect", &network, &sea.container(name)]);
                no_mend(sea, name)
            },
            then: Then::Repaired("NetworkConnected"),
        },
        Fault {
            name: "shared",
            spec: PLAIN,
            prepare: nothing,
            breaks: |sea, name| {
                let other = Stranger(format!("{}-on-volume", sea.installation));
                let mount = format!("{}:/d", sea.volume(name));
                let image = ["seawall/postgres:18", "sleep", "600"];
                sea.docker(&[&["run", "-d", "--name", &other.0, "-v", &mount][..], &image].concat());
                Box::new(move || drop(other))
            },
            then: Then::Said {
                conditions: &[
                    "Ready False VolumeShared",
                    "Degraded True VolumeShared",
                    "Progressing False Blocked",
                ],
                lets_in: true,
            },
        },
        Fault {
            name: "waiting",
            spec: "{version: '18', restartPolicy: Manual, parameters: {shared_buffers: 16MB}}",
            prepare: nothing,
            breaks: |sea, name| {
                let spec = |size: &str| {
                    format!(
                        "{{version: '18', restartPolicy: Manual, parameters: {{shared_buffers: {size}}}}}"
                    )
                };
                sea.put(name, &spec("24MB"));
                Box::new(move || sea.put(name, &spec("16MB")))
            },
            then: Then::Said { conditions: &["PendingRestart True ParametersChanged"], lets_in: true },
        },
        Fault {
            name: "readonly",
            spec: PLAIN,
            prepare: |sea, name| {
                off(sea, name, || mount(&sea.volume(name)));
                Some(Disk(mountpoint(&sea.volume(name))))
            },
            breaks: |sea, name| {
                // As the kernel does after an error of the disk.
                let point = mountpoint(&sea.volume(name));
                assert!(
                    Command::new("mount").args(["-o", "remount,abort", &point]).status().unwrap().success()
                );
                Box::new(move || off(sea, name, || mend_disk(&mountpoint(&sea.volume(name)))))
            },
            then: Then::Said {
                // It panics at its first write, and dies at each start.
                conditions: &[
                    "Ready False DiskReadOnly",
                    "Degraded True DiskReadOnly",
                    "Progressing * *",
                    "Stalled * *",
                ],
                lets_in: false,
            },
        },
    ]);
}

pub fn mountpoint(volume: &str) -> String {
    docker(&["volume", "inspect", "-f", "{{.Mountpoint}}", volume]).trim().to_owned()
}

/// While the server is stopped.
pub fn off(sea: &Sea, name: &str, then: impl FnOnce()) {
    sea.put(name, "{version: '18', stopped: true, parameters: {shared_buffers: 16MB}}");
    sea.until(name, "stopped", |s| condition(s, "Ready").1 == "Stopped");
    then();
    sea.put(name, PLAIN);
    sea.ready(name);
}

pub fn shell(script: &str, argument: &str) {
    assert!(Command::new("sh").args(["-ec", script, argument]).status().unwrap().success(), "{script}");
}

/// A file system of its own under a volume.
pub fn mount(volume: &str) {
    let script = "cp -a \"$0\" \"$0.copy\"; truncate -s 400M \"$0.disk\"; mkfs.ext4 -q \"$0.disk\"; mount -o loop,errors=remount-ro \"$0.disk\" \"$0\"; \
        rmdir \"$0/lost+found\"; cp -a \"$0.copy/.\" \"$0/\"; rm -r \"$0.copy\"; sync";
    shell(script, &mountpoint(volume));
}

fn mend_disk(point: &str) {
    shell(
        "umount \"$0\"; fsck.ext4 -fy \"$0.disk\" >/dev/null || true; mount -o loop \"$0.disk\" \"$0\"",
        point,
    );
}
