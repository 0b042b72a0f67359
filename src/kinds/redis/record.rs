//! What Seawall must remember about one Redis because it can be seen nowhere else.

use super::spec::Persistence;
use super::tenancy::Grant;
use crate::core::identity::Home;
use crate::kinds::Remembered;
use crate::workload;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Kept in the store, in the object's record. Every field may be missing in an older record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Memory {
    /// What is remembered of its container and volume.
    #[serde(skip)]
    pub work: workload::Memory,
    /// Major version of the last server on the data: an older one does not read it.
    pub data_major: Option<u32>,
    /// What the data on the volume is kept by: the manifest's word once that is true. A start with another one would
    /// find no data, or old data.
    pub persistence: Option<Persistence>,
    /// There was a snapshot on the volume.
    pub dumped: bool,
    /// SHA-256 of what was last written, with the container that has it.
    pub written: Option<String>,
    /// The parameters in it.
    pub parameters: BTreeMap<String, String>,
    /// When the server started (its time) that runs since before they were written: nobody has seen a start with them.
    pub written_in: Option<String>,
    /// The last ones that a server was seen with.
    pub proven: Option<BTreeMap<String, String>>,
    /// The last ones that a server was seen to start with: what it goes back to when it does not start.
    pub started: Option<BTreeMap<String, String>>,
    /// Those that a server refused, with its words: not tried again.
    pub refused: Option<Refused>,
    /// Which users the server was given since its start (its time), and has not told since.
    pub users_loaded_in: Option<String>,
    /// It was restarted for its users' file, and nobody has got in since.
    pub users_restarted: bool,
    /// What its links granted when they were last heard of: link → grant.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tenants: BTreeMap<String, Grant>,
    /// The last `seawall rotate` that was answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rotated_for: Option<String>,
}

impl Remembered for Memory {
    fn work(&self) -> Option<&workload::Memory> {
        Some(&self.work)
    }

    fn work_mut(&mut self) -> Option<&mut workload::Memory> {
        Some(&mut self.work)
    }
}

impl Memory {
    /// What the object that this one is renamed to knows from then on.
    #[must_use]
    pub fn handed_over(self, home: Home) -> Self {
        Self { work: self.work.handed_over(home), written: None, rotated_for: None, ..self }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    pub parameters: BTreeMap<String, String>,
    pub message: String,
}
