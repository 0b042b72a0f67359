//! `seawall doctor`: engine, permissions, store, key file, manifests, images, disk, clock. Looks, changes nothing.

mod manifests;

use crate::cli::backend::Check;
use crate::cli::settings::Settings;
use crate::control::api::{Api as _, OperatorView};
use crate::core::condition::Truth;
use crate::core::names::label;
use crate::core::quantity::Bytes;
use crate::core::seen::EngineInfo;
use crate::docker::{Docker, DockerError};
use crate::http::client::Client;
use crate::secrets::{Key, KeyError, Keys, PublicKey, beside};
use crate::store::{SledStore, StoreError, data_dir};
use crate::workload::tools::sources::PRIVATE;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

/// Below this much free space a write-ahead log can fill the disk within minutes.
const LITTLE_SPACE: u64 = 2 * Bytes::GI;

/// For one that refuses requests.
const PROXY: &str =
    "allow the request in the rules of the proxy, or give the engine's own address (--docker-host)";

fn check(name: &str, ok: Truth, message: impl Into<String>, next: &str) -> Check {
    Check { name: name.to_owned(), ok, message: message.into(), next: next.to_owned() }
}

/// All checks, in the order in which one needs the other.
pub async fn checks(settings: &Settings, docker: Option<&dyn Docker>) -> Vec<Check> {
    let mut list = Vec::new();
    let root = engine(docker, &mut list).await;
    data_directory(settings, &mut list);
    let client = Client::new(&settings.socket());
    let running = client.answers().await;
    store(settings, running, &mut list).await;
    let operator = if running { client.operator().await.ok() } else { None };
    let dir = match &operator {
        Some(operator) => Some(PathBuf::from(&operator.manifests)),
        None => settings.manifests_or_default().ok(),
    };
    manifests::manifests(dir.as_deref(), docker.filter(|_| root.is_some()), &mut list).await;
    monitoring(operator, &mut list);
    key(settings, &mut list);
    private_key(settings, &mut list);
    disk("disk of the data directory", &settings.data.display().to_string(), &mut list);
    if let Some(root) = root {
        disk("disk of the Docker engine", &root, &mut list);
    }
    clock(&mut list);
    list
}

async fn engine(docker: Option<&dyn Docker>, list: &mut Vec<Check>) -> Option<String> {
    let Some(docker) = docker else {
        list.push(check(
            "docker engine",
            Truth::False,
            "the Docker host cannot be used",
            "give --docker-host unix:///path",
        ));
        return None;
    };
    match docker.info().await {
        Err(error @ DockerError::Forbidden { .. }) => {
            list.push(check("docker engine", Truth::False, error.to_string(), PROXY));
            None
        }
        Err(error) => {
            let next =
                "start it (deploy/setup.sh installs and starts it), and be root or in the group docker";
            list.push(check("docker engine", Truth::False, error.to_string(), next));
            None
        }
        Ok(info) => {
            let words = format!(
                "Docker {} (API {}), cgroup v{}, {} CPUs, {}",
                info.version, info.api_version, info.cgroup_version, info.cpus, info.architecture
            );
            list.push(check("docker engine", Truth::True, words, ""));
            if !info.swap_limit {
                let next = "boot the kernel with swapaccount=1 to cap swap";
                list.push(check(
                    "swap limit",
                    Truth::Unknown,
                    "the kernel does not cap swap; resources.swap has no effect",
                    next,
                ));
            }
            lacks(&info, list);
            requests(docker, list).await;
            Some(info.root_dir)
        }
    }
}

/// What the engine says that it cannot do. Services run without it; what they do not have is said of each, too.
fn lacks(info: &EngineInfo, list: &mut Vec<Check>) {
    let lacks = info.lacks;
    for (missing, name, words, next) in [
        (
            lacks.memory_limit,
            "memory limit",
            "the engine cannot limit memory: resources.memory has no effect",
            "boot the kernel with cgroup_enable=memory; a rootless engine needs the memory controller delegated to its user",
        ),
        (
            lacks.cpu_quota,
            "CPU limit",
            "the engine cannot limit CPUs (no CFS quota): resources.cpus has no effect",
            "use a kernel with CONFIG_CFS_BANDWIDTH; a rootless engine needs the cpu controller delegated to its user",
        ),
        (
            lacks.pids_limit,
            "process limit",
            "the engine cannot limit processes: one container may use up those of the host",
            "use a kernel with the pids controller; a rootless engine needs it delegated to its user",
        ),
        (
            lacks.init,
            "docker-init",
            "the engine does not find its docker-init: containers are made without",
            "install docker-init (package tini) where dockerd finds it, and restart the engine",
        ),
    ] {
        if missing {
            list.push(check(name, Truth::Unknown, words, next));
        }
    }
}

