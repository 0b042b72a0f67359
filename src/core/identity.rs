//! Who an object is: what its things on the engine are called, and by which labels they are its own.
//!
//! A changed name or label is another object; `tests/it/formats.rs` holds them.

use super::names::{Installation, Name, ObjectRef, data_volume, extra_volume, label};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Under which name an object's volumes were made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Home {
    /// How their names begin.
    pub base: String,
    /// The object that their labels name.
    pub name: Name,
}

impl Home {
    /// The data volume of an object that has this home, or none but its own name.
    #[must_use]
    pub fn data_volume(home: Option<&Home>, installation: &Installation, object: &ObjectRef) -> String {
        home.map_or_else(|| installation.volume(object), |home| data_volume(&home.base))
    }
}

/// Who the object is, beyond its spec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub installation: Installation,
    pub store: String,
    pub object: ObjectRef,
    pub uid: String,
    pub generation: u64,
    /// Where its volumes are, if not under its own name.
    pub home: Option<Home>,
}

impl Identity {
    #[must_use]
    pub fn container(&self) -> String {
        self.installation.container(&self.object)
    }
    #[must_use]
    pub fn volume(&self) -> String {
        Home::data_volume(self.home.as_ref(), &self.installation, &self.object)
    }
    /// The volume for what the image keeps at `path` beside its data.
    #[must_use]
    pub fn extra_volume(&self, path: &str) -> String {
        match &self.home {
            Some(home) => extra_volume(&home.base, path),
            None => self.installation.extra_volume(&self.object, path),
        }
    }
    #[must_use]
    pub fn network(&self) -> String {
        self.installation.network()
    }

    /// Labels of the installation's shared objects (the network).
    #[must_use]
    pub fn installation_labels(&self) -> BTreeMap<String, String> {
        BTreeMap::from([
            (label::INSTALLATION.to_owned(), self.installation.to_string()),
            (label::STORE.to_owned(), self.store.clone()),
        ])
    }

    /// The labels by which a container is this object's: with another value, or without one of them, it is
    /// somebody else's.
    #[must_use]
    pub fn proof(&self) -> [(&'static str, &str); 4] {
        [
            (label::INSTALLATION, self.installation.as_str()),
            (label::STORE, &self.store),
            (label::KIND, self.object.kind.as_str()),
            (label::NAME, self.object.name.as_str()),
        ]
    }

    /// The same of a volume: its labels are of when it was made, and cannot be changed.
    #[must_use]
    pub fn volume_proof(&self) -> [(&'static str, &str); 4] {
        let name = self.home.as_ref().map_or(&self.object.name, |home| &home.name);
        self.proof().map(|(key, value)| (key, if key == label::NAME { name.as_str() } else { value }))
    }

    /// Labels of the object's own container.
    #[must_use]
    pub fn labels(&self) -> BTreeMap<String, String> {
        self.labelled(self.proof())
    }

    /// Labels of a volume that is made for it.
    #[must_use]
    pub fn volume_labels(&self) -> BTreeMap<String, String> {
        self.labelled(self.volume_proof())
    }

    fn labelled(&self, proof: [(&'static str, &str); 4]) -> BTreeMap<String, String> {
        let mut labels = BTreeMap::from(proof.map(|(key, value)| (key.to_owned(), value.to_owned())));
        labels.insert(label::UID.to_owned(), self.uid.clone());
        labels.insert(label::GENERATION.to_owned(), self.generation.to_string());
        if let Some(home) = &self.home {
            labels.insert(label::VOLUMES.to_owned(), home.base.clone());
        }
        labels
    }
}
