//! Observation: reads from Docker and from the server, nothing else. What is dear to read is read
//! only when a decision needs it.
//!
//! The one exception to "nothing else": looking into an image takes a throw-away container, labelled
//! as such, that is never started unless the image does not tell its version otherwise.

use super::client::{Session, SqlError, Target, TargetHost};
use super::desired::{Identity, PORT, looker};
use super::facts::{self, Contents, ImageFacts, TOOLS, Unfit};
use super::parameters;
use super::plan::{Subject, Wanted, port_was_refused};
use super::tools::{PasswordError, Reach, Tools};
use super::world::{DataSeen, ImageSeen, Server, ServerFacts, Slot, World};
use crate::core::desired::DesiredContainer;
use crate::core::names::label;
use crate::core::resource::PortRequest;
use crate::core::seen::{ContainerState, EngineInfo, SeenContainer, SeenImage};
use crate::docker::{Docker, DockerError};
use crate::secrets::random_id;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

/// Lines of a dead server's log that go into a condition.
const LOG_LINES: usize = 6;

/// Why nothing could be seen.
#[derive(Debug, thiserror::Error)]
pub enum ObserveError {
    #[error(transparent)]
    Docker(#[from] DockerError),
    #[error(transparent)]
    Password(#[from] PasswordError),
}

/// Who looks: a pass that will act leases the free port it sees, a mere view does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    Act,
    View,
}

/// Looks at everything that the plan for `subject` depends on.
///
/// # Errors
/// When the engine or the store could not be asked; then nothing is known.
pub async fn observe(
    tools: &Tools,
    subject: &Subject<'_>,
    engine: &EngineInfo,
    intent: Intent,
) -> Result<World, ObserveError> {
    let (id, memory) = (subject.identity, subject.memory);
    let password_sealed = tools.password(&id.object)?.is_some();
    let container = container(tools, id).await?;
    let misnamed = match container {
        // A list costs the engine a look at every container: only where there was one to rename.
        Slot::Missing if memory.written_parameters.is_some() => misnamed(tools, id).await?,
        _ => Vec::new(),
    };
    let volume = volume(tools, id, &container).await?;
    let network = network(tools, id, container.ours()).await?;
    let image = match subject.wanted() {
        Wanted::Running | Wanted::Stopped => image(tools, subject, engine).await?,
        Wanted::Retained | Wanted::Deleted => ImageSeen::Missing,
    };
    let mut world = World {
        engine: engine.clone(),
        container,
        misnamed,
        volume,
        network,
        image,
        data: DataSeen::NotLooked,
        server: Server::NotRunning,
        usage: None,
        log_tail: Vec::new(),
        file_sha256: None,
        free_port: None,
        port_holder: None,
        password_sealed,
    };
    let wants_port = memory.port.is_none() || port_was_refused(subject, &world);
    match subject.spec.port {
        PortRequest::Auto if wants_port => {
            let mut refused = memory.refused_ports.clone();
            refused.extend(memory.port);
            world.free_port = match intent {
                Intent::Act => tools.ports.lease(PORT, &refused, &id.object),
                Intent::View => tools.ports.free(PORT, &refused),
            };
        }
        PortRequest::Fixed(port) => {
            world.port_holder = tools.ports.holder(port, &id.object).map(|o| o.to_string());
        }
        _ => {}
    }
    if let Slot::Ours(c) = world.container.clone() {
        details(tools, subject, &c, &mut world).await?;
    }
    Ok(world)
}

async fn details(
    tools: &Tools,
    subject: &Subject<'_>,
    c: &SeenContainer,
    world: &mut World,
) -> Result<(), ObserveError> {
    let (spec, memory) = (subject.spec, subject.memory);
    let wanted = subject.wanted();
    if c.state == ContainerState::Running && wanted == Wanted::Running {
        world.server = server(tools, subject, c).await?;
        let lowered = spec.caps.memory.is_some_and(|new| c.caps.memory.is_none_or(|old| new < old));
        if lowered {
            world.usage = tools.docker.usage(&c.id).await?;
        }
        return Ok(());
    }
    if wanted != Wanted::Running {
        return Ok(());
    }
    let ImageSeen::Fit(image) = world.image.clone() else { return Ok(()) };
    if !matches!(c.state, ContainerState::Running | ContainerState::Removing) && memory.must_look_at_volume()
    {
        world.data = data(tools, c, &image).await?;
    }
    if matches!(c.state, ContainerState::Exited | ContainerState::Dead | ContainerState::Restarting) {
        world.log_tail = tools.docker.logs(&c.id, LOG_LINES).await?;
        let file = tools.docker.get_file(&c.id, parameters::PATH, 1 << 20).await?;
        world.file_sha256 = file.map(|bytes| parameters::sha256(&bytes));
    }
    Ok(())
}

/// Whether labels say that an object is this one's.
fn foreign(labels: &BTreeMap<String, String>, id: &Identity) -> Option<String> {
    let wanted = [
        (label::INSTALLATION, id.installation.as_str()),
        (label::STORE, id.store.as_str()),
        (label::KIND, id.object.kind.as_str()),
        (label::NAME, id.object.name.as_str()),
    ];
    let wrong = wanted.iter().find(|(key, value)| labels.get(*key).map(String::as_str) != Some(*value))?;
    Some(match labels.get(wrong.0) {
        None => format!("it has no label {}", wrong.0),
        Some(other) => format!("its label {} is {other:?}, ours is {:?}", wrong.0, wrong.1),
    })
}

async fn container(tools: &Tools, id: &Identity) -> Result<Slot<SeenContainer>, DockerError> {
    Ok(match tools.docker.inspect(&id.container()).await? {
        None => Slot::Missing,
        Some(c) => match foreign(&c.labels, id) {
            None => Slot::Ours(c),
            Some(why) => Slot::Foreign(why),
        },
    })
}

async fn misnamed(tools: &Tools, id: &Identity) -> Result<Vec<(String, String)>, DockerError> {
    let labels = [
        (label::INSTALLATION, id.installation.as_str()),
        (label::KIND, id.object.kind.as_str()),
        (label::NAME, id.object.name.as_str()),
    ];
    let found = tools.docker.list(&labels).await?;
    Ok(found.into_iter().filter(|c| foreign(&c.labels, id).is_none()).map(|c| (c.id, c.name)).collect())
}

/// A mounted volume cannot go away: it is looked up only when no container of ours holds it.
async fn volume(
    tools: &Tools,
    id: &Identity,
    container: &Slot<SeenContainer>,
) -> Result<Slot<()>, DockerError> {
    let name = id.volume();
    if container.ours().is_some_and(|c| c.mounts.iter().any(|m| m.volume == name)) {
        return Ok(Slot::Ours(()));
    }
    Ok(match tools.docker.volume(&name).await? {
        None => Slot::Missing,
        Some(volume) => match foreign(&volume.labels, id) {
            None => Slot::Ours(()),
            Some(why) => Slot::Foreign(why),
        },
    })
}

/// The network's id is kept between passes; a container attached to it proves that it is still there.
async fn network(
    tools: &Tools,
    id: &Identity,
    container: Option<&SeenContainer>,
) -> Result<Slot<String>, DockerError> {
    let name = id.network();
    if let Some(known) = tools.known_network()
        && container.is_some_and(|c| {
            c.state == ContainerState::Running && c.networks.get(&name).is_some_and(|e| e.network_id == known)
        })
    {
        return Ok(Slot::Ours(known));
    }
    let found = tools.docker.networks(&name).await?;
    let ours = found.iter().find(|n| {
        n.labels.get(label::INSTALLATION).map(String::as_str) == Some(id.installation.as_str())
            && n.labels.get(label::STORE).map(String::as_str) == Some(id.store.as_str())
    });
    tools.remember_network(ours.map(|n| n.id.clone()));
    Ok(match (ours, found.first()) {
        (Some(network), _) => Slot::Ours(network.id.clone()),
        (None, Some(_)) => Slot::Foreign("it does not carry this installation's labels".to_owned()),
        (None, None) => Slot::Missing,
    })
}

/// The image to run: the pinned one while the manifest names the same reference and it is local.
async fn image(tools: &Tools, subject: &Subject<'_>, engine: &EngineInfo) -> Result<ImageSeen, DockerError> {
    let reference = &subject.spec.image;
    if let Some(pinned) = subject.memory.image.as_ref().filter(|p| p.reference == *reference) {
        if let Some(known) = tools.image_facts(&pinned.id) {
            return Ok(seen(known));
        }
        if let Some(image) = tools.docker.image(&pinned.id).await? {
            return Ok(seen(look_into(tools, &image, engine).await?));
        }
    }
    match tools.docker.image(reference).await? {
        None => Ok(ImageSeen::Missing),
        Some(image) => Ok(seen(look_into(tools, &image, engine).await?)),
    }
}

fn seen(facts: Result<ImageFacts, Unfit>) -> ImageSeen {
    match facts {
        Ok(facts) => ImageSeen::Fit(facts),
        Err(unfit) => ImageSeen::Unfit(unfit),
    }
}

async fn look_into(
    tools: &Tools,
    image: &SeenImage,
    engine: &EngineInfo,
) -> Result<Result<ImageFacts, Unfit>, DockerError> {
    if let Some(known) = tools.image_facts(&image.id) {
        return Ok(known);
    }
    let gate = tools.image_gate(&image.id);
    let _held = gate.lock().await;
    if let Some(known) = tools.image_facts(&image.id) {
        return Ok(known);
    }
    if let Some(known) = tools.stored_image_facts(&image.id) {
        return Ok(Ok(tools.known_image(&image.id, known)));
    }
    let wrong_architecture = facts::facts(image, &Contents::default(), &engine.architecture);
    let found = match wrong_architecture {
        // Nothing inside can be run or trusted; what is inside does not matter then.
        Err(unfit @ Unfit::Architecture { .. }) => Err(unfit),
        _ => facts::facts(image, &contents(tools, image).await?, &engine.architecture),
    };
    tools.remember_image(&image.id, found.clone()).await;
    Ok(found)
}

async fn contents(tools: &Tools, image: &SeenImage) -> Result<Contents, DockerError> {
    let ask_version = facts::major_of_env(image).is_none();
    let probe = probe_container(tools, &image.id, ask_version);
    tools.set_probing(&probe.name, true);
    let contents = contents_by(tools, &probe, ask_version).await;
    // A labelled container that could not be removed now, or that a cut call made, is a left-over for
    // the next sweep or start.
    tools.set_probing(&probe.name, false);
    contents
}

async fn contents_by(
    tools: &Tools,
    probe: &DesiredContainer,
    ask_version: bool,
) -> Result<Contents, DockerError> {
    let id = tools.docker.create(probe).await?;
    let read = read_contents(tools, &id, ask_version).await;
    // Also after a failure.
    let removed = tools.docker.remove(&id).await;
    let contents = read?;
    removed?;
    Ok(contents)
}

async fn read_contents(tools: &Tools, id: &str, ask_version: bool) -> Result<Contents, DockerError> {
    let docker = &tools.docker;
    let passwd = docker.get_file(id, "/etc/passwd", 256 * 1024).await?.unwrap_or_default();
    let mut found = Vec::new();
    for (tool, paths) in TOOLS {
        for path in paths {
            if docker.get_file(id, path, 1).await?.is_some() {
                found.push(tool.to_owned());
                break;
            }
        }
    }
    let mut version_output = None;
    if ask_version && docker.start(id).await.is_ok() {
        let code = docker.wait(id, Duration::from_secs(20)).await?;
        let lines = docker.logs(id, 5).await?;
        version_output = (code == 0).then(|| lines.join("\n"));
    }
    Ok(Contents { passwd: String::from_utf8_lossy(&passwd).into_owned(), tools: found, version_output })
}

fn probe_container(tools: &Tools, image: &str, ask_version: bool) -> DesiredContainer {
    let entrypoint = [
        "sh",
        "-c",
        "for p in postgres /usr/lib/postgresql/*/bin/postgres /usr/pgsql-*/bin/postgres; do $p --version && exit 0; done; exit 1",
    ];
    let mut probe = looker(&tools.installation, &tools.store.id(), &random_id(), image);
    if ask_version {
        probe.entrypoint = entrypoint.map(str::to_owned).to_vec();
    }
    probe
}

/// The major version of whatever lies on the volume, in any layout an image has used.
async fn data(tools: &Tools, c: &SeenContainer, image: &ImageFacts) -> Result<DataSeen, DockerError> {
    let major = data_major(tools.docker.as_ref(), &c.id, &image.mount_path, Some(&image.pgdata)).await?;
    Ok(major.map_or(DataSeen::Empty, DataSeen::Major))
}

/// The major version of the data below `root` in a container; `None` when there is none.
///
/// # Errors
/// When the engine could not be asked.
pub async fn data_major(
    docker: &dyn Docker,
    container: &str,
    root: &str,
    pgdata: Option<&str>,
) -> Result<Option<u32>, DockerError> {
    let mut candidates: Vec<String> = pgdata.iter().map(|dir| format!("{dir}/PG_VERSION")).collect();
    candidates.push(format!("{root}/PG_VERSION"));
    candidates.push(format!("{root}/data/PG_VERSION"));
    for major in 13..=20 {
        candidates.push(format!("{root}/{major}/docker/PG_VERSION"));
    }
    for path in candidates {
        if let Some(bytes) = docker.get_file(container, &path, 64).await?
            && let Ok(major) = String::from_utf8_lossy(&bytes).trim().parse()
        {
            return Ok(Some(major));
        }
    }
    Ok(None)
}

/// Where to log in, for a container that runs; `None` when it has no address yet.
#[must_use]
pub fn target(subject: &Subject<'_>, c: &SeenContainer, reach: Reach) -> Option<Target> {
    let id = subject.identity;
    let address = c.networks.get(&id.network()).and_then(|e| e.ip.parse::<IpAddr>().ok());
    let published = c.published.iter().find(|p| p.container == PORT);
    let (host, port) = match (reach, published, address) {
        (Reach::Network, _, _) => (TargetHost::Name(id.container()), PORT),
        (Reach::Host, Some(p), _) if p.host_ip.is_unspecified() => {
            (TargetHost::Address(IpAddr::V4(Ipv4Addr::LOCALHOST)), p.host)
        }
        (Reach::Host, Some(p), _) => (TargetHost::Address(p.host_ip), p.host),
        (Reach::Host, None, Some(ip)) => (TargetHost::Address(ip), PORT),
        (Reach::Host, None, None) => return None,
    };
    Some(Target {
        host,
        port,
        username: subject.memory.init_username.clone().unwrap_or_else(|| subject.spec.username.clone()),
        database: subject.spec.database.clone(),
        epoch: format!("{} {} {}", c.id, c.started_at, subject.memory.password_generation),
    })
}

/// Asks over the kept session alone; `None` when there is none or it failed, and is given up: then only
/// a new login tells more.
pub async fn again(tools: &Tools, subject: &Subject<'_>, c: &SeenContainer) -> Option<Server> {
    let object = &subject.identity.object;
    let target = target(subject, c, tools.reach)?;
    let session = tools.take_session(object).filter(|s| *s.target() == target)?;
    let facts = ask(session.as_ref(), subject).await.ok()?;
    tools.keep_session(object, session);
    Some(Server::Up(Box::new(facts)))
}

/// Probes over the kept session, else by one new login.
///
/// # Errors
/// When the password cannot be opened.
pub async fn server(tools: &Tools, subject: &Subject<'_>, c: &SeenContainer) -> Result<Server, ObserveError> {
    if let Some(answer) = again(tools, subject, c).await {
        return Ok(answer);
    }
    let object = &subject.identity.object;
    let Some(target) = target(subject, c, tools.reach) else {
        return Ok(Server::Failed("the container has no address on the network".to_owned()));
    };
    let Some(password) = tools.password(object)? else {
        return Ok(Server::Failed("there is no password to log in with".to_owned()));
    };
    let answer = match tools.servers.login(&target, &password).await {
        Ok(session) => ask(session.as_ref(), subject).await.map(|facts| (session, facts)),
        Err(e) => Err(e),
    };
    Ok(match answer {
        Ok((session, facts)) => {
            tools.keep_session(object, session);
            Server::Up(Box::new(facts))
        }
        Err(e) => e.into(),
    })
}

async fn ask(session: &dyn Session, subject: &Subject<'_>) -> Result<ServerFacts, SqlError> {
    let names: Vec<&str> = subject.spec.parameters.keys().map(String::as_str).collect();
    session.probe(&subject.spec.database, &names, parameters::PATH).await
}

impl From<SqlError> for Server {
    fn from(error: SqlError) -> Self {
        match error {
            SqlError::Starting(words) => Server::Starting(words),
            SqlError::Refused(words) => Server::Refused(words),
            SqlError::LoginRefused(words) => Server::LoginRefused(words),
            hung @ SqlError::Hung(_) => Server::Hung(hung.to_string()),
            SqlError::Failed(words) => Server::Failed(words),
        }
    }
}
