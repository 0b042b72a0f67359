//! The parts of a spec that every engine shares, already parsed.

use crate::core::names::{Name, ObjectRef, annotation};
use crate::core::places::{FieldAt, Places};
use crate::core::problem::Place;
use crate::core::quantity::{Bytes, NanoCpus};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// `metadata` of an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    pub name: Name,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

impl Metadata {
    /// `seawall.dev/paused` holds everything back.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.annotations.get(annotation::PAUSED).is_some_and(|value| value == "true")
    }

    /// The user agreed by name that the data may go.
    #[must_use]
    pub fn confirms_deletion(&self) -> bool {
        self.annotations.get(annotation::CONFIRM_DELETE).is_some_and(|name| name == self.name.as_str())
    }
}

/// One document of a manifest file whose header and shape are right. `spec` is still the user's
/// words, structurally valid; what it means is checked by its engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    pub object: ObjectRef,
    pub metadata: Metadata,
    /// The `spec` as JSON.
    pub spec: serde_json::Value,
    /// Where the document starts.
    pub place: Place,
    /// Where its fields stand, by path (`spec.resources.memory`, `spec.images.18`, `spec.list[0]`,
    /// `metadata.labels["a.b/c"]`).
    pub places: Places,
}

impl Document {
    /// Where a field's value stands: its own place, or that of the nearest field above it.
    #[must_use]
    pub fn place_of(&self, path: &str) -> Place {
        self.find(path, |at| (at.line, at.column))
    }

    /// Where a field's key stands: the place to point at when the field itself is wrong.
    #[must_use]
    pub fn key_place_of(&self, path: &str) -> Place {
        self.find(path, |at| (at.key_line, at.key_column))
    }

    fn find(&self, path: &str, part: impl Fn(&FieldAt) -> (u32, u32)) -> Place {
        match self.places.nearest(path).as_ref().map(part) {
            Some((line, column)) => {
                Place { file: self.place.file.clone(), line: line as usize, column: column as usize }
            }
            None => self.place.clone(),
        }
    }
}

/// Resource caps of one container; `None` is "no limit" (for swap: no extra swap).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Caps {
    pub memory: Option<Bytes>,
    /// Swap *in addition to* memory. Only meaningful with `memory`.
    pub swap: Option<Bytes>,
    pub cpus: Option<NanoCpus>,
}

/// Which host port a service asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortRequest {
    /// First free from the engine's own port upward, then kept for good.
    Auto,
    Fixed(u16),
    /// Not published on the host.
    None,
}

/// What happens to the data when the manifest goes away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeletionPolicy {
    Retain,
    Delete,
}
