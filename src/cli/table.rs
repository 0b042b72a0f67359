//! Tables of values as people read them: bytes, spans of time and shares in words.

use super::print::Grid;
use crate::core::duration::human;
use crate::core::table::{Column, Table, Unit};
use crate::core::text::shown;
use crate::workload::disk::roughly;
use serde_json::Value;
use std::fmt::Write as _;

/// Characters of a text that are shown of one cell, if not all.
const CELL: usize = 60;

fn text(unit: Unit, value: &Value, whole: bool) -> String {
    let float = value.as_f64();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0, for people")]
    let number = float.map(|n| n.max(0.0) as u64);
    match (unit, value) {
        (_, Value::Null) => String::new(),
        (_, Value::String(text)) => {
            if whole {
                text.clone()
            } else {
                shown(text, CELL)
            }
        }
        (Unit::Bytes, _) if number == Some(0) => "0".to_owned(),
        (Unit::Bytes, _) => number.map(roughly).unwrap_or_default(),
        (Unit::Seconds, _) => float.map(seconds).unwrap_or_default(),
        (Unit::Percent, _) => float.map(|n| format!("{n:.1} %")).unwrap_or_default(),
        (Unit::Flag, Value::Bool(is)) => if *is { "yes" } else { "no" }.to_owned(),
        (Unit::Count, _) if float.is_some_and(|n| n.fract() == 0.0) => {
            float.map(|n| format!("{n:.0}")).unwrap_or_default()
        }
        (_, other) => other.to_string(),
    }
}

/// Short ones in parts of a second.
fn seconds(secs: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0")]
    match secs.max(0.0) {
        secs if secs < 1.0 => format!("{:.0}ms", secs * 1000.0),
        secs if secs < 10.0 => format!("{secs:.1}s"),
        secs => human(secs as u64),
    }
}

/// Rows below a header; `wide`: all columns, and texts whole.
#[must_use]
pub fn grid(table: &Table, wide: bool, colour: bool) -> String {
    let columns: Vec<&Column> = table.columns.iter().filter(|column| wide || !column.wide).collect();
    let header: Vec<String> = columns.iter().map(|column| title(&column.name).to_uppercase()).collect();
    let cell = |row: &serde_json::Map<String, Value>, column: &Column| {
        row.get(&column.name).map(|value| text(column.unit, value, wide)).unwrap_or_default()
    };
    let rows: Vec<Vec<String>> =
        table.rows.iter().map(|row| columns.iter().map(|column| cell(row, column)).collect()).collect();
    let mut all = if rows.is_empty() { String::new() } else { Grid::new(&header, colour).full(&rows) };
    rest(table, &mut all);
    all
}

/// The values of each row below each other.
#[must_use]
pub fn sheet(table: &Table) -> String {
    let mut all = String::new();
    let width = table.columns.iter().map(|column| column.name.len()).max().unwrap_or_default();
    for row in &table.rows {
        for column in &table.columns {
            let value = row.get(&column.name).map(|value| text(column.unit, value, true)).unwrap_or_default();
            let value = if value.is_empty() { "-" } else { &value };
            let _ = writeln!(all, "{:width$}  {}", title(&column.name), super::out::clean(value));
        }
    }
    rest(table, &mut all);
    all
}

fn title(name: &str) -> String {
    let mut letters = name.chars().map(|c| if c == '_' { ' ' } else { c });
    letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
}

fn rest(table: &Table, all: &mut String) {
    if table.left_out > 0 {
        let _ = writeln!(all, "… and {} more that are not shown", table.left_out);
    }
    for note in &table.notes {
        let _ = writeln!(all, "({})", super::out::clean(note));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::table::Field;
    use serde_json::json;

    fn table(fields: &[Field], rows: Value) -> Table {
        let rows = rows.as_array().unwrap().iter().map(|row| row.as_object().cloned().unwrap()).collect();
        Table::of(fields, rows)
    }

    #[test]
    fn values_are_words_by_their_units_and_what_is_not_known_is_none() {
        for (unit, value, want) in [
            (Unit::Bytes, json!(0), "0"),
            (Unit::Bytes, json!(8_388_608), "8Mi"),
            (Unit::Seconds, json!(0.0123), "12ms"),
            (Unit::Seconds, json!(3.21), "3.2s"),
            (Unit::Seconds, json!(3600.9), "60m"),
            (Unit::Seconds, json!(-1), "0ms"),
            (Unit::Percent, json!(99.96), "100.0 %"),
            (Unit::Count, json!(12.0), "12"),
            (Unit::Count, json!(5_000_000_000_u64), "5000000000"),
            (Unit::Flag, json!(true), "yes"),
            (Unit::Time, json!("2026-01-01T00:00:00Z"), "2026-01-01T00:00:00Z"),
            (Unit::Bytes, Value::Null, ""),
        ] {
            assert_eq!(text(unit, &value, false), want);
        }
    }

    #[test]
    fn long_texts_are_cut_unless_all_is_wanted_and_the_rest_is_counted() {
        const FIELDS: [Field; 3] = [
            Field::new("pid", Unit::Count),
            Field::wide("client", Unit::Text),
            Field::new("long_query", Unit::Text),
        ];
        let mut table =
            table(&FIELDS, json!([{"pid": 7, "client": "10.0.0.1", "long_query": "x".repeat(100)}]));
        table.left_out = 3;
        table.notes.push("an estimate".to_owned());
        let text = grid(&table, false, false);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "PID  LONG QUERY");
        assert!(lines[1].starts_with("7    xxx") && lines[1].ends_with("x…"), "{text}");
        assert_eq!(lines[2..], ["… and 3 more that are not shown", "(an estimate)"]);
        assert!(grid(&table, true, false).contains(&format!("10.0.0.1  {}", "x".repeat(100))));
        assert!(sheet(&table).starts_with("Pid         7\nClient      10.0.0.1\nLong query  xxx"));
    }
}
