//! Which parameters a manifest may set, what their values mean, and which of them take a restart. Pure. What is known of them
//! was asked of a real server (`deploy/redis-settings.sh`); the table must never be edited by hand.
//!
//! Redis refuses to start with a directive that it does not know or a value that it does not take, so both are judged here
//! as it judges them. What only the server can say (a locale, a build without defragmentation) it says to CONFIG SET.

use super::config::Persistence;
use crate::core::text::{quoted, quoted_key};
use crate::manifest::suggest;

/// Name, kind, what values it takes, whether CONFIG SET can change it, its default.
pub const TABLE: &str = include_str!("parameters/8.tsv");

/// Names, and the reason that people are told. A dash at the end: all that begin so.
const REFUSED: &str = "\
dir dbfilename appenddirname appendfilename: the data lies in the volume that Seawall manages
appendonly: whether there is an append-only file is set by spec.persistence
maxmemory-policy: it is set by spec.evictionPolicy
port: inside the container it is always 6379; the host port is spec.port
bind bind-source-addr protected-mode unixsocket unixsocketperm socket-mark-id: Seawall proves readiness over the network; reachability is set by `port` and the network
tls- max-new-tls-: Seawall does not manage certificates; the server would not start, or be closed to it
requirepass aclfile user acl-pubsub-default: Seawall manages the users and their passwords
daemonize supervised pidfile logfile syslog-: the server is the container's process, and Seawall and `seawall logs` read what it prints
include: what another file says would be checked by nobody
loadmodule loadmodule-ex: modules come from the image; name one that has them in spec.image
rename-command: Seawall and client libraries use commands by their names; users may run what their rules say
enable-: it would give whoever is logged in power over the server and its files
shutdown-on-: what a planned stop keeps is decided by spec.persistence
masterauth masteruser replicaof slaveof replica- slave- repl-: Seawall runs one server without replicas
min-replicas- min-slaves-: Seawall runs one server without replicas; it would refuse all writes
cluster- sentinel: Seawall runs one server, neither a cluster nor a sentinel
rdbchecksum: off means that damage to a snapshot is not noticed";

fn refusal(name: &str) -> Option<&'static str> {
    let hit = |row: &str| name == row || row.ends_with('-') && name.starts_with(row);
    let mut groups = REFUSED.lines().filter_map(|line| line.split_once(": "));
    groups.find(|(names, _)| names.split(' ').any(hit)).map(|(_, why)| why)
}

/// What kind of values a parameter takes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Bool,
    Integer(i64, i64),
    Memory,
    MemoryOrPercent,
    Enum(&'static str),
    Text,
}

fn rows() -> impl Iterator<Item = (&'static str, [&'static str; 4])> {
    TABLE.lines().filter_map(|line| {
        let mut fields = line.split('\t');
        Some((fields.next()?, [fields.next()?, fields.next()?, fields.next()?, fields.next()?]))
    })
}

fn kind(name: &str) -> Option<Kind> {
    let (_, [kind, takes, ..]) = rows().find(|(row, _)| *row == name)?;
    let range =
        || takes.split_once("..").and_then(|(a, b)| Some(Kind::Integer(a.parse().ok()?, b.parse().ok()?)));
    match kind {
        // The server takes any number and makes it one of these.
        "integer" if name == "hz" => Some(Kind::Integer(1, 500)),
        "integer" => range(),
        "bool" => Some(Kind::Bool),
        "memory" => Some(Kind::Memory),
        "percent" => Some(Kind::MemoryOrPercent),
        "enum" => Some(Kind::Enum(takes)),
        _ => Some(Kind::Text),
    }
}

/// Whether only a start takes it over. What is not known may need one.
#[must_use]
pub fn needs_restart(name: &str) -> bool {
    rows().find(|(row, _)| *row == name).is_none_or(|(_, [_, _, when, _])| when == "restart")
}

/// What a parameter is that nobody sets: what to go back to when one is taken out of the manifest.
#[must_use]
pub fn default(name: &str) -> Option<&'static str> {
    defaults().find(|(row, _)| *row == name).map(|(_, default)| default)
}

/// Every parameter as it is when nobody sets it.
pub fn defaults() -> impl Iterator<Item = (&'static str, &'static str)> {
    rows().map(|(name, [.., default])| (name, default))
}

/// The name that a server lists for an older one.
fn present(name: &str) -> String {
    match name {
        "lua-time-limit" => "busy-reply-threshold".to_owned(),
        name => name.replace('_', "-").replace("slave", "replica").replace("ziplist", "listpack"),
    }
}

/// The value in its normal form, as it goes into the file. `name` in lower case; `own_image` when the image is not of the
/// catalog: its modules may have parameters of their own.
///
/// # Errors
/// Why the parameter cannot be set, or not to this value.
pub fn judge(name: &str, value: &str, own_image: bool, persistence: Persistence) -> Result<String, String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.len() > 100 || !name.chars().all(legal) {
        return Err(format!("{} is not a parameter name", quoted_key(name)));
    }
    if value.len() > 1000 || value.chars().any(char::is_control) {
        return Err(format!(
            "the value of {name} must be one line of at most 1000 characters, without control characters"
        ));
    }
    if let Some(why) = refusal(name) {
        return Err(format!("{name} cannot be set: {why}"));
    }
    let now = present(name);
    let Some(kind) = kind(name) else {
        return if own_image || name.contains('.') { Ok(value.to_owned()) } else { Err(unknown(name, &now)) };
    };
    if now != name {
        return Err(format!("{name} is an older name; write {now}"));
    }
    match name {
        "save" if persistence != Persistence::Rdb || value.trim().is_empty() => {
            return Err("save cannot be set so: it says how often snapshots are taken where spec.persistence is rdb; for none, write persistence: none".to_owned());
        }
        "appendfsync" if persistence != Persistence::Aof => {
            return Err(
                "appendfsync cannot be set: there is an append-only file only where spec.persistence is aof"
                    .to_owned(),
            );
        }
        _ => {}
    }
    normal(name, kind, value)
        .ok_or_else(|| format!("{name} must be {}: {} is not", allowed(kind), quoted(value)))
}

