//! The real engine, over its socket.
//!
//! Translates and gives every call a limit; decides nothing and retries nothing. The connection is
//! made by the first call, so that Seawall starts while the engine is down. What bollard itself logs
//! at `debug` holds whole request bodies: its log target must stay above that level.

mod call;
mod exec;
mod files;
mod login;
mod wire;

use crate::core::desired::DesiredContainer;
use crate::core::image_ref::ImageReference;
use crate::core::quantity::NanoCpus;
use crate::core::seen::{
    ContainerSummary, EngineEvent, EngineInfo, LiveUpdate, Sample, SeenContainer, SeenImage, SeenNetwork,
    SeenVolume, Space, Usage,
};
use crate::docker::cgroup;
use crate::docker::from_api::{self, Host};
use crate::docker::lines::Lines;
use crate::docker::login::explained;
use crate::docker::map;
use crate::docker::mounts::{self, Mounts};
use crate::docker::streams::{Follow, log_options, split, until_error};
use crate::docker::{
    Calls, Docker, DockerError, ExecRequest, ExecResult, FileToPut, LogRange, Outside, Pipe, Result, calls,
    to_api,
};
use async_trait::async_trait;
use bollard::errors::Error as ApiError;
use bollard::models;
use bollard::query_parameters as query;
use call::{LONG, SHORT, call, counted, gone, optional, part, within};
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use wire::Wire;

/// A pull may take hours, but never says nothing for this long.
const PULL_IDLE: Duration = Duration::from_secs(60);
/// For what the kernel tells without delay: the size of a file system, the files of a cgroup.
const SPACE: Duration = Duration::from_secs(2);
/// Past a stop's own timeout: the engine kills and then tidies up.
const AFTER_STOP: Duration = Duration::from_secs(15);
/// bollard's own limit must never be the one that fires.
const NO_OWN_LIMIT: u64 = 7 * 24 * 3600;

/// Docker Engine over a unix socket or plain TCP.
pub struct BollardDocker {
    address: String,
    client: OnceLock<bollard::Docker>,
    /// Refreshed by every `info`.
    host: Mutex<Option<Host>>,
    mounts: Arc<Mounts>,
}

impl BollardDocker {
    /// `docker_host` as in `DOCKER_HOST` (`unix:///run/docker.sock`, `tcp://127.0.0.1:2375`); `None`
    /// takes that variable or the default socket. Nothing is contacted yet.
    ///
    /// # Errors
    /// [`DockerError::Unavailable`] for an address that is neither.
    pub fn connect(docker_host: Option<&str>) -> Result<Self> {
        let address = docker_host
            .map(str::to_owned)
            .or_else(|| std::env::var("DOCKER_HOST").ok())
            .filter(|a| !a.is_empty())
            .unwrap_or_else(|| "unix:///var/run/docker.sock".to_owned());
        let address = if address.starts_with('/') { format!("unix://{address}") } else { address };
        if !["unix://", "tcp://", "http://"].iter().any(|s| address.starts_with(s)) {
            return Err(DockerError::Unavailable {
                doing: "connect",
                detail: format!("{address:?} is neither unix:///PATH nor tcp://HOST:PORT"),
            });
        }
        Ok(Self { address, client: OnceLock::new(), host: Mutex::new(None), mounts: Arc::default() })
    }

    /// Whether directories of the engine's host are ours, too.
    fn is_here(&self) -> bool {
        self.address.starts_with("unix://")
    }

    fn client(&self) -> Result<&bollard::Docker> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let wire = Arc::new(Wire::new(&self.address));
        let transport = move |request| {
            let wire = Arc::clone(&wire);
            async move { wire.request(request).await }
        };
        // The version in a path is the wire's to set: this client drops what it is told here.
        let version = bollard::API_DEFAULT_VERSION;
        let made = bollard::Docker::connect_with_custom_transport(
            transport,
            Some("http://docker"),
            NO_OWN_LIMIT,
            version,
        );
        let made = made.map_err(|e| map::error(call("connect", "engine", ""), e))?;
        Ok(self.client.get_or_init(|| made))
    }

    async fn remove_with(&self, id: &str, volumes: bool) -> Result<()> {
        let call = call("remove a container", "container", id);
        let options = query::RemoveContainerOptionsBuilder::default().force(true).v(volumes).build();
        gone(within(LONG, call, self.client()?.remove_container(id, Some(options))).await)
    }

    /// What is known of the host, asked for once.
    async fn host(&self) -> Result<Host> {
        let known = *self.host.lock().unwrap_or_else(PoisonError::into_inner);
        match known {
            Some(host) => Ok(host),
            None => self.info().await.map(|i| host_of(&i)),
        }
    }
}

