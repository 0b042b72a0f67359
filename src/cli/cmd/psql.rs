//! `seawall psql`: becomes psql, the local one or the one in the container.
//!
//! The password goes through the environment of that process only, never through its arguments.

use crate::cli::args::PsqlArgs;
use crate::cli::connect::connect;
use crate::cli::out::Failure;
use crate::cli::{Context, Outcome};
use crate::control::api::ConnectionView;
use std::io::{self, IsTerminal, Write};
use std::os::unix::process::CommandExt;
use std::process::Command;

pub async fn run(cx: &mut Context, args: PsqlArgs) -> Outcome {
    let api = connect(cx).await?.api;
    let view = api.connection(&args.name, false).await?;
    if !view.ready {
        let name = &view.object;
        writeln!(
            cx.out.stderr,
            "{name} does not accept logins at the moment: seawall describe {name} says why"
        )?;
    }
    // Asking for the password leaves an event, so only where it is needed.
    if view.host.is_some() && on_path(cx, "psql") {
        let view = api.connection(&args.name, true).await?;
        return Err(become_(cx, local(&view, &args.args)));
    }
    if on_path(cx, "docker") {
        return Err(become_(cx, inside(cx, &view, &args.args)));
    }
    Err(Failure::usage("neither psql nor docker is on the PATH", "install a PostgreSQL client"))
}

fn on_path(cx: &Context, program: &str) -> bool {
    cx.environment
        .get("PATH")
        .is_some_and(|path| std::env::split_paths(path).any(|d| d.join(program).is_file()))
}

fn local(view: &ConnectionView, args: &[String]) -> Command {
    let mut command = Command::new("psql");
    if let Some(host) = &view.host {
        command.env("PGHOST", &host.host).env("PGPORT", host.port.to_string());
    }
    if let Some(password) = &view.password {
        command.env("PGPASSWORD", password);
    }
    command.env("PGUSER", &view.username).env("PGDATABASE", &view.database).args(args);
    command
}

/// Over the container's local socket, which needs no password.
fn inside(cx: &Context, view: &ConnectionView, args: &[String]) -> Command {
    let mut command = Command::new("docker");
    if let Some(host) = &cx.settings.docker_host {
        command.env("DOCKER_HOST", host);
    }
    command.args(["exec", "-i"]);
    if io::stdin().is_terminal() && io::stdout().is_terminal() {
        command.arg("-t");
    }
    // A name in an argument could be a whole connection string (`a=b`); in a variable it is a name.
    command.args(["-e", &format!("PGDATABASE={}", view.database)]);
    command.args([&view.container, "psql", "-U", &view.username]).args(args);
    command
}

/// Returns only when it could not: signals, terminal and exit code are then psql's own.
fn become_(cx: &mut Context, mut command: Command) -> Failure {
    let _ = cx.out.stdout.flush();
    let error = command.exec();
    Failure::usage(format!("could not run {}: {error}", command.get_program().to_string_lossy()), "")
}
