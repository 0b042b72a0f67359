//! Who is on the server, and who waits for whom.

use super::{Facts, green, level, named, of, of_one};
use crate::core::diagnosis::{Check, Level};
use crate::core::duration::human;
use crate::kinds::postgres::inspect::table::{Row, count, number, percent, word};

/// Seconds from which on a statement or a transaction is long; and long enough to hold others up.
const LONG: (f64, f64) = (300.0, 3600.0);
/// The same of a transaction that does nothing.
const IDLE: (f64, f64) = (60.0, 600.0);
/// And of somebody who waits for a lock.
const WAITS: (f64, f64) = (5.0, 60.0);
/// Percent of the connections that applications may have.
const CROWDED: (f64, f64) = (80.0, 95.0);

fn seconds(secs: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "seconds, from 0")]
    human(secs.max(0.0) as u64)
}

pub fn checks(facts: &Facts<'_>) -> Vec<Check> {
    let name = facts.name();
    let kill = format!("seawall pg ps {name}, then seawall pg kill {name} PID");
    let of_state = |check: &str,
                    bounds: (f64, f64),
                    field: &'static str,
                    is: fn(&str) -> bool,
                    what: &str,
                    why: &str| {
        of(check, &facts.sessions, |rows| {
            let long = rows.iter().filter(|row| is(word(row, "state")));
            let long: Vec<(f64, &Row)> = long.filter_map(|row| Some((number(row, field)?, row))).collect();
            let longest = long.iter().map(|(secs, _)| *secs).fold(0.0, f64::max);
            let level = level(longest, bounds.0, bounds.1);
            if level == Level::Green {
                return green(check, format!("none {what} for {} or more", seconds(bounds.0)));
            }
            let long = || long.iter().filter(|(secs, _)| *secs >= bounds.0);
            let found = format!(
                "{} {what} for {} or more, the longest for {}",
                long().count(),
                seconds(bounds.0),
                seconds(longest)
            );
            let one = |(secs, row): &(f64, &Row)| {
                let pid = count(row, "pid").unwrap_or_default();
                format!("{pid} of {} in {}: {}", word(row, "username"), word(row, "database"), seconds(*secs))
            };
            Check::new(check, level, found).because(why, kill.clone()).about(named(long().map(one)))
        })
    };
    vec![
        of_one("Connections", &facts.info, |row| connections(row, name)),
        of_state(
            "Long queries",
            LONG,
            "running_for",
            |state| state == "active",
            "runs",
            "they use the disk and memory of everybody, and hold locks",
        ),
        of_state(
            "Long transactions",
            LONG,
            "transaction_for",
            |_| true,
            "is open",
            "vacuum removes no row that one of them might still see, and what they locked stays locked",
        ),
        of_state(
            "Idle in transaction",
            IDLE,
            "state_for",
            |state| state.starts_with("idle in transaction"),
            "waits for its application in a transaction",
            "its locks are kept while nothing happens: set idle_in_transaction_session_timeout in spec.parameters",
        ),
        of("Blocking queries", &facts.blocking, |rows| {
            blocking(rows, &format!("seawall pg blocking {name}, then seawall pg kill {name} PID"))
        }),
        of_one("Prepared transactions", &facts.rest, |row| prepared(row, facts)),
    ]
}

fn connections(row: &Row, name: &str) -> Option<Check> {
    let max = number(row, "max_connections")?;
    let kept = number(row, "reserved_for_superusers")? + number(row, "reserved_for_some").unwrap_or(0.0);
    let (used, may) = (number(row, "connections")?, max - kept);
    let part = percent(used, may)?;
    let found = format!("{used} of {may} connections that applications may have are in use ({part} %)");
    let next = format!(
        "seawall pg ps {name} --verbose shows whose they are; end idle ones, pool them, or raise max_connections in spec.parameters (restarts the server)"
    );
    let why = "when all are in use nobody else gets in";
    Some(Check::new("Connections", level(part, CROWDED.0, CROWDED.1), found).because(why, next))
}

fn blocking(rows: &[Row], kill: &str) -> Check {
    let waits = rows.iter().filter_map(|row| Some((number(row, "blocked_duration")?, row)));
    let longest = waits.clone().map(|(secs, _)| secs).fold(0.0, f64::max);
    let level = level(longest, WAITS.0, WAITS.1);
    if level == Level::Green {
        return green(
            "Blocking queries",
            format!("nobody waits for another one for {} or more", seconds(WAITS.0)),
        );
    }
    let one = |(secs, row): (f64, &Row)| {
        let (blocked, by) = (count(row, "blocked_pid"), count(row, "blocking_pid"));
        format!(
            "{} waits for {} ({}) for {}",
            blocked.unwrap_or_default(),
            by.unwrap_or_default(),
            word(row, "blocking_state"),
            seconds(secs)
        )
    };
    let found = format!(
        "{} wait for a lock of another one, the longest for {}",
        waits.clone().count(),
        seconds(longest)
    );
    let why = "who waits does nothing, and those who come after wait behind";
    Check::new("Blocking queries", level, found).because(why, kill).about(named(waits.map(one)))
}

fn prepared(row: &Row, facts: &Facts<'_>) -> Option<Check> {
    let check = "Prepared transactions";
    let n = count(row, "prepared")?;
    if n == 0 {
        return Some(green(check, "none"));
    }
    let old = number(row, "prepared_for").unwrap_or_default();
    let level = if old >= LONG.1 { Level::Red } else { Level::Yellow };
    let why = "they outlive sessions and restarts, keep their locks, and hold up vacuum";
    let next = format!(
        "{} -c 'TABLE pg_prepared_xacts' shows them; whoever prepared each knows whether it is to be committed or rolled back",
        facts.psql
    );
    Some(Check::new(check, level, format!("{n}, the oldest for {}", seconds(old))).because(why, next))
}
