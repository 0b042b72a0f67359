//! The connection to the engine, or to a proxy before it. Each path carries the version of the API that both sides
//! know, as a strict proxy lets nothing else through, and each error says who gave it: the engine or the proxy.
//!
//! One connection a request, as nothing that is kept can then be stale after a restart of the engine. Must never send
//! a request twice, but for the one that asks for the version, and never take a proxy's word for the engine's.

use crate::docker::map::Refusal;
use bollard::BollardRequest;
use bollard::errors::Error;
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{HOST, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

/// What is asked in first: Docker 20.10 knows it and those after it, until 29, which names what it knows instead.
const OLDEST: u32 = 41;
/// What our client was made for. A newer engine is spoken to as that one.
const NEWEST: u32 = 53;
/// Of the words of an error.
const MAX_WORDS: usize = 64 << 10;

enum To {
    Unix(PathBuf),
    /// `host:port`
    Tcp(String),
}

/// See the module. API versions are `1.N`: kept is N, 0 while it is not known.
pub(super) struct Wire {
    address: String,
    to: To,
    version: AtomicU32,
}

/// An error that was answered.
struct Bad {
    status: StatusCode,
    /// As sent, without what follows the `?`.
    request: String,
    /// What the answer says that the engine speaks; only the engine says so.
    speaks: Option<u32>,
    words: String,
}

enum Answer {
    Good(Response<Incoming>),
    Bad(Bad),
}

impl Wire {
    /// `address` is `unix:///path`, `tcp://host:port` or `http://host:port`; nothing is contacted yet.
    pub fn new(address: &str) -> Self {
        let to = match address.strip_prefix("unix://") {
            Some(path) => To::Unix(PathBuf::from(path)),
            None => To::Tcp(authority(address)),
        };
        Self { address: address.to_owned(), to, version: AtomicU32::new(0) }
    }

    /// What a request is answered with, with an error for each status that is one.
    pub async fn request(&self, request: BollardRequest) -> Result<Response<Incoming>, Error> {
        let (mut parts, body) = request.into_parts();
        let whole = parts.uri.path_and_query().map_or("/", |p| p.as_str());
        let path = unversioned(whole).to_owned();
        if path == "/version" {
            return self.greet().await;
        }
        if self.version.load(Ordering::Relaxed) == 0 {
            self.greet().await?;
        }
        parts.uri = self.uri(self.version.load(Ordering::Relaxed), &path)?;
        match self.ask(Request::from_parts(parts, body)).await? {
            Answer::Good(response) => Ok(response),
            Answer::Bad(bad) => {
                if bad.is_of_version() {
                    // Another engine than before: the next request asks what it speaks.
                    self.version.store(0, Ordering::Relaxed);
                }
                Err(bad.error(&self.address))
            }
        }
    }

    /// Asks for the engine's version in a version that both know, and keeps that.
    async fn greet(&self) -> Result<Response<Incoming>, Error> {
        let mut version = match self.version.load(Ordering::Relaxed) {
            0 => OLDEST,
            known => known,
        };
        let mut again = true;
        loop {
            let mut request = Request::new(bollard::body_full(Bytes::new()));
            *request.method_mut() = Method::GET;
            *request.uri_mut() = self.uri(version, "/version")?;
            match self.ask(request).await? {
                Answer::Good(response) => {
                    let speaks = speaks(response.headers()).unwrap_or(version);
                    self.version.store(speaks.min(NEWEST), Ordering::Relaxed);
                    return Ok(response);
                }
                Answer::Bad(bad) => {
                    let other = bad.speaks_otherwise().map(|other| other.min(NEWEST));
                    match other.filter(|other| again && *other != version) {
                        Some(other) => (version, again) = (other, false),
                        None => return Err(bad.error(&self.address)),
                    }
                }
            }
        }
    }

    fn uri(&self, version: u32, path: &str) -> Result<hyper::Uri, Error> {
        Ok(format!("/v1.{version}{path}").parse()?)
    }

    async fn ask<B>(&self, mut request: Request<B>) -> Result<Answer, Error>
    where
        B: hyper::body::Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let asked = format!("{} {}", request.method(), request.uri().path());
        let host = match &self.to {
            To::Unix(_) => HeaderValue::from_static("docker"),
            To::Tcp(authority) => HeaderValue::from_str(authority)
                .map_err(|e| Error::IOError { err: std::io::Error::other(e) })?,
        };
        request.headers_mut().insert(HOST, host);
        let response = match &self.to {
            To::Unix(path) => {
                let stream = UnixStream::connect(path).await.map_err(|e| match e.kind() {
                    std::io::ErrorKind::NotFound => Error::SocketNotFoundError(path.display().to_string()),
                    _ => Error::from(e),
                })?;
                exchange(stream, request).await?
            }
            To::Tcp(authority) => exchange(TcpStream::connect(authority.as_str()).await?, request).await?,
        };
        let status = response.status();
        if status.is_success()
            || [StatusCode::NOT_MODIFIED, StatusCode::SWITCHING_PROTOCOLS].contains(&status)
        {
            return Ok(Answer::Good(response));
        }
        let speaks = speaks(response.headers());
        // Without its words an error is still one.
        let body = Limited::new(response.into_body(), MAX_WORDS).collect().await;
        let words = body.map(|b| String::from_utf8_lossy(&b.to_bytes()).into_owned()).unwrap_or_default();
        Ok(Answer::Bad(Bad { status, request: asked, speaks, words }))
    }
}

