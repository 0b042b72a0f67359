//! The PostgreSQL engine.

pub mod act;
pub mod action;
pub mod check;
pub mod client;
pub mod collation;
pub mod command;
pub mod conditions;
pub mod control_file;
pub mod desired;
pub mod disk;
pub mod facts;
pub mod fake_server;
pub mod hardening;
pub mod initialisation;
mod lacks;
pub mod ownership;
pub mod parameters;
pub mod plan;
pub mod probe;
pub mod programs;
pub mod record;
pub mod rollout;
pub mod spec;
pub mod status;
pub mod tools;
pub mod trial;
pub mod world;
