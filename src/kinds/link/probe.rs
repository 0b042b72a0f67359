//! Observation of a link: what its service has for it, and a login as an application's. Reads only.

use super::Link;
use super::plan::Subject;
use super::world::{Proof, Server, World};
use crate::core::variable::Variable;
use crate::kinds::tenancy::{Tenancy, TenancyError, Tenant, Turn};
use crate::workload::observe::ObserveError;
use std::sync::Arc;

/// Looks at everything that the plan for `subject` depends on.
///
/// # Errors
/// When a password is there and cannot be opened.
pub async fn observe(kind: &Link, subject: &Subject<'_>) -> Result<World, ObserveError> {
    let mut world = World::default();
    let passwords = kind.passwords(&subject.identity.object)?;
    world.sealed = passwords.keys().copied().collect();
    let tenant = subject.tenant();
    let Some(tenancy) = kind.tenancies.get(&tenant.service.kind) else {
        world.server = Server::NoTenancy;
        return Ok(world);
    };
    if let Some(why) = tenancy.refuses(&tenant.name) {
        world.server = Server::Refused(why);
        return Ok(world);
    }
    let turn = subject.memory.turn;
    world.username = tenancy.username(&tenant, turn);
    variables(tenancy, subject, &tenant, turn, &mut world);
    if !subject.service().is_some_and(|offer| offer.ready) {
        return Ok(world);
    }
    world.server = match tenancy.look(&tenant, &subject.memory.known).await {
        Ok(look) => Server::Seen { look, proof: Proof::NotTried },
        Err(TenancyError::Away(why)) => Server::Away(why),
        Err(TenancyError::Failed(why)) => Server::Failed(why),
    };
    let Server::Seen { look, proof } = &mut world.server else { return Ok(world) };
    // What is still to be done is no login's fault.
    if let Some(password) = passwords.get(&turn)
        && subject.present
        && look.taken.is_none()
        && look.steps.is_empty()
    {
        *proof = kind.proof(subject, tenancy, &tenant, turn, password).await;
    }
    Ok(world)
}

fn variables(
    tenancy: &Arc<dyn Tenancy>,
    subject: &Subject<'_>,
    tenant: &Tenant,
    turn: Turn,
    world: &mut World,
) {
    let Some(offer) = subject.service() else { return };
    let port = |key: &str| offer.say(key).and_then(|port| port.parse::<u16>().ok());
    let prefix = &subject.spec.prefix;
    let found = |at| tenancy.variables(tenant, turn, at).into_iter().map(|one| named(prefix, one)).collect();
    world.alias = tenancy.alias();
    if let (Some(host), Some(port)) = (offer.say("host"), port("port")) {
        world.inside = found((host, port));
    }
    if let Some(port) = port("hostPort") {
        world.outside = found(("127.0.0.1", port));
    }
}

fn named(prefix: &str, variable: Variable) -> Variable {
    Variable { name: format!("{prefix}_{}", variable.name), ..variable }
}

impl From<&TenancyError> for Proof {
    fn from(error: &TenancyError) -> Self {
        Proof::TurnedAway(error.to_string())
    }
}
