//! What differs between what a tenant should have and what a server has. Pure. Nothing that was not made for this tenant
//! is ever altered: a name that is another's is told, and that is all.

mod names;

pub use names::{LONGEST, Names, refuses};

use crate::core::plan::Sign;
use crate::core::text::quoted;
use crate::kinds::postgres::survey::{Database, Role, Survey};
use crate::kinds::tenancy::{Data, Known, Look, Step, Tenant, Turn};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// What a step does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Does {
    MakeOwner,
    MakeLogin(Turn),
    Bind(Turn),
    Leave(Turn, String),
    Plain(String),
    SetPassword(Turn),
    Open(Turn),
    Close(String),
    EndSessions(Turn),
    MakeDatabase,
    OwnDatabase,
    FromPublic(String),
    Allow,
    Limit,
    Inside,
    HandToOwner(Turn),
    DropDatabase,
    DropRole(String),
}

struct Making<'a> {
    tenant: &'a Tenant,
    known: &'a Known,
    names: Names,
    survey: &'a Survey,
    look: Look,
}

/// Compares. `served`: the service's own database.
#[must_use]
pub fn look(tenant: &Tenant, known: &Known, served: &str, survey: &Survey) -> Look {
    let names = Names::of(tenant);
    let mut making = Making { tenant, known, names, survey, look: Look::default() };
    making.look.taken = making.taken(served);
    if making.look.taken.is_none() {
        making.compare(served);
    }
    making.look
}

