//! What one pass saw of one Postgres: the values that `plan` and `conditions` decide on.

use super::collation::{Collations, Columns};
use super::facts::ImageFacts;
use super::trial::Verdict;
use super::wal::Health;
use crate::workload;
use crate::workload::schedule::Due;
pub use crate::workload::world::Declared;
use std::collections::BTreeMap;

/// What lies on the volume, as far as it was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DataSeen {
    /// There was no need to look.
    NotLooked,
    Empty,
    /// Where the image's servers look for it.
    Major(u32),
    /// At this place in the volume, where they do not look.
    Elsewhere {
        major: u32,
        path: String,
    },
}

/// A login that is no proof of the managed credentials, or would give them away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weak {
    /// The server asked for the password itself.
    ClearText,
    /// The server asked for an MD5 hash of it: what it stores is one.
    Md5,
    /// The server let us in without.
    NoPassword,
    /// Something that we do not have, by name.
    Other(&'static str),
}

impl std::fmt::Display for Weak {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Weak::ClearText => f.write_str(
                "the server asked for the password in clear text (method password, ldap, radius, pam or bsd in pg_hba.conf); it was not told",
            ),
            Weak::Md5 => f.write_str(
                "the server asked for an MD5 hash of the password (method md5 in pg_hba.conf, and the role's password is stored as MD5); none was sent",
            ),
            Weak::NoPassword => f.write_str(
                "the server let the login in without any password (method trust, ident, peer or cert in pg_hba.conf): that proves nothing, and everybody who reaches the port may be in",
            ),
            Weak::Other(what) => write!(f, "the server asked for {what} instead of a password's proof by SCRAM-SHA-256; nothing was sent"),
        }
    }
}

/// Whether the initialisation that made the data ran to its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum InitSeen {
    /// There was no need to look, or nothing to judge by.
    #[default]
    NotLooked,
    Complete,
    /// With what its container said last.
    Unfinished(String),
}

/// What lies elsewhere although it is found in the data directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Placement {
    /// There was no need to look.
    #[default]
    NotLooked,
    /// Symbolic links by path, and where they lead in the end; the data directory too, which leads to itself when it is
    /// no link.
    Links(BTreeMap<String, String>),
    /// There are too many to tell.
    TooMany,
}

/// The server, seen by a login over the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Server {
    /// The container does not run.
    NotRunning,
    /// Start-up or recovery, with PostgreSQL's own words.
    Starting(String),
    /// Nobody listens (yet).
    Refused(String),
    /// The managed credentials were refused.
    LoginRefused(String),
    /// A login that must not count; nothing was told to the server.
    Weak(Weak),
    /// No answer in time.
    Hung(String),
    /// The server turns the login away: reason and its words.
    TurnedAway(&'static str, String),
    /// It answers on the network and not at its published port, in words.
    PortSilent(String),
    /// Some other failure, in words.
    Failed(String),
    Up(Box<ServerFacts>),
}

/// A password that takes the place of the one in use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pending {
    /// There is none.
    #[default]
    No,
    /// It is in the store, and nobody was let in by it.
    Sealed,
    /// The server let us in by it.
    InForce,
}

/// What a logged-in session told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerFacts {
    /// `18.1`
    pub version: String,
    pub system_identifier: String,
    pub data_directory: String,
    /// As PostgreSQL printed it.
    pub started_at: String,
    pub in_recovery: bool,
    pub database_exists: bool,
    /// SHA-256 of the parameter file, hex; empty when it is gone.
    pub parameters_sha256: String,
    /// Names of parameters that wait for a restart, sorted.
    pub pending_restart: Vec<String>,
    /// Those of them that another file than ours sets, as far as a new login looked.
    pub pending_by_hand: Vec<String>,
    /// Manifest parameters that another configuration file overrides (ALTER SYSTEM), sorted.
    pub overridden: Vec<String>,
    /// The same by ALTER ROLE or ALTER DATABASE, for the managed user in the managed database.
    pub overridden_by_role: Vec<String>,
    /// Lines of configuration files that the server cannot read, with why: it would not start with them.
    pub broken_configuration: Vec<String>,
    /// Object ids of the tablespaces that were made beside PostgreSQL's own two: with another list it is to be
    /// seen anew where the data lies.
    pub tablespaces: String,
    pub collations: Collations,
    /// Of the role that reads the server's health.
    pub monitor: MonitorRole,
    pub statements: Statements,
    /// Where ordinary roles find no connection left; a superuser gets in by those that are kept.
    pub crowd: Option<Crowd>,
}

