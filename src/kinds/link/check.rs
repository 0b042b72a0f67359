//! From the user's words to a link with no illegal value. Pure; reports all problems at once.

use super::spec::LinkSpec;
use crate::core::desired::stable_hash;
use crate::core::names::{Kind, Name, ObjectRef};
use crate::core::path;
use crate::core::problem::Problem;
use crate::core::resource::Document;
use crate::core::text::{NAME, quoted, shown};
use crate::workload::check::Found;
use std::collections::BTreeSet;

/// Longest name of a database that is made up.
const LONGEST: usize = 63;
/// Longest prefix of variables.
const LONGEST_PREFIX: usize = 40;
/// No service needs more.
const MOST_EXTENSIONS: usize = 100;

/// A Link whose every field is legal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    pub service: ObjectRef,
    pub project: ObjectRef,
    pub environment: Name,
    pub database: String,
    pub prefix: String,
    pub extensions: BTreeSet<String>,
    pub connection_limit: Option<u32>,
    /// `seawall.dev/paused`.
    pub paused: bool,
}

/// The database of an environment, if the manifest names none: `<project>_<environment>`, in lower case, with `_` for `-`. Two
/// pairs of names that would become the same text get a hash each, and so does what had to be cut.
#[must_use]
pub fn database(project: &Name, environment: &Name) -> String {
    let (project, environment) = (project.as_str(), environment.as_str());
    let name = format!("{project}_{environment}").replace('-', "_");
    let is_plain = !project.contains('-') && !environment.contains('-');
    if is_plain && name.len() <= LONGEST {
        return name;
    }
    let hash = &stable_hash(&format!("{project}/{environment}"))[..8];
    // Names of objects are ASCII.
    let start: String = name.chars().take(LONGEST - 1 - hash.len()).collect();
    format!("{start}_{hash}")
}

/// Checks one document whose shape already follows the schema.
///
/// # Errors
/// With every problem found, each at its own place.
pub fn check(document: &Document) -> Result<Checked, Vec<Problem>> {
    let spec: LinkSpec = serde_json::from_value(document.spec.clone())
        .map_err(|e| vec![Problem::new(document.place_of("spec"), "spec", shown(&e.to_string(), NAME))])?;
    let mut found = Found::new(document);
    let service =
        spec.service.0.parse::<ObjectRef>().map_err(|e| found.add("spec.service", e.to_string())).ok();
    let mut name =
        |path: &str, text: &str| Name::parse(text).map_err(|e| found.add(path, e.to_string())).ok();
    let project = name("spec.project", &spec.project.0);
    let environment = name("spec.environment", &spec.environment.0);
    for (index, extension) in spec.extensions.iter().enumerate().take(MOST_EXTENSIONS) {
        if let Some(why) = no_extension(&extension.0) {
            found.add(&path::item("spec.extensions", index), why);
        }
    }
    if spec.extensions.len() > MOST_EXTENSIONS {
        found.add("spec.extensions", format!("at most {MOST_EXTENSIONS} extensions are made"));
    }
    if spec.connection_limit == Some(0) {
        found.add("spec.connectionLimit", "with 0 nobody gets in; leave it out for no limit");
    }
    let kind = service.as_ref().map(|service| service.kind);
    let prefix = match (&spec.prefix, kind) {
        (Some(prefix), _) => prefix.0.clone(),
        (None, kind) => kind.map(Kind::lower).unwrap_or_default().to_uppercase(),
    };
    if let Some(why) = no_prefix(&prefix).filter(|_| service.is_some()) {
        found.add("spec.prefix", why);
    }
    let (Some(service), Some(project), Some(environment)) = (service, project, environment) else {
        return Err(found.problems);
    };
    if !found.problems.is_empty() {
        return Err(found.problems);
    }
    Ok(Checked {
        database: spec.database.map_or_else(|| database(&project, &environment), |database| database.0),
        project: ObjectRef { kind: Kind::Project, name: project },
        service,
        environment,
        prefix,
        extensions: spec.extensions.into_iter().map(|extension| extension.0).collect(),
        connection_limit: spec.connection_limit,
        paused: document.metadata.is_paused(),
    })
}

fn no_extension(name: &str) -> Option<String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    (name.is_empty() || name.len() > LONGEST || !name.chars().all(legal))
        .then(|| format!("{} is not the name of an extension", quoted(name)))
}

fn no_prefix(prefix: &str) -> Option<String> {
    let legal = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    let starts = prefix.chars().next().is_some_and(|c| c.is_ascii_uppercase());
    (!starts || prefix.len() > LONGEST_PREFIX || !prefix.chars().all(legal)).then(|| {
        format!(
            "{} cannot begin the name of a variable: capital letters, digits and underscores, at most {LONGEST_PREFIX}",
            quoted(prefix)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    #[test]
    fn no_two_environments_get_the_same_database() {
        assert_eq!(database(&name("shop"), &name("production")), "shop_production");
        let (one, two) = (database(&name("shop-a"), &name("b")), database(&name("shop"), &name("a-b")));
        assert!(one.starts_with("shop_a_b_") && two.starts_with("shop_a_b_") && one != two, "{one} {two}");
        let long = "p".repeat(40);
        let cut = [database(&name(&long), &name(&long)), database(&name(&long), &name(&"p".repeat(39)))];
        assert!(cut.iter().all(|name| name.len() == 63) && cut[0] != cut[1], "{cut:?}");
        assert_eq!(cut[0], database(&name(&long), &name(&long)), "always the same");
    }
}
