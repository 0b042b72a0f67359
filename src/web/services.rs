//! The list of services, and of what else there is.

use super::layout::{Answer, framed};
use super::parts::{State as How, address, ago, bar, cell, column, or_dash, seen, size};
use super::session::Visitor;
use crate::control::api::{Api, Inside, KindView, MemberUse, ObjectList, ObjectView, TopList};
use crate::control::registry::Kinds;
use crate::core::access::Permission;
use crate::core::names::Kind;
use axum::Extension;
use axum::extract::{Query, State};
use jiff::Timestamp;
use maud::{Markup, html};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// How long the list waits for what is used: the rest of it is there at once.
const USED: Duration = Duration::from_millis(800);

/// Rows of a page: a page of any number of services is a small one.
const ROWS: usize = 80;

#[derive(Deserialize)]
pub struct Paged {
    #[serde(default)]
    page: usize,
}

pub async fn list(
    State(api): State<Arc<dyn Api>>,
    Extension(visitor): Extension<Visitor>,
    Query(Paged { page }): Query<Paged>,
) -> Answer {
    let list = api.objects().await?;
    let used = match list.items.is_empty() {
        true => TopList::default(),
        false => timeout(USED, api.top(None)).await.ok().and_then(Result::ok).unwrap_or_default(),
    };
    let markup = html! {
        div #list hx-get=(at_page(page)) hx-trigger="changed from:body, every 15s" hx-select="#list" hx-swap="outerHTML" {
            (body(&list, &used, visitor.caller.may(Permission::ExternalServicesCreate), page))
        }
    };
    Ok(framed(&visitor, "Services", Some(&list), &markup))
}

fn at_page(page: usize) -> String {
    if page == 0 { "/services".to_owned() } else { format!("/services?page={page}") }
}

fn body(list: &ObjectList, used: &TopList, may_create: bool, page: usize) -> Markup {
    let now = Timestamp::now();
    let (services, others): (Vec<_>, Vec<_>) = list.kinds.iter().partition(|kind| is_service(kind));
    let of = |kind: &KindView| list.items.iter().filter(|view| view.kind == kind.kind).collect::<Vec<_>>();
    let mut services: Vec<(&KindView, &ObjectView)> =
        services.into_iter().flat_map(|kind| of(kind).into_iter().map(move |view| (kind, view))).collect();
    let pages = services.len().div_ceil(ROWS);
    if pages > 1 {
        // What somebody has to care for is on the first.
        services.sort_by_key(|(_, view)| How::of(view).rank());
    }
    let page = page.min(pages.saturating_sub(1));
    let shown = services.iter().skip(page * ROWS).take(ROWS);
    let others: Vec<_> = others
        .into_iter()
        .map(|kind| (kind, of(kind)))
        .filter(|(kind, of)| !of.is_empty() && !has_page(kind))
        .collect();
    html! {
        div.title {
            h1 { "Services" }
            (counts(services.iter().map(|(_, view)| *view)))
            (seen(now))
            @if may_create { a.button.primary href="/create" { "Create a service" } }
        }
        @if services.is_empty() { (nothing(may_create)) } @else { (table(shown, used, now)) }
        @if pages > 1 { (turn(page, pages)) }
        @for (kind, views) in &others { (other(kind, views, now)) }
    }
}

/// Somebody can log in to it.
fn is_service(kind: &KindView) -> bool {
    kind.kind.parse::<Kind>().is_ok_and(|kind| Kinds::all(None).client(kind).is_some())
}

/// Its objects are told of among the projects.
fn has_page(kind: &KindView) -> bool {
    [Kinds::of_links(), Kinds::of_environments()].iter().any(|other| other.as_str() == kind.kind)
}

