//! One session with a PostgreSQL server: log in, ask what a probe needs, run the few statements that
//! repairs need. Every call has a timeout, and every answer a bound. A password never goes into a
//! statement, and is never told to a server: it is only proven (`client/guard.rs`).

mod columns;
mod guard;
mod prove;
mod sql;
pub mod statements;
mod tenants;

pub use sql::Sql;

use super::collation::{Collations, InDatabase, MOST, Mismatch};
use super::survey::Survey;
use super::tenancy::{Tending, statements as tending_statements};
use super::world::{ServerFacts, Weak};
use crate::core::text::shown;
use crate::secrets::{ExposeSecret, Secret};
use async_trait::async_trait;
use futures_util::TryStreamExt;
use guard::{Guard, Refusal};
use std::net::{IpAddr, SocketAddr};
use std::sync::OnceLock;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_postgres::config::SslMode;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};

/// Longest time for a login or a statement. With a probe every 15 s a server that hangs is known
/// within 30 s.
pub const TIMEOUT: Duration = Duration::from_secs(5);

/// Rows of an answer that are read; no statement of ours has more.
const ROWS: usize = 4;
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

/// Why there is no answer. Texts are PostgreSQL's or the system's own; they hold no password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SqlError {
    #[error("{0}")]
    Starting(String),
    #[error("{0}")]
    Refused(String),
    #[error("{0}")]
    LoginRefused(String),
    /// The login asked for less, or for more, than a proof that both sides know the password.
    #[error("{0}")]
    Weak(Weak),
    #[error("no answer within {0:?}")]
    Hung(Duration),
    /// The server turns the login away for a reason of its own.
    #[error("{words}")]
    TurnedAway {
        /// One CamelCase word from a closed set.
        reason: &'static str,
        words: String,
    },
    #[error("{0}")]
    Failed(String),
}

/// SQLSTATEs with which a server turns logins away, and what is the matter (PostgreSQL docs, "Error Codes").
const TURNED_AWAY: [(&SqlState, &str); 7] = [
    (&SqlState::TOO_MANY_CONNECTIONS, "TooManyConnections"),
    (&SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, "DatabaseClosed"),
    (&SqlState::INVALID_CATALOG_NAME, "DatabaseMissing"),
    (&SqlState::UNDEFINED_FILE, "LibraryMissing"),
    (&SqlState::DISK_FULL, "DiskFull"),
    (&SqlState::OUT_OF_MEMORY, "OutOfMemory"),
    (&SqlState::RAISE_EXCEPTION, "LoginTriggerFailed"),
];

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
    /// Logs into the managed database as an application would, and out again. Which of these parameters an
    /// application has from its role or database, sorted.
    async fn prove(
        &self,
        target: &Target,
        password: &Secret,
        parameters: &[&str],
    ) -> Result<Vec<String>, SqlError>;
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
    ) -> Result<Vec<String>, SqlError> {
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
}

struct PgSession {
    client: Client,
    target: Target,
    connection: tokio::task::JoinHandle<()>,
    /// Fingerprint of the role's password as the server had it when this session first asked. A
    /// session lives on when the password changes; only a new login proves it again.
    credentials: OnceLock<String>,
    /// The server's major version, once it told it.
    major: OnceLock<u32>,
}

impl Drop for PgSession {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

fn classify(error: &tokio_postgres::Error) -> SqlError {
    if let Some(db) = error.as_db_error() {
        let words = shown(db.message(), WORDS);
        return match db.code() {
            &SqlState::CANNOT_CONNECT_NOW => SqlError::Starting(words),
            // No line of pg_hba.conf, or one that says reject: another password changes nothing. The name
            // of PostgreSQL's own function tells it from a role that may not log in, in every language.
            &SqlState::INVALID_AUTHORIZATION_SPECIFICATION
                if db.routine().is_some_and(|r| r.starts_with("ClientAuthentication")) =>
            {
                let words = format!("pg_hba.conf does not let this login in: {words}");
                SqlError::TurnedAway { reason: "HbaRejects", words }
            }
            &SqlState::INVALID_PASSWORD | &SqlState::INVALID_AUTHORIZATION_SPECIFICATION => {
                SqlError::LoginRefused(words)
            }
            &SqlState::ADMIN_SHUTDOWN | &SqlState::CRASH_SHUTDOWN => SqlError::Refused(words),
            code => match TURNED_AWAY.iter().find(|(known, _)| *known == code) {
                Some((_, reason)) => SqlError::TurnedAway { reason, words },
                None => SqlError::Failed(words),
            },
        };
    }
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        if let Some(io) = inner.downcast_ref::<std::io::Error>() {
            return match io.get_ref().and_then(|e| e.downcast_ref::<Refusal>()) {
                Some(refusal) => refusal.clone().into(),
                None if io.kind() == std::io::ErrorKind::InvalidInput => not_understood(error),
                None => SqlError::Refused(shown(&io.to_string(), WORDS)),
            };
        }
        source = inner.source();
    }
    if error.is_closed() { SqlError::Refused("connection closed".to_owned()) } else { not_understood(error) }
}

