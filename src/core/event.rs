//! Events: what happened to an object, folded by what was said.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Normal or Warning, as in Kubernetes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum EventType {
    Normal,
    Warning,
}

impl EventType {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            EventType::Normal => "Normal",
            EventType::Warning => "Warning",
        }
    }
}

/// What a pass wants to report; time and object are added by the recorder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    pub kind: EventType,
    /// One CamelCase word from a closed set.
    pub reason: &'static str,
    pub message: String,
}

impl Note {
    #[must_use]
    pub fn normal(reason: &'static str, message: impl Into<String>) -> Self {
        Self { kind: EventType::Normal, reason, message: message.into() }
    }
    #[must_use]
    pub fn warning(reason: &'static str, message: impl Into<String>) -> Self {
        Self { kind: EventType::Warning, reason, message: message.into() }
    }
}

/// A recorded event. The same type, reason and message again raises `count` and `last_seen`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// `postgres/main`, or `operator` for what concerns no single object.
    pub object: String,
    #[serde(rename = "type")]
    pub kind: EventType,
    pub reason: String,
    pub message: String,
    pub count: u64,
    pub first_seen: String,
    pub last_seen: String,
    /// Grows by one with every event of the store; orders events and makes watching possible.
    pub sequence: u64,
}
