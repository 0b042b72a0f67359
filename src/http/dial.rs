//! The way to an operator: its unix socket, or a server somewhere else, which is shown a token.
//!
//! A token goes over TLS, or to this machine: nowhere else can it be sent from here.

use crate::core::text::quoted;
use crate::secrets::{ExposeSecret, Secret};
use hyper::Uri;
use hyper::header::HeaderValue;
use rustix::net::sockopt;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::fmt;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

/// Bytes of a token; ours are far shorter.
pub const MAX_TOKEN: usize = 512;

/// A connection on which nothing comes is asked for a sign of life after this, and is gone after three without one: who
/// follows a log hears that the way is cut.
const SILENT: Duration = Duration::from_secs(20);

/// Where a server is: `https://db.example.com:7443`, or `http://127.0.0.1:7080` on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerUrl {
    tls: bool,
    /// A name or an address, without brackets.
    host: String,
    port: u16,
}

/// Why there is no way to a server.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    #[error(
        "{0} is no address of a server: write https://HOST:PORT, or http://127.0.0.1:7080 on this machine"
    )]
    NotUrl(String),
    #[error(
        "{0} would show the token to everybody on the way: write https://…, or reach the server through \
         `ssh -L 7080:127.0.0.1:7080 HOST` as http://127.0.0.1:7080"
    )]
    Clear(String),
    #[error("{0} holds no certificate in PEM")]
    NoCertificate(PathBuf),
    #[error("{0} cannot be read: {1}")]
    Unreadable(PathBuf, String),
    #[error("the token is empty, too long, or has characters that no token has")]
    NotToken,
    #[error(transparent)]
    Tls(#[from] rustls::Error),
}

impl FromStr for ServerUrl {
    type Err = DialError;

    fn from_str(text: &str) -> Result<Self, DialError> {
        let wrong = || DialError::NotUrl(quoted(text));
        let uri: Uri = text.parse().map_err(|_| wrong())?;
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(wrong()),
        };
        let authority = uri.authority().ok_or_else(wrong)?;
        let host = authority.host();
        let bare = host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        // Nothing but an address: no name and password, and no path, which no route would be below.
        let more =
            authority.as_str().contains('@') || !matches!(uri.path(), "" | "/") || uri.query().is_some();
        if more || bare.is_empty() || (authority.as_str() != host && authority.port_u16().is_none()) {
            return Err(wrong());
        }
        let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let url = Self { tls, host: bare, port };
        if !tls && !url.is_here() { Err(DialError::Clear(url.to_string())) } else { Ok(url) }
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", if self.tls { "https" } else { "http" }, self.authority())
    }
}

impl ServerUrl {
    /// What goes into `Host`.
    fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        let usual = self.port == if self.tls { 443 } else { 80 };
        if usual { host } else { format!("{host}:{}", self.port) }
    }

    fn is_here(&self) -> bool {
        self.host == "localhost" || self.host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
    }
}

/// A server, and what it is shown.
#[derive(Clone)]
pub struct Server {
    url: ServerUrl,
    tls: Option<Arc<ClientConfig>>,
    authorization: HeaderValue,
}

impl Server {
    /// `authority`: a file of certificates (PEM) of which one vouches for the server, instead of those that this machine trusts.
    ///
    /// # Errors
    /// When the file is no such thing, or the token no token.
    pub fn new(url: ServerUrl, token: &Secret, authority: Option<&Path>) -> Result<Self, DialError> {
        let token = token.expose_secret();
        let fits =
            !token.is_empty() && token.len() <= MAX_TOKEN && token.bytes().all(|b| b.is_ascii_graphic());
        let value = fits.then(|| HeaderValue::from_str(&format!("Bearer {token}")).ok()).flatten();
        let mut authorization = value.ok_or(DialError::NotToken)?;
        authorization.set_sensitive(true);
        let tls = url.tls.then(|| trusting(authority)).transpose()?;
        Ok(Self { url, tls, authorization })
    }

    async fn connect(&self) -> io::Result<Box<dyn Stream>> {
        let stream = TcpStream::connect((self.url.host.as_str(), self.url.port)).await?;
        sockopt::set_socket_keepalive(&stream, true)?;
        sockopt::set_tcp_keepidle(&stream, SILENT)?;
        sockopt::set_tcp_keepintvl(&stream, SILENT)?;
        sockopt::set_tcp_keepcnt(&stream, 3)?;
        match &self.tls {
            // Whatever the name says: this is what it leads to.
            None if !stream.peer_addr()?.ip().is_loopback() => {
                Err(io::Error::other("it is not on this machine, and a token goes nowhere else in the clear"))
            }
            None => Ok(Box::new(stream)),
            Some(config) => {
                let name = ServerName::try_from(self.url.host.clone()).map_err(io::Error::other)?;
                Ok(Box::new(TlsConnector::from(config.clone()).connect(name, stream).await.map_err(refused)?))
            }
        }
    }
}

