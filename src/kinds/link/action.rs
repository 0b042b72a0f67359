//! The steps that a link's plan is made of. Values; `act.rs` runs them.

use crate::core::text::quoted;
use crate::kinds::Act;
use crate::kinds::tenancy::{Step, Turn};
use crate::workload;
use std::fmt;

#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// On the record as a whole.
    Work(workload::Action),
    /// Into the store, sealed.
    MakePassword(Turn),
    /// Into the store: what was made under this name is the link's.
    Keep(String),
    /// Into the store: this is the link's no longer, and neither are its passwords.
    Leave(String),
    /// Into the store: a rotation begins, as asked for then; its old password gets no time if `now`.
    Rotate { asked: Option<String>, now: bool },
    /// Into the store: the other login is the one in use.
    Switch(Turn),
    /// Into the store: the rotation is over.
    EndRotation,
    /// On the service, by its engine.
    Tend(Step),
}

impl From<workload::Action> for Action {
    fn from(action: workload::Action) -> Self {
        Action::Work(action)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Work(action) => action.fmt(f),
            Action::MakePassword(turn) => write!(f, "make the password of login {turn}"),
            Action::Keep(database) => write!(f, "take {} as its database", quoted(database)),
            Action::Leave(database) => write!(f, "leave {} to its owner", quoted(database)),
            Action::Rotate { .. } => f.write_str("begin to rotate the password"),
            Action::Switch(turn) => write!(f, "give applications login {turn}"),
            Action::EndRotation => f.write_str("end the rotation"),
            Action::Tend(step) => f.write_str(&step.words),
        }
    }
}

impl Act for Action {
    fn reason(&self) -> &'static str {
        match self {
            Action::Work(action) => action.reason(),
            Action::MakePassword(_) => "PasswordMade",
            Action::Keep(_) => "DatabaseChosen",
            Action::Leave(_) => "DatabaseLeft",
            Action::Rotate { .. } => "RotationBegan",
            Action::Switch(_) => "LoginSwitched",
            Action::EndRotation => "RotationEnded",
            Action::Tend(_) => "TenantChanged",
        }
    }

    fn work(&self) -> Option<&workload::Action> {
        if let Action::Work(action) = self { Some(action) } else { None }
    }
}
