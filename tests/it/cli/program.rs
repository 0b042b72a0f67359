//! The program itself: help, exit codes, closed pipes, and becoming psql.

use super::fake::*;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

pub fn seawall(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_seawall"));
    for name in [
        "SEAWALL_MANIFESTS",
        "SEAWALL_INSTALLATION",
        "SEAWALL_KEY_FILE",
        "SEAWALL_DOCKER_HOST",
        "SEAWALL_LOG",
    ] {
        command.env_remove(name);
    }
    command.env("SEAWALL_DATA", data).current_dir(data).stdin(Stdio::null());
    command
}

/// Commands block; the server under test needs its thread.
pub async fn output(mut command: Command) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } =
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

#[tokio::test]
async fn help_is_what_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = seawall(dir.path());
    command.arg("help");
    let (code, out, err) = output(command).await;
    assert_eq!((code, err.as_str()), (Some(0), ""));
    // To renew: cargo run -q -- help > tests/it/cli/help.txt
    assert_eq!(out, include_str!("help.txt"));
}

#[tokio::test]
async fn wrong_usage_is_1_because_2_is_a_plan() {
    let dir = tempfile::tempdir().unwrap();
    for words in [&["explode"][..], &[], &["wait", "pg/x"], &["describe", "Main"], &["get", "-o", "xml"]] {
        let mut command = seawall(dir.path());
        command.args(words);
        let (code, out, err) = output(command).await;
        assert!(code == Some(1) && out.is_empty() && !err.is_empty(), "{words:?}: {code:?} {out} {err}");
    }
    let mut command = seawall(dir.path());
    command.args(["describe", "Main"]);
    assert!(output(command).await.2.contains("write NAME or KIND/NAME"));
    std::fs::write(dir.path().join("seawall.yaml"), "instalation: x\n").unwrap();
    let mut command = seawall(dir.path());
    command.arg("get");
    let (code, _, err) = output(command).await;
    assert!(code == Some(1) && err.contains("did you mean \"installation\"?"), "{err}");
}

