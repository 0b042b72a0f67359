//! The parameter file: which one is in force, when it is written, and the way back from one that the
//! server refuses. Must never replace a file that works by one that was refused.

use super::crash::crash_words;
use super::{Plan, Subject, trial};
use crate::core::digest::sha256;
use crate::core::plan::Sign;
use crate::core::seen::{ContainerState, SeenContainer};
use crate::kinds::postgres::action::Action;
use crate::kinds::postgres::client::statements::fixes;
use crate::kinds::postgres::facts::ImageFacts;
use crate::kinds::postgres::record::{Memory, RefusedParameters};
use crate::kinds::postgres::world::{Server, ServerFacts, World};
use crate::kinds::postgres::{desired, parameters};
use crate::workload;
use crate::workload::plan::restart;
use crate::workload::world::Deaths;
use crate::workload::world::SILENT;

/// What a container gets before its start; the password only until initdb has read it.
pub(super) fn upload(subject: &Subject<'_>, world: &World, image: &ImageFacts) -> Action {
    Action::UploadFiles {
        container: subject.identity.container(),
        parameters: file_in_force(subject, world, image),
        initialise: !subject.memory.work.ever_ready,
        major: image.major,
    }
}

/// The parameter file to run with: the manifest's, or the last that worked while the server refuses
/// the manifest's. While the database is being made, without defaults that could break the sessions in which
/// the image's entry point makes it.
pub(super) fn file_in_force(subject: &Subject<'_>, world: &World, image: &ImageFacts) -> String {
    let memory = subject.memory;
    if !memory.work.ever_ready {
        let mut first = subject.spec.clone();
        first.parameters.retain(|name, _| !fixes(name));
        return desired::parameter_file(subject.identity, &first, memory, image);
    }
    let wanted = desired::parameter_file(subject.identity, subject.spec, memory, image);
    if let Some(proven) = memory.proven_parameters.as_ref().filter(|proven| same_frame(proven, &wanted))
        && trial::refusal(subject, world, image).is_some()
    {
        return proven.clone();
    }
    match (refused(memory, &wanted), &memory.proven_parameters) {
        (Some(refused), Some(proven)) if refused.counts_for(&image.work.id) => proven.clone(),
        // What another image refused is tried again, but not together with the image itself.
        (Some(_), Some(proven))
            if !memory.work.proven_with(&image.work.id) && same_frame(proven, &wanted) =>
        {
            proven.clone()
        }
        _ => wanted,
    }
}

/// Whether two files preload the same by default and include the same file of the image: one for another image would start
/// without what that has, or not at all.
fn same_frame(one: &str, other: &str) -> bool {
    let frame = |text: &str| {
        let settings = text.lines().filter(|line| !line.starts_with('#'));
        let last = text.lines().find(|line| line.starts_with("include"));
        let before = settings.take_while(|line| Some(*line) != last).map(str::to_owned);
        (before.collect::<Vec<_>>(), last.map(str::to_owned))
    };
    frame(one) == frame(other)
}

fn refused<'a>(memory: &'a Memory, text: &str) -> Option<&'a RefusedParameters> {
    let sha = sha256(text.as_bytes());
    memory.refused_parameters.as_ref().filter(|r| r.sha256 == sha)
}

