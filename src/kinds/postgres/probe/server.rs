//! The server, by a login over the network as a user's would be. Must never try again by itself: one
//! probe, at most one login.

use crate::core::seen::Glance;
use crate::kinds::Probed;
use crate::kinds::postgres::client::{Session, SqlError, Target};
use crate::kinds::postgres::collation::Columns;
use crate::kinds::postgres::parameters;
use crate::kinds::postgres::plan::Subject;
use crate::kinds::postgres::tools::Tools;
use crate::kinds::postgres::world::{NewLogin, Pending, Server, ServerFacts};
use crate::secrets::Secret;
use crate::workload::observe::{ObserveError, address};
use crate::workload::plan::silent_words;
use crate::workload::tools::{PENDING, PasswordError, Reach};

/// Where to log in, for a container that runs; `None` when it has no address yet.
fn target(subject: &Subject<'_>, c: &Glance, reach: Reach) -> Option<Target> {
    let (host, port) = address(&subject.work(), c, reach)?;
    Some(Target {
        host,
        port,
        username: subject.memory.owner(&subject.spec.username).to_owned(),
        database: subject.spec.database.clone(),
        epoch: epoch(c, subject.memory.work.password_generation),
    })
}

/// The same for another role and database.
pub(super) fn at_role(
    tools: &Tools,
    subject: &Subject<'_>,
    c: &Glance,
    role: &str,
    database: &str,
) -> Option<Target> {
    let target = target(subject, c, tools.work.reach)?;
    Some(Target { username: role.to_owned(), database: database.to_owned(), ..target })
}

/// The same as the owner of the cluster.
pub(super) fn at_owner(tools: &Tools, subject: &Subject<'_>, c: &Glance, database: &str) -> Option<Target> {
    let target = target(subject, c, tools.work.reach)?;
    Some(Target { database: database.to_owned(), ..target })
}

/// A session outlives neither the start of its server nor the password that it was let in by.
fn epoch(c: &Glance, generation: u64) -> String {
    format!("{} {} {generation}", c.id, c.started_at)
}

/// Where to log in with the password that takes the place of the one in use: as it will be then, so that who is let in by
/// it need not come again.
fn next(subject: &Subject<'_>, c: &Glance, target: &Target) -> Target {
    Target { epoch: epoch(c, subject.memory.work.password_generation + 1), ..target.clone() }
}

/// One of two passwords.
fn password(tools: &Tools, subject: &Subject<'_>, pending: Pending) -> Result<Option<Secret>, PasswordError> {
    let role = if pending == Pending::InForce { PENDING } else { "" };
    Ok(tools.work.secrets(&subject.identity.object)?.remove(role))
}

/// Proves that the server still answers as it last did.
pub async fn again(tools: &Tools, subject: &Subject<'_>, c: &Glance) -> Probed {
    if tools.work.declared_changed(&subject.work(), subject.spec.password.as_ref()).await {
        return Probed::LookAgain;
    }
    // Also when there is no answer: the pass proves it by a new login.
    match answer(tools, subject, c).await {
        Some(Server::Up(facts)) => {
            let facts = Server::Up(facts);
            if !tools.answered(&subject.identity.object, &facts) {
                return Probed::LookAgain;
            }
            let Server::Up(facts) = facts else { return Probed::LookAgain };
            super::wal::again(tools, subject, c, &facts).await
        }
        _ => Probed::LookAgain,
    }
}

/// Asks over the kept session, and whether the server still takes connections; `None` when there is no such
/// session or it failed, and is given up, or when nobody else gets in: then only a new login tells more.
async fn answer(tools: &Tools, subject: &Subject<'_>, c: &Glance) -> Option<Server> {
    let target = target(subject, c, tools.work.reach)?;
    // Side by side, so that a server that answers neither is known in the time of one.
    let (facts, others) =
        tokio::join!(over_session(tools, subject, &target), others(tools, subject, &target));
    if let (Some(Err(SqlError::Hung(_))), Err(hung @ SqlError::Hung(_))) = (&facts, &others) {
        tools.silences.remember(&subject.identity.object, target.epoch.clone(), hung.clone().into());
    }
    let facts = facts?.ok()?;
    others.ok()?;
    match proven(tools, subject, &target, Pending::No, facts).await {
        Ok(up @ Server::Up(_)) => Some(up),
        _ => None,
    }
}

