//! The operator's API as HTTP over a unix socket: a server around an [`Api`](crate::control::api::Api)
//! and a client that is one.
//!
//! It carries questions and answers and decides nothing. The socket is for its owner only; over TCP there are figures for
//! monitoring (`metrics.rs`), and nothing else.

pub mod client;
mod error;
pub mod metrics;
mod routes;
mod select;
pub mod server;
pub mod wire;
