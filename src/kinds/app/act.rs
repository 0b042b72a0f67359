//! Runs one step. Each can be repeated after a crash at any instruction; nothing is decided here.
//!
//! The secrets of an application come into a container here, and nowhere before.

use super::App;
use super::action::{Action, Deed};
use super::launcher;
use super::plan::{Node, Subject, version};
use super::probe::{again, variables};
use super::record::{Made, Memory};
use crate::core::desired::DesiredContainer;
use crate::core::event::Note;
use crate::core::member::Role;
use crate::docker::FileToPut;
use crate::kinds::{Scene, Undone};
use crate::workload::Action as Work;
use crate::workload::act::{self as work, ActError};
use crate::workload::plan::successor;
use zeroize::Zeroizing;

/// Runs `action`. The notes are for the event list, beside the step itself.
///
/// # Errors
/// When the step did not happen, or it is not known that it did.
pub async fn apply(
    kind: &App,
    scene: &Scene<'_, App>,
    action: &Action,
    memory: &mut Memory,
) -> Result<Vec<Note>, Undone> {
    let role = &action.role;
    match &action.deed {
        Deed::Work(action) => of_container(kind, scene, role, action, memory).await,
        Deed::Upload => upload(kind, scene, role, memory).await,
        Deed::Serve => {
            memory.serves = Some(role.clone());
            if let Some(made) = memory.made.get_mut(role) {
                made.again = 0;
            }
            Ok(Vec::new())
        }
        Deed::GiveUp { version, words } => {
            memory.refuse(version.clone(), words.clone());
            Ok(vec![Note::warning("RolloutFailed", words.clone())])
        }
        Deed::StartAgain => {
            let start = Work::StartContainer(scene.subject.identity.member(role.clone()).container());
            let notes = of_container(kind, scene, role, &start, memory).await?;
            // One that was not started is not counted: the engine may be about to end.
            if let Some(made) = memory.made.get_mut(role) {
                made.again += 1;
            }
            Ok(notes)
        }
        Deed::TryAgain => {
            memory.refused.clear();
            memory.made.values_mut().for_each(|made| made.again = 0);
            memory.work.restarted_for.clone_from(&scene.subject.asked.restart);
            Ok(Vec::new())
        }
    }
}

async fn of_container(
    kind: &App,
    scene: &Scene<'_, App>,
    role: &Role,
    action: &Work,
    memory: &mut Memory,
) -> Result<Vec<Note>, Undone> {
    let gone = |what: &str| Undone::from(ActError::Gone(what.to_owned()));
    let subject = Subject { memory: &*memory, ..scene.subject };
    let node = Node::of(&subject, role);
    // What is of the application as a whole is done through the container that serves.
    let of = if role.is_only() { super::plan::serves(&subject) } else { role.clone() };
    let world = &scene.world.members.get(&of).ok_or_else(|| gone("the container"))?.work;
    let of_container = work::Scene {
        tools: &kind.tools,
        case: node.case(&subject),
        world,
        now: scene.now,
        still: scene.still,
        made: scene.made,
        successor: successor(scene.plan, &node.identity.container()),
        ask_again: Default::default(),
    };
    let (mut own, mut made) = (node.memory.clone(), None);
    let notes = match action {
        Work::CreateContainer(desired) => {
            let (filled, of) = filled(kind, scene, desired).await?;
            made = Some(of);
            work::apply(&of_container, &Work::CreateContainer(Box::new(filled)), &mut own).await?
        }
        // With which code it ends is its own affair.
        Work::StopContainer { name, .. } => work::stop(&of_container, name).await?.said(name, true)?,
        action => work::apply(&of_container, action, &mut own).await?,
    };
    if let Some(mut made) = made {
        // The same once more is no other trial.
        let before = memory.made.get(role).filter(|old| old.written == made.written && old.env == made.env);
        made.again = before.map_or(0, |old| old.again);
        memory.made.insert(role.clone(), made);
    }
    memory.work = crate::workload::Memory { container: None, ..own.clone() };
    if !role.is_only() {
        memory.members.insert(role.clone(), own);
    }
    Ok(notes)
}

/// With the secrets that belong into its variables, and what to remember of it.
async fn filled(
    kind: &App,
    scene: &Scene<'_, App>,
    desired: &DesiredContainer,
) -> Result<(DesiredContainer, Made), Undone> {
    let subject = &scene.subject;
    let version = version(subject, scene.world).ok_or_else(|| ActError::Gone("the image".to_owned()))?;
    let variables = variables(kind, subject, version.app).await.map_err(ActError::from)?;
    if variables.env.shown != desired.env {
        // A password was changed since the plan was made.
        return Err(ActError::Overtaken.into());
    }
    let made = Made { written: version.written.clone(), env: desired.env.clone(), again: 0 };
    let mut desired = desired.clone();
    for (name, value) in variables.withheld {
        desired.withheld.entry(name).or_insert(Some(value));
    }
    Ok((desired, made))
}

/// The launcher, and what it gives to a container that was made and not started yet.
async fn upload(
    kind: &App,
    scene: &Scene<'_, App>,
    role: &Role,
    memory: &Memory,
) -> Result<Vec<Note>, Undone> {
    let gone = |what: &str| Undone::from(ActError::Gone(what.to_owned()));
    let name = scene.subject.identity.member(role.clone()).container();
    let remembered = memory.members.get(role).and_then(|member| member.container.clone());
    let id = remembered.ok_or_else(|| gone(&format!("container {name}")))?;
    let made = memory.made.get(role).ok_or_else(|| gone("what it was made from"))?;
    let app = again(&scene.subject, &made.written).ok_or_else(|| gone("what it was made from"))?;
    let variables = variables(kind, &scene.subject, &app).await.map_err(ActError::from)?;
    if variables.env.shown != made.env {
        return Err(ActError::Overtaken.into());
    }
    let file = |path: &str, mode, content| FileToPut { path: path.to_owned(), mode, uid: 0, gid: 0, content };
    let program = Zeroizing::new(launcher::PROGRAM.to_vec());
    let files = [
        file(launcher::LAUNCHER, 0o555, program),
        // By whichever user the image starts as.
        file(launcher::VARIABLES, 0o444, launcher::file(&variables.withheld)),
    ];
    kind.tools.docker.put_files(&id, &files).await.map_err(ActError::from)?;
    Ok(Vec::new())
}