/// What a new login of the managed user told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewLogin {
    /// As [`ServerFacts::overridden_by_role`].
    pub overridden: Vec<String>,
    /// As [`ServerFacts::broken_configuration`].
    pub broken: Vec<String>,
    /// What waits for a restart, and what of it as [`ServerFacts::pending_by_hand`].
    pub pending: Vec<String>,
    pub by_hand: Vec<String>,
    /// What the server says to wait, and is as it would be after a restart.
    pub in_force: Vec<String>,
}

/// What is full. Its figures are limits, so that it is the same as long as it lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crowd {
    /// All connections that the server has, but for those that it keeps for some roles.
    Server { max: u32, reserved: u32 },
    /// All that the managed database takes.
    Database { limit: u32 },
}

impl Crowd {
    /// From the probe's figures: connections, max_connections, the two kinds of reserved ones, connections into the managed
    /// database, and its limit (below 0: none). A login is refused when what is left with it would be less than what is
    /// reserved (PostgreSQL docs, "superuser_reserved_connections").
    #[must_use]
    pub fn told(text: &str) -> Option<Self> {
        let figures: Vec<i64> = text.split(',').filter_map(|figure| figure.parse().ok()).collect();
        let [used, max, superusers, some, here, limit] = figures.as_slice() else { return None };
        let reserved = superusers.saturating_add(*some);
        if used.saturating_add(reserved) >= *max {
            return Some(Self::Server {
                max: u32::try_from(*max).ok()?,
                reserved: u32::try_from(reserved).ok()?,
            });
        }
        // Below 0 there is none.
        let limit = u32::try_from(*limit).ok()?;
        (*here >= i64::from(limit)).then_some(Self::Database { limit })
    }

    /// The reason, and the words to it.
    #[must_use]
    pub fn in_words(self, database: &str) -> (&'static str, String) {
        match self {
            Self::Server { max, reserved } => (
                "ConnectionsExhausted",
                format!(
                    "all {} connections that applications may have are in use (max_connections {max}, of which {reserved} are kept for superusers): nobody else gets in. End idle ones, pool them, or raise max_connections in spec.parameters",
                    max.saturating_sub(reserved)
                ),
            ),
            Self::Database { limit } => (
                "ConnectionLimitReached",
                format!(
                    "database {database:?} takes {limit} connections of applications (ALTER DATABASE … CONNECTION LIMIT), and all are in use: only superusers get into it"
                ),
            ),
        }
    }
}

/// Whether a server counts statements, and tells them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Statements {
    /// The server did not tell.
    #[default]
    Unknown,
    /// The library is not loaded.
    NotLoaded,
    /// There is no extension in the database `postgres`, and nothing stands against making it.
    Missing,
    /// There is none in the database that we are in, and it is not made by us.
    NotMade,
    Told,
}

impl Statements {
    /// As the probe's statement tells it.
    #[must_use]
    pub fn told(text: &str) -> Self {
        match text {
            "not loaded" => Self::NotLoaded,
            "missing" => Self::Missing,
            "not made" => Self::NotMade,
            "told" => Self::Told,
            _ => Self::Unknown,
        }
    }
}

