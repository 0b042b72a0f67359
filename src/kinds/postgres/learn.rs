//! What a server that serves teaches for good. Pure. Must never learn from a server on half-made data, nor from one whose
//! data is not this object's.

use super::desired::{counting_file, parameter_file};
use super::facts::below;
use super::plan::{Subject, image_to_run};
use super::record::Memory;
use super::world::{InitSeen, Server, World};
use crate::core::digest::sha256;
use crate::kinds::Learnt;

/// Takes it into `memory`.
pub(super) fn learn(subject: &Subject<'_>, world: &World, memory: &mut Memory, now: &str) -> Learnt {
    let mut learnt = Learnt::default();
    let container = world.work.container.ours();
    // From the first look on a container is ours by its id: also of one whose process was killed between making a
    // container and remembering it.
    if let Some(c) = container {
        memory.work.container = Some(c.id.clone());
    }
    if !memory.counts_statements && memory.work.ever_ready {
        memory.counts_statements = counts(subject, world);
    }
    let Server::Up(facts) = &world.server else { return learnt };
    if matches!(world.init, InitSeen::Unfinished(_)) {
        return learnt;
    }
    let (identity, checked) = (subject.identity, subject.spec);
    let runs = container.map(|c| c.image_id.as_str());
    let image = image_to_run(subject, world).filter(|image| Some(image.work.id.as_str()) == runs);
    let loaded =
        |text: &String| facts.pending_ours().is_empty() && sha256(text.as_bytes()) == facts.parameters_sha256;
    // A reload takes over what a start may not survive.
    let only_reloaded = memory.reloaded_untried.is_some()
        && memory.reloaded_untried == container.map(|c| c.started_at.clone());
    // Also the one that worked before, with another image.
    let proven = image
        .map(|image| parameter_file(identity, checked, memory, image))
        .filter(loaded)
        .or_else(|| memory.proven_parameters.clone().filter(loaded));
    let volume = identity.volume();
    let mount = container.and_then(|c| c.mounts.iter().find(|m| m.volume == volume));
    let data_path = mount.and_then(|m| below(&facts.data_directory, &m.path));
    let libraries = match (world.work.image.fit(), container) {
        (Some(image), Some(c)) if c.image_id == image.work.id => Some(image.libraries.clone()),
        _ => None,
    };
    let was_ready = memory.work.ever_ready;
    let accepted = checked.accept_cluster.as_ref() == Some(&facts.system_identifier);
    let first = facts.database_exists && memory.system_identifier.is_none();
    if (accepted || first) && !facts.system_identifier.is_empty() {
        memory.system_identifier = Some(facts.system_identifier.clone());
    }
    // What another cluster has or runs with says nothing about this object's data.
    if !memory.same_cluster(&facts.system_identifier) {
        return learnt;
    }
    if facts.database_exists {
        learnt.restarts = container.and_then(|c| memory.work.saw_server(c, &world.work));
        memory.seen_databases.insert(checked.database.clone());
    }
    // Missing only when a crash came between the sealed password and this record.
    memory.init_username.get_or_insert_with(|| checked.username.clone());
    memory.init_database.get_or_insert_with(|| checked.database.clone());
    memory.work.saw_password(now);
    if let Some(libraries) = &libraries {
        // Of a database that ran before this was looked at nobody knows what its indexes were built with.
        memory.order_changed |=
            memory.libraries.as_ref().map_or(was_ready, |old| old.changed(libraries, None).is_some());
        if memory.order_changed && world.columns.is_clean() && facts.collations.mismatched.is_empty() {
            memory.order_changed = false;
        }
        memory.libraries = Some(libraries.clone());
        memory.collation_providers.clone_from(&facts.collations.providers);
    }
    memory.work.port_restarted = false;
    // From the server that runs, not from the image that the manifest names now.
    memory.data_major = facts.major().or(memory.data_major);
    if facts.database_exists && proven.is_some() {
        if only_reloaded {
            let last = memory.started_parameters.take();
            memory.started_parameters = last.or_else(|| memory.proven_parameters.clone());
        } else {
            memory.started_parameters.clone_from(&proven);
        }
        memory.proven_parameters = proven;
        if let Some(c) = container {
            memory.work.proven(c);
        }
    }
    memory.data_path = data_path.or(memory.data_path.take());
    memory.data_catalog = image.and_then(|image| image.catalog).or(memory.data_catalog);
    memory.work.volume_fresh = false;
    // What was learnt is a reason to look closer before anything is said.
    learnt.look_again = memory.order_changed && world.columns == super::collation::Columns::NotAsked;
    learnt
}

/// A record that was made anew does not know how the data was made: the file of its server does.
fn counts(subject: &Subject<'_>, world: &World) -> bool {
    let there = match &world.server {
        Server::Up(facts) => Some(&facts.parameters_sha256),
        _ => world.file_sha256.as_ref(),
    };
    let Some((there, image)) = there.zip(image_to_run(subject, world)) else { return false };
    let counting = counting_file(subject.identity, subject.spec, image);
    counting.is_some_and(|text| sha256(text.as_bytes()) == *there)
}
