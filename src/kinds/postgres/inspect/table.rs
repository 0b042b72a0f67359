//! What the server's rows are to a reader: figures made of its own, texts on one line.

use super::{INSPECTIONS, bloat};
use crate::core::table::{Field, Table};
use crate::core::text::shown;
use serde_json::{Map, Value, json};

pub type Row = Map<String, Value>;

/// Characters of one cell.
const CELL: usize = 500;
/// Rows that are shown.
const ROWS: usize = 100;

#[must_use]
pub fn number(row: &Row, field: &str) -> Option<f64> {
    match row.get(field)? {
        Value::Number(number) => number.as_f64(),
        // Settings are texts, and so are numbers that a JSON reader could cut.
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// The same of what has no parts.
#[must_use]
pub fn count(row: &Row, field: &str) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "a figure for people")]
    match row.get(field)? {
        Value::Number(number) => number.as_i64().or_else(|| number.as_f64().map(|n| n as i64)),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

#[must_use]
pub fn word<'a>(row: &'a Row, field: &str) -> &'a str {
    row.get(field).and_then(Value::as_str).unwrap_or_default()
}

#[must_use]
pub fn flag(row: &Row, field: &str) -> bool {
    row.get(field).and_then(Value::as_bool).unwrap_or_default()
}

/// With one figure behind the point; nothing of nothing is no figure.
#[must_use]
pub fn percent(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| (part / whole * 1000.0).round() / 10.0)
}

/// How many rows there are, as each of them tells; at least those that came.
#[must_use]
pub fn all_rows(rows: &[Row]) -> u64 {
    let told = rows.first().and_then(|row| row.get("all_rows")).and_then(Value::as_u64);
    told.unwrap_or_default().max(rows.len() as u64)
}

/// The answer to a verb, from the rows of its question.
#[must_use]
pub fn answer(verb: &str, rows: Vec<Row>) -> Table {
    let fields: &[Field] = INSPECTIONS.verb(verb).map(|one| one.fields).unwrap_or_default();
    let all = all_rows(&rows);
    let (rows, notes): (Vec<Row>, Vec<String>) = match verb {
        "info" => (rows.iter().map(info).collect(), Vec::new()),
        "outliers" => (rows.into_iter().map(outlier).collect(), Vec::new()),
        "bloat" => bloat::rows(&rows),
        "indexes" => (rows.into_iter().map(index).collect(), Vec::new()),
        "vacuum-stats" => (rows.iter().map(vacuum).collect(), Vec::new()),
        _ => (rows, Vec::new()),
    };
    let left_out = match verb {
        // Of those that were told some are no trouble.
        "bloat" => rows.len().saturating_sub(ROWS) as u64,
        _ => all.saturating_sub(rows.len().min(ROWS) as u64),
    };
    Table { left_out, notes, ..Table::of(fields, rows.into_iter().take(ROWS).map(on_one_line).collect()) }
}

/// Texts of others: without line breaks and what a terminal would obey, and cut.
#[must_use]
pub fn on_one_line(row: Row) -> Row {
    let told = |value: Value| match value {
        Value::String(text) => Value::String(cell(&text)),
        other => other,
    };
    row.into_iter().map(|(name, value)| (name, told(value))).collect()
}

/// One text of others.
#[must_use]
pub fn cell(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    shown(&words.join(" "), CELL)
}

/// How WAL is archived, in words.
fn archiving(row: &Row) -> String {
    let (mode, command, library) =
        (word(row, "archive_mode"), word(row, "archive_command"), word(row, "archive_library"));
    match (mode, library, command) {
        ("off", ..) => "off".to_owned(),
        (_, "", "" | "/bin/true" | "true") => "to nowhere: nothing is kept".to_owned(),
        (_, "", command) => format!("by archive_command {command}"),
        (_, library, _) => format!("by archive_library {library}"),
    }
}

