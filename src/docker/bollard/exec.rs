//! A command inside a container, with an end of its own: the engine does not end it when its client goes
//! away. Must never wait for it without a limit.

use super::BollardDocker;
use super::call::{SHORT, call, unusable, within};
use crate::docker::map::{self, Call};
use crate::docker::streams::{Reads, Said, collect, feed, feed_from, hand_on, stands_still, text};
use crate::docker::{CUT_SHORT, DockerError, ExecRequest, ExecResult, Pipe, Result};
use bollard::exec::{CreateExecOptions, StartExecOptions, StartExecResults};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::time::timeout;

/// Past an exec's own timeout: its `timeout` command kills first.
const AFTER_EXEC: Duration = Duration::from_secs(5);

impl BollardDocker {
    pub(super) async fn run(&self, id: &str, request: &ExecRequest, limit: Duration) -> Result<ExecResult> {
        let call = call("run a command in a container", "container", id);
        let begun = Instant::now();
        let whole = limit.saturating_add(AFTER_EXEC);
        let (exec, output, input) = self.begin(call, request, request.stdin.is_some(), limit, whole).await?;
        let late = || DockerError::Timeout { doing: call.doing, after: limit };
        let both = async { tokio::join!(feed(input, request.stdin.as_ref()), collect(output)).1 };
        let (stdout, stderr) = timeout(whole.saturating_sub(begun.elapsed()), both)
            .await
            .map_err(|_| late())?
            .map_err(|e| map::error(call, e))?;
        let exit_code = self.exec_code(&exec, call).await?;
        // 124 (GNU), 143 (busybox), 137 (it ignored TERM): ended by `timeout`, unless it was quicker.
        if begun.elapsed() >= limit && [124, 137, 143].contains(&exit_code) {
            return Err(late());
        }
        Ok(ExecResult { exit_code, stdout: text(&stdout), stderr: text(&stderr) })
    }

    pub(super) async fn run_through(
        &self,
        id: &str,
        request: &ExecRequest,
        pipe: Pipe,
    ) -> Result<ExecResult> {
        let call = call("run a command in a container", "container", id);
        let Pipe { input: from, output: to, idle, longest } = pipe;
        let (exec, output, input) = self.begin(call, request, from.is_some(), longest, SHORT).await?;
        let moved = Notify::new();
        // What ends without having read all of its input has ended.
        let feed = async {
            feed_from(input, from, &moved).await;
            std::future::pending::<()>().await;
        };
        let through = tokio::select! {
            through = hand_on(output, to, &moved) => through.map_err(|e| map::error(call, e))?,
            () = feed => return Err(unusable(call, "no output")),
            () = stands_still(&moved, idle) => {
                return Err(DockerError::Timeout { doing: call.doing, after: idle });
            }
        };
        let exit_code = if through.cut_short { CUT_SHORT } else { self.exec_code(&exec, call).await? };
        Ok(ExecResult { exit_code, stdout: text(&through.stdout), stderr: text(&through.stderr) })
    }

    /// Starts it: its id, what it says, and where it reads from.
    async fn begin(
        &self,
        call: Call<'_>,
        request: &ExecRequest,
        reads: bool,
        limit: Duration,
        patience: Duration,
    ) -> Result<(String, Said, Reads)> {
        let client = self.client()?;
        // A command goes on when its client goes away: it gets its own end.
        let seconds = limit.as_secs() + u64::from(limit.subsec_nanos() > 0);
        let mut argv: Vec<String> = ["timeout", "-k", "2"].map(str::to_owned).to_vec();
        argv.push(seconds.max(1).to_string());
        argv.extend(request.argv.iter().cloned());
        let options = CreateExecOptions {
            attach_stdin: Some(reads),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            env: Some(request.env.iter().map(|(k, v)| format!("{k}={v}")).collect()),
            cmd: Some(argv),
            user: (!request.user.is_empty()).then(|| request.user.clone()),
            ..Default::default()
        };
        let exec = within(SHORT, call, client.create_exec(call.name, options)).await?.id;
        let started = within(patience, call, client.start_exec(&exec, None::<StartExecOptions>)).await?;
        let StartExecResults::Attached { output, input } = started else {
            return Err(unusable(call, "detached"));
        };
        Ok((exec, output, input))
    }

    async fn exec_code(&self, exec: &str, call: Call<'_>) -> Result<i64> {
        // The output can end a moment before the engine has noted the code.
        for _ in 0..50 {
            let seen = within(SHORT, call, self.client()?.inspect_exec(exec)).await?;
            if let Some(code) = seen.exit_code.filter(|_| seen.running != Some(true)) {
                return Ok(code);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Err(unusable(call, "no exit code"))
    }
}
