//! Backups and restores over the fake engine: what goes wrong on the way, and that nothing is half or mixed with what is there.

use crate::machine::rig::{Rig, object};
use seawall::core::condition::ConditionType as C;
use seawall::docker::{DockerError, ExecResult};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How the tools end, by their names; what they are not told ends well.
type Ends = Arc<Mutex<BTreeMap<&'static str, (i64, &'static str)>>>;

/// Nothing moves.
const HANGS: (i64, &str) = (0, "hangs");

struct Sea {
    rig: Rig,
    ends: Ends,
    /// Tools that ran, with the databases that they were for.
    ran: Arc<Mutex<Vec<String>>>,
    store: PathBuf,
    _root: tempfile::TempDir,
}

fn manifest(kind: &str, name: &str, spec: &str) -> String {
    format!("apiVersion: seawall.dev/v1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {spec}\n")
}

/// What a server has beside what it was made with.
fn holds(rig: &Rig, container: &str, databases: &Value, contents: &Value) {
    rig.servers.tell(container, "databases", Ok(databases.clone()));
    rig.servers.tell(container, "contents", Ok(contents.clone()));
    let roles = json!([{"name": "postgres", "superuser": true, "login": true}, {"name": "reader", "login": true, "verifier": "SCRAM-SHA-256$x"}]);
    rig.servers.tell(container, "roles", Ok(roles));
}

fn databases() -> Value {
    json!([{"name": "app", "owner": "postgres"}, {"name": "postgres", "owner": "postgres"}])
}

impl Sea {
    async fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let store = root.path().join("store");
        fs::create_dir(&store).unwrap();
        fs::set_permissions(&store, fs::Permissions::from_mode(0o700)).unwrap();
        let rig = Rig::start(&[("main", "{version: '18'}")]);
        let (ends, ran): (Ends, Arc<Mutex<Vec<String>>>) = Default::default();
        let (script, log) = (Arc::clone(&ends), Arc::clone(&ran));
        rig.fake.on_exec(move |_, request| {
            let tool = request.argv[0].clone();
            if ["pg_dump", "pg_restore"].contains(&tool.as_str()) {
                log.lock().unwrap().push(format!("{tool} {}", request.argv.last().unwrap()));
            }
            if script.lock().unwrap().get(tool.as_str()) == Some(&HANGS) {
                return Err(DockerError::Timeout {
                    doing: "run a command in a container",
                    after: Duration::ZERO,
                });
            }
            let (exit_code, stderr) = script.lock().unwrap().get(tool.as_str()).copied().unwrap_or((0, ""));
            let stdout = if tool == "pg_dump" { "what pg_dump writes" } else { "" };
            Ok(ExecResult { exit_code, stdout: stdout.to_owned(), stderr: stderr.to_owned() })
        });
        let sea = Self { rig, ends, ran, store, _root: root };
        sea.put_target();
        sea.rig.ready("main").await;
        holds(&sea.rig, "postgres-main", &databases(), &json!([{"tables": 2}]));
        sea.rig.ready("backuptarget/disk").await;
        sea
    }

    fn put_target(&self) {
        let spec = format!("{{directory: {{path: {}}}}}", self.store.display());
        self.rig.text("target.yaml", &manifest("BackupTarget", "disk", &spec));
    }

    fn backup(&self, name: &str) {
        let spec = "{service: postgres/main, target: disk}";
        self.rig.text(&format!("{name}.yaml"), &manifest("Backup", name, spec));
    }

    fn restore(&self, backup: &str, to: &str) {
        let spec = format!("{{from: {{backup: {backup}}}, to: {{service: postgres/{to}}}}}");
        self.rig.text("restore.yaml", &manifest("Restore", "r", &spec));
    }

    fn end(&self, tool: &'static str, code: i64, stderr: &'static str) {
        self.ends.lock().unwrap().insert(tool, (code, stderr));
    }

    fn ran(&self) -> Vec<String> {
        self.ran.lock().unwrap().clone()
    }

    fn status(&self, name: &str) -> Value {
        self.rig.view(name).map(|view| view.status).unwrap_or_default()
    }
}