/// Over a connection of its own, which ends with the answer or with whoever reads it.
async fn exchange<S, B>(stream: S, request: Request<B>) -> Result<Response<Incoming>, Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    B: hyper::body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection.with_upgrades());
    Ok(sender.send_request(request).await?)
}

impl Bad {
    /// The engine's own words, where it was the engine that answered: it says which version it speaks in each answer
    /// but one, that there is no such page, and its words are JSON. A proxy may word a refusal so, too.
    fn of_engine(&self) -> Option<String> {
        let json: Option<serde_json::Value> = serde_json::from_str(&self.words).ok();
        let message = json.as_ref().and_then(|v| v.get("message")).and_then(|m| m.as_str());
        match (self.speaks, message) {
            (Some(_), message) => Some(message.unwrap_or(&self.words).to_owned()),
            (None, Some(_)) if [401, 403, 407].contains(&self.status.as_u16()) => None,
            (None, message) => message.map(str::to_owned),
        }
    }

    /// `client version 1.53 is too new. Maximum supported API version is 1.41`, and the same of one too old.
    fn is_of_version(&self) -> bool {
        self.status == StatusCode::BAD_REQUEST && self.words.to_lowercase().contains("client version 1.")
    }

    /// Which version to ask in instead.
    fn speaks_otherwise(&self) -> Option<u32> {
        let named = || {
            let low = self.words.to_lowercase();
            let rest = low.split("api version is 1.").nth(1)?.to_owned();
            rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
        };
        self.speaks.or_else(named).filter(|_| self.is_of_version())
    }

    fn error(self, address: &str) -> Error {
        let status_code = self.status.as_u16();
        if let Some(message) = self.of_engine() {
            return Error::DockerResponseServerError { status_code, message };
        }
        let words = self.words.trim().to_owned();
        match status_code {
            // It cannot reach the engine.
            502..=504 => Error::DockerResponseServerError {
                status_code: 503,
                message: format!("the proxy at {address} has no answer of it ({status_code}): {words}"),
            },
            500.. => Error::DockerResponseServerError { status_code, message: words },
            _ => {
                let refusal = Refusal {
                    address: address.to_owned(),
                    request: self.request,
                    status: status_code,
                    words,
                };
                Error::IOError { err: std::io::Error::other(refusal) }
            }
        }
    }
}

