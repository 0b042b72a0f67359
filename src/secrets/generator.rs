//! Random values from the operating system's generator: passwords and ids.
//!
//! It never falls back to a weaker source: when the system has no randomness, it stops the program.

use super::{Secret, hex};
use aes_gcm::aead::Generate;
use zeroize::Zeroizing;

/// Characters in a generated password; each carries log2(62) ≈ 5.95 bits, so ≈ 190 bits in all.
pub const PASSWORD_LENGTH: usize = 32;

const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// A password of [`PASSWORD_LENGTH`] letters and digits: nothing that needs quoting anywhere.
#[must_use]
pub fn password() -> Secret {
    let mut text = String::with_capacity(PASSWORD_LENGTH);
    while text.len() < PASSWORD_LENGTH {
        let bytes = Zeroizing::new(<[u8; 64]>::generate());
        let room = PASSWORD_LENGTH - text.len();
        text.extend(bytes.iter().filter_map(|b| letter(*b)).take(room));
    }
    Secret::from(text)
}

/// 64 random bits as 16 hex characters, for uids and store ids.
#[must_use]
pub fn random_id() -> String {
    hex::encode(&<[u8; 8]>::generate())
}

/// Bytes from 248 up are thrown away: 248 = 4 × 62, so that every letter stays equally likely.
fn letter(byte: u8) -> Option<char> {
    (byte < 248).then(|| char::from(ALPHABET[usize::from(byte) % ALPHABET.len()]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;
    use std::collections::{BTreeMap, BTreeSet};

    #[test]
    fn passwords_are_long_plain_and_different() {
        let mut seen = BTreeSet::new();
        for _ in 0..500 {
            let p = password();
            assert_eq!(p.expose_secret().len(), PASSWORD_LENGTH);
            assert!(p.expose_secret().bytes().all(|b| b.is_ascii_alphanumeric()));
            assert!(seen.insert(p.expose_secret().to_owned()));
            assert!(!format!("{p:?}").contains(p.expose_secret()));
        }
    }

    #[test]
    fn every_letter_is_equally_likely() {
        let mut count: BTreeMap<char, usize> = BTreeMap::new();
        for c in (0..=255).filter_map(letter) {
            *count.entry(c).or_default() += 1;
        }
        assert_eq!(count.len(), 62);
        assert!(count.values().all(|n| *n == 4), "{count:?}");
    }

    #[test]
    fn ids_are_sixteen_hex_characters_and_different() {
        let ids: BTreeSet<String> = (0..500).map(|_| random_id()).collect();
        assert_eq!(ids.len(), 500);
        assert!(ids.iter().all(|id| id.len() == 16 && hex::decode(id).is_some()));
    }
}
