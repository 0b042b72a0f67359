//! What a server tells about itself, read. Pure. A figure that was not told is `None`, never zero; nothing here decides
//! whether it is good.

use super::client::RedisError;
use super::config::Persistence;
use crate::core::text::shown;
use std::collections::BTreeMap;

/// One answer to a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerFacts {
    pub version: String,
    /// Another one after each start.
    pub run_id: String,
    /// What an application gets: `Loading` and `PersistenceBroken` come with all other facts.
    pub ping: Result<(), RedisError>,
    /// While it reads its data at the start.
    pub loading: Option<Loading>,
    pub saves: Saves,
    /// Bytes that count against maxmemory.
    pub used: Option<u64>,
    pub clients: Option<u64>,
    /// Since the start of the server.
    pub evicted_keys: Option<u64>,
    /// The lowest `databases` that its data fits into.
    pub databases: u32,
    /// `dir`, and of the parameters asked for those that it knows.
    pub config: BTreeMap<String, String>,
    /// Of the users asked for, those that there are.
    pub users: BTreeMap<String, User>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loading {
    /// Whole percent, rounded down.
    pub percent: Option<u64>,
    pub eta_seconds: Option<u64>,
}

/// How saving goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Saves {
    pub rdb_running: bool,
    pub rdb_ok: bool,
    /// Tries since the start.
    pub rdb_count: Option<u64>,
    /// Unix seconds; the start of the server when it never saved.
    pub rdb_last: Option<u64>,
    pub unsaved_changes: Option<u64>,
    pub aof: bool,
    pub aof_rewriting: bool,
    pub aof_rewrite_ok: bool,
    pub aof_write_ok: bool,
}

impl Saves {
    /// Whether all that is in memory comes back at a start with this mode of persistence: before it does, no file with that
    /// mode may be there for a start to read.
    #[must_use]
    pub fn carries(&self, persistence: Persistence) -> bool {
        match persistence {
            Persistence::Aof => self.aof && !self.aof_rewriting && self.aof_rewrite_ok && self.aof_write_ok,
            // A clean stop saves what is not yet; a server with an append-only file needs a first snapshot.
            Persistence::Rdb => !self.rdb_running && self.rdb_ok && (!self.aof || self.rdb_count > Some(0)),
            Persistence::None => true,
        }
    }
}

/// A user as the server has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct User {
    pub on: bool,
    /// Nobody is asked for a password.
    pub no_password: bool,
    /// SHA-256, hex, sorted.
    pub hashes: Vec<String>,
    /// Commands, keys and channels, in the server's own words.
    pub rules: String,
}

impl ServerFacts {
    /// `None`: it is no answer to INFO.
    #[must_use]
    pub fn read(info: &str, ping: Result<(), RedisError>) -> Option<Self> {
        let fields: BTreeMap<&str, &str> =
            info.lines().filter_map(|line| line.trim_end().split_once(':')).collect();
        let word = |name: &str| fields.get(name).map(|value| shown(value, 60));
        let number = |name: &str| fields.get(name)?.split('.').next()?.parse::<u64>().ok();
        let yes = |name: &str| fields.get(name) == Some(&"1");
        let ok = |name: &str| fields.get(name) == Some(&"ok");
        let databases = fields.keys().filter_map(|key| key.strip_prefix("db")?.parse::<u32>().ok()).max();
        fields.get("loading")?;
        Some(Self {
            version: word("redis_version")?,
            run_id: word("run_id")?,
            ping,
            loading: yes("loading").then(|| Loading {
                percent: number("loading_loaded_perc"),
                eta_seconds: number("loading_eta_seconds"),
            }),
            saves: Saves {
                rdb_running: yes("rdb_bgsave_in_progress"),
                rdb_ok: ok("rdb_last_bgsave_status"),
                rdb_count: number("rdb_saves"),
                rdb_last: number("rdb_last_save_time"),
                unsaved_changes: number("rdb_changes_since_last_save"),
                aof: yes("aof_enabled"),
                aof_rewriting: yes("aof_rewrite_in_progress") || yes("aof_rewrite_scheduled"),
                aof_rewrite_ok: ok("aof_last_bgrewrite_status"),
                aof_write_ok: ok("aof_last_write_status"),
            },
            used: number("used_memory")
                .map(|used| used.saturating_sub(number("mem_not_counted_for_evict").unwrap_or(0))),
            clients: number("connected_clients"),
            evicted_keys: number("evicted_keys"),
            databases: databases.map_or(1, |highest| highest.saturating_add(1)),
            config: BTreeMap::new(),
            users: BTreeMap::new(),
        })
    }

