//! `run` as a process, without an engine: signals, and the group that may open its socket.

use rustix::process::{Pid, Signal, geteuid, getgid, kill_process};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

struct Run {
    child: Child,
    log: Receiver<String>,
}

impl Run {
    fn of(dir: &Path, args: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_seawall"));
        command.env_clear().env("PATH", "/usr/bin:/bin").current_dir(dir);
        command.args([
            "--data",
            "d",
            "--docker-host",
            "unix:///nonexistent/engine.sock",
            "--metrics-addr",
            "off",
        ]);
        command.args(["run", "--manifests", "m", "--log", "json"]).args(args);
        let mut child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let (tell, log) = channel();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| tell.send(line)));
        Self { child, log }
    }

    fn until(&self, words: &str) {
        let mut before = Vec::new();
        while let Ok(line) = self.log.recv_timeout(Duration::from_secs(30)) {
            if line.contains(words) {
                return;
            }
            before.push(line);
        }
        panic!("never {words:?}: {before:#?}");
    }

    fn send(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_hangup_has_the_manifests_read_again_and_a_group_gets_to_the_socket() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("m")).unwrap();
    // Only root may give files to a group that it is not in.
    let group = if geteuid().is_root() { 1 } else { getgid().as_raw() };
    let args = ["--socket", "run/s", "--socket-group", &group.to_string()];
    let mut run = Run::of(dir.path(), &args);
    run.until("seawall runs");
    run.send(Signal::HUP);
    run.until("SIGHUP: the manifests are read again");
    let get = |socket: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_seawall"));
        command.env_clear().current_dir(dir.path()).args(["--data", "other", "get"]);
        command.env("SEAWALL_SOCKET", socket).output().unwrap()
    };
    let got = get("run/s");
    assert_eq!(got.status.code(), Some(0), "{}", String::from_utf8_lossy(&got.stderr));
    assert_eq!(get("run/none").status.code(), Some(1));
    for (path, mode) in [("run", 0o750), ("run/s", 0o660), ("d", 0o700)] {
        let found = std::fs::symlink_metadata(dir.path().join(path)).unwrap();
        assert_eq!(found.permissions().mode() & 0o777, mode, "{path}");
        assert!(path == "d" || found.gid() == group, "{path}: {}", found.gid());
    }
    assert!(!dir.path().join("d/seawall.sock").exists());
    run.send(Signal::TERM);
    assert!(run.child.wait().unwrap().success());
    assert!(!dir.path().join("run/s").exists());
}

#[test]
fn who_could_not_be_asked_anything_says_so_at_once() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("m")).unwrap();
    let mut run = Run::of(dir.path(), &["--socket", "none/s"]);
    run.until("none/s: No such file or directory");
    assert_eq!(run.child.wait().unwrap().code(), Some(1));
}
