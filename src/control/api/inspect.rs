//! What goes on inside a server, as it is told to who asks.

use crate::core::diagnosis::Check;
use crate::core::table::Table;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The answer to one question.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InspectView {
    /// `postgres/main`
    pub object: String,
    pub verb: String,
    /// One row, whose values belong below each other.
    #[serde(default)]
    pub sheet: bool,
    #[serde(flatten)]
    pub table: Table,
}

/// A session that is to be ended, or was.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KillView {
    pub object: String,
    /// As it was before.
    pub session: Table,
    /// To be said again to end this very one.
    pub since: String,
    /// What was done; `None`: nothing yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// Everything that was looked at, the worst first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DiagnosisView {
    pub object: String,
    pub checks: Vec<Check>,
}
