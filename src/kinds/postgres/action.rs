//! The steps that a Postgres plan is made of. Values; `act.rs` runs them.

use super::client::statements::monitor::ROLE as MONITOR_ROLE;
use super::parameters::STATEMENTS;
use super::trial::Trial;
use crate::kinds::Act;
use crate::manifest::secret::SecretSource;
use crate::workload;
use crate::workload::action::Step;
use std::fmt;

/// One write to the world (or a fixed few that belong together and can be repeated).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Of its container.
    Work(workload::Action),
    /// Into the store, sealed, before any container exists; with it, who the data will belong to.
    GeneratePassword {
        username: String,
        database: String,
    },
    /// The same with the one that the manifest names, also in the place of another.
    TakePassword {
        source: SecretSource,
        username: String,
        database: String,
    },
    /// The manifest's parameters on an image, in a throw-away container.
    TrialStart(Box<Trial>),
    /// The parameter file, and the password file: the password when `initialise`, else empty.
    UploadFiles {
        container: String,
        parameters: String,
        initialise: bool,
        major: u32,
    },
    EmptyPasswordFile {
        container: String,
    },
    /// Checked by the server's own binary first, then written, then a reload.
    WriteParameters {
        container: String,
        text: String,
    },
    /// The last file that a server ran with, in place of one with which it does not start.
    RestoreParameters {
        container: String,
        text: String,
        /// SHA-256 of the file that is given up.
        refused: String,
        words: String,
    },
    CreateDatabase(String),
    /// The role that reads the server's health: made, or made what it should be again, with a password of its own.
    PutMonitorRight {
        make: bool,
        /// Roles that it should not be a member of.
        others: Vec<String>,
    },
    /// The extension by which the server tells the statements that it counts.
    CountStatements,
    /// Into the store, sealed, before any server knows it: the password that takes the place of the one in use.
    MakePending,
    /// Through the container's local socket; only a SCRAM verifier travels.
    ResetPassword {
        container: String,
        username: String,
        /// The one that takes the place of the one in use.
        pending: bool,
    },
    /// In the store: the one that took its place is the one in use.
    MakeCurrent,
    /// Stop a server on half-made data, and remember what its initialisation said.
    GiveUpInitialisation {
        container: String,
        words: String,
    },
}

impl From<workload::Action> for Action {
    fn from(action: workload::Action) -> Self {
        Action::Work(action)
    }
}

impl Step for Action {
    fn work(&self) -> Option<&workload::Action> {
        match self {
            Action::Work(action) => Some(action),
            _ => None,
        }
    }
}

impl Act for Action {
    fn reason(&self) -> &'static str {
        match self {
            Action::Work(action) => action.reason(),
            Action::GeneratePassword { .. } => "PasswordGenerated",
            Action::TakePassword { .. } => "PasswordTaken",
            Action::TrialStart(_) => "TrialPassed",
            Action::UploadFiles { .. } => "FilesUploaded",
            Action::EmptyPasswordFile { .. } => "PasswordFileEmptied",
            Action::WriteParameters { .. } => "ParametersReloaded",
            Action::RestoreParameters { .. } => "ParametersRestored",
            Action::CreateDatabase(_) => "DatabaseCreated",
            Action::PutMonitorRight { .. } => "MonitorRoleSet",
            Action::CountStatements => "ExtensionCreated",
            Action::MakePending => "RotationBegan",
            Action::ResetPassword { .. } => "PasswordReset",
            Action::MakeCurrent => "PasswordRotated",
            Action::GiveUpInitialisation { .. } => "InitialisationFailed",
        }
    }

    fn work(&self) -> Option<&workload::Action> {
        Step::work(self)
    }

    fn takes_long(&self) -> bool {
        match self {
            Action::Work(action) => action.takes_long(),
            // It stops and starts the server; a trial takes up to a minute.
            Action::RestoreParameters { .. }
            | Action::GiveUpInitialisation { .. }
            | Action::TrialStart(_) => true,
            _ => false,
        }
    }

    fn stands_alone(&self) -> bool {
        match self {
            Action::Work(action) => action.stands_alone(),
            // Nobody but us needs the role, or waits for what is counted.
            Action::PutMonitorRight { .. } | Action::CountStatements => true,
            _ => false,
        }
    }

    fn looks_again(&self) -> bool {
        matches!(self, Action::TrialStart(_))
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Work(action) => action.fmt(f),
            Action::GeneratePassword { .. } => write!(f, "generate and seal the password"),
            Action::TakePassword { .. } => write!(f, "seal the password that the manifest names"),
            Action::TrialStart(trial) => {
                write!(f, "trial start of {} in a throw-away container", trial.image)
            }
            Action::UploadFiles { container, initialise: true, .. } => {
                write!(f, "upload parameters and password file to {container}")
            }
            Action::UploadFiles { container, .. } => write!(f, "upload parameters to {container}"),
            Action::EmptyPasswordFile { container } => write!(f, "empty the password file in {container}"),
            Action::WriteParameters { container, .. } => {
                write!(f, "write parameters in {container} and reload")
            }
            Action::RestoreParameters { container, .. } => {
                write!(f, "start {container} with the last parameters that worked")
            }
            Action::CreateDatabase(name) => write!(f, "create database {name}"),
            Action::PutMonitorRight { make: true, .. } => write!(f, "make role {MONITOR_ROLE}"),
            Action::PutMonitorRight { .. } => write!(f, "set role {MONITOR_ROLE} again"),
            Action::CountStatements => write!(f, "make extension {STATEMENTS} in database postgres"),
            Action::MakePending => write!(f, "generate and seal the next password"),
            Action::ResetPassword { pending: false, .. } => {
                write!(f, "set the managed user's password again")
            }
            Action::ResetPassword { .. } => write!(f, "give the managed user the next password"),
            Action::MakeCurrent => write!(f, "take the next password as the one in use"),
            Action::GiveUpInitialisation { container, .. } => write!(f, "stop container {container}"),
        }
    }
}
