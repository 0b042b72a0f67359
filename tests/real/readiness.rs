//! Ready means that a login works now; everything else is said in PostgreSQL's own words.

use super::harness::{Frozen, Sea, condition, docker, is_degraded, text, version, wait_for};
use crate::kinds::{Kind, tests};
use std::fs;
use std::process::{Child, Command, Stdio};

tests!(a_server_that_hangs_is_not_ready_and_is_ready_again_when_it_answers,);

fn a_server_that_hangs_is_not_ready_and_is_ready_again_when_it_answers(kind: &dyn Kind) {
    let sea = Sea::start_of(kind);
    let a = &kind.object("a");
    sea.put(a, &kind.spec(""));
    let first = sea.ready(a);
    let _watch = sea.watch_by_client(a);
    let frozen = Frozen::container(&sea.container(a));
    let why = sea.until_condition(a, "Ready", "False", "ServerHung");
    assert!(why.contains("no answer within 5s"), "{why}");
    assert_eq!(sea.inspect(a)["State"]["Running"], true, "the container itself runs on");
    drop(frozen);
    let again = sea.ready(a);
    assert_eq!(again["container"]["startedAt"], first["container"]["startedAt"], "it was not restarted");
}

#[test]
fn servers_that_hang_lose_ready_and_take_it_from_nobody_else() {
    let sea = Sea::start();
    let hung: Vec<String> = (0..8).map(|n| format!("h{n}")).collect();
    for name in hung.iter().map(String::as_str).chain(["well"]) {
        sea.postgres(name, "{version: '18', parameters: {shared_buffers: 16MB}}");
    }
    for name in hung.iter().map(String::as_str).chain(["well"]) {
        sea.ready(name);
    }
    let _watch = sea.watch("well");
    let frozen = hung.iter().map(|name| Frozen::container(&sea.container(name))).collect::<Vec<_>>();
    for name in &hung {
        let why = sea.until_condition(name, "Ready", "False", "ServerHung");
        assert!(why.contains("no answer within 5s"), "{name}: {why}");
        assert_eq!(sea.condition("well", "Ready").0, "True", "while {name} hangs");
    }
    // What is asked of the one that is well waits for none of them.
    sea.postgres("well", "{version: '18', resources: {memory: 256Mi}, parameters: {shared_buffers: 16MB}}");
    sea.until("well", "capped", |status| status["resources"]["applied"]["memory"] == "256Mi");
    drop(frozen);
    hung.iter().for_each(|name| drop(sea.ready(name)));
}

/// The startup process of the server in this container, while it recovers.
pub fn startup_process(container: &str) -> Option<String> {
    fs::read_dir("/proc").unwrap().flatten().find_map(|entry| {
        let pid = entry.file_name().into_string().ok().filter(|n| n.bytes().all(|b| b.is_ascii_digit()))?;
        let arguments = fs::read(entry.path().join("cmdline")).ok()?;
        let is_startup = String::from_utf8_lossy(&arguments).starts_with("postgres: startup");
        let groups = is_startup.then(|| fs::read_to_string(entry.path().join("cgroup")).ok())??;
        groups.contains(container).then_some(pid)
    })
}

#[test]
fn recovery_is_progress_in_postgresqls_own_words() {
    let sea = Sea::start();
    sea.postgres("a", "{version: '18', parameters: {max_wal_size: 4GB, checkpoint_timeout: 1h}}");
    let first = sea.ready("a");
    let _watch = sea.watch("a");
    let id = first["container"]["id"].as_str().unwrap().to_owned();
    // Work for the recovery: no checkpoint comes between.
    sea.sql("a", "CREATE TABLE kept AS SELECT n, repeat('x', 200) AS t FROM generate_series(1, 400000) n");
    docker(&["kill", &sea.container("a")]);
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
    // Before it listens the words are the system's; then they are PostgreSQL's own.
    let status = sea.until("a", "in PostgreSQL's words", |status| {
        condition(status, "Progressing").2.contains("the database system is")
    });
    let (truth, reason, _) = condition(&status, "Progressing");
    assert_eq!((truth.as_str(), reason.as_str()), ("True", "ServerStarting"));
    let (ready, reason, _) = condition(&status, "Ready");
    assert_eq!((ready.as_str(), reason.as_str()), ("False", "ServerStarting"));
    drop(frozen);
    sea.ready("a");
    assert_eq!(sea.sql("a", "SELECT count(*) FROM kept"), "400000");
}

