//! `-o`: yaml, json, name, jsonpath, wide.

use super::jsonpath::Template;
use crate::control::api::ObjectView;
use crate::core::names::{API_VERSION, Kind};
use serde_json::{Value, json};
use std::str::FromStr;

/// How `get` prints.
#[derive(Clone, Debug)]
pub enum Output {
    Wide,
    Yaml,
    Json,
    Name,
    Path(Template),
    Columns(Vec<Custom>),
}

/// A column's header and what stands in it.
pub type Custom = (String, Template);

impl FromStr for Output {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text {
            "wide" => Output::Wide,
            "yaml" => Output::Yaml,
            "json" => Output::Json,
            "name" => Output::Name,
            _ => match (text.strip_prefix("jsonpath="), text.strip_prefix("custom-columns=")) {
                (Some(template), _) => Output::Path(template.parse().map_err(|e| format!("{e}"))?),
                (None, Some(columns)) => {
                    Output::Columns(columns.split(',').map(column).collect::<Result<_, _>>()?)
                }
                (None, None) => {
                    let words =
                        "write wide, yaml, json, name, jsonpath=TEMPLATE or custom-columns=HEADER:PATH,…";
                    return Err(words.to_owned());
                }
            },
        })
    }
}

fn column(text: &str) -> Result<Custom, String> {
    let (header, path) =
        text.split_once(':').ok_or_else(|| format!("{text:?}: write HEADER:.metadata.name"))?;
    let template = if path.starts_with('{') { path.to_owned() } else { format!("{{{path}}}") };
    Ok((header.to_owned(), template.parse().map_err(|e| format!("{e}"))?))
}

/// `postgres/main`.
#[must_use]
pub fn object_name(view: &ObjectView) -> String {
    let kind = view.kind.parse::<Kind>().map_or_else(|_| view.kind.to_lowercase(), |k| k.lower().to_owned());
    format!("{kind}/{}", view.metadata.name)
}

/// Indented JSON with a final line break.
#[must_use]
pub fn json_text(value: &impl serde::Serialize) -> String {
    match serde_json::to_string_pretty(value) {
        Ok(text) => text + "\n",
        Err(e) => format!("# not printable: {e}\n"),
    }
}

/// YAML with a final line break.
#[must_use]
pub fn yaml_text(value: &impl serde::Serialize) -> String {
    serde_yaml::to_string(value).unwrap_or_else(|e| format!("# not printable: {e}\n"))
}

/// One object as itself, several as a `List`.
#[must_use]
pub fn document(items: &[ObjectView], single: bool) -> Value {
    let values: Vec<Value> = items.iter().map(|i| serde_json::to_value(i).unwrap_or(Value::Null)).collect();
    match <[Value; 1]>::try_from(values) {
        Ok([one]) if single => one,
        Ok([one]) => json!({"apiVersion": API_VERSION, "kind": "List", "items": [one]}),
        Err(values) => json!({"apiVersion": API_VERSION, "kind": "List", "items": values}),
    }
}
