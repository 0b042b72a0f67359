//! What a fake server keeps of roles and databases beside its own, and what steps do to it.

use super::super::plan::tenancy::Does;
use super::super::survey::{Database, Role, Survey};
use super::super::tenancy::Tending;
use crate::core::digest::sha256;
use std::collections::BTreeSet;

/// The first oid that is not the system's.
const FIRST_OID: usize = 16_384;
/// The role that made the server.
const BOOTSTRAP: u32 = 10;

fn database(name: &str, oid: u32, owner: u32, public: bool) -> Database {
    Database { name: name.to_owned(), oid, owner, limit: -1, allows: true, public }
}

/// A new server's.
pub(super) fn new(served: &str) -> Survey {
    let mut survey = Survey::default();
    for (oid, name) in (1_u32..).zip(["postgres", "template0", "template1", served]) {
        survey.databases.insert(name.to_owned(), database(name, oid, BOOTSTRAP, true));
    }
    survey
}

fn next_oid(survey: &Survey) -> u32 {
    let highest =
        survey.roles.values().map(|role| role.oid).chain(survey.databases.values().map(|d| d.oid)).max();
    highest.unwrap_or_default().max(u32::try_from(FIRST_OID).unwrap_or(u32::MAX)).saturating_add(1)
}

fn role<'a>(survey: &'a mut Survey, name: &str) -> Result<&'a mut Role, String> {
    survey.roles.get_mut(name).ok_or_else(|| format!("role {name:?} does not exist"))
}

fn make(survey: &mut Survey, name: &str, mark: &str) -> Result<(), String> {
    if survey.roles.contains_key(name) {
        return Err(format!("role {name:?} already exists"));
    }
    let role = Role {
        name: name.to_owned(),
        oid: next_oid(survey),
        login: false,
        inherits: true,
        more: false,
        limited: false,
        password: None,
        mark: Some(mark.to_owned()),
        acts_as: None,
        of: BTreeSet::new(),
        owns: false,
        sessions: 0,
    };
    survey.roles.insert(name.to_owned(), role);
    Ok(())
}

/// # Errors
/// As the server says it.
pub(super) fn tend(survey: &mut Survey, tending: &Tending<'_>) -> Result<(), String> {
    let names = tending.names;
    let owner = survey.roles.get(&names.owner).map(|role| role.oid);
    let owned = owner.ok_or_else(|| format!("role {:?} does not exist", names.owner));
    let missing = || format!("database {:?} does not exist", names.database);
    match tending.does {
        Does::MakeOwner => make(survey, &names.owner, tending.mark)?,
        Does::MakeLogin(turn) => make(survey, names.login(*turn), tending.mark)?,
        Does::Bind(turn) => {
            owned?;
            let role = role(survey, names.login(*turn))?;
            role.of.insert(names.owner.clone());
            role.acts_as = Some(names.owner.clone());
        }
        Does::Leave(turn, of) => role(survey, names.login(*turn))?.of.retain(|one| one != of),
        Does::Plain(name) => {
            let role = role(survey, name)?;
            (role.more, role.limited, role.inherits) = (false, false, true);
        }
        Does::SetPassword(turn) => {
            let verifier = tending.verifier.ok_or("no password")?;
            role(survey, names.login(*turn))?.password = Some(sha256(verifier.as_bytes()));
        }
        Does::Open(turn) => role(survey, names.login(*turn))?.login = true,
        Does::Close(name) => role(survey, name)?.login = false,
        Does::EndSessions(turn) => role(survey, names.login(*turn))?.sessions = 0,
        Does::MakeDatabase => {
            let (owner, oid) = (owned?, next_oid(survey));
            let made = Database { allows: false, ..database(&names.database, oid, owner, true) };
            survey.databases.insert(names.database.clone(), made);
        }
        Does::OwnDatabase => {
            let owner = owned?;
            survey.databases.get_mut(&names.database).ok_or_else(missing)?.owner = owner;
        }
        Does::FromPublic(name) => survey.databases.get_mut(name).ok_or_else(missing)?.public = false,
        Does::Allow => survey.databases.get_mut(&names.database).ok_or_else(missing)?.allows = true,
        Does::Limit => {
            survey.databases.get_mut(&names.database).ok_or_else(missing)?.limit =
                tending.connection_limit.map_or(-1, i64::from);
        }
        Does::DropDatabase => drop(survey.databases.remove(&names.database).ok_or_else(missing)?),
        Does::DropRole(name) => {
            role(survey, name)?;
            survey.roles.remove(name);
        }
        Does::Inside | Does::HandToOwner(_) => return Err("that is done in the tenant's database".to_owned()),
    }
    Ok(())
}
