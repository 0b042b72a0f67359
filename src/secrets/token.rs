//! Bearer tokens: made, known again by a hash, and found in a text by how they look. Nothing in here keeps one.

use super::{Secret, hex};
use aes_gcm::aead::Generate;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// How each begins, so that whoever searches for lost secrets knows one when he sees it.
pub const TOKEN_PREFIX: &str = "swl_";
/// Hexadecimal digits behind it: 256 random bits.
pub const TOKEN_DIGITS: usize = 64;
/// So many of them are taken for a token, or for a part of one that was cut.
const SUSPECT: usize = 16;

/// A new one: `swl_` and 64 hexadecimal digits.
#[must_use]
pub fn token() -> Secret {
    let bytes = Zeroizing::new(<[u8; TOKEN_DIGITS / 2]>::generate());
    let digits = Zeroizing::new(hex::encode(bytes.as_slice()));
    Secret::from(format!("{TOKEN_PREFIX}{}", digits.as_str()))
}

/// The SHA-256 of a token. A token is random through and through, so nobody finds it by its hash.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    #[must_use]
    pub fn of(token: &Secret) -> Self {
        Self(Sha256::digest(token.expose_secret().as_bytes()).into())
    }

    /// Takes the same time whatever the answer is.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl TryFrom<String> for TokenHash {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let bytes = hex::decode(&text).and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or("not 32 bytes in hexadecimal digits")
    }
}

impl From<TokenHash> for String {
    fn from(hash: TokenHash) -> Self {
        hex::encode(&hash.0)
    }
}

/// `text` with `mask` in the place of everything that looks like a token or the beginning of one.
#[must_use]
pub fn without_tokens<'a>(text: &'a str, mask: &str) -> Cow<'a, str> {
    if !text.contains(TOKEN_PREFIX) {
        return Cow::Borrowed(text);
    }
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(TOKEN_PREFIX) {
        let digits = after.bytes().take_while(u8::is_ascii_hexdigit).count();
        let (word, behind) = after.split_at(digits);
        clean.push_str(before);
        if digits < SUSPECT {
            clean.push_str(TOKEN_PREFIX);
            clean.push_str(word);
        } else {
            clean.push_str(mask);
        }
        rest = behind;
    }
    clean.push_str(rest);
    Cow::Owned(clean)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn tokens_are_long_different_and_known_by_how_they_begin() {
        let all: BTreeSet<String> = (0..200).map(|_| token().expose_secret().to_owned()).collect();
        assert_eq!(all.len(), 200);
        for one in &all {
            let digits = one.strip_prefix(TOKEN_PREFIX).unwrap();
            assert!(digits.len() == TOKEN_DIGITS && digits.bytes().all(|b| b.is_ascii_hexdigit()), "{one}");
        }
        assert!(!format!("{:?}", token()).contains(TOKEN_PREFIX));
    }

    #[test]
    fn a_hash_is_that_of_its_token_alone_and_survives_the_store() {
        let (one, other) = (token(), token());
        let hash = TokenHash::of(&one);
        assert!(hash.is(&TokenHash::of(&one)) && !hash.is(&TokenHash::of(&other)));
        let text = serde_json::to_string(&hash).unwrap();
        assert!(!text.contains(&one.expose_secret()[4..]) && text.len() == 66, "{text}");
        assert!(serde_json::from_str::<TokenHash>(&text).unwrap().is(&hash));
        // As everybody else computes it.
        let known = TokenHash::of(&Secret::from("abc"));
        assert!(String::from(known).starts_with("ba7816bf8f01cfea"));
        for bad in ["\"\"", "\"00\"", "\"zz\"", "7"] {
            assert!(serde_json::from_str::<TokenHash>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_looks_like_a_token_is_masked_and_nothing_else() {
        let (whole, cut) = ("swl_".to_owned() + &"0f".repeat(32), "swl_".to_owned() + &"a".repeat(16));
        for (text, want) in [
            (format!("Bearer {whole}\n"), "Bearer **\n"),
            (format!("{whole}{whole}, {cut}…"), "****, **…"),
            (format!("swl_swl_{whole}x"), "swl_swl_**x"),
            (
                "swl_ is how they begin, swl_0123 is none".to_owned(),
                "swl_ is how they begin, swl_0123 is none",
            ),
            ("ä swl_".to_owned(), "ä swl_"),
            (String::new(), ""),
        ] {
            assert_eq!(without_tokens(&text, "**"), want);
        }
    }
}
