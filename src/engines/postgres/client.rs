//! One session with a PostgreSQL server: log in, ask what a probe needs, run the few statements that
//! repairs need. Every call has a timeout. A password never goes into a statement.

use super::world::ServerFacts;
use crate::secrets::Secret;
use async_trait::async_trait;
use secrecy::ExposeSecret;
use std::net::IpAddr;
use std::sync::OnceLock;
use std::time::Duration;
use tokio::time::timeout;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};

/// Longest time for a login or a statement. With a probe every 15 s a server that hangs is known
/// within 30 s.
pub const TIMEOUT: Duration = Duration::from_secs(5);

/// Where and as whom to log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub host: TargetHost,
    pub port: u16,
    pub username: String,
    /// The managed database; the session itself prefers `postgres`, so that it never stands in the
    /// way of DROP DATABASE.
    pub database: String,
    /// Container id and start: a session outlives neither.
    pub epoch: String,
}

/// By address from the host, by name from inside the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetHost {
    Address(IpAddr),
    Name(String),
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
    #[error("no answer within {0:?}")]
    Hung(Duration),
    #[error("{0}")]
    Failed(String),
}

/// Where logins go: to real servers, or to the fake ones of tests and benches. Nothing else of the
/// engine speaks to a server.
#[async_trait]
pub trait Servers: Send + Sync + 'static {
    /// A new login over the network.
    async fn login(&self, target: &Target, password: &Secret) -> Result<Box<dyn Session>, SqlError>;
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
}

/// Real servers, by TCP.
pub struct Network;

#[async_trait]
impl Servers for Network {
    async fn login(&self, target: &Target, password: &Secret) -> Result<Box<dyn Session>, SqlError> {
        Ok(Box::new(PgSession::login(target, password).await?))
    }
}

struct PgSession {
    client: Client,
    target: Target,
    connection: tokio::task::JoinHandle<()>,
    /// Fingerprint of the role's password as the server had it when this session first asked. A
    /// session lives on when the password changes; only a new login proves it again.
    credentials: OnceLock<String>,
}

impl Drop for PgSession {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

fn classify(error: &tokio_postgres::Error) -> SqlError {
    if let Some(db) = error.as_db_error() {
        let words = db.message().to_owned();
        return match db.code() {
            &SqlState::CANNOT_CONNECT_NOW => SqlError::Starting(words),
            &SqlState::INVALID_PASSWORD | &SqlState::INVALID_AUTHORIZATION_SPECIFICATION => {
                SqlError::LoginRefused(words)
            }
            &SqlState::ADMIN_SHUTDOWN | &SqlState::CRASH_SHUTDOWN => SqlError::Refused(words),
            _ => SqlError::Failed(words),
        };
    }
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        if let Some(io) = inner.downcast_ref::<std::io::Error>() {
            return SqlError::Refused(io.to_string());
        }
        source = inner.source();
    }
    if error.is_closed() {
        SqlError::Refused("connection closed".to_owned())
    } else {
        SqlError::Failed(error.to_string())
    }
}

impl PgSession {
    async fn login(target: &Target, password: &Secret) -> Result<Self, SqlError> {
        match Self::login_to(target, password, "postgres").await {
            Err(LoginError::NoDatabase) => Self::login_to(target, password, &target.database).await,
            other => other,
        }
        .map_err(|e| match e {
            LoginError::NoDatabase => {
                SqlError::Failed(format!("neither database \"postgres\" nor {:?} exists", target.database))
            }
            LoginError::Other(e) => e,
        })
    }

    async fn login_to(target: &Target, password: &Secret, database: &str) -> Result<Self, LoginError> {
        let mut config = Config::new();
        match &target.host {
            TargetHost::Address(ip) => config.hostaddr(*ip),
            TargetHost::Name(name) => config.host(name),
        };
        config
            .port(target.port)
            .user(&target.username)
            .password(password.expose_secret())
            .dbname(database)
            .application_name("seawall")
            .connect_timeout(TIMEOUT)
            .options("-c statement_timeout=5000 -c log_statement=none -c log_min_duration_statement=-1");
        let connecting = config.connect(NoTls);
        let (client, connection) = timeout(TIMEOUT, connecting)
            .await
            .map_err(|_| LoginError::Other(SqlError::Hung(TIMEOUT)))?
            .map_err(|e| match e.code() {
                Some(&SqlState::INVALID_CATALOG_NAME) => LoginError::NoDatabase,
                _ => LoginError::Other(classify(&e)),
            })?;
        let connection = tokio::spawn(async move {
            // The client sees the error of its own call; there is nobody else to tell.
            let _ = connection.await;
        });
        Ok(Self { client, target: target.clone(), connection, credentials: OnceLock::new() })
    }

