//! Messages to real servers on this machine: good ones, such that fail, hang, lead elsewhere or are not whom they say.

use super::*;
use crate::kinds::notifier::message::Message;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

const AUTHORITY: &[u8] = include_bytes!("ca.pem");
const CERTIFICATE: &[u8] = include_bytes!("server.pem");
const KEY: &[u8] = include_bytes!("server.key");

fn message() -> Message {
    Message { content_type: "text/plain", headers: vec![("Title", "t".to_owned())], body: "hello".to_owned() }
}

/// Reads a request with the body `hello`, and answers.
async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, answer: &str) -> String {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\nhello") {
        let mut part = [0; 1024];
        let read = stream.read(&mut part).await.unwrap();
        assert!(read > 0, "{}", String::from_utf8_lossy(&request));
        request.extend_from_slice(&part[..read]);
    }
    stream.write_all(answer.as_bytes()).await.unwrap();
    stream.shutdown().await.ok();
    String::from_utf8(request).unwrap()
}

async fn listening() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

async fn server(answer: &'static str) -> (u16, JoinHandle<String>) {
    let (listener, port) = listening().await;
    let served = tokio::spawn(async move { serve(listener.accept().await.unwrap().0, answer).await });
    (port, served)
}

async fn post(url: &str, http: &Http) -> Result<(), PostError> {
    http.post(&Target::parse(url).unwrap(), &message()).await
}

const OK: &str = "HTTP/1.1 204 No Content\r\n\r\n";

#[tokio::test]
async fn a_message_arrives_with_its_headers_and_login() {
    let (port, served) = server(OK).await;
    post(&format!("http://me:pw@127.0.0.1:{port}/hook/secret?a=b"), &Http::default()).await.unwrap();
    let request = served.await.unwrap().to_lowercase();
    assert!(request.starts_with("post /hook/secret?a=b http/1.1\r\n"), "{request}");
    for line in ["title: t\r\n", "authorization: basic bwu6chc=\r\n", "content-length: 5\r\n"] {
        assert!(request.contains(line), "{request}");
    }
}

#[tokio::test]
async fn whatever_is_no_success_is_an_error_that_shows_no_secret() {
    let rows = [
        ("HTTP/1.1 500 Internal Server Error\r\ncontent-length: 6\r\n\r\nsecret", "answered 500"),
        ("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n", "answered 403"),
        (
            "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/secret\r\ncontent-length: 0\r\n\r\n",
            "answered 302",
        ),
        ("secret\r\n\r\n", "does not take it"),
        ("", "does not take it"),
    ];
    for (answer, says) in rows {
        let (port, served) = server(answer).await;
        let error = post(&format!("http://127.0.0.1:{port}/secret"), &Http::default()).await.unwrap_err();
        let words = error.to_string();
        assert!(words.contains(says) && !words.contains("secret"), "{answer:?}: {words}");
        served.await.unwrap();
    }
}

#[tokio::test]
async fn nobody_there_is_said() {
    let (listener, port) = listening().await;
    drop(listener);
    let error = post(&format!("http://127.0.0.1:{port}/secret"), &Http::default()).await.unwrap_err();
    assert!(error.to_string().contains("refused") && !error.to_string().contains("secret"), "{error}");
}

/// On a clock that jumps once nothing else is left to do.
#[tokio::test(start_paused = true)]
async fn a_server_that_hangs_is_given_up() {
    let (listener, port) = listening().await;
    let error = post(&format!("http://127.0.0.1:{port}/secret"), &Http::default()).await.unwrap_err();
    assert!(matches!(error, PostError::Slow { .. }), "{error}");
    drop(listener);
}

async fn tls_server() -> (u16, JoinHandle<Option<String>>) {
    let certificate = CertificateDer::from_pem_slice(CERTIFICATE).unwrap();
    let key = PrivateKeyDer::from_pem_slice(KEY).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let (listener, port) = listening().await;
    let served = tokio::spawn(async move {
        let stream = listener.accept().await.unwrap().0;
        let stream = TlsAcceptor::from(Arc::new(config)).accept(stream).await.ok()?;
        Some(serve(stream, OK).await)
    });
    (port, served)
}

#[tokio::test]
async fn over_tls_only_whom_an_authority_vouches_for_is_told() {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(AUTHORITY).unwrap()).unwrap();
    let known = Http { roots: Some(roots) };
    let (port, served) = tls_server().await;
    post(&format!("https://localhost:{port}/secret"), &known).await.unwrap();
    assert!(served.await.unwrap().is_some());
    // By a name that the certificate is not for, and by an authority that this host does not know.
    for (host, http) in [("127.0.0.2", known), ("localhost", Http::default())] {
        let (port, served) = tls_server().await;
        let port = if host == "localhost" { port } else { forwarded(host, port).await };
        let error = post(&format!("https://{host}:{port}/secret"), &http).await.unwrap_err();
        assert!(error.to_string().contains("certificate"), "{error}");
        assert!(served.await.unwrap().is_none(), "nothing was told");
    }
}

/// The same server under another address.
async fn forwarded(host: &'static str, port: u16) -> u16 {
    let listener = TcpListener::bind((host, 0)).await.unwrap();
    let other = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let mut from = listener.accept().await.unwrap().0;
        let mut to = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        tokio::io::copy_bidirectional(&mut from, &mut to).await.ok();
    });
    other
}
