//! Tokens are made, shown, revoked and let in here.

use super::Door;
use super::tokens::{self, Found, MOST, Token, expiry};
use super::tries::Source;
use crate::control::answers::store_failed;
use crate::control::api::{ApiError, Done, ErrorCode, Gatekeeper, IssuedToken, NewToken, Result, TokenView};
use crate::control::operator::{Operator, this_second};
use crate::control::writes::json;
use crate::core::access::{Caller, Permission, words};
use crate::core::event::Note;
use crate::core::names::Name;
use crate::secrets::{ExposeSecret, Secret, TokenHash, token};
use crate::store::{Change, Saving, Store};
use async_trait::async_trait;
use jiff::Timestamp;
use std::net::IpAddr;

/// The use of a token is written again after so many milliseconds.
const USED_AGAIN: u64 = 60_000;

/// What becomes of one who shows a token.
#[derive(Debug, PartialEq, Eq)]
enum Admission {
    In {
        caller: Caller,
        /// That it was used is to be written.
        write: bool,
    },
    /// It opens nothing: whose it is, if it was somebody's once.
    Out { who: Option<Name> },
    /// Too often; again in so many milliseconds.
    Wait(u64),
}

impl Door {
    fn admit(&mut self, hash: &TokenHash, from: IpAddr, clock: u64, now: Timestamp) -> Admission {
        let source = Source::of(from);
        let wait = self.tries.wait(source, clock);
        if wait > 0 {
            return Admission::Wait(wait);
        }
        match self.tokens.opened_by(hash, now) {
            Found::Right(token) => {
                self.tries.let_in(source, clock);
                token.last_used = Some(now);
                token.last_from = Some(from.to_canonical());
                let written = self.written.get(&token.name);
                let write = written.is_none_or(|at| clock.saturating_sub(*at) >= USED_AGAIN);
                if write {
                    self.written.insert(token.name.clone(), clock);
                }
                Admission::In { caller: token.caller(from.to_canonical()), write }
            }
            Found::Over(token) => {
                self.tries.failed(source, clock);
                Admission::Out { who: Some(token.name.clone()) }
            }
            Found::Nothing => {
                self.tries.failed(source, clock);
                Admission::Out { who: None }
            }
        }
    }
}

/// Why this one may not be made.
fn refused(door: &Door, new: &NewToken, caller: &Caller) -> Option<ApiError> {
    let error = |code, what: String, next: &str| Some(ApiError::new(code, what, next));
    let asked = new.grant.permissions();
    let beyond: Vec<&Permission> = asked.difference(&caller.may).collect();
    if asked.is_empty() {
        return error(ErrorCode::Invalid, "a token without a permission opens nothing".to_owned(), "");
    }
    if !beyond.is_empty() {
        let what = format!("{caller} may not give what it may not do: {}", words(beyond));
        return error(ErrorCode::Forbidden, what, "ask for less, or as somebody who may");
    }
    if door.tokens.get(&new.name).is_some() {
        let what = format!("there is a token {} already", new.name);
        return error(
            ErrorCode::Conflict,
            what,
            &format!("another name, or first: seawall token revoke {}", new.name),
        );
    }
    if door.tokens.len() >= MOST {
        let what = format!("there are {MOST} tokens already, and there can be no more");
        return error(ErrorCode::Conflict, what, "seawall token list shows which are over; revoke some");
    }
    None
}

/// `millis`: until another one may be tried.
pub(super) fn too_often(millis: u64) -> ApiError {
    let what = "too many tokens that open nothing were tried from here, or in all";
    let next = format!("try again in {} s", millis.div_ceil(1_000));
    ApiError::new(ErrorCode::TooManyRequests, what, next)
}

fn no_token(name: &Name) -> ApiError {
    ApiError::new(ErrorCode::NotFound, format!("there is no token {name}"), "seawall token list")
}