    async fn rows(&self, sql: &str) -> Result<Vec<Vec<Option<String>>>, SqlError> {
        let messages = timeout(TIMEOUT, self.client.simple_query(sql))
            .await
            .map_err(|_| SqlError::Hung(TIMEOUT))?
            .map_err(|e| classify(&e))?;
        Ok(messages
            .iter()
            .filter_map(|message| match message {
                SimpleQueryMessage::Row(row) => {
                    Some((0..row.len()).map(|i| row.get(i).map(str::to_owned)).collect())
                }
                _ => None,
            })
            .collect())
    }
}

#[async_trait]
impl Session for PgSession {
    fn target(&self) -> &Target {
        &self.target
    }

    async fn probe(&self, database: &str, parameters: &[&str], file: &str) -> Result<ServerFacts, SqlError> {
        let names: Vec<String> = parameters.iter().map(|p| literal(p)).collect();
        let names = if names.is_empty() { "''".to_owned() } else { names.join(",") };
        let sql = format!(
            "SELECT current_setting('server_version'), \
             (SELECT system_identifier::text FROM pg_control_system()), \
             current_setting('data_directory'), \
             to_char(pg_postmaster_start_time() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), pg_is_in_recovery()::text, \
             EXISTS(SELECT 1 FROM pg_database WHERE datname = {db})::text, \
             coalesce(encode(sha256(pg_read_binary_file({file}, 0, 1000000, true)), 'hex'), ''), \
             coalesce(string_agg(name, ',' ORDER BY name) FILTER (WHERE pending_restart), ''), \
             coalesce(string_agg(name, ',' ORDER BY name) FILTER (WHERE name IN ({names}) \
               AND sourcefile IS NOT NULL AND sourcefile <> {file}), ''), \
             (SELECT encode(sha256(convert_to(concat(rolpassword, rolcanlogin, rolvaliduntil), 'UTF8')), 'hex') \
               FROM pg_authid WHERE rolname = session_user) \
             FROM pg_settings",
            db = literal(database),
            file = literal(file),
        );
        let rows = self.rows(&sql).await?;
        let row = rows
            .first()
            .filter(|r| r.len() == 10)
            .ok_or_else(|| SqlError::Failed("the probe got no row".to_owned()))?;
        let text = |i: usize| row.get(i).cloned().flatten().unwrap_or_default();
        if *self.credentials.get_or_init(|| text(9)) != text(9) {
            return Err(SqlError::Failed("the password was changed since this session logged in".to_owned()));
        }
        let list = |i: usize| text(i).split(',').filter(|s| !s.is_empty()).map(str::to_owned).collect();
        Ok(ServerFacts {
            // "18.1 (Debian 18.1-1)" → "18.1"
            version: text(0).split_whitespace().next().unwrap_or_default().to_owned(),
            system_identifier: text(1),
            data_directory: text(2),
            started_at: text(3),
            in_recovery: text(4) == "true",
            database_exists: text(5) == "true",
            parameters_sha256: text(6),
            pending_restart: list(7),
            overridden: list(8),
        })
    }

    async fn reload(&self) -> Result<(), SqlError> {
        let load_time = "SELECT pg_conf_load_time()::text";
        let before = self.rows(load_time).await?;
        self.rows("SELECT pg_reload_conf()").await?;
        for _ in 0..40 {
            tokio::time::sleep(Duration::from_millis(25)).await;
            if self.rows(load_time).await? != before {
                return Ok(());
            }
        }
        Err(SqlError::Failed("the server did not read its configuration again within a second".to_owned()))
    }

    async fn create_database(&self, name: &str) -> Result<(), SqlError> {
        self.rows(&format!("CREATE DATABASE {}", identifier(name))).await.map(|_| ())
    }
}

enum LoginError {
    NoDatabase,
    Other(SqlError),
}

/// A string literal that means the same whatever `standard_conforming_strings` is.
#[must_use]
pub fn literal(text: &str) -> String {
    if text.contains('\\') {
        format!(" E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
    } else {
        format!("'{}'", text.replace('\'', "''"))
    }
}

#[must_use]
pub fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// `ALTER ROLE` with a SCRAM verifier: neither the wire nor the server's log sees the password.
#[must_use]
pub fn set_password_sql(username: &str, password: &Secret) -> String {
    let verifier = postgres_protocol::password::scram_sha_256(password.expose_secret().as_bytes());
    format!(
        "ALTER ROLE {} WITH LOGIN PASSWORD {} VALID UNTIL 'infinity';\n",
        identifier(username),
        literal(&verifier)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoting() {
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal("a\\'b"), " E'a\\\\''b'");
        assert_eq!(identifier("we\"ird"), "\"we\"\"ird\"");
    }

    #[test]
    fn the_password_is_not_in_the_statement() {
        let sql = set_password_sql("app", &Secret::from("correct horse".to_owned()));
        assert!(sql.contains("SCRAM-SHA-256$4096:") && !sql.contains("correct horse"), "{sql}");
    }
}
