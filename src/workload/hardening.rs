//! How far a container of an image is locked down: the least privilege with which that image starts, and
//! starts again. Pure. What was refused once for an image is not tried with it a second time.
//!
//! A name of a profile outlives a binary: it is in records. What a profile asks of the engine goes into
//! the containers' hash labels; changing it re-creates every container that was made with it.

use crate::core::desired::Hardening;
use crate::core::seen::SeenContainer;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Processes and threads that a container may have, whatever its profile.
pub const PIDS_LIMIT: i64 = 4096;

/// From the least privilege to the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Profile {
    /// Never root, no capability at all.
    #[serde(rename = "asPostgres")]
    AsUser,
    /// What an entrypoint that starts as root needs to prepare the data directory and to become the server's user.
    Root,
    /// As `Root`, and it may look into directories of others: some entrypoints walk over the data
    /// directory at every start.
    RootReads,
    /// As `Root`, and the permissions of files do not hold for it.
    RootWrites,
    /// What the engine gives by default.
    EngineDefault,
}

impl Profile {
    pub const ALL: [Profile; 5] =
        [Self::AsUser, Self::Root, Self::RootReads, Self::RootWrites, Self::EngineDefault];

    /// The profile of a record that was written when there were three levels.
    #[must_use]
    pub fn of_level(level: u8) -> Self {
        match level {
            0 => Self::Root,
            1 => Self::RootWrites,
            _ => Self::EngineDefault,
        }
    }

    /// The profile that a container was made with.
    #[must_use]
    pub fn of_container(c: &SeenContainer) -> Self {
        let has = |cap: &str| c.cap_add.iter().any(|c| c == cap);
        if !c.cap_drop.iter().any(|cap| cap == "ALL") {
            Self::EngineDefault
        } else if c.cap_add.is_empty() {
            Self::AsUser
        } else if has("DAC_OVERRIDE") {
            Self::RootWrites
        } else if has("DAC_READ_SEARCH") {
            Self::RootReads
        } else {
            Self::Root
        }
    }

    /// The least that is not known to be refused.
    #[must_use]
    pub fn least(refused: &BTreeSet<Profile>) -> Self {
        Self::ALL.into_iter().find(|p| !refused.contains(p)).unwrap_or(Self::EngineDefault)
    }

    /// What to try after `self` was refused; `None` when nothing is left that could be better.
    #[must_use]
    pub fn next(self, refused: &BTreeSet<Profile>) -> Option<Self> {
        if self == Self::EngineDefault {
            return None;
        }
        Self::ALL.into_iter().find(|p| *p != self && !refused.contains(p))
    }

    /// Less than what an image can ask for without a special wish.
    #[must_use]
    pub fn is_reduced(self) -> bool {
        self > Self::Root
    }

    /// `user`: who the server runs as.
    #[must_use]
    pub fn in_words(self, user: &str) -> String {
        let words = match self {
            Self::AsUser => {
                return format!("full: no-new-privileges, runs as {user} from the start, no capabilities");
            }
            Self::Root => {
                "full: no-new-privileges, all capabilities dropped but those that the entrypoint needs"
            }
            Self::RootReads => {
                "reduced: no-new-privileges, the entrypoint runs as root with DAC_READ_SEARCH, because the image did not start without"
            }
            Self::RootWrites => {
                "reduced: no-new-privileges, the entrypoint runs as root with DAC_OVERRIDE, because the image did not start without"
            }
            Self::EngineDefault => {
                "reduced: no-new-privileges, the engine's default capabilities, because the image did not start with fewer"
            }
        };
        words.to_owned()
    }

    /// What is asked of the engine. `as_root`: what the entry point needs as root.
    #[must_use]
    pub fn hardening(self, user: &str, as_root: &[&str]) -> Hardening {
        let mut capabilities = match self {
            Self::AsUser => Vec::new(),
            _ => as_root.to_vec(),
        };
        match self {
            Self::RootReads => capabilities.push("DAC_READ_SEARCH"),
            Self::RootWrites => capabilities.push("DAC_OVERRIDE"),
            _ => {}
        }
        capabilities.sort_unstable();
        let capabilities = capabilities.into_iter().map(str::to_owned).collect();
        Hardening {
            no_new_privileges: true,
            only_capabilities: (self != Self::EngineDefault).then_some(capabilities),
            pids_limit: PIDS_LIMIT,
            init: true,
            // By name: the engine then adds the groups that the image gives that user.
            user: (self == Self::AsUser).then(|| user.to_owned()),
        }
    }
}

