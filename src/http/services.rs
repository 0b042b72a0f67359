//! The service API of the product brief: what it calls objects, their parameters and their limits. Pure: the routes ask, and
//! these are made of the answers.
//!
//! No kind is named here: what a service type is and takes comes from the kinds ([`Service`]).

pub mod bodies;
pub mod limits;
pub mod parameters;
pub mod ties;
pub mod views;

use super::error::Failure;
use crate::control::api::ErrorCode;
use crate::control::registry::Kinds;
use crate::core::names::Kind;
use crate::kinds::{About, Service};
use std::sync::LazyLock;

static KINDS: LazyLock<Kinds> = LazyLock::new(|| Kinds::all(None));

/// A kind whose objects are services.
#[derive(Clone, Copy)]
pub struct Offered {
    pub about: About,
    pub service: &'static Service,
}

/// All of them.
pub fn all() -> impl Iterator<Item = Offered> {
    KINDS.about().filter_map(|about| Some(Offered { about, service: about.service? }))
}

#[must_use]
pub fn offered(kind: Kind) -> Option<Offered> {
    all().find(|offered| offered.about.kind == kind)
}

/// By the word for it; short forms are taken, as everywhere.
///
/// # Errors
/// `NotFound`, with all that there are.
pub fn of_type(word: &str) -> Result<Offered, Failure> {
    let kind: Option<Kind> = word.parse().ok();
    kind.and_then(offered).ok_or_else(|| {
        let all: Vec<&str> = all().map(|offered| offered.about.kind.lower()).collect();
        let what = format!("there is no service type {}", crate::core::text::quoted(word));
        Failure::new(ErrorCode::NotFound, what, format!("there are {}", all.join(", ")))
    })
}