fn host_of(info: &EngineInfo) -> Host {
    Host { cpus: info.cpus, memory: info.memory, swap_limit: info.swap_limit, lacks: info.lacks }
}

fn label_filter(labels: &[(&str, &str)]) -> HashMap<String, Vec<String>> {
    HashMap::from([("label".to_owned(), labels.iter().map(|(k, v)| format!("{k}={v}")).collect())])
}

#[async_trait]
impl Docker for BollardDocker {
    async fn info(&self) -> Result<EngineInfo> {
        let call = call("ask the engine about itself", "engine", "");
        let client = self.client()?;
        let version = within(SHORT, call, client.version()).await?;
        let info = from_api::info(version, within(SHORT, call, client.info()).await?);
        *self.host.lock().unwrap_or_else(PoisonError::into_inner) = Some(host_of(&info));
        Ok(info)
    }

    async fn list(&self, labels: &[(&str, &str)]) -> Result<Vec<ContainerSummary>> {
        let options =
            query::ListContainersOptionsBuilder::default().all(true).filters(&label_filter(labels)).build();
        let call = call("list containers", "engine", "");
        let found = within(SHORT, call, self.client()?.list_containers(Some(options))).await?;
        let mut all: Vec<ContainerSummary> = found.into_iter().map(from_api::summary).collect();
        all.sort_by(|a, b| a.name.cmp(&b.name).then_with(|| a.id.cmp(&b.id)));
        Ok(all)
    }

    async fn inspect(&self, name_or_id: &str) -> Result<Option<SeenContainer>> {
        let host = self.host().await?;
        let call = call("inspect a container", "container", name_or_id);
        let found = optional(within(SHORT, call, self.client()?.inspect_container(name_or_id, None)).await)?;
        // The engine also answers for the start of an id.
        Ok(found.map(|c| from_api::container(c, host)).filter(|c| c.id == name_or_id || c.name == name_or_id))
    }

    async fn create(&self, desired: &DesiredContainer) -> Result<String> {
        let lacks = self.host().await?.lacks;
        let call = call("create a container", "container", &desired.name);
        let options = query::CreateContainerOptionsBuilder::default().name(&desired.name).build();
        let body = to_api::create(desired, lacks);
        let made = within(LONG, call, self.client()?.create_container(Some(options), body)).await;
        made.map(|c| c.id).map_err(|e| match e {
            DockerError::ImageMissing { .. } => {
                DockerError::ImageMissing { reference: desired.image.clone() }
            }
            other => other,
        })
    }

    async fn start(&self, id: &str) -> Result<()> {
        let call = call("start a container", "container", id);
        within(LONG, call, self.client()?.start_container(id, None)).await
    }

    async fn stop(&self, id: &str, grace: Duration) -> Result<()> {
        let call = call("stop a container", "container", id);
        let seconds = i32::try_from(grace.as_secs()).unwrap_or(i32::MAX);
        let options = query::StopContainerOptionsBuilder::default().t(seconds).build();
        let limit = grace.saturating_add(AFTER_STOP);
        within(limit, call, self.client()?.stop_container(id, Some(options))).await
    }

    async fn remove(&self, id: &str) -> Result<()> {
        self.remove_with(id, false).await
    }

    async fn remove_throwaway(&self, id: &str) -> Result<()> {
        self.remove_with(id, true).await
    }

    async fn update(&self, id: &str, change: &LiveUpdate) -> Result<()> {
        let host = self.host().await?;
        let all_cpus = NanoCpus(host.cpus.saturating_mul(1_000_000_000));
        let call = call("update a container", "container", id);
        within(LONG, call, self.client()?.update_container(id, to_api::update(change, all_cpus, host.lacks)))
            .await
    }

    async fn rename(&self, id: &str, name: &str) -> Result<()> {
        let options = query::RenameContainerOptionsBuilder::default().name(name).build();
        let call = call("rename a container", "container", name);
        within(SHORT, call, self.client()?.rename_container(id, options)).await
    }

