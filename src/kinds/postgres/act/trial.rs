//! The trial start in a throw-away container, once for all that start alike. Must never leave the container
//! behind, nor touch the real one but to read files that the server reads, too.

use super::parameter_file::parameter_file;
use super::{ActError, Scene};
use crate::core::desired::DesiredContainer;
use crate::core::digest::sha256;
use crate::core::event::Note;
use crate::docker::{DockerError, FileToPut};
use crate::kinds::postgres::parameters;
use crate::kinds::postgres::record::Memory;
use crate::kinds::postgres::trial::{self, Trial, Verdict};
use crate::secrets::random_id;
use std::time::Duration;
use zeroize::Zeroizing;

/// For all of it; a second is usual.
const LIMIT: Duration = Duration::from_secs(60);
/// Of a certificate or a key.
const FILE_BYTES: usize = 1 << 20;

pub(super) async fn trial_start(
    scene: &Scene<'_>,
    trial: &Trial,
    memory: &mut Memory,
) -> Result<Vec<Note>, ActError> {
    let tools = scene.tools;
    let gate = tools.work.image_gate(&trial.key);
    let _held = gate.lock().await;
    let verdict = match tools.trial(&trial.key) {
        Some(verdict) => verdict,
        None => {
            let _turn = tools.trials_at_once.acquire().await;
            let verdict = match run(scene, trial).await {
                Ok(verdict) => verdict,
                Err(error) if error.is_unavailable() => return Err(error.into()),
                Err(error) => Verdict::Unknown(error.to_string()),
            };
            tools.remember_trial(&trial.key, verdict.clone());
            verdict
        }
    };
    match verdict {
        Verdict::Passed => {
            memory.tried_parameters = Some(sha256(trial.text.as_bytes()));
            Ok(Vec::new())
        }
        Verdict::Refused(words) => Err(ActError::TrialRefused(words)),
        Verdict::Unknown(words) => Ok(vec![Note::warning(
            "TrialUnknown",
            format!("the trial start could not be held, the real one will tell: {words}"),
        )]),
    }
}

async fn run(scene: &Scene<'_>, trial: &Trial) -> Result<Verdict, DockerError> {
    let tools = scene.tools;
    let Some(image) = scene.image_of(&trial.image_id) else {
        return Ok(Verdict::Unknown("the image is gone".to_owned()));
    };
    let container = trial.container(scene.work.case.identity, &random_id(), &image.pgdata);
    tools.work.set_probing(&container.name, true);
    let verdict = in_container(scene, trial, &container).await;
    // What could not be removed, or a cut call made, is a left-over for the next sweep or start.
    tools.work.set_probing(&container.name, false);
    verdict
}

async fn in_container(
    scene: &Scene<'_>,
    trial: &Trial,
    container: &DesiredContainer,
) -> Result<Verdict, DockerError> {
    let docker = scene.work.docker();
    let id = docker.create(container).await?;
    let verdict = held(scene, trial, &id).await;
    // Also after a failure.
    let removed = docker.remove_throwaway(&id).await;
    let verdict = verdict?;
    removed?;
    Ok(verdict)
}

async fn held(scene: &Scene<'_>, trial: &Trial, id: &str) -> Result<Verdict, DockerError> {
    let docker = scene.work.docker();
    let mut files = vec![parameter_file(parameters::PATH, &trial.text)];
    files.extend(files_of_the_data(scene, trial).await?);
    docker.put_files(id, &files).await?;
    docker.start(id).await?;
    let code = docker.wait(id, LIMIT).await?;
    let oom_killed = docker.inspect(id).await?.is_some_and(|c| c.oom_killed);
    let log = docker.logs(id, trial::LINES).await?;
    Ok(trial::verdict(code, oom_killed, &log))
}

/// Certificates and keys that lie in the data directory of the real server.
async fn files_of_the_data(scene: &Scene<'_>, trial: &Trial) -> Result<Vec<FileToPut>, DockerError> {
    let (Some(image), Some(c)) = (scene.image_of(&trial.image_id), scene.world.work.container.ours()) else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    for file in &trial.files {
        let path = format!("{}/{file}", image.pgdata);
        let content = match scene.work.docker().get_file(&c.id, &path, FILE_BYTES).await {
            Err(DockerError::Refused { status, .. }) if status < 500 => None,
            answer => answer?,
        };
        let Some(content) = content else { continue };
        found.push(FileToPut {
            path: format!("{}/{file}", trial::FILES),
            mode: 0o600,
            uid: image.uid,
            gid: image.gid,
            content: Zeroizing::new(content),
        });
    }
    Ok(found)
}