fn unknown(name: &str, now: &str) -> String {
    let names = || rows().map(|(row, _)| row).filter(|row| present(row) == *row && refusal(row).is_none());
    let advice = match names().find(|row| *row == now).or_else(|| suggest::nearest(name, names())) {
        Some(near) => format!(": did you mean {near}?"),
        None => "; if a module of the image has it, name the image in spec.image instead of spec.version"
            .to_owned(),
    };
    format!("{} is not a parameter of Redis 8{advice}", quoted_key(name))
}

fn normal(name: &str, kind: Kind, value: &str) -> Option<String> {
    let value = value.trim();
    let word = value.to_ascii_lowercase();
    match kind {
        Kind::Bool => match word.as_str() {
            "yes" | "true" | "on" => Some("yes".to_owned()),
            "no" | "false" | "off" => Some("no".to_owned()),
            _ => None,
        },
        Kind::Integer(least, most) => {
            value.parse().ok().filter(|n| (least..=most).contains(n)).map(|n: i64| n.to_string())
        }
        Kind::Memory => bytes(&word).map(|n| n.to_string()),
        Kind::MemoryOrPercent => match word.strip_suffix('%') {
            Some(percent) => percent.parse().ok().filter(|n: &u32| *n <= 100).map(|n| format!("{n}%")),
            None => bytes(&word).map(|n| n.to_string()),
        },
        Kind::Enum(words) => words.split(',').find(|known| **known == word).map(str::to_owned),
        Kind::Text if name == "save" => {
            pairs(value).then(|| value.split_whitespace().collect::<Vec<_>>().join(" "))
        }
        Kind::Text => Some(value.to_owned()),
    }
}

/// `3600 1 300 100`
fn pairs(value: &str) -> bool {
    let numbers: Vec<Option<u32>> = value.split_whitespace().map(|word| word.parse().ok()).collect();
    numbers.len().is_multiple_of(2) && numbers.iter().all(|n| n.is_some_and(|n| n > 0))
}

/// `100mb`, as Redis reads it: in lower case here, `k` is 1000 and `kb` 1024, no fractions. `None` when it is none.
#[must_use]
pub fn bytes(text: &str) -> Option<u64> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(split);
    let factor: u64 = match unit {
        "" | "b" => 1,
        "k" => 1_000,
        "kb" => 1 << 10,
        "m" => 1_000_000,
        "mb" => 1 << 20,
        "g" => 1_000_000_000,
        "gb" => 1 << 30,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(factor).filter(|n| i64::try_from(*n).is_ok())
}

fn allowed(kind: Kind) -> String {
    match kind {
        Kind::Bool => "yes or no".to_owned(),
        Kind::Integer(least, i64::MAX) => format!("a whole number from {least} upward"),
        Kind::Integer(least, most) => format!("a whole number from {least} to {most}"),
        Kind::Memory => "an amount of memory such as 1000, 64kb, 100mb or 2gb".to_owned(),
        Kind::MemoryOrPercent => "an amount of memory such as 100mb, or a share such as 5%".to_owned(),
        Kind::Enum(words) => format!("one of {}", words.replace(',', ", ")),
        // The only text that is looked into.
        Kind::Text => "pairs of seconds and changes such as 3600 1".to_owned(),
    }
}

/// Whether what CONFIG GET told is what was asked for, by this or an equal spelling.
#[must_use]
pub fn same(name: &str, asked: &str, told: &str) -> bool {
    match name {
        "notify-keyspace-events" => flags(asked) == flags(told),
        // It tells all classes, also those that nobody asked for.
        "client-output-buffer-limit" => classes(asked).is_some_and(|asked| {
            classes(told).is_some_and(|told| asked.iter().all(|class| told.contains(class)))
        }),
        _ if asked == told => true,
        _ => match kind(name) {
            None | Some(Kind::Text) => {
                let (asked, told): (Vec<&str>, Vec<&str>) =
                    (asked.split_whitespace().collect(), told.split_whitespace().collect());
                // 99.90 and 99.9 are the same percentile.
                let number = |word: &str| word.parse::<f64>().ok();
                let equal =
                    |(a, b): (&&str, &&str)| a == b || number(a).is_some_and(|n| Some(n) == number(b));
                asked.len() == told.len() && asked.iter().zip(&told).all(equal)
            }
            Some(kind) => {
                normal(name, kind, told).is_some_and(|told| normal(name, kind, asked) == Some(told))
            }
        },
    }
}

/// `A` is all of these.
fn flags(text: &str) -> std::collections::BTreeSet<char> {
    text.replace('A', "g$lshzxetd").chars().collect()
}

/// `normal 0 0 0 pubsub 32mb 8mb 60`
fn classes(text: &str) -> Option<Vec<(String, u64, u64, u64)>> {
    let words: Vec<String> = text.split_whitespace().map(str::to_ascii_lowercase).collect();
    words
        .chunks(4)
        .map(|class| match class {
            [name, hard, soft, seconds] => {
                Some((name.replace("slave", "replica"), bytes(hard)?, bytes(soft)?, seconds.parse().ok()?))
            }
            _ => None,
        })
        .collect()
}

#[cfg(test)]
#[path = "parameters/tests.rs"]
mod tests;
