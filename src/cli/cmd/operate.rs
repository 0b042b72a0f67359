//! `seawall stop`, `start`, `restart` and `release-port`

use crate::cli::args::ObjectArg;
use crate::cli::connect::connect;
use crate::cli::{Context, Outcome};
use crate::control::api::Operation;

pub async fn run(cx: &mut Context, args: ObjectArg, operation: Operation) -> Outcome {
    let done = connect(cx).await?.api.operate(&args.object, operation).await?;
    super::done(cx, &done)?;
    Ok(0)
}
