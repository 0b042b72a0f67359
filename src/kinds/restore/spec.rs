//! `spec` of a Restore as people write it. Doc comments are the hover text of the JSON Schema.

use crate::manifest::scalar::Text;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Puts a backup into a service, once.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RestoreSpec {
    pub from: FromSpec,
    pub to: ToSpec,
}

/// What is restored.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FromSpec {
    /// The name of a Backup.
    #[schemars(example = &"main-before-upgrade")]
    pub backup: Text,
}

/// Where to.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ToSpec {
    /// A new service of the same kind, in which nothing is yet: nothing that is there is ever overwritten.
    #[schemars(example = &"postgres/main-restored")]
    pub service: Text,
}
