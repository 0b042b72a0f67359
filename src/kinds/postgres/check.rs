//! From the user's words to a spec with no illegal value. Pure; reports all problems at once.

use super::client::statements::monitor::ROLE as MONITOR_ROLE;
use super::parameters::judge::{refusal, unwritable};
use super::parameters::limits;
use super::parameters::settings::Known;
use super::spec::PostgresSpec;
use crate::core::names::{Kind, annotation};
use crate::core::path;
use crate::core::problem::Problem;
use crate::core::quantity::Bytes;
use crate::core::resource::Document;
use crate::core::text::{NAME, shown};
use crate::kinds::Context;
use crate::manifest::scalar::Text;
use crate::manifest::secret::{SecretPlace, SecretSource};
use crate::workload;
use crate::workload::check::{Against, Found, PASSWORD, Rules, Written, rotation};
use crate::workload::schedule::Schedule;
use std::collections::BTreeMap;

/// With less PostgreSQL does not start.
pub const MIN_MEMORY: u64 = 64 * Bytes::MI;

/// PostgreSQL has some 400, extensions a few each. Each unknown one is compared with all known ones.
const MAX_PARAMETERS: usize = 1000;

/// A Postgres whose every field is legal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    pub work: workload::Checked,
    pub database: String,
    pub username: String,
    /// Where the managed user's password comes from; `None`: it is generated.
    pub password: Option<SecretSource>,
    /// When it is rotated by itself.
    pub schedule: Option<Schedule>,
    pub parameters: BTreeMap<String, String>,
    /// No trial start: what it would need is not in an empty cluster.
    pub skip_trial: bool,
    /// The system identifier of other data that the user says is this object's now.
    pub accept_cluster: Option<String>,
    pub accept_collation_change: bool,
}

const RULES: Rules = Rules {
    server: "PostgreSQL",
    // The least that Docker accepts (6 MiB) is far below what it needs to start.
    min_memory: MIN_MEMORY,
    example: "postgres:17-alpine",
};

/// Checks one document whose shape already follows the schema.
///
/// # Errors
/// With every problem found, each at its own place.
pub fn check(document: &Document, context: &Context<'_>) -> Result<Checked, Vec<Problem>> {
    let spec: PostgresSpec = serde_json::from_value(document.spec.clone())
        .map_err(|e| vec![Problem::new(document.place_of("spec"), "spec", shown(&e.to_string(), NAME))])?;
    let catalog = context.catalog(Kind::Postgres);
    let against = Against { catalog, host: context.host, in_force: context.in_force };
    let mut found = Found::new(document);
    let written = Written {
        version: spec.version.as_ref(),
        image: spec.image.as_ref(),
        size: spec.size,
        resources: &spec.resources,
        port: &spec.port,
        stopped: spec.stopped,
        deletion_policy: spec.deletion_policy,
        restart_policy: spec.restart_policy,
    };
    let work = workload::check::check(&written, &RULES, &against, &mut found);
    identifier("spec.database", &spec.database.0, &["template0", "template1"], &mut found);
    identifier("spec.username", &spec.username.0, &["public", "none"], &mut found);
    if spec.username.0 == MONITOR_ROLE {
        found.add(
            "spec.username",
            "is the role that Seawall reads the server's health with; choose another name",
        );
    }
    if let Some(what) = not_for_initdb(&spec.username.0) {
        found.add("spec.username", what);
    }
    if spec.username.0.starts_with("pg_") {
        found.add("spec.username", "names that start with pg_ are reserved by PostgreSQL");
    }
    let password = spec.password.as_ref().and_then(|written| {
        let source = written.source(&SecretPlace::new(&document.object, PASSWORD));
        source.map_err(|(field, why)| found.add(&format!("spec.{PASSWORD}.{field}"), why)).ok()
    });
    let schedule = rotation(spec.rotation.as_ref(), spec.password.is_some(), &mut found);
    let image = work.as_ref().map(|work| &work.image);
    let known = Known::of(spec.version.as_ref().map(|version| version.0.as_str()), image);
    let parameters = parameters(&spec, known, context.in_force, &mut found);
    let Some(work) = work.filter(|_| found.problems.is_empty()) else { return Err(found.problems) };
    let annotations = &document.metadata.annotations;
    Ok(Checked {
        work,
        database: spec.database.0,
        username: spec.username.0,
        password,
        schedule,
        parameters,
        skip_trial: annotations.get(annotation::SKIP_TRIAL).is_some_and(|v| v == "true"),
        accept_cluster: annotations.get(annotation::ACCEPT_CLUSTER).cloned(),
        accept_collation_change: spec.accept_collation_change,
    })
}

