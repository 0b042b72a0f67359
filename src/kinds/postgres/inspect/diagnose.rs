//! What is worth a word about a server, judged from what it and its status tell. docs/diagnose.md says of each check what it is,
//! why it matters, and what to do.

mod server;
mod sessions;
mod tables;

use super::table::Row;
use crate::core::diagnosis::{Check, Level};
use serde_json::Value;

/// Transactions after which a database takes no more: 3 million before the numbers go round (PostgreSQL docs, "Preventing
/// Transaction ID Wraparound Failures").
pub const XIDS: f64 = 2_144_483_648.0;
/// Things that one check names.
const NAMED: usize = 10;

/// The rows of an answer, or why there is none.
pub type Told = Result<Vec<Row>, String>;

/// What is judged.
pub struct Facts<'a> {
    /// `postgres/main`
    pub object: &'a str,
    /// Words of a shell that open psql on the server.
    pub psql: &'a str,
    pub status: &'a Value,
    pub info: Told,
    pub sessions: Told,
    pub blocking: Told,
    pub indexes: Told,
    pub tables: Told,
    pub rest: Told,
    pub collations: Told,
    pub relations: Told,
    pub sequences: Told,
}

impl Facts<'_> {
    /// As verbs take it.
    fn name(&self) -> &str {
        self.object.split_once('/').map_or(self.object, |(_, name)| name)
    }
}

/// All checks.
#[must_use]
pub fn checks(facts: &Facts<'_>) -> Vec<Check> {
    let all = [sessions::checks(facts), tables::checks(facts), server::checks(facts)];
    all.into_iter().flatten().collect()
}

/// Judges what was told; a check of what was not is unknown.
fn of(check: &str, told: &Told, judge: impl FnOnce(&[Row]) -> Check) -> Check {
    match told {
        Ok(rows) => judge(rows),
        Err(why) => unknown(check, why),
    }
}

/// The same of an answer with one row.
fn of_one(check: &str, told: &Told, judge: impl FnOnce(&Row) -> Option<Check>) -> Check {
    of(check, told, |rows| {
        rows.first().and_then(judge).unwrap_or_else(|| unknown(check, "the server did not tell"))
    })
}

fn unknown(check: &str, why: &str) -> Check {
    Check::new(check, Level::Unknown, format!("not read: {why}"))
}

fn green(check: &str, found: impl Into<String>) -> Check {
    Check::new(check, Level::Green, found)
}

/// Red from one figure on, yellow from a lower one.
fn level(figure: f64, yellow: f64, red: f64) -> Level {
    if figure >= red {
        Level::Red
    } else if figure >= yellow {
        Level::Yellow
    } else {
        Level::Green
    }
}

/// The first of them, and how many more there are.
fn named(all: impl Iterator<Item = String>) -> Vec<String> {
    let all: Vec<String> = all.collect();
    let more = all.len().saturating_sub(NAMED);
    let mut named: Vec<String> = all.into_iter().take(NAMED).map(|one| super::table::cell(&one)).collect();
    if more > 0 {
        named.push(format!("and {more} more"));
    }
    named
}

#[cfg(test)]
#[path = "diagnose_tests.rs"]
mod tests;