impl Operator {
    pub(in crate::control) async fn do_create_token(&self, new: NewToken) -> Result<IssuedToken> {
        self.must_run("token create")?;
        let now = this_second();
        let expires = expiry(&new.expires, now).map_err(|why| ApiError::new(ErrorCode::Invalid, why, ""))?;
        let _alone = self.access.writing.lock().await;
        let key = tokens::key(&new.name);
        let refused = refused(&self.access.door(), &new, &self.caller());
        if let Some(error) = refused {
            return Err(error);
        }
        // One that cannot be read, or whose end is not on the disk yet.
        if self.tools.store.get(&key).map_err(|e| store_failed(&e))?.is_some() {
            let what = format!("there is a record of a token {} still", new.name);
            return Err(ApiError::new(
                ErrorCode::Conflict,
                what,
                format!("seawall token revoke {}", new.name),
            ));
        }
        let secret = token();
        let token = Token {
            name: new.name,
            grant: new.grant,
            hash: TokenHash::of(&secret),
            created: now,
            expires,
            last_used: None,
            last_from: None,
        };
        let until = token.expires.map_or_else(|| "for ever".to_owned(), |at| format!("until {at}"));
        let note = Note::normal("TokenCreated", format!("{}, {until}", token.grant));
        self.answers_for_named(&key, None, note, Saving::Durable).await?;
        let body = json(&token).map_err(|e| store_failed(&e))?;
        self.tools.store.commit(vec![Change::put(key, body)]).await.map_err(|e| store_failed(&e))?;
        let view = token.view(now);
        let mut door = self.access.door();
        door.written.remove(&token.name);
        door.tokens.put(token);
        Ok(IssuedToken { token: secret.expose_secret().to_owned(), view })
    }

    pub(in crate::control) fn token_views(&self) -> Vec<TokenView> {
        let now = this_second();
        self.access.door().tokens.all().map(|token| token.view(now)).collect()
    }

    /// From this call on it opens nothing, whether that can be written or not.
    pub(in crate::control) async fn do_revoke_token(&self, name: &Name) -> Result<Done> {
        self.must_run("token revoke")?;
        let known = {
            let mut door = self.access.door();
            door.written.remove(name);
            door.tokens.remove(name).is_some()
        };
        let key = tokens::key(name);
        let _alone = self.access.writing.lock().await;
        let there = known || self.tools.store.get(&key).map_err(|e| store_failed(&e))?.is_some();
        if !there {
            return Err(no_token(name));
        }
        self.tools.store.commit(vec![Change::delete(&key)]).await.map_err(|error| {
            let what = format!(
                "{name} opens nothing as long as this operator runs, but that is not on the disk: {error}"
            );
            ApiError::new(ErrorCode::Internal, what, "free space or repair the disk, then say it again")
        })?;
        self.answered_for_named(&key, None, Note::normal("TokenRevoked", "it opens nothing any more")).await;
        Ok(Done {
            message: format!("token {name} is revoked: it opens nothing any more"),
            commit: String::new(),
        })
    }

    /// Last uses are worth little: what cannot be written waits.
    async fn write_use(&self, name: &Name) {
        let _alone = self.access.writing.lock().await;
        let token = self.access.door().tokens.get(name).cloned();
        let Some(body) = token.and_then(|token| serde_json::to_value(token).ok()) else { return };
        let put = Change::put(tokens::key(name), body);
        if let Err(error) = self.tools.store.save(vec![put], Saving::MayWait).await {
            tracing::warn!(%name, %error, "when this token was used will not be written");
        }
    }
}

#[async_trait]
impl Gatekeeper for Operator {
    async fn admit(&self, token: &Secret, from: IpAddr) -> Result<Caller> {
        let hash = TokenHash::of(token);
        let admission = self.access.door().admit(&hash, from, self.clock(), this_second());
        match admission {
            Admission::In { caller, write } => {
                if let (true, Some(me), Ok(name)) = (write, self.me(), Name::parse(&caller.name)) {
                    tokio::spawn(async move { me.write_use(&name).await });
                }
                Ok(caller)
            }
            Admission::Out { who } => {
                let (who, detail) = match who {
                    Some(name) => (name.to_string(), "the token is over"),
                    None => ("unknown".to_owned(), "a token that opens nothing"),
                };
                if let Some(me) = self.me() {
                    tokio::spawn(async move { me.login_failed(Source::of(from), &who, detail).await });
                }
                let what = "this token opens nothing: it is unknown, expired or revoked";
                let next = "seawall token create, on the machine of the operator, makes one";
                Err(ApiError::new(ErrorCode::Unauthenticated, what, next))
            }
            Admission::Wait(millis) => Err(too_often(millis)),
        }
    }

    async fn redeem(&self, link: &Secret, from: IpAddr) -> Result<Caller> {
        self.do_redeem(link, from).await
    }