impl Making<'_> {
    fn role(&self, name: &str) -> Option<&Role> {
        self.survey.roles.get(name)
    }

    fn database(&self) -> Option<&Database> {
        self.survey.databases.get(&self.names.database)
    }

    fn step(&mut self, sign: Sign, does: &Does, words: impl Into<String>, cause: impl Into<String>) {
        let (words, cause) = (words.into(), cause.into());
        self.look.steps.push(Step { sign, words, cause, does: json!(does) });
    }

    /// What has a name that is wanted and was not made for this tenant.
    fn taken(&self, served: &str) -> Option<String> {
        if self.names.database == served {
            return Some(format!("database {} is the service's own", quoted(served)));
        }
        let (owner, login) = (Names::owner_mark(self.tenant), Names::login_mark(self.tenant));
        let logins = self.names.logins.iter().map(|name| (name, &login));
        for (name, mark) in std::iter::once((&self.names.owner, &owner)).chain(logins) {
            if self.role(name).is_some_and(|role| role.mark.as_ref() != Some(mark)) {
                return Some(format!("role {} is there and was not made for it by Seawall", quoted(name)));
            }
        }
        let database = self.database()?;
        let owned = self.role(&self.names.owner).is_some_and(|owner| owner.oid == database.owner);
        let known = self.known.identifier.as_deref() == Some(database.oid.to_string().as_str());
        (!owned && !known).then(|| {
            format!("database {} is there and was not made for it by Seawall", quoted(&self.names.database))
        })
    }

    fn compare(&mut self, served: &str) {
        let wanted = !self.tenant.open.is_empty();
        self.look.identifier = self.database().map(|database| database.oid.to_string());
        for turn in Turn::ALL {
            let sessions = self.role(self.names.login(turn)).map_or(0, |role| role.sessions);
            self.look.sessions.insert(turn, sessions);
        }
        if wanted {
            self.owner();
        }
        for turn in Turn::ALL {
            self.login(turn);
        }
        if wanted {
            self.make_database();
            self.others(served);
        }
        for turn in Turn::ALL {
            self.leftovers(turn);
        }
        if self.tenant.data == Data::Go && self.look.steps.is_empty() {
            self.drop();
        }
        if wanted {
            // Last: a login that is let in finds everything.
            self.open();
        }
    }

    fn owner(&mut self) {
        let owner = self.names.owner.clone();
        match self.role(&owner).cloned() {
            None => {
                self.step(Sign::Create, &Does::MakeOwner, format!("make role {}", quoted(&owner)), "missing")
            }
            Some(role) => {
                if role.login {
                    self.step(
                        Sign::Change,
                        &Does::Close(owner.clone()),
                        format!("close role {}", quoted(&owner)),
                        "it can log in",
                    );
                }
                self.plain(&owner, &role);
            }
        }
    }

    /// What it may do beyond a tenant, or can do less.
    fn plain(&mut self, name: &str, role: &Role) {
        let cause = if role.more {
            "it may do what no tenant may"
        } else if role.limited || !role.inherits {
            "it can do less than it should"
        } else {
            return;
        };
        self.step(
            Sign::Change,
            &Does::Plain(name.to_owned()),
            format!("make role {} plain", quoted(name)),
            cause,
        );
    }

    fn login(&mut self, turn: Turn) {
        let name = self.names.login(turn).to_owned();
        let shown = quoted(&name);
        let open = self.tenant.open.contains(&turn);
        let role = self.role(&name).cloned();
        let Some(role) = role else {
            if open {
                self.step(Sign::Create, &Does::MakeLogin(turn), format!("make role {shown}"), "missing");
                self.step(
                    Sign::Change,
                    &Does::Bind(turn),
                    format!("make role {shown} act as {}", quoted(&self.names.owner)),
                    "it does not yet",
                );
                self.step(
                    Sign::Change,
                    &Does::SetPassword(turn),
                    format!("set the password of {shown}"),
                    "it has none",
                );
            }
            return;
        };
        if role.login && !open {
            self.step(
                Sign::Change,
                &Does::Close(name.clone()),
                format!("close role {shown}"),
                "it is not in use",
            );
        }
        self.plain(&name, &role);
        if !open {
            return;
        }
        let owner = self.names.owner.clone();
        for other in role.of.iter().filter(|of| **of != owner) {
            self.step(
                Sign::Change,
                &Does::Leave(turn, other.clone()),
                format!("take role {shown} out of {}", quoted(other)),
                "it is a member of more than its owner",
            );
        }
        if !role.of.contains(&owner) || role.acts_as.as_ref() != Some(&owner) {
            self.step(
                Sign::Change,
                &Does::Bind(turn),
                format!("make role {shown} act as {}", quoted(&self.names.owner)),
                "it does not",
            );
        }
        if role.password.is_none() || role.password.as_ref() != self.known.fingerprints.get(&turn) {
            let cause = match (&role.password, self.known.fingerprints.get(&turn)) {
                (None, _) => "it has none",
                (Some(_), None) => "there is another one",
                (Some(_), Some(_)) => "it was changed by hand",
            };
            self.step(Sign::Change, &Does::SetPassword(turn), format!("set the password of {shown}"), cause);
        }
    }

    fn open(&mut self) {
        for turn in self.tenant.open.clone() {
            let name = self.names.login(turn).to_owned();
            if self.role(&name).is_none_or(|role| !role.login) {
                self.step(
                    Sign::Change,
                    &Does::Open(turn),
                    format!("let role {} log in", quoted(&name)),
                    "it is closed",
                );
            }
        }
    }

    fn make_database(&mut self) {
        let (name, shown) = (self.names.database.clone(), quoted(&self.names.database));
        let owner = self.role(&self.names.owner).map(|owner| owner.oid);
        let Some(database) = self.database().cloned() else {
            self.step(Sign::Create, &Does::MakeDatabase, format!("create database {shown}"), "missing");
            self.after_making(&name);
            return;
        };
        if Some(database.owner) != owner {
            let words = format!("give database {shown} to {}", quoted(&self.names.owner));
            self.step(Sign::Change, &Does::OwnDatabase, words, "it belongs to somebody else");
        }
        if database.public {
            let words = format!("take database {shown} from PUBLIC");
            self.step(Sign::Change, &Does::FromPublic(name), words, "everybody may connect to it");
        }
        if !database.allows {
            let words = format!("let database {shown} be connected to");
            self.step(Sign::Change, &Does::Allow, words, "nobody may");
        }
        let limit = self.tenant.connection_limit.map_or(-1, i64::from);
        if let Some(first) = &self.tenant.first {
            let differs = self.tenant.connection_limit.is_some() && database.limit != limit;
            self.look.differs = differs.then(|| {
                format!(
                    "the limit of connections to database {shown} is as {first} has it, which had it first: {}; spec.connectionLimit {limit} is not in force",
                    in_words(database.limit)
                )
            });
        } else if database.limit != limit {
            let words = format!("limit the connections to database {shown}: {}", in_words(limit));
            let cause = format!("{} → {}", in_words(database.limit), in_words(limit));
            self.step(Sign::Change, &Does::Limit, words, cause);
        }
        if self.known.inside.as_ref() != Some(&inside(self.tenant)) {
            self.step(Sign::Change, &Does::Inside, inside_words(self.tenant), "not done yet");
        }
    }

    fn after_making(&mut self, name: &str) {
        let shown = quoted(name);
        let words = format!("take database {shown} from PUBLIC");
        self.step(
            Sign::Change,
            &Does::FromPublic(name.to_owned()),
            words,
            "everybody may connect to a new one",
        );
        self.step(
            Sign::Change,
            &Does::Allow,
            format!("let database {shown} be connected to"),
            "it was made closed",
        );
        if let Some(limit) = self.tenant.connection_limit.filter(|_| self.tenant.first.is_none()) {
            let words = format!("limit the connections to database {shown}: {limit}");
            self.step(Sign::Change, &Does::Limit, words, "spec.connectionLimit");
        }
        self.step(Sign::Change, &Does::Inside, inside_words(self.tenant), "not done yet");
    }

    /// The databases that are there beside the tenants': none of them is anybody's.
    fn others(&mut self, served: &str) {
        for name in ["postgres", "template1", served] {
            if self.survey.databases.get(name).is_some_and(|database| database.public) {
                let words = format!("take database {} from PUBLIC", quoted(name));
                self.step(
                    Sign::Change,
                    &Does::FromPublic(name.to_owned()),
                    words,
                    "tenants may connect to it",
                );
            }
        }
    }

    /// What was made for it, when nobody is let in any more.
    fn drop(&mut self) {
        let shown = quoted(&self.names.database);
        if self.database().is_some() {
            // Whatever the manifests say: with it goes what another link works with.
            let (owner, mark) = (&self.names.owner, Names::any_login_mark(self.tenant));
            let links = |role: &&Role| role.mark.as_ref().is_some_and(|of| of.starts_with(&mark));
            let mut others = self.survey.roles.values().filter(links);
            if let Some(other) = others.find(|role| role.login && role.of.contains(owner)) {
                self.look.waits = Some(format!("role {} still logs into {shown}", quoted(&other.name)));
                return;
            }
            self.step(
                Sign::Data,
                &Does::DropDatabase,
                format!("drop database {shown}"),
                "its deletion was agreed to",
            );
            return;
        }
        let names = self.names.logins.iter().chain([&self.names.owner]).cloned().collect::<Vec<_>>();
        for name in names {
            let Some(role) = self.role(&name) else { continue };
            // With it would go what others may want.
            let owns = role.owns || self.survey.databases.values().any(|database| database.owner == role.oid);
            if !owns {
                let words = format!("drop role {}", quoted(&name));
                self.step(Sign::Delete, &Does::DropRole(name), words, "its deletion was agreed to");
            }
        }
    }

    /// Of a login that is not in use, and of one that made something as itself.
    fn leftovers(&mut self, turn: Turn) {
        let name = self.names.login(turn).to_owned();
        let Some(role) = self.role(&name).cloned() else { return };
        if !self.tenant.open.contains(&turn) && role.sessions > 0 {
            let words = format!("end the sessions of {}", quoted(&name));
            self.step(Sign::Change, &Does::EndSessions(turn), words, "it is not in use");
        }
        if role.owns && self.look.identifier.is_some() {
            let words = format!("give what {} owns to {}", quoted(&name), quoted(&self.names.owner));
            self.step(Sign::Change, &Does::HandToOwner(turn), words, "it must outlive the login");
        }
    }
}

fn in_words(limit: i64) -> String {
    if limit < 0 { "none".to_owned() } else { limit.to_string() }
}

/// What is to be made in the tenant's database, as one text.
#[must_use]
pub fn inside(tenant: &Tenant) -> String {
    let extensions: Vec<&str> = tenant.extensions.iter().map(String::as_str).collect();
    format!("extensions {}", json!(extensions))
}

fn inside_words(tenant: &Tenant) -> String {
    let close = format!("take schema public of {} from PUBLIC", quoted(&tenant.name));
    if tenant.extensions.is_empty() {
        return close;
    }
    let extensions: Vec<&str> = tenant.extensions.iter().map(String::as_str).collect();
    format!("{close}, and make its extensions ({})", extensions.join(", "))
}

#[cfg(test)]
#[path = "tenancy_tests.rs"]
mod tests;
