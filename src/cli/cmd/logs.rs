//! `seawall logs`

use crate::cli::args::LogsArgs;
use crate::cli::{Context, Outcome};
use futures_util::StreamExt;

pub async fn run(cx: &mut Context, args: LogsArgs) -> Outcome {
    let mut chunks = cx.backend.logs(&cx.settings, &args.object, args.tail, args.follow).await?;
    while let Some(chunk) = chunks.next().await {
        cx.out.stdout.write_all(&chunk?)?;
        cx.out.stdout.flush()?;
    }
    Ok(0)
}
