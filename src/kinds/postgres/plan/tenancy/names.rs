//! What a tenant's things are called on a server, and what none may be called. Pure.

use crate::core::text::quoted;
use crate::kinds::tenancy::{Tenant, Turn};

/// PostgreSQL cuts a longer name (`NAMEDATALEN`).
pub const LONGEST: usize = 63;
/// The databases that every server has.
const SYSTEM: [&str; 3] = ["postgres", "template0", "template1"];

/// What a tenant's things are called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    pub database: String,
    pub owner: String,
    pub(super) logins: [String; 2],
}

impl Names {
    /// The owner is called as the database; the logins as the link, which nobody else of this installation is. A name of an
    /// object has dashes and no underscores, so none is another's with the one in the other's place.
    #[must_use]
    pub fn of(tenant: &Tenant) -> Self {
        let login = |turn: Turn| format!("{}_{turn}", tenant.link.as_str().replace('-', "_"));
        Self { database: tenant.name.clone(), owner: tenant.name.clone(), logins: Turn::ALL.map(login) }
    }

    /// In the comment of the role; which databases are a tenant's outlives the link.
    #[must_use]
    pub fn owner_mark(tenant: &Tenant) -> String {
        format!("seawall.dev {}: owns a database", tenant.installation)
    }

    #[must_use]
    pub fn login_mark(tenant: &Tenant) -> String {
        format!("{}{}", Self::any_login_mark(tenant), tenant.link)
    }

    /// What the marks of all links' logins begin with.
    pub(super) fn any_login_mark(tenant: &Tenant) -> String {
        format!("seawall.dev {}: logs in for link/", tenant.installation)
    }

    #[must_use]
    pub fn login(&self, turn: Turn) -> &str {
        let [a, b] = &self.logins;
        match turn {
            Turn::A => a,
            Turn::B => b,
        }
    }
}

/// Why no tenant may be called so.
#[must_use]
pub fn refuses(name: &str) -> Option<String> {
    if name.is_empty() || name.len() > LONGEST {
        return Some(format!("a database has a name of 1 to {LONGEST} bytes; this has {}", name.len()));
    }
    if name.contains('\0') {
        return Some("PostgreSQL knows no name with a zero byte".to_owned());
    }
    if SYSTEM.contains(&name) {
        return Some(format!("{name} is one of the server's own databases"));
    }
    if name.starts_with("pg_")
        || ["public", "none", "current_user", "current_role", "session_user"].contains(&name)
    {
        return Some(format!("{} cannot be the name of a role", quoted(name)));
    }
    None
}
