//! `spec` of a Backup as people write it. Doc comments are the hover text of the JSON Schema.

use crate::manifest::scalar::Text;
use crate::workload::spec::DeletionPolicySpec;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One backup of a service, taken once.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BackupSpec {
    /// Of which service.
    #[schemars(example = &"postgres/main")]
    pub service: Text,
    /// The BackupTarget that it is put into.
    #[schemars(example = &"offsite")]
    pub target: Text,
    /// What happens to what was stored when the manifest goes away. `Retain` keeps it. `Delete` removes it too, but only with
    /// the annotation `seawall.dev/confirm-delete: <name>` or after `seawall delete`.
    #[serde(default)]
    pub deletion_policy: DeletionPolicySpec,
}
