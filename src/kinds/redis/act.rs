//! Runs one step. Each can be repeated after a crash at any instruction; nothing is decided here.
//!
//! What a step has to remember goes into [`Memory`]; the caller makes it durable before the next step.

use super::Redis;
use super::action::Action;
use super::client::{RedisError, Reply, Target, command};
use super::desired::{ADMIN, CONFIG, Files, PASSWORDS, SAVE, SERVER, USERS, users, users_file};
use super::plan::{image_to_run, loaded, written};
use super::probe::target;
use super::record::{Memory, Refused};
use super::spec::Persistence;
use super::tenancy::{self, revoked};
use super::world::{Server, ServerFacts};
use crate::core::event::Note;
use crate::docker::{ExecRequest, FileToPut};
use crate::kinds::{Scene, Then, Undone};
use crate::manifest::secret::SecretPlace;
use crate::secrets::{self, ExposeSecret, Secret};
use crate::store::{Change, Saving};
use crate::workload::Action as Work;
use crate::workload::act::{self as work, ActError, by_user, shut_down};
use crate::workload::check::PASSWORD;
use crate::workload::plan::successor;
use crate::workload::tools;
use std::collections::BTreeMap;
use std::time::Duration;
use zeroize::Zeroizing;

/// The request that a server hears when its entry point did not pass the signal on.
fn ask_again() -> ExecRequest {
    const KILL: &str = r#"for p in /proc/[0-9]*; do read -r name <"$p/comm" && [ "$name" = redis-server ] && kill -TERM "${p#/proc/}"; done"#;
    by_user(SERVER.user, &["sh", "-c", KILL])
}

impl From<RedisError> for Undone {
    fn from(error: RedisError) -> Self {
        Undone { reason: "CommandFailed", message: format!("the command failed: {error}"), then: Then::Fail }
    }
}

fn gone(what: &str) -> Undone {
    ActError::Gone(what.to_owned()).into()
}

