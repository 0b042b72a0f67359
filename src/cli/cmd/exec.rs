//! `seawall exec`: becomes a program of this machine, with the variables of an environment. Signals, terminal and exit code are
//! the program's own.

use super::env::warn;
use crate::cli::args::ExecArgs;
use crate::cli::connect::connect;
use crate::cli::out::Failure;
use crate::cli::{Context, Outcome};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::Command;

pub async fn run(cx: &mut Context, args: ExecArgs) -> Outcome {
    let api = connect(cx).await?.api;
    let view = api.environment(&args.of.object, &args.of.environment, true, true).await?;
    warn(cx, &view)?;
    let withheld = view.variables.iter().find(|variable| variable.withheld).map(|variable| &variable.from);
    let gives = |from: &String| view.variables.iter().any(|variable| variable.from == *from);
    let nothing = view.not_ready.iter().chain(&view.unreachable).find(|from| !gives(from));
    if let Some(from) = withheld.or(nothing) {
        let what = format!("{from} has nothing to give yet");
        return Err(Failure::usage(what, format!("seawall describe {from}")));
    }
    let Some((program, arguments)) = args.command.split_first() else {
        return Err(Failure::usage("a program is needed", "seawall exec shop/production -- npm test"));
    };
    let mut command = Command::new(program);
    command.args(arguments).envs(view.variables.into_iter().map(|variable| (variable.name, variable.value)));
    let _ = cx.out.stdout.flush();
    let error = command.exec();
    Err(Failure::usage(format!("could not run {program}: {error}"), ""))
}
