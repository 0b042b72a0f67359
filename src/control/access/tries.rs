//! How often tokens may be tried that open nothing, from one address and in all; pure, on a clock of milliseconds.
//!
//! Who tries too often waits, whatever the next token is. Who was let in a while ago waits only for what came from there.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

/// Ten at once from one address, then one in six seconds.
const OF_ONE: Pace = Pace { each: 6_000, at_once: 10 };
/// A hundred at once from everywhere, then one in 600 ms: who has many addresses gets no further.
const OF_ALL: Pace = Pace { each: 600, at_once: 100 };
/// Who was let in is known for so long.
const KNOWN: u64 = 24 * 3_600_000;
/// Addresses that are remembered.
pub const MOST: usize = 4_096;

struct Pace {
    /// Milliseconds that one try takes back.
    each: u64,
    at_once: u64,
}

impl Pace {
    /// Milliseconds until another one may be made by who has used up the time until `spent`.
    fn wait(&self, spent: u64, now: u64) -> u64 {
        spent.saturating_sub(now.saturating_add(self.each * (self.at_once - 1)))
    }

    fn spend(&self, spent: u64, now: u64) -> u64 {
        spent.max(now).saturating_add(self.each)
    }
}

/// From where somebody tries: an address, or the network of 64 bits that one subscriber has in IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Source(IpAddr);

impl Source {
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(v6) => {
                let [a, b, c, d, ..] = v6.segments();
                Self(IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0)))
            }
            v4 @ IpAddr::V4(_) => Self(v4),
        }
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            IpAddr::V4(address) => address.fmt(f),
            IpAddr::V6(network) => write!(f, "{network}/64"),
        }
    }
}

#[derive(Clone, Copy, Default)]
struct One {
    spent: u64,
    /// Until when it is known to have been let in.
    known: u64,
}

/// See the module.
#[derive(Default)]
pub struct Tries {
    of: BTreeMap<Source, One>,
    spent: u64,
}

impl Tries {
    /// Milliseconds until this one may try again; 0: now.
    #[must_use]
    pub fn wait(&self, source: Source, now: u64) -> u64 {
        let one = self.of.get(&source).copied().unwrap_or_default();
        let of_all = if one.known > now { 0 } else { OF_ALL.wait(self.spent, now) };
        OF_ONE.wait(one.spent, now).max(of_all)
    }

    pub fn failed(&mut self, source: Source, now: u64) {
        self.spent = OF_ALL.spend(self.spent, now);
        let one = self.entry(source, now);
        one.spent = OF_ONE.spend(one.spent, now);
    }

    pub fn let_in(&mut self, source: Source, now: u64) {
        self.entry(source, now).known = now.saturating_add(KNOWN);
    }

    /// Where there is no room, whoever is over soonest makes it.
    fn entry(&mut self, source: Source, now: u64) -> &mut One {
        if !self.of.contains_key(&source) && self.of.len() >= MOST {
            self.of.retain(|_, one| one.spent.max(one.known) > now);
            if self.of.len() >= MOST {
                let first = self.of.iter().min_by_key(|(_, one)| one.spent.max(one.known));
                let first = first.map(|(source, _)| *source);
                first.map(|first| self.of.remove(&first));
            }
        }
        self.of.entry(source).or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(address: &str) -> Source {
        Source::of(address.parse().unwrap())
    }

    #[test]
    fn one_subscriber_is_one_source() {
        for (a, b, same) in [
            ("10.0.0.1", "10.0.0.1", true),
            ("10.0.0.1", "10.0.0.2", false),
            ("10.0.0.1", "::ffff:10.0.0.1", true),
            ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true),
            ("2001:db8:1:2::1", "2001:db8:1:3::1", false),
        ] {
            assert_eq!(at(a) == at(b), same, "{a} {b}");
        }
        assert_eq!(at("2001:db8:1:2::1").to_string(), "2001:db8:1:2::/64");
        assert_eq!(at("::ffff:10.0.0.1").to_string(), "10.0.0.1");
    }

    #[test]
    fn ten_at_once_from_one_address_then_one_in_six_seconds_and_nobody_else_waits() {
        let (mut tries, a, b) = (Tries::default(), at("10.0.0.1"), at("10.0.0.2"));
        for _ in 0..10 {
            assert_eq!(tries.wait(a, 1_000), 0);
            tries.failed(a, 1_000);
        }
        for (now, wait) in [(1_000, 6_000), (4_000, 3_000), (6_999, 1), (7_000, 0)] {
            assert_eq!(tries.wait(a, now), wait, "{now}");
        }
        assert_eq!(tries.wait(b, 1_000), 0);
        tries.failed(a, 7_000);
        assert_eq!(tries.wait(a, 7_000), 6_000);
        // What was long ago is forgotten.
        assert_eq!(tries.wait(a, 700_000), 0);
    }

    #[test]
    fn many_addresses_get_no_further_and_who_is_known_is_not_kept_out_by_them() {
        let (mut tries, known) = (Tries::default(), at("10.9.9.9"));
        tries.let_in(known, 0);
        let other = |n: u32| Source::of(IpAddr::from(n.to_be_bytes()));
        for n in 0..100 {
            assert_eq!(tries.wait(other(n), 0), 0, "{n}");
            tries.failed(other(n), 0);
        }
        assert_eq!(tries.wait(other(100), 0), 600);
        assert_eq!(tries.wait(other(100), 600), 0);
        assert_eq!(tries.wait(known, 0), 0);
        // Not for ever, and not for its own wrong ones.
        assert_eq!(tries.wait(known, KNOWN), 0);
        for _ in 0..10 {
            tries.failed(known, 10);
        }
        assert_eq!(tries.wait(known, 10), 6_000);
    }

    #[test]
    fn what_is_remembered_is_bounded_and_the_latest_stays() {
        let mut tries = Tries::default();
        let other = |n: u32| Source::of(IpAddr::from((n + 1).to_be_bytes()));
        let most = u32::try_from(MOST).unwrap();
        for n in 0..most * 2 {
            tries.failed(other(n), u64::from(n));
        }
        assert_eq!(tries.of.len(), MOST);
        assert!(tries.of.contains_key(&other(most * 2 - 1)) && !tries.of.contains_key(&other(0)));
        // Long after, all of them make room.
        tries.failed(at("1.1.1.1"), u64::from(u32::MAX));
        assert_eq!(tries.of.len(), 1);
    }
}
