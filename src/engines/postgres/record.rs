//! What Seawall must remember about one Postgres because it can be seen nowhere else.

use super::collation::Libraries;
use super::hardening::Profile;
use crate::core::identity::Home;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Kept in the store, in the object's record. Every field may be missing in an older record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Memory {
    /// The host port; kept for good once chosen.
    pub port: Option<u16>,
    /// The image that containers are made from until the manifest names another reference.
    pub image: Option<PinnedImage>,
    /// PostgreSQL major of the data on the volume, once a server ran on it.
    pub data_major: Option<u32>,
    /// The volume was made by us and no server ran on it yet: there is no need to look what lies there.
    pub volume_fresh: bool,
    /// Fixed by initdb: who the data belongs to and which database came first.
    pub init_username: Option<String>,
    pub init_database: Option<String>,
    /// Databases that were seen in a Ready server: never made again, empty, behind the user's back.
    pub seen_databases: BTreeSet<String>,
    /// A login worked at least once: the volume holds somebody's data.
    pub ever_ready: bool,
    /// Container whose password file was emptied after initdb.
    pub password_emptied_in: Option<String>,
    /// Which password is in force; grows with each reset.
    pub password_generation: u64,
    /// RFC 3339
    pub password_rotated_at: String,
    /// What `profile` was before it had names (0, 1, 2); in force while there is none.
    pub hardening_level: u8,
    /// Ports that were free when chosen and taken when the container started.
    pub refused_ports: BTreeSet<u16>,
    /// SHA-256 of the parameter file that was last written: another one in the container was edited
    /// there, an outdated one means that the manifest changed.
    pub written_parameters: Option<String>,
    /// SHA-256 of the parameter file that the server refused, with its words: not tried again.
    pub refused_parameters: Option<RefusedParameters>,
    /// The parameter file that a Ready server last ran with in full: what it keeps when a newer one is refused.
    pub proven_parameters: Option<String>,
    /// The last of them that a start or its trial was seen to survive: what it goes back to when it does not start.
    pub started_parameters: Option<String>,
    /// SHA-256 of the parameter file that last passed a trial start.
    pub tried_parameters: Option<String>,
    /// The start (its time) of a server that took its present file over by a reload, without a trial: nobody has
    /// seen a start with that file.
    pub reloaded_untried: Option<String>,
    /// The image with which no server came up although one did with the image before.
    pub refused_image: Option<RefusedImage>,
    /// The start (its time) of a server that nobody could log into when it was told to read its file again.
    pub reloaded_blind: Option<String>,
    /// Restarted because its published port was silent, and it has not answered there since.
    pub port_restarted: bool,
    /// PostgreSQL's own name for the data of this object (`pg_control_system()`), learnt from the first
    /// server that was logged into with the managed database on it. Other data is not this object's.
    pub system_identifier: Option<String>,
    /// The last `seawall restart` that was answered: requests are never cleared, so that none is lost.
    pub restarted_for: Option<String>,
    /// Container in which the role's password was last set again, as SCRAM: one that asks for MD5 after
    /// that is not helped by doing it once more.
    pub verifier_set_in: Option<String>,
    /// What sorted the text of this data when a server last ran on it, and which of it some database
    /// goes by (as in [`super::collation::Collations`]).
    pub libraries: Option<Libraries>,
    pub collation_providers: Option<String>,
    /// Text was sorted by others before: what its columns name is asked for until no index is left to build again.
    pub order_changed: bool,
    /// With which privilege the container is made; see [`Memory::profile`].
    pub profile: Option<Profile>,
    /// Profiles with which the image in use did not start here.
    pub refused_profiles: BTreeSet<Profile>,
    /// The start (container and time) in which the data was made, until the server was seen after another
    /// one: before that nobody knows whether it starts again. Empty as well where that is known already.
    pub first_start: Option<String>,
    /// Volumes beside that of the data, by the path where the image wants them. They are kept and mounted
    /// for good, also when a later image does not ask for them.
    pub volumes: BTreeMap<String, String>,
    /// The id of this object's container, from the moment it was made: labels alone prove nothing.
    pub container: Option<String>,
    /// The image whose own CMD is kept; containers of earlier versions replaced it, and stay as they are.
    pub command_of: Option<String>,
    /// The password was laid into a container on an empty volume: what lies there was made by it.
    pub init_began: bool,
    /// What that initialisation said last, when it was found half-made and stopped.
    pub init_failed: Option<String>,
    /// The last `seawall reinitialise` that was answered.
    pub reinitialised_for: Option<String>,
    /// Where in the volume the data lies (`18/docker`; empty: at its root), learnt from a server that runs:
    /// a server that looks elsewhere would make an empty database beside it.
    pub data_path: Option<String>,
    /// Catalog version of the data, learnt from the image that a server runs from.
    pub data_catalog: Option<u32>,
    /// Id of the image that `proven_parameters` were proven with.
    pub proven_image: Option<String>,
    /// The privilege that it had then.
    pub proven_profile: Option<Profile>,
    /// Where its volumes are, if not under its own name: it was renamed, or its name is that of an older one's.
    pub home: Option<Home>,
}

