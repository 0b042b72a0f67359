//! Tests without a Docker engine: pure parts together, the fake engine, the CLI, the store on disk.

/// Each of the two suites has its half of it.
#[allow(dead_code, unused_imports, unused_macros)]
#[path = "../common/kinds/mod.rs"]
mod kinds;

mod apps;
mod architecture;
mod children;
mod cli;
mod contract;
mod converge;
mod env_files;
mod examples;
mod faults;
mod formats;
mod hostile;
mod http;
mod key_rotation;
mod link_inputs;
mod link_test;
mod links;
mod links_redis;
mod machine;
mod machine_absence;
mod machine_access;
mod machine_api;
mod machine_backups;
mod machine_disk;
mod machine_drifts;
mod machine_engine;
mod machine_history;
mod machine_ids;
mod machine_images;
mod machine_inspect;
mod machine_jobs;
mod machine_kinds;
mod machine_memory;
mod machine_monitoring;
mod machine_ownership;
mod machine_ready;
mod machine_redis;
mod machine_removal;
mod machine_rename;
mod machine_rotation;
mod machine_runtime;
mod machine_secrets;
mod machine_starts;
mod machine_statements;
mod machine_volumes;
mod machine_wakes;
mod machine_wal;
mod machine_words;
mod members;
mod metrics;
mod neighbours;
mod notifier;
mod plan_goldens;
mod redis_goldens;
mod schemas;
mod store_crash;
mod truths;
mod web;
mod wire;
