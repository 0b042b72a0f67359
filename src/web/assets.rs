//! The files beside the pages, inside of the program: the style sheet, and htmx, which makes parts of a page come anew.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

const STYLE: &str = include_str!("assets/style.css");
/// As it is released (htmx.org 2, licence beside it).
const HTMX: &str = include_str!("assets/htmx.min.js");
/// Has what changes come at once.
const LIVE: &str = include_str!("assets/live.js");
const ICON: &str = include_str!("assets/icon.svg");

/// They say in their addresses which version of the program they are of.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

pub async fn file(Path(name): Path<String>) -> Response {
    let (kind, text) = match name.as_str() {
        "style.css" => ("text/css; charset=utf-8", STYLE),
        "htmx.min.js" => ("text/javascript; charset=utf-8", HTMX),
        "live.js" => ("text/javascript; charset=utf-8", LIVE),
        "icon.svg" => ("image/svg+xml", ICON),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    // An hour: a program of the same version can be another one while it is worked on.
    ([(CONTENT_TYPE, kind), (CACHE_CONTROL, "private, max-age=3600")], text).into_response()
}
