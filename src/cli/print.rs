//! Tables without borders, as kubectl prints them, and colours for the words in them.

use super::age::age;
use super::format::object_name;
use super::out::clean;
use crate::control::api::{ColumnView, KindView, ObjectView};
use crate::core::condition::{self, Condition, ConditionType, Truth};
use comfy_table::{ColumnConstraint, Table, Width, presets};
use jiff::Timestamp;
use serde_json::Value;

const DIM: &str = "\x1b[2m";
const RED: &str = "\x1b[31m";
const GREEN: &str = "\x1b[32m";
const YELLOW: &str = "\x1b[33m";
const RESET: &str = "\x1b[0m";

/// A header and rows; widths are kept between batches, so that watched rows stay aligned.
pub struct Grid {
    header: Vec<String>,
    widths: Vec<u16>,
    colour: bool,
}

impl Grid {
    #[must_use]
    pub fn new(header: &[impl AsRef<str>], colour: bool) -> Self {
        let header: Vec<String> = header.iter().map(|h| h.as_ref().to_owned()).collect();
        let widths = header.iter().map(|h| u16::try_from(h.len()).unwrap_or(0)).collect();
        Self { header, widths, colour }
    }

    /// Header and rows.
    pub fn full(&mut self, rows: &[Vec<String>]) -> String {
        self.render(rows, true)
    }

    /// Only rows, aligned with what was printed before.
    pub fn more(&mut self, rows: &[Vec<String>]) -> String {
        self.render(rows, false)
    }

    fn render(&mut self, rows: &[Vec<String>], header: bool) -> String {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        if header {
            table.add_row(self.header.clone());
        }
        for row in rows {
            table.add_row(row.iter().map(|cell| if cell.is_empty() { "-".to_owned() } else { clean(cell) }));
        }
        for (index, max) in table.column_max_content_widths().into_iter().enumerate() {
            if let Some(width) = self.widths.get_mut(index) {
                *width = max.max(*width);
            }
        }
        for (index, width) in self.widths.iter().enumerate() {
            if let Some(column) = table.column_mut(index) {
                column.set_padding((0, 2));
                // The last column needs no width: nothing stands behind it.
                if index + 1 < self.header.len() {
                    column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(width + 2)));
                }
            }
        }
        let lines = table.lines().enumerate().map(|(number, line)| {
            let line = line.trim_end().to_owned();
            if self.colour && !(header && number == 0) { self.coloured(&line) } else { line }
        });
        lines.fold(String::new(), |text, line| text + &line + "\n")
    }

    /// Colours one word per line, in the column that says how it is.
    fn coloured(&self, line: &str) -> String {
        let Some(index) = self.header.iter().position(|h| matches!(h.as_str(), "STATUS" | "TYPE" | "OK"))
        else {
            return line.to_owned();
        };
        let start: usize = self.widths.iter().take(index).map(|w| usize::from(*w) + 2).sum();
        // Columns before it hold names and fixed words, one byte each; anything else stays plain.
        let (Some(before), Some(rest)) = (line.get(..start), line.get(start..)) else {
            return line.to_owned();
        };
        let word: String = rest.chars().take_while(|c| !c.is_whitespace()).collect();
        let after = rest.get(word.len()..).unwrap_or_default();
        format!("{before}{}{after}", paint(&word, true))
    }
}

/// A word in the colour of how it is.
#[must_use]
pub fn paint(word: &str, colour: bool) -> String {
    let code = match word {
        _ if !colour => return word.to_owned(),
        "Ready" | "ok" | "True" | "+" | "GREEN" => GREEN,
        "Progressing" | "Pending" | "Degraded" | "Paused" | "Unknown" | "unknown" | "Warning" | "~" | "…"
        | "YELLOW" | "UNKNOWN" => YELLOW,
        "Stopped" | "Retained" | "Normal" | "Gone" => DIM,
        "NotReady" | "Stalled" | "Blocked" | "NameConflict" | "Invalid" | "Deleting" | "FAIL" | "False"
        | "-" | "-/+" | "!" | "RED" => RED,
        _ => return word.to_owned(),
    };
    format!("{code}{word}{RESET}")
}

/// The conditions of a status; one that is not understood is left out.
#[must_use]
pub fn conditions(view: &ObjectView) -> Vec<Condition> {
    let list = view.status.get("conditions").and_then(Value::as_array);
    list.into_iter().flatten().filter_map(|c| serde_json::from_value(c.clone()).ok()).collect()
}

/// A value deep in a status as text, "" when it is not there.
#[must_use]
pub fn field(view: &ObjectView, path: &str) -> String {
    match view.status.pointer(path) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

fn columns(kind: &KindView, wide: bool) -> impl Iterator<Item = &ColumnView> {
    kind.columns.iter().filter(move |column| column.wide == wide)
}

/// NAME READY STATUS, what the kind has, AGE, and what `wide` adds.
#[must_use]
pub fn header(kind: &KindView, wide: bool) -> Vec<String> {
    let own = |wide| columns(kind, wide).map(|column| column.header.clone());
    let mut header: Vec<String> = ["NAME", "READY", "STATUS"].map(str::to_owned).into();
    header.extend(own(false));
    header.push("AGE".to_owned());
    if wide {
        header.extend(own(true));
        header.push("MESSAGE".to_owned());
    }
    header
}

/// One object's row; `full_name` writes the kind before the name.
#[must_use]
pub fn row(view: &ObjectView, kind: &KindView, wide: bool, full_name: bool, now: Timestamp) -> Vec<String> {
    let conditions = conditions(view);
    let ready = condition::find(&conditions, ConditionType::Ready);
    let cell = |column: &ColumnView| {
        column.paths.iter().map(|p| field(view, p)).find(|t| !t.is_empty()).unwrap_or_default()
    };
    let mut row = vec![
        if full_name { object_name(view) } else { view.metadata.name.clone() },
        ready.map_or(Truth::Unknown, |c| c.status).to_string(),
        condition::phase(&conditions) + if view.not_saved_since.is_some() { " (not saved)" } else { "" },
    ];
    row.extend(columns(kind, false).map(cell));
    row.push(age(&view.metadata.creation_timestamp, now));
    if wide {
        row.extend(columns(kind, true).map(cell));
        row.push(ready.map(|c| c.message.clone()).unwrap_or_default());
    }
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_of_any_size_is_a_row_of_a_known_one() {
        let rows =
            vec![vec!["a".to_owned(), "x".repeat(20 << 20)], vec!["b\x1b[2J\n".to_owned(), String::new()]];
        let text = Grid::new(&["NAME", "MESSAGE"], true).full(&rows);
        assert!(text.len() < 20_000, "{}", text.len());
        assert_eq!(text.lines().count(), 3);
        assert!(text.contains("b\\u{1b}[2J\\n  -") && !text.contains('\x1b'), "{text}");
    }
}
