//! Which of an object's containers is meant, and what its things are called beside those of the others. An object with
//! one container has a member without a role, and knows nothing of all this.
//!
//! No object's name has a dot, and neither has a role: `postgres-main.node-1` is nobody else's, where `postgres-main-node-1`
//! would be that of an object `main-node-1`. One dot is not enough for a volume: `postgres-main.node-1-data` may be that
//! for what an image keeps at `/node-1-data`. Two in a row are in no other name ([`super::names::extra_volume`]).

use super::names::{NameError, ObjectRef, check_label, label};
use super::pairs::Pairs;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// Longest role: a label of a DNS name of its own, short enough to be read beside the object's name.
pub const MAX_ROLE: usize = 20;

/// What a member is among the others of its object, `node-1` say; the default is that of an only one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Role(Box<str>);

impl Role {
    /// # Errors
    /// When `s` is not a DNS label of at most [`MAX_ROLE`] characters.
    pub fn parse(s: &str) -> Result<Self, NameError> {
        check_label(s, MAX_ROLE)?;
        Ok(Self(s.into()))
    }

    /// As these labels say; `None`: they say what is no role.
    #[must_use]
    pub fn of_labels(labels: &Pairs) -> Option<Self> {
        labels.get(label::ROLE).map_or_else(|| Some(Self::default()), |role| Self::parse(role).ok())
    }

    /// The only member of its object.
    #[must_use]
    pub fn is_only(&self) -> bool {
        self.0.is_empty()
    }

    /// The value of its label; an only one has none.
    #[must_use]
    pub fn label(&self) -> Option<&str> {
        (!self.is_only()).then_some(&self.0)
    }

    /// The container of this member, of an object whose only one would be called so.
    #[must_use]
    pub fn container(&self, base: &str) -> String {
        if self.is_only() { base.to_owned() } else { format!("{base}.{self}") }
    }

    /// The same for how the names of its volumes begin.
    #[must_use]
    pub fn volumes(&self, base: &str) -> String {
        if self.is_only() { base.to_owned() } else { format!("{base}..{self}") }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl TryFrom<String> for Role {
    type Error = NameError;
    fn try_from(s: String) -> Result<Self, NameError> {
        Self::parse(&s)
    }
}
impl From<Role> for String {
    fn from(role: Role) -> String {
        role.0.into()
    }
}

/// One container of an object, whether it is there or not.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Member {
    pub object: ObjectRef,
    pub role: Role,
}

/// Takes out of `map` what is kept there of all members of an object.
pub fn take_all<V>(map: &mut BTreeMap<Member, V>, object: &ObjectRef) -> Vec<V> {
    let first = Member::from(object.clone());
    let all = map.range(&first..).map(|(member, _)| member).take_while(|member| member.object == *object);
    let all: Vec<Member> = all.cloned().collect();
    all.iter().filter_map(|member| map.remove(member)).collect()
}

impl From<ObjectRef> for Member {
    /// Its only one.
    fn from(object: ObjectRef) -> Self {
        Self { object, role: Role::default() }
    }
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.role.container(&self.object.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::identity::{Home, Identity};
    use crate::core::names::{Installation, extra_volume};
    use std::collections::BTreeSet;

    fn identity(object: &str, role: &str, home: Option<&str>) -> Identity {
        let home =
            home.map(|base| Home { base: base.to_owned(), name: "old".to_owned().try_into().unwrap() });
        let whole = Identity {
            installation: Installation::default(),
            store: "s1".to_owned(),
            object: object.parse().unwrap(),
            role: Role::default(),
            uid: "u1".to_owned(),
            generation: 3,
            home,
        };
        if role.is_empty() { whole } else { whole.member(Role::parse(role).unwrap()) }
    }

    #[test]
    fn a_role_is_a_label() {
        for good in ["monitor", "node-1", "1", &"x".repeat(20)] {
            assert!(Role::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "a.b", "-a", "a-", "A", "a_b", &"x".repeat(21)] {
            assert!(Role::parse(bad).is_err(), "{bad}");
            assert!(serde_json::from_value::<Role>(bad.into()).is_err(), "{bad}");
        }
        for (labels, role) in [
            (vec![], Some("")),
            (vec![(label::ROLE, "a")], Some("a")),
            (vec![(label::ROLE, "")], None),
            (vec![(label::ROLE, "a.b")], None),
        ] {
            let got = Role::of_labels(&labels.iter().copied().collect());
            assert_eq!(got.map(|role| role.to_string()).as_deref(), role, "{labels:?}");
        }
    }

    #[test]
    fn an_only_one_is_called_as_its_object_and_the_others_beside_it() {
        let only = identity("postgres/main", "", None);
        assert_eq!((only.container(), only.volume()), ("postgres-main".into(), "postgres-main-data".into()));
        assert!(!only.labels().contains_key(label::ROLE));
        assert_eq!(only.member_ref().to_string(), "postgres/main");
        let node = identity("postgres/main", "node-1", None);
        assert_eq!(node.container(), "postgres-main.node-1");
        assert_eq!(node.volume(), "postgres-main..node-1-data");
        assert_eq!(node.extra_volume("/var/lib/x"), "postgres-main..node-1.var.lib.x");
        assert_eq!(node.labels()[label::ROLE], "node-1");
        assert_eq!(node.volume_labels()[label::ROLE], "node-1");
        assert_eq!(node.member_ref().to_string(), "postgres/main.node-1");
        let moved = identity("postgres/new", "node-1", Some("postgres-old"));
        assert_eq!(moved.container(), "postgres-new.node-1");
        assert_eq!(moved.volume(), "postgres-old..node-1-data");
        // Each label of the longest name fits into DNS.
        let longest = identity(&format!("postgres/{}", "n".repeat(40)), &"r".repeat(20), None);
        let installation = Installation::parse(&"i".repeat(12)).unwrap();
        let longest = Identity { installation, ..longest }.container();
        assert!(longest.len() <= 253 && longest.split('.').all(|label| label.len() <= 63), "{longest}");
    }

    /// Whatever an image declares, and wherever a renamed object's volumes are.
    #[test]
    fn no_volume_of_one_member_is_called_as_one_of_another() {
        let (mut seen, mut of_only) = (BTreeSet::new(), BTreeSet::new());
        let paths = ["/a", "/a-data", "/a/b", "/b", "/data", "/0123abcd-data", "/a.b", &"/x".repeat(150)];
        for home in ["postgres-m", "postgres-m.0123abcd", "postgres-m-a"] {
            for role in ["", "a", "b", "a-data", "0123abcd"] {
                let id = identity("postgres/m", role, Some(home));
                for name in paths.map(|path| id.extra_volume(path)).into_iter().chain([id.volume()]) {
                    match role {
                        "" => drop(of_only.insert(name)),
                        _ => assert!(seen.insert(name.clone()), "{role:?} {home}: {name}"),
                    }
                }
            }
        }
        assert_eq!(seen.intersection(&of_only).next(), None);
        assert!(!extra_volume("postgres-m", "//a//b/").contains(".."));
    }
}
