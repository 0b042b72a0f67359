//! What the command line needs beyond [`Api`]: the doings that do not go through a running operator.
//! The program's top fills it in, so that the CLI knows neither Docker nor the store.

use super::settings::{RunSettings, Settings};
use crate::control::api::{Api, ApiError, Done, ObjectList};
use crate::core::condition::Truth;
use crate::core::names::Kind;
use crate::core::problem::Problem;
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// What a directory of manifests holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Validated {
    /// Ordered by place.
    pub problems: Vec<Problem>,
    /// What is likely to end badly, though it is legal.
    pub warnings: Vec<Problem>,
    /// Documents that are objects, good ones only.
    pub objects: usize,
    /// Files read.
    pub files: usize,
    /// Of files that are not read and look like manifests.
    pub passed_over: Option<String>,
}

/// One thing `doctor` looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Short: `docker engine`.
    pub name: String,
    /// `Unknown`: could not be looked at.
    pub ok: Truth,
    /// What was found.
    pub message: String,
    /// What to do; empty when it is fine.
    pub next: String,
}

/// Why there is no API without an operator.
#[derive(Debug, thiserror::Error)]
pub enum OfflineError {
    /// The store is held by a process.
    #[error("the store is in use by process {pid}")]
    Locked { pid: String },
    /// Nothing was ever run here.
    #[error(transparent)]
    NoStore(ApiError),
    #[error(transparent)]
    Other(#[from] ApiError),
}

/// The doings behind verbs that are not questions to the API.
#[async_trait]
pub trait Backend: Send + Sync + 'static {
    /// The operator, until SIGTERM or SIGINT: `Ok(None)`. With `once`, the objects after one full
    /// convergence; the caller prints them and derives the exit code.
    async fn run(&self, settings: RunSettings) -> Result<Option<ObjectList>, ApiError>;

    /// The API over the store itself, which it opens for reading and lets go when dropped.
    ///
    /// # Errors
    /// `Locked` while another process holds the store; `Other` when there is none or it is damaged.
    async fn offline(&self, settings: &Settings) -> Result<Arc<dyn Api>, OfflineError>;

    /// The API over an empty store that is nowhere on disk: to plan before the first run.
    ///
    /// # Errors
    /// When the engine's address is not understood.
    fn new_installation(&self, settings: &Settings) -> Result<Arc<dyn Api>, ApiError>;

    /// # Errors
    /// When the directory itself cannot be read; what is wrong in it are problems.
    fn validate(&self, dir: &Path, settings: &Settings) -> Result<Validated, ApiError>;

    /// JSON Schema (draft-07) of one kind, or of all.
    fn schema(&self, kind: Option<Kind>) -> String;

    /// File name → text of everything in `schemas/`.
    fn schemas(&self) -> BTreeMap<String, String>;

    /// Never fails: what cannot be checked is `Unknown`.
    async fn doctor(&self, settings: &Settings) -> Vec<Check>;

    /// Rebuilds the store. Without the right `confirm` a `Conflict` that says what would happen and the
    /// words to confirm with.
    async fn recover(&self, settings: &Settings, confirm: Option<&str>) -> Result<Done, ApiError>;
}
