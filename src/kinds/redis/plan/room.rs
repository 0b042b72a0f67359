//! The memory of a server beside that of its container. A server that could hold more than its container has would be killed.

use super::Subject;
use crate::core::plan::Blocked;
use crate::core::quantity::Bytes;
use crate::core::resource::Caps;
use crate::kinds::redis::desired::maxmemory;
use crate::kinds::redis::spec::{EvictionPolicy, word};
use crate::kinds::redis::world::{Server, World};
use crate::workload::disk::roughly;

/// What the container and its server may use now, on the way to what is wanted.
pub struct Room {
    pub caps: Caps,
    pub maxmemory: u64,
    pub blocked: Option<Blocked>,
}

/// A server never may hold more than its container has: its own limit is raised after the cap, and lowered before it.
pub fn room(subject: &Subject<'_>, world: &World) -> Room {
    let wanted = subject.spec.work.caps;
    let seen = world.work.container.ours().filter(|_| !world.work.engine.lacks.memory_limit);
    let Some(c) = seen else {
        return Room { caps: wanted, maxmemory: maxmemory(wanted.memory), blocked: None };
    };
    let or_all = |cap: Option<Bytes>| cap.map_or(u64::MAX, |cap| cap.0);
    let (old, new) = (c.caps.memory, wanted.memory);
    if or_all(new) >= or_all(old) || !c.state.is_up() {
        let less = if or_all(new) < or_all(old) { new } else { old };
        return Room { caps: wanted, maxmemory: maxmemory(less), blocked: None };
    }
    let as_it_is = Caps { memory: old, swap: c.caps.swap, ..wanted };
    let Server::Up(facts) = &world.server else {
        return Room { caps: as_it_is, maxmemory: maxmemory(old), blocked: None };
    };
    let target = maxmemory(new);
    let limit = facts.told("maxmemory").parse().ok().filter(|limit: &u64| *limit > 0);
    if limit.is_some_and(|limit| limit <= target) {
        return Room { caps: wanted, maxmemory: target, blocked: None };
    }
    if facts.used.is_none_or(|used| used > target) && !subject.spec.work.force_caps {
        let cost = match subject.spec.eviction {
            EvictionPolicy::Noeviction => "writes would fail until keys are deleted".to_owned(),
            policy => format!("by evictionPolicy {} keys would be lost", word(policy)),
        };
        let blocked = Blocked {
            danger: false,
            reason: "LimitBelowUse",
            why: format!(
                "the data takes {}, and with a memory limit of {} maxmemory would be {}: {cost}",
                facts.used.map_or("an unknown amount".to_owned(), roughly),
                new.unwrap_or(Bytes(0)),
                roughly(target)
            ),
            unblock: "raise resources.memory, delete keys, or set resources.force: true".to_owned(),
        };
        return Room { caps: as_it_is, maxmemory: maxmemory(old), blocked: Some(blocked) };
    }
    Room { caps: as_it_is, maxmemory: target, blocked: None }
}