    fn still(&self, name: &str, token: &TokenHash) -> bool {
        let Ok(name) = Name::parse(name) else { return false };
        let door = self.access.door();
        door.tokens.get(&name).is_some_and(|known| known.hash.is(token) && !known.is_over(this_second()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Access;
    use super::*;
    use crate::core::access::{Grant, Role};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn door(all: &[(&str, &Secret, Option<i64>)]) -> Door {
        let access = Access::default();
        for (name, secret, expires) in all {
            let token = Token {
                name: Name::parse(name).unwrap(),
                grant: Grant::Role(Role::Operator),
                hash: TokenHash::of(secret),
                created: at(0),
                expires: expires.map(at),
                last_used: None,
                last_from: None,
            };
            access.door().tokens.put(token);
        }
        access.door.into_inner().unwrap()
    }

    #[test]
    fn whoever_shows_a_token_is_in_out_or_waits() {
        let (right, over, unknown) = (token(), token(), token());
        let mut door = door(&[("right", &right, None), ("over", &over, Some(50))]);
        let mut admit = |secret: &Secret, from: &str, clock: u64| {
            let outcome = door.admit(&TokenHash::of(secret), from.parse().unwrap(), clock, at(100));
            match outcome {
                Admission::In { caller, write } => {
                    assert_eq!(caller.may, Role::Operator.permissions());
                    format!("{caller} {write}")
                }
                Admission::Out { who } => format!("out {}", who.map_or("-".to_owned(), |n| n.to_string())),
                Admission::Wait(millis) => format!("wait {millis}"),
            }
        };
        for (secret, from, clock, want) in [
            (&right, "10.0.0.1", 0, "right from 10.0.0.1 true"),
            // Once a minute is often enough.
            (&right, "::ffff:10.0.0.2", 59_999, "right from 10.0.0.2 false"),
            (&right, "10.0.0.1", 60_000, "right from 10.0.0.1 true"),
            (&over, "10.0.0.1", 60_000, "out over"),
            (&unknown, "10.0.0.1", 60_000, "out -"),
        ] {
            assert_eq!(admit(secret, from, clock), want);
        }
        for _ in 0..8 {
            assert_eq!(admit(&unknown, "10.0.0.1", 60_000), "out -");
        }
        // Also the right one: else it could be told that it is.
        assert_eq!(admit(&right, "10.0.0.1", 60_000), "wait 6000");
        assert_eq!(admit(&right, "10.0.0.2", 60_000), "right from 10.0.0.2 false");
        assert_eq!(admit(&right, "10.0.0.1", 66_000), "right from 10.0.0.1 false");
    }

    #[test]
    fn nobody_gives_more_than_he_has_and_no_name_twice() {
        let secret = token();
        let door = door(&[("there", &secret, None)]);
        let new = |name: &str, grant: Grant| NewToken {
            name: Name::parse(name).unwrap(),
            grant,
            expires: "never".to_owned(),
        };
        let manager = Caller {
            name: "m".to_owned(),
            may: [Permission::SettingsManage, Permission::ExternalServicesRead, Permission::BackupsRead]
                .into(),
            from: None,
        };
        let some = |permission| Grant::Permissions([permission].into());
        for (name, grant, caller, want) in [
            ("new", Grant::Role(Role::Admin), Caller::socket(), None),
            ("there", Grant::Role(Role::Viewer), Caller::socket(), Some(ErrorCode::Conflict)),
            ("new", Grant::Permissions([].into()), Caller::socket(), Some(ErrorCode::Invalid)),
            ("new", Grant::Role(Role::Viewer), manager.clone(), None),
            ("new", some(Permission::SettingsManage), manager.clone(), None),
            ("new", some(Permission::SecretsReveal), manager.clone(), Some(ErrorCode::Forbidden)),
            ("new", Grant::Role(Role::Admin), manager, Some(ErrorCode::Forbidden)),
        ] {
            let got = refused(&door, &new(name, grant.clone()), &caller).map(|error| error.code);
            assert_eq!(got, want, "{name} {grant} by {caller}");
        }
    }

    #[test]
    fn there_are_no_more_than_so_many() {
        let secrets: Vec<(String, Secret)> = (0..MOST).map(|n| (format!("t{n}"), token())).collect();
        let all: Vec<_> = secrets.iter().map(|(name, secret)| (name.as_str(), secret, None)).collect();
        let new = NewToken {
            name: Name::parse("one-more").unwrap(),
            grant: Grant::Role(Role::Viewer),
            expires: "never".to_owned(),
        };
        let error = refused(&door(&all), &new, &Caller::socket()).unwrap();
        assert!(error.what.contains("1000 tokens"), "{error}");
        assert_eq!(refused(&door(&all[1..]), &new, &Caller::socket()), None);
    }
}
