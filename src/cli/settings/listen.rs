//! Where `run` serves the API beside its socket, and what has to be there for that.

use super::{Environment, Layer, SettingsError};
use crate::core::text::quoted;
use clap::Args;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// As it is written: an address with a port, or `off`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenAddr(pub Option<SocketAddr>);

impl FromStr for ListenAddr {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(Self(None));
        }
        let wrong = |_| format!("{} is no address: write 127.0.0.1:7080, [::1]:7080 or off", quoted(text));
        text.parse().map(|address| Self(Some(address))).map_err(wrong)
    }
}

/// As flags of `run`.
#[derive(Clone, Debug, Default, Args)]
pub struct ListenFlags {
    /// Serve the API there too, for who has a token; off [env: SEAWALL_LISTEN]
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<ListenAddr>,
    /// Its certificate and those that vouch for it, PEM [env: SEAWALL_TLS_CERT]
    #[arg(long, value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,
    /// The key of the certificate, PEM [env: SEAWALL_TLS_KEY]
    #[arg(long, value_name = "FILE")]
    pub tls_key: Option<PathBuf>,
    /// A proxy before it ends TLS and says who asks (X-Forwarded-For) [env: SEAWALL_BEHIND_PROXY=true]
    #[arg(long)]
    pub behind_proxy: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listening {
    /// `None`: only on the socket.
    pub address: Option<SocketAddr>,
    pub tls_cert: Option<PathBuf>,
    pub tls_key: Option<PathBuf>,
    pub behind_proxy: bool,
}

impl Listening {
    /// By variables and files.
    pub(super) fn read(environment: &Environment, files: &[&Layer]) -> Result<Self, SettingsError> {
        let word = |variable: &str, key: &str| {
            let set = environment.get(variable).map(str::to_owned);
            set.or_else(|| files.iter().find_map(|file| file.text(key)))
        };
        let path = |variable: &str, key: &str| {
            let set = environment.get(variable).map(|path| environment.cwd.join(path));
            set.or_else(|| files.iter().find_map(|file| file.path(key)))
        };
        let address = word("SEAWALL_LISTEN", "listen").map(|text| text.parse::<ListenAddr>()).transpose();
        let behind_proxy = match word("SEAWALL_BEHIND_PROXY", "behindProxy").as_deref() {
            None | Some("false") => false,
            Some("true") => true,
            Some(other) => {
                return Err(wrong(format!("behindProxy: {} is neither true nor false", quoted(other))));
            }
        };
        Ok(Self {
            address: address.map_err(wrong)?.and_then(|address| address.0),
            tls_cert: path("SEAWALL_TLS_CERT", "tlsCert"),
            tls_key: path("SEAWALL_TLS_KEY", "tlsKey"),
            behind_proxy,
        })
    }

    /// With the flags, which win.
    ///
    /// # Errors
    /// When others could read what goes over it.
    pub fn with(self, flags: &ListenFlags, cwd: &Path) -> Result<Self, SettingsError> {
        let path = |flag: &Option<PathBuf>, before| flag.as_ref().map(|path| cwd.join(path)).or(before);
        let all = Self {
            address: flags.listen.map_or(self.address, |address| address.0),
            tls_cert: path(&flags.tls_cert, self.tls_cert),
            tls_key: path(&flags.tls_key, self.tls_key),
            behind_proxy: flags.behind_proxy || self.behind_proxy,
        };
        match (all.address, &all.tls_cert, &all.tls_key) {
            (Some(_), Some(_), None) => Err(wrong("the certificate has no key: --tls-key FILE")),
            (Some(_), None, Some(_)) => Err(wrong("the key has no certificate: --tls-cert FILE")),
            (Some(address), None, None) if !address.ip().is_loopback() && !all.behind_proxy => {
                let words = format!(
                    "on {address} everybody on the way could read tokens: give --tls-cert FILE and --tls-key FILE, \
                     or --behind-proxy when a proxy before it ends TLS"
                );
                Err(wrong(words))
            }
            _ => Ok(all),
        }
    }
}

fn wrong(words: impl Into<String>) -> SettingsError {
    SettingsError::Listen(words.into())
}
