//! JSON Schemas (draft-07) for editors: what a person may write, with the doc comments as hover text.
//! The same spec schemas are what `shape` checks by, so the two cannot say different things.

use crate::core::names::{API_VERSION, Kind, MAX_NAME};
use crate::manifest::scalar::TEXT;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value, json};

/// What an engine says about its kind.
#[derive(Clone, Debug)]
pub struct KindSchema {
    pub kind: Kind,
    /// Hover text of the whole object.
    pub description: &'static str,
    /// From [`spec_schema`].
    pub spec: Schema,
}

/// The draft-07 schema of a spec type, its `definitions` inside.
#[must_use]
pub fn spec_schema<T: JsonSchema>() -> Schema {
    SchemaSettings::draft07().into_generator().into_root_schema_for::<T>()
}

/// The schema of a whole manifest document of one kind.
#[must_use]
pub fn for_kind(of: &KindSchema) -> Value {
    let mut schema = Map::new();
    schema.insert("$schema".to_owned(), json!("http://json-schema.org/draft-07/schema#"));
    let (object, definitions) = object(of);
    schema.extend(object);
    if !definitions.is_empty() {
        schema.insert("definitions".to_owned(), Value::Object(definitions));
    }
    let mut schema = Value::Object(schema);
    hover(&mut schema);
    schema
}

/// One schema that takes a document of any kind.
#[must_use]
pub fn all(kinds: &[KindSchema]) -> Value {
    let mut one_of = Vec::new();
    let mut definitions = Map::new();
    for of in kinds {
        let (mut object, own) = object(of);
        // Two kinds may call different types the same.
        let own = own.into_iter().map(|(name, schema)| (format!("{}.{name}", of.kind), schema));
        let mut own: Map<String, Value> = own.collect();
        for schema in own.values_mut().chain(object.values_mut()) {
            prefix_references(schema, of.kind.as_str());
        }
        definitions.append(&mut own);
        one_of.push(Value::Object(object));
    }
    let mut schema = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Seawall",
        "description": "Any object of Seawall.",
        "oneOf": one_of,
    });
    if let (Value::Object(fields), false) = (&mut schema, definitions.is_empty()) {
        fields.insert("definitions".to_owned(), Value::Object(definitions));
    }
    hover(&mut schema);
    schema
}

/// As a file: indented, with a newline at the end.
#[must_use]
pub fn render(schema: &Value) -> String {
    format!("{schema:#}\n")
}

/// The schema of an object without its head, and the definitions it refers to.
fn object(of: &KindSchema) -> (Map<String, Value>, Map<String, Value>) {
    let mut spec = of.spec.clone().to_value();
    let mut definitions = Map::new();
    let mut spec_required = false;
    if let Value::Object(fields) = &mut spec {
        fields.remove("$schema");
        fields.remove("title");
        if let Some(Value::Object(inner)) = fields.remove("definitions") {
            definitions = inner;
        }
        spec_required =
            fields.get("required").and_then(Value::as_array).is_some_and(|required| !required.is_empty());
    }
    let mut required = vec!["apiVersion", "kind", "metadata"];
    if spec_required {
        required.push("spec");
    }
    let strings = |description: &str| {
        json!({
            "description": description,
            "type": "object",
            "additionalProperties": {"type": TEXT},
        })
    };
    let mut object = Map::new();
    object.insert("title".to_owned(), json!(of.kind.as_str()));
    object.insert("description".to_owned(), json!(of.description));
    object.insert("type".to_owned(), json!("object"));
    object.insert("required".to_owned(), json!(required));
    object.insert("additionalProperties".to_owned(), json!(false));
    object.insert(
        "properties".to_owned(),
        json!({
            "apiVersion": {"description": "The version of this form.", "const": API_VERSION},
            "kind": {"description": "What kind of object this is.", "const": of.kind.as_str()},
            "metadata": {
                "description": "What the object is called.",
                "type": "object",
                "required": ["name"],
                "additionalProperties": false,
                "properties": {
                    "name": {
                        "description": "The name, once per kind: lower-case letters, digits and '-'.",
                        "type": TEXT,
                        "maxLength": MAX_NAME,
                        "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
                    },
                    "labels": strings("Your own words to find and group objects by."),
                    "annotations": strings("Words to Seawall and to other tools, such as `seawall.dev/paused: \"true\"`."),
                },
            },
            "spec": spec,
        }),
    );
    (object, definitions)
}

/// Editors of the VS Code family show `markdownDescription` formatted, and `description` not.
fn hover(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            // Below `properties` and `definitions` the keys are names, not keywords.
            for (word, inner) in fields.iter_mut() {
                match (word.as_str(), inner) {
                    ("properties" | "definitions", Value::Object(named)) => {
                        named.values_mut().for_each(hover);
                    }
                    ("default" | "const" | "enum" | "examples", _) => {}
                    (_, inner) => hover(inner),
                }
            }
            if let Some(text @ Value::String(_)) = fields.get("description").cloned() {
                fields.insert("markdownDescription".to_owned(), text);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(hover),
        _ => {}
    }
}

fn prefix_references(schema: &mut Value, kind: &str) {
    match schema {
        Value::Object(fields) => {
            for (word, inner) in fields.iter_mut() {
                match inner {
                    Value::String(target) if word == "$ref" => {
                        if let Some(name) = target.strip_prefix("#/definitions/") {
                            *target = format!("#/definitions/{kind}.{name}");
                        }
                    }
                    inner => prefix_references(inner, kind),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| prefix_references(item, kind)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    /// How to run it.
    #[derive(Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields, rename_all = "camelCase")]
    #[allow(dead_code)]
    struct Spec {
        /// Caps of the container.
        resources: Option<Caps>,
        version: String,
    }

    #[derive(Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Caps {
        /// At most so much.
        memory: Option<String>,
    }

    fn kinds() -> Vec<KindSchema> {
        Kind::ALL
            .into_iter()
            .map(|kind| KindSchema { kind, description: "A *thing*.", spec: spec_schema::<Spec>() })
            .collect()
    }

    #[test]
    fn one_kind_is_a_whole_document() {
        let schema = for_kind(kinds().iter().find(|of| of.kind == Kind::Postgres).unwrap());
        assert_eq!(schema["properties"]["kind"]["const"], "Postgres");
        assert_eq!(schema["properties"]["metadata"]["properties"]["name"]["maxLength"], 40);
        assert_eq!(schema["required"], json!(["apiVersion", "kind", "metadata", "spec"]));
        assert_eq!(schema["markdownDescription"], "A *thing*.");
        let memory = &schema["definitions"]["Caps"]["properties"]["memory"];
        assert_eq!(memory["markdownDescription"], "At most so much.");
        // A reference that leads nowhere would make editors accept anything.
        let text = render(&schema);
        assert!(text.contains("#/definitions/Caps") && text.ends_with("}\n"), "{text}");
        let again = kinds().into_iter().find(|of| of.kind == Kind::Postgres).unwrap();
        assert_eq!(text, render(&for_kind(&again)));
    }

    #[test]
    fn all_kinds_keep_their_definitions_apart() {
        let schema = all(&kinds());
        assert_eq!(schema["oneOf"].as_array().map(Vec::len), Some(kinds().len()));
        let mut references = Vec::new();
        collect(&schema, &mut references);
        assert!(!references.is_empty());
        for reference in references {
            assert!(schema.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
        }
    }

    fn collect(value: &Value, into: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                into.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
                fields.values().for_each(|inner| collect(inner, into));
            }
            Value::Array(items) => items.iter().for_each(|inner| collect(inner, into)),
            _ => {}
        }
    }
}
