//! Who may ask over TCP: whoever shows a token that opens something, and no web page of another site.
//!
//! It knows no tokens, and shows none: what it is given goes to the [`Gatekeeper`] and nowhere else.

use super::error::Failure;
use crate::control::api::{ErrorCode, Gatekeeper};
use crate::core::access::Caller;
use crate::secrets::{Secret, TokenHash};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{AUTHORIZATION, HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderName, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// Bytes of a token; ours are far shorter.
const MAX_TOKEN: usize = 512;

/// What stands before the routes of a listener.
pub struct Gate {
    pub keeper: Arc<dyn Gatekeeper>,
    /// Only names of this machine: a page of a site that gives its own name our address (DNS rebinding) asks by that name.
    pub only_local: bool,
    /// The proxy before us tells who asks.
    pub behind_proxy: bool,
}

/// Where a connection comes from.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// By what somebody was let in, for an answer that goes on after that.
#[derive(Clone)]
pub struct Standing {
    keeper: Arc<dyn Gatekeeper>,
    name: String,
    token: TokenHash,
}

impl Standing {
    /// Whether it would still let them in.
    pub fn holds(&self) -> bool {
        self.keeper.still(&self.name, &self.token)
    }
}

pub async fn admitted(State(gate): State<Arc<Gate>>, mut request: Request, next: Next) -> Response {
    match gate.caller(&mut request).await {
        Ok((caller, standing)) => {
            request.extensions_mut().insert(caller);
            request.extensions_mut().insert(standing);
            next.run(request).await
        }
        Err(failure) => failure.into_response(),
    }
}

/// Before pages, which know by themselves who is signed in: they are told where a request comes from.
pub async fn of_this_site(State(gate): State<Arc<Gate>>, mut request: Request, next: Next) -> Response {
    match gate.address(&request) {
        Ok(from) => {
            request.extensions_mut().insert(ConnectInfo(from));
            next.run(request).await
        }
        Err(failure) => failure.into_response(),
    }
}

impl Gate {
    async fn caller(&self, request: &mut Request) -> Result<(Caller, Standing), Failure> {
        let from = self.address(request)?;
        let token = token(request.headers()).ok_or_else(|| {
            let next = "send `Authorization: Bearer TOKEN`";
            Failure::new(ErrorCode::Unauthenticated, "there is no token in the request", next)
        })?;
        // Nothing behind this needs it, or could tell it.
        request.headers_mut().remove(AUTHORIZATION);
        let caller = self.keeper.admit(&token, from).await?;
        let (keeper, name) = (Arc::clone(&self.keeper), caller.name.clone());
        Ok((caller, Standing { keeper, name, token: TokenHash::of(&token) }))
    }

    /// Where a request comes from that no page of another site sends.
    fn address(&self, request: &Request) -> Result<IpAddr, Failure> {
        let peer = request.extensions().get::<Peer>().map(|Peer(address)| address.ip());
        let unknown = || Failure::new(ErrorCode::Internal, "the address of who asks is not known", "");
        let from = self.from(peer, request.headers()).ok_or_else(unknown)?;
        self.site(request.method(), request.headers())?;
        Ok(from)
    }

    fn from(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> Option<IpAddr> {
        // What stands before the last one is the client's word.
        let told = headers.get_all(FORWARDED_FOR).iter().next_back().filter(|_| self.behind_proxy);
        let last = told.and_then(|value| value.to_str().ok()?.rsplit(',').next()?.trim().parse().ok());
        last.or(peer)
    }

    fn site(&self, method: &Method, headers: &HeaderMap) -> Result<(), Failure> {
        let host = text(headers, &HOST).unwrap_or_default();
        if self.only_local && !is_local(host) {
            let next = "ask for 127.0.0.1 or localhost; behind a reverse proxy: seawall run --behind-proxy";
            return Err(Failure::new(
                ErrorCode::Forbidden,
                "the Host header is no name of this machine",
                next,
            ));
        }
        if method.is_safe() || !headers.contains_key(ORIGIN) {
            return Ok(());
        }
        let origin = text(headers, &ORIGIN).and_then(|origin| origin.split_once("://"));
        match origin {
            Some((_, site)) if site.eq_ignore_ascii_case(host) => Ok(()),
            _ => Err(Failure::new(ErrorCode::Forbidden, "the request comes from a page of another site", "")),
        }
    }
}

/// A header that is there once.
fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut all = headers.get_all(name).iter();
    let first = all.next()?.to_str().ok()?;
    all.next().is_none().then_some(first)
}

fn is_local(host: &str) -> bool {
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((inside, _)) => inside,
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost") || matches!(name, "127.0.0.1" | "::1")
}

fn token(headers: &HeaderMap) -> Option<Secret> {
    let (scheme, token) = text(headers, &AUTHORIZATION)?.split_once(' ')?;
    let token = token.trim();
    let fits = scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() && token.len() <= MAX_TOKEN;
    fits.then(|| Secret::from(token))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::ExposeSecret;
    use axum::http::HeaderValue;

    struct Nobody;

    #[async_trait::async_trait]
    impl Gatekeeper for Nobody {
        async fn admit(&self, _: &Secret, _: IpAddr) -> crate::control::api::Result<Caller> {
            Ok(Caller::socket())
        }

        fn still(&self, _: &str, _: &TokenHash) -> bool {
            true
        }
    }

    fn gate(only_local: bool, behind_proxy: bool) -> Gate {
        Gate { keeper: Arc::new(Nobody), only_local, behind_proxy }
    }

    fn headers(all: &[(HeaderName, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in all {
            headers.append(name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn a_page_of_another_site_is_refused() {
        let local = gate(true, false);
        for host in ["localhost", "LocalHost:7080", "127.0.0.1:7080", "[::1]:7080", "[::1]"] {
            assert!(local.site(&Method::GET, &headers(&[(HOST, host)])).is_ok(), "{host}");
        }
        for host in
            ["", "evil.example", "localhost.evil.example", "127.0.0.1.evil.example:7080", "[::2]", "10.0.0.1"]
        {
            assert!(local.site(&Method::GET, &headers(&[(HOST, host)])).is_err(), "{host}");
            assert!(gate(false, false).site(&Method::GET, &headers(&[(HOST, host)])).is_ok(), "{host}");
        }
        assert!(local.site(&Method::GET, &headers(&[(HOST, "localhost"), (HOST, "localhost")])).is_err());
        for (origin, same) in [
            ("http://localhost:7080", true),
            ("http://localhost:7081", false),
            ("https://evil.example", false),
            ("null", false),
        ] {
            let headers = headers(&[(HOST, "localhost:7080"), (ORIGIN, origin)]);
            assert_eq!(local.site(&Method::POST, &headers).is_ok(), same, "{origin}");
            assert!(local.site(&Method::GET, &headers).is_ok(), "{origin}");
        }
    }

    #[test]
    fn only_a_proxy_that_is_there_tells_who_asks() {
        let peer = Some([127, 0, 0, 1].into());
        let said = headers(&[(FORWARDED_FOR, "6.6.6.6"), (FORWARDED_FOR, "7.7.7.7, 10.1.2.3")]);
        assert_eq!(gate(false, true).from(peer, &said), Some([10, 1, 2, 3].into()));
        assert_eq!(gate(false, false).from(peer, &said), peer);
        assert_eq!(gate(false, true).from(peer, &headers(&[(FORWARDED_FOR, "x")])), peer);
    }

    #[test]
    fn a_token_is_there_once_and_a_bearers() {
        let of = |value| token(&headers(&[(AUTHORIZATION, value)])).map(|t| t.expose_secret().to_owned());
        assert_eq!(of("Bearer abc").as_deref(), Some("abc"));
        assert_eq!(of("bearer  abc ").as_deref(), Some("abc"));
        for wrong in ["", "abc", "Bearer", "Bearer ", "Basic abc"] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
        assert!(token(&headers(&[(AUTHORIZATION, "Bearer a"), (AUTHORIZATION, "Bearer b")])).is_none());
    }
}
