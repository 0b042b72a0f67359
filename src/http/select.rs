//! Which objects of a list are meant, in kubectl's words: label selectors, field selectors, pages. Pure.

use crate::control::api::ObjectView;
use crate::core::condition::{ConditionType, Truth};
use crate::core::names::ObjectRef;
use crate::core::text::quoted;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeMap;
use std::str::FromStr;

/// `team=shop,tier!=test,region in (eu,us),owner,!old`: all of it is true of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels(Vec<(String, Wants)>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Wants {
    In(Vec<String>),
    /// Also without the label.
    NotIn(Vec<String>),
    There,
    Absent,
}

impl FromStr for Labels {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        parts(text).into_iter().map(|part| label(part.trim())).collect::<Result<_, _>>().map(Self)
    }
}

/// Between commas that stand in no parentheses.
fn parts(text: &str) -> Vec<&str> {
    let mut inside = false;
    let between = text.split(move |c| {
        inside = if inside { c != ')' } else { c == '(' };
        c == ',' && !inside
    });
    between.filter(|part| !part.trim().is_empty()).collect()
}

fn label(part: &str) -> Result<(String, Wants), String> {
    let (key, wants) = if let Some(key) = part.strip_prefix('!') {
        (key, Wants::Absent)
    } else if let Some((key, value)) = part.split_once("!=") {
        (key, Wants::NotIn(vec![value.trim().to_owned()]))
    } else if let Some((key, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
        (key, Wants::In(vec![value.trim().to_owned()]))
    } else if let Some((head, values)) = part.strip_suffix(')').and_then(|part| part.split_once('(')) {
        let values = values.split(',').map(|value| value.trim().to_owned()).collect();
        match head.trim().rsplit_once(char::is_whitespace) {
            Some((key, "in")) => (key, Wants::In(values)),
            Some((key, "notin")) => (key, Wants::NotIn(values)),
            _ => ("", Wants::There),
        }
    } else {
        (part, Wants::There)
    };
    let key = key.trim();
    let values = match &wants {
        Wants::In(values) | Wants::NotIn(values) => values.as_slice(),
        Wants::There | Wants::Absent => &[],
    };
    let odd = |word: &str| word.contains(|c: char| c.is_whitespace() || "()!=,".contains(c));
    if key.is_empty() || odd(key) || values.iter().any(|value| odd(value)) {
        let words = "write team=shop, team!=shop, team in (a,b), team notin (a,b), team or !team";
        return Err(format!("{} selects no labels: {words}", quoted(part)));
    }
    Ok((key.to_owned(), wants))
}

impl Labels {
    #[must_use]
    pub fn select(&self, object: &impl Selectable) -> bool {
        self.0.iter().all(|(key, wants)| {
            let value = object.labels().get(key);
            match wants {
                Wants::In(values) => value.is_some_and(|value| values.contains(value)),
                Wants::NotIn(values) => value.is_none_or(|value| !values.contains(value)),
                Wants::There => value.is_some(),
                Wants::Absent => value.is_none(),
            }
        })
    }
}

/// `metadata.name=main,status.conditions.Ready!=True`: all of it is true of an object.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Fields(Vec<(Field, bool)>);

#[derive(Debug, PartialEq, Eq)]
enum Field {
    Name(String),
    Condition(ConditionType, Truth),
}

const CONDITION: &str = "status.conditions.";

impl FromStr for Fields {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        parts(text).into_iter().map(|part| field(part.trim())).collect::<Result<_, _>>().map(Self)
    }
}

fn field(part: &str) -> Result<(Field, bool), String> {
    let equal = part.split_once("==").or_else(|| part.split_once('='));
    let (name, value, is) = match (part.split_once("!="), equal) {
        (Some((name, value)), _) => (name.trim(), value.trim(), false),
        (None, Some((name, value))) => (name.trim(), value.trim(), true),
        (None, None) => return Err(format!("{} compares nothing: write metadata.name=main", quoted(part))),
    };
    if name == "metadata.name" {
        return Ok((Field::Name(value.to_owned()), is));
    }
    let Some(kind) = name.strip_prefix(CONDITION) else {
        let words =
            "there are metadata.name and status.conditions.TYPE, such as status.conditions.Ready=True";
        return Err(format!("{} is no field to select by: {words}", quoted(name)));
    };
    Ok((Field::Condition(word(name, kind)?, word(name, value)?), is))
}

/// One of a closed set of words; the error lists them.
fn word<T: DeserializeOwned>(name: &str, word: &str) -> Result<T, String> {
    serde_json::from_value(Value::from(word)).map_err(|e| format!("{}: {e}", quoted(name)))
}

impl Fields {
    #[must_use]
    pub fn select(&self, object: &impl Selectable) -> bool {
        self.0.iter().all(|(field, is)| is_so(field, object) == *is)
    }
}

fn is_so(field: &Field, object: &impl Selectable) -> bool {
    match field {
        Field::Name(name) => object.name() == name,
        Field::Condition(kind, truth) => object.is(*kind, *truth),
    }
}

/// What can be selected.
pub trait Selectable {
    fn name(&self) -> &str;
    fn labels(&self) -> &BTreeMap<String, String>;
    /// What nobody has looked at yet is not known.
    fn is(&self, kind: ConditionType, truth: Truth) -> bool;
}

impl Selectable for ObjectView {
    fn name(&self) -> &str {
        &self.metadata.name
    }
    fn labels(&self) -> &BTreeMap<String, String> {
        &self.metadata.labels
    }
    fn is(&self, kind: ConditionType, truth: Truth) -> bool {
        let all = self.status["conditions"].as_array();
        let of = all.and_then(|all| all.iter().find(|condition| condition["type"] == kind.as_str()));
        let known = of.and_then(|condition| condition["status"].as_str());
        known.unwrap_or(Truth::Unknown.as_str()) == truth.as_str()
    }
}

/// A part of a list that is in the order of its objects.
#[derive(Debug, Default, PartialEq)]
pub struct Page {
    pub items: Vec<ObjectView>,
    /// Where the next page begins: behind this object.
    pub next: Option<String>,
    pub remaining: Option<usize>,
}

/// At most `limit` objects (0: all) behind `after`.
#[must_use]
pub fn page(mut items: Vec<ObjectView>, limit: usize, after: Option<&ObjectRef>) -> Page {
    if let Some(after) = after {
        items.retain(|view| object(view).is_some_and(|object| object > *after));
    }
    if limit == 0 || items.len() <= limit {
        return Page { items, next: None, remaining: None };
    }
    let remaining = Some(items.len() - limit);
    items.truncate(limit);
    let next = items.last().and_then(object).map(|object| object.to_string());
    Page { items, next, remaining }
}

fn object(view: &ObjectView) -> Option<ObjectRef> {
    format!("{}/{}", view.kind, view.metadata.name).parse().ok()
}

#[cfg(test)]
#[path = "select_tests.rs"]
mod tests;
