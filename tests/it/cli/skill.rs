//! The skill for coding agents, `deploy/skill/SKILL.md`: what it says of each command is what the command says of itself, and each of
//! them runs. After a wanted change: `UPDATE_GOLDENS=1 cargo test --test it -- skill`, then read the difference.

use super::fake::*;
use super::program::{output, pretend};
use crate::http::listen::{start, with_services};
use seawall::cli::args::{Args, command};
use seawall::control::api::SeriesView;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/skill/SKILL.md")
}

/// What a line of the skill does, without what is said of it.
fn typed(line: &str) -> &str {
    line.split("  #").next().unwrap_or(line).trim_end()
}

/// The words of a command, as far as a shell's quotes matter to a parser.
fn words(line: &str) -> Vec<OsString> {
    shlex(typed(line)).into_iter().map(OsString::from).collect()
}

fn shlex(line: &str) -> Vec<String> {
    let (mut words, mut quote, mut new) = (vec![String::new()], None, false);
    for c in line.chars() {
        match (c, quote) {
            ('\'' | '"', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            (' ', None) => new = true,
            (c, _) => {
                if std::mem::take(&mut new) {
                    words.push(String::new());
                }
                words.last_mut().unwrap().push(c);
            }
        }
    }
    words
}

/// What the definition of a command says that it does.
fn about(line: &str) -> String {
    let mut at = command();
    for word in words(line).iter().skip(1) {
        let Some(inner) = at.find_subcommand(word) else { break };
        at = inner.clone();
    }
    assert_ne!(at.get_name(), "seawall", "no such command: {line}");
    at.get_about().unwrap_or_else(|| panic!("nothing is said of {line}")).to_string()
}

/// Each fenced block with its language, by where its lines begin and end.
fn blocks(lines: &[&str]) -> Vec<(String, usize, usize)> {
    let mut fences = lines.iter().enumerate().filter(|(_, line)| line.starts_with("```"));
    let mut blocks = Vec::new();
    while let (Some((from, open)), Some((to, _))) = (fences.next(), fences.next()) {
        blocks.push((open.trim_start_matches('`').to_owned(), from + 1, to));
    }
    blocks
}

fn commands(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let of = |(_, from, to): (String, usize, usize)| lines[from..to].iter().map(|line| (*line).to_owned());
    blocks(&lines).into_iter().filter(|(language, ..)| language == "sh").flat_map(of).collect()
}

/// The skill with what the program says now.
fn generated(text: &str) -> String {
    let help = command().render_long_help().to_string();
    let codes = help.split("Exit codes:\n").nth(1).and_then(|rest| rest.split("\n\n").next()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let (mut all, mut next) = (Vec::new(), 0);
    for (language, from, to) in blocks(&lines) {
        all.extend(lines[next..from].iter().map(|line| (*line).to_owned()));
        next = to;
        let own = &lines[from..to];
        if language == "sh" {
            let width = own.iter().map(|line| typed(line).len()).max().unwrap_or(0).min(64);
            all.extend(own.iter().map(|line| format!("{:width$}  # {}", typed(line), about(line))));
        } else {
            all.extend(codes.lines().map(|line| line.trim_start().to_owned()));
        }
    }
    all.extend(lines[next..].iter().map(|line| (*line).to_owned()));
    all.join("\n") + "\n"
}

#[test]
fn the_skill_says_of_each_command_what_that_says_of_itself() {
    let text = fs::read_to_string(file()).unwrap();
    let now = generated(&text);
    if std::env::var_os("UPDATE_GOLDENS").is_some() {
        fs::write(file(), &now).unwrap();
    } else {
        assert_eq!(text, now, "UPDATE_GOLDENS=1 writes it anew");
    }
    assert!(text.starts_with("---\nname: seawall\ndescription: "), "{text}");
    // What an agent loads of each skill it knows.
    assert!(text.lines().nth(2).unwrap().len() <= 1024 + "description: ".len());
    for line in commands(&text) {
        Args::read(words(&line)).unwrap_or_else(|e| panic!("{line}: {e}"));
    }
}

#[test]
fn what_destroys_stops_or_shows_secrets_is_only_where_it_says_to_ask() {
    let text = fs::read_to_string(file()).unwrap();
    let (free, asks) = text.split_once("## Only when the user says so").unwrap();
    let asks = asks.split_once("\n## ").unwrap().0;
    let needs_word = ["delete", "prune", "stop", "restart", "rotate", "kill", "remove", "upgrade", "update"];
    for line in commands(free) {
        let words = words(&line);
        let bad = |word: &OsString| {
            let word = word.to_str().unwrap();
            needs_word.contains(&word) || ["--confirm", "--force", "--reveal", "--now"].contains(&word)
        };
        assert!(!words.iter().any(bad), "{line}");
    }
    for word in needs_word {
        assert!(commands(asks).iter().any(|line| words(line).contains(&word.into())), "{word}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_command_of_the_skill_runs() {
    let fake = with_services();
    fake.change(|w| {
        w.top = used();
        w.test.passed = true;
        w.history.series = vec![SeriesView::default()];
        w.log_ends = true;
        let mut backup = view("main-first", "True", "BackupCompleted", "");
        backup.kind = "Backup".into();
        backup.status["service"] = "postgres/main".into();
        w.list.items.push(backup);
    });
    let place = Place::live(&fake).await;
    let server = start(&fake, None, false).await;
    let bin = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_seawall"), bin.path().join("seawall")).unwrap();
    pretend(bin.path(), "psql");
    let psql = fs::read_to_string(bin.path().join("psql")).unwrap().replace("exit 7", "exit 0");
    fs::write(bin.path().join("psql"), psql).unwrap();
    let dir = place.dir.path();
    fs::create_dir(dir.join("manifests")).unwrap();
    let main =
        "apiVersion: seawall.dev/v1\nkind: Postgres\nmetadata: {name: main}\nspec: {version: \"18\"}\n";
    fs::write(dir.join("manifests/main.yaml"), main).unwrap();
    fs::write(dir.join("token"), "ExternalServicesRead\n").unwrap();
    let text = fs::read_to_string(file()).unwrap();
    let lines = commands(&text);
    assert!(lines.len() > 60, "{lines:?}");
    let mut failed = Vec::new();
    for line in lines {
        let there = format!("http://{}", server.at);
        let line = typed(&line).replace("http://127.0.0.1:7080", &there);
        let mut command = Command::new("bash");
        let path = format!("{}:/usr/bin:/bin", bin.path().display());
        command.args(["-c", &line]).current_dir(dir).env_clear().env("PATH", path).env("HOME", dir);
        // A data directory is an operator of this machine, whoever was logged in to.
        if !line.contains(" login ") && !line.ends_with(" logout") {
            command.env("SEAWALL_DATA", dir);
        }
        command.stdin(std::process::Stdio::null());
        let (code, out, err) = output(command).await;
        if code != Some(0) {
            failed.push(format!("{line}: {code:?}: {out}{err}"));
        }
        assert!(
            !out.contains(PASSWORD) || line.contains("--reveal") || line.contains("psql"),
            "{line}: {out}"
        );
    }
    assert_eq!(failed, Vec::<String>::new());
}
