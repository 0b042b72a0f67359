//! One object as its document, asked for by the API.

use crate::core::plan::PlanView;
use crate::core::problem::Problem;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How an object is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct ApplyOptions {
    /// Answers the plan, and changes nothing.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// A `Conflict` when there is one of that name.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub create: bool,
    /// `NotFound` when there is none of that name.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub update: bool,
    /// The `metadata.resourceVersion` that was read: a `Conflict` when it is another one by now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_version: Option<String>,
}

/// What became of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Applied {
    /// `postgres/main`
    pub object: String,
    pub outcome: Outcome,
    /// Of the object now; empty while there is none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub resource_version: String,
    /// What is likely to end badly, though it is legal.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Problem>,
    /// With `dryRun`, of an object for which something runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanView>,
}

/// kubectl's words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    Created,
    Configured,
    #[default]
    Unchanged,
    Deleted,
}

impl Outcome {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Created => "created",
            Outcome::Configured => "configured",
            Outcome::Unchanged => "unchanged",
            Outcome::Deleted => "deleted",
        }
    }
}
