//! Image pulls, beside the passes: one an image at a time, however many services wait for it, so that a
//! slow registry holds up nobody else.

use super::operator::Operator;
use crate::core::names::ObjectRef;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

#[derive(Clone, Debug, PartialEq, Eq)]
enum Pull {
    Running,
    /// Kept until a pass has told it.
    Failed(String),
}

/// What became of a wanted image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pulled {
    /// On its way; whoever waits is woken when it is over.
    Running,
    Failed(String),
}

#[derive(Debug, Default)]
pub struct Pulls {
    by_reference: Mutex<BTreeMap<String, Pull>>,
}

impl Pulls {
    fn set(&self, reference: &str, state: Option<Pull>) {
        let mut pulls = self.by_reference.lock().unwrap_or_else(PoisonError::into_inner);
        match state {
            Some(state) => drop(pulls.insert(reference.to_owned(), state)),
            None => drop(pulls.remove(reference)),
        }
    }

    /// True when this call is the one that has to pull; a failure is told once, then forgotten.
    fn claim(&self, reference: &str) -> Result<bool, String> {
        let mut pulls = self.by_reference.lock().unwrap_or_else(PoisonError::into_inner);
        match pulls.get(reference).cloned() {
            Some(Pull::Running) => Ok(false),
            Some(Pull::Failed(why)) => {
                pulls.remove(reference);
                Err(why)
            }
            None => {
                pulls.insert(reference.to_owned(), Pull::Running);
                Ok(true)
            }
        }
    }
}

/// Sees to it that `reference` is being pulled, or says why the last try failed.
pub fn pull(operator: &Arc<Operator>, reference: &str) -> Pulled {
    match operator.pulls.claim(reference) {
        Err(why) => Pulled::Failed(why),
        Ok(false) => Pulled::Running,
        Ok(true) => {
            let (operator, reference) = (Arc::clone(operator), reference.to_owned());
            tokio::spawn(async move {
                let result = operator.tools.docker.pull(&reference).await;
                operator.pulls.set(&reference, result.err().map(|e| Pull::Failed(e.to_string())));
                for object in waiting_for(&operator, &reference) {
                    operator.enqueue(&object, 0);
                }
            });
            Pulled::Running
        }
    }
}

fn waiting_for(operator: &Operator, reference: &str) -> Vec<ObjectRef> {
    let state = operator.state();
    state.checked.iter().filter(|(_, c)| c.image == reference).map(|(o, _)| o.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_pull_an_image_and_a_failure_is_told_once() {
        let pulls = Pulls::default();
        assert_eq!(pulls.claim("a"), Ok(true));
        assert_eq!(pulls.claim("a"), Ok(false));
        assert_eq!(pulls.claim("b"), Ok(true));
        pulls.set("a", Some(Pull::Failed("no".into())));
        assert_eq!(pulls.claim("a"), Err("no".to_owned()));
        assert_eq!(pulls.claim("a"), Ok(true));
        pulls.set("a", None);
        assert_eq!(pulls.claim("a"), Ok(true));
    }
}
