//! What `docker login` of the operator's user left for a registry, and what a registry's refusal asks for.
//!
//! Pure, by the rules of the docker client (`cli/config`): `credHelpers` of the registry, then `credsStore`, then
//! `auths`. Must never give the credentials of one registry to another, nor show any.

use super::DockerError;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// Under which `docker login` keeps Docker Hub.
const HUB_KEY: &str = "https://index.docker.io/v1/";
const HUB: &str = "docker.io";
/// Whom a helper names when what it gives is an identity token.
const TOKEN_USER: &str = "<token>";

/// A login to one registry.
#[derive(Clone, PartialEq, Eq)]
pub enum Login {
    Password { username: String, password: Zeroizing<String> },
    Token(Zeroizing<String>),
}

impl Login {
    pub fn secret(&self) -> &str {
        match self {
            Login::Password { password, .. } => password,
            Login::Token(token) => token,
        }
    }
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Login(…)")
    }
}

/// Where the login to a registry is.
#[derive(Debug, PartialEq, Eq)]
pub enum Source {
    Nowhere,
    /// In the file itself.
    Here(Login),
    /// `docker-credential-NAME get` tells.
    Helper(String),
}

/// `config.json` of the docker client, as far as it is about logins.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Config {
    auths: BTreeMap<String, Auth>,
    #[serde(rename = "credsStore")]
    store: String,
    #[serde(rename = "credHelpers")]
    helpers: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Auth {
    auth: Zeroizing<String>,
    username: String,
    password: Zeroizing<String>,
    identitytoken: Zeroizing<String>,
}

#[derive(Deserialize)]
struct HelperAnswer {
    #[serde(rename = "Username", default)]
    username: String,
    #[serde(rename = "Secret", default)]
    secret: Zeroizing<String>,
}

/// What the docker client calls a registry: in `auths`, to a helper, and to the engine.
#[must_use]
pub fn server_of(host: &str) -> &str {
    if host == HUB { HUB_KEY } else { host }
}

/// # Errors
/// In words without any of the text.
pub fn parse(text: &[u8]) -> Result<Config, String> {
    serde_json::from_slice(text)
        .map_err(|e| format!("line {} is not what the docker client writes", e.line()))
}

impl Config {
    /// Where the login to `host` (`docker.io`, `registry.example:5000`) is.
    ///
    /// # Errors
    /// In words, for an entry that cannot be used.
    pub fn source(&self, host: &str) -> Result<Source, String> {
        let helper = self.helpers.get(server_of(host)).or_else(|| self.helpers.get(host));
        let helper = helper.unwrap_or(&self.store);
        if !helper.is_empty() {
            let name = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
            return if helper.chars().all(name) {
                Ok(Source::Helper(helper.clone()))
            } else {
                Err("the name of its credential helper is not one".to_owned())
            };
        }
        let exact = self.auths.get(server_of(host));
        // Older clients kept whole addresses.
        let entry = exact.or_else(|| self.auths.iter().find(|(key, _)| host_of(key) == host).map(|(_, a)| a));
        entry.map_or(Ok(Source::Nowhere), Auth::login)
    }
}

impl Auth {
    fn login(&self) -> Result<Source, String> {
        if !self.identitytoken.is_empty() {
            return Ok(Source::Here(Login::Token(self.identitytoken.clone())));
        }
        if self.auth.is_empty() {
            return Ok(if self.username.is_empty() {
                Source::Nowhere
            } else {
                let (username, password) = (self.username.clone(), self.password.clone());
                Source::Here(Login::Password { username, password })
            });
        }
        let bad = || "its entry in auths is not base64 of USER:PASSWORD".to_owned();
        let bytes = Zeroizing::new(STANDARD.decode(self.auth.as_bytes()).map_err(|_| bad())?);
        let text = std::str::from_utf8(&bytes).map_err(|_| bad())?;
        let (username, password) = text.split_once(':').ok_or_else(bad)?;
        let password = Zeroizing::new(password.trim_end_matches('\0').to_owned());
        Ok(Source::Here(Login::Password { username: username.to_owned(), password }))
    }
}

/// The registry in a key of `auths`, without scheme and path; Docker Hub has two hosts of its own.
fn host_of(key: &str) -> &str {
    let key = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://")).unwrap_or(key);
    match key.split('/').next().unwrap_or_default() {
        "index.docker.io" => HUB,
        host => host,
    }
}

/// What a helper printed after it was asked for one server.
///
/// # Errors
/// In words without any of the text.
pub fn helper_answer(text: &[u8]) -> Result<Login, String> {
    let answer: HelperAnswer = serde_json::from_slice(text)
        .map_err(|_| "its answer is not JSON with Username and Secret".to_owned())?;
    Ok(if answer.username == TOKEN_USER {
        Login::Token(answer.secret)
    } else {
        Login::Password { username: answer.username, password: answer.secret }
    })
}

