//! The engine, with what containers print made fit to be shown: every known secret in it is replaced.
//!
//! All that a container says enters through here: logs, and what commands inside it print. So no status,
//! event, condition, error or log line above can hold a secret that a container gave away. It changes
//! nothing else of what the engine says, and holds no secret itself.

use crate::core::desired::DesiredContainer;
use crate::core::seen::{
    ContainerSummary, EngineEvent, EngineInfo, LiveUpdate, Sample, SeenContainer, SeenImage, SeenNetwork,
    SeenVolume, Space, Usage,
};
use crate::docker::{Calls, Docker, ExecRequest, ExecResult, FileToPut, LogRange, Outside, Pipe, Result};
use crate::secrets::{ExposeSecret, Secret, without_tokens};
use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// What stands for a secret.
pub const MASK: &str = "********";
/// Shorter words would be found everywhere; ours are longer.
const SHORTEST: usize = 8;

/// The secrets that are known now.
pub type Known = Arc<dyn Fn() -> Vec<Secret> + Send + Sync>;

/// `text` without any of the secrets, as they are and in base64, and without what looks like a token: those nobody knows.
#[must_use]
pub fn mask(text: &str, secrets: &[Secret]) -> String {
    let mut text = without_tokens(text, MASK).into_owned();
    for secret in secrets.iter().map(ExposeSecret::expose_secret).filter(|s| s.len() >= SHORTEST) {
        // Whole groups only: how the last one looks depends on what follows.
        let coded = STANDARD.encode(&secret.as_bytes()[..secret.len() / 3 * 3]);
        for form in [secret, coded.as_str()] {
            if text.contains(form) {
                text = text.replace(form, MASK);
            }
        }
    }
    text
}

pub struct Masked {
    inner: Arc<dyn Docker>,
    known: Known,
}

impl Masked {
    #[must_use]
    pub fn new(inner: Arc<dyn Docker>, known: Known) -> Self {
        Self { inner, known }
    }
}

#[async_trait]
impl Docker for Masked {
    async fn exec(&self, id: &str, request: &ExecRequest, timeout: Duration) -> Result<ExecResult> {
        let result = self.inner.exec(id, request, timeout).await?;
        let secrets = (self.known)();
        Ok(ExecResult {
            exit_code: result.exit_code,
            stdout: mask(&result.stdout, &secrets),
            stderr: mask(&result.stderr, &secrets),
        })
    }

    /// What goes through is data, and is not shown.
    async fn exec_through(&self, id: &str, request: &ExecRequest, pipe: Pipe) -> Result<ExecResult> {
        let result = self.inner.exec_through(id, request, pipe).await?;
        let secrets = (self.known)();
        let masked = |text: &str| mask(text, &secrets);
        Ok(ExecResult { stdout: masked(&result.stdout), stderr: masked(&result.stderr), ..result })
    }

    async fn logs(&self, id: &str, lines: usize) -> Result<Vec<String>> {
        let lines = self.inner.logs(id, lines).await?;
        let secrets = (self.known)();
        Ok(lines.iter().map(|line| mask(line, &secrets)).collect())
    }

    fn calls(&self) -> Calls {
        self.inner.calls()
    }

