//! Proof that an application gets in: a new login of the managed user into the managed database. Must not
//! run anything there that somebody without the server's highest rights could have written.

use super::guard::no_process;
use super::session::PgSession;
use super::{SqlError, TIMEOUT, Target, WORDS, statements};
use crate::core::text::shown;
use crate::kinds::postgres::parameters::PATH;
use crate::kinds::postgres::world::NewLogin;
use crate::secrets::Secret;
use futures_util::join;
use std::net::SocketAddr;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Characters of a line that the server cannot read.
const LINE: usize = 300;

/// `SSLRequest` of PostgreSQL's protocol: it is answered with one byte, before any login.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// Our own sessions run no trigger on login; applications do. So where the managed database has one, and only
/// superusers' functions are in them, it is run as well.
pub(super) async fn prove(
    target: &Target,
    password: &Secret,
    parameters: &[&str],
) -> Result<NewLogin, SqlError> {
    let session = PgSession::login_into(target, password, &target.database).await?;
    let overridden = async {
        if parameters.is_empty() {
            return Ok(Vec::new());
        }
        session.rows(&statements::overridden(parameters)).await.map(|rows| names(&rows, 0))
    };
    let triggers = statements::login_triggers();
    let (rows, overridden, told) = join!(session.rows(&triggers), overridden, files(&session));
    let triggers = rows?.first().and_then(|row| row.first()).cloned().flatten();
    let overridden = overridden?;
    let told = match told {
        Ok(told) => NewLogin { overridden, ..told },
        // That somebody gets in is proven, whether or not they may look into the files.
        Err(SqlError::Failed(_)) => NewLogin { overridden, ..NewLogin::default() },
        Err(error) => return Err(error),
    };
    if triggers.as_deref() != Some("superuser") {
        return Ok(told);
    }
    let options = statements::options_with_triggers();
    match PgSession::login_to(target, password, &target.database, &options).await {
        Ok(_) => Ok(told),
        Err(error) => Err(error.into()),
    }
}

/// What the server's configuration files say. In this session, which ends: the server looks into them for it, and takes note
/// of what waits for a restart. It works on one statement after the other, in this order.
async fn files(session: &PgSession) -> Result<NewLogin, SqlError> {
    let (look, broken, pending) =
        (statements::look_into_files(), statements::broken_configuration(), statements::pending(PATH));
    let (looked, rows, waits) = join!(session.rows(&look), session.rows(&broken), session.rows(&pending));
    looked?;
    let rows = rows?;
    let broken = rows.first().and_then(|row| row.first()).cloned().flatten().unwrap_or_default();
    let broken =
        broken.split('\u{1e}').filter(|line| !line.is_empty()).map(|line| shown(line, LINE)).collect();
    let rows = waits?;
    let (pending, by_hand, in_force) = (names(&rows, 0), names(&rows, 1), names(&rows, 2));
    Ok(NewLogin { broken, pending, by_hand, in_force, ..NewLogin::default() })
}

/// A column of the only row: names between commas.
fn names(rows: &[Vec<Option<String>>], column: usize) -> Vec<String> {
    let text = rows.first().and_then(|row| row.get(column)).cloned().flatten().unwrap_or_default();
    text.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// A postmaster that hangs takes connections all the same, as the kernel does it for it; it is its answer that
/// counts.
pub(super) async fn answers(target: &Target) -> Result<(), SqlError> {
    let refused = |e: std::io::Error| SqlError::Refused(shown(&e.to_string(), WORDS));
    let asking = async {
        let mut stream =
            TcpStream::connect(SocketAddr::new(target.host, target.port)).await.map_err(refused)?;
        stream.write_all(&SSL_REQUEST).await.map_err(refused)?;
        match stream.read_u8().await.map_err(refused)? {
            b'S' | b'N' => Ok(()),
            // Before any request there is one error: that there is no process to take the request.
            b'E' => {
                let mut words = Vec::new();
                BufReader::new(stream.take(WORDS as u64)).read_until(0, &mut words).await.map_err(refused)?;
                Err(no_process(&words).into())
            }
            _ => Err(SqlError::Failed("what answers does not speak PostgreSQL's protocol".to_owned())),
        }
    };
    timeout(TIMEOUT, asking).await.map_err(|_| SqlError::Hung(TIMEOUT))?
}
