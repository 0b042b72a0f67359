//! The program: arguments in, exit code out.

use std::process::ExitCode;
use std::sync::Arc;

fn main() -> ExitCode {
    seawall::cli::main(Arc::new(seawall::program::Program))
}
