//! The managed password: made and sealed, laid into the container for initdb, emptied, set again. Must
//! never be in an argument, in the environment or, as it is, in SQL.

use super::{ActError, Scene};
use crate::core::text::in_shell;
use crate::docker::{ExecRequest, FileToPut};
use crate::kinds::postgres::client::statements::{NEWER_SINCE, options, set_password, unlock};
use crate::kinds::postgres::desired::PASSWORD_FILE;
use crate::kinds::postgres::facts::ImageFacts;
use crate::kinds::postgres::record::Memory;
use crate::manifest::secret::{SecretPlace, SecretSource};
use crate::secrets;
use crate::store::{Change, Saving};
use crate::workload::act as work;
use crate::workload::check::PASSWORD;
use crate::workload::tools::{MONITOR, PENDING, Secrets, secret_key};
use std::time::Duration;
use zeroize::Zeroizing;

pub(super) async fn generate_password(scene: &Scene<'_>, memory: &mut Memory) -> Result<(), ActError> {
    let (tools, object) = (&scene.tools.work, &scene.work.case.identity.object);
    // That of the role which reads the server's health goes with it: no commit of its own.
    let both = Secrets::from([("", secrets::password()), (MONITOR, secrets::password())]);
    let changes = tools.sealed(object, &both).map_err(work::ActError::from)?;
    tools.store.save(changes, Saving::Durable).await.map_err(work::ActError::from)?;
    tools.reopen(object);
    rotated(scene, memory);
    Ok(())
}

/// That of the manifest, in the place of the one that there may be.
pub(super) async fn take_password(
    scene: &Scene<'_>,
    source: &SecretSource,
    memory: &mut Memory,
) -> Result<(), ActError> {
    let (tools, object) = (&scene.tools.work, &scene.work.case.identity.object);
    let secret = tools.reveal(&SecretPlace::new(object, PASSWORD), source).await?;
    let mut changes = tools.sealed(object, &Secrets::from([("", secret)])).map_err(work::ActError::from)?;
    changes.push(Change::delete(secret_key(object, PENDING)));
    tools.store.save(changes, Saving::Durable).await.map_err(work::ActError::from)?;
    tools.reopen(object);
    rotated(scene, memory);
    answered(scene, memory);
    Ok(())
}

/// In one commit with the record, which then knows that what was asked for is done.
pub(super) fn make_current(scene: &Scene<'_>, memory: &mut Memory) -> Result<(), ActError> {
    scene.work.make_current(&mut memory.work, scene.with_record)?;
    answered(scene, memory);
    Ok(())
}

fn rotated(scene: &Scene<'_>, memory: &mut Memory) {
    memory.work.password_generation += 1;
    scene.work.now.clone_into(&mut memory.work.password_rotated_at);
}

/// Whatever was asked for till now: there is a new one.
fn answered(scene: &Scene<'_>, memory: &mut Memory) {
    memory.rotated_for = scene.work.case.asked.rotate.as_ref().map(|asked| asked.at.clone());
}

/// Read by an entrypoint that runs as root without DAC_OVERRIDE (as owner) and by the postgres user
/// (as group).
pub(super) fn password_file(image: &ImageFacts, content: Zeroizing<Vec<u8>>) -> FileToPut {
    FileToPut { path: PASSWORD_FILE.to_owned(), mode: 0o440, uid: 0, gid: image.gid, content }
}

