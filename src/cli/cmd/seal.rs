//! `seawall seal` and `seawall keys public`. Sealing needs the public key alone, so it works where nothing else of the
//! installation is.

use crate::cli::args::SealArgs;
use crate::cli::connect::connect;
use crate::cli::out::Failure;
use crate::cli::{Context, Outcome};
use crate::secrets::{MAX_SECRET, PublicKey, Secret, seal_to, without_newline};
use std::io::{IsTerminal, Read, Write, stdin};
use zeroize::Zeroizing;

pub async fn run(cx: &mut Context, args: SealArgs) -> Outcome {
    let to = match args.to {
        Some(key) => key,
        None => ask(cx).await?,
    };
    let secret = read(cx)?;
    let sealed = seal_to(&to, &args.place.to_string(), &secret).map_err(|e| {
        Failure::usage(e.to_string(), "printf %s \"$SECRET\" | seawall seal --for KIND/NAME:FIELD")
    })?;
    writeln!(cx.out.stdout, "{sealed}")?;
    Ok(0)
}

pub async fn public(cx: &mut Context) -> Outcome {
    let key = ask(cx).await?;
    writeln!(cx.out.stdout, "{key}")?;
    Ok(0)
}

async fn ask(cx: &mut Context) -> Result<PublicKey, Failure> {
    let view = connect(cx).await?.api.public_key().await?;
    view.key.parse().map_err(|e| Failure::usage(format!("the operator's answer: {e}"), ""))
}

fn read(cx: &mut Context) -> Result<Secret, Failure> {
    let input = stdin();
    if input.is_terminal() {
        writeln!(cx.out.stderr, "the secret, and Ctrl-D at the beginning of a line to end it:")?;
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_SECRET + 2));
    let read = input.lock().take(MAX_SECRET as u64 + 2).read_to_end(&mut bytes);
    read.map_err(|e| Failure::usage(format!("standard input: {e}"), ""))?;
    let text = std::str::from_utf8(&bytes)
        .map_err(|_| Failure::usage("the secret is not text in UTF-8", "seal it in base64, say"))?;
    Ok(Secret::from(without_newline(text).to_owned()))
}
