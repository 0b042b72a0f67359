//! Sealed envelopes: a secret under AEAD, bound to the key of the record that holds it.
//!
//! It never reuses a nonce and never returns a plaintext that was not authenticated.

use super::{ExposeSecret, Key, Keys, Secret, hex};
use aes_gcm::aead::{Aead, Generate, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, aead};
use chacha20poly1305::XChaCha20Poly1305;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use zeroize::Zeroizing;

/// The cipher of an envelope.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Algorithm {
    /// 96-bit random nonce: sound for 2³² seals with one key, far above what an installation makes.
    #[default]
    #[serde(rename = "AES-256-GCM")]
    Aes256Gcm,
    /// 192-bit random nonce.
    #[serde(rename = "XChaCha20-Poly1305")]
    XChaCha20Poly1305,
}

/// A sealed secret as it is stored; nothing in it needs hiding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Sealed {
    pub alg: Algorithm,
    /// [`Key::id`] of the key that sealed it.
    pub key_id: String,
    /// Hex.
    pub nonce: String,
    /// Hex, with the authentication tag at its end.
    pub ciphertext: String,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SealError {
    #[error("{record_key} is sealed with key {sealed_with}, the key file is {key}: use the right key file")]
    WrongKey { record_key: String, sealed_with: String, key: String },
    #[error("{record_key} was changed after it was sealed, or belongs to another record")]
    Tampered { record_key: String },
    #[error("could not seal {record_key}: the system gives no random numbers")]
    Random { record_key: String },
    #[error("could not seal {record_key}: it is too long for the cipher")]
    TooLong { record_key: String },
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Algorithm::Aes256Gcm => "AES-256-GCM",
            Algorithm::XChaCha20Poly1305 => "XChaCha20-Poly1305",
        })
    }
}

/// Seals with one key and one algorithm, opens with every key that is kept and every algorithm.
#[derive(Debug)]
pub struct Sealer(RwLock<Ring>);

#[derive(Debug)]
struct Ring {
    keys: Keys,
    alg: Algorithm,
}

impl Sealer {
    #[must_use]
    pub fn new(keys: impl Into<Keys>, alg: Algorithm) -> Self {
        Sealer(RwLock::new(Ring { keys: keys.into(), alg }))
    }

    fn ring(&self) -> RwLockReadGuard<'_, Ring> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self) -> RwLockWriteGuard<'_, Ring> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Seals for the record `record_key`; under another record key it does not open.
    ///
    /// # Errors
    /// `Random` or `TooLong`.
    pub fn seal(&self, record_key: &str, secret: &Secret) -> Result<Sealed, SealError> {
        let ring = self.ring();
        let (key, text) = (ring.keys.sealing(), secret.expose_secret().as_bytes());
        let (nonce, ciphertext) = match ring.alg {
            Algorithm::Aes256Gcm => seal_with::<Aes256Gcm>(key, record_key, text),
            Algorithm::XChaCha20Poly1305 => seal_with::<XChaCha20Poly1305>(key, record_key, text),
        }?;
        Ok(Sealed { alg: ring.alg, key_id: key.id(), nonce, ciphertext })
    }

    /// Opens what was sealed for `record_key`.
    ///
    /// # Errors
    /// `WrongKey` when another key sealed it, `Tampered` for everything else that does not open.
    pub fn open(&self, record_key: &str, sealed: &Sealed) -> Result<Secret, SealError> {
        let ring = self.ring();
        let Some(key) = ring.keys.find(&sealed.key_id) else {
            return Err(SealError::WrongKey {
                record_key: record_key.into(),
                sealed_with: sealed.key_id.clone(),
                key: ring.keys.current.id(),
            });
        };
        let bytes = match sealed.alg {
            Algorithm::Aes256Gcm => open_with::<Aes256Gcm>(key, record_key, sealed),
            Algorithm::XChaCha20Poly1305 => open_with::<XChaCha20Poly1305>(key, record_key, sealed),
        };
        bytes
            .and_then(|b| Some(Secret::from(std::str::from_utf8(&b).ok()?.to_owned())))
            .ok_or_else(|| SealError::Tampered { record_key: record_key.into() })
    }

