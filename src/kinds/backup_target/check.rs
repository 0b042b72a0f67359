//! From the user's words to a BackupTarget with no illegal value. Pure; reports all problems at once.

use super::spec::BackupTargetSpec;
use crate::core::problem::Problem;
use crate::core::resource::Document;
use crate::core::storage::Place;
use crate::core::text::{NAME, shown};
use crate::workload::check::{Found, annotated};
use std::path::{Component, PathBuf};

/// A BackupTarget whose every field is legal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    pub place: Place,
    /// `seawall.dev/paused`.
    pub paused: bool,
}

/// # Errors
/// With every problem found, each at its own place.
pub fn check(document: &Document) -> Result<Checked, Vec<Problem>> {
    let spec: BackupTargetSpec = serde_json::from_value(document.spec.clone())
        .map_err(|e| vec![Problem::new(document.place_of("spec"), "spec", shown(&e.to_string(), NAME))])?;
    let mut found = Found::new(document);
    annotated(&mut found);
    let path = PathBuf::from(&spec.directory.path.0);
    let plain = |step: Component<'_>| matches!(step, Component::RootDir | Component::Normal(_));
    if !path.is_absolute() || path.components().count() < 2 || spec.directory.path.0.contains('\0') {
        found.add("spec.directory.path", "must be absolute, and not / itself: /srv/backups");
    } else if !path.components().all(plain) {
        found.add("spec.directory.path", "must not have .. in it");
    }
    if !found.problems.is_empty() {
        return Err(found.problems);
    }
    Ok(Checked { place: Place::Directory(path), paused: document.metadata.is_paused() })
}
