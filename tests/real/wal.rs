//! WAL health on real servers: each rule is made true, and is over when it is mended.

use super::faults::postgres::{mount, mountpoint, off, shell};
use super::faults::table::Disk;
use super::harness::{Frozen, Sea, condition, text, version, wait_for};
use serde_json::Value;
use std::time::Duration;

const MEMBERS: &str = "SELECT string_agg(g.rolname, ',') FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid \
     JOIN pg_roles r ON r.oid = m.member WHERE r.rolname = 'seawall-monitor'";

fn health(sea: &Sea, name: &str) -> Value {
    sea.status(name)["walHealth"].clone()
}

fn kinds(health: &Value) -> Vec<(String, String)> {
    let word = |w: &Value, field: &str| w[field].as_str().unwrap_or_default().to_owned();
    let all = health["warnings"].as_array().cloned().unwrap_or_default();
    // What the machine's own disk has is no matter of the row.
    let all = all.iter().filter(|w| w["kind"] != "disk_pressure");
    all.map(|w| (word(w, "kind"), word(w, "severity"))).collect()
}

/// Waits until a look finds this.
fn warns(sea: &Sea, name: &str, kind: &str, severity: &str) -> Value {
    wait_for(&format!("{kind} {severity}"), || {
        let health = health(sea, name);
        kinds(&health).contains(&(kind.to_owned(), severity.to_owned())).then_some(health)
    })
}

fn is_well(sea: &Sea, name: &str) {
    wait_for("no rule finds anything", || {
        let status = sea.status(name);
        let well = kinds(&status["walHealth"]).is_empty() && condition(&status, "WalHealthy").0 == "True";
        well.then_some(())
    });
}

/// In the server's container, as its own user.
fn inside(sea: &Sea, name: &str, script: &str) -> String {
    sea.docker(&["exec", "-u", "postgres", &sea.container(name), "sh", "-ec", script])
}

/// As ALTER SYSTEM leaves it, also where that is forbidden.
fn set(sea: &Sea, name: &str, parameter: &str, value: &str) {
    inside(sea, name, &format!("echo \"{parameter} = '{value}'\" >> \"$PGDATA/postgresql.auto.conf\""));
    sea.sql(name, "SELECT pg_reload_conf()");
}

fn reset(sea: &Sea, name: &str, parameter: &str) {
    inside(sea, name, &format!("sed -i '/^{parameter} *=/d' \"$PGDATA/postgresql.auto.conf\""));
    sea.sql(name, "SELECT pg_reload_conf()");
}

/// Fills segments of WAL with nothing.
fn segments(sea: &Sea, name: &str, n: u32) {
    let sql = "SELECT pg_logical_emit_message(false, 'x', 'y')";
    for _ in 0..n {
        sea.sql(name, &format!("{sql}; SELECT pg_switch_wal()"));
    }
}

#[test]
fn a_look_is_made_by_a_role_that_may_only_read_and_leaves_nothing() {
    let sea = Sea::start();
    sea.postgres("a", &format!("{{version: '{}'}}", version()));
    let status = sea.ready("a");
    let health = &status["walHealth"];
    for field in ["pg_wal_bytes", "max_wal_size_bytes", "archive_backlog", "oldest_wal_age_secs", "xid_age"] {
        assert!(health[field].is_u64(), "{field}: {health:#}");
    }
    assert_eq!((&health["in_recovery"], &health["slots"]), (&false.into(), &Value::Array(Vec::new())));
    assert!(health.get("errors").is_none(), "{health:#}");
    assert!(health["disk"]["total_bytes"].is_u64(), "{health:#}");
    assert_eq!(sea.sql("a", MEMBERS), "pg_monitor");
    let more = "SELECT rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls \
         FROM pg_roles WHERE rolname = 'seawall-monitor'";
    assert_eq!(sea.sql("a", more), "f");
    let panel = sea.ok(&["wal", "a"]);
    assert!(panel.contains("x max_wal_size of") && panel.contains("Slots              none"), "{panel}");
    assert_eq!(sea.ok(&["wal", "postgres/a", "-o", "json"]).trim().chars().next(), Some('{'));
    // One session, and the next look is made over it.
    let session = "SELECT pid FROM pg_stat_activity WHERE usename = 'seawall-monitor'";
    let pid = sea.sql("a", session);
    assert!(pid.parse::<u32>().is_ok(), "{pid}");
    let first = health["probed_at"].clone();
    // Whoever reads first what was just written (the cluster, the extension) notes beside it that it is committed.
    inside(&sea, "a", "vacuumdb -aqU postgres");
    let written = format!("SELECT wal_bytes FROM pg_stat_get_backend_wal({pid})");
    // The server counts what each session writes; one that is idle tells it after ten seconds at the latest.
    let written = || {
        std::thread::sleep(Duration::from_secs(11));
        (version() == "18").then(|| sea.sql("a", &written))
    };
    let before = written();
    sea.sql("a", "CHECKPOINT");
    wait_for("another look", || (self::health(&sea, "a")["probed_at"] != first).then_some(()));
    assert_eq!(sea.sql("a", session), pid);
    let wrote = "SELECT COALESCE(xact_commit, 0) FROM pg_stat_database WHERE datname = 'postgres'";
    assert!(sea.sql("a", wrote).parse::<u64>().is_ok());
    assert_eq!(written(), before);
    let held = format!(
        "SELECT backend_xid IS NULL AND backend_xmin IS NULL FROM pg_stat_activity WHERE pid = {pid}"
    );
    assert_eq!(sea.sql("a", &held), "t");
}

