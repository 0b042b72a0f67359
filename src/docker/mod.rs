//! Docker, as Seawall needs it: one trait in our own types, an adapter for the real engine and a fake.
//!
//! Nothing above this floor names bollard or an API field. The adapters decide nothing: they
//! translate, and give every call a timeout. Facts about the engine behind the rules in here were
//! measured on 20.10, 26.1 and 28.5.

mod archive;
mod bollard;
mod calls;
mod cgroup;
pub mod fake;
mod from_api;
mod lines;
mod login;
mod map;
mod mounts;
mod streams;
mod to_api;

pub use self::bollard::BollardDocker;
pub use self::calls::{Calls, Ends};

use crate::core::desired::DesiredContainer;
use crate::core::seen::{
    ContainerSummary, EngineEvent, EngineInfo, LiveUpdate, Sample, SeenContainer, SeenImage, SeenNetwork,
    SeenVolume, Space, Usage,
};
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::mpsc::{Receiver, Sender};
use zeroize::Zeroizing;

/// What went wrong with a call. Matched on status and a stable substring, never on whole texts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DockerError {
    /// No connection, connection cut, or the engine is shutting down.
    #[error("the Docker engine does not answer ({doing}): {detail}")]
    Unavailable { doing: &'static str, detail: String },
    #[error("the Docker engine took longer than {after:?} ({doing})")]
    Timeout { doing: &'static str, after: Duration },
    /// 404 for the thing itself.
    #[error("{what} does not exist")]
    NotFound { what: String },
    #[error("no local image {reference:?}")]
    ImageMissing { reference: String },
    /// 409 on create: a container (volume, network) of this name exists.
    #[error("the name {name:?} is taken: {detail}")]
    NameTaken { name: String, detail: String },
    /// Start failed because a host port is held by somebody else.
    #[error("host port taken: {detail}")]
    PortTaken { detail: String },
    /// A lowered memory limit that the kernel refused (cgroup v1).
    #[error("the memory limit is below what is in use: {detail}")]
    MemoryInUse { detail: String },
    /// The container is not in a state for this call (not running, restarting, removal in progress).
    #[error("{what} is not in a state for this: {detail}")]
    WrongState { what: String, detail: String },
    /// What stands between us and the engine let the request not through: what it was about is not known.
    #[error("the proxy at {address} refuses {request} ({status}): allow this request there{said}")]
    Forbidden {
        address: String,
        /// `GET /v1.41/containers/json`
        request: String,
        status: u16,
        /// Its own words, fit to be shown; empty when it has none.
        said: String,
    },
    /// Any other 4xx/5xx, with the engine's own words.
    #[error("the Docker engine refused ({doing}, status {status}): {detail}")]
    Refused { doing: &'static str, status: u16, detail: String },
}

impl DockerError {
    /// Whether the engine itself could not be asked: then nothing is known, and nothing was decided.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        matches!(self, DockerError::Unavailable { .. } | DockerError::Timeout { .. })
    }

    /// The condition's and the event's word for it.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            DockerError::Unavailable { .. } => "EngineUnavailable",
            DockerError::Timeout { .. } => "EngineTimeout",
            DockerError::NotFound { .. } => "NotFound",
            DockerError::ImageMissing { .. } => "ImageMissing",
            DockerError::NameTaken { .. } => "NameConflict",
            DockerError::PortTaken { .. } => "PortTaken",
            DockerError::MemoryInUse { .. } => "LimitBelowUse",
            DockerError::WrongState { .. } => "Changed",
            DockerError::Forbidden { .. } => "ProxyRefuses",
            DockerError::Refused { .. } => "EngineRefused",
        }
    }
}

pub type Result<T, E = DockerError> = std::result::Result<T, E>;

/// A file to lay into a container. Parent directories are made, owned by root, 0755.
#[derive(Clone)]
pub struct FileToPut {
    /// Absolute path inside the container.
    pub path: String,
    pub mode: u32,
    pub uid: u64,
    pub gid: u64,
    /// Wiped from memory when dropped: it may be a password.
    pub content: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for FileToPut {
    /// Never shows the content.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "FileToPut({}, {:o}, {} bytes)", self.path, self.mode, self.content.len())
    }
}

/// When a line of a log was printed, by the engine's clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogRange {
    /// Then or later.
    pub since: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
}

impl LogRange {
    #[must_use]
    pub fn is_all(self) -> bool {
        self == Self::default()
    }

