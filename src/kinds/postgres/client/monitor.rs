//! Looks at a server's WAL, archiver and slots, and at what goes on inside of it, as a role that may only read. Each statement can fail
//! on its own; must never write, and never answer with a figure that was not read.

use super::session::{LoginError, PgSession};
use super::sql::Sql;
use super::{Monitor, SqlError, Target, statements};
use crate::core::text::shown;
use crate::kinds::postgres::monitoring::{Contents, Counter, Figures, Mismatched, Statement, Table};
use crate::kinds::postgres::wal::{Reading, Slot, Told};
use crate::secrets::Secret;
use async_trait::async_trait;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use statements::{contents, monitor as sql, monitoring as inside};

/// Characters of an error that are kept.
const WORDS: usize = 300;

pub(super) struct PgMonitor {
    session: PgSession,
    /// As `170006`; 0: not known.
    version: u32,
}

impl PgMonitor {
    /// Into the database that the service's own session is in: into that the role is let.
    pub(super) async fn login(target: &Target, password: &Secret) -> Result<Self, SqlError> {
        let mut newer = true;
        loop {
            match PgSession::login_to(target, password, &target.database, &sql::options(newer)).await {
                Err(LoginError::UnknownSetting(_)) if newer => newer = false,
                Err(error) => return Err(error.into()),
                Ok(session) => {
                    let rows = session.rows(&inside::version()).await?;
                    let text = rows.first().and_then(|row| row.first()?.as_deref());
                    let version = text.and_then(|text| text.parse().ok()).unwrap_or_default();
                    return Ok(Self { session, version });
                }
            }
        }
    }

    /// The one value of an answer. The outer error: the connection is of no use any more.
    async fn ask<T: DeserializeOwned>(&self, sql: Sql) -> Result<Told<T>, SqlError> {
        match self.session.rows_again(&sql).await {
            Ok(rows) => {
                let text = rows.first().and_then(|row| row.first()).cloned().flatten();
                Ok(read(text.as_deref().unwrap_or("null")))
            }
            Err(SqlError::Failed(words)) => Ok(Err(shown(&words, WORDS))),
            Err(error) => Err(error),
        }
    }

    /// The same for who goes on without it.
    async fn told<T: DeserializeOwned>(&self, sql: Sql) -> Told<T> {
        self.ask(sql).await.unwrap_or_else(|error| Err(error.to_string()))
    }

    async fn statements(&self) -> Told<Vec<Statement>> {
        let counter: Counter = self.told(contents::counter()).await?;
        self.told(contents::statements(&counter.schema()?)).await
    }

    async fn mismatches(&self) -> Told<Vec<Mismatched>> {
        if self.version < contents::MISMATCHES_SINCE {
            return Err("PostgreSQL tells it since 15".to_owned());
        }
        let all: Vec<Mismatched> = self.told(contents::mismatches()).await?;
        Ok(all.into_iter().map(Mismatched::with_repair).collect())
    }
}

fn read<T: DeserializeOwned>(text: &str) -> Told<T> {
    serde_json::from_str(text).map_err(|error| format!("the answer is not understood: {error}"))
}

/// As [`sql::slots`] tells them.
#[derive(Deserialize)]
struct TheSlot {
    slot: Slot,
    retained_bytes: Option<i64>,
    wal_missing: Option<bool>,
}

#[async_trait]
impl Monitor for PgMonitor {
    /// All of it at once: the server works on one after the other, and nobody waits for a round trip each.
    async fn read(&self) -> Result<Reading, SqlError> {
        let (settings, files, backlog, archiver, slots, position, horizon) = tokio::join!(
            self.ask(sql::settings()),
            self.ask(sql::files()),
            self.ask(sql::backlog()),
            self.ask(sql::archiver()),
            self.ask::<Vec<TheSlot>>(sql::slots()),
            self.ask(sql::position()),
            self.ask(sql::horizon()),
        );
        let slot = |one: TheSlot| Slot {
            retained_bytes: one.retained_bytes,
            wal_missing: one.wal_missing == Some(true),
            ..one.slot
        };
        Ok(Reading {
            settings: settings?,
            files: files?,
            backlog: backlog?,
            archiver: archiver?,
            slots: slots?.map(|all| all.into_iter().map(slot).collect()),
            position: position?,
            horizon: horizon?,
        })
    }
    async fn figures(&self) -> Result<Figures, SqlError> {
        let (server, connections, transactions, locks, replication, totals, checkpoints) = tokio::join!(
            self.ask(inside::server()),
            self.ask(inside::connections()),
            self.ask(inside::transactions()),
            self.ask(inside::locks()),
            self.ask(inside::replication()),
            self.ask(inside::totals()),
            self.ask(inside::checkpoints(self.version)),
        );
        Ok(Figures {
            server: server?,
            connections: connections?,
            transactions: transactions?,
            locks: locks?,
            replication: replication?,
            totals: totals?,
            checkpoints: checkpoints?,
        })
    }
    /// What is quick first.
    async fn contents(&self, told: &mut Contents) {
        told.mismatches = self.mismatches().await;
        told.statements = self.statements().await;
        told.databases = self.told(contents::databases()).await;
    }

    async fn tables(&self) -> Told<Vec<Table>> {
        self.told(contents::tables()).await
    }
}
