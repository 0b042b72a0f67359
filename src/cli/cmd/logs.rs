//! `seawall logs`

use crate::cli::args::LogsArgs;
use crate::cli::connect::{Connected, again, connect};
use crate::cli::{Context, Outcome};
use crate::control::api::{Api, ApiError, ErrorCode, Lines};
use futures_util::StreamExt;
use std::io::{self, Write};
use std::sync::Arc;

pub async fn run(cx: &mut Context, args: LogsArgs) -> Outcome {
    let Connected { api, live } = connect(cx).await?;
    if args.follow && live {
        return follow(cx, args, api).await;
    }
    let lines = api.logs(&args.object, args.tail, args.follow).await?;
    // Nothing but the stream is kept: a store that was opened for this must not stay locked while it is followed.
    drop(api);
    print(cx, lines).await?.map_or(Ok(0), |error| Err(error.into()))
}

/// Also over a restart of the operator.
async fn follow(cx: &mut Context, args: LogsArgs, mut api: Arc<dyn Api>) -> Outcome {
    let mut tail = args.tail;
    loop {
        let process = started(&api).await;
        let lines = api.logs(&args.object, tail, true).await?;
        let Some(error) = print(cx, lines).await? else { return Ok(0) };
        // Of an operator that still runs: its own words.
        if error.code != ErrorCode::Unavailable || started(&api).await == process {
            return Err(error.into());
        }
        api = again(cx, error).await?;
        writeln!(cx.out.stderr, "what was printed meanwhile is not shown")?;
        tail = Some(0);
    }
}

/// To the end; what ended it early.
async fn print(cx: &mut Context, mut lines: Lines) -> io::Result<Option<ApiError>> {
    while let Some(line) = lines.next().await {
        match line {
            Ok(line) => writeln!(cx.out.stdout, "{line}")?,
            Err(error) => return Ok(Some(error)),
        }
        cx.out.stdout.flush()?;
    }
    Ok(None)
}

/// Which process it is; `None` when it does not answer.
async fn started(api: &Arc<dyn Api>) -> Option<String> {
    api.operator().await.map(|view| view.started_at).ok()
}
