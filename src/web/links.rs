//! Projects with their environments, and what gives variables to each: links, which are made and taken away by forms.

use super::environments;
use super::gate::{Fields, need};
use super::layout::{Answer, Fault, framed, word};
use super::limits::tell;
use super::object::At;
use super::operate::said;
use super::parts::{State as How, address, seen};
use super::session::{Said, Visitor};
use crate::control::api::{Api, ApiError, ApplyOptions, ErrorCode, ManagedBy, ObjectList, ObjectView};
use crate::control::registry::Kinds;
use crate::core::access::Permission;
use crate::core::names::{Name, ObjectRef};
use axum::Extension;
use axum::extract::State;
use axum::response::Redirect;
use jiff::Timestamp;
use maud::{Markup, html};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Choices of a form, and rows of the page of all projects.
const MOST: usize = 100;
/// Rows of a card.
const ROWS: usize = 40;
/// Links of one environment that the page of all projects shows.
const OF_ONE: usize = 5;
/// What a form makes where nothing else is said.
const USUAL: &str = "production";

/// What ties a service to an environment.
struct Tie<'a> {
    view: &'a ObjectView,
    service: ObjectRef,
    of: ObjectRef,
    environment: String,
}

fn ties(list: &ObjectList) -> impl Iterator<Item = Tie<'_>> {
    let all = list.items.iter().filter(|view| view.object().is_some_and(|o| o.kind == Kinds::of_links()));
    all.filter_map(|view| {
        let (service, of, environment) = Kinds::ends_of_link(&view.spec)?;
        Some(Tie { view, service, of, environment })
    })
}

fn names_of(view: &ObjectView) -> impl Iterator<Item = &String> {
    view.spec.get("environments").and_then(Value::as_object).into_iter().flat_map(Map::keys)
}

/// Objects that have environments.
fn with_environments(list: &ObjectList) -> impl Iterator<Item = (ObjectRef, &ObjectView)> {
    let all = list.items.iter().filter_map(|view| Some((view.object()?, view)));
    all.filter(|(object, _)| object.kind == Kinds::of_environments())
}

/// Objects that somebody can be tied to.
fn services(list: &ObjectList) -> impl Iterator<Item = ObjectRef> {
    let kinds: Vec<_> =
        Kinds::all(None).about().filter(|about| about.service.is_some()).map(|about| about.kind).collect();
    list.items.iter().filter_map(ObjectView::object).filter(move |object| kinds.contains(&object.kind))
}

/// Of an object that can be tied to another one: to what it is, and the form for more.
pub fn card(visitor: &Visitor, at: &At, list: &ObjectList) -> Option<Markup> {
    let is_service = services(list).any(|object| object == at.0);
    let has_environments = at.0.kind == Kinds::of_environments();
    if !is_service && !has_environments {
        return None;
    }
    let mine: Vec<Tie<'_>> = ties(list).filter(|tie| tie.service == at.0 || tie.of == at.0).collect();
    Some(html! {
        section.card {
            h2 { (if is_service { "Linked projects" } else { "Linked services" }) }
            div #ties {
                @if mine.is_empty() { p.quiet { "None yet. One gives an environment a database or a user of its own, and variables that hold them." } }
                @else { (table(visitor, at, &mine)) }
            }
            @if may(visitor) { (make_form(visitor, at, list, &mine)) }
        }
    })
}

fn may(visitor: &Visitor) -> bool {
    let may = |permission| visitor.caller.may(permission);
    may(Permission::ExternalServicesCreate) && may(Permission::ExternalServicesWrite)
}