/// Whether the server takes connections: where a new login is due, that tells it as well.
async fn others(tools: &Tools, subject: &Subject<'_>, target: &Target) -> Result<(), SqlError> {
    let object = &subject.identity.object;
    // Without the database there is nothing to log into.
    let due = is_proven(subject) && tools.has_database(object);
    if !due || tools.proof(object, &target.epoch).is_some() {
        return tools.servers.answers(target).await;
    }
    // One that cannot be opened is told of by who needs it next.
    let Ok(Some(password)) = password(tools, subject, Pending::No) else {
        return tools.servers.answers(target).await;
    };
    prove(tools, subject, target, &password).await.map(drop)
}

/// Before it was Ready once there are steps left in any case, and the look after them proves it.
fn is_proven(subject: &Subject<'_>) -> bool {
    subject.memory.work.ever_ready && subject.memory.work.first_start.is_none()
}

/// A new login.
async fn prove(
    tools: &Tools,
    subject: &Subject<'_>,
    target: &Target,
    password: &Secret,
) -> Result<NewLogin, SqlError> {
    let names: Vec<&str> = subject.spec.parameters.keys().map(String::as_str).collect();
    let told = tools.servers.prove(target, password, &names).await?;
    tools.remember_proof(&subject.identity.object, target.epoch.clone(), told.clone());
    Ok(told)
}

/// `None`: there is no session to ask over. One that fails is given up.
async fn over_session(
    tools: &Tools,
    subject: &Subject<'_>,
    target: &Target,
) -> Option<Result<ServerFacts, SqlError>> {
    let object = &subject.identity.object;
    let session = tools.session(object)?;
    let facts = if session.target() == target { Some(ask(session.as_ref(), subject).await) } else { None };
    if !matches!(facts, Some(Ok(_))) {
        tools.give_up_session(object, &session);
    }
    facts
}

/// Up is said of a server that lets the managed user into the managed database: a session that was let in once
/// says nothing about who is let in now. Where the database is not there (yet), the facts say so.
async fn proven(
    tools: &Tools,
    subject: &Subject<'_>,
    target: &Target,
    pending: Pending,
    mut facts: ServerFacts,
) -> Result<Server, ObserveError> {
    let object = &subject.identity.object;
    if !facts.database_exists || !is_proven(subject) {
        return Ok(Server::Up(Box::new(facts)));
    }
    // What came to wait for a restart since then is looked up before anything is made of it.
    let known = tools.proof(object, &target.epoch);
    let known = known.filter(|told| facts.pending_restart.iter().all(|name| told.pending.contains(name)));
    if let Some(told) = known {
        facts.take(told);
    } else if let Some(password) = password(tools, subject, pending)? {
        match prove(tools, subject, target, &password).await {
            Ok(told) => facts.take(told),
            Err(error) => return Ok(error.into()),
        }
    }
    Ok(Server::Up(Box::new(facts)))
}

