//! The controller: watches, queues, drives passes, keeps records, reports.

mod answers;
pub mod api;
mod attach;
pub mod crash_point;
pub mod driver;
pub mod gates;
pub mod guard;
pub mod holds;
pub mod journal;
mod manifests;
mod mirror;
pub mod objects;
pub mod operator;
mod pass;
mod preview;
mod pulls;
pub mod recover;
pub mod settle;
pub mod settling;
pub mod sources;
pub mod start;
pub mod state;
pub mod validate;
pub mod watch_dir;
pub mod will;
