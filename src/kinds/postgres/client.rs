//! One session with a PostgreSQL server: log in, ask what a probe needs, run the few statements that
//! repairs need. Every call has a timeout, and every answer a bound. A password never goes into a
//! statement, and is never told to a server: it is only proven (`client/guard.rs`).

mod columns;
mod error;
mod guard;
mod inspect;
mod monitor;
mod prove;
mod session;
mod sql;
pub mod statements;
mod tenants;

pub use error::SqlError;
pub use sql::Sql;

use super::collation::InDatabase;
use super::inspect::{Question, Whom};
use super::monitoring::{Contents, Figures, Table};
use super::survey::Survey;
use super::tenancy::Tending;
use super::wal::{Reading, Told};
use super::world::{NewLogin, ServerFacts};
use crate::secrets::Secret;
use async_trait::async_trait;
use inspect::PgInspector;
use monitor::PgMonitor;
use serde_json::{Map, Value};
use session::PgSession;
use std::net::IpAddr;
use std::time::Duration;

/// Longest time for a login or a statement. With a probe every 15 s a server that hangs is known
/// within 30 s.
pub const TIMEOUT: Duration = Duration::from_secs(5);

/// Characters of a server's own words that are kept.
const WORDS: usize = 500;

/// Where and as whom to log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// An address of the container, as the engine's inspect says. Never a name: whoever has the name on
    /// the network would be asked, too.
    pub host: IpAddr,
    pub port: u16,
    pub username: String,
    /// The managed database; the session itself prefers `postgres`, so that it never stands in the
    /// way of DROP DATABASE.
    pub database: String,
    /// Container id and start: a session outlives neither.
    pub epoch: String,
}

impl Target {
    /// The id of its container.
    #[must_use]
    pub fn container(&self) -> &str {
        self.epoch.split(' ').next().unwrap_or_default()
    }
}

/// What a tenant's database is to have in it.
pub struct Furnishing<'a> {
    pub extensions: &'a [&'a str],
    /// Of the tenant.
    pub logins: [&'a str; 2],
}

/// Where logins go: to real servers, or to the fake ones of tests and benches. Nothing else of the
/// engine speaks to a server.
#[async_trait]
pub trait Servers: Send + Sync + 'static {
    /// A new login over the network.
    async fn login(&self, target: &Target, password: &Secret) -> Result<Box<dyn Session>, SqlError>;
    /// Logs into the managed database as an application would, and out again; asks which of these parameters an application
    /// has from its role or database.
    async fn prove(
        &self,
        target: &Target,
        password: &Secret,
        parameters: &[&str],
    ) -> Result<NewLogin, SqlError>;
    /// Whether something still takes connections and answers them; costs no login.
    async fn answers(&self, target: &Target) -> Result<(), SqlError>;
    /// The collations that columns and indexes name, of every database; a login into each.
    async fn columns(&self, target: &Target, password: &Secret) -> Result<Vec<InDatabase>, SqlError>;
    /// Logs in as somebody who may do little, and out again.
    async fn lets_in(&self, target: &Target, password: &Secret) -> Result<(), SqlError>;
    /// Takes schema `public` of this database from everybody, and makes these extensions. What the server says of
    /// those that it does not make.
    async fn furnish(
        &self,
        target: &Target,
        password: &Secret,
        furnishing: &Furnishing<'_>,
    ) -> Result<Vec<String>, SqlError>;
    /// Gives what one role owns in this database to another one.
    async fn hand_over(
        &self,
        target: &Target,
        password: &Secret,
        from: &str,
        to: &str,
    ) -> Result<(), SqlError>;
    /// Runs these statements one after the other, each a transaction, in a login for that.
    async fn rebuild(&self, target: &Target, password: &Secret, statements: &[Sql]) -> Result<(), SqlError>;
    /// Logs in as the role that reads the server's health; `target.database`: where it is let in.
    async fn monitor(&self, target: &Target, password: &Secret) -> Result<Box<dyn Monitor>, SqlError>;
    /// Logs in for a few questions of what goes on inside, into `target.database`.
    async fn inspector(
        &self,
        target: &Target,
        password: &Secret,
        whom: Whom,
    ) -> Result<Box<dyn Inspector>, SqlError>;
}

