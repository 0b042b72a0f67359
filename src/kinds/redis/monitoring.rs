//! `status.monitoring` of a Redis: what `INFO` tells of its inside, which each look asks for anyway. Pure. Must never take what was
//! not told for zero: such a field is absent, and `errors` says why.

use crate::core::measure::Unit;
use crate::core::metric::Family;
use crate::core::text::shown;
use crate::kinds::{Metric, Read, Series, Word};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Seconds after which it says nothing about now; a look comes every 15 s.
const STALE_AFTER: u64 = 90;
/// Characters of a word of the server that are kept.
const WORD: usize = 60;

/// How a field of INFO is read.
#[derive(Clone, Copy)]
enum As {
    Number,
    /// `1` is true.
    Flag,
    /// `ok` is true.
    Fine,
    Word,
    /// Seconds since 1970, as RFC 3339.
    Time,
    /// 0 is none.
    Limit,
}

/// Part and name of a field, and what INFO calls it.
const FIELDS: [(&str, &str, &str, As); 30] = [
    ("", "uptime_secs", "uptime_in_seconds", As::Number),
    ("", "max_connections", "maxclients", As::Number),
    ("connections", "used", "connected_clients", As::Number),
    ("connections", "blocked", "blocked_clients", As::Number),
    ("memory", "used_bytes", "used_memory", As::Number),
    ("memory", "rss_bytes", "used_memory_rss", As::Number),
    ("memory", "max_bytes", "maxmemory", As::Limit),
    ("memory", "policy", "maxmemory_policy", As::Word),
    ("memory", "fragmentation_ratio", "mem_fragmentation_ratio", As::Number),
    ("totals", "commands", "total_commands_processed", As::Number),
    ("totals", "connections", "total_connections_received", As::Number),
    ("totals", "rejected_connections", "rejected_connections", As::Number),
    ("totals", "keyspace_hits", "keyspace_hits", As::Number),
    ("totals", "keyspace_misses", "keyspace_misses", As::Number),
    ("totals", "evicted_keys", "evicted_keys", As::Number),
    ("totals", "expired_keys", "expired_keys", As::Number),
    ("rates", "commands_per_s", "instantaneous_ops_per_sec", As::Number),
    ("persistence", "loading", "loading", As::Flag),
    ("persistence", "rdb_bgsave_in_progress", "rdb_bgsave_in_progress", As::Flag),
    ("persistence", "rdb_last_bgsave_ok", "rdb_last_bgsave_status", As::Fine),
    ("persistence", "rdb_last_save_at", "rdb_last_save_time", As::Time),
    ("persistence", "rdb_changes_since_last_save", "rdb_changes_since_last_save", As::Number),
    ("persistence", "rdb_last_cow_bytes", "rdb_last_cow_size", As::Number),
    ("persistence", "aof_enabled", "aof_enabled", As::Flag),
    ("persistence", "aof_rewrite_in_progress", "aof_rewrite_in_progress", As::Flag),
    ("persistence", "aof_last_bgrewrite_ok", "aof_last_bgrewrite_status", As::Fine),
    ("persistence", "aof_last_write_ok", "aof_last_write_status", As::Fine),
    ("replication", "role", "role", As::Word),
    ("replication", "replicas", "connected_slaves", As::Number),
    ("", "denied_logins", "acl_access_denied_auth", As::Number),
];

/// The same over time.
pub const HISTORY: [Series; 4] = [
    series("connections", Unit::Count, "/monitoring/connections/used"),
    series("used_memory_bytes", Unit::Bytes, "/monitoring/memory/used_bytes"),
    series("keys", Unit::Count, "/monitoring/keys"),
    series("cache_hit_ratio", Unit::Count, "/monitoring/cache_hit_ratio"),
];

const fn series(name: &'static str, unit: Unit, path: &'static str) -> Series {
    Series { name, unit, path, read: Read::Number }
}

/// Of maxmemory-policy.
const POLICIES: [&str; 8] = [
    "noeviction",
    "allkeys-lru",
    "allkeys-lfu",
    "allkeys-random",
    "volatile-lru",
    "volatile-lfu",
    "volatile-random",
    "volatile-ttl",
];

