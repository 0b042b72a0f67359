//! Image pulls, beside the passes: one an image at a time, however many services wait for it, so that a
//! slow registry holds up nobody else.

use super::any::Spec;
use super::operator::Operator;
use crate::core::backoff::delay_ms;
use crate::core::names::ObjectRef;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Pull {
    Running {
        failures: u32,
    },
    /// Kept until it is tried again, or nobody wants the image any more.
    Failed {
        why: String,
        failures: u32,
        again: Instant,
    },
}

/// What became of a wanted image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pulled {
    /// On its way; whoever waits is woken when it is over.
    Running,
    Failed {
        why: String,
        /// Tries in a row that failed.
        failures: u32,
    },
}

#[derive(Debug, Default)]
pub struct Pulls {
    by_reference: Mutex<BTreeMap<String, Pull>>,
}

impl Pulls {
    /// A try is over. A registry that fails is asked less and less often, however many look: it may be
    /// the one that counts requests.
    fn ended(&self, reference: &str, failure: Option<String>, now: Instant) {
        let mut pulls = self.by_reference.lock().unwrap_or_else(PoisonError::into_inner);
        let before = match pulls.remove(reference) {
            Some(Pull::Running { failures } | Pull::Failed { failures, .. }) => failures,
            None => 0,
        };
        if let Some(why) = failure {
            let failures = before.saturating_add(1);
            let again = now + Duration::from_millis(delay_ms(failures, 0.0));
            pulls.insert(reference.to_owned(), Pull::Failed { why, failures, again });
        }
    }

    /// True when this call is the one that has to pull; a failure is told until it is tried again.
    fn claim(&self, reference: &str, now: Instant) -> Result<bool, (String, u32)> {
        let mut pulls = self.by_reference.lock().unwrap_or_else(PoisonError::into_inner);
        let failures = match pulls.get(reference) {
            Some(Pull::Running { .. }) => return Ok(false),
            Some(Pull::Failed { why, failures, again }) if now < *again => {
                return Err((why.clone(), *failures));
            }
            Some(Pull::Failed { failures, .. }) => *failures,
            None => 0,
        };
        pulls.insert(reference.to_owned(), Pull::Running { failures });
        Ok(true)
    }

    /// How many images are being pulled, and how many wait to be tried again.
    pub(super) fn count(&self) -> (usize, usize) {
        let pulls = self.by_reference.lock().unwrap_or_else(PoisonError::into_inner);
        let running = pulls.values().filter(|pull| matches!(pull, Pull::Running { .. })).count();
        (running, pulls.len() - running)
    }

    /// Forgets failures of images that nobody wants any more.
    fn keep(&self, wanted: impl Fn(&str) -> bool) {
        let mut pulls = self.by_reference.lock().unwrap_or_else(PoisonError::into_inner);
        pulls.retain(|reference, pull| matches!(pull, Pull::Running { .. }) || wanted(reference));
    }
}

/// Sees to it that `reference` is being pulled, or says why the last try failed.
pub fn pull(operator: &Arc<Operator>, reference: &str) -> Pulled {
    match operator.pulls.claim(reference, Instant::now()) {
        Err((why, failures)) => Pulled::Failed { why, failures },
        Ok(false) => Pulled::Running,
        Ok(true) => {
            let (operator, reference) = (Arc::clone(operator), reference.to_owned());
            tokio::spawn(async move {
                let result = operator.tools.docker.pull(&reference).await;
                operator.pulls.ended(&reference, result.err().map(|e| e.to_string()), Instant::now());
                operator.pulls.keep(|reference| !waiting_for(&operator, reference).is_empty());
                for object in waiting_for(&operator, &reference) {
                    operator.enqueue(&object, 0);
                }
            });
            Pulled::Running
        }
    }
}

/// Those with something left to do that name the image; who has it already does not wait for it.
fn waiting_for(operator: &Operator, reference: &str) -> Vec<ObjectRef> {
    let state = operator.state();
    let waits = |object: &ObjectRef| state.live.get(object).is_none_or(|live| !live.settled);
    let names = |spec: &Spec| spec.each().iter().any(|(_, spec)| spec.image.as_str() == reference);
    let named = state.checked.iter().filter(|(object, spec)| names(spec) && waits(object));
    named.map(|(object, _)| object.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_pull_an_image_and_after_a_failure_less_and_less_often() {
        let pulls = Pulls::default();
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        assert_eq!(pulls.claim("a", start), Ok(true));
        assert_eq!(pulls.claim("a", start), Ok(false));
        assert_eq!(pulls.claim("b", start), Ok(true));
        assert_eq!(pulls.count(), (2, 0));
        pulls.ended("a", Some("no".into()), start);
        assert_eq!(pulls.claim("a", at(100)), Err(("no".to_owned(), 1)));
        assert_eq!(pulls.count(), (1, 1));
        assert_eq!(pulls.claim("a", at(100)), Err(("no".to_owned(), 1)), "to everybody who waits");
        assert_eq!(pulls.claim("a", at(1_500)), Ok(true));
        pulls.ended("a", Some("no".into()), at(1_500));
        assert!(pulls.claim("a", at(2_600)).is_err());
        assert_eq!(pulls.claim("a", at(9_000)), Ok(true));
        pulls.ended("a", None, at(9_000));
        assert_eq!(pulls.claim("a", at(9_000)), Ok(true));
        pulls.ended("a", Some("no".into()), at(9_000));
        pulls.keep(|_| false);
        assert_eq!(pulls.claim("a", at(9_000)), Ok(true), "wanted anew");
    }
}
