//! Holds a spec against its JSON Schema and says everything that is wrong, where and what would be right.
//!
//! It understands what schemars writes for serde types in draft-07 and nothing more: a keyword it
//! does not know never makes a valid spec invalid. What a value means is judged by its engine.

use crate::core::path;
use crate::core::problem::Problem;
use crate::core::resource::Document;
use crate::core::text::{NAME, in_yaml, quoted, quoted_key};
use crate::manifest::scalar::{TEXT, Text, as_truth, core};
use crate::manifest::suggest::hint;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Schemas inside each other without a step into the spec: more is a `$ref` that leads to itself.
const MAX_SCHEMA_DEPTH: usize = 64;
/// More problems of one spec help nobody.
const MAX_PROBLEMS: usize = 100;

/// Everything wrong with the shape of `document.spec`, in the order of the text. `schema` is the
/// schema of the spec (see [`super::schema::spec_schema`]) with its `definitions`.
#[must_use]
pub fn check(schema: &Value, document: &Document) -> Vec<Problem> {
    let walk = Walk { root: schema, document };
    let mut problems = Vec::new();
    walk.value(schema, &document.spec, "spec", 0, &mut problems);
    problems.truncate(MAX_PROBLEMS);
    problems
}

/// The spec less what `problems` are about, so that the rest can be judged too; `None` when they are about
/// all of it.
#[must_use]
pub fn without(spec: &Value, problems: &[Problem]) -> Option<Value> {
    let wrong: BTreeSet<&str> = problems.iter().map(|p| p.path.as_str()).collect();
    prune(spec, "spec", &wrong)
}

fn prune(value: &Value, path: &str, wrong: &BTreeSet<&str>) -> Option<Value> {
    if wrong.contains(path) {
        return None;
    }
    let Value::Object(fields) = value else { return Some(value.clone()) };
    let right = fields.iter().filter_map(|(key, value)| {
        let value = prune(value, &path::field(path, key), wrong)?;
        Some((key.clone(), value))
    });
    Some(Value::Object(right.collect()))
}

struct Walk<'a> {
    root: &'a Value,
    document: &'a Document,
}

impl<'a> Walk<'a> {
    fn value(&self, schema: &'a Value, value: &Value, path: &str, depth: usize, out: &mut Vec<Problem>) {
        if depth > MAX_SCHEMA_DEPTH || out.len() > MAX_PROBLEMS {
            return;
        }
        let Value::Object(schema) = schema else {
            if schema == &Value::Bool(false) {
                out.push(Problem::new(self.document.key_place_of(path), path, "is not allowed"));
            }
            return;
        };
        if let Some(target) =
            schema.get("$ref").and_then(Value::as_str).and_then(|name| self.definition(name))
        {
            self.value(target, value, path, depth + 1, out);
        }
        for part in list(schema, "allOf") {
            self.value(part, value, path, depth + 1, out);
        }
        for word in ["anyOf", "oneOf"] {
            let options = list(schema, word);
            if !options.is_empty() {
                self.any(options, value, path, depth, out);
            }
        }
        let words = words(schema);
        if !words.is_empty() && !words.contains(&value) {
            out.push(self.wrong_word(&words, value, path));
            return;
        }
        let types = types(schema);
        if !types.is_empty() && !types.iter().any(|kind| is(value, kind)) {
            out.push(self.wrong_type(&types, value, path));
            return;
        }
        match value {
            Value::Number(_) => self.range(schema, value, path, out),
            Value::Array(items) => {
                if let Some(each) = schema.get("items") {
                    for (index, item) in items.iter().enumerate() {
                        self.value(each, item, &path::item(path, index), 0, out);
                    }
                }
            }
            Value::Object(fields) => self.fields(schema, fields, path, out),
            _ => {}
        }
    }

