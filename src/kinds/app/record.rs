//! What must be remembered of an application because it can be seen nowhere else.

use crate::core::member::Role;
use crate::kinds::Remembered;
use crate::kinds::app_spec::AppSpec;
use crate::workload;
use crate::workload::memory::PinnedImage;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Kept in the store, in the object's record. A name of a field outlives a binary.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Memory {
    /// Of the application as a whole: its image, its volumes.
    #[serde(skip)]
    pub work: workload::Memory,
    /// Of each of its containers.
    pub members: BTreeMap<Role, workload::Memory>,
    /// The one that serves; the other one is tried, or goes.
    pub serves: Option<Role>,
    /// What was Ready last: what to go back to.
    pub proven: Option<Proven>,
    /// Versions that did not become Ready beside one that was.
    pub refused: Vec<Refused>,
    /// What each container was made from.
    pub made: BTreeMap<Role, Made>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Made {
    pub written: AppSpec,
    /// Its variables as plans show them.
    pub env: BTreeMap<String, String>,
    /// How often it was started once more after it had ended while it was tried.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub again: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Proven {
    pub written: AppSpec,
    pub image: PinnedImage,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Refused {
    /// See [`super::desired::Version::key`].
    pub version: String,
    pub words: String,
}

// As serde wants it.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_zero(n: &u32) -> bool {
    *n == 0
}

/// More of them say nothing new.
const MAX_REFUSED: usize = 8;

impl Memory {
    /// Why this version is not tried again.
    #[must_use]
    pub fn refuses(&self, version: &str) -> Option<&Refused> {
        self.refused.iter().find(|refused| refused.version == version)
    }

    pub fn refuse(&mut self, version: String, words: String) {
        self.refused.retain(|refused| refused.version != version);
        self.refused.push(Refused { version, words });
        if self.refused.len() > MAX_REFUSED {
            self.refused.remove(0);
        }
    }
}

impl Remembered for Memory {
    fn work(&self) -> Option<&workload::Memory> {
        Some(&self.work)
    }

    fn work_mut(&mut self) -> Option<&mut workload::Memory> {
        Some(&mut self.work)
    }
}