impl From<Refusal> for SqlError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Weak(weak) => SqlError::Weak(weak),
            Refusal::NoProcess(words) => SqlError::TurnedAway { reason: "NoProcessLeft", words },
            refusal => SqlError::Failed(refusal.to_string()),
        }
    }
}

fn not_understood(error: &tokio_postgres::Error) -> SqlError {
    let more = std::error::Error::source(error).map(|s| format!(": {s}")).unwrap_or_default();
    SqlError::Failed(shown(&format!("{error}{more}"), WORDS))
}

impl PgSession {
    /// At most three logins: a server from before [`statements::NEWER_SINCE`] refuses a setting that it
    /// does not know, and there need be no database `postgres`.
    async fn login(target: &Target, password: &Secret) -> Result<Self, SqlError> {
        let (mut database, mut newer) = ("postgres", true);
        for _ in 0..3 {
            match Self::login_to(target, password, database, &statements::options(newer)).await {
                Err(LoginError::UnknownSetting(_)) if newer => newer = false,
                Err(LoginError::NoDatabase) if database != target.database => {
                    database = &target.database;
                }
                Err(LoginError::NoDatabase) => break,
                Err(LoginError::Other(e) | LoginError::UnknownSetting(e)) => return Err(e),
                Ok(session) => return Ok(session),
            }
        }
        Err(SqlError::Failed(format!(
            "neither database \"postgres\" nor {:?} can be logged into",
            target.database
        )))
    }

    /// Into this very database.
    async fn login_into(target: &Target, password: &Secret, database: &str) -> Result<Self, SqlError> {
        let mut newer = true;
        loop {
            match Self::login_to(target, password, database, &statements::options(newer)).await {
                Err(LoginError::UnknownSetting(_)) if newer => newer = false,
                Err(LoginError::NoDatabase) => {
                    return Err(SqlError::Failed(format!("database {database:?} is gone")));
                }
                Err(LoginError::Other(e) | LoginError::UnknownSetting(e)) => return Err(e),
                Ok(session) => return Ok(session),
            }
        }
    }

    async fn login_to(
        target: &Target,
        password: &Secret,
        database: &str,
        options: &str,
    ) -> Result<Self, LoginError> {
        let mut config = Config::new();
        config
            .user(&target.username)
            .password(password.expose_secret())
            .dbname(database)
            .application_name("seawall")
            .ssl_mode(SslMode::Disable)
            .options(options);
        let address = SocketAddr::new(target.host, target.port);
        let connecting = async {
            let stream = TcpStream::connect(address)
                .await
                .map_err(|e| LoginError::Other(SqlError::Refused(shown(&e.to_string(), WORDS))))?;
            // Questions and answers are small and wait for each other.
            let _ = stream.set_nodelay(true);
            config.connect_raw(Guard::new(stream), NoTls).await.map_err(|e| match e.code() {
                Some(&SqlState::INVALID_CATALOG_NAME) => LoginError::NoDatabase,
                // `datallowconn` is off: for us the same as if it were not there.
                Some(&SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE) if database == "postgres" => {
                    LoginError::NoDatabase
                }
                Some(&SqlState::UNDEFINED_OBJECT) => LoginError::UnknownSetting(classify(&e)),
                _ => LoginError::Other(classify(&e)),
            })
        };
        let (client, connection) =
            timeout(TIMEOUT, connecting).await.map_err(|_| LoginError::Other(SqlError::Hung(TIMEOUT)))??;
        let connection = tokio::spawn(async move {
            // The client sees the error of its own call; there is nobody else to tell.
            let _ = connection.await;
        });
        Ok(Self {
            client,
            target: target.clone(),
            connection,
            credentials: OnceLock::new(),
            major: OnceLock::new(),
        })
    }

    async fn rows(&self, sql: &Sql) -> Result<Vec<Vec<Option<String>>>, SqlError> {
        let reading = async {
            let mut messages = std::pin::pin!(self.client.simple_query_raw(sql.as_str()).await?);
            let mut rows = Vec::new();
            while let Some(message) = messages.try_next().await? {
                if let SimpleQueryMessage::Row(row) = message
                    && rows.len() < ROWS
                {
                    rows.push((0..row.len()).map(|i| row.get(i).map(str::to_owned)).collect());
                }
            }
            Ok(rows)
        };
        timeout(TIMEOUT, reading)
            .await
            .map_err(|_| SqlError::Hung(TIMEOUT))?
            .map_err(|e: tokio_postgres::Error| classify(&e))
    }
}

