//! What a word without quotes means. It must never lose what was written: `007`, `1.10` and `True` stay text,
//! since whoever wants text could not get them back from a number or truth value.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Number, Value};
use std::borrow::Cow;

/// Text, with or without quotes: `18`, `"18"`, `16MB`, `on`, `0444`. What stands there is what is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text(pub String);

impl Text {
    /// The text of a scalar; `None` of nothing, a list or a mapping.
    #[must_use]
    pub fn of(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) => Some(Text(text.clone())),
            // Printed as it was written: see `plain`.
            Value::Number(_) | Value::Bool(_) => Some(Text(value.to_string())),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        }
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Text::of(&Value::deserialize(d)?).ok_or_else(|| D::Error::custom("expected a string"))
    }
}

impl JsonSchema for Text {
    fn schema_name() -> Cow<'static, str> {
        "Text".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": TEXT})
    }
}

/// Characters of a fraction that survives being stored as a number.
const MAX_FRACTION: usize = 16;

/// The types of JSON that [`Text`] is written as.
pub(super) const TEXT: [&str; 3] = ["string", "number", "boolean"];

/// The truth value of a field for one: also of the words that YAML has for it beside `true` and `false`.
#[must_use]
pub fn as_truth(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(truth) => Some(*truth),
        Value::String(text) if text != "true" && text != "false" => core(text).as_bool(),
        _ => None,
    }
}

/// For the fields of a spec that are [`as_truth`].
///
/// # Errors
/// When the value is none.
pub fn truth<'de, D: Deserializer<'de>>(d: D) -> Result<bool, D::Error> {
    as_truth(&Value::deserialize(d)?).ok_or_else(|| D::Error::custom("expected true or false"))
}

/// The value of a plain scalar: a number, `true` or `false` only where that is written as it is printed.
pub(super) fn plain(text: &str) -> Value {
    let value = core(text);
    if value.is_null() || is_printed(&value, text) { value } else { Value::String(text.to_owned()) }
}

fn is_printed(value: &Value, text: &str) -> bool {
    match value {
        Value::Bool(truth) => text == if *truth { "true" } else { "false" },
        // The store may read a fraction of more digits back as another one.
        Value::Number(number) => {
            number.to_string() == text && (!number.is_f64() || text.len() <= MAX_FRACTION)
        }
        _ => false,
    }
}

/// The value by YAML 1.2's core schema: `yes`, `on` and `1_000` are text, and so is what JSON has no number for
/// (`.inf`, `.nan`).
pub(super) fn core(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    number(text).map_or_else(|| Value::String(text.to_owned()), Value::Number)
}

fn number(text: &str) -> Option<Number> {
    for (prefix, radix) in [("0x", 16), ("0o", 8)] {
        if let Some(digits) = text.strip_prefix(prefix) {
            // from_str_radix would take a sign.
            let ok = digits.chars().all(|c| c.is_digit(radix));
            return u64::from_str_radix(digits, radix).ok().filter(|_| ok).map(Number::from);
        }
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let digits = unsigned.strip_prefix('.').unwrap_or(unsigned);
    // Rules out `inf`, `nan` and `e5`, which Rust would take.
    if !digits.starts_with(|c: char| c.is_ascii_digit())
        || !unsigned.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '-' | '+'))
    {
        return None;
    }
    if let Ok(n) = text.parse::<i64>() {
        return Some(n.into());
    }
    if let Ok(n) = text.parse::<u64>() {
        return Some(n.into());
    }
    text.parse::<f64>().ok().and_then(Number::from_f64)
}
