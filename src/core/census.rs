//! Who has which volume or name of ours, and which containers say that they are ours: one look at everything on an engine,
//! in a form that ten thousand objects can ask. Pure. Must never leave out a container that runs and could
//! write to a volume: two servers on one volume destroy its data.

use crate::core::member::{Member, Role};
use crate::core::names::{Installation, Kind, Name, ObjectRef, label};
use crate::core::seen::{ContainerSummary, SeenVolume};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// A container that runs, is paused, or is being restarted by the engine.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct User {
    pub name: String,
    pub id: String,
    /// The image's id.
    pub image: String,
}

impl User {
    fn of(c: &ContainerSummary) -> Self {
        Self { name: c.name.clone(), id: c.id.clone(), image: c.image_id.clone() }
    }
}

/// A container that carries the labels of a member of one of our objects under a name that is not that one's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Namesake {
    pub name: String,
    pub id: String,
}

/// Where a volume's content lies, beside its name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Places {
    /// Directories of the host, normalised.
    paths: Vec<String>,
    /// Another kind of device (`nfs :/export`), compared as it is.
    device: Option<String>,
}

/// The volumes of one look. Most lie where the engine puts all of them: of those only the name is kept, as
/// there may be thousands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Volumes {
    /// The engine's own directory, normalised: a plain volume lies in `ROOT/NAME/_data`.
    root: String,
    /// `None`: a plain one.
    all: BTreeMap<Box<str>, Option<Box<Places>>>,
}

/// One look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Census {
    users: Vec<User>,
    volumes: Volumes,
    /// Volume name → indices into `users`; those that can write only.
    by_volume: BTreeMap<Box<str>, Vec<u32>>,
    /// Directory of the host → the same.
    by_path: BTreeMap<String, Vec<u32>>,
    by_device: BTreeMap<String, Vec<u32>>,
    namesakes: BTreeMap<Member, Vec<Namesake>>,
    /// Name on our network, in small letters → strangers that it leads to.
    called: BTreeMap<String, BTreeSet<User>>,
}

/// `.` and `..` and doubled slashes taken out; links are not followed, nobody can from here.
#[must_use]
fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            name => parts.push(name),
        }
    }
    format!("/{}", parts.join("/"))
}

impl Places {
    fn of(volume: &SeenVolume) -> Self {
        let mut places = Self::default();
        if !volume.mountpoint.is_empty() {
            places.paths.push(normal(&volume.mountpoint));
        }
        match volume.device.strip_prefix("none ").filter(|path| path.starts_with('/')) {
            Some(path) => places.paths.push(normal(path)),
            None if volume.device.is_empty() => {}
            None => places.device = Some(volume.device.clone()),
        }
        places
    }
}

impl FromIterator<SeenVolume> for Volumes {
    fn from_iter<I: IntoIterator<Item = SeenVolume>>(volumes: I) -> Self {
        let mut found = Self::default();
        for volume in volumes {
            let places = Places::of(&volume);
            let root = match places.paths.as_slice() {
                [only] if places.device.is_none() => root_of(only, &volume.name),
                _ => None,
            };
            if let Some(root) = root.filter(|_| found.root.is_empty()) {
                root.clone_into(&mut found.root);
            }
            let plain = root.is_some_and(|root| root == found.root);
            let places = (!plain).then(|| Box::new(places));
            found.all.insert(volume.name.into(), places);
        }
        found
    }
}

/// Of `ROOT/NAME/_data` the root.
fn root_of<'a>(path: &'a str, name: &str) -> Option<&'a str> {
    path.strip_suffix("/_data")?.strip_suffix(name)?.strip_suffix('/').filter(|root| !root.is_empty())
}

impl Volumes {
    fn places(&self, name: &str) -> Option<Cow<'_, Places>> {
        Some(match self.all.get(name)? {
            Some(places) => Cow::Borrowed(places),
            None => {
                let path = format!("{}/{name}/_data", self.root);
                Cow::Owned(Places { paths: vec![path], device: None })
            }
        })
    }
}

impl Census {
    /// From all containers and all volumes of an engine. `installation` and `store` say which labels are
    /// ours.
    #[must_use]
    pub fn new(
        containers: &[ContainerSummary],
        volumes: Volumes,
        installation: &Installation,
        store: &str,
    ) -> Self {
        let mut census = Self { volumes, ..Self::default() };
        for c in containers {
            if let Some(member) = member_of(c, installation, store)
                && !is_called_so(c, &member, installation)
            {
                let namesake = Namesake { name: c.name.clone(), id: c.id.clone() };
                census.namesakes.entry(member).or_default().push(namesake);
            }
            if c.state.is_up() && c.mounts.iter().any(|(_, access)| access != READ_ONLY) {
                census.add(c);
            }
        }
        census
    }