/// Whether the engine gets `login` as it is. The client's header is plain base64, the engine expects the
/// alphabet for addresses and takes anything else for no login at all.
#[must_use]
pub fn arrives(header: &str) -> bool {
    !STANDARD.encode(header).contains(['+', '/'])
}

/// What to do about a refused pull; `None` when the words are clear by themselves.
#[must_use]
pub fn advice(words: &str, host: &str, logged_in: bool) -> Option<String> {
    // What it is called says nothing about why it was refused: an address or a name may hold any of these words.
    let said = words.split_whitespace().filter(|word| !word.contains('/') && !word.contains(host));
    let low = said.collect::<Vec<_>>().join(" ").to_lowercase();
    let has = |needles: &[&str]| needles.iter().any(|n| low.contains(n));
    let status = |code: &str| low.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word == code);
    let login = if host == HUB { "docker login".to_owned() } else { format!("docker login {host}") };
    if status("429") || has(&["toomanyrequests", "too many requests", "rate limit"]) {
        let more = if logged_in {
            ""
        } else {
            &format!(", or log in (`{login}` as the operator's user): most registries allow more then")
        };
        return Some(format!(
            "{host} limits how often it is asked; the pull is tried again, less and less often. Wait{more}"
        ));
    }
    if status("401")
        || has(&[
            "unauthorized",
            "no basic auth credentials",
            "incorrect username or password",
            "authentication required",
        ])
    {
        return Some(if logged_in {
            format!("{host} does not take the login that the operator's user has; log in again: `{login}`")
        } else {
            format!(
                "{host} wants a login: run `{login}` as the operator's user; it is used from the next try on"
            )
        });
    }
    if status("403") || has(&["denied", "forbidden"]) {
        return Some(if logged_in {
            format!(
                "{host} has no such image, or the login that the operator's user has may not read it; check the name, or log in as somebody who may: `{login}`"
            )
        } else {
            format!(
                "{host} has no such image, or wants a login: check the name, or run `{login}` as the operator's user"
            )
        });
    }
    has(&["manifest unknown", "not found", "name unknown"])
        .then(|| format!("{host} has no such image or tag: check the name"))
}

