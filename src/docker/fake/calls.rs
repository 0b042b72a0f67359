//! The calls of the trait. Each counts and may be made to fail; what it does is in `engine.rs`.

use super::{FakeDocker, Signal};
use crate::core::desired::DesiredContainer;
use crate::core::seen::{
    ContainerState, ContainerSummary, EngineEvent, EngineInfo, LiveUpdate, Sample, SeenContainer, SeenImage,
    SeenNetwork, SeenVolume, Space, Usage,
};
use crate::docker::calls::OK;
use crate::docker::{
    CUT_SHORT, Calls, Docker, DockerError, Ends, ExecRequest, ExecResult, FileToPut, LogRange, Pipe, Result,
};
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use jiff::Timestamp;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;
use tokio::sync::broadcast;
use zeroize::Zeroizing;

#[async_trait]
impl Docker for FakeDocker {
    async fn info(&self) -> Result<EngineInfo> {
        self.call("info", |c| Ok(EngineInfo { time_nano: c.engine.time(), ..c.engine.info.clone() })).await
    }

    async fn list(&self, labels: &[(&str, &str)]) -> Result<Vec<ContainerSummary>> {
        self.call("list", |c| Ok(c.engine.list(labels))).await
    }

    async fn inspect(&self, name_or_id: &str) -> Result<Option<SeenContainer>> {
        self.call("inspect", |c| Ok(c.engine.inspect(name_or_id))).await
    }

    async fn create(&self, desired: &DesiredContainer) -> Result<String> {
        self.call("create", |c| c.engine.create(desired)).await
    }

    async fn start(&self, id: &str) -> Result<()> {
        let scripts = self.lock().on_start.clone();
        let up = |s: &Self| s.lock().engine.inspect(id).filter(|c| c.state == ContainerState::Running);
        let before = up(self);
        let answer = self.begin("start", |c| c.engine.start(id));
        // What a container does does not depend on whether the caller hears that it was started.
        if let (None, Some(seen)) = (before, up(self))
            && let Some(code) = scripts.iter().find_map(|script| script(&seen))
        {
            self.change(|s| s.end(&seen.id, code));
        }
        self.end("start", answer).await.map(drop)
    }

    async fn stop(&self, id: &str, _timeout: Duration) -> Result<()> {
        self.call("stop", |c| c.engine.stop(id)).await
    }

    async fn remove(&self, id: &str) -> Result<()> {
        self.call("remove", |c| {
            c.engine.remove(id, false);
            Ok(())
        })
        .await
    }

    async fn remove_throwaway(&self, id: &str) -> Result<()> {
        self.call("remove_throwaway", |c| {
            c.engine.remove(id, true);
            Ok(())
        })
        .await
    }

    async fn update(&self, id: &str, change: &LiveUpdate) -> Result<()> {
        self.call("update", |c| c.engine.update(id, change)).await
    }

    async fn rename(&self, id: &str, name: &str) -> Result<()> {
        self.call("rename", |c| c.engine.rename(id, name)).await
    }

    async fn unpause(&self, id: &str) -> Result<()> {
        self.call("unpause", |c| c.engine.unpause(id)).await
    }

    async fn usage(&self, id: &str) -> Result<Option<Usage>> {
        self.call("usage", |c| c.engine.usage(id)).await
    }

    async fn sample(&self, id: &str) -> Result<Option<Sample>> {
        self.call("sample", |c| c.engine.sample(id)).await
    }

    async fn cgroup(&self, id: &str) -> Option<Sample> {
        let mut control = self.lock();
        let whole = control.engine.containers.contains_key(id);
        if control.cgroups && whole { control.engine.sample(id).ok().flatten() } else { None }
    }

    async fn stopped(&self, id: &str) -> Option<Vec<String>> {
        self.lock().stopped.get(id).cloned()
    }

    async fn read_only(&self, id: &str, _: &str) -> Option<bool> {
        self.lock().read_only.get(id).copied()
    }

    async fn put_files(&self, id: &str, files: &[FileToPut]) -> Result<()> {
        self.call("put_files", |c| c.engine.put_files(id, files)).await
    }

