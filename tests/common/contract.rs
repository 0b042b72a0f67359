//! What every implementation of `Docker` must do. The same cases run against the fake (`it`) and
//! against the real engine (`real`); a case that passes on one and fails on the other means that the
//! fake lies.

use bytes::Bytes as Raw;
use futures_util::StreamExt;
use seawall::core::desired::{DesiredContainer, Hardening, PortMap, RestartPolicy, VolumeMount};
use seawall::core::names::label;
use seawall::core::pairs::Pairs;
use seawall::core::quantity::{Bytes, NanoCpus};
use seawall::core::resource::Caps;
use seawall::core::seen::{ContainerState, EngineEvent, EngineInfo, LiveUpdate, SeenNetwork, Usage};
use seawall::docker::fake::FakeDocker;
use seawall::docker::{CUT_SHORT, Docker, DockerError, ExecRequest, ExecResult, FileToPut, LogRange, Pipe};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::channel;
use zeroize::Zeroizing;

/// Ends with 7 when told to stop.
const SERVE: &str = "trap 'exit 7' INT TERM; echo ready; echo oops >&2; while :; do sleep 0.1; done";

/// One case's own corner of an engine.
pub struct World {
    pub docker: Arc<dyn Docker>,
    /// `None` on the real engine.
    pub fake: Option<Arc<FakeDocker>>,
    /// Unique: names and labels carry it.
    pub installation: String,
    pub image: String,
    /// One that declares a volume.
    pub image_with_volume: String,
}

impl World {
    fn name(&self, what: &str) -> String {
        format!("{}-{what}", self.installation)
    }

    fn labels(&self) -> BTreeMap<String, String> {
        BTreeMap::from([(label::INSTALLATION.to_owned(), self.installation.clone())])
    }

    fn container(&self, what: &str) -> DesiredContainer {
        let mut labels = self.labels();
        labels.insert(label::NAME.to_owned(), what.to_owned());
        DesiredContainer {
            name: self.name(what),
            image: self.image.clone(),
            env: BTreeMap::from([("SW_A".to_owned(), "1 2".to_owned())]),
            withheld: BTreeMap::new(),
            command: ["sh", "-c", SERVE].map(str::to_owned).to_vec(),
            entrypoint: Vec::new(),
            labels,
            mounts: Vec::new(),
            network: None,
            aliases: Vec::new(),
            ports: Vec::new(),
            caps: Caps::default(),
            restart: RestartPolicy::No,
            stop_signal: Some("SIGINT".to_owned()),
            stop_timeout: Some(10),
            hardening: Hardening {
                no_new_privileges: true,
                only_capabilities: None,
                pids_limit: 64,
                init: true,
                user: None,
            },
            shm_size: None,
        }
    }

    /// With the image's own labels, which the engine adds.
    async fn all_labels(&self, desired: &DesiredContainer) -> Pairs {
        let image = self.docker.image(&self.image).await.unwrap().unwrap();
        let own = Pairs::from(&desired.all_labels());
        image.labels.iter().chain(own.iter()).collect()
    }

    async fn running(&self, desired: &DesiredContainer) -> String {
        let id = self.docker.create(desired).await.unwrap();
        self.docker.start(&id).await.unwrap();
        id
    }

    async fn seen(&self, id: &str) -> seawall::core::seen::SeenContainer {
        self.docker.inspect(id).await.unwrap().expect("the container is there")
    }

    /// On the fake, what a command answers.
    fn script(&self, exit_code: i64, stdout: &str, stderr: &str) {
        if let Some(fake) = &self.fake {
            let answer = ExecResult { exit_code, stdout: stdout.to_owned(), stderr: stderr.to_owned() };
            fake.on_exec(move |_, _| Ok(answer.clone()));
        }
    }

    async fn sh(&self, id: &str, command: &str) -> ExecResult {
        let argv = ["sh", "-c", command].map(str::to_owned).to_vec();
        let request = ExecRequest { argv, ..Default::default() };
        self.docker.exec(id, &request, Duration::from_secs(10)).await.unwrap()
    }

    /// A port that nobody listens on right now.
    fn free_port(&self) -> u16 {
        let probe = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        probe.local_addr().unwrap().port()
    }
}

fn mi(n: u64) -> Option<Bytes> {
    Some(Bytes(n << 20))
}

fn port(host: u16) -> PortMap {
    PortMap { container: 5432, host_ip: "127.0.0.1".parse().unwrap(), host }
}

const GRACE: Duration = Duration::from_secs(10);

/// Calls a macro with the name of every case.
macro_rules! cases {
    ($call:ident) => {
        $call! {
            engine_tells_about_itself, every_field_comes_back, runs_and_stops, a_name_is_taken_once,
            an_image_must_be_local, a_port_is_taken_by_a_container, a_port_is_taken_by_a_process,
            caps_change_live, caps_change_while_stopped, restart_policy_alone_leaves_caps,
            memory_in_use_cannot_be_taken_away,
            files_before_the_first_start, files_in_a_volume_outlive_the_container, links_are_followed_inside_the_container, volumes_keep_old_labels,
            networks_have_exact_names, a_lost_network_cannot_be_started_on, list_is_by_labels_and_ordered,
            inspect_takes_no_prefix, events_tell_of_start_and_die, logs_are_lines, logs_are_told_by_when_they_were_printed, commands_run_inside,
            list_tells_what_is_mounted, volumes_without_a_name_stay,
            what_goes_through_a_command_is_not_held, wait_gives_the_code, use_is_known_while_running, what_was_used_grows_and_begins_anew_with_a_start, missing_things_say_so,
        }
    };
}
pub(crate) use cases;