/// What an answer of the engine says that it speaks.
fn speaks(headers: &HeaderMap) -> Option<u32> {
    headers.get("api-version")?.to_str().ok()?.strip_prefix("1.")?.parse().ok()
}

/// A path without the version that may stand before it.
fn unversioned(path: &str) -> &str {
    let rest = path.strip_prefix("/v").filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    match rest.and_then(|rest| rest.find('/').and_then(|at| rest.get(at..))) {
        Some(rest) => rest,
        None => path,
    }
}

/// `host:port` of an address, with the port that `docker` takes where none is given.
fn authority(address: &str) -> String {
    let (scheme, rest) = address.split_once("://").unwrap_or(("tcp", address));
    let host = rest.split('/').next().unwrap_or_default();
    let name = host.rsplit(']').next().unwrap_or_default();
    match name.contains(':') {
        true => host.to_owned(),
        false => format!("{host}:{}", if scheme == "http" { 80 } else { 2375 }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_paths() {
        for (address, want) in [
            ("tcp://127.0.0.1:2375", "127.0.0.1:2375"),
            ("http://proxy/", "proxy:80"),
            ("tcp://proxy", "proxy:2375"),
            ("tcp://[::1]:9", "[::1]:9"),
            ("tcp://[::1]", "[::1]:2375"),
        ] {
            assert_eq!(authority(address), want, "{address}");
        }
        for (path, want) in [
            ("/v1.53/containers/json?all=true", "/containers/json?all=true"),
            ("/volumes", "/volumes"),
            ("/version", "/version"),
            ("/v1.41/version", "/version"),
        ] {
            assert_eq!(unversioned(path), want, "{path}");
        }
    }

    /// Who said it: status, the header's version, words; then how the error that is made of it begins.
    #[test]
    fn the_engines_words_are_told_from_a_proxys() {
        const ENGINE: &str = "DockerResponseServerError";
        for (status, speaks, words, want) in [
            (404, Some(41), r#"{"message":"No such container: x"}"#, ENGINE),
            (404, Some(41), "", ENGINE),
            (404, None, r#"{"message":"No such container: x"}"#, ENGINE),
            (404, None, r#"{"message":"page not found"}"#, ENGINE),
            (404, None, "404 page not found\n", "IOError"),
            (404, None, r#"{"error":"No such container: x"}"#, "IOError"),
            (404, None, "\"No such container: x\"", "IOError"),
            (404, None, "", "IOError"),
            (403, Some(41), r#"{"message":"network x has active endpoints"}"#, ENGINE),
            (403, None, r#"{"message":"forbidden"}"#, "IOError"),
            (403, None, "<html><body><h1>403 Forbidden</h1>", "IOError"),
            (401, None, "", "IOError"),
            (405, None, "Method Not Allowed", "IOError"),
            (302, None, "", "IOError"),
            (429, None, "slow down", "IOError"),
            (500, None, "oops", ENGINE),
            (502, None, "bad gateway", ENGINE),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            let bad = Bad { status, request: "GET /v1.41/x".to_owned(), speaks, words: words.to_owned() };
            let error = bad.error("unix:///p");
            assert!(format!("{error:?}").starts_with(want), "{status} {words}: {error:?}");
        }
    }

    #[test]
    fn another_version_is_taken_from_what_the_engine_says() {
        let bad = |speaks, words: &str| Bad {
            status: StatusCode::BAD_REQUEST,
            request: String::new(),
            speaks,
            words: words.to_owned(),
        };
        let new = r#"{"message":"client version 1.53 is too new. Maximum supported API version is 1.41"}"#;
        let old = "client version 1.41 is too old. Minimum supported API version is 1.44, please upgrade";
        assert_eq!(bad(None, new).speaks_otherwise(), Some(41));
        assert_eq!(bad(None, old).speaks_otherwise(), Some(44));
        assert_eq!(bad(Some(52), old).speaks_otherwise(), Some(52));
        assert_eq!(bad(Some(41), r#"{"message":"invalid filter"}"#).speaks_otherwise(), None);
    }
}
