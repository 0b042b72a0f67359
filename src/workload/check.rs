//! From the user's words to legal values, for what every kind with a container has. Pure; says all problems at once.

use super::catalog::{Catalog, reference};
use super::schedule::Schedule;
use super::spec::{DeletionPolicySpec, PortWord, ResourcesSpec, RestartPolicySpec, RotationSpec};
use crate::core::image_ref::ImageReference;
use crate::core::names::annotation;
use crate::core::path;
use crate::core::problem::Problem;
use crate::core::quantity::{Bytes, NanoCpus};
use crate::core::resource::{Caps, DeletionPolicy, Document, PortRequest};
use crate::core::seen::Host;
use crate::core::text::{NAME, quoted, shown};
use crate::manifest::scalar::Text;
use crate::manifest::suggest::nearest;
use crate::workload::spec::{PortSpec, Size};
use serde_json::Value;
use std::collections::BTreeSet;

/// The field of the managed user's password, as values are sealed for it.
pub const PASSWORD: &str = "password";
/// More problems of one object help nobody.
const MAX_PROBLEMS: usize = 100;

/// What is wanted of a container with its volume; every field is legal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    pub image: ImageReference,
    pub caps: Caps,
    pub force_caps: bool,
    pub port: PortRequest,
    pub stopped: bool,
    pub deletion: DeletionPolicy,
    pub restart_automatically: bool,
    pub paused: bool,
    pub delete_confirmed: bool,
    /// Containers that may use the volume beside the server.
    pub volume_users: BTreeSet<String>,
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

/// The shared fields of a spec, as they were written.
pub struct Written<'a> {
    pub version: Option<&'a Text>,
    pub image: Option<&'a Text>,
    pub size: Option<Size>,
    pub resources: &'a ResourcesSpec,
    pub port: &'a PortSpec,
    pub stopped: bool,
    pub deletion_policy: DeletionPolicySpec,
    pub restart_policy: RestartPolicySpec,
}

/// What differs between kinds in the rules for these fields.
pub struct Rules {
    /// The server's name in words.
    pub server: &'static str,
    /// The least memory with which it starts.
    pub min_memory: u64,
    /// An image reference to show.
    pub example: &'static str,
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

/// The legal values of these fields; `None` when there is no image. Problems go into `found`.
pub fn check(
    written: &Written<'_>,
    rules: &Rules,
    against: &Against<'_>,
    found: &mut Found<'_>,
) -> Option<Checked> {
    let image = image(written, rules, against.catalog, found);
    let caps = caps(written, rules, against, found);
    let port = match *written.port {
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
    annotated(found);
    let metadata = &found.document.metadata;
    let annotations = &metadata.annotations;
    Some(Checked {
        image: image?,
        caps,
        force_caps: written.resources.force,
        port,
        stopped: written.stopped,
        deletion: match written.deletion_policy {
            DeletionPolicySpec::Retain => DeletionPolicy::Retain,
            DeletionPolicySpec::Delete => DeletionPolicy::Delete,
        },
        restart_automatically: written.restart_policy == RestartPolicySpec::Auto,
        paused: metadata.is_paused(),
        delete_confirmed: metadata.confirms_deletion(),
        volume_users: annotations
            .get(annotation::VOLUME_USERS)
            .map(|list| list.split(',').map(|s| s.trim().to_owned()).filter(|s| !s.is_empty()).collect())
            .unwrap_or_default(),
        at_once: usize::from(against.catalog.max_concurrent()),
    })
}

/// When the password of a service's own user is rotated by itself; `given`: the manifest names that password.
pub fn rotation(spec: Option<&RotationSpec>, given: bool, found: &mut Found<'_>) -> Option<Schedule> {
    let spec = spec?;
    if given {
        found.add(
            "spec.rotation",
            "the password is the one that spec.password names, which only you change: take out one of the two",
        );
    }
    Schedule::check(Some(&spec.every), spec.window.as_ref(), spec.time_zone.as_ref(), found)
}

/// A consent, or a word that holds everything back, must not be lost by a slip.
pub fn annotated(found: &mut Found<'_>) {
    let document = found.document;
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

/// What is wrong with a document, as it is found.
pub struct Found<'a> {
    pub document: &'a Document,
    pub problems: Vec<Problem>,
    /// Where that lies which is looked at; `spec` where it is the whole.
    root: String,
}

impl<'a> Found<'a> {
    #[must_use]
    pub fn new(document: &'a Document) -> Self {
        Self { document, problems: Vec::new(), root: "spec".to_owned() }
    }

    /// Of a part of the spec that is judged by itself: what is said of `spec.image` is meant of `ROOT.image`.
    #[must_use]
    pub fn below(document: &'a Document, root: &str) -> Self {
        Self { root: root.to_owned(), ..Self::new(document) }
    }

    fn path(&self, path: &str) -> String {
        path.strip_prefix("spec").map_or_else(|| path.to_owned(), |rest| format!("{}{rest}", self.root))
    }

    /// More are not taken.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.problems.len() >= MAX_PROBLEMS
    }

    pub fn add(&mut self, path: &str, what: impl Into<String>) {
        if self.problems.len() < MAX_PROBLEMS {
            let path = self.path(path);
            self.problems.push(Problem::new(self.document.place_of(&path), path, what));
        }
    }
}

/// `None` when a problem was added.
fn image(
    spec: &Written<'_>,
    rules: &Rules,
    catalog: &Catalog,
    found: &mut Found<'_>,
) -> Option<ImageReference> {
    match (spec.version, spec.image) {
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
        (None, Some(Text(image))) => match reference(image, rules.example) {
            Ok(image) => Some(image),
            Err((what, nearest)) => {
                let path = found.path("spec.image");
                let place = found.document.place_of(&path);
                found.problems.push(Problem::new(place, path, what).nearest(nearest));
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

/// The caps that a spec asks for, as far as they are legal.
#[must_use]
pub fn caps_of(spec: &Value) -> Caps {
    let text = |field: &str| spec.pointer(field).and_then(Text::of).map(|Text(text)| text);
    let size = spec.get("size").and_then(|size| serde_json::from_value(size.clone()).ok());
    let preset = preset(size);
    let bytes = |field: &str| Bytes::parse(&text(field)?).ok();
    Caps {
        memory: bytes("/resources/memory").or(preset.memory),
        swap: bytes("/resources/swap").filter(|swap| swap.0 > 0),
        cpus: text("/resources/cpus").and_then(|cpus| NanoCpus::parse(&cpus).ok()).or(preset.cpus),
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

fn caps(spec: &Written<'_>, rules: &Rules, against: &Against<'_>, found: &mut Found<'_>) -> Caps {
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
        if memory.0 < rules.min_memory {
            found.add(
                "spec.resources.memory",
                format!(
                    "{memory} is too little for {} to start; at least {}",
                    rules.server,
                    Bytes(rules.min_memory)
                ),
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
