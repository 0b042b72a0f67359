//! `spec` of a Project as people write it. Doc comments are the hover text of the JSON Schema.

use super::env_file::check::EnvFileSpec;
use crate::kinds::app_spec::AppSpec;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// An application, in one or several environments. Links give each of them databases of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProjectSpec {
    /// By name: `production`, `staging`.
    #[schemars(example = serde_json::json!({"production": {}}))]
    pub environments: BTreeMap<String, EnvironmentSpec>,
}

/// One environment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EnvironmentSpec {
    /// Containers that Seawall runs for it, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub apps: BTreeMap<String, AppSpec>,
    /// For applications that something else runs: a file with the variables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env_file: Option<EnvFileSpec>,
}
