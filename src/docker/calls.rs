//! What was asked of the engine and how it ended, counted since the start: one process asks one engine. Decides nothing.

use super::{DockerError, Result};
use crate::core::metric::Histogram;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Calls by what they are for (`start a container`), in the words that errors have.
pub type Calls = BTreeMap<&'static str, Ends>;

/// How the calls of one sort ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ends {
    /// By [`OK`] or the error's reason.
    pub outcomes: BTreeMap<&'static str, u64>,
    pub took: Histogram,
}

/// An answer, also that there is no such thing.
pub const OK: &str = "Ok";

static CALLS: Mutex<Calls> = Mutex::new(Calls::new());

pub(super) fn count<T>(doing: &'static str, took: Duration, result: &Result<T>) {
    let outcome = match result {
        // What is asked about may be gone: whoever asks wants to know just that.
        Ok(_)
        | Err(
            DockerError::NotFound { .. }
            | DockerError::ImageMissing { .. }
            | DockerError::Refused { status: 404, .. },
        ) => OK,
        Err(error) => error.reason(),
    };
    let mut calls = CALLS.lock().unwrap_or_else(PoisonError::into_inner);
    let ends = calls.entry(doing).or_default();
    *ends.outcomes.entry(outcome).or_default() += 1;
    ends.took.observe(took);
}

pub(super) fn all() -> Calls {
    CALLS.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_call_counts_once_by_how_it_ended() {
        let gone = DockerError::NotFound { what: "x".into() };
        let away = DockerError::Unavailable { doing: "a test", detail: String::new() };
        for result in [Ok(()), Err(gone), Err(away)] {
            count("a test", Duration::from_millis(1), &result);
        }
        let ends = all().remove("a test").unwrap();
        assert_eq!(ends.outcomes, BTreeMap::from([(OK, 2), ("EngineUnavailable", 1)]));
        assert_eq!(ends.took.count(), 3);
    }
}
