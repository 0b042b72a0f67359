//! Observation of a Redis: what its container tells, and the server by two logins, as Seawall and as the owner. Reads
//! only.

use super::Redis;
use super::client::{RedisError, Reply, Target, command};
use super::desired::{ADMIN, CONFIG, DATA, Files, PASSWORDS, users};
use super::facts::{PROGRAMS, RedisImage, facts};
use super::monitoring::Inside;
use super::plan::{Subject, names, plan};
use super::spec::Persistence;
use super::tenancy;
use super::world::{Data, Server, ServerFacts, World, file};
use crate::core::seen::{ContainerState, EngineInfo, Glance, SeenContainer, SeenImage, Slot};
use crate::core::will::Wanted;
use crate::docker::{Docker, DockerError};
use crate::secrets::{ExposeSecret, Secret};
use crate::workload::image::Unfit;
use crate::workload::observe::image::{LookInto, Looker};
use crate::workload::observe::{self, Intent, LOG_LINES, ObserveError, address, unless_away};
use crate::workload::plan::{silent_words, successor};
use crate::workload::tools::{self, PENDING, Reach};
use async_trait::async_trait;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// An engine that hangs must not keep anybody from being proven.
const LOOK: Duration = Duration::from_secs(2);

/// Looks at everything that the plan for `subject` depends on.
///
/// # Errors
/// When the engine or the store could not be asked; then nothing is known.
pub async fn observe(
    kind: &Redis,
    subject: &Subject<'_>,
    engine: &EngineInfo,
    intent: Intent,
) -> Result<World, ObserveError> {
    let (tools, case) = (&kind.tools, subject.work());
    let work = observe::observe(tools, &case, engine, intent, false).await?;
    let declared = tools.declared(&case, subject.spec.password.as_ref()).await?;
    let due = case.due(Timestamp::now(), subject.spec.schedule.as_ref());
    let mut world = World { work, server: Server::NotRunning, data: None, pending: false, due, declared };
    let secrets = tools.secrets(&subject.identity.object)?;
    world.work.password_sealed &= PASSWORDS.iter().all(|role| secrets.contains_key(role));
    world.pending = secrets.contains_key(PENDING);
    let Slot::Ours(c) = world.work.container.clone() else { return Ok(world) };
    let docker = tools.docker.as_ref();
    if case.wanted() == Wanted::Running {
        match c.state {
            ContainerState::Running => {
                // A probe has just waited for it in vain.
                let silent = kind.silences.take(&subject.identity.object, &epoch(&c.glance()));
                world.server = match silent {
                    Some(silent) => silent,
                    None => server(kind, subject, &c.glance()).await?,
                };
                observe::usage(tools, &case, &c, &mut world.work).await?;
            }
            ContainerState::Removing | ContainerState::Paused => {}
            _ => {
                world.data = Some(data(docker, &c.id, DATA).await?);
                world.work.log_tail = unless_away(docker.logs(&c.id, LOG_LINES).await)?;
            }
        }
    }
    let answers = matches!(world.server, Server::Up(_));
    let closed = matches!(world.server, Server::Down(RedisError::Refused(_)));
    observe::deaths(tools, &case, &c, &mut world.work, answers, closed).await?;
    // What is wanted may be gone, and then what is in use, which would have its place.
    for _ in 0..2 {
        let planned = plan(subject, &world);
        let Some(successor) = successor(&planned, &subject.identity.container()) else { break };
        if !observe::successor(tools, &case, engine, successor, &mut world.work).await {
            break;
        }
    }
    Ok(world)
}

/// Which start of which container it is.
#[must_use]
pub fn epoch(c: &Glance) -> String {
    format!("{} {}", c.id, c.started_at)
}

/// Which files of the data are below `root` in a container, which need not run.
///
/// # Errors
/// When the engine could not be asked.
pub async fn data(docker: &dyn Docker, container: &str, root: &str) -> Result<Data, DockerError> {
    let has = async |mode: Persistence| {
        let Some(file) = file(mode) else { return Ok(false) };
        let path = format!("{}/{file}", root.trim_end_matches('/'));
        unless_away(docker.exists(container, &path).await)
    };
    Ok(Data { aof: has(Persistence::Aof).await?, rdb: has(Persistence::Rdb).await? })
}

