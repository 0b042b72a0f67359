//! Settings: a flag wins over a `SEAWALL_…` variable, that over `seawall.yaml` in the working
//! directory, that over the one in the data directory, that over the default.
//!
//! Resolving reads those files and nothing else; the process environment is passed in.

mod group;
mod listen;

pub use group::GROUPS;
pub use listen::{ListenFlags, Listening};

use super::args::Flags;
use crate::core::duration::duration;
use crate::core::names::{Installation, NameError};
use crate::core::text::quoted;
use crate::http::wire::SOCKET;
use rustix::fs::OFlags;
use serde_yaml::Value;
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

/// The settings file's name.
pub const FILE: &str = "seawall.yaml";

/// Bytes that are read of a settings file.
const MAX_FILE: u64 = 64 << 10;

const KEYS: [&str; 15] = [
    "data",
    "keyFile",
    "installation",
    "dockerHost",
    "manifests",
    "envFileRoot",
    "removalGrace",
    "deletionGrace",
    "metricsAddr",
    "listen",
    "tlsCert",
    "tlsKey",
    "behindProxy",
    "socket",
    "socketGroup",
];

/// How long a manifest must be gone before its container goes.
pub const REMOVAL_GRACE: Duration = Duration::from_secs(30);
/// How long it must be gone before data go that it gave up.
pub const DELETION_GRACE: Duration = Duration::from_secs(600);
/// Where monitoring asks.
pub const METRICS_ADDR: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9188);

/// What every command goes by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Store, key, socket, status files.
    pub data: PathBuf,
    pub key_file: PathBuf,
    /// As configured; see [`Settings::socket`].
    pub socket: Option<PathBuf>,
    /// Who may open it beside its owner; without the flag of `run`.
    pub socket_group: Option<String>,
    pub installation: Installation,
    /// `unix:///…`; `None`: the engine's usual socket.
    pub docker_host: Option<String>,
    /// As configured; see [`Settings::manifests_or_default`].
    pub manifests: Option<PathBuf>,
    /// Below these env files may be written; none: below the manifests.
    pub env_file_roots: Vec<PathBuf>,
    /// Where relative paths start.
    pub cwd: PathBuf,
    /// See [`REMOVAL_GRACE`] and [`DELETION_GRACE`].
    pub removal_grace: Duration,
    pub deletion_grace: Duration,
    /// Where `run` tells its figures; `None`: nowhere.
    pub metrics_addr: Option<SocketAddr>,
    /// Without the flags of `run`.
    pub listen: Listening,
}

/// What `run` goes by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunSettings {
    pub settings: Settings,
    pub manifests: PathBuf,
    /// One full convergence, then leave.
    pub once: bool,
    /// The id of the group that may open the socket.
    pub socket_group: Option<u32>,
    pub listen: Listening,
    /// Somebody reads what it says.
    pub terminal: bool,
}

/// As it is written: an address with a port, or `off`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetricsAddr(pub Option<SocketAddr>);

impl FromStr for MetricsAddr {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(Self(None));
        }
        let wrong = |_| format!("{} is no address: write 127.0.0.1:9188, [::1]:9188 or off", quoted(text));
        text.parse().map(|address| Self(Some(address))).map_err(wrong)
    }
}

/// What is wrong with the settings.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error("{file}: {detail}")]
    Unreadable { file: PathBuf, detail: String },
    #[error("{file}: unknown key {key:?}; did you mean {nearest:?}?")]
    UnknownKey { file: PathBuf, key: String, nearest: &'static str },
    #[error("{file}: {key} must be a text")]
    NotText { file: PathBuf, key: String },
    #[error("installation {value:?}: {source}")]
    Installation { value: String, source: NameError },
    #[error("{name}: {detail}")]
    NotDuration { name: &'static str, detail: String },
    #[error("metricsAddr: {0}")]
    NotAddress(String),
    #[error("listen: {0}")]
    Listen(String),
    #[error("socketGroup: {0}")]
    Group(String),
    #[error("there is no home directory to keep data in")]
    NoHome,
    #[error("no directory of manifests is given")]
    NoManifests,
}

impl SettingsError {
    /// What to do about it.
    #[must_use]
    pub fn next(&self) -> String {
        match self {
            SettingsError::UnknownKey { .. } => format!("keys are {}", KEYS.join(", ")),
            SettingsError::NoHome => "give --data DIR".to_owned(),
            SettingsError::NoManifests => {
                "give --manifests DIR, set SEAWALL_MANIFESTS, or make ./manifests".to_owned()
            }
            _ => String::new(),
        }
    }
}

/// What a process has around it.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    pub variables: BTreeMap<String, String>,
    pub cwd: PathBuf,
    pub root: bool,
}

