//! From what a project says of one of its applications to a spec with no illegal value. Pure.

use super::spec::PlacedSpec;
use crate::core::names::{Kind, Name, ObjectRef};
use crate::core::path;
use crate::core::problem::Problem;
use crate::core::resource::{DeletionPolicy, Document, PortRequest};
use crate::core::text::{NAME, shown};
use crate::kinds::Context;
use crate::kinds::app_spec::{self, App, AppSpec};
use crate::workload;
use crate::workload::check::Found;
use std::collections::BTreeSet;

/// An application whose every field is legal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    pub environment: Name,
    /// Those that give it variables.
    pub links: BTreeSet<ObjectRef>,
    pub app: App,
    /// As it was written.
    pub written: AppSpec,
    /// Of each of its containers.
    pub work: workload::Checked,
    project: ObjectRef,
    field: String,
}

/// # Errors
/// With every problem found.
pub fn check(document: &Document, context: &Context<'_>) -> Result<Checked, Vec<Problem>> {
    let spec: PlacedSpec = serde_json::from_value(document.spec.clone())
        .map_err(|e| vec![Problem::new(document.place_of("spec"), "spec", shown(&e.to_string(), NAME))])?;
    let mut found = Found::below(document, "spec.container");
    let name = |text: &str, at: &str, found: &mut Found<'_>| {
        Name::parse(text).map_err(|e| found.add(at, e.to_string())).ok()
    };
    let project = name(&spec.project.0, "project", &mut found);
    let environment = name(&spec.environment.0, "environment", &mut found);
    let mut links = BTreeSet::new();
    for link in &spec.links {
        match link.0.parse::<ObjectRef>() {
            Ok(link) => drop(links.insert(link)),
            Err(e) => found.add("links", e.to_string()),
        }
    }
    let (Some(project), Some(environment)) = (project, environment) else { return Err(found.problems) };
    let project = ObjectRef { kind: Kind::Project, name: project };
    let field = path::field(&format!("environments.{environment}.apps"), &spec.app.0);
    let place = (&project, field.as_str());
    let app = app_spec::check(&spec.container, place, context.host, context.in_force, &mut found);
    let Some(app) = app.filter(|_| found.problems.is_empty()) else { return Err(found.problems) };
    let metadata = &document.metadata;
    let work = workload::Checked {
        image: app.image.clone(),
        caps: app.caps,
        force_caps: app.force_caps,
        port: PortRequest::None,
        stopped: false,
        deletion: DeletionPolicy::Retain,
        restart_automatically: true,
        paused: metadata.is_paused(),
        delete_confirmed: false,
        volume_users: BTreeSet::new(),
        at_once: 1,
    };
    Ok(Checked { environment, links, app, written: spec.container, work, project, field })
}

impl Checked {
    /// Who makes it.
    #[must_use]
    pub fn project(&self) -> &ObjectRef {
        &self.project
    }

    /// What is written, as an application of this one's place: one that was legal once.
    #[must_use]
    pub fn again(&self, document: &Document, written: &AppSpec) -> Option<App> {
        let mut found = Found::new(document);
        app_spec::check(written, (&self.project, &self.field), None, true, &mut found)
    }
}
