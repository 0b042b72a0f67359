//! How soon an application has the variables of a link, beside the same container made and started by the same adapter.

use crate::engine::Engine;
use crate::links::{link, project};
use crate::{Bench, IMAGE, installation, line, manifest, median, ms, until};
use seawall::control::operator::Times;
use seawall::core::desired::{DesiredContainer, Hardening, RestartPolicy};
use seawall::core::names::{Installation, label};
use seawall::core::resource::Caps;
use seawall::core::seen::{ContainerState, SeenContainer};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

const ROUNDS: usize = 10;
/// Serves with its database or without one, at once.
const WEB: &str =
    "test -n \"$POSTGRES_URL\" || exec python3 -m http.server 8000; exec python3 -u /srv/visits.py";
/// Waits for its database, and serves nothing before.
const WAITING: &str = "test -n \"$POSTGRES_URL\" || exec sleep 3600; exec python3 -u /srv/visits.py";

fn web(script: &str) -> String {
    let command = serde_json::to_string(&["sh", "-c", script]).expect("JSON");
    format!(
        "web: {{image: 'seawall/visits:test', command: {command}, healthCheck: {{http: {{port: 8000, path: /}}}}}}"
    )
}

impl Engine {
    pub async fn apps(&self) {
        let raw = installation();
        let bench = self.bench(Times::default());
        let ours = bench.installation.clone();
        self.cleaning(&[&raw, &ours], self.applications(bench, &raw)).await;
    }

    async fn applications(&self, mut bench: Bench, raw: &Installation) {
        bench.write("main.yaml", &manifest("main", &format!("{{image: '{IMAGE}'}}")));
        bench.drive();
        bench.until_ready(&["main".to_owned()], Duration::from_millis(50)).await;
        let mut url = String::new();
        for case in [Case::New, Case::Waits, Case::Serves] {
            let (mut ours, mut raws) = (Vec::new(), Vec::new());
            for round in 0..ROUNDS {
                let name = format!("{}{round}", case.word());
                ours.push(self.linked(&bench, case, &name, &mut url).await);
                raws.push(self.directly(&bench, raw, &name, &url).await);
            }
            beside(case.words(), &ours, &raws);
        }
        bench.stop().await;
    }

    /// The container of an application that has its variables, and its address.
    async fn with_variables(&self, names: &[String]) -> Option<SeenContainer> {
        for name in names {
            let seen = self.docker.inspect(name).await.ok().flatten();
            let seen =
                seen.filter(|c| c.state == ContainerState::Running && c.env.get("POSTGRES_URL").is_some());
            if seen.is_some() {
                return seen;
            }
        }
        None
    }

    async fn linked(&self, bench: &Bench, case: Case, name: &str, url: &mut String) -> Took {
        let app = format!("app/{name}-production-web").parse().expect("a name");
        let names = ["a", "b"].map(|role| format!("{}.{role}", bench.installation.container(&app)));
        let script = if case == Case::Waits { WAITING } else { WEB };
        let shop = project(name, &web(script));
        if case == Case::New {
            // The two arrive in one file, as from `git pull`.
            bench.write(&format!("{name}.yaml"), &format!("{shop}---\n{}", link(name)));
        } else {
            bench.write(&format!("{name}.yaml"), &shop);
            until("an application without a link", Duration::from_millis(50), async || {
                let seen = self.docker.inspect(&names[0]).await.ok().flatten();
                let address = seen.as_ref().and_then(address);
                seen.is_some_and(|c| c.state == ContainerState::Running)
                    && (case == Case::Waits || answers(address.as_deref(), "").await)
            })
            .await;
            // From rest, as a person saves.
            sleep(Duration::from_secs(4)).await;
            bench.write(&format!("{name}-main.yaml"), &link(name));
        }
        let begun = Instant::now();
        let mut seen = None;
        until("linked", Duration::from_millis(5), async || {
            seen = self.with_variables(&names).await;
            seen.is_some()
        })
        .await;
        let runs = begun.elapsed();
        let seen = seen.expect("a container");
        url.clear();
        url.push_str(seen.env.get("POSTGRES_URL").unwrap_or_default());
        until("served", Duration::from_millis(5), async || {
            answers(address(&seen).as_deref(), "Visit number").await
        })
        .await;
        Took { runs, answers: begun.elapsed() }
    }

