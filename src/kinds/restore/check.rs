//! From the user's words to a Restore with no illegal value. Pure; reports all problems at once.

use super::spec::RestoreSpec;
use crate::core::names::{Kind, Name, ObjectRef};
use crate::core::problem::Problem;
use crate::core::resource::Document;
use crate::core::text::{NAME, shown};
use crate::workload::check::{Found, annotated};

/// A Restore whose every field is legal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    pub backup: ObjectRef,
    pub to: ObjectRef,
    /// `seawall.dev/paused`.
    pub paused: bool,
}

/// # Errors
/// With every problem found, each at its own place.
pub fn check(document: &Document) -> Result<Checked, Vec<Problem>> {
    let spec: RestoreSpec = serde_json::from_value(document.spec.clone())
        .map_err(|e| vec![Problem::new(document.place_of("spec"), "spec", shown(&e.to_string(), NAME))])?;
    let mut found = Found::new(document);
    annotated(&mut found);
    let to = spec.to.service.0.parse::<ObjectRef>().map_err(|error| {
        found.add("spec.to.service", format!("{error}; write it as postgres/main-restored"));
    });
    let backup = Name::parse(&spec.from.backup.0);
    let backup = backup.map_err(|error| found.add("spec.from.backup", error.to_string()));
    match (backup, to) {
        (Ok(backup), Ok(to)) if found.problems.is_empty() => {
            let (backup, paused) = (ObjectRef::new(Kind::Backup, backup), document.metadata.is_paused());
            Ok(Checked { backup, to, paused })
        }
        _ => Err(found.problems),
    }
}