/// By their names in lower case: PostgreSQL does not tell `Work_Mem` from `work_mem`.
fn parameters(
    spec: &PostgresSpec,
    known: Known,
    in_force: bool,
    found: &mut Found<'_>,
) -> BTreeMap<String, String> {
    let (before, mut parameters) = (found.problems.len(), BTreeMap::new());
    if !in_force && spec.parameters.len() > MAX_PARAMETERS {
        let words = format!("has {} parameters; at most {MAX_PARAMETERS} are allowed", spec.parameters.len());
        found.add("spec.parameters", words);
        return parameters;
    }
    for (name, Text(value)) in &spec.parameters {
        if found.is_full() {
            return parameters;
        }
        let lower = name.to_ascii_lowercase();
        let why = if in_force { unwritable(&lower, value) } else { refusal(known, &lower, value) };
        if let Some(why) = why {
            found.add(&path::field("spec.parameters", name), why);
        } else if parameters.insert(lower, value.clone()).is_some() {
            found.add(&path::field("spec.parameters", name), "set twice (names are case-insensitive)");
        }
    }
    // Only sums of what is legal mean anything.
    if !in_force
        && found.problems.len() == before
        && let Some((name, why)) = limits::too_many(known, &parameters)
    {
        found.add(&path::field("spec.parameters", written(spec, name)), why);
    }
    parameters
}

/// The name of a parameter as the manifest has it.
fn written<'a>(spec: &'a PostgresSpec, name: &'a str) -> &'a str {
    spec.parameters.keys().find(|key| key.eq_ignore_ascii_case(name)).map_or(name, String::as_str)
}

/// What is likely to end badly with a spec that is legal, at its place.
#[must_use]
pub fn warnings(document: &Document, checked: &Checked) -> Vec<Problem> {
    let Ok(spec) = serde_json::from_value::<PostgresSpec>(document.spec.clone()) else { return Vec::new() };
    let found = limits::warning(&checked.parameters, &checked.work.caps);
    found
        .map(|(name, what)| {
            let path = path::field("spec.parameters", written(&spec, name));
            Problem::new(document.place_of(&path), path, what)
        })
        .into_iter()
        .collect()
}

/// Why initdb cannot make a superuser of this name: it puts the name into SQL of its own, unquoted, and
/// replaces some words in it. It fails late, and prints the statement with the password.
fn not_for_initdb(username: &str) -> Option<String> {
    if let Some(c) = username.chars().find(|c| matches!(c, '"' | '\'' | '$' | '\\')) {
        return Some(format!(
            "contains {c}: initdb cannot make such a user; choose another name here, and create that user with SQL"
        ));
    }
    let replaced =
        ["ENCODING", "LC_COLLATE", "LC_CTYPE", "DATLOCALE", "ICU_LOCALE", "ICU_RULES", "LOCALE_PROVIDER"];
    let word = replaced.into_iter().find(|word| username.contains(word))?;
    Some(format!("contains {word}, which initdb replaces; write it in lower case"))
}

fn identifier(path: &str, value: &str, reserved: &[&str], found: &mut Found<'_>) {
    if value.is_empty() {
        found.add(path, "must not be empty");
    } else if value.len() > 63 {
        found.add(path, format!("has {} bytes; PostgreSQL identifiers have at most 63", value.len()));
    } else if value.chars().any(|c| c.is_control() || c == '/') {
        found.add(path, "contains a control character or a slash");
    } else if reserved.contains(&value) {
        found.add(path, format!("{value:?} is reserved by PostgreSQL"));
    }
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
