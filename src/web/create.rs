//! A new service from a form, or any object from a manifest. Either is a text that can as well be committed, and its plan is there to be
//! read first.

use super::gate::{Fields, need};
use super::layout::{Answer, Fault, Page, framed, word};
use super::limits::{looked, tell};
use super::parts::{address, field, sentence, size};
use super::session::Visitor;
use crate::control::api::{Api, ApiError, Applied, ApplyOptions, ErrorCode, ObjectList};
use crate::control::registry::Kinds;
use crate::core::access::Permission;
use crate::core::names::ObjectRef;
use crate::kinds::{About, Form, Parameter, Service};
use axum::Extension;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Fields of both forms: the text of a manifest, or the kind that its own form makes one of.
const DOCUMENT: &str = "document";
const KIND: &str = "kind";
const NAME: &str = "name";
/// Where a version is, of which there are some to choose from.
const VERSION: &str = "/version";
/// What is limited: its field, what it says, an example.
const LIMITS: [(&str, &str, &str); 2] = [("memory", "Memory", "512Mi"), ("cpus", "CPUs", "1.5")];
/// The page that takes any manifest.
const ANY: &str = "manifest";

#[derive(Deserialize)]
pub struct Of {
    #[serde(default)]
    kind: String,
}

/// What the page is for.
enum Way<'a> {
    Form(&'a About, &'static Service),
    Manifest,
}

/// The kinds that have a form, with what it asks for.
fn services() -> Vec<(About, &'static Service)> {
    Kinds::all(None).about().filter_map(|about| Some((about, about.service?))).collect()
}