/// By the role itself over the socket in the container, which asks for no password. A role that is locked, or
/// a database that is gone or closed, is no reason to stay out: another one may be there.
pub(super) async fn reset_password(
    scene: &Scene<'_>,
    name: &str,
    username: &str,
    pending: bool,
    memory: &mut Memory,
) -> Result<(), ActError> {
    let password = if pending { scene.work.pending()? } else { scene.work.password()? };
    let sql = Zeroizing::new(set_password(username, &password).as_str().as_bytes().to_vec());
    let newer = scene.image()?.major >= NEWER_SINCE;
    let id = scene.work.container_id(name)?;
    let mut first_words = None;
    for (role, database) in ways_in(username, memory) {
        // Terse: the words of a failure never repeat the statement.
        let argv = ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-v", "VERBOSITY=terse", "-f", "-"];
        // As in a session of ours: whatever is set for this role, and whatever the server logs. A name in the
        // environment is never taken for a connection string.
        let env = [("PGOPTIONS", options(newer)), ("PGUSER", role), ("PGDATABASE", database)];
        let env = env.map(|(name, value)| (name.to_owned(), value)).into();
        let request = ExecRequest { stdin: Some(sql.clone()), env, ..scene.work.by_user(&argv) };
        let result = scene.work.docker().exec(&id, &request, Duration::from_secs(15)).await?;
        if result.exit_code == 0 {
            memory.verifier_set_in = Some(id);
            // It is a role of this server: the data is that user's.
            memory.init_username.get_or_insert_with(|| username.to_owned());
            if pending {
                // It was let in by the other one.
                scene.tools.drop_session(&scene.work.case.identity.object);
            } else {
                // The one that it was: its age goes on.
                memory.work.password_generation += 1;
            }
            return Ok(());
        }
        first_words.get_or_insert_with(|| result.stderr.trim().to_owned());
    }
    Err(no_way_in(scene, username, first_words.unwrap_or_default()))
}

/// Role and database, the likeliest first: the managed user, the one that initdb made, PostgreSQL's usual owner.
fn ways_in(username: &str, memory: &Memory) -> Vec<(String, String)> {
    let mut roles = vec![username];
    roles.extend(memory.init_username.as_deref().into_iter().chain(["postgres"]).filter(|r| *r != username));
    roles.dedup();
    let mut databases = vec!["template1", "postgres"];
    databases.extend(memory.seen_databases.iter().map(String::as_str).filter(|d| *d != "postgres").take(2));
    let pairs =
        |role: &&str| databases.iter().map(|d| ((*role).to_owned(), (*d).to_owned())).collect::<Vec<_>>();
    roles.iter().flat_map(pairs).collect()
}

/// Nobody gets in, so only a server without clients can be told (PostgreSQL docs, "Single-User Mode"). That is
/// the user's to do: it is a stop, and an act on the data that nobody sees.
fn no_way_in(scene: &Scene<'_>, username: &str, words: String) -> ActError {
    let (object, volume) = (&scene.work.case.identity.object, scene.work.case.identity.volume());
    let single_user = scene.image.map(|image| {
        format!(
            "seawall stop {object} && docker wait {} && echo {} | docker run --rm -i --user postgres --volume {volume}:{} --entrypoint postgres {} --single -D {} template1 && seawall start {object}",
            scene.work.case.identity.container(),
            in_shell(unlock(username).as_str()),
            image.work.mount_path,
            image.work.id,
            image.pgdata,
        )
    });
    ActError::NoWayIn { words, single_user: single_user.unwrap_or_default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_in_is_tried_once() {
        let memory = |init: Option<&str>, seen: &[&str]| Memory {
            init_username: init.map(str::to_owned),
            seen_databases: seen.iter().map(|d| (*d).to_owned()).collect(),
            ..Memory::default()
        };
        let ways = |username, memory: &Memory| {
            let ways = ways_in(username, memory);
            let ways: Vec<_> = ways.iter().map(|(role, database)| format!("{role}@{database}")).collect();
            ways.join(" ")
        };
        assert_eq!(ways("postgres", &memory(None, &[])), "postgres@template1 postgres@postgres");
        assert_eq!(
            ways("app", &memory(Some("app"), &["a=b"])),
            "app@template1 app@postgres app@a=b postgres@template1 postgres@postgres postgres@a=b"
        );
        assert_eq!(
            ways("app", &memory(Some("postgres"), &["postgres"])),
            "app@template1 app@postgres postgres@template1 postgres@postgres"
        );
    }
}
