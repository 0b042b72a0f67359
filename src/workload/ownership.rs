//! Whose a container, a volume or a left-over is. Pure.
//!
//! A label proves nothing by itself: whatever is made from an image that was made from one of our containers
//! (`docker commit`) inherits its labels. A container is ours when the record remembers its id. Must never
//! say "ours" of one that only says so itself.

use super::Memory;
use crate::core::identity::Identity;
use crate::core::names::label;
use crate::core::pairs::Pairs;
use crate::core::seen::{ContainerState, ContainerSummary, SeenContainer};

/// How the names of throw-away containers begin; what follows is a number drawn for each.
pub const PROBE_PREFIX: &str = "seawall-image-probe-";

/// Why a container with these labels is not this object's; `None` when it is.
#[must_use]
pub fn foreign(labels: &Pairs, id: &Identity) -> Option<String> {
    differs(labels, id.proof())
}

/// The same of a volume.
#[must_use]
pub fn foreign_volume(labels: &Pairs, id: &Identity) -> Option<String> {
    differs(labels, id.volume_proof())
}

fn differs(labels: &Pairs, proof: [(&'static str, Option<&str>); 5]) -> Option<String> {
    let (key, value) = proof.into_iter().find(|(key, value)| labels.get(key) != *value)?;
    Some(match (labels.get(key), value) {
        (None, _) => format!("it has no label {key}"),
        (Some(other), Some(value)) => format!("its label {key} is {other:?}, ours is {value:?}"),
        (Some(other), None) => format!("its label {key} is {other:?}, ours has none"),
    })
}

/// Why the container under the object's name is not the object's; `None` when it is.
///
/// By label alone only what a crash between making it and remembering it leaves behind: the exact name, the
/// pinned image and the volume must be right, too. The caller sees to it that the remembered one is gone.
#[must_use]
pub fn not_ours(c: &SeenContainer, id: &Identity, memory: &Memory, keeps_data: bool) -> Option<String> {
    if let Some(why) = foreign(&c.labels, id) {
        return Some(why);
    }
    if memory.container.as_ref() == Some(&c.id) {
        return None;
    }
    by_label(c, id, keeps_data).or_else(|| {
        let pinned = memory.image.as_ref().map(|i| i.id.as_str());
        (pinned != Some(c.image_id.as_str())).then(|| {
            "it carries this object's labels, but it was not made by Seawall: its image is another one than this object's".to_owned()
        })
    })
}

/// What is wrong with a container that carries the right labels and that nobody remembers, but for its image.
#[must_use]
pub fn by_label(c: &SeenContainer, id: &Identity, keeps_data: bool) -> Option<String> {
    if c.name != id.container() {
        return Some(format!("it is called {}, not {}", c.name, id.container()));
    }
    if c.labels.get(label::UID) != Some(id.uid.as_str()) {
        return Some("it carries the labels of an earlier object of this name".to_owned());
    }
    let volume = id.volume();
    (keeps_data && !c.mounts.iter().any(|m| m.volume == volume)).then(|| {
        format!("it carries this object's labels, but it was not made by Seawall: it does not mount {volume}")
    })
}

/// Whether an image hands on labels that say whose a container is.
#[must_use]
pub fn hands_on_labels(image: &Pairs) -> bool {
    foreign_labels(image).next().is_some()
}

/// Labels of ours that an image must not carry: they belong to containers and volumes. What an image may say
/// is what it is.
pub fn foreign_labels(image: &Pairs) -> impl Iterator<Item = &str> {
    const OF_IMAGES: [&str; 4] =
        [label::MANAGED, label::CAPABILITIES, "seawall.dev/engine", "seawall.dev/build-hash"];
    image.iter().map(|(key, _)| key).filter(|key| key.starts_with("seawall.dev/") && !OF_IMAGES.contains(key))
}

/// Whether this is a throw-away container, by its name and a label that names the same number: an image can
/// hand on the label, but not one that fits the name.
#[must_use]
pub fn is_probe(c: &ContainerSummary) -> bool {
    let number = c.name.strip_prefix(PROBE_PREFIX).filter(|n| !n.is_empty());
    number.is_some() && c.labels.get(label::PROBE) == number
}

/// Whether a throw-away container of this store is left over and can go: it does not run, nobody reaches it,
/// and it is nobody's database.
#[must_use]
pub fn is_left_over(c: &ContainerSummary, store: &str) -> bool {
    is_probe(c)
        && c.labels.get(label::STORE) == Some(store)
        && matches!(c.state, ContainerState::Created | ContainerState::Exited)
        && c.host_ports.is_empty()
        && !c.labels.contains_key(label::NAME)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::member::Role;
    use crate::core::names::Installation;
    use crate::core::seen::SeenMount;
    use crate::workload::memory::PinnedImage;

    fn identity() -> Identity {
        Identity {
            installation: Installation::default(),
            store: "s1".to_owned(),
            object: "postgres/a".parse().unwrap(),
            role: Role::default(),
            uid: "u1".to_owned(),
            generation: 3,
            home: None,
        }
    }

    fn made() -> SeenContainer {
        SeenContainer {
            id: "c1".to_owned(),
            name: "postgres-a".to_owned(),
            image_id: "sha256:1".to_owned(),
            labels: Pairs::from(&identity().labels()),
            mounts: vec![SeenMount {
                kind: "volume".to_owned(),
                volume: "postgres-a-data".to_owned(),
                path: "/data".to_owned(),
            }],
            ..SeenContainer::default()
        }
    }

    fn relabelled(key: &str, value: &str) -> SeenContainer {
        let mut c = made();
        c.labels = c.labels.iter().chain([(key, value)]).collect();
        c
    }

    #[test]
    fn only_what_was_remembered_or_is_right_in_everything_is_ours() {
        let image = Some(PinnedImage { reference: "r".to_owned(), id: "sha256:1".to_owned() });
        let none = Memory { image: image.clone(), ..Memory::default() };
        let knows = Memory { container: Some("c1".to_owned()), ..Memory::default() };
        let other = Memory { container: Some("c0".to_owned()), image, ..Memory::default() };
        let renamed = SeenContainer { name: "mine".to_owned(), ..made() };
        let committed = SeenContainer { image_id: "sha256:2".to_owned(), ..made() };
        let elsewhere = SeenContainer { mounts: Vec::new(), ..made() };
        for (what, c, memory, why) in [
            ("remembered", made(), &knows, None),
            ("remembered, with an image that was pinned since", committed.clone(), &knows, None),
            ("made, and not yet remembered", made(), &none, None),
            ("the remembered one is gone", made(), &other, None),
            ("renamed, and nobody remembers it", renamed, &none, Some("is called mine")),
            ("a copy of ours", committed, &other, Some("its image is another one")),
            ("nothing pinned", made(), &Memory::default(), Some("its image is another one")),
            ("another volume", elsewhere, &none, Some("does not mount postgres-a-data")),
            ("an earlier object", relabelled(label::UID, "u0"), &none, Some("an earlier object")),
            ("another store", relabelled(label::STORE, "s2"), &knows, Some("its label seawall.dev/store")),
            ("another object", relabelled(label::NAME, "b"), &knows, Some("its label seawall.dev/name")),
            ("another member", relabelled(label::ROLE, "node-1"), &knows, Some("ours has none")),
        ] {
            let got = not_ours(&c, &identity(), memory, true);
            match (&got, why) {
                (None, None) => {}
                (Some(got), Some(why)) => assert!(got.contains(why), "{what}: {got}"),
                _ => panic!("{what}: {got:?}"),
            }
        }
    }

    #[test]
    fn an_image_says_what_it_is_and_nothing_else_of_ours() {
        for (labels, bad) in [
            (vec![], vec![]),
            (vec![("seawall.dev/managed", "true"), ("seawall.dev/engine", "postgres")], vec![]),
            (vec![("seawall.dev/build-hash", "1"), ("seawall.dev/capabilities", "")], vec![]),
            (vec![("maintainer", "x"), ("seawall.development", "x")], vec![]),
            (vec![("seawall.dev/image-probe", "true")], vec!["seawall.dev/image-probe"]),
            (
                vec![("seawall.dev/name", "a"), ("seawall.dev/hash.x", "")],
                vec!["seawall.dev/hash.x", "seawall.dev/name"],
            ),
        ] {
            let image: Pairs = labels.iter().copied().collect();
            assert_eq!(foreign_labels(&image).collect::<Vec<_>>(), bad);
            assert_eq!(hands_on_labels(&image), !bad.is_empty());
        }
    }

    #[test]
    fn a_label_alone_makes_nothing_a_left_over() {
        let probe = |name: &str, label: &str, state| ContainerSummary {
            id: "i".to_owned(),
            name: name.to_owned(),
            image_id: String::new(),
            labels: Pairs::from([(label::STORE, "s1"), (label::PROBE, label)]),
            state,
            networks: Pairs::default(),
            host_ports: Vec::new(),
            mounts: Pairs::default(),
        };
        use ContainerState as S;
        for (c, gone) in [
            (probe("seawall-image-probe-7f", "7f", S::Created), true),
            (probe("seawall-image-probe-7f", "7f", S::Exited), true),
            (probe("seawall-image-probe-7f", "7f", S::Running), false),
            (probe("seawall-image-probe-7f", "true", S::Created), false),
            (probe("seawall-image-probe-", "", S::Created), false),
            (probe("postgres-a", "true", S::Exited), false),
            (probe("x-seawall-image-probe-7f", "7f", S::Created), false),
            (
                ContainerSummary { host_ports: vec![1], ..probe("seawall-image-probe-7f", "7f", S::Exited) },
                false,
            ),
        ] {
            assert_eq!(is_left_over(&c, "s1"), gone, "{c:?}");
            assert!(!is_left_over(&c, "s2"), "{c:?}");
        }
        let mut named = probe("seawall-image-probe-7f", "7f", S::Exited);
        named.labels = named.labels.iter().chain([(label::NAME, "a")]).collect();
        assert!(!is_left_over(&named, "s1"));
    }
}
