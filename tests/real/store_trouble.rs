//! A store or key that is not right: `run` says so and touches nothing.

use super::harness::{PATIENCE, Sea, docker, postgres, text};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// `run` must end by itself, with an error; what it said.
fn refused(sea: &Sea, more: &[&str]) -> String {
    let mut command = sea.command();
    command.args(["run", "--manifests"]).arg(&sea.manifests).args(more);
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let start = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if start.elapsed() > *PATIENCE {
            let _ = child.kill();
            panic!("run was not refused");
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    text(&output)
}

/// Every file below a directory, by path.
fn bytes_of(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(bytes_of(&path));
        } else if path.is_file() {
            all.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    all
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// A store with a sealed password in it, and no operator.
fn with_secret() -> Sea {
    let mut sea = Sea::start();
    sea.postgres("a", "{version: '18', stopped: false}");
    sea.ready("a");
    sea.stop();
    sea
}

#[test]
fn a_key_file_that_is_missing_open_cut_or_foreign_is_refused_and_never_replaced() {
    let mut sea = with_secret();
    let key = sea.data.join("encryption_key");
    let good = fs::read(&key).unwrap();
    let containers = docker(&["inspect", &sea.container("a")]);
    let said = |needles: &[&str]| {
        let words = refused(&sea, &[]);
        for needle in needles {
            assert!(words.contains(needle), "{needle:?} is not in: {words}");
        }
        assert!(!words.contains(std::str::from_utf8(&good).unwrap().trim()), "the key itself");
    };

    fs::remove_file(&key).unwrap();
    said(&["encryption_key is missing", "put it back", "Lost store, lost key"]);
    assert!(!key.exists(), "a new key was made although sealed data exists");

    fs::write(&key, &good).unwrap();
    mode(&key, 0o644);
    said(&["can be read by others (mode 644)", "chmod 600"]);
    mode(&key, 0o600);

    fs::write(&key, &good[..40]).unwrap();
    said(&["has 40 characters, a key has 64"]);
    assert_eq!(fs::read(&key).unwrap(), &good[..40]);

    let foreign = format!("{}\n", "ab".repeat(32));
    fs::write(&key, &foreign).unwrap();
    said(&["does not open secret/postgres/a", "the key file that belongs to this store"]);
    assert_eq!(fs::read(&key).unwrap(), foreign.as_bytes());

    assert_eq!(docker(&["inspect", &sea.container("a")]), containers, "the container was not touched");
    fs::write(&key, &good).unwrap();
    sea.run();
    sea.ready("a");
}

#[test]
fn a_damaged_and_a_newer_store_are_refused_and_keep_every_byte() {
    let mut sea = Sea::start();
    sea.postgres("a", "{version: '18', stopped: true}");
    sea.until_condition("a", "Ready", "False", "Stopped");
    sea.stop();
    let store = sea.data.join("store");
    let backup = bytes_of(&store);
    let db = store.join("db");
    let mut broken = fs::read(&db).unwrap();
    assert!(broken.len() > 4096);
    let length = broken.len();
    for byte in &mut broken[64..length.min(200_000)] {
        *byte ^= 0x5a;
    }
    fs::write(&db, &broken).unwrap();
    let damaged = bytes_of(&store);
    let words = refused(&sea, &[]);
    assert!(words.contains("is damaged") && words.contains("Nothing was changed"), "{words}");
    assert!(words.contains("seawall recover"), "{words}");
    assert_eq!(bytes_of(&store), damaged);
    for (path, bytes) in &backup {
        fs::write(path, bytes).unwrap();
    }

    // As a later Seawall would leave it.
    {
        let db = sled::open(&store).unwrap();
        let meta = db.get("meta/store").unwrap().unwrap();
        let newer = String::from_utf8(meta.to_vec()).unwrap().replacen("{\"v\":3,", "{\"v\":7,", 1);
        assert!(newer.contains("{\"v\":7,"), "{newer}");
        db.insert("meta/store", newer.as_bytes()).unwrap();
        db.flush().unwrap();
    }
    let newer = bytes_of(&store);
    let words = refused(&sea, &[]);
    assert!(words.contains("written by a newer Seawall (layout 7, this one knows 3)"), "{words}");
    assert_eq!(bytes_of(&store), newer);
}

#[test]
fn a_second_operator_is_told_who_holds_the_store() {
    let sea = Sea::start();
    sea.postgres("a", "{version: '18', stopped: true}");
    sea.until_condition("a", "Ready", "False", "Stopped");
    let words = refused(&sea, &[]);
    assert!(words.contains(&format!("in use by process {}", sea.pid())), "{words}");
    assert_eq!(sea.condition("a", "Ready").1, "Stopped", "the first one goes on");
}

#[test]
fn containers_of_another_store_are_named_and_left_alone() {
    let mut sea = with_secret();
    let before = docker(&["inspect", &sea.container("a")]);
    let first = sea.data.clone();
    sea.data = sea.root().join("another");
    let words = refused(&sea, &[]);
    assert!(words.contains("belong to another store"), "{words}");
    assert!(words.contains(&sea.container("a")) && words.contains("give --data of the store"), "{words}");
    assert!(!words.contains("recover"), "{words}");
    assert_eq!(docker(&["inspect", &sea.container("a")]), before);
    sea.data = first;
    sea.run();
    sea.ready("a");
}

/// A small file system for the data directory; gone with the test.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: &Path) -> Self {
        fs::create_dir_all(at).unwrap();
        let options = ["-t", "tmpfs", "-o", "size=24m,mode=0700", "seawall-test"];
        assert!(Command::new("mount").args(options).arg(at).status().unwrap().success());
        Self(at.to_owned())
    }
    fn fill(&self) {
        let output = Command::new("dd").args(["if=/dev/zero", "bs=64k"]).arg(self.of()).output().unwrap();
        assert!(String::from_utf8_lossy(&output.stderr).contains("No space left"), "{}", text(&output));
    }
    fn of(&self) -> String {
        format!("of={}", self.0.join("filler").display())
    }
    fn make_room(&self) {
        fs::remove_file(self.0.join("filler")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

/// What a table of `get` says of one.
fn row(sea: &Sea, name: &str) -> String {
    let table = text(&sea.cli(&["get"]));
    table.lines().find(|line| line.starts_with(&format!("postgres/{name} "))).unwrap_or_default().to_owned()
}

fn until_said(sea: &Sea, what: &str, done: impl Fn(&str) -> bool) -> String {
    super::harness::wait_for(what, || Some(text(&sea.cli(&["get"]))).filter(|said| done(said)))
}

#[test]
fn with_the_disk_full_databases_are_started_and_repaired_and_what_is_not_saved_is_marked() {
    let mut sea = Sea::new();
    let disk = SmallDisk::mount(&sea.data);
    sea.postgres("a", "{version: '18', resources: {memory: 256Mi}}");
    sea.run();
    let first = sea.ready("a");
    disk.fill();

    // Killed, it is repaired; removed, it is made anew from its volume and its password; and that is shown.
    sea.sql("a", "CREATE TABLE kept AS SELECT 7 AS n");
    docker(&["kill", &sea.container("a")]);
    super::harness::wait_for("the repair", || {
        let state = sea.inspect("a")["State"].clone();
        (state["Running"] == true && state["StartedAt"] != first["container"]["startedAt"]).then_some(())
    });
    docker(&["rm", "-f", &sea.container("a")]);
    let second = sea.until("a", "made anew", |s| s["container"]["id"] != first["container"]["id"]);
    sea.ready("a");
    assert_eq!(sea.sql("a", "SELECT n FROM kept"), "7");
    assert!(row(&sea, "a").contains("Ready (not saved)"), "{}", row(&sea, "a"));
    let said = until_said(&sea, "a warning", |said| said.contains("not saved since"));
    assert!(said.contains("no space left") && said.contains("lost if the operator ends before"), "{said}");
    let described = text(&sea.cli(&["describe", "postgres/a"]));
    assert!(described.contains("Saved:     not since"), "{described}");
    assert!(described.contains("ContainerCreated"), "events are shown, too: {described}");

    // What is there follows its manifest, what would be new waits, and is named.
    sea.write("b.yaml", &postgres("b", "{version: '18'}"));
    sea.write("a.yaml", &postgres("a", "{version: '18', resources: {memory: 320Mi}}"));
    sea.until("a", "lifted", |s| s["resources"]["applied"]["memory"] == "320Mi");
    let said = until_said(&sea, "b", |said| said.contains("postgres/b"));
    assert!(said.contains("could not be taken over") && said.contains("no space left"), "{said}");
    assert_eq!(sea.containers(), [sea.container("a")], "b was made although its record is not durable");
    assert_eq!(sea.volumes(), [sea.volume("a")]);

    // A stop and a start by the user say what they are worth.
    let stopped = text(&sea.cli(&["stop", "postgres/a"]));
    assert!(stopped.contains("not saved since"), "{stopped}");
    sea.until_condition("a", "Ready", "False", "Stopped");
    sea.ok(&["start", "postgres/a"]);
    sea.ready("a");

    disk.make_room();
    sea.ready("b");
    let said = until_said(&sea, "everything is saved", |said| !said.contains("not saved"));
    assert!(!said.contains("no space left"), "{said}");
    let file = fs::read_to_string(sea.data.join("status/postgres/a.yaml")).unwrap();
    assert!(file.contains(second["container"]["id"].as_str().unwrap()), "{file}");
    // And it is really on the disk.
    sea.kill();
    let exported = text(&sea.cli(&["export"]));
    assert!(exported.contains(second["container"]["id"].as_str().unwrap()), "{exported}");
    assert!(exported.contains("StoreUnwritable") && exported.contains("StoreWritable"), "{exported}");
    sea.run();
    sea.ready("a");
    assert_eq!(sea.sql("a", "SELECT n FROM kept"), "7");
    drop(sea);
    drop(disk);
}

#[test]
fn a_crash_with_the_disk_full_loses_words_and_nothing_else() {
    let mut sea = Sea::new();
    let disk = SmallDisk::mount(&sea.data);
    sea.postgres("a", "{version: '18'}");
    sea.run();
    let first = sea.ready("a");
    disk.fill();
    docker(&["rm", "-f", &sea.container("a")]);
    let second = sea.until("a", "made anew", |s| s["container"]["id"] != first["container"]["id"]);
    sea.ready("a");
    sea.kill();
    disk.make_room();
    sea.run();
    sea.ready("a");
    assert_eq!(sea.object("a")["status"]["container"]["id"], second["container"]["id"]);
    drop(sea);
    drop(disk);
}