    async fn get_file(&self, id: &str, path: &str, max: usize) -> Result<Option<Vec<u8>>> {
        self.call("get_file", |c| {
            let found = c.engine.file(id, path)?;
            Ok(found.map(|mut content| {
                content.truncate(max);
                content
            }))
        })
        .await
    }

    async fn exists(&self, id: &str, path: &str) -> Result<bool> {
        self.call("exists", |c| {
            let to = c.engine.links_of(id)?.and_then(|links| links.get(path)).cloned();
            Ok(c.engine.file(id, to.as_deref().unwrap_or(path))?.is_some())
        })
        .await
    }

    async fn link(&self, id: &str, path: &str) -> Result<Option<String>> {
        self.call("link", |c| Ok(c.engine.links_of(id)?.and_then(|l| l.get(path)).cloned())).await
    }

    async fn links(&self, id: &str, directory: &str) -> Result<Option<Vec<String>>> {
        self.call("links", |c| {
            let all = c.engine.links_of(id)?.into_iter().flat_map(BTreeMap::keys);
            let here = |path: &String| {
                let name = path.strip_prefix(directory)?.strip_prefix('/')?;
                (!name.contains('/')).then(|| name.to_owned())
            };
            Ok(Some(all.filter_map(here).collect()))
        })
        .await
    }

    async fn exec(&self, id: &str, request: &ExecRequest, limit: Duration) -> Result<ExecResult> {
        let (seen, script) =
            self.call("exec", |c| Ok((c.engine.exec(id, &request.argv)?, c.exec.clone()))).await?;
        // Not under the lock: a script may look at the engine.
        match script {
            Some(script) => match script(&seen, request) {
                Err(DockerError::Timeout { doing, .. }) => Err(DockerError::Timeout { doing, after: limit }),
                other => other,
            },
            None => Ok(ExecResult { exit_code: 0, stdout: String::new(), stderr: String::new() }),
        }
    }

    /// The script finds all of the input as that of a short command, and what it prints goes out at once.
    async fn exec_through(&self, id: &str, request: &ExecRequest, pipe: Pipe) -> Result<ExecResult> {
        let mut request = request.clone();
        if let Some(mut input) = pipe.input {
            let mut all = Zeroizing::new(Vec::new());
            while let Some(bytes) = input.recv().await {
                all.extend_from_slice(&bytes);
            }
            request.stdin = Some(all);
        }
        let mut result = self.exec(id, &request, pipe.idle).await?;
        if let Some(output) = pipe.output {
            let said = Bytes::from(std::mem::take(&mut result.stdout));
            if !said.is_empty() && output.send(said).await.is_err() {
                result.exit_code = CUT_SHORT;
            }
        }
        Ok(result)
    }

    async fn logs(&self, id: &str, lines: usize) -> Result<Vec<String>> {
        self.call("logs", |c| {
            let all = c.engine.logs(id)?;
            Ok(all.get(all.len().saturating_sub(lines)..).unwrap_or_default().to_vec())
        })
        .await
    }

    fn calls(&self) -> Calls {
        let ends = |count| Ends { outcomes: BTreeMap::from([(OK, count)]), ..Ends::default() };
        self.call_log().into_iter().map(|(method, count)| (method, ends(count))).collect()
    }