pub async fn engine_tells_about_itself(w: &World) {
    let info = w.docker.info().await.unwrap();
    assert!(!info.version.is_empty() && !info.api_version.is_empty() && !info.root_dir.is_empty());
    assert!(info.cpus >= 1 && info.memory > 1 << 28, "{info:?}");
    assert!([1, 2].contains(&info.cgroup_version));
    assert!(["amd64", "arm64"].contains(&info.architecture.as_str()), "{}", info.architecture);
    let image = w.docker.image(&w.image).await.unwrap().expect("the image is there");
    assert!(image.id.starts_with("sha256:") && image.tags.contains(&w.image));
    assert_eq!(w.docker.image(&image.id).await.unwrap().unwrap(), image, "by id");
    let own = (vec!["sleep".to_owned(), "infinity".to_owned()], Vec::<String>::new());
    assert_eq!((image.cmd, image.entrypoint), own);
    assert_eq!(w.docker.image("seawall/none-such:1").await.unwrap(), None);
    assert_eq!(w.docker.image("../containers").await.unwrap(), None);
}

pub async fn every_field_comes_back(w: &World) {
    let network = w.docker.create_network(&w.name("net"), &w.labels()).await.unwrap();
    let volume = w.name("data");
    w.docker.create_volume(&volume, &w.labels()).await.unwrap();
    let mut d = w.container("all");
    d.network = Some(network.name.clone());
    d.aliases = vec!["alias-two".into(), "alias-one".into()];
    d.ports = vec![port(w.free_port())];
    d.mounts = vec![VolumeMount { volume: volume.clone(), path: "/data".into() }];
    d.caps = Caps { memory: mi(128), swap: mi(64), cpus: Some(NanoCpus(500_000_000)) };
    d.restart = RestartPolicy::Always;
    d.shm_size = mi(96);
    d.hardening.only_capabilities = Some(vec!["SETUID".into(), "CHOWN".into(), "KILL".into()]);
    d.hardening.user = Some("65534".to_owned());

    let id = w.docker.create(&d).await.unwrap();
    let seen = w.seen(&id).await;
    assert_eq!((seen.id.as_str(), seen.name.as_str()), (id.as_str(), d.name.as_str()));
    assert_eq!(seen.labels, w.all_labels(&d).await);
    assert_eq!((seen.state, seen.exit_code, seen.restart_count), (ContainerState::Created, None, 0));
    assert_eq!((seen.started_at.as_str(), seen.finished_at.as_str(), seen.error.as_str()), ("", "", ""));
    let image = w.docker.image(&w.image).await.unwrap().unwrap();
    assert_eq!((seen.image_id.as_str(), seen.image_ref.as_str()), (image.id.as_str(), w.image.as_str()));
    assert_eq!(seen.env.get("SW_A"), Some("1 2"));
    for (key, value) in image.env.iter() {
        assert_eq!(seen.env.get(key), Some(value), "from the image");
    }
    assert_eq!(seen.restart_policy, "always");
    assert_eq!(seen.shm_size, mi(96));
    assert_eq!((seen.pids_limit, seen.init, seen.no_new_privileges), (Some(64), true, true));
    assert_eq!(
        (seen.cap_drop.as_slice(), seen.cap_add.as_slice()),
        (&["ALL".to_owned()][..], &["CHOWN".to_owned(), "KILL".into(), "SETUID".into()][..])
    );
    assert_eq!(seen.user, "65534");
    assert_eq!(seen.port_bindings, d.ports);
    assert_eq!(seen.published, [], "nothing is published before the start");
    assert_eq!(seen.mounts.len(), 1);
    assert_eq!(
        (seen.mounts[0].kind.as_str(), seen.mounts[0].volume.as_str(), seen.mounts[0].path.as_str()),
        ("volume", volume.as_str(), "/data")
    );
    assert_eq!(seen.networks.iter().map(|e| &e.network).collect::<Vec<_>>(), [&network.name]);
    assert_eq!((seen.caps.memory, seen.caps.cpus), (mi(128), Some(NanoCpus(500_000_000))));
    if w.docker.info().await.unwrap().swap_limit {
        assert_eq!(seen.caps.swap, mi(64));
    }

    w.docker.start(&id).await.unwrap();
    let seen = w.seen(&d.name).await;
    assert_eq!(seen.state, ContainerState::Running);
    assert!(!seen.started_at.is_empty());
    assert_eq!(seen.published, d.ports);
    let endpoint = seen.endpoint(&network.name).unwrap();
    assert_eq!(endpoint.network_id, network.id);
    assert!(!endpoint.ip.is_empty());
    for alias in &d.aliases {
        assert!(endpoint.aliases.contains(alias), "{endpoint:?}");
    }
    let row = w.docker.list(&[(label::INSTALLATION, &w.installation)]).await.unwrap().remove(0);
    assert_eq!((row.id, row.name, row.labels), (id, d.name.clone(), w.all_labels(&d).await));
    assert_eq!((row.state, row.image_id), (ContainerState::Running, image.id));
    let networks: Vec<&str> = row.networks.iter().map(|(name, _)| name).collect();
    assert_eq!((networks, row.host_ports), (vec![network.name.as_str()], vec![d.ports[0].host]));
}

pub async fn runs_and_stops(w: &World) {
    let id = w.running(&w.container("c")).await;
    w.docker.start(&id).await.expect("already running is success");
    assert_eq!(w.seen(&id).await.exit_code, None);
    // The trap is set a moment after the start.
    tokio::time::sleep(Duration::from_millis(if w.fake.is_some() { 0 } else { 500 })).await;
    w.docker.stop(&id, GRACE).await.unwrap();
    w.docker.stop(&id, GRACE).await.expect("already stopped is success");
    let seen = w.seen(&id).await;
    assert_eq!(seen.state, ContainerState::Exited);
    assert_eq!(seen.exit_code, Some(if w.fake.is_some() { 0 } else { 7 }), "its own stop signal was sent");
    assert!(!seen.finished_at.is_empty());
    w.docker.start(&id).await.unwrap();
    assert_eq!(w.seen(&id).await.state, ContainerState::Running);
    w.docker.remove(&id).await.expect("a running one too");
    assert_eq!(w.docker.inspect(&id).await.unwrap(), None);
    w.docker.remove(&id).await.expect("gone already is success");
}

