//! Asks a server what goes on inside it, over a connection for that alone. Must never change anything but the one session that it
//! is told to end.

use super::session::{LoginError, PgSession};
use super::sql::Sql;
use super::{Inspector, SqlError, Target, statements};
use crate::kinds::postgres::inspect::{Question, Whom};
use crate::secrets::Secret;
use async_trait::async_trait;
use serde_json::{Map, Value};
use statements::{archive, inspect as sql, monitor, owner};

pub(super) struct PgInspector(PgSession);

impl PgInspector {
    pub(super) async fn login(target: &Target, password: &Secret, whom: Whom) -> Result<Self, SqlError> {
        let mut newer = true;
        loop {
            let options = match whom {
                Whom::Monitor => monitor::options(newer),
                Whom::Owner => owner::read_only(&statements::options(newer)),
                Whom::OwnerWrites => statements::options(newer),
            };
            match PgSession::login_to(target, password, &target.database, &options).await {
                Err(LoginError::UnknownSetting(_)) if newer => newer = false,
                Err(error) => return Err(error.into()),
                Ok(session) => return Ok(Self(session)),
            }
        }
    }
}

fn statement(question: &Question) -> Sql {
    match question {
        Question::Info => sql::info(),
        Question::Ps { idle } => sql::ps(*idle),
        Question::Locks => sql::locks(),
        Question::Blocking => sql::blocking(),
        Question::StatementsExtension => sql::statements_extension(),
        Question::Outliers { schema, newer, database } => sql::outliers(schema, *newer, database),
        Question::Indexes => sql::indexes(),
        Question::Vacuum => sql::vacuum(),
        Question::Rest => sql::rest(),
        Question::Collations => sql::collations(),
        Question::Relations => owner::relations(),
        Question::Sequences => owner::sequences(),
        Question::Session { pid } => owner::session(*pid),
        Question::End { pid, since, force } => owner::end(*pid, since, *force),
        Question::Roles => archive::roles(),
        Question::Databases => archive::databases(),
        Question::Contents => archive::contents(),
        Question::EndTool { name } => archive::end_tool(name),
    }
}

#[async_trait]
impl Inspector for PgInspector {
    async fn ask(&self, question: &Question) -> Result<Vec<Map<String, Value>>, SqlError> {
        let rows = self.0.rows(&statement(question)).await?;
        let text = rows.first().and_then(|row| row.first()).cloned().flatten().unwrap_or_default();
        serde_json::from_str(&text)
            .map_err(|error| SqlError::Failed(format!("the answer is not understood: {error}")))
    }
}
