//! What must be remembered of a link.

use crate::kinds::Remembered;
use crate::kinds::tenancy::{Known, Turn};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Later versions add fields; none is ever renamed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Memory {
    pub known: Known,
    /// The login in use.
    pub turn: Turn,
    /// The database that was made for it: another one in the manifest leaves it as it is.
    pub database: Option<String>,
    pub password: Password,
    /// A new password is taking the place of this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rotation: Option<Rotation>,
    /// The last `seawall rotate` that was answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rotated_for: Option<String>,
}

/// How the other login takes the place of the one in use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rotation {
    pub phase: Phase,
    /// RFC 3339: since when.
    pub since: String,
    /// Those who use the old password get no time.
    #[serde(default)]
    pub now: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// The other login has no new password yet.
    Preparing,
    /// It has one: it is put in force and proven.
    Proving,
    /// It is in use; the old one still lets in.
    Draining,
}

impl Memory {
    /// The logins that let in.
    #[must_use]
    pub fn open(&self) -> BTreeSet<Turn> {
        let both = self.rotation.as_ref().is_some_and(|rotation| rotation.phase != Phase::Preparing);
        std::iter::once(self.turn).chain(both.then(|| self.turn.other())).collect()
    }

    #[must_use]
    pub fn phase(&self) -> Option<Phase> {
        self.rotation.as_ref().map(|rotation| rotation.phase)
    }
}

/// That its applications log in with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Password {
    /// Grows with each one.
    pub generation: u64,
    /// RFC 3339
    pub rotated_at: String,
}

/// It has no container.
impl Remembered for Memory {}
