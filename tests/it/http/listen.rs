//! Over TCP: every route with every sort of caller, what strangers can cost, pages of other sites, TLS.

use super::{Answer, ask};
use crate::cli::fake::{Fake, PASSWORD, main_view, view};
use async_trait::async_trait;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use seawall::control::api::{ApiError, ErrorCode, Gatekeeper, ManagedBy, Result};
use seawall::core::access::{Caller, Permission};
use seawall::http::listen::{Listen, serve};
use seawall::http::{permissions, tls};
use seawall::secrets::{ExposeSecret, Secret, TokenHash};
use serde_json::json;
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;

/// A token names what its owner may, with `+` between.
pub struct Keeper;

#[async_trait]
impl Gatekeeper for Keeper {
    async fn admit(&self, token: &Secret, from: IpAddr) -> Result<Caller> {
        let token = token.expose_secret();
        let may: std::result::Result<BTreeSet<Permission>, _> = token.split('+').map(str::parse).collect();
        match may {
            Ok(may) => Ok(Caller { name: "ci".into(), may, from: Some(from) }),
            Err(_) => Err(ApiError::new(ErrorCode::Unauthenticated, "the token opens nothing", "")),
        }
    }

    fn still(&self, _: &str, _: &TokenHash) -> bool {
        true
    }
}

pub struct Server {
    pub at: SocketAddr,
    cancel: CancellationToken,
    served: JoinHandle<()>,
}

pub async fn start(fake: &Fake, tls: Option<Arc<rustls::ServerConfig>>, behind_proxy: bool) -> Server {
    serve_with(fake, Arc::new(Keeper), tls, behind_proxy).await
}

/// The same with who knows the tokens.
pub async fn start_kept(fake: &Fake, keeper: Arc<dyn Gatekeeper>, behind_proxy: bool) -> Server {
    serve_with(fake, keeper, None, behind_proxy).await
}

async fn serve_with(
    fake: &Fake,
    keeper: Arc<dyn Gatekeeper>,
    tls: Option<Arc<rustls::ServerConfig>>,
    behind_proxy: bool,
) -> Server {
    let cancel = CancellationToken::new();
    let (heard, at) = oneshot::channel();
    let heard = std::sync::Mutex::new(Some(heard));
    let (api, stop) = (Arc::new(fake.clone()), cancel.clone());
    let (address, pages) = ("127.0.0.1:0".parse().unwrap(), axum::Router::new());
    let listen = Listen { address, tls, behind_proxy, pages };
    let served = tokio::spawn(async move {
        serve(api, keeper, listen, stop, |at| {
            heard.lock().unwrap().take().unwrap().send(at).unwrap();
        })
        .await;
    });
    Server { at: at.await.unwrap().unwrap(), cancel, served }
}

