//! A Docker engine of our own, beside the one of the machine: in its own network namespace, so that it
//! can be stopped, killed and started without touching anybody (docker-facts §0).

use super::harness::{Sea, wait_for};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

static NEXT: AtomicU32 = AtomicU32::new(0);

pub struct OwnEngine {
    namespace: String,
    root: PathBuf,
    daemon: Option<Child>,
}

fn must(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", super::harness::text(&output));
    output
}

impl OwnEngine {
    /// An engine that is not started yet.
    pub fn new() -> Self {
        Self::sweep();
        let namespace = format!("sea-{:x}-{:x}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let root = std::env::temp_dir().join(&namespace);
        fs::create_dir(&root).unwrap();
        fs::write(root.join("daemon.json"), "{}").unwrap();
        // From here on Drop cleans up, whatever fails.
        let engine = Self { namespace, root, daemon: None };
        must(Command::new("ip").args(["netns", "add", &engine.namespace]));
        must(engine.inside("ip").args(["link", "set", "lo", "up"]));
        engine
    }

    /// What a test process that was killed left behind: its pid is in the name.
    fn sweep() {
        let Ok(entries) = fs::read_dir(std::env::temp_dir()) else { return };
        for entry in entries.flatten() {
            let Ok(namespace) = entry.file_name().into_string() else { continue };
            let pid = namespace.strip_prefix("sea-").and_then(|rest| rest.split('-').next());
            let Some(pid) = pid.and_then(|hex| u32::from_str_radix(hex, 16).ok()) else { continue };
            if !Path::new("/proc").join(pid.to_string()).exists() {
                drop(Self { namespace, root: entry.path(), daemon: None });
            }
        }
    }

    fn netns(&self) -> PathBuf {
        Path::new("/var/run/netns").join(&self.namespace)
    }

    fn enter(&self) -> Vec<String> {
        vec!["nsenter".to_owned(), format!("--net={}", self.netns().display())]
    }

    fn inside(&self, program: &str) -> Command {
        let enter = self.enter();
        let mut command = Command::new(&enter[0]);
        command.args(&enter[1..]).arg(program);
        command
    }

    pub fn host(&self) -> String {
        format!("unix://{}", self.root.join("docker.sock").display())
    }

    /// An installation on this engine.
    pub fn sea(&self) -> Sea {
        let mut sea = Sea::new();
        sea.docker_host = Some(self.host());
        sea.prefix = self.enter();
        sea
    }

    pub fn docker(&self, arguments: &[&str]) -> Output {
        Command::new("docker").args(["-H", &self.host()]).args(arguments).output().unwrap()
    }

    /// Starts the engine and waits until it answers.
    pub fn start(&mut self) {
        assert!(self.daemon.is_none());
        let log = fs::OpenOptions::new().create(true).append(true).open(self.log()).unwrap();
        let path = |name: &str| self.root.join(name).display().to_string();
        let child = self
            .inside("dockerd")
            .args(["--data-root", &path("data"), "--exec-root", &path("exec"), "--pidfile", &path("pid")])
            .args(["-H", &self.host(), "--config-file", &path("daemon.json")])
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.daemon = Some(child);
        wait_for("the engine's answer", || {
            let ended = self.daemon.as_mut().unwrap().try_wait().unwrap();
            assert!(ended.is_none(), "dockerd ended: {}", fs::read_to_string(self.log()).unwrap_or_default());
            self.docker(&["info"]).status.success().then_some(())
        });
    }

    /// The daemon's own settings, before it starts.
    pub fn configure(&self, json: &str) {
        fs::write(self.root.join("daemon.json"), json).unwrap();
    }

    fn log(&self) -> PathBuf {
        self.root.join("dockerd.log")
    }

    /// SIGTERM, as a restart of the service does.
    pub fn stop(&mut self) {
        let mut daemon = self.daemon.take().unwrap();
        must(Command::new("kill").arg(daemon.id().to_string()));
        daemon.wait().unwrap();
    }

    /// SIGKILL: containers live on. Its containerd dies with it, and is not there to reap its own entry in
    /// the process table, so that the next start would wait for it if its pid file stayed.
    pub fn kill(&mut self) {
        let mut daemon = self.daemon.take().unwrap();
        daemon.kill().unwrap();
        daemon.wait().unwrap();
        let _ = fs::remove_file(self.root.join("exec/containerd/containerd.pid"));
    }

    /// Copies an image of the machine's engine.
    pub fn load(&self, images: &[&str]) {
        let mut save =
            Command::new("docker").arg("save").args(images).stdout(Stdio::piped()).spawn().unwrap();
        let pipe = save.stdout.take().unwrap();
        must(Command::new("docker").args(["-H", &self.host(), "load", "-q"]).stdin(pipe));
        assert!(save.wait().unwrap().success());
    }

    /// Processes that belong to this engine: those in its namespace and those that name its directory.
    fn processes(&self) -> Vec<(String, String)> {
        let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
        let root = self.root.display().to_string();
        let me = std::process::id().to_string();
        let ours = entries.flatten().filter_map(|entry| {
            let pid = entry.file_name().into_string().ok()?;
            if pid == me || !pid.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            let arguments = fs::read(entry.path().join("cmdline")).ok()?;
            let arguments = String::from_utf8_lossy(&arguments).replace('\0', " ");
            arguments.contains(&root).then_some((pid, arguments))
        });
        ours.collect()
    }

    fn mounts(&self) -> Vec<String> {
        let root = format!("{}/", self.root.display());
        let all = fs::read_to_string("/proc/mounts").unwrap_or_default();
        let points = all.lines().filter_map(|l| l.split(' ').nth(1)).filter(|p| p.starts_with(&root));
        points.map(str::to_owned).collect()
    }
}

impl Drop for OwnEngine {
    fn drop(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            // Containers first: a stopped engine would leave nobody to stop them.
            let listed = self.docker(&["ps", "-aq"]);
            let ids = String::from_utf8_lossy(&listed.stdout).into_owned();
            let ids: Vec<&str> = ids.split_whitespace().collect();
            if !ids.is_empty() {
                self.docker(&[vec!["rm", "-f"], ids].concat());
            }
            let _ = Command::new("kill").arg(daemon.id().to_string()).output();
            let left = (0..100).any(|_| {
                std::thread::sleep(std::time::Duration::from_millis(100));
                matches!(daemon.try_wait(), Ok(Some(_)))
            });
            if !left {
                let _ = daemon.kill();
                let _ = daemon.wait();
            }
        }
        // Orphans of a killed engine: shims (by their directory), and with them their containers.
        for _ in 0..20 {
            let processes = self.processes();
            if processes.is_empty() {
                break;
            }
            for (pid, _) in processes {
                let _ = Command::new("kill").args(["-9", &pid]).output();
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        if let Ok(output) = Command::new("ip").args(["netns", "pids", &self.namespace]).output() {
            for pid in String::from_utf8_lossy(&output.stdout).split_whitespace() {
                let _ = Command::new("kill").args(["-9", pid]).output();
            }
        }
        for mount in self.mounts().iter().rev() {
            let _ = Command::new("umount").args(["-l", mount]).output();
        }
        let _ = Command::new("ip").args(["netns", "del", &self.namespace]).output();
        if let Err(error) = fs::remove_dir_all(&self.root) {
            eprintln!("{} could not be removed: {error}", self.root.display());
        }
    }
}
