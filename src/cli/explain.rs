//! Fields of a kind as `kubectl explain` shows them, by its JSON Schema. Pure.

use crate::manifest::suggest::hint;
use serde_json::{Map, Value};
use std::fmt::Write as _;

/// Fields within fields that are shown with `--recursive`, and references that are followed: a schema may refer to itself.
const DEPTH: usize = 8;
const WIDTH: usize = 76;

/// What a field may be, without references and null.
type Forms<'a> = Vec<&'a Map<String, Value>>;

/// The page of the field at `path` below the kind; empty: the kind itself.
///
/// # Errors
/// Which part of the path is no field, and which is near.
pub fn explain(schema: &Value, kind: &str, path: &[&str], recursive: bool) -> Result<String, String> {
    let mut at = schema;
    let mut said = kind.to_owned();
    for part in path {
        let fields = fields(schema, at);
        let Some((_, field)) = fields.iter().find(|(name, _)| name == part) else {
            let names: Vec<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
            return Err(match names.is_empty() {
                true => format!("{said} has no fields"),
                false => format!("{said} has no field {part:?}: {}", hint(part, &names)),
            });
        };
        at = field;
        let _ = write!(said, ".{part}");
    }
    let text = |pointer: &str| schema.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let mut page =
        format!("KIND:       {}\nVERSION:    {}\n\n", text("/title"), text("/properties/apiVersion/const"));
    if let Some(name) = path.last() {
        let _ = writeln!(page, "FIELD: {name} <{}>", types(schema, at, 0));
        let values = values(schema, at);
        if !values.is_empty() {
            page += "ENUM:\n";
            values.iter().for_each(|value| page += &format!("    {value}\n"));
        }
        page.push('\n');
    }
    page += "DESCRIPTION:\n";
    page += &wrapped(&description(schema, at), 4);
    let fields = fields(schema, at);
    if !fields.is_empty() {
        page += "\nFIELDS:\n";
        list(&mut page, schema, at, recursive, 1);
    }
    Ok(page)
}

fn list(page: &mut String, schema: &Value, at: &Value, recursive: bool, depth: usize) {
    let required = required(schema, at);
    for (name, field) in fields(schema, at) {
        let must = if required.contains(&name.as_str()) { " -required-" } else { "" };
        let _ = writeln!(page, "{:width$}{name}\t<{}>{must}", "", types(schema, field, 0), width = depth * 2);
        if recursive {
            if depth < DEPTH {
                list(page, schema, field, true, depth + 1);
            }
        } else {
            *page += &wrapped(&description(schema, field), 4);
            page.push('\n');
        }
    }
}

fn forms<'a>(schema: &'a Value, at: &'a Value, depth: usize) -> Forms<'a> {
    let Some(map) = at.as_object().filter(|_| depth < DEPTH) else { return Vec::new() };
    if let Some(to) = map.get("$ref").and_then(Value::as_str) {
        let found = to.strip_prefix('#').and_then(|pointer| schema.pointer(pointer));
        return found.map(|found| forms(schema, found, depth + 1)).unwrap_or_default();
    }
    for several in ["anyOf", "oneOf", "allOf"] {
        if let Some(all) = map.get(several).and_then(Value::as_array) {
            return all.iter().flat_map(|one| forms(schema, one, depth + 1)).collect();
        }
    }
    if map.get("type").is_some_and(|of| of == "null") { Vec::new() } else { vec![map] }
}

/// The forms that have fields; of a list or a map those of what it is of, as there is no name for one of these.
fn holders<'a>(schema: &'a Value, at: &'a Value) -> Forms<'a> {
    let (mut all, mut left, mut inner) = (Vec::new(), forms(schema, at, 0), 0);
    while let Some(form) = left.pop() {
        if form.contains_key("properties") {
            all.push(form);
        } else if inner < DEPTH {
            inner += 1;
            let of = form.get("items").or_else(|| form.get("additionalProperties"));
            left.extend(of.into_iter().flat_map(|of| forms(schema, of, 0)));
        }
    }
    all
}

fn fields<'a>(schema: &'a Value, at: &'a Value) -> Vec<(&'a String, &'a Value)> {
    let mut all: Vec<(&String, &Value)> = Vec::new();
    let holders = holders(schema, at);
    for (name, field) in holders.iter().filter_map(|form| form.get("properties")?.as_object()).flatten() {
        if !all.iter().any(|(known, _)| *known == name) {
            all.push((name, field));
        }
    }
    all
}

fn required<'a>(schema: &'a Value, at: &'a Value) -> Vec<&'a str> {
    let holders = holders(schema, at);
    let lists = holders.into_iter().filter_map(|form| form.get("required")?.as_array());
    lists.flatten().filter_map(Value::as_str).collect()
}

