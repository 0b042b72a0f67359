//! Tests on the real Docker engine with real servers. They fail when there is no engine or the
//! images are not built: `make test` sees to both.

/// Each of the two suites has its half of it.
#[allow(dead_code, unused_imports, unused_macros)]
#[path = "../common/kinds/mod.rs"]
mod kinds;

mod app_inputs;
mod applied;
mod apps;
mod attacks;
mod backups;
mod brief;
mod browser;
mod cli;
mod conflicts;
mod contract;
mod crash;
mod drift;
mod engine;
mod engine_away;
mod engine_lacks;
mod env_files;
mod fault_table;
#[path = "../faults/mod.rs"]
mod faults;
mod first;
mod harness;
mod history;
mod hunt;
mod images;
mod inspect;
mod lifecycle;
mod link_lives;
mod links;
mod manifests;
mod metrics;
mod monitoring;
mod notifier;
mod official;
mod parameters;
mod placement;
mod ports;
mod proxy;
mod readiness;
mod recover;
mod redis;
mod redis_links;
mod redis_server;
mod registry;
mod removal;
mod rename;
mod resources;
mod rotation;
mod runtime;
mod secrets;
mod services;
mod settings;
mod stopping;
mod store_trouble;
mod volumes;
mod wal;
mod watch;
mod way_back;
