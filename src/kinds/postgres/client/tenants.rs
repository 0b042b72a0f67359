//! Logins about tenants: as one, and as Seawall into a tenant's database. Nothing that a tenant could have written there
//! may run as Seawall.

use super::session::{LoginError, PgSession};
use super::{Furnishing, Sql, SqlError, Target, statements};
use crate::secrets::Secret;
use statements::tenants as sql;

/// Without settings of ours: most of them are not for everybody to set.
pub(super) async fn lets_in(target: &Target, password: &Secret) -> Result<(), SqlError> {
    match PgSession::login_to(target, password, &target.database, "").await {
        Ok(_) => Ok(()),
        Err(LoginError::NoDatabase) => Err(SqlError::Failed(format!(
            "database {:?} is gone, or nobody may connect to it",
            target.database
        ))),
        Err(error) => Err(error.into()),
    }
}

/// The script of an extension runs as the superuser, and finds what lies in its schema first or almost first. One that is
/// trusted is written for that (PostgreSQL docs, "Security Considerations for Extensions"); another one is made only where
/// no tenant can have laid something in its way.
pub(super) async fn furnish(
    target: &Target,
    password: &Secret,
    furnishing: &Furnishing<'_>,
) -> Result<Vec<String>, SqlError> {
    let session = PgSession::login_into(target, password, &target.database).await?;
    if truth(&session, &sql::schema_is_public()).await? {
        session.rows(&sql::schema_from_public()).await?;
    }
    if furnishing.extensions.is_empty() {
        return Ok(Vec::new());
    }
    let untouched = truth(&session, &sql::is_untouched(furnishing.logins)).await?;
    let mut left = furnishing.extensions.to_vec();
    // One may require another one that is named after it.
    loop {
        let mut lacks = Vec::new();
        for name in &left {
            if let Some(why) = make(&session, name, untouched).await? {
                lacks.push((*name, why));
            }
        }
        if lacks.is_empty() || lacks.len() == left.len() {
            return Ok(lacks.into_iter().map(|(name, why)| format!("extension {name:?}: {why}")).collect());
        }
        left = lacks.into_iter().map(|(name, _)| name).collect();
    }
}

/// Why it was not made.
async fn make(session: &PgSession, name: &str, untouched: bool) -> Result<Option<String>, SqlError> {
    let about = session.rows(&sql::about_extension(name)).await?;
    let (trusted, insists) = match about.first().map(Vec::as_slice) {
        Some([trusted, schema]) => (trusted.as_deref() == Some("true"), schema.is_some()),
        // The server says it better.
        _ => (true, true),
    };
    if !trusted && !untouched && !truth(session, &sql::has_extension(name)).await? {
        let why = "it is not a trusted one, and its script would run as the superuser where the project can write: name it in the link of a new database, or make it by hand";
        return Ok(Some(why.to_owned()));
    }
    match session.rows(&sql::extension(name, insists)).await {
        Ok(_) => Ok(None),
        Err(SqlError::Failed(words) | SqlError::TurnedAway { words, .. }) => Ok(Some(words)),
        Err(error) => Err(error),
    }
}

async fn truth(session: &PgSession, sql: &Sql) -> Result<bool, SqlError> {
    let rows = session.rows(sql).await?;
    Ok(rows.first().and_then(|row| row.first()).cloned().flatten().as_deref() == Some("true"))
}

pub(super) async fn hand_over(
    target: &Target,
    password: &Secret,
    from: &str,
    to: &str,
) -> Result<(), SqlError> {
    let session = PgSession::login_into(target, password, &target.database).await?;
    session.rows(&sql::hand_to_owner(from, to)).await.map(drop)
}

pub(super) async fn rebuild(target: &Target, password: &Secret, statements: &[Sql]) -> Result<(), SqlError> {
    let session = PgSession::login_into(target, password, &target.database).await?;
    for statement in statements {
        session.rows(statement).await?;
    }
    Ok(())
}
