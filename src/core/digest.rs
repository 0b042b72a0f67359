//! SHA-256 as text. Pure; it must not know what the bytes mean.

use sha2::{Digest, Sha256};

/// Lower-case hexadecimal: the same as `encode(sha256(…), 'hex')` in PostgreSQL, and as Redis keeps a password.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
