//! The server as a whole: its figures, its WAL, its memory.

use super::{Facts, XIDS, green, level, of, of_one, unknown};
use crate::core::diagnosis::{Check, Level};
use crate::core::quantity::Bytes;
use crate::kinds::postgres::inspect::table::{Row, number, percent, word};
use crate::workload::disk::roughly;
use serde_json::Value;

/// Blocks, and transactions, below which a share says nothing.
const BLOCKS: f64 = 100_000.0;
const TRANSACTIONS: f64 = 1_000.0;
/// Percent of reads that the server's own memory does not answer.
const MISSED: (f64, f64) = (1.0, 10.0);
const ROLLED_BACK: f64 = 10.0;
/// Percent of the transactions that there are.
const AGE: (f64, f64) = (40.0, 75.0);
/// Percent of the memory limit that `shared_buffers` takes.
const BUFFERS: (f64, f64) = (40.0, 75.0);

pub fn checks(facts: &Facts<'_>) -> Vec<Check> {
    vec![
        of_one("Cache hit", &facts.info, |row| cache_hit(row, facts)),
        of_one("Rollbacks", &facts.info, rollbacks),
        of_one("Wraparound", &facts.info, |row| wraparound(row, facts)),
        of_one("Memory", &facts.info, |row| memory(row, facts)),
        of("Order of text", &facts.collations, |rows| collations(rows, facts)),
        wal("WAL", facts, |kind| {
            !kind.starts_with("archive") && !matches!(kind, "disk_pressure" | "wraparound")
        }),
        archiving(facts),
        statements(facts),
        wal("Disk", facts, |kind| kind == "disk_pressure"),
    ]
}

fn cache_hit(row: &Row, facts: &Facts<'_>) -> Option<Check> {
    let (hit, read) = (number(row, "blks_hit")?, number(row, "blks_read")?);
    if hit + read < BLOCKS {
        return Some(green("Cache hit", "too little was read to tell"));
    }
    let part = percent(read, hit + read)?;
    let found = format!("{:.1} % of reads are answered from shared_buffers", 100.0 - part);
    let why = "the rest is asked of the kernel, and maybe of the disk";
    let next = format!(
        "more memory under spec.resources, shared_buffers a quarter of it under spec.parameters; seawall pg outliers {} shows who reads",
        facts.name()
    );
    Some(Check::new("Cache hit", level(part, MISSED.0, MISSED.1), found).because(why, next))
}

fn rollbacks(row: &Row) -> Option<Check> {
    let (commits, back) = (number(row, "xact_commit")?, number(row, "xact_rollback")?);
    if commits + back < TRANSACTIONS {
        return Some(green("Rollbacks", "too few transactions to tell"));
    }
    let part = percent(back, commits + back)?;
    let level = if part >= ROLLED_BACK { Level::Yellow } else { Level::Green };
    let why = "work that is thrown away: mostly errors that an application meets again and again";
    Some(
        Check::new("Rollbacks", level, format!("{part} % of transactions"))
            .because(why, "seawall logs shows the errors"),
    )
}

fn wraparound(row: &Row, facts: &Facts<'_>) -> Option<Check> {
    let ages = [number(row, "xid_age"), number(row, "mxid_age")];
    let age = ages.into_iter().flatten().reduce(f64::max)?;
    let part = percent(age, XIDS)?;
    let found = format!("the oldest transaction number is {age} old: {part} % of what there is");
    let why = "at 100 % the server takes no more writes; something holds vacuum up (long transactions, slots, prepared transactions)";
    let next = format!(
        "{} -c 'VACUUM (FREEZE, VERBOSE)' in the database with the oldest; seawall wal {}",
        facts.psql,
        facts.name()
    );
    Some(Check::new("Wraparound", level(part, AGE.0, AGE.1), found).because(why, next))
}

fn memory(row: &Row, facts: &Facts<'_>) -> Option<Check> {
    let buffers = number(row, "shared_buffers")?;
    let applied = facts.status.pointer("/resources/applied/memory").and_then(Value::as_str);
    let Some(limit) = applied.and_then(|limit| Bytes::parse(limit).ok()) else {
        return Some(green("Memory", "no memory limit"));
    };
    #[expect(clippy::cast_precision_loss, reason = "a share")]
    let part = percent(buffers, limit.0 as f64)?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bytes, from 0")]
    let found =
        format!("shared_buffers of {} are {part} % of the memory limit of {limit}", roughly(buffers as u64));
    let why = "sessions, sorts and the kernel's cache need the rest: the kernel ends the server where there is none";
    let next = "under spec.parameters: shared_buffers a quarter of spec.resources.memory, or more memory";
    Some(Check::new("Memory", level(part, BUFFERS.0, BUFFERS.1), found).because(why, next))
}