/// Probes over the kept session, else by one new login; while one password takes the place of another, by one with each at
/// most.
///
/// # Errors
/// When a password cannot be opened.
pub(super) async fn server(
    tools: &Tools,
    subject: &Subject<'_>,
    c: &Glance,
) -> Result<(Server, Pending), ObserveError> {
    let object = &subject.identity.object;
    let two = password(tools, subject, Pending::InForce)?.is_some();
    let current = if two { Pending::Sealed } else { Pending::No };
    let Some(target) = target(subject, c, tools.work.reach) else {
        return Ok((Server::Failed("the container has no address on the network".to_owned()), current));
    };
    // A probe has just waited for it in vain: another wait would hold up those who wait for a pass.
    if let Some(silent) = tools.silences.take(object, &target.epoch) {
        return Ok((silent, current));
    }
    let next = next(subject, c, &target);
    if let Some(session) = tools.session(object) {
        // Whoever is in tells by which password.
        let by_next = two && *session.target() == next;
        let (target, pending) = if by_next { (&next, Pending::InForce) } else { (&target, current) };
        // Side by side: a busy host answers each after a while.
        let (facts, others) =
            tokio::join!(over_session(tools, subject, target), tools.servers.answers(target));
        if let Some(Ok(facts)) = facts {
            let server = match others {
                Ok(()) => proven(tools, subject, target, pending, facts).await?,
                Err(error) => error.into(),
            };
            return Ok((server, pending));
        }
    }
    // The later one first: once it is set nobody tries the other one in vain.
    if two {
        match login(tools, subject, c, &next, Pending::InForce).await? {
            Server::LoginRefused(_) => {}
            server @ Server::Up(_) => return Ok((server, Pending::InForce)),
            server => return Ok((server, current)),
        }
    }
    Ok((login(tools, subject, c, &target, current).await?, current))
}

async fn login(
    tools: &Tools,
    subject: &Subject<'_>,
    c: &Glance,
    target: &Target,
    pending: Pending,
) -> Result<Server, ObserveError> {
    let Some(password) = password(tools, subject, pending)? else {
        return Ok(Server::Failed("there is no password to log in with".to_owned()));
    };
    let answer = match tools.servers.login(target, &password).await {
        Ok(session) => ask(session.as_ref(), subject).await.map(|facts| (session, facts)),
        Err(e) => Err(e),
    };
    match answer {
        Ok((session, facts)) => {
            tools.keep_session(&subject.identity.object, session.into());
            proven(tools, subject, target, pending, facts).await
        }
        Err(SqlError::Refused(words)) => {
            Ok(port_silent(tools, subject, c, target).await.unwrap_or(Server::Refused(words)))
        }
        Err(error) => Ok(error.into()),
    }
}

/// A published port has a process of the engine's behind it, which can end while server and network are well.
async fn port_silent(tools: &Tools, subject: &Subject<'_>, c: &Glance, target: &Target) -> Option<Server> {
    let direct = self::target(subject, c, Reach::Network).filter(|direct| direct.host != target.host)?;
    tools.servers.answers(&direct).await.ok()?;
    // Each once more: it may have come up between two questions, or have died.
    let Err(SqlError::Refused(words)) = tools.servers.answers(target).await else { return None };
    tools.servers.answers(&direct).await.ok()?;
    Some(Server::PortSilent(silent_words(target.host, target.port, &words)))
}

/// Asks every database about the collations that its columns and indexes name.
///
/// # Errors
/// When the password cannot be opened.
pub(super) async fn columns(
    tools: &Tools,
    subject: &Subject<'_>,
    c: &Glance,
    pending: Pending,
) -> Result<Columns, ObserveError> {
    let target = target(subject, c, tools.work.reach);
    let (Some(target), Some(password)) = (target, password(tools, subject, pending)?) else {
        return Ok(Columns::Unknown("there is no way to log in".to_owned()));
    };
    Ok(match tools.servers.columns(&target, &password).await {
        Ok(all) => Columns::Asked(all),
        Err(error) => Columns::Unknown(error.to_string()),
    })
}

async fn ask(session: &dyn Session, subject: &Subject<'_>) -> Result<ServerFacts, SqlError> {
    let names: Vec<&str> = subject.spec.parameters.keys().map(String::as_str).collect();
    session.probe(&subject.spec.database, &names, parameters::PATH).await
}

impl From<SqlError> for Server {
    fn from(error: SqlError) -> Self {
        match error {
            SqlError::Starting(words) => Server::Starting(words),
            SqlError::Refused(words) => Server::Refused(words),
            SqlError::LoginRefused(words) => Server::LoginRefused(words),
            SqlError::Weak(weak) => Server::Weak(weak),
            hung @ SqlError::Hung(_) => Server::Hung(hung.to_string()),
            SqlError::TurnedAway { reason, words } => Server::TurnedAway(reason, words),
            SqlError::Failed(words) => Server::Failed(words),
        }
    }
}
