//! The command line and the API's socket, against an API that answers from a script.

mod backups;
mod completing;
mod doing;
mod editing;
pub mod fake;
mod inspecting;
mod looking;
mod names;
mod program;
mod remote;
mod running;
mod services;
mod skill;
mod terminal;
mod truths;
mod wire;
