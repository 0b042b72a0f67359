//! From the user's words to a spec with no illegal value. Pure; reports all problems at once.

use super::parameters::judge::{refusal, unwritable};
use super::parameters::limits;
use super::parameters::settings::Known;
use super::spec::{DeletionPolicySpec, PortSpec, PortWord, PostgresSpec, RestartPolicySpec, Size};
use crate::core::image_ref::ImageReference;
use crate::core::names::annotation;
use crate::core::path;
use crate::core::problem::Problem;
use crate::core::quantity::{Bytes, NanoCpus};
use crate::core::resource::{Caps, DeletionPolicy, Document, PortRequest};
use crate::core::seen::Host;
use crate::core::text::{NAME, quoted, shown};
use crate::engines::catalog::{Catalog, reference};
use crate::manifest::scalar::Text;
use crate::manifest::suggest::nearest;
use std::collections::{BTreeMap, BTreeSet};

/// The least that Docker accepts (6 MiB) is far below what PostgreSQL needs to start.
pub const MIN_MEMORY: u64 = 64 * Bytes::MI;

/// More problems of one object help nobody.
const MAX_PROBLEMS: usize = 100;

/// PostgreSQL has some 400, extensions a few each. Each unknown one is compared with all known ones.
const MAX_PARAMETERS: usize = 1000;

/// A Postgres whose every field is legal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    pub image: ImageReference,
    pub database: String,
    pub username: String,
    pub caps: Caps,
    pub force_caps: bool,
    pub port: PortRequest,
    pub parameters: BTreeMap<String, String>,
    pub stopped: bool,
    pub deletion: DeletionPolicy,
    pub restart_automatically: bool,
    pub paused: bool,
    /// No trial start: what it would need is not in an empty cluster.
    pub skip_trial: bool,
    pub delete_confirmed: bool,
    /// The system identifier of other data that the user says is this object's now.
    pub accept_cluster: Option<String>,
    /// Containers that may use the volume beside the server.
    pub volume_users: BTreeSet<String>,
    pub accept_collation_change: bool,
    /// How many databases go to another image at a time, this one among them.
    pub at_once: usize,
}

impl Checked {
    /// The manifest says that the data may go with it, and the user agreed by name.
    #[must_use]
    pub fn given_up(&self) -> bool {
        self.deletion == DeletionPolicy::Delete && self.delete_confirmed
    }
}

/// What a spec is checked against.
pub struct Against<'a> {
    pub catalog: &'a Catalog,
    /// The engine's host, when it is known.
    pub host: Option<Host>,
    /// It is the version in force: what was legal when it came is carried on, so that a rule that came later, or a
    /// smaller host, leaves no server unattended.
    pub in_force: bool,
}

