//! `seawall keys`

use crate::cli::args::KeysVerb;
use crate::cli::connect::{connect, live};
use crate::cli::out::clean;
use crate::cli::print::Grid;
use crate::cli::{Context, Outcome};
use crate::control::api::KeyUse;
use std::io::Write;

pub async fn run(cx: &mut Context, verb: KeysVerb) -> Outcome {
    match verb {
        KeysVerb::List => list(cx).await,
        KeysVerb::Verify => verify(cx).await,
        KeysVerb::Public => super::seal::public(cx).await,
        KeysVerb::Rotate { cipher } => {
            let api = live(cx, "keys rotate").await?;
            let done = api.rotate_keys(cipher.map(Into::into)).await?;
            super::done(cx, &done)?;
            Ok(0)
        }
    }
}

async fn list(cx: &mut Context) -> Outcome {
    let list = connect(cx).await?.api.keys().await?;
    let rows: Vec<_> = list
        .keys
        .iter()
        .map(|key| {
            let state = match key.state {
                KeyUse::Seals => "seals and opens",
                KeyUse::Opens => "opens, until every record is sealed anew",
                KeyUse::Missing => "missing",
            };
            let created = key.created.clone().unwrap_or_else(|| "-".to_owned());
            vec![key.id.clone(), key.ciphers.join(", "), created, key.records.to_string(), state.to_owned()]
        })
        .collect();
    let header = ["KEY", "CIPHER", "CREATED", "RECORDS", "USE"];
    write!(cx.out.stdout, "{}", Grid::new(&header, cx.out.colour).full(&rows))?;
    Ok(0)
}

async fn verify(cx: &mut Context) -> Outcome {
    let check = connect(cx).await?.api.verify_keys().await?;
    for broken in &check.broken {
        writeln!(cx.out.stdout, "{}: {}", clean(&broken.record), clean(&broken.why))?;
    }
    let s = if check.records == 1 { "" } else { "s" };
    match check.broken.len() {
        0 => writeln!(cx.out.stdout, "{} record{s}, all open", check.records)?,
        n => writeln!(cx.out.stdout, "{n} of {} record{s} cannot be opened", check.records)?,
    }
    Ok(u8::from(!check.broken.is_empty()))
}
