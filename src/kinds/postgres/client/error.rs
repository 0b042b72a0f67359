//! Why a server gives no answer, told from what it and the system say. Must never hold a password.

use super::WORDS;
use super::guard::Refusal;
use crate::core::text::shown;
use crate::kinds::postgres::world::Weak;
use std::time::Duration;
use tokio_postgres::error::SqlState;

/// Why there is no answer. Texts are PostgreSQL's or the system's own; they hold no password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SqlError {
    #[error("{0}")]
    Starting(String),
    #[error("{0}")]
    Refused(String),
    #[error("{0}")]
    LoginRefused(String),
    /// The login asked for less, or for more, than a proof that both sides know the password.
    #[error("{0}")]
    Weak(Weak),
    #[error("no answer within {0:?}")]
    Hung(Duration),
    /// The server turns the login away for a reason of its own.
    #[error("{words}")]
    TurnedAway {
        /// One CamelCase word from a closed set.
        reason: &'static str,
        words: String,
    },
    #[error("{0}")]
    Failed(String),
}

/// SQLSTATEs with which a server turns logins away, and what is the matter (PostgreSQL docs, "Error Codes").
const TURNED_AWAY: [(&SqlState, &str); 7] = [
    (&SqlState::TOO_MANY_CONNECTIONS, "TooManyConnections"),
    (&SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, "DatabaseClosed"),
    (&SqlState::INVALID_CATALOG_NAME, "DatabaseMissing"),
    (&SqlState::UNDEFINED_FILE, "LibraryMissing"),
    (&SqlState::DISK_FULL, "DiskFull"),
    (&SqlState::OUT_OF_MEMORY, "OutOfMemory"),
    (&SqlState::RAISE_EXCEPTION, "LoginTriggerFailed"),
];

pub(super) fn classify(error: &tokio_postgres::Error) -> SqlError {
    if let Some(db) = error.as_db_error() {
        let words = shown(db.message(), WORDS);
        return match db.code() {
            &SqlState::CANNOT_CONNECT_NOW => SqlError::Starting(words),
            // No line of pg_hba.conf, or one that says reject: another password changes nothing. The name
            // of PostgreSQL's own function tells it from a role that may not log in, in every language.
            &SqlState::INVALID_AUTHORIZATION_SPECIFICATION
                if db.routine().is_some_and(|r| r.starts_with("ClientAuthentication")) =>
            {
                let words = format!("pg_hba.conf does not let this login in: {words}");
                SqlError::TurnedAway { reason: "HbaRejects", words }
            }
            &SqlState::INVALID_PASSWORD | &SqlState::INVALID_AUTHORIZATION_SPECIFICATION => {
                SqlError::LoginRefused(words)
            }
            &SqlState::ADMIN_SHUTDOWN | &SqlState::CRASH_SHUTDOWN => SqlError::Refused(words),
            code => match TURNED_AWAY.iter().find(|(known, _)| *known == code) {
                Some((_, reason)) => SqlError::TurnedAway { reason, words },
                None => SqlError::Failed(words),
            },
        };
    }
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        if let Some(io) = inner.downcast_ref::<std::io::Error>() {
            return match io.get_ref().and_then(|e| e.downcast_ref::<Refusal>()) {
                Some(refusal) => refusal.clone().into(),
                None if io.kind() == std::io::ErrorKind::InvalidInput => not_understood(error),
                None => SqlError::Refused(shown(&io.to_string(), WORDS)),
            };
        }
        source = inner.source();
    }
    if error.is_closed() { SqlError::Refused("connection closed".to_owned()) } else { not_understood(error) }
}

impl From<Refusal> for SqlError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Weak(weak) => SqlError::Weak(weak),
            Refusal::NoProcess(words) => SqlError::TurnedAway { reason: "NoProcessLeft", words },
            refusal => SqlError::Failed(refusal.to_string()),
        }
    }
}

fn not_understood(error: &tokio_postgres::Error) -> SqlError {
    let more = std::error::Error::source(error).map(|s| format!(": {s}")).unwrap_or_default();
    SqlError::Failed(shown(&format!("{error}{more}"), WORDS))
}