fn info(row: &Row) -> Row {
    let figure = |field| number(row, field).unwrap_or_default();
    let (used, max) = (figure("connections"), figure("max_connections"));
    let kept = figure("reserved_for_superusers") + figure("reserved_for_some");
    let (hit, read) = (figure("blks_hit"), figure("blks_read"));
    let (commits, rollbacks) = (figure("xact_commit"), figure("xact_rollback"));
    let ages = [count(row, "xid_age"), count(row, "mxid_age")];
    let age = ages.into_iter().flatten().max();
    let told = |field: &str| row.get(field).cloned().unwrap_or_default();
    let status = if flag(row, "in_recovery") { "standby, read only" } else { "primary, takes writes" };
    let value = json!({
        "version": told("version"), "status": status, "database": told("database"),
        "data_size": told("data_size"), "tables": told("tables"),
        "connections": told("connections"), "connections_max": count(row, "max_connections"),
        "connections_percent": percent(used, max - kept),
        "cache_hit": percent(hit, hit + read), "rollback": percent(rollbacks, commits + rollbacks),
        "deadlocks": told("deadlocks"), "temp_files": told("temp_bytes"),
        "counted_since": told("stats_reset"), "up_since": told("up_since"), "wal": count(row, "wal"),
        "archiving": archiving(row), "wraparound_age": age,
        "wraparound_percent": age.and_then(|age| percent(f64::from(u32::try_from(age).unwrap_or(u32::MAX)), super::diagnose::XIDS)),
        "shared_buffers": told("shared_buffers"),
        "pending_restart": row.get("pending_restart").and_then(Value::as_str).unwrap_or("none"),
    });
    match value {
        Value::Object(row) => row,
        _ => Row::new(),
    }
}

fn outlier(mut row: Row) -> Row {
    let seconds = |field| number(&row, field).map(|ms| (ms * 1000.0).round() / 1_000_000.0);
    let (total, io) = (seconds("total_ms"), seconds("sync_io_ms"));
    let part = number(&row, "total_ms").zip(number(&row, "sum_ms")).and_then(|(one, all)| percent(one, all));
    row.insert("total_exec_time".to_owned(), json!(total));
    row.insert("sync_io_time".to_owned(), json!(io));
    row.insert("prop_exec_time".to_owned(), json!(part));
    row
}

/// What is wrong with an index, the worst first; empty: nothing.
#[must_use]
pub fn verdict(row: &Row) -> String {
    if !flag(row, "valid") {
        return "invalid: nothing uses it".to_owned();
    }
    if let Some(other) = row.get("duplicate_of").and_then(Value::as_str) {
        return format!("duplicate of {other}");
    }
    if !flag(row, "keeps_rules") && count(row, "index_scans") == Some(0) {
        return "unused".to_owned();
    }
    String::new()
}

fn index(mut row: Row) -> Row {
    let verdict = verdict(&row);
    row.insert("verdict".to_owned(), if verdict.is_empty() { "in use".into() } else { verdict.into() });
    row
}

/// How many dead rows autovacuum lets be, as PostgreSQL counts them (docs, "The Autovacuum Daemon"): base and scale, those of
/// the table before those of the server, up to a limit since 18. `None`: it never comes by itself.
#[must_use]
pub fn threshold(row: &Row) -> Option<f64> {
    let options: Vec<(&str, &str)> = row
        .get("options")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|option| option.as_str()?.split_once('='))
        .collect();
    let own = |name: &str| options.iter().find(|(option, _)| *option == name).map(|(_, value)| *value);
    let off = |text: &str| matches!(text, "off" | "false" | "0" | "no");
    if off(word(row, "autovacuum")) || own("autovacuum_enabled").is_some_and(off) {
        return None;
    }
    let figure =
        |name: &str, field| own(name).and_then(|own| own.parse().ok()).or_else(|| number(row, field));
    let base = figure("autovacuum_vacuum_threshold", "base")?;
    let scale = figure("autovacuum_vacuum_scale_factor", "scale")?;
    let rows = number(row, "rows").unwrap_or_default().max(0.0);
    let most = figure("autovacuum_vacuum_max_threshold", "most").filter(|most| *most >= 0.0);
    Some((base + scale * rows).min(most.unwrap_or(f64::INFINITY)))
}

fn vacuum(row: &Row) -> Row {
    let told = |field: &str| row.get(field).cloned().unwrap_or_default();
    let dead = number(row, "dead").unwrap_or_default();
    let threshold = threshold(row);
    // Not analysed: -1.
    let rows = count(row, "rows").filter(|rows| *rows >= 0).or_else(|| count(row, "live"));
    let value = json!({
        "schema": told("schema"), "table": told("table"), "last_vacuum": told("last_vacuum"),
        "last_autovacuum": told("last_autovacuum"), "rowcount": rows, "dead_rowcount": told("dead"),
        "autovacuum_threshold": threshold.map(f64::round), "expect_autovacuum": threshold.is_some_and(|t| dead > t),
    });
    match value {
        Value::Object(row) => row,
        _ => Row::new(),
    }
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
