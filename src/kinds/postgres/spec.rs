//! `spec` of a Postgres as people write it. Doc comments are the hover text of the JSON Schema.

use crate::manifest::scalar::{Text, truth};
use crate::manifest::secret::SecretSpec;
use crate::workload::spec::{DeletionPolicySpec, ResourcesSpec, RestartPolicySpec, RotationSpec};
use crate::workload::spec::{PortSpec, Size};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A managed PostgreSQL server.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PostgresSpec {
    /// PostgreSQL version, looked up in the ImageCatalog. Give this or `image`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"18")]
    pub version: Option<Text>,
    /// Any image that keeps the official image's contract. Give this or `version`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"postgres:17-alpine")]
    pub image: Option<Text>,
    /// Database to create. Changing it creates another one; the old one stays.
    #[serde(default = "default_database")]
    #[schemars(example = &"appdb")]
    pub database: Text,
    /// The managed superuser. Fixed once the data exists.
    #[serde(default = "default_username")]
    #[schemars(example = &"appuser")]
    pub username: Text,
    /// Password of the managed user; generated when absent. Another one is set in the running server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<SecretSpec>,
    /// When a generated password is rotated by itself; `seawall rotate` does it at any time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation: Option<RotationSpec>,
    /// A preset for `resources`: small = 1Gi and 1 CPU, medium = 2Gi and 2 CPUs, large = 4Gi and 4 CPUs.
    /// Explicit `resources` win, field by field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<Size>,
    /// Caps of the container. An absent field is no limit.
    #[serde(default)]
    pub resources: ResourcesSpec,
    /// Port on 127.0.0.1: `auto` (from 5432 upward, the first free, then kept for good), a number, or `none`.
    #[serde(default)]
    pub port: PortSpec,
    /// Server parameters, as in postgresql.conf. They reach a running server by a reload; what needs a
    /// restart follows `restartPolicy`.
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
    /// `true`: an image may be switched to whose C library or ICU sorts text otherwise than the indexes
    /// were built with. They have to be built again then; the condition CollationVersionMismatch says how.
    #[serde(default, deserialize_with = "truth")]
    pub accept_collation_change: bool,
}

fn default_database() -> Text {
    Text("app".to_owned())
}
fn default_username() -> Text {
    Text("postgres".to_owned())
}
fn example_parameters() -> serde_json::Value {
    serde_json::json!({"work_mem": "16MB", "max_connections": 200})
}
