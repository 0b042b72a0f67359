//! The parts of a `spec` that every kind with a container has, as people write them. Doc comments are the hover text
//! of the JSON Schema. Each kind repeats the fields themselves: unknown ones are then found where they stand.

use crate::manifest::scalar::{Text, truth};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Size {
    Small,
    Medium,
    Large,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DeletionPolicySpec {
    #[default]
    Retain,
    Delete,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RestartPolicySpec {
    /// Restart as soon as a parameter needs it.
    #[default]
    Auto,
    /// Say so in the condition PendingRestart and wait for `seawall restart`.
    Manual,
}

/// Caps of the container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResourcesSpec {
    /// Hard memory limit: `512Mi`, `2Gi`, or bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"512Mi")]
    pub memory: Option<Text>,
    /// Swap in addition to `memory`; absent is no extra swap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"256Mi")]
    pub swap: Option<Text>,
    /// CPUs, fractions allowed: `1.5` or `1500m`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = 1.5)]
    pub cpus: Option<Text>,
    /// Lower the memory limit even below what is in use. The kernel may then kill the server.
    #[serde(default, deserialize_with = "truth")]
    pub force: bool,
}

/// When the password of the service's own user is rotated.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RotationSpec {
    /// After how long a new one takes its place: `90d`.
    #[schemars(example = &"90d")]
    pub every: Text,
    /// At which time of the day: `02:00-04:00`. By default at any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"02:00-04:00")]
    pub window: Option<Text>,
    /// By whose clock; by default UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"Europe/Berlin")]
    pub time_zone: Option<Text>,
}

/// `auto`, `none` or a port number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum PortSpec {
    Number(i64),
    Word(PortWord),
}

impl Default for PortSpec {
    fn default() -> Self {
        PortSpec::Word(PortWord::Auto)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PortWord {
    Auto,
    None,
}
