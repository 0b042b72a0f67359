//! From what is wanted and what was seen to the steps that can run now. Pure: the same values give
//! the same plan, and no plan removes a volume that the user has not confirmed.

use super::action::{Action, caps_in_words, short};
use super::check::Checked;
use super::desired::{self, Identity};
use super::facts::ImageFacts;
use super::parameters;
use super::record::{Memory, PinnedImage, RefusedParameters};
use super::world::{DataSeen, ImageSeen, Server, ServerFacts, Slot, World};
use crate::core::desired::{DesiredContainer, PortMap};
use crate::core::names::label;
use crate::core::plan::{Plan as CorePlan, Sign};
use crate::core::resource::{Caps, DeletionPolicy, PortRequest};
use crate::core::seen::{ContainerState, EngineInfo, SeenContainer};

pub type Plan = CorePlan<Action>;

/// What is wanted of the object as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    Running,
    Stopped,
    /// The manifest is gone: no container, everything else kept.
    Retained,
    /// The manifest is gone and the user confirmed: nothing kept.
    Deleted,
}

/// What `plan` is about.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    pub identity: &'a Identity,
    pub spec: &'a Checked,
    pub memory: &'a Memory,
    /// Whether a manifest (or its last good version) is in force.
    pub present: bool,
}

impl Subject<'_> {
    #[must_use]
    pub fn wanted(&self) -> Wanted {
        let confirmed = self.memory.delete_confirmed
            || (self.spec.deletion == DeletionPolicy::Delete && self.spec.delete_confirmed);
        match (self.present, confirmed) {
            (true, _) if self.spec.stopped || self.memory.stopped_by_operation => Wanted::Stopped,
            (true, _) => Wanted::Running,
            (false, true) => Wanted::Deleted,
            (false, false) => Wanted::Retained,
        }
    }
}

/// The steps that can run now, what has to wait, what needs the user.
#[must_use]
pub fn plan(subject: &Subject<'_>, world: &World) -> Plan {
    let mut plan = Plan::default();
    if conflicts(subject, world, &mut plan) {
        return plan;
    }
    match subject.wanted() {
        Wanted::Running => running(subject, world, &mut plan),
        Wanted::Stopped => stopped(subject, world, &mut plan),
        Wanted::Retained => gone(subject, world, false, &mut plan),
        Wanted::Deleted => gone(subject, world, true, &mut plan),
    }
    plan
}

fn conflicts(subject: &Subject<'_>, world: &World, plan: &mut Plan) -> bool {
    let id = subject.identity;
    let mut conflict = |what: &str, name: &str, why: &str| {
        plan.block(
            "NameConflict",
            format!("{what} {name} exists and is not ours: {why}. It was not touched"),
            format!("remove or rename {what} {name}, or rename this object"),
        );
    };
    if let Slot::Foreign(why) = &world.container {
        conflict("container", &id.container(), why);
    }
    if let Slot::Foreign(why) = &world.volume {
        conflict("volume", &id.volume(), why);
    }
    if let Slot::Foreign(why) = &world.network {
        conflict("network", &id.network(), why);
    }
    !plan.blocked.is_empty()
}

fn gone(subject: &Subject<'_>, world: &World, delete: bool, plan: &mut Plan) {
    let id = subject.identity;
    let why = if delete {
        "manifest removed and deletion confirmed"
    } else {
        "manifest removed, data is kept (Retain)"
    };
    if let Slot::Ours(c) = &world.container {
        remove_container(c, id, why, plan);
    }
    for (misnamed, name) in &world.misnamed {
        plan.step(Sign::Delete, Action::RemoveContainer { name: name.clone(), id: misnamed.clone() }, why);
    }
    if delete {
        if world.volume.ours().is_some() {
            plan.step(Sign::Data, Action::RemoveVolume(id.volume()), why);
        }
        plan.step(Sign::Delete, Action::Forget, why);
    } else if subject.spec.deletion == DeletionPolicy::Delete {
        plan.block(
            "DeletionNotConfirmed",
            "deletionPolicy is Delete, but the deletion of the data was not confirmed; data and credentials are kept",
            format!("seawall delete {} --confirm {}", id.object, id.object.name),
        );
    }
}

