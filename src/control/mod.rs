//! The controller: watches, queues, drives passes, keeps records, reports.

mod answers;
pub mod api;
pub mod driver;
pub mod guard;
pub mod journal;
mod manifests;
mod mirror;
pub mod objects;
pub mod operator;
mod pass;
pub mod sources;
pub mod state;
pub mod watch_dir;
