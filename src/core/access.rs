//! Who asks, and what they may: permissions, the roles that stand for several, and the caller of one request.
//!
//! It knows neither tokens nor how a request came; who may what is decided from these values alone. Names of permissions
//! are those of the service API (product brief, reference of its REST interface).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// One thing that a token can allow. None includes another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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

/// What a token allows: a role, which means what it means when it is used, or these permissions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Grant {
    Role(Role),
    Permissions(BTreeSet<Permission>),
}

impl Grant {
    #[must_use]
    pub fn permissions(&self) -> BTreeSet<Permission> {
        match self {
            Self::Role(role) => role.permissions(),
            Self::Permissions(permissions) => permissions.clone(),
        }
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Role(role) => role.fmt(f),
            Self::Permissions(permissions) => f.write_str(&words(permissions)),
        }
    }
}

/// Permissions as they are shown, with commas between them.
#[must_use]
pub fn words<'a>(permissions: impl IntoIterator<Item = &'a Permission>) -> String {
    permissions.into_iter().map(|permission| permission.as_str()).collect::<Vec<_>>().join(", ")
}

/// Who sends a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// `socket` or `uid 0 (root)`, or the name of the token.
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

    /// The same, where the system tells who that is. Other names than root's are those of this machine, which a process in
    /// a container cannot know.
    #[must_use]
    pub fn user(uid: u32) -> Self {
        let name = if uid == 0 { "uid 0 (root)".to_owned() } else { format!("uid {uid}") };
        Self { name, ..Self::socket() }
    }

    /// Seawall itself, which nobody asked.
    #[must_use]
    pub fn operator() -> Self {
        Self { name: "seawall".to_owned(), ..Self::socket() }
    }

    #[must_use]
    pub fn may(&self, permission: Permission) -> bool {
        self.may.contains(&permission)
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.from {
            Some(address) => write!(f, "{} from {address}", self.name),
            None => f.write_str(&self.name),
        }
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

    #[test]
    fn a_grant_is_a_role_or_permissions_and_reads_as_such() {
        let some = Grant::Permissions([Permission::SecretsReveal, Permission::BackupsRead].into());
        for (grant, json, text) in [
            (Grant::Role(Role::Viewer), serde_json::json!({"role": "viewer"}), "viewer"),
            (
                some,
                serde_json::json!({"permissions": ["BackupsRead", "SecretsReveal"]}),
                "BackupsRead, SecretsReveal",
            ),
        ] {
            assert_eq!(serde_json::to_value(&grant).unwrap(), json);
            assert_eq!(serde_json::from_value::<Grant>(json).unwrap(), grant);
            assert_eq!(grant.to_string(), text);
        }
    }

    #[test]
    fn who_asks_is_said_with_the_address_if_there_is_one() {
        let far = Caller { name: "ci".to_owned(), from: "10.0.0.1".parse().ok(), ..Caller::socket() };
        let all = [Caller::socket(), Caller::user(0), Caller::user(1000), far];
        let all: Vec<String> = all.iter().map(ToString::to_string).collect();
        assert_eq!(all, ["socket", "uid 0 (root)", "uid 1000", "ci from 10.0.0.1"]);
    }
}
