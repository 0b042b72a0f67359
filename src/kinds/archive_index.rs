//! The index of a backup: the file that says that it is whole, what it is of, and which parts it has. Whoever has lost everything
//! else restores by it. Later versions add fields; none is ever renamed.

use crate::core::names::ObjectRef;
use crate::kinds::archive::Taken;
use serde::{Deserialize, Serialize};

/// Of this format; a later one that a reader does not know is not read.
pub const VERSION: u32 = 1;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    pub version: u32,
    pub service: ObjectRef,
    pub backup: ObjectRef,
    /// Of the Backup.
    pub uid: String,
    /// By which it was made: `pg_dump`.
    pub tool: String,
    /// RFC 3339
    pub started_at: String,
    /// RFC 3339
    pub finished_at: String,
    pub taken: Taken,
}

/// Reads one.
///
/// # Errors
/// Why it is of no use, in words.
pub fn read(text: &[u8]) -> Result<Index, String> {
    #[derive(Deserialize)]
    struct Version {
        version: u32,
    }
    let version: Version = serde_json::from_slice(text)
        .map_err(|error| format!("the index of the backup is not understood: {error}"))?;
    if version.version != VERSION {
        return Err(format!(
            "the index of the backup is of format {}, which this version does not know",
            version.version
        ));
    }
    serde_json::from_slice(text)
        .map_err(|error| format!("the index of the backup is not understood: {error}"))
}
