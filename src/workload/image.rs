//! An image, as far as it matters to every kind. Pure. What else is in it each kind finds out for itself.

use super::hardening::Profile;
use super::ownership::foreign_labels;
use crate::core::seen::SeenImage;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What every kind knows of an image that it can run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Image {
    pub id: String,
    pub digest: Option<String>,
    /// Where the data volume goes.
    pub mount_path: String,
    /// Paths beside `mount_path` that the image declares as volumes, sorted.
    #[serde(default)]
    pub extra_volumes: Vec<String>,
    /// Its CMD, as far as it is kept: empty in a container of an earlier version, which replaced it.
    #[serde(default)]
    pub cmd: Vec<String>,
}

/// What a kind found out about an image. It is kept in the store under `KEY`.
pub trait Facts: Clone + PartialEq + Serialize + DeserializeOwned + Send + Sync {
    /// Grows when more is looked for in an image.
    const KEY: &'static str;
    fn image(&self) -> &Image;
    fn image_mut(&mut self) -> &mut Image;
}

/// The image a container would be made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageSeen<F> {
    /// Not local; the reference to pull.
    Missing,
    Fit(F),
    Unfit(Unfit),
    /// The engine did not tell, in its words. `refused`: it will not tell next time either.
    Unknown {
        words: String,
        refused: bool,
    },
}

impl<F> ImageSeen<F> {
    /// The image when it can be used.
    pub fn fit(&self) -> Option<&F> {
        match self {
            ImageSeen::Fit(facts) => Some(facts),
            ImageSeen::Missing | ImageSeen::Unfit(_) | ImageSeen::Unknown { .. } => None,
        }
    }
}

/// Why an image cannot be used, in words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unfit(pub String);

/// How an image starts, learnt from all objects that run it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageStarts {
    /// Profiles with which a server started again on its data.
    pub proven: BTreeSet<Profile>,
    /// Profiles with which it did not start on data of its own.
    pub refused: BTreeSet<Profile>,
    /// Another object that proves this image and profile right now.
    pub prover: Option<String>,
}

/// Whether nothing forbids the image whatever is inside.
///
/// # Errors
/// When it is for another machine, or hands on labels that say whose a container is.
pub fn usable(image: &SeenImage, host_architecture: &str) -> Result<(), Unfit> {
    let known = !image.architecture.is_empty() && !host_architecture.is_empty();
    if known && image.architecture != host_architecture {
        return Err(Unfit(format!(
            "it is for {}, this host is {host_architecture}; use an image for {host_architecture}",
            image.architecture
        )));
    }
    let labels: Vec<&str> = foreign_labels(&image.labels).collect();
    if labels.is_empty() {
        return Ok(());
    }
    Err(Unfit(format!(
        "it carries {}, which only containers and volumes of Seawall do, so that whatever is made from it would look like one of them (was it made by docker commit?); build it from a Dockerfile, or take the labels off",
        labels.join(", ")
    )))
}

/// Whether the image declares no volume where `file` is laid before the start.
///
/// # Errors
/// When it does: the volume would hide it. `what`: what lies there.
pub fn leaves_room_for(image: &SeenImage, file: &str, what: &str) -> Result<(), Unfit> {
    let hides = |volume: &&String| file.starts_with(&format!("{}/", volume.trim_end_matches('/')));
    match image.volumes.iter().find(hides) {
        None => Ok(()),
        Some(volume) => Err(Unfit(format!(
            "it declares a volume at {volume}, where Seawall puts {what}; use an image that does not"
        ))),
    }
}
