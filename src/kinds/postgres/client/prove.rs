//! Proof that an application gets in: a new login of the managed user into the managed database. Must not
//! run anything there that somebody without the server's highest rights could have written.

use super::guard::no_process;
use super::session::PgSession;
use super::{SqlError, TIMEOUT, Target, WORDS, statements};
use crate::core::text::shown;
use crate::kinds::postgres::world::NewLogin;
use crate::secrets::Secret;
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
    let rows = session.rows(&statements::login_triggers()).await?;
    let triggers = rows.first().and_then(|row| row.first()).cloned().flatten();
    let overridden = if parameters.is_empty() {
        Vec::new()
    } else {
        let rows = session.rows(&statements::overridden(parameters)).await?;
        let names = rows.first().and_then(|row| row.first()).cloned().flatten().unwrap_or_default();
        names.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect()
    };
    // In this session, which ends: the server looks into the files for it, and takes note of what waits for a restart.
    let rows = match session.rows(&statements::broken_configuration()).await {
        Ok(rows) => rows,
        // That somebody gets in is proven, whether or not they may look into the files.
        Err(SqlError::Failed(_)) => Vec::new(),
        Err(error) => return Err(error),
    };
    let broken = rows.first().and_then(|row| row.first()).cloned().flatten().unwrap_or_default();
    let broken =
        broken.split('\u{1e}').filter(|line| !line.is_empty()).map(|line| shown(line, LINE)).collect();
    let told = NewLogin { overridden, broken };
    if triggers.as_deref() != Some("superuser") {
        return Ok(told);
    }
    let options = statements::options_with_triggers();
    match PgSession::login_to(target, password, &target.database, &options).await {
        Ok(_) => Ok(told),
        Err(error) => Err(error.into()),
    }
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
