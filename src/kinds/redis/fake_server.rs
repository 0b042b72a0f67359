//! Redis servers for tests, over the fake engine: a server is what its container's redis.conf and users.acl say, from its
//! start on. Always compiled, as the fake engine is; the product itself must never use it.

use super::client::{RedisError, Servers, Session, TIMEOUT, Target};
use super::config::{self, Hash};
use super::parameters;
use super::server::{Saves, ServerFacts, User};
use crate::core::seen::{ContainerState, SeenContainer};
use crate::docker::fake::FakeDocker;
use crate::secrets::{ExposeSecret, Secret};
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

#[derive(Default)]
struct Script {
    /// Container name → what everybody gets instead of an answer.
    answers: BTreeMap<String, RedisError>,
    /// Container name → how long each answer takes.
    slow: BTreeMap<String, Duration>,
    /// Container id → start, and what the server of that start is.
    runs: BTreeMap<String, (String, ServerFacts)>,
    logins: u64,
}

struct Shared {
    docker: Arc<FakeDocker>,
    script: Mutex<Script>,
}

/// The servers of one fake engine. Cheap to clone.
#[derive(Clone)]
pub struct FakeServers(Arc<Shared>);

struct FakeSession(Arc<Shared>, Target);

fn refused() -> RedisError {
    RedisError::Refused("Connection refused (os error 111)".to_owned())
}

/// What `users` of config.rs wrote.
fn users(text: &str) -> BTreeMap<String, User> {
    let read = |line: &str| {
        let mut words = line.strip_prefix("user ")?.split(' ');
        let (name, on) = (words.next()?.to_owned(), words.next()? == "on");
        let (hashes, rules): (Vec<&str>, Vec<&str>) = words.partition(|word| word.starts_with('#'));
        let mut hashes: Vec<String> = hashes.iter().map(|hash| hash[1..].to_owned()).collect();
        hashes.sort();
        Some((name, User { on, no_password: false, hashes, rules: rules.join(" ") }))
    };
    text.lines().filter_map(read).collect()
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn text(&self, c: &SeenContainer, path: &str) -> String {
        let file = self.docker.file(&c.id, path).ok().flatten();
        file.map(|file| String::from_utf8_lossy(&file.content).into_owned()).unwrap_or_default()
    }

    /// Does something with the server that a target reaches; it is made at the first look after its start.
    async fn reach<T>(
        &self,
        target: &Target,
        then: impl FnOnce(&mut ServerFacts) -> T,
    ) -> Result<T, RedisError> {
        let mut epoch = target.epoch.split(' ');
        let c = self.docker.seen(epoch.next().unwrap_or_default()).ok_or_else(refused)?;
        let pause = self.lock().slow.get(&c.name).copied().unwrap_or_default();
        tokio::time::sleep(pause.min(TIMEOUT)).await;
        if pause >= TIMEOUT {
            return Err(RedisError::Hung(TIMEOUT));
        }
        if let Some(answer) = self.lock().answers.get(&c.name) {
            return Err(answer.clone());
        }
        let ip = target.host;
        let address = c.published.iter().any(|p| p.host_ip == ip && p.host == target.port)
            || c.networks.iter().any(|e| target.port == config::PORT && e.ip == ip.to_string());
        if c.state != ContainerState::Running || epoch.next() != Some(c.started_at.as_str()) || !address {
            return Err(refused());
        }
        Ok(then(self.server(&c, &mut self.lock())))
    }

    fn server<'a>(&self, c: &SeenContainer, script: &'a mut Script) -> &'a mut ServerFacts {
        let fresh = (c.started_at.clone(), self.start(c));
        let run = script.runs.entry(c.id.clone()).or_insert_with(|| fresh.clone());
        if run.0 != c.started_at {
            *run = fresh;
        }
        &mut run.1
    }

    fn start(&self, c: &SeenContainer) -> ServerFacts {
        let conf = self.text(c, config::CONFIG);
        let defaults = parameters::defaults().map(|(name, value)| (name.to_owned(), value.to_owned()));
        let mut config: BTreeMap<String, String> = defaults.collect();
        let directives =
            conf.lines().filter_map(|line| line.split_once(' ')).filter(|(name, _)| *name != "#");
        config.extend(directives.map(|(name, value)| (name.to_owned(), value.trim_matches('"').to_owned())));
        let aof = config.get("appendonly").is_some_and(|value| value == "yes");
        ServerFacts {
            version: "8.0.6".to_owned(),
            run_id: format!("{} {}", c.id, c.started_at),
            ping: Ok(()),
            loading: None,
            saves: Saves { rdb_ok: true, aof, aof_rewrite_ok: true, aof_write_ok: true, ..Saves::default() },
            used: Some(1 << 20),
            clients: Some(1),
            evicted_keys: Some(0),
            databases: 1,
            config,
            users: users(&self.text(c, config::USERS)),
        }
    }
}

