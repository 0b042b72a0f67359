//! A secret sealed to an installation by somebody who has only its public key, for one field of one object, to be kept
//! in a public repository.
//!
//! HPKE (RFC 9180, base mode: X25519, HKDF-SHA256, ChaCha20-Poly1305), with the field as associated data. It never gives
//! out a part of a secret, nor one that stands elsewhere than it was sealed for.

use super::{ExposeSecret, Key, Secret};
use crate::manifest::letter::{self, Letter, short};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable, single_shot_open, single_shot_seal};
use std::fmt;
use std::str::FromStr;
use zeroize::Zeroizing;

/// The longest secret: a chain of certificates fits, a file that was meant for something else does not.
pub const MAX_SECRET: usize = 64 * 1024;

const KEY: &str = "swk1";
const INFO: &[u8] = b"seawall sealed value 1";
/// Bytes of a public key, and of what is made anew for each value.
const POINT: usize = 32;

type Private = <X25519HkdfSha256 as Kem>::PrivateKey;
type Public = <X25519HkdfSha256 as Kem>::PublicKey;
type Encapped = <X25519HkdfSha256 as Kem>::EncappedKey;

/// What anybody may have, to seal values that only this installation opens: `swk1-ID-…`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicKey([u8; POINT]);

/// Why a value cannot be sealed or opened.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum LetterError {
    #[error(transparent)]
    Text(#[from] letter::LetterError),
    #[error(
        "it was sealed to key {sealed_to}, of another installation; this one has key {ours}: seal it again (seawall keys public, seawall seal)"
    )]
    OtherInstallation { sealed_to: String, ours: String },
    #[error("it was changed after it was sealed: seal it again")]
    Changed,
    #[error("the secret has {0} bytes; at most {MAX_SECRET} can be sealed")]
    TooLong(usize),
    #[error("the secret is empty")]
    Empty,
    #[error("it is not a public key: `seawall keys public` prints one, {KEY}-…")]
    NoKey,
    #[error("the public key was cut short or mistyped: copy it whole")]
    KeyCut,
    #[error("nothing can be sealed to this public key")]
    WeakKey,
}

impl PublicKey {
    /// That of a private key.
    #[must_use]
    pub fn of(key: &Key) -> Option<Self> {
        let private = Private::from_bytes(key.bytes()).ok()?;
        let public = X25519HkdfSha256::sk_to_pk(&private).to_bytes();
        Some(Self(public.as_slice().try_into().ok()?))
    }

    /// Names it in messages and in what is sealed to it.
    #[must_use]
    pub fn id(&self) -> String {
        short(&self.0)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{KEY}-{}-{}", self.id(), URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl FromStr for PublicKey {
    type Err = LetterError;

    fn from_str(text: &str) -> Result<Self, LetterError> {
        let mut parts = text.trim().splitn(3, '-');
        if parts.next() != Some(KEY) {
            return Err(LetterError::NoKey);
        }
        let (Some(id), Some(key)) = (parts.next(), parts.next()) else { return Err(LetterError::KeyCut) };
        let bytes = URL_SAFE_NO_PAD.decode(key).map_err(|_| LetterError::KeyCut)?;
        let key = Self(bytes.try_into().map_err(|_| LetterError::KeyCut)?);
        if key.id() == id { Ok(key) } else { Err(LetterError::KeyCut) }
    }
}

/// One newline at the end is that of `echo`, an editor or the return key, not of the secret.
#[must_use]
pub fn without_newline(text: &str) -> &str {
    text.strip_suffix('\n').map_or(text, |text| text.strip_suffix('\r').unwrap_or(text))
}

/// Seals `secret` to the installation of `to`, for the field `place` alone.
///
/// # Errors
/// `TooLong`, `Empty`, or `WeakKey` for a public key that no installation has.
pub fn seal_to(to: &PublicKey, place: &str, secret: &Secret) -> Result<String, LetterError> {
    let text = secret.expose_secret().as_bytes();
    match text.len() {
        0 => return Err(LetterError::Empty),
        long if long > MAX_SECRET => return Err(LetterError::TooLong(long)),
        _ => {}
    }
    let public = Public::from_bytes(&to.0).map_err(|_| LetterError::WeakKey)?;
    let (encapped, ciphertext) = single_shot_seal::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
        &OpModeS::Base,
        &public,
        INFO,
        text,
        place.as_bytes(),
    )
    .map_err(|_| LetterError::WeakKey)?;
    let body = [encapped.to_bytes().as_slice(), &ciphertext].concat();
    Ok(Letter { to: to.id(), place: place.to_owned(), body }.write())
}

