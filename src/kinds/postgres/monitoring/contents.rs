//! What is looked at seldom: sizes, dead rows, the order of text, and which statements took the time of a server. Each part
//! can fail on its own.

use super::literals::without_literals;
use super::reading::{few, word};
use crate::kinds::postgres::wal::Told;
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};

/// Seconds between two such looks.
pub const EVERY: i64 = 300;

#[derive(Clone, Debug, PartialEq)]
pub struct Contents {
    pub at: Timestamp,
    /// The same by a clock that only goes forward, in seconds.
    pub secs: i64,
    pub databases: Told<Databases>,
    /// Of the managed database, the largest first.
    pub tables: Told<Vec<Table>>,
    pub mismatches: Told<Vec<Mismatched>>,
    /// By the time that they took.
    pub statements: Told<Vec<Statement>>,
}

impl Contents {
    /// Nothing of it is known, for one reason.
    #[must_use]
    pub fn failed(at: Timestamp, secs: i64, why: &str) -> Self {
        let why = || why.to_owned();
        Self {
            at,
            secs,
            databases: Err(why()),
            tables: Err(why()),
            mismatches: Err(why()),
            statements: Err(why()),
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Databases {
    /// Of all of them.
    pub size_bytes: u64,
    /// The largest, without templates.
    #[serde(deserialize_with = "few")]
    pub databases: Vec<Database>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Database {
    #[serde(deserialize_with = "word")]
    pub name: Option<String>,
    pub size_bytes: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// `public.orders`
    #[serde(deserialize_with = "word")]
    pub name: Option<String>,
    /// With its indexes, and what is stored beside it.
    pub size_bytes: u64,
    /// As the server estimates them.
    pub live_rows: u64,
    pub dead_rows: u64,
    /// RFC 3339; absent: never, as far as the server remembers.
    #[serde(default, deserialize_with = "word", skip_serializing_if = "Option::is_none")]
    pub last_vacuum: Option<String>,
    #[serde(default, deserialize_with = "word", skip_serializing_if = "Option::is_none")]
    pub last_autovacuum: Option<String>,
    #[serde(default, deserialize_with = "word", skip_serializing_if = "Option::is_none")]
    pub last_analyze: Option<String>,
    #[serde(default, deserialize_with = "word", skip_serializing_if = "Option::is_none")]
    pub last_autoanalyze: Option<String>,
}

/// A database whose indexes were built with another version of what sorts text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mismatched {
    #[serde(deserialize_with = "word")]
    pub database: Option<String>,
    #[serde(deserialize_with = "word")]
    pub built_with: Option<String>,
    #[serde(deserialize_with = "word")]
    pub now: Option<String>,
    /// What puts it right, in this order; it locks each table meanwhile.
    #[serde(default)]
    pub repair: Vec<String>,
}

impl Mismatched {
    #[must_use]
    pub fn with_repair(mut self) -> Self {
        let name = self.database.as_deref().unwrap_or_default().replace('"', "\"\"");
        self.repair = vec![
            format!("REINDEX DATABASE \"{name}\""),
            format!("ALTER DATABASE \"{name}\" REFRESH COLLATION VERSION"),
        ];
        self
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Statement {
    /// The server's number for all statements of this form; the same until the server's next major version.
    #[serde(deserialize_with = "word")]
    pub queryid: Option<String>,
    #[serde(default, deserialize_with = "word", skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    #[serde(default, deserialize_with = "word", skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    pub calls: u64,
    /// Of all calls, since the statistics were reset.
    pub total_secs: f64,
    pub mean_ms: f64,
    pub rows: u64,
    /// Without literals and comments, cut.
    #[serde(deserialize_with = "query")]
    pub query: String,
}

fn query<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    Ok(text.as_deref().map(without_literals).unwrap_or_default())
}

/// Whether a server counts statements.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Counter {
    loaded: bool,
    #[serde(deserialize_with = "word")]
    database: Option<String>,
    schema: Option<String>,
}

impl Counter {
    /// Where they are told.
    ///
    /// # Errors
    /// Why they are not, in words.
    pub fn schema(self) -> Told<String> {
        if !self.loaded {
            return Err("shared_preload_libraries has no pg_stat_statements".to_owned());
        }
        let database = self.database.unwrap_or_default();
        self.schema.ok_or_else(|| format!("database {database:?} has no extension pg_stat_statements"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_repair_is_for_this_database_and_builds_indexes_first() {
        let one = Mismatched { database: Some("o\"x".to_owned()), ..Mismatched::default() }.with_repair();
        let want = ["REINDEX DATABASE \"o\"\"x\"", "ALTER DATABASE \"o\"\"x\" REFRESH COLLATION VERSION"];
        assert_eq!(one.repair, want);
    }

    #[test]
    fn a_statement_is_told_without_what_its_user_put_into_it() {
        let told = json!({"queryid": "-17", "calls": 2, "total_secs": 1.5, "mean_ms": 0.75, "rows": 0,
            "query": "ALTER ROLE x PASSWORD 'geheim' /* geheim */"});
        let statement: Statement = serde_json::from_value(told).unwrap();
        assert_eq!((statement.query.as_str(), statement.database), ("ALTER ROLE x PASSWORD ?", None));
    }

    #[test]
    fn why_statements_are_absent_is_said() {
        for (told, want) in [
            (
                json!({"loaded": false, "database": "postgres", "schema": "x"}),
                Err("shared_preload_libraries has no"),
            ),
            (
                json!({"loaded": true, "database": "postgres", "schema": null}),
                Err("\"postgres\" has no extension"),
            ),
            (json!({"loaded": true, "database": "postgres", "schema": "x"}), Ok("x")),
        ] {
            let counter: Counter = serde_json::from_value(told).unwrap();
            match (counter.schema(), want) {
                (Ok(schema), Ok(want)) => assert_eq!(schema, want),
                (Err(why), Err(want)) => assert!(why.contains(want), "{why}"),
                other => panic!("{other:?}"),
            }
        }
    }
}