    /// Names the key of new seals, see [`Key::id`].
    #[must_use]
    pub fn key_id(&self) -> String {
        self.ring().keys.sealing().id()
    }

    /// The cipher of new seals.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.ring().alg
    }

    /// All keys that are kept, the one in the key file first.
    #[must_use]
    pub fn key_ids(&self) -> Vec<String> {
        self.ring().keys.all().map(Key::id).collect()
    }

    /// The key file, if there is one, and what is in it.
    #[must_use]
    pub fn file(&self) -> Option<(PathBuf, Key)> {
        let ring = self.ring();
        Some((ring.keys.file.clone()?, ring.keys.current.clone()))
    }

    /// From now on everything is sealed so. What was sealed before still opens.
    pub fn seal_with(&self, next: Option<Key>, alg: Algorithm) {
        let mut ring = self.change();
        ring.alg = alg;
        if next.is_some() {
            ring.keys.next = next;
        }
    }

    /// Nothing is sealed with the old key any more: it is not kept.
    pub fn let_old_key_go(&self) {
        let mut ring = self.change();
        if let Some(next) = ring.keys.next.take() {
            ring.keys.current = next;
        }
    }
}

fn cipher<C: KeyInit>(key: &Key) -> Option<C> {
    C::new_from_slice(key.bytes()).ok()
}

fn seal_with<C: Aead + KeyInit>(
    key: &Key,
    record_key: &str,
    text: &[u8],
) -> Result<(String, String), SealError> {
    let nonce =
        aead::Nonce::<C>::try_generate().map_err(|_| SealError::Random { record_key: record_key.into() })?;
    cipher::<C>(key)
        .and_then(|c| c.encrypt(&nonce, Payload { msg: text, aad: record_key.as_bytes() }).ok())
        .map(|ciphertext| (hex::encode(&nonce), hex::encode(&ciphertext)))
        .ok_or_else(|| SealError::TooLong { record_key: record_key.into() })
}

