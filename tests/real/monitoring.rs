//! What goes on inside of real servers, as `status.monitoring` tells it.

use super::harness::{Sea, text, version, wait_for};
use super::lifecycle::TestImage;
use super::redis::ready;
use serde_json::Value;
use std::process::{Child, Stdio};

fn inside(sea: &Sea, name: &str) -> Value {
    sea.status(name)["monitoring"].clone()
}

/// Waits for a look that finds this.
fn until(sea: &Sea, what: &str, found: impl Fn(&Value) -> bool) -> Value {
    wait_for(what, || Some(inside(sea, "a")).filter(|inside| found(inside)))
}

fn start() -> Sea {
    let sea = Sea::start();
    sea.postgres("a", &format!("{{version: '{}'}}", version()));
    sea.ready("a");
    sea
}

/// A session that goes on beside the test.
struct Beside(Child);

impl Drop for Beside {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `sql`, and then it stays as it is.
fn session(sea: &Sea, application: &str, sql: &str) -> Beside {
    let script =
        format!("(echo \"{sql}\"; sleep 600) | PGAPPNAME={application} PGDATABASE=app psql -U postgres -Xq");
    let mut command = std::process::Command::new("docker");
    command.args(["exec", "-u", "postgres", &sea.container("a"), "sh", "-c", &script]);
    Beside(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
}

fn pid(sea: &Sea, application: &str) -> i64 {
    let of = format!("SELECT pid FROM pg_stat_activity WHERE application_name = '{application}'");
    wait_for(application, || sea.sql("a", &of).parse().ok())
}

#[test]
fn who_waits_for_whom_and_who_sleeps_in_a_transaction() {
    let sea = start();
    let calm = inside(&sea, "a");
    assert_eq!(calm.get("errors"), None, "{calm:#}");
    assert!(calm["max_connections"].as_u64() > Some(9) && calm["uptime_secs"].is_u64(), "{calm:#}");
    assert!(calm["connections"]["used"].as_u64() > Some(0), "{calm:#}");
    assert_eq!(
        (&calm["locks"]["waiting"], &calm["replication"]["standbys"]),
        (&0.into(), &Value::Array(vec![]))
    );
    assert!(calm["totals"]["commits"].is_u64() && calm["checkpoints"]["timed"].is_u64(), "{calm:#}");
    sea.sql("a", "CREATE TABLE t (a int); INSERT INTO t VALUES (1)");
    let _holds = session(&sea, "holds", "BEGIN; UPDATE t SET a = 424242;");
    let holder = pid(&sea, "holds");
    let _waits = session(&sea, "waits", "UPDATE t SET a = 434343;");
    let waiter = pid(&sea, "waits");
    let told = until(&sea, "who waits is found", |inside| inside["locks"]["waiting"] == 1);
    let blocked = &told["locks"]["blocked"][0];
    assert_eq!((&blocked["pid"], &blocked["database"]), (&waiter.into(), &"app".into()), "{told:#}");
    assert_eq!(blocked["blocked_by"], Value::from(vec![holder]), "{told:#}");
    assert!(blocked["secs"].is_u64() && blocked["mode"] == "ShareLock", "{told:#}");
    let blocker = &told["locks"]["blockers"][0];
    assert_eq!(
        (&blocker["pid"], &blocker["state"]),
        (&holder.into(), &"idle in transaction".into()),
        "{told:#}"
    );
    assert_eq!(told["connections"]["by_state"]["idle_in_transaction"], 1, "{told:#}");
    assert_eq!(told["transactions"]["longest_idle"]["pid"], holder, "{told:#}");
    assert_eq!(told["transactions"]["longest"]["pid"], holder, "{told:#}");
    assert_eq!(told["transactions"]["oldest_xmin"]["holder"], "session", "{told:#}");
    assert!(!told.to_string().contains("424242") && !told.to_string().contains("434343"), "{told:#}");
    sea.sql("a", &format!("SELECT pg_terminate_backend({holder})"));
    let told = until(&sea, "nobody waits", |inside| inside["locks"]["waiting"] == 0);
    assert_eq!(told["locks"]["blocked"], Value::Array(vec![]), "{told:#}");
    assert!(told["rates"]["commits_per_s"].is_f64() && told["cache_hit_ratio"].is_f64(), "{told:#}");
}

/// Without waiting for the next look of that kind: a start has one of its own.
fn looked_at_anew(sea: &Sea) {
    sea.ok(&["restart", "postgres/a"]);
    wait_for("a new start", || inside(sea, "a").get("contents_probed_at").is_none().then_some(()));
}

#[test]
fn how_large_it_is_and_what_vacuum_has_yet_to_do() {
    let sea = start();
    sea.sql(
        "a",
        "CREATE SCHEMA \"we\"\"ird\"; CREATE TABLE \"we\"\"ird\".big WITH (autovacuum_enabled = off) AS \
         SELECT g, repeat('x', 100) FROM generate_series(1, 20000) g; CREATE TABLE empty (a int); \
         DELETE FROM \"we\"\"ird\".big WHERE g <= 5000; ANALYZE",
    );
    sea.sql("a", "VACUUM empty");
    looked_at_anew(&sea);
    let told = until(&sea, "sizes", |inside| inside["tables"].as_array().is_some_and(|all| !all.is_empty()));
    let big = &told["tables"][0];
    assert_eq!((&big["name"], &big["live_rows"]), (&"we\"ird.big".into(), &15_000.into()), "{told:#}");
    assert!(big["size_bytes"].as_u64() > Some(2_000_000), "{told:#}");
    assert_eq!(big["dead_rows"], 5_000, "{told:#}");
    assert!(big["last_analyze"].is_string() && big.get("last_vacuum").is_none(), "{told:#}");
    let empty = told["tables"].as_array().unwrap().iter().find(|table| table["name"] == "public.empty");
    assert!(empty.is_some_and(|table| table["last_vacuum"].is_string()), "{told:#}");
    let app = told["databases"].as_array().unwrap().iter().find(|one| one["name"] == "app").unwrap();
    let size: u64 = sea.sql("a", "SELECT pg_database_size('app')").parse().unwrap();
    let seen = app["size_bytes"].as_u64().unwrap();
    assert!(seen.abs_diff(size) < 1 << 20 && told["size_bytes"].as_u64() > Some(seen), "{told:#}");
    assert_eq!(told["collation_mismatches"], Value::Array(vec![]), "{told:#}");
}

#[test]
fn what_took_the_time_is_told_without_what_users_put_into_it() {
    let sea = Sea::start();
    let by_default = version() == "18";
    let parameters =
        if by_default { "" } else { ", parameters: {shared_preload_libraries: pg_stat_statements}" };
    sea.postgres("a", &format!("{{version: '{}', resources: {{memory: 64Mi}}{parameters}}}", version()));
    sea.ready("a");
    let url = sea.ok(&["connection", "postgres/a", "--reveal", "-o", "url"]);
    let other = url.trim().rsplit_once('/').unwrap().0.to_owned() + "/postgres";
    let psql = |url: &str, sql: &str| {
        let done =
            sea.program("psql").args([url, "-X", "-v", "ON_ERROR_STOP=1", "-c", sql]).output().unwrap();
        assert!(done.status.success(), "{done:?}");
    };
    if !by_default {
        let missing = until(&sea, "why not", |inside| inside["errors"]["statements"].is_string());
        assert!(
            missing["errors"]["statements"].as_str().unwrap().contains("has no extension"),
            "{missing:#}"
        );
        psql(&other, "CREATE EXTENSION pg_stat_statements");
    }
    psql(url.trim(), "SELECT pg_sleep(0.5), 'hush-one' /* hush-two */");
    psql(url.trim(), "CREATE ROLE hush PASSWORD 'hush-three'");
    psql(url.trim(), "DO $x$ BEGIN PERFORM 'hush-four', pg_sleep(0.5); END $x$");
    looked_at_anew(&sea);
    let told = until(&sea, "statements", |inside| inside["statements"].is_array());
    let all = told["statements"].as_array().unwrap();
    let queries: Vec<&str> = all.iter().map(|s| s["query"].as_str().unwrap()).collect();
    assert!(queries.iter().any(|query| query.starts_with("SELECT pg_sleep($1)")), "{queries:#?}");
    assert!(queries.contains(&"DO ?"), "{queries:#?}");
    assert!(!told.to_string().contains("seawall-monitor"), "our own are nobody's concern: {queries:#?}");
    assert!(
        all.len() <= 10 && all[0]["calls"].is_u64() && all[0]["total_secs"].as_f64() >= Some(0.4),
        "{told:#}"
    );
    assert!(!told.to_string().contains("hush-"), "{told:#}");
    let outliers = sea.ok(&["pg", "outliers", "a"]);
    assert!(outliers.contains("SELECT pg_sleep($1)") && !outliers.contains("hush-one"), "{outliers}");
    assert_eq!(sea.sql("a", "SELECT count(*) FROM pg_extension WHERE extname = 'pg_stat_statements'"), "0");
}

#[test]
fn an_image_that_cannot_count_them_starts_all_the_same_and_lists_that_are_there_stay() {
    let without = "rm -f $(find / -name pg_stat_statements.so -not -path '/proc/*')";
    let bare = TestImage::build("bare", &format!("FROM seawall/postgres:18\nUSER root\nRUN {without}\n"));
    let sample = "$(find / -name postgresql.conf.sample -not -path '/proc/*')";
    let list = format!("RUN for f in {sample}; do echo shared_preload_libraries=auto_explain >> $f; done");
    let listed = TestImage::build("listed", &format!("FROM seawall/postgres:18\nUSER root\n{list}\n"));
    let sea = Sea::start();
    sea.postgres("bare", &format!("{{image: '{}'}}", bare.0));
    sea.postgres("listed", &format!("{{image: '{}'}}", listed.0));
    for (name, loaded, words) in [
        ("bare", "", "the image has no library pg_stat_statements"),
        ("listed", "auto_explain", "another shared_preload_libraries is in force"),
    ] {
        sea.ready(name);
        assert_eq!(sea.sql(name, "SHOW shared_preload_libraries"), loaded, "{name}");
        let why =
            wait_for("why not", || inside(&sea, name)["errors"]["statements"].as_str().map(str::to_owned));
        assert!(why.starts_with(words), "{name}: {why}");
        let said = sea.cli(&["pg", "outliers", name]);
        assert!(!said.status.success() && text(&said).contains(words), "{}", text(&said));
    }
}

#[test]
fn a_redis_tells_all_that_is_asked_for() {
    let sea = ready("{version: '8', resources: {memory: 100Mi}}");
    let told = sea.status("redis/cache")["monitoring"].clone();
    assert_eq!(told.get("errors"), None, "{told:#}");
    assert_eq!((&told["memory"]["max_bytes"], &told["keys"]), (&62_914_560.into(), &0.into()), "{told:#}");
    assert_eq!((&told["persistence"]["aof_last_write_ok"], &told["stale"]), (&true.into(), &false.into()));
    let top = sea.ok(&["top", "-o", "wide"]);
    assert!(top.contains(" / 10000"), "{top}");
}
