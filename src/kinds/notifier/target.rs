//! Where a webhook is. Whoever knows the path of its URL can write there: must never show more than scheme and host.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::Uri;
use std::fmt;

/// Longer is no URL that anybody takes.
const LONGEST: usize = 8_192;

/// The URL of a webhook.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    uri: Uri,
    /// The value of an Authorization header: it is as secret as the URL.
    authorization: Option<String>,
}

impl Target {
    /// # Errors
    /// What is wrong, without the text itself: it may be a secret.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let text = text.trim();
        if text.len() > LONGEST {
            return Err("is longer than any URL");
        }
        let uri: Uri = text.parse().map_err(|_| "is no URL")?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err("must begin with https:// or http://");
        }
        let authority = uri.authority().ok_or("has no host")?.as_str();
        let (login, host) = match authority.rsplit_once('@') {
            Some((login, host)) => (Some(login), host),
            None => (None, authority),
        };
        if host.is_empty() || uri.host().is_none_or(str::is_empty) {
            return Err("has no host");
        }
        let authorization = login.map(decoded).transpose()?;
        let authorization = authorization.map(|login| format!("Basic {}", STANDARD.encode(login)));
        let mut parts = uri.clone().into_parts();
        parts.authority = Some(host.parse().map_err(|_| "has no legal host")?);
        let uri = Uri::from_parts(parts).map_err(|_| "is no URL")?;
        Ok(Self { uri, authorization })
    }

    #[must_use]
    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    #[must_use]
    pub fn authorization(&self) -> Option<&str> {
        self.authorization.as_deref()
    }

    /// `https://hooks.example.com`: what may be shown.
    #[must_use]
    pub fn endpoint(&self) -> String {
        let host = self.uri.authority().map(ToString::to_string).unwrap_or_default();
        format!("{}://{host}", self.uri.scheme_str().unwrap_or_default())
    }

    /// All of it, to be hashed and for nothing else.
    #[must_use]
    pub fn whole(&self) -> String {
        format!("{} {}", self.uri, self.authorization.as_deref().unwrap_or_default())
    }
}

/// `%40` and the like of a login in a URL (RFC 3986, 2.1).
fn decoded(login: &str) -> Result<Vec<u8>, &'static str> {
    let mut bytes = login.bytes();
    let mut all = Vec::new();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            all.push(byte);
            continue;
        }
        let mut digit = || bytes.next().and_then(|b| char::from(b).to_digit(16));
        let (high, low) = (digit(), digit());
        let value = high.zip(low).and_then(|(high, low)| u8::try_from(high * 16 + low).ok());
        all.push(value.ok_or("has a % before the host that begins no %41")?);
    }
    Ok(all)
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({})", self.endpoint())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_shows_its_host_and_nothing_else() {
        let rows = [
            ("https://hooks.example.com/T0/B1/secret", Ok(("https://hooks.example.com", None))),
            (" http://127.0.0.1:9000/x?token=secret\n", Ok(("http://127.0.0.1:9000", None))),
            ("https://[::1]:8443/secret", Ok(("https://[::1]:8443", None))),
            (
                "https://me:s%40cret@ntfy.example/ops",
                Ok(("https://ntfy.example", Some("Basic bWU6c0BjcmV0"))),
            ),
            ("https://me:s%4@ntfy.example/ops", Err("%")),
            ("ftp://example.com/secret", Err("must begin with")),
            ("hooks.example.com/secret", Err("no URL")),
            ("/secret", Err("must begin with")),
            ("https://", Err("no URL")),
            ("https://@/secret", Err("no")),
            ("https://exa mple/secret", Err("no URL")),
            ("", Err("no URL")),
        ];
        for (text, want) in rows {
            match (Target::parse(text), want) {
                (Ok(target), Ok((endpoint, authorization))) => {
                    assert_eq!(
                        (target.endpoint().as_str(), target.authorization()),
                        (endpoint, authorization)
                    );
                    assert!(!format!("{target:?}").contains("cret"), "{text}");
                    assert!(!target.uri().to_string().contains('@'), "{text}");
                }
                (Err(why), Err(says)) => assert!(why.contains(says), "{text}: {why}"),
                (got, _) => panic!("{text}: {got:?}"),
            }
        }
        assert!(Target::parse(&format!("https://example.com/{}", "a".repeat(9_000))).is_err());
    }
}
