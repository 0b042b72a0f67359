//! How to get into an object: where it is, as whom, and the password for who may have it. It writes nothing down: that is done
//! before any of it is given away.

use super::api::{ApiError, ConnectionView, ErrorCode, HostPort, Result};
use super::operator::Operator;
use crate::core::condition::{ConditionType, Truth, find};
use crate::core::names::ObjectRef;
use crate::kinds::Login;
use crate::secrets::Secret;
use crate::workload;

impl Operator {
    /// Without the password.
    pub(super) fn way_in(&self, object: &ObjectRef) -> Result<ConnectionView> {
        let record = self.record(object)?;
        let (spec, status) = {
            let state = self.state();
            (state.checked.get(object).cloned(), state.statuses.get(object).cloned().unwrap_or_default())
        };
        let kind = self.kinds.get(object.kind);
        let login = kind.map(|kind| kind.login(&record, spec.as_ref())).transpose()?.flatten();
        let Some(Login { username, database, port }) = login else {
            return Err(ApiError::new(ErrorCode::Invalid, format!("{object} is nothing to connect to"), ""));
        };
        let condition = find(&status.conditions, ConditionType::Ready).cloned();
        let seen: workload::Status = status.body();
        let host = seen
            .endpoint
            .as_ref()
            .and_then(|e| Some(HostPort { host: e.host_ip.clone()?, port: e.host_port? }));
        let container = self.config.installation.container(object);
        Ok(ConnectionView {
            object: object.to_string(),
            username,
            database,
            password: None,
            host,
            network: HostPort { host: container.clone(), port },
            network_name: self.config.installation.network(),
            container,
            ready: condition.as_ref().is_some_and(|c| c.status == Truth::True),
            condition,
        })
    }

    pub(super) fn password_of(&self, object: &ObjectRef) -> Result<Secret> {
        let opened = self.tools.password(object).map_err(|e| {
            let chain = std::error::Error::source(&e).map(|s| format!(": {s}")).unwrap_or_default();
            ApiError::new(ErrorCode::Internal, format!("{e}{chain}"), "seawall doctor checks the key file")
        })?;
        opened.ok_or_else(|| {
            let what = format!("{object} has no password yet");
            ApiError::new(ErrorCode::Conflict, what, format!("seawall wait {object} --for=condition=Ready"))
        })
    }
}