    /// The same container made and started by the same adapter, without an operator, with variables that are there already.
    async fn directly(&self, bench: &Bench, raw: &Installation, name: &str, url: &str) -> Took {
        let desired = DesiredContainer {
            name: format!("{raw}-{name}"),
            image: "seawall/visits:test".to_owned(),
            env: ["POSTGRES_URL", "DATABASE_URL"].map(|name| (name.to_owned(), url.to_owned())).into(),
            withheld: BTreeMap::new(),
            command: ["sh", "-c", WEB].map(str::to_owned).into(),
            entrypoint: Vec::new(),
            labels: BTreeMap::from([(label::INSTALLATION.to_owned(), raw.to_string())]),
            mounts: Vec::new(),
            network: Some(bench.installation.network()),
            aliases: Vec::new(),
            ports: Vec::new(),
            caps: Caps::default(),
            restart: RestartPolicy::Always,
            stop_signal: None,
            stop_timeout: Some(10),
            hardening: Hardening {
                no_new_privileges: true,
                only_capabilities: None,
                pids_limit: 4_096,
                init: true,
                user: None,
            },
            shm_size: None,
        };
        let begun = Instant::now();
        let id = self.docker.create(&desired).await.expect("a container");
        self.docker.start(&id).await.expect("a start");
        let names = [desired.name];
        let mut seen = None;
        until("running", Duration::from_millis(5), async || {
            seen = self.with_variables(&names).await;
            seen.is_some()
        })
        .await;
        let runs = begun.elapsed();
        let at = seen.as_ref().and_then(address);
        until("served", Duration::from_millis(5), async || answers(at.as_deref(), "Visit number").await)
            .await;
        let answers = begun.elapsed();
        self.docker.remove(&id).await.expect("gone");
        Took { runs, answers }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Case {
    New,
    /// It runs and was never healthy.
    Waits,
    /// It is healthy, and is replaced by another one.
    Serves,
}

impl Case {
    fn word(self) -> &'static str {
        match self {
            Case::New => "new",
            Case::Waits => "waits",
            Case::Serves => "serves",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Case::New => "new app",
            Case::Waits => "app that waits",
            Case::Serves => "app that serves",
        }
    }
}

/// From a manifest, or a call, until a container with the variables runs, and until the application in it answers.
#[derive(Clone, Copy)]
struct Took {
    runs: Duration,
    answers: Duration,
}

fn beside(head: &str, ours: &[Took], raws: &[Took]) {
    let all = |took: &[Took], of: fn(&Took) -> Duration| took.iter().map(of).collect::<Vec<_>>();
    let most = |list: &[Duration]| list.iter().max().copied().unwrap_or_default();
    for (what, ours, raws) in [
        ("runs", all(ours, |took| took.runs), all(raws, |took| took.runs)),
        ("answers", all(ours, |took| took.answers), all(raws, |took| took.answers)),
    ] {
        let (raw, of_ours) = (median(raws.clone()), median(ours.clone()));
        let head = format!("{head}, median of {}", ours.len());
        line(&format!("{head}: raw, {what}"), ms(raw), &format!("most {}", ms(most(&raws))));
        line(&format!("{head}: linked, {what}"), ms(of_ours), &format!("most {}", ms(most(&ours))));
        let more = format!("≤ 1 s (most {})", ms(most(&ours).saturating_sub(raw)));
        line(&format!("{head}: more than raw, {what}"), ms(of_ours.saturating_sub(raw)), &more);
    }
}

fn address(seen: &SeenContainer) -> Option<String> {
    seen.networks.first().map(|network| network.ip.clone()).filter(|ip| !ip.is_empty())
}

/// Whether the page at this address has these words.
async fn answers(address: Option<&str>, words: &str) -> bool {
    let Some(address) = address else { return false };
    let asked = async {
        let mut stream = TcpStream::connect((address, 8000)).await.ok()?;
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await.ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.ok()?;
        Some(answer)
    };
    let answer = timeout(Duration::from_secs(5), asked).await.ok().flatten().unwrap_or_default();
    answer.contains("200 OK") && answer.contains(words)
}
