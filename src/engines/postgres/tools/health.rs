//! What is known of servers between two looks: how often they died, who got in, how much room there is. All of it can be
//! lost; must never outlive the start of the container that it tells of.

use super::{Tools, lock};
use crate::core::names::ObjectRef;
use crate::core::seen::{ContainerState, SeenContainer, Space};
use crate::docker::ExecRequest;
use crate::engines::postgres::client::TIMEOUT;
use crate::engines::postgres::disk::{Room, told};
use crate::engines::postgres::world::{Deaths, Placement};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;
use tokio::time::Instant;

/// How long a login proves that there can be others.
const PROOF: Duration = Duration::from_secs(45);
/// A process in a container is dear: the room on a disk that only it can see is asked so often at most.
const SPACE: Duration = Duration::from_secs(60);

#[derive(Default)]
pub(super) struct Health {
    /// Where data lay when it was last looked at, and at which start of which container.
    placements: Mutex<BTreeMap<ObjectRef, (String, Placement)>>,
    /// Container, its restart count when a server last answered in it, and since when it dies.
    deaths: Mutex<BTreeMap<ObjectRef, (String, u64, String)>>,
    /// The start of a container in which nobody listens, and since when.
    silent: Mutex<BTreeMap<ObjectRef, (String, Instant)>>,
    /// How applications last got in.
    proofs: Mutex<BTreeMap<ObjectRef, Proof>>,
    /// Where the volume lies, and how much room there was, so that a figure on the edge says one thing.
    rooms: Mutex<BTreeMap<ObjectRef, (String, Room)>>,
    /// What was told from inside containers, and when, where the directory itself cannot be seen.
    spaces: Mutex<BTreeMap<ObjectRef, (Option<Space>, Instant)>>,
}

/// A new login that worked.
struct Proof {
    /// Of which start of which container.
    epoch: String,
    at: Instant,
    /// What of the manifest the managed user has otherwise.
    overridden: Vec<String>,
}

impl Health {
    pub fn forget(&self, object: &ObjectRef) {
        lock(&self.placements).remove(object);
        lock(&self.deaths).remove(object);
        lock(&self.silent).remove(object);
        lock(&self.proofs).remove(object);
        lock(&self.rooms).remove(object);
        lock(&self.spaces).remove(object);
    }
}

impl Tools {
    pub(in crate::engines::postgres) fn known_placement(
        &self,
        object: &ObjectRef,
        epoch: &str,
    ) -> Option<Placement> {
        lock(&self.health.placements).get(object).filter(|(at, _)| at == epoch).map(|(_, seen)| seen.clone())
    }

    pub(in crate::engines::postgres) fn remember_placement(
        &self,
        object: &ObjectRef,
        epoch: String,
        seen: Placement,
    ) {
        lock(&self.health.placements).insert(object.clone(), (epoch, seen));
    }

    /// How often the engine restarted this container since a server answered in it, as far as this process saw.
    pub(in crate::engines::postgres) fn count_deaths(
        &self,
        object: &ObjectRef,
        c: &SeenContainer,
        answers: bool,
    ) -> Deaths {
        let mut deaths = lock(&self.health.deaths);
        let base = u64::from(c.state == ContainerState::Restarting).min(c.restart_count);
        let seen = || (c.id.clone(), c.restart_count - base, String::new());
        let (id, base, since) = deaths.entry(object.clone()).or_insert_with(seen);
        if answers || *id != c.id || c.restart_count < *base {
            c.id.clone_into(id);
            *base = if answers { c.restart_count } else { 0 };
            since.clear();
        }
        let count = c.restart_count - *base;
        if count > 0 && since.is_empty() {
            *since = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        }
        Deaths { count, since: since.clone() }
    }

    /// How long nobody has listened in this start of a container, as far as this process saw.
    pub(in crate::engines::postgres) fn silent_for(
        &self,
        object: &ObjectRef,
        epoch: String,
        silent: bool,
    ) -> Duration {
        let mut all = lock(&self.health.silent);
        if !silent {
            all.remove(object);
            return Duration::ZERO;
        }
        let now = Instant::now();
        let (of, since) = all.entry(object.clone()).or_insert_with(|| (epoch.clone(), now));
        if *of != epoch {
            (*of, *since) = (epoch, now);
        }
        since.elapsed()
    }

    /// What a new login that worked a moment ago told. With a probe every 15 s none is older than a minute.
    pub(in crate::engines::postgres) fn proof(&self, object: &ObjectRef, epoch: &str) -> Option<Vec<String>> {
        let proofs = lock(&self.health.proofs);
        let proof = proofs.get(object).filter(|p| p.epoch == epoch && p.at.elapsed() < PROOF)?;
        Some(proof.overridden.clone())
    }

    pub(in crate::engines::postgres) fn remember_proof(
        &self,
        object: &ObjectRef,
        epoch: String,
        overridden: Vec<String>,
    ) {
        lock(&self.health.proofs).insert(object.clone(), Proof { epoch, at: Instant::now(), overridden });
    }

    /// Something changed: who got in before says nothing about who gets in now.
    pub(in crate::engines::postgres) fn forget_proof(&self, object: &ObjectRef) {
        lock(&self.health.proofs).remove(object);
    }

    /// Room on the disk under a volume, and whether that is another word than last time. `inside`: a container that
    /// runs, and where it has the volume: asked where the directory cannot be seen from here, and not often.
    pub(in crate::engines::postgres) async fn room(
        &self,
        object: &ObjectRef,
        volume: &str,
        inside: Option<(&str, &str)>,
    ) -> Option<(Space, Room, bool)> {
        let known = lock(&self.health.rooms).get(object).cloned();
        let last = known.as_ref().map(|(_, room)| *room);
        let looked = self.census().and_then(|census| census.directory(volume));
        let directory = looked.or(known.map(|(directory, _)| directory))?;
        let space = match self.docker.space(&directory).await.ok().flatten() {
            Some(space) => space,
            None => self.space_inside(object, inside).await?,
        };
        let room = last.unwrap_or_default().next(space);
        lock(&self.health.rooms).insert(object.clone(), (directory, room));
        Some((space, room, last.is_some_and(|last| last != room)))
    }

    async fn space_inside(&self, object: &ObjectRef, inside: Option<(&str, &str)>) -> Option<Space> {
        let known = lock(&self.health.spaces).get(object).copied();
        let fresh = known.filter(|(_, at)| at.elapsed() < SPACE);
        let (container, path) = match (fresh, inside) {
            (Some((space, _)), _) => return space,
            (None, None) => return known.and_then(|(space, _)| space),
            (None, Some(inside)) => inside,
        };
        let argv = ["df", "-kP", path].map(str::to_owned).to_vec();
        let request = ExecRequest { argv, ..ExecRequest::default() };
        let answer = self.docker.exec(container, &request, TIMEOUT).await.ok();
        let space = answer.and_then(|answer| told(&answer.stdout));
        lock(&self.health.spaces).insert(object.clone(), (space, Instant::now()));
        space
    }
}
