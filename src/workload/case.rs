//! What a plan is about: who the object is, what is wanted of it, what is remembered.

use super::schedule::{Due, Schedule};
use super::server::Server;
use super::{Checked, Memory};
use crate::core::identity::Identity;
use crate::core::neighbours::{Said, offers};
use crate::core::resource::PortRequest;
use crate::core::will::{Asked, Wanted};
use jiff::Timestamp;

/// One container with its volume, and everything that is wanted of it.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    pub identity: &'a Identity,
    pub spec: &'a Checked,
    pub asked: &'a Asked,
    pub memory: &'a Memory,
    /// Whether a manifest (or its last good version) is in force.
    pub present: bool,
    pub server: &'static Server,
}

impl<'a> Case<'a> {
    /// Why an image is not tried again: with this very manifest no server of it came up.
    #[must_use]
    pub fn gave_up(&self, image: &str) -> Option<&'a String> {
        let refused = self.memory.refused_image.as_ref();
        refused.filter(|r| r.id == image && r.generation == self.identity.generation).map(|r| &r.message)
    }

    #[must_use]
    pub fn wanted(&self) -> Wanted {
        match (self.present, self.asked.deletes_now(self.spec.given_up())) {
            (true, _) if self.spec.stopped || self.asked.stopped => Wanted::Stopped,
            (true, _) => Wanted::Running,
            (false, true) => Wanted::Deleted,
            (false, false) => Wanted::Retained,
        }
    }

    /// Where it serves: its name and port on the network, and its port on this host; and which password its own user has.
    #[must_use]
    pub fn offer(&self) -> Said {
        let published = self.memory.port.filter(|_| self.spec.port != PortRequest::None);
        let host = [
            ("host", self.identity.container()),
            ("port", self.server.port.to_string()),
            (offers::GENERATION, self.memory.password_generation.to_string()),
            (offers::ROTATED_AT, self.memory.password_rotated_at.clone()),
        ];
        host.into_iter().chain(published.map(|port| ("hostPort", port.to_string()))).collect()
    }

    /// How the schedule of its password stands. What does not run has none: it is seen anew when it does.
    #[must_use]
    pub fn due(&self, now: Timestamp, schedule: Option<&Schedule>) -> Due {
        let schedule = schedule.filter(|_| self.wanted() == Wanted::Running);
        Due::at(now, schedule, &self.memory.password_rotated_at)
    }

    /// Whether, its manifest gone, its data go after their grace.
    #[must_use]
    pub fn deletes_later(&self) -> bool {
        self.asked.deletes_later(self.spec.given_up())
    }

    /// `seawall restart` was said and not yet done.
    #[must_use]
    pub fn restart_due(&self) -> bool {
        self.asked.restart_due(self.memory.restarted_for.as_ref())
    }

    /// `seawall reinitialise` was said and not yet done.
    #[must_use]
    pub fn reinitialise_due(&self) -> bool {
        self.asked.reinitialise_due(self.memory.reinitialised_for.as_ref())
    }
}
