//! The env file of an environment, for applications that something else runs: what was seen of it, what should be in it, and
//! whose it is. Pure; a secret comes in here only in lines that are compared.

pub mod check;
pub mod plan;

use crate::core::names::ObjectRef;
use crate::core::neighbours::{Around, Offer};
use crate::core::variable::Given;
use check::EnvFile;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Names of variables that a cause tells.
const MOST_NAMES: usize = 5;

/// What is remembered of a file, by its absolute path: it is emptied when nobody wants it any more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Kept {
    /// The allowed directory that it lies below.
    pub root: PathBuf,
    pub environment: String,
    /// RFC 3339: when it was written last; `None`: it may have been.
    pub at: Option<String>,
    /// As the file system knew it then.
    pub stamp: String,
}

/// The body of the status of one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Status {
    pub path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub written_at: Option<String>,
    /// It has what it should have.
    pub in_sync: bool,
}

/// The status of all of them, by environment.
#[must_use]
pub fn status(files: &[File], memory: &BTreeMap<String, Kept>) -> BTreeMap<String, Status> {
    let wanted = files.iter().filter(|file| file.wanted.is_some());
    let one = |file: &File| {
        let (path, in_sync) = (file.key(), file.is_in_sync());
        let written_at = memory.get(&path).and_then(|kept| kept.at.clone());
        (file.environment.clone(), Status { path, written_at, in_sync })
    };
    wanted.map(one).collect()
}

/// What is as it should be was written, whatever is remembered of it.
pub fn learn(files: &[File], memory: &mut BTreeMap<String, Kept>, now: &str) {
    for file in files.iter().filter(|file| file.is_in_sync()) {
        if let (Some(kept), Found::Ours { stamp, .. }) = (memory.get_mut(&file.key()), &file.found)
            && kept.stamp != *stamp
        {
            kept.stamp.clone_from(stamp);
            kept.at = Some(now.to_owned());
        }
    }
}

/// The first line of a file: that and nothing else tells that it may be written over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    start: String,
    end: String,
}

const START: &str = "# Written by Seawall for ";

impl Header {
    /// `store`: its identity.
    #[must_use]
    pub fn new(object: &ObjectRef, environment: &str, installation: &str, store: &str) -> Self {
        Self {
            start: format!("{START}{object}, environment {environment}"),
            end: format!(" (installation {installation}, store {store}). Do not edit.\n"),
        }
    }

    /// Whose `text` is; `known`: what was there was ours, and who empties a file leaves no line in it.
    #[must_use]
    pub fn whose(&self, text: &[u8], known: bool) -> Whose {
        if text.starts_with(self.to_string().as_bytes()) || (known && text.is_empty()) {
            return Whose::Ours;
        }
        // That of another store may be about to be written again.
        let line =
            text.strip_prefix(START.as_bytes()).and_then(|rest| rest.strip_suffix(self.end.as_bytes()));
        if line.is_some_and(|line| !line.contains(&b'\n')) { Whose::Nobodys } else { Whose::Others }
    }
}

impl fmt::Display for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.start, self.end)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    Ours,
    /// Another project's or environment's of this store, which took everything out of it.
    Nobodys,
    Others,
}

/// One file as a pass saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Absolute.
    pub path: PathBuf,
    /// The allowed directory that it lies below.
    pub root: PathBuf,
    pub environment: String,
    /// `None`: nobody wants it any more.
    pub wanted: Option<Wanted>,
    pub found: Found,
    /// A write was cut short: a temporary file lies beside it.
    pub leftover: bool,
}

impl File {
    /// As the memory knows it.
    #[must_use]
    pub fn key(&self) -> String {
        self.path.to_string_lossy().into_owned()
    }