/// Figures that monitoring sees.
pub const METRICS: [Metric; 16] = [
    gauge("seawall_redis_connections", "Connections of clients.", "/monitoring/connections/used"),
    gauge("seawall_redis_max_connections", "maxclients.", "/monitoring/max_connections"),
    gauge(
        "seawall_redis_memory_used_bytes",
        "Memory that it has allocated.",
        "/monitoring/memory/used_bytes",
    ),
    gauge("seawall_redis_memory_max_bytes", "maxmemory; none: no series.", "/monitoring/memory/max_bytes"),
    Metric {
        family: Family::gauge("seawall_redis_maxmemory_policy", "1 for what it does at maxmemory."),
        path: "/monitoring/memory/policy",
        read: Read::Word(Word { label: "policy", words: &POLICIES }),
    },
    gauge(
        "seawall_redis_memory_fragmentation_ratio",
        "Resident memory, as a part of what it has allocated.",
        "/monitoring/memory/fragmentation_ratio",
    ),
    gauge("seawall_redis_keys", "Keys of all databases.", "/monitoring/keys"),
    counter("seawall_redis_commands_total", "Commands processed.", "/monitoring/totals/commands"),
    counter(
        "seawall_redis_rejected_connections_total",
        "Connections refused because there were too many.",
        "/monitoring/totals/rejected_connections",
    ),
    counter("seawall_redis_keyspace_hits_total", "Keys found.", "/monitoring/totals/keyspace_hits"),
    counter("seawall_redis_keyspace_misses_total", "Keys not found.", "/monitoring/totals/keyspace_misses"),
    counter(
        "seawall_redis_evicted_keys_total",
        "Keys evicted for want of memory.",
        "/monitoring/totals/evicted_keys",
    ),
    counter(
        "seawall_redis_expired_keys_total",
        "Keys whose time was over.",
        "/monitoring/totals/expired_keys",
    ),
    gauge(
        "seawall_redis_changes_since_save",
        "Changes since the last snapshot.",
        "/monitoring/persistence/rdb_changes_since_last_save",
    ),
    Metric {
        family: Family::gauge(
            "seawall_redis_aof_last_write_ok",
            "Whether the last write to the log of changes worked.",
        ),
        path: "/monitoring/persistence/aof_last_write_ok",
        read: Read::Flag,
    },
    Metric {
        family: Family::gauge("seawall_redis_last_bgsave_ok", "Whether the last snapshot worked."),
        path: "/monitoring/persistence/rdb_last_bgsave_ok",
        read: Read::Flag,
    },
];

const fn gauge(name: &'static str, help: &'static str, path: &'static str) -> Metric {
    Metric { family: Family::gauge(name, help), path, read: Read::Number }
}

/// Since the server started.
const fn counter(name: &'static str, help: &'static str, path: &'static str) -> Metric {
    Metric { family: Family::counter(name, help), path, read: Read::Number }
}

/// What one answer to INFO told.
#[derive(Clone, Debug, PartialEq)]
pub struct Inside {
    at: Timestamp,
    fields: Map<String, Value>,
}

impl Inside {
    #[must_use]
    pub fn read(info: &str, at: Timestamp) -> Self {
        let told: BTreeMap<&str, &str> =
            info.lines().filter_map(|line| line.trim_end().split_once(':')).collect();
        let (mut fields, mut errors) = (Map::new(), Map::new());
        for (part, name, key, read) in FIELDS {
            let value = told.get(key).map(|text| value(text, read));
            match value {
                Some(Some(Value::Null)) => {}
                Some(Some(value)) if part.is_empty() => drop(fields.insert(name.to_owned(), value)),
                Some(Some(value)) => {
                    let part = fields.entry(part).or_insert_with(|| json!({}));
                    part[name] = value;
                }
                missing => {
                    let why = if missing.is_none() { "has no" } else { "has a strange" };
                    let field = if part.is_empty() { name.to_owned() } else { format!("{part}.{name}") };
                    errors.insert(field, format!("INFO {why} {key}").into());
                }
            }
        }
        let total = |name: &str| fields.get("totals")?.get(name)?.as_u64();
        let ratio = total("keyspace_hits")
            .zip(total("keyspace_misses"))
            .and_then(|(hits, misses)| ratio(hits, misses));
        fields.extend(ratio.map(|ratio| ("cache_hit_ratio".to_owned(), json!(ratio))));
        fields.extend(keys(&told).map(|keys| ("keys".to_owned(), json!(keys))));
        if !errors.is_empty() {
            fields.insert("errors".to_owned(), Value::Object(errors));
        }
        Self { at, fields }
    }