fn open_with<C: Aead + KeyInit>(key: &Key, record_key: &str, sealed: &Sealed) -> Option<Zeroizing<Vec<u8>>> {
    let raw = hex::decode(&sealed.nonce)?;
    let nonce = <&aead::Nonce<C>>::try_from(raw.as_slice()).ok()?;
    let ciphertext = hex::decode(&sealed.ciphertext)?;
    let payload = Payload { msg: &ciphertext, aad: record_key.as_bytes() };
    cipher::<C>(key)?.decrypt(nonce, payload).ok().map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: [Algorithm; 2] = [Algorithm::Aes256Gcm, Algorithm::XChaCha20Poly1305];

    fn sealer(alg: Algorithm) -> Sealer {
        let dir = tempfile::tempdir().unwrap();
        Sealer::new(Key::create(&dir.path().join("k")).unwrap(), alg)
    }

    #[test]
    fn opens_what_it_sealed_with_either_algorithm() {
        for alg in BOTH {
            let s = sealer(alg);
            let other = Sealer::new(s.ring().keys.clone(), BOTH[usize::from(alg == BOTH[0])]);
            for text in ["", "x", "pässwörd", &"long".repeat(5000)] {
                let sealed = s.seal("secret/a", &Secret::from(text)).unwrap();
                assert_eq!(other.open("secret/a", &sealed).unwrap().expose_secret(), text);
                let json = serde_json::to_string(&sealed).unwrap();
                assert_eq!(serde_json::from_str::<Sealed>(&json).unwrap(), sealed);
                assert!(json.contains("\"keyId\""), "{json}");
                assert!(text.len() < 2 || !json.contains(text), "{json}");
            }
        }
    }

    #[test]
    fn two_seals_of_one_secret_differ() {
        for alg in BOTH {
            let (s, secret) = (sealer(alg), Secret::from("x"));
            let (a, b) = (s.seal("k", &secret).unwrap(), s.seal("k", &secret).unwrap());
            assert_ne!(a.nonce, b.nonce);
            assert_ne!(a.ciphertext, b.ciphertext);
        }
    }

    #[test]
    fn every_flipped_bit_and_every_wrong_field_is_noticed() {
        let tampered = || SealError::Tampered { record_key: "secret/a".into() };
        for alg in BOTH {
            let s = sealer(alg);
            let sealed = s.seal("secret/a", &Secret::from("hunter2")).unwrap();
            let mut bad: Vec<Sealed> = Vec::new();
            for (field, other) in [("nonce", &sealed.nonce), ("ciphertext", &sealed.ciphertext)] {
                let bytes = hex::decode(other).unwrap();
                for bit in 0..bytes.len() * 8 {
                    let mut flipped = bytes.clone();
                    flipped[bit / 8] ^= 1 << (bit % 8);
                    let mut copy = sealed.clone();
                    match field {
                        "nonce" => copy.nonce = hex::encode(&flipped),
                        _ => copy.ciphertext = hex::encode(&flipped),
                    }
                    bad.push(copy);
                }
            }
            for text in ["", "00", "zz", "0"] {
                bad.push(Sealed { nonce: text.into(), ..sealed.clone() });
                bad.push(Sealed { ciphertext: text.into(), ..sealed.clone() });
            }
            bad.push(Sealed { alg: BOTH[usize::from(alg == BOTH[0])], ..sealed.clone() });
            for copy in bad {
                assert_eq!(s.open("secret/a", &copy).unwrap_err(), tampered(), "{copy:?}");
            }
            // Moved to another record: the associated data differs.
            assert!(matches!(s.open("secret/b", &sealed), Err(SealError::Tampered { .. })));
        }
    }

    #[test]
    fn the_wrong_key_is_named_and_nothing_secret_is_said() {
        let (a, b) = (sealer(Algorithm::Aes256Gcm), sealer(Algorithm::Aes256Gcm));
        let sealed = a.seal("secret/a", &Secret::from("hunter2")).unwrap();
        let error = b.open("secret/a", &sealed).unwrap_err().to_string();
        assert!(error.contains(&a.key_id()) && error.contains(&b.key_id()), "{error}");
        assert!(!format!("{a:?}").contains(&hex::encode(a.ring().keys.current.bytes())));
        // An envelope that lies about its key is still refused.
        let lie = Sealed { key_id: b.key_id(), ..sealed };
        assert!(matches!(b.open("secret/a", &lie), Err(SealError::Tampered { .. })));
    }

    #[test]
    fn while_a_key_is_replaced_both_open_and_afterwards_only_the_new_one() {
        let (s, next) = (sealer(Algorithm::Aes256Gcm), sealer(Algorithm::Aes256Gcm));
        let old = s.seal("secret/a", &Secret::from("hunter2")).unwrap();
        let first = s.key_id();
        s.seal_with(Some(next.ring().keys.current.clone()), Algorithm::XChaCha20Poly1305);
        assert_eq!(s.key_ids(), [first.clone(), next.key_id()]);
        let new = s.seal("secret/a", &Secret::from("hunter2")).unwrap();
        assert_eq!((new.alg, &new.key_id), (Algorithm::XChaCha20Poly1305, &next.key_id()));
        for sealed in [&old, &new] {
            assert_eq!(s.open("secret/a", sealed).unwrap().expose_secret(), "hunter2");
        }
        s.let_old_key_go();
        assert_eq!(s.key_ids(), [next.key_id()]);
        assert!(
            matches!(s.open("secret/a", &old), Err(SealError::WrongKey { sealed_with, .. }) if sealed_with == first)
        );
        assert_eq!(s.open("secret/a", &new).unwrap().expose_secret(), "hunter2");
    }
}