impl Environment {
    #[must_use]
    pub fn of_this_process() -> Self {
        let text = |s: std::ffi::OsString| s.into_string().ok();
        Self {
            variables: std::env::vars_os().filter_map(|(k, v)| Some((text(k)?, text(v)?))).collect(),
            cwd: std::env::current_dir().unwrap_or_else(|_| PathBuf::from(".")),
            root: rustix::process::geteuid().is_root(),
        }
    }

    /// A variable that is set and not empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|v| !v.is_empty())
    }

    /// Whether colours may go to a stream; any `NO_COLOR` that is not empty says no.
    #[must_use]
    pub fn colour(&self, terminal: bool) -> bool {
        terminal && self.get("NO_COLOR").is_none() && self.get("TERM") != Some("dumb")
    }
}

impl Settings {
    /// The socket of the operator: on this data directory, unless it is said to be elsewhere.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.socket.clone().unwrap_or_else(|| self.data.join(SOCKET))
    }

    /// The configured directory, otherwise `./manifests` when there is one.
    ///
    /// # Errors
    /// When there is neither.
    pub fn manifests_or_default(&self) -> Result<PathBuf, SettingsError> {
        let here = self.cwd.join("manifests");
        match &self.manifests {
            Some(dir) => Ok(dir.clone()),
            None if here.is_dir() => Ok(here),
            None => Err(SettingsError::NoManifests),
        }
    }
}

/// Where data are that nobody gave a place.
#[must_use]
pub fn default_data(environment: &Environment) -> Option<PathBuf> {
    if environment.root {
        return Some(PathBuf::from("/var/lib/seawall"));
    }
    environment.get("HOME").map(|home| Path::new(home).join(".seawall"))
}

/// # Errors
/// When a settings file is not understood, or a value is not valid.
pub fn resolve(flags: &Flags, environment: &Environment) -> Result<Settings, SettingsError> {
    let cwd = &environment.cwd;
    let here = read(cwd, cwd)?;
    let path = |flag: &Option<PathBuf>, variable: &str, key: &str, files: &[&Layer]| {
        flag.clone()
            .or_else(|| environment.get(variable).map(PathBuf::from))
            .map(|p| cwd.join(p))
            .or_else(|| files.iter().find_map(|f| f.path(key)))
    };
    let data = match path(&flags.data, "SEAWALL_DATA", "data", &[&here]) {
        Some(data) => data,
        None => default_data(environment).ok_or(SettingsError::NoHome)?,
    };
    let there = if data == *cwd { Layer::default() } else { read(&data, cwd)? };
    let files = [&here, &there];
    let word = |flag: &Option<String>, variable: &str, key: &str| {
        flag.clone()
            .or_else(|| environment.get(variable).map(str::to_owned))
            .or_else(|| files.iter().find_map(|f| f.text(key)))
    };
    let installation = match word(&flags.installation, "SEAWALL_INSTALLATION", "installation") {
        Some(value) => Installation::parse(&value)
            .map_err(|source| SettingsError::Installation { value: value.clone(), source })?,
        None => Installation::default(),
    };
    let time = |flag: Option<Duration>, variable: &str, key: &'static str, default: Duration| match flag {
        Some(time) => Ok(time),
        None => word(&None, variable, key).map_or(Ok(default), |text| {
            duration(&text).map_err(|detail| SettingsError::NotDuration { name: key, detail })
        }),
    };
    let metrics_addr = match &flags.metrics_addr {
        Some(address) => address.0,
        None => match word(&None, "SEAWALL_METRICS_ADDR", "metricsAddr") {
            Some(text) => text.parse::<MetricsAddr>().map_err(SettingsError::NotAddress)?.0,
            None => Some(METRICS_ADDR),
        },
    };
    // Several have a colon between them, as in PATH.
    let list = |dir: &Path, text: &str| -> Vec<PathBuf> {
        text.split(':').filter(|part| !part.is_empty()).map(|part| dir.join(part)).collect()
    };
    let env_file_roots = match (&flags.env_file_root[..], environment.get("SEAWALL_ENV_FILE_ROOT")) {
        ([], Some(text)) => list(cwd, text),
        ([], None) => {
            let listed = |file: &&Layer| Some(list(&file.dir, &file.text("envFileRoot")?));
            files.iter().find_map(listed).unwrap_or_default()
        }
        (flags, _) => flags.iter().map(|dir| cwd.join(dir)).collect(),
    };
    Ok(Settings {
        env_file_roots,
        metrics_addr,
        listen: Listening::read(environment, &files)?,
        removal_grace: time(flags.removal_grace, "SEAWALL_REMOVAL_GRACE", "removalGrace", REMOVAL_GRACE)?,
        deletion_grace: time(
            flags.deletion_grace,
            "SEAWALL_DELETION_GRACE",
            "deletionGrace",
            DELETION_GRACE,
        )?,
        key_file: path(&flags.key_file, "SEAWALL_KEY_FILE", "keyFile", &files)
            .unwrap_or_else(|| data.join("encryption_key")),
        socket: path(&flags.socket, "SEAWALL_SOCKET", "socket", &files),
        socket_group: word(&None, "SEAWALL_SOCKET_GROUP", "socketGroup"),
        docker_host: word(&flags.docker_host, "SEAWALL_DOCKER_HOST", "dockerHost")
            .or_else(|| environment.get("DOCKER_HOST").map(str::to_owned)),
        manifests: path(&flags.manifests, "SEAWALL_MANIFESTS", "manifests", &files),
        installation,
        data,
        cwd: cwd.clone(),
    })
}