/// Checks one document whose shape already follows the schema.
///
/// # Errors
/// With every problem found, each at its own place.
pub fn check(document: &Document, against: &Against<'_>) -> Result<Checked, Vec<Problem>> {
    let spec: PostgresSpec = serde_json::from_value(document.spec.clone())
        .map_err(|e| vec![Problem::new(document.place_of("spec"), "spec", shown(&e.to_string(), NAME))])?;
    let mut found = Found { document, problems: Vec::new() };
    let image = image(&spec, against.catalog, &mut found);
    identifier("spec.database", &spec.database.0, &["template0", "template1"], &mut found);
    identifier("spec.username", &spec.username.0, &["public", "none"], &mut found);
    if let Some(what) = not_for_initdb(&spec.username.0) {
        found.add("spec.username", what);
    }
    if spec.username.0.starts_with("pg_") {
        found.add("spec.username", "names that start with pg_ are reserved by PostgreSQL");
    }
    let caps = caps(&spec, against, &mut found);
    let port = match spec.port {
        PortSpec::Word(PortWord::Auto) => PortRequest::Auto,
        PortSpec::Word(PortWord::None) => PortRequest::None,
        PortSpec::Number(n) => match u16::try_from(n) {
            Ok(n) if n > 0 => PortRequest::Fixed(n),
            _ => {
                found.add(
                    "spec.port",
                    format!("{n} is no port; write auto, none or a number from 1 to 65535"),
                );
                PortRequest::Auto
            }
        },
    };
    let known = Known::of(spec.version.as_ref().map(|version| version.0.as_str()), image.as_ref());
    let parameters = parameters(&spec, known, against.in_force, &mut found);
    let annotations = &document.metadata.annotations;
    annotated(document, &mut found);
    let Some(image) = image.filter(|_| found.problems.is_empty()) else { return Err(found.problems) };
    Ok(Checked {
        image,
        database: spec.database.0,
        username: spec.username.0,
        caps,
        force_caps: spec.resources.force,
        port,
        parameters,
        stopped: spec.stopped,
        deletion: match spec.deletion_policy {
            DeletionPolicySpec::Retain => DeletionPolicy::Retain,
            DeletionPolicySpec::Delete => DeletionPolicy::Delete,
        },
        restart_automatically: spec.restart_policy == RestartPolicySpec::Auto,
        paused: annotations.get(annotation::PAUSED).is_some_and(|v| v == "true"),
        skip_trial: annotations.get(annotation::SKIP_TRIAL).is_some_and(|v| v == "true"),
        delete_confirmed: annotations
            .get(annotation::CONFIRM_DELETE)
            .is_some_and(|v| v == document.metadata.name.as_str()),
        accept_collation_change: spec.accept_collation_change,
        at_once: usize::from(against.catalog.max_concurrent()),
        accept_cluster: annotations.get(annotation::ACCEPT_CLUSTER).cloned(),
        volume_users: annotations
            .get(annotation::VOLUME_USERS)
            .map(|list| list.split(',').map(|s| s.trim().to_owned()).filter(|s| !s.is_empty()).collect())
            .unwrap_or_default(),
    })
}

/// A consent, or a word that holds everything back, must not be lost by a slip.
fn annotated(document: &Document, found: &mut Found<'_>) {
    for (key, value) in
        document.metadata.annotations.iter().filter(|(k, _)| k.starts_with(annotation::PREFIX))
    {
        let path = path::field("metadata.annotations", key);
        let key = key.as_str();
        if !annotation::ALL.contains(&key) {
            let near =
                nearest(key, annotation::ALL).map(|n| format!("; did you mean {n}?")).unwrap_or_default();
            found.add(&path, format!("{} is no annotation of Seawall{near}", quoted(key)));
        } else if annotation::FLAGS.contains(&key) && !matches!(value.as_str(), "true" | "false") {
            found.add(&path, format!("write \"true\" or \"false\", not {}", quoted(value)));
        } else if key == annotation::CONFIRM_DELETE && value != document.metadata.name.as_str() {
            let name = &document.metadata.name;
            found.add(
                &path,
                format!(
                    "to agree to the deletion of its data write the object's own name, {name}, not {}",
                    quoted(value)
                ),
            );
        }
    }
}

struct Found<'a> {
    document: &'a Document,
    problems: Vec<Problem>,
}

impl Found<'_> {
    fn is_full(&self) -> bool {
        self.problems.len() >= MAX_PROBLEMS
    }
    fn add(&mut self, path: &str, what: impl Into<String>) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(Problem::new(self.document.place_of(path), path, what));
        }
    }
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
    let found = limits::warning(&checked.parameters, &checked.caps);
    found
        .map(|(name, what)| {
            let path = path::field("spec.parameters", written(&spec, name));
            Problem::new(document.place_of(&path), path, what)
        })
        .into_iter()
        .collect()
}

