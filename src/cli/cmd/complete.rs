//! `seawall __complete`: what may come next, for the scripts of `seawall completion`. It says nothing where there is nothing to
//! say, whatever is wrong.

use crate::cli::complete::{Wanted, candidates, wanted};
use crate::cli::connect::operator;
use crate::cli::out::clean;
use crate::cli::{Context, Outcome};
use crate::control::api::ObjectList;
use std::io::Write;
use std::time::Duration;

/// Somebody has pressed a key, and waits.
const PATIENCE: Duration = Duration::from_millis(400);

pub async fn run(cx: &mut Context, words: Vec<String>) -> Outcome {
    let wanted = wanted(&words);
    let list = match wanted {
        Wanted::Nothing | Wanted::Words(_) | Wanted::Kinds => None,
        _ => tokio::time::timeout(PATIENCE, objects(cx)).await.ok().flatten(),
    };
    let begun = words.last().map_or("", String::as_str);
    for word in candidates(&wanted, begun, list.as_ref()) {
        writeln!(cx.out.stdout, "{}", clean(&word))?;
    }
    Ok(0)
}

async fn objects(cx: &Context) -> Option<ObjectList> {
    operator(cx).await.ok()??.objects().await.ok()
}
