//! `seawall login` and `seawall logout`

use crate::cli::args::LoginArgs;
use crate::cli::out::{Failure, clean};
use crate::cli::remote::{Remote, file, forget, keep};
use crate::cli::{Context, Outcome, ask};
use crate::control::api::Api;
use crate::http::dial::MAX_TOKEN;
use crate::secrets::{ExposeSecret, Secret};
use std::io::{self, IsTerminal, Read, Write, stdin};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

pub async fn login(cx: &mut Context, args: LoginArgs) -> Outcome {
    let path = place(cx)?;
    let token = match &args.token_file {
        Some(file) if file != Path::new("-") => of_file(&cx.settings.cwd.join(file))?,
        None if stdin().is_terminal() => {
            let typed = ask::unseen(cx, &format!("Token for {}: ", args.url)).await?;
            token("what was typed", typed.expose_secret().as_bytes())?
        }
        _ => token("standard input", stdin().lock())?,
    };
    let remote = Remote { url: args.url, token: Some(token), ca_file: cx.ca_file.clone(), asked: true };
    // One that opens nothing, or that a wrong server was shown, is not kept.
    let view = remote.client()?.operator().await?;
    let failed = |e: io::Error| Failure::usage(format!("{}: {e}", path.display()), "");
    keep(&path, &remote).map_err(failed)?;
    let (version, installation) = (clean(&view.version), clean(&view.installation));
    writeln!(cx.out.stdout, "logged in to {}: operator {version}, installation {installation}", remote.url)?;
    writeln!(
        cx.out.stderr,
        "Commands ask it from now on, until seawall logout; with --data DIR, this machine."
    )?;
    Ok(0)
}

pub fn logout(cx: &mut Context) -> Outcome {
    let path = place(cx)?;
    match forget(&path).map_err(|e| Failure::usage(format!("{}: {e}", path.display()), ""))? {
        Some(server) => {
            writeln!(cx.out.stdout, "logged out of {server}")?;
            writeln!(cx.out.stderr, "The token itself stays good: seawall token revoke NAME ends it.")?;
        }
        None => writeln!(cx.out.stderr, "nobody is logged in")?,
    }
    Ok(0)
}

fn place(cx: &Context) -> Result<PathBuf, Failure> {
    let next = "set HOME; or give SEAWALL_SERVER and SEAWALL_TOKEN to each command instead";
    file(&cx.environment).ok_or_else(|| Failure::usage("there is no home directory to keep a login in", next))
}

fn of_file(path: &Path) -> Result<Secret, Failure> {
    let name = path.display().to_string();
    let opened = std::fs::File::open(path).map_err(|e| Failure::usage(format!("{name}: {e}"), ""))?;
    token(&name, opened)
}

fn token(name: &str, from: impl Read) -> Result<Secret, Failure> {
    let mut text = Zeroizing::new(String::with_capacity(MAX_TOKEN + 2));
    let read = from.take(MAX_TOKEN as u64 + 2).read_to_string(&mut text);
    read.map_err(|e| Failure::usage(format!("{name}: {e}"), ""))?;
    match text.trim() {
        "" => Err(Failure::usage(
            format!("{name} holds no token"),
            "seawall token create NAME, there, prints one",
        )),
        text => Ok(Secret::from(text)),
    }
}
