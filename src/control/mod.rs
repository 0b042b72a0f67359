//! The controller: watches, queues, drives passes, keeps records, reports.

mod answers;
pub mod api;
mod attach;
pub mod driver;
pub mod guard;
pub mod journal;
mod manifests;
mod mirror;
pub mod objects;
pub mod operator;
mod pass;
<<<<<<< HEAD
pub mod recover;
=======
mod pulls;
>>>>>>> 4e82c9f2435e2de7cc6fac87a8a5accfae0412d7
pub mod settle;
pub mod sources;
pub mod start;
pub mod state;
pub mod validate;
pub mod watch_dir;