/// Runs `action`. The notes are for the event list, beside the step itself.
///
/// # Errors
/// When the step did not happen, or it is not known that it did.
pub async fn apply(
    kind: &Redis,
    scene: &Scene<'_, Redis>,
    action: &Action,
    memory: &mut Memory,
) -> Result<Vec<Note>, Undone> {
    let work = work::Scene {
        tools: &kind.tools,
        case: scene.subject.work(),
        world: &scene.world.work,
        now: scene.now,
        still: scene.still,
        made: scene.made,
        successor: successor(scene.plan, &scene.subject.identity.container()),
        ask_again: ask_again(),
    };
    let id = || work.container_id(&scene.subject.identity.container());
    match action {
        Action::Work(action) => {
            let done = work::apply(&work, action, &mut memory.work).await;
            // Unless it was not even stopped.
            if matches!(action, Work::RestartServer { .. }) && !matches!(done, Err(ActError::Docker(_))) {
                memory.work.port_restarted |= matches!(scene.world.server, Server::PortSilent(_));
            }
            let notes = done?;
            if matches!(action, Work::RemoveVolume(name) if *name == scene.subject.identity.volume()) {
                let rotated_for = memory.rotated_for.take();
                *memory = Memory { work: std::mem::take(&mut memory.work), rotated_for, ..Memory::default() };
            }
            return Ok(notes);
        }
        Action::GeneratePasswords => {
            let object = &scene.subject.identity.object;
            let mut all = kind.tools.secrets(object).map_err(ActError::from)?;
            PASSWORDS.into_iter().for_each(|role| {
                all.entry(role).or_insert_with(secrets::password);
            });
            let changes = kind.tools.sealed(object, &all).map_err(ActError::from)?;
            kind.tools.store.save(changes, Saving::Durable).await.map_err(ActError::from)?;
            kind.tools.reopen(object);
            memory.work.password_generation += 1;
            scene.now.clone_into(&mut memory.work.password_rotated_at);
        }
        Action::TakePassword(source) => {
            let object = &scene.subject.identity.object;
            let place = SecretPlace::new(object, PASSWORD);
            let secret = kind.tools.reveal(&place, source).await.map_err(|e| Undone {
                reason: "SecretUnreadable",
                message: format!("spec.{PASSWORD}: {e}"),
                then: Then::Fail,
            })?;
            let mut all = kind.tools.secrets(object).map_err(ActError::from)?;
            all.entry(tools::ADMIN).or_insert_with(secrets::password);
            all.remove(tools::PENDING);
            all.insert("", secret);
            let mut changes = kind.tools.sealed(object, &all).map_err(ActError::from)?;
            // One that the manifest names ends a rotation.
            changes.push(Change::delete(tools::secret_key(object, tools::PENDING)));
            kind.tools.store.save(changes, Saving::Durable).await.map_err(ActError::from)?;
            kind.tools.reopen(object);
            memory.work.password_generation += 1;
            scene.now.clone_into(&mut memory.work.password_rotated_at);
            memory.rotated_for = scene.subject.asked.rotate.as_ref().map(|asked| asked.at.clone());
        }
        Action::MakePending => work.make_pending().await?,
        Action::MakeCurrent => {
            work.make_current(&mut memory.work, scene.with_record)?;
            memory.rotated_for = scene.subject.asked.rotate.as_ref().map(|asked| asked.at.clone());
        }
        Action::UploadFiles(files) => {
            let id = id()?;
            put(kind, scene, &id, Some(files), true).await?;
            memory.users_restarted |= matches!(scene.world.server, Server::Down(RedisError::LoginRefused(_)));
            wrote(scene, memory, &id, files);
        }
        Action::SetParameters { set, files } => {
            let id = id()?;
            if let Err(error) = config_set(kind, scene, set).await {
                let message = error.message.clone();
                // By the names that Redis says it for: a fault of ours is not the manifest's.
                if !files.parameters.keys().any(|name| message.contains(&format!("'{name}'"))) {
                    return Err(error);
                }
                memory.refused = Some(Refused { parameters: files.parameters.clone(), message });
                return Err(Undone { reason: "ParameterRejected", ..error });
            }
            put(kind, scene, &id, Some(files), false).await?;
            wrote(scene, memory, &id, files);
        }
        Action::RestoreParameters { files, words } => {
            let id = id()?;
            shut_down(&work, &id).await.map_err(ActError::from)?;
            put(kind, scene, &id, Some(files), true).await?;
            memory.refused = Some(Refused { parameters: memory.parameters.clone(), message: words.clone() });
            wrote(scene, memory, &id, files);
            memory.proven = Some(files.parameters.clone());
            work.start(&scene.subject.identity.container()).await?;
            return Ok(vec![Note::warning("ParameterRejected", words.clone())]);
        }
        Action::LoadUsers | Action::LoadTenants => {
            put(kind, scene, &id()?, None, true).await?;
            let tenants = tenancy::rules(&scene.subject);
            load(kind, scene, &tenants).await?;
            memory.users_loaded_in = scene.world.work.container.ours().map(|c| loaded(c, &tenants));
        }
        Action::Keep(Persistence::Aof) => ask(kind, scene, command("CONFIG SET appendonly yes")).await?,
        Action::Keep(Persistence::Rdb) => {
            ask(kind, scene, command("BGSAVE SCHEDULE")).await?;
            config_set(kind, scene, &[("save".to_owned(), SAVE.to_owned())]).await?;
        }
        Action::Keep(Persistence::None) => {}
        Action::KeepAnew(mode) => keep_anew(kind, scene, *mode).await?,
    }
    Ok(Vec::new())
}

fn wrote(scene: &Scene<'_, Redis>, memory: &mut Memory, container: &str, files: &Files) {
    memory.written = Some(written(container, files));
    memory.written_in = scene.world.work.container.ours().map(|c| c.started_at.clone());
    memory.parameters.clone_from(&files.parameters);
    memory.persistence = Some(files.persistence);
}