/// A session of a client that stays.
struct Client(Child);

impl Client {
    fn new(sea: &Sea, name: &str) -> Self {
        let dsn = format!("host=127.0.0.1 port={} user=postgres dbname=postgres", sea.host_port(name));
        let mut psql = Command::new("psql");
        psql.args(["-X", "-q", &dsn]).env("PGPASSWORD", sea.password(name));
        // It waits for input that never comes.
        psql.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(psql.spawn().unwrap())
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Each is closed to newcomers in another way, while whoever is in already stays in.
#[test]
fn ready_is_what_a_new_login_into_the_managed_database_says() {
    let sea = Sea::start();
    let few = "{version: '17', parameters: {max_connections: 8, superuser_reserved_connections: 2}}";
    sea.postgres("taken", few);
    for name in ["closed", "trigger", "frozen", "forks", "other"] {
        sea.postgres(name, "{version: '18', database: shop}");
    }
    let all = ["taken", "closed", "trigger", "frozen", "forks", "other"];
    let first: Vec<_> = all.iter().map(|name| sea.ready(name)).collect();
    let _watches: Vec<_> = all[1..].iter().map(|name| sea.watch(name)).collect();

    let clients: Vec<Client> = (0..8).map(|_| Client::new(&sea, "taken")).collect();
    sea.sql("closed", "UPDATE pg_database SET datallowconn = false WHERE datname = 'shop'");
    sea.sql(
        "trigger",
        "CREATE FUNCTION no() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not today'; END $$; \
         CREATE EVENT TRIGGER no ON login EXECUTE FUNCTION no()",
    );
    let postmaster = sea.docker(&["top", &sea.container("frozen"), "-o", "pid,ppid,cmd"]);
    let postmaster = postmaster.lines().find(|l| l.contains("config_file=") && !l.contains("init")).unwrap();
    let frozen = Frozen::new(vec![postmaster.split_whitespace().next().unwrap().to_owned()]);
    // As when connections have used the limit up.
    let processes = |most: &str| sea.docker(&["update", "--pids-limit", most, &sea.container("forks")]);
    processes("1");
    // Nobody needs this one.
    sea.sql("other", "UPDATE pg_database SET datallowconn = false WHERE datname = 'postgres'");

    for (name, reason, words) in [
        ("taken", "TooManyConnections", "too many clients"),
        ("closed", "DatabaseClosed", "not currently accepting connections"),
        ("trigger", "LoginTriggerFailed", "not today"),
        ("frozen", "ServerHung", "no answer within 5s"),
        ("forks", "NoProcessLeft", "could not fork new process"),
    ] {
        let said = sea.until_condition(name, "Ready", "False", reason);
        assert!(said.contains(words), "{name}: {said}");
    }
    // Not before: its logins would take the place of one of those that are to stay.
    let _taken = sea.watch("taken");
    sea.docker(&["kill", "--signal", "HUP", &sea.container("other")]);
    assert_eq!(sea.condition("other", "Ready").0, "True");
    sea.ok(&["restart", "postgres/other"]);
    sea.until("other", "Ready without its database postgres", |s| {
        condition(s, "Ready").0 == "True" && s["container"]["startedAt"] != first[5]["container"]["startedAt"]
    });

    drop(clients);
    drop(frozen);
    processes("4096");
    // Through the databases that are still open, as anybody would.
    let inside = |name: &str, database: &str, sql: &str| {
        let psql = ["psql", "-X", "-U", "postgres", "-d", database, "-c", sql];
        sea.docker(&[&["exec", "-u", "postgres", &sea.container(name)][..], &psql[..]].concat());
    };
    inside("closed", "postgres", "UPDATE pg_database SET datallowconn = true WHERE datname = 'shop'");
    let off = "-c event_triggers=off";
    sea.docker(&[
        "exec",
        "-u",
        "postgres",
        "-e",
        &format!("PGOPTIONS={off}"),
        &sea.container("trigger"),
        "psql",
        "-X",
        "-U",
        "postgres",
        "-d",
        "shop",
        "-c",
        "DROP EVENT TRIGGER no",
    ]);
    for (name, first) in all.iter().zip(&first).take(5) {
        let status = sea.ready(name);
        assert_eq!(status["container"]["startedAt"], first["container"]["startedAt"], "{name} was restarted");
    }
}

#[test]
fn a_server_without_a_connection_for_applications_is_not_ready() {
    let sea = Sea::start();
    sea.postgres("a", &format!("{{version: '{}', parameters: {{max_connections: 20}}}}", version()));
    sea.ready("a");
    sea.sql("a", "CREATE ROLE web LOGIN PASSWORD 'web'; ALTER DATABASE app CONNECTION LIMIT 0");
    let words = sea.until_condition("a", "Degraded", "True", "ConnectionLimitReached");
    assert!(words.contains("\"app\" takes 0 connections"), "{words}");
    assert_eq!(sea.condition("a", "Ready").0, "True", "its own user gets in");
    sea.sql("a", "ALTER DATABASE app CONNECTION LIMIT -1");
    sea.until("a", "without a complaint", |s| !is_degraded(s));
    // As many as the server lets in; as an application does, each tries again, as a session of ours may be there for a moment.
    let url = format!("postgresql://web:web@127.0.0.1:{}/app", sea.host_port("a"));
    let idle = || {
        let mut child = Command::new("sh");
        let script = "until psql -XAtqc 'SELECT 1 FROM pg_sleep(600)' \"$0\"; do sleep 0.5; done";
        child.args(["-c", script, &url]).stderr(Stdio::null()).spawn().unwrap()
    };
    let mut all: Vec<_> = (0..20).map(|_| idle()).collect();
    let words = sea.until_condition("a", "Ready", "False", "ConnectionsExhausted");
    assert!(words.starts_with("all 17 connections"), "{words}");
    assert_eq!(sea.condition("a", "Degraded").1, "ConnectionsExhausted");
    let refused = Command::new("psql").args(["-XAtqc", "SELECT 1", &url]).output().unwrap();
    assert!(!refused.status.success(), "that is what applications meet: {}", text(&refused));
    for child in &mut all {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    sea.sql("a", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'web'");
    sea.ready("a");
    sea.until("a", "without a complaint", |s| !is_degraded(s));
}

/// A small disk under a volume, for as long as this lives.
struct SmallDisk(String);

impl SmallDisk {
    fn under(volume: &str) -> Self {
        let point = docker(&["volume", "inspect", "-f", "{{.Mountpoint}}", volume]).trim().to_owned();
        let script = "set -e; cp -a \"$0\" \"$0.copy\"; mount -t tmpfs -o size=400m tmpfs \"$0\"; cp -a \"$0.copy/.\" \"$0/\"; rm -r \"$0.copy\"";
        assert!(Command::new("sh").args(["-c", script, &point]).status().unwrap().success());
        Self(point)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").args(["-l", &self.0]).output();
    }
}

#[test]
fn a_disk_that_is_full_is_said_before_and_when_it_is() {
    let mut sea = Sea::start();
    sea.postgres("a", "{version: '18'}");
    sea.ready("a");
    sea.postgres("a", "{version: '18', stopped: true}");
    sea.until("a", "stopped", |s| condition(s, "Ready").1 == "Stopped");
    let disk = SmallDisk::under(&sea.volume("a"));
    sea.postgres("a", "{version: '18'}");
    let status = sea.ready("a");
    assert_eq!(status["volume"]["diskSize"], "400Mi", "{:#}", status["volume"]);
    let fill = |left: u64| {
        let space = free_bytes(&disk.0);
        fs::write(format!("{}/filler", disk.0), vec![0u8; usize::try_from(space - (left << 20)).unwrap()])
            .unwrap();
    };
    fill(38);
    sea.until_condition("a", "Degraded", "True", "DiskLow");
    assert_eq!(sea.condition("a", "Ready").0, "True");
    fs::write(format!("{}/more", disk.0), vec![0u8; 10 << 20]).unwrap();
    let words = sea.until_condition("a", "Ready", "False", "DiskFull");
    assert!(words.contains("of 400Mi are free"), "{words}");
    fs::remove_file(format!("{}/filler", disk.0)).unwrap();
    fs::remove_file(format!("{}/more", disk.0)).unwrap();
    sea.ready("a");
    sea.until("a", "without a complaint", |s| !is_degraded(s));
    sea.docker(&["rm", "-f", &sea.container("a")]);
    sea.kill();
}

fn free_bytes(path: &str) -> u64 {
    let output = Command::new("df").args(["--output=avail", "-B1", path]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().lines().nth(1).unwrap().trim().parse().unwrap()
}
