//! `spec` of a Link as people write it. Doc comments are the hover text of the JSON Schema.

use crate::manifest::scalar::Text;
use crate::workload::spec::DeletionPolicySpec;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A database of its own for one environment of a project, on a service.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LinkSpec {
    /// The service: `postgres/main`.
    #[schemars(example = &"postgres/main")]
    pub service: Text,
    /// The project that gets the variables.
    #[schemars(example = &"shop")]
    pub project: Text,
    /// Its environment.
    #[schemars(example = &"production")]
    pub environment: Text,
    /// As whom its applications log in: by a login of their own into a database of their own, or as the user of the service
    /// itself, who may do everything there, into the service's own database.
    #[serde(default, skip_serializing_if = "is_default")]
    pub credentials: CredentialsSpec,
    /// The database on the service; by default `<project>_<environment>`. Links of a PostgreSQL that name the same one here share it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"shop_production")]
    pub database: Option<Text>,
    /// At which keys of a Redis it gets: at those that begin with its name (`spec.database`), or at all of them; then it has to be
    /// the only link of that Redis.
    #[serde(default, skip_serializing_if = "is_default")]
    pub keys: KeysSpec,
    /// How the names of the variables begin; by default as the service's kind: `POSTGRES`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"POSTGRES")]
    pub prefix: Option<Text>,
    /// Extensions that the database has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(example = &["pgcrypto"])]
    pub extensions: Vec<Text>,
    /// How many connections to the database there may be at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000), example = &50)]
    pub connection_limit: Option<u32>,
    /// What happens to the database when the manifest goes away. `Retain` keeps it. `Delete` removes it, with its roles, but
    /// only with the annotation `seawall.dev/confirm-delete: <name>` or after `seawall delete`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub deletion_policy: DeletionPolicySpec,
    /// When the password is rotated by itself; `seawall rotate` does it at any time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation: Option<RotationSpec>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// As whom applications log in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CredentialsSpec {
    #[default]
    Tenant,
    Instance,
}

/// The keys that an application gets at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum KeysSpec {
    #[default]
    Prefix,
    All,
}

/// When the password is rotated.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RotationSpec {
    /// After how long a new one takes its place: `90d`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"90d")]
    pub every: Option<Text>,
    /// At which time of the day: `02:00-04:00`. By default at any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"02:00-04:00")]
    pub window: Option<Text>,
    /// By whose clock; by default UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"Europe/Berlin")]
    pub time_zone: Option<Text>,
    /// For how long the old password still lets in those who use it; by default `1h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"1h")]
    pub grace: Option<Text>,
}
