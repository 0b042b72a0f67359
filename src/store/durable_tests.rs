//! What the durable store does when things go wrong around it.

use super::super::directory::copy_dir;
use super::super::{STORE_VERSION, export};
use super::*;
use serde_json::json;
use std::os::unix::fs::PermissionsExt;

fn put(key: &str, n: u64) -> Change {
    Change::put(key, json!({ "n": n }))
}

/// A store with `n` commits, closed.
async fn made(dir: &Path, n: u64) -> String {
    made_with(dir, n, 0).await
}

/// The same with `filler` bytes in every record.
async fn made_with(dir: &Path, n: u64, filler: usize) -> String {
    let store = SledStore::open(dir).unwrap();
    for i in 1..=n {
        let filled = Change::put(format!("b/{i:04}"), json!("x".repeat(filler)));
        store.commit(vec![put(&format!("a/{i:04}"), i), put("last", i), filled]).await.unwrap();
    }
    store.id()
}

/// Every file below `dir` with its bytes, but for the lock.
fn bytes_of(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(bytes_of(&path));
        } else if !path.ends_with("lock") {
            found.insert(path.clone(), std::fs::read(&path).unwrap());
        }
    }
    found
}

#[tokio::test]
async fn what_is_committed_is_there_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("new/data");
    let id = made(&data, 3).await;
    assert_eq!(std::fs::metadata(&data).unwrap().permissions().mode() & 0o777, 0o700);
    let store = SledStore::open(&data).unwrap();
    assert_eq!(store.id(), id);
    assert_eq!(store.get("last").unwrap(), Some(json!({"n":3})));
    store.commit(vec![Change::delete("a/0002"), put("last", 4), put("last", 5)]).await.unwrap();
    drop(store);
    let store = SledStore::open_read(&data).unwrap();
    assert_eq!(store.scan("a/").unwrap().into_keys().collect::<Vec<_>>(), ["a/0001", "a/0003"]);
    assert_eq!(store.get("last").unwrap(), Some(json!({"n":5})));
    assert_eq!(store.get("no").unwrap(), None);
    assert_eq!(export(&store).unwrap().len(), 7);
    assert_eq!(store.get(META_KEY).unwrap().unwrap()["commits"], json!(4));
    assert!(!data.join("store.check").exists());
}

