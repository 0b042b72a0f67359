//! Host ports of one installation: who has which, and which is free.
//!
//! The book is filled from the store at start; the store's record is what counts after a crash. A
//! bind test is a hint only: the truth is the engine's answer at start.

use crate::core::member::{Member, take_all};
use crate::core::names::ObjectRef;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Port → whose container publishes it, never two for one port.
#[derive(Debug, Default)]
pub struct PortBook {
    book: Mutex<Book>,
}

#[derive(Debug, Default)]
struct Book {
    taken: BTreeMap<u16, Member>,
    /// The same from the other side.
    of: BTreeMap<Member, u16>,
    /// Objects without a manifest: their ports are kept for when it comes back.
    retained: BTreeSet<ObjectRef>,
}

impl Book {
    fn release(&mut self, member: &Member) {
        if let Some(port) = self.of.remove(member) {
            self.taken.remove(&port);
        }
    }
}

impl PortBook {
    fn lock(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Another one that has `port`.
    #[must_use]
    pub fn holder(&self, port: u16, member: &Member) -> Option<Member> {
        self.lock().taken.get(&port).filter(|o| *o != member).cloned()
    }

    /// Whether the object has a manifest or keeps its port without one.
    pub fn set_retained(&self, object: &ObjectRef, retained: bool) {
        let mut book = self.lock();
        if retained {
            book.retained.insert(object.clone());
        } else {
            book.retained.remove(object);
        }
    }

    #[must_use]
    pub fn is_retained(&self, object: &ObjectRef) -> bool {
        self.lock().retained.contains(object)
    }

    /// The first port from `from` upward that nobody has, that is not in `refused` and that can be
    /// bound on 127.0.0.1 right now.
    #[must_use]
    pub fn free(&self, from: u16, refused: &BTreeSet<u16>) -> Option<u16> {
        let mut from = from;
        loop {
            // The lock is not held while the system is asked.
            let port = gap(&self.lock().taken, from, refused)?;
            if can_bind(port) {
                return Some(port);
            }
            from = port.checked_add(1)?;
        }
    }

    /// As [`PortBook::free`], and already given to `member`: two services made at once never get one
    /// port. The reservation lives in memory until a step makes it durable.
    pub fn lease(&self, from: u16, refused: &BTreeSet<u16>, member: &Member) -> Option<u16> {
        // One that waits for others is asked for again and again.
        let promised = self.lock().of.get(member).copied();
        if let Some(port) =
            promised.filter(|port| *port >= from && !refused.contains(port) && can_bind(*port))
        {
            return Some(port);
        }
        let mut from = from;
        loop {
            let port = self.free(from, refused)?;
            if self.reserve(port, member) {
                return Some(port);
            }
            from = port.checked_add(1)?;
        }
    }

    /// Gives `port` to `member`; false when another one has it. Its earlier port is freed.
    pub fn reserve(&self, port: u16, member: &Member) -> bool {
        let mut book = self.lock();
        if book.taken.get(&port).is_some_and(|o| o != member) {
            return false;
        }
        book.release(member);
        book.taken.insert(port, member.clone());
        book.of.insert(member.clone(), port);
        true
    }

    /// All ports of an object.
    pub fn release(&self, object: &ObjectRef) {
        let mut book = self.lock();
        for port in take_all(&mut book.of, object) {
            book.taken.remove(&port);
        }
    }
}

/// The first port from `from` upward that is neither taken nor refused: one walk along the taken ones.
fn gap(taken: &BTreeMap<u16, Member>, from: u16, refused: &BTreeSet<u16>) -> Option<u16> {
    let mut port = from;
    let mut keys = taken.range(from..).map(|(port, _)| *port).peekable();
    while keys.next_if_eq(&port).is_some() || refused.contains(&port) {
        port = port.checked_add(1)?;
    }
    Some(port)
}

/// Rust sets SO_REUSEADDR on listeners, so that a port in TIME_WAIT counts as free, as for Docker.
fn can_bind(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// Whether a process of this host listens on it; where that cannot be found out, the start of a container will.
#[must_use]
pub fn is_bound(port: u16) -> bool {
    let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    bound.is_err_and(|error| error.kind() == std::io::ErrorKind::AddrInUse)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::member::Role;

    #[test]
    fn the_first_gap_is_found() {
        let member = Member::from("postgres/a".parse::<ObjectRef>().unwrap());
        let taken = |ports: &[u16]| ports.iter().map(|p| (*p, member.clone())).collect();
        for (list, refused, from, want) in [
            (vec![], vec![], 5432, Some(5432)),
            (vec![5432, 5433, 5435], vec![], 5432, Some(5434)),
            (vec![5432, 5433], vec![5434, 5436], 5432, Some(5435)),
            (vec![5431, 5433], vec![5433], 5433, Some(5434)),
            (vec![65535], vec![65534], 65534, None),
        ] {
            assert_eq!(gap(&taken(&list), from, &refused.into_iter().collect()), want, "{list:?}");
        }
    }

    #[test]
    fn a_port_has_one_owner() {
        let book = PortBook::default();
        let of = |object: &str, role: Role| Member { object: object.parse().unwrap(), role };
        let (a, b) = (of("postgres/a", Role::default()), of("postgres/b", Role::default()));
        let (one, two) =
            (of("postgres/a", Role::parse("1").unwrap()), of("postgres/a", Role::parse("2").unwrap()));
        let held = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let first = held.local_addr().unwrap().port();
        let free = book.free(first, &BTreeSet::new()).unwrap();
        assert!(free > first, "a bound port is skipped");
        assert!(is_bound(first) && !is_bound(free));
        let none = BTreeSet::new();
        assert_eq!(book.lease(free, &none, &a), Some(free));
        assert_eq!(book.lease(free, &none, &a), Some(free), "asked for again");
        assert_ne!(book.lease(free, &BTreeSet::from([free]), &a), Some(free), "not that one");
        assert!(book.reserve(free, &a));
        assert!(!book.reserve(free, &b));
        assert_eq!(book.holder(free, &b), Some(a.clone()));
        assert_eq!(book.holder(free, &a), None);
        assert!(book.free(free, &BTreeSet::new()).unwrap() > free);
        assert!(!book.reserve(free, &one), "another member of the same object");
        assert!(book.reserve(free + 1, &two));
        book.release(&a.object);
        assert!(book.reserve(free, &b) && book.reserve(free + 1, &one), "all of its members' are free");
    }
}
