//! The program: arguments in, exit code out.

use std::process::ExitCode;
use std::sync::Arc;

fn main() -> ExitCode {
    if let Err(error) = seawall::program::no_core_dumps() {
        eprintln!("warning: core dumps are not off: {error}");
    }
    seawall::cli::main(Arc::new(seawall::program::Program))
}
