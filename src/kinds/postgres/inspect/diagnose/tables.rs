//! Tables, indexes and sequences.

use super::{Facts, green, level, named, of, of_one};
use crate::core::diagnosis::{Check, Level};
use crate::kinds::postgres::inspect::bloat;
use crate::kinds::postgres::inspect::table::{Row, count, number, percent, threshold, verdict, word};
use crate::workload::disk::roughly;

/// Bytes of waste in one table or index, where it is half of it: worth a word, and worth doing something today.
const WASTE: (f64, f64) = (104_857_600.0, 10_737_418_240.0);
const HALF: f64 = 50.0;
/// Bytes from which on an index that nobody uses is worth a word.
const INDEX: i64 = 1_048_576;
/// Dead rows that are few in any case.
const DEAD: f64 = 10_000.0;
/// Percent of a sequence that is used.
const USED: (f64, f64) = (75.0, 90.0);

fn full_name(row: &Row, field: &str) -> String {
    format!("{}.{}", word(row, "schema"), word(row, field))
}

fn size(row: &Row, field: &str) -> String {
    roughly(count(row, field).and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or_default())
}

pub fn checks(facts: &Facts<'_>) -> Vec<Check> {
    let name = facts.name();
    let of_indexes = |check: &str, is: &dyn Fn(&Row) -> bool, why: &str, next: String| {
        of(check, &facts.indexes, |rows| {
            let bad = || rows.iter().filter(|row| is(row));
            if bad().count() == 0 {
                return green(check, "none");
            }
            let one = |row: &Row| format!("{} ({})", full_name(row, "index"), size(row, "index_size"));
            let check = Check::new(check, Level::Yellow, format!("{} of them", bad().count()));
            check.because(why, next.clone()).about(named(bad().map(one)))
        })
    };
    let says = |row: &Row, what: &str| verdict(row).starts_with(what);
    let known = format!(
        "seawall pg indexes {name} shows them; one that nobody needs can go, and only you know which that is"
    );
    vec![
        of_indexes(
            "Invalid indexes",
            &|row| says(row, "invalid"),
            "CREATE INDEX CONCURRENTLY did not end well: they are written to and never read",
            format!("seawall psql {name}, and there REINDEX INDEX CONCURRENTLY with the name of each"),
        ),
        of_indexes(
            "Duplicate indexes",
            &|row| says(row, "duplicate"),
            "each write is made twice, and nothing is found faster",
            known.clone(),
        ),
        of_indexes(
            "Unused indexes",
            &|row| says(row, "unused") && count(row, "index_size").is_some_and(|bytes| bytes >= INDEX),
            "each write pays for them. Nobody has read them since the statistics began: look at counted_since of pg info, and at standbys, first",
            known,
        ),
        of("Bloat", &facts.relations, |rows| bloated(rows, name)),
        of("Autovacuum", &facts.tables, autovacuum),
        of("Dead rows", &facts.tables, |rows| dead(rows, name)),
        of("Sequences", &facts.sequences, |rows| sequences(rows, name)),
        of_one("Unlogged tables", &facts.rest, unlogged),
        of_one("Primary keys", &facts.rest, without_key),
    ]
}

fn bloated(rows: &[Row], name: &str) -> Check {
    let of_one = |row: &Row| {
        let (waste, bytes) = (bloat::waste(row)?, number(row, "bytes")?);
        percent(waste, bytes).filter(|part| *part >= HALF && waste >= WASTE.0).map(|part| {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bytes, from 0")]
            let size = roughly(waste as u64);
            let whose = format!("{}.{}", word(row, "schemaname"), word(row, "object_name"));
            (waste, format!("{} {whose}: {size} ({part} %)", word(row, "type")))
        })
    };
    let mut bad: Vec<(f64, String)> = rows.iter().filter_map(of_one).collect();
    bad.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    let Some((most, _)) = bad.first() else {
        return green("Bloat", "no table or index is estimated to be half empty and to waste 100Mi");
    };
    let why = "what holds nothing is read, cached and backed up all the same; this is an estimate";
    let next = format!(
        "seawall pg bloat {name} shows them; REINDEX INDEX CONCURRENTLY with its name builds an index anew (seawall psql {name}); a table shrinks by pg_repack, or by VACUUM FULL while nobody works with it"
    );
    let check = Check::new(
        "Bloat",
        level(*most, WASTE.0, WASTE.1),
        format!("{} tables and indexes are half empty or more", bad.len()),
    );
    check.because(why, next).about(named(bad.into_iter().map(|(_, text)| text)))
}

