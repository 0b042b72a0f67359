//! One container with its volume, network, port, image and caps: everything that is the same whatever runs in it. No
//! kind's name is in here; `tests/it/architecture.rs` sees to it.
//!
//! A kind has these values in its own (`Checked`, `Memory`, `World`, `Action`, each in a field or variant `work`), and
//! hands in what differs as data.

pub mod act;
pub mod action;
pub mod case;
pub mod catalog;
pub mod check;
pub mod desired;
pub mod disk;
pub mod findings;
pub mod hardening;
pub mod image;
pub mod lacks;
pub mod memory;
pub mod observe;
pub mod ownership;
pub mod plan;
pub mod ports;
pub mod rollout;
pub mod runtime;
pub mod schedule;
pub mod server;
pub mod spec;
pub mod status;
pub mod tools;
pub mod troubles;
pub mod world;

pub use action::Action;
pub use case::Case;
pub use check::Checked;
pub use memory::Memory;
pub use status::Status;
pub use tools::Tools;
pub use world::World;
