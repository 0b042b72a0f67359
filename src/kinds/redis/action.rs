//! The steps that a Redis plan is made of. Values; `act.rs` runs them.

use super::desired::Files;
use super::spec::{Persistence, word};
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
    /// Into the store, sealed: the owner's, and Seawall's own.
    GeneratePasswords,
    /// The same, with the owner's as the manifest names it, in the place of the one that there may be.
    TakePassword(SecretSource),
    /// Into the store, sealed, before any server knows it: the password that takes the place of the owner's.
    MakePending,
    /// In the store: it took its place.
    MakeCurrent,
    /// redis.conf and users.acl, for the next start.
    UploadFiles(Files),
    /// By CONFIG SET, then into the file.
    SetParameters { set: Vec<(String, String)>, files: Files },
    /// The last parameters that a server ran with, in place of those with which it does not start.
    RestoreParameters { files: Files, words: String },
    /// The users' file, read by the running server.
    LoadUsers,
    /// The same, because of those of its links.
    LoadTenants,
    /// What makes the running server keep its data by this.
    Keep(Persistence),
    /// The running server writes the file of this anew that is gone from its volume.
    KeepAnew(Persistence),
}

impl From<workload::Action> for Action {
    fn from(action: workload::Action) -> Self {
        Action::Work(action)
    }
}

impl Step for Action {
    fn work(&self) -> Option<&workload::Action> {
        if let Action::Work(action) = self { Some(action) } else { None }
    }
}

impl Act for Action {
    fn reason(&self) -> &'static str {
        match self {
            Action::Work(action) => action.reason(),
            Action::GeneratePasswords => "PasswordGenerated",
            Action::TakePassword(_) => "PasswordTaken",
            Action::MakePending => "RotationBegan",
            Action::MakeCurrent => "PasswordRotated",
            Action::UploadFiles(_) => "FilesUploaded",
            Action::SetParameters { .. } => "ParametersSet",
            Action::RestoreParameters { .. } => "ParametersRestored",
            Action::LoadUsers => "PasswordReset",
            Action::LoadTenants => "TenantsChanged",
            Action::Keep(_) => "PersistenceChanging",
            Action::KeepAnew(_) => "PersistenceRepaired",
        }
    }

    fn work(&self) -> Option<&workload::Action> {
        Step::work(self)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Work(action) => action.fmt(f),
            Action::GeneratePasswords => f.write_str("generate and seal the passwords"),
            Action::TakePassword(_) => f.write_str("seal the password that the manifest names"),
            Action::MakePending => f.write_str("generate and seal the next password"),
            Action::MakeCurrent => f.write_str("take the next password as the one in use"),
            Action::UploadFiles(_) => f.write_str("upload redis.conf and the users' file"),
            Action::SetParameters { set, .. } if set.is_empty() => f.write_str("write redis.conf"),
            Action::SetParameters { set, .. } => {
                let names: Vec<&str> = set.iter().map(|(name, _)| name.as_str()).collect();
                write!(f, "set {} in the running server and in redis.conf", names.join(", "))
            }
            Action::RestoreParameters { .. } => f.write_str("start with the last parameters that worked"),
            Action::LoadUsers => f.write_str("give the server its users again"),
            Action::LoadTenants => f.write_str("give the server the users of its links"),
            Action::Keep(mode) => write!(f, "begin to keep the data by {}", word(*mode)),
            Action::KeepAnew(mode) => write!(f, "write all data to the volume anew, by {}", word(*mode)),
        }
    }
}