    #[must_use]
    pub fn holds(self, at: Timestamp) -> bool {
        self.since.is_none_or(|since| at >= since) && self.until.is_none_or(|until| at < until)
    }
}

/// A command inside a container. Never put a secret into `argv` (it shows in events and in exec
/// inspect); `env` shows in neither.
#[derive(Clone, Debug, Default)]
pub struct ExecRequest {
    pub argv: Vec<String>,
    pub env: BTreeMap<String, String>,
    /// Empty: the image's user.
    pub user: String,
    /// Fed to standard input, then closed.
    pub stdin: Option<Zeroizing<Vec<u8>>>,
}

/// The exit code of a command whose output nobody took to its end.
pub const CUT_SHORT: i64 = -1;

/// What goes through a command that is given more, or says more, than is held in memory.
#[derive(Debug)]
pub struct Pipe {
    /// For its standard input, which is closed where this ends.
    pub input: Option<Receiver<Bytes>>,
    /// Takes its standard output as it comes. Where it is closed nothing more is read, and the exit code is not waited for.
    pub output: Option<Sender<Bytes>>,
    /// Nothing moves in either direction for that long: it hangs.
    pub idle: Duration,
    /// Whatever moves.
    pub longest: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecResult {
    pub exit_code: i64,
    /// Cut at 64 KiB each.
    pub stdout: String,
    pub stderr: String,
}

/// What [`Docker::outside`] saw; each as what it is named for tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outside {
    pub space: Option<Space>,
    pub read_only: Option<bool>,
    pub stopped: Option<Vec<String>>,
}

