//! `seawall logs`

use crate::cli::args::LogsArgs;
use crate::cli::connect::connect;
use crate::cli::{Context, Outcome};
use futures_util::StreamExt;
use std::io::Write;

pub async fn run(cx: &mut Context, args: LogsArgs) -> Outcome {
    // Nothing but the stream is kept: a store that was opened for this must not stay locked while it is followed.
    let mut lines = connect(cx).await?.api.logs(&args.object, args.tail, args.follow).await?;
    while let Some(line) = lines.next().await {
        writeln!(cx.out.stdout, "{}", line?)?;
        cx.out.stdout.flush()?;
    }
    Ok(0)
}