/// Whether the file is gone that a running server believes to have its data in; where that cannot be seen, it is not.
async fn lost(kind: &Redis, subject: &Subject<'_>, container: &str, facts: &ServerFacts) -> bool {
    let mode = subject.mode();
    let written = match mode {
        Persistence::Aof => facts.saves.aof && !facts.saves.aof_rewriting,
        Persistence::Rdb => subject.memory.dumped && !facts.saves.rdb_running,
        Persistence::None => false,
    };
    let Some(file) = file(mode).filter(|_| written) else { return false };
    let path = format!("{DATA}/{file}");
    let there = tokio::time::timeout(LOOK, kind.tools.docker.exists(container, &path)).await;
    matches!(there, Ok(Ok(false)))
}

/// What the data is kept by, of an object that nobody remembers: as its own container's file says, else by what is there;
/// where both are, one may be old. The outer `None`: no data.
///
/// # Errors
/// When the engine could not be asked.
pub async fn left_over(
    docker: &dyn Docker,
    container: &str,
    root: &str,
    own: Option<&SeenContainer>,
) -> Result<Option<Option<Persistence>>, DockerError> {
    let data = data(docker, container, root).await?;
    let file = match own {
        Some(_) => unless_away(docker.get_file(container, CONFIG, 1 << 20).await)?.unwrap_or_default(),
        None => Vec::new(),
    };
    let file = String::from_utf8_lossy(&file).into_owned();
    Ok(match data {
        Data { aof: false, rdb: false } => None,
        _ if file.contains("appendonly \"yes\"") => Some(Some(Persistence::Aof)),
        _ if file.contains("save \"\"") => Some(Some(Persistence::None)),
        _ if !file.is_empty() => Some(Some(Persistence::Rdb)),
        Data { aof: true, rdb: true } => Some(None),
        Data { aof, .. } => Some(Some(if aof { Persistence::Aof } else { Persistence::Rdb })),
    })
}

/// Where and as whom to log in; `None` when the container has no address yet.
#[must_use]
pub fn target(
    kind: &Redis,
    subject: &Subject<'_>,
    c: &Glance,
    user: &str,
    password: &Secret,
) -> Option<Target> {
    target_by(kind.tools.reach, subject, c, user, password)
}

fn target_by(
    reach: Reach,
    subject: &Subject<'_>,
    c: &Glance,
    user: &str,
    password: &Secret,
) -> Option<Target> {
    let (host, port) = address(&subject.work(), c, reach)?;
    let (username, password) = (user.to_owned(), password.clone());
    Some(Target { host, port, container: c.id.clone(), username, password })
}

/// # Errors
/// When the passwords cannot be opened.
pub async fn server(kind: &Redis, subject: &Subject<'_>, c: &Glance) -> Result<Server, ObserveError> {
    let secrets = kind.tools.secrets(&subject.identity.object)?;
    let failed = |words: &str| Ok(Server::Down(RedisError::Failed(words.to_owned())));
    // What the users' file has: of two passwords the next one.
    let owners = secrets.get(PENDING).or_else(|| secrets.get(""));
    let (Some(admin), Some(password)) = (secrets.get(tools::ADMIN), owners) else {
        return failed("there is no password to log in with");
    };
    let owner = &subject.spec.username;
    let (Some(as_admin), Some(as_owner)) =
        (target(kind, subject, c, ADMIN, admin), target(kind, subject, c, owner, password))
    else {
        return failed("the container has no address on the network");
    };
    let ours = Files::new(subject.identity, subject.spec, BTreeMap::new(), subject.mode(), 0).settings();
    let asked: BTreeSet<&str> = ours.keys().map(String::as_str).chain(names(subject)).collect();
    let mut get = command("CONFIG GET");
    get.extend(asked.into_iter().map(str::to_owned));
    let users = users(admin.expose_secret(), owner, password.expose_secret());
    let mut commands = vec![command("INFO"), get, command("ACL USERS")];
    let tenants = tenancy::names(subject);
    let all = users.iter().map(|(name, _)| name).chain(&tenants);
    commands.extend(all.map(|name| command(&format!("ACL GETUSER {name}"))));
    let answers = match kind.servers.ask(&as_admin, &commands).await {
        Ok(answers) => answers,
        Err(error @ RedisError::Refused(_)) => {
            let direct = target_by(Reach::Network, subject, c, ADMIN, admin);
            let silent = port_silent(kind, &as_admin, direct.as_ref()).await;
            return Ok(silent.unwrap_or(Server::Down(error)));
        }
        Err(error) => return Ok(Server::Down(error)),
    };
    if let Some(Reply::Text(info)) = answers.first() {
        let inside = Inside::read(info, Timestamp::now());
        kind.inside().insert(subject.identity.object.clone(), inside);
    }
    let mut facts = match understood(answers, &users, &tenants) {
        Ok(facts) => facts,
        Err(error) => return Ok(Server::Down(error)),
    };
    facts.ping = match kind.servers.ask(&as_owner, &[command("PING")]).await {
        Ok(mut answer) => answer.pop().unwrap_or(Reply::Nil).fine().map(|_| ()),
        Err(error) => Err(error),
    };
    facts.lost = lost(kind, subject, &c.id, &facts).await;
    // A password that does not fit is what loading them again mends.
    facts.users_fit &= !matches!(facts.ping, Err(RedisError::LoginRefused(_)));
    Ok(Server::Up(Box::new(facts)))
}

