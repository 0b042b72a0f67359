//! What one pass saw of one Redis: the values that `plan` and `conditions` decide on. What a server tells about itself is
//! read here; a figure that was not told is `None`, never zero.

use super::client::{RedisError, Reply};
use super::desired::DATA;
use super::facts::RedisImage;
use super::spec::Persistence;
use crate::core::text::shown;
use crate::workload;
use crate::workload::schedule::Due;
use crate::workload::world::Declared;
use std::collections::BTreeMap;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct World {
    /// Its container, with all that belongs to it.
    pub work: workload::World<RedisImage>,
    pub server: Server,
    /// What of the data lies on the volume; `None`: there was no need to look.
    pub data: Option<Data>,
    /// Another password takes the place of the owner's; the users' file has it already.
    pub pending: bool,
    /// The next rotation by the schedule.
    pub due: Due,
    pub declared: Declared,
}

/// The files of the data that are there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Data {
    pub aof: bool,
    pub rdb: bool,
}

/// The server, seen by logins over the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Server {
    NotRunning,
    /// It answers on the network and not at its published port, in words.
    PortSilent(String),
    Down(RedisError),
    Up(Box<ServerFacts>),
}

/// What a logged-in session told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerFacts {
    pub version: String,
    /// What an application gets, logged in as the owner.
    pub ping: Result<(), RedisError>,
    /// How far it is, while it reads its data at the start.
    pub loading: Option<String>,
    pub saves: Saves,
    /// What a start would read the data from is no longer on the volume.
    pub lost: bool,
    /// Bytes that count against maxmemory.
    pub used: Option<u64>,
    /// Of that no more is let in, and nothing may be thrown out for it: each write fails.
    pub full: bool,
    /// `dir`, and of the parameters asked for those that it knows.
    pub config: BTreeMap<String, String>,
    /// The users are those that it should have, with their passwords and rules.
    pub users_fit: bool,
    /// User → rules of all others, which are its links'.
    pub tenants: BTreeMap<String, String>,
}

/// How saving goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Saves {
    pub rdb_running: bool,
    pub rdb_ok: bool,
    /// Snapshots since the start.
    pub rdb_count: u64,
    pub aof: bool,
    pub aof_rewriting: bool,
    pub aof_ok: bool,
}

impl ServerFacts {
    /// From the answers to INFO and CONFIG GET; `None`: they are none.
    #[must_use]
    pub fn read(info: Reply, config: Reply) -> Option<Self> {
        let info = info.words().concat();
        let fields: BTreeMap<&str, &str> =
            info.lines().filter_map(|line| line.trim_end().split_once(':')).collect();
        let number = |name: &str| fields.get(name)?.split('.').next()?.parse::<u64>().ok();
        let is = |name: &str, word: &str| fields.get(name) == Some(&word);
        let loading = || {
            let so_far = number("loading_loaded_perc").map_or(String::new(), |n| format!(": {n} % so far"));
            let eta = number("loading_eta_seconds").map_or(String::new(), |n| format!(", about {n} s to go"));
            format!("the server reads its data{so_far}{eta}")
        };
        fields.get("loading")?;
        let config = config.words();
        let used = number("used_memory")
            .map(|used| used.saturating_sub(number("mem_not_counted_for_evict").unwrap_or(0)));
        // `db0:keys=1,expires=0,…`: without any, the volatile policies throw nothing out.
        let expiring = fields.values().any(|of| {
            let expires = of.split(',').find_map(|part| part.strip_prefix("expires="));
            expires.is_some_and(|expires| expires != "0")
        });
        let keeps = is("maxmemory_policy", "noeviction")
            || fields.get("maxmemory_policy").is_some_and(|policy| policy.starts_with("volatile-"))
                && !expiring;
        // A little before the limit any write of use is too big.
        let limit = number("maxmemory").filter(|limit| *limit > 0);
        let full = keeps && limit.zip(used).is_some_and(|(limit, used)| used >= limit - limit / 100);
        Some(Self {
            version: fields.get("redis_version").map(|version| shown(version, 60))?,
            ping: Ok(()),
            loading: is("loading", "1").then(loading),
            saves: Saves {
                rdb_running: is("rdb_bgsave_in_progress", "1"),
                rdb_ok: is("rdb_last_bgsave_status", "ok"),
                rdb_count: number("rdb_saves").unwrap_or(0),
                aof: is("aof_enabled", "1"),
                aof_rewriting: is("aof_rewrite_in_progress", "1") || is("aof_rewrite_scheduled", "1"),
                aof_ok: is("aof_last_bgrewrite_status", "ok") && is("aof_last_write_status", "ok"),
            },
            lost: false,
            used,
            full,
            config: config.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect(),
            users_fit: true,
            tenants: BTreeMap::new(),
        })
    }

    #[must_use]
    pub fn major(&self) -> Option<u32> {
        self.version.split('.').next()?.parse().ok()
    }

    #[must_use]
    pub fn told(&self, name: &str) -> &str {
        self.config.get(name).map_or("", String::as_str)
    }

    /// Whether what makes it keep its data by this was begun.
    #[must_use]
    pub fn begun(&self, mode: Persistence) -> bool {
        match mode {
            Persistence::Aof => self.saves.aof,
            Persistence::Rdb => !self.told("save").is_empty(),
            Persistence::None => true,
        }
    }

    /// Whether all that is in memory comes back at a start with this mode of persistence: before it does, no file with
    /// that mode may be there for a start to read.
    #[must_use]
    pub fn carries(&self, mode: Persistence) -> bool {
        let saves = &self.saves;
        self.begun(mode)
            && match mode {
                Persistence::Aof => !saves.aof_rewriting && saves.aof_ok,
                Persistence::Rdb => !saves.rdb_running && saves.rdb_ok && saves.rdb_count > 0,
                Persistence::None => true,
            }
    }

    /// Why its data is not kept as it should be.
    #[must_use]
    pub fn broken(&self, mode: Persistence) -> Option<String> {
        match (&self.ping, mode) {
            (Err(RedisError::PersistenceBroken(words)), _) => Some(words.clone()),
            (_, Persistence::Rdb) if !self.saves.rdb_ok => Some("the last snapshot failed".to_owned()),
            _ if self.lost => Some(format!(
                "the file that its data is kept in ({}) is gone from the volume: a start would find nothing",
                file(mode).unwrap_or_default()
            )),
            _ => None,
        }
    }

    /// Whether applications get what they should, saving aside.
    #[must_use]
    pub fn serves(&self) -> bool {
        self.ping.is_ok() && self.users_fit && self.loading.is_none() && self.told("dir") == DATA
    }
}

/// Below `dir`, what a start reads the data from, or the list of what it reads.
#[must_use]
pub fn file(mode: Persistence) -> Option<&'static str> {
    match mode {
        Persistence::Aof => Some("appendonlydir/appendonly.aof.manifest"),
        Persistence::Rdb => Some("dump.rdb"),
        Persistence::None => None,
    }
}

impl Server {
    /// Without what is another one at each look.
    #[must_use]
    pub fn steady(&self) -> Self {
        let Server::Up(facts) = self else { return self.clone() };
        let mut facts = facts.clone();
        (facts.used, facts.loading) = (None, None);
        (facts.saves.rdb_running, facts.saves.rdb_count, facts.saves.aof_rewriting) = (false, 0, false);
        Server::Up(facts)
    }
}
