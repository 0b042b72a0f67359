//! Each check on both sides of its figure.

use super::*;
use serde_json::json;

fn rows(value: &Value) -> Told {
    Ok(value.as_array().unwrap().iter().map(|row| row.as_object().cloned().unwrap()).collect())
}

fn status() -> Value {
    json!({
        "resources": {"applied": {"memory": "1Gi"}},
        "conditions": [{"type": "ContinuousArchiving", "status": "True", "reason": "Archiving"}],
        "walHealth": {"stale": false, "pg_wal_bytes": 1 << 25, "max_wal_size_bytes": 1 << 30, "archive_backlog": 0,
            "disk": {"free_bytes": 1_u64 << 33, "total_bytes": 1_u64 << 34}, "warnings": []},
        "monitoring": {"stale": false, "statements": []},
    })
}

fn info() -> Value {
    json!({"connections": 10, "max_connections": "100", "reserved_for_superusers": "3", "reserved_for_some": "0",
        "blks_hit": 1_000_000, "blks_read": 100, "xact_commit": 10_000, "xact_rollback": 10, "xid_age": 100_000_000,
        "mxid_age": 0, "shared_buffers": 268_435_456})
}

fn rest() -> Value {
    json!({"prepared": 0, "prepared_for": null, "unlogged": 0, "without_key": null})
}

fn table() -> Value {
    json!({"schema": "s", "table": "t", "autovacuum": "on", "base": "50", "scale": "0.2", "most": null,
        "rows": 100_000, "live": 100_000, "dead": 100, "options": null, "last_vacuum": null, "last_autovacuum": null})
}

/// Facts with which all is well, but for one answer.
fn level_of(check: &str, answer: &str, with: &Value) -> (Level, Check) {
    let told = |name: &str, well: Value| rows(if name == answer { with } else { &well });
    let status = if answer == "status" { with.clone() } else { status() };
    let facts = Facts {
        object: "postgres/a",
        psql: "psql",
        status: &status,
        info: told("info", json!([info()])),
        sessions: told("sessions", json!([])),
        blocking: told("blocking", json!([])),
        indexes: told("indexes", json!([])),
        tables: told("tables", json!([table()])),
        rest: told("rest", json!([rest()])),
        collations: told("collations", json!([])),
        relations: told("relations", json!([])),
        sequences: told("sequences", json!([])),
    };
    let all = checks(&facts);
    for check in &all {
        assert!(
            check.level == Level::Green || check.level == Level::Unknown || !check.next.is_empty(),
            "{check:?}"
        );
        assert!(check.level != Level::Green || check.why.is_empty() && check.of.is_empty(), "{check:?}");
    }
    let found = all.into_iter().find(|one| one.check == check).unwrap();
    (found.level, found)
}

fn edited(mut value: Value, fields: &Value) -> Value {
    for (field, to) in fields.as_object().unwrap() {
        value[field] = to.clone();
    }
    json!([value])
}

#[test]
fn all_is_well_when_it_is() {
    for answer in ["info", "rest", "tables"] {
        let well = json!([match answer {
            "info" => info(),
            "rest" => rest(),
            _ => table(),
        }]);
        assert_eq!(level_of("Connections", answer, &well).0, Level::Green);
    }
    let facts_of = |status: &Value| {
        let nothing = || Ok(Vec::new());
        let facts = Facts {
            object: "postgres/a",
            psql: "psql",
            status,
            info: rows(&json!([info()])),
            sessions: nothing(),
            blocking: nothing(),
            indexes: nothing(),
            tables: rows(&json!([table()])),
            rest: rows(&json!([rest()])),
            collations: nothing(),
            relations: nothing(),
            sequences: nothing(),
        };
        checks(&facts)
    };
    let all = facts_of(&status());
    assert!(all.len() >= 20 && all.iter().all(|check| check.level == Level::Green), "{all:#?}");
}

#[test]
fn nothing_that_was_not_read_is_green() {
    let no = || Err("no".to_owned());
    let facts = Facts {
        object: "postgres/a",
        psql: "psql",
        status: &json!({}),
        info: no(),
        sessions: no(),
        blocking: no(),
        indexes: no(),
        tables: no(),
        rest: no(),
        collations: no(),
        relations: no(),
        sequences: no(),
    };
    let all = checks(&facts);
    assert!(all.iter().all(|check| check.level == Level::Unknown), "{all:#?}");
    let one = Facts { info: Ok(Vec::new()), rest: Ok(vec![Row::new()]), ..facts };
    let of = |name: &str| checks(&one).into_iter().find(|check| check.check == name).unwrap().level;
    for name in ["Connections", "Cache hit", "Wraparound", "Memory", "Primary keys", "Unlogged tables"] {
        assert_eq!(of(name), Level::Unknown, "{name}");
    }
}

