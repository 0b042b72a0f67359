//! What one pass saw of a container with its volume, network, port and image: the values that plans and conditions are
//! made from, whatever runs in it.

use super::disk::Room;
use super::image::{Facts, ImageSeen, ImageStarts};
use super::rollout::Rollout;
use super::troubles::Troubles;
use crate::core::census::{Census, User};
use crate::core::member::Member;
use crate::core::names::Installation;
use crate::core::seen::{EngineInfo, SeenContainer, Slot, Space, Usage};
use std::collections::BTreeMap;
use std::time::Duration;

/// A server listens before it recovers, so that whatever is still at work after that is none; an entry point that gives
/// the data of a large one another owner needs some of it.
pub const SILENT: Duration = Duration::from_secs(600);

/// How often the engine restarted a container since a server last answered in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deaths {
    pub count: u64,
    /// RFC 3339: since when; empty when there were none.
    pub since: String,
}

impl Deaths {
    /// From here on it is a loop, not an accident.
    pub const LOOP: u64 = 2;
}

/// How the password that the manifest names stands to the one in the store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Declared {
    /// It names none, or none is needed now.
    #[default]
    No,
    Same,
    Differs,
    /// Why it is not to be had.
    Unreadable(String),
}

/// `F`: what its kind knows of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct World<F> {
    pub engine: EngineInfo,
    pub container: Slot<SeenContainer>,
    /// Our container, when it has another name: (id, name).
    pub misnamed: Vec<(String, String)>,
    pub volume: Slot<()>,
    /// The id of our network.
    pub network: Slot<String>,
    pub image: ImageSeen<F>,
    /// The image that containers were made from until now, while the wanted one is another or cannot be
    /// used: what is there is kept going with it.
    pub pinned: Option<F>,
    /// Read only when memory would be lowered.
    pub usage: Option<Usage>,
    /// Read only when a container that should run does not, and after it died.
    pub log_tail: Vec<String>,
    /// A port that nobody held when asked, for a service that still needs one.
    pub free_port: Option<u16>,
    /// Another object of this installation that has the wanted port.
    pub port_holder: Option<String>,
    /// Who else has a wanted port that is not our container's yet, in words.
    pub port_taken: Option<String>,
    /// It has no manifest, and keeps the port for when that comes back.
    pub port_kept: bool,
    /// Whether the password is in the store.
    pub password_sealed: bool,
    pub image_starts: ImageStarts,
    /// Remembered extra volumes that are not there, or are somebody else's: volume → what it is.
    pub extra_volumes: BTreeMap<String, Slot<()>>,
    /// Containers that carry our labels under another name, but for the one that is ours: (id, name).
    pub duplicates: Vec<(String, String)>,
    /// Other containers that can write to our volume right now.
    pub sharers: Vec<User>,
    /// Other containers that our name on the network leads to as well.
    pub called_alike: Vec<User>,
    pub deaths: Deaths,
    /// What killed it, or processes in it, and is not over yet.
    pub troubles: Troubles,
    /// How long nobody has listened in the container since it was started.
    pub silent: Duration,
    /// Under the data's volume; `None`: it cannot be seen.
    pub room: Option<(Space, Room)>,
    /// Who else is on the way to the wanted image, where that is another one than the object's own.
    pub rollout: Rollout,
    /// The image that a server last came up with, where it is another than the container's, and local.
    pub fallback: Option<String>,
    /// Why it is not known that the image is there from which a container would be made in the place of this one; asked
    /// only where one would.
    pub unseen_successor: Option<String>,
}

impl<F> World<F> {
    /// Whether a server can write nothing more.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self.room, Some((_, Room::Full | Room::ReadOnly)))
    }

    /// Before anything was looked at.
    #[must_use]
    pub fn unseen(engine: EngineInfo) -> Self {
        Self {
            engine,
            container: Slot::Missing,
            misnamed: Vec::new(),
            volume: Slot::Missing,
            network: Slot::Missing,
            image: ImageSeen::Missing,
            pinned: None,
            usage: None,
            log_tail: Vec::new(),
            free_port: None,
            port_holder: None,
            port_taken: None,
            port_kept: false,
            password_sealed: false,
            image_starts: ImageStarts::default(),
            extra_volumes: BTreeMap::new(),
            duplicates: Vec::new(),
            sharers: Vec::new(),
            called_alike: Vec::new(),
            deaths: Deaths::default(),
            troubles: Troubles::default(),
            silent: Duration::ZERO,
            room: None,
            rollout: Rollout::default(),
            fallback: None,
            unseen_successor: None,
        }
    }
}

/// What the controller has to know of it, whatever `F` is.
pub trait Seen: Send + Sync {
    fn container(&self) -> &Slot<SeenContainer>;
    fn company(&self) -> Company;
    /// The id of our network.
    fn network(&self) -> &Slot<String>;
    /// Id of the wanted image, when it can be used.
    fn image(&self) -> Option<&str>;
    fn free_port(&self) -> Option<u16>;
    /// For a plan that is only shown: the network is there by then.
    fn assume_network(&mut self);
    fn set_rollout(&mut self, rollout: Rollout);
    /// When there is another thing to say of it though nothing happens.
    fn look_again(&self) -> Option<Duration>;
}

impl<F: Facts> Seen for World<F> {
    fn container(&self) -> &Slot<SeenContainer> {
        &self.container
    }

    fn company(&self) -> Company {
        Company {
            sharers: self.sharers.clone(),
            called_alike: self.called_alike.clone(),
            duplicates: self.duplicates.clone(),
            volume: self.volume != Slot::Missing,
        }
    }

    fn network(&self) -> &Slot<String> {
        &self.network
    }

    fn image(&self) -> Option<&str> {
        self.image.fit().map(|facts| facts.image().id.as_str())
    }

    fn free_port(&self) -> Option<u16> {
        self.free_port
    }

    fn assume_network(&mut self) {
        if self.network == Slot::Missing {
            self.network = Slot::Ours(String::new());
        }
    }

    fn set_rollout(&mut self, rollout: Rollout) {
        self.rollout = rollout;
    }

    fn look_again(&self) -> Option<Duration> {
        self.troubles.over_in()
    }
}

/// What the sweep compares beside an object's own container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Company {
    pub sharers: Vec<User>,
    pub called_alike: Vec<User>,
    /// (id, name)
    pub duplicates: Vec<(String, String)>,
    pub volume: bool,
}

/// What it is called on the network: itself, and all of its object's members together.
#[must_use]
pub fn own_names(installation: &Installation, member: &Member) -> Vec<String> {
    let base = installation.container(&member.object);
    vec![member.role.container(&base), base]
}

impl Company {
    /// From a look at everything; `own` is the container that is remembered.
    #[must_use]
    pub fn in_census(
        census: &Census,
        member: &Member,
        volume: &str,
        names: &[String],
        own: Option<&str>,
    ) -> Self {
        let others = census.namesakes(member).iter().filter(|n| own != Some(n.id.as_str()));
        Self {
            sharers: census.users_but(volume, own),
            called_alike: census.called(names, own),
            duplicates: others.map(|n| (n.id.clone(), n.name.clone())).collect(),
            volume: census.has_volume(volume),
        }
    }
}
