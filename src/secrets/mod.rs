//! Secrets: a type that cannot be printed, sealed envelopes, the key file, the generator.
//!
//! A secret is opened only where it is used. Nothing in here logs.

mod envelope;
mod generator;
mod hex;
mod key;
mod keys;
mod letter;
mod token;

pub use envelope::{Algorithm, SealError, Sealed, Sealer};
pub use generator::{PASSWORD_LENGTH, password, random_id};
pub use key::{Key, KeyError};
pub use keys::{Keys, beside, make_beside, make_next, promote_next};
pub use letter::{LetterError, MAX_SECRET, PublicKey, open_sealed, seal_to, without_newline};
pub use secrecy::{ExposeSecret, SecretString as Secret};
pub use token::{TOKEN_DIGITS, TOKEN_PREFIX, TokenHash, token, without_tokens};