#[tokio::test]
async fn a_closed_pipe_is_no_error() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = seawall(dir.path());
    command.args(["completion", "bash"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    drop(child.stdout.take());
    let ended = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap();
    assert_eq!((ended.status.code(), ended.stderr.as_slice()), (Some(0), &b""[..]));
}

#[tokio::test]
async fn completions_know_the_verbs() {
    let dir = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let mut command = seawall(dir.path());
        command.args(["completion", shell]);
        let (code, out, _) = output(command).await;
        assert!(code == Some(0) && out.contains("describe") && out.contains("manifests"), "{shell}");
        assert!(out.contains("diagnose") && out.contains("vacuum-stats"), "{shell}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_are_explained_by_the_schemas_that_editors_read() {
    let dir = tempfile::tempdir().unwrap();
    let explain = async |words: &[&str]| {
        let mut command = seawall(dir.path());
        command.arg("explain").args(words);
        output(command).await
    };
    let (code, out, _) = explain(&["postgres.spec.resources"]).await;
    assert_eq!(code, Some(0));
    for part in [
        "KIND:       Postgres\nVERSION:    seawall.dev/v1\n\nFIELD: resources <Object>\n\nDESCRIPTION:\n    ",
        "\n\nFIELDS:\n",
        "\n  memory\t<",
        "\n  cpus\t<",
    ] {
        assert!(out.contains(part), "{part}: {out}");
    }
    let (code, out, _) = explain(&["pg", "--recursive"]).await;
    assert!(
        code == Some(0) && out.contains("\n  spec\t<Object>\n") && out.contains("\n      memory\t<"),
        "{out}"
    );
    for kind in ["redis", "project", "link", "notifier", "imagecatalog"] {
        let (code, out, err) = explain(&[&format!("{kind}.spec")]).await;
        assert!(code == Some(0) && out.contains("FIELDS:"), "{kind}: {out}{err}");
        // Each field has its words.
        assert!(!out.contains("<none>"), "{kind}: {out}");
    }
    for (field, says) in [
        ("postgres.spec.resorces", "did you mean \"resources\"?"),
        ("nothing", "unknown kind"),
        ("app.spec", "it is made by its owner"),
    ] {
        let (code, out, err) = explain(&[field]).await;
        assert!(code == Some(1) && out.is_empty() && err.contains(says), "{field}: {err}");
    }
}

/// A program that tells its name, arguments and PG variables, and exits with 7.
pub fn pretend(dir: &Path, program: &str) {
    let path = dir.join(program);
    let script =
        "#!/bin/sh\necho \"${0##*/} $*\"\necho \"$PGHOST $PGPORT $PGUSER $PGDATABASE $PGPASSWORD\"\nexit 7\n";
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn psql_gets_the_password_by_environment_only() {
    let fake = Fake::default();
    let place = Place::live(&fake).await;
    let bin = tempfile::tempdir().unwrap();
    let run = async || {
        let mut command = seawall(place.dir.path());
        command.args(["psql", "main", "--", "-c", "select 1"]).env("PATH", bin.path());
        output(command).await
    };
    let (code, _, err) = run().await;
    assert!(code == Some(1) && err.contains("neither psql nor docker"), "{err}");
    pretend(bin.path(), "docker");
    let (code, out, _) = run().await;
    assert_eq!(code, Some(7), "psql's own exit code");
    let want = "docker exec -i -e PGDATABASE=appdb postgres-main psql -U appuser -c select 1\n";
    assert!(out.starts_with(want), "{out}");
    assert!(
        !fake.calls().iter().any(|c| c.contains("true")),
        "no password was asked for: {:?}",
        fake.calls()
    );
    pretend(bin.path(), "psql");
    let (code, out, _) = run().await;
    assert_eq!(code, Some(7));
    assert_eq!(out, format!("psql -c select 1\n127.0.0.1 5433 appuser appdb {PASSWORD}\n"));
    assert!(fake.calls().contains(&"login postgres/main psql".to_owned()), "{:?}", fake.calls());
    // One that is older than the server is left for that of the container, if there is one.
    fake.change(|w| w.list.items = vec![main_view()]);
    let psql = bin.path().join("psql");
    for (version, inside) in
        [("17.4 (Debian 17.4-1)", true), ("18.0", false), ("19devel", false), ("none", false)]
    {
        let script = format!(
            "#!/bin/sh\n[ \"$1\" = --version ] && echo 'psql (PostgreSQL) {version}' && exit\necho own; exit 7\n"
        );
        std::fs::write(&psql, script).unwrap();
        let (code, out, err) = run().await;
        assert_eq!(
            (code, out.starts_with("docker exec"), out == "own\n"),
            (Some(7), inside, !inside),
            "{version}"
        );
        let said = "psql 17 of this machine is older than the server (18): that of its container is used";
        assert_eq!(err.contains(said), inside, "{err}");
    }
    std::fs::remove_file(bin.path().join("docker")).unwrap();
    std::fs::write(&psql, "#!/bin/sh\necho psql 1.0; exit 7\n").unwrap();
    assert_eq!(run().await.1, "psql 1.0\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_colours_without_a_terminal() {
    let place = Place::live(&Fake::with(|w| w.list.items = vec![main_view()])).await;
    let mut command = seawall(place.dir.path());
    command.arg("get").env("TERM", "xterm-256color");
    let (code, out, _) = output(command).await;
    assert!(code == Some(0) && out.contains("Ready") && !out.contains('\u{1b}'), "{out:?}");
}

#[tokio::test]
async fn a_secret_is_sealed_with_the_key_alone_and_never_printed() {
    use std::io::Write;
    let fake = Fake::default();
    let live = Place::live(&fake).await;
    let laptop = tempfile::tempdir().unwrap();
    let seal = async |data: &Path, words: &[&str], secret: &str| {
        let mut command = seawall(data);
        command.args(["seal"]).args(words);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let secret = secret.to_owned();
        let output = tokio::task::spawn_blocking(move || {
            let mut child = command.spawn().unwrap();
            // It may end before it reads.
            let _ = child.stdin.take().unwrap().write_all(secret.as_bytes());
            child.wait_with_output().unwrap()
        });
        let Output { status, stdout, stderr } = output.await.unwrap();
        (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
    };
    let place = ["--for", "pg/main:spec.password"];
    let with_key = [&place[..], &["--to", PUBLIC_KEY]].concat();
    for (data, words) in [(laptop.path(), &with_key[..]), (live.dir.path(), &place[..])] {
        let (code, out, err) = seal(data, words, "hunter2\n").await;
        assert_eq!((code, err.as_str()), (Some(0), ""));
        let letter = seawall::manifest::letter::Letter::read(&out).unwrap();
        assert_eq!(letter.place, "postgres/main:password");
        assert!(PUBLIC_KEY.contains(&letter.to) && !out.contains("hunter2"));
    }
    let cut = &PUBLIC_KEY[..40];
    for (words, secret, says) in [
        (&["--for", "postgres/main:password", "--to", cut][..], "x", "cut short"),
        (&["--for", "postgres/main", "--to", PUBLIC_KEY], "x", "KIND/NAME:FIELD"),
        (&with_key, "", "the secret is empty"),
        (&with_key, "\n", "the secret is empty"),
        (&with_key, &"hunter2".repeat(10_000), "at most 65536"),
        (&place, "hunter2", "no store"),
    ] {
        let (code, out, err) = seal(laptop.path(), words, secret).await;
        assert!(code == Some(1) && out.is_empty() && err.contains(says), "{words:?}: {out} {err}");
        assert!(!err.contains("hunter2"), "{err}");
    }
    let ran = live.run("keys public").await;
    assert_eq!((ran.code, ran.out.trim()), (0, PUBLIC_KEY));
}
