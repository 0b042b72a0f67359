//! Before the first pass: is this store the one that the installation's containers belong to, and did
//! an earlier process leave something half done?

use super::api::{ApiError, ErrorCode};
use super::operator::Operator;
use crate::core::names::{Installation, label};
use crate::core::pairs::Pairs;
use crate::docker::{Docker, DockerError};
use crate::store::{Change, Store, StoreError};
use crate::workload::ownership::{is_left_over, is_probe};
use serde_json::json;
use std::path::Path;

/// Where the store remembers which installation it is of.
pub const INSTALLATION_KEY: &str = "meta/installation";

/// The installation that a store is of; `None` in one of before that was kept.
#[must_use]
pub fn installation_of(body: Option<&serde_json::Value>) -> Option<&str> {
    body?.get("installation")?.as_str()
}

/// Under another name a store would look for containers that are not its own, and find none of them.
#[must_use]
pub fn other_installation(of: &str, asked: &Installation, data: &Path) -> ApiError {
    ApiError::new(
        ErrorCode::Conflict,
        format!("the store in {} is of installation {of}, not {asked}. Nothing was changed", data.display()),
        format!("give --installation {of}, or another --data for installation {asked}"),
    )
}

/// Whether the store is of this installation, as far as it remembers.
///
/// # Errors
/// When it is of another one, or cannot be read.
pub fn belongs(store: &dyn Store, asked: &Installation, data: &Path) -> Result<(), ApiError> {
    let body = store.get(INSTALLATION_KEY).map_err(|e| unreadable(&e))?;
    match installation_of(body.as_ref()) {
        Some(of) if of != asked.as_str() => Err(other_installation(of, asked, data)),
        _ => Ok(()),
    }
}

fn unreadable(error: &StoreError) -> ApiError {
    ApiError::new(ErrorCode::Internal, error.to_string(), "seawall doctor")
}

/// An engine that is away is no reason not to start: passes say so until it is back.
///
/// # Errors
/// When the store is of another installation, or containers of this one belong to another store: two
/// operators would fight over them.
pub async fn check(operator: &Operator) -> Result<(), ApiError> {
    super::attach::check(operator).await;
    let (installation, data) = (&operator.config.installation, &operator.config.data);
    let (docker, kept) = (&operator.tools.docker, &operator.tools.store);
    belongs(kept, installation, data)?;
    match claimed(operator).await {
        Ok(()) => {}
        Err(Claim::Other(error)) => return Err(error),
        Err(Claim::Unknown(error)) => {
            tracing::warn!(%error, "the Docker engine cannot be asked yet");
            return Ok(());
        }
    }
    if kept.get(INSTALLATION_KEY).map_err(|e| unreadable(&e))?.is_none() {
        // A store of before this was kept: what it made tells.
        if let Some(of) = made_as(docker.as_ref(), &kept.id()).await.ok().flatten()
            && of != installation.as_str()
        {
            return Err(other_installation(&of, installation, data));
        }
        let body = json!({"installation": installation.as_str()});
        if let Err(error) = kept.commit(vec![Change::put(INSTALLATION_KEY, body)]).await {
            tracing::warn!(%error, "the store could not take down its installation; the next start does");
        }
    }
    Ok(())
}

/// Why an installation is not for this store.
pub(super) enum Claim {
    Other(ApiError),
    /// The engine did not answer.
    Unknown(DockerError),
}

/// Whether nobody else's containers are in the way, for those who only look, too.
pub(super) async fn claimed(operator: &Operator) -> Result<(), Claim> {
    let installation = operator.config.installation.as_str();
    let docker = &operator.tools.docker;
    let listed = docker.list(&[(label::INSTALLATION, installation)]).await.map_err(Claim::Unknown)?;
    let store = operator.tools.store.id();
    let mut foreign = Vec::new();
    for container in listed {
        if is_left_over(&container, &store) {
            if operator.running
                && let Err(error) = docker.remove_throwaway(&container.id).await
            {
                tracing::warn!(container = %container.name, %error, "a left-over image probe could not be removed");
            }
        } else if !is_probe(&container) && container.labels.get(label::STORE) != Some(store.as_str()) {
            foreign.push(container.name);
        }
    }
    if foreign.is_empty() {
        return Ok(());
    }
    Err(Claim::Other(ApiError::new(
        ErrorCode::Conflict,
        format!(
            "containers of installation {installation} belong to another store than {}: {}",
            operator.config.data.display(),
            foreign.join(", ")
        ),
        "give --data of the store they belong to, or another --installation (README, \"Lost store, lost key\", if that store is gone for good)",
    )))
}

/// The installation in whose name this store made something that is there still.
async fn made_as(docker: &dyn Docker, store: &str) -> Result<Option<String>, DockerError> {
    let ours = [(label::STORE, store)];
    let named = |labels: &Pairs| labels.get(label::INSTALLATION).map(str::to_owned);
    let of_containers = docker.list(&ours).await?.iter().find_map(|c| named(&c.labels));
    Ok(match of_containers {
        Some(found) => Some(found),
        None => docker.volumes(&ours).await?.iter().find_map(|v| named(&v.labels)),
    })
}