/// How the role is that reads a server's health.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum MonitorRole {
    /// The server did not tell.
    #[default]
    Unknown,
    Missing,
    /// Somebody else's, by its mark: it is left alone.
    Foreign,
    Fine,
    /// It is a member of these roles, or otherwise more or less than it should be.
    Differs(Vec<String>),
}

impl MonitorRole {
    /// As the probe's statement tells it.
    #[must_use]
    pub fn told(text: &str) -> Self {
        match text.split_once(':') {
            Some(("differs", others)) => Self::Differs(
                others.split(',').filter(|other| !other.is_empty()).map(str::to_owned).collect(),
            ),
            _ if text == "missing" => Self::Missing,
            _ if text == "foreign" => Self::Foreign,
            _ if text == "fine" => Self::Fine,
            _ => Self::Unknown,
        }
    }
}

impl ServerFacts {
    /// With what a new login told.
    pub fn take(&mut self, told: NewLogin) {
        (self.overridden_by_role, self.broken_configuration) = (told.overridden, told.broken);
        self.pending_by_hand = told.by_hand;
        self.pending_restart.retain(|name| !told.in_force.contains(name));
    }

    /// What waits for a restart, and is not somebody else's to put in force.
    #[must_use]
    pub fn pending_ours(&self) -> Vec<&str> {
        let names = self.pending_restart.iter().filter(|name| !self.pending_by_hand.contains(name));
        names.map(String::as_str).collect()
    }

    /// A start would take in what others wrote into configuration files, and perhaps not survive it: that is theirs to ask for.
    #[must_use]
    pub fn restart_is_theirs(&self) -> bool {
        !self.pending_by_hand.is_empty() || !self.broken_configuration.is_empty()
    }

    /// The major version of the running server.
    #[must_use]
    pub fn major(&self) -> Option<u32> {
        self.version.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    }
}

/// Everything seen in one pass.
#[derive(Clone, Debug, PartialEq)]
pub struct World {
    /// Its container, with all that belongs to it.
    pub work: workload::World<ImageFacts>,
    pub data: DataSeen,
    pub declared: Declared,
    pub pending: Pending,
    /// The next rotation by the schedule.
    pub due: Due,
    pub server: Server,
    /// What is known of its WAL.
    pub health: Health,
    /// The server refused the password of the role that reads it.
    pub monitor_refused: bool,
    /// SHA-256 of the parameter file in a container that does not run; `None`: not looked or gone.
    pub file_sha256: Option<String>,
    pub init: InitSeen,
    /// Where symbolic links lead out of the data directory.
    pub placement: Placement,
    /// Whose data lies on the volume, where [`World::data`] was looked at.
    pub system_identifier: Option<String>,
    /// Catalog version of the data, where it was looked at.
    pub data_catalog: Option<u32>,
    /// Whether the data says that its last server was shut down cleanly; looked at when the exit code of
    /// a stopped container leaves it open.
    pub left_clean: Option<bool>,
    /// Asked only before and after the libraries that sort text change.
    pub columns: Columns,
    /// Image id → how the trial start ended that is due before the manifest's parameters run on it.
    pub trials: BTreeMap<String, Verdict>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_connection_of_an_application_is_the_one_before_the_reserved_ones() {
        let server = Some(Crowd::Server { max: 100, reserved: 3 });
        for (text, want) in [
            ("96,100,3,0,90,-1", None),
            ("97,100,3,0,90,-1", server),
            ("100,100,3,0,90,-1", server),
            ("94,100,3,2,90,-1", None),
            ("95,100,3,2,90,-1", Some(Crowd::Server { max: 100, reserved: 5 })),
            ("5,100,3,0,0,0", Some(Crowd::Database { limit: 0 })),
            ("5,100,3,0,1,2", None),
            ("5,100,3,0,2,2", Some(Crowd::Database { limit: 2 })),
            // There is no such database.
            ("", None),
            ("5,100,3", None),
        ] {
            assert_eq!(Crowd::told(text), want, "{text}");
        }
    }
}
