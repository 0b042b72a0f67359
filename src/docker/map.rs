//! Engine answers to our errors: status and a case-blind substring, never a prefix or a whole text,
//! because each major version words them anew.
//!
//! Pure. Must never look at anything but the answer itself.

use crate::core::text::shown;
use crate::docker::DockerError;
use bollard::errors::Error;
use std::time::Duration;

/// What a call was about, for the error.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call<'a> {
    /// `start a container`
    pub doing: &'static str,
    /// `container postgres-main`
    pub kind: &'static str,
    pub name: &'a str,
}

impl Call<'_> {
    fn what(&self) -> String {
        if self.name.is_empty() { self.kind.to_owned() } else { format!("{} {}", self.kind, self.name) }
    }
}

/// An error that a proxy gave in the engine's place.
#[derive(Debug, thiserror::Error)]
#[error("{address} refuses {request} ({status})")]
pub(super) struct Refusal {
    pub address: String,
    /// `GET /v1.41/containers/json`
    pub request: String,
    pub status: u16,
    pub words: String,
}

/// Characters of a proxy's words that are shown.
const WORDS: usize = 120;

/// A client error, whatever it is.
pub(super) fn error(call: Call<'_>, error: Error) -> DockerError {
    let doing = call.doing;
    match error {
        Error::IOError { err } if err.get_ref().is_some_and(|e| e.is::<Refusal>()) => {
            let Some(Ok(refusal)) = err.into_inner().map(|e| e.downcast::<Refusal>()) else {
                return DockerError::Unavailable { doing, detail: "refused".to_owned() };
            };
            let Refusal { address, request, status, words } = *refusal;
            let said = match shown(words.trim(), WORDS) {
                words if words.is_empty() => String::new(),
                words => format!("; it says: {words}"),
            };
            DockerError::Forbidden { address, request, status, said }
        }
        Error::DockerResponseServerError { status_code, message } => refused(call, status_code, message),
        Error::DockerStreamError { error } => refused(call, 500, error),
        Error::RequestTimeoutError => DockerError::Timeout { doing, after: Duration::ZERO },
        Error::JsonDataError { message, .. } => DockerError::Refused {
            doing,
            status: 200,
            detail: format!("the answer could not be understood: {message}"),
        },
        Error::UnsupportedURISchemeError { uri } => {
            DockerError::Unavailable { doing, detail: format!("the address {uri:?} is not supported") }
        }
        // All of it arrived, and it is cut off or empty.
        Error::JsonSerdeError { err } if err.is_eof() => DockerError::Refused {
            doing,
            status: 200,
            detail: format!("the answer could not be understood: {err}"),
        },
        Error::SocketNotFoundError(path) => {
            DockerError::Unavailable { doing, detail: format!("no socket at {path}") }
        }
        // What is left came from the connection: refused, cut, or cut in the middle of an answer.
        other => DockerError::Unavailable { doing, detail: chain(&other) },
    }
}

/// The whole chain of causes: hyper's own text is only "client error (Connect)".
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let more = cause.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        source = cause.source();
    }
    text
}

/// An answer with a status of 400 or more.
pub(super) fn refused(call: Call<'_>, status: u16, detail: String) -> DockerError {
    let low = detail.to_lowercase();
    let has = |needles: &[&str]| needles.iter().any(|n| low.contains(n));
    let doing = call.doing;

    // Another engine than before answers: which version it speaks is asked by the next call.
    let of_version = status == 400 && has(&["client version"]) && has(&["api version"]);
    if status == 503 || of_version || has(&["is shutting down"]) {
        return DockerError::Unavailable { doing, detail };
    }
    if status == 404 && has(&["no such image"]) {
        let reference = if call.kind == "image" { call.name.to_owned() } else { image_in(&detail) };
        return DockerError::ImageMissing { reference };
    }
    if status == 409
        && (has(&["is already in use by container", "when allocating new name"])
            || call.kind == "network" && has(&["already exists"]))
    {
        return DockerError::NameTaken { name: call.name.to_owned(), detail };
    }
    if status >= 500 && has(&["port is already allocated", "address already in use"]) {
        return DockerError::PortTaken { detail };
    }
    if has(&["unable to set memory limit to"]) {
        return DockerError::MemoryInUse { detail };
    }
    // "network x not found" on start is not the container: its network went away. A missing file is
    // not the container either.
    let thing = has(&["no such "]) && !has(&["no such file"]);
    if status == 404
        && (thing || call.kind == "network" && low.starts_with("network ") && has(&["not found"]))
    {
        return DockerError::NotFound { what: call.what() };
    }
    if has(&["volume is in use", "has active endpoints", "already exists in network"])
        || status == 409
            && has(&[
                "is not running",
                "is restarting",
                "is paused",
                "is already in progress",
                "marked for removal",
                "is running",
            ])
    {
        return DockerError::WrongState { what: call.what(), detail };
    }
    DockerError::Refused { doing, status, detail }
}

