//! Why a step did not work, and the one word for it that metrics, events and conditions share. Words of
//! the engine and of the server only: must never hold a secret.

use crate::docker::DockerError;
use crate::kinds::postgres::client::SqlError;
use crate::kinds::{Then, Undone};
use crate::workload;
use crate::workload::tools::sources::SourceError;

/// Why a step did not work.
#[derive(Debug, thiserror::Error)]
pub enum ActError {
    #[error(transparent)]
    Work(#[from] workload::act::ActError),
    #[error("the statement failed: {0}")]
    Sql(#[from] SqlError),
    #[error("PostgreSQL refused: {0}")]
    ParametersRefused(String),
    #[error("{0}")]
    TrialRefused(String),
    #[error("spec.password: {0}")]
    Secret(#[from] SourceError),
    #[error(
        "nobody gets in over the socket in the container: {words}. When the role is locked (NOLOGIN), a server without clients can unlock it: {single_user}"
    )]
    NoWayIn { words: String, single_user: String },
}

impl From<DockerError> for ActError {
    fn from(error: DockerError) -> Self {
        ActError::Work(error.into())
    }
}

impl ActError {
    /// One CamelCase word from a closed set: metric label, event reason, condition reason.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            ActError::Work(error) => error.reason(),
            ActError::Sql(_) => "StatementFailed",
            ActError::NoWayIn { .. } => "NoWayIn",
            ActError::ParametersRefused(_) => "ParameterRejected",
            ActError::TrialRefused(_) => "TrialRefused",
            ActError::Secret(_) => "SecretUnreadable",
        }
    }
}

impl From<ActError> for Undone {
    fn from(error: ActError) -> Self {
        match error {
            ActError::Work(error) => error.into(),
            refused @ ActError::TrialRefused(_) => {
                Undone { reason: refused.reason(), message: refused.to_string(), then: Then::Replan }
            }
            error => Undone { reason: error.reason(), message: error.to_string(), then: Then::Fail },
        }
    }
}
