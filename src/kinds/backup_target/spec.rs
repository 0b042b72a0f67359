//! `spec` of a BackupTarget as people write it. Doc comments are the hover text of the JSON Schema.

use crate::manifest::scalar::Text;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where backups are put.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BackupTargetSpec {
    pub directory: DirectorySpec,
}

/// A directory of the host that Seawall runs on: of another disk, or one that is mounted from elsewhere, as what lies on the
/// disk of the databases is lost with it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DirectorySpec {
    /// Absolute. It must be there, belong to the user that Seawall runs as (or to root), and nobody else may write there.
    #[schemars(example = &"/srv/backups")]
    pub path: Text,
}
