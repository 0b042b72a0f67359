//! Redis servers for tests, over the fake engine: a server is what its container's redis.conf and users.acl say, from its
//! start on. Always compiled, as the fake engine is; the product itself must never use it.

use super::client::{RedisError, Reply, Servers, TIMEOUT, Target};
use super::desired::{CONFIG, DATA, USERS};
use super::parameters::{TABLE, needs_restart};
use crate::core::digest::sha256;
use crate::core::seen::{ContainerState, SeenContainer};
use crate::docker::fake::FakeDocker;
use crate::secrets::ExposeSecret;
use async_trait::async_trait;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// With this as a value a server dies at its start, although CONFIG SET takes it.
pub const BAD_VALUE: &str = "nonsense";

/// A server that runs.
#[derive(Clone, Debug)]
pub struct Run {
    started_at: String,
    pub config: BTreeMap<String, String>,
    /// Name → rules as users.acl has them, without `resetpass resetchannels`.
    pub users: BTreeMap<String, String>,
    /// Fields of INFO, over those that follow from the rest.
    pub info: BTreeMap<&'static str, String>,
    /// What PING says instead of PONG.
    pub ping: Option<String>,
    /// Users whose sessions were ended, in the order of that.
    pub killed: Vec<String>,
    rdb_saves: u64,
}

#[derive(Default)]
struct Script {
    /// Container name → what everybody gets instead of an answer.
    answers: BTreeMap<String, RedisError>,
    /// Names of containers behind whose published port nothing is left.
    silent: BTreeSet<String>,
    runs: BTreeMap<String, Run>,
    /// Container name → how long each answer of its server takes.
    slow: BTreeMap<String, Duration>,
    /// Container name → how often it was asked for a PONG.
    probes: BTreeMap<String, u64>,
}

struct Shared {
    docker: Arc<FakeDocker>,
    script: Mutex<Script>,
}

/// The servers of one fake engine. Cheap to clone.
#[derive(Clone)]
pub struct FakeServers(Arc<Shared>);

fn text(docker: &FakeDocker, c: &SeenContainer, path: &str) -> String {
    let file = docker.file(&c.id, path).ok().flatten();
    file.map(|file| String::from_utf8_lossy(&file.content).into_owned()).unwrap_or_default()
}

fn users(text: &str) -> BTreeMap<String, String> {
    let lines =
        text.lines().filter_map(|line| line.strip_prefix("user ")?.split_once(" resetpass resetchannels "));
    lines.map(|(name, rules)| (name.to_owned(), rules.to_owned())).collect()
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes as long as it was told, and is given up after as long as the real client takes.
    async fn takes(&self, target: &Target) -> Result<(), RedisError> {
        let name = self.docker.seen(&target.container).map(|c| c.name).unwrap_or_default();
        let Some(pause) = self.lock().slow.get(&name).copied() else { return Ok(()) };
        tokio::time::sleep(pause.min(TIMEOUT)).await;
        if pause < TIMEOUT { Ok(()) } else { Err(RedisError::Hung) }
    }

    /// The server in a container; it is made at the first look after its start.
    fn run<'a>(&self, c: &SeenContainer, script: &'a mut Script) -> &'a mut Run {
        let run = script.runs.remove(&c.id).filter(|run| run.started_at == c.started_at);
        let run = run.unwrap_or_else(|| self.start(c));
        script.runs.entry(c.id.clone()).or_insert(run)
    }

    fn start(&self, c: &SeenContainer) -> Run {
        let mut config: BTreeMap<String, String> = TABLE
            .lines()
            .map(|line| line.split('\t').collect::<Vec<_>>())
            .map(|row| (row[0].to_owned(), row[4].to_owned()))
            .collect();
        let file = text(&self.docker, c, CONFIG);
        let directives =
            file.lines().filter_map(|line| line.split_once(' ')).filter(|(name, _)| *name != "#");
        config.extend(directives.map(|(name, value)| (name.to_owned(), value.trim_matches('"').to_owned())));
        let users = users(&text(&self.docker, c, USERS));
        let run = Run {
            started_at: c.started_at.clone(),
            config,
            users,
            info: BTreeMap::new(),
            ping: None,
            killed: Vec::new(),
            rdb_saves: 0,
        };
        self.keep(c, &run);
        run
    }

    /// What a server has on the volume.
    fn keep(&self, c: &SeenContainer, run: &Run) {
        let written = [
            (run.config["appendonly"] == "yes", "appendonlydir/appendonly.aof.manifest"),
            (run.rdb_saves > 0, "dump.rdb"),
        ];
        for (_, file) in written.into_iter().filter(|(written, _)| *written) {
            let _ = self.docker.write_file(&c.id, &format!("{DATA}/{file}"), b"x");
        }
    }

    fn answer(&self, c: &SeenContainer, run: &mut Run, command: &[String]) -> Reply {
        let ok = || Reply::Text("OK".to_owned());
        let text = |text: &str| Reply::Text(text.to_owned());
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["PING"] => run.ping.clone().map_or(text("PONG"), Reply::Error),
            ["INFO"] => Reply::Text(run.info(c.env.get("REDIS_VERSION").unwrap_or("8.0.6"))),
            ["CONFIG", "GET", names @ ..] => {
                let pairs = names.iter().filter_map(|name| Some([text(name), text(run.config.get(*name)?)]));
                Reply::List(pairs.flatten().collect())
            }
            ["CONFIG", "SET", pairs @ ..] => {
                if let Some(pair) = pairs.chunks(2).find(|pair| needs_restart(pair[0])) {
                    let why = "can't set immutable config";
                    let name = pair[0];
                    return Reply::Error(format!(
                        "ERR CONFIG SET failed (possibly related to argument '{name}') - {why}"
                    ));
                }
                run.config.extend(pairs.chunks(2).map(|pair| (pair[0].to_owned(), pair[1].to_owned())));
                self.keep(c, run);
                ok()
            }
            ["ACL", "USERS"] => Reply::List(run.users.keys().map(|name| text(name)).collect()),
            ["ACL", "GETUSER", name] => match run.users.get(*name) {
                None => Reply::Nil,
                Some(rules) => {
                    let (flag, rest) = rules.split_once(' ').unwrap_or((rules, ""));
                    let (hashes, rest): (Vec<&str>, Vec<&str>) =
                        rest.split(' ').partition(|word| word.starts_with('#'));
                    let hashes = hashes.iter().map(|hash| text(&hash[1..])).collect();
                    let list = [("flags", vec![text(flag)]), ("passwords", hashes)];
                    let list = list.map(|(name, of)| [text(name), Reply::List(of)]);
                    let commands = [text("commands"), text(&rest.join(" "))];
                    Reply::List(list.into_iter().flatten().chain(commands).collect())
                }
            },
            ["ACL", "LOAD"] => {
                run.users = users(&self::text(&self.docker, c, USERS));
                ok()
            }
            ["CLIENT", "KILL", "USER", user] => {
                run.killed.push((*user).to_owned());
                text("0")
            }
            ["BGREWRITEAOF"] => {
                self.keep(c, run);
                ok()
            }
            ["BGSAVE", ..] => {
                run.rdb_saves += 1;
                self.keep(c, run);
                ok()
            }
            _ => Reply::Error("ERR unknown command".to_owned()),
        }
    }
}