/// In words what `openssl req -x509` makes when nothing else is said.
fn refused(error: io::Error) -> io::Error {
    if format!("{error:?}").contains("CaUsedAsEndEntity") {
        return io::Error::other(
            "its certificate is one of an authority (CA:TRUE) and not of a server: openssl req -x509 makes one of a server \
             with -addext basicConstraints=critical,CA:FALSE",
        );
    }
    error
}

fn trusting(authority: Option<&Path>) -> Result<Arc<ClientConfig>, DialError> {
    let mut roots = RootCertStore::empty();
    if let Some(path) = authority {
        let unreadable = |e: &dyn fmt::Display| DialError::Unreadable(path.to_owned(), e.to_string());
        let text = std::fs::read(path).map_err(|e| unreadable(&e))?;
        for certificate in CertificateDer::pem_slice_iter(&text) {
            let certificate = certificate.map_err(|_| DialError::NoCertificate(path.to_owned()))?;
            roots.add(certificate)?;
        }
        if roots.is_empty() {
            return Err(DialError::NoCertificate(path.to_owned()));
        }
    } else {
        // What cannot be read is left out: then no certificate is believed, which says so.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
    let builder = builder.with_safe_default_protocol_versions()?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// Either of the two ways.
#[derive(Clone)]
pub enum To {
    Socket(PathBuf),
    Server(Arc<Server>),
}

impl fmt::Display for To {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            To::Socket(path) => write!(f, "{}", path.display()),
            To::Server(server) => write!(f, "{}", server.url),
        }
    }
}

impl fmt::Debug for To {
    /// Without the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl To {
    pub(super) async fn connect(&self) -> io::Result<Box<dyn Stream>> {
        match self {
            To::Socket(path) => Ok(Box::new(UnixStream::connect(path).await?)),
            To::Server(server) => server.connect().await,
        }
    }

    pub(super) fn host(&self) -> String {
        match self {
            To::Socket(_) => "seawall".to_owned(),
            To::Server(server) => server.url.authority(),
        }
    }

    pub(super) fn authorization(&self) -> Option<&HeaderValue> {
        match self {
            To::Socket(_) => None,
            To::Server(server) => Some(&server.authorization),
        }
    }

    /// What to do when nobody answers there.
    pub(super) fn next(&self) -> &'static str {
        match self {
            To::Socket(_) => "is `seawall run` running?",
            To::Server(_) => {
                "does `seawall run --listen` run there? A certificate of your own: --ca-file FILE"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_an_address_over_tls_or_on_this_machine() {
        for (text, says) in [
            ("https://db.example.com", "https://db.example.com"),
            ("https://DB.example.com:7443/", "https://db.example.com:7443"),
            ("https://[2001:db8::1]:7443", "https://[2001:db8::1]:7443"),
            ("http://127.0.0.1:7080", "http://127.0.0.1:7080"),
            ("http://localhost", "http://localhost"),
            ("http://[::1]:80/", "http://[::1]"),
        ] {
            assert_eq!(text.parse::<ServerUrl>().unwrap().to_string(), says, "{text}");
        }
        for text in [
            "",
            "db.example.com",
            "db.example.com:7443",
            "ftp://localhost",
            "https://",
            "https://a:b@db.example.com",
            "https://db.example.com/seawall",
            "https://db.example.com?x=1",
            "https://db.example.com:99999",
            "unix:///run/x",
        ] {
            assert!(matches!(text.parse::<ServerUrl>(), Err(DialError::NotUrl(_))), "{text}");
        }
        for text in
            ["http://db.example.com", "http://10.0.0.1:7080", "http://0.0.0.0", "http://localhost.example"]
        {
            let error = text.parse::<ServerUrl>().unwrap_err();
            assert!(matches!(error, DialError::Clear(_)), "{text}: {error}");
        }
    }

    #[test]
    fn no_header_is_smuggled_in_by_a_token_and_no_debug_tells_one() {
        let url = || "http://localhost".parse::<ServerUrl>().unwrap();
        for text in ["", "a b", "a\r\nx: y", "ä", &"x".repeat(MAX_TOKEN + 1)] {
            let server = Server::new(url(), &Secret::from(text), None);
            assert!(matches!(server, Err(DialError::NotToken)), "{text:?}");
        }
        let server = Server::new(url(), &Secret::from("swl_secret"), None).unwrap();
        assert_eq!(format!("{:?}", To::Server(Arc::new(server))), "http://localhost");
    }
}
