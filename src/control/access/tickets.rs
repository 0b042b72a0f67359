//! What links that sign somebody in have in them, each for one use: hashes in memory, which are forgotten after ten minutes or with the process. Pure.

use crate::secrets::TokenHash;

/// Milliseconds in which one can be used.
pub const LASTS: u64 = 600_000;
/// At once. The next one ends the oldest of them: whoever may make one may make them all.
const MOST: usize = 16;

struct Ticket {
    hash: TokenHash,
    /// Who made it.
    by: String,
    until: u64,
}

/// See the module; the oldest first.
#[derive(Default)]
pub struct Tickets(Vec<Ticket>);

impl Tickets {
    pub fn put(&mut self, hash: TokenHash, by: String, clock: u64) {
        self.0.retain(|ticket| ticket.until > clock);
        if self.0.len() >= MOST {
            self.0.remove(0);
        }
        self.0.push(Ticket { hash, by, until: clock.saturating_add(LASTS) });
    }

    /// Who made the one with this hash. It is used then.
    pub fn take(&mut self, hash: &TokenHash, clock: u64) -> Option<String> {
        let at = self.0.iter().position(|ticket| ticket.until > clock && ticket.hash.is(hash))?;
        Some(self.0.remove(at).by)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::token;

    #[test]
    fn a_link_is_used_once_and_in_time() {
        let mut tickets = Tickets::default();
        let hashes: Vec<_> = (0..4).map(|_| TokenHash::of(&token())).collect();
        for hash in &hashes[..3] {
            tickets.put(hash.clone(), "root".to_owned(), 0);
        }
        assert_eq!(tickets.take(&hashes[3], 0), None, "nobody made it");
        assert_eq!(tickets.take(&hashes[0], LASTS - 1).as_deref(), Some("root"));
        assert_eq!(tickets.take(&hashes[0], LASTS - 1), None, "it was used");
        assert_eq!(tickets.take(&hashes[1], LASTS), None, "it is too old");
    }

    #[test]
    fn there_are_no_more_than_so_many_and_the_oldest_goes() {
        let mut tickets = Tickets::default();
        let hashes: Vec<_> = (0..=MOST).map(|_| TokenHash::of(&token())).collect();
        for (at, hash) in hashes.iter().enumerate() {
            tickets.put(hash.clone(), String::new(), u64::try_from(at).unwrap());
        }
        assert_eq!(tickets.0.len(), MOST);
        assert!(tickets.take(&hashes[0], 20).is_none() && tickets.take(&hashes[1], 20).is_some());
        tickets.put(hashes[0].clone(), String::new(), LASTS + 100);
        assert_eq!(tickets.0.len(), 1, "those that are over go first");
    }
}