/// What the row that [`statements::collations`] asks for says.
fn collations(row: &[Option<String>]) -> Result<Collations, SqlError> {
    let [Some(rows), Some(providers)] = row else {
        return Err(SqlError::Failed("the probe got no row about the order of text".to_owned()));
    };
    let mismatch = |row: &str| {
        let mut fields = row.split('\u{1f}').map(str::to_owned);
        Some(Mismatch { database: fields.next()?, built_with: fields.next()?, now: fields.next()? })
    };
    Ok(Collations {
        mismatched: rows.split('\u{1e}').filter_map(mismatch).take(MOST).collect(),
        providers: Some(providers.chars().take(4).collect()),
    })
}

#[async_trait]
impl Session for PgSession {
    fn target(&self) -> &Target {
        &self.target
    }

    async fn probe(&self, database: &str, parameters: &[&str], file: &str) -> Result<ServerFacts, SqlError> {
        let sql = statements::probe(database, parameters, file);
        let asks_collations = |major: &u32| *major >= statements::COLLATIONS_SINCE;
        let rows = if self.major.get().is_some_and(asks_collations) {
            self.rows(&sql.and(statements::collations())).await?
        } else {
            self.rows(&sql).await?
        };
        let row = rows
            .first()
            .filter(|r| r.len() == statements::PROBE_COLUMNS)
            .ok_or_else(|| SqlError::Failed("the probe got no row".to_owned()))?;
        let text = |i: usize| row.get(i).cloned().flatten().unwrap_or_default();
        if *self.credentials.get_or_init(|| text(9)) != text(9) {
            return Err(SqlError::Failed("the password was changed since this session logged in".to_owned()));
        }
        let version = shown(text(0).split_whitespace().next().unwrap_or_default(), 40);
        let major = version.split(|c: char| !c.is_ascii_digit()).next().and_then(|n| n.parse().ok());
        let collations = match (major, rows.get(1)) {
            (Some(_), Some(row)) => collations(row)?,
            (Some(major), None) if asks_collations(&major) => {
                self.major.get_or_init(|| major);
                let rows = self.rows(&statements::collations()).await?;
                collations(rows.first().map(Vec::as_slice).unwrap_or_default())?
            }
            _ => Collations::default(),
        };
        let list = |i: usize| text(i).split(',').filter(|s| !s.is_empty()).map(str::to_owned).collect();
        Ok(ServerFacts {
            // "18.1 (Debian 18.1-1)" → "18.1"
            version,
            system_identifier: text(1),
            data_directory: text(2),
            started_at: text(3),
            in_recovery: text(4) == "true",
            database_exists: text(5) == "true",
            parameters_sha256: text(6),
            pending_restart: list(7),
            overridden: list(8),
            overridden_by_role: Vec::new(),
            tablespaces: text(10),
            collations,
        })
    }

    async fn reload(&self) -> Result<(), SqlError> {
        let load_time = statements::load_time();
        let before = self.rows(&load_time).await?;
        self.rows(&statements::reload()).await?;
        for _ in 0..40 {
            tokio::time::sleep(Duration::from_millis(25)).await;
            if self.rows(&load_time).await? != before {
                return Ok(());
            }
        }
        Err(SqlError::Failed("the server did not read its configuration again within a second".to_owned()))
    }

    async fn create_database(&self, name: &str) -> Result<(), SqlError> {
        self.rows(&statements::create_database(name)).await.map(|_| ())
    }

    async fn survey(&self) -> Result<Survey, SqlError> {
        let rows = self.rows(&statements::tenants::survey()).await?;
        let answer = rows.first().and_then(|row| row.first()).cloned().flatten().unwrap_or_default();
        Survey::parse(&answer).map_err(SqlError::Failed)
    }

    async fn tend(&self, tending: &Tending<'_>) -> Result<(), SqlError> {
        for sql in tending_statements(tending) {
            self.rows(&sql).await?;
        }
        Ok(())
    }
}

enum LoginError {
    NoDatabase,
    /// One of the start-up packet's, or the server says so.
    UnknownSetting(SqlError),
    Other(SqlError),
}

impl From<LoginError> for SqlError {
    fn from(error: LoginError) -> Self {
        match error {
            LoginError::NoDatabase => SqlError::Failed("the database is gone".to_owned()),
            LoginError::UnknownSetting(error) | LoginError::Other(error) => error,
        }
    }
}

#[cfg(test)]
#[path = "client/session_tests.rs"]
mod tests;
