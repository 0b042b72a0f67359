//! Names: kinds, object references, what an installation calls its Docker objects, label keys.
//!
//! A name is parsed once, at the edge, into a type that cannot hold an illegal value. This module
//! is the only one that knows how a Docker object of Seawall is called.

use super::text::quoted;
use crate::core::desired::stable_hash;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The only API version there is.
pub const API_VERSION: &str = "seawall.dev/v1";

/// Longest object name; leaves room for `<installation>-postgres-…-data` in Docker's 63-byte DNS labels.
pub const MAX_NAME: usize = 40;

/// Longest installation name.
pub const MAX_INSTALLATION: usize = 12;

/// Label keys on every Docker object that Seawall made.
pub mod label {
    pub const INSTALLATION: &str = "seawall.dev/installation";
    pub const STORE: &str = "seawall.dev/store";
    pub const KIND: &str = "seawall.dev/kind";
    pub const NAME: &str = "seawall.dev/name";
    /// Which of several containers of the object; an only one has none.
    pub const ROLE: &str = "seawall.dev/role";
    pub const UID: &str = "seawall.dev/uid";
    pub const GENERATION: &str = "seawall.dev/generation";
    /// The published host port: it is taken also while the container is stopped, which the engine does
    /// not tell in a list.
    pub const HOST_PORT: &str = "seawall.dev/host-port";
    /// Prefix of the hash of one field group: `seawall.dev/hash.ports`.
    pub const HASH_PREFIX: &str = "seawall.dev/hash.";
    /// On throw-away containers that only look into an image: the last part of their name.
    pub const PROBE: &str = "seawall.dev/image-probe";
    /// How the names of an object's volumes begin, where that is not the name of its container.
    pub const VOLUMES: &str = "seawall.dev/volumes";
    /// On images: `true` when made for Seawall.
    pub const MANAGED: &str = "seawall.dev/managed";
    /// On images: comma-separated tools inside.
    pub const CAPABILITIES: &str = "seawall.dev/capabilities";
}

/// Annotation keys that Seawall reads.
pub mod annotation {
    /// `"true"`: no writes for this object.
    pub const PAUSED: &str = "seawall.dev/paused";
    /// `"true"`: parameters and images are not tried in a throw-away container first.
    pub const SKIP_TRIAL: &str = "seawall.dev/skip-trial";
    /// `"true"`: a new object that looks like one under another name is none.
    pub const NEW: &str = "seawall.dev/new";
    /// The object's name: consent to delete its data when the manifest goes away.
    pub const CONFIRM_DELETE: &str = "seawall.dev/confirm-delete";
    /// Names of containers, with commas between, that may use the object's volume beside its server.
    pub const VOLUME_USERS: &str = "seawall.dev/volume-users";
    /// A system identifier: other data under this object was put there on purpose.
    pub const ACCEPT_CLUSTER: &str = "seawall.dev/accept-cluster";
    /// How all of them begin: another one that does is a slip.
    pub const PREFIX: &str = "seawall.dev/";
    /// Of these only `"true"` and `"false"` mean something.
    pub const FLAGS: [&str; 3] = [PAUSED, SKIP_TRIAL, NEW];
    pub const ALL: [&str; 6] = [PAUSED, SKIP_TRIAL, NEW, CONFIRM_DELETE, VOLUME_USERS, ACCEPT_CLUSTER];
}

/// The kinds of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Kind {
    App,
    Backup,
    BackupTarget,
    ImageCatalog,
    Link,
    Notifier,
    Postgres,
    Project,
    Redis,
    Restore,
}

impl Kind {
    pub const ALL: [Kind; 10] = [
        Kind::App,
        Kind::Backup,
        Kind::BackupTarget,
        Kind::ImageCatalog,
        Kind::Link,
        Kind::Notifier,
        Kind::Postgres,
        Kind::Project,
        Kind::Redis,
        Kind::Restore,
    ];

