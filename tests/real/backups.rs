//! Backups that come back: taken of a real PostgreSQL by the image's own pg_dump, and put into another one.

use crate::harness::{Sea, condition, text, version, wait_for};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

const CONTENT: &str = r#"
CREATE TABLE t (id int PRIMARY KEY, v text);
INSERT INTO t SELECT g, 'row ' || g FROM generate_series(1, 5000) AS g;
CREATE SCHEMA s;
CREATE VIEW s.counted AS SELECT count(*) FROM t;
CREATE FUNCTION s.one() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE SEQUENCE s.numbers START 41;
SELECT nextval('s.numbers');
CREATE ROLE "odd ""role" LOGIN PASSWORD 'PasswordOfAReader' CONNECTION LIMIT 7;
CREATE ROLE everybody;
GRANT everybody TO "odd ""role";
GRANT SELECT ON t TO "odd ""role";
ALTER ROLE "odd ""role" SET search_path TO s, "$user", public;
COMMENT ON ROLE everybody IS 'it''s';
SELECT lo_create(4711);
"#;

/// What must be the same in both: content, privileges, roles with their verifiers, databases with all that is theirs.
const SAME: &str = r#"
SELECT md5(string_agg(id || v, ',' ORDER BY id)) FROM t;
SELECT count, s.one(), nextval('s.numbers') FROM s.counted;
SELECT oid FROM pg_largeobject_metadata;
SELECT has_table_privilege('odd "role', 't', 'SELECT'), has_table_privilege('everybody', 't', 'SELECT');
SELECT rolname, rolcanlogin, rolconnlimit, rolpassword, shobj_description(oid, 'pg_authid') FROM pg_authid
  WHERE rolname NOT IN ('appuser', 'seawall-monitor') AND rolname NOT LIKE 'pg\_%' ORDER BY 1;
SELECT setrole::regrole, setdatabase <> 0, setconfig FROM pg_db_role_setting ORDER BY 1, 2;
SELECT member::regrole, roleid::regrole FROM pg_auth_members WHERE roleid >= 16384;
SELECT datname, pg_get_userbyid(datdba), datcollate, datconnlimit, datacl, shobj_description(oid, 'pg_database')
  FROM pg_database ORDER BY 1;
"#;

/// A directory that only its owner writes to, which is declared as a target.
fn target(sea: &Sea) -> PathBuf {
    let path = sea.root().join("store");
    fs::create_dir(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    sea.write("target.yaml", &target_manifest(&path));
    path
}

fn target_manifest(path: &Path) -> String {
    let path = path.display();
    format!(
        "apiVersion: seawall.dev/v1\nkind: BackupTarget\nmetadata: {{name: disk}}\nspec: {{directory: {{path: {path}}}}}\n"
    )
}

fn spec() -> String {
    format!("{{version: '{}', database: appdb, username: appuser, resources: {{memory: 256Mi}}}}", version())
}

fn status(sea: &Sea, object: &str) -> Value {
    let output = sea.cli(&["get", object, "-o", "json"]);
    serde_json::from_slice::<Value>(&output.stdout).unwrap_or_default()["status"].clone()
}

/// Waits until its Ready says this.
fn until(sea: &Sea, object: &str, truth: &str, reason: &str) -> String {
    wait_for(&format!("{object} {reason}"), || {
        let (t, r, words) = condition(&status(sea, object), "Ready");
        (t == truth && r == reason).then_some(words)
    })
}

/// All files below it.
fn files(root: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { all.extend(files(&path)) } else { all.push(path) }
    }
    all.sort();
    all
}

