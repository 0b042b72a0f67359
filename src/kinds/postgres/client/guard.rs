//! A stream between the PostgreSQL client and the network that lets a server have only what proves
//! nothing to a wrong one, and only so much to say.
//!
//! The client library answers any request for a password. Here a request other than SCRAM-SHA-256 ends
//! the connection before the library sees it, and so does a login without any. In SCRAM both sides prove
//! that they know the password (RFC 5802), and neither says it. Must never change what it lets through.

use crate::kinds::postgres::world::Weak;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes of one message before the login is done.
const LOGIN_MESSAGE: usize = 16 << 10;
/// Bytes of everything a server says until the first statement.
const LOGIN: usize = 256 << 10;
/// Bytes of one message of an answer.
const MESSAGE: usize = 512 << 10;
/// Bytes of the answer to one statement, with all that a server says meanwhile.
const ANSWER: usize = 1 << 20;
/// Bytes of settings that a server tells during one connection: the library keeps them all.
const SETTINGS: usize = 64 << 10;
/// Rounds of hashing that a server may ask for; PostgreSQL's own default is 4096.
const ITERATIONS: u32 = 200_000;

const MECHANISM: &[u8] = b"SCRAM-SHA-256";

/// Why the connection was ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("{0}")]
    Weak(Weak),
    #[error("the server sent more than {0} bytes in {1}; the rest was not read")]
    TooMuch(usize, &'static str),
    #[error("the server asks for {0} rounds of hashing for one login, more than {ITERATIONS}")]
    TooManyRounds(String),
    /// In the form of before protocol 3: the postmaster has no process to say it in another one.
    #[error("{0}")]
    NoProcess(String),
    #[error("what answers does not speak PostgreSQL's protocol: {0}")]
    Protocol(&'static str),
}

impl From<Refusal> for io::Error {
    fn from(refusal: Refusal) -> Self {
        io::Error::new(io::ErrorKind::InvalidData, refusal)
    }
}

/// How far a login is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Asked,
    Offered,
    Continued,
    /// The server said what proves that it knows the password; the library checks it.
    Final,
    LoggedIn,
}

/// What decides; no I/O in it.
struct Judge {
    phase: Phase,
    /// Bytes left of the present answer, and of settings.
    answer: usize,
    settings: usize,
    /// Bytes of the message under way that are still to come.
    open: usize,
}

impl Judge {
    fn new() -> Self {
        Self { phase: Phase::Asked, answer: LOGIN, settings: SETTINGS, open: 0 }
    }

    /// How many of the first bytes of `raw` may go to the library now; zero: more must come first.
    fn pass(&mut self, raw: &[u8]) -> Result<usize, Refusal> {
        let mut passed = 0;
        while let Some(rest) = raw.get(passed..).filter(|r| !r.is_empty()) {
            if self.open > 0 {
                let now = self.open.min(rest.len());
                self.open -= now;
                passed += now;
                continue;
            }
            let Some((tag, length)) = header(rest)? else { break };
            if self.phase == Phase::Asked && tag == b'E' && length > LOGIN_MESSAGE {
                return Err(no_process(rest.get(1..).unwrap_or_default()));
            }
            self.fits(length)?;
            if self.phase == Phase::LoggedIn {
                self.count(tag, length)?;
                self.open = length;
                continue;
            }
            // A message of a login is judged whole.
            let Some(body) = rest.get(5..length) else { break };
            self.count(tag, length)?;
            self.login(tag, body)?;
            passed += length;
        }
        Ok(passed)
    }

    fn fits(&self, length: usize) -> Result<(), Refusal> {
        let (most, what) = match self.phase {
            Phase::LoggedIn => (MESSAGE, "one message"),
            _ => (LOGIN_MESSAGE, "one message of the login"),
        };
        if length > most { Err(Refusal::TooMuch(most, what)) } else { Ok(()) }
    }

    fn count(&mut self, tag: u8, length: usize) -> Result<(), Refusal> {
        self.answer = self.answer.checked_sub(length).ok_or(Refusal::TooMuch(ANSWER, "one answer"))?;
        if tag == b'S' {
            self.settings =
                self.settings.checked_sub(length).ok_or(Refusal::TooMuch(SETTINGS, "settings"))?;
        }
        Ok(())
    }

    /// A statement goes out: the answer to it is a new one.
    fn asked(&mut self) {
        if self.phase == Phase::LoggedIn {
            self.answer = ANSWER;
        }
    }