/// What reads at each look, tried here; of what writes only the deed tells.
async fn requests(docker: &dyn Docker, list: &mut Vec<Check>) {
    let probe = [(label::PROBE, "doctor")];
    let answers = [
        docker.list(&probe).await.err(),
        docker.volumes(&probe).await.err(),
        docker.networks("seawall-doctor").await.err(),
        docker.inspect("seawall-doctor").await.err(),
        docker.image("seawall-doctor").await.err(),
    ];
    for error in answers.into_iter().flatten() {
        let next = if matches!(error, DockerError::Forbidden { .. }) { PROXY } else { "" };
        list.push(check("docker requests", Truth::False, error.to_string(), next));
    }
}

/// Whether the running operator can be asked for its figures.
fn monitoring(operator: Option<OperatorView>, list: &mut Vec<Check>) {
    let Some(operator) = operator else { return };
    if let Some(why) = operator.metrics_trouble {
        let words = format!("the operator does not serve its figures: {why}");
        let next = "free the address, or run with another --metrics-addr (off: none)";
        list.push(check("metrics", Truth::False, words, next));
    } else if let Some(url) = operator.metrics {
        list.push(check("metrics", Truth::True, format!("served at {url}"), ""));
    }
}

fn data_directory(settings: &Settings, list: &mut Vec<Check>) {
    let path = &settings.data;
    let found = match std::fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => check(
            "data directory",
            Truth::Unknown,
            format!("{} does not exist yet", path.display()),
            "`seawall run` makes it",
        ),
        Err(error) => check(
            "data directory",
            Truth::False,
            format!("{}: {error}", path.display()),
            "run as the user who owns it",
        ),
        Ok(meta) if !meta.is_dir() => check(
            "data directory",
            Truth::False,
            format!("{} is not a directory", path.display()),
            "give another --data",
        ),
        Ok(meta) if meta.permissions().mode() & 0o077 != 0 => {
            let mode = meta.permissions().mode() & 0o777;
            let words = format!("{} has mode {mode:o}: others can look into it", path.display());
            check("data directory", Truth::False, words, &format!("chmod 700 {}", path.display()))
        }
        Ok(_) => match data_dir::check(path) {
            Ok(()) => check("data directory", Truth::True, path.display().to_string(), ""),
            Err(error) => check(
                "data directory",
                Truth::False,
                error.to_string(),
                "put it right, or give another --data",
            ),
        },
    };
    list.push(found);
}

async fn store(settings: &Settings, running: bool, list: &mut Vec<Check>) {
    if running {
        list.push(check("store", Truth::True, "in use by the running operator, which answers", ""));
        return;
    }
    let data = settings.data.clone();
    let opened = tokio::task::spawn_blocking(move || SledStore::open_read(&data).map(|_| ())).await;
    list.push(match opened {
        Ok(Ok(())) => check("store", Truth::True, "opens; no operator runs", "`seawall run` starts it"),
        Ok(Err(error @ StoreError::Missing { .. })) => {
            check("store", Truth::Unknown, error.to_string(), "`seawall run` makes it")
        }
        Ok(Err(error @ StoreError::Locked { .. })) => check(
            "store",
            Truth::False,
            error.to_string(),
            "the operator does not answer on its socket: look at its log",
        ),
        Ok(Err(error @ StoreError::Exposed { .. })) => {
            check("store", Truth::Unknown, "not opened: the data directory is not safe", &error.to_string())
        }
        Ok(Err(error @ StoreError::Damaged { .. })) => check(
            "store",
            Truth::False,
            error.to_string(),
            "keep the directory; bring it back from its backup, or let `seawall recover` rebuild the store",
        ),
        Ok(Err(error)) => {
            let next = match &error {
                StoreError::Write { .. } => super::who_may(&error),
                StoreError::Newer { .. } => "run the Seawall that wrote it, or a newer one".to_owned(),
                _ => format!("run as the user who owns {} (sudo seawall …)", settings.data.display()),
            };
            check("store", Truth::False, error.to_string(), &next)
        }
        Err(error) => check("store", Truth::Unknown, error.to_string(), ""),
    });
}

fn key(settings: &Settings, list: &mut Vec<Check>) {
    let path = settings.key_file.display();
    list.push(match Keys::load(&settings.key_file) {
        Ok(Keys { current, next: None, .. }) => check(
            "key file",
            Truth::True,
            format!("{path} (key id {})", current.id()),
            "keep a copy of it apart from the store",
        ),
        Ok(Keys { current, next: Some(next), .. }) => check(
            "key file",
            Truth::True,
            format!("{path} (key id {}, which is being replaced by {})", current.id(), next.id()),
            "seawall keys rotate goes on with it; keep a copy of both key files until then",
        ),
        Err(error @ KeyError::Io { .. }) => check(
            "key file",
            Truth::False,
            error.to_string(),
            &format!("run as the user who owns {path} (sudo seawall …)"),
        ),
        Err(error) if !settings.key_file.exists() && !settings.data.join("store").exists() => {
            check("key file", Truth::Unknown, error.to_string(), "`seawall run` makes it")
        }
        Err(error) => check(
            "key file",
            Truth::False,
            error.to_string(),
            "bring it back from its backup, or give --key-file",
        ),
    });
}

