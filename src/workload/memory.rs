//! What must be remembered of a container with its volume because it can be seen nowhere else, whatever runs in it.
//!
//! A name of a field outlives a binary: it is in records (`tests/it/formats.rs`).

use super::World;
use super::hardening::Profile;
use super::image::Facts;
use crate::core::identity::Home;
use crate::core::seen::SeenContainer;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Kept in the store, in the object's record, among what its kind remembers. Every field may be missing in an older
/// record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Memory {
    /// The host port; kept for good once chosen.
    pub port: Option<u16>,
    /// The image that containers are made from until the manifest names another reference.
    pub image: Option<PinnedImage>,
    /// The volume was made by us and no server ran on it yet: there is no need to look what lies there.
    pub volume_fresh: bool,
    /// A login worked at least once: the volume holds somebody's data.
    pub ever_ready: bool,
    /// Which password is in force; grows with each reset.
    pub password_generation: u64,
    /// RFC 3339
    pub password_rotated_at: String,
    /// What `profile` was before it had names (0, 1, 2); in force while there is none.
    pub hardening_level: u8,
    /// Ports that were free when chosen and taken when the container started.
    pub refused_ports: BTreeSet<u16>,
    /// The image with which no server came up although one did with the image before.
    pub refused_image: Option<RefusedImage>,
    /// Restarted because its published port was silent, and it has not answered there since.
    pub port_restarted: bool,
    /// The last `seawall restart` that was answered: requests are never cleared, so that none is lost.
    pub restarted_for: Option<String>,
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
    /// The last `seawall reinitialise` that was answered.
    pub reinitialised_for: Option<String>,
    /// Id of the image that a Ready server last ran from.
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
            && self.container.is_none()
            && !self.volume_fresh
            && !self.ever_ready
    }

    /// Somebody was let in by the password. Of one whose record was cut off by a crash, or that an earlier version knew no time
    /// of, the age counts from now.
    pub fn saw_password(&mut self, now: &str) {
        self.password_generation = self.password_generation.max(1);
        if self.password_rotated_at.is_empty() {
            now.clone_into(&mut self.password_rotated_at);
        }
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

    /// A server that serves was seen in the start of this name. True when this is the proof that it starts again.
    /// `known`: of this image and profile that is known already.
    fn saw_start(&mut self, start: &str, known: bool) -> bool {
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

    /// A server was seen to serve in this container: its data is somebody's from now on. `Some`: it proved that it
    /// starts again, with this image and this privilege.
    pub fn saw_server<F: Facts>(&mut self, c: &SeenContainer, world: &World<F>) -> Option<(String, Profile)> {
        let (image, profile) = (c.image_id.clone(), Profile::of_container(c));
        let known = world.image.fit().is_some_and(|facts| facts.image().id == image)
            && world.image_starts.proven.contains(&profile);
        let again = self.saw_start(&format!("{} {}", c.id, c.started_at), known);
        self.ever_ready = true;
        again.then_some((image, profile))
    }

    /// The server in this container runs as it was asked to: what made it so is what to go back to.
    pub fn proven(&mut self, c: &SeenContainer) {
        self.proven_image = Some(c.image_id.clone());
        self.proven_profile = Some(Profile::of_container(c));
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

    /// Whether what a Ready server last ran with is known to work with this image.
    #[must_use]
    pub fn proven_with(&self, image: &str) -> bool {
        self.proven_image.as_deref().is_none_or(|by| by == image)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PinnedImage {
    pub reference: String,
    pub id: String,
}

/// An image that was given up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedImage {
    pub id: String,
    pub message: String,
    /// Of the manifest: a changed one is tried again.
    pub generation: u64,
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