/// How many are how.
fn counts<'a>(views: impl Iterator<Item = &'a ObjectView>) -> Markup {
    let mut all: BTreeMap<(&'static str, String), usize> = BTreeMap::new();
    for view in views {
        let How { class, word, .. } = How::of(view);
        *all.entry((class, word)).or_default() += 1;
    }
    html! { p.counts { @for ((class, word), count) in &all { span.pill.(class) { (count) " " (word) } " " } } }
}

fn nothing(may_create: bool) -> Markup {
    let all = Kinds::all(None);
    let example = all.about().find(|about| about.client.is_some()).map(|about| about.kind.as_str());
    html! {
        section.card.empty {
            h2 { "No services yet" }
            @if may_create { p { a.button.primary href="/create" { "Create the first one" } } }
            p { "Or commit a manifest to the directory that Seawall watches, and it is here within seconds:" }
            pre tabindex="0" {
                "apiVersion: seawall.dev/v1\nkind: " (example.unwrap_or_default()) "\nmetadata: {name: main}\n"
                "spec: {version: \"18\", resources: {memory: 512Mi}}"
            }
            p.quiet { "Or without a file that stays: " code { "seawall apply -f main.yaml" } "." }
        }
    }
}

fn turn(page: usize, pages: usize) -> Markup {
    html! {
        nav.actions aria-label="Pages of services" {
            @if page > 0 { a.button href=(at_page(page - 1)) { "Before" } }
            span.quiet { "Page " (page + 1) " of " (pages) ", what is not well first" }
            @if page + 1 < pages { a.button href=(at_page(page + 1)) { "Further" } }
        }
    }
}

fn table<'a>(
    services: impl Iterator<Item = &'a (&'a KindView, &'a ObjectView)>,
    used: &TopList,
    now: Timestamp,
) -> Markup {
    html! {
        table.list {
            thead { tr {
                th scope="col" { "Name" } th scope="col" { "State" } th scope="col" { "Version" }
                th scope="col" { "Memory" } th.number scope="col" { "WAL" } th.number scope="col" { "Port" }
                th.number scope="col" { "Age" }
            } }
            tbody { @for (kind, view) in services { (row(kind, view, used, now)) } }
        }
    }
}

fn row(kind: &KindView, view: &ObjectView, used: &TopList, now: Timestamp) -> Markup {
    let how = How::of(view);
    let text = |header| column(kind, header).and_then(|column| cell(view, column));
    let name = super::parts::object_name(view);
    let members = used.items.iter().find(|item| item.object == name).map(|item| item.members.as_slice());
    let inside = view.status.as_object().map(Inside::of).unwrap_or_default();
    html! {
        tr {
            th scope="row" {
                a href=(address(&view.kind, &view.metadata.name)) { (view.metadata.name) }
                span.quiet { (view.kind) }
            }
            td data-label="State" {
                (how.pill())
                @if view.not_saved_since.is_some() { span.quiet { " not saved" } }
                @if let Some(words) = how.words() { p.why { (words) } }
            }
            td data-label="Version" { (or_dash(text("VERSION"))) }
            td data-label="Memory" { (memory(members.and_then(<[MemberUse]>::first), view)) }
            td.number data-label="WAL" { (or_dash(inside.wal_bytes.map(size))) }
            td.number data-label="Port" { (or_dash(text("PORT"))) }
            td.number data-label="Age" { (ago(&view.metadata.creation_timestamp, now)) }
        }
    }
}

/// In use of its limit; the limit alone where what is used is not known.
fn memory(member: Option<&MemberUse>, view: &ObjectView) -> Markup {
    let used = member.and_then(|member| {
        Some((member.memory_usage_bytes?, member.memory_limit_bytes?, member.memory_percent?))
    });
    let limit = super::parts::field(&view.status, "/resources/applied/memory");
    html! {
        @match used {
            Some((bytes, most, percent)) => { (size(bytes)) span.quiet { " / " (size(most)) } (bar(percent)) },
            None => { (or_dash(limit.map(|limit| format!("limit {limit}")))) },
        }
    }
}

/// What is no service, with the columns of its kind.
fn other(kind: &KindView, views: &[&ObjectView], now: Timestamp) -> Markup {
    let columns: Vec<_> = kind.columns.iter().filter(|column| !column.wide).collect();
    html! {
        h2.kind { (kind.kind) " " span.quiet { (views.len()) } }
        table.list {
            thead { tr {
                th scope="col" { "Name" } th scope="col" { "State" }
                @for column in &columns { th scope="col" { (super::parts::sentence(&column.header.to_lowercase())) } }
                th.number scope="col" { "Age" }
            } }
            tbody { @for view in views {
                @let how = How::of(view);
                tr {
                    th scope="row" { a href=(address(&view.kind, &view.metadata.name)) { (view.metadata.name) } }
                    td data-label="State" {
                        @if kind.runs { (how.pill()) } @else { (super::parts::pill("idle", "In force")) }
                        @if let Some(words) = how.words().filter(|_| kind.runs) { p.why { (words) } }
                    }
                    @for column in &columns { td data-label=(super::parts::sentence(&column.header.to_lowercase())) { (or_dash(cell(view, column))) } }
                    td.number data-label="Age" { (ago(&view.metadata.creation_timestamp, now)) }
                }
            } }
        }
    }
}