fn is_up(c: &SeenContainer) -> bool {
    matches!(c.state, ContainerState::Running | ContainerState::Paused | ContainerState::Restarting)
}

fn remove_container(c: &SeenContainer, id: &Identity, why: &str, plan: &mut Plan) {
    if is_up(c) {
        plan.step(Sign::Change, Action::StopContainer(id.container()), why);
    }
    plan.step(Sign::Delete, Action::RemoveContainer { name: id.container(), id: c.id.clone() }, why);
}

fn stopped(subject: &Subject<'_>, world: &World, plan: &mut Plan) {
    let id = subject.identity;
    let Slot::Ours(c) = &world.container else { return };
    let why = if subject.spec.stopped { "spec.stopped is true" } else { "stopped by `seawall stop`" };
    if is_up(c) {
        plan.step(Sign::Change, Action::StopContainer(id.container()), why);
    } else if c.restart_policy != "no" {
        // Otherwise the next start of the engine would bring it back.
        let why = format!("{why}, but the restart policy is {:?}", c.restart_policy);
        plan.step(Sign::Change, Action::StopContainer(id.container()), why);
    }
}

fn running(subject: &Subject<'_>, world: &World, plan: &mut Plan) {
    let (id, spec, memory) = (subject.identity, subject.spec, subject.memory);
    let image = match &world.image {
        ImageSeen::Missing if keep_serving(subject, world, plan) => return,
        ImageSeen::Missing => {
            plan.step(Sign::Create, Action::PullImage(spec.image.clone()), "the image is not local");
            return;
        }
        ImageSeen::Unfit(why) => {
            plan.block(
                "ImageUnfit",
                format!("image {}: {why}", spec.image),
                "change spec.version or spec.image",
            );
            keep_serving(subject, world, plan);
            return;
        }
        ImageSeen::Fit(image) => image,
    };
    if data_blocks(subject, world, image, plan) {
        keep_serving(subject, world, plan);
        return;
    }
    let Some(port) = port(subject, world, plan) else {
        keep_serving(subject, world, plan);
        return;
    };
    let desired = desired::container(id, spec, image, memory, port);
    if !world.password_sealed {
        let action =
            Action::GeneratePassword { username: spec.username.clone(), database: spec.database.clone() };
        plan.step(Sign::Create, action, "no password yet");
    }
    let pinned = PinnedImage { reference: spec.image.clone(), id: image.id.clone() };
    if memory.image.as_ref() != Some(&pinned) {
        let why = match &memory.image {
            None => "first use".to_owned(),
            Some(old) if old.reference == spec.image => "the pinned image is no longer local".to_owned(),
            Some(old) => format!("image {} → {}: spec changed", old.reference, spec.image),
        };
        plan.step(Sign::Change, Action::PinImage { reference: pinned.reference, id: pinned.id }, why);
    }
    if world.network == Slot::Missing {
        plan.step(Sign::Create, Action::CreateNetwork(id.network()), "network missing");
    }
    if world.volume == Slot::Missing {
        plan.step(Sign::Create, Action::CreateVolume(id.volume()), "volume missing");
    }
    match &world.container {
        Slot::Missing if !world.misnamed.is_empty() => {
            if let Some((container, from)) = world.misnamed.first() {
                let action =
                    Action::RenameContainer { id: container.clone(), from: from.clone(), to: id.container() };
                plan.step(Sign::Change, action, format!("our container is called {from}"));
            }
        }
        Slot::Missing => {
            let why = if memory.ever_ready {
                format!("container missing: re-create on volume {}", id.volume())
            } else {
                "container missing".to_owned()
            };
            create(subject, image, desired, &why, Sign::Create, plan);
        }
        Slot::Ours(c) => existing(subject, world, image, desired, c, plan),
        Slot::Foreign(_) => {}
    }
}

/// What is there goes on serving while a change to it is not possible; only a start is still allowed.
/// True when one is planned.
fn keep_serving(subject: &Subject<'_>, world: &World, plan: &mut Plan) -> bool {
    let memory = subject.memory;
    if let Slot::Ours(c) = &world.container
        && matches!(c.state, ContainerState::Exited | ContainerState::Dead)
        && memory.ever_ready
        && memory.image.as_ref().is_some_and(|pinned| pinned.id == c.image_id)
    {
        plan.step(Sign::Change, Action::StartContainer(subject.identity.container()), stopped_cause(c));
        return true;
    }
    false
}

