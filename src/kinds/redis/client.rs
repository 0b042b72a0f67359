//! One session with a Redis server: log in, ask what a probe needs, make the few changes in place. Every call has a
//! timeout, and every answer a bound. Redis' login tells the password to whoever listens, so a target is an address that
//! the engine told, never a name; and what a server says to a login is not shown where it repeats the password.

mod resp;

use super::server::ServerFacts;
use crate::core::text::shown;
use crate::secrets::{ExposeSecret, Secret};
use async_trait::async_trait;
use resp::{Bad, Reply};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::time::timeout;

/// Longest time for a login or for a round trip.
pub const TIMEOUT: Duration = Duration::from_secs(5);
/// Characters of a server's own words that are kept.
const WORDS: usize = 500;

/// Where and as whom to log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub host: IpAddr,
    pub port: u16,
    pub username: String,
    /// Container id and start: a session outlives neither.
    pub epoch: String,
}

/// Why there is no answer. Texts are Redis' or the system's own; they hold no password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RedisError {
    /// It is up and reads its data; INFO tells how far it is.
    #[error("{0}")]
    Loading(String),
    #[error("{0}")]
    Refused(String),
    #[error("{0}")]
    LoginRefused(String),
    /// It is up and answers reads; it refuses writes because it cannot save.
    #[error("{0}")]
    PersistenceBroken(String),
    #[error("no answer within {0:?}")]
    Hung(Duration),
    /// The server turns us away for a reason of its own.
    #[error("{words}")]
    TurnedAway {
        /// One CamelCase word from a closed set.
        reason: &'static str,
        words: String,
    },
    #[error("{0}")]
    Failed(String),
}

impl RedisError {
    /// By the first word of an error, as Redis' own clients do it.
    fn of(words: &str) -> Self {
        let said = shown(words, WORDS);
        let away = |reason| Self::TurnedAway { reason, words: said.clone() };
        match words.split(' ').next().unwrap_or_default() {
            "LOADING" => Self::Loading(said),
            "MISCONF" => Self::PersistenceBroken(said),
            "WRONGPASS" | "NOAUTH" | "NOPERM" => Self::LoginRefused(said),
            "BUSY" => away("BusyScript"),
            "DENIED" => away("ProtectedMode"),
            _ if words.starts_with("ERR max number of clients") => away("TooManyConnections"),
            _ => Self::Failed(said),
        }
    }
}

impl From<Bad> for RedisError {
    fn from(bad: Bad) -> Self {
        match bad {
            Bad::Io(words) => Self::Refused(shown(&words, WORDS)),
            bad => Self::Failed(bad.to_string()),
        }
    }
}

/// Where logins go: to real servers, or to the fake ones of tests.
#[async_trait]
pub trait Servers: Send + Sync + 'static {
    /// A new login over the network.
    async fn login(&self, target: &Target, password: &Secret) -> Result<Box<dyn Session>, RedisError>;
    /// Whether something still takes connections and answers them; costs no login.
    async fn answers(&self, target: &Target) -> Result<(), RedisError>;
}

/// A logged-in session; its connection ends when it is dropped, or when a round trip was not finished.
#[async_trait]
pub trait Session: Send + Sync {
    fn target(&self) -> &Target;
    /// Everything a probe needs, in one round trip: also of a server that is loading or cannot save. Of users only those that
    /// there are.
    async fn probe(&self, parameters: &[&str], users: &[&str]) -> Result<ServerFacts, RedisError>;
    /// All of them or none.
    async fn config_set(&self, parameters: &[(String, String)]) -> Result<(), RedisError>;
    /// Reads the users' file again: all of it or, when a line is wrong, nothing. Passwords, rules and users are then what it
    /// says; who is in stays in.
    async fn load_users(&self) -> Result<(), RedisError>;
    /// Ends this user's sessions: a password that is gone opens none, and closes none.
    async fn end_sessions(&self, user: &str) -> Result<(), RedisError>;
    /// Begins a snapshot, or has one begin when what is being saved is done; a probe tells how it ended.
    async fn snapshot(&self) -> Result<(), RedisError>;
}

/// Real servers, by TCP.
pub struct Network;

#[async_trait]
impl Servers for Network {
    async fn login(&self, target: &Target, password: &Secret) -> Result<Box<dyn Session>, RedisError> {
        let logging_in = async {
            let mut wire = connect(target).await?;
            let password = password.expose_secret();
            let auth = [b"AUTH", target.username.as_bytes(), password.as_bytes()];
            match exchange(&mut wire, &[&auth]).await?.pop() {
                Some(Reply::Text(_)) => Ok(wire),
                Some(Reply::Error(words)) if password.is_empty() => Err(RedisError::of(&words)),
                // "unknown command 'AUTH', with args beginning with: …"
                Some(Reply::Error(words)) => Err(RedisError::of(&words.replace(password, "…"))),
                _ => Err(strange()),
            }
        };
        let wire = timeout(TIMEOUT, logging_in).await.map_err(|_| RedisError::Hung(TIMEOUT))??;
        Ok(Box::new(NetSession { target: target.clone(), wire: Mutex::new(Some(wire)) }))
    }

