//! Why a step did not work, and the one word for it that metrics, events and conditions share. Words of
//! the engine only: must never hold a secret.

use crate::docker::DockerError;
use crate::secrets;
use crate::store::StoreError;
use crate::workload::tools::PasswordError;

/// Why a step of a container did not work.
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
    #[error("port {0} was taken by another object a moment ago")]
    PortLost(u16),
    #[error("the engine said yes, but has {0} afterwards")]
    NotApplied(String),
    #[error("{0} exists and is not ours")]
    Foreign(String),
    #[error("another container uses the volume")]
    VolumeShared,
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
            ActError::PortLost(_) => "PortTaken",
            ActError::NotApplied(_) => "NotApplied",
            ActError::Foreign(_) => "NameConflict",
            ActError::VolumeShared => "VolumeShared",
            ActError::Gone(_) | ActError::Overtaken | ActError::SuccessorUnseen => "Changed",
        }
    }

    /// Nothing went wrong but that the world is another one by now: the next plan says what to do.
    #[must_use]
    pub fn is_outdated(&self) -> bool {
        matches!(
            self,
            ActError::PortLost(_) | ActError::Overtaken | ActError::VolumeShared | ActError::SuccessorUnseen
        )
    }
}