    fn definition(&self, reference: &str) -> Option<&'a Value> {
        self.root.pointer(reference.strip_prefix('#')?)
    }

    /// The schema itself, or what its `$ref` names.
    fn resolved(&self, schema: &'a Value) -> &'a Value {
        let mut schema = schema;
        for _ in 0..MAX_SCHEMA_DEPTH {
            let inner = schema.get("$ref").and_then(Value::as_str).and_then(|name| self.definition(name));
            // schemars wraps a reference that has a description of its own.
            match inner.or_else(|| schema.get("allOf")?.as_array().filter(|all| all.len() == 1)?.first()) {
                Some(next) => schema = next,
                None => break,
            }
        }
        schema
    }

    /// One of `options` must fit; otherwise says what is wrong with the one that was likely meant.
    fn any(&self, options: &'a [Value], value: &Value, path: &str, depth: usize, out: &mut Vec<Problem>) {
        let mut closest: Option<Vec<Problem>> = None;
        let (mut all_words, mut all_types) = (Vec::new(), Vec::new());
        for option in options {
            let mut problems = Vec::new();
            self.value(option, value, path, depth + 1, &mut problems);
            if problems.is_empty() {
                return;
            }
            self.accepted(option, &mut all_words, &mut all_types, 0);
            // Of a mapping, say what is wrong inside; of a scalar, what would have been right.
            let inside = problems.iter().all(|problem| problem.path != path);
            if inside && closest.as_ref().is_none_or(|best| problems.len() < best.len()) {
                closest = Some(problems);
            }
        }
        if let Some(problems) = closest {
            out.extend(problems);
        } else if all_types.iter().any(|kind| is(value, kind)) {
            // The type is right and the value is not: the option of that type says why.
            for option in options {
                let (mut words, mut types) = (Vec::new(), Vec::new());
                self.accepted(option, &mut words, &mut types, 0);
                if types.iter().any(|kind| is(value, kind)) {
                    self.value(option, value, path, depth + 1, out);
                    return;
                }
            }
        } else if value.is_string() && write_instead(&all_types, value).is_some() {
            out.push(self.wrong_type(&all_types, value, path));
        } else if !all_words.is_empty() && (value.is_string() || all_types.iter().all(|kind| kind == &"null"))
        {
            out.push(self.wrong_word(&all_words, value, path));
        } else {
            out.push(self.wrong_type(&all_types, value, path));
        }
    }

    /// The words and the types (of options without words) that a schema accepts.
    fn accepted(
        &self,
        schema: &'a Value,
        all_words: &mut Vec<&'a Value>,
        all_types: &mut Vec<&'a str>,
        depth: usize,
    ) {
        let Value::Object(schema) = self.resolved(schema) else { return };
        let mut found = words(schema);
        if found.is_empty() {
            for kind in types(schema) {
                if !all_types.contains(&kind) {
                    all_types.push(kind);
                }
            }
        }
        all_words.append(&mut found);
        if depth < MAX_SCHEMA_DEPTH {
            for option in list(schema, "anyOf").iter().chain(list(schema, "oneOf")) {
                self.accepted(option, all_words, all_types, depth + 1);
            }
        }
    }

    fn fields(
        &self,
        schema: &'a Map<String, Value>,
        fields: &Map<String, Value>,
        path: &str,
        out: &mut Vec<Problem>,
    ) {
        let known = schema.get("properties").and_then(Value::as_object);
        let others = schema.get("additionalProperties");
        for (key, value) in fields {
            if out.len() > MAX_PROBLEMS {
                return;
            }
            let inner = path::field(path, key);
            match (known.and_then(|known| known.get(key)), others) {
                (Some(field), _) => self.value(field, value, &inner, 0, out),
                (None, Some(Value::Bool(false))) => {
                    let valid: Vec<&str> =
                        known.into_iter().flat_map(Map::keys).map(String::as_str).collect();
                    let problem = Problem::new(
                        self.document.key_place_of(&inner),
                        &inner,
                        format!("unknown field {}", quoted_key(key)),
                    );
                    out.push(problem.nearest(hint(key, &valid)));
                }
                (None, Some(each)) => self.value(each, value, &inner, 0, out),
                (None, None) => {}
            }
        }
        for name in list(schema, "required").iter().filter_map(Value::as_str) {
            if !fields.contains_key(name) {
                let inner = path::field(path, name);
                out.push(Problem::new(self.document.key_place_of(path), inner, "is missing"));
            }
        }
    }

    fn range(&self, schema: &Map<String, Value>, value: &Value, path: &str, out: &mut Vec<Problem>) {
        let Some(number) = value.as_f64() else { return };
        let limit = |word: &str| schema.get(word).and_then(Value::as_f64);
        let below = limit("minimum").is_some_and(|min| number < min)
            || limit("exclusiveMinimum").is_some_and(|min| number <= min);
        let above = limit("maximum").is_some_and(|max| number > max)
            || limit("exclusiveMaximum").is_some_and(|max| number >= max);
        if !below && !above {
            return;
        }
        let mut rules = Vec::new();
        for (word, says) in [
            ("minimum", "at least"),
            ("exclusiveMinimum", "more than"),
            ("maximum", "at most"),
            ("exclusiveMaximum", "less than"),
        ] {
            if let Some(limit) = schema.get(word) {
                rules.push(format!("{says} {limit}"));
            }
        }
        let size = if below { "small" } else { "large" };
        let problem = Problem::new(self.document.place_of(path), path, format!("{value} is too {size}"));
        out.push(problem.nearest(rules.join(" and ")));
    }

    fn wrong_type(&self, types: &[&str], value: &Value, path: &str) -> Problem {
        // A string may be written without quotes: then it looks like a number, or true or false.
        let is_text = TEXT.iter().all(|kind| types.contains(kind));
        let names = types.iter().filter(|kind| **kind != "null" && !(is_text && TEXT[1..].contains(*kind)));
        let names: Vec<&str> = names.map(|kind| named(kind)).collect();
        // Where one value is expected, the one that was written says what was meant.
        let parts_only = types.iter().all(|kind| matches!(*kind, "null" | "array" | "object"));
        let found = if parts_only { kind_of(value).to_owned() } else { found(value) };
        let what = format!("expected {}, found {found}", names.join(" or "));
        let problem = Problem::new(self.document.place_of(path), path, what);
        match write_instead(types, value) {
            Some(hint) => problem.nearest(hint),
            None => problem,
        }
    }

    fn wrong_word(&self, words: &[&Value], value: &Value, path: &str) -> Problem {
        let valid: Vec<String> =
            words.iter().filter(|word| !word.is_null()).map(|word| plain(word)).collect();
        let valid: Vec<&str> = valid.iter().map(String::as_str).collect();
        let what = match value {
            Value::Null => "a value is missing".to_owned(),
            other => format!("{} is no valid value", found(other)),
        };
        Problem::new(self.document.place_of(path), path, what)
            .nearest(hint(value.as_str().unwrap_or_default(), &valid))
    }
}

