//! What Redis has to say of itself beside what every container's conditions are made from. Pure, and honest: Ready is only
//! ever said of a login that worked.

use super::desired::DATA;
use super::plan::{Plan, Subject, pending, rotates};
use super::spec::{Persistence, word};
use super::world::{Server, ServerFacts, World};
use crate::core::condition::{ConditionType as C, Finding, Truth};
use crate::workload::disk::roughly;
use crate::workload::findings::Served;
use crate::workload::plan::is_others_too;
use crate::workload::world::Declared;

#[must_use]
pub fn served(subject: &Subject<'_>, world: &World, plan: &Plan) -> Served {
    let broken = plan.waiting.iter().find(|w| w.on == "PersistenceBroken").map(|w| (w.on, w.why.clone()));
    let rotates = rotates(subject, world);
    let mut served = Served { turned_away: broken.clone(), first: broken, rotates, ..Served::default() };
    let Server::Up(facts) = &world.server else { return served };
    served.answers = true;
    // Its writes are kept all the same; one that failed is told by PING.
    served.last = (facts.saves.aof && !facts.saves.aof_ok)
        .then(|| ("PersistenceBroken", "the append-only file could not be written anew".to_owned()));
    if facts.full {
        let limit = facts.told("maxmemory").parse().map_or_else(|_| "maxmemory".to_owned(), roughly);
        let words = format!(
            "the data takes {} of {limit}, and by evictionPolicy {} nothing is thrown out: writes fail with OOM. Delete keys, raise resources.memory, or set another evictionPolicy",
            facts.used.map_or("all".to_owned(), roughly),
            word(subject.spec.eviction)
        );
        served.last.get_or_insert(("MaxmemoryReached", words));
    }
    if let Declared::Unreadable(why) = &world.declared {
        let words = format!("spec.password: {why}; the password stays as it was");
        served.last.get_or_insert(("SecretUnreadable", words));
    }
    served.proven = proven(subject, world, plan, facts);
    served.more.push(pending_restart(subject, &pending(subject, world, facts)));
    served
}

fn pending_restart(subject: &Subject<'_>, names: &[String]) -> Finding {
    let says = |truth, reason, words: &str| Finding::new(C::PendingRestart, truth, reason, words);
    if names.is_empty() {
        return says(Truth::False, "NoneWaiting", "no parameter waits for a restart");
    }
    let how = if subject.spec.work.restart_automatically {
        "Seawall restarts the server".to_owned()
    } else {
        format!("restartPolicy is Manual: seawall restart {}", subject.identity.object)
    };
    says(Truth::True, "ParametersChanged", &format!("{} wait for a restart; {how}", names.join(", ")))
}

/// Ready, when logins proved it.
fn proven(subject: &Subject<'_>, world: &World, plan: &Plan, facts: &ServerFacts) -> Option<Finding> {
    let c = world.work.container.ours()?;
    let mode = subject.spec.persistence;
    let volume = subject.identity.volume();
    let good = facts.serves()
        && c.mounts.iter().any(|m| m.volume == volume && m.path == DATA)
        && subject.mode() == mode
        && facts.saves.aof == (mode == Persistence::Aof)
        && facts.broken(mode).is_none()
        && subject.memory.work.first_start.is_none()
        && !world.work.is_full()
        && !is_others_too(plan);
    let message = format!(
        "logged in as {} over the network to Redis {}; {DATA} lies in volume {volume}, persistence is {}",
        subject.spec.username,
        facts.version,
        word(mode)
    );
    good.then(|| Finding::new(C::Ready, Truth::True, "LoginSucceeded", message))
}