/// A failed pull with what to do about it; a registry that repeats a secret in its words does not get it shown.
#[must_use]
pub fn explained(
    error: DockerError,
    host: &str,
    login: Option<&Login>,
    trouble: Option<&str>,
) -> DockerError {
    let explain = |detail: String| {
        let secret = login.map(Login::secret).filter(|s| !s.is_empty());
        let words = secret.map_or(detail.clone(), |s| detail.replace(s, "***"));
        let trouble = trouble.map(|why| format!("; no login was used: {why}"));
        let advice = advice(&words, host, login.is_some()).map(|what| format!("; {what}"));
        format!("{words}{}{}", trouble.unwrap_or_default(), advice.unwrap_or_default())
    };
    match error {
        DockerError::Timeout { .. } | DockerError::Forbidden { .. } => error,
        DockerError::Unavailable { doing, detail } => {
            DockerError::Unavailable { doing, detail: explain(detail) }
        }
        DockerError::Refused { doing, status, detail } => {
            DockerError::Refused { doing, status, detail: explain(detail) }
        }
        // A registry's words that look like another refusal of the engine; they are no less the registry's.
        other => {
            DockerError::Refused { doing: "pull an image", status: 500, detail: explain(other.to_string()) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docker::map::{Call, refused as refused_with};

    fn source(config: &str, host: &str) -> Result<Source, String> {
        parse(config.as_bytes()).and_then(|c| c.source(host))
    }

    fn password(username: &str, password: &str) -> Result<Source, String> {
        let password = Zeroizing::new(password.to_owned());
        Ok(Source::Here(Login::Password { username: username.to_owned(), password }))
    }

    #[test]
    fn a_registry_gets_its_own_login_and_no_other() {
        // u:p:q with a colon in the password, as `docker login` writes it.
        let config = r#"{"auths": {
            "https://index.docker.io/v1/": {"auth": "aHViOnB3"},
            "ghcr.io": {"auth": "dTpwOnE="},
            "https://old.example/v2/": {"username": "a", "password": "b"},
            "registry.example:5000": {"auth": "", "identitytoken": "tok"},
            "empty.example": {}, "broken.example": {"auth": "%%"}}, "other": 1}"#;
        assert_eq!(source(config, "docker.io"), password("hub", "pw"));
        assert_eq!(source(config, "ghcr.io"), password("u", "p:q"));
        assert_eq!(source(config, "old.example"), password("a", "b"));
        let token = Login::Token(Zeroizing::new("tok".to_owned()));
        assert_eq!(source(config, "registry.example:5000"), Ok(Source::Here(token)));
        for stranger in [
            "registry.example",
            "registry.example:5001",
            "evil.ghcr.io",
            "ghcr.io.evil",
            "empty.example",
            "quay.io",
        ] {
            assert_eq!(source(config, stranger), Ok(Source::Nowhere), "{stranger}");
        }
        assert!(source(config, "broken.example").unwrap_err().contains("base64"));
        let other_key = r#"{"auths": {"docker.io": {"auth": "aHViOnB3"}}}"#;
        assert_eq!(source(other_key, "docker.io"), password("hub", "pw"));
    }

    #[test]
    fn helpers_come_first_and_cannot_be_a_path() {
        let config = r#"{"credsStore": "desktop", "credHelpers": {"ghcr.io": "gh", "x.io": "../../bin/sh", "plain.io": ""},
            "auths": {"ghcr.io": {"auth": "dTpw"}, "plain.io": {"auth": "dTpw"}}}"#;
        assert_eq!(source(config, "ghcr.io"), Ok(Source::Helper("gh".to_owned())));
        assert_eq!(source(config, "docker.io"), Ok(Source::Helper("desktop".to_owned())));
        assert_eq!(source(config, "plain.io"), password("u", "p"));
        assert!(source(config, "x.io").is_err());
    }

    #[test]
    fn what_is_not_a_config_is_said_without_its_text() {
        let why = parse(br#"{"auths": {"x": {"auth": 7, "password": "geheim"}}}"#).err().unwrap();
        assert!(why.contains("line 1") && !why.contains("geheim"), "{why}");
        let why = helper_answer(b"geheim").unwrap_err();
        assert!(!why.contains("geheim"), "{why}");
        let login = helper_answer(br#"{"ServerURL":"x","Username":"<token>","Secret":"geheim"}"#).unwrap();
        assert_eq!(login.secret(), "geheim");
        assert_eq!(format!("{login:?}"), "Login(…)");
    }

    #[test]
    fn each_refusal_says_what_to_do() {
        for (words, logged_in, want) in [
            ("Get \"http://r:5/v2/\": no basic auth credentials", false, "run `docker login r:5`"),
            ("unauthorized: authentication required", true, "log in again"),
            (
                "pull access denied for x, repository does not exist or may require 'docker login'",
                false,
                "or run `docker login r:5`",
            ),
            ("denied: requested access to the resource is denied", true, "may not read it"),
            ("toomanyrequests: You have reached your pull rate limit", false, "allow more then"),
            ("received unexpected HTTP status: 429 Too Many Requests", true, "Wait"),
            ("error parsing HTTP 429 response body: unexpected end of JSON input: \"\"", true, "Wait"),
            ("error parsing HTTP 403 response body: invalid character", false, "check the name"),
            ("manifest unknown: manifest unknown", false, "check the name"),
        ] {
            let said = advice(words, "r:5", logged_in).unwrap_or_default();
            assert!(said.contains(want), "{words}: {said}");
        }
        assert_eq!(advice("dial tcp: i/o timeout", "r:5", false), None);
        // Nor is it told by what somebody is called.
        for name in ["127.0.0.1:42907", "127.0.0.1:40103", "denied.example", "forbidden:5000"] {
            let words =
                format!("Head \"http://{name}/v2/403/manifests/1\": dial tcp {name}: connection refused");
            assert_eq!(advice(&words, name, false), None);
            let words = format!("Head \"http://{name}/v2/429/manifests/1\": no basic auth credentials");
            assert!(advice(&words, name, false).unwrap().contains("wants a login"), "{name}");
        }
        assert!(advice("unauthorized", "docker.io", false).unwrap().contains("`docker login` as"));
    }

    #[test]
    fn a_registry_that_repeats_the_secret_does_not_get_it_shown() {
        let login =
            Login::Password { username: "u".to_owned(), password: Zeroizing::new("geheim".to_owned()) };
        let refused = || DockerError::Refused {
            doing: "pull an image",
            status: 500,
            detail: "unauthorized: geheim is wrong".to_owned(),
        };
        let said = explained(refused(), "r:5", Some(&login), None).to_string();
        assert!(!said.contains("geheim") && said.contains("log in again"), "{said}");
        for words in
            ["geheim is shutting down", "volume is in use geheim", "port is already allocated geheim"]
        {
            let call = Call { doing: "pull an image", kind: "image", name: "r:5/x" };
            let said = explained(refused_with(call, 500, words.to_owned()), "r:5", Some(&login), None);
            assert!(!said.to_string().contains("geheim"), "{said}");
        }
        let said = explained(refused(), "r:5", None, Some("helper x: gone")).to_string();
        assert!(
            said.contains("no login was used: helper x: gone") && said.contains("docker login r:5"),
            "{said}"
        );
    }

    #[test]
    fn a_header_with_characters_of_the_other_alphabet_does_not_arrive() {
        assert!(arrives("{\"a\":1}"));
        assert!(!arrives("ab~") && !arrives("ab?"));
    }
}
