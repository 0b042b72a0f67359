//! What a kind remembers of an object, as text that only the kind gives a type. What lies in it about the container, or
//! under [`MEMBERS`] about each of several, is known to everybody.

use crate::core::json::Json;
use crate::core::member::Role;
use crate::kinds::{Each, Remembered, only};
use crate::workload;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// The field with what is remembered of each of several containers, by role.
const MEMBERS: &str = "members";

/// As it is in the store, without the fields that are as in the default.
#[derive(Clone, Debug)]
pub struct Memory {
    /// What is not in `work`: each probe reads it, so nothing is read twice.
    own: Json,
    work: workload::Memory,
    members: BTreeMap<Role, workload::Memory>,
    /// Why the fields of `work` could not be read; then they are in `own`.
    unreadable: Option<Box<str>>,
}

impl Default for Memory {
    fn default() -> Self {
        Self::from_fields(Fields::new())
    }
}

type Fields = Map<String, Value>;

fn json(work: &workload::Memory) -> Fields {
    match serde_json::to_value(work) {
        Ok(Value::Object(fields)) => fields,
        _ => Fields::new(),
    }
}

/// A container of which nothing is remembered.
static UNSET: LazyLock<Fields> = LazyLock::new(|| json(&workload::Memory::default()));

/// Leaves what is remembered of a container where it is not as in the default: most fields are, in most records.
fn drop_unset(fields: &mut Fields, unset: &Fields) {
    fields.retain(|name, field| unset.get(name) != Some(field));
}

/// Changes what is in `fields` of a container, and leaves the rest.
fn change_work(fields: &mut Fields, work: &workload::Memory, change: &mut dyn FnMut(&mut workload::Memory)) {
    let mut work = work.clone();
    change(&mut work);
    fields.retain(|name, _| !UNSET.contains_key(name));
    let mut set = json(&work);
    drop_unset(&mut set, &UNSET);
    fields.extend(set);
}

impl PartialEq for Memory {
    fn eq(&self, other: &Self) -> bool {
        self.work == other.work && self.own == other.own
    }
}

impl Memory {
    /// # Errors
    /// When it could not be written as JSON.
    pub fn of<M: Remembered>(memory: &M) -> Result<Self, String> {
        let fields = |memory: &M| match serde_json::to_value(memory) {
            Ok(Value::Object(fields)) => Ok(fields),
            Ok(other) => Err(format!("{other} has no fields")),
            Err(error) => Err(error.to_string()),
        };
        let mut all = fields(memory)?;
        drop_unset(&mut all, &fields(&M::default())?);
        if let Some(members) = all.get_mut(MEMBERS).and_then(Value::as_object_mut) {
            members
                .values_mut()
                .filter_map(Value::as_object_mut)
                .for_each(|fields| drop_unset(fields, &UNSET));
        }
        let members = members(&all);
        match memory.work() {
            Some(work) => {
                Ok(Self { own: Json::from(&all.into()), work: work.clone(), members, unreadable: None })
            }
            None => Ok(Self::from_fields(all)),
        }
    }

    fn from_fields(mut own: Fields) -> Self {
        let members = members(&own);
        let known: Fields = own.iter().filter(|(name, _)| UNSET.contains_key(*name)).map(pair).collect();
        let (work, unreadable) = match workload::Memory::deserialize(Value::Object(known)) {
            Ok(work) => {
                // What is as in the default says nothing; it stays as it was written.
                own.retain(|name, field| UNSET.get(name).is_none_or(|unset| unset == field));
                (work, None)
            }
            // What is in it of a container must not keep anybody from seeing the rest.
            Err(why) => (workload::Memory::default(), Some(why.to_string().into())),
        };
        Self { own: Json::from(&own.into()), work, members, unreadable }
    }

    /// As in the store.
    fn fields(&self) -> Fields {
        let mut work = json(&self.work);
        drop_unset(&mut work, &UNSET);
        let mut all: Fields = self.own.read().unwrap_or_default();
        all.extend(work);
        all
    }

