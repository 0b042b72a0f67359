//! What there is to do, and how far it is, as it is told over the wire.

use crate::core::plan::{BlockView, Sign, WaitView};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct JobList {
    /// Those that are under way first, then those that began first. Objects with nothing to do are not in it.
    pub items: Vec<JobView>,
}

/// What there is to do for one object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobView {
    /// `postgres/main`
    pub object: String,
    pub state: JobState,
    /// RFC 3339: since when there is something to do, as far as this process of the operator knows.
    pub since: String,
    /// Passes in a row that got nowhere.
    pub failures: u32,
    /// What was done since then (the last of it), and what the last plan has besides, in their order.
    pub steps: Vec<JobStep>,
    pub waiting: Vec<WaitView>,
    pub blocked: Vec<BlockView>,
}

/// The first that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum JobState {
    /// A step of it is under way.
    Running,
    /// It needs the user.
    Blocked,
    /// It is tried again and again.
    Failing,
    /// `seawall.dev/paused` holds it back.
    Paused,
    /// It comes by itself.
    Waiting,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct JobStep {
    pub sign: Sign,
    pub action: String,
    pub cause: String,
    pub state: StepState,
    /// RFC 3339: since when it runs, or when it was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum StepState {
    Done,
    Running,
    Next,
}