    /// With the names by which strangers are found on our network.
    #[must_use]
    pub fn with_names<'a>(
        mut self,
        names: impl IntoIterator<Item = (&'a ContainerSummary, Vec<String>)>,
    ) -> Self {
        for (c, names) in names {
            for name in names {
                // The engine's own resolver takes no heed of capitals.
                self.called.entry(name.to_lowercase()).or_default().insert(User::of(c));
            }
        }
        self
    }

    /// Strangers that one of these names on our network leads to, ordered by name.
    #[must_use]
    pub fn called<N: AsRef<str>>(&self, names: &[N], own: Option<&str>) -> Vec<User> {
        let found = names.iter().filter_map(|name| self.called.get(&name.as_ref().to_lowercase())).flatten();
        let found: BTreeSet<&User> = found.filter(|user| own != Some(user.id.as_str())).collect();
        found.into_iter().cloned().collect()
    }

    fn add(&mut self, c: &ContainerSummary) {
        let Ok(index) = u32::try_from(self.users.len()) else { return };
        self.users.push(User::of(c));
        for (source, _) in c.mounts.iter().filter(|(_, access)| *access != READ_ONLY) {
            if source.starts_with('/') {
                self.by_path.entry(normal(source)).or_default().push(index);
                continue;
            }
            self.by_volume.entry(source.into()).or_default().push(index);
            // The directory of a plain volume is its own; that of a device may be somebody else's, too.
            let Some(Some(places)) = self.volumes.all.get(source) else { continue };
            for path in places.paths.iter().skip(1) {
                self.by_path.entry(path.clone()).or_default().push(index);
            }
            if let Some(device) = &places.device {
                self.by_device.entry(device.clone()).or_default().push(index);
            }
        }
    }

    /// Whether the engine has this volume.
    #[must_use]
    pub fn has_volume(&self, name: &str) -> bool {
        self.volumes.all.contains_key(name)
    }

    /// The directory of the host that a volume lies in.
    #[must_use]
    pub fn directory(&self, volume: &str) -> Option<String> {
        self.volumes.places(volume)?.paths.first().cloned()
    }

    /// Who else can write to this volume right now: by its name, by another volume on the same device, or by
    /// a directory of the host that is the volume's, holds it or lies in it. Ordered by name.
    #[must_use]
    pub fn users_but(&self, volume: &str, own: Option<&str>) -> Vec<User> {
        let mut found: BTreeSet<u32> = self.by_volume.get(volume).into_iter().flatten().copied().collect();
        if let Some(places) = self.volumes.places(volume) {
            for path in &places.paths {
                found.extend(self.on_path(path));
            }
            if let Some(device) = &places.device {
                found.extend(self.by_device.get(device).into_iter().flatten());
            }
        }
        let users = found.into_iter().filter_map(|i| self.users.get(i as usize));
        let mut users: Vec<User> = users.filter(|u| own != Some(u.id.as_str())).cloned().collect();
        users.sort();
        users
    }

    fn on_path(&self, path: &str) -> BTreeSet<u32> {
        let below = format!("{}/", path.trim_end_matches('/'));
        let inside = self.by_path.range(below.clone()..).take_while(|(p, _)| p.starts_with(&below));
        let mut found: BTreeSet<u32> = inside.flat_map(|(_, users)| users.iter().copied()).collect();
        let mut at = path;
        loop {
            found.extend(self.by_path.get(at).into_iter().flatten());
            match at.rsplit_once('/') {
                Some(("", rest)) if !rest.is_empty() => at = "/",
                Some((parent, _)) if !parent.is_empty() => at = parent,
                _ => return found,
            }
        }
    }

    /// Containers under other names that carry this one's labels.
    #[must_use]
    pub fn namesakes(&self, member: &Member) -> &[Namesake] {
        self.namesakes.get(member).map(Vec::as_slice).unwrap_or_default()
    }
}

/// The access that a mount of the list call has when nothing can be written through it.
pub const READ_ONLY: &str = "ro";

/// Containers on our network that are no member's own, each with the id of its place there: they may have any name on it.
pub fn strangers<'a>(
    containers: &'a [ContainerSummary],
    installation: &'a Installation,
    store: &'a str,
) -> impl Iterator<Item = (&'a ContainerSummary, &'a str)> {
    let network = installation.network();
    containers.iter().filter(|c| c.state.is_up()).filter_map(move |c| {
        let place = c.networks.get(&network)?;
        let own =
            member_of(c, installation, store).is_some_and(|member| is_called_so(c, &member, installation));
        (!own).then_some((c, place))
    })
}