    /// # Errors
    /// When it is not what this kind remembers: a newer version may have written it.
    pub fn read<M: Remembered>(&self) -> Result<M, String> {
        let mut memory: M = self.own.read().map_err(|e| e.to_string())?;
        match (memory.work_mut(), &self.unreadable) {
            (Some(_), Some(why)) => Err(why.to_string()),
            (Some(work), None) => {
                self.work.clone_into(work);
                Ok(memory)
            }
            (None, _) => serde_json::from_value(self.fields().into()).map_err(|e| e.to_string()),
        }
    }

    /// What is remembered of the only container, or of the object as a whole.
    #[must_use]
    pub fn work(&self) -> &workload::Memory {
        &self.work
    }

    /// What is remembered of each container.
    #[must_use]
    pub fn each(&self) -> Each<&workload::Memory> {
        if self.members.is_empty() {
            return only(&self.work);
        }
        self.members.iter().map(|(role, work)| (role.clone(), work)).collect()
    }

    /// The same of one; `None`: nothing is.
    #[must_use]
    pub fn member(&self, role: &Role) -> Option<&workload::Memory> {
        if role.is_only() { Some(&self.work) } else { self.members.get(role) }
    }

    /// Nothing was made for the object yet.
    #[must_use]
    pub fn is_untouched(&self) -> bool {
        self.work.is_untouched() && self.members.values().all(workload::Memory::is_untouched)
    }

    /// The ports that are kept for it.
    #[must_use]
    pub fn ports(&self) -> Each<u16> {
        self.each().into_iter().filter_map(|(role, work)| Some((role, work.port?))).collect()
    }

    /// Changes what is remembered of the only container, or of the object as a whole, and leaves the rest as it is.
    pub fn edit_work(&mut self, mut change: impl FnMut(&mut workload::Memory)) {
        self.edit(|fields, memory| change_work(fields, &memory.work, &mut change));
    }

    /// The same of all containers, and of those to come.
    pub fn edit_each(&mut self, mut change: impl FnMut(&mut workload::Memory)) {
        self.edit_work(&mut change);
        let roles: Vec<Role> = self.members.keys().cloned().collect();
        roles.iter().for_each(|role| self.edit_member(role, &mut change));
    }

    /// The same of one of several.
    pub fn edit_member(&mut self, role: &Role, mut change: impl FnMut(&mut workload::Memory)) {
        self.edit(|fields, memory| {
            let known = memory.members.get(role).cloned().unwrap_or_default();
            let members = fields.entry(MEMBERS).or_insert_with(|| Fields::new().into());
            let Some(members) = members.as_object_mut() else { return };
            let fields = members.entry(role.to_string()).or_insert_with(|| Fields::new().into());
            if let Some(fields) = fields.as_object_mut() {
                change_work(fields, &known, &mut change);
            }
        });
    }

    fn edit(&mut self, change: impl FnOnce(&mut Fields, &Self)) {
        let mut fields = self.fields();
        change(&mut fields, self);
        *self = Self::from_fields(fields);
    }
}

fn pair((name, value): (&String, &Value)) -> (String, Value) {
    (name.clone(), value.clone())
}

/// What is remembered of each of several containers.
fn members(fields: &Fields) -> BTreeMap<Role, workload::Memory> {
    let members = fields.get(MEMBERS).and_then(Value::as_object).into_iter().flatten();
    let work = |fields: &Value| workload::Memory::deserialize(fields).unwrap_or_default();
    members.filter_map(|(role, fields)| Some((Role::parse(role).ok()?, work(fields)))).collect()
}

