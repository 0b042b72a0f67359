//! The API over a real unix socket: every question, every kind of error, start and end.

use super::fake::*;
use futures_util::StreamExt;
use seawall::control::api::*;
use seawall::core::access::{Caller, Grant, Permission, Role};
use seawall::core::names::{Name, ObjectRef};
use seawall::core::plan::{PlanView, Sign, StepView};
use seawall::http::client::Client;
use seawall::http::server::{ServeError, serve};
use seawall::secrets::Algorithm;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio_util::sync::CancellationToken;

fn main_ref() -> ObjectRef {
    "postgres/main".parse().unwrap()
}

fn last(lines: u32, follow: bool) -> LogOptions {
    LogOptions { lines: Some(lines), follow, ..LogOptions::default() }
}

#[tokio::test]
async fn every_question_and_answer_survives_the_socket() {
    let fake = Fake::with(|w| {
        w.list.items = vec![main_view()];
        w.list.revision = 7;
        w.list.guard = Some("held".into());
        w.prune.confirm = "remove-3-of-4".into();
        w.top = used();
        let step = StepView { sign: Sign::Replace, action: "container".into(), cause: "image".into() };
        w.plan.plans =
            vec![PlanView { object: "postgres/main".into(), steps: vec![step], ..PlanView::default() }];
    });
    let place = Place::live(&fake).await;
    let client = Client::new(&place.socket());
    let main = main_ref();
    assert_eq!(client.operator().await, fake.operator().await);
    assert_eq!(client.objects().await, fake.objects().await);
    assert_eq!(client.object(&main).await, fake.object(&main).await);
    assert_eq!(client.events(Some(&main), 3).await, Ok(vec![]));
    assert_eq!(client.events(None, 4).await, Ok(vec![]));
    assert_eq!(client.top(None).await, fake.top(None).await);
    assert_eq!(client.top(Some(&main)).await, fake.top(Some(&main)).await);
    assert!(
        fake.calls().contains(&"top postgres/main".to_owned()) && fake.calls().contains(&"top ".to_owned())
    );
    assert_eq!(client.watch(6, 10_000).await, Ok(7));
    assert_eq!(client.watch(7, 10).await, Ok(7), "nothing new is no error");
    let files = BTreeMap::from([("a/b.yaml".to_owned(), "kind: \"x\"\n\u{1f40b}".to_owned())]);
    assert_eq!(client.plan_of(&main).await, fake.plan_of(&main).await);
    assert_eq!(client.plan(None).await, fake.plan(None).await);
    assert_eq!(client.plan(Some(files.clone())).await, fake.plan(Some(files.clone())).await);
    assert!(fake.calls().contains(&format!("plan {:?}", Some(files))));
    for operation in [Operation::Stop, Operation::Start, Operation::Restart, Operation::ReleasePort] {
        assert_eq!(client.operate(&main, operation).await, fake.operate(&main, operation).await);
        assert!(fake.calls().contains(&format!("{operation:?} postgres/main")));
    }
    let odd = "ma\"in & so on=1?#";
    assert_eq!(client.delete(&main, odd).await.unwrap().message, "postgres/main deleted");
    assert!(fake.calls().contains(&format!("delete postgres/main {odd}")));
    let document = "# \"&?\napiVersion: seawall.dev/v1\nkind: Postgres\nmetadata: {name: main}\n";
    for create in [true, false] {
        let version = Some("1.a".to_owned());
        let options =
            ApplyOptions { dry_run: true, create, resource_version: version, ..ApplyOptions::default() };
        assert_eq!(client.apply(document, &options).await, fake.apply(document, &options).await);
        assert!(fake.calls().contains(&format!("apply {options:?} {document}")), "{:?}", fake.calls());
    }
    let nobodys = client.apply(odd, &ApplyOptions::default()).await.unwrap_err();
    assert!(nobodys.what.contains("does not say which object"), "{nobodys}");
    let options = ApplyOptions { resource_version: Some("1.a".into()), ..ApplyOptions::default() };
    assert_eq!(client.patch(&main, odd, &options).await, fake.patch(&main, odd, &options).await);
    assert!(fake.calls().contains(&format!("patch postgres/main {options:?} {odd}")));
    assert_eq!(client.connection(&main, false).await.unwrap().password, None);
    assert_eq!(client.connection(&main, true).await.unwrap().password.as_deref(), Some(PASSWORD));
    let lines: Vec<_> = client.logs(&main, &last(3, true)).await.unwrap().take(3).collect().await;
    let cut = ApiError::new(ErrorCode::Unavailable, "the log ended early", "");
    assert_eq!(lines, [Ok("Some(3) line".to_owned()), Ok("\u{1f40b}".repeat(50_000)), Err(cut)]);
    assert!(fake.calls().contains(&"logs postgres/main true".to_owned()));
    assert_eq!(
        client.rename(&main, &"postgres/new".parse().unwrap()).await.unwrap().message,
        "postgres/main renamed"
    );
    assert!(fake.calls().contains(&"rename postgres/main postgres/new".to_owned()));
    assert_eq!(client.prune().await, fake.prune().await);
    assert_eq!(client.confirm_prune(odd).await.unwrap().message, "let go");
    assert_eq!(client.export().await, fake.export().await);
    fake.change(|w| w.keys.file = "/k".into());
    assert_eq!(client.keys().await, fake.keys().await);
    assert_eq!(client.public_key().await, fake.public_key().await);
    assert_eq!(client.verify_keys().await, fake.verify_keys().await);
    assert_eq!(client.rotate_keys(Some(Algorithm::XChaCha20Poly1305)).await.unwrap().message, "rotated");
    assert!(fake.calls().contains(&"rotate keys Some(XChaCha20Poly1305)".to_owned()));
    for grant in [Grant::Role(Role::Operator), Grant::Permissions([Permission::SecretsReveal].into())] {
        let new =
            NewToken { name: Name::parse("ci").unwrap(), grant, expires: "2999-01-01T00:00:00Z".to_owned() };
        let made = client.create_token(&new).await.unwrap();
        assert_eq!((made.token.as_str(), &made.view.grant), (TOKEN, &new.grant));
        assert!(fake.calls().contains(&format!("create token ci {} {}", new.grant, new.expires)));
        fake.change(|w| w.tokens.push(made.view));
    }
    assert_eq!(client.tokens().await, fake.tokens().await);
    assert_eq!(
        client.revoke_token(&Name::parse("ci").unwrap()).await.unwrap().message,
        "token ci is revoked"
    );
    assert_eq!(client.sign_in_link().await.unwrap().url, fake.sign_in_link().await.unwrap().url);
    fake.change(|w| w.audit = vec![AuditEntry { sequence: 7, ..AuditEntry::default() }]);
    assert_eq!(client.audit(6).await, fake.audit(6).await);
    assert_eq!(client.audit(7).await, Ok(vec![]));
}

