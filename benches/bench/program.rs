//! The program itself, as a process of its own.

use crate::{PATIENCE, free_port, installation, put, until};
use seawall::core::names::Installation;
use serde_json::Value;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

pub struct Program {
    root: tempfile::TempDir,
    pub installation: Installation,
    operator: Option<Child>,
    /// The port that it tells its figures on.
    figures: u16,
}

impl Program {
    pub fn new() -> Self {
        let root = tempfile::tempdir().expect("a directory");
        fs::create_dir(root.path().join("manifests")).expect("a directory");
        Self { root, installation: installation(), operator: None, figures: free_port() }
    }

    pub fn write(&self, file: &str, text: &str) {
        put(&self.root.path().join("manifests"), file, text);
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_seawall"));
        command.args(["--installation", self.installation.as_str(), "--data"]);
        command.arg(self.root.path().join("data")).args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    pub fn start(&mut self) {
        let figures = format!("127.0.0.1:{}", self.figures);
        let mut command = self.command(&["run", "--metrics-addr", &figures, "--manifests"]);
        self.operator = Some(command.arg(self.root.path().join("manifests")).spawn().expect("a process"));
    }

    pub fn pid(&self) -> u32 {
        self.operator.as_ref().expect("a process").id()
    }

    /// Until so many objects of a kind are there, and all are Ready.
    pub async fn until_ready(&self, kind: &str, many: usize) {
        until(&format!("{many} of {kind} ready"), Duration::from_millis(250), async || {
            let mut command = tokio::process::Command::from(self.command(&["get", kind, "-o", "json"]));
            let asked = command.stdout(Stdio::piped()).kill_on_drop(true).output();
            let Ok(Ok(output)) = tokio::time::timeout(PATIENCE, asked).await else { return false };
            let list: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
            let items = list["items"].as_array().map(Vec::as_slice).unwrap_or_default();
            items.len() == many && items.iter().all(is_ready)
        })
        .await;
    }

    /// How many probes of PostgreSQL there were.
    pub fn probes(&self) -> u64 {
        let mut text = String::new();
        let mut stream = TcpStream::connect(("127.0.0.1", self.figures)).expect("it serves its figures");
        write!(stream, "GET /metrics HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n").expect("asked");
        stream.read_to_string(&mut text).expect("an answer");
        let count = |line: &str| {
            line.strip_prefix("seawall_probe_duration_seconds_count{kind=\"postgres\"} ")?.parse().ok()
        };
        text.lines().find_map(count).unwrap_or(0)
    }

    pub fn stop(&mut self) {
        if let Some(mut operator) = self.operator.take() {
            drop(Command::new("kill").arg(operator.id().to_string()).status());
            drop(operator.wait());
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.stop();
    }
}

fn is_ready(object: &Value) -> bool {
    let is = |kind: &str, truth: &str| {
        let all = object["status"]["conditions"].as_array();
        all.is_some_and(|c| c.iter().any(|c| c["type"] == kind && c["status"] == truth))
    };
    is("Ready", "True") && is("Progressing", "False")
}
