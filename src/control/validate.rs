//! `seawall validate`: all problems of a directory at once, without engine or store.

use super::any::Spec;
use super::api::{ApiError, ErrorCode};
use super::registry::Kinds;
use super::sources::{Before, read};
use crate::core::image_ref::ImageReference;
use crate::core::names::ObjectRef;
use crate::core::problem::Problem;
use crate::manifest::load::{Directory, load_dir};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// What a directory of manifests holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Ordered by place.
    pub problems: Vec<Problem>,
    /// What is likely to end badly, though it is legal; of good objects alone.
    pub warnings: Vec<Problem>,
    /// Good objects.
    pub objects: usize,
    pub files: usize,
    /// What good objects run.
    pub images: BTreeSet<ImageReference>,
    /// Of files that are not read and look like manifests.
    pub passed_over: Option<String>,
}

/// # Errors
/// When the directory itself cannot be read.
pub fn validate(dir: &Path) -> Result<Report, ApiError> {
    let loaded = load_dir(dir);
    let unreadable =
        |what: String| Err(ApiError::new(ErrorCode::Invalid, what, "give the directory of the manifests"));
    match &loaded.directory {
        Directory::Missing => return unreadable(format!("there is no directory {}", dir.display())),
        Directory::Unreadable(why) => return unreadable(format!("{} cannot be read: {why}", dir.display())),
        Directory::Present | Directory::Empty => {}
    }
    let kinds = Kinds::all(None);
    let (records, schemas) = (BTreeMap::new(), kinds.spec_schemas());
    let before = Before {
        kinds: &kinds,
        records: &records,
        schemas: &schemas,
        host: None,
        prune_confirmed: None,
        unread: &BTreeMap::new(),
        owned: &BTreeMap::new(),
    };
    let in_force = read(&loaded, &before);
    let of = |(object, spec): (&ObjectRef, &Spec)| {
        let (kind, document) = (kinds.get(object.kind)?, in_force.documents.get(object)?);
        Some(kind.warnings(document, spec))
    };
    let mut warnings: Vec<Problem> = in_force.checked.iter().filter_map(of).flatten().collect();
    warnings.sort();
    let images = in_force.checked.values().flat_map(Spec::each);
    Ok(Report {
        images: images.map(|(_, work)| work.image.clone()).collect(),
        objects: in_force.documents.len(),
        files: loaded.files.len(),
        passed_over: loaded.passed_over(),
        problems: in_force.problems,
        warnings,
    })
}