fn table(visitor: &Visitor, at: &At, ties: &[Tie<'_>]) -> Markup {
    html! {
        table.list.small {
            thead { tr { th scope="col" { "With" } th scope="col" { "State" } th scope="col" { "Variables" } th {} } }
            tbody { @for tie in ties.iter().take(ROWS) {
                @let how = How::of(tie.view);
                @let other = if tie.service == at.0 { &tie.of } else { &tie.service };
                tr {
                    th scope="row" { a href=(address(other.kind.lower(), other.name.as_str())) { (other.name) } span.quiet { (other.kind.as_str()) } }
                    td data-label="State" { a href=(page_of(tie.view)) { (how.pill()) } @if let Some(words) = how.words() { p.why { (words) } } }
                    td data-label="Variables" { a href=(environments::address(&At(tie.of.clone()), &tie.environment)) { (tie.environment) } }
                    td { (end(visitor, at, tie)) }
                }
            } }
        }
        @if ties.len() > ROWS { p.quiet { "and " (ties.len() - ROWS) " more: " code { "seawall get all" } } }
    }
}

fn page_of(view: &ObjectView) -> String {
    address(&view.kind, &view.metadata.name)
}

/// What a file holds is taken out of the file.
fn end(visitor: &Visitor, at: &At, tie: &Tie<'_>) -> Markup {
    html! {
        @match tie.view.metadata.managed_by {
            Some(ManagedBy::File) => { "from " code { (tie.view.metadata.source) } },
            Some(ManagedBy::Api) if visitor.caller.may(Permission::ExternalServicesWrite) => {
                form method="post" action="/links/remove" {
                    (word(visitor))
                    input type="hidden" name="at" value=(at.0);
                    button name="name" value=(tie.view.metadata.name) { "Unlink" }
                }
            },
            _ => {},
        }
    }
}

fn make_form(visitor: &Visitor, at: &At, list: &ObjectList, mine: &[Tie<'_>]) -> Markup {
    let has_environments = at.0.kind == Kinds::of_environments();
    // A second one of the same two would need a name of its own.
    let taken = |of: &ObjectRef, name: &str| {
        !has_environments && mine.iter().any(|tie| tie.of == *of && tie.environment == name)
    };
    let here: Vec<_> = with_environments(list)
        .filter(|(object, _)| !has_environments || *object == at.0)
        .flat_map(|(object, view)| names_of(view).map(move |name| (object.clone(), name)))
        .filter(|(object, name)| !taken(object, name))
        .map(|(object, name)| format!("{}/{name}", object.name))
        .take(MOST)
        .collect();
    let all: Vec<_> =
        services(list).filter(|object| has_environments || *object == at.0).take(MOST).collect();
    html! {
        @if here.is_empty() {
            p.quiet { "There is no other environment to link it to: " a href="/projects" { "make a project" } "." }
        } @else if all.is_empty() {
            p.quiet { "There is no service to link it to: " a href="/create" { "create one" } "." }
        } @else {
            form method="post" action="/links" {
                (word(visitor))
                input type="hidden" name="at" value=(at.0);
                div.actions {
                    @if has_environments {
                        select name="service" aria-label="Service" { @for object in &all { option { (object) } } }
                    } @else { input type="hidden" name="service" value=(at.0); }
                    select name="of" aria-label="Environment" { @for of in &here { option { (of) } } }
                    button { (Kinds::of_links().as_str()) }
                }
            }
        }
    }
}

fn invalid(what: impl Into<String>, next: &str) -> Fault {
    ApiError::new(ErrorCode::Invalid, what, next).into()
}

fn text<'a>(fields: &'a Fields, name: &str) -> &'a str {
    fields.get(name).map(|text| text.trim()).unwrap_or_default()
}

/// The page that a form was on.
fn back(fields: &Fields) -> Redirect {
    match text(fields, "at").parse::<ObjectRef>() {
        Ok(object) => Redirect::to(&At(object).address()),
        Err(_) => Redirect::to("/projects"),
    }
}

pub async fn make(
    State(api): State<Arc<dyn Api>>,
    Extension(visitor): Extension<Visitor>,
    Extension(fields): Extension<Fields>,
) -> Result<Redirect, Fault> {
    need(&visitor.caller, Permission::ExternalServicesWrite)?;
    let service: ObjectRef =
        text(&fields, "service").parse().map_err(|e| invalid(format!("the service: {e}"), ""))?;
    let of = text(&fields, "of").split_once('/').ok_or_else(|| invalid("no environment was chosen", ""))?;
    let name = Name::parse(of.0).map_err(|e| invalid(e.to_string(), ""))?;
    let manifest = Kinds::manifest_of_link(&service, (&name, of.1), None, Map::new())
        .map_err(|(why, next)| invalid(why, next))?;
    applied(api.as_ref(), &visitor, &manifest).await;
    Ok(back(&fields))
}

async fn applied(api: &dyn Api, visitor: &Visitor, manifest: &Value) {
    let options = ApplyOptions { create: true, ..ApplyOptions::default() };
    match api.apply(&manifest.to_string(), &options).await {
        Ok(applied) => tell(visitor, &applied),
        Err(ApiError { what, next, .. }) => visitor.say(Said { wrong: true, what, next }),
    }
}

