//! Secrets: a type that cannot be printed, sealed envelopes, the key file, the generator.
//!
//! A secret is opened only where it is used. Nothing in here logs.
pub use secrecy::SecretString as Secret;