#[tokio::test]
async fn many_at_once_and_large_values() {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(SledStore::open(dir.path()).unwrap());
    let large = "x".repeat(700_000);
    let tasks: Vec<_> = (0..300)
        .map(|i| {
            let (store, large) = (Arc::clone(&store), large.clone());
            tokio::spawn(async move {
                let body = if i % 100 == 0 { json!(large) } else { json!(i) };
                store.commit(vec![Change::put(format!("k/{i}"), body)]).await
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    drop(store);
    let store = SledStore::open(dir.path()).unwrap();
    assert_eq!(store.scan("k/").unwrap().len(), 300);
    assert_eq!(store.get("k/200").unwrap(), Some(json!(large)));
}

#[tokio::test]
async fn one_at_a_time_and_nothing_made_for_reading() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    assert!(matches!(SledStore::open_read(&data), Err(StoreError::Missing { .. })));
    assert!(!data.exists());
    let store = SledStore::open(&data).unwrap();
    for second in [SledStore::open(&data), SledStore::open_read(&data)] {
        let error = second.unwrap_err();
        assert!(
            matches!(&error, StoreError::Locked { pid, .. } if *pid == std::process::id().to_string()),
            "{error}"
        );
    }
    drop(store);
    SledStore::open_read(&data).unwrap();
}

#[tokio::test]
async fn reserved_keys_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let store = SledStore::open(dir.path()).unwrap();
    for bad in [put("", 1), put(META_KEY, 1), Change::delete(META_KEY)] {
        assert!(matches!(store.commit(vec![put("x", 1), bad]).await, Err(StoreError::Write { .. })));
    }
    store.commit(vec![]).await.unwrap();
    assert_eq!(store.get("x").unwrap(), None);
}

type Harm = fn(&Path);

/// Overwrites `len` bytes of the log from `from` (in thousandths of its used length).
fn scratch(data: &Path, from: u64, len: usize, with: u8) {
    let path = data.join("store/db");
    let mut bytes = std::fs::read(&path).unwrap();
    let used = bytes.iter().rposition(|b| *b != 0).unwrap() + 1;
    let start = used * usize::try_from(from).unwrap() / 1000;
    let end = (start + len).min(bytes.len());
    bytes[start..end].fill(with);
    std::fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn damage_is_said_and_nothing_is_changed() {
    let table: [(&str, Harm); 16] = [
        ("log emptied", |d| {
            File::options().write(true).open(d.join("store/db")).unwrap().set_len(0).unwrap()
        }),
        ("log cut", |d| File::options().write(true).open(d.join("store/db")).unwrap().set_len(9000).unwrap()),
        ("log gone", |d| std::fs::remove_file(d.join("store/db")).unwrap()),
        ("log header", |d| scratch(d, 0, 64, 0xff)),
        ("log header zeroed", |d| scratch(d, 0, 64, 0)),
        ("log start", |d| scratch(d, 0, 4096, 0xa5)),
        ("log third", |d| scratch(d, 300, 2000, 0xff)),
        ("log all", |d| scratch(d, 0, usize::MAX / 2, 0x5a)),
        ("conf garbage", |d| std::fs::write(d.join("store/conf"), b"\xff\xfe garbage garbage").unwrap()),
        ("conf text", |d| {
            std::fs::write(d.join("store/conf"), b"segment_size: many\nversion: x\n1234").unwrap()
        }),
        ("store emptied", |d| {
            std::fs::remove_dir_all(d.join("store")).unwrap();
            std::fs::create_dir(d.join("store")).unwrap();
        }),
        ("store gone", |d| std::fs::remove_dir_all(d.join("store")).unwrap()),
        ("store is a file", |d| {
            std::fs::remove_dir_all(d.join("store")).unwrap();
            std::fs::write(d.join("store"), "hello").unwrap();
        }),
        ("note garbage", |d| std::fs::write(d.join("store.id"), "who knows").unwrap()),
        ("note of another", |d| {
            let note = Note { id: "0123456789abcdef".into(), commits: 0 };
            note.create(d).unwrap();
        }),
        ("older copy", |d| {
            let note = Note::read(d).unwrap().unwrap();
            Note { commits: note.commits + 2, ..note }.create(d).unwrap();
        }),
    ];
    for (name, harm) in table {
        let dir = tempfile::tempdir().unwrap();
        made(dir.path(), 200).await;
        harm(dir.path());
        let before = if dir.path().join("store").is_dir() { bytes_of(dir.path()) } else { BTreeMap::new() };
        for _ in 0..2 {
            let error = match SledStore::open(dir.path()) {
                Ok(_) => panic!("{name}: opened"),
                Err(e) => e,
            };
            assert!(matches!(error, StoreError::Damaged { .. }), "{name}: {error}");
            assert!(error.to_string().contains("seawall recover"), "{error}");
        }
        if !before.is_empty() {
            assert!(bytes_of(dir.path()) == before, "{name}: files changed");
        }
    }
}

/// Small scratches anywhere: either it is said, or nothing that was acknowledged is missing.
#[tokio::test]
async fn no_scratch_loses_a_commit_silently() {
    // One segment of the log, and several with old content between the live one.
    scratch_everywhere(0, 30).await;
    scratch_everywhere(5000, 5).await;
}

async fn scratch_everywhere(filler: usize, harmful: u32) {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let id = made_with(&data, 200, filler).await;
    let whole = export(&SledStore::open_read(&data).unwrap()).unwrap();
    let keep = dir.path().join("keep");
    copy_dir(&data, &keep).unwrap();
    let mut said = 0;
    for step in 0..60 {
        remove(&data).unwrap();
        copy_dir(&keep, &data).unwrap();
        scratch(&data, step * 16, [1, 8, 300][step as usize % 3], [0xff, 0, 0x80][step as usize / 3 % 3]);
        match SledStore::open(&data) {
            Err(error) => {
                assert!(matches!(error, StoreError::Damaged { .. }), "{step}: {error}");
                said += 1;
            }
            Ok(store) => {
                assert_eq!(store.id(), id);
                assert!(export(&store).unwrap() == whole, "step {step}: records lost");
            }
        }
    }
    assert!(said >= harmful, "only {said} scratches did harm: the test scratches the wrong place");
}

#[tokio::test]
async fn a_newer_store_is_refused_and_untouched() {
    let dir = tempfile::tempdir().unwrap();
    made(dir.path(), 2).await;
    let table = [
        ("status/x", json!({"v": STORE_VERSION + 1, "at": "x", "other": 1})),
        (
            META_KEY,
            json!({"v": 1, "at": "x", "body": {"version": 7, "id": "0123456789abcdef", "createdAt": "x", "commits": 99}}),
        ),
    ];
    for (key, record) in table {
        let (mut disk, _) = Disk::open(&dir.path().join("store")).unwrap();
        let bytes = record.to_string().into_bytes().into_boxed_slice();
        disk.write(&BTreeMap::from([(key.to_owned(), Some(bytes))])).unwrap();
        drop(disk);
        let before = bytes_of(dir.path());
        let error = SledStore::open(dir.path()).unwrap_err();
        assert!(matches!(error, StoreError::Newer { .. }), "{error}");
        assert!(bytes_of(dir.path()) == before);
        let (mut disk, _) = Disk::open(&dir.path().join("store")).unwrap();
        disk.write(&BTreeMap::from([("status/x".to_owned(), None)])).unwrap();
    }
}

#[tokio::test]
async fn a_creation_cut_short_is_finished() {
    // Stopped before the first record.
    let dir = tempfile::tempdir().unwrap();
    drop(Disk::open(&dir.path().join("store.new")).unwrap());
    std::fs::write(dir.path().join("store.new/db"), "").unwrap();
    assert!(matches!(SledStore::open_read(dir.path()), Err(StoreError::Missing { .. })));
    made(dir.path(), 1).await;
    // Stopped before the note; and a check cut short left its copy.
    let dir = tempfile::tempdir().unwrap();
    let id = made(dir.path(), 1).await;
    std::fs::remove_file(dir.path().join("store.id")).unwrap();
    std::fs::create_dir_all(dir.path().join("store.check/blobs")).unwrap();
    assert_eq!(made(dir.path(), 1).await, id);
    assert_eq!(Note::read(dir.path()).unwrap().unwrap().id, id);
}

#[tokio::test]
async fn after_a_failure_of_the_disk_writes_are_refused_and_reads_go_on() {
    let dir = tempfile::tempdir().unwrap();
    made(dir.path(), 1).await;
    let store = SledStore::open(dir.path()).unwrap();
    store.commit(vec![put("secret/a", 1)]).await.unwrap();
    let mut writer = Writer {
        data_dir: dir.path().into(),
        disk: None,
        shared: Arc::clone(&store.shared),
        meta: serde_json::from_value(store.get(META_KEY).unwrap().unwrap()).unwrap(),
        note: Note::open(dir.path()).unwrap(),
    };
    store.shared.failed.set("input/output error".into()).unwrap();
    let error = writer.write(BTreeMap::from([("secret/a".to_owned(), None)])).unwrap_err();
    assert!(error.contains("input/output error") && error.contains("restart"), "{error}");
    assert_eq!(store.get("secret/a").unwrap(), Some(json!({"n":1})));
    // Of what only the disk has, nobody knows what the failed write did to it.
    let unknown = [store.get("last").map(drop), store.scan("").map(drop)];
    for error in unknown.map(Result::unwrap_err) {
        assert!(error.to_string().contains("input/output error; restart"), "{error}");
    }
}
