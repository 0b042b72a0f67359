//! What must be remembered of a link.

use crate::kinds::Remembered;
use crate::kinds::tenancy::{Known, Turn};
use serde::{Deserialize, Serialize};

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
