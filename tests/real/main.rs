//! Tests on the real Docker engine with real PostgreSQL. They fail when there is no engine or the
//! images are not built: `make test` sees to both.

mod contract;
mod first;
mod harness;
mod lifecycle;
mod parameters;
mod recover;
mod resources;
mod stopping;
