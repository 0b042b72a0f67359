//! The OpenAPI document of the whole API, made of the table of its routes and of the types that they take and give. Pure.

use super::wire::ErrorBody;
use crate::control::registry::{Kinds, schema_files};
use crate::core::access::Permission;
use crate::core::names::MAX_NAME;
use axum::http::Method;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

/// Its file name.
pub const OPENAPI: &str = "openapi.json";

/// The schema of a type.
pub type Of = fn(&mut SchemaGenerator) -> Schema;

pub fn of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// What a request brings.
#[derive(Clone, Copy)]
pub enum Body {
    None,
    Json(Of),
    /// The document of an object.
    Manifest,
    MergePatch,
}

/// What is said of one route.
#[derive(Clone, Copy)]
pub struct Told {
    pub says: &'static str,
    pub query: Option<Of>,
    pub body: Body,
    /// When it works; 404: it is not offered.
    pub status: u16,
    /// `None`: it makes something only where that was not there, and is 200 otherwise.
    pub also: Option<u16>,
    pub media: &'static str,
    /// What it is instead, with `watch=true`.
    pub stream: Option<&'static str>,
    pub gives: Option<Of>,
}

impl Default for Told {
    fn default() -> Self {
        let (query, body, gives) = (None, Body::None, None);
        Self {
            says: "",
            query,
            body,
            status: 200,
            also: None,
            media: "application/json",
            stream: None,
            gives,
        }
    }
}

/// One route.
pub struct Route {
    pub method: Method,
    pub path: &'static str,
    pub needs: Permission,
    pub told: Told,
}

/// Every way in which any request may be refused.
const REFUSALS: [(&str, &str); 10] = [
    ("400", "The request is not valid: `detail` says what"),
    ("401", "No token, or one that opens nothing"),
    ("403", "The token does not allow it"),
    ("404", "There is no such thing"),
    ("409", "Not in a state for it, another version by now, or held by a file: `next` says what to do"),
    ("410", "What it begins from is not known any more"),
    ("413", "The body is too large"),
    ("415", "A patch of another form"),
    ("429", "Too many wrong tokens"),
    ("503", "The engine is away, too much is asked at once, or it took too long"),
];
const DEFINED: &str = "#/components/schemas/";

/// `schemas/openapi.json`.
#[must_use]
pub fn document(routes: &[Route]) -> Value {
    let settings = || {
        SchemaSettings::draft2020_12().with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
        })
    };
    let mut given = settings().for_serialize().into_generator();
    // What is taken and what is given of one type is not the same: what has a default need not be sent.
    let mut taken =
        settings().for_deserialize().with(|settings| settings.inline_subschemas = true).into_generator();
    let problem = of::<ErrorBody>(&mut given);
    let mut paths: Map<String, Value> = Map::new();
    for route in routes {
        let operation = operation(route, &mut taken, &mut given);
        let at = paths.entry(route.path).or_insert_with(|| json!({}));
        at[route.method.as_str().to_lowercase()] = operation;
    }
    let mut schemas = given.take_definitions(true);
    schemas.extend(manifests());
    let refusal = |(status, says): (&str, &str)| {
        let problem =
            json!({"description": says, "content": {"application/problem+json": {"schema": problem}}});
        (status.to_owned(), problem)
    };
    let refusals: Map<String, Value> = REFUSALS.into_iter().map(refusal).collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Seawall",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Managed databases on plain Docker. The same API is on the unix socket, where no token is asked for.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "http://127.0.0.1:7080"}],
        "security": [{"token": []}],
        "tags": [
            {"name": "objects", "description": "Objects as in Kubernetes"},
            {"name": "operator", "description": "The operator, and many objects at once"},
            {"name": "services", "description": "The service API: objects by number"},
        ],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "description": "seawall token create"}},
            "responses": refusals,
            "schemas": schemas,
        },
    })
}

fn operation(route: &Route, taken: &mut SchemaGenerator, given: &mut SchemaGenerator) -> Value {
    let Told { says, query, body, status, also, media, stream, gives } = route.told;
    let mut parameters: Vec<Value> = in_path(route.path).map(|name| in_path_as(name, route.path)).collect();
    if let Some(query) = query {
        parameters.extend(in_query(query(taken).to_value()));
    }
    let mut content = json!({"description": "It worked"});
    if let Some(gives) = gives {
        content["content"] = json!({media: {"schema": gives(given)}});
    } else if media != "application/json" {
        content["content"] = json!({media: {"schema": {"type": "string"}}});
    }
    if let Some(stream) = stream {
        let word = json!({"type": "string"});
        let event = json!({"type": "object", "properties": {"event": word, "id": word, "data": word}});
        content["content"][stream] = json!({"schema": event});
    }
    let mut responses = json!({(status.to_string()): content});
    if let Some(also) = also {
        responses[also.to_string()] = content;
    }
    for (status, _) in REFUSALS {
        responses[status] = json!({"$ref": format!("#/components/responses/{status}")});
    }
    let (tag, _) = parts(route.path);
    let mut operation = json!({
        "operationId": id(&route.method, route.path),
        "summary": says,
        "description": format!("Needs `{}`.", route.needs),
        "tags": [tag],
        "parameters": parameters,
        "responses": responses,
        "x-permission": route.needs.as_str(),
    });
    let sent = match body {
        Body::None => return operation,
        Body::Json(body) => json!({"application/json": {"schema": body(taken)}}),
        Body::Manifest => {
            let manifest = json!({"schema": {"$ref": format!("{DEFINED}Manifest")}});
            json!({"application/json": manifest, "application/yaml": manifest})
        }
        Body::MergePatch => json!({"application/merge-patch+json": {"schema": {"type": "object"}}}),
    };
    let required =
        !matches!(body, Body::Json(_)) || sent.pointer("/application~1json/schema/required").is_some();
    operation["requestBody"] = json!({"required": required, "content": sent});
    operation
}

