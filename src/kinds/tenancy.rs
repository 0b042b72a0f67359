//! What a Link needs of whatever engine it links to. An engine answers in its folder; a Link knows none of them, and an engine
//! knows no Link: it is told what is wanted of a service for one tenant.
//!
//! What is there is compared by the engine, as only it knows what can differ; the steps are data of its own in words
//! that everybody can show.

use crate::core::names::{Installation, Name, ObjectRef};
use crate::core::plan::Sign;
use crate::core::variable::Variable;
use crate::secrets::Secret;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// One of the two logins of a tenant: while one is in use, the other one can be given the next password.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Turn {
    #[default]
    A,
    B,
}

impl Turn {
    pub const ALL: [Turn; 2] = [Turn::A, Turn::B];

    #[must_use]
    pub fn other(self) -> Turn {
        match self {
            Turn::A => Turn::B,
            Turn::B => Turn::A,
        }
    }

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Turn::A => "a",
            Turn::B => "b",
        }
    }
}

impl fmt::Display for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is wanted of a service for one link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenant {
    pub service: ObjectRef,
    /// Of this installation and of this link: by them what was made for it is known there.
    pub installation: Installation,
    pub link: Name,
    /// Of the database, or what is in its place.
    pub name: String,
    /// The link that had it first, where this one shares it: what concerns all of it is as that one wants it.
    pub first: Option<ObjectRef>,
    /// It gets at all keys of the service, not only at those that begin with its name, and is its only link.
    pub all_keys: bool,
    pub connection_limit: Option<u32>,
    pub extensions: BTreeSet<String>,
    /// The logins that let in. Without any, nothing is made, and what is there of it is closed.
    pub open: BTreeSet<Turn>,
    pub data: Data,
    /// The user of the service itself, if its applications log in as that; then nothing is made for it, and its database is
    /// the service's.
    pub own: Option<String>,
}

/// What becomes of its data when it is unlinked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Data {
    Stay,
    /// They go, but not before that was agreed to, and some time has passed.
    GoLater,
    /// They go as soon as nobody is let in any more.
    Go,
}

/// What must be remembered of a tenant, beside its passwords.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Known {
    /// By which the engine tells its database from another one of the same name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identifier: Option<String>,
    /// Of what the server keeps in place of each password: another one there was not set by us.
    pub fingerprints: BTreeMap<Turn, String>,
    /// What was last made inside of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inside: Option<String>,
    /// What of that is not to be had there, in the server's words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lacks: Vec<String>,
}

/// One step of an engine for a tenant.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    pub sign: Sign,
    pub words: String,
    pub cause: String,
    /// Only its engine reads it. No secret is in it: plans are shown.
    pub does: Value,
}

/// What was found of a tenant.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Look {
    /// Something of a name that is wanted was not made for it: what, in words. Then there are no steps.
    pub taken: Option<String>,
    pub steps: Vec<Step>,
    /// What the service has still to do by itself for what was granted, in words.
    pub waits: Option<String>,
    /// What is as another link wants it that shares its database, in words.
    pub differs: Option<String>,
    /// Its database, if it is there.
    pub identifier: Option<String>,
    /// How many sessions each login has; one that is missing cannot be told.
    pub sessions: BTreeMap<Turn, u64>,
}

/// Why a service cannot have a tenant, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub why: String,
    pub unblock: &'static str,
}

/// Why nothing was seen, or a step was not done. Words of the server's; no secret is in them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TenancyError {
    /// The operator is not logged into the service now.
    #[error("{0}")]
    Away(String),
    #[error("{0}")]
    Failed(String),
}

/// Passwords of a tenant by login.
pub type Passwords = BTreeMap<Turn, Secret>;

/// What an engine does for its tenants.
#[async_trait]
pub trait Tenancy: Send + Sync + 'static {
    /// Why there can be no such tenant of this kind of service.
    fn refuses(&self, tenant: &Tenant) -> Option<Refusal>;

    /// What the service itself puts in force for it, in words that only its kind reads: the link lets it see them. No
    /// password is in them. `None`: its tenants are made by steps alone.
    fn grant(&self, _tenant: &Tenant, _passwords: &Passwords) -> Option<String> {
        None
    }

    /// Compares what is there with what is wanted. Costs one question per service for all tenants that are looked at
    /// about the same time.
    async fn look(&self, tenant: &Tenant, passwords: &Passwords, known: &Known)
    -> Result<Look, TenancyError>;

    /// What is left of one that is unlinked, in words.
    fn leaves(&self, tenant: &Tenant) -> String;

    /// Does one step, which may have been done already, or by half.
    async fn apply(
        &self,
        tenant: &Tenant,
        step: &Step,
        passwords: &Passwords,
        known: &mut Known,
    ) -> Result<(), TenancyError>;

    /// What an application finds of this login, without the prefix; `at`: host and port, as it gets there.
    fn variables(&self, tenant: &Tenant, turn: Turn, at: (&str, u16)) -> Vec<Variable>;

    /// The variable that holds the URL where there is one service of this sort only, whatever the prefixes.
    fn alias(&self) -> Option<&'static str>;

    /// As whom it logs in.
    fn username(&self, tenant: &Tenant, turn: Turn) -> String;

    /// Logs in as the tenant's application would, and out again.
    async fn prove(&self, tenant: &Tenant, turn: Turn, password: &Secret) -> Result<(), TenancyError>;
}
