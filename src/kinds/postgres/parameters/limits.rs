//! What parameters ask of the container together: processes against its limit, memory against its cap.
//!
//! Pure. Only what cannot be is refused; what is likely to end badly is a warning. Of what the manifest does not set,
//! PostgreSQL's own defaults are assumed, as an image's configuration is not known yet.

use super::settings::{Known, Table};
use super::value::{bytes_each, whole};
use crate::core::quantity::Bytes;
use crate::core::resource::Caps;
use crate::workload::hardening::PIDS_LIMIT;
use std::collections::BTreeMap;

/// Processes beside those that parameters count: init, postmaster, checkpointer, background writer, WAL writer,
/// launchers, archiver, summarizer, slot sync, logger, and a few that are started in the container for repairs.
const OTHERS: i64 = 32;

/// What each of these many is one process of, and how many there are unless set. Connections are first.
const PROCESSES: [(&str, i64); 5] = [
    ("max_connections", 100),
    ("max_wal_senders", 10),
    ("max_worker_processes", 8),
    ("autovacuum_max_workers", 3),
    ("io_workers", 3),
];

/// Memory that is reserved at the start: `shared_buffers`, and what is seldom set.
const MEMORY: [&str; 10] = [
    "shared_buffers",
    "wal_buffers",
    "min_dynamic_shared_memory",
    "commit_timestamp_buffers",
    "multixact_member_buffers",
    "multixact_offset_buffers",
    "notify_buffers",
    "serializable_buffers",
    "subtransaction_buffers",
    "transaction_buffers",
];

type Parameters = BTreeMap<String, String>;

/// What a parameter is set to, in its own unit, by the first table that has it.
fn set(known: Known, parameters: &Parameters, name: &str) -> Option<(i64, u64)> {
    let value = parameters.get(name)?;
    let setting = known.tables().iter().find_map(|table: &Table| table.get(name))?;
    Some((whole(setting, value)?, bytes_each(setting)))
}

/// The parameter that asks for too many, and why.
#[must_use]
pub fn too_many(known: Known, parameters: &Parameters) -> Option<(&'static str, String)> {
    let count = |name: &str, default| set(known, parameters, name).map_or(default, |(n, _)| n);
    let connections = count("max_connections", 100);
    let has = |name: &str| known.tables().iter().any(|table| table.get(name).is_some());
    let counts: Vec<(&str, i64)> =
        PROCESSES.into_iter().filter(|(name, _)| has(name)).map(|(name, n)| (name, count(name, n))).collect();
    let sum: i64 = counts.iter().map(|(_, n)| n).sum::<i64>() + OTHERS;
    if sum > PIDS_LIMIT {
        let asked = counts.iter().filter(|(name, _)| parameters.contains_key(*name)).max_by_key(|(_, n)| *n);
        let (name, n) = asked?;
        let most = PIDS_LIMIT - (sum - n);
        let advice = if most < 1 {
            format!("lower {} too", others(&counts, name))
        } else {
            format!("at most {most} can be reached beside {}", others(&counts, name))
        };
        return Some((
            name,
            format!(
                "{name} {n} cannot be reached: the container has at most {PIDS_LIMIT} processes; {advice}, and {OTHERS} of the server's own"
            ),
        ));
    }
    let reserved =
        count("superuser_reserved_connections", 3).saturating_add(count("reserved_connections", 0));
    if reserved >= connections {
        let named = ["max_connections", "superuser_reserved_connections", "reserved_connections"];
        let name = named.into_iter().find(|name| parameters.contains_key(*name))?;
        return Some((
            name,
            format!(
                "max_connections {connections} must be more than the {reserved} that superuser_reserved_connections and reserved_connections keep back; the server does not start otherwise"
            ),
        ));
    }
    None
}

fn others(counts: &[(&str, i64)], name: &str) -> String {
    let list: Vec<String> =
        counts.iter().filter(|(other, _)| *other != name).map(|(other, n)| format!("{other} {n}")).collect();
    list.join(", ")
}