#[test]
fn each_check_changes_its_colour_at_its_figure() {
    use Level::{Green, Red, Unknown, Yellow};
    let of_info = |fields: Value| edited(info(), &fields);
    let of_rest = |fields: Value| edited(rest(), &fields);
    let of_table = |fields: Value| edited(table(), &fields);
    let session = |state: &str, fields: Value| edited(json!({"pid": 7, "state": state}), &fields);
    let index = |verdict: Value, size: u64| {
        edited(
            json!({"valid": true, "index_scans": 5, "index_size": size, "schema": "s", "index": "i"}),
            &verdict,
        )
    };
    let sequence = |last: u64| json!([{"last_value": last, "min_value": 0, "max_value": 100, "schema": "s", "sequence": "q"}]);
    let relation = |pages: u64| {
        json!([{"type": "table", "bytes": pages * 8192, "tuples": 1, "width": 4, "blind": 0, "block": "8192",
            "schemaname": "s", "object_name": "t"}])
    };
    let blocked = |secs: f64| json!([{"blocked_pid": 1, "blocking_pid": 2, "blocked_duration": secs}]);
    let table: Vec<(&str, &str, Value, Level)> = vec![
        ("Connections", "info", of_info(json!({"connections": 77})), Green),
        ("Connections", "info", of_info(json!({"connections": 78})), Yellow),
        ("Connections", "info", of_info(json!({"connections": 92})), Yellow),
        ("Connections", "info", of_info(json!({"connections": 93})), Red),
        ("Connections", "info", of_info(json!({"connections": 77, "reserved_for_some": "10"})), Yellow),
        ("Long queries", "sessions", session("active", json!({"running_for": 299.0})), Green),
        ("Long queries", "sessions", session("active", json!({"running_for": 300.0})), Yellow),
        ("Long queries", "sessions", session("active", json!({"running_for": 3600.0})), Red),
        ("Long queries", "sessions", session("idle", json!({"running_for": 9999.0})), Green),
        (
            "Long transactions",
            "sessions",
            session("idle in transaction", json!({"transaction_for": 300.0})),
            Yellow,
        ),
        ("Long transactions", "sessions", session("active", json!({"transaction_for": 3600.0})), Red),
        (
            "Idle in transaction",
            "sessions",
            session("idle in transaction", json!({"state_for": 59.0})),
            Green,
        ),
        (
            "Idle in transaction",
            "sessions",
            session("idle in transaction (aborted)", json!({"state_for": 60.0})),
            Yellow,
        ),
        ("Idle in transaction", "sessions", session("idle in transaction", json!({"state_for": 600.0})), Red),
        ("Idle in transaction", "sessions", session("idle", json!({"state_for": 600.0})), Green),
        ("Blocking queries", "blocking", blocked(4.9), Green),
        ("Blocking queries", "blocking", blocked(5.0), Yellow),
        ("Blocking queries", "blocking", blocked(60.0), Red),
        ("Prepared transactions", "rest", of_rest(json!({"prepared": 1, "prepared_for": 5.0})), Yellow),
        ("Prepared transactions", "rest", of_rest(json!({"prepared": 1, "prepared_for": 3600.0})), Red),
        ("Cache hit", "info", of_info(json!({"blks_read": 5_000, "blks_hit": 90_000})), Green),
        ("Cache hit", "info", of_info(json!({"blks_read": 20_000, "blks_hit": 980_000})), Yellow),
        ("Cache hit", "info", of_info(json!({"blks_read": 200_000, "blks_hit": 800_000})), Red),
        ("Rollbacks", "info", of_info(json!({"xact_rollback": 500, "xact_commit": 100})), Green),
        ("Rollbacks", "info", of_info(json!({"xact_rollback": 1_200})), Yellow),
        ("Wraparound", "info", of_info(json!({"xid_age": 860_000_000})), Yellow),
        ("Wraparound", "info", of_info(json!({"mxid_age": 1_700_000_000_u64})), Red),
        ("Memory", "info", of_info(json!({"shared_buffers": 429_496_730})), Yellow),
        ("Memory", "info", of_info(json!({"shared_buffers": 805_306_368})), Red),
        ("Memory", "status", json!({}), Green),
        ("Order of text", "collations", json!([{"database": "a", "built": "1", "now": "2"}]), Yellow),
        ("Invalid indexes", "indexes", index(json!({"valid": false}), 0), Yellow),
        ("Duplicate indexes", "indexes", index(json!({"duplicate_of": "o"}), 0), Yellow),
        ("Unused indexes", "indexes", index(json!({"index_scans": 0}), 1 << 20), Yellow),
        ("Unused indexes", "indexes", index(json!({"index_scans": 0}), 8192), Green),
        ("Bloat", "relations", relation(12_000), Green),
        ("Bloat", "relations", relation(13_000), Yellow),
        ("Bloat", "relations", relation(1_400_000), Red),
        ("Autovacuum", "tables", of_table(json!({"autovacuum": "off"})), Red),
        ("Autovacuum", "tables", of_table(json!({"options": ["autovacuum_enabled=off"]})), Yellow),
        ("Dead rows", "tables", of_table(json!({"dead": 40_000})), Green),
        ("Dead rows", "tables", of_table(json!({"dead": 40_200})), Yellow),
        ("Dead rows", "tables", of_table(json!({"dead": 9_999, "rows": 10})), Green),
        ("Sequences", "sequences", sequence(74), Green),
        ("Sequences", "sequences", sequence(75), Yellow),
        ("Sequences", "sequences", sequence(90), Red),
        ("Unlogged tables", "rest", of_rest(json!({"unlogged": 2})), Yellow),
        ("Primary keys", "rest", of_rest(json!({"without_key": [{"name": "s.t"}]})), Yellow),
        ("WAL", "status", json!({"walHealth": {"stale": true, "warnings": []}}), Unknown),
        ("Disk", "status", json!({"walHealth": {"stale": false, "warnings": []}}), Unknown),
        (
            "WAL",
            "status",
            json!({"walHealth": {"stale": false, "errors": {"probe": "no"}, "warnings": []}}),
            Unknown,
        ),
    ];
    for (check, answer, with, want) in table {
        let (level, said) = level_of(check, answer, &with);
        assert_eq!(level, want, "{check} {with}: {said:?}");
    }
}