fn list<'a>(schema: &'a Map<String, Value>, word: &str) -> &'a [Value] {
    schema.get(word).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn types(schema: &Map<String, Value>) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn words(schema: &Map<String, Value>) -> Vec<&Value> {
    schema.get("const").into_iter().chain(list(schema, "enum")).collect()
}

fn is(value: &Value, kind: &str) -> bool {
    match kind {
        "null" => value.is_null(),
        "boolean" => as_truth(value).is_some(),
        // Not 5.0: serde takes no fraction for an integer.
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => true,
    }
}

fn named(kind: &str) -> &str {
    match kind {
        "boolean" => "true or false",
        "integer" => "a whole number",
        "number" => "a number",
        "string" => "a string",
        "array" => "a list",
        "object" => "a mapping",
        other => other,
    }
}

/// What kind of value it is, without a word of it.
pub(super) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}

/// What a value is, in words: `the number 5`. For fields that are known: only there is it sure that the
/// words were meant for us.
pub(super) fn found(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(truth) => truth.to_string(),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) => format!("the string {}", quoted(text)),
        Value::Array(_) | Value::Object(_) => kind_of(value).to_owned(),
    }
}

/// How `value` is written where text is meant; what it says only where that was surely meant for us.
pub(super) fn as_one_text(value: &Value, for_us: bool) -> Option<String> {
    match value {
        Value::String(_) | Value::Object(_) => None,
        Value::Null => {
            Some("write \"\" for an empty text, and a word such as null or ~ in quotes".to_owned())
        }
        Value::Number(_) | Value::Bool(_) => Some(format!("put it in quotes: \"{value}\"")),
        Value::Array(_) if !for_us => Some("write it as one text".to_owned()),
        Value::Array(items) => {
            let items: Option<Vec<String>> = items.iter().take(NAME).map(|v| Some(Text::of(v)?.0)).collect();
            let text = Some(items?.join(", ")).filter(|text| text.chars().nth(NAME).is_none());
            let text = text.map(|text| format!(": {}", in_yaml(&text))).unwrap_or_default();
            Some(format!("write it as one text{text}"))
        }
    }
}

fn write_instead(types: &[&str], value: &Value) -> Option<String> {
    let wants = |kind: &str| types.contains(&kind);
    let instead = match value {
        Value::String(text) if wants("boolean") => {
            return match text.to_ascii_lowercase().as_str() {
                "yes" | "on" | "y" | "true" => Some("write true".to_owned()),
                "no" | "off" | "n" | "false" => Some("write false".to_owned()),
                _ => None,
            };
        }
        // In quotes, or not as a number is printed.
        Value::String(text) => core(&text.replace('_', "")),
        Value::Number(number) if wants("integer") => Value::Number(number.clone()),
        _ => return if wants("string") { as_one_text(value, true) } else { None },
    };
    let number = instead.as_number()?;
    let whole = number.as_f64().filter(|n| n.fract() == 0.0 && n.abs() < 1e15).map(|n| format!("{n}"));
    let number = if number.is_f64() && !wants("number") { whole? } else { number.to_string() };
    let quotes = if value.as_str() == Some(number.as_str()) { " without quotes" } else { "" };
    (wants("integer") || wants("number")).then(|| format!("write {number}{quotes}"))
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
#[path = "shape_tests.rs"]
mod tests;
