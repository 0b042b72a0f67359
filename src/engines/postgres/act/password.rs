//! The managed password: made and sealed, laid into the container for initdb, emptied, set again. Must
//! never be in an argument, in the environment or, as it is, in SQL.

use super::{ActError, Scene, by_postgres};
use crate::docker::{ExecRequest, FileToPut};
use crate::engines::postgres::client::statements::{NEWER_SINCE, options, set_password};
use crate::engines::postgres::desired::PASSWORD_FILE;
use crate::engines::postgres::facts::ImageFacts;
use crate::engines::postgres::record::Memory;
use crate::engines::postgres::tools::secret_key;
use crate::secrets;
use crate::store::{Change, Saving};
use std::time::Duration;
use zeroize::Zeroizing;

pub(super) async fn generate_password(scene: &Scene<'_>, memory: &mut Memory) -> Result<(), ActError> {
    let key = secret_key(&scene.identity.object);
    let sealed = scene.tools.sealer.seal(&key, &secrets::password())?;
    let body = serde_json::to_value(&sealed).map_err(|e| ActError::Json(e.to_string()))?;
    scene.tools.store.save(vec![Change::put(key, body)], Saving::Durable).await?;
    rotated(scene, memory);
    Ok(())
}

fn rotated(scene: &Scene<'_>, memory: &mut Memory) {
    memory.password_generation += 1;
    memory.password_rotated_at.clone_from(&scene.now);
}

/// Read by an entrypoint that runs as root without DAC_OVERRIDE (as owner) and by the postgres user
/// (as group).
pub(super) fn password_file(image: &ImageFacts, content: Zeroizing<Vec<u8>>) -> FileToPut {
    FileToPut { path: PASSWORD_FILE.to_owned(), mode: 0o440, uid: 0, gid: image.gid, content }
}

pub(super) async fn reset_password(
    scene: &Scene<'_>,
    name: &str,
    username: &str,
    memory: &mut Memory,
) -> Result<(), ActError> {
    let password = scene.password()?;
    let argv = ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-v", "VERBOSITY=terse", "-U", username];
    let argv = [&argv[..], &["-d", "template1", "-f", "-"]].concat();
    let sql = Zeroizing::new(set_password(username, &password).as_str().as_bytes().to_vec());
    // As in a session of ours: whatever is set for this role, and whatever the server logs.
    let newer = scene.image()?.major >= NEWER_SINCE;
    let env = [("PGOPTIONS".to_owned(), options(newer))].into();
    let request = ExecRequest { stdin: Some(sql), env, ..by_postgres(&argv) };
    let id = scene.container_id(name)?;
    // Terse: the words of a failure never repeat the statement.
    let result = scene.docker().exec(&id, &request, Duration::from_secs(15)).await?;
    if result.exit_code != 0 {
        return Err(ActError::Psql { code: result.exit_code, stderr: result.stderr.trim().to_owned() });
    }
    memory.verifier_set_in = Some(id);
    // It is a role of this server: the data is that user's.
    memory.init_username.get_or_insert_with(|| username.to_owned());
    rotated(scene, memory);
    Ok(())
}
