//! One object of any kind in a rig, called `main`: what rows that are not about one kind are written with.

use super::rig::{Rig, engine};
use crate::kinds::Kind;
use seawall::control::operator::Times;
use seawall::core::condition::{ConditionType, Truth};
use seawall::core::quantity::Bytes;
use seawall::core::resource::Caps;
use seawall::core::seen::{ContainerState, SeenContainer, SeenImage};
use seawall::docker::Docker;
use seawall::docker::fake::FakeDocker;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

pub const NETWORK: &str = "seawall";

pub fn memory(mib: u64) -> Option<Bytes> {
    Some(Bytes(mib << 20))
}

/// A rig in which a name alone is that of an object of the kind.
pub struct Of {
    rig: Rig,
    /// `main`, as people say it, and what there is of it.
    pub object: String,
    pub container: String,
    pub volume: String,
}

impl Deref for Of {
    type Target = Rig;
    fn deref(&self) -> &Rig {
        &self.rig
    }
}

impl DerefMut for Of {
    fn deref_mut(&mut self) -> &mut Rig {
        &mut self.rig
    }
}

impl Of {
    /// With the catalog of the kind; the operator does not run yet.
    pub fn new(kind: &'static dyn Kind, fake: Arc<FakeDocker>) -> Self {
        let mut rig = Rig::new(fake, Times::default());
        rig.kind = kind;
        rig.text("catalog.yaml", &kind.fake_catalog("local"));
        let object = kind.object("main");
        let container = object.replace('/', "-");
        Self { rig, volume: format!("{container}-data"), container, object }
    }

    /// With a manifest for each of these names; the operator runs.
    pub fn start(kind: &'static dyn Kind, names: &[&str]) -> Self {
        let mut rig = Self::new(kind, engine());
        for name in names {
            rig.manifest(name, &rig.wish(""));
        }
        rig.drive();
        rig
    }

    /// The same, when all of them are Ready.
    pub async fn started(kind: &'static dyn Kind, names: &[&str]) -> Self {
        let rig = Self::start(kind, names);
        for name in names {
            rig.ready(name).await;
        }
        rig
    }

    /// `main` alone, Ready.
    pub async fn settled(kind: &'static dyn Kind) -> Self {
        Self::started(kind, &["main"]).await
    }

    pub fn spec(&self, version: &str, more: &str) -> String {
        let more = if more.is_empty() { String::new() } else { format!(", {more}") };
        self.kind.spec_of(version, &(self.kind.owned_by("appuser", "appdb") + &more))
    }

    /// The spec of every manifest here, with these further fields.
    pub fn wish(&self, more: &str) -> String {
        self.spec(self.kind.versions()[0], more)
    }

    /// Another build of the same version.
    pub fn another(&self) -> &'static str {
        self.kind.versions()[1]
    }

    /// The manifest of `main`, with these further fields.
    pub fn put(&self, more: &str) {
        self.put_with("", more);
    }

    pub fn put_with(&self, annotations: &str, more: &str) {
        self.put_version(&self.object, annotations, self.kind.versions()[0], more);
    }

    pub fn put_version(&self, object: &str, annotations: &str, version: &str, more: &str) {
        let name = object.rsplit('/').next().unwrap();
        self.manifest_with(name, annotations, &self.spec(version, more));
    }

    /// The local image of a version.
    pub async fn image(&self, version: &str) -> SeenImage {
        self.fake.image(&self.kind.fake_image(version)).await.unwrap().unwrap()
    }

    /// Another image than the tested version's, with the same in it; `n` tells one from another. Nobody has it yet.
    pub async fn image_like(&self, tag: &str, n: u8) -> SeenImage {
        let id = format!("sha256:{}", format!("{n:02x}").repeat(32));
        SeenImage { id, tags: vec![tag.to_owned()], ..self.image(self.kind.versions()[0]).await }
    }

    /// The same on the engine, with the files of the tested version's; gives its id.
    pub async fn add_image_like(&self, tag: &str, n: u8) -> String {
        let image = self.image_like(tag, n).await;
        let id = image.id.clone();
        self.fake.add_image(image);
        self.fake.copy_image_files(&self.kind.fake_image(self.kind.versions()[0]), tag);
        id
    }

    /// As a field of the spec: the parameter that a running server takes over, with one of its two values.
    pub fn live(&self, n: usize) -> String {
        let live = self.kind.live();
        format!("parameters: {{{}: {}}}", live.name, live.values[n])
    }

    /// Whether the parameter file in the container has that.
    pub fn has_live(&self, n: usize) -> bool {
        let live = self.kind.live();
        let file = self.fake.file(&self.container, self.kind.parameter_file()).unwrap().unwrap();
        let text = String::from_utf8_lossy(&file.content).into_owned();
        text.lines().any(|line| line.starts_with(live.name) && line.contains(live.values[n]))
    }

    /// By what the data on its volume is told from other data: the server's own word, and what a user left there.
    pub fn content(&self) -> (String, Option<Vec<u8>>) {
        let left = self.fake.file(&self.container, &self.left()).unwrap();
        (self.kind.fake_data(&self.fakes(), &self.container), left.map(|file| file.content.to_vec()))
    }

    /// The same, once a user left something on the volume.
    pub fn marked(&self) -> (String, Option<Vec<u8>>) {
        self.mark();
        self.content()
    }

    pub fn mark(&self) {
        self.fake.write_file(&self.container, &self.left(), b"mine").unwrap();
    }

    fn left(&self) -> String {
        format!("{}/left-there", self.kind.data().0)
    }

    pub fn seen(&self) -> Option<SeenContainer> {
        self.rig.container(&self.object)
    }

    /// What the container of an object is called; its volume is this with `-data`.
    pub fn called(&self, name: &str) -> String {
        self.named(name).to_string().replace('/', "-")
    }

    pub fn id(&self) -> String {
        self.seen().unwrap().id
    }

    /// It is Ready, whatever else is still to be done.
    pub fn serves(&self) -> bool {
        self.condition(&self.object, ConditionType::Ready).is_some_and(|c| c.status == Truth::True)
    }

    pub fn up(&self) -> bool {
        self.seen().is_some_and(|c| c.state == ContainerState::Running)
    }

    pub fn caps(&self) -> Option<Caps> {
        self.seen().map(|c| c.caps)
    }

    /// All that there is of it.
    pub fn whole(&self) -> Vec<String> {
        vec![self.container.clone(), self.volume.clone(), NETWORK.to_owned()]
    }

    /// What is left without its container.
    pub fn kept(&self) -> Vec<String> {
        self.whole().split_off(1)
    }
}