    /// As written in a manifest: `Postgres`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::App => "App",
            Kind::Backup => "Backup",
            Kind::BackupTarget => "BackupTarget",
            Kind::ImageCatalog => "ImageCatalog",
            Kind::Link => "Link",
            Kind::Notifier => "Notifier",
            Kind::Project => "Project",
            Kind::Postgres => "Postgres",
            Kind::Redis => "Redis",
            Kind::Restore => "Restore",
        }
    }

    /// As written on the command line and in keys: `postgres`.
    #[must_use]
    pub fn lower(self) -> &'static str {
        match self {
            Kind::App => "app",
            Kind::Backup => "backup",
            Kind::BackupTarget => "backuptarget",
            Kind::ImageCatalog => "imagecatalog",
            Kind::Link => "link",
            Kind::Notifier => "notifier",
            Kind::Project => "project",
            Kind::Postgres => "postgres",
            Kind::Redis => "redis",
            Kind::Restore => "restore",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a string is no kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown kind {}; kinds are Postgres, Redis, Project, Link, App, BackupTarget, Backup, Restore, Notifier and ImageCatalog", quoted(.0))]
pub struct UnknownKind(pub String);

impl FromStr for Kind {
    type Err = UnknownKind;
    /// Case does not matter; plurals and the usual short forms are accepted, as kubectl does.
    fn from_str(s: &str) -> Result<Self, UnknownKind> {
        match s.to_ascii_lowercase().as_str() {
            "postgres" | "postgreses" | "postgresql" | "pg" => Ok(Kind::Postgres),
            "redis" | "redises" => Ok(Kind::Redis),
            "imagecatalog" | "imagecatalogs" => Ok(Kind::ImageCatalog),
            "link" | "links" => Ok(Kind::Link),
            "notifier" | "notifiers" => Ok(Kind::Notifier),
            "app" | "apps" => Ok(Kind::App),
            "backup" | "backups" => Ok(Kind::Backup),
            "backuptarget" | "backuptargets" => Ok(Kind::BackupTarget),
            "restore" | "restores" => Ok(Kind::Restore),
            "project" | "projects" => Ok(Kind::Project),
            _ => Err(UnknownKind(s.to_owned())),
        }
    }
}

/// Why a string is no name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    #[error("a name is needed")]
    Empty,
    #[error("{} has {} characters; at most {} are allowed", quoted(.0), .1, .2)]
    TooLong(String, usize, usize),
    #[error(
        "{} is not a DNS label: only lower-case letters, digits and '-' are allowed, and it starts and ends with a letter or digit",
        quoted(.0)
    )]
    NotDnsLabel(String),
}

pub(super) fn check_label(s: &str, max: usize) -> Result<(), NameError> {
    if s.is_empty() {
        return Err(NameError::Empty);
    }
    let chars = s.chars().count();
    if chars > max {
        return Err(NameError::TooLong(s.to_owned(), chars, max));
    }
    let edge = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
    let bytes = s.as_bytes();
    let ok = bytes.iter().all(|&c| edge(c) || c == b'-')
        && bytes.first().copied().is_some_and(edge)
        && bytes.last().copied().is_some_and(edge);
    if ok { Ok(()) } else { Err(NameError::NotDnsLabel(s.to_owned())) }
}

/// The name of an object: a DNS label of at most [`MAX_NAME`] characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

