//! What one pass saw of an application: the values that plans and conditions are made from.

use super::image::AppImage;
use crate::core::member::Role;
use crate::core::names::ObjectRef;
use crate::core::seen::{ContainerState, SeenContainer};
use crate::kinds::app_spec::{App, AppSpec};
use crate::workload;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A process that lives so long did not die at its start.
pub const ALIVE: Duration = Duration::from_secs(2);

#[derive(Clone, Debug, PartialEq)]
pub struct World {
    pub members: BTreeMap<Role, Member>,
    /// The variables of what is wanted.
    pub env: Env,
    /// What was Ready last, where it can be made anew.
    pub before: Option<Before>,
}

/// A version that was Ready.
#[derive(Clone, Debug, PartialEq)]
pub struct Before {
    pub app: App,
    pub written: AppSpec,
    pub image: AppImage,
    pub env: Env,
}

/// One of its two containers.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    pub work: workload::World<AppImage>,
    /// Of one that runs: what its check said, in words.
    pub health: Option<Result<String, String>>,
    /// For how long it runs, as far as is known.
    pub age: Duration,
    /// How long it may take to become healthy.
    pub grace: Duration,
    /// It was ended from outside: by a signal that the engine sent it, or with the engine itself.
    pub interrupted: bool,
    /// Its check failed just now, and is asked again before that counts.
    pub doubted: bool,
}

impl Member {
    /// The container that runs.
    #[must_use]
    pub fn running(&self) -> Option<&SeenContainer> {
        self.work.container.ours().filter(|c| c.state == ContainerState::Running)
    }

    /// What proves that it is Ready, in words.
    #[must_use]
    pub fn healthy(&self) -> Option<&str> {
        self.running()?;
        self.health.as_ref()?.as_ref().ok().map(String::as_str)
    }
}

/// Variables as plans show them: digests where there is a secret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Env {
    pub shown: BTreeMap<String, String>,
    /// Those with a secret in them.
    pub secret: BTreeSet<String>,
    /// Links that are not Ready.
    pub not_ready: Vec<ObjectRef>,
    /// Links of which nothing is reached from the network.
    pub unreachable: Vec<ObjectRef>,
    /// Variables that a link gives, and the application has otherwise: name, and who gives it.
    pub clashes: Vec<(String, ObjectRef)>,
    /// Secrets that could not be read: name, and why.
    pub unread: Vec<(String, String)>,
}
