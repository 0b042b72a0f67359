//! `seawall psql` and the like: becomes the client program of a kind, the one of this machine or the one in the container.
//!
//! The password goes through the environment of that process only, never through its arguments.

use super::connection::value;
use crate::cli::args::ClientArgs;
use crate::cli::connect::connect;
use crate::cli::out::Failure;
use crate::cli::{Context, Outcome};
use crate::control::api::{Api, ConnectionView, HostPort};
use crate::core::names::ObjectRef;
use crate::kinds::{Call, Client};
use std::io::{self, IsTerminal, Write};
use std::net::IpAddr;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

/// A program that does not tell its version within this is taken as it is.
const VERSION: Duration = Duration::from_secs(2);

pub async fn run(cx: &mut Context, args: ClientArgs) -> Outcome {
    let ClientArgs { client, object, args } = args;
    let api = connect(cx).await?.api;
    let mut view = api.connection(&object, false).await?;
    if !view.ready {
        writeln!(
            cx.out.stderr,
            "{object} does not accept logins at the moment: seawall describe {object} says why"
        )?;
    }
    if let Some(server) = &cx.server {
        // What is published on its loopback device is another database here, or none.
        let beyond = |host: &HostPort| {
            !host.host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback() || ip.is_unspecified())
        };
        if !view.host.as_ref().is_some_and(beyond) {
            let port = view.host.as_ref().map_or(view.network.port, |host| host.port);
            return Err(Failure::usage(
                format!(
                    "{object} is published on no address but the loopback device of the machine of {}",
                    server.url
                ),
                format!(
                    "ssh -t HOST seawall {} {}; or ssh -L {port}:127.0.0.1:{port} HOST, and then {} to 127.0.0.1:{port} with what seawall connection {object} --reveal tells",
                    client.verb, object.name, client.program
                ),
            ));
        }
    }
    let inside_too = cx.server.is_none() && on_path(cx, "docker");
    // Asking for the password leaves an event, so only where it is needed.
    if let (Some(call), Some(host), true) = (client.local, view.host.clone(), on_path(cx, client.program)) {
        let server = if inside_too { version_of(client, &*api, &object).await } else { None };
        let older = match server {
            Some(server) => {
                program_version(cx, client.program).await.filter(|own| *own < server).zip(Some(server))
            }
            None => None,
        };
        let Some((own, server)) = older else {
            let view = api.login(&object, client.program).await?;
            return Err(become_(cx, local(client, call, &view, &host, &args)));
        };
        let program = client.program;
        writeln!(
            cx.out.stderr,
            "{program} {own} of this machine is older than the server ({server}): that of its container is used, which reads the container's files"
        )?;
    }
    if inside_too {
        if client.inside_needs_password {
            view = api.login(&object, client.program).await?;
        }
        return Err(become_(cx, inside(cx, client, &view, &args)));
    }
    let program = client.program;
    let next = format!("install {}", client.package);
    Err(Failure::usage(
        if cx.server.is_none() {
            format!("neither {program} nor docker is on the PATH")
        } else {
            format!("{program} is not on the PATH")
        },
        next,
    ))
}

/// The first number of a version.
fn major(version: &str) -> Option<u32> {
    let begin = version.find(|c: char| c.is_ascii_digit())?;
    version.get(begin..)?.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// Of the server; `None` where it does not matter, or is not known.
async fn version_of(client: &Client, api: &dyn Api, object: &ObjectRef) -> Option<u32> {
    let status = api.object(object).await.ok()?.status;
    major(status.pointer(client.version?)?.as_str()?)
}

/// Of the program of this machine; `None` when it does not say.
async fn program_version(cx: &Context, program: &str) -> Option<u32> {
    let path = cx.environment.get("PATH").unwrap_or_default();
    let mut command = tokio::process::Command::new(program);
    let asked = command.arg("--version").env("PATH", path).kill_on_drop(true).output();
    let told = tokio::time::timeout(VERSION, asked).await.ok()?.ok()?;
    major(&String::from_utf8_lossy(&told.stdout))
}

fn on_path(cx: &Context, program: &str) -> bool {
    cx.environment
        .get("PATH")
        .is_some_and(|path| std::env::split_paths(path).any(|d| d.join(program).is_file()))
}

fn local(client: &Client, call: Call, view: &ConnectionView, to: &HostPort, args: &[String]) -> Command {
    let mut command = Command::new(client.program);
    let set = call.environment.iter().filter_map(|(name, part)| Some((name, value(*part, view, to)?)));
    command.envs(set);
    command.args(call.arguments.iter().filter_map(|part| value(*part, view, to))).args(args);
    command
}

/// By its environment the engine's client hands on what must not be an argument: `-e NAME` takes the value from there.
fn inside(cx: &Context, client: &Client, view: &ConnectionView, args: &[String]) -> Command {
    let mut command = Command::new("docker");
    if let Some(host) = &cx.settings.docker_host {
        command.env("DOCKER_HOST", host);
    }
    command.args(["exec", "-i"]);
    if io::stdin().is_terminal() && io::stdout().is_terminal() {
        command.arg("-t");
    }
    let Call { environment, arguments } = client.inside;
    for (name, part) in environment {
        let Some(value) = value(*part, view, &view.network) else { continue };
        if view.password.as_ref() == Some(&value) {
            command.env(name, value).args(["-e", name]);
        } else {
            command.args(["-e", &format!("{name}={value}")]);
        }
    }
    command.args([&view.container, client.program]);
    command.args(arguments.iter().filter_map(|part| value(*part, view, &view.network))).args(args);
    command
}

/// Returns only when it could not: signals, terminal and exit code are then the program's own.
fn become_(cx: &mut Context, mut command: Command) -> Failure {
    let _ = cx.out.stdout.flush();
    let error = command.exec();
    Failure::usage(format!("could not run {}: {error}", command.get_program().to_string_lossy()), "")
}
