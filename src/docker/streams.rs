//! The engine's streams: outputs of commands, logs, events. Each is read to its end or first error
//! and never kept beyond a fixed size.

use crate::docker::lines::Lines;
use crate::docker::map::{self, Call};
use crate::docker::{LogRange, Result};
use bollard::container::LogOutput;
use bollard::errors::Error as ApiError;
use bollard::query_parameters as query;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt};
use jiff::Timestamp;
use std::collections::VecDeque;
use std::pin::Pin;
use std::time::Duration;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::Notify;
use tokio::sync::mpsc::{Receiver, Sender};
use zeroize::Zeroizing;

/// Kept of each output of an exec.
const MAX_OUTPUT: usize = 64 * 1024;
/// More bytes than the time has that the engine puts before a line.
const TIME: usize = 40;

/// Ends after the first error.
pub(super) fn until_error<T: Send + 'static>(
    items: impl Stream<Item = Result<T>> + Send + 'static,
) -> BoxStream<'static, Result<T>> {
    items
        .scan(false, |failed, item| {
            let over = std::mem::replace(failed, item.is_err());
            std::future::ready((!over).then_some(item))
        })
        .boxed()
}

/// The engine is told whole seconds, and what it tells is cut to the moment by [`dated`].
pub(super) fn log_options(lines: usize, follow: bool, range: LogRange) -> query::LogsOptions {
    let seconds = |at: Option<Timestamp>, more: i64| {
        at.map_or(0, |at| i32::try_from(at.as_second() + more).unwrap_or(i32::MAX))
    };
    query::LogsOptionsBuilder::default()
        .stdout(true)
        .stderr(true)
        .follow(follow)
        .tail(&lines.to_string())
        .since(seconds(range.since, 0))
        .until(seconds(range.until, 1))
        .timestamps(!range.is_all())
        .build()
}

/// A frame without its time, or `None` when that is out of the range. What has no time is kept: better too much than too little.
fn dated(frame: LogOutput, range: LogRange) -> Option<LogOutput> {
    if range.is_all() {
        return Some(frame);
    }
    let cut = |message: Bytes| {
        let end = message.iter().take(TIME).position(|byte| *byte == b' ');
        let at = end.and_then(|end| std::str::from_utf8(&message[..end]).ok()?.parse::<Timestamp>().ok());
        match (at, end) {
            (Some(at), Some(end)) => range.holds(at).then(|| message.slice(end + 1..)),
            _ => Some(message),
        }
    };
    Some(match frame {
        LogOutput::StdErr { message } => LogOutput::StdErr { message: cut(message)? },
        LogOutput::StdOut { message } => LogOutput::StdOut { message: cut(message)? },
        LogOutput::Console { message } => LogOutput::Console { message: cut(message)? },
        other => other,
    })
}

/// Puts the lines that a frame completes behind the others.
pub(super) fn split(frame: LogOutput, out: &mut Lines, err: &mut Lines, done: &mut impl Extend<String>) {
    match frame {
        LogOutput::StdErr { message } => done.extend(err.push(&message)),
        LogOutput::StdOut { message } | LogOutput::Console { message } => done.extend(out.push(&message)),
        LogOutput::StdIn { .. } => {}
    }
}

/// The state of a followed log.
pub(super) struct Follow {
    id: String,
    range: LogRange,
    /// `None` after its end.
    frames: Option<BoxStream<'static, Result<LogOutput, ApiError>>>,
    out: Lines,
    err: Lines,
    ready: VecDeque<String>,
}

impl Follow {
    pub fn new(id: &str, frames: BoxStream<'static, Result<LogOutput, ApiError>>, range: LogRange) -> Self {
        let (out, err) = (Lines::default(), Lines::default());
        Self { id: id.to_owned(), range, frames: Some(frames), out, err, ready: VecDeque::new() }
    }

