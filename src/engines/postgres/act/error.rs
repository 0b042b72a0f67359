//! Why a step did not work, and the one word for it that metrics, events and conditions share. Words of
//! the engine and of the server only: must never hold a secret.

use crate::docker::DockerError;
use crate::engines::postgres::client::SqlError;
use crate::engines::postgres::tools::PasswordError;
use crate::secrets;
use crate::store::StoreError;

/// Why a step did not work.
#[derive(Debug, thiserror::Error)]
pub enum ActError {
    #[error(transparent)]
    Docker(#[from] DockerError),
    #[error(transparent)]
    Password(#[from] PasswordError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Seal(#[from] secrets::SealError),
    #[error("the statement failed: {0}")]
    Sql(#[from] SqlError),
    #[error("port {0} was taken by another object a moment ago")]
    PortLost(u16),
    #[error("the engine said yes, but has {0} afterwards")]
    NotApplied(String),
    #[error("PostgreSQL refused: {0}")]
    ParametersRefused(String),
    #[error("{0}")]
    TrialRefused(String),
    #[error("{0} exists and is not ours")]
    Foreign(String),
    #[error("another container uses the volume")]
    VolumeShared,
    #[error(
        "nobody gets in over the socket in the container: {words}. When the role is locked (NOLOGIN), a server without clients can unlock it: {single_user}"
    )]
    NoWayIn { words: String, single_user: String },
    #[error("the image of the container to come is not seen to be local")]
    SuccessorUnseen,
    #[error("the record could not be written as JSON: {0}")]
    Json(String),
    #[error("nothing to work on: {0}")]
    Gone(String),
    /// Nothing went wrong: the rest of the step is no longer wanted.
    #[error("something else is wanted by now")]
    Overtaken,
}

impl ActError {
    /// One CamelCase word from a closed set: metric label, event reason, condition reason.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            ActError::Docker(e) => e.reason(),
            ActError::Password(_) | ActError::Seal(_) => "CredentialsUnreadable",
            ActError::Store(_) | ActError::Json(_) => "StoreFailed",
            ActError::Sql(_) => "StatementFailed",
            ActError::NoWayIn { .. } => "NoWayIn",
            ActError::PortLost(_) => "PortTaken",
            ActError::NotApplied(_) => "NotApplied",
            ActError::ParametersRefused(_) => "ParameterRejected",
            ActError::TrialRefused(_) => "TrialRefused",
            ActError::Foreign(_) => "NameConflict",
            ActError::VolumeShared => "VolumeShared",
            ActError::Gone(_) | ActError::Overtaken | ActError::SuccessorUnseen => "Changed",
        }
    }

    /// The engine could not be asked: nothing is known.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        matches!(self, ActError::Docker(e) if e.is_unavailable())
    }
}
