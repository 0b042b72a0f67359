//! The frame of every page, and the page of what went wrong.

use super::assets::VERSION;
use super::gate::WORD;
use super::session::Visitor;
use crate::control::api::{ApiError, ErrorCode, ObjectList};
use crate::core::access::Permission;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use maud::{DOCTYPE, Markup, html};

/// Problems and notices of a list that are shown; `seawall validate` shows all.
const SHOWN: usize = 5;
/// htmx without what the policy of the pages forbids: it evaluates nothing, writes no style, keeps nothing in the browser.
const HTMX: &str =
    r#"{"allowEval":false,"includeIndicatorStyles":false,"historyEnabled":false,"historyCacheSize":0}"#;

/// Where one can go from every page, for who may.
const SECTIONS: [(&str, &str, Permission); 4] = [
    ("services", "Services", Permission::ExternalServicesRead),
    ("projects", "Projects", Permission::ExternalServicesRead),
    ("jobs", "Jobs", Permission::ExternalServicesRead),
    ("settings", "Settings", Permission::SettingsManage),
];

/// A page on its way out.
pub struct Page(pub Markup);

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        Html(self.0.into_string()).into_response()
    }
}

/// What a page cannot be made of, with what to do instead.
pub struct Fault(ApiError);

impl From<ApiError> for Fault {
    fn from(error: ApiError) -> Self {
        Self(error)
    }
}

pub type Answer = Result<Page, Fault>;

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let Self(ApiError { code, what, next }) = self;
        let (status, title) = match code {
            ErrorCode::NotFound => (StatusCode::NOT_FOUND, "Not found"),
            ErrorCode::Invalid => (StatusCode::BAD_REQUEST, "Not valid"),
            ErrorCode::Unauthenticated => (StatusCode::UNAUTHORIZED, "Not signed in"),
            ErrorCode::Forbidden => (StatusCode::FORBIDDEN, "Not allowed"),
            ErrorCode::TooManyRequests => (StatusCode::TOO_MANY_REQUESTS, "Too many tries"),
            ErrorCode::Expired => (StatusCode::GONE, "Too old"),
            ErrorCode::Conflict => (StatusCode::CONFLICT, "Not now"),
            ErrorCode::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "Not available"),
            ErrorCode::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "It went wrong here"),
        };
        if code == ErrorCode::Internal {
            tracing::error!(error = what, "a page could not be made");
        }
        let markup = html! {
            h1 { (title) }
            p.wrong { (what) }
            @if !next.is_empty() { p { (next) } }
            p { a href="/services" { "To the services" } }
        };
        (status, bare(title, &markup)).into_response()
    }
}

fn head(title: &str) -> Markup {
    html! {
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            meta name="htmx-config" content=(HTMX);
            title { (title) " · Seawall" }
            link rel="icon" type="image/svg+xml" href={ "/assets/icon.svg?" (VERSION) };
            link rel="stylesheet" href={ "/assets/style.css?" (VERSION) };
            script src={ "/assets/htmx.min.js?" (VERSION) } defer {}
        }
    }
}

/// A page for nobody in particular: one box.
pub fn bare(title: &str, markup: &Markup) -> Page {
    Page(html! {
        (DOCTYPE)
        html lang="en" {
            (head(title))
            body.bare { main.card { p.brand { (mark()) "Seawall" } (markup) } }
        }
    })
}

/// A page for somebody who is signed in. `list`: what concerns no single object is told above it.
pub fn framed(visitor: &Visitor, title: &str, list: Option<&ObjectList>, markup: &Markup) -> Page {
    Page(html! {
        (DOCTYPE)
        html lang="en" {
            (head(title))
            body {
                script src={ "/assets/live.js?" (VERSION) } defer {}
                a.skip href="#main" { "To the content" }
                header {
                    a.brand href="/services" aria-label="Seawall" { (mark()) span { "Seawall" } }
                    nav aria-label="Pages" {
                        @for (section, says, needs) in SECTIONS {
                            @if visitor.caller.may(needs) {
                                a href={ "/" (section) } aria-current=[(*visitor.section == *section).then_some("true")] { (says) }
                            }
                        }
                    }
                    form method="post" action="/sign-out" {
                        span.quiet title="The name of your token" { (visitor.caller.name) }
                        (word(visitor))
                        button.plain { "Sign out" }
                    }
                }
                main #main {
                    @if let Some(said) = visitor.heard() {
                        div.said.(if said.wrong { "bad" } else { "good" }) role="status" {
                            p { (said.what) }
                            @if !said.next.is_empty() { pre tabindex="0" { (said.next) } }
                        }
                    }
                    @if let Some(list) = list { (banners(list)) }
                    (markup)
                }
                footer { "Seawall " (VERSION) " · every change can be made as a file, a command or here" }
            }
        }
    })
}

/// The hidden field that each form has to have.
pub fn word(visitor: &Visitor) -> Markup {
    html! { input type="hidden" name=(WORD) value=(visitor.word); }
}

fn mark() -> Markup {
    html! { img src={ "/assets/icon.svg?" (VERSION) } alt="" width="22" height="22"; }
}

/// As `seawall get` warns.
fn banners(list: &ObjectList) -> Markup {
    let problems = list.problems.len();
    html! {
        @if let Some(words) = &list.engine_down {
            div.said.bad role="alert" { p { strong { "The Docker engine does not answer. " } (words) } }
        }
        @if let Some(words) = &list.guard {
            div.said.warn { p { strong { "Removals are held back. " } (words) } }
        }
        @if problems > 0 {
            details.said.warn {
                summary {
                    strong { (problems) (if problems == 1 { " problem" } else { " problems" }) " in the manifests" }
                    "; the last good versions stay in force"
                }
                ul { @for problem in list.problems.iter().take(SHOWN) { li { code { (problem) } } } }
                @if problems > SHOWN { p.quiet { "All of them: " code { "seawall validate" } } }
            }
        }
        @if !list.notices.is_empty() {
            details.said {
                summary { (list.notices.len()) (if list.notices.len() == 1 { " notice" } else { " notices" }) }
                ul { @for notice in list.notices.iter().take(SHOWN * 4) { li { (notice) } } }
            }
        }
    }
}