impl FakeServers {
    #[must_use]
    pub fn new(docker: Arc<FakeDocker>) -> Self {
        Self(Arc::new(Shared { docker, script: Mutex::default() }))
    }

    /// What everybody gets from the server of a container from now on; `None`: it works.
    pub fn set_answer(&self, container: &str, answer: Option<RedisError>) {
        let answers = &mut self.0.lock().answers;
        match answer {
            Some(answer) => drop(answers.insert(container.to_owned(), answer)),
            None => drop(answers.remove(container)),
        }
    }

    /// Each answer takes so long from now on; one of 5 s or more is given up.
    pub fn set_slow(&self, container: &str, pause: Duration) {
        self.0.lock().slow.insert(container.to_owned(), pause);
    }

    /// Anything of a server that runs: its figures, its users, what PING says, what somebody set by hand. Lost at its next
    /// start. False when it does not run.
    pub fn change(&self, container: &str, change: impl FnOnce(&mut ServerFacts)) -> bool {
        let Some(c) = self.0.docker.seen(container).filter(|c| c.state == ContainerState::Running) else {
            return false;
        };
        change(self.0.server(&c, &mut self.0.lock()));
        true
    }

    /// Logins tried so far.
    #[must_use]
    pub fn logins(&self) -> u64 {
        self.0.lock().logins
    }
}

#[async_trait]
impl Servers for FakeServers {
    async fn login(&self, target: &Target, password: &Secret) -> Result<Box<dyn Session>, RedisError> {
        self.0.lock().logins += 1;
        let hash = Hash::of(password.expose_secret().as_bytes()).to_string();
        let fits = |server: &mut ServerFacts| {
            server.users.get(&target.username).is_some_and(|user| user.on && user.hashes.contains(&hash))
        };
        if !self.0.reach(target, fits).await? {
            let words = "WRONGPASS invalid username-password pair or user is disabled.";
            return Err(RedisError::LoginRefused(words.to_owned()));
        }
        Ok(Box::new(FakeSession(Arc::clone(&self.0), target.clone())))
    }

    async fn answers(&self, target: &Target) -> Result<(), RedisError> {
        self.0.reach(target, |_| ()).await
    }
}

#[async_trait]
impl Session for FakeSession {
    fn target(&self) -> &Target {
        &self.1
    }

    async fn probe(&self, parameters: &[&str], users: &[&str]) -> Result<ServerFacts, RedisError> {
        let mut facts = self.0.reach(&self.1, |server| server.clone()).await?;
        facts.config.retain(|name, _| name == "dir" || parameters.contains(&name.as_str()));
        facts.users.retain(|name, _| users.contains(&name.as_str()));
        Ok(facts)
    }

    async fn config_set(&self, parameters: &[(String, String)]) -> Result<(), RedisError> {
        let failed = |name: &str, why| {
            let words = format!("ERR CONFIG SET failed (possibly related to argument '{name}') - {why}");
            Err(RedisError::Failed(words))
        };
        if let Some((name, _)) = parameters.iter().find(|(name, _)| parameters::needs_restart(name)) {
            return failed(name, "can't set immutable config");
        }
        let set = |server: &mut ServerFacts| {
            server.config.extend(parameters.iter().cloned());
            server.saves.aof = server.config.get("appendonly").is_some_and(|value| value == "yes");
        };
        self.0.reach(&self.1, set).await
    }

    async fn load_users(&self) -> Result<(), RedisError> {
        let id = self.1.epoch.split(' ').next().unwrap_or_default();
        let c = self.0.docker.seen(id).ok_or_else(refused)?;
        let read = users(&self.0.text(&c, config::USERS));
        self.0.reach(&self.1, |server| server.users = read).await
    }

    async fn end_sessions(&self, _: &str) -> Result<(), RedisError> {
        self.0.reach(&self.1, |_| ()).await
    }

    async fn snapshot(&self) -> Result<(), RedisError> {
        let count = |server: &mut ServerFacts| {
            server.saves.rdb_count = Some(server.saves.rdb_count.unwrap_or(0) + 1);
        };
        self.0.reach(&self.1, count).await
    }
}

#[cfg(test)]
#[path = "fake_server/tests.rs"]
mod tests;
