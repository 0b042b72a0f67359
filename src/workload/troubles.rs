//! What killed a container, or processes in it, over many looks at it. Pure. Neither the engine's count of restarts nor its word for "out
//! of memory" is right alone (docker-facts §5, §7), so what its events say and what the kernel counts is taken with them.

use crate::core::quantity::Bytes;
use crate::core::resource::Caps;
use crate::core::seen::{ContainerState, SeenContainer};
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// Nothing came for so long: what was bad is over.
pub const QUIET: Duration = Duration::from_secs(600);
/// Deaths with less than [`QUIET`] between them that are a loop, also where each start of the server answered.
pub const LOOP: u64 = 3;
/// Between the kernel's kill and the end of the container, if that is what it ended by: an init waits for its children.
const SLOWEST: SignedDuration = SignedDuration::from_secs(5);
/// By how much one clock may be behind.
const SKEW: SignedDuration = SignedDuration::from_secs(1);

/// Something that happened again and again, with less than [`QUIET`] between.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Streak {
    pub count: u64,
    /// When it began, and when it was last.
    pub since: Timestamp,
    pub last: Timestamp,
    /// For how long there was nothing more.
    pub quiet: Duration,
}

impl Streak {
    /// `once, at T`, or `3 times between T and T`.
    #[must_use]
    pub fn in_words(&self) -> String {
        let time = |at: Timestamp| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        match self.count {
            1 => format!("once, at {}", time(self.last)),
            n => format!("{n} times between {} and {}", time(self.since), time(self.last)),
        }
    }
}

/// What is not over yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Troubles {
    /// Ends of the container that the engine started again.
    pub deaths: Option<Streak>,
    /// Those of them that the kernel brought about for want of memory.
    pub memory: Option<Streak>,
    /// Processes that it killed for that in a container that lived on.
    pub processes: Option<Streak>,
    /// What it counts of both since the container was started, where that can be seen.
    pub oom_kills: Option<u64>,
    /// Processes of the server that somebody stopped.
    pub stopped: Vec<String>,
}

impl Troubles {
    /// When there is less to say, should nothing come.
    #[must_use]
    pub fn over_in(&self) -> Option<Duration> {
        let all = [&self.deaths, &self.memory, &self.processes].into_iter().flatten();
        all.map(|streak| QUIET.saturating_sub(streak.quiet)).min()
    }

    /// The worst of it as reason and words.
    #[must_use]
    pub fn said(&self, caps: &Caps) -> Option<(&'static str, String)> {
        let limit = caps.memory.map_or_else(
            || "the memory of the host gave out: lower what runs on it, or set resources.memory".to_owned(),
            |limit| format!("the memory limit is {limit}: raise resources.memory, or let it use less"),
        );
        let until = "; this is said until 10 minutes have passed without another";
        let over = format!("{until}, or the limit is raised");
        if let Some(streak) = &self.memory {
            let times = streak.in_words();
            let words = format!("the kernel killed the server for want of memory {times}; {limit}{over}");
            return Some(("OutOfMemory", words));
        }
        if let Some(streak) = self.deaths.as_ref().filter(|streak| streak.count >= LOOP) {
            let times = streak.in_words();
            return Some((
                "CrashLoop",
                format!("the container died {times}, and was started again each time{until}"),
            ));
        }
        if !self.stopped.is_empty() {
            let words = format!(
                "{} of its processes stopped by a signal, and does nothing until it gets SIGCONT (kill -CONT) or the server is restarted: {}",
                self.stopped.len(),
                self.stopped.join(", ")
            );
            return Some(("ProcessStopped", words));
        }
        self.processes.as_ref().map(|streak| {
            let times = streak.in_words();
            let words = format!(
                "the kernel killed a process in the container for want of memory {times}; the container itself lives on; {limit}{over}"
            );
            ("ProcessOutOfMemory", words)
        })
    }
}

/// What a look at a container brings beside what the engine says of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Signs<'a> {
    /// When the engine told of a process that was killed for want of memory, nanoseconds since 1970, oldest first.
    pub told: &'a [i64],
    /// How many the kernel counts since the start.
    pub oom_kills: Option<u64>,
    /// Processes of the server that are stopped.
    pub stopped: &'a [String],
    /// The clock, and one that only goes on.
    pub now: Timestamp,
    pub since_began: Duration,
}

/// What is kept of one container between looks.
#[derive(Clone, Debug, Default)]
pub struct Trail {
    container: String,
    start: String,
    restarts: u64,
    oom_kills: u64,
    oom_killed: bool,
    limit: Option<Bytes>,
    /// Up to which time events are in.
    heard: i64,
    deaths: Kept,
    memory: Kept,
    processes: Kept,
    /// As the last look saw them.
    pub stopped: Vec<String>,
}

/// A streak by the clock that only goes on.
#[derive(Clone, Debug, Default)]
struct Kept {
    count: u64,
    since: Timestamp,
    last: Timestamp,
    at: Duration,
    /// How many came with the last look that brought any.
    added: u64,
}

impl Kept {
    fn add(&mut self, count: u64, when: Timestamp, at: Duration) {
        if count == 0 {
            return;
        }
        if self.count == 0 || at.saturating_sub(self.at) >= QUIET {
            (self.count, self.since) = (0, when);
        }
        self.count = self.count.saturating_add(count);
        (self.last, self.at, self.added) = (when, at, count);
    }

