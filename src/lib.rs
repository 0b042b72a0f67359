//! Seawall: a reconciling operator for managed databases on plain Docker.
//!
//! ARCHITECTURE.md walks through one pass. Imports go down the floors only; `tests/it/architecture.rs`
//! holds them to it.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::todo))]

pub mod cli;
pub mod control;
pub mod core;
pub mod depot;
pub mod docker;
pub mod http;
pub mod kinds;
pub mod manifest;
pub mod program;
pub mod secrets;
pub mod store;
pub mod telemetry;
pub mod web;
pub mod workload;
