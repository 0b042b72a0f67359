//! The steps that a plan for a container with its volume is made of. Values; `act.rs` runs them.

use super::hardening::Profile;
use crate::core::desired::DesiredContainer;
use crate::core::names::ObjectRef;
use crate::core::resource::Caps;
use std::fmt;

/// One write to the world (or a fixed few that belong together and can be repeated).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Into the store: the port is ours for good.
    ReservePort(u16),
    PullImage(String),
    /// Into the store: containers are made from this image until the reference changes.
    PinImage {
        reference: String,
        id: String,
        profile: Profile,
    },
    CreateNetwork(String),
    CreateVolume(String),
    /// A volume for what the image keeps at `path`, outside that of the data.
    CreateExtraVolume {
        volume: String,
        path: String,
    },
    /// Into the store: the volume without a name of ours that the container has there is the object's.
    KeepVolume {
        volume: String,
        path: String,
    },
    CreateContainer(Box<DesiredContainer>),
    StartContainer(String),
    /// Restart policy `no` first, then the shutdown that the server wants.
    StopContainer {
        name: String,
        /// That shutdown in words.
        how: &'static str,
    },
    RemoveContainer {
        name: String,
        id: String,
    },
    RenameContainer {
        id: String,
        from: String,
        to: String,
    },
    UnpauseContainer(String),
    UpdateCaps {
        container: String,
        caps: Caps,
    },
    UpdateRestartPolicy {
        container: String,
    },
    /// The engine itself must not start it again, while something else has its volume.
    HoldRestart {
        container: String,
    },
    ConnectNetwork {
        container: String,
        network: String,
    },
    /// Into the store: back to the image that worked.
    GiveUpImage {
        image: String,
        words: String,
        back_to: String,
    },
    RestartServer {
        container: String,
        why: String,
    },
    /// Into the store: give more privilege. `image_refuses` names the image of which that is known for all.
    RelaxHardening {
        from: Profile,
        to: Profile,
        image_refuses: Option<String>,
        /// Who the server runs as.
        user: &'static str,
    },
    /// A restart of a server that was just made, so that Ready is not said of what does not start again.
    ProveRestart {
        container: String,
    },
    RemoveVolume(String),
    /// Out of the store: nothing of the object is left.
    Forget,
    /// Volumes, credentials, port and record go to the object of this name.
    HandOver(ObjectRef),
}

/// The actions of a kind, with those of its containers among them.
pub trait Step: From<Action> + Clone + PartialEq {
    /// The step when it is one of its container's.
    fn work(&self) -> Option<&Action>;
}

impl Step for Action {
    fn work(&self) -> Option<&Action> {
        Some(self)
    }
}

impl Action {
    /// Whether nothing brings back what the step takes: it needs a wish that is in force in that moment.
    #[must_use]
    pub fn is_final(&self) -> bool {
        matches!(self, Action::RemoveVolume(_) | Action::Forget | Action::HandOver(_))
    }

    /// Whether no other step waits for it: that it fails holds up nothing else, a start least of all.
    #[must_use]
    pub fn stands_alone(&self) -> bool {
        matches!(self, Action::UpdateCaps { .. } | Action::UpdateRestartPolicy { .. })
    }

    /// Whether it waits for a server to shut down.
    #[must_use]
    pub fn takes_long(&self) -> bool {
        matches!(
            self,
            Action::StopContainer { .. } | Action::RestartServer { .. } | Action::ProveRestart { .. }
        )
    }

    /// Whether the server does not serve until the plan is done.
    #[must_use]
    pub fn interrupts(&self) -> bool {
        matches!(
            self,
            Action::StopContainer { .. } | Action::RestartServer { .. } | Action::RemoveContainer { .. }
        )
    }