    pub async fn next(&mut self) -> Option<Result<String>> {
        loop {
            if let Some(line) = self.ready.pop_front() {
                return Some(Ok(line));
            }
            match self.frames.as_mut()?.next().await {
                Some(Ok(frame)) => {
                    if let Some(frame) = dated(frame, self.range) {
                        split(frame, &mut self.out, &mut self.err, &mut self.ready);
                    }
                }
                Some(Err(e)) => {
                    self.frames = None;
                    return Some(Err({
                        let call = Call { doing: "read logs", kind: "container", name: &self.id };
                        map::error(call, e)
                    }));
                }
                None => {
                    self.frames = None;
                    self.ready.extend(self.out.finish());
                    self.ready.extend(self.err.finish());
                    return self.ready.pop_front().map(Ok);
                }
            }
        }
    }
}

/// What a command says.
pub(super) type Said = Pin<Box<dyn Stream<Item = Result<LogOutput, ApiError>> + Send>>;
/// Its standard input.
pub(super) type Reads = Pin<Box<dyn AsyncWrite + Send>>;

/// Writes standard input and closes it. A command that ends without reading it is not an error.
pub(super) async fn feed(mut input: Reads, stdin: Option<&Zeroizing<Vec<u8>>>) {
    if let Some(stdin) = stdin
        && input.write_all(stdin).await.is_ok()
    {
        let _ = input.shutdown().await;
    }
}

/// Both outputs to their ends, each cut.
pub(super) async fn collect(mut output: Said) -> Result<(Vec<u8>, Vec<u8>), ApiError> {
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    while let Some(frame) = output.next().await {
        let (to, message) = match frame? {
            LogOutput::StdErr { message } => (&mut stderr, message),
            LogOutput::StdOut { message } | LogOutput::Console { message } | LogOutput::StdIn { message } => {
                (&mut stdout, message)
            }
        };
        let room = MAX_OUTPUT.saturating_sub(to.len());
        to.extend_from_slice(&message[..message.len().min(room)]);
    }
    Ok((stdout, stderr))
}

/// What went through a command.
#[derive(Default)]
pub(super) struct Through {
    /// Cut; empty where it was handed on.
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    /// Nobody took its output any more.
    pub cut_short: bool,
}

/// Writes what comes to standard input and closes it; `moved` is told of each piece.
pub(super) async fn feed_from(mut input: Reads, from: Option<Receiver<Bytes>>, moved: &Notify) {
    let Some(mut from) = from else { return };
    while let Some(bytes) = from.recv().await {
        if input.write_all(&bytes).await.is_err() {
            return;
        }
        moved.notify_one();
    }
    let _ = input.shutdown().await;
}

/// Both outputs to their ends: the first to who takes it, the other one cut.
pub(super) async fn hand_on(
    mut output: Said,
    to: Option<Sender<Bytes>>,
    moved: &Notify,
) -> Result<Through, ApiError> {
    let mut through = Through::default();
    while let Some(frame) = output.next().await {
        moved.notify_one();
        let frame = frame?;
        if let (LogOutput::StdOut { message }, Some(to)) = (&frame, &to) {
            if to.send(message.clone()).await.is_err() {
                through.cut_short = true;
                return Ok(through);
            }
            moved.notify_one();
            continue;
        }
        let (kept, message) = match frame {
            LogOutput::StdErr { message } => (&mut through.stderr, message),
            LogOutput::StdOut { message } | LogOutput::Console { message } | LogOutput::StdIn { message } => {
                (&mut through.stdout, message)
            }
        };
        let room = MAX_OUTPUT.saturating_sub(kept.len());
        kept.extend_from_slice(&message[..message.len().min(room)]);
    }
    Ok(through)
}

/// Ends when nothing moved for that long.
pub(super) async fn stands_still(moved: &Notify, idle: Duration) {
    while tokio::time::timeout(idle, moved.notified()).await.is_ok() {}
}

pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