#[test]
fn what_cannot_be_read_hides_nothing_but_itself() {
    let sea = Sea::start();
    sea.postgres("a", &format!("{{version: '{}'}}", version()));
    sea.ready("a");
    let may = |sql: &str| inside(&sea, "a", &format!("psql -XqU postgres -c '{sql} pg_monitor'"));
    may("REVOKE EXECUTE ON FUNCTION pg_ls_archive_statusdir() FROM");
    let health = wait_for("a field that cannot be read", || {
        Some(health(&sea, "a")).filter(|health| health["errors"]["archive_backlog"].is_string())
    });
    assert!(health["archive_backlog"].is_null() && health["pg_wal_bytes"].is_u64(), "{health:#}");
    assert_eq!(health["errors"].as_object().unwrap().len(), 1, "{health:#}");
    assert!(sea.status("a")["monitoring"]["errors"].is_null());
    may("GRANT EXECUTE ON FUNCTION pg_ls_archive_statusdir() TO");
    wait_for("it can be read again", || self::health(&sea, "a")["archive_backlog"].as_u64());
}

#[test]
fn whatever_is_done_to_the_role_is_put_right() {
    let sea = Sea::start();
    sea.postgres("a", &format!("{{version: '{}'}}", version()));
    sea.ready("a");
    sea.sql("a", "GRANT pg_write_all_data TO \"seawall-monitor\"; ALTER ROLE \"seawall-monitor\" SUPERUSER");
    wait_for("it is plain again", || (sea.sql("a", MEMBERS) == "pg_monitor").then_some(()));
    let su = "SELECT rolsuper FROM pg_roles WHERE rolname = 'seawall-monitor'";
    wait_for("it is no superuser", || (sea.sql("a", su) == "f").then_some(()));
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'seawall-monitor'";
    sea.sql("a", "ALTER ROLE \"seawall-monitor\" PASSWORD 'another'");
    sea.sql("a", end);
    let pid = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'seawall-monitor'";
    wait_for("it is let in again", || (sea.sql("a", pid) == "1").then_some(()));
    is_well(&sea, "a");
    sea.sql("a", end);
    sea.sql(
        "a",
        "DROP OWNED BY \"seawall-monitor\"; DROP ROLE \"seawall-monitor\"; CREATE ROLE \"seawall-monitor\" LOGIN PASSWORD 'x'",
    );
    let words = sea.until_condition("a", "WalHealthy", "Unknown", "ProbeFailed");
    assert!(words.contains("is not Seawall's"), "{words}");
    sea.sql("a", "DROP ROLE \"seawall-monitor\"");
    is_well(&sea, "a");
    assert_eq!(sea.sql("a", MEMBERS), "pg_monitor");
}

#[test]
fn a_slot_that_is_left_behind_keeps_wal_until_it_is_critical_and_lost() {
    let sea = Sea::start();
    let sizes = |more: &str| {
        sea.postgres(
            "a",
            &format!(
                "{{version: '{}', parameters: {{max_wal_size: 32MB, min_wal_size: 32MB{more}}}}}",
                version()
            ),
        );
    };
    sizes("");
    sea.ready("a");
    sea.sql("a", "SELECT pg_create_physical_replication_slot('gone', true)");
    segments(&sea, "a", 7);
    let health = warns(&sea, "a", "stale_slot", "critical");
    assert_eq!(health["stale_slots"][0]["slot_name"], "gone");
    assert!(kinds(&health).contains(&("wal_bloat".to_owned(), "warning".to_owned())), "{health:#}");
    sea.until_condition("a", "WalHealthy", "False", "StaleSlot");
    sea.until_condition("a", "Degraded", "True", "StaleSlot");
    assert_eq!(sea.condition("a", "Ready").0, "True");
    let panel = sea.ok(&["wal", "a"]);
    assert!(panel.contains("CRITICAL stale_slot: replication slot \"gone\""), "{panel}");
    // Old, too, while there are too many.
    inside(
        &sea,
        "a",
        "cd \"$PGDATA/pg_wal\"; touch -d '25 hours ago' \"$(ls | grep -E '^[0-9A-F]{24}$' | head -1)\"",
    );
    segments(&sea, "a", 15);
    let health = warns(&sea, "a", "wal_bloat", "critical");
    assert!(kinds(&health).contains(&("wal_not_recycled".to_owned(), "warning".to_owned())), "{health:#}");
    // A limit takes the slot its WAL.
    sizes(", max_slot_wal_keep_size: 64MB");
    wait_for("the limit is in force", || {
        (sea.sql("a", "SHOW max_slot_wal_keep_size") == "64MB").then_some(())
    });
    sea.sql("a", "CHECKPOINT");
    let health = warns(&sea, "a", "slot_lost", "critical");
    assert_eq!(health["lost_slots"][0], "gone");
    sea.until_condition("a", "WalHealthy", "False", "SlotLost");
    sea.sql("a", "SELECT pg_drop_replication_slot('gone')");
    sea.sql("a", "CHECKPOINT");
    segments(&sea, "a", 1);
    sea.sql("a", "CHECKPOINT");
    is_well(&sea, "a");
    sea.event("StaleSlot", "keeps");
    sea.event("WithinLimits", "no rule");
}