    /// The event reason: one CamelCase word from a closed set.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Action::ReservePort(_) => "PortReserved",
            Action::PullImage(_) => "ImagePulled",
            Action::PinImage { .. } => "ImageChosen",
            Action::CreateNetwork(_) => "NetworkCreated",
            Action::CreateVolume(_) | Action::CreateExtraVolume { .. } => "VolumeCreated",
            Action::KeepVolume { .. } => "VolumeKept",
            Action::CreateContainer(_) => "ContainerCreated",
            Action::StartContainer(_) => "ContainerStarted",
            Action::StopContainer { .. } => "ContainerStopped",
            Action::RemoveContainer { .. } => "ContainerRemoved",
            Action::RenameContainer { .. } => "ContainerRenamed",
            Action::UnpauseContainer(_) => "ContainerUnpaused",
            Action::UpdateCaps { .. } => "ResourcesUpdated",
            Action::UpdateRestartPolicy { .. } | Action::HoldRestart { .. } => "RestartPolicyUpdated",
            Action::ConnectNetwork { .. } => "NetworkConnected",
            Action::GiveUpImage { .. } => "ImageRefused",
            Action::RestartServer { .. } => "ServerRestarted",
            Action::RelaxHardening { .. } => "HardeningRelaxed",
            Action::ProveRestart { .. } => "RestartProven",
            Action::RemoveVolume(_) => "VolumeRemoved",
            Action::Forget => "Deleted",
            Action::HandOver(_) => "Renamed",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::ReservePort(port) => write!(f, "reserve host port {port}"),
            Action::PullImage(image) => write!(f, "pull image {image}"),
            Action::PinImage { reference, id, .. } => write!(f, "use image {reference} ({})", short(id)),
            Action::CreateNetwork(name) => write!(f, "create network {name}"),
            Action::CreateVolume(name) => write!(f, "create volume {name}"),
            Action::CreateExtraVolume { volume, path } => write!(f, "create volume {volume} for {path}"),
            Action::KeepVolume { volume, path } => {
                write!(f, "keep volume {} at {path}", volume_in_words(volume))
            }
            Action::CreateContainer(desired) => write!(f, "create container {}", desired.name),
            Action::StartContainer(name) => write!(f, "start container {name}"),
            Action::StopContainer { name, how } => write!(f, "stop container {name} ({how})"),
            Action::RemoveContainer { name, id } => write!(f, "remove container {name} ({})", short(id)),
            Action::RenameContainer { from, to, .. } => write!(f, "rename container {from} to {to}"),
            Action::UnpauseContainer(name) => write!(f, "unpause container {name}"),
            Action::UpdateCaps { container, caps } => {
                write!(f, "set caps of {container}: {}", caps_in_words(caps))
            }
            Action::UpdateRestartPolicy { container } => {
                write!(f, "set restart policy of {container} to always")
            }
            Action::HoldRestart { container } => write!(f, "set restart policy of {container} to no"),
            Action::ConnectNetwork { container, network } => {
                write!(f, "connect {container} to network {network}")
            }
            Action::GiveUpImage { image, back_to, .. } => {
                write!(f, "go back from image {} to {}", short(image), short(back_to))
            }
            Action::RestartServer { container, .. } => write!(f, "restart {container}"),
            Action::RelaxHardening { to, user, .. } => write!(f, "set hardening to {}", to.in_words(user)),
            Action::ProveRestart { container } => write!(f, "restart {container} once"),
            Action::RemoveVolume(name) => write!(f, "remove volume {name} with all its data"),
            Action::Forget => write!(f, "forget credentials, port and record"),
            Action::HandOver(to) => write!(f, "give volumes, credentials, port and record to {to}"),
        }
    }
}

/// The first 12 hex digits of an id.
#[must_use]
pub fn short(id: &str) -> &str {
    let hex = id.strip_prefix("sha256:").unwrap_or(id);
    hex.get(..12).unwrap_or(hex)
}

/// A volume's name; of one that the engine named, the beginning.
#[must_use]
pub fn volume_in_words(name: &str) -> &str {
    let by_the_engine = name.len() == 64 && name.bytes().all(|b| b.is_ascii_hexdigit());
    if by_the_engine { short(name) } else { name }
}

/// `memory 512Mi, swap 256Mi, cpus 1.5`; an absent cap is `unlimited`.
#[must_use]
pub fn caps_in_words(caps: &Caps) -> String {
    let memory = caps.memory.map_or("unlimited".to_owned(), |m| m.to_string());
    let cpus = caps.cpus.map_or("unlimited".to_owned(), |c| c.to_string());
    match caps.swap {
        Some(swap) => format!("memory {memory}, swap {swap}, cpus {cpus}"),
        None => format!("memory {memory}, cpus {cpus}"),
    }
}