/// Opens what was sealed to `key`'s installation for `place`.
///
/// # Errors
/// Which of the ways in which it can be wrong it is.
pub fn open_sealed(key: &Key, place: &str, text: &str) -> Result<Secret, LetterError> {
    let letter = Letter::read(text)?;
    let ours = PublicKey::of(key).ok_or(LetterError::WeakKey)?.id();
    if letter.to != ours {
        return Err(LetterError::OtherInstallation { sealed_to: letter.to, ours });
    }
    letter.is_for(place)?;
    let (encapped, ciphertext) = letter.body.split_at_checked(POINT).ok_or(LetterError::Changed)?;
    let private = Private::from_bytes(key.bytes()).map_err(|_| LetterError::WeakKey)?;
    let encapped = Encapped::from_bytes(encapped).map_err(|_| LetterError::Changed)?;
    let opened = single_shot_open::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
        &OpModeR::Base,
        &private,
        &encapped,
        INFO,
        ciphertext,
        place.as_bytes(),
    );
    let opened = Zeroizing::new(opened.map_err(|_| LetterError::Changed)?);
    let text = std::str::from_utf8(&opened).map_err(|_| LetterError::Changed)?;
    Ok(Secret::from(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: &str = "postgres/main:password";

    fn key() -> Key {
        Key::throwaway().unwrap()
    }

    fn public(key: &Key) -> PublicKey {
        PublicKey::of(key).unwrap()
    }

    fn sealed(key: &Key, secret: &str) -> String {
        seal_to(&public(key), PLACE, &Secret::from(secret)).unwrap()
    }

    #[test]
    fn only_the_installation_it_is_for_opens_it() {
        let ours = key();
        for secret in ["x", "pässwörd\nwith lines", &"long".repeat(MAX_SECRET / 4)] {
            let text = sealed(&ours, secret);
            assert_eq!(open_sealed(&ours, PLACE, &text).unwrap().expose_secret(), secret);
            assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
            assert!(secret.len() < 2 || !text.contains(secret));
            assert_ne!(text, sealed(&ours, secret), "each time other letters");
        }
    }

    #[test]
    fn what_is_wrong_with_one_is_said_and_nothing_of_the_secret() {
        let ours = key();
        let text = sealed(&ours, "hunter2");
        let edited = |edit: &dyn Fn(&mut Letter)| {
            let mut letter = Letter::read(&text).unwrap();
            edit(&mut letter);
            letter.write()
        };
        let other = "postgres/other:password";
        let rows = [
            (sealed(&key(), "hunter2"), PLACE, "of another installation"),
            (text[..text.len() - 1].to_owned(), PLACE, "cut short"),
            ("hunter2".to_owned(), PLACE, "not a sealed value"),
            (text.clone(), other, "for postgres/main:password and stands in postgres/other:password"),
            // With a checksum that is right, as somebody would make it who means to.
            (edited(&|l| l.place = other.to_owned()), other, "changed after"),
            (edited(&|l| l.to = public(&key()).id()), PLACE, "of another installation"),
            (edited(&|l| *l.body.last_mut().unwrap() ^= 1), PLACE, "changed after"),
            (edited(&|l| l.body[0] ^= 1), PLACE, "changed after"),
            (edited(&|l| l.body.truncate(l.body.len() - 17)), PLACE, "changed after"),
            (edited(&|l| l.body.truncate(POINT)), PLACE, "changed after"),
            (edited(&|l| l.body.clear()), PLACE, "changed after"),
        ];
        for (text, place, says) in rows {
            let error = open_sealed(&ours, place, &text).unwrap_err().to_string();
            assert!(error.contains(says), "{text}: {error} / {says}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_public_key_survives_being_written_down_and_a_wrong_one_is_noticed() {
        let ours = public(&key());
        let text = ours.to_string();
        assert_eq!(format!(" {text}\n").parse(), Ok(ours));
        for (bad, error) in [
            (text[..text.len() - 1].to_owned(), LetterError::KeyCut),
            (text.replacen(&ours.id(), "00000000", 1), LetterError::KeyCut),
            (format!("{KEY}-"), LetterError::KeyCut),
            ("age1xyz".to_owned(), LetterError::NoKey),
            (String::new(), LetterError::NoKey),
        ] {
            assert_eq!(bad.parse::<PublicKey>(), Err(error), "{bad}");
        }
        // With the neutral point as a key everybody would open it.
        assert_eq!(seal_to(&PublicKey([0; POINT]), PLACE, &Secret::from("x")), Err(LetterError::WeakKey));
        let long = Secret::from("x".repeat(MAX_SECRET + 1));
        assert_eq!(seal_to(&ours, PLACE, &long), Err(LetterError::TooLong(MAX_SECRET + 1)));
        assert_eq!(seal_to(&ours, PLACE, &Secret::from("")), Err(LetterError::Empty));
    }

    /// What an earlier version sealed is in somebody's repository, and opens for ever.
    #[test]
    fn a_value_of_the_first_version_opens() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("k");
        std::fs::write(&path, "5a".repeat(32)).unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let key = Key::load(&path).unwrap();
        assert_eq!(public(&key).to_string(), FIRST_KEY);
        assert_eq!(open_sealed(&key, PLACE, FIRST).unwrap().expose_secret(), "of the first version");
    }
    const FIRST_KEY: &str = "swk1-9b16d501-sNCPNbRoM4FImvsygl5ZFS1H0ZvJ4FDW1alUmEydHiw";
    const FIRST: &str = "sws1-9b16d501-AAAAFnBvc3RncmVzL21haW46cGFzc3dvcmSqffbcHSr89gZDqNurqaSYOpa3CoyRVVeSYOGY07maNdmW4Mv7o4Mb-Kobt-OjO6gbcDC6zRMEVwE7MHppogm1PXrRrQ-ace3ce09";
}
