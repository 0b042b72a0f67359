//! The store against SIGKILL, a second process, and a full disk.

use seawall::store::{Change, SledStore, Store, StoreError};
use serde_json::json;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Set in the child: the data directory it writes to.
const WRITER: &str = "SEAWALL_TEST_STORE_WRITER";

/// Not a test by itself: what the child processes of this file run.
#[tokio::test]
async fn writer_child() {
    let Ok(data) = std::env::var(WRITER) else { return };
    let store = SledStore::open(Path::new(&data)).unwrap();
    let from = store.get("last").unwrap().map_or(0, |v| v["n"].as_u64().unwrap());
    for n in from + 1.. {
        let filler = "x".repeat(usize::try_from(n * 37 % 3000).unwrap());
        let mut changes = vec![
            Change::put(format!("n/{n:08}"), json!({ "n": n, "filler": filler })),
            Change::put("last", json!({ "n": n })),
        ];
        // Deleting and rewriting makes sled move pages, which is where it could lose them.
        if n % 7 == 0 {
            changes.push(Change::delete(format!("n/{:08}", n - 6)));
        }
        store.commit(changes).await.unwrap();
        println!("\ndone {n}");
    }
}

struct Writer {
    child: Child,
    told: std::sync::mpsc::Receiver<u64>,
}

impl Writer {
    fn start(data: &Path) -> Writer {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "store_crash::writer_child", "--nocapture", "--test-threads=1"])
            .env(WRITER, data)
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (tell, told) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let numbers = out.lines().map_while(Result::ok);
            for n in numbers.filter_map(|line| line.strip_prefix("done ")?.parse().ok()) {
                let _ = tell.send(n);
            }
        });
        Writer { child, told }
    }

    /// Kills it (SIGKILL) and gives the last number it was sure of.
    fn kill(mut self, at_least: u64) -> u64 {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        // The reader ends with the pipe, so this loop does, too.
        self.told.iter().fold(at_least, u64::max)
    }

    fn first(&self) -> u64 {
        self.told.recv_timeout(Duration::from_secs(60)).expect("the child commits nothing")
    }
}

fn check(data: &Path, acknowledged: u64) -> u64 {
    let store = SledStore::open_read(data).unwrap();
    let last = store.get("last").unwrap().unwrap()["n"].as_u64().unwrap();
    assert!(last >= acknowledged, "{acknowledged} was acknowledged, the store ends at {last}");
    let there = store.scan("n/").unwrap();
    for n in 1..=last {
        let deleted = n % 7 == 1 && n + 6 <= last;
        let found = there.get(&format!("n/{n:08}"));
        assert_eq!(
            found.is_none(),
            deleted,
            "record {n} of {last}: {}",
            if deleted { "is back" } else { "is gone" }
        );
        if let Some(body) = found {
            assert_eq!(body["n"], json!(n));
        }
    }
    // All or none: nothing beyond the batch that `last` came with.
    assert!(there.keys().all(|key| key.as_str() <= format!("n/{last:08}").as_str()));
    last
}

#[test]
fn nothing_acknowledged_is_lost_by_sigkill() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let mut last = 0;
    for round in 0u64..20 {
        let writer = Writer::start(&data);
        let first = writer.first();
        assert_eq!(first, last + 1);
        // A different moment each round, also within the first commits.
        std::thread::sleep(Duration::from_micros(round * round * 431 % 97_003));
        let acknowledged = writer.kill(first);
        last = check(&data, acknowledged);
    }
    assert!(last > 40, "only {last} commits in all rounds");
}

#[test]
fn killed_while_opening_or_creating() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    for round in 0u64..25 {
        let mut writer = Writer::start(&data);
        std::thread::sleep(Duration::from_millis(1 + round));
        writer.child.kill().unwrap();
        writer.child.wait().unwrap();
    }
    let writer = Writer::start(&data);
    let first = writer.first();
    let acknowledged = writer.kill(first);
    check(&data, acknowledged);
}

#[test]
fn a_second_process_is_told_the_holders_pid() {
    let dir = tempfile::tempdir().unwrap();
    let writer = Writer::start(dir.path());
    let first = writer.first();
    let holder = writer.child.id().to_string();
    for second in [SledStore::open(dir.path()), SledStore::open_read(dir.path())] {
        let error = second.unwrap_err();
        assert!(matches!(&error, StoreError::Locked { pid, .. } if *pid == holder), "{error}");
    }
    let acknowledged = writer.kill(first);
    check(dir.path(), acknowledged);
}

