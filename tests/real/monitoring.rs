//! What goes on inside of real servers, as `status.monitoring` tells it.

use super::harness::{Sea, version, wait_for};
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