pub async fn a_name_is_taken_once(w: &World) {
    let d = w.container("c");
    w.docker.create(&d).await.unwrap();
    let error = w.docker.create(&d).await.unwrap_err();
    assert!(matches!(&error, DockerError::NameTaken { name, .. } if *name == d.name), "{error:?}");
    let other = w.docker.create(&w.container("d")).await.unwrap();
    let error = w.docker.rename(&other, &d.name).await.unwrap_err();
    assert!(matches!(error, DockerError::NameTaken { .. }), "{error:?}");
    w.docker.rename(&other, &w.name("e")).await.unwrap();
    assert_eq!(w.seen(&w.name("e")).await.id, other);
    assert_eq!(w.docker.inspect(&w.name("d")).await.unwrap(), None);
}

pub async fn an_image_must_be_local(w: &World) {
    let mut d = w.container("c");
    d.image = "seawall/none-such:1".to_owned();
    let error = w.docker.create(&d).await.unwrap_err();
    assert_eq!(error, DockerError::ImageMissing { reference: d.image });
    let error = w.docker.pull("seawall.invalid/none-such:1").await.unwrap_err();
    assert!(!error.is_unavailable(), "the engine answered: {error:?}");
}

/// Needs a network: ports are published through one.
async fn publishing(w: &World, what: &str, host: u16) -> DesiredContainer {
    let name = w.name("net");
    if w.docker.networks(&name).await.unwrap().is_empty() {
        w.docker.create_network(&name, &w.labels()).await.unwrap();
    }
    let mut d = w.container(what);
    d.network = Some(name);
    d.ports = vec![port(host)];
    d
}

pub async fn a_port_is_taken_by_a_container(w: &World) {
    let host = w.free_port();
    let first = w.running(&publishing(w, "one", host).await).await;
    let second = w.docker.create(&publishing(w, "two", host).await).await.expect("create never looks");
    let error = w.docker.start(&second).await.unwrap_err();
    assert!(matches!(error, DockerError::PortTaken { .. }), "{error:?}");
    let seen = w.seen(&second).await;
    assert_eq!((seen.state, seen.exit_code), (ContainerState::Created, Some(128)));
    assert!(!seen.error.is_empty());
    w.docker.remove(&first).await.unwrap();
    w.docker.start(&second).await.expect("free again");
    assert_eq!(w.seen(&second).await.error, "");
}

pub async fn a_port_is_taken_by_a_process(w: &World) {
    let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let host = holder.local_addr().unwrap().port();
    if let Some(fake) = &w.fake {
        fake.hold_port(host);
    }
    let id = w.docker.create(&publishing(w, "one", host).await).await.unwrap();
    let error = w.docker.start(&id).await.unwrap_err();
    assert!(matches!(error, DockerError::PortTaken { .. }), "{error:?}");
    drop(holder);
    if let Some(fake) = &w.fake {
        fake.free_port(host);
    }
    w.docker.start(&id).await.unwrap();
}

async fn update(w: &World, id: &str, caps: Caps) -> Caps {
    w.docker.update(id, &LiveUpdate { caps: Some(caps), restart: None }).await.unwrap();
    w.seen(id).await.caps
}

pub async fn caps_change_live(w: &World) {
    let id = w.running(&w.container("c")).await;
    assert_eq!(w.seen(&id).await.caps, Caps::default());
    // First what never had a limit is "lifted", then set, raised, lowered, with swap, lifted.
    let steps = [
        Caps::default(),
        Caps { memory: mi(128), swap: None, cpus: Some(NanoCpus(500_000_000)) },
        Caps { memory: mi(256), swap: None, cpus: None },
        Caps { memory: mi(64), swap: None, cpus: Some(NanoCpus(250_000_000)) },
        Caps { memory: None, swap: None, cpus: None },
    ];
    for caps in steps {
        assert_eq!(update(w, &id, caps).await, caps);
        let usage = w.docker.usage(&id).await.unwrap().expect("it runs");
        assert_eq!(usage.memory_limit, caps.memory, "what the kernel enforces");
    }
    if w.docker.info().await.unwrap().swap_limit {
        let caps = Caps { memory: mi(64), swap: mi(32), cpus: None };
        assert_eq!(update(w, &id, caps).await, caps);
    }
    let too_many = LiveUpdate {
        caps: Some(Caps { cpus: Some(NanoCpus(9_000_000_000_000)), ..Caps::default() }),
        restart: None,
    };
    let error = w.docker.update(&id, &too_many).await.unwrap_err();
    assert!(matches!(error, DockerError::Refused { status: 400, .. }), "{error:?}");
    assert_eq!(w.seen(&id).await.state, ContainerState::Running);
}

pub async fn caps_change_while_stopped(w: &World) {
    let id = w.docker.create(&w.container("c")).await.unwrap();
    let low = Caps { memory: mi(64), swap: None, cpus: Some(NanoCpus(250_000_000)) };
    assert_eq!(update(w, &id, low).await, low);
    w.docker.start(&id).await.unwrap();
    assert_eq!(w.docker.usage(&id).await.unwrap().unwrap().memory_limit, mi(64));
    w.docker.stop(&id, Duration::from_secs(1)).await.unwrap();
    assert_eq!(update(w, &id, Caps::default()).await, Caps::default());
    w.docker.start(&id).await.unwrap();
    assert_eq!(w.docker.usage(&id).await.unwrap().unwrap().memory_limit, None);
}

