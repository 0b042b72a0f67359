//! The role that reads a fake server's health, and what it reads.

use super::{Cluster, Shared, failed, refused};
use crate::kinds::postgres::client::{Monitor, SqlError, Target};
use crate::kinds::postgres::monitoring::{
    ByState, Checkpoints, Connections, Contents, Database, Databases, Figures, Locks, Replication, Server,
    Table, Totals, Transactions,
};
use crate::kinds::postgres::parameters::STATEMENTS;
use crate::kinds::postgres::wal::{Archiver, Backlog, Files, Horizon, Position, Reading, Settings, Told};
use crate::kinds::postgres::world::{MonitorRole, Statements};
use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The role that reads its health.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) enum MonitorState {
    #[default]
    Missing,
    Fine,
    Foreign,
    Differs(Vec<String>),
    /// It has another password than Seawall's.
    Refuses,
}

impl Cluster {
    pub(super) fn monitor_role(&self) -> MonitorRole {
        match &self.monitor {
            MonitorState::Missing => MonitorRole::Missing,
            MonitorState::Foreign => MonitorRole::Foreign,
            MonitorState::Fine | MonitorState::Refuses => MonitorRole::Fine,
            MonitorState::Differs(others) => MonitorRole::Differs(others.clone()),
        }
    }
}

impl Cluster {
    /// `loaded`: what it was started with.
    pub(super) fn counter(&self, loaded: &str) -> Statements {
        match (loaded.contains(STATEMENTS), self.statements) {
            (false, _) => Statements::NotLoaded,
            (true, true) => Statements::Told,
            (true, false) => Statements::Missing,
        }
    }
}

pub(super) struct FakeMonitor {
    shared: Arc<Shared>,
    target: Target,
}

impl FakeMonitor {
    pub(super) async fn login(shared: &Arc<Shared>, target: &Target) -> Result<Self, SqlError> {
        shared.takes(target).await?;
        let c = shared.reach(target)?;
        let cluster = shared.cluster(&c).ok_or_else(|| failed("the data is gone"))?;
        match cluster.monitor {
            MonitorState::Fine => Ok(Self { shared: Arc::clone(shared), target: target.clone() }),
            _ => Err(SqlError::LoginRefused(format!(
                "password authentication failed for user {:?}",
                target.username
            ))),
        }
    }
}

/// What a server says with which nothing is wrong.
#[must_use]
pub fn healthy_reading() -> Reading {
    Reading {
        settings: Ok(Settings {
            max_wal_size_bytes: 1 << 30,
            archive_mode: "on".to_owned(),
            archive_command: "/bin/true".to_owned(),
            archive_library: Some(String::new()),
        }),
        files: Ok(Files { bytes: 32 << 20, oldest_age_secs: Some(60.0) }),
        backlog: Ok(Backlog::default()),
        archiver: Ok(Archiver::default()),
        slots: Ok(Vec::new()),
        position: Ok(Position { in_recovery: false, lsn: Some(0x0150_0000) }),
        horizon: Ok(Horizon {
            database: "template1".to_owned(),
            xid_age: 20,
            mxid_age: 0,
            held: None,
            freeze_max_age: 200_000_000,
            failsafe_age: Some(1_600_000_000),
        }),
    }
}

/// What goes on in a server that nobody uses.
#[must_use]
pub fn calm_figures() -> Figures {
    Figures {
        server: Ok(Server {
            started_at: 1_700_000_000.0,
            uptime_secs: 60,
            max_connections: 100,
            reserved_connections: 3,
        }),
        connections: Ok(Connections {
            used: 2,
            by_state: ByState { active: 1, idle: 1, ..ByState::default() },
        }),
        transactions: Ok(Transactions::default()),
        locks: Ok(Locks::default()),
        replication: Ok(Replication::default()),
        totals: Ok(Totals { commits: 50, blocks_hit: 900, blocks_read: 100, ..Totals::default() }),
        checkpoints: Ok(Checkpoints { timed: 1, requested: 0 }),
    }
}

/// What is in a server that nobody uses.
#[must_use]
pub fn few_contents() -> Contents {
    let database = |name: &str, size_bytes| Database { name: Some(name.to_owned()), size_bytes };
    let databases = vec![database("app", 8 << 20), database("postgres", 7 << 20)];
    Contents {
        databases: Ok(Databases { size_bytes: 22 << 20, databases }),
        tables: Ok(Vec::new()),
        mismatches: Ok(Vec::new()),
        statements: Ok(Vec::new()),
        ..Contents::failed(Timestamp::UNIX_EPOCH, 0, "")
    }
}

impl FakeMonitor {
    async fn has(&self) -> Result<Contents, String> {
        let name = self.asks().await.map_err(|error| error.to_string())?;
        Ok(self.shared.lock().contents.get(&name).cloned().unwrap_or_else(few_contents))
    }

    /// The container, while the role is let in.
    async fn asks(&self) -> Result<String, SqlError> {
        self.shared.takes(&self.target).await?;
        let c = self.shared.reach(&self.target)?;
        let cluster = self.shared.cluster(&c).ok_or_else(|| failed("the data is gone"))?;
        // Whoever changed the role ended its sessions, too.
        if matches!(cluster.monitor, MonitorState::Fine) { Ok(c.name) } else { Err(refused()) }
    }
}

#[async_trait]
impl Monitor for FakeMonitor {
    async fn look(&self) -> Result<(Reading, Figures), SqlError> {
        let name = self.asks().await?;
        let all = self.shared.lock();
        let reading = all.readings.get(&name).cloned().unwrap_or_else(healthy_reading);
        Ok((reading, all.figures.get(&name).cloned().unwrap_or_else(calm_figures)))
    }

    async fn contents(&self, told: &mut Contents) {
        match self.has().await {
            Ok(has) => *told = Contents { at: told.at, secs: told.secs, tables: told.tables.clone(), ..has },
            Err(why) => *told = Contents::failed(told.at, told.secs, &why),
        }
    }

    async fn tables(&self) -> Told<Vec<Table>> {
        self.has().await?.tables
    }
}
