//! Runs one step. Each can be repeated after a crash at any instruction; nothing is decided here.

use super::Link;
use super::action::Action;
use super::record::{Memory, Phase, Rotation};
use crate::core::event::Note;
use crate::kinds::tenancy::TenancyError;
use crate::kinds::{Scene, Then, Undone};
use crate::secrets;
use crate::store::Saving;
use crate::workload::act::ActError;

impl From<TenancyError> for Undone {
    fn from(error: TenancyError) -> Self {
        let reason = match error {
            TenancyError::Away(_) => "ServiceNotReady",
            TenancyError::Failed(_) => "CommandFailed",
        };
        Undone { reason, message: error.to_string(), then: Then::Fail }
    }
}

/// Runs `action`.
///
/// # Errors
/// When the step did not happen, or it is not known that it did.
pub async fn apply(
    kind: &Link,
    scene: &Scene<'_, Link>,
    action: &Action,
    memory: &mut Memory,
) -> Result<Vec<Note>, Undone> {
    let object = &scene.subject.identity.object;
    match action {
        // The controller's.
        Action::Work(_) => {}
        Action::Keep(database) => memory.database = Some(database.clone()),
        Action::MakePassword(turn) => {
            let mut all = kind.passwords(object).map_err(ActError::from)?;
            let next = memory.phase() == Some(Phase::Preparing) && *turn != memory.turn;
            if next {
                all.insert(*turn, secrets::password());
            } else {
                all.entry(*turn).or_insert_with(secrets::password);
            }
            let all = all.into_iter().map(|(turn, password)| (turn.as_str(), password)).collect();
            let changes = kind.tools.sealed(object, &all).map_err(ActError::from)?;
            kind.tools.store.save(changes, Saving::Durable).await.map_err(ActError::from)?;
            kind.tools.reopen(object);
            if next {
                // What the server keeps is another one's.
                memory.known.fingerprints.remove(turn);
                enter(Phase::Proving, scene.now, memory);
            } else {
                in_force(scene.now, memory);
            }
        }
        Action::Leave(_) => {
            let (password, rotated_for) = (memory.password.clone(), memory.rotated_for.clone());
            *memory = Memory { password, rotated_for, ..Memory::default() };
            scene.with_record.put(kind.tools.without_secrets(object));
        }
        Action::Rotate { asked, now } => {
            let since = scene.now.to_owned();
            memory.rotation = Some(Rotation { phase: Phase::Preparing, since, now: *now });
            if asked.is_some() {
                memory.rotated_for.clone_from(asked);
            }
        }
        Action::Switch(turn) => {
            memory.turn = *turn;
            in_force(scene.now, memory);
            enter(Phase::Draining, scene.now, memory);
        }
        Action::EndRotation => memory.rotation = None,
        Action::Tend(step) => {
            let tenant = scene.subject.tenant();
            let Some(tenancy) = kind.tenancies.get(&tenant.service.kind) else {
                return Err(ActError::Gone(format!("the tenancy of {}", tenant.service)).into());
            };
            let passwords = kind.passwords(object).map_err(ActError::from)?;
            tenancy.apply(&tenant, step, &passwords, &mut memory.known).await?;
        }
    }
    Ok(Vec::new())
}

/// Applications find another password from now on.
fn in_force(now: &str, memory: &mut Memory) {
    memory.password.generation += 1;
    now.clone_into(&mut memory.password.rotated_at);
}

fn enter(phase: Phase, now: &str, memory: &mut Memory) {
    if let Some(rotation) = &mut memory.rotation {
        rotation.phase = phase;
        now.clone_into(&mut rotation.since);
    }
}
