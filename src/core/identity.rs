//! Who an object is: what its things on the engine are called, and by which labels they are its own.
//!
//! A changed name or label is another object; `tests/it/formats.rs` holds them.

use super::member::{Member, Role};
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
    /// The data volume of a member of an object that has this home, or none but its own name.
    #[must_use]
    pub fn data_volume(
        home: Option<&Home>,
        installation: &Installation,
        object: &ObjectRef,
        role: &Role,
    ) -> String {
        data_volume(&Self::volumes(home, installation, object, role))
    }

    fn volumes(home: Option<&Home>, installation: &Installation, object: &ObjectRef, role: &Role) -> String {
        match home {
            Some(home) => role.volumes(&home.base),
            None => role.volumes(&installation.container(object)),
        }
    }

    /// Whether a volume of an object that has this home may be called so.
    #[must_use]
    pub fn may_have(&self, volume: &str) -> bool {
        let rest = volume.strip_prefix(&self.base);
        rest.is_some_and(|rest| rest.starts_with('.') || data_volume(&self.base) == volume)
    }
}

/// Who the object is, beyond its spec; or one of its members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub installation: Installation,
    pub store: String,
    pub object: ObjectRef,
    /// Which of its members is meant, where there are several.
    pub role: Role,
    pub uid: String,
    pub generation: u64,
    /// Where its volumes are, if not under its own name.
    pub home: Option<Home>,
}

impl Identity {
    /// One of several members of the same object.
    #[must_use]
    pub fn member(&self, role: Role) -> Self {
        Self { role, ..self.clone() }
    }

    /// What is kept of it is kept under this.
    #[must_use]
    pub fn member_ref(&self) -> Member {
        Member { object: self.object.clone(), role: self.role.clone() }
    }

    #[must_use]
    pub fn container(&self) -> String {
        self.role.container(&self.installation.container(&self.object))
    }

    fn volumes(&self) -> String {
        Home::volumes(self.home.as_ref(), &self.installation, &self.object, &self.role)
    }

    #[must_use]
    pub fn volume(&self) -> String {
        data_volume(&self.volumes())
    }
    /// The volume for what the image keeps at `path` beside its data.
    #[must_use]
    pub fn extra_volume(&self, path: &str) -> String {
        extra_volume(&self.volumes(), path)
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

    /// The labels by which a container is this one's: with another value, without one of them, or with one where it
    /// has none, it is somebody else's.
    #[must_use]
    pub fn proof(&self) -> [(&'static str, Option<&str>); 5] {
        [
            (label::INSTALLATION, Some(self.installation.as_str())),
            (label::STORE, Some(&self.store)),
            (label::KIND, Some(self.object.kind.as_str())),
            (label::NAME, Some(self.object.name.as_str())),
            (label::ROLE, self.role.label()),
        ]
    }

    /// The same of a volume: its labels are of when it was made, and cannot be changed.
    #[must_use]
    pub fn volume_proof(&self) -> [(&'static str, Option<&str>); 5] {
        let name = self.home.as_ref().map_or(&self.object.name, |home| &home.name);
        self.proof().map(|(key, value)| (key, if key == label::NAME { Some(name.as_str()) } else { value }))
    }

    /// Labels of its own container.
    #[must_use]
    pub fn labels(&self) -> BTreeMap<String, String> {
        self.labelled(self.proof())
    }

    /// Labels of a volume that is made for it.
    #[must_use]
    pub fn volume_labels(&self) -> BTreeMap<String, String> {
        self.labelled(self.volume_proof())
    }

    fn labelled(&self, proof: [(&'static str, Option<&str>); 5]) -> BTreeMap<String, String> {
        let proof = proof.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?.to_owned())));
        let mut labels: BTreeMap<String, String> = proof.collect();
        labels.insert(label::UID.to_owned(), self.uid.clone());
        labels.insert(label::GENERATION.to_owned(), self.generation.to_string());
        if let Some(home) = &self.home {
            labels.insert(label::VOLUMES.to_owned(), home.base.clone());
        }
        labels
    }
}