fn way<'a>(all: &'a [(About, &'static Service)], kind: &str) -> Way<'a> {
    let found = all.iter().find(|(about, _)| about.kind.lower() == kind);
    match found.or_else(|| all.first().filter(|_| kind != ANY)) {
        Some((about, service)) => Way::Form(about, service),
        None => Way::Manifest,
    }
}

pub async fn form(
    State(api): State<Arc<dyn Api>>,
    Extension(visitor): Extension<Visitor>,
    Query(of): Query<Of>,
) -> Answer {
    let list = api.objects().await?;
    let all = services();
    let way = way(&all, &of.kind);
    let mut fields = Fields::new();
    match way {
        Way::Form(..) => {
            fields.insert("memory".to_owned(), "512Mi".to_owned());
        }
        Way::Manifest => {
            fields.insert(DOCUMENT.to_owned(), example(&all));
        }
    }
    Ok(page(&visitor, &all, &way, &list, &fields, None))
}

/// A document that is one of the first kind with a form.
fn example(all: &[(About, &'static Service)]) -> String {
    let Some((about, service)) = all.first() else { return String::new() };
    let version = about.images.first().map_or("", |(version, _)| version);
    let fields = [(NAME, "main"), ("of-version", version), ("memory", "512Mi")];
    let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
    document(about, service, &Fields::from(fields))
}

/// What the form says, as the text of a manifest.
fn document(about: &About, service: &Service, fields: &Fields) -> String {
    let value = |name: &str| fields.get(name).map(|text| text.trim()).filter(|text| !text.is_empty());
    let of = |parameter: &str| value(&format!("of-{parameter}"));
    let mut spec = json!({});
    for parameter in service.parameters.iter().filter(|parameter| parameter.form != Form::Secret) {
        // One of the versions is always chosen: whoever names something else means that.
        let other = parameter.instead_of.filter(|_| parameter.field == VERSION);
        if other.is_some_and(|other| of(other).is_some()) {
            continue;
        }
        let Some(text) = of(parameter.name) else { continue };
        let number = text.parse::<u64>().ok().filter(|_| parameter.form == Form::Number);
        put(&mut spec, parameter.field, number.map_or_else(|| text.into(), Value::from));
    }
    for (name, _, _) in LIMITS {
        if let Some(text) = value(name) {
            put(&mut spec, &format!("/resources/{name}"), text.into());
        }
    }
    let whole = json!({
        "apiVersion": "seawall.dev/v1",
        "kind": about.kind.as_str(),
        "metadata": {"name": value(NAME).unwrap_or_default()},
        "spec": spec,
    });
    serde_yaml::to_string(&whole).unwrap_or_default()
}

/// `pointer`: fields of objects only.
fn put(into: &mut Value, pointer: &str, value: Value) {
    let mut at = into;
    for part in pointer.split('/').skip(1) {
        if !at.is_object() {
            *at = Value::Object(Map::new());
        }
        let Some(fields) = at.as_object_mut() else { return };
        at = fields.entry(part).or_insert(Value::Null);
    }
    *at = value;
}

/// What a kind brings, and what catalogs of this installation add to it.
fn versions(about: &About, list: &ObjectList) -> Vec<String> {
    let mut all: Vec<String> = about.images.iter().map(|(version, _)| (*version).to_owned()).collect();
    let of_it = |value: &Value| field(value, "/engine").as_deref() == Some(about.kind.lower());
    for view in list.items.iter().filter(|view| of_it(&view.spec)) {
        let named = view.spec.get("images").and_then(Value::as_object);
        for version in named.into_iter().flat_map(Map::keys) {
            if !all.contains(version) {
                all.push(version.clone());
            }
        }
    }
    all
}

fn page(
    visitor: &Visitor,
    all: &[(About, &'static Service)],
    way: &Way<'_>,
    list: &ObjectList,
    fields: &Fields,
    outcome: Option<&Result<Applied, ApiError>>,
) -> Page {
    let kind = match way {
        Way::Form(about, _) => about.kind.lower(),
        Way::Manifest => ANY,
    };
    let tab = |of: &str, says: &str| {
        html! { a href={ "/create?kind=" (of) } aria-current=[(of == kind).then_some("page")] { (says) } }
    };
    let markup = html! {
        p.trail { a href="/services" { "Services" } " / New" }
        h1 { "Create a service" }
        nav.tabs aria-label="What is made" {
            @for (about, _) in all { (tab(about.kind.lower(), about.kind.as_str())) }
            (tab(ANY, "Any manifest"))
        }
        div.columns {
            section.card {
                form method="post" action="/create" {
                    (word(visitor))
                    @match way {
                        Way::Form(about, service) => { (asked(about, service, list, fields)) },
                        Way::Manifest => {
                            label for="document" { "Manifest" }
                            textarea #document name=(DOCUMENT) spellcheck="false" { (fields.get(DOCUMENT).map(String::as_str).unwrap_or_default()) }
                            p.quiet { "Every field of a kind: " code { "seawall explain KIND.spec" } }
                        },
                    }
                    div.actions {
                        button.primary name="do" value="plan" { "Show the plan" }
                        @if matches!(outcome, Some(Ok(_))) { button.primary name="do" value="save" { "Create here" } }
                        a.button href="/services" { "Back" }
                    }
                }
            }
            div {
                @if let Some(outcome) = outcome {
                    @if let (Way::Form(about, service), Ok(_)) = (way, outcome) {
                        section.card {
                            h2 { "As a file" }
                            p { "Commit this text instead, and it is made within seconds:" }
                            pre tabindex="0" { (document(about, service, fields)) }
                        }
                    }
                    (looked(outcome))
                } @else {
                    section.card {
                        h2 { "As a file, or here" }
                        p { "The plan comes first, with the text to commit: in the directory that Seawall watches it is made within seconds." }
                        p { "Made here it is kept by Seawall; a file of the same text takes it over at any time." }
                        p.quiet { "A password is made for it and sealed. Its port is on 127.0.0.1 of this host." }
                    }
                }
            }
        }
    };
    framed(visitor, "Create a service", None, &markup)
}

/// The fields of a kind: what most people say, and the rest.
fn asked(about: &About, service: &Service, list: &ObjectList, fields: &Fields) -> Markup {
    let schema = serde_json::to_value((about.spec)()).unwrap_or_default();
    let shown = |parameter: &&Parameter| parameter.form != Form::Secret;
    let (first, more): (Vec<_>, Vec<_>) =
        service.parameters.iter().filter(shown).partition(|p| p.required || p.field == VERSION);
    let filled = |p: &Parameter| fields.get(&format!("of-{}", p.name)).is_some_and(|text| !text.is_empty());
    let value = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
    html! {
        input type="hidden" name=(KIND) value=(about.kind.lower());
        div.fields {
            div {
                label for=(NAME) { "Name" }
                input id=(NAME) name=(NAME) value=(value(NAME)) placeholder="main" autocomplete="off" required;
            }
            @for parameter in &first { (one(parameter, about, &schema, list, fields)) }
            @for (name, says, example) in LIMITS {
                div {
                    label for=(name) { (says) " " span.quiet { "limit" } }
                    input id=(name) name=(name) value=(value(name)) placeholder={ "none, or " (example) };
                    @if name == "memory" && about.least_memory > 0 { p.quiet { "At least " (size(about.least_memory)) } }
                }
            }
        }
        details open[more.iter().any(filled)] {
            summary { "More" }
            div.fields { @for parameter in &more { (one(parameter, about, &schema, list, fields)) } }
        }
    }
}

fn one(parameter: &Parameter, about: &About, schema: &Value, list: &ObjectList, fields: &Fields) -> Markup {
    let id = format!("of-{}", parameter.name);
    let now = fields.get(&id).map(String::as_str).unwrap_or_default();
    let known = schema.pointer(&parameter.field.replace('/', "/properties/"));
    let of = |what: &str| known.and_then(|known| field(known, what));
    let versions = if parameter.field == VERSION { versions(about, list) } else { Vec::new() };
    html! {
        div {
            label for=(id) { (sentence(&parameter.name.replace('_', " "))) @if parameter.fixed { " " span.quiet { "for good" } } }
            @if versions.is_empty() {
                input id=(id) name=(id) value=(now) placeholder=[of("/default").or_else(|| of("/examples/0"))] autocomplete="off";
            } @else {
                select id=(id) name=(id) {
                    @for (at, version) in versions.iter().enumerate() {
                        option value=(version) selected[version == now] { (version) @if at == 0 { " (recommended)" } }
                    }
                }
            }
            @if let Some(text) = of("/description") { p.quiet { (text.split_inclusive('.').next().unwrap_or_default()) } }
        }
    }
}

pub async fn create(
    State(api): State<Arc<dyn Api>>,
    Extension(visitor): Extension<Visitor>,
    Extension(fields): Extension<Fields>,
) -> Result<Response, Fault> {
    // As the API has it: a document may be of what is there.
    need(&visitor.caller, Permission::ExternalServicesWrite)?;
    let all = services();
    let way = match fields.get(DOCUMENT) {
        Some(_) => Way::Manifest,
        None => way(&all, fields.get(KIND).map(String::as_str).unwrap_or_default()),
    };
    let text = match (&way, fields.get(DOCUMENT)) {
        (Way::Form(about, service), _) => document(about, service, &fields),
        // A browser sends lines with both characters.
        (Way::Manifest, Some(text)) => text.replace("\r\n", "\n"),
        (Way::Manifest, None) => {
            return Err(ApiError::new(ErrorCode::Invalid, "the form is empty", "").into());
        }
    };
    let save = fields.get("do").is_some_and(|what| what == "save");
    let options = ApplyOptions { dry_run: !save, create: true, resource_version: None };
    let outcome = api.apply(&text, &options).await;
    match outcome {
        Ok(applied) if save => {
            tell(&visitor, &applied);
            let object: Option<ObjectRef> = applied.object.parse().ok();
            let to = object.map_or("/services".to_owned(), |o| address(o.kind.lower(), o.name.as_str()));
            Ok(Redirect::to(&to).into_response())
        }
        outcome => {
            let list = api.objects().await?;
            Ok(page(&visitor, &all, &way, &list, &fields, Some(&outcome)).into_response())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_the_text_of_a_manifest() {
        let all = services();
        let Way::Form(about, service) = way(&all, "postgres") else { panic!("no form") };
        let fields =
            |list: &[(&str, &str)]| list.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let head = "apiVersion: seawall.dev/v1\nkind: Postgres\nmetadata:\n  name: main\n";
        for (form, want) in [
            (&[("name", " main "), ("of-version", "18")][..], "spec:\n  version: '18'\n"),
            (
                &[("name", "main"), ("of-version", "18"), ("of-docker_image", "postgres:17-alpine")],
                "spec:\n  image: postgres:17-alpine\n",
            ),
            (
                &[
                    ("name", "main"),
                    ("of-max_connections", "50"),
                    ("of-port", "none"),
                    ("of-password", "x"),
                    ("memory", "1Gi"),
                ],
                "spec:\n  port: none\n  parameters:\n    max_connections: 50\n  resources:\n    memory: 1Gi\n",
            ),
        ] {
            assert_eq!(document(about, service, &fields(form)), format!("{head}{want}"));
        }
        assert!(example(&all).starts_with(head));
    }
}
