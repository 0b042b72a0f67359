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

pub mod facts;
pub mod fake_server;

pub mod initialisation;

pub mod parameters;
pub mod plan;
pub mod probe;
pub mod programs;
pub mod record;

pub mod spec;
pub mod status;
pub mod tools;
pub mod trial;
pub mod world;

use super::Column;

/// What a list shows of it.
pub const COLUMNS: [Column; 8] = [
    Column { header: "VERSION", paths: &["/server/version", "/image/major"], wide: false },
    Column { header: "PORT", paths: &["/endpoint/hostPort"], wide: false },
    Column { header: "MEMORY", paths: &["/resources/applied/memory"], wide: false },
    Column { header: "IMAGE", paths: &["/image/reference"], wide: true },
    Column { header: "MANAGED", paths: &["/image/managed"], wide: true },
    Column { header: "CPUS", paths: &["/resources/applied/cpus"], wide: true },
    Column { header: "CONTAINER", paths: &["/container/name"], wide: true },
    Column { header: "RESTARTS", paths: &["/container/restartCount"], wide: true },
];
