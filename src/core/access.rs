//! Who asks, and what they may: permissions, the roles that stand for several, and the caller of one request.
//!
//! It knows neither tokens nor how a request came; who may what is decided from these values alone. Names of permissions
//! are those of the service API (product brief, reference of its REST interface).

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// One thing that a token can allow. None includes another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Permission {
    /// Everything that is no secret: objects, status, plans, events, logs, figures.
    ExternalServicesRead,
    /// A new object.
    ExternalServicesCreate,
    /// Changes of an object, stop, start, restart, rotate, links, what goes on inside its server.
    ExternalServicesWrite,
    /// Objects and their data go.
    ExternalServicesDelete,
    BackupsRead,
    BackupsCreate,
    BackupsWrite,
    BackupsDelete,
    /// Passwords in clear. Each time leaves an audit record.
    SecretsReveal,
    /// The operator itself: tokens, keys, held-back removals, its export, the audit log.
    SettingsManage,
}

impl Permission {
    pub const ALL: [Self; 10] = [
        Self::ExternalServicesRead,
        Self::ExternalServicesCreate,
        Self::ExternalServicesWrite,
        Self::ExternalServicesDelete,
        Self::BackupsRead,
        Self::BackupsCreate,
        Self::BackupsWrite,
        Self::BackupsDelete,
        Self::SecretsReveal,
        Self::SettingsManage,
    ];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ExternalServicesRead => "ExternalServicesRead",
            Self::ExternalServicesCreate => "ExternalServicesCreate",
            Self::ExternalServicesWrite => "ExternalServicesWrite",
            Self::ExternalServicesDelete => "ExternalServicesDelete",
            Self::BackupsRead => "BackupsRead",
            Self::BackupsCreate => "BackupsCreate",
            Self::BackupsWrite => "BackupsWrite",
            Self::BackupsDelete => "BackupsDelete",
            Self::SecretsReveal => "SecretsReveal",
            Self::SettingsManage => "SettingsManage",
        }
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Several permissions by one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Everything.
    Admin,
    /// The daily work: everything about objects but their deletion and their passwords.
    Operator,
    /// Looks.
    Viewer,
}

impl Role {
    pub const ALL: [Self; 3] = [Self::Admin, Self::Operator, Self::Viewer];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Operator => "operator",
            Self::Viewer => "viewer",
        }
    }

    #[must_use]
    pub fn permissions(self) -> BTreeSet<Permission> {
        use Permission as P;
        match self {
            Self::Admin => P::ALL.into(),
            Self::Operator => [
                P::ExternalServicesRead,
                P::ExternalServicesCreate,
                P::ExternalServicesWrite,
                P::BackupsRead,
                P::BackupsCreate,
                P::BackupsWrite,
            ]
            .into(),
            Self::Viewer => [P::ExternalServicesRead, P::BackupsRead].into(),
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Not the name of a permission or role; the message lists those that there are.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{word}` is no {what}; there are {all}")]
pub struct UnknownWord {
    what: &'static str,
    word: String,
    all: String,
}

fn one_of<T: Copy>(
    what: &'static str,
    word: &str,
    all: &[T],
    name: impl Fn(T) -> &'static str,
) -> Result<T, UnknownWord> {
    let found = all.iter().copied().find(|known| name(*known) == word);
    found.ok_or_else(|| UnknownWord {
        what,
        word: word.to_owned(),
        all: all.iter().map(|known| name(*known)).collect::<Vec<_>>().join(", "),
    })
}

impl FromStr for Permission {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        one_of("permission", word, &Self::ALL, Self::as_str)
    }
}

impl FromStr for Role {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        one_of("role", word, &Self::ALL, Self::as_str)
    }
}

/// Who sends a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// `socket`, or the name of the token.
    pub name: String,
    pub may: BTreeSet<Permission>,
    /// `None`: over the unix socket.
    pub from: Option<IpAddr>,
}

impl Caller {
    /// Whoever can open the unix socket, which its file mode decides: everything.
    #[must_use]
    pub fn socket() -> Self {
        Self { name: "socket".to_owned(), may: Permission::ALL.into(), from: None }
    }

    #[must_use]
    pub fn may(&self, permission: Permission) -> bool {
        self.may.contains(&permission)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_as_they_are_written_and_others_are_named() {
        for permission in Permission::ALL {
            assert_eq!(permission.as_str().parse(), Ok(permission));
            assert_eq!(serde_json::to_value(permission).unwrap(), permission.as_str());
        }
        for role in Role::ALL {
            assert_eq!(role.as_str().parse(), Ok(role));
            assert_eq!(serde_json::to_value(role).unwrap(), role.as_str());
        }
        let error = "Admin".parse::<Role>().unwrap_err().to_string();
        assert_eq!(error, "`Admin` is no role; there are admin, operator, viewer");
    }

    #[test]
    fn only_who_was_told_so_reveals_deletes_or_manages() {
        let strong =
            [Permission::SecretsReveal, Permission::ExternalServicesDelete, Permission::SettingsManage];
        for role in [Role::Operator, Role::Viewer] {
            let caller = Caller { name: role.to_string(), may: role.permissions(), from: None };
            assert!(strong.iter().all(|permission| !caller.may(*permission)), "{role}");
            assert!(caller.may(Permission::ExternalServicesRead), "{role}");
        }
        assert!(Permission::ALL.iter().all(|permission| Caller::socket().may(*permission)));
    }
}