fn files(root: &Path) -> Vec<String> {
    let mut all = Vec::new();
    for entry in fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(files(&path));
        } else {
            all.push(path.file_name().unwrap().to_string_lossy().into_owned());
        }
    }
    all.sort();
    all
}

#[tokio::test(start_paused = true)]
async fn a_tool_that_fails_leaves_no_backup_and_is_tried_again() {
    let sea = Sea::new().await;
    sea.end("pg_dump", 1, "pg_dump: warning: x\npg_dump: error: permission denied for table t\n");
    sea.backup("first");
    let words = sea.rig.reason("backup/first", C::Ready, "ToolFailed").await;
    assert!(
        words.contains("pg_dump ended with 1") && words.contains("permission denied for table t"),
        "{words}"
    );
    assert!(!files(&sea.store).contains(&"index.json".to_owned()), "without an index there is none");
    assert_eq!(sea.status("backup/first")["phase"], "Pending");
    sea.end("pg_dump", HANGS.0, HANGS.1);
    sea.rig
        .until("it hangs", || {
            let ready = sea.rig.condition("backup/first", C::Ready)?;
            ready.message.contains("nothing came from pg_dump for 10 minutes").then_some(())
        })
        .await;
    assert_eq!(sea.rig.engine_down(), None, "the engine answers all the time");
    sea.end("pg_dump", 0, "");
    sea.rig.ready("backup/first").await;
    let index = ["0.dump", "1.dump", "index.json", "roles.json"].map(str::to_owned);
    assert_eq!(files(&sea.store)[1..], index);
    assert_eq!(sea.status("backup/first")["holds"][0], "database app: 2 tables");
    assert!(sea.rig.servers.asked().iter().any(|asked| asked == "OwnerWrites postgres end tool"));
    // Taken once: nothing more is run for it.
    let ran = sea.ran().len();
    sea.rig.let_pass(Duration::from_secs(700)).await;
    assert_eq!(sea.ran().len(), ran);
}

#[tokio::test(start_paused = true)]
async fn one_that_is_gone_or_whose_target_is_another_one_says_so() {
    let sea = Sea::new().await;
    sea.backup("first");
    sea.rig.ready("backup/first").await;
    let mark = sea.store.join(".seawall-target.json");
    let text = fs::read_to_string(&mark).unwrap();
    fs::remove_file(&mark).unwrap();
    sea.rig.reason("backuptarget/disk", C::Ready, "TargetChanged").await;
    fs::write(&mark, text.replace("\"id\":\"", "\"id\":\"x")).unwrap();
    let words = sea.rig.reason("backuptarget/disk", C::Ready, "TargetChanged").await;
    sea.rig.until("the other mark", || words_of(&sea.rig).contains("another disk").then_some(())).await;
    assert!(!words.is_empty());
    sea.backup("second");
    sea.rig.reason("backup/second", C::Ready, "TargetNotReady").await;
    fs::write(&mark, &text).unwrap();
    sea.rig.ready("backup/second").await;
    fs::remove_dir_all(sea.store.join("seawall")).unwrap_or_else(|_| {
        let first =
            fs::read_dir(&sea.store).unwrap().map(|e| e.unwrap().path()).find(|p| p.is_dir()).unwrap();
        fs::remove_dir_all(first).unwrap();
    });
    sea.rig.reason("backup/first", C::Ready, "BackupLost").await;
    assert_eq!(sea.status("backup/first")["phase"], "Lost");
}