impl Server {
    pub async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.at).await.unwrap()
    }

    pub async fn ask(&self, line: &str, token: &str, head: &str, body: &str) -> Answer {
        let token =
            if token.is_empty() { String::new() } else { format!("authorization: Bearer {token}\r\n") };
        ask(self.connect().await, line, &(token + head), body).await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

const MAIN: &str =
    "{\"apiVersion\":\"seawall.dev/v1\",\"kind\":\"Postgres\",\"metadata\":{\"name\":\"main\"}}";

/// A request that this route takes.
pub fn request(path: &str, method: &str) -> (String, &'static str) {
    request_of(path, method, "main", "1")
}

/// The same of another object.
pub fn request_of(path: &str, method: &str, name: &str, id: &str) -> (String, &'static str) {
    let path = path.replace("{kind}", "postgres").replace("{verb}", "ps").replace("{id}", id);
    let path = path.replace("{name}", name).replace("{slug}", name);
    if path.starts_with("/api/") {
        return service_request(&path, method);
    }
    if matches!(method, "PUT" | "PATCH") || (method == "POST" && path.ends_with("/postgres")) {
        return (path, MAIN);
    }
    let (query, body) = match path.rsplit('/').next().unwrap() {
        "history" => ("?since=60", ""),
        "environment" => ("?environment=production", ""),
        "rename" => ("", "{\"to\":\"postgres/new\"}"),
        "prune" => ("", "{\"confirm\":\"main\"}"),
        "kill" => ("", "{\"session\":1}"),
        "tokens" => ("", "{\"name\":\"ci\",\"role\":\"viewer\"}"),
        _ => ("", ""),
    };
    (format!("{path}{query}"), body)
}

/// The same of the service API.
fn service_request(path: &str, method: &str) -> (String, &'static str) {
    let filled = [
        ("{project_id}", "2"),
        ("{member_id}", "1"),
        ("{service_type}", "postgres"),
        ("{var_name}", "POSTGRES_HOST"),
    ];
    let filled = filled.iter().fold(path.to_owned(), |path, (name, value)| path.replace(name, value));
    let body = match (method, path.rsplit('/').next().unwrap()) {
        ("POST", "external-services") => {
            "{\"name\":\"main\",\"service_type\":\"postgres\",\"parameters\":{\"database\":\"a\",\"username\":\"b\",\"password\":\"secret123\"}}"
        }
        ("POST", "projects") => "{\"project_id\":2}",
        (_, "upgrade") => "{\"version\":\"17\"}",
        ("PATCH", "resources") => "{\"memory_mb\":512}",
        _ => "",
    };
    (filled, body)
}

/// A service, a project and what ties them together.
pub fn with_services() -> Fake {
    Fake::with(|w| {
        let mut main = main_view();
        main.metadata.id = 1;
        main.metadata.managed_by = Some(ManagedBy::Api);
        main.spec = json!({"version": "18", "username": "appuser", "password": {"valueFrom": {"sealed": "x"}},
            "resources": {"memory": "512Mi"}});
        main.status["walHealth"] = json!({"pg_wal_bytes": 1});
        let mut shop = view("shop", "True", "LinksReady", "");
        shop.kind = "Project".into();
        shop.metadata.id = 2;
        shop.spec = json!({"environments": {"production": {}}});
        let mut tie = view("shop-production-main", "True", "LoginSucceeded", "");
        tie.kind = "Link".into();
        tie.metadata.id = 3;
        tie.metadata.managed_by = Some(ManagedBy::Api);
        tie.spec = json!({"service": "postgres/main", "project": "shop", "environment": "production"});
        tie.status["database"] = "shop_production".into();
        w.list.items = vec![main, shop, tie];
    })
}

fn without(needs: Permission) -> String {
    let others = Permission::ALL.iter().filter(|other| **other != needs).map(|other| other.as_str());
    others.collect::<Vec<_>>().join("+")
}

#[tokio::test]
async fn every_route_lets_in_whom_it_should_and_nobody_else() {
    let fake = with_services();
    let server = start(&fake, None, false).await;
    let all = permissions();
    assert!(all.len() > 50, "{all:?}");
    let none = super::catalog::not_offered();
    for (method, of, needs) in all {
        let (path, body) = request(of, method.as_str());
        let line = format!("{method} {path}");
        for (token, status, code) in [
            (String::new(), 401, "Unauthenticated"),
            ("wrong".to_owned(), 401, "Unauthenticated"),
            (without(needs), 403, "Forbidden"),
        ] {
            let answer = server.ask(&line, &token, "", body).await;
            assert_eq!((answer.status, answer.body["code"].as_str()), (status, Some(code)), "{line} {token}");
            assert!(answer.head.contains("application/problem+json"), "{answer:?}");
            assert!(token.is_empty() || !answer.body.to_string().contains(&token), "{answer:?}");
            assert_eq!(fake.calls(), Vec::<String>::new(), "{line} {token}");
        }
        // What some need besides has a row of its own below.
        let enough = format!("{needs}+ExternalServicesCreate+ExternalServicesDelete");
        let answer = server.ask(&line, &enough, "", body).await;
        let good: &[u16] =
            if none.contains(&(method.to_string(), of.to_owned())) { &[404] } else { &[200, 201] };
        assert!(good.contains(&answer.status), "{line}: {answer:?}");
        fake.change(|w| w.calls.clear());
    }
    // Nothing is told of what there is to somebody whom nobody knows.
    for line in ["GET /nothing", "PUT /v1/keys", "GET /apis/seawall.dev/v1/nothing/x", "OPTIONS /v1/keys"] {
        assert_eq!(server.ask(line, "", "", "").await.status, 401, "{line}");
    }
    let basic = ask(server.connect().await, "GET /v1/healthz", "authorization: Basic YTpi\r\n", "").await;
    assert_eq!(basic.status, 401);
}

#[tokio::test]
async fn some_questions_need_more_than_their_route() {
    let fake = with_services();
    let server = start(&fake, None, false).await;
    use Permission::{ExternalServicesDelete, ExternalServicesRead, ExternalServicesWrite, SecretsReveal};
    let main = "/apis/seawall.dev/v1/postgres/main";
    let tied = "/api/external-services/1/projects/2/environment";
    for (line, body, needs, too) in [
        (format!("GET {main}/connection?reveal=true"), "", ExternalServicesRead, SecretsReveal),
        (
            format!("GET {main}/environment?environment=a&reveal=true"),
            "",
            ExternalServicesRead,
            SecretsReveal,
        ),
        (format!("POST {main}/reinitialise"), "", ExternalServicesWrite, ExternalServicesDelete),
        ("GET /api/external-services/1?reveal=true".to_owned(), "", ExternalServicesRead, SecretsReveal),
        (format!("GET {tied}?reveal=true"), "", ExternalServicesRead, SecretsReveal),
        (format!("GET {tied}/POSTGRES_PASSWORD?reveal=true"), "", ExternalServicesRead, SecretsReveal),
        (
            "GET /api/external-services/projects/2/environment?reveal=true".to_owned(),
            "",
            ExternalServicesRead,
            SecretsReveal,
        ),
        ("POST /v1/plan".to_owned(), "{\"files\":{}}", ExternalServicesRead, ExternalServicesWrite),
    ] {
        for token in [needs, too] {
            let answer = server.ask(&line, token.as_str(), "", body).await;
            assert_eq!(answer.status, 403, "{line} {token}: {answer:?}");
            assert!(!answer.body.to_string().contains(PASSWORD), "{answer:?}");
        }
        assert_eq!(fake.calls(), Vec::<String>::new(), "{line}");
        let answer = server.ask(&line, &format!("{needs}+{too}"), "", body).await;
        assert_eq!(answer.status, 200, "{line}: {answer:?}");
        assert_eq!(answer.body.to_string().contains(PASSWORD), too == SecretsReveal, "{line}");
        fake.change(|w| w.calls.clear());
    }
}

#[tokio::test]
async fn who_may_not_make_an_object_replaces_one() {
    let fake = with_services();
    fake.change(|w| w.applied.object = "postgres/main".into());
    let server = start(&fake, None, false).await;
    for (token, update) in
        [("ExternalServicesWrite", true), ("ExternalServicesWrite+ExternalServicesCreate", false)]
    {
        let answer = server.ask("PUT /apis/seawall.dev/v1/postgres/main", token, "", MAIN).await;
        assert_eq!((answer.status, &answer.body["metadata"]["name"]), (200, &json!("main")), "{answer:?}");
        let asked = format!("update: {update}");
        let calls = fake.calls();
        assert!(calls.iter().any(|call| call.starts_with("apply") && call.contains(&asked)), "{calls:?}");
        fake.change(|w| w.calls.clear());
    }
}

#[tokio::test]
async fn pages_of_other_sites_are_refused() {
    let fake = Fake::default();
    let (server, proxied) = (start(&fake, None, false).await, start(&fake, None, true).await);
    let token = "ExternalServicesRead";
    for (head, status, behind_proxy) in [
        ("", 200, 200),
        ("host: evil.example\r\n", 403, 200),
        ("host: localhost\r\norigin: https://evil.example\r\n", 403, 403),
        ("host: db.example\r\norigin: https://db.example\r\n", 403, 200),
        ("host: localhost\r\norigin: null\r\n", 403, 403),
        ("host: localhost\r\norigin: http://localhost\r\n", 200, 200),
    ] {
        assert_eq!(server.ask("POST /v1/plan", token, head, "").await.status, status, "{head}");
        assert_eq!(proxied.ask("POST /v1/plan", token, head, "").await.status, behind_proxy, "{head}");
    }
    let read =
        server.ask("GET /v1/healthz", token, "host: localhost\r\norigin: https://evil.example\r\n", "");
    assert_eq!(read.await.status, 200, "no page can read the answer");
}

#[tokio::test]
async fn a_body_is_a_mebibyte_at_most() {
    let server = start(&Fake::default(), None, false).await;
    let token = "ExternalServicesRead+ExternalServicesWrite";
    for (size, status) in [(1 << 20, 200), ((1 << 20) + 1, 413)] {
        let frame = "{\"files\":{\"a\":\"\"}}";
        let body = frame.replace("\"\"", &format!("\"{}\"", "x".repeat(size - frame.len())));
        assert_eq!(body.len(), size);
        assert_eq!(server.ask("POST /v1/plan", token, "", &body).await.status, status);
    }
    let head = format!("x-a: {}\r\n", "x".repeat(64 << 10));
    let answer = server.ask("GET /v1/healthz", token, &head, "").await;
    assert!([0, 431].contains(&answer.status), "{answer:?}");
}

/// What comes until the other side ends it; time jumps until then.
async fn to_the_end(mut stream: TcpStream) -> (Vec<u8>, Duration) {
    let begin = Instant::now();
    let mut all = Vec::new();
    let _ = timeout(Duration::from_secs(600), stream.read_to_end(&mut all)).await.expect("it never ends");
    (all, begin.elapsed())
}

#[tokio::test(start_paused = true)]
async fn who_is_slow_is_cut_off() {
    let fake = Fake::default();
    let server = start(&fake, None, false).await;
    let seconds = Duration::from_secs;
    for (says, least, most, answer) in [
        ("", 10, 11, ""),
        ("GET /v1/healthz HTTP/1.1\r\nhost: lo", 10, 11, ""),
        (
            "POST /v1/plan HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ExternalServicesRead\r\ncontent-length: 9\r\n\r\n{",
            120,
            140,
            "HTTP/1.1 503",
        ),
        // Another request may come on the same connection.
        ("GET /v1/healthz HTTP/1.1\r\nhost: localhost\r\n\r\n", 10, 11, "HTTP/1.1 401"),
    ] {
        let mut stream = server.connect().await;
        stream.write_all(says.as_bytes()).await.unwrap();
        let (all, took) = to_the_end(stream).await;
        assert!(String::from_utf8_lossy(&all).starts_with(answer), "{says}: {all:?}");
        assert!(took >= seconds(least) && took < seconds(most), "{says}: {took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_does_not_read_the_answer_is_cut_off() {
    // More than the buffers between the two hold.
    let size = 64 << 20;
    let fake = Fake::with(|w| w.list.guard = Some("x".repeat(size)));
    let server = start(&fake, None, false).await;
    let mut stream = server.connect().await;
    let request = "GET /apis/seawall.dev/v1/all HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ExternalServicesRead\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    sleep(Duration::from_secs(120)).await;
    let (all, _) = to_the_end(stream).await;
    assert!(all.starts_with(b"HTTP/1.1 200") && all.len() < size, "{}", all.len());
}

#[tokio::test(start_paused = true)]
async fn connections_are_bounded_and_idle_ones_make_room() {
    let server = start(&Fake::default(), None, false).await;
    let mut idle = Vec::new();
    for _ in 0..300 {
        idle.push(server.connect().await);
    }
    let begin = Instant::now();
    let answer = server.ask("GET /v1/healthz", "ExternalServicesRead", "", "").await;
    assert_eq!(answer.status, 200);
    assert!(begin.elapsed() >= Duration::from_secs(10), "{:?}", begin.elapsed());
}

#[tokio::test]
async fn a_leaving_server_lets_nobody_wait() {
    let fake = Fake::with(|w| w.hang = true);
    let mut server = start(&fake, None, false).await;
    let (idle, hangs) = (server.connect().await, server.connect().await);
    let asked = tokio::spawn(ask(hangs, "GET /v1/top", "authorization: Bearer ExternalServicesRead\r\n", ""));
    while fake.calls().is_empty() {
        sleep(Duration::from_millis(5)).await;
    }
    let begin = std::time::Instant::now();
    server.cancel.cancel();
    (&mut server.served).await.unwrap();
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    assert_eq!(asked.await.unwrap().status, 503);
    assert_eq!(to_the_end(idle).await.0, b"");
    assert!(begin.elapsed() < Duration::from_secs(6), "{:?}", begin.elapsed());
}

pub fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/kinds/notifier/client").join(name)
}

#[tokio::test]
async fn with_a_certificate_nothing_goes_in_the_clear() {
    let config = tls::server_config(&file("server.pem"), &file("server.key")).unwrap();
    let server = start(&Fake::default(), Some(config), false).await;
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(file("ca.pem")).unwrap()).unwrap();
    let client = ClientConfig::builder_with_provider(Arc::new(default_provider()));
    let client = client.with_safe_default_protocol_versions().unwrap();
    let client = client.with_root_certificates(roots).with_no_client_auth();
    let name = "localhost".try_into().unwrap();
    let stream = TlsConnector::from(Arc::new(client)).connect(name, server.connect().await).await.unwrap();
    // By any name: the certificate says whose it is.
    let head = "host: db.example\r\nauthorization: Bearer ExternalServicesRead\r\n";
    assert_eq!(ask(stream, "GET /v1/healthz", head, "").await.status, 200);
    let plain = server.ask("GET /v1/healthz", "ExternalServicesRead", "", "").await;
    assert_eq!(plain.status, 0, "{plain:?}");
}

#[test]
fn files_that_are_no_certificate_are_told_without_what_is_in_them() {
    for (certificate, key, says) in [
        ("gone.pem", "server.key", "gone.pem cannot be read"),
        ("server.pem", "gone.key", "gone.key cannot be read"),
        ("server.key", "server.key", "server.key holds no certificate in PEM"),
        ("server.pem", "server.pem", "server.pem holds no private key in PEM"),
        ("ca.pem", "server.key", "are of no use together"),
    ] {
        let error = tls::server_config(&file(certificate), &file(key)).unwrap_err().to_string();
        assert!(error.contains(says) && !error.contains("BEGIN"), "{error}");
    }
}