fn is_called_so(c: &ContainerSummary, member: &Member, installation: &Installation) -> bool {
    c.name == member.role.container(&installation.container(&member.object))
}

/// Whose container this says to be. Only ever a hint: an image hands its labels on to what is made from it.
fn member_of(c: &ContainerSummary, installation: &Installation, store: &str) -> Option<Member> {
    let is = |key, value: &str| c.labels.get(key) == Some(value);
    if !is(label::INSTALLATION, installation.as_str()) || !is(label::STORE, store) {
        return None;
    }
    let kind: Kind = c.labels.get(label::KIND)?.parse().ok()?;
    let object = ObjectRef::new(kind, Name::parse(c.labels.get(label::NAME)?).ok()?);
    Some(Member { object, role: Role::of_labels(&c.labels)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::pairs::Pairs;
    use crate::core::seen::ContainerState;

    const VOLUME: &str = "postgres-a-data";
    const POINT: &str = "/var/lib/docker/volumes/postgres-a-data/_data";

    fn container(name: &str, state: ContainerState, mounts: &[(&str, &str)]) -> ContainerSummary {
        ContainerSummary {
            id: format!("id-{name}"),
            name: name.to_owned(),
            image_id: "sha256:i".to_owned(),
            labels: Pairs::default(),
            state,
            networks: Pairs::default(),
            host_ports: Vec::new(),
            mounts: mounts.iter().copied().collect(),
        }
    }

    fn volume(name: &str, device: &str) -> SeenVolume {
        SeenVolume {
            name: name.to_owned(),
            labels: Pairs::default(),
            mountpoint: format!("/var/lib/docker/volumes/{name}/_data"),
            device: device.to_owned(),
        }
    }

    fn users(containers: &[ContainerSummary], volumes: &[SeenVolume]) -> Vec<String> {
        let volumes = volumes.iter().cloned().collect();
        let census = Census::new(containers, volumes, &Installation::default(), "s");
        census.users_but(VOLUME, Some("id-own")).into_iter().map(|u| u.name).collect()
    }

    #[test]
    fn whoever_can_write_to_the_volume_is_found() {
        use ContainerState as S;
        let bind = |path: &'static str| vec![(path, "rw")];
        for (state, mounts, shares) in [
            (S::Running, vec![(VOLUME, "rw")], true),
            (S::Paused, vec![(VOLUME, "rw")], true),
            (S::Restarting, vec![(VOLUME, "rw")], true),
            (S::Exited, vec![(VOLUME, "rw")], false),
            (S::Created, vec![(VOLUME, "rw")], false),
            (S::Running, vec![(VOLUME, "ro")], false),
            (S::Running, vec![("postgres-a-data2", "rw"), ("postgres-a", "rw")], false),
            (S::Running, bind(POINT), true),
            (S::Running, bind("/var/lib/docker/volumes/postgres-a-data/_data/18/docker"), true),
            (S::Running, bind("/var/lib/docker/volumes/postgres-a-data"), true),
            (S::Running, bind("/var/lib/docker//volumes/./postgres-a-data/_data/"), true),
            (S::Running, bind("/var/lib/docker/volumes/x/../postgres-a-data/_data"), true),
            (S::Running, bind("/var/lib/docker"), true),
            (S::Running, bind("/"), true),
            (S::Running, vec![("/var/lib/docker", "ro")], false),
            (S::Running, bind("/var/lib/docker/volumes/postgres-a-data/_data2"), false),
            (S::Running, bind("/var/lib/docker/volumes/postgres-b-data/_data"), false),
            (S::Running, bind("/var/lib/dock"), false),
            (S::Running, vec![("/x", "ro"), (VOLUME, "rw")], true),
        ] {
            let all = [container("own", S::Running, &[(VOLUME, "rw")]), container("other", state, &mounts)];
            let found = users(&all, &[volume(VOLUME, "")]);
            assert_eq!(found == ["other"], shares, "{state:?} {mounts:?}: {found:?}");
            assert!(shares || found.is_empty());
        }
    }

    #[test]
    fn another_volume_on_the_same_place_is_the_same() {
        let other = [container("other", ContainerState::Running, &[("theirs", "rw")])];
        for (ours, theirs, shares) in [
            ("", format!("none {POINT}"), true),
            ("", format!("none {POINT}/18"), true),
            ("", "none /var/lib/docker/volumes".to_owned(), true),
            ("none /srv/pg", "none /srv/pg/".to_owned(), true),
            ("none /srv/pg", "none /srv/other".to_owned(), false),
            ("nfs :/export/pg", "nfs :/export/pg".to_owned(), true),
            ("nfs :/export/pg", "nfs :/export/b".to_owned(), false),
            ("tmpfs tmpfs", "none /srv/pg".to_owned(), false),
            ("", String::new(), false),
        ] {
            let found = users(&other, &[volume(VOLUME, ours), volume("theirs", &theirs)]);
            assert_eq!(!found.is_empty(), shares, "{ours:?} {theirs:?}");
        }
        // Volumes that do not lie where the others do: their own directories count.
        let mut elsewhere = volume(VOLUME, "");
        elsewhere.mountpoint = "/plugins/x/postgres-a-data/_data".to_owned();
        let all = [volume("first", ""), elsewhere];
        let bind = |path| [container("other", ContainerState::Running, &[(path, "rw")])];
        assert_eq!(users(&bind("/plugins/x"), &all), ["other"]);
        assert!(users(&bind("/var/lib/docker/volumes/postgres-a-data"), &all).is_empty());
        // A bind mount of the device itself.
        let bind = [container("other", ContainerState::Running, &[("/srv", "rw")])];
        assert_eq!(users(&bind, &[volume(VOLUME, "none /srv/pg")]), ["other"]);
    }

    #[test]
    fn who_is_found_on_our_network_by_a_name_of_ours_is_told() {
        use ContainerState as S;
        let on = |name: &str, state, network: &str| {
            let mut c = container(name, state, &[]);
            c.networks = Pairs::from([("other", "p0"), (network, "p1")]);
            c
        };
        let mut ours = on("postgres-a", S::Running, "seawall");
        ours.labels = Pairs::from([
            (label::INSTALLATION, "default"),
            (label::STORE, "s"),
            (label::KIND, "Postgres"),
            (label::NAME, "a"),
        ]);
        // What only says that it is ours is a stranger.
        let copy = ContainerSummary { id: "id-copy".to_owned(), name: "copy".to_owned(), ..ours.clone() };
        let (up, gone, away) = (
            on("up", S::Running, "seawall"),
            on("gone", S::Exited, "seawall"),
            on("away", S::Running, "seawall2"),
        );
        let all = [ours, copy, up, gone, away];
        let installation = Installation::default();
        let found: Vec<_> = strangers(&all, &installation, "s").collect();
        assert_eq!(
            found.iter().map(|(c, at)| (c.name.as_str(), *at)).collect::<Vec<_>>(),
            [("copy", "p1"), ("up", "p1")]
        );
        let names =
            |n: usize, names: &[&str]| (&all[n], names.iter().map(|name| (*name).to_owned()).collect());
        let census = Census::default().with_names([names(1, &["x"]), names(2, &["y", "Postgres-A"])]);
        let called = |name: &str, own: Option<&str>| -> Vec<String> {
            census.called(&[name, "postgres-a.old"], own).into_iter().map(|user| user.name).collect()
        };
        assert_eq!(called("postgres-a", None), ["up"]);
        assert!(called("postgres-a", Some("id-up")).is_empty() && called("postgres-b", None).is_empty());
    }

    #[test]
    fn namesakes_carry_all_of_our_labels_and_another_name() {
        let labelled = |name: &str, store: &str| {
            let mut c = container(name, ContainerState::Exited, &[]);
            c.labels = Pairs::from([
                (label::INSTALLATION, "default"),
                (label::STORE, store),
                (label::KIND, "Postgres"),
                (label::NAME, "a"),
            ]);
            c
        };
        let with_role = |name: &str| {
            let mut c = labelled(name, "s");
            c.labels = c.labels.iter().chain([(label::ROLE, "node-1")]).collect();
            c
        };
        let all = [
            labelled("postgres-a", "s"),
            labelled("copy", "s"),
            labelled("theirs", "t"),
            with_role("postgres-a.node-1"),
            with_role("copy-of-one"),
        ];
        let census = Census::new(&all, Volumes::default(), &Installation::default(), "s");
        let object: ObjectRef = "postgres/a".parse().unwrap();
        let names = |role: Role| -> Vec<String> {
            let member = Member { object: object.clone(), role };
            census.namesakes(&member).iter().map(|n| n.name.clone()).collect()
        };
        assert_eq!(names(Role::default()), ["copy"]);
        assert_eq!(names(Role::parse("node-1").unwrap()), ["copy-of-one"]);
        assert!(names(Role::parse("node-2").unwrap()).is_empty());
        assert!(!census.has_volume(VOLUME));
    }
}