/// The way back, when a server does not come up with a new file or image although it did with the last ones:
/// some of what is wrong shows at this start alone. A server that gives up says so and ends with 1; whatever
/// else it ends with, in whatever language, is an accident once, and none the second time.
pub(super) fn way_back(
    subject: &Subject<'_>,
    image: &ImageFacts,
    world: &World,
    c: &SeenContainer,
) -> Option<(Action, &'static str)> {
    let memory = subject.memory;
    if matches!(world.server, Server::Up(_)) || !c.error.is_empty() {
        return None;
    }
    let died = matches!(c.state, ContainerState::Restarting | ContainerState::Exited | ContainerState::Dead);
    let loops = world.work.deaths.count >= Deaths::LOOP;
    let silent = world.work.silent >= SILENT;
    let of_server = world.work.log_tail.iter().filter(|line| !parameters::is_of_session(line)).cloned();
    let fatal = parameters::fatal_words(&of_server.collect::<Vec<_>>());
    let words = match &fatal {
        Some(words) if loops || (died && c.exit_code == Some(1)) => words.clone(),
        _ if loops => crash_words(subject, world, c),
        _ if silent => "it runs, and nobody has listened in it for ten minutes".to_owned(),
        _ => return None,
    };
    // With another image than they worked with, it may as well be the image that does not start.
    if let Some(back_to) = memory.work.proven_image.as_ref().filter(|proven| **proven != c.image_id) {
        let gives_up = (loops || silent) && world.work.fallback.as_ref() == Some(back_to);
        return gives_up.then(|| {
            let (image, back_to) = (c.image_id.clone(), back_to.clone());
            (workload::Action::GiveUpImage { image, words, back_to }.into(), "image")
        });
    }
    let proven = memory.proven_parameters.as_ref().filter(|_| memory.work.proven_with(&image.work.id))?;
    let started = memory.started_parameters.as_ref().unwrap_or(proven);
    let wanted = desired::parameter_file(subject.identity, subject.spec, memory, image);
    let sha = |text: &str| sha256(text.as_bytes());
    // What was only reloaded may be in force while the manifest has been refused since.
    let refused =
        [sha(&wanted), sha(proven)].into_iter().find(|sha| world.file_sha256.as_ref() == Some(sha))?;
    (sha(started) != refused).then(|| {
        let (container, text) = (subject.identity.container(), started.clone());
        (Action::RestoreParameters { container, text, refused, words }, "parameters")
    })
}

pub(super) fn parameters_of(
    subject: &Subject<'_>,
    world: &World,
    image: &ImageFacts,
    facts: &ServerFacts,
    plan: &mut Plan,
) {
    let (id, spec, memory) = (subject.identity, subject.spec, subject.memory);
    let wanted = desired::parameter_file(id, spec, memory, image);
    let refused = refused(memory, &wanted).filter(|refused| refused.counts_for(&image.work.id));
    if let Some(words) = trial::refusal(subject, world, image) {
        plan.block(
            "ParameterRejected",
            format!("{words}. The server keeps running with the old parameters"),
            trial::unblock("spec.parameters"),
        );
    } else if let Some(refused) = refused {
        plan.block(
            "ParameterRejected",
            format!(
                "PostgreSQL refused: {}. The server keeps running with the old parameters",
                refused.message
            ),
            "correct spec.parameters",
        );
        if memory.proven_parameters.is_none() {
            return;
        }
    }
    let text = file_in_force(subject, world, image);
    let sha = sha256(text.as_bytes());
    let written = memory.written_parameters.as_ref() == Some(&sha);
    if facts.parameters_sha256 != sha || !written {
        let why = match (written, facts.parameters_sha256 == sha) {
            (true, _) => "parameter file edited in the container",
            (false, true) => "parameter file written, perhaps not yet read",
            (false, false) => "spec.parameters changed",
        };
        let action = Action::WriteParameters { container: id.container(), text };
        plan.step(Sign::Change, action, why);
    } else if !facts.pending_ours().is_empty()
        && !facts.restart_is_theirs()
        && spec.work.restart_automatically
    {
        let why = format!("{} changed and need a restart", facts.pending_ours().join(", "));
        restart(&subject.work(), &why, plan);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_for_another_place_or_without_a_library_is_no_way_back() {
        let file =
            "# of postgres/a\nshared_preload_libraries = 'x'\ninclude_if_exists '/d/c'\nwork_mem = '1MB'\n";
        for (other, same) in [
            (file.replace("1MB", "2MB"), true),
            (file.replace("postgres/a", "postgres/b"), true),
            (file.replace("/d/c", "/e/c"), false),
            (file.replace("shared_preload_libraries = 'x'\n", ""), false),
            (format!("{file}shared_preload_libraries = 'y'\n"), true),
        ] {
            assert_eq!((same_frame(file, &other), same_frame(&other, file)), (same, same), "{other}");
        }
    }
}
