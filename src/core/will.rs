//! What is wanted of an object as a whole: what the user asked for and agreed to beside its manifest.
//!
//! Operations and the reading of manifests write it, and no pass does.

use super::names::ObjectRef;
use serde::{Deserialize, Serialize};

/// What is wanted of the object as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    Running,
    Stopped,
    /// The manifest is gone: no container, everything else kept.
    Retained,
    /// The manifest is gone and the user confirmed: nothing kept.
    Deleted,
}

/// An absence of the manifest, after the container went.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Gone {
    /// RFC 3339
    pub since: String,
    /// Milliseconds for which it must still be seen to be gone; 0: the data may go.
    pub left_ms: u64,
    /// RFC 3339: when that is over if nothing holds it; empty while something does.
    pub due: String,
    /// Why the time does not count now.
    pub held: Option<String>,
}

/// The object that a new one probably, or if the user said so really, is under another name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rename {
    pub from: ObjectRef,
    pub said: bool,
}

/// A request for a new password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rotate {
    /// RFC 3339, to the nanosecond.
    pub at: String,
    /// Without a pause in which the old one is still let in.
    pub now: bool,
}

/// What was asked for and agreed to. Requests are never cleared, so that none is lost: a pass remembers which one it
/// has answered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Asked {
    /// `seawall stop` was said and not yet `seawall start`.
    pub stopped: bool,
    /// When `seawall restart` was last said (RFC 3339, to the nanosecond).
    pub restart: Option<String>,
    /// The same of `seawall reinitialise`.
    pub reinitialise: Option<String>,
    /// The same of `seawall rotate`.
    pub rotate: Option<Rotate>,
    /// `seawall delete --confirm` was said.
    pub delete: bool,
    /// The manifest is gone; how long the data it gave up are still kept.
    pub gone: Option<Gone>,
    /// Nothing is made for this one before it is known.
    pub renamed_from: Option<Rename>,
    /// `seawall rename` was said: once its container is gone, everything goes to this object.
    pub renamed_to: Option<ObjectRef>,
}

impl Asked {
    /// Whether the user wants the same. A grace that runs is no other wish before it is over.
    #[must_use]
    pub fn is_same_wish(&self, other: &Self) -> bool {
        let gone = |asked: &Self| asked.gone.as_ref().map(|gone| (gone.since.clone(), gone.left_ms == 0));
        let without = |asked: &Self| Self { gone: None, ..asked.clone() };
        gone(self) == gone(other) && without(self) == without(other)
    }

    /// Whether, once its manifest is gone, the data may go now. `given_up`: the manifest said that they may go with
    /// it, and the user agreed by name.
    #[must_use]
    pub fn deletes_now(&self, given_up: bool) -> bool {
        let over = self.gone.as_ref().is_some_and(|gone| gone.left_ms == 0);
        self.renamed_to.is_none() && (self.delete || (given_up && over))
    }

    /// Whether, once its manifest is gone, the data go after their grace.
    #[must_use]
    pub fn deletes_later(&self, given_up: bool) -> bool {
        self.renamed_to.is_none() && given_up && !self.deletes_now(given_up)
    }

    /// A restart was asked for, and `answered` is not it.
    #[must_use]
    pub fn restart_due(&self, answered: Option<&String>) -> bool {
        self.restart.is_some() && self.restart.as_ref() != answered
    }

    /// The same of a new password.
    #[must_use]
    pub fn rotate_due(&self, answered: Option<&String>) -> Option<&Rotate> {
        self.rotate.as_ref().filter(|asked| Some(&asked.at) != answered)
    }

    /// The same of making the data anew.
    #[must_use]
    pub fn reinitialise_due(&self, answered: Option<&String>) -> bool {
        self.reinitialise.is_some() && self.reinitialise.as_ref() != answered
    }
}
