//! References to images, by the grammar that engines and registries share: `[HOST[:PORT]/]PATH[:TAG][@DIGEST]`.
//!
//! Pure. A reference is parsed once, at validation, into a type that no engine takes for malformed; what is
//! wrong with a text is said together with the nearest right form. Must never accept what an old engine refuses
//! (the grammar of `distribution/reference` as Docker 20.10 has it, which is the stricter one).

use super::text::quoted;
use serde::Serialize;
use std::fmt;
use std::str::FromStr;

/// Host and path together, as the engine completes them: `docker.io/library/postgres`.
const MAX_NAME: usize = 255;
const MAX_TAG: usize = 128;
/// Where an image lies whose reference names no host.
pub const DEFAULT_HOST: &str = "docker.io";
/// Algorithms that engines know, with the hexadecimal digits of each.
const ALGORITHMS: [(&str, usize); 3] = [("sha256", 64), ("sha384", 96), ("sha512", 128)];

/// A legal reference, kept as it was written.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct ImageReference(String);

/// What is wrong with a text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct ReferenceError {
    pub what: String,
    /// A right form that may be meant.
    pub nearest: Option<String>,
}

impl ImageReference {
    /// # Errors
    /// With what is wrong and, where there is one, the nearest right form.
    pub fn parse(text: &str) -> Result<Self, ReferenceError> {
        match wrong(text) {
            None => Ok(Self(text.to_owned())),
            Some(what) => {
                let nearest = repaired(text).filter(|other| other != text && wrong(other).is_none());
                Err(ReferenceError { what, nearest })
            }
        }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The registry that has it: `docker.io`, `ghcr.io`, `localhost:5000`.
    #[must_use]
    pub fn host(&self) -> &str {
        host_and_path(name_of(&self.0)).0.map_or(DEFAULT_HOST, |host| match host {
            "index.docker.io" => DEFAULT_HOST,
            host => host,
        })
    }

    /// Who publishes it there, by its path; none where that is a name alone. Docker's own are the `library`.
    #[must_use]
    pub fn owner(&self) -> Option<&str> {
        let (host, path) = host_and_path(name_of(&self.0));
        let owner = path.rsplit_once('/').map(|(owner, _)| owner);
        owner.or_else(|| (host.is_none() || self.host() == DEFAULT_HOST).then_some("library"))
    }

    /// Whose image would be run, in words: `from docker.io, by gotempsh`.
    #[must_use]
    pub fn origin(&self) -> String {
        let by = match self.owner() {
            Some("library") if self.host() == DEFAULT_HOST => ", an official image of Docker".to_owned(),
            Some(owner) => format!(", by {owner}"),
            None => String::new(),
        };
        format!("from {}{by}", self.host())
    }
}

impl fmt::Display for ImageReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ImageReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl FromStr for ImageReference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        Self::parse(text)
    }
}

/// The part before tag and digest.
fn name_of(text: &str) -> &str {
    let name = text.split_once('@').map_or(text, |(name, _)| name);
    split_tag(name).0
}

/// A colon after the last slash begins the tag; one before it the port of a host.
fn split_tag(text: &str) -> (&str, Option<&str>) {
    let last = text.rfind('/').map_or(0, |slash| slash + 1);
    match text[last..].find(':') {
        Some(colon) => (&text[..last + colon], Some(&text[last + colon + 1..])),
        None => (text, None),
    }
}

/// The first part is a host when it has a dot or a port, or is `localhost`.
fn host_and_path(name: &str) -> (Option<&str>, &str) {
    match name.split_once('/') {
        Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => (Some(first), rest),
        _ => (None, name),
    }
}

/// What is wrong with `text`; `None` when it is a reference. Quotes little of it: it may be long.
fn wrong(text: &str) -> Option<String> {
    if text.is_empty() {
        return Some("it is empty".to_owned());
    }
    if let Some(bad) = text.chars().find(|c| !c.is_ascii_alphanumeric() && !"._-:/@".contains(*c)) {
        return Some(format!("{bad:?} cannot be part of an image reference"));
    }
    if text.contains("://") {
        return Some("an image reference has no scheme in front".to_owned());
    }
    let (named, digest) = match text.split_once('@') {
        Some((named, digest)) => (named, Some(digest)),
        None => (text, None),
    };
    let (name, tag) = split_tag(named);
    wrong_name(name).or_else(|| tag.and_then(wrong_tag)).or_else(|| digest.and_then(wrong_digest))
}

