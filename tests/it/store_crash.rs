//! The store against SIGKILL, a second process, and a full disk.

use seawall::store::{Change, SledStore, Store, StoreError};
use serde_json::json;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

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
    let mut acknowledged = 0;
    for round in 0u64..40 {
        // A new store half of the time.
        if round % 2 == 0 {
            let _ = std::fs::remove_dir_all(&data);
            acknowledged = 0;
        }
        let writer = Writer::start(&data);
        std::thread::sleep(Duration::from_micros(1000 + round * 700));
        acknowledged = writer.kill(acknowledged);
        if round % 2 == 1 {
            let writer = Writer::start(&data);
            let first = writer.first();
            check(&data, writer.kill(first.max(acknowledged)));
        }
    }
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

/// A tmpfs of 16 megabytes, gone with the value.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: PathBuf) -> SmallDisk {
        std::fs::create_dir(&at).unwrap();
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=16m", "tmpfs"]).arg(&at).status();
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
    let key = |n: u32| format!("n/{n:03}");
    let large = "y".repeat(60_000);
    for n in 0..20 {
        let changes = vec![Change::put(key(n), json!(large)), Change::put("secret/a", json!(n))];
        match store.commit(changes).await {
            Err(StoreError::Write { detail, .. }) => assert!(detail.contains("no space left"), "{detail}"),
            other => panic!("{other:?}"),
        }
        assert_eq!(store.get(&key(n)).unwrap(), None, "a failed write is readable");
        assert_eq!(store.get("secret/a").unwrap(), Some(json!("first")));
    }

    // With room again the same handle works; then it fills the disk itself.
    std::fs::remove_file(&ballast).unwrap();
    let mut stored = 0;
    while let Ok(()) = store.commit(vec![Change::put(key(stored), json!(large))]).await {
        stored += 1;
        assert!(stored < 2000, "the disk never got full");
    }
    assert!(stored > 5, "only {stored}");
    fill(&ballast);
    store.commit(vec![Change::put("secret/a", json!("lost"))]).await.unwrap_err();
    let id = store.id();
    drop(store);

    // A start on a full disk says so; it never calls the store damaged.
    let error = SledStore::open(&data).unwrap_err();
    assert!(
        matches!(&error, StoreError::Write { detail, .. } if detail.contains("no space left")),
        "{error}"
    );

    // With room, everything acknowledged is there and nothing else.
    std::fs::remove_file(&ballast).unwrap();
    let elsewhere = dir.path().join("moved");
    let copied = Command::new("cp").arg("-a").arg(&data).arg(&elsewhere).status();
    assert!(copied.unwrap().success());
    let store = SledStore::open(&elsewhere).unwrap();
    assert_eq!((store.id(), store.get("secret/a").unwrap()), (id, Some(json!("first"))));
    let there = store.scan("n/").unwrap();
    assert_eq!(there.into_keys().collect::<Vec<_>>(), (0..stored).map(key).collect::<Vec<_>>());
}

/// Writes zeros until the disk is full.
fn fill(path: &Path) {
    use std::io::Write;
    let mut file = std::fs::File::options().create(true).append(true).open(path).unwrap();
    while file.write_all(&[0; 4096]).is_ok() {}
}