fn words_of(rig: &Rig) -> String {
    rig.condition("backuptarget/disk", C::Ready).map(|c| c.message).unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn nothing_is_put_where_something_is_and_what_failed_goes_on() {
    let sea = Sea::new().await;
    sea.backup("first");
    sea.rig.ready("backup/first").await;
    sea.rig.manifest("copy", "{version: '18'}");
    sea.rig.ready("copy").await;
    holds(&sea.rig, "postgres-copy", &databases(), &json!([{"tables": 1}]));
    sea.restore("first", "copy");
    let words = sea.rig.reason("restore/r", C::Ready, "NotEmpty").await;
    assert!(words.contains("1 tables"), "{words}");
    assert!(!sea.ran().iter().any(|ran| ran.starts_with("pg_restore")));
    // Empty, and the tool fails; then it works, and what is there is less than was taken.
    holds(&sea.rig, "postgres-copy", &databases(), &json!([{}]));
    sea.end("pg_restore", 1, "pg_restore: error: out of memory");
    let words = sea.rig.reason("restore/r", C::Ready, "ToolFailed").await;
    assert!(words.contains("out of memory"), "{words}");
    assert_eq!(sea.rig.view("restore/r").unwrap().status["phase"], "Restoring");
    sea.end("pg_restore", 0, "");
    sea.rig
        .until("less is there", || {
            let ready = sea.rig.condition("restore/r", C::Ready)?;
            ready.message.contains("has only 0 of 2 tables").then_some(())
        })
        .await;
    // All is there: it was begun in an empty one, so that what is in it now is its own.
    holds(&sea.rig, "postgres-copy", &databases(), &json!([{"tables": 2}]));
    sea.rig.ready("restore/r").await;
    assert_eq!(sea.status("restore/r")["compared"][0], "database app: 2 tables");
    // Once.
    let ran = sea.ran().len();
    sea.rig.let_pass(Duration::from_secs(700)).await;
    assert_eq!(sea.ran().len(), ran);
    sea.restore("first", "main");
    sea.rig.reason("restore/r", C::Ready, "RestoreBegun").await;
}

#[tokio::test(start_paused = true)]
async fn roles_and_databases_that_are_missing_are_made() {
    let sea = Sea::new().await;
    let more = json!([
        {"name": "app", "owner": "postgres", "settings": [{"role": null, "set": "work_mem=5MB"}]},
        {"name": "o\"dd", "owner": "reader", "encoding": "UTF8", "collate": "C", "ctype": "C", "connection_limit": 7,
         "has_access": true, "access": [{"role": "reader", "privilege": "CONNECT", "grantable": true}], "comment": "it's"},
    ]);
    holds(&sea.rig, "postgres-main", &more, &json!([{}]));
    let roles = json!([{"name": "postgres"}, {"name": "reader", "login": true, "member_of": [{"role": "postgres", "admin": false}]}]);
    sea.rig.servers.tell("postgres-main", "roles", Ok(roles));
    sea.backup("first");
    sea.rig.ready("backup/first").await;
    sea.rig.manifest("copy", "{version: '18'}");
    sea.rig.ready("copy").await;
    holds(&sea.rig, "postgres-copy", &databases(), &json!([{}]));
    sea.rig.servers.tell("postgres-copy", "roles", Ok(json!([{"name": "postgres"}])));
    sea.restore("first", "copy");
    sea.rig.ready("restore/r").await;
    let rebuilt = sea.rig.servers.rebuilt();
    let want = [
        "CREATE ROLE \"reader\" NOSUPERUSER NOINHERIT NOCREATEROLE NOCREATEDB LOGIN NOREPLICATION NOBYPASSRLS CONNECTION LIMIT 0",
        "GRANT \"postgres\" TO \"reader\" WITH ADMIN FALSE",
        "ALTER DATABASE \"app\" SET \"work_mem\" TO '5MB'",
        "CREATE DATABASE \"o\"\"dd\" TEMPLATE template0 OWNER \"reader\" ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C' CONNECTION LIMIT 7",
        "COMMENT ON DATABASE \"o\"\"dd\" IS 'it''s'",
        "REVOKE ALL ON DATABASE \"o\"\"dd\" FROM PUBLIC; GRANT CONNECT ON DATABASE \"o\"\"dd\" TO \"reader\" WITH GRANT OPTION",
    ];
    assert_eq!(rebuilt, want);
    let restores: Vec<String> = sea.ran().into_iter().filter(|ran| ran.starts_with("pg_restore")).collect();
    assert_eq!(restores, ["pg_restore dbname='app'", "pg_restore dbname='o\"dd'"]);
}

#[tokio::test(start_paused = true)]
async fn a_backup_of_a_kind_that_has_none_says_so() {
    let sea = Sea::new().await;
    sea.rig.text("redis.yaml", &manifest("Backup", "first", "{service: redis/cache, target: disk}"));
    sea.rig.reason("backup/first", C::Ready, "NoBackups").await;
    assert_eq!(object("main").to_string(), "postgres/main");
}