    /// They were something else.
    fn undo(&mut self) {
        self.count = self.count.saturating_sub(std::mem::take(&mut self.added));
    }

    fn streak(&self, now: Duration) -> Option<Streak> {
        let quiet = now.saturating_sub(self.at);
        (self.count > 0 && quiet < QUIET).then_some(Streak {
            count: self.count,
            since: self.since,
            last: self.last,
            quiet,
        })
    }
}

impl Trail {
    /// Takes in what one look saw. Of a container that it sees the first time, what is known to be recent counts, and nothing else: of
    /// older kills nobody knows when they were.
    pub fn look(&mut self, c: &SeenContainer, signs: &Signs<'_>) -> Troubles {
        let (now, at) = (signs.now, signs.since_began);
        let time = |text: &str| text.parse::<Timestamp>().ok();
        let ended = time(&c.finished_at);
        let recent = |time: Option<Timestamp>| {
            let age = Duration::try_from(now.duration_since(time?)).ok()?;
            (age < QUIET).then_some(age)
        };
        let first = self.container != c.id;
        let start = format!("{} {}", c.id, c.started_at);
        let restarted = self.start != start;
        if first {
            let seen = (c.restart_count > 0).then(|| recent(ended)).flatten();
            *self = Self { container: c.id.clone(), restarts: c.restart_count, ..Self::default() };
            if let (Some(age), Some(ended)) = (seen, ended) {
                self.deaths.add(1, ended, at.saturating_sub(age));
                if c.oom_killed && signs.oom_kills.is_none_or(|kills| kills == 0) {
                    self.memory.add(1, ended, at.saturating_sub(age));
                }
            }
            let by_then = signs.oom_kills.unwrap_or_default();
            let known = recent(time(&c.started_at)).is_some() && c.state.is_up();
            self.oom_kills = if known { 0 } else { by_then };
        } else {
            if restarted {
                self.oom_kills = 0;
            }
            let raised = self.limit.is_some_and(|old| c.caps.memory.is_none_or(|new| new > old));
            if raised {
                (self.memory, self.processes) = Default::default();
            }
        }
        self.stopped = signs.stopped.to_vec();
        let (heard, restarts) = (self.heard, self.restarts);
        // The engine counts anew from a start on that was not its own: whoever started it may have mended it.
        let died = match c.restart_count.checked_sub(restarts) {
            Some(died) => died,
            None => {
                self.deaths = Kept::default();
                c.restart_count
            }
        };
        let flagged = c.oom_killed && (first || !self.oom_killed);
        (self.oom_killed, self.limit) = (c.oom_killed, c.caps.memory);
        (self.start, self.restarts) = (start, c.restart_count);
        self.heard = signs.told.iter().copied().max().unwrap_or(heard).max(heard);

        let fresh = signs.told.iter().filter(|told| **told > heard);
        let fresh: Vec<Timestamp> =
            fresh.filter_map(|told| Timestamp::from_nanosecond((*told).into()).ok()).collect();
        // Of several ends between two looks only the last one's time is known.
        let started =
            time(&c.started_at).filter(|_| c.state.is_up() && c.state != ContainerState::Restarting);
        let fatal = |told: &Timestamp| {
            let last = ended.is_some_and(|ended| {
                let after = ended.duration_since(*told);
                after >= -SKEW && after <= SLOWEST
            });
            let before = started.is_none_or(|started| *told < started);
            before && (last || died > 1)
        };
        // What was taken for a process a moment ago, when the container had not ended yet, may have been its end.
        let late = restarted || !c.state.is_up();
        let mistaken = !first && late && self.processes.added > 0 && fatal(&self.processes.last);
        if mistaken {
            self.processes.undo();
        }
        let told = u64::try_from(fresh.iter().filter(|told| fatal(told)).count()).unwrap_or(u64::MAX);
        // Of the end before this start, and not of a process of this start.
        let flagged = !first && died > 0 && flagged && signs.oom_kills.is_none_or(|kills| kills == 0);
        let known = self.memory.count > 0 && ended == Some(self.memory.last);
        if !known && (told > 0 || mistaken || flagged) {
            self.memory.add(told.clamp(1, died.max(1)), ended.unwrap_or(now), at);
        }
        if !first {
            self.deaths.add(died, ended.unwrap_or(now), at);
        }
        let survived: Vec<&Timestamp> = fresh.iter().filter(|told| !fatal(told)).collect();
        match signs.oom_kills {
            Some(kills) => {
                let when = survived.last().map_or(now, |told| **told);
                self.processes.add(kills.saturating_sub(self.oom_kills), when, at);
                self.oom_kills = kills;
            }
            None => survived.into_iter().for_each(|told| self.processes.add(1, *told, at)),
        }
        Troubles {
            deaths: self.deaths.streak(at),
            memory: self.memory.streak(at),
            processes: self.processes.streak(at),
            oom_kills: signs.oom_kills,
            stopped: self.stopped.clone(),
        }
    }
}

#[cfg(test)]
#[path = "troubles_tests.rs"]
mod tests;
