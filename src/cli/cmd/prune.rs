//! `seawall prune`

use crate::cli::args::ConfirmArg;
use crate::cli::connect::connect;
use crate::cli::out::clean;
use crate::cli::print::Grid;
use crate::cli::{Context, Outcome};
use std::io::Write;

pub async fn run(cx: &mut Context, args: ConfirmArg) -> Outcome {
    let api = connect(cx).await?.api;
    if let Some(words) = args.confirm {
        let done = api.confirm_prune(&words).await?;
        super::done(cx, &done)?;
        return Ok(0);
    }
    let held = api.prune().await?;
    let Some(guard) = held.guard else {
        writeln!(cx.out.stdout, "Nothing is held back.")?;
        return Ok(0);
    };
    writeln!(cx.out.stdout, "{}\n", clean(&guard))?;
    let rows: Vec<_> = held.would_remove.into_iter().map(|item| vec![item.object, item.what]).collect();
    write!(cx.out.stdout, "{}", Grid::new(&["OBJECT", "WOULD"], cx.out.colour).full(&rows))?;
    writeln!(cx.out.stdout, "\nTo let it go, once: seawall prune --confirm {}", held.confirm)?;
    Ok(0)
}
