//! Completion of what there is, by the operator that runs: in a real bash.

use super::fake::*;
use super::program::{output, seawall};
use crate::http::listen::with_services;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What bash offers for these words, the last of which is being typed.
async fn offered(data: &Path, words: &[&str]) -> (Vec<String>, String) {
    let mut command = seawall(data);
    command.args(["completion", "bash"]);
    std::fs::write(data.join("completion"), output(command).await.1).unwrap();
    let program = env!("CARGO_BIN_EXE_seawall");
    let (now, before) = words.split_last().unwrap();
    let script = format!(
        "source ./completion; COMP_WORDS=({program} \"$@\"); COMP_CWORD=$#; \
         _seawall_live {program} '{now}' '{}'; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        before.last().unwrap_or(&"")
    );
    let mut command = Command::new("bash");
    command.args(["-c", &script, "bash"]).args(words).current_dir(data);
    command.env_clear().env("PATH", "/usr/bin:/bin").env("SEAWALL_DATA", data).stdin(Stdio::null());
    let (code, out, err) = output(command).await;
    assert_eq!(code, Some(0), "{out}{err}");
    (out.lines().map(str::to_owned).collect(), err)
}

#[tokio::test(flavor = "multi_thread")]
async fn bash_offers_what_there_is() {
    let fake = with_services();
    let place = Place::live(&fake).await;
    let dir = place.dir.path();
    for (words, want) in [
        (&["describe", ""][..], &["postgres/main", "project/shop", "link/shop-production-main"][..]),
        (&["describe", "po"], &["postgres/main"]),
        (&["logs", "-f", "pos"], &["postgres/main"]),
        (&["restart", "pg", ""], &["main"]),
        (&["psql", "m"], &["main"]),
        (&["env", ""], &["shop/production"]),
        (&["svc", "show", ""], &["main"]),
        (&["services", "link", "main", "-p", ""], &["shop"]),
        (&["get", "-o", "j"], &["json", "jsonpath="]),
        (&["explain", "re"], &["redis", "restore"]),
    ] {
        assert_eq!(
            offered(dir, words).await,
            (want.iter().map(|w| (*w).to_owned()).collect(), String::new()),
            "{words:?}"
        );
    }
    // Verbs and flags are known without anybody.
    assert!(offered(dir, &["descr"]).await.0.contains(&"describe".to_owned()));
    assert!(offered(dir, &["logs", "--"]).await.0.contains(&"--previous".to_owned()));
    let asked = fake.calls();
    assert!(!asked.iter().any(|call| call.starts_with("connection") || call.contains("reveal")), "{asked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_wrong_is_no_reason_to_wait_or_to_say_so() {
    let nobody = tempfile::tempdir().unwrap();
    let fake = two();
    let place = Place::live(&fake).await;
    fake.change(|w| w.hang = true);
    let broken = tempfile::tempdir().unwrap();
    std::fs::write(broken.path().join("seawall.sock"), "no socket").unwrap();
    for data in [nobody.path(), place.dir.path(), broken.path()] {
        // The machine may be busy: the fastest of some.
        let mut took = Duration::MAX;
        for _ in 0..5 {
            let mut command = seawall(data);
            command.args(["__complete", "describe", ""]);
            let begin = Instant::now();
            assert_eq!(output(command).await, (Some(0), String::new(), String::new()));
            took = took.min(begin.elapsed());
        }
        assert!(took < Duration::from_secs(1), "{took:?}");
        assert_eq!(offered(data, &["describe", ""]).await.1, "");
    }
}