/// The parameter to look at, and what is likely to end badly, though the server would start with it.
#[must_use]
pub fn warning(parameters: &Parameters, caps: &Caps) -> Option<(&'static str, String)> {
    let cap = caps.memory?.0;
    let taken = MEMORY.map(|name| {
        let amount = set(Known::Nothing, parameters, name)
            .and_then(|(n, each)| u64::try_from(n).ok()?.checked_mul(each));
        (name, amount.unwrap_or(0))
    });
    let sum: u64 = taken.iter().fold(0, |sum, (_, n)| sum.saturating_add(*n));
    if sum <= cap / 4 * 3 {
        return None;
    }
    let (name, _) = taken.iter().max_by_key(|(_, n)| *n)?;
    let list: Vec<String> =
        taken.iter().filter(|(_, n)| *n > 0).map(|(name, n)| format!("{name} {}", Bytes(*n))).collect();
    Some((
        name,
        format!(
            "{} of the {} that resources.memory allows leaves {} for sessions; the kernel ends the server when it needs more; a quarter of the memory is usual, {}",
            list.join(", "),
            Bytes(cap),
            if sum >= cap { "nothing".to_owned() } else { format!("only {}", Bytes(cap - sum)) },
            Bytes(cap / 4 / Bytes::MI * Bytes::MI),
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(text: &str) -> Parameters {
        let pairs = text.split_whitespace().filter_map(|pair| pair.split_once('='));
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    fn known() -> Known {
        Known::of(Some("18"), None)
    }

    #[test]
    fn what_a_container_cannot_hold_is_refused_with_the_number_that_it_can() {
        // 4096 - 10 - 8 - 3 - 3 - 32
        for (text, want) in [
            ("max_connections=4040", None),
            ("max_connections=4041", Some(("max_connections", "at most 4040 can be reached"))),
            ("max_connections=0x1000", Some(("max_connections", "max_connections 4096 cannot be reached"))),
            ("max_connections=4000 max_worker_processes=100", Some(("max_connections", "at most 3948 can"))),
            ("max_wal_senders=5000", Some(("max_wal_senders", "max_connections 100"))),
            (
                "max_connections=4000 max_worker_processes=4000",
                Some(("max_worker_processes", "at most 48 can")),
            ),
            (
                "max_connections=5000 max_worker_processes=5000",
                Some(("max_worker_processes", "lower max_connections 5000")),
            ),
            ("max_connections=3", Some(("max_connections", "more than the 3"))),
            ("max_connections=4", None),
            ("max_connections=20 reserved_connections=17", Some(("max_connections", "more than the 20"))),
            (
                "superuser_reserved_connections=100",
                Some(("superuser_reserved_connections", "more than the 100")),
            ),
            ("max_connections=lots", None),
            ("", None),
        ] {
            for known in [known(), Known::Nothing] {
                let got = too_many(known, &parameters(text));
                match (&got, want) {
                    (None, None) => {}
                    (Some((name, why)), Some((at, needle))) if *name == at && why.contains(needle) => {}
                    _ => panic!("{text}: {got:?}"),
                }
            }
        }
    }

    #[test]
    fn what_a_major_does_not_have_takes_no_process() {
        let of = |version| too_many(Known::of(Some(version), None), &parameters("max_connections=9999"));
        assert!(of("17").unwrap().1.contains("at most 4043"), "{:?}", of("17"));
        assert!(of("18").unwrap().1.contains("at most 4040"), "{:?}", of("18"));
    }

    #[test]
    fn memory_that_is_taken_at_the_start_is_compared_with_the_cap() {
        for (text, cap, want) in [
            ("shared_buffers=128MB", Some(512), None),
            ("shared_buffers=384MB", Some(512), None),
            ("shared_buffers=385MB", Some(512), Some(("shared_buffers", "leaves only 127Mi for sessions"))),
            ("shared_buffers=65536", Some(512), Some(("shared_buffers", "leaves nothing for sessions"))),
            ("shared_buffers=8GB", Some(512), Some(("shared_buffers", "is usual, 128Mi"))),
            ("shared_buffers=8GB", None, None),
            (
                "shared_buffers=200MB min_dynamic_shared_memory=300MB",
                Some(512),
                Some((
                    "min_dynamic_shared_memory",
                    "shared_buffers 200Mi, min_dynamic_shared_memory 300Mi of the 512Mi",
                )),
            ),
            ("wal_buffers=-1 shared_buffers=128MB", Some(512), None),
            ("work_mem=8GB", Some(512), None),
        ] {
            let caps = Caps { memory: cap.map(|n| Bytes(n * Bytes::MI)), ..Caps::default() };
            let got = warning(&parameters(text), &caps);
            match (&got, want) {
                (None, None) => {}
                (Some((name, why)), Some((at, needle))) if *name == at && why.contains(needle) => {}
                _ => panic!("{text}: {got:?}"),
            }
        }
    }
}
