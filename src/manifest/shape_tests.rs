//! What the shape of a spec answers to wrong words.

use super::*;
use crate::manifest::load::{FileText, load_texts};
use crate::manifest::schema::spec_schema;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[allow(dead_code)]
struct Spec {
    version: Option<String>,
    database: String,
    /// With a description of its own.
    resources: Option<Resources>,
    port: Option<Port>,
    size: Option<Size>,
    #[serde(default)]
    policy: Policy,
    #[serde(default)]
    parameters: BTreeMap<String, Scalar>,
    stopped: Option<bool>,
    replicas: Option<u8>,
    list: Option<Vec<Resources>>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct Resources {
    memory: Option<Scalar>,
    swap: Option<String>,
    cpus: Option<f64>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
#[allow(dead_code)]
enum Port {
    Number(u16),
    Word(PortWord),
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(dead_code)]
enum PortWord {
    Auto,
    None,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(dead_code)]
enum Size {
    /// Little.
    Small,
    /// Much.
    Large,
}

#[derive(Deserialize, JsonSchema, Default)]
#[allow(dead_code)]
enum Policy {
    #[default]
    Retain,
    Delete,
}

#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
#[allow(dead_code)]
enum Scalar {
    Text(String),
    Number(f64),
}

fn problems(spec: &str) -> Vec<String> {
    let text =
        format!("apiVersion: seawall.dev/v1\nkind: Postgres\nmetadata: {{name: main}}\nspec:\n{spec}\n");
    let loaded = load_texts(BTreeMap::from([("a.yaml".to_owned(), FileText::Bytes(text.into_bytes()))]));
    assert_eq!(loaded.problems, vec![], "{spec}");
    let schema = spec_schema::<Spec>().to_value();
    check(&schema, &loaded.documents[0]).iter().map(ToString::to_string).collect()
}

#[test]
fn right_specs_have_no_problem() {
    for spec in [
        "  database: app",
        "  {database: app, version: \"18\", size: small, policy: Delete, stopped: true, replicas: 3}",
        "  {database: 007, version: 17.10, stopped: True, parameters: {a: 0444, b: 1e3}}",
        "  {database: app, port: auto}",
        "  {database: app, port: 5432}",
        "  {database: app, resources: , port: , list: [{memory: 5}, {}]}",
        "  {database: app, resources: {memory: 512Mi, swap: 1Gi, cpus: 2}, parameters: {a: 1, b: x, c: 0.5}}",
    ] {
        assert_eq!(problems(spec), Vec::<String>::new(), "{spec}");
    }
}

#[test]
fn wrong_specs_are_told_where_and_what_would_be_right() {
    let d = "  database: app\n";
    for (spec, want) in [
        (
            format!("{d}  resources:\n    memry: 512Mi"),
            "a.yaml:7:5: spec.resources.memry: unknown field \"memry\": did you mean \"memory\"? valid: memory, swap, cpus",
        ),
        (
            format!("{d}  xyzzy:\n    - 1"),
            "a.yaml:6:3: spec.xyzzy: unknown field \"xyzzy\": valid: version, database, resources, port, size, policy, parameters, stopped, replicas, list",
        ),
        (
            format!("{d}  version: 18"),
            "a.yaml:6:12: spec.version: expected a string, found the number 18: put it in quotes: \"18\"",
        ),
        (
            format!("{d}  stopped: yes"),
            "a.yaml:6:12: spec.stopped: expected true or false, found the string \"yes\": write true",
        ),
        (format!("{d}  stopped: [1]"), "a.yaml:6:12: spec.stopped: expected true or false, found a list"),
        (
            format!("{d}  replicas: \"3\""),
            "a.yaml:6:13: spec.replicas: expected a whole number, found the string \"3\": write 3 without quotes",
        ),
        (
            format!("{d}  port: \"5432\""),
            "a.yaml:6:9: spec.port: expected a whole number, found the string \"5432\": write 5432 without quotes",
        ),
        (
            format!("{d}  port: 0x1538"),
            "a.yaml:6:9: spec.port: expected a whole number, found the string \"0x1538\": write 5432",
        ),
        (
            format!("{d}  replicas: 1_0"),
            "a.yaml:6:13: spec.replicas: expected a whole number, found the string \"1_0\": write 10",
        ),
        (
            format!("{d}  replicas: 1e1"),
            "a.yaml:6:13: spec.replicas: expected a whole number, found the string \"1e1\": write 10",
        ),
        (
            format!("{d}  replicas: 1.5"),
            "a.yaml:6:13: spec.replicas: expected a whole number, found the number 1.5",
        ),
        (
            format!("{d}  resources: {{cpus: 1.50}}"),
            "a.yaml:6:21: spec.resources.cpus: expected a number, found the string \"1.50\": write 1.5",
        ),
        (
            format!("{d}  version: [17, 0.10]"),
            "a.yaml:6:12: spec.version: expected a string, found a list: write it as one text: '17, 0.10'",
        ),
        (
            format!("{d}  parameters: {{search_path: [\"$user\", it's]}}"),
            "a.yaml:6:29: spec.parameters.search_path: expected a string or a number, found a list: write it as one text: \"$user, it's\"",
        ),
        (
            format!("{d}  parameters: {{a: [{}]}}", "xxxxxxxxx, ".repeat(6)),
            "a.yaml:6:19: spec.parameters.a: expected a string or a number, found a list: write it as one text",
        ),
        (
            format!("{d}  parameters: {{a: ~}}"),
            "a.yaml:6:19: spec.parameters.a: expected a string or a number, found nothing: write \"\" for an empty text, and a word such as null or ~ in quotes",
        ),
        (
            format!("{d}  stopped: \"true\""),
            "a.yaml:6:12: spec.stopped: expected true or false, found the string \"true\": write true",
        ),
        (
            format!("{d}  replicas: 3.0"),
            "a.yaml:6:13: spec.replicas: expected a whole number, found the number 3.0: write 3",
        ),
        (
            format!("{d}  replicas: 300"),
            "a.yaml:6:13: spec.replicas: 300 is too large: at least 0 and at most 255",
        ),
        (
            format!("{d}  replicas: -1"),
            "a.yaml:6:13: spec.replicas: -1 is too small: at least 0 and at most 255",
        ),
        (
            format!("{d}  port: 70000"),
            "a.yaml:6:9: spec.port: 70000 is too large: at least 0 and at most 65535",
        ),
        (
            format!("{d}  port: atuo"),
            "a.yaml:6:9: spec.port: the string \"atuo\" is no valid value: did you mean \"auto\"? valid: auto, none",
        ),
        (
            format!("{d}  size: Smal"),
            "a.yaml:6:9: spec.size: the string \"Smal\" is no valid value: did you mean \"small\"? valid: small, large",
        ),
        (
            format!("{d}  size: 5"),
            "a.yaml:6:9: spec.size: the number 5 is no valid value: valid: small, large",
        ),
        (
            format!("{d}  policy: retain"),
            "a.yaml:6:11: spec.policy: the string \"retain\" is no valid value: did you mean \"Retain\"? valid: Retain, Delete",
        ),
        (format!("{d}  policy:"), "a.yaml:6:9: spec.policy: a value is missing: valid: Retain, Delete"),
        (format!("{d}  resources: [a]"), "a.yaml:6:14: spec.resources: expected a mapping, found a list"),
        (
            format!("{d}  parameters: {{a.b: [1]}}"),
            "a.yaml:6:21: spec.parameters[\"a.b\"]: expected a string or a number, found a list: write it as one text: '1'",
        ),
        (
            format!("{d}  list: [{{}}, {{swap: 1}}]"),
            "a.yaml:6:21: spec.list[1].swap: expected a string, found the number 1: put it in quotes: \"1\"",
        ),
        ("  version: \"18\"".to_owned(), "a.yaml:4:1: spec.database: is missing"),
        ("  - a".to_owned(), "a.yaml:5:3: spec: expected a mapping, found a list"),
    ] {
        assert_eq!(problems(&spec), vec![want], "{spec}");
    }
}

#[test]
fn all_problems_come_at_once_and_in_the_order_of_the_text() {
    let found = problems("  vesion: \"18\"\n  stopped: on\n  resources: {cpu: 1, swp: 2}");
    let paths: Vec<&str> = found.iter().filter_map(|line| line.split(": ").nth(1)).collect();
    assert_eq!(
        paths,
        ["spec.vesion", "spec.stopped", "spec.resources.cpu", "spec.resources.swp", "spec.database"]
    );
}

#[test]
fn a_schema_that_refers_to_itself_ends() {
    let schema = json!({"$ref": "#/definitions/A", "definitions": {"A": {"$ref": "#/definitions/A"}}});
    let loaded = load_texts(BTreeMap::from([(
        "a.yaml".to_owned(),
        FileText::Bytes(b"{apiVersion: seawall.dev/v1, kind: Postgres, metadata: {name: a}}".to_vec()),
    )]));
    assert_eq!(check(&schema, &loaded.documents[0]), vec![]);
}