    async fn answers(&self, target: &Target) -> Result<(), RedisError> {
        let asking = async {
            let mut wire = connect(target).await?;
            Ok::<_, Bad>(exchange(&mut wire, &[&[b"PING"]]).await?.pop())
        };
        match timeout(TIMEOUT, asking).await.map_err(|_| RedisError::Hung(TIMEOUT))?? {
            Some(Reply::Text(word)) if word == "PONG" => Ok(()),
            Some(Reply::Error(words)) => match RedisError::of(&words) {
                error @ (RedisError::TurnedAway { .. } | RedisError::Failed(_)) => Err(error),
                _ => Ok(()),
            },
            _ => Err(strange()),
        }
    }
}

fn strange() -> RedisError {
    RedisError::Failed("what answers does not speak Redis' protocol as it should".to_owned())
}

type Wire = BufReader<TcpStream>;

async fn connect(target: &Target) -> Result<Wire, Bad> {
    let stream = TcpStream::connect(SocketAddr::new(target.host, target.port)).await?;
    // Questions and answers are small and wait for each other.
    let _ = stream.set_nodelay(true);
    Ok(BufReader::new(stream))
}

/// Sends all commands at once; one reply each, in their order.
async fn exchange(wire: &mut Wire, commands: &[&[&[u8]]]) -> Result<Vec<Reply>, Bad> {
    // A server that is full says so and hangs up before it reads: its words come first.
    let sent = wire.write_all(&resp::encode(commands)).await;
    let mut room = resp::ANSWER;
    let mut replies = Vec::new();
    for _ in commands {
        match (resp::read(wire, &mut room).await, &sent) {
            (Err(_), Err(why)) => return Err(Bad::Io(why.to_string())),
            (reply, _) => replies.push(reply?),
        }
    }
    Ok(replies)
}

struct NetSession {
    target: Target,
    /// `None` while it is in use, and for good once a round trip was not finished: what comes next on it would be the
    /// answer to something else.
    wire: Mutex<Option<Wire>>,
}

impl NetSession {
    async fn ask(&self, commands: &[&[&[u8]]]) -> Result<Vec<Reply>, RedisError> {
        let asking = async {
            let mut place = self.wire.lock().await;
            let mut wire = place.take().ok_or_else(|| Bad::Io("connection closed".to_owned()))?;
            let replies = exchange(&mut wire, commands).await?;
            *place = Some(wire);
            Ok(replies)
        };
        timeout(TIMEOUT, asking).await.map_err(|_| RedisError::Hung(TIMEOUT))?
    }

    async fn run(&self, command: &[&[u8]]) -> Result<(), RedisError> {
        match self.ask(&[command]).await?.pop() {
            Some(Reply::Error(words)) => Err(RedisError::of(&words)),
            Some(_) => Ok(()),
            None => Err(strange()),
        }
    }
}

#[async_trait]
impl Session for NetSession {
    fn target(&self) -> &Target {
        &self.target
    }

    async fn probe(&self, parameters: &[&str], users: &[&str]) -> Result<ServerFacts, RedisError> {
        // CONFIG GET wants one name at least.
        let get: Vec<&[u8]> = [&b"CONFIG"[..], b"GET", b"dir"]
            .into_iter()
            .chain(parameters.iter().map(|p| p.as_bytes()))
            .collect();
        let of_users: Vec<[&[u8]; 3]> =
            users.iter().map(|user| [&b"ACL"[..], b"GETUSER", user.as_bytes()]).collect();
        let mut commands: Vec<&[&[u8]]> = vec![&[b"PING"], &[b"INFO"], &get];
        commands.extend(of_users.iter().map(|command| &command[..]));
        let mut replies = self.ask(&commands).await?.into_iter();
        let mut next = || replies.next().unwrap_or(Reply::Nil);
        let ping = match next() {
            Reply::Error(words) => Err(RedisError::of(&words)),
            _ => Ok(()),
        };
        let (Reply::Text(info), Reply::List(config)) = (next().fine()?, next().fine()?) else {
            return Err(strange());
        };
        let mut facts = ServerFacts::read(&info, ping).ok_or_else(strange)?;
        facts.config = pairs(config).filter_map(|(name, value)| Some((name, value.text()?))).collect();
        for user in users {
            if let Reply::List(told) = next().fine()? {
                facts.tell_user(user, pairs(told).map(|(name, value)| (name, value.words())));
            }
        }
        Ok(facts)
    }

    async fn config_set(&self, parameters: &[(String, String)]) -> Result<(), RedisError> {
        if parameters.is_empty() {
            return Ok(());
        }
        let words = parameters.iter().flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()]);
        self.run(&[&b"CONFIG"[..], b"SET"].into_iter().chain(words).collect::<Vec<_>>()).await
    }

    async fn load_users(&self) -> Result<(), RedisError> {
        self.run(&[b"ACL", b"LOAD"]).await
    }

    async fn end_sessions(&self, user: &str) -> Result<(), RedisError> {
        self.run(&[b"CLIENT", b"KILL", b"USER", user.as_bytes(), b"SKIPME", b"YES"]).await
    }

    async fn snapshot(&self) -> Result<(), RedisError> {
        self.run(&[b"BGSAVE", b"SCHEDULE"]).await
    }
}

/// Name, value, name, value, …
fn pairs(list: Vec<Reply>) -> impl Iterator<Item = (String, Reply)> {
    let mut list = list.into_iter();
    std::iter::from_fn(move || Some((list.next()?.text()?, list.next()?)))
}

#[cfg(test)]
#[path = "client/tests.rs"]
mod tests;