#[tokio::test]
async fn who_asks_over_the_socket_is_the_user_at_its_other_end() {
    let rig = crate::machine::rig::Rig::start(&[("main", "{version: '18'}")]);
    rig.ready("main").await;
    let (socket, cancel) = (rig.data("seawall.sock"), CancellationToken::new());
    std::fs::create_dir_all(socket.parent().unwrap()).unwrap();
    let api: Arc<dyn Api> = rig.operator.clone();
    let serving = tokio::spawn({
        let (socket, cancel) = (socket.clone(), cancel.clone());
        async move { serve(api, &socket, cancel).await }
    });
    let client = Client::new(&socket);
    while !client.answers().await {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    client.connection(&main_ref(), true).await.unwrap();
    // Also what is done in a task of its own.
    let new = NewToken {
        name: Name::parse("ci").unwrap(),
        grant: Grant::Role(Role::Viewer),
        expires: "1h".to_owned(),
    };
    client.create_token(&new).await.unwrap();
    let me = Caller::user(rustix::process::geteuid().as_raw()).name;
    let told = client.audit(0).await.unwrap();
    let told: Vec<_> = told.iter().map(|e| (e.what.as_str(), e.who.as_str(), e.from.as_str())).collect();
    assert_eq!(told, [("PasswordRevealed", me.as_str(), "socket"), ("TokenCreated", me.as_str(), "socket")]);
    cancel.cancel();
    serving.await.unwrap().unwrap();
}

#[tokio::test]
async fn every_error_survives_with_its_words() {
    let fake = Fake::default();
    let place = Place::live(&fake).await;
    let client = Client::new(&place.socket());
    for (code, status, kind) in [
        (ErrorCode::NotFound, 404, "not-found"),
        (ErrorCode::Invalid, 400, "invalid"),
        (ErrorCode::Unauthenticated, 401, "unauthenticated"),
        (ErrorCode::Forbidden, 403, "forbidden"),
        (ErrorCode::TooManyRequests, 429, "too-many-requests"),
        (ErrorCode::Expired, 410, "expired"),
        (ErrorCode::Conflict, 409, "conflict"),
        (ErrorCode::Unavailable, 503, "unavailable"),
        (ErrorCode::Internal, 500, "internal"),
    ] {
        let error = ApiError::new(code, format!("what: {code:?}"), "do this");
        fake.change(|w| w.error = Some(error.clone()));
        assert_eq!(client.objects().await, Err(error.clone()));
        assert_eq!(client.export().await, Err(error.clone()));
        assert_eq!(client.plan(None).await, Err(error.clone()));
        assert_eq!(client.logs(&main_ref(), &LogOptions::default()).await.err(), Some(error));
        let answer = raw(&place.socket(), "GET /v1/operator?a=secret HTTP/1.1", "").await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let id = head.split_once("x-request-id: ").unwrap().1.lines().next().unwrap();
        let mut body: serde_json::Value = serde_json::from_str(body).unwrap();
        let title = body.as_object_mut().unwrap().remove("title").unwrap();
        assert!(!title.as_str().unwrap().is_empty() && head.contains("application/problem+json"), "{head}");
        assert_eq!(head.contains("www-authenticate: Bearer"), code == ErrorCode::Unauthenticated, "{head}");
        let want = serde_json::json!({
            "type": format!("urn:seawall:error:{kind}"), "status": status, "code": code,
            "detail": format!("what: {code:?}"), "next": "do this", "instance": "/v1/operator", "requestId": id,
        });
        assert_eq!(body, want);
    }
    fake.change(|w| w.error = None);
    let mut ids = Vec::new();
    for _ in 0..2 {
        let good = raw(&place.socket(), "GET /v1/healthz HTTP/1.1", "").await;
        ids.push(good.split_once("x-request-id: ").unwrap().1[..16].to_owned());
    }
    assert_ne!(ids[0], ids[1]);
}

/// What a client gets that is not ours.
async fn raw(socket: &Path, line: &str, body: &str) -> String {
    let mut stream = UnixStream::connect(socket).await.unwrap();
    let length = body.len();
    let head = format!("{line}\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    // The server may refuse a long body before it has read it.
    let _ = stream.write_all(body.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn what_is_not_understood_is_answered_in_words() {
    let place = Place::live(&Fake::default()).await;
    let long = format!("{{\"files\":{{\"a\":\"{}\"}}}}", "x".repeat(17 << 20));
    for (line, body, status, needle) in [
        ("GET /v1/nothing HTTP/1.1", "", "404", "there is nothing at /v1/nothing"),
        ("PUT /apis/seawall.dev/v1/all HTTP/1.1", "", "405", "/apis/seawall.dev/v1/all does not take PUT"),
        ("POST /apis/seawall.dev/v1/all HTTP/1.1", "", "404", "unknown kind"),
        ("PUT /v1/keys HTTP/1.1", "", "405", "urn:seawall:error:method-not-allowed"),
        ("GET /apis/seawall.dev/v1/nothing/x HTTP/1.1", "", "404", "unknown kind"),
        ("GET /apis/seawall.dev/v1/nothing HTTP/1.1", "", "404", "unknown kind"),
        ("GET /apis/seawall.dev/v1/postgres/X HTTP/1.1", "", "400", "not a DNS label"),
        ("GET /apis/seawall.dev/v1/pg/%FF HTTP/1.1", "", "400", "UTF-8"),
        ("GET /apis/seawall.dev/v1/pg/..%2Fa HTTP/1.1", "", "400", "not a DNS label"),
        ("GET /v1/top?object=main HTTP/1.1", "", "400", "expected KIND/NAME"),
        ("GET /apis/seawall.dev/v1/events?after=-1 HTTP/1.1", "", "400", "after"),
        ("GET /v1/watch?wait=1 HTTP/1.1", "", "400", "unknown field `wait`"),
        ("POST /v1/plan HTTP/1.1", "{", "400", "the body is not valid"),
        ("POST /v1/plan HTTP/1.1", "{\"file\":{}}", "400", "unknown field `file`"),
        ("POST /apis/seawall.dev/v1/postgres/x/explode HTTP/1.1", "", "404", "there is nothing at"),
        (
            "POST /apis/seawall.dev/v1/postgres/x/stop HTTP/1.1",
            "{\"operation\":\"explode\"}",
            "400",
            "unknown field `operation`",
        ),
        ("DELETE /apis/seawall.dev/v1/postgres/x?confim=x HTTP/1.1", "", "400", "unknown field `confim`"),
        ("PUT /apis/seawall.dev/v1/postgres/x?dryRun=Some HTTP/1.1", "", "400", "unknown variant `Some`"),
        ("POST /v1/plan HTTP/1.1", &long, "413", "larger than 16 MiB"),
    ] {
        let answer = raw(&place.socket(), line, body).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{line}: {answer}");
        assert!(answer.contains("\"code\":") && answer.contains(needle), "{line}: {answer}");
    }
    let health = raw(&place.socket(), "GET /v1/healthz HTTP/1.1", "").await;
    assert!(health.starts_with("HTTP/1.1 200 ") && health.ends_with("ok\n"), "{health}");
    let export = raw(&place.socket(), "GET /v1/export HTTP/1.1", "").await;
    assert!(
        export.contains("text/plain") && export.ends_with("{\"key\":\"a\"}\n{\"key\":\"b\"}\n"),
        "{export}"
    );
}

async fn serve_at(socket: &Path, cancel: &CancellationToken) -> Result<(), ServeError> {
    serve(Arc::new(Fake::default()), socket, cancel.clone()).await
}

#[tokio::test]
async fn the_socket_is_private_and_never_taken_away() {
    // Where serving would be wrong, it would also never end.
    let refused = async |socket: &Path| {
        let cancel = CancellationToken::new();
        let serving = tokio::time::timeout(Duration::from_secs(5), serve_at(socket, &cancel));
        serving.await.expect("it serves").expect_err("it served")
    };
    let place = Place::live(&Fake::default()).await;
    let socket = place.socket();
    assert_eq!(std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read_dir(place.dir.path()).unwrap().count(), 1, "nothing else is left");
    assert!(matches!(refused(&socket).await, ServeError::InUse(_)));
    assert!(Client::new(&socket).answers().await, "the first one still answers");
    let file = place.dir.path().join("file");
    std::fs::write(&file, "precious").unwrap();
    assert!(matches!(refused(&file).await, ServeError::NotASocket(_)));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "precious");
    let long = place.dir.path().join("x".repeat(120));
    let error = refused(&long).await;
    assert!(error.to_string().contains("unix sockets allow 107"), "{error}");
    assert!(matches!(refused(Path::new("/nonexistent/s")).await, ServeError::Listen { .. }));
}

#[tokio::test]
async fn the_longest_path_that_is_allowed_works() {
    let dir = tempfile::tempdir().unwrap();
    let room = 107 - dir.path().as_os_str().len() - "/".len() - "/seawall.sock".len();
    let deep = dir.path().join("d".repeat(room));
    std::fs::create_dir(&deep).unwrap();
    let socket = deep.join("seawall.sock");
    assert_eq!(socket.as_os_str().len(), 107);
    let cancel = CancellationToken::new();
    let (at, token) = (socket.clone(), cancel.clone());
    let server = tokio::spawn(async move { serve_at(&at, &token).await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(Client::new(&socket).answers().await);
    cancel.cancel();
    server.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_stale_socket_is_replaced_and_ours_removed_at_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("seawall.sock");
    drop(UnixListener::bind(&socket).unwrap());
    assert!(socket.exists() && !Client::new(&socket).answers().await);
    let cancel = CancellationToken::new();
    let (at, token) = (socket.clone(), cancel.clone());
    let server = tokio::spawn(async move { serve_at(&at, &token).await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(Client::new(&socket).answers().await);
    cancel.cancel();
    server.await.unwrap().unwrap();
    assert!(!socket.exists());
}

#[tokio::test]
async fn a_leaving_server_waits_for_nobody_long() {
    for hang in [false, true] {
        let fake = Fake::with(|w| w.hang = hang);
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("seawall.sock");
        let cancel = CancellationToken::new();
        let (at, token) = (socket.clone(), cancel.clone());
        let server = tokio::spawn(async move { serve(Arc::new(fake), &at, token).await });
        tokio::time::sleep(Duration::from_millis(50)).await;
        let client = Client::new(&socket);
        let asked = tokio::spawn(async move {
            if hang { client.objects().await.map(|_| 0) } else { client.watch(5, 30_000).await }
        });
        tokio::time::sleep(Duration::from_millis(50)).await;
        let begin = Instant::now();
        cancel.cancel();
        server.await.unwrap().unwrap();
        let answer = asked.await.unwrap();
        if hang {
            assert_eq!(answer.unwrap_err().code, ErrorCode::Unavailable);
            assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
        } else {
            assert_eq!(answer, Ok(5), "a watch ends as if nothing had changed");
            assert!(begin.elapsed() < Duration::from_secs(1), "{:?}", begin.elapsed());
        }
    }
}

#[tokio::test]
async fn a_socket_that_says_nothing_does_not_answer() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("s");
    let client = Client::new(&socket);
    assert!(!client.answers().await);
    let error = client.objects().await.unwrap_err();
    assert_eq!(error.code, ErrorCode::Unavailable);
    assert!(error.what.contains("no operator on") && error.next.contains("seawall run"), "{error:?}");
    // Accepts into its backlog and never reads.
    let _silent = UnixListener::bind(&socket).unwrap();
    let begin = Instant::now();
    assert!(!client.answers().await);
    assert!(begin.elapsed() < Duration::from_secs(4));
}
