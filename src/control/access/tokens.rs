//! The tokens of an operator: which there are, and which one a hash belongs to; pure.

use crate::control::api::TokenView;
use crate::core::access::{Caller, Grant};
use crate::core::duration::duration;
use crate::core::names::Name;
use crate::secrets::TokenHash;
use crate::store::TOKENS;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Where they are in the store.
pub const PREFIX: &str = TOKENS;
/// As many as there can be: each is compared with what somebody shows.
pub const MOST: usize = 1_000;

/// One token, as it is kept.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Token {
    pub name: Name,
    #[serde(flatten)]
    pub grant: Grant,
    pub hash: TokenHash,
    pub created: Timestamp,
    /// Not any more from this moment on; `None`: for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_from: Option<IpAddr>,
}

impl Token {
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    pub fn view(&self, now: Timestamp) -> TokenView {
        TokenView {
            name: self.name.clone(),
            grant: self.grant.clone(),
            created: self.created.to_string(),
            expires: self.expires.map(|at| at.to_string()),
            expired: self.is_over(now),
            last_used: self.last_used.map(|at| at.to_string()),
            last_from: self.last_from,
        }
    }

    pub fn caller(&self, from: IpAddr) -> Caller {
        Caller { name: self.name.to_string(), may: self.grant.permissions(), from: Some(from) }
    }
}

/// The store key of a token.
pub fn key(name: &Name) -> String {
    format!("{PREFIX}{name}")
}

/// What a hash opens.
pub enum Found<'a> {
    Right(&'a mut Token),
    Over(&'a Token),
    Nothing,
}

/// See the module.
#[derive(Default)]
pub struct Tokens(BTreeMap<Name, Token>);

impl Tokens {
    /// Takes the body of a record. False: it cannot be read.
    pub fn load(&mut self, body: Value) -> bool {
        serde_json::from_value(body).map(|token| self.put(token)).is_ok()
    }

    pub fn put(&mut self, token: Token) {
        self.0.insert(token.name.clone(), token);
    }

    pub fn get(&self, name: &Name) -> Option<&Token> {
        self.0.get(name)
    }

    pub fn remove(&mut self, name: &Name) -> Option<Token> {
        self.0.remove(name)
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// In the order of their names.
    pub fn all(&self) -> impl Iterator<Item = &Token> {
        self.0.values()
    }

    /// Each is compared, whichever it is.
    pub fn opened_by(&mut self, hash: &TokenHash, now: Timestamp) -> Found<'_> {
        let found = self
            .0
            .values_mut()
            .fold(None, |found, token| if token.hash.is(hash) { Some(token) } else { found });
        match found {
            Some(token) if token.is_over(now) => Found::Over(token),
            Some(token) => Found::Right(token),
            None => Found::Nothing,
        }
    }
}

/// Until when a token opens something: `90d`, `never`, or an RFC 3339 time to come.
///
/// # Errors
/// With the forms that are understood.
pub fn expiry(text: &str, now: Timestamp) -> Result<Option<Timestamp>, String> {
    let wrong =
        || format!("{text:?} is no end of a token: write 90d, 12h, never, or a time as 2027-01-31T00:00:00Z");
    if text == "never" {
        return Ok(None);
    }
    let at = match text.parse::<Timestamp>() {
        Ok(at) => at,
        Err(_) => {
            let lasts = duration(text).ok().and_then(|lasts| SignedDuration::try_from(lasts).ok());
            now.checked_add(lasts.ok_or_else(wrong)?).map_err(|_| wrong())?
        }
    };
    // Whole seconds, as everywhere.
    let at = Timestamp::from_second(at.as_second()).map_err(|_| wrong())?;
    if at > now {
        Ok(Some(at))
    } else {
        Err(format!("{text:?} is not to come: the token would open nothing"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::access::{Permission, Role};
    use crate::secrets::{Secret, token};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn made(name: &str, secret: &Secret, expires: Option<i64>) -> Token {
        Token {
            name: Name::parse(name).unwrap(),
            grant: Grant::Role(Role::Viewer),
            hash: TokenHash::of(secret),
            created: at(0),
            expires: expires.map(at),
            last_used: None,
            last_from: None,
        }
    }

    #[test]
    fn a_hash_opens_what_it_belongs_to_until_that_is_over_or_gone() {
        let secrets = [token(), token(), token(), token()];
        let mut tokens = Tokens::default();
        tokens.put(made("ever", &secrets[0], None));
        tokens.put(made("short", &secrets[1], Some(100)));
        tokens.put(made("revoked", &secrets[2], None));
        tokens.remove(&Name::parse("revoked").unwrap());
        let word = |tokens: &mut Tokens, secret: usize, now: i64| match tokens
            .opened_by(&TokenHash::of(&secrets[secret]), at(now))
        {
            Found::Right(token) => format!("right {}", token.name),
            Found::Over(token) => format!("over {}", token.name),
            Found::Nothing => "nothing".to_owned(),
        };
        for (secret, now, want) in [
            (0, 1, "right ever"),
            (0, i64::from(u32::MAX), "right ever"),
            (1, 99, "right short"),
            (1, 100, "over short"),
            (2, 1, "nothing"),
            (3, 1, "nothing"),
        ] {
            assert_eq!(word(&mut tokens, secret, now), want, "{secret} at {now}");
        }
    }

    #[test]
    fn a_record_is_read_as_it_was_written_and_holds_no_token() {
        let secret = token();
        let all = Grant::Permissions([Permission::SecretsReveal].into());
        let token = Token {
            grant: all,
            last_used: Some(at(7)),
            last_from: "10.0.0.1".parse().ok(),
            ..made("ci", &secret, Some(9))
        };
        let body = serde_json::to_value(&token).unwrap();
        assert!(!body.to_string().contains(crate::secrets::TOKEN_PREFIX), "{body}");
        let mut tokens = Tokens::default();
        assert!(tokens.load(body.clone()));
        assert_eq!(serde_json::to_value(tokens.get(&token.name).unwrap()).unwrap(), body);
        assert!(matches!(tokens.opened_by(&TokenHash::of(&secret), at(8)), Found::Right(_)));
        for field in ["name", "hash", "created", "permissions"] {
            let mut body = body.clone();
            body.as_object_mut().unwrap().remove(field);
            assert!(!tokens.load(body), "{field}");
        }
    }

    #[test]
    fn the_end_is_a_span_a_time_or_never() {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        for (text, want) in [
            ("never", Ok(None)),
            ("90d", Ok(Some("2026-04-01T00:00:00Z"))),
            ("12h", Ok(Some("2026-01-01T12:00:00Z"))),
            ("2026-01-01T01:00:00.9+01:00", Err("not to come")),
            ("2027-01-31T00:00:00Z", Ok(Some("2027-01-31T00:00:00Z"))),
            ("2025-01-31T00:00:00Z", Err("not to come")),
            ("0d", Err("not to come")),
            ("soon", Err("write 90d")),
            ("2027-01-31", Err("write 90d")),
            ("99999d", Err("write 90d")),
            ("", Err("write 90d")),
        ] {
            let got = expiry(text, now);
            match want {
                Ok(want) => assert_eq!(got, Ok(want.map(|at| at.parse().unwrap())), "{text}"),
                Err(words) => assert!(got.as_ref().unwrap_err().contains(words), "{text}: {got:?}"),
            }
        }
    }
}
