//! `seawall completion`

use crate::cli::args::{CompletionArgs, command};
use crate::cli::{Context, Outcome};

pub fn run(cx: &mut Context, args: CompletionArgs) -> Outcome {
    // Into memory first: clap_complete panics on a closed pipe.
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut command(), "seawall", &mut text);
    cx.out.stdout.write_all(&text)?;
    Ok(0)
}
