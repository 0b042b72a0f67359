//! `seawall recover`: rebuilds a lost or damaged store from containers, volumes and labels, and sets new
//! passwords through the containers' local sockets.

use crate::cli::settings::Settings;
use crate::control::api::{ApiError, Done, ErrorCode};
use crate::docker::Docker;
use std::sync::Arc;

/// # Errors
/// Until it is confirmed, a `Conflict` that says what would happen.
pub async fn recover(
    settings: &Settings,
    docker: Arc<dyn Docker>,
    confirm: Option<&str>,
) -> Result<Done, ApiError> {
    let _ = (settings, docker, confirm);
    Err(ApiError::new(ErrorCode::Unavailable, "recover is not there yet", ""))
}