fn collations(rows: &[Row], facts: &Facts<'_>) -> Check {
    if rows.is_empty() {
        return green("Order of text", "as the databases were built with");
    }
    let one = |row: &Row| {
        format!("{}: built with {}, now {}", word(row, "database"), word(row, "built"), word(row, "now"))
    };
    let check = Check::new(
        "Order of text",
        Level::Yellow,
        format!("{} databases were built with another version of the library", rows.len()),
    );
    let why = "indexes on text may lead to nothing, and unique ones may let doubles in";
    let next = format!(
        "rebuild the indexes first, then say that it was done: seawall describe {} has the commands for each, in their order",
        facts.name()
    );
    check.because(why, next).about(super::named(rows.iter().map(one)))
}

/// What the last look at its WAL warned of.
fn wal(check: &str, facts: &Facts<'_>, is: fn(&str) -> bool) -> Check {
    let health = facts.status.get("walHealth");
    let Some(health) = health.filter(|health| health["stale"] == false) else {
        return unknown(check, "nothing looked at it lately")
            .because("", format!("seawall wal {}", facts.name()));
    };
    if let Some(why) = health.pointer("/errors/probe").and_then(Value::as_str) {
        return unknown(check, why);
    }
    if check == "Disk" && health.get("disk").is_none() {
        return unknown(check, "the file system under the volume cannot be seen");
    }
    let text = |warning: &Value, field: &str| warning[field].as_str().unwrap_or_default().to_owned();
    let all = health["warnings"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut all = all.iter().filter(|warning| is(&text(warning, "kind"))).peekable();
    let Some(first) = all.peek().copied() else { return green(check, figures(check, health)) };
    let worst = if text(first, "severity") == "critical" { Level::Red } else { Level::Yellow };
    let found = text(first, "message");
    let of = all.skip(1).map(|warning| format!("{}: {}", text(warning, "kind"), text(warning, "message")));
    let check = Check::new(check, worst, found).about(super::named(of));
    let why = format!("{}: see docs/wal-health.md", text(first, "kind"));
    check.because(why, text(first, "action"))
}

/// That nobody counts them is no fault, and is said all the same.
fn statements(facts: &Facts<'_>) -> Check {
    const CHECK: &str = "Statements";
    let inside = facts.status.get("monitoring").filter(|inside| inside["stale"] == false);
    let Some(inside) = inside else { return unknown(CHECK, "nothing looked inside lately") };
    if let Some(why) = inside.pointer("/errors/statements").and_then(Value::as_str) {
        return unknown(CHECK, why);
    }
    match inside.get("statements").and_then(Value::as_array) {
        None => unknown(CHECK, "they are looked at every five minutes, and were not yet"),
        Some(_) => green(
            CHECK,
            format!("counted; seawall pg outliers {} has those that took the time", facts.name()),
        ),
    }
}

fn figures(check: &str, health: &Value) -> String {
    let size =
        |path: &str| health.pointer(path).and_then(Value::as_u64).map_or_else(|| "?".to_owned(), roughly);
    match check {
        "Disk" => format!("{} of {} free", size("/disk/free_bytes"), size("/disk/total_bytes")),
        _ => format!("{} in pg_wal, max_wal_size is {}", size("/pg_wal_bytes"), size("/max_wal_size_bytes")),
    }
}

fn archiving(facts: &Facts<'_>) -> Check {
    let check = wal("Archiving", facts, |kind| kind.starts_with("archive"));
    let conditions = facts.status.get("conditions").and_then(Value::as_array);
    let condition = conditions.into_iter().flatten().find(|c| c["type"] == "ContinuousArchiving");
    let reason = condition.and_then(|c| c["reason"].as_str()).unwrap_or_default();
    match (check.level, reason) {
        (Level::Green, "NotConfigured") => {
            green("Archiving", "not set up: there is no way back to a point in time")
        }
        (Level::Green, _) => {
            let waiting = facts.status.pointer("/walHealth/archive_backlog").and_then(Value::as_u64);
            green(
                "Archiving",
                format!("{} segments wait", waiting.map_or_else(|| "?".to_owned(), |n| n.to_string())),
            )
        }
        _ => check,
    }
}
