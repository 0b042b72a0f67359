//! What is known of servers between two looks: how often they died, who got in, how much room there is. All of it can be
//! lost; must never outlive the start of the container that it tells of.

use super::{Tools, lock};
use crate::core::identity::Identity;
use crate::core::member::{Member, take_all};
use crate::core::names::ObjectRef;
use crate::core::seen::{ContainerState, SeenContainer, Space};
use crate::docker::ExecRequest;
use crate::workload::disk::{Room, told};
use crate::workload::troubles::{Signs, Trail, Troubles};
use crate::workload::world::Deaths;
use jiff::Timestamp;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;
use std::time::Duration;
use tokio::time::Instant;

/// For a command inside a container.
const TIMEOUT: Duration = Duration::from_secs(5);
/// A process in a container is dear: the room on a disk that only it can see is asked so often at most.
const SPACE: Duration = Duration::from_secs(60);

/// Stopped processes that are named.
const STOPPED: usize = 5;
/// Kills that are remembered until the next look at their container.
const MOST_OOMS: usize = 256;

pub struct Health {
    began: Instant,
    /// Container, its restart count when a server last answered in it, and since when it dies.
    deaths: Mutex<BTreeMap<Member, (String, u64, String)>>,
    /// The start of a container in which nobody listens, and since when.
    silent: Mutex<BTreeMap<Member, (String, Instant)>>,
    /// What killed it, or processes in it.
    trails: Mutex<BTreeMap<Member, Trail>>,
    /// Containers in which the engine told that the kernel killed a process for want of memory, and when (nanoseconds since
    /// 1970, its clock); the last ones.
    ooms: Mutex<VecDeque<(String, i64)>>,
    /// How much room there was, so that a figure on the edge says one thing.
    rooms: Mutex<BTreeMap<Member, Place>>,
    /// What was told from inside containers, and when, where the directory itself cannot be seen.
    spaces: Mutex<BTreeMap<Member, (Option<Space>, Instant)>>,
}

/// Where a volume lies.
#[derive(Clone)]
struct Place {
    directory: String,
    /// The container that last ran with it, and where it has it.
    inside: Option<(String, String)>,
    room: Room,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            deaths: Mutex::default(),
            silent: Mutex::default(),
            trails: Mutex::default(),
            ooms: Mutex::default(),
            rooms: Mutex::default(),
            spaces: Mutex::default(),
        }
    }
}

impl Health {
    pub fn forget(&self, object: &ObjectRef) {
        take_all(&mut lock(&self.deaths), object);
        take_all(&mut lock(&self.silent), object);
        take_all(&mut lock(&self.trails), object);
        take_all(&mut lock(&self.rooms), object);
        take_all(&mut lock(&self.spaces), object);
    }
}

impl Tools {
    /// How often the engine restarted this container since a server answered in it, as far as this process saw.
    pub fn count_deaths(&self, id: &Identity, c: &SeenContainer, answers: bool) -> Deaths {
        let mut deaths = lock(&self.health.deaths);
        let base = u64::from(c.state == ContainerState::Restarting).min(c.restart_count);
        let seen = || (c.id.clone(), c.restart_count - base, String::new());
        let (id, base, since) = deaths.entry(id.member_ref()).or_insert_with(seen);
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

    /// The engine told that the kernel killed a process in this container for want of memory.
    pub fn remember_oom(&self, container: &str, time_nano: i64) {
        let mut ooms = lock(&self.health.ooms);
        if ooms.len() == MOST_OOMS {
            ooms.pop_front();
        }
        ooms.push_back((container.to_owned(), time_nano));
    }

    /// What killed this container, or processes in it, as far as this process saw.
    pub async fn troubles(&self, id: &Identity, c: &SeenContainer) -> Troubles {
        let oom_kills = self.docker.cgroup(&c.id).await.and_then(|seen| seen.oom_kills);
        let told: Vec<i64> =
            lock(&self.health.ooms).iter().filter(|(of, _)| *of == c.id).map(|(_, at)| *at).collect();
        let since_began = self.health.began.elapsed();
        let stopped = self.stopped(&c.id).await;
        let signs = Signs { told: &told, oom_kills, stopped: &stopped, now: Timestamp::now(), since_began };
        lock(&self.health.trails).entry(id.member_ref()).or_default().look(c, &signs)
    }

    /// At most so many names: they are for a person to read.
    async fn stopped(&self, container: &str) -> Vec<String> {
        let mut stopped = self.docker.stopped(container).await.unwrap_or_default();
        stopped.truncate(STOPPED);
        stopped
    }

    /// Whether what can be seen from outside is another than the last pass saw: the disk under the volume, or processes that were
    /// stopped.
    pub async fn looks_otherwise(&self, id: &Identity, container: &str) -> bool {
        if self.room(id, None).await.is_some_and(|(_, _, new)| new) {
            return true;
        }
        let stopped = self.stopped(container).await;
        lock(&self.health.trails).get(&id.member_ref()).is_some_and(|trail| trail.stopped != stopped)
    }

    /// How long nobody has listened in this start of a container, as far as this process saw.
    pub fn silent_for(&self, id: &Identity, epoch: String, silent: bool) -> Duration {
        let mut all = lock(&self.health.silent);
        if !silent {
            all.remove(&id.member_ref());
            return Duration::ZERO;
        }
        let now = Instant::now();
        let (of, since) = all.entry(id.member_ref()).or_insert_with(|| (epoch.clone(), now));
        if *of != epoch {
            (*of, *since) = (epoch, now);
        }
        since.elapsed()
    }

    /// Room on the disk under its volume, and whether that is another word than last time. `inside`: a container that
    /// runs, and where it has the volume: asked where the directory cannot be seen from here, and not often.
    pub async fn room(&self, id: &Identity, inside: Option<(&str, &str)>) -> Option<(Space, Room, bool)> {
        let member = id.member_ref();
        let known = lock(&self.health.rooms).get(&member).cloned();
        let last = known.as_ref().map(|known| known.room);
        let looked = self.census().and_then(|census| census.directory(&id.volume()));
        let (directory, before) = known.map_or((None, None), |known| (Some(known.directory), known.inside));
        let directory = looked.or(directory)?;
        let mut space = match self.docker.space(&directory).await.ok().flatten() {
            Some(space) => space,
            None => self.space_inside(&member, inside).await?,
        };
        let inside = inside.map(|(container, path)| (container.to_owned(), path.to_owned())).or(before);
        // It is what the server can do that counts.
        if let Some((container, path)) = inside.as_ref().filter(|_| !space.read_only) {
            space.read_only = self.docker.read_only(container, path).await == Some(true);
        }
        let room = last.unwrap_or_default().next(space);
        lock(&self.health.rooms).insert(member, Place { directory, inside, room });
        Some((space, room, last.is_some_and(|last| last != room)))
    }

    async fn space_inside(&self, member: &Member, inside: Option<(&str, &str)>) -> Option<Space> {
        let known = lock(&self.health.spaces).get(member).copied();
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
        lock(&self.health.spaces).insert(member.clone(), (space, Instant::now()));
        space
    }
}