fn wrong_name(name: &str) -> Option<String> {
    if name.is_empty() {
        return Some("the name is missing".to_owned());
    }
    let (host, path) = host_and_path(name);
    if let Some(why) = host.and_then(wrong_host) {
        return Some(why);
    }
    if host.is_none() && path.len() == 64 && path.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return Some("a name of 64 hexadecimal digits is taken for an image id".to_owned());
    }
    if path.is_empty() {
        return Some("the path after the registry's host is missing".to_owned());
    }
    for part in path.split('/') {
        if part.is_empty() {
            return Some("a part of the path is empty (a slash too many)".to_owned());
        }
        if part.contains(|c: char| c.is_ascii_uppercase()) {
            return Some(format!("{} has upper-case letters; paths of images have none", quoted(part)));
        }
        if part.contains(':') {
            return Some(format!("{} has a colon; only a registry's host has a port", quoted(part)));
        }
        if !is_part(part) {
            return Some(format!(
                "{} is no part of a path: lower-case letters and digits, between them one of . _ __ or dashes",
                quoted(part)
            ));
        }
    }
    let completed = match (host, path.contains('/')) {
        (Some(host), _) => host.len() + 1 + path.len(),
        (None, true) => DEFAULT_HOST.len() + 1 + path.len(),
        (None, false) => DEFAULT_HOST.len() + "/library/".len() + path.len(),
    };
    (completed > MAX_NAME)
        .then(|| format!("the name is too long; at most {MAX_NAME} characters with its host"))
}

/// `[a-zA-Z0-9-]` between dots, and a port.
fn wrong_host(host: &str) -> Option<String> {
    let (host, port) = match host.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (host, None),
    };
    let label = |part: &str| {
        !part.is_empty()
            && !part.starts_with('-')
            && !part.ends_with('-')
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    if !host.split('.').all(label) {
        return Some(format!("{} is no host of a registry", quoted(host)));
    }
    match port {
        Some(port) if !port.bytes().all(|b| b.is_ascii_digit()) || port.parse::<u16>().is_err() => {
            Some(format!("{} is no port of a registry", quoted(port)))
        }
        _ => None,
    }
}

/// `[a-z0-9]+` joined by `.`, `_`, `__` or dashes.
fn is_part(part: &str) -> bool {
    let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let separator = |between: &str| matches!(between, "." | "_" | "__") || between.bytes().all(|b| b == b'-');
    part.starts_with(word)
        && part.ends_with(word)
        && part.split(word).filter(|s| !s.is_empty()).all(separator)
}

fn wrong_tag(tag: &str) -> Option<String> {
    if tag.is_empty() {
        return Some("the tag after the colon is missing".to_owned());
    }
    if tag.contains(':') {
        return Some(format!("{} is no tag: there is a colon too many", quoted(tag)));
    }
    if tag.len() > MAX_TAG {
        return Some(format!("the tag has {} characters; at most {MAX_TAG}", tag.len()));
    }
    let first = |c: char| c.is_ascii_alphanumeric() || c == '_';
    (!tag.starts_with(first)).then(|| format!("the tag {} begins with a dot or a dash", quoted(tag)))
}

fn wrong_digest(digest: &str) -> Option<String> {
    let Some((algorithm, hex)) = digest.split_once(':') else {
        return Some(format!("what follows the @ is a digest (sha256:…); {} is not one", quoted(digest)));
    };
    let Some((_, digits)) = ALGORITHMS.into_iter().find(|(name, _)| *name == algorithm) else {
        return Some(format!("{} is no algorithm of a digest; sha256 is the usual one", quoted(algorithm)));
    };
    if let Some(bad) = hex.chars().find(|c| !matches!(c, '0'..='9' | 'a'..='f')) {
        return Some(format!("the digest has {bad:?} in it; its digits are 0-9 and a-f"));
    }
    let has = hex.len();
    (has != digits)
        .then(|| format!("the digest has {has} hexadecimal digits; {algorithm} has exactly {digits}"))
}