    #[must_use]
    pub fn shown(&self, now: Timestamp) -> Value {
        let age = u64::try_from(now.duration_since(self.at).as_secs()).unwrap_or(0);
        let mut fields = self.fields.clone();
        fields.insert("probed_at".to_owned(), time(self.at).into());
        fields.insert("age_secs".to_owned(), age.into());
        fields.insert("stale".to_owned(), (age > STALE_AFTER).into());
        Value::Object(fields)
    }
}

fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// `None`: it is not what it should be. Null: there is none.
fn value(text: &str, read: As) -> Option<Value> {
    let whole = || text.parse::<u64>().ok();
    match read {
        As::Number => whole().map(Value::from).or_else(|| {
            let number = text.parse::<f64>().ok().filter(|number| number.is_finite() && *number >= 0.0)?;
            Some(number.into())
        }),
        As::Flag => whole().map(|flag| (flag == 1).into()),
        As::Fine => Some((text == "ok").into()),
        As::Word => Some(shown(text, WORD).into()),
        As::Time => {
            let at = Timestamp::from_second(i64::try_from(whole()?).ok()?).ok()?;
            Some(time(at).into())
        }
        As::Limit => whole().map(|limit| if limit == 0 { Value::Null } else { limit.into() }),
    }
}

/// 0 to 1; `None`: nobody asked for any.
#[expect(clippy::cast_precision_loss, reason = "a part has a few figures")]
fn ratio(hits: u64, misses: u64) -> Option<f64> {
    let all = hits.checked_add(misses).filter(|all| *all > 0)?;
    Some((hits as f64 / all as f64 * 1e4).floor() / 1e4)
}

/// Of all databases: `db0:keys=5,expires=0,avg_ttl=0`. A database without any is not told.
fn keys(told: &BTreeMap<&str, &str>) -> Option<u64> {
    let databases = told.iter().filter(|(name, _)| {
        name.strip_prefix("db").is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
    });
    let mut counts =
        databases.map(|(_, text)| text.strip_prefix("keys=")?.split(',').next()?.parse::<u64>().ok());
    counts.try_fold(0_u64, |all, count| all.checked_add(count?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Timestamp = Timestamp::UNIX_EPOCH;

    #[test]
    fn what_info_tells_is_read_and_the_rest_is_named() {
        let info = "# Clients\r\nconnected_clients:7\r\nmaxclients:10000\r\nused_memory:1048576\r\nmaxmemory:0\r\n\
            mem_fragmentation_ratio:1.25\r\nkeyspace_hits:999999\r\nkeyspace_misses:1\r\nrdb_last_bgsave_status:err\r\n\
            aof_enabled:1\r\nrdb_last_save_time:1700000000\r\nrole:ma\u{1b}ster\r\nblocked_clients:-3\r\n\
            db0:keys=5,expires=0,avg_ttl=0\r\ndb12:keys=2,expires=1\r\ndbx:keys=9\r\n";
        let told = Inside::read(info, AT).shown(AT);
        assert_eq!((&told["connections"], &told["max_connections"]), (&json!({"used": 7}), &json!(10_000)));
        assert_eq!(told["memory"], json!({"used_bytes": 1_048_576, "fragmentation_ratio": 1.25}));
        assert_eq!((&told["cache_hit_ratio"], &told["keys"]), (&json!(0.9999), &json!(7)));
        assert_eq!(told["persistence"]["rdb_last_bgsave_ok"], false);
        assert_eq!(told["persistence"]["aof_enabled"], true);
        assert_eq!(told["persistence"]["rdb_last_save_at"], "2023-11-14T22:13:20Z");
        assert_eq!(told["replication"]["role"], "ma\\u{1b}ster");
        assert_eq!(told["errors"]["connections.blocked"], "INFO has a strange blocked_clients");
        assert_eq!(told["errors"]["uptime_secs"], "INFO has no uptime_in_seconds");
        assert!(told["errors"].get("memory.max_bytes").is_none(), "no limit is none that was not told");
    }

    #[test]
    fn it_says_when_it_is_old() {
        let inside = Inside::read("", AT);
        for (age, stale) in [(0, false), (90, false), (91, true)] {
            let told = inside.shown(Timestamp::from_second(age).unwrap());
            assert_eq!((&told["age_secs"], &told["stale"]), (&json!(age), &json!(stale)));
        }
        assert_eq!(inside.shown(AT)["keys"], 0, "no database has any");
        assert_eq!(inside.shown(AT)["errors"].as_object().unwrap().len(), FIELDS.len());
    }
}