impl Name {
    /// # Errors
    /// When `s` is not a DNS label (RFC 1123) of at most 40 characters.
    pub fn parse(s: &str) -> Result<Self, NameError> {
        check_label(s, MAX_NAME)?;
        Ok(Self(s.to_owned()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl TryFrom<String> for Name {
    type Error = NameError;
    fn try_from(s: String) -> Result<Self, NameError> {
        Self::parse(&s)
    }
}
impl From<Name> for String {
    fn from(n: Name) -> String {
        n.0
    }
}

/// The name of an installation; `default` leaves Docker names without a prefix.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Installation(String);

impl Installation {
    /// # Errors
    /// When `s` is not a DNS label of at most 12 characters.
    pub fn parse(s: &str) -> Result<Self, NameError> {
        check_label(s, MAX_INSTALLATION)?;
        Ok(Self(s.to_owned()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn prefixed(&self, base: String) -> String {
        if self.0 == "default" { base } else { format!("{}-{base}", self.0) }
    }

    /// The container of an object: `postgres-main`.
    #[must_use]
    pub fn container(&self, object: &ObjectRef) -> String {
        self.prefixed(format!("{}-{}", object.kind.lower(), object.name))
    }

    /// The objects of `kind` whose container or volume would have this name: `postgres-x-data` may be
    /// the volume of `x` or the container of `x-data`. Behind a dot is what belongs to one of several members, or to a path.
    #[must_use]
    pub fn owners(&self, kind: Kind, name: &str) -> Vec<ObjectRef> {
        let prefix = self.prefixed(format!("{}-", kind.lower()));
        let Some(rest) = name.strip_prefix(&prefix) else { return Vec::new() };
        let names = [rest.strip_suffix("-data"), Some(rest), rest.split_once('.').map(|(name, _)| name)];
        let object = |name: &str| Some(ObjectRef::new(kind, Name::parse(name).ok()?));
        names.into_iter().flatten().filter_map(object).collect()
    }

    /// The one bridge network of the installation.
    #[must_use]
    pub fn network(&self) -> String {
        self.prefixed("seawall".to_owned())
    }
}

/// The data volume whose name begins so: `postgres-main-data`.
#[must_use]
pub fn data_volume(base: &str) -> String {
    format!("{base}-data")
}

/// The volume for what an image keeps at `path` outside the data volume, whose name begins so:
/// `postgres-main.var.lib.extra`. No object's name has a dot, so that it is no other's.
#[must_use]
pub fn extra_volume(base: &str, path: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let name = format!("{base}.{}", parts.join("."));
    // Two paths must not meet in one name, and the engine takes letters, digits, '_', '-', '.'.
    if parts.iter().all(|part| part.chars().all(plain)) && name.len() <= 200 {
        return name;
    }
    format!("{base}.{}", stable_hash(path))
}

impl Default for Installation {
    fn default() -> Self {
        Self("default".to_owned())
    }
}
impl fmt::Display for Installation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl TryFrom<String> for Installation {
    type Error = NameError;
    fn try_from(s: String) -> Result<Self, NameError> {
        Self::parse(&s)
    }
}
impl From<Installation> for String {
    fn from(n: Installation) -> String {
        n.0
    }
}

/// One object: `postgres/main`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct ObjectRef {
    pub kind: Kind,
    pub name: Name,
}

impl ObjectRef {
    #[must_use]
    pub fn new(kind: Kind, name: Name) -> Self {
        Self { kind, name }
    }
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind.lower(), self.name)
    }
}

/// Why a string is no `kind/name`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RefError {
    #[error("expected KIND/NAME, for example postgres/main, got {}", quoted(.0))]
    NoSlash(String),
    #[error(transparent)]
    Kind(#[from] UnknownKind),
    #[error(transparent)]
    Name(#[from] NameError),
}

impl FromStr for ObjectRef {
    type Err = RefError;
    fn from_str(s: &str) -> Result<Self, RefError> {
        let (kind, name) = s.split_once('/').ok_or_else(|| RefError::NoSlash(s.to_owned()))?;
        Ok(Self { kind: kind.parse()?, name: Name::parse(name)? })
    }
}
impl TryFrom<String> for ObjectRef {
    type Error = RefError;
    fn try_from(s: String) -> Result<Self, RefError> {
        s.parse()
    }
}
impl From<ObjectRef> for String {
    fn from(r: ObjectRef) -> String {
        r.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_dns_labels() {
        for good in ["a", "main", "a-b", "9a", &"x".repeat(40)] {
            assert!(Name::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "A", "a_b", "a.b", "ä", &"x".repeat(41)] {
            assert!(Name::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn only_the_default_installation_has_no_prefix() {
        let object: ObjectRef = "postgres/main".parse().unwrap();
        let default = Installation::default();
        assert_eq!(default.container(&object), "postgres-main");
        assert_eq!(data_volume("postgres-main"), "postgres-main-data");
        assert_eq!(default.network(), "seawall");
        let owners = |name: &str| -> Vec<String> {
            default.owners(Kind::Postgres, name).iter().map(ToString::to_string).collect()
        };
        assert_eq!(owners("postgres-main-data"), ["postgres/main", "postgres/main-data"]);
        assert_eq!(owners("postgres-main"), ["postgres/main"]);
        assert_eq!(owners("postgres-main.node-1"), ["postgres/main"]);
        assert_eq!(owners("postgres-main..node-1-data"), ["postgres/main"]);
        assert_eq!(owners("blue-postgres-main"), Vec::<String>::new());
        let extra = |path: &str| extra_volume("postgres-main", path);
        assert_eq!(extra("/var/lib/extra"), "postgres-main.var.lib.extra");
        assert_ne!(extra("/var.lib/extra"), extra("/var/lib/extra"));
        assert_ne!(extra("/a b"), extra("/a c"));
        let other = Installation::parse("blue").unwrap();
        assert_eq!(other.container(&object), "blue-postgres-main");
        assert_eq!(other.network(), "blue-seawall");
    }

    #[test]
    fn references_read_and_print() {
        assert_eq!("Postgres/main".parse::<ObjectRef>().unwrap().to_string(), "postgres/main");
        assert!(matches!("main".parse::<ObjectRef>(), Err(RefError::NoSlash(_))));
        assert!(matches!("nothing/main".parse::<ObjectRef>(), Err(RefError::Kind(_))));
        assert!(matches!("postgres/Main".parse::<ObjectRef>(), Err(RefError::Name(_))));
    }
}
