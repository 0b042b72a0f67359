//! `seawall env`: what applications find, in the form that somebody reads.

use crate::cli::args::{EnvArgs, EnvForm};
use crate::cli::connect::connect;
use crate::cli::format::json_text;
use crate::cli::{Context, Outcome};
use crate::control::api::{EnvironmentView, VariableView};
use crate::core::text::shell_quoted;
use crate::core::variable::dotenv;
use std::io::{self, Write};

pub async fn run(cx: &mut Context, args: EnvArgs) -> Outcome {
    let api = connect(cx).await?.api;
    let view = api.environment(&args.of.object, &args.of.environment, args.host, args.reveal).await?;
    warn(cx, &view)?;
    if let (true, Some(server)) = (args.host, &cx.server) {
        writeln!(cx.out.stderr, "these are addresses of the machine of {}, not of this one", server.url)?;
    }
    let out = &mut cx.out.stdout;
    if args.output == EnvForm::Json {
        write!(out, "{}", json_text(&view))?;
        return Ok(0);
    }
    for VariableView { name, value, .. } in &view.variables {
        match args.output {
            EnvForm::Shell => writeln!(out, "export {name}={}", shell_quoted(value))?,
            // It takes everything behind the sign as it is.
            EnvForm::Docker => writeln!(out, "{name}={value}")?,
            EnvForm::Dotenv | EnvForm::Json => writeln!(out, "{}", dotenv(name, value))?,
        }
    }
    if view.variables.iter().any(|variable| variable.withheld) && !args.reveal {
        let of = format!("{}/{}", args.of.object.name, args.of.environment);
        writeln!(cx.out.stderr, "with the passwords: seawall env {of} --reveal")?;
    }
    Ok(0)
}

/// What of it cannot be relied on.
pub fn warn(cx: &mut Context, view: &EnvironmentView) -> io::Result<()> {
    for from in &view.not_ready {
        writeln!(cx.out.stderr, "{from} is not Ready: seawall describe {from} says why")?;
    }
    for from in &view.unreachable {
        writeln!(cx.out.stderr, "{from} cannot be reached from there: its service has no port on this host")?;
    }
    Ok(())
}
