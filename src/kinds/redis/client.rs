//! What is said to a Redis server: log in, send some commands, read one reply each. A connection lives no longer than that:
//! a login costs Redis nothing. Every call has a timeout, and every answer a bound. Redis' login tells the password to
//! whoever listens, so a target is an address that the engine told, never a name.

use crate::core::text::shown;
use crate::secrets::{ExposeSecret, Secret};
use async_trait::async_trait;
use futures_util::future::BoxFuture;
use std::net::IpAddr;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use zeroize::Zeroizing;

/// Longest time for a login with everything that is asked after it.
pub const TIMEOUT: Duration = Duration::from_secs(5);
/// Characters of a server's own words that are kept.
const WORDS: usize = 500;
/// Bytes of all replies.
const ANSWER: usize = 1 << 20;
/// Lists in lists; none of ours has more than three.
const DEPTH: usize = 8;

/// Where and as whom to log in.
#[derive(Clone, Debug)]
pub struct Target {
    pub host: IpAddr,
    pub port: u16,
    /// Id of the container that is reached there.
    pub container: String,
    pub username: String,
    pub password: Secret,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Numbers, too.
    Text(String),
    Error(String),
    Nil,
    List(Vec<Reply>),
}

/// Why there is no answer. Texts are Redis' or the system's own; they hold no password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RedisError {
    /// It is up and reads its data.
    #[error("{0}")]
    Loading(String),
    #[error("{0}")]
    Refused(String),
    #[error("{0}")]
    LoginRefused(String),
    /// It is up and answers reads; it refuses writes because it cannot save.
    #[error("{0}")]
    PersistenceBroken(String),
    #[error("no answer within {TIMEOUT:?}")]
    Hung,
    /// The server turns us away for a reason of its own: one CamelCase word from a closed set, and its words.
    #[error("{1}")]
    TurnedAway(&'static str, String),
    #[error("{0}")]
    Failed(String),
}

impl RedisError {
    /// By the first word of an error, as Redis' own clients do it.
    fn of(words: &str) -> Self {
        let said = shown(words, WORDS);
        match words.split(' ').next().unwrap_or_default() {
            "LOADING" => Self::Loading(said),
            "MISCONF" => Self::PersistenceBroken(said),
            "WRONGPASS" | "NOAUTH" | "NOPERM" => Self::LoginRefused(said),
            "BUSY" => Self::TurnedAway("BusyScript", said),
            _ if words.starts_with("ERR max number of clients") => {
                Self::TurnedAway("TooManyConnections", said)
            }
            _ => Self::Failed(said),
        }
    }
}

impl From<std::io::Error> for RedisError {
    fn from(error: std::io::Error) -> Self {
        Self::Refused(shown(&error.to_string(), WORDS))
    }
}

impl Reply {
    /// # Errors
    /// The server's own.
    pub fn fine(self) -> Result<Self, RedisError> {
        match self {
            Reply::Error(words) => Err(RedisError::of(&words)),
            reply => Ok(reply),
        }
    }

    /// All texts in it, in their order.
    #[must_use]
    pub fn words(self) -> Vec<String> {
        match self {
            Reply::Text(text) => vec![text],
            Reply::List(list) => list.into_iter().flat_map(Reply::words).collect(),
            Reply::Error(_) | Reply::Nil => Vec::new(),
        }
    }
}

/// A command of words without spaces in them.
#[must_use]
pub fn command(words: &str) -> Vec<String> {
    words.split(' ').map(str::to_owned).collect()
}

/// Where commands go: to real servers, or to the fake ones of tests.
#[async_trait]
pub trait Servers: Send + Sync + 'static {
    /// Logs in, and sends all of these; one reply each, in their order.
    async fn ask(&self, target: &Target, commands: &[Vec<String>]) -> Result<Vec<Reply>, RedisError>;
}

/// Real servers, by TCP.
pub struct Network;