/// `None` when a problem was added.
fn image(spec: &PostgresSpec, catalog: &Catalog, found: &mut Found<'_>) -> Option<ImageReference> {
    match (&spec.version, &spec.image) {
        (Some(_), Some(_)) => {
            found.add("spec.image", "give version or image, not both");
            None
        }
        (None, None) => {
            if !in_doubt(found.document) {
                found
                    .add("spec.version", "is missing: give version (looked up in the ImageCatalog) or image");
            }
            None
        }
        (None, Some(Text(image))) => match reference(image, "postgres:17-alpine") {
            Ok(image) => Some(image),
            Err((what, nearest)) => {
                let place = found.document.place_of("spec.image");
                found.problems.push(Problem::new(place, "spec.image", what).nearest(nearest));
                None
            }
        },
        (Some(version), None) => {
            let image = catalog.image(&version.0).cloned();
            if image.is_none() {
                let versions = catalog.versions();
                let mut known: Vec<String> = versions.iter().take(40).map(|v| shown(v, NAME)).collect();
                if versions.len() > known.len() {
                    known.push("…".to_owned());
                }
                let known = known.join(", ");
                found.add(
                    "spec.version",
                    format!("{} is not in the catalog; it has {known}", quoted(&version.0)),
                );
            }
            image
        }
    }
}

/// Whether version or image was written, wrong or misspelt, and left out of the spec for that: then it is not
/// missing as well.
fn in_doubt(document: &Document) -> bool {
    let left_out = |key: &&str| document.spec.get(key).is_none();
    document.places.keys("spec").filter(left_out).any(|key| nearest(key, ["version", "image"]).is_some())
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

fn preset(size: Option<Size>) -> Caps {
    let caps = |gib: u64, cpus: u64| Caps {
        memory: Some(Bytes(gib * Bytes::GI)),
        swap: None,
        cpus: Some(NanoCpus(cpus * 1_000_000_000)),
    };
    match size {
        None => Caps::default(),
        Some(Size::Small) => caps(1, 1),
        Some(Size::Medium) => caps(2, 2),
        Some(Size::Large) => caps(4, 4),
    }
}

fn caps(spec: &PostgresSpec, against: &Against<'_>, found: &mut Found<'_>) -> Caps {
    let mut caps = preset(spec.size);
    let bytes = |path: &str, value: &Option<Text>, found: &mut Found<'_>| match value {
        None => None,
        Some(Text(text)) => match Bytes::parse(text) {
            Ok(bytes) => Some(bytes),
            Err(e) => {
                found.add(path, e.to_string());
                None
            }
        },
    };
    if let Some(memory) = bytes("spec.resources.memory", &spec.resources.memory, found) {
        if memory.0 < MIN_MEMORY {
            found.add(
                "spec.resources.memory",
                format!("{memory} is too little for PostgreSQL to start; at least {}", Bytes(MIN_MEMORY)),
            );
        }
        caps.memory = Some(memory);
    }
    if let Some(swap) = bytes("spec.resources.swap", &spec.resources.swap, found) {
        if caps.memory.is_none() && spec.resources.memory.is_none() {
            found.add("spec.resources.swap", "swap is extra above memory: give resources.memory too");
        }
        caps.swap = Some(swap).filter(|s| s.0 > 0);
    }
    let mut cpus_path = "spec.resources.cpus";
    match &spec.resources.cpus {
        None => cpus_path = "spec.size",
        Some(Text(text)) => match NanoCpus::parse(text) {
            Ok(cpus) if cpus.0 < 10_000_000 => {
                found.add("spec.resources.cpus", format!("{cpus} is too few; at least 0.01"));
            }
            Ok(cpus) => caps.cpus = Some(cpus),
            Err(e) => found.add("spec.resources.cpus", e.to_string()),
        },
    }
    let Some(host) = against.host else { return caps };
    if let Some(memory) = caps.memory
        && memory.0 > host.memory
        && host.memory > 0
    {
        let all = Bytes(host.memory / Bytes::MI * Bytes::MI);
        if spec.resources.memory.is_none() || against.in_force {
            // As with CPUs below. It stays a cap: swap is counted above one.
            caps.memory = Some(all);
        } else {
            found.add(
                "spec.resources.memory",
                format!("{memory} is more than the {all} of memory that this host has; write {all} or less"),
            );
        }
    }
    if let Some(cpus) = caps.cpus
        && cpus.0 > host.cpus.saturating_mul(1_000_000_000)
    {
        if cpus_path == "spec.size" || against.in_force {
            // A preset asks for "up to": all there are is what it can get.
            caps.cpus = None;
        } else {
            found.add(cpus_path, format!("{cpus} CPUs are more than the {} this host has", host.cpus));
        }
    }
    caps
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
