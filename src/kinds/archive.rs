//! What a Backup and a Restore need of whatever engine they are about. An engine answers in its folder, and knows neither; they
//! know no engine.

use crate::core::names::ObjectRef;
use crate::core::storage::Part;
use crate::depot::{DepotError, Shelf};
use crate::docker::DockerError;
use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The time now, RFC 3339, to the second.
#[must_use]
pub fn this_second() -> String {
    let now = Timestamp::now();
    Timestamp::from_second(now.as_second()).unwrap_or(now).to_string()
}

/// What a service is, for who wants a backup of it, or to put one into it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Of the server that answers: `18.1`.
    pub version: String,
    /// By which its data are told from others.
    pub identifier: String,
}

/// What was taken, as the index of a backup says it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Taken {
    /// Of the server.
    pub version: String,
    pub identifier: String,
    pub parts: Vec<Part>,
    /// The parts and what they do not hold, for the engine alone.
    pub inside: Value,
    /// What is in it, in words: one line each.
    pub holds: Vec<String>,
}

/// Why nothing was seen or done. Words of the server's and the tool's; no secret is in them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveError {
    /// The operator is not logged into the service now.
    #[error("{0}")]
    Away(String),
    /// Nobody wants it any more.
    #[error("it is not wanted any more")]
    Unwanted,
    #[error(transparent)]
    Depot(#[from] DepotError),
    #[error(transparent)]
    Docker(#[from] DockerError),
    #[error("{0}")]
    Failed(String),
}

impl ArchiveError {
    /// One CamelCase word from a closed set.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            ArchiveError::Away(_) => "ServiceNotReady",
            ArchiveError::Unwanted => "Changed",
            ArchiveError::Depot(error) => error.reason(),
            ArchiveError::Docker(error) => error.reason(),
            ArchiveError::Failed(_) => "ToolFailed",
        }
    }
}

/// What an engine does so that its data can lie somewhere else and come back.
#[async_trait]
pub trait Archive: Send + Sync + 'static {
    /// By which tool a backup is made: `pg_dump`.
    fn tool(&self) -> &'static str;

    /// Whether it answers, and what it is.
    async fn look(&self, service: &ObjectRef) -> Result<Facts, ArchiveError>;

    /// What of it would be mixed with what is put into it, in words; `None`: nothing.
    async fn holds(&self, service: &ObjectRef) -> Result<Option<String>, ArchiveError>;

    /// Takes a backup. What an earlier try left is ended first; what this one leaves when it fails is nothing that works.
    async fn take(&self, service: &ObjectRef, shelf: &Shelf<'_>) -> Result<Taken, ArchiveError>;

    /// Puts it into a service in which nothing was, or what an earlier try left of it: each part of it is there whole
    /// or not at all. What was compared in the end, in words.
    async fn put(
        &self,
        service: &ObjectRef,
        shelf: &Shelf<'_>,
        taken: &Taken,
    ) -> Result<Vec<String>, ArchiveError>;
}
