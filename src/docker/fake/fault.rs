//! Failures to come: which call fails, how, and whether its effect happens all the same. A failure hits
//! as many calls as it says and then is gone.

use super::{FakeDocker, is_method};
use crate::docker::DockerError;
use std::time::Duration;

/// Whether the effect of a failing call happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Nothing happened.
    Before,
    /// It happened, then the connection was cut.
    After,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    Error(DockerError),
    /// No answer; ends as [`DockerError::Timeout`] after the hang limit.
    Hang,
    /// It works, and the answer takes so long; the effect is there at once.
    Slow(Duration),
}

/// A failure to come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// One of [`super::READS`] or [`super::WRITES`].
    pub method: &'static str,
    pub when: When,
    pub what: What,
    /// How many calls it hits.
    pub times: usize,
}

impl Fault {
    /// The next call of `method` finds the connection cut, before or after its effect.
    #[must_use]
    pub fn cut(method: &'static str, when: When) -> Self {
        let error =
            DockerError::Unavailable { doing: method, detail: "connection cut (injected)".to_owned() };
        Self { method, when, what: What::Error(error), times: 1 }
    }
}

impl FakeDocker {
    /// Adds a failure; several for one method come in the order given.
    pub fn inject(&self, fault: Fault) {
        self.inject_after(0, fault);
    }

    /// As [`FakeDocker::inject`], once `skip` calls of the method went well.
    pub fn inject_after(&self, skip: usize, fault: Fault) {
        debug_assert!(is_method(fault.method), "no method {}", fault.method);
        self.lock().faults.push((skip, fault));
    }

    /// Failures that have not come yet.
    #[must_use]
    pub fn faults_left(&self) -> usize {
        self.lock().faults.len()
    }

    /// The next `times` calls of `method` give no answer.
    pub fn hang(&self, method: &'static str, times: usize) {
        self.inject(Fault { method, when: When::Before, what: What::Hang, times });
    }

    pub fn clear_faults(&self) {
        self.lock().faults.clear();
    }

    /// How long a hanging call takes to end as a timeout; 10 s unless told.
    pub fn set_hang_limit(&self, limit: Duration) {
        self.lock().hang_limit = limit;
    }
}

/// The failure that hits this call.
pub(super) fn take_fault(faults: &mut Vec<(usize, Fault)>, method: &str) -> Option<Fault> {
    let at = faults.iter().position(|(_, f)| f.method == method && f.times > 0)?;
    let (skip, fault) = faults.get_mut(at)?;
    if *skip > 0 {
        *skip -= 1;
        return None;
    }
    fault.times -= 1;
    let taken = fault.clone();
    if taken.times == 0 {
        faults.remove(at);
    }
    Some(taken)
}
