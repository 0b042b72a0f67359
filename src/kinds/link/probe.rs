//! Observation of a link: what its service has for it, and a login as an application's. Reads only.

use super::Link;
use super::plan::Subject;
use super::record::Phase;
use super::world::{Proof, Server, World};
use crate::core::variable::Variable;
use crate::kinds::tenancy::{Look, Tenancy, TenancyError, Tenant, Turn};
use crate::workload::observe::ObserveError;
use crate::workload::schedule::Due;
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// Looks at everything that the plan for `subject` depends on.
///
/// # Errors
/// When a password is there and cannot be opened.
pub async fn observe(kind: &Link, subject: &Subject<'_>) -> Result<World, ObserveError> {
    let mut world = World::default();
    let now = Timestamp::now();
    if subject.memory.rotation.is_none() {
        world.due = Due::at(now, subject.spec.schedule.as_ref(), &subject.memory.password.rotated_at);
    }
    let passwords = kind.passwords(&subject.identity.object)?;
    world.sealed = passwords.keys().copied().collect();
    let tenant = subject.tenant();
    let Some(tenancy) = kind.tenancies.get(&tenant.service.kind) else {
        world.server = Server::NoTenancy;
        return Ok(world);
    };
    if subject.is_instance() {
        return own(kind, subject, tenancy, &tenant, world).await;
    }
    if let Some(refusal) = tenancy.refuses(&tenant) {
        world.server = Server::Refused(refusal);
        return Ok(world);
    }
    world.grant = tenancy.grant(&tenant, &passwords);
    world.leaves = tenancy.leaves(&tenant);
    let turn = subject.memory.turn;
    world.username = tenancy.username(&tenant, turn);
    // What is being closed is given to nobody.
    if !subject.spec.instance {
        variables(tenancy, subject, &tenant, turn, &mut world);
    }
    if !subject.service().is_some_and(|offer| offer.ready) {
        return Ok(world);
    }
    world.server = match tenancy.look(&tenant, &passwords, &subject.memory.known).await {
        Ok(look) => Server::Seen { look, proof: Proof::NotTried, next: Proof::NotTried },
        Err(TenancyError::Away(why)) => Server::Away(why),
        Err(TenancyError::Failed(why)) => Server::Failed(why),
    };
    world.rotating_for = subject.memory.rotation.as_ref().and_then(|rotation| {
        let since: Timestamp = rotation.since.parse().ok()?;
        Duration::try_from(now.duration_since(since)).ok()
    });
    let Server::Seen { look, proof, next } = &mut world.server else { return Ok(world) };
    // What is still to be done is no login's fault.
    if !subject.has_logins() || look.taken.is_some() || !look.steps.is_empty() || look.waits.is_some() {
        return Ok(world);
    }
    let there = (&tenant, look.identifier.as_deref());
    if let Some(password) = passwords.get(&turn) {
        *proof = kind.proof(subject, tenancy, there, turn, password).await;
    }
    let other = turn.other();
    let drains = subject.memory.phase() == Some(Phase::Draining);
    let unused = look.sessions.get(&other) == Some(&0);
    world.quiet_for = kind.quiet_for(&subject.identity.object, drains && unused);
    if let (Some(Phase::Proving), Some(password)) = (subject.memory.phase(), passwords.get(&other)) {
        *next = kind.proof(subject, tenancy, there, other, password).await;
    }
    Ok(world)
}

/// Of one whose applications log in as the user of the service itself: a login as that is all there is to be seen.
async fn own(
    kind: &Link,
    subject: &Subject<'_>,
    tenancy: &Arc<dyn Tenancy>,
    tenant: &Tenant,
    mut world: World,
) -> Result<World, ObserveError> {
    if let Some(refusal) = tenancy.refuses(tenant) {
        world.server = Server::Refused(refusal);
        return Ok(world);
    }
    let turn = Turn::default();
    world.username = tenancy.username(tenant, turn);
    variables(tenancy, subject, tenant, turn, &mut world);
    if !subject.service().is_some_and(|offer| offer.ready) {
        return Ok(world);
    }
    let proof = match kind.tools.password(&tenant.service)? {
        Some(password) => kind.proof(subject, tenancy, (tenant, None), turn, &password).await,
        None => Proof::NotTried,
    };
    let proof = match proof {
        // The server knows this one, and could say it.
        Proof::TurnedAway(why) => Proof::TurnedAway(kind.tools.masked(&tenant.service, why)),
        proof => proof,
    };
    world.server = Server::Seen { look: Look::default(), proof, next: Proof::NotTried };
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
