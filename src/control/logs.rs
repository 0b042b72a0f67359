//! What an object's container printed, as everybody may see it: without any secret that is known, control
//! characters escaped, lines cut. Must never hold more of a log in memory than the line in hand.

use super::api::{ApiError, ErrorCode, Lines, Result};
use super::operator::Operator;
use crate::core::names::ObjectRef;
use crate::core::text::line as on_one_line;
use crate::workload::ownership::foreign;
use futures_util::StreamExt;

/// Characters of a line that are shown.
const LINE: usize = 64 * 1024;

impl Operator {
    pub(super) async fn log_of(&self, object: &ObjectRef, lines: Option<u32>, follow: bool) -> Result<Lines> {
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
        let lines = lines.map_or(usize::MAX, |n| n as usize);
        let shown = docker.stream_logs(&seen.id, lines, follow).map(|line| {
            line.map(|text| on_one_line(&text, LINE))
                .map_err(|e| ApiError::new(ErrorCode::Unavailable, e.to_string(), "seawall doctor"))
        });
        Ok(shown.boxed())
    }
}