impl Memory {
    /// Nothing was made for the object yet.
    #[must_use]
    pub fn is_untouched(&self) -> bool {
        self.port.is_none()
            && self.image.is_none()
            && self.password_generation == 0
            && self.init_username.is_none()
            && self.data_major.is_none()
            && self.container.is_none()
            && !self.volume_fresh
            && !self.ever_ready
    }

    /// Whether a container that only its labels name would be proven alike, or not, by the one and the other.
    #[must_use]
    pub fn proves_as(&self, other: &Memory) -> bool {
        self.image == other.image && self.volumes == other.volumes
    }

    /// What the object that this one is renamed to knows from then on. Volumes keep the name that they were made
    /// under; the container is gone.
    #[must_use]
    pub fn handed_over(self, home: Home) -> Memory {
        Memory {
            home: Some(self.home.unwrap_or(home)),
            container: None,
            password_emptied_in: None,
            verifier_set_in: None,
            first_start: None,
            restarted_for: None,
            reinitialised_for: None,
            ..self
        }
    }

    /// The volume was removed with consent: a manifest that comes back now starts with an empty one.
    /// `asked`: the wish to make the data anew that this answers, if it is one.
    pub fn forget_data(&mut self, asked: Option<&String>) {
        let old = std::mem::take(self);
        *self = Self {
            port: old.port,
            refused_ports: old.refused_ports,
            password_generation: old.password_generation,
            password_rotated_at: old.password_rotated_at,
            restarted_for: old.restarted_for,
            volumes: old.volumes,
            reinitialised_for: asked.cloned(),
            home: old.home,
            ..Self::default()
        };
    }

    /// A server with the managed database is up in the start of this name. True when this is the proof
    /// that it starts again. `known`: of this image and profile that is known already.
    pub fn saw_start(&mut self, start: &str, known: bool) -> bool {
        if !self.ever_ready {
            self.first_start = (!known).then(|| start.to_owned());
            return false;
        }
        let proven = self.first_start.as_deref().is_some_and(|first| first != start);
        if known || proven {
            self.first_start = None;
        }
        proven
    }

    /// Whether a container of this image has the image's own CMD: one of an earlier version has not, until
    /// it is made from another image.
    #[must_use]
    pub fn keeps_command_of(&self, image: &str) -> bool {
        let in_use = self.image.as_ref().is_some_and(|pinned| pinned.id == image);
        !in_use || self.command_of.as_deref() == Some(image)
    }

    #[must_use]
    pub fn profile(&self) -> Profile {
        self.profile.unwrap_or_else(|| Profile::of_level(self.hardening_level))
    }

    /// The user that the data belongs to: fixed by initdb, the manifest's until then.
    #[must_use]
    pub fn owner<'a>(&'a self, username: &'a str) -> &'a str {
        self.init_username.as_deref().unwrap_or(username)
    }

    /// Whether this server's data is what this object had all along; true until it is known.
    #[must_use]
    pub fn same_cluster(&self, system_identifier: &str) -> bool {
        self.system_identifier.as_deref().is_none_or(|known| known == system_identifier)
    }

    /// Whether the parameters that are known to work are known to work with this image.
    #[must_use]
    pub fn proven_with(&self, image: &str) -> bool {
        self.proven_image.as_deref().is_none_or(|by| by == image)
    }

    /// Whether nobody knows what lies on the volume.
    #[must_use]
    pub fn must_look_at_volume(&self) -> bool {
        let made_by_us = self.init_began && !self.ever_ready;
        self.data_major.is_none() && (!self.volume_fresh || made_by_us)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PinnedImage {
    pub reference: String,
    pub id: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RefusedParameters {
    pub sha256: String,
    pub message: String,
    /// Id of the image whose server refused them: another may take them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
}

/// An image that was given up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedImage {
    pub id: String,
    pub message: String,
    /// Of the manifest: a changed one is tried again.
    pub generation: u64,
}

impl RefusedParameters {
    /// Whether the refusal says anything about servers of this image.
    #[must_use]
    pub fn counts_for(&self, image: &str) -> bool {
        self.image.as_deref().is_none_or(|by| by == image)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_of_an_earlier_version_keeps_the_command_it_has() {
        let pinned = |id: &str| Some(PinnedImage { reference: "x".into(), id: id.into() });
        let record = |image, command_of: Option<&str>| Memory {
            image,
            command_of: command_of.map(str::to_owned),
            ..Memory::default()
        };
        assert!(record(None, None).keeps_command_of("i1"), "a new one");
        assert!(!record(pinned("i1"), None).keeps_command_of("i1"), "an earlier one");
        assert!(record(pinned("i1"), Some("i1")).keeps_command_of("i1"));
        assert!(record(pinned("i1"), None).keeps_command_of("i2"), "made anew in any case");
    }
}