impl Run {
    fn info(&self, version: &str) -> String {
        let aof = if self.config["appendonly"] == "yes" { "1" } else { "0" };
        let saves = self.rdb_saves.to_string();
        let mut fields = BTreeMap::from([
            ("redis_version", version),
            ("loading", "0"),
            ("rdb_last_bgsave_status", "ok"),
            ("rdb_saves", &saves),
            ("aof_enabled", aof),
            ("aof_last_bgrewrite_status", "ok"),
            ("aof_last_write_status", "ok"),
            ("used_memory", "1048576"),
            ("connected_clients", "1"),
            ("maxclients", "10000"),
            ("keyspace_hits", "9"),
            ("keyspace_misses", "1"),
        ]);
        fields.extend(self.info.iter().map(|(name, value)| (*name, value.as_str())));
        fields.iter().map(|(name, value)| format!("{name}:{value}\r\n")).collect()
    }
}

impl FakeServers {
    #[must_use]
    pub fn new(docker: Arc<FakeDocker>) -> Self {
        // Weak: the engine holds the script, the script must not hold the engine for ever.
        let engine = Arc::downgrade(&docker);
        docker.on_start(move |c| {
            let docker = engine.upgrade()?;
            let bad = text(&docker, c, CONFIG).contains(BAD_VALUE);
            let lines =
                ["*** FATAL CONFIG FILE ERROR (Redis 8.0.6) ***", ">>> 'locale-collate \"nonsense\"'", "Bad"];
            bad.then(|| docker.set_logs(&c.id, lines.map(str::to_owned).into()).map_or(1, |()| 1))
        });
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

    /// How long each answer of the server of a container takes from now on.
    pub fn set_slow(&self, container: &str, pause: Duration) {
        self.0.lock().slow.insert(container.to_owned(), pause);
    }

    /// How often the server of a container was asked whether it serves.
    #[must_use]
    pub fn probes(&self, container: &str) -> u64 {
        self.0.lock().probes.get(container).copied().unwrap_or_default()
    }

    /// Whether nothing is left behind the published port of a container, from now on.
    pub fn silence_port(&self, container: &str, silent: bool) {
        let all = &mut self.0.lock().silent;
        if silent {
            all.insert(container.to_owned())
        } else {
            all.remove(container)
        };
    }

    /// Anything of a server that runs; lost at its next start. `None` when it does not run.
    pub fn change<T>(&self, container: &str, change: impl FnOnce(&mut Run) -> T) -> Option<T> {
        let c = self.0.docker.seen(container).filter(|c| c.state == ContainerState::Running)?;
        Some(change(self.0.run(&c, &mut self.0.lock())))
    }
}

#[async_trait]
impl Servers for FakeServers {
    async fn ask(&self, target: &Target, commands: &[Vec<String>]) -> Result<Vec<Reply>, RedisError> {
        self.0.takes(target).await?;
        let mut script = self.0.lock();
        let c = self.0.docker.seen(&target.container).filter(|c| c.state == ContainerState::Running);
        let published = |c: &SeenContainer| c.published.iter().any(|p| p.host_ip == target.host);
        let listens = |c: &SeenContainer| !script.silent.contains(&c.name) || !published(c);
        let Some(c) = c.filter(listens) else {
            return Err(RedisError::Refused("Connection refused (os error 111)".to_owned()));
        };
        if let Some(answer) = script.answers.get(&c.name) {
            return Err(answer.clone());
        }
        if commands.iter().any(|command| command[0] == "PING") {
            *script.probes.entry(c.name.clone()).or_default() += 1;
        }
        let run = self.0.run(&c, &mut script);
        let hash = sha256(target.password.expose_secret().as_bytes());
        let fits = |rules: &String| rules.starts_with("on ") && rules.contains(&format!("#{hash} "));
        if !run.users.get(&target.username).is_some_and(fits) {
            let words = "WRONGPASS invalid username-password pair or user is disabled.";
            return Err(RedisError::LoginRefused(words.to_owned()));
        }
        Ok(commands.iter().map(|command| self.0.answer(&c, run, command)).collect())
    }
}
