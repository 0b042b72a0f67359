//! `spec` of a Link as people write it. Doc comments are the hover text of the JSON Schema.

use crate::manifest::scalar::Text;
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
    /// The database on the service; by default `<project>_<environment>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"shop_production")]
    pub database: Option<Text>,
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
}
