//! Before the first pass: is this store the one that the installation's containers belong to, and did
//! an earlier process leave something half done?

use super::api::{ApiError, ErrorCode};
use super::operator::Operator;
use crate::core::names::label;
use crate::engines::postgres::ownership::{is_left_over, is_probe};

/// An engine that is away is no reason not to start: passes say so until it is back.
///
/// # Errors
/// When containers of this installation belong to another store: two operators would fight over them.
pub async fn check(operator: &Operator) -> Result<(), ApiError> {
    super::attach::check(operator).await;
    let installation = operator.config.installation.as_str();
    let docker = &operator.tools.docker;
    let listed = match docker.list(&[(label::INSTALLATION, installation)]).await {
        Ok(listed) => listed,
        Err(error) => {
            tracing::warn!(%error, "the Docker engine does not answer yet");
            return Ok(());
        }
    };
    let store = operator.tools.store.id();
    let mut foreign = Vec::new();
    for container in listed {
        if is_left_over(&container, &store) {
            if let Err(error) = docker.remove_throwaway(&container.id).await {
                tracing::warn!(container = %container.name, %error, "a left-over image probe could not be removed");
            }
        } else if !is_probe(&container) && container.labels.get(label::STORE) != Some(store.as_str()) {
            foreign.push(container.name);
        }
    }
    if foreign.is_empty() {
        return Ok(());
    }
    Err(ApiError::new(
        ErrorCode::Conflict,
        format!(
            "containers of installation {installation} belong to another store than {}: {}",
            operator.config.data.display(),
            foreign.join(", ")
        ),
        "give --data of the store they belong to; if it is lost, `seawall recover` rebuilds it; or choose another --installation",
    ))
}
