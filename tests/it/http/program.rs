//! `seawall run --listen` as a program. No engine answers it; the API is served all the same.

use super::ask;
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;

const TOKEN: &str = "swt-a-token-that-nobody-may-see";

fn run(dir: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_seawall"));
    command
        .env_clear()
        .env("SEAWALL_LOG", "trace")
        .args(["--docker-host", "unix:///nowhere/docker.sock", "--data"])
        .arg(dir.join("data"))
        .args(["run", "--metrics-addr", "off", "--manifests", "m"])
        .args(words)
        .current_dir(dir)
        .stdin(Stdio::null());
    command
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn nobody_is_let_in_without_a_token_that_is_known_and_none_is_logged() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("m")).unwrap();
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap().to_string();
    drop(free);
    let log = fs::File::create(dir.path().join("log")).unwrap();
    let mut command = run(dir.path(), &["--listen", &address]);
    let _running = Running(command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap());
    let until = Instant::now() + Duration::from_secs(60);
    let stream = loop {
        match TcpStream::connect(&address).await {
            Ok(stream) => break stream,
            Err(error) => assert!(Instant::now() < until, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(ask(stream, "GET /v1/operator", "", "").await.status, 401);
    let stream = TcpStream::connect(&address).await.unwrap();
    let head = format!("authorization: Bearer {TOKEN}\r\n");
    let answer = ask(stream, "GET /v1/operator", &head, "").await;
    assert_eq!((answer.status, answer.body["code"].as_str()), (401, Some("Unauthenticated")));
    let said = fs::read_to_string(dir.path().join("log")).unwrap();
    let id = answer.body["requestId"].as_str().unwrap();
    assert!(said.contains(id) && said.contains(&address), "{said}");
    assert!(!said.contains(TOKEN), "{said}");
}

#[test]
fn what_would_be_open_to_others_does_not_start() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("m")).unwrap();
    for (words, says) in [
        (&["--listen", "0.0.0.0:0"][..], "everybody on the way could read tokens"),
        (&["--listen", "0.0.0.0:0", "--tls-cert", "c.pem", "--tls-key", "k.pem"], "c.pem cannot be read"),
        (&["--listen", "7080"], "write 127.0.0.1:7080"),
    ] {
        let log = fs::File::create(dir.path().join("log")).unwrap();
        let mut command = run(dir.path(), words);
        let mut running = Running(command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap());
        let until = Instant::now() + Duration::from_secs(60);
        let code = loop {
            match running.0.try_wait().unwrap() {
                Some(status) => break status.code(),
                None => assert!(Instant::now() < until, "{words:?}: it runs"),
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        let said = fs::read_to_string(dir.path().join("log")).unwrap();
        assert_eq!(code, Some(1), "{words:?}: {said}");
        assert!(said.contains(says), "{words:?}: {said}");
    }
    assert!(!dir.path().join("data/seawall.sock").exists());
}
