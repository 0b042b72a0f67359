//! Which parameters a manifest may set, what their values mean, and which of them take a restart. Pure. What is known of them
//! was asked of a real server (`deploy/redis-settings.sh`); the table must never be edited by hand.
//!
//! Redis refuses to start with a directive that it does not know or a value that it does not take, so both are judged here
//! as it judges them. What only the server can say (a locale, a build without defragmentation) it says to CONFIG SET.

use super::spec::Persistence;
use crate::core::text::{quoted, quoted_key};
use crate::manifest::suggest;

/// Name, kind, what values it takes, whether CONFIG SET can change it, its default.
pub const TABLE: &str = include_str!("parameters/8.tsv");

/// Names, and the reason that people are told. A dash at the end: all that begin so.
const REFUSED: &str = "\
dir dbfilename appenddirname appendfilename: the data lies in the volume that Seawall manages
appendonly: whether there is an append-only file is set by spec.persistence
maxmemory-policy: it is set by spec.evictionPolicy
maxmemory: it follows spec.resources.memory, of which it is 60 %: while it saves, Redis needs more than its data
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

/// What CONFIG GET tells of these is spelt otherwise than what was set: that is not compared.
const ODD: [&str; 4] = [
    "client-output-buffer-limit",
    "latency-tracking-info-percentiles",
    "notify-keyspace-events",
    "oom-score-adj-values",
];

/// Kind, values, when it takes effect, default.
fn row(name: &str) -> Option<[&'static str; 4]> {
    let found = TABLE.lines().filter_map(|line| line.split_once('\t')).find(|(row, _)| *row == name)?;
    let mut fields = found.1.split('\t');
    Some([fields.next()?, fields.next()?, fields.next()?, fields.next()?])
}

fn refusal(name: &str) -> Option<&'static str> {
    let hit = |row: &str| name == row || row.ends_with('-') && name.starts_with(row);
    let mut groups = REFUSED.lines().filter_map(|line| line.split_once(": "));
    groups.find(|(names, _)| names.split(' ').any(hit)).map(|(_, why)| why)
}

/// Whether only a start takes it over. What is not known may need one.
#[must_use]
pub fn needs_restart(name: &str) -> bool {
    row(name).is_none_or(|[_, _, when, _]| when == "restart")
}

/// What a parameter is that nobody sets: what to go back to when one is taken out of the manifest.
#[must_use]
pub fn default(name: &str) -> Option<&'static str> {
    row(name).map(|[.., default]| default)
}

#[must_use]
pub fn odd(name: &str) -> bool {
    ODD.contains(&name)
}

/// Whether what CONFIG GET told can be what was asked for.
#[must_use]
pub fn same(name: &str, asked: &str, told: &str) -> bool {
    asked == told || odd(name) || row(name).is_none()
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
    let Some([kind, takes, ..]) = row(name) else {
        return if own_image || name.contains('.') { Ok(value.to_owned()) } else { Err(unknown(name)) };
    };
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
    // The server takes any number for hz and makes it one of these.
    let takes = if name == "hz" { "1..500" } else { takes };
    normal(name, kind, takes, value.trim())
        .map_err(|must| format!("{name} must be {must}: {} is not", quoted(value)))
}

fn unknown(name: &str) -> String {
    let names = TABLE.lines().filter_map(|line| line.split('\t').next()).filter(|row| refusal(row).is_none());
    let advice = match suggest::nearest(name, names) {
        Some(near) => format!(": did you mean {near}?"),
        None => "; if a module of the image has it, name the image in spec.image instead of spec.version"
            .to_owned(),
    };
    format!("{} is not a parameter of Redis 8{advice}", quoted_key(name))
}

/// The error is what it must be.
fn normal(name: &str, kind: &str, takes: &str, value: &str) -> Result<String, String> {
    let word = value.to_ascii_lowercase();
    match kind {
        "bool" => match word.as_str() {
            "yes" | "true" | "on" => Ok("yes".to_owned()),
            "no" | "false" | "off" => Ok("no".to_owned()),
            _ => Err("yes or no".to_owned()),
        },
        "integer" => {
            let (least, most) = takes.split_once("..").unwrap_or_default();
            let range = least.parse().unwrap_or(i64::MIN)..=most.parse().unwrap_or(i64::MAX);
            let number: Option<i64> = value.parse().ok().filter(|n| range.contains(n));
            number.map(|n| n.to_string()).ok_or_else(|| format!("a whole number from {least} to {most}"))
        }
        "percent" if word.strip_suffix('%').is_some_and(|n| n.parse().is_ok_and(|n: u8| n <= 100)) => {
            Ok(word)
        }
        "memory" | "percent" => {
            let more = if kind == "percent" { ", or a share such as 5%" } else { "" };
            let words = format!("an amount of memory such as 1000, 64kb, 100mb or 2gb{more}");
            bytes(&word).map(|n| n.to_string()).ok_or(words)
        }
        "enum" => {
            let found = takes.split(',').find(|known| **known == word);
            found.map(str::to_owned).ok_or_else(|| format!("one of {}", takes.replace(',', ", ")))
        }
        _ if name == "save" => {
            let numbers: Vec<&str> = value.split_whitespace().collect();
            let pairs = numbers.len().is_multiple_of(2)
                && numbers.iter().all(|n| n.parse().is_ok_and(|n: u32| n > 0));
            let words = "pairs of seconds and changes such as 3600 1";
            if pairs { Ok(numbers.join(" ")) } else { Err(words.to_owned()) }
        }
        _ => Ok(value.to_owned()),
    }
}

/// `100mb`, as Redis reads it: in lower case here, `k` is 1000 and `kb` 1024, no fractions. `None` when it is none.
fn bytes(text: &str) -> Option<u64> {
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

#[cfg(test)]
#[path = "parameters/tests.rs"]
mod tests;