#[async_trait]
impl Servers for Network {
    async fn ask(&self, target: &Target, commands: &[Vec<String>]) -> Result<Vec<Reply>, RedisError> {
        let asking = async {
            let mut wire = BufReader::new(TcpStream::connect((target.host, target.port)).await?);
            let password = target.password.expose_secret();
            let longest = |words: &Vec<String>| words.iter().map(|word| word.len() + 32).sum::<usize>();
            let room = 256 + password.len() + commands.iter().map(|c| 32 + longest(c)).sum::<usize>();
            let mut out = Zeroizing::new(Vec::with_capacity(room));
            let auth = ["AUTH", &target.username, password];
            encode(&mut out, auth.into_iter());
            commands.iter().for_each(|command| encode(&mut out, command.iter().map(String::as_str)));
            // A server that is full says so and hangs up before it reads: its words come first.
            let sent = wire.write_all(&out).await;
            let mut room = ANSWER;
            match (read(&mut wire, &mut room, 0).await, sent) {
                (Ok(Reply::Text(_)), Ok(())) => {}
                // "unknown command 'AUTH', with args beginning with: …"
                (Ok(Reply::Error(words)), _) if password.is_empty() => return Err(RedisError::of(&words)),
                (Ok(Reply::Error(words)), _) => return Err(RedisError::of(&words.replace(password, "…"))),
                (Err(error), Ok(())) => return Err(error),
                (_, Err(error)) => return Err(error.into()),
                _ => return Err(strange()),
            }
            let mut replies = Vec::new();
            for _ in commands {
                replies.push(read(&mut wire, &mut room, 0).await?);
            }
            Ok(replies)
        };
        tokio::time::timeout(TIMEOUT, asking).await.unwrap_or(Err(RedisError::Hung))
    }
}

/// In room that is there already: a buffer that grows leaves copies behind.
fn encode<'a>(out: &mut Zeroizing<Vec<u8>>, words: impl Iterator<Item = &'a str> + Clone) {
    out.extend_from_slice(format!("*{}\r\n", words.clone().count()).as_bytes());
    for word in words {
        out.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        out.extend_from_slice(word.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
}

fn strange() -> RedisError {
    RedisError::Failed("what answers does not speak Redis' protocol as it should".to_owned())
}

type Wire = BufReader<TcpStream>;

/// The next reply of protocol version 2, within a number of bytes and a depth, whatever lengths it claims: memory is taken
/// for bytes that came. What it took is taken off `room`.
fn read<'a>(
    from: &'a mut Wire,
    room: &'a mut usize,
    depth: usize,
) -> BoxFuture<'a, Result<Reply, RedisError>> {
    Box::pin(async move {
        let mut line = Vec::new();
        *room -= (&mut *from).take(*room as u64).read_until(b'\n', &mut line).await?;
        let line = String::from_utf8_lossy(&line).into_owned();
        if line.is_empty() {
            return Err(RedisError::Refused("connection closed".to_owned()));
        }
        let (kind, rest) = line.split_at_checked(1).ok_or_else(strange)?;
        let rest = rest.strip_suffix("\r\n").ok_or_else(strange)?;
        match (kind, rest.parse::<i64>()) {
            ("+" | ":", _) => Ok(Reply::Text(rest.to_owned())),
            ("-", _) => Ok(Reply::Error(rest.to_owned())),
            ("$" | "*", Ok(-1)) => Ok(Reply::Nil),
            ("$", Ok(length)) => {
                let whole = usize::try_from(length).ok().and_then(|n| n.checked_add(2));
                let whole = whole.filter(|whole| whole <= room).ok_or_else(strange)?;
                let mut raw = Vec::new();
                *room -= from.take(whole as u64).read_to_end(&mut raw).await?;
                let text = raw.strip_suffix(b"\r\n").filter(|_| raw.len() == whole).ok_or_else(strange)?;
                Ok(Reply::Text(String::from_utf8_lossy(text).into_owned()))
            }
            ("*", Ok(length)) if depth < DEPTH => {
                let mut list = Vec::new();
                for _ in 0..length {
                    list.push(read(from, room, depth + 1).await?);
                }
                Ok(Reply::List(list))
            }
            _ => Err(strange()),
        }
    })
}

#[cfg(test)]
#[path = "client/tests.rs"]
mod tests;
