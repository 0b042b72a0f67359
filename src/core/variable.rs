//! A variable that an application finds, before the secret that is in it, and all that an environment is given. Values only:
//! what is here can be shown.

use super::names::ObjectRef;
use super::neighbours::{Offer, offers};
use super::text::{shell_quoted, url_part};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use zeroize::Zeroizing;

/// Its name, and the text around its secret, if it has one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variable {
    pub name: String,
    #[serde(flatten)]
    pub parts: Parts,
}

/// What it is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Parts {
    Plain(String),
    /// The secret alone.
    Secret,
    /// What stands before it and behind it in a URL, where it is percent-encoded.
    Url(String, String),
}

impl Variable {
    #[must_use]
    pub fn plain(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), parts: Parts::Plain(value.into()) }
    }

    #[must_use]
    pub fn is_secret(&self) -> bool {
        !matches!(self.parts, Parts::Plain(_))
    }

    /// The whole of it; `None`: its secret is not there.
    #[must_use]
    pub fn value(&self, secret: Option<&str>) -> Option<String> {
        match (&self.parts, secret) {
            (Parts::Plain(value), _) => Some(value.clone()),
            (Parts::Secret, Some(secret)) => Some(secret.to_owned()),
            (Parts::Url(before, after), Some(secret)) => Some(format!("{before}{}{after}", url_part(secret))),
            (Parts::Secret | Parts::Url(..), None) => None,
        }
    }
}

/// What those that give to an environment give to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Given {
    /// With those whose secrets are in them, in the order of these; names that stand for others at the end.
    pub variables: Vec<(ObjectRef, Variable)>,
    pub not_ready: Vec<ObjectRef>,
    /// Ready, and not to be reached from where the application is.
    pub unreachable: Vec<ObjectRef>,
}

impl Given {
    /// Of these offers, those to `environment`; `on_host`: for applications outside of the network.
    #[must_use]
    pub fn to(environment: &str, all: &BTreeMap<ObjectRef, Offer>, on_host: bool) -> Self {
        let mut given = Self::default();
        let mut aliases: BTreeMap<&str, Vec<(ObjectRef, Variable)>> = BTreeMap::new();
        let gives = |offer: &Offer| offer.present && offer.has(offers::ENVIRONMENT, environment);
        for (from, offer) in all.iter().filter(|(_, offer)| gives(offer)) {
            if !offer.ready {
                given.not_ready.push(from.clone());
            }
            let kind = if on_host { offers::HOST_VARIABLES } else { offers::VARIABLES };
            // What says nothing of variables gives none: an application is there, too.
            let Some(text) = offer.say(kind) else { continue };
            let variables: Vec<Variable> = serde_json::from_str(text).unwrap_or_default();
            if variables.is_empty() && offer.ready {
                given.unreachable.push(from.clone());
            }
            for variable in variables {
                if let (Parts::Url(..), Some(alias)) = (&variable.parts, offer.say(offers::ALIAS)) {
                    let alias_of = Variable { name: alias.to_owned(), ..variable.clone() };
                    aliases.entry(alias).or_default().push((from.clone(), alias_of));
                }
                given.variables.push((from.clone(), variable));
            }
        }
        let taken: BTreeSet<&str> = given.variables.iter().map(|(_, v)| v.name.as_str()).collect();
        // What two would be called so, neither is.
        let only = aliases.into_iter().filter(|(alias, all)| all.len() == 1 && !taken.contains(alias));
        let only: Vec<_> = only.flat_map(|(_, all)| all).collect();
        given.variables.extend(only);
        given
    }
}

/// A value with a secret in it, on its way into a container. It is not shown, and gone from memory afterwards.
#[derive(Clone, PartialEq, Eq)]
pub struct Withheld(Zeroizing<String>);

impl Withheld {
    #[must_use]
    pub fn new(value: String) -> Self {
        Self(Zeroizing::new(value))
    }

    /// For the one call that hands it over.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Withheld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("****")
    }
}

/// A line of a file in dotenv form.
#[must_use]
pub fn dotenv(name: &str, value: &str) -> String {
    format!("{name}={}", shell_quoted(value))
}

/// With stars in place of the secret.
impl fmt::Display for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.parts {
            Parts::Plain(value) => f.write_str(value),
            Parts::Secret => f.write_str("****"),
            Parts::Url(before, after) => write!(f, "{before}****{after}"),
        }
    }
}