    async fn unpause(&self, id: &str) -> Result<()> {
        let call = call("unpause a container", "container", id);
        match within(SHORT, call, self.client()?.unpause_container(id)).await {
            Err(DockerError::Refused { detail, .. }) if detail.contains("is not paused") => Ok(()),
            answer => answer,
        }
    }

    async fn usage(&self, id: &str) -> Result<Option<Usage>> {
        Ok(self.sample(id).await?.map(|sample| sample.usage))
    }

    async fn cgroup(&self, id: &str) -> Option<Sample> {
        let (host, id) = (self.host().await.ok()?, id.to_owned());
        let read = move || {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let now = i64::try_from(now.as_nanos()).unwrap_or(i64::MAX);
            cgroup::sample(Path::new("/sys/fs/cgroup"), Path::new("/proc"), &id, now, host)
        };
        tokio::time::timeout(SPACE, tokio::task::spawn_blocking(read)).await.ok()?.ok()?
    }

    async fn stopped(&self, id: &str) -> Option<Vec<String>> {
        let id = id.to_owned();
        let read = move || cgroup::stopped(Path::new("/sys/fs/cgroup"), Path::new("/proc"), &id);
        tokio::time::timeout(SPACE, tokio::task::spawn_blocking(read)).await.ok()?.ok()?
    }

    async fn read_only(&self, id: &str, path: &str) -> Option<bool> {
        let (id, path) = (id.to_owned(), path.to_owned());
        let read = move || {
            let mounts = cgroup::mounts(Path::new("/sys/fs/cgroup"), Path::new("/proc"), &id)?;
            mounts::lets_nobody_write(&mounts, &path)
        };
        tokio::time::timeout(SPACE, tokio::task::spawn_blocking(read)).await.ok()?.ok()?
    }

    async fn outside(&self, id: &str, directory: Option<&str>, path: Option<&str>) -> Outside {
        let (container, path) = (id.to_owned(), path.map(str::to_owned));
        let directory = directory.filter(|_| self.is_here()).map(str::to_owned);
        let table = Arc::clone(&self.mounts);
        let look = move || {
            let (cgroups, processes) = (Path::new("/sys/fs/cgroup"), Path::new("/proc"));
            let mounts = path.as_ref().and_then(|_| cgroup::mounts(cgroups, processes, &container));
            Outside {
                space: directory.and_then(|directory| mounts::space(&directory, &table)),
                read_only: mounts
                    .zip(path)
                    .and_then(|(mounts, path)| mounts::lets_nobody_write(&mounts, &path)),
                stopped: cgroup::stopped(cgroups, processes, &container),
            }
        };
        match tokio::time::timeout(SPACE, tokio::task::spawn_blocking(look)).await {
            Ok(Ok(seen)) => seen,
            // A network file system that does not answer hides nothing but itself.
            _ => Outside { stopped: self.stopped(id).await, ..Outside::default() },
        }
    }

    async fn sample(&self, id: &str) -> Result<Option<Sample>> {
        if let Some(seen) = self.cgroup(id).await {
            return Ok(Some(seen));
        }
        let host = self.host().await?;
        let call = call("read the use of a container", "container", id);
        let options = query::StatsOptionsBuilder::default().stream(false).one_shot(true).build();
        let mut stats = Box::pin(self.client()?.stats(id, Some(options)));
        let first = within(SHORT, call, async { stats.next().await.transpose() }).await?;
        Ok(first.and_then(|s| from_api::sample(s, host)))
    }

    async fn put_files(&self, id: &str, files: &[FileToPut]) -> Result<()> {
        self.write_files(id, files).await
    }

    async fn get_file(&self, id: &str, path: &str, max: usize) -> Result<Option<Vec<u8>>> {
        self.read_file(id, path, max).await
    }

    async fn exists(&self, id: &str, path: &str) -> Result<bool> {
        self.is_there(id, path).await
    }

    async fn link(&self, id: &str, path: &str) -> Result<Option<String>> {
        self.read_link(id, path).await
    }

    async fn links(&self, id: &str, directory: &str) -> Result<Option<Vec<String>>> {
        self.list_links(id, directory).await
    }

    async fn exec(&self, id: &str, request: &ExecRequest, limit: Duration) -> Result<ExecResult> {
        self.run(id, request, limit).await
    }