/// A form that may be meant; it is offered only when it is right.
fn repaired(text: &str) -> Option<String> {
    // Nobody means a text that long, and it would be printed.
    if text.len() > 2 * MAX_NAME {
        return None;
    }
    let text = text.trim();
    let text = text.split_once("://").map_or(text, |(_, rest)| rest);
    let text = text.trim_end_matches('/');
    let trimmed = text.trim_end_matches([':', '@']);
    let text = if trimmed.contains('@') { text } else { trimmed };
    let (named, digest) = match text.split_once('@') {
        Some((named, digest)) => (named, Some(digest)),
        None => (text, None),
    };
    let (name, tag) = split_tag(named);
    let (host, path) = host_and_path(name);
    let parts: Vec<String> = path.split('/').filter(|p| !p.is_empty()).map(str::to_ascii_lowercase).collect();
    let mut out = host.map(|host| format!("{host}/")).unwrap_or_default() + &parts.join("/");
    match (tag, digest) {
        // name:sha256:… and name@18: the sign before it is the other one.
        (Some(tag), None) if tag.starts_with("sha256:") => out = format!("{out}@{tag}"),
        (None, Some(digest)) if !digest.contains(':') => out = format!("{out}:{digest}"),
        (tag, digest) => {
            // name:17:bookworm: what is told apart within a tag has dashes.
            let tag = tag.map(|tag| format!(":{}", tag.replace(':', "-"))).unwrap_or_default();
            let digest = digest.map(|d| format!("@{}", d.to_ascii_lowercase())).unwrap_or_default();
            out = out + &tag + &digest;
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(n: usize) -> String {
        "0a1b2c3d4e5f6789".chars().cycle().take(n).collect()
    }

    #[test]
    fn references_and_their_registry() {
        let digest = format!("postgres:18@sha256:{}", hex(64));
        let long = format!("a/{}", "x".repeat(255 - "docker.io/a/".len()));
        let tag = format!("a:{}", "T".repeat(128));
        for (good, host) in [
            ("postgres", "docker.io"),
            ("postgres:17-alpine", "docker.io"),
            ("seawall/postgres:18", "docker.io"),
            ("index.docker.io/x", "docker.io"),
            ("docker.io/library/postgres", "docker.io"),
            ("a.b:5000/x/y:1", "a.b:5000"),
            ("localhost/x", "localhost"),
            ("localhost:5000/x", "localhost:5000"),
            ("127.0.0.1:5000/x", "127.0.0.1:5000"),
            ("GHCR.io/x/y", "GHCR.io"),
            ("a--b/c__d.e_f-g:_1", "docker.io"),
            (digest.as_str(), "docker.io"),
            (long.as_str(), "docker.io"),
            (tag.as_str(), "docker.io"),
        ] {
            let parsed = ImageReference::parse(good).unwrap_or_else(|e| panic!("{good}: {e}"));
            assert_eq!((parsed.as_str(), parsed.host()), (good, host));
        }
        for (image, origin) in [
            ("gotempsh/postgres-walg:18-bookworm", "from docker.io, by gotempsh"),
            ("docker.io/a/b", "from docker.io, by a"),
            ("postgres:18", "from docker.io, an official image of Docker"),
            ("library/redis", "from docker.io, an official image of Docker"),
            ("ghcr.io/a/b/c@sha256:x", "from ghcr.io, by a/b"),
            ("localhost:5000/x", "from localhost:5000"),
        ] {
            assert_eq!(ImageReference(image.to_owned()).origin(), origin);
        }
        for (algorithm, digits) in ALGORITHMS {
            assert!(ImageReference::parse(&format!("a@{algorithm}:{}", hex(digits))).is_ok());
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_the_nearest_right_form() {
        let digest = |n: usize| format!("a@sha256:{}", hex(n));
        let (short, long, right) = (digest(63), digest(65), digest(64));
        let colon = format!("a:sha256:{}", hex(64));
        let upper = format!("a@sha256:{}", "AB".repeat(32));
        let lower = upper.replace("AB", "ab");
        let id = "ab".repeat(32);
        let long_name = "x".repeat(256);
        let long_tag = format!("a:{}", "t".repeat(129));
        let no = None::<&str>;
        for (bad, what, nearest) in [
            ("", "it is empty", no),
            (" postgres:17 ", "' ' cannot be part", Some("postgres:17")),
            ("postgres:17\n", "'\\n' cannot be part", Some("postgres:17")),
            ("a b", "' ' cannot be part", no),
            ("pöstgres", "'ö' cannot be part", no),
            ("https://ghcr.io/x/y:1", "no scheme", Some("ghcr.io/x/y:1")),
            ("Postgres:17", "\"Postgres\" has upper-case letters", Some("postgres:17")),
            ("GHCR.io/X/y", "\"X\" has upper-case letters", Some("GHCR.io/x/y")),
            // Old engines take the first part for a path, not for a host.
            ("HOST/x", "\"HOST\" has upper-case letters", Some("host/x")),
            ("a:b:c", "\"b:c\" is no tag: there is a colon too many", Some("a:b-c")),
            (colon.as_str(), "there is a colon too many", Some(right.as_str())),
            ("a@18", "what follows the @ is a digest (sha256:…); \"18\" is not one", Some("a:18")),
            ("a:17@18", "is not one", no),
            (short.as_str(), "has 63 hexadecimal digits; sha256 has exactly 64", no),
            (long.as_str(), "has 65 hexadecimal digits", no),
            ("a@sha256:", "has 0 hexadecimal digits", no),
            (upper.as_str(), "'A' in it; its digits are 0-9 and a-f", Some(lower.as_str())),
            ("a@md5:d41d8cd98f00b204e9800998ecf8427e", "\"md5\" is no algorithm", no),
            ("a@b@c", "is not one", no),
            (":x", "the name is missing", no),
            ("@sha256:00", "the name is missing", no),
            ("a:", "the tag after the colon is missing", Some("a")),
            ("a/", "a part of the path is empty", Some("a")),
            ("/a", "a part of the path is empty", Some("a")),
            ("a//b", "a part of the path is empty", Some("a/b")),
            ("ghcr.io/", "the path after the registry's host is missing", Some("ghcr.io")),
            ("a/b:c/d", "\"b:c\" has a colon", no),
            ("host:port/x", "\"port\" is no port", no),
            ("host:70000/x", "\"70000\" is no port", no),
            ("host:/x", "\"\" is no port", no),
            ("-a.b/x", "\"-a.b\" is no host", no),
            ("a..b/x", "\"a..b\" is no host", no),
            ("-x", "\"-x\" is no part of a path", no),
            ("x-", "\"x-\" is no part", no),
            ("a___b", "is no part", no),
            ("a/b..c", "is no part", no),
            ("a/._b", "is no part", no),
            ("..", "is no part", no),
            ("a:-1", "begins with a dot or a dash", no),
            ("a:.1", "begins with a dot or a dash", no),
            (id.as_str(), "taken for an image id", no),
            (long_name.as_str(), "too long; at most 255", no),
            (long_tag.as_str(), "has 129 characters; at most 128", no),
        ] {
            let error = ImageReference::parse(bad).expect_err(bad);
            assert!(error.what.contains(what), "{bad:?}: {error}");
            assert!(error.what.len() < 200, "{bad:?}: {error}");
            assert_eq!(error.nearest.as_deref(), nearest, "{bad:?}");
        }
    }

    #[test]
    fn any_bytes_are_parsed_or_refused() {
        let alphabet = ['a', 'Z', '0', '.', '_', '-', ':', '/', '@', 'ä'];
        for n in 0..100_000_usize {
            let text: String = (0..5).map(|i| alphabet[n / 10_usize.pow(i) % 10]).collect();
            if let Err(ReferenceError { nearest: Some(nearest), .. }) = ImageReference::parse(&text) {
                assert!(ImageReference::parse(&nearest).is_ok(), "{text} → {nearest}");
            }
        }
    }
}