    fn login(&mut self, tag: u8, body: &[u8]) -> Result<(), Refusal> {
        match tag {
            b'R' => {}
            // An error or a notice.
            b'E' | b'N' => return Ok(()),
            _ => return Err(Refusal::Protocol("it sent something else than a login")),
        }
        let (code, rest) =
            body.split_first_chunk::<4>().ok_or(Refusal::Protocol("a request is cut short"))?;
        self.phase = match (i32::from_be_bytes(*code), self.phase) {
            (10, Phase::Asked) => {
                if !rest.split(|b| *b == 0).any(|m| m == MECHANISM) {
                    return Err(Refusal::Weak(Weak::Other("a SASL mechanism other than SCRAM-SHA-256")));
                }
                Phase::Offered
            }
            (11, Phase::Offered) => {
                rounds(rest)?;
                Phase::Continued
            }
            (12, Phase::Continued) => Phase::Final,
            (0, Phase::Final) => Phase::LoggedIn,
            (0, _) => return Err(Refusal::Weak(Weak::NoPassword)),
            (3, _) => return Err(Refusal::Weak(Weak::ClearText)),
            (5, _) => return Err(Refusal::Weak(Weak::Md5)),
            (7 | 8, _) => return Err(Refusal::Weak(Weak::Other("GSSAPI"))),
            (9, _) => return Err(Refusal::Weak(Weak::Other("SSPI"))),
            (2, _) => return Err(Refusal::Weak(Weak::Other("Kerberos"))),
            (6, _) => return Err(Refusal::Weak(Weak::Other("SCM credentials"))),
            _ => return Err(Refusal::Protocol("a request that is not known")),
        };
        Ok(())
    }
}

/// Tag and whole length of the message that begins here, once its first five bytes are there.
fn header(raw: &[u8]) -> Result<Option<(u8, usize)>, Refusal> {
    let Some((tag, rest)) = raw.split_first() else { return Ok(None) };
    let Some(length) = rest.first_chunk::<4>() else { return Ok(None) };
    match usize::try_from(i32::from_be_bytes(*length)) {
        Ok(length) if length >= 4 => Ok(Some((*tag, length + 1))),
        _ => Err(Refusal::Protocol("a message of no length")),
    }
}

/// "could not fork new process for connection: …": a text where a length would be
/// (`report_fork_failure_to_client` in PostgreSQL's postmaster).
pub(super) fn no_process(text: &[u8]) -> Refusal {
    let line = text.split(|byte| matches!(byte, 0 | b'\n')).next().unwrap_or_default();
    if line.len() < 10 || line.iter().any(u8::is_ascii_control) {
        return Refusal::TooMuch(LOGIN_MESSAGE, "one message of the login");
    }
    Refusal::NoProcess(crate::core::text::shown(&String::from_utf8_lossy(line), 200))
}

/// The server's first message, `r=…,s=…,i=4096`: the library does as many rounds as it says.
fn rounds(message: &[u8]) -> Result<(), Refusal> {
    let text = String::from_utf8_lossy(message);
    let asked = text.split(',').find_map(|part| part.strip_prefix("i="));
    let asked = asked.ok_or(Refusal::Protocol("a SCRAM message without a number of rounds"))?;
    match asked.parse::<u32>() {
        Ok(rounds) if rounds <= ITERATIONS => Ok(()),
        _ => Err(Refusal::TooManyRounds(crate::core::text::shown(asked, 20))),
    }
}

/// The stream that the client library gets.
pub struct Guard<S> {
    inner: S,
    judge: Judge,
    /// Read, not yet let through.
    raw: Vec<u8>,
    /// Let through, not yet taken: a part of `raw`, at its beginning.
    free: usize,
}

impl<S> Guard<S> {
    pub fn new(inner: S) -> Self {
        Self { inner, judge: Judge::new(), raw: Vec::new(), free: 0 }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guard<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            if self.free > 0 {
                let now = self.free.min(out.remaining());
                out.put_slice(self.raw.get(..now).unwrap_or_default());
                self.raw.drain(..now);
                self.free -= now;
                return Poll::Ready(Ok(()));
            }
            let mut chunk = [0; 4096];
            let mut read = ReadBuf::new(&mut chunk);
            ready!(Pin::new(&mut self.inner).poll_read(cx, &mut read))?;
            if read.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            self.raw.extend_from_slice(read.filled());
            let this = &mut *self;
            this.free = this.judge.pass(&this.raw)?;
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guard<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.judge.asked();
        Pin::new(&mut self.inner).poll_write(cx, data)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
#[path = "guard_tests.rs"]
mod tests;