#[test]
fn a_backup_comes_back_with_all_that_is_in_a_server_and_beside_what_is_there() {
    let sea = Sea::start();
    let store = target(&sea);
    sea.postgres("main", &spec());
    sea.ready("main");
    sea.sql("main", CONTENT);
    sea.sql(
        "main",
        "CREATE DATABASE \"o'dd \"\"one\" TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C' CONNECTION LIMIT 9",
    );
    sea.sql("main", "REVOKE ALL ON DATABASE \"o'dd \"\"one\" FROM PUBLIC");
    sea.sql("main", "GRANT CONNECT ON DATABASE \"o'dd \"\"one\" TO everybody");
    sea.sql("main", "ALTER DATABASE \"o'dd \"\"one\" SET work_mem TO '5MB'");
    sea.sql("main", "COMMENT ON DATABASE \"o'dd \"\"one\" IS 'it''s'");

    let taken = sea.ok(&["backup", "now", "main", "--name", "first", "--wait"]);
    assert!(taken.starts_with("backup/first created\n"), "{taken}");
    let backup = status(&sea, "backup/first");
    assert_eq!((&backup["phase"], &backup["tool"]), (&"Completed".into(), &"pg_dump".into()));
    let size = backup["sizeBytes"].as_u64().unwrap();
    let stored: u64 = files(&store)
        .iter()
        .filter(|f| f.extension().is_some_and(|e| e == "dump"))
        .map(|f| fs::metadata(f).unwrap().len())
        .sum();
    assert!(size > stored && stored > 1_000, "{size} {stored}");
    for file in files(&store) {
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600, "{}", file.display());
    }
    let listed = sea.ok(&["backup", "list", "postgres/main"]);
    assert!(listed.contains("\nfirst ") && listed.contains("Completed"), "{listed}");

    // Written after the backup, and so not in it.
    sea.sql("main", "DELETE FROM t WHERE id > 10; CREATE TABLE later (x int)");
    let dry = sea.ok(&["restore", "start", "first", "--to", "copy", "--dry-run"]);
    assert!(dry.contains("postgres/copy created (dry run)"), "{dry}");
    assert_eq!(sea.object("copy"), Value::Null);
    let restored = sea.ok(&["restore", "start", "first", "--to", "copy", "--wait"]);
    assert!(restored.contains("postgres/copy created\n"), "{restored}");
    assert_eq!(sea.sql("main", "SELECT count(*) FROM t"), "10", "nothing is overwritten");
    sea.sql("main", "DROP TABLE t CASCADE; DROP TABLE later");
    let listed = sea.ok(&["restore", "status"]);
    assert!(listed.contains("postgres/copy") && listed.contains("Completed"), "{listed}");

    // Another copy of the same backup has the same.
    sea.ok(&["restore", "start", "first", "--to", "other", "--wait"]);
    let (copy, other) = (sea.sql("copy", SAME), sea.sql("other", SAME));
    assert_eq!(copy, other);
    assert!(copy.contains("5000|1|42") && copy.contains("4711") && copy.contains("t|f"), "{copy}");
    assert!(copy.contains("odd \"role|t|7|SCRAM-SHA-256$"), "{copy}");
    assert!(copy.contains("o'dd \"one|appuser|C|9|{appuser=CTc/appuser,everybody=c/appuser}|it's"), "{copy}");
    // It is a service as any other.
    let ready = sea.ready("copy");
    assert_ne!(sea.password("copy"), sea.password("main"));
    sea.ok(&["restart", "postgres/copy", "--wait"]);
    assert_ne!(sea.ready("copy")["container"]["startedAt"], ready["container"]["startedAt"]);
    assert_eq!(sea.sql("copy", "SELECT count(*) FROM t"), "5000");
    for secret in [sea.password("main"), "PasswordOfAReader".to_owned()] {
        assert!(!sea.log().contains(&secret));
    }
}

#[test]
fn nothing_is_restored_over_what_is_there_and_no_backup_is_lost_by_a_slip() {
    let sea = Sea::start();
    let store = target(&sea);
    sea.postgres("main", &spec());
    sea.ready("main");
    sea.sql("main", "CREATE TABLE t AS SELECT 1 AS x");
    sea.ok(&["backup", "now", "postgres/main", "--name", "first", "--wait"]);
    // A service in which something is.
    let manifest = "apiVersion: seawall.dev/v1\nkind: Restore\nmetadata: {name: over}\nspec: {from: {backup: first}, to: {service: postgres/main}}\n";
    sea.write("over.yaml", manifest);
    let words = until(&sea, "restore/over", "False", "NotEmpty");
    assert!(words.contains("1 tables") && words.contains("nothing that is there is overwritten"), "{words}");
    sea.remove("over.yaml");
    assert_eq!(sea.sql("main", "SELECT x FROM t"), "1");
    // What is used is not removed.
    sea.remove("target.yaml");
    std::thread::sleep(std::time::Duration::from_secs(2));
    assert!(!status(&sea, "backuptarget/disk").is_null());
    sea.write("target.yaml", &target_manifest(&store));
    // Forgotten, it stays where it lies; with its name said it goes.
    let before = files(&store).len();
    sea.ok(&["backup", "now", "postgres/main", "--name", "second", "--wait"]);
    assert!(files(&store).len() > before);
    let slip = sea.cli(&["backup", "delete", "second", "--confirm", "first"]);
    assert!(!slip.status.success(), "{}", text(&slip));
    sea.ok(&["backup", "delete", "second", "--confirm", "second"]);
    wait_for("second is gone", || status(&sea, "backup/second").is_null().then_some(()));
    assert_eq!(files(&store).len(), before);
    sea.ok(&["backup", "delete", "first"]);
    wait_for("first is forgotten", || status(&sea, "backup/first").is_null().then_some(()));
    assert_eq!(files(&store).len(), before, "what was stored stays");
}

