//! A variable that an application finds, before the secret that is in it. Values only: what is here can be shown.

use serde::{Deserialize, Serialize};
use std::fmt;

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