/// The engine. All methods are one API call or a fixed few, with a timeout each; none retries.
#[async_trait]
pub trait Docker: Send + Sync + 'static {
    async fn info(&self) -> Result<EngineInfo>;

    /// All containers (any state) that carry all these labels, ordered by name.
    async fn list(&self, labels: &[(&str, &str)]) -> Result<Vec<ContainerSummary>>;
    /// By exact name or id; `None` when there is none.
    async fn inspect(&self, name_or_id: &str) -> Result<Option<SeenContainer>>;
    /// Creates and returns the id; starts nothing. The image must be local. Without what the engine says that it lacks
    /// ([`EngineInfo::lacks`]), here and in an update.
    async fn create(&self, desired: &DesiredContainer) -> Result<String>;
    /// By exact name or id. Already running is success.
    async fn start(&self, id: &str) -> Result<()>;
    /// Sends the container's stop signal; KILL after `timeout`. Already stopped is success.
    async fn stop(&self, id: &str, timeout: Duration) -> Result<()>;
    /// Removes a container, running or not. Its volumes stay, also those without a name. Gone already is
    /// success.
    async fn remove(&self, id: &str) -> Result<()>;
    /// The same for a container that was made to be looked at: volumes without a name, which were made with
    /// it, go with it.
    async fn remove_throwaway(&self, id: &str) -> Result<()>;
    /// Changes caps and restart policy in place, lifting caps that are `None`.
    async fn update(&self, id: &str, change: &LiveUpdate) -> Result<()>;
    async fn rename(&self, id: &str, name: &str) -> Result<()>;
    /// Running already is success.
    async fn unpause(&self, id: &str) -> Result<()>;
    /// `None` when it does not run.
    async fn usage(&self, id: &str) -> Result<Option<Usage>>;
    /// The same with all that is counted. Where the kernel does not show it to us the engine is asked, which may wait a second
    /// for its collector.
    async fn sample(&self, id: &str) -> Result<Option<Sample>>;
    /// The same by a container's whole id, of one whose cgroup can be seen from here: no call. `None`: it cannot be seen, or
    /// does not run.
    async fn cgroup(&self, id: &str) -> Option<Sample>;
    /// Processes of its server that somebody stopped with SIGSTOP, by name, where its cgroup can be seen from here: no call.
    async fn stopped(&self, id: &str) -> Option<Vec<String>>;
    /// Whether its processes can write nothing through what is mounted at a path of theirs, where its cgroup can be seen from
    /// here: no call.
    async fn read_only(&self, id: &str, path: &str) -> Option<bool>;
    /// All that can be seen of a container that runs without asking the engine, as [`Docker::space`], [`Docker::read_only`] and
    /// [`Docker::stopped`] tell it: at once, where each costs more on its own than what it looks at.
    async fn outside(&self, id: &str, directory: Option<&str>, path: Option<&str>) -> Outside {
        Outside {
            space: match directory {
                Some(directory) => self.space(directory).await.ok().flatten(),
                None => None,
            },
            read_only: match path {
                Some(path) => self.read_only(id, path).await,
                None => None,
            },
            stopped: self.stopped(id).await,
        }
    }
    /// By exact name or id.
    async fn put_files(&self, id: &str, files: &[FileToPut]) -> Result<()>;
    /// At most `max` bytes of a file, also of a container that was never started; `None` when there
    /// is no such file. Symbolic links are followed inside the container.
    async fn get_file(&self, id: &str, path: &str, max: usize) -> Result<Option<Vec<u8>>>;
    /// Whether anything is at a path, also of a container that was never started; of a link, whether it leads to something.
    /// Costs the engine a tenth of what reading costs it.
    async fn exists(&self, id: &str, path: &str) -> Result<bool>;
    /// Where the symbolic link at `path` leads, followed to its end inside the container's own tree, absolute; `None` when
    /// no link is there. Links above it are followed. Also for a container that does not run.
    async fn link(&self, id: &str, path: &str) -> Result<Option<String>>;
    /// Names of the symbolic links that lie directly in a directory, sorted; empty when there is no directory. `None`
    /// when it holds more than can be read.
    async fn links(&self, id: &str, directory: &str) -> Result<Option<Vec<String>>>;
    async fn exec(&self, id: &str, request: &ExecRequest, timeout: Duration) -> Result<ExecResult>;
    /// A command with `pipe` in the place of its standard input and output; what it prints there is not in the answer. Of one
    /// that hangs, or whose output nobody takes any more, the end inside the container is the caller's to see to.
    async fn exec_through(&self, id: &str, request: &ExecRequest, pipe: Pipe) -> Result<ExecResult>;
    /// The last `lines` lines, stdout and stderr together, without timestamps.
    async fn logs(&self, id: &str, lines: usize) -> Result<Vec<String>>;
    /// Lines as they come, those of the last `lines` that were printed in `range`; with `follow` also new ones, until the
    /// container stops.
    fn stream_logs(
        &self,
        id: &str,
        lines: usize,
        follow: bool,
        range: LogRange,
    ) -> BoxStream<'static, Result<String>>;
    /// Waits for a started container to end and gives its exit code.
    async fn wait(&self, id: &str, timeout: Duration) -> Result<i64>;

    /// A local image by reference or id; `None` when there is none.
    async fn image(&self, reference: &str) -> Result<Option<SeenImage>>;
    async fn pull(&self, reference: &str) -> Result<()>;

    async fn volume(&self, name: &str) -> Result<Option<SeenVolume>>;
    /// Of the file system that a directory of the engine's host lies on; `None` where it cannot be seen from
    /// here: the engine is elsewhere, or the operator may not look.
    async fn space(&self, directory: &str) -> Result<Option<Space>>;
    async fn volumes(&self, labels: &[(&str, &str)]) -> Result<Vec<SeenVolume>>;
    /// The engine answers 201 with the OLD labels when the volume exists: they come back for comparison.
    async fn create_volume(&self, name: &str, labels: &BTreeMap<String, String>) -> Result<SeenVolume>;
    /// Gone already is success.
    async fn remove_volume(&self, name: &str) -> Result<()>;

    /// All networks of exactly this name (Docker 20.10 allows several), ordered by id.
    async fn networks(&self, name: &str) -> Result<Vec<SeenNetwork>>;
    /// A user-defined bridge. Two creators at once can make two of one name on Docker 20.10.
    async fn create_network(&self, name: &str, labels: &BTreeMap<String, String>) -> Result<SeenNetwork>;
    /// Gone already is success.
    async fn remove_network(&self, id: &str) -> Result<()>;
    async fn connect(&self, network_id: &str, container: &str, aliases: &[String]) -> Result<()>;
    async fn disconnect(&self, network_id: &str, container: &str) -> Result<()>;

    /// Calls of this process since its start.
    fn calls(&self) -> Calls;

    /// Events from `since_nano` (0: from now) until the engine goes away. Hints only: some are lost.
    /// Not filtered by label, as volume and network events carry none.
    fn events(&self, since_nano: i64) -> BoxStream<'static, Result<EngineEvent>>;
}