/// The labels by which a volume is ours, as options of the docker command.
fn label_options(id: &Identity) -> String {
    let labels = id.labels();
    let ours = [label::INSTALLATION, label::STORE, label::KIND, label::NAME];
    let option = |key: &&str| labels.get(*key).map(|value| format!("--label {key}={value}"));
    ours.iter().filter_map(option).collect::<Vec<_>>().join(" ")
}

/// Reasons in the data itself why no container of this image may touch the volume.
fn data_blocks(subject: &Subject<'_>, world: &World, image: &ImageFacts, plan: &mut Plan) -> bool {
    let (id, spec, memory) = (subject.identity, subject.spec, subject.memory);
    let on_volume = match world.data {
        DataSeen::Major(major) => Some(major),
        DataSeen::Empty | DataSeen::NotLooked => memory.data_major,
    };
    if let Some(major) = on_volume
        && major != image.major
    {
        plan.block(
            "MajorVersionChange",
            format!(
                "volume {} holds data of PostgreSQL {major}, the image {} is PostgreSQL {}: the data directory is not compatible. Nothing was touched",
                id.volume(),
                spec.image,
                image.major
            ),
            format!("set version back to {major}; to move to {}, make a new object and load a dump into it", image.major),
        );
    }
    if memory.ever_ready && world.volume == Slot::Missing {
        plan.block(
            "VolumeMissing",
            format!("volume {} with the data of this object is gone. An empty one was not made in its place", id.volume()),
            format!("bring the volume back (docker volume create {} {}, then its content), or give the data up: remove the manifest, run seawall delete {} --confirm {}, and commit the manifest again", label_options(id), id.volume(), id.object, id.object.name),
        );
    }
    if memory.ever_ready && !world.password_sealed {
        plan.block(
            "CredentialsMissing",
            "the store does not hold the password of this object's data",
            "seawall recover",
        );
    }
    if let Some(owner) = memory.init_username.as_ref().filter(|u| **u != spec.username) {
        plan.block(
            "UsernameChange",
            format!("the data was initialised for user {owner:?}; spec.username is {:?}", spec.username),
            format!("set spec.username back to {owner:?} (create further users with SQL)"),
        );
    }
    !plan.blocked.is_empty()
}

/// The host port to publish (`Some(None)`: none), `None` when there is no legal one now.
fn port(subject: &Subject<'_>, world: &World, plan: &mut Plan) -> Option<Option<u16>> {
    let memory = subject.memory;
    let wanted = match subject.spec.port {
        PortRequest::None => return Some(None),
        PortRequest::Fixed(port) => {
            if let Some(holder) = &world.port_holder {
                plan.block(
                    "PortConflict",
                    format!("port {port} belongs to {holder}"),
                    "choose another port, or port: auto",
                );
                return None;
            }
            port
        }
        PortRequest::Auto => match memory.port {
            Some(port) if !another_port(subject, world) => port,
            _ => match world.free_port {
                Some(port) => port,
                None => {
                    plan.block(
                        "NoFreePort",
                        "no free host port from 5432 upward",
                        "give a port, or port: none",
                    );
                    return None;
                }
            },
        },
    };
    if memory.port != Some(wanted) {
        let why = match (subject.spec.port, memory.port) {
            (PortRequest::Fixed(_), Some(old)) => format!("port {old} → {wanted}: spec changed"),
            (PortRequest::Fixed(_), None) => "spec.port".to_owned(),
            (_, Some(old)) => format!("port {old} is taken by somebody else"),
            (_, None) => "port: auto, the first that is free".to_owned(),
        };
        plan.step(Sign::Change, Action::ReservePort(wanted), why);
    }
    Some(Some(wanted))
}

/// The engine could not publish the port at the first start: somebody else took it. A port that was
/// once ours in a Ready server is kept for good instead.
#[must_use]
pub fn port_was_refused(subject: &Subject<'_>, world: &World) -> bool {
    let refused = |c: &SeenContainer| {
        let error = c.error.to_ascii_lowercase();
        !is_up(c) && (error.contains("port is already allocated") || error.contains("address already in use"))
    };
    subject.spec.port == PortRequest::Auto
        && !subject.memory.ever_ready
        && world.container.ours().is_some_and(refused)
}

