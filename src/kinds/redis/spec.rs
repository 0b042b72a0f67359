//! `spec` of a Redis as people write it. Doc comments are the hover text of the JSON Schema.

use crate::manifest::scalar::{Text, truth};
use crate::manifest::secret::SecretSpec;
use crate::workload::spec::{
    DeletionPolicySpec, PortSpec, ResourcesSpec, RestartPolicySpec, RotationSpec, Size,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What of the data outlives a restart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Persistence {
    /// Everything up to a second before a crash: an append-only file.
    #[default]
    Aof,
    /// Snapshots, as often as the parameter `save` says.
    Rdb,
    /// Nothing.
    None,
}

/// What happens when the memory for data (60 % of `resources.memory`) is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum EvictionPolicy {
    /// Writes fail; nothing is lost.
    #[default]
    Noeviction,
    AllkeysLru,
    AllkeysLfu,
    AllkeysRandom,
    VolatileLru,
    VolatileLfu,
    VolatileRandom,
    VolatileTtl,
}

/// As people and Redis write it.
#[must_use]
pub fn word(of: impl Serialize) -> String {
    serde_json::to_value(of).ok().and_then(|word| Some(word.as_str()?.to_owned())).unwrap_or_default()
}

/// A managed Redis server.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RedisSpec {
    /// Redis version, looked up in the ImageCatalog. Give this or `image`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"8")]
    pub version: Option<Text>,
    /// Any image that keeps the official image's contract. Give this or `version`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"redis:8-bookworm")]
    pub image: Option<Text>,
    /// A preset for `resources`: small = 1Gi and 1 CPU, medium = 2Gi and 2 CPUs, large = 4Gi and 4 CPUs.
    /// Explicit `resources` win, field by field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<Size>,
    /// Caps of the container. An absent field is no limit. `maxmemory` follows: 60 % of `memory`.
    #[serde(default)]
    pub resources: ResourcesSpec,
    /// Port on 127.0.0.1: `auto` (from 6379 upward, the first free, then kept for good), a number, or `none`.
    #[serde(default)]
    pub port: PortSpec,
    /// What of the data outlives a restart. It can be changed at any time; no data is lost by the change.
    #[serde(default)]
    pub persistence: Persistence,
    /// What happens when the memory for data is full.
    #[serde(default)]
    pub eviction_policy: EvictionPolicy,
    /// As whom applications log in.
    #[serde(default = "default_username")]
    #[schemars(example = &"app")]
    pub username: Text,
    /// Password of that user; generated when absent. Another one is in force at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<SecretSpec>,
    /// When a generated password is rotated by itself; `seawall rotate` does it at any time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation: Option<RotationSpec>,
    /// Server parameters, as in redis.conf. They reach a running server at once; what needs a restart follows
    /// `restartPolicy`.
    #[serde(default)]
    #[schemars(example = example_parameters())]
    pub parameters: BTreeMap<String, Text>,
    /// `true`: the container is stopped; data and everything else are kept.
    #[serde(default, deserialize_with = "truth")]
    pub stopped: bool,
    /// What happens when the manifest goes away. `Retain` keeps volume, credentials and port. `Delete`
    /// removes them too, but only with the annotation `seawall.dev/confirm-delete: <name>` or after
    /// `seawall delete`.
    #[serde(default)]
    pub deletion_policy: DeletionPolicySpec,
    /// Whether Seawall restarts the server for parameters that need it.
    #[serde(default)]
    pub restart_policy: RestartPolicySpec,
}

fn default_username() -> Text {
    Text("app".to_owned())
}
fn example_parameters() -> serde_json::Value {
    serde_json::json!({"hz": 20, "timeout": 300})
}