fn types(schema: &Value, at: &Value, depth: usize) -> String {
    let mut all: Vec<String> = Vec::new();
    for form in forms(schema, at, 0) {
        let words = match form.get("type") {
            Some(Value::String(one)) => vec![one.as_str()],
            Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
            _ => vec!["string"],
        };
        let inner = |field: &str| {
            let of = form.get(field).filter(|of| of.is_object() && depth < DEPTH);
            of.map(|of| types(schema, of, depth + 1))
        };
        for word in words.into_iter().filter(|word| *word != "null") {
            let word = match word {
                "array" => format!("[]{}", inner("items").unwrap_or_default()),
                "object" if form.contains_key("properties") => "Object".to_owned(),
                "object" => inner("additionalProperties")
                    .map_or_else(|| "Object".to_owned(), |of| format!("map[string]{of}")),
                other => other.to_owned(),
            };
            if !all.contains(&word) {
                all.push(word);
            }
        }
    }
    all.join("|")
}

fn values(schema: &Value, at: &Value) -> Vec<String> {
    let told = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut all = Vec::new();
    for form in forms(schema, at, 0) {
        let several = form.get("enum").and_then(Value::as_array).into_iter().flatten();
        all.extend(several.chain(form.get("const")).map(told));
    }
    all
}

fn description(schema: &Value, at: &Value) -> String {
    let own = at.get("description").and_then(Value::as_str);
    let forms = forms(schema, at, 0);
    let mut others = forms.iter().filter_map(|form| form.get("description")?.as_str());
    own.or_else(|| others.next()).unwrap_or("<none>").to_owned()
}

fn wrapped(text: &str, indent: usize) -> String {
    let mut page = String::new();
    for line in text.lines() {
        let mut row = String::new();
        for word in line.split_whitespace() {
            if !row.is_empty() && indent + row.chars().count() + 1 + word.chars().count() > WIDTH {
                let _ = writeln!(page, "{:indent$}{row}", "");
                row.clear();
            }
            if !row.is_empty() {
                row.push(' ');
            }
            row += word;
        }
        let _ = writeln!(page, "{}", format!("{:indent$}{row}", "").trim_end());
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn schema() -> Value {
        json!({
            "title": "Thing", "description": "A thing.", "type": "object", "required": ["spec"],
            "properties": {
                "apiVersion": {"const": "seawall.dev/v1", "description": "The version."},
                "spec": {"anyOf": [{"$ref": "#/definitions/Spec"}, {"type": "null"}], "description": "What is wanted."},
            },
            "definitions": {
                "Spec": {"type": "object", "properties": {
                    "size": {"enum": ["small", "large"], "description": "How large it is."},
                    "users": {"type": "array", "items": {"$ref": "#/definitions/User"}},
                    "words": {"type": "object", "additionalProperties": {"type": ["string", "number", "null"]}},
                    "itself": {"$ref": "#/definitions/Spec"},
                }},
                "User": {"type": "object", "required": ["name"], "description": "One of them.",
                    "properties": {"name": {"type": "string", "description": "Who."}}},
            },
        })
    }

    #[test]
    fn a_page_is_laid_out_as_kubectls() {
        let page = explain(&schema(), "thing", &["spec", "users"], false).unwrap();
        let want = "KIND:       Thing\nVERSION:    seawall.dev/v1\n\nFIELD: users <[]Object>\n\nDESCRIPTION:\n    <none>\n\nFIELDS:\n  name\t<string> -required-\n    Who.\n\n";
        assert_eq!(page, want);
        let page = explain(&schema(), "thing", &["spec", "size"], false).unwrap();
        assert!(
            page.contains(
                "FIELD: size <string>\nENUM:\n    small\n    large\n\nDESCRIPTION:\n    How large it is.\n"
            ),
            "{page}"
        );
        assert!(!page.contains("FIELDS"), "{page}");
    }

    #[test]
    fn all_fields_are_listed_and_what_refers_to_itself_has_an_end() {
        let page = explain(&schema(), "thing", &[], true).unwrap();
        assert!(
            page.starts_with("KIND:       Thing\nVERSION:    seawall.dev/v1\n\nDESCRIPTION:\n    A thing.\n"),
            "{page}"
        );
        assert!(page.contains("\n  spec\t<Object> -required-\n"), "{page}");
        assert!(page.contains("\n    words\t<map[string]string|number>\n"), "{page}");
        assert!(page.contains("\n      name\t<string> -required-\n"), "{page}");
        assert!(page.lines().count() < 100, "{page}");
    }

    #[test]
    fn what_is_no_field_is_said_with_the_nearest() {
        for (path, says) in [
            (&["spce"][..], "thing has no field \"spce\""),
            (&["spec", "siez"], "thing.spec has no field \"siez\""),
            (&["spec", "size", "x"], "thing.spec.size has no fields"),
        ] {
            let error = explain(&schema(), "thing", path, false).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
        assert!(explain(&schema(), "thing", &["spce"], false).unwrap_err().contains("spec"));
    }

    #[test]
    fn long_words_are_wrapped() {
        let text = wrapped(&"word ".repeat(40), 4);
        assert!(text.lines().count() > 2 && text.lines().all(|line| line.len() <= WIDTH), "{text}");
    }
}