    /// What ACL GETUSER says: name, words, name, words, …
    pub fn tell_user(&mut self, name: &str, told: impl Iterator<Item = (String, Vec<String>)>) {
        let mut user = User::default();
        for (what, mut words) in told {
            match what.as_str() {
                "flags" => {
                    user.on = words.iter().any(|flag| flag == "on");
                    user.no_password = words.iter().any(|flag| flag == "nopass");
                }
                "passwords" => {
                    words.sort();
                    user.hashes = words;
                }
                "commands" | "keys" | "channels" if words.iter().any(|word| !word.is_empty()) => {
                    user.rules.push_str(if user.rules.is_empty() { "" } else { " " });
                    user.rules.push_str(&words.join(" "));
                }
                _ => {}
            }
        }
        self.users.insert(name.to_owned(), user);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a server of 8.0.6 says it while it loads, cut to what is read.
    const LOADING: &str = "# Server\r\nredis_version:8.0.6\r\nrun_id:c4fb\r\n# Clients\r\nconnected_clients:1\r\n# Memory\r\nused_memory:1048576\r\nused_memory_rss:7000000\r\nmem_not_counted_for_evict:10\r\n# Persistence\r\nloading:1\r\nasync_loading:0\r\nrdb_changes_since_last_save:0\r\nrdb_bgsave_in_progress:0\r\nrdb_last_save_time:1795902969\r\nrdb_last_bgsave_status:ok\r\naof_enabled:0\r\naof_rewrite_in_progress:0\r\naof_rewrite_scheduled:1\r\naof_last_bgrewrite_status:err\r\naof_last_write_status:ok\r\nloading_start_time:1795902969\r\nloading_total_bytes:618903\r\nloading_loaded_bytes:37888\r\nloading_loaded_perc:6.12\r\nloading_eta_seconds:15\r\n# Keyspace\r\ndb0:keys=306,expires=0\r\ndb12:keys=1,expires=0\r\n";

    #[test]
    fn what_is_told_is_read_and_what_is_not_is_unknown() {
        let facts = ServerFacts::read(LOADING, Err(RedisError::Loading("LOADING".to_owned()))).unwrap();
        assert_eq!(facts.loading, Some(Loading { percent: Some(6), eta_seconds: Some(15) }));
        assert_eq!((facts.version.as_str(), facts.run_id.as_str(), facts.databases), ("8.0.6", "c4fb", 13));
        assert!(facts.saves.rdb_ok && facts.saves.aof_rewriting && !facts.saves.aof_rewrite_ok);
        assert_eq!(facts.used, Some((1 << 20) - 10));
        assert_eq!(facts.evicted_keys, None);
        let idle =
            ServerFacts::read("redis_version:7.2.1\nrun_id:a\nloading:0\nused_memory:x", Ok(())).unwrap();
        assert_eq!((idle.loading, idle.used, idle.databases), (None, None, 1));
        for no_info in ["", "redis_version:8", "redis_version:8\r\nrun_id:a\r\n", "<html>"] {
            assert_eq!(ServerFacts::read(no_info, Ok(())), None, "{no_info}");
        }
    }

    #[test]
    fn a_mode_of_persistence_is_carried_when_a_start_with_it_would_find_everything() {
        let aof =
            Saves { aof: true, aof_rewrite_ok: true, aof_write_ok: true, rdb_ok: true, ..Saves::default() };
        let rdb = Saves { rdb_ok: true, aof_rewrite_ok: true, aof_write_ok: true, ..Saves::default() };
        for (saves, by_aof, by_rdb) in [
            (aof, true, false),
            (rdb, false, true),
            (Saves { aof_rewriting: true, ..aof }, false, false),
            (Saves { aof_rewrite_ok: false, ..aof }, false, false),
            (Saves { aof_write_ok: false, ..aof }, false, false),
            (Saves { rdb_count: Some(0), ..aof }, true, false),
            (Saves { rdb_count: Some(1), ..aof }, true, true),
            (Saves { rdb_count: Some(1), rdb_ok: false, ..aof }, true, false),
            (Saves { rdb_running: true, ..rdb }, false, false),
        ] {
            let got = (saves.carries(Persistence::Aof), saves.carries(Persistence::Rdb));
            assert_eq!(got, (by_aof, by_rdb), "{saves:?}");
            assert!(saves.carries(Persistence::None));
        }
    }

    #[test]
    fn users_are_read() {
        let mut facts = ServerFacts::read(LOADING, Ok(())).unwrap();
        let words = |list: &[&str]| list.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>();
        let told = [
            ("flags", words(&["on", "sanitize-payload"])),
            ("passwords", words(&["b0", "a0"])),
            ("commands", words(&["+@all -@admin"])),
            ("keys", words(&["~*"])),
            ("channels", words(&[""])),
            ("selectors", vec![]),
        ];
        facts.tell_user("app", told.into_iter().map(|(what, words)| (what.to_owned(), words)));
        let want = User {
            on: true,
            no_password: false,
            hashes: words(&["a0", "b0"]),
            rules: "+@all -@admin ~*".into(),
        };
        assert_eq!(facts.users["app"], want);
    }
}
