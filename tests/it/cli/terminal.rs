//! The program on a terminal, where somebody answers its questions.

use super::fake::*;
use crate::http::listen::with_services;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);

/// What was shown there, and the exit code. `script` gives it the terminal.
fn typed(data: &Path, words: &str, answers: &[(&str, &str)]) -> (String, Option<i32>) {
    let program = format!("{} {words}", env!("CARGO_BIN_EXE_seawall"));
    let mut child = Command::new("script")
        .args(["-qec", &program, "/dev/null"])
        .env("SEAWALL_DATA", data)
        .env("NO_COLOR", "1")
        .current_dir(data)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let shown = Arc::new(Mutex::new(Vec::new()));
    let (mut from, to) = (child.stdout.take().unwrap(), Arc::clone(&shown));
    let reading = std::thread::spawn(move || {
        let mut some = [0; 1024];
        while let Ok(n @ 1..) = from.read(&mut some) {
            to.lock().unwrap().extend_from_slice(&some[..n]);
        }
    });
    let text = || String::from_utf8_lossy(&shown.lock().unwrap()).into_owned();
    let (mut keys, mut read, begin) = (child.stdin.take().unwrap(), 0, Instant::now());
    for (question, answer) in answers {
        loop {
            let now = text();
            if let Some(at) = now.get(read..).and_then(|rest| rest.find(question)) {
                read += at + question.len();
                break;
            }
            assert!(begin.elapsed() < PATIENCE, "{words}: {question} was never asked: {now}");
            std::thread::sleep(Duration::from_millis(10));
        }
        keys.write_all(format!("{answer}\n").as_bytes()).unwrap();
        keys.flush().unwrap();
    }
    let code = child.wait().unwrap().code();
    drop(keys);
    reading.join().unwrap();
    (text().replace('\r', ""), code)
}

/// Commands block; the operator of the test needs its thread.
async fn run(data: PathBuf, words: &'static str, answers: &'static [(&str, &str)]) -> (String, Option<i32>) {
    tokio::task::spawn_blocking(move || typed(&data, words, answers)).await.unwrap()
}

#[tokio::test]
async fn what_is_missing_of_a_service_is_asked_for_and_passwords_are_not_shown() {
    let fake = with_services();
    let place = Place::live(&fake).await;
    let data = || place.dir.path().to_owned();
    let answers = &[
        ("Which type (postgres, redis)? ", "postgres"),
        ("Its name? ", "main"),
        ("database", "appdb"),
        ("username", "appuser"),
        ("password, unseen: ", "hunter2hunter2"),
        ("Make it? [Y/n] ", ""),
    ];
    let (shown, code) = run(data(), "services create", answers).await;
    assert!(code == Some(0) && shown.ends_with("postgres/main is Ready\n"), "{shown}");
    assert!(shown.contains("postgres main: database=appdb username=appuser password=****"), "{shown}");
    assert!(!shown.contains("hunter2"), "{shown}");
    let made = fake.calls().into_iter().find(|call| call.starts_with("apply")).unwrap();
    assert!(made.contains("\"database\":\"appdb\"") && made.contains("sealed"), "{made}");

    let (shown, code) = run(data(), "services show", &[("Which service (ID or name)? ", "1")]).await;
    assert!(code == Some(0) && shown.contains("Container:  postgres-main"), "{shown}");
    let (shown, code) =
        run(data(), "services remove 1 --no-wait", &[("for good. Its name, if that is meant: ", "mine")])
            .await;
    assert!(code == Some(1) && shown.contains("that is not its name; nothing was done"), "{shown}");
    assert!(!fake.calls().iter().any(|call| call.starts_with("delete")));
    let (shown, code) = run(data(), "services remove 1 --no-wait", &[("if that is meant: ", "main")]).await;
    assert!(code == Some(0) && shown.ends_with("postgres/main deleted\n"), "{shown}");
    assert!(fake.calls().contains(&"delete postgres/main main".to_owned()));
}
