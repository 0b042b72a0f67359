//! What can be remembered of containers of an application when its record was lost. Pure. Must never take one that was only
//! tried for the one that served while that is there.

use super::check::Checked;
use super::record::{Memory, Proven};
use crate::core::member::Role;
use crate::core::seen::SeenContainer;
use crate::kinds::Each;
use crate::workload;
use crate::workload::memory::PinnedImage;
use jiff::Timestamp;

/// What each was made from is not known: the manifest tells it best, and a container that differs from it is one of
/// another version. `local`: id of the image that is wanted.
#[must_use]
pub fn memory(checked: &Checked, containers: &Each<SeenContainer>, local: Option<&str>) -> Option<Memory> {
    let (role, serves) = serving(containers)?;
    let served = started(serves).is_some();
    let mut memory = Memory { serves: Some(role.clone()), ..Memory::default() };
    for (role, c) in containers {
        let member = workload::Memory { container: Some(c.id.clone()), ..workload::Memory::default() };
        memory.members.insert(role.clone(), member);
        memory.work.volumes.extend(volumes(role, c));
    }
    memory.work.volumes.extend(volumes(role, serves));
    let image = |reference: String| PinnedImage { reference, id: serves.image_id.clone() };
    let same = local == Some(serves.image_id.as_str());
    memory.work.image = same.then(|| image(checked.app.image.to_string()));
    memory.work.ever_ready = served;
    let written = checked.written.clone();
    memory.proven = served.then(|| Proven { image: image(written.image.0.clone()), written });
    Some(memory)
}

/// The one that serves, or did last. The engine starts only that one again: of two such the newer one took the place of
/// the older, which was about to go; and one that gave way was there before the one that is tried.
fn serving(containers: &Each<SeenContainer>) -> Option<&(Role, SeenContainer)> {
    let kept = containers.iter().filter(|(_, c)| c.restart_policy != "no");
    let tried = containers.iter().filter(|(_, c)| started(c).is_some());
    kept.max_by_key(|(_, c)| started(c))
        .or_else(|| tried.min_by_key(|(_, c)| started(c)))
        .or_else(|| containers.first())
}

fn started(c: &SeenContainer) -> Option<Timestamp> {
    c.started_at.parse().ok()
}

/// Path → volume of the application's own.
fn volumes(role: &Role, c: &SeenContainer) -> impl Iterator<Item = (String, String)> {
    let base = c.name.strip_suffix(&role.to_string()).unwrap_or(&c.name);
    let own = c.mounts.iter().filter(move |mount| mount.volume.starts_with(base));
    own.map(|mount| (mount.path.clone(), mount.volume.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::resource::{Document, Metadata};
    use crate::core::seen::{ContainerState, SeenMount};
    use crate::kinds::{Context, Reconciler};
    use serde_json::json;
    use std::collections::BTreeMap;

    fn checked() -> Checked {
        let document = Document {
            object: "app/s-p-web".parse().unwrap(),
            metadata: Metadata {
                name: "s-p-web".parse::<String>().unwrap().try_into().unwrap(),
                labels: BTreeMap::new(),
                annotations: BTreeMap::new(),
            },
            spec: json!({"project": "s", "environment": "p", "app": "web", "container": {"image": "web:2"}}),
            place: Default::default(),
            places: Default::default(),
        };
        let context = Context { catalogs: &BTreeMap::new(), host: None, in_force: true };
        super::super::App::check(&document, &context).unwrap()
    }

    fn container(role: &str, policy: &str, started_at: &str, up: bool) -> (Role, SeenContainer) {
        let mount = |volume: &str, path: &str| SeenMount {
            kind: "volume".into(),
            volume: volume.into(),
            path: path.into(),
        };
        let c = SeenContainer {
            id: format!("id {role}"),
            name: format!("app-s-p-web.{role}"),
            image_id: format!("sha256:{role}"),
            state: if up { ContainerState::Running } else { ContainerState::Exited },
            restart_policy: policy.into(),
            started_at: started_at.into(),
            mounts: vec![mount("app-s-p-web.uploads", "/up"), mount("0a1b", "/other")],
            ..SeenContainer::default()
        };
        (Role::parse(role).unwrap(), c)
    }

    #[test]
    fn the_one_that_served_serves_again_and_one_that_was_tried_never_takes_its_place() {
        // Go cuts the zeros at the end.
        let (early, late) = ("2026-01-01T00:00:36.33Z", "2026-01-01T00:00:36.334Z");
        for (what, all, serves) in [
            ("alone", vec![container("b", "always", early, true)], "b"),
            ("alone, and stopped", vec![container("b", "no", early, false)], "b"),
            (
                "one is tried",
                vec![container("a", "always", early, true), container("b", "no", late, true)],
                "a",
            ),
            (
                "one is tried",
                vec![container("a", "no", late, true), container("b", "always", early, true)],
                "b",
            ),
            ("it died", vec![container("a", "always", early, false), container("b", "no", late, true)], "a"),
            ("gave way", vec![container("a", "no", early, false), container("b", "no", late, true)], "a"),
            ("gave way", vec![container("a", "no", late, true), container("b", "no", early, false)], "b"),
            (
                "gave way, not started",
                vec![container("a", "no", "", false), container("b", "no", early, false)],
                "b",
            ),
            (
                "both are kept",
                vec![container("a", "always", early, true), container("b", "always", late, true)],
                "b",
            ),
            (
                "both are kept",
                vec![container("a", "always", late, true), container("b", "always", early, true)],
                "a",
            ),
            ("it goes", vec![container("a", "no", early, false), container("b", "always", late, true)], "b"),
        ] {
            let memory = memory(&checked(), &all, None).unwrap();
            assert_eq!(memory.serves.clone().unwrap().to_string(), serves, "{what}: {all:?}");
            assert_eq!(memory.members.len(), all.len());
            assert!(memory.proven.is_some_and(|proven| proven.image.id == format!("sha256:{serves}")));
            assert!(memory.work.ever_ready && memory.work.image.is_none(), "{what}");
            let volumes: Vec<_> = memory.work.volumes.into_iter().collect();
            assert_eq!(volumes, [("/up".to_owned(), "app-s-p-web.uploads".to_owned())]);
        }
        assert_eq!(memory(&checked(), &Vec::new(), None), None);
    }

    #[test]
    fn what_never_ran_is_nothing_to_go_back_to_and_only_the_image_that_is_wanted_is_pinned() {
        let never = memory(&checked(), &vec![container("a", "always", "", false)], Some("sha256:a")).unwrap();
        assert!(never.proven.is_none() && !never.work.ever_ready);
        let wanted = PinnedImage { reference: "web:2".into(), id: "sha256:a".into() };
        assert_eq!(never.work.image, Some(wanted));
        let other = memory(&checked(), &vec![container("a", "always", "", false)], Some("sha256:z")).unwrap();
        assert_eq!(other.work.image, None);
    }
}