#[test]
fn a_slot_that_is_about_to_lose_its_wal_is_said_before_it_does() {
    let sea = Sea::start();
    let spec = "max_wal_size: 1GB, max_slot_wal_keep_size: 64MB";
    sea.postgres("a", &format!("{{version: '{}', parameters: {{{spec}}}}}", version()));
    sea.ready("a");
    sea.sql("a", "SELECT pg_create_physical_replication_slot('late', true)");
    segments(&sea, "a", 4);
    // Of the one segment that is left, half.
    sea.sql("a", "SELECT pg_logical_emit_message(false, 'x', repeat('y', 8000000))");
    let health = warns(&sea, "a", "slot_near_limit", "warning");
    let left = health["slots"][0]["safe_wal_size"].as_i64().unwrap();
    assert!(left > 0 && left < 16 << 20, "{health:#}");
    assert_eq!(
        (&health["slots"][0]["wal_status"], &health["lost_slots"]),
        (&"reserved".into(), &Value::Array(Vec::new()))
    );
    sea.until_condition("a", "WalHealthy", "False", "SlotNearLimit");
    sea.sql("a", "SELECT pg_replication_slot_advance('late', pg_current_wal_lsn())");
    is_well(&sea, "a");
}

#[test]
fn a_disk_is_said_to_fill_before_it_is_full() {
    let sea = Sea::start();
    sea.postgres("a", "{version: '18', parameters: {shared_buffers: 16MB}}");
    sea.ready("a");
    off(&sea, "a", || mount(&sea.volume("a")));
    let disk = Disk(mountpoint(&sea.volume("a")));
    let all =
        "df -B1 --output=avail,size \"$0\" | tail -1 > \"$0.df\"; read free size < \"$0.df\"; rm \"$0.df\"";
    // To so many percent of the disk.
    let leave = |percent: u32| {
        let fill = format!(
            "{all}; rm -f \"$0/filler\"; {all}; fallocate -l $((free - size / 100 * {percent})) \"$0/filler\""
        );
        shell(&fill, &disk.0);
    };
    let pressure = |truth: &str, reason: &str, severity: &str| {
        sea.until_condition("a", "DiskPressure", truth, reason);
        let health = wait_for(&format!("{severity} in the snapshot"), || {
            let health = health(&sea, "a");
            let warnings = health["warnings"].as_array().cloned().unwrap_or_default();
            let found = warnings.iter().find(|w| w["kind"] == "disk_pressure").map(|w| w["severity"].clone());
            (found.unwrap_or("none".into()) == severity).then_some(health)
        });
        assert!(health["disk"]["total_bytes"].as_u64().unwrap() < 500 << 20, "{health:#}");
    };
    pressure("False", "EnoughRoom", "none");
    leave(13);
    pressure("True", "DiskLow", "warning");
    leave(4);
    pressure("True", "DiskAlmostFull", "critical");
    // It is over a little later than it began.
    leave(16);
    pressure("True", "DiskLow", "warning");
    shell("rm \"$0/filler\"", &disk.0);
    pressure("False", "EnoughRoom", "none");
    is_well(&sea, "a");
    sea.remove("a.yaml");
    sea.until("a", "off the disk", |s| condition(s, "Ready").1 == "Retained" && s["container"].is_null());
}