/// A published port has a process of the engine's behind it, which can end while server and network are well.
async fn port_silent(kind: &Redis, target: &Target, direct: Option<&Target>) -> Option<Server> {
    let direct = direct.filter(|direct| direct.host != target.host)?;
    kind.servers.ask(direct, &[]).await.ok()?;
    // Each once more: it may have come up between two questions, or have died.
    let Err(RedisError::Refused(words)) = kind.servers.ask(target, &[]).await else { return None };
    kind.servers.ask(direct, &[]).await.ok()?;
    Some(Server::PortSilent(silent_words(target.host, target.port, &words)))
}

/// `users`: its own; `tenants`: those that its links have, or had.
fn understood(
    answers: Vec<Reply>,
    users: &[(String, String)],
    tenants: &BTreeSet<String>,
) -> Result<ServerFacts, RedisError> {
    let mut answers = answers.into_iter();
    let mut next = || answers.next().unwrap_or(Reply::Nil).fine();
    let strange = || RedisError::Failed("the server did not answer what was asked".to_owned());
    let mut facts = ServerFacts::read(next()?, next()?).ok_or_else(strange)?;
    let mut told: Vec<(String, String)> = Vec::new();
    let there: BTreeSet<String> = next()?.words().into_iter().collect();
    for (name, _) in users {
        told.push((name.clone(), rules(next()?)));
    }
    for name in tenants {
        let rules = rules(next()?);
        if there.contains(name) {
            facts.tenants.insert(name.clone(), rules);
        }
    }
    let known: BTreeSet<&String> = users.iter().map(|(name, _)| name).chain(tenants).collect();
    facts.users_fit = told == users && there.iter().all(|name| known.contains(name));
    Ok(facts)
}

/// Of what ACL GETUSER says, what decides who gets in and what for: `on #… +@all ~* &*`.
fn rules(told: Reply) -> String {
    let Reply::List(told) = told else { return String::new() };
    let mut words = Vec::new();
    for pair in told.chunks_exact(2) {
        let of = pair[1].clone().words().into_iter().filter(|word| !word.is_empty());
        match pair[0].clone().words().concat().as_str() {
            "flags" => words.extend(of.filter(|flag| flag != "sanitize-payload")),
            "passwords" => words.extend(of.map(|hash| format!("#{hash}"))),
            _ => words.extend(of),
        }
    }
    words.join(" ")
}

#[async_trait]
impl LookInto for RedisImage {
    async fn find(looker: &Looker<'_>, image: &SeenImage) -> Result<Result<Self, Unfit>, DockerError> {
        let read = async |docker: Arc<dyn Docker>, id: String| {
            let passwd = docker.get_file(&id, "/etc/passwd", 256 * 1024).await?.unwrap_or_default();
            let mut program = None;
            for path in PROGRAMS {
                if program.is_none() && docker.exists(&id, path).await? {
                    program = Some(path);
                }
            }
            Ok((String::from_utf8_lossy(&passwd).into_owned(), program))
        };
        let (passwd, program) = looker.look(None, read).await?;
        let mut told = None;
        if let Some(program) = program.filter(|_| !image.env.contains_key("REDIS_VERSION")) {
            let run = async |docker: Arc<dyn Docker>, id: String| {
                docker.start(&id).await?;
                docker.wait(&id, Duration::from_secs(20)).await?;
                docker.logs(&id, 5).await
            };
            let entry = vec![program.to_owned(), "--version".to_owned()];
            told = looker.look(Some(entry), run).await?.into_iter().next();
        }
        Ok(facts(image, program, &passwd, told.as_deref()))
    }
}