/// The automatic port was lost before the first start, and there is another one to try.
#[must_use]
pub fn another_port(subject: &Subject<'_>, world: &World) -> bool {
    port_was_refused(subject, world) && world.free_port.is_some()
}

fn create(
    subject: &Subject<'_>,
    image: &ImageFacts,
    desired: DesiredContainer,
    why: &str,
    sign: Sign,
    plan: &mut Plan,
) {
    let name = desired.name.clone();
    plan.step(sign, Action::CreateContainer(Box::new(desired)), why);
    let volume_is_new = plan.steps.iter().any(|s| matches!(s.action, Action::CreateVolume(_)));
    if subject.memory.must_look_at_volume() && !volume_is_new {
        plan.wait(
            "LookingAtVolume",
            "what lies on the volume is looked at before the server starts",
            Some(0),
        );
        return;
    }
    plan.step(Sign::Change, upload(subject, image, &name), "before the first start");
    plan.step(Sign::Change, Action::StartContainer(name), "created");
}

fn upload(subject: &Subject<'_>, image: &ImageFacts, container: &str) -> Action {
    Action::UploadFiles {
        container: container.to_owned(),
        parameters: file_in_force(subject, image),
        initialise: !subject.memory.ever_ready,
        major: image.major,
    }
}

/// The parameter file to run with: the manifest's, or the last that worked while the server refuses
/// the manifest's.
fn file_in_force(subject: &Subject<'_>, image: &ImageFacts) -> String {
    let wanted = desired::parameter_file(subject.identity, subject.spec, image);
    match (refused(subject.memory, &wanted), &subject.memory.proven_parameters) {
        (Some(_), Some(proven)) => proven.clone(),
        _ => wanted,
    }
}

fn refused<'a>(memory: &'a Memory, text: &str) -> Option<&'a RefusedParameters> {
    let sha = parameters::sha256(text.as_bytes());
    memory.refused_parameters.as_ref().filter(|r| r.sha256 == sha)
}

/// The way back, when a server does not start with new parameters although it did with older ones:
/// some can be judged only at start (a library to preload, shared memory to get).
fn way_back(subject: &Subject<'_>, image: &ImageFacts, world: &World, c: &SeenContainer) -> Option<Action> {
    // The postmaster says FATAL and exits with 1 when it gives up by itself; other ends have other causes.
    let gave_up =
        matches!(c.state, ContainerState::Restarting | ContainerState::Exited | ContainerState::Dead)
            && c.exit_code == Some(1);
    let words = parameters::fatal_words(&world.log_tail).filter(|_| gave_up)?;
    let proven = subject.memory.proven_parameters.as_ref()?;
    let refused =
        parameters::sha256(desired::parameter_file(subject.identity, subject.spec, image).as_bytes());
    let is_new =
        world.file_sha256.as_ref() == Some(&refused) && parameters::sha256(proven.as_bytes()) != refused;
    is_new.then(|| Action::RestoreParameters {
        container: subject.identity.container(),
        text: proven.clone(),
        refused,
        words,
    })
}

/// Why only a re-create can make the container right; `None` when it is not needed.
fn replace_cause(c: &SeenContainer, desired: &DesiredContainer, world: &World) -> Option<String> {
    if c.image_id != desired.image {
        return Some(format!("image {} → {}", short(&c.image_id), short(&desired.image)));
    }
    let labels = &c.labels;
    let changed: Vec<&str> = desired
        .group_hashes()
        .into_iter()
        .filter(|(group, hash)| labels.get(&format!("{}{group}", label::HASH_PREFIX)) != Some(hash))
        .map(|(group, _)| group)
        .collect();
    if changed == ["ports"] {
        // Not always the spec: an automatic port that was lost moves too.
        return Some(format!("port {} → {}", host_ports(&c.port_bindings), host_ports(&desired.ports)));
    }
    if !changed.is_empty() {
        return Some(format!("{} changed: spec changed", changed.join(", ")));
    }
    for mount in &desired.mounts {
        if !c.mounts.iter().any(|m| m.volume == mount.volume && m.path == mount.path) {
            return Some(format!("volume {} is not mounted at {}", mount.volume, mount.path));
        }
    }
    if c.port_bindings != desired.ports {
        return Some("port map changed by hand".to_owned());
    }
    if let Some(name) = &desired.network
        && let Some(endpoint) = c.networks.get(name)
        && !endpoint.network_id.is_empty()
        && world.network.ours() != Some(&endpoint.network_id)
    {
        // Bound by id: a network made again under the same name is another one (docker-facts §10).
        return Some(format!("network {name} was made again"));
    }
    None
}

