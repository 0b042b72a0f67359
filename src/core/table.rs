//! A table of values with their units, as somebody asked for it: a program reads the values, a person a text made of them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What a value of a column is. Any may be `null`: it is not known, or there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Unit {
    Text,
    /// A number.
    Count,
    /// A number of bytes.
    Bytes,
    /// Seconds, with parts of them.
    Seconds,
    /// From 0 to 100.
    Percent,
    /// RFC 3339
    Time,
    /// True or false.
    Flag,
}

/// A column, as a kind declares it. By its name its value is found in an answer, and in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    pub name: &'static str,
    pub unit: Unit,
    /// Only with `-o wide`.
    pub wide: bool,
}

impl Field {
    #[must_use]
    pub const fn new(name: &'static str, unit: Unit) -> Self {
        Self { name, unit, wide: false }
    }

    #[must_use]
    pub const fn wide(name: &'static str, unit: Unit) -> Self {
        Self { name, unit, wide: true }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Column {
    pub name: String,
    pub unit: Unit,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub wide: bool,
}

/// Rows by the names of their columns.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Table {
    pub columns: Vec<Column>,
    pub rows: Vec<Map<String, Value>>,
    /// Rows that there are beside these.
    #[serde(default)]
    pub left_out: u64,
    /// What a reader has to know, in sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl Table {
    /// Of each row only what a column has.
    #[must_use]
    pub fn of(fields: &[Field], rows: Vec<Map<String, Value>>) -> Self {
        let column = |f: &Field| Column { name: f.name.to_owned(), unit: f.unit, wide: f.wide };
        let row = |mut row: Map<String, Value>| {
            let cell = |f: &Field| (f.name.to_owned(), row.remove(f.name).unwrap_or(Value::Null));
            fields.iter().map(cell).collect()
        };
        Self {
            columns: fields.iter().map(column).collect(),
            rows: rows.into_iter().map(row).collect(),
            ..Self::default()
        }
    }
}