pub async fn memory_in_use_cannot_be_taken_away(w: &World) {
    let mut d = w.container("c");
    // Held by the shell itself, so that nothing can be given back.
    d.command =
        vec!["sh".into(), "-c".into(), format!("x=$(head -c 60000000 /dev/zero | tr '\\0' x); {SERVE}")];
    let before = Caps { memory: mi(256), swap: None, cpus: None };
    d.caps = before;
    let id = w.running(&d).await;
    if let Some(fake) = &w.fake {
        let held = Bytes(61_000_000);
        fake.set_usage(&id, Usage { memory: held, unreclaimable: held, memory_limit: None }).unwrap();
        fake.set_info(EngineInfo { cgroup_version: 1, ..w.docker.info().await.unwrap() });
    }
    let held = async {
        while w.docker.usage(&id).await.unwrap().unwrap().unreclaimable < Bytes(60_000_000)
            || w.docker.logs(&id, 1).await.unwrap().is_empty() && w.fake.is_none()
        {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    // Only a machine that is emulated needs more than a second.
    tokio::time::timeout(Duration::from_secs(180), held).await.expect("the use shows");
    let caps = Some(Caps { memory: mi(32), ..before });
    if w.docker.info().await.unwrap().cgroup_version != 1 {
        // There the engine says yes and the kernel kills: only the use that was seen above, which the
        // plan compares with, stands between a lowered limit and the database.
        w.docker.update(&id, &LiveUpdate { caps, restart: None }).await.unwrap();
        assert_ne!(w.docker.wait(&id, Duration::from_secs(60)).await.unwrap(), 0);
        return;
    }
    let error = w.docker.update(&id, &LiveUpdate { caps, restart: None }).await.unwrap_err();
    assert!(matches!(error, DockerError::MemoryInUse { .. }), "{error:?}");
    let seen = w.seen(&id).await;
    assert_eq!((seen.state, seen.caps), (ContainerState::Running, before), "nothing killed, nothing changed");
}

pub async fn restart_policy_alone_leaves_caps(w: &World) {
    let mut d = w.container("c");
    d.caps = Caps { memory: mi(64), swap: None, cpus: Some(NanoCpus(250_000_000)) };
    let id = w.docker.create(&d).await.unwrap();
    for policy in [RestartPolicy::Always, RestartPolicy::No] {
        w.docker.update(&id, &LiveUpdate { caps: None, restart: Some(policy) }).await.unwrap();
        let seen = w.seen(&id).await;
        assert_eq!((seen.restart_policy.as_str(), seen.caps), (policy.as_str(), d.caps));
    }
}

fn file(path: &str, content: &[u8], mode: u32, uid: u64) -> FileToPut {
    FileToPut { path: path.into(), mode, uid, gid: uid, content: Zeroizing::new(content.to_vec()) }
}

pub async fn files_before_the_first_start(w: &World) {
    let id = w.docker.create(&w.container("c")).await.unwrap();
    let files = [file("/run/sw/deep/secret", b"s3cret\n", 0o400, 1234), file("/etc/sw.conf", b"", 0o644, 0)];
    w.docker.put_files(&id, &files).await.unwrap();
    let get = async |path: &str, max| w.docker.get_file(&id, path, max).await.unwrap();
    assert_eq!(get("/run/sw/deep/secret", 100).await.as_deref(), Some(&b"s3cret\n"[..]));
    assert_eq!(get("/run/sw/deep/secret", 3).await.as_deref(), Some(&b"s3c"[..]));
    assert_eq!(get("/etc/sw.conf", 100).await.as_deref(), Some(&b""[..]));
    assert_eq!(get("/none/such", 100).await, None);
    let exists = async |path: &str| w.docker.exists(&id, path).await.unwrap();
    assert_eq!((exists("/run/sw/deep/secret").await, exists("/none/such").await), (true, false));
    w.docker.put_files(&id, &[file("/run/sw/deep/secret", b"new", 0o400, 1234)]).await.unwrap();
    assert_eq!(get("/run/sw/deep/secret", 100).await.as_deref(), Some(&b"new"[..]));
    if let Some(fake) = &w.fake {
        let laid = fake.file(&id, "/run/sw/deep/secret").unwrap().unwrap();
        assert_eq!((laid.mode, laid.uid, laid.gid), (0o400, 1234, 1234));
        return;
    }
    assert!(exists("/etc").await && exists("/etc/os-release").await, "a directory, a link");
    // Through a link that leads up and over: /etc/os-release -> ../usr/lib/os-release.
    let release = get("/etc/os-release", 1 << 20).await.expect("followed");
    assert!(release.starts_with(b"PRETTY_NAME"));
    let error = w.docker.get_file(&id, "/etc", 10).await.unwrap_err();
    assert!(matches!(error, DockerError::Refused { .. }), "a directory: {error:?}");
    w.docker.start(&id).await.unwrap();
    let stat = w.sh(&id, "stat -c '%a %u %g' /run/sw/deep/secret /run/sw/deep /run/sw /etc /run").await;
    assert_eq!(stat.stdout, "400 1234 1234\n755 0 0\n755 0 0\n755 0 0\n755 0 0\n", "{stat:?}");
    w.docker.put_files(&id, &[file("/run/sw/late", b"x", 0o600, 7)]).await.expect("while it runs");
    assert_eq!(w.sh(&id, "stat -c '%a %u' /run/sw/late").await.stdout, "600 7\n");
}

pub async fn links_are_followed_inside_the_container(w: &World) {
    let id = w.running(&w.container("c")).await;
    let links = [("/d/one", "/e"), ("/d/two", "/e/f"), ("/d/gone", "/no/such"), ("/d/sub/three", "/e")];
    if let Some(fake) = &w.fake {
        for (path, to) in links {
            fake.add_link(&id, path, to).unwrap();
        }
    }
    // The second through the first, and up beyond the root; the third to nothing.
    let make = "mkdir -p /d/sub /e; ln -s /e /d/one; ln -s ../../../d/one/f /d/two; touch /e/f /d/file; ln -s /no/such /d/gone; ln -s /e /d/sub/three";
    w.sh(&id, make).await;
    for state in ["running", "stopped"] {
        for (path, to) in links {
            assert_eq!(w.docker.link(&id, path).await.unwrap().as_deref(), Some(to), "{path} {state}");
        }
        for path in ["/d/file", "/d/sub", "/d/none", "/none/such"] {
            assert_eq!(w.docker.link(&id, path).await.unwrap(), None, "{path} {state}");
        }
        assert!(!w.docker.exists(&id, "/d/gone").await.unwrap(), "it leads nowhere, {state}");
        for path in ["/d/one", "/d/two", "/d/sub"].into_iter().filter(|_| w.fake.is_none()) {
            assert!(w.docker.exists(&id, path).await.unwrap(), "{path} {state}");
        }
        let names = ["gone", "one", "two"].map(str::to_owned).to_vec();
        assert_eq!(w.docker.links(&id, "/d").await.unwrap(), Some(names), "{state}");
        assert_eq!(w.docker.links(&id, "/none").await.unwrap(), Some(Vec::new()), "{state}");
        w.docker.stop(&id, Duration::from_secs(5)).await.unwrap();
    }
}

pub async fn files_in_a_volume_outlive_the_container(w: &World) {
    let volume = w.name("data");
    w.docker.create_volume(&volume, &w.labels()).await.unwrap();
    let mut d = w.container("c");
    d.mounts = vec![VolumeMount { volume: volume.clone(), path: "/data".into() }];
    let id = w.docker.create(&d).await.unwrap();
    // By name, as a first start does it.
    w.docker.put_files(&d.name, &[file("/data/f", b"kept", 0o600, 5)]).await.unwrap();
    w.docker.start(&d.name).await.unwrap();
    let error = w.docker.remove_volume(&volume).await.unwrap_err();
    assert!(matches!(error, DockerError::WrongState { .. }), "in use: {error:?}");
    w.docker.remove(&id).await.unwrap();
    assert!(w.docker.volume(&volume).await.unwrap().is_some(), "a container never takes its volume along");
    let id = w.docker.create(&d).await.unwrap();
    assert_eq!(w.docker.get_file(&id, "/data/f", 100).await.unwrap().as_deref(), Some(&b"kept"[..]));
    w.docker.remove(&id).await.unwrap();
    w.docker.remove_volume(&volume).await.unwrap();
    w.docker.remove_volume(&volume).await.expect("gone already is success");
    assert_eq!(w.docker.volume(&volume).await.unwrap(), None);
}

pub async fn volumes_keep_old_labels(w: &World) {
    for name in ["vb", "va"] {
        let made = w.docker.create_volume(&w.name(name), &w.labels()).await.unwrap();
        assert_eq!((made.name, made.labels), (w.name(name), Pairs::from(&w.labels())));
    }
    let other = BTreeMap::from([("x".to_owned(), "y".to_owned())]);
    let again = w.docker.create_volume(&w.name("va"), &other).await.unwrap();
    assert_eq!(again.labels, w.labels(), "the labels it had, not those asked for");
    let all = w.docker.volumes(&[(label::INSTALLATION, &w.installation)]).await.unwrap();
    assert_eq!(all.iter().map(|v| v.name.as_str()).collect::<Vec<_>>(), [w.name("va"), w.name("vb")]);
    assert!(all[0].mountpoint.contains(&w.name("va")));
    assert_eq!(w.docker.volumes(&[(label::INSTALLATION, "none-such")]).await.unwrap(), []);
}

pub async fn networks_have_exact_names(w: &World) {
    let name = w.name("net");
    w.docker.create_network(&format!("{name}-longer"), &w.labels()).await.unwrap();
    assert_eq!(w.docker.networks(&name).await.unwrap(), [], "no part of a name");
    let made = w.docker.create_network(&name, &w.labels()).await.unwrap();
    let listed = w.docker.networks(&name).await.unwrap();
    let begun = listed[0].created_at.clone();
    assert!(
        begun.parse::<jiff::Timestamp>().is_ok() && made.created_at.is_empty(),
        "told by a list alone: {begun}"
    );
    assert_eq!(listed, [SeenNetwork { created_at: begun, ..made.clone() }]);
    assert_eq!(
        (made.driver.as_str(), made.internal, &made.labels),
        ("bridge", false, &Pairs::from(&w.labels()))
    );
    let error = w.docker.create_network(&name, &w.labels()).await.unwrap_err();
    assert!(matches!(error, DockerError::NameTaken { .. }), "{error:?}");

    let mut d = w.container("c");
    d.network = Some(format!("{name}-longer"));
    let id = w.running(&d).await;
    w.docker.connect(&made.id, &id, &["extra".to_owned()]).await.unwrap();
    let endpoint = w.seen(&id).await.endpoint(&name).cloned().unwrap();
    assert_eq!(endpoint.network_id, made.id);
    assert!(endpoint.aliases.contains(&"extra".to_owned()) && !endpoint.ip.is_empty());
    let error = w.docker.connect(&made.id, &id, &[]).await.unwrap_err();
    assert!(matches!(error, DockerError::WrongState { .. }), "twice: {error:?}");
    let error = w.docker.remove_network(&made.id).await.unwrap_err();
    assert!(matches!(error, DockerError::WrongState { .. }), "in use: {error:?}");
    let alone = w.running(&w.container("alone")).await;
    let error = w.docker.connect(&made.id, &alone, &[]).await.unwrap_err();
    assert!(matches!(error, DockerError::Refused { status: 400, .. }), "has no network: {error:?}");
    w.docker.disconnect(&made.id, &id).await.unwrap();
    assert!(w.seen(&id).await.endpoint(&name).is_none());
    let error = w.docker.disconnect(&made.id, &id).await.unwrap_err();
    assert!(!error.is_unavailable(), "twice: {error:?}");
    w.docker.remove_network(&made.id).await.unwrap();
    w.docker.remove_network(&made.id).await.expect("gone already is success");
    assert_eq!(w.docker.networks(&name).await.unwrap(), []);
}

pub async fn a_lost_network_cannot_be_started_on(w: &World) {
    let old = w.docker.create_network(&w.name("net"), &w.labels()).await.unwrap();
    let mut d = w.container("c");
    d.network = Some(old.name.clone());
    let id = w.running(&d).await;
    w.docker.stop(&id, Duration::from_secs(1)).await.unwrap();
    w.docker.remove_network(&old.id).await.expect("a stopped container does not hold it");
    let new = w.docker.create_network(&old.name, &w.labels()).await.unwrap();
    assert_ne!(new.id, old.id);
    let error = w.docker.start(&id).await.unwrap_err();
    assert!(matches!(error, DockerError::Refused { status: 404, .. }), "{error:?}");
    assert_eq!(w.seen(&id).await.endpoint(&old.name).unwrap().network_id, old.id, "bound by id");
}

pub async fn list_is_by_labels_and_ordered(w: &World) {
    for what in ["b", "c", "a"] {
        w.docker.create(&w.container(what)).await.unwrap();
    }
    let names = async |labels: &[(&str, &str)]| -> Vec<String> {
        w.docker.list(labels).await.unwrap().into_iter().map(|c| c.name).collect()
    };
    let ours = (label::INSTALLATION, w.installation.as_str());
    assert_eq!(names(&[ours]).await, [w.name("a"), w.name("b"), w.name("c")], "stopped ones too");
    assert_eq!(names(&[ours, (label::NAME, "b")]).await, [w.name("b")], "all labels must fit");
    assert_eq!(names(&[(label::INSTALLATION, "none-such")]).await, Vec::<String>::new());
}

pub async fn list_tells_what_is_mounted(w: &World) {
    let volume = w.name("data");
    let made = w.docker.create_volume(&volume, &w.labels()).await.unwrap();
    assert_eq!((made.device.as_str(), made.mountpoint.is_empty()), ("", false));
    let mut d = w.container("c");
    d.mounts = vec![VolumeMount { volume: volume.clone(), path: "/data".into() }];
    w.running(&d).await;
    let rows = w.docker.list(&[(label::INSTALLATION, &w.installation)]).await.unwrap();
    assert_eq!(rows.iter().map(|r| r.mounts.clone()).collect::<Vec<_>>(), [Pairs::from([(&*volume, "rw")])]);
    let all = w.docker.volumes(&[]).await.unwrap();
    assert!(all.contains(&made), "without a label all are listed, as an inspect shows them");
}

pub async fn volumes_without_a_name_stay(w: &World) {
    let mut d = w.container("c");
    d.image.clone_from(&w.image_with_volume);
    d.entrypoint = vec!["true".to_owned()];
    for throwaway in [false, true] {
        let id = w.docker.create(&d).await.unwrap();
        let volume = w.seen(&id).await.mounts.first().expect("the image declares one").volume.clone();
        if throwaway {
            w.docker.remove_throwaway(&id).await.unwrap();
        } else {
            w.docker.remove(&id).await.unwrap();
        }
        assert_eq!(w.docker.volume(&volume).await.unwrap().is_none(), throwaway);
        w.docker.remove_volume(&volume).await.unwrap();
        w.docker.remove_throwaway(&id).await.expect("gone already");
    }
}

pub async fn inspect_takes_no_prefix(w: &World) {
    let id = w.docker.create(&w.container("c")).await.unwrap();
    assert_eq!(w.docker.inspect(&id[..12]).await.unwrap(), None);
    assert!(w.docker.inspect(&id).await.unwrap().is_some());
    assert!(w.docker.inspect(&w.name("c")).await.unwrap().is_some());
    assert_eq!(w.docker.inspect(&w.name("none")).await.unwrap(), None);
}

async fn next_of(
    events: &mut (impl futures_util::Stream<Item = seawall::docker::Result<EngineEvent>> + Unpin),
    id: &str,
    action: &str,
) -> EngineEvent {
    let found = async {
        loop {
            let event = events.next().await.expect("the stream goes on").unwrap();
            if event.actor == id && event.action == action {
                return event;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), found).await.unwrap_or_else(|_| panic!("no {action}"))
}

pub async fn events_tell_of_start_and_die(w: &World) {
    let mut events = w.docker.events(0);
    // The first poll opens the real stream.
    let _ = tokio::time::timeout(Duration::from_millis(500), events.next()).await;
    let d = w.container("c");
    let id = w.docker.create(&d).await.unwrap();
    let created = next_of(&mut events, &id, "create").await;
    w.docker.start(&id).await.unwrap();
    let started = next_of(&mut events, &id, "start").await;
    assert_eq!(started.kind, "container");
    assert_eq!(started.labels, w.all_labels(&d).await);
    assert_eq!(started.attributes["name"], d.name);
    assert!(started.time_nano > created.time_nano);
    w.docker.stop(&id, Duration::from_secs(1)).await.unwrap();
    let died = next_of(&mut events, &id, "die").await;
    assert!(died.attributes["exitCode"].parse::<i64>().is_ok());

    // From one nanosecond later: what was seen is not seen again.
    let mut again = w.docker.events(created.time_nano + 1);
    let first = async {
        loop {
            let event = again.next().await.unwrap().unwrap();
            if event.actor == id {
                return event;
            }
        }
    };
    let first = tokio::time::timeout(Duration::from_secs(5), first).await.unwrap();
    assert_eq!((first.action.as_str(), first.time_nano), ("start", started.time_nano));

    let volume = w.name("v");
    w.docker.create_volume(&volume, &w.labels()).await.unwrap();
    let made = next_of(&mut events, &volume, "create").await;
    assert_eq!((made.kind.as_str(), made.labels.len()), ("volume", 0));
}

pub async fn logs_are_lines(w: &World) {
    let mut d = w.container("c");
    d.command = ["sh", "-c", "echo one; echo two; printf three"].map(str::to_owned).to_vec();
    let id = w.docker.create(&d).await.unwrap();
    if let Some(fake) = &w.fake {
        fake.set_logs(&id, ["one", "two", "three"].map(str::to_owned).to_vec()).unwrap();
        fake.on_start(|_| Some(0));
    }
    w.docker.start(&id).await.unwrap();
    w.docker.wait(&id, GRACE).await.unwrap();
    assert_eq!(w.docker.logs(&id, 100).await.unwrap(), ["one", "two", "three"]);
    assert_eq!(w.docker.logs(&id, 2).await.unwrap(), ["two", "three"]);
    for follow in [false, true] {
        let streamed = async {
            let lines: Vec<String> =
                w.docker.stream_logs(&id, 2, follow, LogRange::default()).map(|l| l.unwrap()).collect().await;
            assert_eq!(lines, ["two", "three"], "and ends, at the latest with the container");
        };
        tokio::time::timeout(GRACE, streamed).await.unwrap();
    }
    let missing = w.docker.stream_logs("none-such", 1, true, LogRange::default()).next().await;
    assert!(matches!(missing, Some(Err(DockerError::NotFound { .. }))), "{missing:?}");
}

pub async fn logs_are_told_by_when_they_were_printed(w: &World) {
    let mut d = w.container("c");
    d.command = ["sh", "-c", "echo one; echo two >&2"].map(str::to_owned).to_vec();
    let id = w.docker.create(&d).await.unwrap();
    if let Some(fake) = &w.fake {
        let of = |second| ["one", "two"].map(|word| format!("1970-01-01T00:00:{second}Z {word}"));
        fake.set_logs(&id, [of("00"), ["one", "two"].map(str::to_owned)].concat()).unwrap();
        fake.on_start(|_| Some(0));
    }
    for _ in 0..2 {
        w.docker.start(&id).await.unwrap();
        w.docker.wait(&id, GRACE).await.unwrap();
    }
    let started: jiff::Timestamp = w.docker.inspect(&id).await.unwrap().unwrap().started_at.parse().unwrap();
    let told = async |since, until| {
        let lines = w.docker.stream_logs(&id, usize::MAX, false, LogRange { since, until });
        let mut lines: Vec<String> = lines.map(|line| line.unwrap()).collect().await;
        // Both outputs come as they like.
        lines.sort();
        lines
    };
    assert_eq!(told(None, None).await, ["one", "one", "two", "two"]);
    // To the moment, and not to the second in which both were.
    assert_eq!(told(None, Some(started)).await, ["one", "two"]);
    assert_eq!(told(Some(started), None).await, ["one", "two"]);
    assert_eq!(told(Some(started), Some(started)).await, [""; 0]);
}

pub async fn commands_run_inside(w: &World) {
    let id = w.running(&w.container("c")).await;
    w.script(3, "out", "err");
    let got = w.sh(&id, "printf out; printf err >&2; exit 3").await;
    assert_eq!((got.exit_code, got.stdout.as_str(), got.stderr.as_str()), (3, "out", "err"));
    w.script(0, "v-data", "");
    let request = ExecRequest {
        argv: ["sh", "-c", "printf '%s-' \"$K\"; cat"].map(str::to_owned).to_vec(),
        env: BTreeMap::from([("K".to_owned(), "v".to_owned())]),
        user: "1234".to_owned(),
        stdin: Some(Zeroizing::new(b"data".to_vec())),
    };
    let got = w.docker.exec(&id, &request, GRACE).await.unwrap();
    assert_eq!((got.exit_code, got.stdout.as_str()), (0, "v-data"));
    if w.fake.is_none() {
        let got = w.sh(&id, "head -c 300000 /dev/zero | tr '\\0' x").await;
        assert_eq!((got.exit_code, got.stdout.len()), (0, 64 * 1024), "cut, and still read to its end");
        let request = ExecRequest { argv: ["sleep", "30"].map(str::to_owned).to_vec(), ..Default::default() };
        let error = w.docker.exec(&id, &request, Duration::from_secs(1)).await.unwrap_err();
        assert!(matches!(error, DockerError::Timeout { .. }), "{error:?}");
        let left = w.sh(&id, "cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -c 'sleep 3[0]'").await;
        assert_eq!(left.stdout, "0\n", "nothing runs on: {left:?}");
    }
    w.docker.stop(&id, Duration::from_secs(1)).await.unwrap();
    let request = ExecRequest { argv: vec!["true".to_owned()], ..Default::default() };
    let error = w.docker.exec(&id, &request, GRACE).await.unwrap_err();
    assert!(matches!(error, DockerError::WrongState { .. }), "{error:?}");
}

pub async fn what_goes_through_a_command_is_not_held(w: &World) {
    let mut d = w.container("c");
    d.command = ["sleep", "1000"].map(str::to_owned).to_vec();
    let id = w.running(&d).await;
    let through = async |command: &str, input: Option<Vec<u8>>, idle: Duration| {
        let argv = ["sh", "-c", command].map(str::to_owned).to_vec();
        let request = ExecRequest { argv, ..Default::default() };
        let (to, from) = channel(1);
        let (out, mut said) = channel::<Raw>(1);
        let has_input = input.is_some();
        let feed = async move {
            for piece in input.unwrap_or_default().chunks(10_000) {
                if to.send(Raw::copy_from_slice(piece)).await.is_err() {
                    break;
                }
            }
        };
        let take = async {
            let mut all = Vec::new();
            while let Some(bytes) = said.recv().await {
                all.extend_from_slice(&bytes);
            }
            all
        };
        let pipe = Pipe { input: has_input.then_some(from), output: Some(out), idle, longest: 2 * GRACE };
        let run = w.docker.exec_through(&id, &request, pipe);
        let ((), all, result) = tokio::join!(feed, take, run);
        (result, all)
    };
    w.script(3, "out", "err");
    let (result, all) =
        through("cat >/dev/null; printf out; printf err >&2; exit 3", Some(vec![b'x'; 100]), GRACE).await;
    let result = result.unwrap();
    assert_eq!((result.exit_code, &*result.stdout, &*result.stderr, &*all), (3, "", "err", &b"out"[..]));
    if w.fake.is_none() {
        // Far more than is kept of a short command, byte for byte.
        let long: Vec<u8> = (0..3_000_000_u32).map(|n| (n * 7 + n / 256) as u8).collect();
        let (result, all) = through("cat", Some(long.clone()), GRACE).await;
        assert_eq!(result.unwrap().exit_code, 0);
        assert!(all == long, "{} bytes came back", all.len());
        let (result, _) = through("head -c 5 >/dev/null; exit 7", Some(long), GRACE).await;
        assert_eq!(result.unwrap().exit_code, 7, "it need not read all");
        let (result, all) = through("printf x; sleep 1000", None, Duration::from_secs(1)).await;
        assert!(matches!(result, Err(DockerError::Timeout { .. })), "{result:?}");
        assert_eq!(all, b"x", "what was said before it hung");
    }
    // Nobody takes what it says.
    w.script(0, "out", "");
    let argv = ["sh", "-c", "printf out; sleep 1; printf out; sleep 1000"].map(str::to_owned).to_vec();
    let (output, _) = channel(1);
    let pipe = Pipe { input: None, output: Some(output), idle: GRACE, longest: GRACE };
    let request = ExecRequest { argv, ..Default::default() };
    let cut = w.docker.exec_through(&id, &request, pipe).await.unwrap();
    assert_eq!(cut.exit_code, CUT_SHORT);
    w.docker.stop(&id, Duration::from_secs(1)).await.unwrap();
}

pub async fn wait_gives_the_code(w: &World) {
    let mut d = w.container("c");
    d.command = ["sh", "-c", "exit 5"].map(str::to_owned).to_vec();
    let id = w.docker.create(&d).await.unwrap();
    if let Some(fake) = &w.fake {
        fake.on_start(|c| c.name.ends_with("-c").then_some(5));
    }
    w.docker.start(&id).await.unwrap();
    assert_eq!(w.docker.wait(&id, GRACE).await.unwrap(), 5);
    assert_eq!(w.seen(&id).await.exit_code, Some(5));
    let longer = w.running(&w.container("longer")).await;
    let error = w.docker.wait(&longer, Duration::from_millis(300)).await.unwrap_err();
    assert!(matches!(error, DockerError::Timeout { .. }), "{error:?}");
    let (code, stopped) = tokio::join!(w.docker.wait(&longer, GRACE), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        w.docker.stop(&longer, GRACE).await
    });
    stopped.unwrap();
    code.unwrap();
}

pub async fn use_is_known_while_running(w: &World) {
    let id = w.docker.create(&w.container("c")).await.unwrap();
    assert_eq!(w.docker.usage(&id).await.unwrap(), None, "not started");
    w.docker.start(&id).await.unwrap();
    let usage = w.docker.usage(&id).await.unwrap().unwrap();
    assert!(usage.memory.0 > 0 && usage.unreclaimable <= usage.memory, "{usage:?}");
    assert_eq!(usage.memory_limit, None);
}

pub async fn what_was_used_grows_and_begins_anew_with_a_start(w: &World) {
    let mut d = w.container("c");
    d.caps = Caps { memory: mi(64), swap: None, cpus: None };
    d.command = vec!["sh".into(), "-c".into(), format!("seq 1 200000 >/dev/null; {SERVE}")];
    let id = w.docker.create(&d).await.unwrap();
    assert_eq!(w.docker.sample(&id).await.unwrap(), None, "not started");
    w.docker.start(&id).await.unwrap();
    if let Some(fake) = &w.fake {
        fake.set_cpu(&id, 100_000_000).unwrap();
    }
    let busy = async {
        loop {
            let seen = w.docker.sample(&id).await.unwrap().unwrap();
            if seen.cpu_nano > 50_000_000 {
                return seen;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let first = tokio::time::timeout(Duration::from_secs(180), busy).await.expect("it works");
    assert_eq!(first.usage.memory_limit, mi(64));
    let network = first.network.expect("it is on a network");
    let again = w.docker.sample(&id).await.unwrap().unwrap();
    assert!(again.at_nano > first.at_nano && again.cpu_nano >= first.cpu_nano, "{first:?} {again:?}");
    assert!(again.network.is_some_and(|now| now.inward >= network.inward), "{first:?} {again:?}");
    // Where the kernel shows it, it says the same.
    if let Some(seen) = w.docker.cgroup(&id).await {
        assert!(seen.cpu_nano >= again.cpu_nano, "{again:?} {seen:?}");
        assert_eq!((seen.usage.memory_limit, seen.oom_kills), (mi(64), Some(0)));
        assert_eq!(w.docker.cgroup(&w.name("c")).await, None, "by its whole id alone");
    }
    w.docker.stop(&id, Duration::from_secs(1)).await.unwrap();
    assert_eq!(w.docker.sample(&id).await.unwrap(), None, "stopped");
    assert_eq!(w.docker.cgroup(&id).await, None);
    w.docker.start(&id).await.unwrap();
    let new = w.docker.sample(&id).await.unwrap().unwrap();
    assert!(new.cpu_nano < 50_000_000 || new.at_nano - again.at_nano > 1_000_000_000, "{again:?} {new:?}");
    assert_eq!(w.docker.sample(&"0".repeat(64)).await.unwrap_err().reason(), "NotFound");
}

pub async fn missing_things_say_so(w: &World) {
    let none = w.name("none");
    let not_found = |what: &str, error: DockerError| {
        assert!(matches!(error, DockerError::NotFound { .. }), "{what}: {error:?}");
    };
    not_found("start", w.docker.start(&none).await.unwrap_err());
    not_found("stop", w.docker.stop(&none, GRACE).await.unwrap_err());
    not_found(
        "update",
        w.docker.update(&none, &LiveUpdate { caps: Some(Caps::default()), restart: None }).await.unwrap_err(),
    );
    not_found("rename", w.docker.rename(&none, &w.name("x")).await.unwrap_err());
    not_found("usage", w.docker.usage(&none).await.unwrap_err());
    not_found("put", w.docker.put_files(&none, &[file("/a", b"", 0o600, 0)]).await.unwrap_err());
    not_found("get", w.docker.get_file(&none, "/a", 1).await.unwrap_err());
    not_found("exists", w.docker.exists(&none, "/a").await.unwrap_err());
    not_found("link", w.docker.link(&none, "/a").await.unwrap_err());
    not_found("links", w.docker.links(&none, "/a").await.unwrap_err());
    not_found("logs", w.docker.logs(&none, 1).await.unwrap_err());
    not_found("wait", w.docker.wait(&none, GRACE).await.unwrap_err());
    let request = ExecRequest { argv: vec!["true".to_owned()], ..Default::default() };
    not_found("exec", w.docker.exec(&none, &request, GRACE).await.unwrap_err());
    let net = w.docker.create_network(&w.name("net"), &w.labels()).await.unwrap();
    let id = w.docker.create(&w.container("stopped")).await.unwrap();
    w.docker.connect(&"0".repeat(64), &id, &[]).await.expect("put off until the start");
    let mut d = w.container("c");
    d.network = Some(net.name);
    let id = w.running(&d).await;
    not_found("connect", w.docker.connect(&"0".repeat(64), &id, &[]).await.unwrap_err());
    not_found("disconnect", w.docker.disconnect(&"0".repeat(64), &id).await.unwrap_err());
}
