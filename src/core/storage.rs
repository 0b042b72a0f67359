//! Where backups lie and what they are made of. Values.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A place for backups.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Place {
    /// Of the host that Seawall runs on, absolute.
    Directory(PathBuf),
}

impl Place {
    /// From what a target lets those see who refer to it.
    #[must_use]
    pub fn told(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// For those.
    #[must_use]
    pub fn said(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// As people know it.
    #[must_use]
    pub fn in_words(&self) -> String {
        match self {
            Place::Directory(path) => format!("directory {}", path.display()),
        }
    }
}

/// One file of a backup.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Part {
    pub name: String,
    pub bytes: u64,
    /// Hex.
    pub sha256: String,
}
