//! From env files as they are to the steps that make them what they should be. Pure.

use super::{File, Found, Gives, Kept, Refusal, Wanted};
use crate::core::neighbours::{self, Around};
use crate::core::plan::{NAME_CONFLICT, Plan, Sign};
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// A step with one file, by its absolute path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Into the store: from now on there may be something in it.
    Keep { path: PathBuf, root: PathBuf, environment: String },
    /// `shown`: as the manifest calls it.
    Write { path: PathBuf, shown: String },
    /// It, and what is remembered of it.
    Empty(PathBuf),
}

impl Step {
    /// One CamelCase word.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Step::Keep { .. } => "EnvFileChosen",
            Step::Write { .. } => "EnvFileWritten",
            Step::Empty(_) => "EnvFileEmptied",
        }
    }

    /// Whether no other step waits for it: one disk that is full holds up no other environment.
    #[must_use]
    pub fn stands_alone(&self) -> bool {
        matches!(self, Step::Write { .. })
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Keep { path, environment, .. } => {
                write!(f, "take {} as the env file of {environment}", path.display())
            }
            Step::Write { shown, .. } => write!(f, "write {shown}"),
            Step::Empty(path) => write!(f, "empty {}", path.display()),
        }
    }
}

/// Everything that can be done now. Those that nobody wants any more come last: what fails there holds up the end of the
/// project, and no other file.
pub fn plan<A: From<Step>>(
    files: &[File],
    memory: &BTreeMap<String, Kept>,
    around: &Around,
    plan: &mut Plan<A>,
) {
    for (n, file) in files.iter().enumerate() {
        let Some(wanted) = &file.wanted else { continue };
        let claim = neighbours::file(&file.path);
        let same = |other: &&File| other.wanted.is_some() && neighbours::file(&other.path) == claim;
        if let Some(other) = files[..n].iter().find(same) {
            conflict(format!("{claim} is that of environment {}, too", other.environment), plan);
        } else {
            keep(file, wanted, &claim, memory.get(&file.key()), around, plan);
        }
    }
    for file in files.iter().filter(|file| file.wanted.is_none()) {
        empty(file, plan);
    }
}

fn conflict<A>(why: String, plan: &mut Plan<A>) {
    plan.block(NAME_CONFLICT, why, "give one of the two another envFile.path");
}

fn keep<A: From<Step>>(
    file: &File,
    wanted: &Wanted,
    claim: &str,
    known: Option<&Kept>,
    around: &Around,
    plan: &mut Plan<A>,
) {
    // Of two the older project has it, unless the other one's is there already: its applications read it.
    if let Some(holder) = around.lost_claims.get(claim).filter(|_| known.is_none()) {
        return conflict(format!("{claim} is {holder}'s"), plan);
    }
    if let Found::Refused(refusal) = &file.found {
        let (reason, why, next) = refusal.words(&file.path);
        plan.block(reason, why, next);
        return;
    }
    let shown = written_as(&wanted.file.path);
    match &wanted.gives {
        Gives::NotYet(on, why) => {
            let then = if known.is_some() { "stays as it is" } else { "is not written" };
            return plan.wait(on, format!("{shown} {then} until all of its links are Ready: {why}"), None);
        }
        // An empty one is for those that had something in theirs.
        Gives::Nothing if known.is_none() => return,
        Gives::Nothing | Gives::All => {}
    }
    let Some(cause) = cause(file, wanted, known) else { return };
    let (path, root, environment) = (file.path.clone(), file.root.clone(), file.environment.clone());
    if known.is_none() {
        plan.step(Sign::Change, Step::Keep { path: path.clone(), root, environment }, "not chosen yet");
    }
    let sign = if file.found == Found::Missing { Sign::Create } else { Sign::Change };
    plan.step(sign, Step::Write { path, shown }, cause);
}

/// As a person would write it.
fn written_as(path: &str) -> String {
    if path.starts_with('/') { path.to_owned() } else { format!("./{path}") }
}

/// Why it is written; `None`: it is as it should be.
fn cause(file: &File, wanted: &Wanted, known: Option<&Kept>) -> Option<String> {
    let nothing = wanted.gives == Gives::Nothing;
    match &file.found {
        Found::Missing if nothing && !file.leftover => None,
        Found::Missing if known.is_some_and(|known| known.at.is_some()) => Some("it is gone".to_owned()),
        Found::Missing => Some("it was not written yet".to_owned()),
        Found::Ours { change, stamp, .. } if !change.is_empty() => Some(match known {
            _ if nothing => "no link gives to it any more".to_owned(),
            Some(known) if known.stamp != *stamp => format!("somebody changed it: {change}"),
            _ => format!("{change} changed"),
        }),
        Found::Ours { mode, .. } if *mode != wanted.file.mode => {
            Some(format!("mode {mode:04o} → {:04o}", wanted.file.mode))
        }
        Found::Ours { .. } if file.leftover => Some("a write was cut short".to_owned()),
        Found::Ours { .. } | Found::Refused(_) => None,
    }
}

fn empty<A: From<Step>>(file: &File, plan: &mut Plan<A>) {
    let cause = match &file.found {
        Found::Refused(refusal @ Refusal::Disk(_)) => {
            let (reason, why, _) = refusal.words(&file.path);
            plan.block(reason, why, "mend that: it has to be emptied, and is tried again by itself");
            return;
        }
        Found::Ours { change, .. } if !change.is_empty() => "nobody wants it any more",
        Found::Missing | Found::Ours { .. } => "nobody wants it any more, and nothing is in it",
        // Whatever stands there now is somebody else's.
        Found::Refused(_) => "nobody wants it any more, and what is there is not Seawall's",
    };
    plan.step(Sign::Delete, Step::Empty(file.path.clone()), cause);
}
