//! What an object's container printed, as everybody may see it: without any secret that is known, control
//! characters escaped, lines cut. Must never hold more of a log in memory than the line in hand.

use super::api::{ApiError, ErrorCode, Lines, LogOptions, Result};
use super::operator::Operator;
use crate::core::names::ObjectRef;
use crate::core::text::line as on_one_line;
use crate::docker::{Docker, LogRange};
use crate::workload::ownership::foreign;
use futures_util::StreamExt;
use futures_util::stream;
use jiff::{SignedDuration, Timestamp};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// Characters of a line that are shown.
const LINE: usize = 64 * 1024;
/// The first line of a log is read within this.
const FIRST: Duration = Duration::from_secs(10);

impl LogOptions {
    fn since(&self, now: Timestamp) -> Option<Timestamp> {
        let ago = self.since_seconds.map(|seconds| {
            let ago = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
            now.checked_sub(ago).unwrap_or(Timestamp::MIN)
        });
        ago.max(self.since_time)
    }
}

impl Operator {
    pub(super) async fn log_of(&self, object: &ObjectRef, options: &LogOptions) -> Result<Lines> {
        if options.previous && options.follow {
            let what = "what was printed before the last start is over: it cannot be followed";
            return Err(ApiError::new(ErrorCode::Invalid, what, "follow, or ask for the previous ones"));
        }
        let record = self.record(object)?;
        let serves = self.kinds.get(object.kind).map(|kind| kind.serves(&record.memory)).unwrap_or_default();
        let identity = self.identity(&record).member(serves);
        let name = identity.container();
        let unavailable = |e: &dyn std::fmt::Display| {
            ApiError::new(ErrorCode::Unavailable, e.to_string(), "seawall doctor")
        };
        let docker = &self.tools.docker;
        let Some(seen) = docker.inspect(&name).await.map_err(|e| unavailable(&e))? else {
            let what = format!("there is no container {name}");
            return Err(ApiError::new(ErrorCode::NotFound, what, format!("seawall describe {object}")));
        };
        // What others log is theirs, and holds secrets that nobody here knows to mask.
        if let Some(why) = foreign(&seen.labels, &identity) {
            let what = format!("the container {name} is not that of {object}: {why}");
            return Err(ApiError::new(ErrorCode::Conflict, what, format!("seawall describe {object}")));
        }
        // What is not known cannot be masked.
        if let Err(error) = self.tools.password(object) {
            let chain = std::error::Error::source(&error).map(|s| format!(": {s}")).unwrap_or_default();
            let what = format!("{error}{chain}: whether it is in the log cannot be told");
            let next =
                format!("docker logs {name} shows the log as it is; seawall doctor checks the key file");
            return Err(ApiError::new(ErrorCode::Internal, what, next));
        }
        let since = options.since(Timestamp::now());
        let lines = options.lines.map_or(usize::MAX, |n| n as usize);
        if !options.previous {
            return Ok(read(docker, &seen.id, lines, options.follow, LogRange { since, until: None }));
        }
        let Ok(until) = seen.started_at.parse::<Timestamp>() else {
            let what = format!("the container {name} was never started");
            return Err(ApiError::new(ErrorCode::NotFound, what, format!("seawall describe {object}")));
        };
        let range = LogRange { since, until: Some(until) };
        let mut shown = before(Arc::clone(docker), seen.id, lines, range).peekable();
        let first = tokio::time::timeout(FIRST, Pin::new(&mut shown).peek()).await;
        match first.map(|line| line.is_some()) {
            Ok(true) => Ok(shown.boxed()),
            Ok(false) => Err(ApiError::new(
                ErrorCode::NotFound,
                format!("{name} printed nothing of that before its last start, at {until}"),
                format!(
                    "where it was made anew, the log of the one before went with that one: seawall events {object}"
                ),
            )),
            Err(_) => {
                let what = format!("the log of {name} had no line within {} s", FIRST.as_secs());
                Err(ApiError::new(ErrorCode::Unavailable, what, "seawall doctor"))
            }
        }
    }
}

fn read(docker: &Arc<dyn Docker>, id: &str, lines: usize, follow: bool, range: LogRange) -> Lines {
    let shown = docker.stream_logs(id, lines, follow, range).map(|line| {
        line.map(|text| on_one_line(&text, LINE))
            .map_err(|e| ApiError::new(ErrorCode::Unavailable, e.to_string(), "seawall doctor"))
    });
    shown.boxed()
}

/// The last lines before a moment. The engine counts back from the end of the log, whatever else it is asked: so they are counted
/// first, and what comes before the last ones is passed over.
fn before(docker: Arc<dyn Docker>, id: String, lines: usize, range: LogRange) -> Lines {
    let begun = async move {
        let all = read(&docker, &id, usize::MAX, false, range);
        if lines == usize::MAX {
            return all;
        }
        let count = all.fold(0_usize, |count, line| async move { count + usize::from(line.is_ok()) }).await;
        read(&docker, &id, usize::MAX, false, range).skip(count.saturating_sub(lines)).boxed()
    };
    stream::once(begun).flatten().boxed()
}
