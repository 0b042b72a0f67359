//! What every database of a server says about the collations that its columns and indexes name. That is known to
//! each database alone, so each is logged into; asked seldom, and never by a probe.

use super::session::PgSession;
use super::{SqlError, Target, statements};
use crate::core::text::shown;
use crate::kinds::postgres::collation::{InDatabase, MOST, Named};
use crate::secrets::Secret;
use std::time::Duration;
use tokio::time::timeout;

/// For all of them.
const LIMIT: Duration = Duration::from_secs(60);

/// # Errors
/// When one of them could not be asked: then what it has is not known.
pub(super) async fn columns(target: &Target, password: &Secret) -> Result<Vec<InDatabase>, SqlError> {
    let asking = async {
        let session = PgSession::login(target, password).await?;
        let rows = session.rows(&statements::databases()).await?;
        let names = text(&rows, 0);
        let names: Vec<&str> = names.split('\u{1e}').filter(|name| !name.is_empty()).collect();
        if names.len() > statements::DATABASES {
            let most = statements::DATABASES;
            return Err(SqlError::Failed(format!("it has more than {most} databases")));
        }
        let mut all = Vec::with_capacity(names.len());
        for name in names {
            let session = PgSession::login_into(target, password, name).await?;
            let rows = session.rows(&statements::columns()).await?;
            all.push(InDatabase {
                database: name.to_owned(),
                providers: text(&rows, 0).chars().filter(char::is_ascii_alphanumeric).take(4).collect(),
                mismatched: text(&rows, 1).split('\u{1e}').filter_map(named).take(MOST).collect(),
            });
        }
        Ok(all)
    };
    timeout(LIMIT, asking).await.unwrap_or(Err(SqlError::Hung(LIMIT)))
}

fn text(rows: &[Vec<Option<String>>], column: usize) -> String {
    rows.first().and_then(|row| row.get(column).cloned().flatten()).unwrap_or_default()
}

fn named(line: &str) -> Option<Named> {
    let mut fields = line.split('\u{1f}');
    let (schema, name) = (fields.next()?, fields.next()?);
    Some(Named {
        collation: format!("\"{}\".\"{}\"", schema.replace('"', "\"\""), name.replace('"', "\"\"")),
        built_with: shown(fields.next()?, 40),
        now: shown(fields.next()?, 40),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_quoted_as_it_must_be_written() {
        let line = "my \"own\"\u{1f}de-x-icu\u{1f}153.112\u{1f}153.120";
        let want = Named {
            collation: r#""my ""own"""."de-x-icu""#.to_owned(),
            built_with: "153.112".to_owned(),
            now: "153.120".to_owned(),
        };
        assert_eq!(named(line), Some(want));
        assert_eq!(named("pg_catalog\u{1f}x"), None);
        assert_eq!(named(""), None);
    }
}
