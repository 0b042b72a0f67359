//! The controller: watches, queues, drives passes, keeps records, reports.

pub mod api;
pub mod guard;
pub mod objects;
pub mod watch_dir;