#[test]
fn warnings_about_wal_go_where_they_belong_with_their_words() {
    let with = |kind: &str, severity: &str| {
        let mut status = status();
        status["walHealth"]["warnings"] =
            json!([{"kind": kind, "severity": severity, "message": "too much", "action": "look"}]);
        status
    };
    for (kind, severity, check, want) in [
        ("wal_bloat", "warning", "WAL", Level::Yellow),
        ("stale_slot", "critical", "WAL", Level::Red),
        ("archiver_failing", "warning", "Archiving", Level::Yellow),
        ("archive_backlog", "critical", "Archiving", Level::Red),
        ("disk_pressure", "critical", "Disk", Level::Red),
    ] {
        let status = with(kind, severity);
        for other in ["WAL", "Archiving", "Disk"] {
            let (level, said) = level_of(other, "status", &status);
            assert_eq!(level, if other == check { want } else { Level::Green }, "{kind}: {said:?}");
            if other == check {
                assert_eq!((said.found.as_str(), said.next.as_str()), ("too much", "look"));
            }
        }
    }
    let mut status = status();
    status["conditions"][0]["reason"] = "NotConfigured".into();
    let (level, said) = level_of("Archiving", "status", &status);
    assert!(level == Level::Green && said.found.contains("no way back"), "{said:?}");
}

#[test]
fn what_a_check_names_is_bounded_and_on_one_line() {
    let many: Vec<Value> = (0..30)
        .map(|n| json!({"valid": false, "schema": "s", "index": format!("i{n}\u{1b}\n"), "index_size": 1}))
        .collect();
    let (_, check) = level_of("Invalid indexes", "indexes", &json!(many));
    assert_eq!((check.of.len(), check.of.last().unwrap().as_str()), (11, "and 20 more"));
    assert!(check.of.iter().all(|line| !line.contains(['\u{1b}', '\n'])), "{check:?}");
}
