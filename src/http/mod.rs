//! The operator's API as HTTP: a server around an [`Api`](crate::control::api::Api), and a client that is one.
//!
//! It carries questions and answers and decides nothing but who may ask. The unix socket is for its owner only; over TCP there
//! is the same for who has a token (`listen.rs`), and figures for monitoring (`metrics.rs`).

mod caller;
pub mod client;
pub mod dial;
mod document;
mod error;
mod gate;
pub mod listen;
pub mod metrics;
pub mod openapi;
mod routes;
pub mod select;
pub mod server;
mod services;
mod tcp;
pub mod tls;
mod watch;
pub mod wire;

pub use routes::{openapi, permissions};
