//! What a kind remembers of an object, as text that only the kind gives a type. What lies in it about the container, or
//! under [`MEMBERS`] about each of several, is known to everybody.

use crate::core::json::Json;
use crate::core::member::Role;
use crate::kinds::{Each, only};
use crate::workload;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The field with what is remembered of each of several containers, by role.
const MEMBERS: &str = "members";

/// As it is in the store, without the fields that are as in the default.
#[derive(Clone, Debug)]
pub struct Memory {
    text: Json,
    work: workload::Memory,
    members: BTreeMap<Role, workload::Memory>,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            text: Json::from(&Fields::new().into()),
            work: workload::Memory::default(),
            members: BTreeMap::new(),
        }
    }
}

type Fields = Map<String, Value>;

fn json(work: &workload::Memory) -> Fields {
    match serde_json::to_value(work) {
        Ok(Value::Object(fields)) => fields,
        _ => Fields::new(),
    }
}

/// Changes what is in `fields` of a container, and leaves the rest.
fn change_work(fields: &mut Fields, work: &workload::Memory, change: &mut dyn FnMut(&mut workload::Memory)) {
    let mut work = work.clone();
    change(&mut work);
    let unset = json(&workload::Memory::default());
    for (name, value) in json(&work) {
        if unset.get(&name) == Some(&value) {
            fields.remove(&name);
        } else {
            fields.insert(name, value);
        }
    }
}

impl PartialEq for Memory {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Memory {
    /// # Errors
    /// When it could not be written as JSON.
    pub fn of<M: Serialize + Default>(memory: &M) -> Result<Self, String> {
        let value = |memory: &M| serde_json::to_value(memory).map_err(|e| e.to_string());
        let (mut set, unset) = (value(memory)?, value(&M::default())?);
        // Most fields are as in the default, in most records.
        if let Some(fields) = set.as_object_mut() {
            fields.retain(|name, field| unset.get(name) != Some(field));
        }
        if let Some(members) = set.get_mut(MEMBERS).and_then(Value::as_object_mut) {
            let unset = json(&workload::Memory::default());
            for fields in members.values_mut().filter_map(Value::as_object_mut) {
                fields.retain(|name, field| unset.get(name) != Some(field));
            }
        }
        Ok(Self::from_value(&set))
    }

    fn from_value(value: &Value) -> Self {
        // What is in it of a container must not keep anybody from seeing the rest.
        let work = |value: &Value| workload::Memory::deserialize(value).unwrap_or_default();
        let members = value.get(MEMBERS).and_then(Value::as_object).into_iter().flatten();
        let members = members.filter_map(|(role, fields)| Some((Role::parse(role).ok()?, work(fields))));
        Self { text: Json::from(value), work: work(value), members: members.collect() }
    }

    /// # Errors
    /// When it is not what this kind remembers: a newer version may have written it.
    pub fn read<M: DeserializeOwned>(&self) -> Result<M, String> {
        self.text.read().map_err(|e| e.to_string())
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
        let mut fields: Fields = self.text.read().unwrap_or_default();
        change(&mut fields, self);
        *self = Self::from_value(&Value::Object(fields));
    }
}

impl Serialize for Memory {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.text.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Memory {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(|value| Self::from_value(&value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
    #[serde(default)]
    struct Kind {
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

    #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
    #[serde(default)]
    struct Cluster {
        #[serde(flatten)]
        work: workload::Memory,
        members: BTreeMap<Role, Kind>,
    }

    #[test]
    fn what_is_remembered_of_several_is_known_of_each() {
        let role = |role| Role::parse(role).unwrap();
        let node = Kind { own: Some("a".to_owned()), ..Kind::default() };
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
        let memory: Memory = serde_json::from_value(json!({"own": 7, "port": 1})).unwrap();
        assert!(memory.read::<Kind>().is_err());
        assert_eq!(serde_json::to_value(&memory).unwrap(), json!({"own": 7, "port": 1}));
    }
}