/// One settings file; relative paths in it start at its own directory.
#[derive(Default)]
struct Layer {
    dir: PathBuf,
    values: BTreeMap<&'static str, String>,
}

impl Layer {
    fn text(&self, key: &str) -> Option<String> {
        self.values.get(key).cloned()
    }
    fn path(&self, key: &str) -> Option<PathBuf> {
        self.values.get(key).map(|v| self.dir.join(v))
    }
}

fn read(dir: &Path, cwd: &Path) -> Result<Layer, SettingsError> {
    let file = cwd.join(dir).join(FILE);
    let unreadable = |detail: String| SettingsError::Unreadable { file: file.clone(), detail };
    let text = match text(&file, dir == cwd) {
        Ok(text) => text,
        // A data directory that we may not enter is told by whoever needs it.
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied) => {
            return Ok(Layer::default());
        }
        Err(e) => return Err(unreadable(e.to_string())),
    };
    let found: Option<BTreeMap<String, Value>> =
        // Not in the parser's words: they quote what stands there, and the file may be a link.
        serde_yaml::from_str(&text).map_err(|e| {
            let line = e.location().map(|at| format!(", line {}", at.line())).unwrap_or_default();
            unreadable(format!("it is not a list of settings (`key: text`){line}"))
        })?;
    let mut values = BTreeMap::new();
    for (key, value) in found.unwrap_or_default() {
        let Some(known) = KEYS.iter().find(|k| **k == key) else {
            return Err(SettingsError::UnknownKey { file, nearest: nearest(&key), key });
        };
        let Value::String(value) = value else { return Err(SettingsError::NotText { file, key }) };
        values.insert(*known, value);
    }
    Ok(Layer { dir: cwd.join(dir), values })
}

/// The text of a settings file. In the data directory it is no link; nowhere is it a pipe or endless.
fn text(file: &Path, may_be_link: bool) -> io::Result<String> {
    let link = if may_be_link { OFlags::empty() } else { OFlags::NOFOLLOW };
    let mut options = fs::OpenOptions::new();
    options.read(true).custom_flags((OFlags::NONBLOCK | OFlags::NOCTTY | link).bits().cast_signed());
    let opened = options.open(file)?;
    if !opened.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut text = String::new();
    opened.take(MAX_FILE).read_to_string(&mut text)?;
    Ok(text)
}

fn nearest(key: &str) -> &'static str {
    let distance = |known: &&&str| strsim::damerau_levenshtein(&key.to_lowercase(), &known.to_lowercase());
    KEYS.iter().min_by_key(distance).copied().unwrap_or("data")
}

#[cfg(test)]
mod tests;