/// How a server writes its log.
#[derive(Clone, Copy, Debug)]
pub struct LogWords {
    /// What it says once it serves.
    pub serves: &'static str,
    /// What marks a line about what a client asked for: a client without a right is no entrypoint without one.
    pub of_clients: &'static [&'static str],
}

impl LogWords {
    /// Whether a line that a dying container left says that it wanted a permission.
    #[must_use]
    pub fn wants_permission(&self, line: &str) -> bool {
        let words = [
            "permission denied",
            "operation not permitted",
            "could not change permissions",
            "could not change owner",
        ];
        let lower = line.to_ascii_lowercase();
        words.iter().any(|w| lower.contains(w)) && !self.of_clients.iter().any(|level| line.contains(level))
    }

    /// The line in which a start that never came to serve asks for a permission. Only what was said after a
    /// server last served counts.
    #[must_use]
    pub fn refused_in<'a>(&self, log: &'a [String]) -> Option<&'a String> {
        let served = |line: &String| line.contains(self.serves);
        let from = log.iter().rposition(served).map_or(0, |at| at + 1);
        log.iter().skip(from).rev().find(|line| self.wants_permission(line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POSTGRES: [&str; 5] = ["CHOWN", "FOWNER", "KILL", "SETGID", "SETUID"];

    #[test]
    fn existing_containers_keep_what_they_were_made_with() {
        // The labels of containers made by an earlier version.
        for (level, capabilities) in [
            (0, Some(vec!["CHOWN", "FOWNER", "KILL", "SETGID", "SETUID"])),
            (1, Some(vec!["CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL", "SETGID", "SETUID"])),
            (2, None),
        ] {
            let hardening = Profile::of_level(level).hardening("postgres", &POSTGRES);
            let capabilities: Option<Vec<String>> =
                capabilities.map(|list| list.into_iter().map(str::to_owned).collect());
            assert_eq!((hardening.only_capabilities, hardening.user), (capabilities, None), "{level}");
        }
    }

    #[test]
    fn a_profile_is_known_by_its_container() {
        for profile in Profile::ALL {
            let asked = profile.hardening("server", &POSTGRES);
            let c = SeenContainer {
                cap_drop: asked.only_capabilities.iter().map(|_| "ALL".to_owned()).collect(),
                cap_add: asked.only_capabilities.unwrap_or_default(),
                ..SeenContainer::default()
            };
            assert_eq!(Profile::of_container(&c), profile);
        }
    }

    #[test]
    fn each_is_tried_once_and_the_least_first() {
        let mut refused = BTreeSet::new();
        let mut tried = vec![Profile::least(&refused)];
        while let Some(next) = tried.last().and_then(|last| {
            refused.insert(*last);
            last.next(&refused)
        }) {
            tried.push(next);
        }
        assert_eq!(tried, Profile::ALL);
        // A container of an earlier version: what asks for less was never tried with it.
        assert_eq!(Profile::Root.next(&BTreeSet::from([Profile::Root])), Some(Profile::AsUser));
        assert_eq!(Profile::EngineDefault.next(&BTreeSet::new()), None);
    }

    #[test]
    fn only_a_start_that_wants_a_permission_counts() {
        let words =
            LogWords { serves: "ready to accept connections", of_clients: &["ERROR:", "STATEMENT:", "LOG:"] };
        for (log, wants) in [
            (vec!["find: ‘/var/lib/postgresql/18/docker’: Permission denied"], true),
            (vec!["chown: /data: Operation not permitted", "x"], true),
            (vec!["FATAL:  could not open file \"postmaster.pid\": Permission denied"], true),
            (
                vec![
                    "initdb: error: could not change permissions of directory \"/d\": Operation not permitted",
                ],
                true,
            ),
            (vec!["2026 [1] ERROR:  permission denied for table t"], false),
            (vec!["psql:/docker-entrypoint-initdb.d/a.sql:1: ERROR:  permission denied for schema s"], false),
            (vec!["2026 [1] STATEMENT:  select 'permission denied'"], false),
            (
                vec![
                    "find: x: Permission denied",
                    "LOG:  database system is ready to accept connections",
                    "boom",
                ],
                false,
            ),
            (
                vec!["LOG:  database system is ready to accept connections", "find: x: Permission denied"],
                true,
            ),
            (vec!["out of memory"], false),
        ] {
            let log: Vec<String> = log.into_iter().map(str::to_owned).collect();
            assert_eq!(words.refused_in(&log).is_some(), wants, "{log:?}");
        }
    }
}
