//! Groundwork of the Redis engine: what speaks to a server, what its files hold, what its parameters and its memory
//! may be. It plugs into nothing yet.
//!
//! Seen on Docker 20.10 with Redis 8.0.6 (`tests/real/redis_groundwork.rs`): a container that starts as user `redis`
//! with all capabilities dropped and no-new-privileges serves, saves and stops cleanly, with an init or without; that is
//! the profile to take. As root the entry point gives up the bounding set, which takes SETPCAP beside SETUID and SETGID
//! (`setpriv: apply bounding set: Operation not permitted` without it: what Postgres' entry point needs is not enough
//! here). As root with no capability at all it stays root: never take that.

pub mod client;
pub mod config;
pub mod fake_server;
pub mod memory;
pub mod parameters;
pub mod server;
