//! Rows in, tables out.

use super::*;

fn row(value: Value) -> Row {
    value.as_object().cloned().unwrap()
}

#[test]
fn a_share_of_nothing_is_no_figure() {
    assert_eq!(percent(1.0, 3.0), Some(33.3));
    assert_eq!(percent(0.0, 0.0), None);
    let info = answer(
        "info",
        vec![row(json!({"max_connections": "100", "connections": 97,
        "superuser_reserved_connections": "3", "reserved_for_superusers": "3", "reserved_for_some": null,
        "xid_age": 1_072_241_824, "mxid_age": 5, "archive_mode": "on", "archive_command": "/bin/true",
        "in_recovery": false, "blks_hit": 0, "blks_read": 0, "wal": "33554432"}))],
    );
    let one = &info.rows[0];
    assert_eq!((&one["connections_percent"], &one["cache_hit"]), (&json!(100.0), &Value::Null));
    assert_eq!((&one["wraparound_percent"], &one["wal"]), (&json!(50.0), &json!(33_554_432)));
    assert_eq!((&one["archiving"], &one["version"]), (&json!("to nowhere: nothing is kept"), &Value::Null));
}

#[test]
fn archiving_is_told_by_what_is_in_force() {
    for (mode, command, library, want) in [
        ("off", "cp", "", "off"),
        ("on", "", "", "to nowhere: nothing is kept"),
        ("on", "cp %p /a/%f", "", "by archive_command cp %p /a/%f"),
        ("always", "cp %p /a/%f", "basic_archive", "by archive_library basic_archive"),
    ] {
        let told = json!({"archive_mode": mode, "archive_command": command, "archive_library": library});
        assert_eq!(archiving(&row(told)), want);
    }
}

#[test]
fn what_is_wrong_with_an_index_is_said_by_the_worst() {
    for (valid, duplicate, rules, scans, want) in [
        (true, Value::Null, false, 0, "unused"),
        (true, Value::Null, true, 0, ""),
        (true, Value::Null, false, 1, ""),
        (true, json!("other"), false, 0, "duplicate of other"),
        (false, json!("other"), false, 0, "invalid: nothing uses it"),
    ] {
        let told =
            json!({"valid": valid, "duplicate_of": duplicate, "keeps_rules": rules, "index_scans": scans});
        assert_eq!(verdict(&row(told)), want);
    }
}

#[test]
fn autovacuum_comes_when_the_table_says_so_else_the_server() {
    let server = json!({"autovacuum": "on", "base": "50", "scale": "0.2", "most": null, "rows": 1000.0, "options": null});
    let with = |fields: Value| {
        let mut row = row(server.clone());
        row.extend(self::row(fields));
        threshold(&row)
    };
    for (fields, want) in [
        (json!({}), Some(250.0)),
        (json!({"rows": -1}), Some(50.0)),
        (json!({"options": ["fillfactor=70", "autovacuum_vacuum_scale_factor=0.5"]}), Some(550.0)),
        (json!({"options": ["autovacuum_vacuum_threshold=7"]}), Some(207.0)),
        // Since 18.
        (json!({"most": "100000000"}), Some(250.0)),
        (json!({"most": "100"}), Some(100.0)),
        (json!({"most": "-1"}), Some(250.0)),
        (json!({"autovacuum": "off"}), None),
        (json!({"options": ["autovacuum_enabled=false"]}), None),
        (json!({"options": ["autovacuum_enabled=on"]}), Some(250.0)),
    ] {
        assert_eq!(with(fields.clone()), want, "{fields}");
    }
}

#[test]
fn rows_are_bounded_and_counted_and_texts_stay_on_a_line() {
    let one =
        |pid: u64| row(json!({"all_rows": 700, "pid": pid, "query": "SELECT\n\t 1 \u{1b}[2J", "secret": 1}));
    let table = answer("ps", (0..150).map(one).collect());
    assert_eq!((table.rows.len(), table.left_out), (100, 600));
    assert_eq!(table.rows[0]["query"], "SELECT 1 \\u{1b}[2J");
    assert!(!table.rows[0].contains_key("secret"));
    assert_eq!(cell(&"x".repeat(2000)).chars().count(), 501);
    assert_eq!(answer("ps", Vec::new()).left_out, 0);
}

#[test]
fn outliers_have_their_share_of_all_there_is() {
    let table = answer(
        "outliers",
        vec![row(json!({"total_ms": 1500.0, "sum_ms": 6000.0, "ncalls": 3, "sync_io_ms": 0.5}))],
    );
    let one = &table.rows[0];
    assert_eq!((&one["total_exec_time"], &one["prop_exec_time"]), (&json!(1.5), &json!(25.0)));
    assert_eq!((&one["sync_io_time"], &one["ncalls"]), (&json!(0.0005), &json!(3)));
}
