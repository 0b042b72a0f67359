//! The command line: one verb per file in `cmd/`, over [`Api`](crate::control::api::Api) and
//! [`Backend`](backend::Backend).
//!
//! It asks and prints. It never touches Docker or the store itself, and a closed pipe is not an error.

pub mod access;
pub mod age;
pub mod args;
mod ask;
pub mod backend;
pub mod backups;
mod chart;
mod cmd;
mod complete;
pub mod connect;
mod explain;
mod files;
pub mod format;
mod habits;
pub mod inspections;
pub mod jsonpath;
pub mod marks;
pub mod named;
pub mod out;
pub mod print;
pub mod remote;
pub mod services;
pub mod settings;
mod table;
mod waiting;
mod what;

use args::{Args, Verb};
use backend::Backend;
use out::{Failure, Out};
use remote::Remote;
use settings::{Environment, Settings};
use std::ffi::OsString;
use std::num::NonZero;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// How long work on the side that nobody waits for any more gets to end: a disk that does not answer would
/// keep it for ever.
const LEFT_OVER: Duration = Duration::from_secs(1);

/// What every verb works with.
pub struct Context {
    pub backend: Arc<dyn Backend>,
    pub settings: Settings,
    pub environment: Environment,
    pub out: Out,
    /// Who is asked, if not the operator of this machine.
    pub server: Option<Remote>,
    /// For a server that is logged in to.
    pub ca_file: Option<PathBuf>,
}

/// The exit code of a verb, or what kept it from one.
pub type Outcome = Result<u8, Failure>;

/// The whole program: the arguments of this process, its environment, its terminal.
pub fn main(backend: Arc<dyn Backend>) -> ExitCode {
    let args = match parse(std::env::args_os()) {
        Ok(args) => args,
        Err(code) => return ExitCode::from(code),
    };
    let environment = Environment::of_this_process();
    let out = Out::of_this_process(&environment);
    // Only the operator has work for several threads.
    let mut builder = match args.verb {
        Verb::Run(_) => tokio::runtime::Builder::new_multi_thread(),
        _ => tokio::runtime::Builder::new_current_thread(),
    };
    builder.worker_threads(workers());
    match builder.enable_all().build() {
        Ok(runtime) => {
            // Who has pressed a key waits for nothing.
            let left_over = if matches!(args.verb, Verb::Complete(_)) { Duration::ZERO } else { LEFT_OVER };
            let code = runtime.block_on(execute(args, environment, backend, out));
            runtime.shutdown_timeout(left_over);
            ExitCode::from(code)
        }
        Err(e) => {
            eprintln!("error: no runtime: {e}");
            ExitCode::FAILURE
        }
    }
}

/// Each thread keeps memory of its own for what it has freed: a host with many cores needs no more of them for this.
fn workers() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get).min(4)
}

/// Prints help, version or what is wrong with the arguments.
///
/// # Errors
/// The exit code when there is nothing to execute. Wrong usage is 1: 2 is `plan`'s "something to do".
pub fn parse(argv: impl IntoIterator<Item = OsString>) -> Result<Args, u8> {
    Args::read(argv).map_err(|e| {
        // Nothing can be done about a terminal that is gone.
        let _ = e.print();
        u8::from(e.use_stderr())
    })
}

/// One command, with everything it needs given; returns its exit code.
pub async fn execute(args: Args, environment: Environment, backend: Arc<dyn Backend>, mut out: Out) -> u8 {
    let settings = match settings::resolve(&args.flags, &environment) {
        Ok(settings) => settings,
        Err(e) => return out.failure(&Failure::from(e)),
    };
    let server = match remote::find(&args.flags.server, args.flags.data.as_ref(), &environment, &settings) {
        Ok(server) => server,
        // Who asks nobody needs no login.
        Err(_) if !cmd::asks(&args.verb) => None,
        Err(failure) => return out.failure(&failure),
    };
    let ca_file = remote::ca_file(&args.flags.server, &environment);
    let mut context = Context { backend, settings, environment, out, server, ca_file };
    let mut verb = args.verb;
    if let Verb::Plan(plan) = &mut verb {
        // A running operator has manifests of its own: who names others means those.
        plan.dir = plan.dir.take().or(args.flags.manifests);
    }
    match cmd::dispatch(&mut context, verb).await {
        Ok(code) => code,
        Err(failure) => context.out.failure(&failure),
    }
}