#[test]
fn of_a_standby_nothing_is_asked_that_only_a_primary_can_answer() {
    let sea = Sea::start();
    sea.postgres("a", "{version: '18', parameters: {shared_buffers: 16MB}}");
    sea.ready("a");
    sea.ok(&["stop", "postgres/a"]);
    sea.until("a", "stopped", |s| condition(s, "Ready").1 == "Stopped");
    shell("touch \"$0\"/18/docker/standby.signal", &mountpoint(&sea.volume("a")));
    sea.ok(&["start", "postgres/a"]);
    sea.until_condition("a", "Ready", "False", "InRecovery");
    let of_standby = |health: &Value| {
        assert!(health.get("errors").is_none(), "{health:#}");
        health["in_recovery"] == true
    };
    let first = wait_for("a look at it", || Some(health(&sea, "a")).filter(|health| of_standby(health)));
    // It has no probes, as one pass follows the other.
    wait_for("another look", || {
        Some(health(&sea, "a")).filter(|now| of_standby(now) && now["probed_at"] != first["probed_at"])
    });
    assert_eq!(sea.condition("a", "WalHealthy").0, "True");
    let status = sea.status("a");
    assert!(status["monitoring"]["replication"]["replay"]["lag_secs"].is_number(), "{status:#}");
    assert!(sea.ok(&["wal", "a"]).contains("standby"), "{}", sea.ok(&["wal", "a"]));
    inside(&sea, "a", "psql -XqU postgres -c 'SELECT pg_promote()'");
    sea.ready("a");
}

#[test]
fn archiving_that_fails_piles_up_or_has_nobody_is_said_by_its_name() {
    let sea = Sea::start();
    sea.postgres("a", &format!("{{version: '{}'}}", version()));
    sea.ready("a");
    assert_eq!(sea.condition("a", "ContinuousArchiving").1, "NotConfigured");
    set(&sea, "a", "archive_command", "test ! -f /nowhere/%f && cp %p /nowhere/%f");
    segments(&sea, "a", 1);
    // More than a hundred wait behind the one that fails.
    let later = "cd \"$PGDATA/pg_wal/archive_status\"; for i in $(seq 100 219); do : > \"00000001000000AA00000$i.ready\"; done";
    inside(&sea, "a", later);
    let health = warns(&sea, "a", "archive_backlog", "warning");
    assert!(health["archive_backlog"].as_u64().unwrap() >= 120, "{health:#}");
    let health = warns(&sea, "a", "archiver_failing", "warning");
    assert!(health["archiver_failure_streak"].as_u64().unwrap() >= 2, "{health:#}");
    assert!(health["archiver_last_failed_wal"].is_string() && health["archiver_last_failed_at"].is_string());
    let words = sea.until_condition("a", "ContinuousArchiving", "False", "ArchiverFailing");
    assert!(words.contains("archiving fails, last of 0000000100000000"), "{words}");
    inside(&sea, "a", "rm \"$PGDATA\"/pg_wal/archive_status/00000001000000AA*.ready");
    reset(&sea, "a", "archive_command");
    is_well(&sea, "a");
    sea.until_condition("a", "ContinuousArchiving", "False", "NotConfigured");
    set(&sea, "a", "archive_command", "");
    warns(&sea, "a", "archive_mode_without_command", "warning");
    sea.until_condition("a", "ContinuousArchiving", "False", "NoArchiveCommand");
    // What throws WAL away is no warning, and no archiving either.
    reset(&sea, "a", "archive_command");
    set(&sea, "a", "archive_command", "true");
    sea.until_condition("a", "ContinuousArchiving", "False", "WalDiscarded");
    is_well(&sea, "a");
    reset(&sea, "a", "archive_command");
    set(&sea, "a", "archive_command", "cp %p /tmp/%f");
    segments(&sea, "a", 1);
    sea.until_condition("a", "ContinuousArchiving", "True", "Archiving");
    let said = text(&sea.cli(&["describe", "postgres/a"]));
    assert!(said.contains("ContinuousArchiving=True Archiving"), "{said}");
}

#[test]
fn a_server_that_hangs_keeps_its_last_look_which_says_that_it_is_old() {
    let sea = Sea::start();
    sea.postgres("a", &format!("{{version: '{}'}}", version()));
    sea.ready("a");
    let taken = health(&sea, "a")["probed_at"].clone();
    // A paused container would be taken for drift, and go on.
    let frozen = Frozen::container(&sea.container("a"));
    sea.until_condition("a", "Ready", "False", "ServerHung");
    wait_for("it says that it is old", || (health(&sea, "a")["stale"] == true).then_some(()));
    assert!(sea.ok(&["wal", "a"]).contains("STALE"));
    let now = health(&sea, "a");
    assert!(now["age_secs"].as_u64().unwrap() > 90 && now["pg_wal_bytes"].is_u64(), "{now:#}");
    assert!(now["probed_at"].as_str() >= taken.as_str());
    drop(frozen);
    sea.ready("a");
    wait_for("a new look", || (health(&sea, "a")["stale"] == false).then_some(()));
}