    fn stream_logs(
        &self,
        id: &str,
        lines: usize,
        follow: bool,
        range: LogRange,
    ) -> BoxStream<'static, Result<String>> {
        let known = Arc::clone(&self.known);
        self.inner
            .stream_logs(id, lines, follow, range)
            .map(move |line| line.map(|line| mask(&line, &known())))
            .boxed()
    }

    // Everything else as it is.

    async fn info(&self) -> Result<EngineInfo> {
        self.inner.info().await
    }
    async fn list(&self, labels: &[(&str, &str)]) -> Result<Vec<ContainerSummary>> {
        self.inner.list(labels).await
    }
    async fn inspect(&self, name_or_id: &str) -> Result<Option<SeenContainer>> {
        self.inner.inspect(name_or_id).await
    }
    async fn create(&self, desired: &DesiredContainer) -> Result<String> {
        self.inner.create(desired).await
    }
    async fn start(&self, id: &str) -> Result<()> {
        self.inner.start(id).await
    }
    async fn stop(&self, id: &str, timeout: Duration) -> Result<()> {
        self.inner.stop(id, timeout).await
    }
    async fn remove(&self, id: &str) -> Result<()> {
        self.inner.remove(id).await
    }
    async fn remove_throwaway(&self, id: &str) -> Result<()> {
        self.inner.remove_throwaway(id).await
    }
    async fn update(&self, id: &str, change: &LiveUpdate) -> Result<()> {
        self.inner.update(id, change).await
    }
    async fn rename(&self, id: &str, name: &str) -> Result<()> {
        self.inner.rename(id, name).await
    }
    async fn unpause(&self, id: &str) -> Result<()> {
        self.inner.unpause(id).await
    }
    async fn usage(&self, id: &str) -> Result<Option<Usage>> {
        self.inner.usage(id).await
    }
    async fn sample(&self, id: &str) -> Result<Option<Sample>> {
        self.inner.sample(id).await
    }
    async fn cgroup(&self, id: &str) -> Option<Sample> {
        self.inner.cgroup(id).await
    }
    async fn stopped(&self, id: &str) -> Option<Vec<String>> {
        self.inner.stopped(id).await
    }
    async fn outside(&self, id: &str, directory: Option<&str>, path: Option<&str>) -> Outside {
        self.inner.outside(id, directory, path).await
    }
    async fn read_only(&self, id: &str, path: &str) -> Option<bool> {
        self.inner.read_only(id, path).await
    }
    async fn put_files(&self, id: &str, files: &[FileToPut]) -> Result<()> {
        self.inner.put_files(id, files).await
    }
    async fn get_file(&self, id: &str, path: &str, max: usize) -> Result<Option<Vec<u8>>> {
        self.inner.get_file(id, path, max).await
    }
    async fn exists(&self, id: &str, path: &str) -> Result<bool> {
        self.inner.exists(id, path).await
    }
    async fn link(&self, id: &str, path: &str) -> Result<Option<String>> {
        self.inner.link(id, path).await
    }
    async fn links(&self, id: &str, directory: &str) -> Result<Option<Vec<String>>> {
        self.inner.links(id, directory).await
    }
    async fn wait(&self, id: &str, timeout: Duration) -> Result<i64> {
        self.inner.wait(id, timeout).await
    }
    async fn image(&self, reference: &str) -> Result<Option<SeenImage>> {
        self.inner.image(reference).await
    }
    async fn pull(&self, reference: &str) -> Result<()> {
        self.inner.pull(reference).await
    }
    async fn volume(&self, name: &str) -> Result<Option<SeenVolume>> {
        self.inner.volume(name).await
    }
    async fn space(&self, directory: &str) -> Result<Option<Space>> {
        self.inner.space(directory).await
    }

    async fn volumes(&self, labels: &[(&str, &str)]) -> Result<Vec<SeenVolume>> {
        self.inner.volumes(labels).await
    }
    async fn create_volume(&self, name: &str, labels: &BTreeMap<String, String>) -> Result<SeenVolume> {
        self.inner.create_volume(name, labels).await
    }
    async fn remove_volume(&self, name: &str) -> Result<()> {
        self.inner.remove_volume(name).await
    }
    async fn networks(&self, name: &str) -> Result<Vec<SeenNetwork>> {
        self.inner.networks(name).await
    }
    async fn create_network(&self, name: &str, labels: &BTreeMap<String, String>) -> Result<SeenNetwork> {
        self.inner.create_network(name, labels).await
    }
    async fn remove_network(&self, id: &str) -> Result<()> {
        self.inner.remove_network(id).await
    }
    async fn connect(&self, network_id: &str, container: &str, aliases: &[String]) -> Result<()> {
        self.inner.connect(network_id, container, aliases).await
    }
    async fn disconnect(&self, network_id: &str, container: &str) -> Result<()> {
        self.inner.disconnect(network_id, container).await
    }
    fn events(&self, since_nano: i64) -> BoxStream<'static, Result<EngineEvent>> {
        self.inner.events(since_nano)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_form_of_a_secret_is_left() {
        let secrets = [Secret::from("Secret-of-mine-0123456789".to_owned()), Secret::from("x".to_owned())];
        for (text, want) in [
            ("plain x", "plain x"),
            ("a Secret-of-mine-0123456789!", "a ********!"),
            ("ALTER USER x PASSWORD E'Secret-of-mine-0123456789'", "ALTER USER x PASSWORD E'********'"),
            // printf %s SECRET | base64, and with a line break at its end
            ("U2VjcmV0LW9mLW1pbmUtMDEyMzQ1Njc4OQ==", "********OQ=="),
            ("U2VjcmV0LW9mLW1pbmUtMDEyMzQ1Njc4OQo=", "********OQo="),
        ] {
            assert_eq!(mask(text, &secrets), want);
        }
        // Nobody knows which tokens there are; they are known by how they look.
        let token = crate::secrets::token();
        let said = format!("Authorization: Bearer {}, refused", token.expose_secret());
        assert_eq!(mask(&said, &[]), "Authorization: Bearer ********, refused");
    }
}
