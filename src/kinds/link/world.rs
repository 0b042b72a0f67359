//! What one pass saw of a link. Values only.

use crate::core::variable::Variable;
use crate::kinds::tenancy::{Look, Refusal, Turn};
use crate::workload::schedule::Due;
use std::collections::BTreeSet;
use std::time::Duration;

#[derive(Clone, Debug, Default, PartialEq)]
pub struct World {
    pub server: Server,
    /// Passwords that are in the store.
    pub sealed: BTreeSet<Turn>,
    pub username: String,
    /// What applications find on the network, and on this host.
    pub inside: Vec<Variable>,
    pub outside: Vec<Variable>,
    pub alias: Option<&'static str>,
    /// For the service to put in force.
    pub grant: Option<String>,
    /// What an unlink leaves, in words.
    pub leaves: String,
    /// The next rotation by the schedule.
    pub due: Due,
    /// For how long the phase of a rotation has lasted.
    pub rotating_for: Option<Duration>,
    /// For how long nobody was seen to use the old login.
    pub quiet_for: Duration,
}

/// The service, as far as it is the link's.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Server {
    /// It is not Ready, or not there.
    #[default]
    NotAsked,
    /// Its kind has nothing for links.
    NoTenancy,
    /// It cannot have such a tenant.
    Refused(Refusal),
    Away(String),
    Failed(String),
    Seen {
        look: Look,
        proof: Proof,
        /// The same of the login that is to take its place.
        next: Proof,
    },
}

/// A login as an application's.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Proof {
    #[default]
    NotTried,
    LetIn,
    TurnedAway(String),
}
