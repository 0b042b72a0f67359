//! One call: its limit, its name for errors, and what "not there" means for it. Must never let a call go
//! without a limit.

use crate::docker::calls::count;
use crate::docker::map::{self, Call};
use crate::docker::{DockerError, Result};
use bollard::errors::Error as ApiError;
use std::future::Future;
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// Reads and small writes.
pub(super) const SHORT: Duration = Duration::from_secs(10);
/// Create, start, update, copy: the engine works on disk, network and cgroups.
pub(super) const LONG: Duration = Duration::from_secs(60);

pub(super) fn call<'a>(doing: &'static str, kind: &'static str, name: &'a str) -> Call<'a> {
    Call { doing, kind, name }
}

/// A call with its limit, which counts as one.
pub(super) async fn within<T>(
    limit: Duration,
    call: Call<'_>,
    work: impl Future<Output = Result<T, ApiError>>,
) -> Result<T> {
    counted(call, part(limit, call, work)).await
}

/// A call of several parts, each with its limit.
pub(super) async fn counted<T>(call: Call<'_>, work: impl Future<Output = Result<T>>) -> Result<T> {
    let start = Instant::now();
    let result = work.await;
    count(call.doing, start.elapsed(), &result);
    result
}

/// A part of a call with its limit.
pub(super) async fn part<T>(
    limit: Duration,
    call: Call<'_>,
    work: impl Future<Output = Result<T, ApiError>>,
) -> Result<T> {
    match timeout(limit, work).await {
        Ok(done) => done.map_err(|e| map::error(call, e)),
        Err(_) => Err(DockerError::Timeout { doing: call.doing, after: limit }),
    }
}

/// `None` for what is not there.
pub(super) fn optional<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(DockerError::NotFound { .. } | DockerError::ImageMissing { .. }) => Ok(None),
        Err(other) => Err(other),
    }
}

/// Success for what is gone already.
pub(super) fn gone(result: Result<()>) -> Result<()> {
    optional(result).map(|_| ())
}

/// A good answer that is of no use.
pub(super) fn unusable(call: Call<'_>, detail: impl ToString) -> DockerError {
    DockerError::Refused { doing: call.doing, status: 200, detail: detail.to_string() }
}
