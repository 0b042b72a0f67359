//! What a backup by pg_dump is made of: databases in pg_dump's own format, and beside them what is of the server as a whole. Pure:
//! what `archive.rs` asks, and how its answers are judged.

use crate::core::storage::Part;
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;

/// What of a backup only PostgreSQL reads.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Inside {
    pub databases: Vec<Dumped>,
    /// The part with the roles: verifiers of their passwords are in it.
    pub roles: Part,
}

/// A database and its part.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Dumped {
    pub database: Database,
    pub part: Part,
    pub contents: Contents,
}

/// A database, as it is made anew.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Database {
    pub name: String,
    pub owner: String,
    pub encoding: String,
    pub collate: String,
    pub ctype: String,
    /// As the catalog has it: `c`, `i`, `b`; a server before 15 has none.
    pub provider: Option<String>,
    pub locale: Option<String>,
    pub rules: Option<String>,
    /// Below 0: none.
    #[serde(alias = "connection_limit")]
    pub connection_limit: i64,
    pub comment: Option<String>,
    pub bytes: u64,
    /// Somebody said who may do what: where nobody did, it is as every database begins.
    #[serde(alias = "has_access")]
    pub has_access: bool,
    #[serde(deserialize_with = "or_none")]
    pub access: Vec<Access>,
    #[serde(deserialize_with = "or_none")]
    pub settings: Vec<Setting>,
}

/// By what a database sorts, where that is not the C library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provider {
    Icu,
    Builtin,
}

impl Database {
    #[must_use]
    pub fn provider(&self) -> Option<Provider> {
        match self.provider.as_deref() {
            Some("i") => Some(Provider::Icu),
            Some("b") => Some(Provider::Builtin),
            _ => None,
        }
    }
}

/// `role`: `None`: everybody.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Access {
    pub role: Option<String>,
    pub privilege: String,
    pub grantable: bool,
}

/// `role`: `None`: of everybody in that database. `set`: `name=value`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    pub role: Option<String>,
    pub set: String,
}

/// A role. Has no `Debug` that shows its verifier.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Role {
    pub name: String,
    pub superuser: bool,
    pub inherits: bool,
    pub makes_roles: bool,
    pub makes_databases: bool,
    pub login: bool,
    pub replication: bool,
    pub bypasses_rls: bool,
    /// Below 0: none.
    pub connection_limit: i64,
    pub verifier: Option<String>,
    pub valid_until: Option<String>,
    pub comment: Option<String>,
    #[serde(deserialize_with = "or_none")]
    pub settings: Vec<String>,
    #[serde(deserialize_with = "or_none")]
    pub member_of: Vec<Member>,
}

/// Of which role it is a member; what a server before 16 does not have is missing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Member {
    pub role: String,
    pub admin: bool,
    pub inherit: Option<bool>,
    pub set: Option<bool>,
}

/// How much of what lies in a database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Contents {
    pub tables: u64,
    pub indexes: u64,
    pub sequences: u64,
    pub views: u64,
    pub functions: u64,
    pub schemas: u64,
    #[serde(alias = "large_objects")]
    pub large_objects: u64,
    pub types: u64,
}

impl Contents {
    fn each(&self) -> [(&'static str, u64); 8] {
        [
            ("tables", self.tables),
            ("indexes", self.indexes),
            ("sequences", self.sequences),
            ("views", self.views),
            ("functions", self.functions),
            ("schemas", self.schemas),
            ("large objects", self.large_objects),
            ("types", self.types),
        ]
    }

    /// What was there at both times.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        Self {
            tables: self.tables.min(other.tables),
            indexes: self.indexes.min(other.indexes),
            sequences: self.sequences.min(other.sequences),
            views: self.views.min(other.views),
            functions: self.functions.min(other.functions),
            schemas: self.schemas.min(other.schemas),
            large_objects: self.large_objects.min(other.large_objects),
            types: self.types.min(other.types),
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// `3 tables, 2 indexes`.
    #[must_use]
    pub fn in_words(&self) -> String {
        let some = self.each().into_iter().filter(|(_, count)| *count > 0);
        let words: Vec<String> = some.map(|(what, count)| format!("{count} {what}")).collect();
        if words.is_empty() { "empty".to_owned() } else { words.join(", ") }
    }

    /// Of what there is less here than there was, in words; `None`: all is there.
    #[must_use]
    pub fn lacks(&self, was: &Self) -> Option<String> {
        let pairs = self.each().into_iter().zip(was.each());
        let less = pairs.filter(|((_, is), (_, was))| is < was);
        let words: Vec<String> = less.map(|((what, is), (_, was))| format!("{is} of {was} {what}")).collect();
        (!words.is_empty()).then(|| words.join(", "))
    }
}

/// A list that a server tells as null where it is empty.
fn or_none<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Vec<T>, D::Error> {
    Ok(Option::<Vec<T>>::deserialize(from)?.unwrap_or_default())
}

/// What would be mixed with a backup that is put into a server: `own`: the databases that it was made with; `contents`: of all
/// that it has. In words.
#[must_use]
pub fn mixed(own: &[&str], contents: &BTreeMap<String, Contents>) -> Option<String> {
    let other = contents.keys().find(|name| !own.contains(&name.as_str()));
    if let Some(name) = other {
        return Some(format!("database {name:?} is in it"));
    }
    let (name, some) = contents.iter().find(|(_, contents)| !contents.is_empty())?;
    Some(format!("in its database {name:?} are {}", some.in_words()))
}

/// The value of `dbname` that means this name, whatever is in it (PostgreSQL docs, "Connection Strings").
#[must_use]
pub fn dbname(name: &str) -> String {
    let mut text = "dbname='".to_owned();
    for c in name.chars() {
        if matches!(c, '\'' | '\\') {
            text.push('\\');
        }
        text.push(c);
    }
    text.push('\'');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_empty_that_has_only_what_it_was_made_with() {
        let empty = || ("app".to_owned(), Contents::default());
        let some = Contents { tables: 3, views: 1, ..Contents::default() };
        for (contents, want) in [
            (vec![empty(), ("postgres".to_owned(), Contents::default())], None),
            (vec![("app".to_owned(), some)], Some("in its database \"app\" are 3 tables, 1 views")),
            (vec![empty(), ("other".to_owned(), Contents::default())], Some("database \"other\" is in it")),
        ] {
            let contents: BTreeMap<_, _> = contents.into_iter().collect();
            assert_eq!(mixed(&["app", "postgres"], &contents).as_deref(), want);
        }
    }

    #[test]
    fn what_is_missing_is_said() {
        let was = Contents { tables: 3, indexes: 2, ..Contents::default() };
        assert_eq!(was.lacks(&was), None);
        assert_eq!(Contents { types: 1, ..was }.lacks(&was), None, "more than there was is no loss");
        let is = Contents { tables: 1, ..was };
        assert_eq!(is.lacks(&was).as_deref(), Some("1 of 3 tables"));
    }

    #[test]
    fn a_name_is_a_name() {
        for (name, want) in [("app", "dbname='app'"), ("a='b\\", "dbname='a=\\'b\\\\'")] {
            assert_eq!(dbname(name), want);
        }
    }

    #[test]
    fn null_lists_are_empty() {
        let role: Role =
            serde_json::from_str(r#"{"name":"a","settings":null,"member_of":null,"connection_limit":-1}"#)
                .unwrap();
        assert_eq!((role.settings.len(), role.member_of.len(), role.connection_limit), (0, 0, -1));
    }
}
