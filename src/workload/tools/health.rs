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

/// For so long nobody looks from outside again. Probes come every 15 s: with a little less than two of them it is every second one.
const LOOK: Duration = Duration::from_secs(22);
/// For so long what was seen then is good for figures: until the next look.
const LATELY: Duration = Duration::from_secs(32);

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
    /// What was seen last, and when.
    space: Space,
    at: Instant,
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

/// At most so many: they are for a person to read.
fn named(stopped: Option<Vec<String>>) -> Vec<String> {
    let mut stopped = stopped.unwrap_or_default();
    stopped.truncate(STOPPED);
    stopped
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
        let stopped = named(self.docker.stopped(&c.id).await);
        let signs = Signs { told: &told, oom_kills, stopped: &stopped, now: Timestamp::now(), since_began };
        lock(&self.health.trails).entry(id.member_ref()).or_default().look(c, &signs)
    }

    /// Whether what can be seen from outside is another than the last pass saw: the disk under the volume, or processes that were
    /// stopped.
    pub async fn looks_otherwise(&self, id: &Identity, container: &str) -> bool {
        let member = id.member_ref();
        let known = lock(&self.health.rooms).get(&member).cloned();
        if known.as_ref().is_some_and(|known| known.at.elapsed() < LOOK) {
            return false;
        }
        let (known, inside) = known.map_or((None, None), |known| (Some(known.directory), known.inside));
        let directory = self.directory(id).or(known);
        let path = inside.as_ref().filter(|(of, _)| of == container).map(|(_, path)| path.as_str());
        let seen = self.docker.outside(container, directory.as_deref(), path).await;
        let space = match (&directory, seen.space) {
            (Some(_), None) => self.space_inside(&member, None).await,
            (_, space) => space,
        };
        if let (Some(directory), Some(mut space)) = (directory, space) {
            space.read_only |= seen.read_only == Some(true);
            if self.judged(member.clone(), directory, inside, space).1 {
                return true;
            }
        }
        let stopped = named(seen.stopped);
        lock(&self.health.trails).get(&member).is_some_and(|trail| trail.stopped != stopped)
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

    /// Room on the disk under its volume. `inside`: a container that runs, and where it has the volume: asked where the directory
    /// cannot be seen from here, and not often.
    pub async fn room(&self, id: &Identity, inside: Option<(&str, &str)>) -> Option<(Space, Room)> {
        let member = id.member_ref();
        let known = lock(&self.health.rooms).get(&member).cloned();
        let (known, before) = known.map_or((None, None), |known| (Some(known.directory), known.inside));
        let directory = self.directory(id).or(known)?;
        let mut space = match self.docker.space(&directory).await.ok().flatten() {
            Some(space) => space,
            None => self.space_inside(&member, inside).await?,
        };
        let inside = inside.map(|(container, path)| (container.to_owned(), path.to_owned())).or(before);
        // It is what the server can do that counts.
        if let Some((container, path)) = inside.as_ref().filter(|_| !space.read_only) {
            space.read_only = self.docker.read_only(container, path).await == Some(true);
        }
        Some((space, self.judged(member, directory, inside, space).0))
    }

    /// What was seen of it a moment ago, if somebody looked.
    #[must_use]
    pub fn space_lately(&self, member: &Member) -> Option<Space> {
        let known = lock(&self.health.rooms).get(member).map(|known| (known.space, known.at));
        known.filter(|(_, at)| at.elapsed() < LATELY).map(|(space, _)| space)
    }

    /// The same; looks where nobody did.
    pub async fn space(&self, id: &Identity) -> Option<Space> {
        match self.space_lately(&id.member_ref()) {
            Some(space) => Some(space),
            None => self.room(id, None).await.map(|(space, _)| space),
        }
    }

    /// Where its volume lies.
    fn directory(&self, id: &Identity) -> Option<String> {
        self.census().and_then(|census| census.directory(&id.volume()))
    }

    /// How much room that is, and whether it is another word than last time.
    fn judged(
        &self,
        member: Member,
        directory: String,
        inside: Option<(String, String)>,
        space: Space,
    ) -> (Room, bool) {
        let mut rooms = lock(&self.health.rooms);
        let last = rooms.get(&member).map(|known| known.room);
        let room = last.unwrap_or_default().next(space);
        rooms.insert(member, Place { directory, inside, room, space, at: Instant::now() });
        (room, last.is_some_and(|last| last != room))
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
