//! The steps that an application's plan is made of. Values; `act.rs` runs them.

use crate::core::member::Role;
use crate::kinds::Act;
use crate::workload;
use crate::workload::action::Step;
use std::fmt;

/// One step, of one of its containers or of the application as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    pub role: Role,
    pub deed: Deed,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    Work(workload::Action),
    /// The launcher, and its file with the variables.
    Upload,
    /// Into the store: this container serves from now on.
    Serve,
    /// Into the store: what this container was made from is not tried again.
    GiveUp {
        version: String,
        words: String,
    },
    /// One that ended while it was tried is started once more, and that is counted.
    StartAgain,
    /// Into the store: what was given up is tried again, as somebody asked for that.
    TryAgain,
}

impl From<workload::Action> for Deed {
    fn from(action: workload::Action) -> Self {
        Deed::Work(action)
    }
}

impl Step for Deed {
    fn work(&self) -> Option<&workload::Action> {
        if let Deed::Work(action) = self { Some(action) } else { None }
    }
}

impl From<workload::Action> for Action {
    /// Of the application as a whole.
    fn from(action: workload::Action) -> Self {
        Self { role: Role::default(), deed: Deed::Work(action) }
    }
}

impl Step for Action {
    fn work(&self) -> Option<&workload::Action> {
        self.deed.work()
    }
}

impl Act for Action {
    fn reason(&self) -> &'static str {
        match &self.deed {
            Deed::Work(action) => action.reason(),
            Deed::Upload => "FilesUploaded",
            Deed::Serve => "RolledOut",
            Deed::GiveUp { .. } => "RolloutFailed",
            Deed::StartAgain => "ContainerStarted",
            Deed::TryAgain => "RolloutRetried",
        }
    }

    fn work(&self) -> Option<&workload::Action> {
        Step::work(self)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.deed {
            Deed::Work(action) => action.fmt(f),
            Deed::Upload => write!(f, "upload the variables of container {}", self.role),
            Deed::Serve => write!(f, "let container {} serve", self.role),
            Deed::GiveUp { .. } => write!(f, "give up what container {} runs", self.role),
            Deed::StartAgain => write!(f, "start container {} once more", self.role),
            Deed::TryAgain => f.write_str("try again what was given up"),
        }
    }
}