/// What it is about, and its path below that.
fn parts(path: &str) -> (&'static str, &str) {
    let below = |root| path.strip_prefix(root);
    match (below("/apis/seawall.dev/v1"), below("/api/external-services")) {
        (Some(rest), _) => ("objects", rest),
        (_, Some(rest)) => ("services", rest),
        _ => ("operator", below("/v1").unwrap_or(path)),
    }
}

/// `get_objects_kind_name_status`
fn id(method: &Method, path: &str) -> String {
    let (tag, rest) = parts(path);
    let words = rest.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let words: Vec<&str> = words.collect();
    let method = method.as_str().to_lowercase();
    [&[method.as_str(), tag][..], &words[..]].concat().join("_")
}

fn in_path(path: &'static str) -> impl Iterator<Item = &'static str> {
    path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

fn in_path_as(name: &str, path: &str) -> Value {
    let schema = match name {
        "id" | "project_id" | "member_id" => json!({"type": "integer", "format": "int64", "minimum": 1}),
        "kind" => {
            let mut all: Vec<_> = Kinds::all(None).about().collect();
            // What one connects to comes first.
            all.sort_by_key(|about| about.client.is_none());
            let mut kinds: Vec<&str> = all.iter().map(|about| about.kind.lower()).collect();
            // A list may be of all of them.
            kinds.extend(path.ends_with("{kind}").then_some(super::wire::ALL));
            json!({"type": "string", "enum": kinds})
        }
        "service_type" => {
            let types: Vec<&str> = super::services::all().map(|offered| offered.about.kind.lower()).collect();
            json!({"type": "string", "enum": types})
        }
        "name" | "slug" => {
            json!({"type": "string", "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", "maxLength": MAX_NAME})
        }
        _ => json!({"type": "string", "minLength": 1}),
    };
    let example = match name {
        "id" => json!(2),
        "project_id" | "member_id" => json!(3),
        "verb" => json!("info"),
        "var_name" => json!("DATABASE_URL"),
        "name" | "slug" => json!("main"),
        // The first of all.
        _ => schema["enum"].as_array().and_then(|all| all.first().cloned()).unwrap_or_default(),
    };
    json!({"name": name, "in": "path", "required": true, "schema": schema, "example": example})
}

fn in_query(mut query: Value) -> Vec<Value> {
    let required: Vec<String> =
        query.get("required").and_then(|all| serde_json::from_value(all.clone()).ok()).unwrap_or_default();
    let Some(Value::Object(fields)) = query.get_mut("properties").map(Value::take) else { return Vec::new() };
    let each = fields.into_iter().map(|(name, mut schema)| {
        let says = schema.as_object_mut().and_then(|schema| schema.shift_remove("description"));
        // What is not said is left out: nobody writes `null` there.
        if let Some(types) = schema.get_mut("type").and_then(Value::as_array_mut) {
            types.retain(|of| of != "null");
        }
        if let Some(any) = schema.get_mut("anyOf").and_then(Value::as_array_mut) {
            any.retain(|of| of["type"] != "null");
        }
        let mut parameter =
            json!({"name": name, "in": "query", "required": required.contains(&name), "schema": schema});
        if let Some(says) = says {
            parameter["description"] = says;
        }
        parameter
    });
    each.collect()
}

/// A document of any kind, with all that it refers to.
fn manifests() -> Map<String, Value> {
    let all = schema_files().remove("all.schema.json").unwrap_or_default();
    let mut manifest: Value = serde_json::from_str(&all).unwrap_or_default();
    let mut schemas = Map::new();
    if let Some(whole) = manifest.as_object_mut() {
        whole.shift_remove("$schema");
        if let Some(Value::Object(definitions)) = whole.shift_remove("definitions") {
            schemas.extend(definitions);
        }
    }
    schemas.insert("Manifest".to_owned(), manifest);
    schemas.values_mut().for_each(refer);
    schemas
}

/// To where they are here; what only editors show is not needed.
fn refer(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            fields.shift_remove("markdownDescription");
            if let Some(Value::String(to)) = fields.get_mut("$ref") {
                *to = to.replace("#/definitions/", DEFINED);
            }
            fields.values_mut().for_each(refer);
        }
        Value::Array(all) => all.iter_mut().for_each(refer),
        _ => {}
    }
}