/// The reference in `No such image: x:1`.
fn image_in(detail: &str) -> String {
    // The text ends with the reference, and `: ` cannot be inside one.
    detail.rsplit(": ").next().unwrap_or(detail).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Texts as three engine versions gave them: what they mean, what was asked about, status, words.
    const ANSWERS: &str = r#"
NameTaken container 409 Conflict. The container name "/x" is already in use by container "9". You have to remove (or rename)
NameTaken container 409 Error when allocating new name: Conflict. The container name
NameTaken network 409 network with name x already exists
ImageMissing container 404 No such image: n:1
ImageMissing image 404 no such image: x: No such image: x:latest
NotFound container 404 No such container: x
NotFound network 404 network abc not found
NotFound network 404 No such network: n
NotFound volume 404 get v: no such volume
PortTaken container 500 driver failed programming external connectivity on endpoint X (1): Bind for 0.0.0.0:5 failed: port is already allocated
PortTaken container 500 Error starting userland proxy: listen tcp4 0.0.0.0:5: bind: address already in use
PortTaken container 500 failed to set up container networking: failed to bind host port for 0.0.0.0:5:1.2.3.4:5432/tcp: address already in use
MemoryInUse container 500 Cannot update container 1: runc did not terminate successfully: unable to set memory limit to 6291456 (current usage: 9, peak usage: 9)
WrongState network 403 error while removing network: network x id 1 has active endpoints
WrongState network 403 endpoint with name x already exists in network y
WrongState volume 409 remove v: volume is in use - [9]
WrongState container 409 Container 1 is not running
WrongState container 409 container 1 is Not Running
WrongState container 409 Container 1 is restarting, wait until the container is running
WrongState container 409 removal of container x is already in progress
Unavailable container 503
Refused container 404 network abc not found
Refused network 404 page not found
Unavailable container 400 client version 1.51 is too new. Maximum supported API version is 1.41
Refused container 404 failed to set up container networking: network abc not found
Refused container 404 Could not find the file /x in container 9
Refused container 404 lstat /x: no such file or directory
Refused container 403 Address already in use
Refused container 500 cannot assign requested address
Refused container 409 Memory limit should be smaller than already set memoryswap limit
Refused container 400 Range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available
Refused container 500 something else
Refused container 500
Refused network 404 could not find an available, non-overlapping IPv4 address pool among the defaults
Refused network 400 all predefined address pools have been fully subnetted
"#;

    #[test]
    fn answers_of_three_engines() {
        for line in ANSWERS.lines().filter(|l| !l.is_empty()) {
            let mut words = line.splitn(4, ' ');
            let (want, kind) = (words.next().unwrap(), words.next().unwrap());
            let status = words.next().unwrap().parse().unwrap();
            let text = words.next().unwrap_or_default();
            let error = refused(Call { doing: "t", kind, name: "x" }, status, text.to_owned());
            assert!(format!("{error:?}").starts_with(want), "{line}: {error:?}");
        }
    }

    #[test]
    fn the_missing_image_is_named() {
        let call = Call { doing: "t", kind: "container", name: "x" };
        let error = refused(call, 404, "No such image: seawall/postgres:18".to_owned());
        assert_eq!(error, DockerError::ImageMissing { reference: "seawall/postgres:18".to_owned() });
    }

    #[test]
    fn a_cut_connection_is_no_answer() {
        let call = Call { doing: "t", kind: "engine", name: "" };
        for e in [
            Error::IOError { err: std::io::Error::from(std::io::ErrorKind::ConnectionReset) },
            Error::SocketNotFoundError("/x".to_owned()),
        ] {
            assert!(error(call, e).is_unavailable());
        }
        // One that came whole and makes no sense is one.
        for text in ["", "{\"Id\":"] {
            let err = serde_json::from_str::<serde_json::Value>(text).unwrap_err();
            let error = error(call, Error::JsonSerdeError { err });
            assert!(matches!(error, DockerError::Refused { status: 200, .. }), "{text}: {error:?}");
        }
    }

    #[test]
    fn a_proxys_refusal_is_named() {
        let call = Call { doing: "t", kind: "container", name: "x" };
        let refusal = Refusal {
            address: "unix:///proxy.sock".to_owned(),
            request: "GET /v1.41/containers/json".to_owned(),
            status: 403,
            words: "Forbid\u{1b}den\n".to_owned(),
        };
        let error = error(call, Error::IOError { err: std::io::Error::other(refusal) });
        assert!(!error.is_unavailable());
        assert_eq!(
            error.to_string(),
            "the proxy at unix:///proxy.sock refuses GET /v1.41/containers/json (403): allow this request there; it says: Forbid\\u{1b}den"
        );
    }
}
