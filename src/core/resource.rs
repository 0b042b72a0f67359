//! The parts of a spec that every engine shares, already parsed.

use crate::core::names::{Name, ObjectRef};
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
    /// Field path (`spec.resources.memory`, `spec.images.18`) → where its value stands.
    pub places: BTreeMap<String, Place>,
}

impl Document {
    /// Where a field stands: its own place, or that of the nearest field above it.
    #[must_use]
    pub fn place_of(&self, path: &str) -> Place {
        let mut path = path;
        loop {
            if let Some(place) = self.places.get(path) {
                return place.clone();
            }
            match path.rfind('.') {
                Some(dot) => path = &path[..dot],
                None => return self.place.clone(),
            }
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