/// A session that only reads how a server is; its connection ends when it is dropped.
#[async_trait]
pub trait Monitor: Send + Sync {
    /// One look at the WAL, and at what goes on inside. Fails as a whole only when the connection is of no use any more.
    async fn look(&self) -> Result<(Reading, Figures), SqlError>;
    /// All that any database can tell of what is looked at seldom, part by part: who does not wait for the end has those before.
    async fn contents(&self, told: &mut Contents);
    /// The largest of the database that it is in.
    async fn tables(&self) -> Told<Vec<Table>>;
}

/// A session for questions; its connection ends when it is dropped.
#[async_trait]
pub trait Inspector: Send + Sync {
    /// The rows of the answer, by the names of their columns.
    async fn ask(&self, question: &Question) -> Result<Vec<Map<String, Value>>, SqlError>;
}

/// A logged-in session; its connection ends when it is dropped.
#[async_trait]
pub trait Session: Send + Sync {
    fn target(&self) -> &Target;
    /// Everything a probe needs, in one round trip. Fails also when the answer has not the expected form.
    async fn probe(&self, database: &str, parameters: &[&str], file: &str) -> Result<ServerFacts, SqlError>;
    /// Reloads the configuration and returns once the server has read it.
    async fn reload(&self) -> Result<(), SqlError>;
    async fn create_database(&self, name: &str) -> Result<(), SqlError>;
    /// The database that it is in.
    fn database(&self) -> &str;
    /// Makes the role that reads the server's health what it should be, with this verifier of its password. `make`: there
    /// is none; `others`: roles that it should not be a member of.
    async fn put_monitor_right(&self, make: bool, verifier: &str, others: &[&str]) -> Result<(), SqlError>;
    /// Makes the extension that tells the statements which the server counts, in the database that it is in.
    async fn count_statements(&self) -> Result<(), SqlError>;
    /// All roles and databases.
    async fn survey(&self) -> Result<Survey, SqlError>;
    /// One step for a tenant.
    async fn tend(&self, tending: &Tending<'_>) -> Result<(), SqlError>;
}

/// Real servers, by TCP.
pub struct Network;

#[async_trait]
impl Servers for Network {
    async fn login(&self, target: &Target, password: &Secret) -> Result<Box<dyn Session>, SqlError> {
        Ok(Box::new(PgSession::login(target, password).await?))
    }
    async fn prove(
        &self,
        target: &Target,
        password: &Secret,
        parameters: &[&str],
    ) -> Result<NewLogin, SqlError> {
        prove::prove(target, password, parameters).await
    }
    async fn answers(&self, target: &Target) -> Result<(), SqlError> {
        prove::answers(target).await
    }
    async fn columns(&self, target: &Target, password: &Secret) -> Result<Vec<InDatabase>, SqlError> {
        columns::columns(target, password).await
    }
    async fn lets_in(&self, target: &Target, password: &Secret) -> Result<(), SqlError> {
        tenants::lets_in(target, password).await
    }
    async fn furnish(
        &self,
        target: &Target,
        password: &Secret,
        furnishing: &Furnishing<'_>,
    ) -> Result<Vec<String>, SqlError> {
        tenants::furnish(target, password, furnishing).await
    }
    async fn hand_over(
        &self,
        target: &Target,
        password: &Secret,
        from: &str,
        to: &str,
    ) -> Result<(), SqlError> {
        tenants::hand_over(target, password, from, to).await
    }
    async fn rebuild(&self, target: &Target, password: &Secret, statements: &[Sql]) -> Result<(), SqlError> {
        tenants::rebuild(target, password, statements).await
    }
    async fn monitor(&self, target: &Target, password: &Secret) -> Result<Box<dyn Monitor>, SqlError> {
        Ok(Box::new(PgMonitor::login(target, password).await?))
    }
    async fn inspector(
        &self,
        target: &Target,
        password: &Secret,
        whom: Whom,
    ) -> Result<Box<dyn Inspector>, SqlError> {
        Ok(Box::new(PgInspector::login(target, password, whom).await?))
    }
}
