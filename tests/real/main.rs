//! Tests on the real Docker engine with real PostgreSQL. They fail when there is no engine or the
//! images are not built: `make test` sees to both.

mod cli;
mod contract;
mod first;
mod harness;
mod lifecycle;
mod manifests;
mod parameters;
mod removal;
mod resources;
mod stopping;
