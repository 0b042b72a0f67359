//! Ready means that a login works now; everything else is said in PostgreSQL's own words.

use super::harness::{Sea, condition, docker, wait_for};
use std::fs;
use std::process::Command;

fn signal(signal: &str, pids: &[String]) {
    assert!(!pids.is_empty());
    assert!(Command::new("kill").arg(signal).args(pids).status().unwrap().success());
}

/// Stopped processes go on when this ends, also after a failure.
struct Frozen(Vec<String>);

impl Frozen {
    fn new(pids: Vec<String>) -> Self {
        signal("-STOP", &pids);
        Self(pids)
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg("-CONT").args(&self.0).output();
    }
}

#[test]
fn a_server_that_hangs_is_not_ready_and_is_ready_again_when_it_answers() {
    let sea = Sea::start();
    sea.postgres("a", "{version: '18'}");
    let first = sea.ready("a");
    let top = docker(&["top", &sea.container("a"), "-eo", "pid"]);
    let frozen = Frozen::new(top.lines().skip(1).map(|l| l.trim().to_owned()).collect());
    let why = sea.until_condition("a", "Ready", "False", "ServerHung");
    assert!(why.contains("no answer within 5s"), "{why}");
    assert_eq!(sea.inspect("a")["State"]["Running"], true, "the container itself runs on");
    drop(frozen);
    let again = sea.ready("a");
    assert_eq!(again["container"]["startedAt"], first["container"]["startedAt"], "it was not restarted");
}

/// The startup process of the server in this container, while it recovers.
fn startup_process(container: &str) -> Option<String> {
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