#[test]
fn a_backup_that_is_not_what_it_was_is_not_restored() {
    let mut sea = Sea::start();
    let store = target(&sea);
    sea.postgres("main", &spec());
    sea.ready("main");
    sea.sql("main", "CREATE TABLE t AS SELECT g AS x FROM generate_series(1, 20000) AS g");
    sea.ok(&["backup", "now", "postgres/main", "--name", "first", "--wait"]);
    let dumps = files(&store);
    let largest = dumps.iter().max_by_key(|file| fs::metadata(file).unwrap().len()).unwrap();
    let mut bytes = fs::read(largest).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(largest, &bytes).unwrap();
    sea.ok(&["restore", "start", "first", "--to", "copy"]);
    sea.ready("copy");
    let restore = wait_for("a restore", || {
        let list = sea.ok(&["get", "restores", "-o", "name"]);
        list.lines().next().map(str::to_owned)
    });
    let words = until(&sea, &restore, "False", "BackupCorrupt");
    assert!(words.contains("is not what was written there"), "{words}");
    assert_eq!(sea.sql("copy", "SELECT to_regclass('t') IS NULL"), "t", "nothing of it is there");
    // Mended, it goes on by itself.
    bytes[middle] ^= 1;
    fs::write(largest, &bytes).unwrap();
    until(&sea, &restore, "True", "Restored");
    assert_eq!(sea.sql("copy", "SELECT count(*) FROM t"), "20000");
    // One that is gone from its place is said to be, after the next look.
    fs::remove_file(dumps.iter().find(|file| file.ends_with("index.json")).unwrap()).unwrap();
    sea.kill();
    sea.run();
    until(&sea, "backup/first", "False", "BackupLost");
}

#[test]
fn a_target_that_is_not_there_or_another_one_takes_nothing() {
    let sea = Sea::start();
    let store = target(&sea);
    until(&sea, "backuptarget/disk", "True", "TargetWritable");
    sea.postgres("main", &spec());
    sea.ready("main");
    // As an empty mount point, then as another disk that is mounted there.
    let away = sea.root().join("away");
    fs::rename(&store, &away).unwrap();
    fs::create_dir(&store).unwrap();
    fs::set_permissions(&store, fs::Permissions::from_mode(0o700)).unwrap();
    until(&sea, "backuptarget/disk", "False", "TargetChanged");
    sea.ok(&["backup", "now", "postgres/main", "--name", "first"]);
    let words = until(&sea, "backup/first", "False", "TargetNotReady");
    assert!(words.contains("backuptarget/disk"), "{words}");
    assert_eq!(files(&store), Vec::<PathBuf>::new());
    fs::remove_dir(&store).unwrap();
    fs::rename(&away, &store).unwrap();
    until(&sea, "backuptarget/disk", "True", "TargetWritable");
    until(&sea, "backup/first", "True", "BackupCompleted");
    // Where others may write nothing is put.
    fs::set_permissions(&store, fs::Permissions::from_mode(0o777)).unwrap();
    let words = until(&sea, "backuptarget/disk", "False", "TargetUnsafe");
    assert!(words.contains("chmod 0700"), "{words}");
}

/// Kills the operator while bytes go through, and starts it again.
#[test]
fn a_crash_in_the_middle_of_a_backup_or_a_restore_leaves_nothing_half() {
    let mut sea = Sea::start();
    let store = target(&sea);
    sea.postgres("main", &spec());
    sea.ready("main");
    // Enough that it takes a while; what does not compress.
    sea.sql("main", "CREATE TABLE t AS SELECT g AS id, encode(sha256(g::text::bytea), 'hex') || encode(sha256((g + 1)::text::bytea), 'hex') AS v FROM generate_series(1, 400000) AS g");
    let same = "SELECT count(*), md5(string_agg(v, '' ORDER BY id)) FROM t";
    let was = sea.sql("main", same);
    sea.ok(&["backup", "now", "postgres/main", "--name", "first"]);
    wait_for("a part is being written", || {
        files(&store).iter().any(|f| f.extension().is_some_and(|e| e == "dump")).then_some(())
    });
    sea.kill();
    assert!(!files(&store).iter().any(|file| file.ends_with("index.json")), "without an index there is none");
    sea.run();
    until(&sea, "backup/first", "True", "BackupCompleted");
    sea.ok(&["restore", "start", "first", "--to", "copy"]);
    sea.ready("copy");
    let restore = sea.ok(&["get", "restores", "-o", "name"]).trim().to_owned();
    wait_for("rows are being written", || {
        let busy = "SELECT count(*) FROM pg_stat_activity WHERE application_name ~ '^seawall-[0-9a-f]{16}$' AND query LIKE 'COPY %'";
        (sea.sql("copy", busy) != "0").then_some(())
    });
    sea.kill();
    sea.run();
    until(&sea, &restore, "True", "Restored");
    assert_eq!(sea.sql("copy", same), was);
    let tools = "SELECT count(*) FROM pg_stat_activity WHERE application_name ~ '^seawall-[0-9a-f]{16}$'";
    assert_eq!(
        (sea.sql("copy", tools), sea.sql("main", tools)),
        ("0".to_owned(), "0".to_owned()),
        "nothing runs on"
    );
    let left = Command::new("docker")
        .args([
            "exec",
            &sea.container("main"),
            "sh",
            "-c",
            "cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -c '[p]g_dump'",
        ])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&left.stdout).trim(), "0");
}