impl Serialize for Memory {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.fields().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Memory {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Fields::deserialize(deserializer).map(Self::from_fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
    #[serde(default)]
    struct Kind {
        #[serde(skip)]
        work: workload::Memory,
        own: Option<String>,
    }

    impl Remembered for Kind {
        fn work(&self) -> Option<&workload::Memory> {
            Some(&self.work)
        }

        fn work_mut(&mut self) -> Option<&mut workload::Memory> {
            Some(&mut self.work)
        }
    }

    /// One of several.
    #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
    #[serde(default)]
    struct Node {
        #[serde(flatten)]
        work: workload::Memory,
        own: Option<String>,
    }

    #[test]
    fn what_is_left_out_is_what_it_is_without_it() {
        assert_eq!(serde_json::to_value(Memory::of(&Kind::default()).unwrap()).unwrap(), json!({}));
        // An empty text that was learnt is not one that is not known.
        let learnt = Kind { own: Some(String::new()), ..Kind::default() };
        let memory = Memory::of(&learnt).unwrap();
        assert_eq!(serde_json::to_value(&memory).unwrap(), json!({"own": ""}));
        assert_eq!(memory.read::<Kind>().unwrap(), learnt);
    }

    #[test]
    fn what_is_changed_of_the_container_leaves_the_rest() {
        let mut memory: Memory = serde_json::from_value(json!({"own": "a", "port": 1, "new": 2})).unwrap();
        assert_eq!(memory.work().port, Some(1));
        memory.edit_work(|work| {
            work.port = None;
            work.ever_ready = true;
        });
        assert_eq!(serde_json::to_value(&memory).unwrap(), json!({"own": "a", "new": 2, "everReady": true}));
        assert!(memory.work().ever_ready && memory.work().port.is_none());
    }

    #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
    #[serde(default)]
    struct Cluster {
        #[serde(skip)]
        work: workload::Memory,
        members: BTreeMap<Role, Node>,
    }

    impl Remembered for Cluster {
        fn work(&self) -> Option<&workload::Memory> {
            Some(&self.work)
        }

        fn work_mut(&mut self) -> Option<&mut workload::Memory> {
            Some(&mut self.work)
        }
    }

    #[test]
    fn what_is_remembered_of_several_is_known_of_each() {
        let role = |role| Role::parse(role).unwrap();
        let node = Node { own: Some("a".to_owned()), ..Node::default() };
        let cluster = Cluster { members: BTreeMap::from([(role("node-1"), node)]), ..Cluster::default() };
        let mut memory = Memory::of(&cluster).unwrap();
        assert_eq!(serde_json::to_value(&memory).unwrap(), json!({"members": {"node-1": {"own": "a"}}}));
        assert_eq!(memory.read::<Cluster>().unwrap(), cluster);
        assert!(memory.is_untouched());
        memory.edit_member(&role("node-1"), |work| work.port = Some(1));
        memory.edit_member(&role("node-2"), |work| work.port = Some(2));
        memory.edit_each(|work| work.volume_fresh = true);
        let (one, two) =
            (json!({"own": "a", "port": 1, "volumeFresh": true}), json!({"port": 2, "volumeFresh": true}));
        let members = json!({"node-1": one, "node-2": two});
        assert_eq!(serde_json::to_value(&memory).unwrap(), json!({"volumeFresh": true, "members": members}));
        assert_eq!(memory.ports(), [(role("node-1"), 1), (role("node-2"), 2)]);
        assert_eq!(memory.member(&role("node-2")).unwrap().port, Some(2));
        assert!(memory.member(&role("node-3")).is_none() && !memory.is_untouched());
        assert!(memory.work().volume_fresh);
    }

    #[test]
    fn what_cannot_be_read_is_kept_as_it_is() {
        for (stored, port) in [
            (json!({"own": 7, "port": 1}), Some(1)),
            (json!({"own": "a", "port": 1, "everReady": "since Monday"}), None),
        ] {
            let memory: Memory = serde_json::from_value(stored.clone()).unwrap();
            assert!(memory.read::<Kind>().is_err());
            assert_eq!(memory.work().port, port);
            assert_eq!(serde_json::to_value(&memory).unwrap(), stored);
        }
    }

    #[test]
    fn a_kind_without_a_container_may_call_its_fields_as_it_likes() {
        let stored = json!({"image": 1, "port": "a", "own": "b"});
        let memory: Memory = serde_json::from_value(stored.clone()).unwrap();
        assert_eq!(Value::Object(memory.read::<Fields>().unwrap()), stored);
        let fields: Fields = serde_json::from_value(json!({"port": 1, "own": "b"})).unwrap();
        let memory = Memory::of(&fields).unwrap();
        assert_eq!(memory.read::<Fields>().unwrap(), fields);
        assert_eq!(serde_json::to_value(&memory).unwrap(), Value::Object(fields));
    }
}