    fn stream_logs(
        &self,
        id: &str,
        lines: usize,
        follow: bool,
        range: LogRange,
    ) -> BoxStream<'static, Result<String>> {
        // Scripted logs do not grow, and that of what runs has no end.
        let found = self.stream_call("stream_logs", |c| {
            let open = follow && c.engine.get(id)?.seen.state == ContainerState::Running;
            Ok((c.engine.logs(id)?.to_vec(), open))
        });
        match found.and_then(|r| r) {
            Ok((all, open)) => {
                let skip = all.len().saturating_sub(lines);
                // A scripted line may begin with its time; one without is of now.
                let dated = move |line: String| match line.split_once(' ') {
                    Some((at, rest)) if at.parse::<Timestamp>().is_ok() => {
                        at.parse().is_ok_and(|at| range.holds(at)).then(|| rest.to_owned())
                    }
                    _ => range.until.is_none().then_some(line),
                };
                let told = stream::iter(all.into_iter().skip(skip).filter_map(dated).map(Ok));
                if open { told.chain(stream::pending()).boxed() } else { told.boxed() }
            }
            Err(e) => stream::once(async { Err(e) }).boxed(),
        }
    }

    async fn wait(&self, id: &str, limit: Duration) -> Result<i64> {
        self.call("wait", |c| c.engine.get(id).map(|_| ())).await?;
        let ended = async {
            loop {
                let changed = self.changed.notified();
                tokio::pin!(changed);
                // Registered before the look, so that no change slips between.
                changed.as_mut().enable();
                match self.lock().engine.inspect(id) {
                    None => return Err(DockerError::NotFound { what: format!("container {id}") }),
                    Some(c) if c.state == ContainerState::Exited => return Ok(c.exit_code.unwrap_or(0)),
                    Some(_) => {}
                }
                changed.await;
            }
        };
        tokio::time::timeout(limit, ended)
            .await
            .unwrap_or(Err(DockerError::Timeout { doing: "wait for a container", after: limit }))
    }

    async fn image(&self, reference: &str) -> Result<Option<SeenImage>> {
        self.call("image", |c| Ok(c.engine.image(reference).cloned())).await
    }

    async fn pull(&self, reference: &str) -> Result<()> {
        self.call("pull", |c| c.engine.pull(reference)).await
    }

    async fn volume(&self, name: &str) -> Result<Option<SeenVolume>> {
        self.call("volume", |c| Ok(c.engine.volume(name))).await
    }

    async fn space(&self, directory: &str) -> Result<Option<Space>> {
        let _ = directory;
        Ok(self.lock().space)
    }

    async fn volumes(&self, labels: &[(&str, &str)]) -> Result<Vec<SeenVolume>> {
        self.call("volumes", |c| Ok(c.engine.volumes(labels))).await
    }

    async fn create_volume(&self, name: &str, labels: &BTreeMap<String, String>) -> Result<SeenVolume> {
        self.call("create_volume", |c| Ok(c.engine.create_volume(name, labels))).await
    }

    async fn remove_volume(&self, name: &str) -> Result<()> {
        self.call("remove_volume", |c| c.engine.remove_volume(name)).await
    }

    async fn networks(&self, name: &str) -> Result<Vec<SeenNetwork>> {
        self.call("networks", |c| Ok(c.engine.networks(name))).await
    }

    async fn create_network(&self, name: &str, labels: &BTreeMap<String, String>) -> Result<SeenNetwork> {
        self.call("create_network", |c| c.engine.create_network(name, labels)).await
    }

    async fn remove_network(&self, id: &str) -> Result<()> {
        self.call("remove_network", |c| c.engine.remove_network(id)).await
    }

    async fn connect(&self, network_id: &str, container: &str, aliases: &[String]) -> Result<()> {
        self.call("connect", |c| c.engine.connect(network_id, container, aliases)).await
    }

    async fn disconnect(&self, network_id: &str, container: &str) -> Result<()> {
        self.call("disconnect", |c| c.engine.disconnect(network_id, container)).await
    }

    fn events(&self, since_nano: i64) -> BoxStream<'static, Result<EngineEvent>> {
        // Subscribed under the lock: no event falls between the replay and the stream.
        let begun = self.stream_call("events", |c| (c.engine.replay(since_nano), self.signals.subscribe()));
        let (replay, live) = match begun {
            Ok(begun) => begun,
            Err(e) => return stream::once(async { Err(e) }).boxed(),
        };
        let state: (VecDeque<EngineEvent>, _) = (replay, live);
        stream::unfold(state, |(mut replay, mut live)| async move {
            if let Some(event) = replay.pop_front() {
                return Some((Ok(event), (replay, live)));
            }
            loop {
                match live.recv().await {
                    Ok(Signal::Event(event)) => return Some((Ok(*event), (replay, live))),
                    // The reader was too slow: these are lost.
                    Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Ok(Signal::Mute) => std::future::pending().await,
                    Ok(Signal::End) | Err(broadcast::error::RecvError::Closed) => return None,
                }
            }
        })
        .boxed()
    }
}