fn host_ports(ports: &[PortMap]) -> String {
    let ports: Vec<String> = ports.iter().map(|p| p.host.to_string()).collect();
    if ports.is_empty() { "none".to_owned() } else { ports.join(", ") }
}

fn stopped_cause(c: &SeenContainer) -> String {
    let code = c.exit_code.unwrap_or_default();
    let how = match code {
        _ if c.oom_killed => "out of memory".to_owned(),
        0 => "exited with code 0".to_owned(),
        137 => "killed (exit code 137)".to_owned(),
        _ => format!("exited with code {code}"),
    };
    if c.error.is_empty() {
        format!("container {how}")
    } else {
        format!("container could not start: {}", c.error)
    }
}

fn existing(
    subject: &Subject<'_>,
    world: &World,
    image: &ImageFacts,
    desired: DesiredContainer,
    c: &SeenContainer,
    plan: &mut Plan,
) {
    let (id, memory) = (subject.identity, subject.memory);
    if c.state == ContainerState::Removing {
        plan.wait("ContainerRemoving", "the engine is removing the container", Some(500));
        return;
    }
    if let Some(level) = relax(subject, world, c) {
        let why = format!(
            "the image does not start hardened: {}",
            world.log_tail.last().cloned().unwrap_or_default()
        );
        plan.step(Sign::Change, Action::RelaxHardening(level), why);
        return;
    }
    if let Some(why) = replace_cause(c, &desired, world) {
        remove_container(c, id, &why, plan);
        create(subject, image, desired, &why, Sign::Replace, plan);
        return;
    }
    live(subject, world, &desired, c, plan);
    if let Some(action) = way_back(subject, image, world, c) {
        plan.step(Sign::Change, action, "the server does not start with the new parameters");
        return;
    }
    let name = id.container();
    let wanted_sha = parameters::sha256(file_in_force(subject, image).as_bytes());
    let file_differs = world.file_sha256.as_ref() != Some(&wanted_sha);
    match c.state {
        ContainerState::Created => {
            plan.step(Sign::Change, upload(subject, image, &name), "before the first start");
            let why = if c.error.is_empty() { "never started".to_owned() } else { stopped_cause(c) };
            plan.step(Sign::Change, Action::StartContainer(name), why);
        }
        ContainerState::Exited | ContainerState::Dead => {
            if file_differs {
                plan.step(Sign::Change, upload(subject, image, &name), "parameters differ");
            }
            plan.step(Sign::Change, Action::StartContainer(name), stopped_cause(c));
        }
        ContainerState::Restarting if file_differs => {
            plan.step(Sign::Change, Action::StopContainer(name.clone()), "parameters differ");
            plan.step(Sign::Change, upload(subject, image, &name), "parameters differ");
            plan.step(Sign::Change, Action::StartContainer(name), "parameters differ");
        }
        ContainerState::Restarting => {
            let words = telling(&world.log_tail).cloned().unwrap_or_else(|| stopped_cause(c));
            plan.wait("CrashLoop", format!("the server dies at start: {words}"), Some(5_000));
        }
        ContainerState::Paused => {
            let why = "container paused by hand".to_owned();
            plan.step(Sign::Change, Action::RestartServer { container: name, why: why.clone() }, why);
        }
        ContainerState::Running | ContainerState::Removing => {
            server(subject, world, image, c, plan);
        }
    }
    if memory.restart_requested.is_some()
        && c.state == ContainerState::Running
        && !plan.steps.iter().any(|s| matches!(s.action, Action::RestartServer { .. }))
    {
        let why = "asked for by `seawall restart`".to_owned();
        plan.step(Sign::Change, Action::RestartServer { container: id.container(), why: why.clone() }, why);
    }
}

