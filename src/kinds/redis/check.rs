//! From the user's words to a spec with no illegal value. Pure; reports all problems at once.

use super::desired::ADMIN;
use super::parameters::judge;
use super::spec::{EvictionPolicy, Persistence, RedisSpec};
use crate::core::names::Kind;
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

/// A container smaller than this is full before there is any data in it.
const RULES: Rules = Rules { server: "Redis", min_memory: 64 * Bytes::MI, example: "redis:8-bookworm" };

/// A Redis whose every field is legal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    pub work: workload::Checked,
    pub persistence: Persistence,
    pub eviction: EvictionPolicy,
    pub username: String,
    /// Where its password comes from; `None`: it is generated.
    pub password: Option<SecretSource>,
    /// When it is rotated by itself.
    pub schedule: Option<Schedule>,
    /// In their normal form.
    pub parameters: BTreeMap<String, String>,
}

/// Checks one document whose shape already follows the schema.
///
/// # Errors
/// With every problem found, each at its own place.
pub fn check(document: &Document, context: &Context<'_>) -> Result<Checked, Vec<Problem>> {
    let spec: RedisSpec = serde_json::from_value(document.spec.clone())
        .map_err(|e| vec![Problem::new(document.place_of("spec"), "spec", shown(&e.to_string(), NAME))])?;
    let against =
        Against { catalog: context.catalog(Kind::Redis), host: context.host, in_force: context.in_force };
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
    if let Some(why) = no_username(&spec.username.0) {
        found.add("spec.username", why);
    }
    let password = spec.password.as_ref().and_then(|written| {
        let source = written.source(&SecretPlace::new(&document.object, PASSWORD));
        source.map_err(|(field, why)| found.add(&format!("spec.{PASSWORD}.{field}"), why)).ok()
    });
    let schedule = rotation(spec.rotation.as_ref(), spec.password.is_some(), &mut found);
    let parameters = parameters(&spec, context.in_force, &mut found);
    let Some(work) = work.filter(|_| found.problems.is_empty()) else { return Err(found.problems) };
    let (persistence, eviction, username) = (spec.persistence, spec.eviction_policy, spec.username.0);
    Ok(Checked { work, persistence, eviction, username, password, schedule, parameters })
}

/// One word of the users' file, and none of those that have a meaning.
pub fn no_username(name: &str) -> Option<String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    match name {
        "default" => Some("\"default\" is the user of whoever gives no name; it is off".to_owned()),
        ADMIN => Some(format!("{ADMIN:?} is the user that Seawall itself logs in as")),
        _ if name.is_empty() || name.len() > 63 || !name.chars().all(legal) => {
            Some("a user's name is 1 to 63 letters, digits, dashes, dots and underscores".to_owned())
        }
        _ => None,
    }
}

/// By their names in lower case, as Redis reads them. What is in force was legal once.
fn parameters(spec: &RedisSpec, in_force: bool, found: &mut Found<'_>) -> BTreeMap<String, String> {
    let mut parameters = BTreeMap::new();
    for (name, Text(value)) in &spec.parameters {
        if found.is_full() {
            break;
        }
        let lower = name.to_ascii_lowercase();
        match judge(&lower, value, spec.image.is_some(), spec.persistence) {
            Err(why) if !in_force => found.add(&path::field("spec.parameters", name), why),
            judged => {
                if parameters.insert(lower, judged.unwrap_or_else(|_| value.clone())).is_some() {
                    let why = "set twice (names are case-insensitive)";
                    found.add(&path::field("spec.parameters", name), why);
                }
            }
        }
    }
    parameters
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
