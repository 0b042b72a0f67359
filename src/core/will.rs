//! What is wanted of an object as a whole, and what is left of it once its manifest is gone.

use serde::{Deserialize, Serialize};

/// What is wanted of the object as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    Running,
    Stopped,
    /// The manifest is gone: no container, everything else kept.
    Retained,
    /// The manifest is gone and the user confirmed: nothing kept.
    Deleted,
}

/// An absence of the manifest, after the container went.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Gone {
    /// RFC 3339
    pub since: String,
    /// Milliseconds for which it must still be seen to be gone; 0: the data may go.
    pub left_ms: u64,
    /// RFC 3339: when that is over if nothing holds it; empty while something does.
    pub due: String,
    /// Why the time does not count now.
    pub held: Option<String>,
}
