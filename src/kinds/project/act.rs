//! Runs one step with an env file. Each can be repeated after a crash at any instruction; nothing is decided here.

use super::env_file::plan::Step;
use super::env_file::{FAILED, Found, Gives, Kept, Refusal, whole};
use super::probe::{found, header, lines};
use super::tools::{Disks, There, look, sweep, write};
use super::{Memory, Project};
use crate::kinds::{Scene, Then, Undone};
use crate::workload::act::ActError;
use std::path::Path;
use zeroize::Zeroizing;

/// Runs `step`.
///
/// # Errors
/// When the file is not as it should be; the one that was there is then whole.
pub async fn apply(
    kind: &Project,
    scene: &Scene<'_, Project>,
    step: &Step,
    memory: &mut Memory,
) -> Result<(), Undone> {
    let (tools, disks) = (&kind.tools, &kind.disks);
    match step {
        Step::Keep { path, root, environment } => {
            let kept = Kept { root: root.clone(), environment: environment.clone(), ..Kept::default() };
            memory.env_files.insert(path.to_string_lossy().into_owned(), kept);
        }
        Step::Write { path, .. } => {
            let wanted = scene.world.env_files.iter().find(|file| file.path == *path);
            let wanted = wanted.and_then(|file| Some((file, file.wanted.as_ref()?)));
            let (file, wanted) = wanted.ok_or_else(outdated)?;
            let header = header(tools, &scene.subject, &file.environment);
            let (gives, lines) =
                lines(tools, scene.subject.around, &file.environment).map_err(ActError::from)?;
            if matches!(gives, Gives::NotYet(..)) {
                return Err(outdated());
            }
            let known = memory.env_files.contains_key(&file.key());
            let text = whole(&header, &lines);
            let is_ours = move |there| !matches!(found(there, &header, known, &[]), Found::Refused(_));
            let stamp =
                put(disks, &file.root, path, wanted.file.mode, text, is_ours).await?.ok_or_else(outdated)?;
            if let Some(kept) = memory.env_files.get_mut(&file.key()) {
                kept.stamp = stamp;
                kept.at = Some(scene.now.to_owned());
            }
        }
        Step::Empty(path) => {
            let key = path.to_string_lossy().into_owned();
            let Some(kept) = memory.env_files.get(&key) else { return Ok(()) };
            let header = header(tools, &scene.subject, &kept.environment);
            let text = whole(&header, &[]);
            let is_full = move |there| {
                let found = found(there, &header, true, &[]);
                matches!(found, Found::Ours { change, .. } if !change.is_empty())
            };
            put(disks, &kept.root, path, 0o600, text, is_full).await?;
            let (root, below) = (kept.root.clone(), path.clone());
            let swept = disks.in_time(path, move || sweep(&root, &below)).await;
            swept.and_then(|done| done).map_err(failed)?;
            memory.env_files.remove(&key);
        }
    }
    Ok(())
}

/// Writes it, where `may` says so of what is there in that moment; `None`: it says no.
async fn put(
    disks: &Disks,
    root: &Path,
    path: &Path,
    mode: u32,
    text: Zeroizing<String>,
    may: impl FnOnce(There) -> bool + Send + 'static,
) -> Result<Option<String>, Undone> {
    let (root, below) = (root.to_owned(), path.to_owned());
    let work = move || match look(&root, &below).there {
        There::Refused(Refusal::Disk(why)) => Err(why),
        there => may(there).then(|| write(&root, &below, mode, text.as_bytes())).transpose(),
    };
    disks.in_time(path, work).await.and_then(|done| done).map_err(failed)
}

fn failed(message: String) -> Undone {
    Undone { reason: FAILED, message, then: Then::Fail }
}

fn outdated() -> Undone {
    Undone { reason: FAILED, message: "it is another one by now".to_owned(), then: Then::Outdated }
}
