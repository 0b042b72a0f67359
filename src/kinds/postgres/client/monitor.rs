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
use futures_util::future::try_join_all;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use statements::{contents, monitor as sql, monitoring as inside};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// Characters of an error that are kept.
const WORDS: usize = 300;

pub(super) struct PgMonitor {
    session: PgSession,
    /// As `170006`; 0: not known.
    version: u32,
    /// Some statement of a look fails: each is asked on its own.
    apart: AtomicBool,
}

/// Statements of a look, before and since the version that tells checkpoints in another view.
static EACH: LazyLock<[[Sql; 14]; 2]> = LazyLock::new(|| [0, inside::CHECKPOINTER_SINCE].map(each));
static TOGETHER: LazyLock<[Sql; 2]> = LazyLock::new(|| [sql::row(&EACH[0]), sql::row(&EACH[1])]);

/// In the order that [`Monitor::look`] takes the answers in.
fn each(version: u32) -> [Sql; 14] {
    [
        sql::settings(),
        sql::files(),
        sql::backlog(),
        sql::archiver(),
        sql::slots(),
        sql::position(),
        sql::horizon(),
        inside::server(),
        inside::connections(),
        inside::transactions(),
        inside::locks(),
        inside::replication(),
        inside::totals(),
        inside::checkpoints(version),
    ]
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
                    return Ok(Self { session, version, apart: AtomicBool::new(false) });
                }
            }
        }
    }

    /// The one value of an answer. The outer error: the connection is of no use any more.
    async fn value(&self, sql: &Sql) -> Result<Told<Value>, SqlError> {
        match self.session.rows_again(sql).await {
            Ok(rows) => Ok(Ok(rows.into_iter().next().and_then(|row| row.into_iter().next()).flatten())),
            Err(SqlError::Failed(words)) => Ok(Err(shown(&words, WORDS))),
            Err(error) => Err(error),
        }
    }

    /// What all statements of a look answer. As one statement: that costs a third. Where one of them fails each is asked on its
    /// own from then on, so that it hides nothing but itself.
    async fn values(&self) -> Result<Vec<Told<Value>>, SqlError> {
        let of = usize::from(self.version >= inside::CHECKPOINTER_SINCE);
        if !self.apart.load(Ordering::Relaxed) {
            match self.session.rows_again(&TOGETHER[of]).await {
                Ok(rows) => {
                    return Ok(rows.into_iter().next().unwrap_or_default().into_iter().map(Ok).collect());
                }
                Err(SqlError::Failed(_)) => self.apart.store(true, Ordering::Relaxed),
                Err(error) => return Err(error),
            }
        }
        // At once: the server works on one after the other, and nobody waits for a round trip each.
        try_join_all(EACH[of].iter().map(|sql| self.value(sql))).await
    }

    async fn ask<T: DeserializeOwned>(&self, sql: Sql) -> Result<Told<T>, SqlError> {
        Ok(read(self.value(&sql).await?))
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

/// A value that a statement answers with: JSON, or nothing.
type Value = Option<String>;

fn read<T: DeserializeOwned>(told: Told<Value>) -> Told<T> {
    let text = told?;
    let text = text.as_deref().unwrap_or("null");
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
    async fn look(&self) -> Result<(Reading, Figures), SqlError> {
        let mut all = self.values().await?.into_iter();
        let mut next = || all.next().unwrap_or_else(|| Err("it was not told".to_owned()));
        let slot = |one: TheSlot| Slot {
            retained_bytes: one.retained_bytes,
            wal_missing: one.wal_missing == Some(true),
            ..one.slot
        };
        let reading = Reading {
            settings: read(next()),
            files: read(next()),
            backlog: read(next()),
            archiver: read(next()),
            slots: read::<Vec<TheSlot>>(next()).map(|all| all.into_iter().map(slot).collect()),
            position: read(next()),
            horizon: read(next()),
        };
        let figures = Figures {
            server: read(next()),
            connections: read(next()),
            transactions: read(next()),
            locks: read(next()),
            replication: read(next()),
            totals: read(next()),
            checkpoints: read(next()),
        };
        Ok((reading, figures))
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
