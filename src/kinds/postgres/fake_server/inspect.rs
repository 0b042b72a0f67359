//! What a fake server tells by questions of `seawall pg`: what it was told to, or nothing.

use super::{FakeServers, Shared, failed};
use crate::kinds::postgres::client::{Inspector, SqlError, Target};
use crate::kinds::postgres::inspect::{Question, Whom};
use async_trait::async_trait;
use serde_json::{Map, Value};
use std::sync::Arc;

pub(super) struct FakeInspector {
    shared: Arc<Shared>,
    target: Target,
    whom: Whom,
}

impl FakeInspector {
    pub(super) fn new(shared: &Arc<Shared>, target: &Target, whom: Whom) -> Self {
        Self { shared: Arc::clone(shared), target: target.clone(), whom }
    }
}

impl FakeServers {
    /// What the server of this container answers to a question, by its name, from now on.
    pub fn tell(&self, container: &str, question: &str, answer: Result<Value, SqlError>) {
        self.shared.lock().told.insert((container.to_owned(), question.to_owned()), answer);
    }

    /// What was run so far to make databases and roles anew.
    #[must_use]
    pub fn rebuilt(&self) -> Vec<String> {
        self.shared.lock().rebuilt.clone()
    }

    /// What was asked so far, by whom and where: `Monitor app ps`.
    #[must_use]
    pub fn asked(&self) -> Vec<String> {
        self.shared.lock().asked.clone()
    }
}

#[async_trait]
impl Inspector for FakeInspector {
    async fn ask(&self, question: &Question) -> Result<Vec<Map<String, Value>>, SqlError> {
        self.shared.takes(&self.target).await?;
        let c = self.shared.reach(&self.target)?;
        let asked = match question {
            Question::Session { .. } | Question::End { .. } => format!("{question:?}"),
            other => other.name().to_owned(),
        };
        let mut script = self.shared.lock();
        script.asked.push(format!("{:?} {} {asked}", self.whom, self.target.database));
        let told = script.told.get(&(c.name.clone(), question.name().to_owned())).cloned();
        serde_json::from_value(told.unwrap_or_else(|| Ok(Value::Array(Vec::new())))?).map_err(failed)
    }
}