/// What it gave stays where it is; only what no file holds goes by a form.
pub async fn remove(
    State(api): State<Arc<dyn Api>>,
    Extension(visitor): Extension<Visitor>,
    Extension(fields): Extension<Fields>,
) -> Result<Redirect, Fault> {
    let name = Name::parse(text(&fields, "name")).map_err(|e| invalid(e.to_string(), ""))?;
    let object = ObjectRef::new(Kinds::of_links(), name);
    let metadata = api.object(&object).await?.metadata;
    if metadata.managed_by == Some(ManagedBy::Api) {
        said(&visitor, api.delete(&object, "").await);
    } else {
        let (what, next) = (format!("{object} is not held by the API"), metadata.source);
        visitor.say(Said { wrong: true, what, next });
    }
    Ok(back(&fields))
}

pub async fn list(State(api): State<Arc<dyn Api>>, Extension(visitor): Extension<Visitor>) -> Answer {
    let list = api.objects().await?;
    let ties: Vec<Tie<'_>> = ties(&list).collect();
    let there = with_environments(&list).count();
    let mut rows = 0;
    let fits = |(_, view): &(ObjectRef, &ObjectView)| {
        let begins = rows;
        rows += 1 + names_of(view).count();
        begins < MOST
    };
    let all: Vec<_> = with_environments(&list).take_while(fits).collect();
    let markup = html! {
        div.title { h1 { "Projects" } (seen(Timestamp::now())) }
        @for (object, view) in &all { (one(object, view, &ties)) }
        @if there > all.len() { p.quiet { "and " (there - all.len()) " more: " code { "seawall get all" } } }
        section.card.empty {
            @if all.is_empty() {
                h2 { "No projects yet" }
                p { "A project has environments. A service that is linked to one gives it variables: the address, a user and a password of its own." }
            } @else { h2 { "Another project" } }
            @if may(&visitor) {
                form method="post" action="/projects" {
                    (word(&visitor))
                    div.fields {
                        div { label for="name" { "Name" } input #name name="name" placeholder="shop" autocomplete="off" required; }
                        div {
                            label for="environments" { "Environments" }
                            input #environments name="environments" value=(USUAL) autocomplete="off" required;
                            p.quiet { "Several of them with spaces between" }
                        }
                    }
                    div.actions { button.primary { "Create the project" } }
                }
            } @else { p.quiet { "Your token only looks: that needs ExternalServicesCreate." } }
        }
    };
    Ok(framed(&visitor, "Projects", Some(&list), &markup))
}

fn one(object: &ObjectRef, view: &ObjectView, ties: &[Tie<'_>]) -> Markup {
    let how = How::of(view);
    html! {
        section.card {
            h2 { a href=(page_of(view)) { (object.name) } " " (how.pill()) }
            @if let Some(words) = how.words() { p.why { (words) } }
            table.list.small {
                thead { tr { th scope="col" { "Environment" } th scope="col" { "Linked services" } } }
                tbody { @for name in names_of(view).take(MOST) {
                    tr {
                        th scope="row" { a href=(environments::address(&At(object.clone()), name)) { (name) } }
                        td data-label="Services" {
                            @let here: Vec<_> = ties.iter().filter(|tie| tie.of == *object && tie.environment == *name).collect();
                            @if here.is_empty() { span.quiet { "none" } }
                            ul.inline { @for tie in here.iter().take(OF_ONE) {
                                li { a href=(address(tie.service.kind.lower(), tie.service.name.as_str())) { (tie.service) } " " (How::of(tie.view).pill()) }
                            } }
                            @if here.len() > OF_ONE { span.quiet { "and " (here.len() - OF_ONE) " more" } }
                        }
                    }
                } }
            }
        }
    }
}

pub async fn create(
    State(api): State<Arc<dyn Api>>,
    Extension(visitor): Extension<Visitor>,
    Extension(fields): Extension<Fields>,
) -> Result<Redirect, Fault> {
    need(&visitor.caller, Permission::ExternalServicesWrite)?;
    let names = text(&fields, "environments").split([' ', ',']).filter(|name| !name.is_empty());
    let environments: Map<String, Value> = names.map(|name| (name.to_owned(), json!({}))).collect();
    let manifest = json!({
        "apiVersion": "seawall.dev/v1",
        "kind": Kinds::of_environments().as_str(),
        "metadata": {"name": text(&fields, "name")},
        "spec": {"environments": environments},
    });
    applied(api.as_ref(), &visitor, &manifest).await;
    Ok(Redirect::to("/projects"))
}
