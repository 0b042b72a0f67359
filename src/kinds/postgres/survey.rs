//! What a server says about all its roles and databases. Values only.

use super::client::statements::tenants::MOST;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Roles and databases, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Survey {
    pub databases: BTreeMap<String, Database>,
    pub roles: BTreeMap<String, Role>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Database {
    pub name: String,
    #[serde(deserialize_with = "oid")]
    pub oid: u32,
    #[serde(deserialize_with = "oid")]
    pub owner: u32,
    /// -1: none.
    pub limit: i64,
    pub allows: bool,
    /// Everybody may connect to it.
    pub public: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Role {
    pub name: String,
    #[serde(deserialize_with = "oid")]
    pub oid: u32,
    pub login: bool,
    pub inherits: bool,
    /// It may do something that no tenant may.
    pub more: bool,
    /// It has a limit or an end that is not of ours.
    pub limited: bool,
    /// SHA-256 of what is kept in place of its password; `None`: it has none.
    pub password: Option<String>,
    pub mark: Option<String>,
    /// Whose its sessions are at their start.
    pub acts_as: Option<String>,
    /// The roles that it is a member of.
    #[serde(deserialize_with = "list")]
    pub of: BTreeSet<String>,
    /// Something in some database belongs to it.
    pub owns: bool,
    pub sessions: u64,
}

/// As JSON, an oid is a number or, before PostgreSQL knew better, text.
fn oid<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Oid {
        Number(u32),
        Text(String),
    }
    match Oid::deserialize(deserializer)? {
        Oid::Number(oid) => Ok(oid),
        Oid::Text(oid) => oid.parse().map_err(serde::de::Error::custom),
    }
}

/// PostgreSQL has null for a list with nothing in it.
fn list<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<BTreeSet<String>, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    databases: Option<Vec<Database>>,
    #[serde(default)]
    roles: Option<Vec<Role>>,
}

impl Survey {
    /// # Errors
    /// When it is not what was asked for, or more than is read.
    pub fn parse(answer: &str) -> Result<Self, String> {
        let answer: Answer =
            serde_json::from_str(answer).map_err(|e| format!("the survey is not understood: {e}"))?;
        let (databases, roles) = (answer.databases.unwrap_or_default(), answer.roles.unwrap_or_default());
        if databases.len() > MOST || roles.len() > MOST {
            return Err(format!("it has more than {MOST} databases or roles"));
        }
        Ok(Self {
            databases: databases.into_iter().map(|one| (one.name.clone(), one)).collect(),
            roles: roles.into_iter().map(|one| (one.name.clone(), one)).collect(),
        })
    }
}

#[cfg(test)]
pub mod fixture {
    use super::*;

    pub fn database(name: &str, oid: u32, owner: u32) -> Database {
        Database { name: name.to_owned(), oid, owner, limit: -1, allows: true, public: false }
    }

    pub fn role(name: &str, oid: u32, mark: Option<&str>) -> Role {
        Role {
            name: name.to_owned(),
            oid,
            login: false,
            inherits: true,
            more: false,
            limited: false,
            password: None,
            mark: mark.map(str::to_owned),
            acts_as: None,
            of: BTreeSet::new(),
            owns: false,
            sessions: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_is_read_and_nothing_is_made_up() {
        let role = r#"{"name":"o\"x","oid":"16384","login":false,"inherits":true,"more":false,"limited":false,
            "password":null,"mark":"m","actsAs":null,"of":null,"owns":false,"sessions":3}"#;
        let database = r#"{"name":"d","oid":5,"owner":"10","limit":-1,"allows":true,"public":true}"#;
        let survey = Survey::parse(&format!(r#"{{"databases":[{database}],"roles":[{role}]}}"#)).unwrap();
        let role = &survey.roles["o\"x"];
        assert_eq!((role.oid, role.sessions, role.mark.as_deref(), role.of.len()), (16384, 3, Some("m"), 0));
        let database = &survey.databases["d"];
        assert_eq!((database.oid, database.owner, database.public), (5, 10, true));
        assert_eq!(Survey::parse(r#"{"databases":null,"roles":null}"#).unwrap(), Survey::default());
        for bad in ["", "{}x", r#"{"roles":[{"name":"x"}]}"#, r#"{"databases":[{"name":"d","oid":"x"}]}"#] {
            assert!(Survey::parse(bad).is_err(), "{bad}");
        }
    }
}
