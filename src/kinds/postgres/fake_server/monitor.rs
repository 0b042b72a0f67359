//! The role that reads a fake server's health, and what it reads.

use super::{Cluster, Shared, failed, refused};
use crate::kinds::postgres::client::{Monitor, SqlError, Target};
use crate::kinds::postgres::wal::{Archiver, Backlog, Files, Horizon, Position, Reading, Settings};
use crate::kinds::postgres::world::MonitorRole;
use async_trait::async_trait;
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
            freeze_max_age: 200_000_000,
            failsafe_age: Some(1_600_000_000),
        }),
    }
}

#[async_trait]
impl Monitor for FakeMonitor {
    async fn read(&self) -> Result<Reading, SqlError> {
        self.shared.takes(&self.target).await?;
        let c = self.shared.reach(&self.target)?;
        let cluster = self.shared.cluster(&c).ok_or_else(|| failed("the data is gone"))?;
        // Whoever changed the role ended its sessions, too.
        if !matches!(cluster.monitor, MonitorState::Fine) {
            return Err(refused());
        }
        let known = self.shared.lock().readings.get(&c.name).cloned();
        Ok(known.unwrap_or_else(healthy_reading))
    }
}
