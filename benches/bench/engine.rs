//! The local engine, and the same calls as the operator's without one.

use crate::{AT_ONCE, Bench, IMAGE, free_port, manifest, object, setting};
use futures_util::{FutureExt, StreamExt, stream};
use seawall::control::operator::Times;
use seawall::core::identity::Identity;
use seawall::core::member::Role;
use seawall::core::names::{Installation, label};
use seawall::core::neighbours::Around;
use seawall::core::resource::{Caps, DeletionPolicy, PortRequest};
use seawall::core::will::Asked;
use seawall::docker::{BollardDocker, Docker, FileToPut};
use seawall::kinds::postgres::check::Checked;
use seawall::kinds::postgres::client::Network;
use seawall::kinds::postgres::desired::{PASSWORD_FILE, parameter_file, process};
use seawall::kinds::postgres::facts::{Contents, facts};
use seawall::kinds::postgres::parameters;
use seawall::kinds::postgres::plan::Subject;
use seawall::kinds::postgres::record::Memory;
use seawall::workload;
use seawall::workload::desired::container;
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroizing;

pub struct Engine {
    pub docker: Arc<dyn Docker>,
    pub services: usize,
}

impl Engine {
    pub fn new() -> Self {
        let docker: Arc<dyn Docker> = Arc::new(BollardDocker::connect(None).expect("a Docker engine"));
        Self { docker, services: setting("SEAWALL_BENCH_SERVICES", 12) }
    }

    pub fn names(&self) -> Vec<String> {
        (0..self.services).map(|n| format!("p{n:03}")).collect()
    }

    pub fn bench(&self, times: Times) -> Bench {
        Bench::new(Arc::clone(&self.docker), Arc::new(Network), times)
    }

    /// With all services Ready.
    pub async fn running(&self, times: Times, services: &[String], spec: &str) -> Bench {
        let mut bench = self.bench(times);
        for name in services {
            bench.write(&format!("{name}.yaml"), &manifest(name, spec));
        }
        bench.drive();
        bench.until_ready(services, Duration::from_millis(100)).await;
        bench
    }

    /// Nothing stays, also after an error or Ctrl-C.
    pub async fn cleaning(&self, installations: &[&Installation], body: impl Future<Output = ()>) {
        let done = tokio::select! {
            done = AssertUnwindSafe(body).catch_unwind() => done,
            _ = tokio::signal::ctrl_c() => Err(Box::new("interrupted") as _),
        };
        for installation in installations {
            self.clean(installation).await;
        }
        if let Err(error) = done {
            std::panic::resume_unwind(error);
        }
    }

    pub async fn clean(&self, installation: &Installation) {
        let ours = [(label::INSTALLATION, installation.as_str())];
        let containers = self.docker.list(&ours).await.unwrap_or_default();
        stream::iter(containers)
            .for_each_concurrent(AT_ONCE, |c| async move { drop(self.docker.remove(&c.id).await) })
            .await;
        for volume in self.docker.volumes(&ours).await.unwrap_or_default() {
            drop(self.docker.remove_volume(&volume.name).await);
        }
        for network in self.docker.networks(&installation.network()).await.unwrap_or_default() {
            drop(self.docker.remove_network(&network.id).await);
        }
    }

    /// The same containers by the same adapter, without an operator, each with a published port or without; their names.
    pub async fn raw(&self, installation: &Installation, names: &[String], publish: bool) -> Vec<String> {
        let image = self.docker.image(IMAGE).await.expect("an answer").expect("deploy/images/build.sh");
        let contents = Contents {
            passwd: "postgres:x:999:999::/:/bin/sh".to_owned(),
            server: Some("/usr/bin/postgres".to_owned()),
            ..Contents::default()
        };
        let image = facts(&image, &contents).expect("a PostgreSQL image");
        let spec = Checked {
            work: workload::Checked {
                image: IMAGE.parse().expect("a reference"),
                caps: Caps::default(),
                force_caps: false,
                port: PortRequest::None,
                stopped: false,
                deletion: DeletionPolicy::Retain,
                restart_automatically: true,
                paused: false,
                delete_confirmed: false,
                volume_users: std::collections::BTreeSet::new(),
                at_once: 1,
            },
            database: "app".to_owned(),
            username: "postgres".to_owned(),
            password: None,
            schedule: None,
            parameters: BTreeMap::new(),
            skip_trial: false,
            accept_cluster: None,
            accept_collation_change: false,
        };
        let identity = |name: &str| Identity {
            installation: installation.clone(),
            store: "raw".to_owned(),
            object: object(name),
            role: Role::default(),
            uid: String::new(),
            generation: 1,
            home: None,
        };
        let any = identity("any");
        drop(self.docker.create_network(&any.network(), &any.installation_labels()).await);
        let file = |path: &str, mode, text: String| FileToPut {
            path: path.to_owned(),
            mode,
            uid: 0,
            gid: image.gid,
            content: Zeroizing::new(text.into_bytes()),
        };
        let each = stream::iter(names.iter().cloned()).map(|name| {
            let id = identity(&name);
            let (memory, asked, around) = (Memory::default(), Asked::default(), Around::default());
            let subject = Subject {
                identity: &id,
                spec: &spec,
                asked: &asked,
                memory: &memory,
                present: true,
                around: &around,
            };
            let process = process(&spec, &image, &memory);
            let port = publish.then(free_port);
            let desired = container(&subject.work(), &image.work, &memory.work, port, &process);
            let text = parameter_file(&id, &spec, &memory, &image);
            let files = [file(parameters::PATH, 0o644, text), file(PASSWORD_FILE, 0o440, "raw".to_owned())];
            async move {
                self.docker.create_volume(&id.volume(), &id.labels()).await.expect("a volume");
                let made = self.docker.create(&desired).await.expect("a container");
                self.docker.put_files(&made, &files).await.expect("files");
                self.docker.start(&made).await.expect("a start");
                desired.name
            }
        });
        each.buffer_unordered(AT_ONCE).collect().await
    }

    /// The same by the engine's own client, as a user would.
    pub async fn docker_run(&self, installation: &Installation, names: &[String]) {
        let network = installation.network();
        let labels = BTreeMap::from([(label::INSTALLATION.to_owned(), installation.to_string())]);
        self.docker.create_network(&network, &labels).await.expect("a network");
        let run = |name: String| {
            let (ours, network) = (format!("{}={installation}", label::INSTALLATION), network.clone());
            async move {
                let volume = format!("{installation}-{name}-data");
                let labels = BTreeMap::from([(label::INSTALLATION.to_owned(), installation.to_string())]);
                self.docker.create_volume(&volume, &labels).await.expect("a volume");
                let port = format!("127.0.0.1:{}:5432", free_port());
                let mount = format!("{volume}:/var/lib/postgresql");
                let done = tokio::process::Command::new("docker")
                    .args(["run", "-d", "--label", &ours, "--network", &network, "-p", &port, "-v", &mount])
                    .args(["-e", "POSTGRES_PASSWORD=bench", IMAGE])
                    .output()
                    .await
                    .expect("docker");
                assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
            }
        };
        stream::iter(names.iter().cloned()).map(run).buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
    }
}
