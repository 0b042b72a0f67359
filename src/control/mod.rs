//! The loop that makes the containers match: what wakes it, what it decides, what it reports.

pub mod watch_dir;