/// Root's, in a directory of root's: the server reads them by its group, and cannot change or replace them.
async fn put(
    kind: &Redis,
    scene: &Scene<'_, Redis>,
    container: &str,
    files: Option<&Files>,
    with_users: bool,
) -> Result<(), Undone> {
    let image = image_to_run(&scene.subject, scene.world).ok_or_else(|| gone("the image"))?;
    let file = |path: &str, text: String| FileToPut {
        path: path.to_owned(),
        mode: 0o440,
        uid: 0,
        gid: u64::from(image.gid),
        content: Zeroizing::new(text.into_bytes()),
    };
    let mut list: Vec<FileToPut> = files.iter().map(|files| file(CONFIG, files.text())).collect();
    if with_users {
        let (admin, owner) = passwords(kind, scene)?;
        let users = users(admin.expose_secret(), &scene.subject.spec.username, owner.expose_secret());
        let tenants = tenancy::rules(&scene.subject);
        let all = users.iter().map(|(name, rules)| (name, rules)).chain(&tenants);
        list.push(file(USERS, users_file(all)));
    }
    Ok(kind.tools.docker.put_files(container, &list).await.map_err(ActError::from)?)
}

/// Seawall's own, and the owner's: of two the next one, which is on its way into the server.
fn passwords(kind: &Redis, scene: &Scene<'_, Redis>) -> Result<(Secret, Secret), Undone> {
    let mut all = kind.tools.secrets(&scene.subject.identity.object).map_err(ActError::from)?;
    let owner = all.remove(tools::PENDING).or_else(|| all.remove(""));
    all.remove(tools::ADMIN).zip(owner).ok_or_else(|| gone("the password"))
}

fn admin(kind: &Redis, scene: &Scene<'_, Redis>) -> Result<Target, Undone> {
    let (password, _) = passwords(kind, scene)?;
    let c = scene.world.work.container.ours().ok_or_else(|| gone("the container"))?;
    target(kind, &scene.subject, &c.glance(), ADMIN, &password).ok_or_else(|| gone("its address"))
}

/// The server reads the users' file, and ends sessions that a password which is no longer in it may have let in. Both in
/// one go: a look that finds the users as they should be does not end any.
async fn load(
    kind: &Redis,
    scene: &Scene<'_, Redis>,
    tenants: &BTreeMap<String, String>,
) -> Result<(), Undone> {
    let mut commands = vec![command("ACL LOAD")];
    if let Server::Up(facts) = &scene.world.server {
        let revoked = revoked(&facts.tenants, tenants);
        commands.extend(revoked.iter().map(|user| command(&format!("CLIENT KILL USER {user}"))));
    }
    for reply in kind.servers.ask(&admin(kind, scene)?, &commands).await? {
        reply.fine()?;
    }
    Ok(())
}

async fn ask(kind: &Redis, scene: &Scene<'_, Redis>, command: Vec<String>) -> Result<(), Undone> {
    for reply in kind.servers.ask(&admin(kind, scene)?, &[command]).await? {
        reply.fine()?;
    }
    Ok(())
}

/// Waits a little for its end: what cannot be written is tried again later, and not at once.
async fn keep_anew(kind: &Redis, scene: &Scene<'_, Redis>, mode: Persistence) -> Result<(), Undone> {
    let (begin, kept) = match mode {
        Persistence::Aof => ("BGREWRITEAOF", "the append-only file"),
        Persistence::Rdb => ("BGSAVE SCHEDULE", "the snapshot"),
        Persistence::None => return Ok(()),
    };
    ask(kind, scene, command(begin)).await?;
    for _ in 0..25 {
        let look = [command("INFO"), command("CONFIG GET dir")];
        let mut replies = kind.servers.ask(&admin(kind, scene)?, &look).await?.into_iter();
        let mut next = || replies.next().unwrap_or(Reply::Nil);
        let Some(facts) = ServerFacts::read(next(), next()) else { break };
        if facts.carries(mode) {
            return Ok(());
        }
        if !facts.saves.aof_rewriting && !facts.saves.rdb_running {
            let message = format!(
                "{kept} could not be written anew: see the log of the server, and who may write below its data directory"
            );
            return Err(Undone { reason: "PersistenceBroken", message, then: Then::Fail });
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Ok(())
}

/// All of them or none.
async fn config_set(kind: &Redis, scene: &Scene<'_, Redis>, set: &[(String, String)]) -> Result<(), Undone> {
    if set.is_empty() {
        return Ok(());
    }
    let pairs = set.iter().flat_map(|(name, value)| [name.clone(), value.clone()]);
    ask(kind, scene, command("CONFIG SET").into_iter().chain(pairs).collect()).await
}
