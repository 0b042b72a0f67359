//! From the user's words to a Backup with no illegal value. Pure; reports all problems at once.

use super::spec::BackupSpec;
use crate::core::names::{Kind, Name, ObjectRef};
use crate::core::problem::Problem;
use crate::core::resource::Document;
use crate::core::text::{NAME, shown};
use crate::workload::check::{Found, annotated};
use crate::workload::spec::DeletionPolicySpec;

/// A Backup whose every field is legal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    pub service: ObjectRef,
    pub target: ObjectRef,
    pub deletes: bool,
    pub delete_confirmed: bool,
    /// `seawall.dev/paused`.
    pub paused: bool,
}

/// # Errors
/// With every problem found, each at its own place.
pub fn check(document: &Document) -> Result<Checked, Vec<Problem>> {
    let spec: BackupSpec = serde_json::from_value(document.spec.clone())
        .map_err(|e| vec![Problem::new(document.place_of("spec"), "spec", shown(&e.to_string(), NAME))])?;
    let mut found = Found::new(document);
    annotated(&mut found);
    let service = spec.service.0.parse::<ObjectRef>().map_err(|error| {
        found.add("spec.service", format!("{error}; write it as postgres/main"));
    });
    let target = Name::parse(&spec.target.0).map_err(|error| found.add("spec.target", error.to_string()));
    match (service, target) {
        (Ok(service), Ok(target)) if found.problems.is_empty() => Ok(Checked {
            service,
            target: ObjectRef::new(Kind::BackupTarget, target),
            deletes: spec.deletion_policy == DeletionPolicySpec::Delete,
            delete_confirmed: document.metadata.confirms_deletion(),
            paused: document.metadata.is_paused(),
        }),
        _ => Err(found.problems),
    }
}
