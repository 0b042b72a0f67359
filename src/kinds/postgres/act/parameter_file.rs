//! The parameter file in the container. Must never replace a good file by one that the server's own
//! binary refuses.

use super::{ActError, Scene};
use crate::core::digest::sha256;
use crate::docker::FileToPut;
use crate::kinds::postgres::parameters;
use crate::kinds::postgres::record::{Memory, RefusedParameters};
use crate::workload::act::{self as work, shut_down};
use std::time::Duration;
use zeroize::Zeroizing;

pub(super) fn parameter_file(path: &str, text: &str) -> FileToPut {
    FileToPut {
        path: path.to_owned(),
        mode: 0o644,
        uid: 0,
        gid: 0,
        content: Zeroizing::new(text.as_bytes().to_vec()),
    }
}

/// The server's own binary reads the new file first: a file it refuses never replaces a good one.
pub(super) async fn write_parameters(
    scene: &Scene<'_>,
    name: &str,
    text: &str,
    memory: &mut Memory,
) -> Result<(), ActError> {
    const CANDIDATE: &str = "/etc/seawall/candidate.conf";
    let docker = scene.work.docker();
    let image = scene.image()?;
    let id = scene.work.container_id(name)?;
    docker.put_files(&id, &[parameter_file(CANDIDATE, text)]).await?;
    let config = format!("config_file={CANDIDATE}");
    let check = scene.work.by_user(&["postgres", "-C", "config_file", "-D", &image.pgdata, "-c", &config]);
    let checked = docker.exec(&id, &check, Duration::from_secs(10)).await?;
    if checked.exit_code != 0 {
        let message = server_words(&format!("{}\n{}", checked.stderr, checked.stdout));
        memory.refused_parameters = Some(RefusedParameters {
            sha256: sha256(text.as_bytes()),
            message: message.clone(),
            image: Some(image.work.id.clone()),
        });
        return Err(ActError::ParametersRefused(message));
    }
    docker.put_files(&id, &[parameter_file(parameters::PATH, text)]).await?;
    match scene.session() {
        Ok(session) => {
            session.reload().await?;
            memory.reloaded_blind = None;
        }
        // Nobody is let in: by signal, as the server's own user.
        Err(_) => {
            let signal = r#"kill -HUP "$(head -n 1 "$0"/postmaster.pid)""#;
            let signal = scene.work.by_user(&["sh", "-c", signal, &image.pgdata]);
            let sent = docker.exec(&id, &signal, Duration::from_secs(10)).await?;
            if sent.exit_code != 0 {
                let words = format!("no signal to the server: {}", sent.stderr.trim());
                return Err(work::ActError::NotApplied(words).into());
            }
            memory.reloaded_blind = scene.world.work.container.ours().map(|c| c.started_at.clone());
        }
    }
    let sha = sha256(text.as_bytes());
    let started_at = scene.world.work.container.ours().map(|c| c.started_at.clone());
    memory.reloaded_untried = started_at.filter(|_| memory.tried_parameters.as_ref() != Some(&sha));
    // Only now: a file that was written and not yet read is written and read again.
    memory.written_parameters = Some(sha);
    Ok(())
}

/// Back to the file that worked. What was refused is not tried again, also when this start fails.
pub(super) async fn restore_parameters(
    scene: &Scene<'_>,
    name: &str,
    text: &str,
    refused: RefusedParameters,
    memory: &mut Memory,
) -> Result<(), ActError> {
    let docker = scene.work.docker();
    let id = scene.work.container_id(name)?;
    shut_down(&scene.work, &id).await?;
    docker.put_files(&id, &[parameter_file(parameters::PATH, text)]).await?;
    memory.written_parameters = Some(sha256(text.as_bytes()));
    memory.refused_parameters = Some(refused);
    memory.proven_parameters = Some(text.to_owned());
    Ok(scene.work.start(name).await?)
}

/// The message of a PostgreSQL log excerpt, without timestamps and levels: the first line that says
/// what is wrong.
fn server_words(log: &str) -> String {
    let mut hint = None;
    let mut message = None;
    for line in log.lines() {
        for level in ["ERROR:", "FATAL:", "LOG:", "WARNING:"] {
            if let Some((_, words)) = line.split_once(level)
                && message.is_none()
            {
                message = Some(words.trim().to_owned());
            }
        }
        if let Some((_, words)) = line.split_once("HINT:")
            && hint.is_none()
        {
            hint = Some(words.trim().to_owned());
        }
    }
    match (message, hint) {
        (Some(message), Some(hint)) => format!("{message} ({hint})"),
        (Some(message), None) => message,
        (None, _) => log.trim().chars().take(300).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_own_words() {
        let log = "2026-01-01 00:00:00.000 UTC [9] LOG:  invalid value for parameter \"work_mem\": \"16ZB\"\n\
                   2026-01-01 00:00:00.000 UTC [9] HINT:  Valid units for this parameter are \"B\", \"kB\".\n\
                   2026-01-01 00:00:00.000 UTC [9] FATAL:  configuration file \"x\" contains errors\n";
        assert_eq!(
            server_words(log),
            "invalid value for parameter \"work_mem\": \"16ZB\" (Valid units for this parameter are \"B\", \"kB\".)"
        );
        assert_eq!(server_words("strange"), "strange");
    }
}
