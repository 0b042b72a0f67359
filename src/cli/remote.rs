//! Which operator is asked where it is not the one of this machine: a flag, a variable, or the one that was logged in to.
//!
//! No settings file names a server: one that came with somebody's manifests would be shown the token.

use super::out::Failure;
use super::settings::{Environment, Settings, default_data};
use crate::http::client::Client;
use crate::http::dial::{Server, ServerUrl};
use crate::secrets::{ExposeSecret, Secret};
use clap::Args;
use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Below the home directory of who logged in, also of root: it is a person's, not an installation's.
const LOGIN: &str = ".seawall/login.json";
/// Bytes that are read of it.
const MAX_LOGIN: u64 = 16 << 10;

/// As flags of every verb.
#[derive(Clone, Debug, Default, Args)]
pub struct ServerFlags {
    /// Ask the operator there instead of one on this machine [env: SEAWALL_SERVER, and SEAWALL_TOKEN]
    #[arg(long, global = true, value_name = "URL", conflicts_with = "data")]
    pub server: Option<ServerUrl>,
    /// Who vouches for its certificate, PEM; those that this machine trusts [env: SEAWALL_CA_FILE]
    #[arg(long, global = true, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
}

/// A server to ask.
#[derive(Clone, Debug)]
pub struct Remote {
    pub url: ServerUrl,
    pub token: Option<Secret>,
    pub ca_file: Option<PathBuf>,
    /// By this very command line; otherwise it was logged in to.
    pub asked: bool,
}

impl Remote {
    /// # Errors
    /// When there is no token for it, or its authority cannot be read.
    pub fn client(&self) -> Result<Client, Failure> {
        let Some(token) = &self.token else {
            let next = format!("seawall login {}; or give one in SEAWALL_TOKEN", self.url);
            return Err(Failure::usage(format!("there is no token for {}", self.url), next));
        };
        let server = Server::new(self.url.clone(), token, self.ca_file.as_deref());
        Ok(Client::of_server(server.map_err(|e| Failure::usage(e.to_string(), ""))?))
    }
}

/// The authority of `--ca-file`.
#[must_use]
pub fn ca_file(flags: &ServerFlags, environment: &Environment) -> Option<PathBuf> {
    let set = flags.ca_file.clone().or_else(|| environment.get("SEAWALL_CA_FILE").map(PathBuf::from));
    set.map(|path| environment.cwd.join(path))
}

/// `None`: the operator on this machine. A login counts where no data directory is named.
///
/// # Errors
/// When the variable is no address, or the login cannot be read.
pub fn find(
    flags: &ServerFlags,
    data: Option<&PathBuf>,
    environment: &Environment,
    settings: &Settings,
) -> Result<Option<Remote>, Failure> {
    let set = environment.get("SEAWALL_SERVER").filter(|_| data.is_none());
    let url = match (&flags.server, set) {
        (Some(url), _) => Some(url.clone()),
        (None, Some(text)) => {
            Some(text.parse().map_err(|e| Failure::usage(format!("SEAWALL_SERVER: {e}"), ""))?)
        }
        (None, None) => None,
    };
    let ca_file = ca_file(flags, environment);
    // The variable's token is for the server that the same command line or environment names, for no other.
    if let (Some(url), Some(token)) = (&url, environment.get("SEAWALL_TOKEN")) {
        return Ok(Some(Remote {
            url: url.clone(),
            token: Some(Secret::from(token.trim())),
            ca_file,
            asked: true,
        }));
    }
    let named = data.is_some() || default_data(environment).as_ref() != Some(&settings.data);
    if url.is_none() && (named || environment.get("SEAWALL_DATA").is_some()) {
        return Ok(None);
    }
    let login = file(environment).map(|path| read(&path)).transpose()?.flatten();
    let same = login.filter(|login| url.as_ref().is_none_or(|url| *url == login.url));
    Ok(match (url, same) {
        (None, None) => None,
        (Some(url), None) => Some(Remote { url, token: None, ca_file, asked: true }),
        (asked, Some(login)) => {
            Some(Remote { asked: asked.is_some(), ca_file: ca_file.or(login.ca_file.clone()), ..login })
        }
    })
}

/// Where a login is kept; nowhere without a home.
#[must_use]
pub fn file(environment: &Environment) -> Option<PathBuf> {
    environment.get("HOME").map(|home| Path::new(home).join(LOGIN))
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Kept {
    server: String,
    token: Zeroizing<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ca_file: Option<PathBuf>,
}

/// # Errors
/// When it is not a login, or others may read it.
fn read(path: &Path) -> Result<Option<Remote>, Failure> {
    let wrong = |why: &str| Failure::usage(format!("{}: {why}", path.display()), "seawall logout removes it");
    let mut options = OpenOptions::new();
    options.read(true).custom_flags((OFlags::NONBLOCK | OFlags::NOFOLLOW).bits().cast_signed());
    let opened = match options.open(path) {
        Ok(file) => file,
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(e) => return Err(wrong(&e.to_string())),
    };
    let about = opened.metadata().map_err(|e| wrong(&e.to_string()))?;
    if !about.is_file() {
        return Err(wrong("it is not a regular file"));
    }
    if about.mode() & 0o077 != 0 {
        let what = format!("{}: others may read the token in it", path.display());
        return Err(Failure::usage(what, format!("chmod 600 {}", path.display())));
    }
    let mut text = Zeroizing::new(String::new());
    opened.take(MAX_LOGIN).read_to_string(&mut text).map_err(|e| wrong(&e.to_string()))?;
    // Not in the parser's words: they may quote what stands there.
    let kept: Kept = serde_json::from_str(&text).map_err(|_| wrong("it is no login"))?;
    let url = kept.server.parse().map_err(|_| wrong("its server is no address"))?;
    let token = Some(Secret::from(kept.token.as_str()));
    Ok(Some(Remote { url, token, ca_file: kept.ca_file, asked: false }))
}

/// Keeps a login, in the place of the one before, where only its owner can read it.
///
/// # Errors
/// When it cannot be written.
pub fn keep(path: &Path, remote: &Remote) -> io::Result<()> {
    let token = remote.token.as_ref().map(ExposeSecret::expose_secret).unwrap_or_default();
    let (server, token) = (remote.url.to_string(), Zeroizing::new(token.to_owned()));
    let kept = Kept { server, token, ca_file: remote.ca_file.clone() };
    let text = Zeroizing::new(serde_json::to_vec(&kept).map_err(io::Error::other)?);
    if let Some(dir) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    }
    let fresh = path.with_extension(format!("{}.new", std::process::id()));
    let written = (|| {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
        file.write_all(&text)?;
        file.sync_all()?;
        fs::rename(&fresh, path)
    })();
    if written.is_err() {
        let _ = fs::remove_file(&fresh);
    }
    written
}

/// Whom it was for, if that could be read; `None` when there was none.
///
/// # Errors
/// When it cannot be removed.
pub fn forget(path: &Path) -> io::Result<Option<String>> {
    let of = read(path).ok().flatten().map_or_else(|| "the server".to_owned(), |login| login.url.to_string());
    match fs::remove_file(path) {
        Ok(()) => Ok(Some(of)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}
