//! One image for many databases, as a line of a catalog is: they go to it one after another, and nobody follows one
//! that did not come back. Pure. Must never hold back a database that has nothing to lose.

use super::Memory;

/// Where another database stands on its way to an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stand {
    /// It has nothing to do with it, or arrived.
    Elsewhere,
    ToGo,
    /// Its container is made from it, and it has not come back yet.
    Going,
    /// It did not come back with it, in words.
    Failed(String),
}

impl Stand {
    /// Of several servers of one object, where the one stands that matters most to others.
    #[must_use]
    pub fn weight(&self) -> u8 {
        match self {
            Stand::Elsewhere => 0,
            Stand::ToGo => 1,
            Stand::Going => 2,
            Stand::Failed(_) => 3,
        }
    }
}

/// What of a database tells it.
pub struct Other<'a> {
    pub memory: &'a Memory,
    pub generation: u64,
    /// It should run, and nothing holds it back.
    pub runs: bool,
    /// Its manifest, or the catalog, names the reference that stands for the image.
    pub named: bool,
}

impl Other<'_> {
    #[must_use]
    pub fn stand(&self, image: &str) -> Stand {
        let memory = self.memory;
        let failed = memory.refused_image.as_ref();
        if let Some(failed) = failed.filter(|r| r.id == image && r.generation == self.generation) {
            return Stand::Failed(failed.message.clone());
        }
        let made_from_it = memory.image.as_ref().is_some_and(|pinned| pinned.id == image);
        if !self.runs || !memory.ever_ready {
            Stand::Elsewhere
        } else if made_from_it {
            let back = memory.proven_image.as_ref().is_none_or(|proven| proven == image);
            if back { Stand::Elsewhere } else { Stand::Going }
        } else if self.named && memory.image.is_some() {
            Stand::ToGo
        } else {
            Stand::Elsewhere
        }
    }
}

/// Why a database stays with the image it has for now, and how many more there are to go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rollout {
    /// Databases on their way, sorted.
    pub going: Vec<String>,
    /// One that did not come back, and its words.
    pub failed: Option<(String, String)>,
    /// How many others have still to go.
    pub to_go: usize,
    /// How many may go at once.
    pub at_once: usize,
}

impl Rollout {
    pub fn add(&mut self, object: String, stand: Stand) {
        match stand {
            Stand::Elsewhere => {}
            Stand::ToGo => self.to_go += 1,
            Stand::Going => self.going.push(object),
            Stand::Failed(words) => self.failed = self.failed.take().or(Some((object, words))),
        }
    }

    /// Whether the object that this was looked up for stays as it is.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.failed.is_some() || (!self.going.is_empty() && self.going.len() >= self.at_once)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::memory::{PinnedImage, RefusedImage};

    fn memory(image: &str, proven: Option<&str>) -> Memory {
        Memory {
            image: Some(PinnedImage { reference: "postgres:18".into(), id: image.into() }),
            proven_image: proven.map(str::to_owned),
            ever_ready: true,
            ..Memory::default()
        }
    }

    #[test]
    fn where_another_one_stands() {
        let refused = |generation| Memory {
            refused_image: Some(RefusedImage { id: "new".into(), message: "no".into(), generation }),
            ..memory("old", Some("old"))
        };
        for (what, memory, runs, named, want) in [
            ("has it to come", memory("old", Some("old")), true, true, Stand::ToGo),
            ("names another one", memory("old", Some("old")), true, false, Stand::Elsewhere),
            ("is stopped", memory("old", Some("old")), false, true, Stand::Elsewhere),
            (
                "was never Ready",
                Memory { ever_ready: false, ..memory("old", None) },
                true,
                true,
                Stand::Elsewhere,
            ),
            ("on its way", memory("new", Some("old")), true, true, Stand::Going),
            ("on its way, stopped", memory("new", Some("old")), false, true, Stand::Elsewhere),
            ("arrived", memory("new", Some("new")), true, true, Stand::Elsewhere),
            ("of an earlier version", memory("new", None), true, true, Stand::Elsewhere),
            ("went back", refused(3), true, true, Stand::Failed("no".into())),
            ("went back, and changed since", refused(2), true, true, Stand::ToGo),
        ] {
            let other = Other { memory: &memory, generation: 3, runs, named };
            assert_eq!(other.stand("new"), want, "{what}");
        }
    }

    #[test]
    fn so_many_at_once_and_nobody_after_a_failure() {
        for (stands, at_once, holds) in [
            (vec![], 1, false),
            (vec![Stand::ToGo, Stand::ToGo, Stand::Elsewhere], 1, false),
            (vec![Stand::Going], 1, true),
            (vec![Stand::Going], 2, false),
            (vec![Stand::Going, Stand::Going], 2, true),
            (vec![Stand::Failed("no".into())], 9, true),
        ] {
            let mut rollout = Rollout { at_once, ..Rollout::default() };
            for stand in stands.clone() {
                rollout.add("postgres/a".into(), stand);
            }
            assert_eq!(rollout.holds(), holds, "{stands:?}");
        }
    }
}
