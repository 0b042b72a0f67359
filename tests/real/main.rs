//! Tests on the real Docker engine with real PostgreSQL. They fail when there is no engine or the
//! images are not built: `make test` sees to both.

mod conflicts;
mod contract;
mod crash;
mod drift;
mod engine;
mod engine_away;
mod first;
mod harness;
mod lifecycle;
mod parameters;
mod resources;
mod stopping;
mod ports;
mod readiness;
mod store_trouble;