/// The line of a dead server's log that says most: its last fatal one, else the last.
fn telling(log: &[String]) -> Option<&String> {
    let grave = |line: &&String| ["PANIC:", "FATAL:", "ERROR:"].iter().any(|word| line.contains(word));
    log.iter().rev().find(grave).or_else(|| log.last())
}

/// The next hardening level, when a server that never ran dies for want of a permission.
fn relax(subject: &Subject<'_>, world: &World, c: &SeenContainer) -> Option<u8> {
    let died =
        matches!(c.state, ContainerState::Restarting | ContainerState::Exited) && c.exit_code != Some(0);
    let level = subject.memory.hardening_level;
    if subject.memory.ever_ready || !died || level >= desired::HARDENING_LEVELS {
        return None;
    }
    let words = [
        "permission denied",
        "operation not permitted",
        "could not change permissions",
        "could not change owner",
    ];
    let denied = |line: &String| words.iter().any(|w| line.to_ascii_lowercase().contains(w));
    world.log_tail.iter().any(denied).then_some(level + 1)
}

/// Whether the caps in force are those wanted: all CPUs of the host is the same as no limit.
#[must_use]
pub fn caps_in_sync(desired: &Caps, seen: &Caps, engine: &EngineInfo) -> bool {
    let cpus = |caps: &Caps| caps.cpus.filter(|c| c.0 < engine.cpus.max(1) * 1_000_000_000);
    desired.memory == seen.memory
        && cpus(desired) == cpus(seen)
        && (!engine.swap_limit || desired.memory.is_none() || desired.swap == seen.swap)
}

/// What changes on a container without a re-create or a restart.
fn live(
    subject: &Subject<'_>,
    world: &World,
    desired: &DesiredContainer,
    c: &SeenContainer,
    plan: &mut Plan,
) {
    let name = &desired.name;
    if !caps_in_sync(&desired.caps, &c.caps, &world.engine) {
        let why = format!("{} → {}", caps_in_words(&c.caps), caps_in_words(&desired.caps));
        let lowered = desired.caps.memory.filter(|new| c.caps.memory.is_none_or(|old| *new < old));
        let running = c.state == ContainerState::Running;
        match (lowered, &world.usage) {
            (Some(new), Some(usage)) if usage.unreclaimable > new && !subject.spec.force_caps => plan.block(
                "LimitBelowUse",
                format!(
                    "memory {new} is below the {} in use; the kernel would kill the server",
                    mebibytes(usage.unreclaimable.0)
                ),
                "raise resources.memory, stop the service first, or set resources.force: true",
            ),
            (Some(new), None) if running && !subject.spec.force_caps => plan.wait(
                "UsageUnknown",
                format!("memory in use could not be read; lowering to {new} waits for it"),
                Some(2_000),
            ),
            _ => plan.step(
                Sign::Change,
                Action::UpdateCaps { container: name.clone(), caps: desired.caps },
                why,
            ),
        }
    }
    if c.restart_policy != desired.restart.as_str() {
        let why = format!("restart policy is {:?}", c.restart_policy);
        plan.step(Sign::Change, Action::UpdateRestartPolicy { container: name.clone() }, why);
    }
    if let Some(network) = &desired.network
        && !c.networks.contains_key(network)
    {
        let action = Action::ConnectNetwork { container: name.clone(), network: network.clone() };
        plan.step(Sign::Change, action, format!("not connected to network {network}"));
    }
}

/// Whole mebibytes, rounded up: a number to compare with a limit.
fn mebibytes(bytes: u64) -> String {
    format!("{}Mi", bytes.div_ceil(1 << 20))
}

