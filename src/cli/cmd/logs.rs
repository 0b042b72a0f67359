//! `seawall logs`

use crate::cli::args::LogsArgs;
use crate::cli::connect::{Connected, again, connect};
use crate::cli::named::Among;
use crate::cli::{Context, Outcome};
use crate::control::api::{Api, ApiError, ErrorCode, Lines, LogOptions};
use crate::core::names::ObjectRef;
use futures_util::StreamExt;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

const LEAVING: Duration = Duration::from_millis(500);

pub async fn run(cx: &mut Context, args: LogsArgs) -> Outcome {
    let Connected { api, live } = connect(cx).await?;
    let object = args.object.find(&api, Among::Running).await?;
    let options = LogOptions {
        lines: args.tail,
        follow: args.follow,
        since_seconds: args.since.map(|since| since.as_secs()),
        since_time: args.since_time,
        previous: args.previous,
    };
    if args.follow && live {
        return follow(cx, &object, options, api).await;
    }
    let lines = api.logs(&object, &options).await?;
    // Nothing but the stream is kept: a store that was opened for this must not stay locked while it is followed.
    drop(api);
    print(cx, lines).await?.map_or(Ok(0), |error| Err(error.into()))
}

/// Also over a restart of the operator.
async fn follow(
    cx: &mut Context,
    object: &ObjectRef,
    mut options: LogOptions,
    mut api: Arc<dyn Api>,
) -> Outcome {
    loop {
        let process = started(&api).await;
        let lines = api.logs(object, &options).await?;
        let ended = print(cx, lines).await?;
        if let Some(error) = &ended
            && error.code != ErrorCode::Unavailable
        {
            return Err(error.clone().into());
        }
        // An operator that leaves ends it, too, and may answer for a moment yet.
        tokio::time::sleep(LEAVING).await;
        let is_same = started(&api).await == process;
        let error = match ended {
            None if is_same => return Ok(0),
            // Of an operator that still runs: its own words.
            Some(error) if is_same => return Err(error.into()),
            None => ApiError::new(ErrorCode::Unavailable, "it ended, and the log with it", ""),
            Some(error) => error,
        };
        api = again(cx, error).await?;
        writeln!(cx.out.stderr, "what was printed meanwhile is not shown")?;
        options.lines = Some(0);
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
