//! Looks at a server's WAL, archiver, slots and age of transactions, as a role that may only read. Each statement can fail
//! on its own; must never write, and never answer with a figure that was not read.

use super::session::{LoginError, PgSession};
use super::sql::Sql;
use super::{Monitor, SqlError, Target, statements};
use crate::core::text::shown;
use crate::kinds::postgres::wal::{Reading, Slot, Told};
use crate::secrets::Secret;
use async_trait::async_trait;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use statements::monitor as sql;

/// Characters of an error that are kept.
const WORDS: usize = 300;

pub(super) struct PgMonitor(PgSession);

impl PgMonitor {
    /// Into the database that the service's own session is in: into that the role is let.
    pub(super) async fn login(target: &Target, password: &Secret) -> Result<Self, SqlError> {
        let mut newer = true;
        loop {
            match PgSession::login_to(target, password, &target.database, &sql::options(newer)).await {
                Err(LoginError::UnknownSetting(_)) if newer => newer = false,
                Err(error) => return Err(error.into()),
                Ok(session) => return Ok(Self(session)),
            }
        }
    }

    /// The one value of an answer. The outer error: the connection is of no use any more.
    async fn ask<T: DeserializeOwned>(&self, sql: Sql) -> Result<Told<T>, SqlError> {
        match self.0.rows(&sql).await {
            Ok(rows) => {
                let text = rows.first().and_then(|row| row.first()).cloned().flatten();
                Ok(read(text.as_deref().unwrap_or("null")))
            }
            Err(SqlError::Failed(words)) => Ok(Err(shown(&words, WORDS))),
            Err(error) => Err(error),
        }
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
        let slot = |one: TheSlot| Slot { retained_bytes: one.retained_bytes, ..one.slot };
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
}