fn server(subject: &Subject<'_>, world: &World, image: &ImageFacts, c: &SeenContainer, plan: &mut Plan) {
    let name = subject.identity.container();
    let connected = c.networks.contains_key(&subject.identity.network());
    if connected && !c.port_bindings.is_empty() && c.published.is_empty() {
        let why = "the port is not published although it should be".to_owned();
        plan.step(Sign::Change, Action::RestartServer { container: name, why: why.clone() }, why);
        return;
    }
    match &world.server {
        Server::NotRunning => plan.wait("ServerStarting", "the container was just started", Some(300)),
        Server::Starting(words) => plan.wait("ServerStarting", words, Some(500)),
        Server::Refused(words) => {
            plan.wait("ServerStarting", format!("not accepting connections yet: {words}"), Some(300))
        }
        Server::Hung(words) => plan.wait("ServerHung", words, Some(5_000)),
        Server::Failed(words) => plan.wait("LoginFailed", words, Some(5_000)),
        Server::LoginRefused(words) => {
            // Whom the login was tried as: a recovered record may not know who the data belongs to.
            let owner = subject.memory.init_username.as_ref().unwrap_or(&subject.spec.username);
            plan.step(
                Sign::Change,
                Action::ResetPassword { container: name, username: owner.clone() },
                format!("the managed credentials were refused: {words}"),
            );
        }
        Server::Up(facts) => up(subject, image, c, facts, plan),
    }
}

fn up(subject: &Subject<'_>, image: &ImageFacts, c: &SeenContainer, facts: &ServerFacts, plan: &mut Plan) {
    let (id, spec, memory) = (subject.identity, subject.spec, subject.memory);
    if facts.in_recovery {
        plan.wait("InRecovery", "the server is in recovery: it answers, but takes no writes", Some(1_000));
        return;
    }
    if !inside(&facts.data_directory, &image.mount_path) {
        plan.block(
            "DataOutsideVolume",
            format!(
                "data_directory is {}, outside the volume at {}: the data would be lost with the container",
                facts.data_directory, image.mount_path
            ),
            "use an image whose PGDATA lies in its declared volume",
        );
        return;
    }
    if !facts.database_exists {
        if memory.seen_databases.contains(&spec.database) {
            plan.block(
                "DatabaseMissing",
                format!("database {:?} was there and is gone; an empty one was not made in its place", spec.database),
                format!("restore it, create it yourself (seawall psql {} -- -d postgres), or name another spec.database", id.object.name),
            );
        } else {
            plan.step(
                Sign::Create,
                Action::CreateDatabase(spec.database.clone()),
                "database missing, never seen before",
            );
        }
    }
    if memory.password_emptied_in.as_ref() != Some(&c.id) {
        let action = Action::EmptyPasswordFile { container: id.container() };
        plan.step(Sign::Change, action, "initdb is done");
    }
    parameters_of(subject, image, facts, plan);
}

fn parameters_of(subject: &Subject<'_>, image: &ImageFacts, facts: &ServerFacts, plan: &mut Plan) {
    let (id, spec, memory) = (subject.identity, subject.spec, subject.memory);
    let wanted = desired::parameter_file(id, spec, image);
    let refused = refused(memory, &wanted);
    if let Some(refused) = refused {
        plan.block(
            "ParameterRejected",
            format!(
                "PostgreSQL refused: {}. The server keeps running with the old parameters",
                refused.message
            ),
            "correct spec.parameters",
        );
        if memory.proven_parameters.is_none() {
            return;
        }
    }
    let text = file_in_force(subject, image);
    let sha = parameters::sha256(text.as_bytes());
    let written = memory.written_parameters.as_ref() == Some(&sha);
    if facts.parameters_sha256 != sha || !written {
        let why = match (written, facts.parameters_sha256 == sha) {
            (true, _) => "parameter file edited in the container",
            (false, true) => "parameter file written, perhaps not yet read",
            (false, false) => "spec.parameters changed",
        };
        let action = Action::WriteParameters { container: id.container(), text };
        plan.step(Sign::Change, action, why);
    } else if !facts.pending_restart.is_empty() && spec.restart_automatically {
        let why = format!("{} changed and need a restart", facts.pending_restart.join(", "));
        plan.step(Sign::Change, Action::RestartServer { container: id.container(), why: why.clone() }, why);
    }
}

/// Whether `path` is `root` or below it.
#[must_use]
pub fn inside(path: &str, root: &str) -> bool {
    let root = root.trim_end_matches('/');
    path == root || path.strip_prefix(root).is_some_and(|rest| rest.starts_with('/'))
}
