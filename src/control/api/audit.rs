//! Tokens and the audit log, as they are told.

use crate::core::access::Grant;
use crate::core::names::Name;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// A token that somebody wants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NewToken {
    pub name: Name,
    #[serde(flatten)]
    pub grant: Grant,
    /// `90d`, `never`, or an RFC 3339 time.
    #[serde(default = "expires")]
    pub expires: String,
}

/// How long a token lasts of which nothing else is said.
pub const EXPIRES: &str = "90d";

fn expires() -> String {
    EXPIRES.to_owned()
}

/// A token, this one time.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IssuedToken {
    /// What opens: nobody can tell it again.
    pub token: String,
    #[serde(flatten)]
    pub view: TokenView,
}

impl std::fmt::Debug for IssuedToken {
    /// Without the token.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IssuedToken").field("view", &self.view).finish_non_exhaustive()
    }
}

/// The way into the dashboard, once.
#[derive(Clone, Serialize, Deserialize)]
pub struct SignInUrl {
    /// What a browser opens: nobody can tell it again.
    pub url: String,
    /// RFC 3339.
    pub expires: String,
}

impl std::fmt::Debug for SignInUrl {
    /// Without the link.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignInUrl").field("expires", &self.expires).finish_non_exhaustive()
    }
}

/// What is known of a token. Times are RFC 3339.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenView {
    pub name: Name,
    #[serde(flatten)]
    pub grant: Grant,
    pub created: String,
    /// Not there: it does not end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// It has ended, and opens nothing.
    pub expired: bool,
    /// To the minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_from: Option<IpAddr>,
}

/// Something that somebody did and may be asked about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditEntry {
    /// Grows by one with every entry; what is counted anew moves to the end.
    pub sequence: u64,
    /// RFC 3339: when, for the first time if it is counted.
    pub at: String,
    /// RFC 3339: the last time.
    pub last_at: String,
    /// The name of a token, `uid 1000`, `seawall`, or `unknown`.
    pub who: String,
    /// An address; `socket`; `store` for a command that ran without an operator.
    pub from: String,
    /// `PasswordRevealed`, `TokenCreated`, `LoginFailed` …
    pub what: String,
    /// `token/ci`, or an object; empty where it concerns everything.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub object: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    pub count: u64,
}
