//! How much of a table or an index holds nothing, estimated from its size and what ANALYZE knows of its rows. It is no more than
//! that: nothing of the table itself is read.

use super::table::{Row, count, number, word};
use serde_json::{Value, json};

/// Bytes of a page that hold no rows (PostgreSQL docs, "Database Page Layout"); of one of an index its special space, too.
const PAGE: f64 = 24.0;
const INDEX_PAGE: f64 = 40.0;
/// Header and line pointer of a row, and of an entry of an index; both begin at multiples of 8.
const ROW: f64 = 24.0 + 4.0;
const ENTRY: f64 = 8.0 + 4.0;
/// Fill factors without an option.
const FULL: f64 = 100.0;
const INDEX_FULL: f64 = 90.0;
/// Bytes that are worth a line.
const WORTH: f64 = 1_048_576.0;

/// Bytes that hold nothing, if it can be told.
#[must_use]
pub fn waste(row: &Row) -> Option<f64> {
    let (bytes, block) = (number(row, "bytes")?, number(row, "block")?);
    let tuples = number(row, "tuples").filter(|tuples| *tuples >= 0.0)?;
    if count(row, "blind") != Some(0) || block <= INDEX_PAGE {
        return None;
    }
    let index = word(row, "type") == "index";
    let (page, head, full) = if index { (INDEX_PAGE, ENTRY, INDEX_FULL) } else { (PAGE, ROW, FULL) };
    let option = |option: &Value| option.as_str()?.strip_prefix("fillfactor=")?.parse().ok();
    let full: f64 =
        row.get("options").and_then(Value::as_array).into_iter().flatten().find_map(option).unwrap_or(full);
    let width = (number(row, "width").unwrap_or_default() / 8.0).ceil() * 8.0 + head;
    let each = ((block - page) * full / 100.0 / width).floor().max(1.0);
    // An index has one page more, of its own.
    let pages = (tuples / each).ceil() + if index { 1.0 } else { 0.0 };
    Some((bytes - pages * block).max(0.0))
}

/// The rows of the verb, the most waste first, and what is to be said of them.
#[must_use]
pub fn rows(told: &[Row]) -> (Vec<Row>, Vec<String>) {
    let mut rows: Vec<(f64, Row)> = Vec::new();
    let mut blind = 0;
    for one in told {
        let Some(waste) = waste(one) else {
            blind += 1;
            continue;
        };
        if waste < WORTH {
            continue;
        }
        let bytes = number(one, "bytes").unwrap_or_default();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bytes, from 0")]
        let wasted = waste as u64;
        let value = json!({
            "type": word(one, "type"), "schemaname": word(one, "schemaname"),
            "object_name": word(one, "object_name"), "bloat": super::table::percent(waste, bytes),
            "waste": wasted, "size": count(one, "bytes"),
        });
        if let Value::Object(row) = value {
            rows.push((waste, row));
        }
    }
    rows.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    let mut notes =
        vec!["an estimate from sizes and what ANALYZE knows; below 1Mi nothing is shown".to_owned()];
    if blind > 0 {
        notes.push(format!("{blind} could not be estimated: ANALYZE was not run on them, or cannot know"));
    }
    let more = super::table::all_rows(told).saturating_sub(told.len() as u64);
    if more > 0 {
        notes.push(format!("only the {} largest were looked at, {more} are smaller", told.len()));
    }
    (rows.into_iter().map(|(_, row)| row).collect(), notes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(value: Value) -> Row {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn what_holds_nothing_is_the_size_less_what_the_rows_need() {
        // 8168 bytes a page; a row of 12 bytes takes 16 + 28: 185 of them fit.
        let table = |tuples: f64, pages: u64| json!({"type": "table", "bytes": pages * 8192, "tuples": tuples, "width": 12, "blind": 0, "block": "8192"});
        let edit = |value: &Value, field: &str, to: Value| {
            let mut row = row(value.clone());
            row.insert(field.to_owned(), to);
            row
        };
        let full = table(18_500.0, 100);
        assert_eq!(waste(&row(full.clone())), Some(0.0));
        assert_eq!(waste(&row(table(18_500.0, 300))), Some(200.0 * 8192.0));
        assert_eq!(waste(&row(table(0.0, 300))), Some(300.0 * 8192.0));
        assert_eq!(waste(&row(table(-1.0, 300))), None, "it was not analysed");
        assert_eq!(waste(&edit(&full, "blind", json!(1))), None);
        assert_eq!(waste(&edit(&full, "options", json!(["fillfactor=50"]))), Some(0.0), "they need more");
        // 8152 bytes, nine tenths of which are filled; an entry takes 16 + 12: 262 of them.
        let index = edit(&table(26_200.0, 101), "type", json!("index"));
        assert_eq!(waste(&index), Some(0.0));
        assert_eq!(waste(&edit(&Value::Object(index), "tuples", json!(262.0))), Some(99.0 * 8192.0));
    }

    #[test]
    fn the_most_comes_first_and_what_cannot_be_told_is_counted() {
        let one = |name: &str, pages: u64, blind: u64| {
            row(json!({"all_rows": 5, "type": "table", "schemaname": "s", "object_name": name,
                "bytes": pages * 8192, "tuples": 0, "width": 1, "blind": blind, "block": "8192"}))
        };
        let (rows, notes) = rows(&[one("a", 200, 0), one("b", 400, 0), one("c", 10, 0), one("d", 900, 2)]);
        let names: Vec<&str> = rows.iter().map(|row| word(row, "object_name")).collect();
        assert_eq!(names, ["b", "a"]);
        assert_eq!((&rows[0]["bloat"], &rows[0]["waste"]), (&json!(100.0), &json!(400 * 8192)));
        assert_eq!(notes.len(), 3, "{notes:?}");
        assert!(
            notes[0].contains("estimate") && notes[1].starts_with("1 could") && notes[2].contains("1 are")
        );
    }
}