/// Most installations have none.
fn private_key(settings: &Settings, list: &mut Vec<Check>) {
    let path = beside(&settings.key_file, PRIVATE);
    list.push(match Key::load(&path) {
        Err(KeyError::Missing { .. }) => return,
        Ok(key) => check(
            "key of sealed values",
            Truth::True,
            format!(
                "{} (key id {})",
                path.display(),
                PublicKey::of(&key).map(|k| k.id()).unwrap_or_default()
            ),
            "keep a copy of it apart from the store",
        ),
        Err(error) => check(
            "key of sealed values",
            Truth::False,
            error.to_string(),
            "bring it back from its backup: what was sealed to it in manifests does not open without it",
        ),
    });
}

fn disk(name: &str, path: &str, list: &mut Vec<Check>) {
    let mut at = std::path::Path::new(path);
    while !at.exists() {
        match at.parent() {
            Some(parent) => at = parent,
            None => break,
        }
    }
    list.push(match (fs2::available_space(at), fs2::total_space(at)) {
        (Ok(free), Ok(total)) => {
            let words = format!("{} MiB of {} MiB free at {path}", free / Bytes::MI, total / Bytes::MI);
            let enough = Truth::from(free >= LITTLE_SPACE);
            check(
                name,
                enough,
                words,
                if free >= LITTLE_SPACE { "" } else { "free some space: a full disk stops every database" },
            )
        }
        (Err(error), _) | (_, Err(error)) => check(name, Truth::Unknown, format!("{path}: {error}"), ""),
    });
}

fn clock(list: &mut Vec<Check>) {
    let now = jiff::Timestamp::now();
    // The year this was written is a floor that needs no network.
    let sane = now.as_second() > 1_760_000_000;
    list.push(check(
        "clock",
        Truth::from(sane),
        now.to_string(),
        if sane { "" } else { "set the clock: times in status and backups depend on it" },
    ));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::seen::Lacks;
    use crate::docker::fake::{FakeDocker, Fault, What, When};

    async fn said(docker: &FakeDocker) -> Vec<(String, Truth, String, String)> {
        let mut list = Vec::new();
        engine(Some(docker), &mut list).await;
        list.into_iter().map(|c| (c.name, c.ok, c.message, c.next)).collect()
    }

    #[tokio::test]
    async fn what_the_engine_lacks_is_said_with_what_helps() {
        let fake = FakeDocker::new();
        assert_eq!(said(&fake).await.len(), 1);
        let lacks = Lacks { memory_limit: true, cpu_quota: true, pids_limit: true, init: true };
        let info = fake.info().await.unwrap();
        fake.set_info(EngineInfo { lacks, swap_limit: false, ..info });
        let all = said(&fake).await;
        let names: Vec<&str> = all.iter().map(|c| c.0.as_str()).collect();
        let want =
            ["docker engine", "swap limit", "memory limit", "CPU limit", "process limit", "docker-init"];
        assert_eq!(names, want);
        assert!(all.iter().skip(1).all(|c| c.1 == Truth::Unknown && !c.3.is_empty()), "{all:?}");
        assert!(all[3].2.contains("cannot limit CPUs"), "{all:?}");
    }

    #[tokio::test]
    async fn a_proxy_that_refuses_is_told_from_an_engine_that_is_down() {
        for (method, name) in
            [("info", "docker engine"), ("list", "docker requests"), ("image", "docker requests")]
        {
            let fake = FakeDocker::new();
            let error = DockerError::Forbidden {
                address: "unix:///proxy.sock".to_owned(),
                request: "GET /v1.41/x".to_owned(),
                status: 403,
                said: String::new(),
            };
            fake.inject(Fault { method, when: When::Before, what: What::Error(error), times: 1 });
            let all = said(&fake).await;
            let found = all.iter().find(|c| c.2.contains("refuses GET /v1.41/x (403)")).unwrap();
            assert_eq!((found.0.as_str(), found.1), (name, Truth::False));
            assert!(found.3.contains("rules of the proxy") && !found.3.contains("start it"), "{}", found.3);
        }
        let fake = FakeDocker::new();
        fake.stop_engine();
        assert!(said(&fake).await[0].3.starts_with("start it"));
    }
}
