//! A session over TCP, by the guard between us and the server. Must never tell a server the password.

use super::error::classify;
use super::guard::Guard;
use super::sql::Sql;
use super::{Session, SqlError, TIMEOUT, Target, WORDS, statements};
use crate::core::text::shown;
use crate::kinds::postgres::collation::{Collations, MOST, Mismatch};
use crate::kinds::postgres::survey::Survey;
use crate::kinds::postgres::tenancy::{Tending, statements as tending_statements};
use crate::kinds::postgres::world::{Crowd, MonitorRole, ServerFacts, Statements};
use crate::secrets::{ExposeSecret, Secret};
use async_trait::async_trait;
use futures_util::TryStreamExt;
use postgres_protocol::types::text_from_sql;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::error::Error;
use std::iter::empty;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_postgres::config::SslMode;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{FromSql, Type};
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage, Statement};

/// Rows of an answer that are read; no statement of ours has more.
const ROWS: usize = 4;

/// Statements that a server keeps a plan of for one session of ours; a probe and a look have seventeen.
const PREPARED: usize = 32;

pub(super) struct PgSession {
    client: Client,
    target: Target,
    /// The database that it is in.
    database: String,
    connection: tokio::task::JoinHandle<()>,
    /// Fingerprint of the role's password as the server had it when this session first asked. A
    /// session lives on when the password changes; only a new login proves it again.
    credentials: OnceLock<String>,
    /// The server's major version, once it told it.
    major: OnceLock<u32>,
    /// By the hash of their texts, which are long.
    prepared: Mutex<HashMap<[u8; 32], Statement>>,
}

impl Drop for PgSession {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

impl PgSession {
    /// At most three logins: a server from before [`statements::NEWER_SINCE`] refuses a setting that it
    /// does not know, and there need be no database `postgres`.
    pub(super) async fn login(target: &Target, password: &Secret) -> Result<Self, SqlError> {
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
    pub(super) async fn login_into(
        target: &Target,
        password: &Secret,
        database: &str,
    ) -> Result<Self, SqlError> {
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

    pub(super) async fn login_to(
        target: &Target,
        password: &Secret,
        database: &str,
        options: &str,
    ) -> Result<Self, LoginError> {
        let mut config = Config::new();
        // Whoever looks at the sessions of a server knows which one is which.
        let monitors = target.username == statements::monitor::ROLE;
        config
            .user(&target.username)
            .password(password.expose_secret())
            .dbname(database)
            .application_name(if monitors { statements::monitor::ROLE } else { "seawall" })
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
            database: database.to_owned(),
            connection,
            credentials: OnceLock::new(),
            major: OnceLock::new(),
            prepared: Mutex::default(),
        })
    }

    pub(super) async fn rows(&self, sql: &Sql) -> Result<Vec<Vec<Option<String>>>, SqlError> {
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

    /// The same of one statement that is asked again and again, and answers with text: the server reads and plans it once for a
    /// connection, which is most of what our statements cost it.
    pub(super) async fn rows_again(&self, sql: &Sql) -> Result<Vec<Vec<Option<String>>>, SqlError> {
        let key: [u8; 32] = Sha256::digest(sql.as_str()).into();
        let reading = async {
            let known = self.prepared().get(&key).cloned();
            let statement = match known {
                Some(statement) => statement,
                None => self.keep(key, self.client.prepare(sql.as_str()).await?),
            };
            let mut answer = std::pin::pin!(self.client.query_raw(&statement, empty::<&str>()).await?);
            let mut rows = Vec::new();
            while let Some(row) = answer.try_next().await? {
                if rows.len() < ROWS {
                    let text = |i| Ok(row.try_get::<_, Option<Text>>(i)?.map(|text| text.0));
                    rows.push((0..row.len()).map(text).collect::<Result<_, tokio_postgres::Error>>()?);
                }
            }
            Ok(rows)
        };
        let answer = timeout(TIMEOUT, reading).await.map_err(|_| SqlError::Hung(TIMEOUT))?;
        answer.map_err(|e: tokio_postgres::Error| {
            // A plan can be of what is no more as it was.
            self.prepared().remove(&key);
            classify(&e)
        })
    }

    fn keep(&self, key: [u8; 32], statement: Statement) -> Statement {
        let mut prepared = self.prepared();
        if prepared.len() >= PREPARED {
            prepared.clear();
        }
        prepared.insert(key, statement.clone());
        statement
    }

    fn prepared(&self) -> MutexGuard<'_, HashMap<[u8; 32], Statement>> {
        self.prepared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A value that the server sends as text in its binary form, too.
struct Text(String);

impl<'a> FromSql<'a> for Text {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(text_from_sql(raw)?.to_owned()))
    }

    fn accepts(kind: &Type) -> bool {
        matches!(*kind, Type::TEXT | Type::JSON | Type::NAME | Type::VARCHAR)
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
        let (rows, order) = if self.major.get().is_some_and(asks_collations) {
            let order = statements::collations();
            let (rows, order) = tokio::try_join!(self.rows_again(&sql), self.rows_again(&order))?;
            (rows, Some(order))
        } else {
            (self.rows_again(&sql).await?, None)
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
        let order = match (major, order) {
            (Some(major), None) if asks_collations(&major) => {
                self.major.get_or_init(|| major);
                Some(self.rows_again(&statements::collations()).await?)
            }
            (_, known) => known,
        };
        let collations = match order {
            Some(rows) => collations(rows.first().map(Vec::as_slice).unwrap_or_default())?,
            None => Collations::default(),
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
            pending_by_hand: Vec::new(),
            overridden: list(8),
            overridden_by_role: Vec::new(),
            broken_configuration: Vec::new(),
            tablespaces: text(10),
            monitor: MonitorRole::told(&text(11)),
            crowd: Crowd::told(&text(12)),
            statements: Statements::told(&text(13)),
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

    fn database(&self) -> &str {
        &self.database
    }

    async fn put_monitor_right(&self, make: bool, verifier: &str, others: &[&str]) -> Result<(), SqlError> {
        let right = statements::monitor::put_right(verifier, &self.database, others);
        let sql = if make { statements::monitor::make().and(right) } else { right };
        self.rows(&sql).await.map(|_| ())
    }

    async fn count_statements(&self) -> Result<(), SqlError> {
        self.rows(&statements::count_statements()).await.map(|_| ())
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

pub(super) enum LoginError {
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
#[path = "session_tests.rs"]
mod tests;
