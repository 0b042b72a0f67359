//! Containers that are there before the record of the child that they are of: the store was lost, and `seawall recover` began
//! another one under its id. Must never take over what does not carry all of the labels and the very name.

use crate::control::any::Spec;
use crate::control::memory::Memory;
use crate::control::objects::Record;
use crate::control::operator::Operator;
use crate::control::recover::{stopped_on_purpose, unproven_because};
use crate::core::event::Note;
use crate::core::identity::Home;
use crate::core::names::label;
use crate::core::seen::SeenContainer;
use crate::docker::DockerError;
use crate::kinds::Each;
use crate::workload::ownership::foreign;

/// What is there of a child that nobody remembers.
pub struct Adopted {
    uid: String,
    generation: u64,
    home: Option<Home>,
    stopped: bool,
    memory: Memory,
    containers: Vec<String>,
}

impl Adopted {
    /// The record as it would be, had it not been lost.
    pub fn into_record(self, mut record: Record) -> Record {
        record.uid = self.uid;
        record.generation = self.generation;
        record.asked.stopped = self.stopped;
        record.memory = self.memory;
        record.memory.edit_work(|work| work.home.clone_from(&self.home));
        record
    }

    pub fn note(&self) -> Note {
        let words = format!("{} of before is taken over as it is", self.containers.join(", "));
        Note::warning("Recovered", words)
    }
}

impl Operator {
    /// # Errors
    /// When the engine could not be asked.
    pub(super) async fn adopt(&self, record: &Record, spec: &Spec) -> Result<Option<Adopted>, DockerError> {
        let (docker, installation) = (&self.tools.docker, &self.config.installation);
        let kind = self.kinds.get(record.object.kind);
        // What a manifest makes was taken over by `seawall recover` itself.
        let Some(kind) = kind.filter(|kind| kind.about().made_by.is_some()) else { return Ok(None) };
        let whole = self.identity(record);
        let mut left: Each<SeenContainer> = Vec::new();
        for (role, _) in spec.each() {
            let id = whole.member(role.clone());
            let Some(c) = docker.inspect(&id.container()).await? else { continue };
            let image = docker.image(&c.image_id).await?;
            let unproven = unproven_because(&c, image.as_ref(), installation, &id.member_ref(), None);
            if foreign(&c.labels, &id).is_none() && unproven.is_none() {
                left.push((role, c));
            }
        }
        let Some((_, first)) = left.first() else { return Ok(None) };
        let labels = first.labels.clone();
        let Some(uid) = labels.get(label::UID).map(str::to_owned) else { return Ok(None) };
        // Of another object of that name: it stays in the way.
        left.retain(|(_, c)| c.labels.get(label::UID) == Some(uid.as_str()));
        let local = match spec.work() {
            Some(work) => docker.image(work.image.as_str()).await?.map(|image| image.id),
            None => None,
        };
        let Some(memory) = kind.adopted(spec, &left, local.as_deref()) else { return Ok(None) };
        let base = labels.get(label::VOLUMES);
        Ok(Some(Adopted {
            uid,
            generation: labels.get(label::GENERATION).and_then(|text| text.parse().ok()).unwrap_or(1),
            home: base.map(|base| Home { base: base.to_owned(), name: record.object.name.clone() }),
            // Of two, one only gave way to the other.
            stopped: left.len() == 1 && left.iter().all(|(_, c)| stopped_on_purpose(c)),
            memory,
            containers: left.into_iter().map(|(_, c)| c.name).collect(),
        }))
    }
}
