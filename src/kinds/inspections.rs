//! What can be asked of a server while somebody waits: verbs in a group of their own (`seawall GROUP VERB NAME`), the
//! sessions in it that can be ended, and a diagnosis. Nothing of it is kept, and nothing of it is in a status.

use crate::core::event::Note;
use crate::core::table::{Field, Table};

/// The verbs of a kind.
#[derive(Clone, Copy, Debug)]
pub struct Inspections {
    /// `seawall GROUP VERB NAME`
    pub group: &'static str,
    /// What the group is for, for `help`.
    pub about: &'static str,
    pub verbs: &'static [Inspection],
    /// `None`: no session of its servers can be ended.
    pub kill: Option<Kill>,
}

impl Inspections {
    #[must_use]
    pub fn verb(&self, verb: &str) -> Option<&'static Inspection> {
        self.verbs.iter().find(|one| one.verb == verb)
    }
}

/// One question, and the columns of its answer.
#[derive(Clone, Copy, Debug)]
pub struct Inspection {
    pub verb: &'static str,
    /// What it shows, for `help`.
    pub about: &'static str,
    /// It is asked in one database, which can be given.
    pub database: bool,
    /// What `--verbose` adds; `None`: there is no more.
    pub verbose: Option<&'static str>,
    /// It has one row, whose values are printed below each other.
    pub sheet: bool,
    pub fields: &'static [Field],
}

/// How a session of a server is ended.
#[derive(Clone, Copy, Debug)]
pub struct Kill {
    pub about: &'static str,
    /// How a session is named: `PID`.
    pub session: &'static str,
    /// What `--force` does.
    pub force: &'static str,
    /// What is shown of it before it is ended.
    pub fields: &'static [Field],
}

/// How a question is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ask {
    /// One of the kind's.
    pub verb: String,
    /// Another one than the object's own.
    pub database: Option<String>,
    pub verbose: bool,
}

/// Which session is to be ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct End {
    /// As the server numbers it.
    pub session: u32,
    /// The start of the one that is meant, as it was told before; `None`: it is only shown. A number may be another
    /// session's a moment later.
    pub since: Option<String>,
    /// Not only what it does now is ended, but the session.
    pub force: bool,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ended {
    /// The session as it was.
    pub session: Table,
    /// When it started, for [`End::since`].
    pub since: String,
    /// What was done; `None`: nothing, it was only looked at.
    pub done: Option<(Note, String)>,
}

/// Why there is no answer, and what to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unanswered {
    pub what: String,
    pub next: String,
}

impl Unanswered {
    #[must_use]
    pub fn new(what: impl Into<String>, next: impl Into<String>) -> Self {
        Self { what: what.into(), next: next.into() }
    }
}