/// A tmpfs of two megabytes, gone with the value.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: PathBuf) -> SmallDisk {
        std::fs::create_dir(&at).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=2m", "tmpfs"]).arg(&at).status();
        assert!(
            mounted.is_ok_and(|status| status.success()),
            "this test mounts a small disk and must run as root with CAP_SYS_ADMIN"
        );
        SmallDisk(at)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[tokio::test]
async fn a_full_disk_fails_the_write_keeps_the_rest_and_recovers() {
    let dir = tempfile::tempdir().unwrap();
    let disk = SmallDisk::mount(dir.path().join("disk"));
    let data = disk.0.join("data");
    let store = SledStore::open(&data).unwrap();
    store.commit(vec![Change::put("secret/a", json!("first"))]).await.unwrap();

    let ballast = disk.0.join("ballast");
    fill(&ballast);
    let large = "y".repeat(60_000);
    let mut acknowledged = Vec::new();
    let mut failures = 0;
    for n in 0..60 {
        let key = format!("n/{n:03}");
        match store.commit(vec![Change::put(&*key, json!(large)), Change::put("secret/a", json!(n))]).await {
            Ok(()) => acknowledged.push((key, n)),
            Err(StoreError::Write { detail, .. }) => {
                assert!(detail.contains("No space") || detail.contains("failed write"), "{detail}");
                assert_eq!(store.get(&key).unwrap(), None, "a failed write is readable");
                failures += 1;
            }
            Err(other) => panic!("{other}"),
        }
    }
    assert!(failures >= 10, "the disk never got full: {failures} failures");
    let expected = acknowledged.last().map_or(json!("first"), |(_, n)| json!(n));
    assert_eq!(store.get("secret/a").unwrap(), Some(expected.clone()));

    // A start on a full disk says so, or works; it never calls the store damaged.
    drop(store);
    fill(&ballast);
    match SledStore::open(&data) {
        Ok(store) => assert_eq!(store.get("secret/a").unwrap(), Some(expected.clone())),
        Err(error) => assert!(matches!(error, StoreError::Write { .. }), "{error}"),
    }

    // With room again the same handle works, and nothing acknowledged is missing.
    std::fs::remove_file(&ballast).unwrap();
    let store = SledStore::open(&data).unwrap();
    assert_eq!(store.get("secret/a").unwrap(), Some(expected));
    for (key, _) in &acknowledged {
        assert_eq!(store.get(key).unwrap(), Some(json!(large)), "{key}");
    }
    assert_eq!(store.scan("n/").unwrap().len(), acknowledged.len(), "a failed write came back");
}

#[tokio::test]
async fn writes_go_on_in_the_same_process_when_there_is_room_again() {
    let dir = tempfile::tempdir().unwrap();
    let disk = SmallDisk::mount(dir.path().join("disk"));
    let data = disk.0.join("data");
    let store = SledStore::open(&data).unwrap();
    store.commit(vec![Change::put("a", json!(1))]).await.unwrap();
    let ballast = disk.0.join("ballast");
    fill(&ballast);
    let large = "y".repeat(100_000);
    let mut n = 0;
    while store.commit(vec![Change::put(format!("n/{n}"), json!(large))]).await.is_ok() {
        n += 1;
        assert!(n < 100, "the disk never got full");
    }
    store.commit(vec![Change::put("a", json!(2))]).await.unwrap_err();
    assert_eq!(store.get("a").unwrap(), Some(json!(1)));
    std::fs::remove_file(&ballast).unwrap();
    let started = Instant::now();
    store.commit(vec![Change::put("a", json!(3))]).await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(10));
    let id = store.id();
    drop(store);
    let store = SledStore::open(&data).unwrap();
    assert_eq!((store.get("a").unwrap(), store.id()), (Some(json!(3)), id));
    assert_eq!(store.scan("n/").unwrap().len(), n);
}

/// Writes zeros until the disk is full.
fn fill(path: &Path) {
    use std::io::Write;
    let mut file = std::fs::File::options().create(true).append(true).open(path).unwrap();
    while file.write_all(&[0; 4096]).is_ok() {}
}
