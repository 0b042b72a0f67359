//! Engines: one folder each, of the same file names. Inside a folder `spec, check, facts, desired,
//! plan, action, conditions` are pure; only `client, probe, act` touch adapters.

pub mod catalog;
pub mod ports;
pub mod postgres;