fn autovacuum(rows: &[Row]) -> Check {
    let why = "dead rows stay for ever, and in the end the server takes no more writes (wraparound)";
    if rows.iter().any(|row| word(row, "autovacuum") == "off") {
        let next = "remove autovacuum: off from spec.parameters";
        return Check::new("Autovacuum", Level::Red, "it is off for the whole server").because(why, next);
    }
    let off = || rows.iter().filter(|row| threshold(row).is_none());
    if off().count() == 0 {
        return green("Autovacuum", "on");
    }
    let found = format!("{} tables are left out of it", off().count());
    let check = Check::new("Autovacuum", Level::Yellow, found);
    check
        .because(why, "ALTER TABLE … RESET (autovacuum_enabled) each")
        .about(named(off().map(|row| full_name(row, "table"))))
}

fn dead(rows: &[Row], name: &str) -> Check {
    let late = |row: &&Row| {
        let dead = number(row, "dead").unwrap_or_default();
        dead >= DEAD && threshold(row).is_none_or(|threshold| dead > 2.0 * threshold)
    };
    let bad = || rows.iter().filter(late);
    if bad().count() == 0 {
        return green("Dead rows", "vacuum keeps up");
    }
    let one = |row: &Row| {
        let last = [word(row, "last_vacuum"), word(row, "last_autovacuum")]
            .into_iter()
            .max()
            .filter(|at| !at.is_empty());
        let last = last.map_or_else(|| "never vacuumed".to_owned(), |at| format!("last vacuumed {at}"));
        format!(
            "{}: {} dead of {} live, {last}",
            full_name(row, "table"),
            count(row, "dead").unwrap_or_default(),
            count(row, "live").unwrap_or_default()
        )
    };
    let why = "they make the table grow and its scans slow; something may hold vacuum up (long transactions, slots)";
    let next = format!(
        "seawall pg vacuum-stats {name} shows them; VACUUM (VERBOSE, ANALYZE) with its name says what holds it up (seawall psql {name})"
    );
    let check = Check::new("Dead rows", Level::Yellow, format!("{} tables wait for vacuum", bad().count()));
    check.because(why, next).about(named(bad().map(one)))
}

fn sequences(rows: &[Row], name: &str) -> Check {
    let used = |row: &Row| {
        let figure = |field| number(row, field);
        let (last, min, max) = (figure("last_value")?, figure("min_value")?, figure("max_value")?);
        Some((percent(last - min, max - min)?, full_name(row, "sequence")))
    };
    let mut all: Vec<(f64, String)> =
        rows.iter().filter_map(used).filter(|(part, _)| *part >= USED.0).collect();
    all.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    let Some((most, _)) = all.first() else {
        return green("Sequences", format!("none is used up to {} %", USED.0));
    };
    let check =
        Check::new("Sequences", level(*most, USED.0, USED.1), format!("{} are nearly through", all.len()));
    let why = "when one is through, every INSERT that takes a number from it fails";
    let next = format!(
        "make its column bigint, then the sequence (ALTER SEQUENCE with its name AS bigint), ahead of time: the first rewrites the table (seawall psql {name})"
    );
    check.because(why, next).about(named(all.into_iter().map(|(part, whose)| format!("{whose}: {part} %"))))
}

fn unlogged(row: &Row) -> Option<Check> {
    let n = count(row, "unlogged")?;
    let level = if n > 0 { Level::Yellow } else { Level::Green };
    let check = Check::new("Unlogged tables", level, format!("{n}"));
    Some(check.because(
        "a crash empties them, and no standby and no backup of WAL has them",
        "ALTER TABLE … SET LOGGED, unless that is meant",
    ))
}

fn without_key(row: &Row) -> Option<Check> {
    // Nothing: there is no such table.
    let all = row.get("without_key")?.as_array().map(Vec::as_slice).unwrap_or_default();
    if all.is_empty() {
        return Some(green("Primary keys", "every table has one"));
    }
    let name = |one: &serde_json::Value| {
        one.get("name").and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
    };
    let check = Check::new("Primary keys", Level::Yellow, format!("{} tables have none", all.len()));
    let why = "rows cannot be told apart: logical replication and many tools need one";
    Some(check.because(why, "ALTER TABLE … ADD PRIMARY KEY (…)").about(named(all.iter().map(name))))
}
