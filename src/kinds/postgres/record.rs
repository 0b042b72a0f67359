//! What Seawall must remember about one Postgres because it can be seen nowhere else.

use super::collation::Libraries;
use crate::core::identity::Home;
use crate::kinds::Remembered;
use crate::workload;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Kept in the store, in the object's record. Every field may be missing in an older record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Memory {
    /// What is remembered of its container and volume.
    #[serde(skip)]
    pub work: workload::Memory,
    /// PostgreSQL major of the data on the volume, once a server ran on it.
    pub data_major: Option<u32>,
    /// Fixed by initdb: who the data belongs to and which database came first.
    pub init_username: Option<String>,
    pub init_database: Option<String>,
    /// Databases that were seen in a Ready server: never made again, empty, behind the user's back.
    pub seen_databases: BTreeSet<String>,
    /// Container whose password file was emptied after initdb.
    pub password_emptied_in: Option<String>,
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
    /// The start (its time) of a server that nobody could log into when it was told to read its file again.
    pub reloaded_blind: Option<String>,
    /// PostgreSQL's own name for the data of this object (`pg_control_system()`), learnt from the first
    /// server that was logged into with the managed database on it. Other data is not this object's.
    pub system_identifier: Option<String>,
    /// Container in which the role's password was last set again, as SCRAM: one that asks for MD5 after
    /// that is not helped by doing it once more.
    pub verifier_set_in: Option<String>,
    /// What sorted the text of this data when a server last ran on it, and which of it some database
    /// goes by (as in [`super::collation::Collations`]).
    pub libraries: Option<Libraries>,
    pub collation_providers: Option<String>,
    /// Text was sorted by others before: what its columns name is asked for until no index is left to build again.
    pub order_changed: bool,
    /// The password was laid into a container on an empty volume: what lies there was made by it.
    pub init_began: bool,
    /// What that initialisation said last, when it was found half-made and stopped.
    pub init_failed: Option<String>,
    /// Where in the volume the data lies (`18/docker`; empty: at its root), learnt from a server that runs:
    /// a server that looks elsewhere would make an empty database beside it.
    pub data_path: Option<String>,
    /// Catalog version of the data, learnt from the image that a server runs from.
    pub data_catalog: Option<u32>,
    /// Statements are counted by default in the server of this data: it was made so, where an older one was not.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub counts_statements: bool,
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
    pub fn handed_over(self, home: Home) -> Memory {
        Memory {
            work: self.work.handed_over(home),
            password_emptied_in: None,
            verifier_set_in: None,
            rotated_for: None,
            ..self
        }
    }

    /// The volume was removed with consent: nothing is known of what was on it.
    pub fn forget_data(&mut self) {
        *self = Self {
            work: std::mem::take(&mut self.work),
            rotated_for: self.rotated_for.take(),
            ..Self::default()
        };
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

    /// Whether nobody knows what lies on the volume.
    #[must_use]
    pub fn must_look_at_volume(&self) -> bool {
        let made_by_us = self.init_began && !self.work.ever_ready;
        self.data_major.is_none() && (!self.work.volume_fresh || made_by_us)
    }
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

impl RefusedParameters {
    /// Whether the refusal says anything about servers of this image.
    #[must_use]
    pub fn counts_for(&self, image: &str) -> bool {
        self.image.as_deref().is_none_or(|by| by == image)
    }
}
