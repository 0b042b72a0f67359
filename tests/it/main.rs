//! Tests without a Docker engine: pure parts together, the fake engine, the CLI, the store on disk.

mod architecture;
mod cli;
mod contract;
mod examples;
mod faults;
mod machine;
mod schemas;
mod store_crash;
