//! How much a server may hold, from what its container may use. Pure. Redis sees the host's memory and not the
//! container's: without `maxmemory` the kernel kills it when the container is full. While it saves, a forked process
//! keeps old pages, so that a part of the container stays free.

use super::config::EvictionPolicy;
use crate::core::quantity::Bytes;

/// A container smaller than this is full before there is any data in it.
pub const LEAST: Bytes = Bytes(64 * Bytes::MI);
/// Of the cap: what is taken by itself, and what may be asked for.
const DEFAULT_PERCENT: u64 = 60;
const MOST_PERCENT: u64 = 75;

fn share(cap: Bytes, percent: u64) -> Bytes {
    // u128: a cap may be any number.
    Bytes(u64::try_from(u128::from(cap.0) * u128::from(percent) / 100).unwrap_or(cap.0))
}

/// `maxmemory` for a memory cap and what the manifest asks for; `None`: there is no limit.
///
/// # Errors
/// When both cannot be, with both numbers.
pub fn maxmemory(cap: Option<Bytes>, asked: Option<Bytes>) -> Result<Option<Bytes>, String> {
    let Some(cap) = cap else { return Ok(asked.filter(|asked| asked.0 > 0)) };
    if cap < LEAST {
        return Err(format!("the memory limit is {cap}; Redis needs at least {LEAST}"));
    }
    let most = share(cap, MOST_PERCENT);
    match asked {
        None => Ok(Some(share(cap, DEFAULT_PERCENT))),
        Some(Bytes(0)) => Err(format!(
            "maxmemory cannot be 0, which is no limit: the memory limit is {cap}, and the kernel would end a server that reaches it; write at most {}, or leave it out",
            in_words(most)
        )),
        Some(asked) if asked > most => Err(format!(
            "maxmemory is {}, more than {MOST_PERCENT} % of the memory limit of {cap}: while it saves, Redis needs more than its data, and the kernel would end it; write at most {}, or raise the memory limit to {}",
            in_words(asked),
            in_words(most),
            Bytes(
                (u128::from(asked.0) * 100)
                    .div_ceil(u128::from(MOST_PERCENT * Bytes::MI))
                    .try_into()
                    .unwrap_or(u64::MAX)
                    .saturating_mul(Bytes::MI)
            )
        )),
        Some(asked) => Ok(Some(asked)),
    }
}

/// Which of the container's cap and the server's `maxmemory` changes first, so that the server is never allowed more than
/// the container has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum First {
    Cap,
    Maxmemory,
}

/// `None` as a cap is no cap.
#[must_use]
pub fn first(from: Option<Bytes>, to: Option<Bytes>) -> First {
    match (from, to) {
        (None, Some(_)) => First::Maxmemory,
        (Some(from), Some(to)) if to < from => First::Maxmemory,
        _ => First::Cap,
    }
}

/// What a lower `maxmemory` costs at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cost {
    /// Keys are lost: not without the user's word.
    Evicts(String),
    /// Writes fail until there is room again; reads and deletes go on.
    RefusesWrites(String),
}

/// `used` without what does not count against it. `None`: it costs nothing.
#[must_use]
pub fn cost(used: Bytes, maxmemory: Option<Bytes>, policy: EvictionPolicy) -> Option<Cost> {
    let maxmemory = maxmemory.filter(|limit| used > *limit)?;
    let numbers =
        format!("the data takes {}, and maxmemory would be {}", in_words(used), in_words(maxmemory));
    let policy_word = policy.as_str();
    Some(if policy == EvictionPolicy::Noeviction {
        Cost::RefusesWrites(format!("{numbers}: writes would fail until keys are deleted"))
    } else if policy_word.starts_with("volatile") {
        Cost::Evicts(format!(
            "{numbers}: by evictionPolicy {policy_word} keys with a time to live would be lost, and then writes would fail"
        ))
    } else {
        Cost::Evicts(format!("{numbers}: by evictionPolicy {policy_word} keys would be lost"))
    })
}

/// As redis.conf has it, rounded down: `96mb`.
fn in_words(bytes: Bytes) -> String {
    match bytes.0 {
        n if n >= Bytes::MI => format!("{}mb", n / Bytes::MI),
        n => format!("{n} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mi(n: u64) -> Bytes {
        Bytes(n << 20)
    }

    #[test]
    fn from_the_cap_and_what_is_asked_for() {
        for (cap, asked, want) in [
            (None, None, Ok(None)),
            (None, Some(mi(500)), Ok(Some(mi(500)))),
            (None, Some(Bytes(0)), Ok(None)),
            (Some(mi(100)), None, Ok(Some(mi(60)))),
            (Some(mi(64)), None, Ok(Some(Bytes(64 * (1 << 20) * 60 / 100)))),
            (Some(mi(63)), None, Err("the memory limit is 63Mi; Redis needs at least 64Mi")),
            (Some(mi(100)), Some(mi(75)), Ok(Some(mi(75)))),
            (Some(mi(100)), Some(mi(1)), Ok(Some(mi(1)))),
            (
                Some(mi(100)),
                Some(mi(90)),
                Err("maxmemory is 90mb, more than 75 % of the memory limit of 100Mi"),
            ),
            (Some(mi(100)), Some(mi(90)), Err("write at most 75mb, or raise the memory limit to 120Mi")),
            (Some(mi(100)), Some(Bytes(0)), Err("maxmemory cannot be 0")),
            (Some(Bytes(u64::MAX)), Some(Bytes(u64::MAX)), Err("more than 75 %")),
        ] {
            match (maxmemory(cap, asked), want) {
                (Ok(got), Ok(want)) => assert_eq!(got, want, "{cap:?} {asked:?}"),
                (Err(got), Err(want)) => assert!(got.contains(want), "{got}"),
                (got, want) => panic!("{cap:?} {asked:?}: {got:?}, not {want:?}"),
            }
        }
    }

    #[test]
    fn the_server_never_may_use_more_than_there_is() {
        for (from, to, want) in [
            (Some(mi(100)), Some(mi(200)), First::Cap),
            (Some(mi(200)), Some(mi(100)), First::Maxmemory),
            (Some(mi(100)), Some(mi(100)), First::Cap),
            (None, Some(mi(100)), First::Maxmemory),
            (Some(mi(100)), None, First::Cap),
            (None, None, First::Cap),
        ] {
            assert_eq!(first(from, to), want, "{from:?} {to:?}");
        }
    }

    #[test]
    fn what_lowering_costs_is_said_with_both_numbers() {
        use EvictionPolicy::{AllkeysLru, Noeviction, VolatileTtl};
        assert_eq!(cost(mi(50), Some(mi(50)), AllkeysLru), None);
        assert_eq!(cost(mi(50), None, AllkeysLru), None);
        for (policy, needle) in [
            (Noeviction, "takes 50mb, and maxmemory would be 40mb: writes would fail"),
            (
                AllkeysLru,
                "takes 50mb, and maxmemory would be 40mb: by evictionPolicy allkeys-lru keys would be lost",
            ),
            (VolatileTtl, "time to live would be lost, and then writes"),
        ] {
            let cost = cost(mi(50), Some(mi(40)), policy).unwrap();
            let (Cost::Evicts(words) | Cost::RefusesWrites(words)) = &cost;
            assert!(words.contains(needle), "{words}");
            assert_eq!(matches!(cost, Cost::Evicts(_)), policy != Noeviction);
        }
    }
}