    async fn exec_through(&self, id: &str, request: &ExecRequest, pipe: Pipe) -> Result<ExecResult> {
        self.run_through(id, request, pipe).await
    }

    async fn logs(&self, id: &str, lines: usize) -> Result<Vec<String>> {
        let call = call("read logs", "container", id);
        let mut frames =
            Box::pin(self.client()?.logs(id, Some(log_options(lines, false, LogRange::default()))));
        let read = async {
            let (mut out, mut err) = (Lines::default(), Lines::default());
            let mut all = Vec::new();
            while let Some(frame) = frames.next().await {
                split(frame?, &mut out, &mut err, &mut all);
            }
            all.extend(out.finish());
            all.extend(err.finish());
            Ok(all)
        };
        within(SHORT, call, read).await
    }

    fn stream_logs(
        &self,
        id: &str,
        lines: usize,
        follow: bool,
        range: LogRange,
    ) -> BoxStream<'static, Result<String>> {
        let client = match self.client() {
            Ok(client) => client.clone(),
            Err(e) => return stream::once(async { Err(e) }).boxed(),
        };
        let frames = client.logs(id, Some(log_options(lines, follow, range))).boxed();
        let follow = Follow::new(id, frames, range);
        stream::unfold(follow, |mut f| async move { f.next().await.map(|line| (line, f)) }).boxed()
    }

    async fn wait(&self, id: &str, limit: Duration) -> Result<i64> {
        let call = call("wait for a container", "container", id);
        let mut answers = Box::pin(self.client()?.wait_container(id, None::<query::WaitContainerOptions>));
        let end = within(limit, call, async {
            match answers.next().await {
                Some(Ok(end)) => Ok(Some(end.status_code)),
                // How bollard reports an exit code that is not zero.
                Some(Err(ApiError::DockerContainerWaitError { code, .. })) => Ok(Some(code)),
                Some(Err(e)) => Err(e),
                None => Ok(None),
            }
        });
        end.await?
            .ok_or(DockerError::Unavailable { doing: call.doing, detail: "the answer was cut".to_owned() })
    }

    async fn image(&self, reference: &str) -> Result<Option<SeenImage>> {
        if !to_api::is_reference(reference) {
            return Ok(None);
        }
        let call = call("inspect an image", "image", reference);
        let found = optional(within(SHORT, call, self.client()?.inspect_image(reference)).await)?;
        Ok(found.map(from_api::image))
    }

    async fn pull(&self, reference: &str) -> Result<()> {
        let call = call("pull an image", "image", reference);
        // Without a tag the engine would take every tag there is.
        let last = reference.rsplit('/').next().unwrap_or_default();
        let whole =
            if last.contains([':', '@']) { reference.to_owned() } else { format!("{reference}:latest") };
        let options = query::CreateImageOptionsBuilder::default().from_image(&whole).build();
        let host = ImageReference::parse(reference).map_or_else(|_| String::new(), |r| r.host().to_owned());
        let found = login::login(&host).await;
        let header = found.as_ref().ok().and_then(Option::as_ref).map(|(_, header)| header.clone());
        let pull = async {
            let mut steps = Box::pin(self.client()?.create_image(Some(options), None, header));
            while part(PULL_IDLE, call, async { steps.next().await.transpose() }).await?.is_some() {}
            Ok(())
        };
        // Public images need no login: that it cannot be read matters only when the pull fails.
        counted(call, pull).await.map_err(|error| match &found {
            Ok(found) => explained(error, &host, found.as_ref().map(|(login, _)| login), None),
            Err(why) => explained(error, &host, None, Some(why)),
        })
    }

    async fn volume(&self, name: &str) -> Result<Option<SeenVolume>> {
        let call = call("inspect a volume", "volume", name);
        Ok(optional(within(SHORT, call, self.client()?.inspect_volume(name)).await)?.map(from_api::volume))
    }

    async fn space(&self, directory: &str) -> Result<Option<Space>> {
        if !self.is_here() {
            return Ok(None);
        }
        let directory = directory.to_owned();
        // A network file system may not answer at all.
        let mounts = Arc::clone(&self.mounts);
        let asking = tokio::task::spawn_blocking(move || mounts::space(&directory, &mounts));
        Ok(tokio::time::timeout(SPACE, asking).await.ok().and_then(Result::ok).flatten())
    }

    async fn volumes(&self, labels: &[(&str, &str)]) -> Result<Vec<SeenVolume>> {
        let options = query::ListVolumesOptionsBuilder::default().filters(&label_filter(labels)).build();
        let call = call("list volumes", "engine", "");
        let found = within(SHORT, call, self.client()?.list_volumes(Some(options))).await?;
        let mut all: Vec<SeenVolume> =
            found.volumes.unwrap_or_default().into_iter().map(from_api::volume).collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(all)
    }

    async fn create_volume(&self, name: &str, labels: &BTreeMap<String, String>) -> Result<SeenVolume> {
        let call = call("create a volume", "volume", name);
        let body = models::VolumeCreateRequest {
            name: Some(name.to_owned()),
            labels: Some(labels.clone().into_iter().collect()),
            ..Default::default()
        };
        within(SHORT, call, self.client()?.create_volume(body)).await.map(from_api::volume)
    }

    async fn remove_volume(&self, name: &str) -> Result<()> {
        let call = call("remove a volume", "volume", name);
        // Deleting the files of a big database takes a while.
        gone(within(LONG, call, self.client()?.remove_volume(name, None::<query::RemoveVolumeOptions>)).await)
    }

    async fn networks(&self, name: &str) -> Result<Vec<SeenNetwork>> {
        let filter = HashMap::from([("name".to_owned(), vec![name.to_owned()])]);
        let options = query::ListNetworksOptionsBuilder::default().filters(&filter).build();
        let call = call("list networks", "engine", "");
        let found = within(SHORT, call, self.client()?.list_networks(Some(options))).await?;
        // The engine's filter also takes parts of names.
        let mut all: Vec<SeenNetwork> =
            found.into_iter().map(from_api::network).filter(|n| n.name == name).collect();
        all.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(all)
    }

    async fn create_network(&self, name: &str, labels: &BTreeMap<String, String>) -> Result<SeenNetwork> {
        let call = call("create a network", "network", name);
        // Docker 20.10 makes a second one of the same name, and this client cannot ask it not to.
        if !self.networks(name).await?.is_empty() {
            let detail = format!("network with name {name} already exists");
            return Err(DockerError::NameTaken { name: name.to_owned(), detail });
        }
        let body = models::NetworkCreateRequest {
            name: name.to_owned(),
            driver: Some("bridge".to_owned()),
            labels: Some(labels.clone().into_iter().collect()),
            ..Default::default()
        };
        let made = within(LONG, call, self.client()?.create_network(body)).await?;
        Ok(SeenNetwork {
            id: made.id,
            name: name.to_owned(),
            labels: labels.into(),
            driver: "bridge".to_owned(),
            internal: false,
            created_at: String::new(),
        })
    }

    async fn remove_network(&self, id: &str) -> Result<()> {
        let call = call("remove a network", "network", id);
        gone(within(SHORT, call, self.client()?.remove_network(id)).await)
    }

    async fn connect(&self, network_id: &str, container: &str, aliases: &[String]) -> Result<()> {
        let call = call("connect a container to a network", "network", network_id);
        let body = models::NetworkConnectRequest {
            container: container.to_owned(),
            endpoint_config: Some(to_api::endpoint(aliases)),
        };
        within(LONG, call, self.client()?.connect_network(network_id, body)).await
    }

    async fn disconnect(&self, network_id: &str, container: &str) -> Result<()> {
        let call = call("disconnect a container from a network", "network", network_id);
        let body = models::NetworkDisconnectRequest { container: container.to_owned(), force: Some(false) };
        within(LONG, call, self.client()?.disconnect_network(network_id, body)).await
    }

    fn calls(&self) -> Calls {
        calls::all()
    }

    fn events(&self, since_nano: i64) -> BoxStream<'static, Result<EngineEvent>> {
        let client = match self.client() {
            Ok(client) => client.clone(),
            Err(e) => return stream::once(async { Err(e) }).boxed(),
        };
        let options = query::EventsOptions { since: to_api::since(since_nano), ..Default::default() };
        let call = call("follow events", "engine", "");
        until_error(client.events(Some(options)).map(move |e| match e {
            Ok(e) => Ok(from_api::event(e)),
            Err(e) => Err(map::error(call, e)),
        }))
    }
}
