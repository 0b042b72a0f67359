//! `seawall recover`

use crate::cli::args::ConfirmArg;
use crate::cli::{Context, Outcome};

pub async fn run(cx: &mut Context, args: ConfirmArg) -> Outcome {
    let done = cx.backend.recover(&cx.settings, args.confirm.as_deref()).await?;
    super::done(cx, &done)?;
    Ok(0)
}