    #[must_use]
    pub fn is_in_sync(&self) -> bool {
        let Some(Wanted { file, gives: Gives::All | Gives::Nothing }) = &self.wanted else { return false };
        matches!(&self.found, Found::Ours { mode, change, .. } if *mode == file.mode && change.is_empty())
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub file: EnvFile,
    pub gives: Gives,
}

/// What there is to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gives {
    /// No link gives to the environment.
    Nothing,
    All,
    /// Not everything is known: what is waited for, one CamelCase word, and why.
    NotYet(&'static str, String),
}

impl Gives {
    /// Of what is around a project.
    #[must_use]
    pub fn of(around: &Around, given: &Given) -> Self {
        let unseen = around.referrers.iter().find(|link| {
            let offer = around.others.get(*link);
            offer.is_none_or(|offer| offer.present && offer.says.is_empty())
        });
        if let Some(link) = unseen.or(given.not_ready.first()) {
            return Self::NotYet("LinkNotReady", format!("{link} is not Ready"));
        }
        if let Some(link) = given.unreachable.first() {
            let why = format!("{link} cannot be reached from this host: its service has no port here");
            return Self::NotYet("LinkUnreachable", why);
        }
        if given.variables.is_empty() { Self::Nothing } else { Self::All }
    }
}

/// Those that refer to a project, with what they say.
#[must_use]
pub fn givers(around: &Around) -> BTreeMap<ObjectRef, Offer> {
    let refers = around.others.iter().filter(|(other, _)| around.referrers.contains(*other));
    refers.map(|(other, offer)| (other.clone(), offer.clone())).collect()
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Or one that was emptied and is nobody's.
    Missing,
    /// `change`: to what should be in it.
    Ours {
        mode: u32,
        change: Change,
        stamp: String,
    },
    Refused(Refusal),
}

/// What a file says of one variable.
pub struct Line {
    pub name: String,
    pub text: Zeroizing<String>,
}

/// The text of a file.
#[must_use]
pub fn whole(header: &Header, lines: &[Line]) -> Zeroizing<String> {
    let header = header.to_string();
    // All of it at once: what grows leaves copies behind.
    let long = lines.iter().map(|line| line.text.len() + 1).sum::<usize>() + header.len();
    let mut text = Zeroizing::new(String::with_capacity(long));
    text.push_str(&header);
    for line in lines {
        text.push_str(&line.text);
        text.push('\n');
    }
    text
}

/// How a text differs from the one that is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Variables that are another or new. Only names that Seawall gives: what else stands there is somebody's.
    pub names: BTreeSet<String>,
    /// There is something else in it.
    pub more: bool,
}

impl Change {
    /// From `there` to all of these lines below the header.
    #[must_use]
    pub fn between(there: &[u8], header: &Header, lines: &[Line]) -> Self {
        let has = |line: &Line| {
            let whole = Zeroizing::new(format!("\n{}\n", *line.text));
            there.windows(whole.len()).any(|part| part == whole.as_bytes())
        };
        let changed = lines.iter().filter(|line| !has(line));
        let more = there != whole(header, lines).as_bytes();
        Self { names: changed.map(|line| line.name.clone()).collect(), more }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.more
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names: Vec<String> = self.names.iter().take(MOST_NAMES).cloned().collect();
        if self.names.len() > MOST_NAMES {
            names.push(format!("{} more", self.names.len() - MOST_NAMES));
        }
        if names.is_empty() { f.write_str("what is in it") } else { f.write_str(&names.join(", ")) }
    }
}

/// Why a file is not written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Not below one of these.
    Outside(Vec<PathBuf>),
    /// A step on the way that is not there, a link, or no directory.
    NoFolder(PathBuf),
    Link(PathBuf),
    NotAFolder(PathBuf),
    /// It is a directory, or something that is no file.
    Special(&'static str),
    Foreign,
    /// Of the disk, in its words.
    Disk(String),
}

impl Refusal {
    /// One CamelCase word, why, and what to do about it.
    #[must_use]
    pub fn words(&self, path: &Path) -> (&'static str, String, String) {
        let path = path.display();
        let (why, next) = match self {
            Refusal::Outside(roots) => {
                let roots: Vec<String> = roots.iter().map(|root| root.display().to_string()).collect();
                let why = format!("{path} is not below {}", roots.join(" or "));
                (why, "give a path there, or start Seawall with --env-file-root DIR".to_owned())
            }
            Refusal::NoFolder(folder) => {
                let folder = folder.display();
                (format!("{folder} is not there, so {path} cannot be written"), format!("mkdir -p {folder}"))
            }
            Refusal::Link(step) => {
                let step = step.display();
                let why = format!("{step} is a link, and {path} is not written through one");
                (why, "give the path that it leads to, or remove the link".to_owned())
            }
            Refusal::NotAFolder(step) => {
                (format!("{} is no directory", step.display()), "give another path".to_owned())
            }
            Refusal::Special(what) => {
                (format!("{path} is {what}"), "give another path, or remove it".to_owned())
            }
            Refusal::Foreign => {
                let why = format!(
                    "{path} was not written by Seawall for this environment, and is not written over"
                );
                (why, "give another path, or remove it".to_owned())
            }
            Refusal::Disk(why) => {
                return (FAILED, format!("{path}: {why}"), "it is tried again by itself".to_owned());
            }
        };
        (REFUSED, why, next)
    }
}

/// Reasons of conditions and events: it must not be written, or it cannot.
pub const REFUSED: &str = "EnvFileRefused";
pub const FAILED: &str = "EnvFileFailed";

#[cfg(test)]
mod tests;
