//! The record of an object: what is in force, and what the engine must remember about it.

use super::memory::Memory;
use crate::core::json::Json;
use crate::core::names::{API_VERSION, ObjectRef};
use crate::core::problem::Place;
use crate::core::resource::{Document, Metadata};
use crate::core::will::{Asked, Gone, Rename};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

/// Prefix of record keys.
pub const PREFIX: &str = "obj/";
/// Prefix of status keys.
pub const STATUS: &str = "status/";

/// One object as the store keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    pub object: ObjectRef,
    pub uid: String,
    /// See [`ids`](super::ids); 0: it has none yet.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub id: u64,
    /// RFC 3339
    pub created_at: String,
    /// Grows by one with every change of `spec`.
    pub generation: u64,
    pub metadata: Metadata,
    /// The last good version.
    pub spec: Json,
    /// Of the document: grows by one with every change of it, and of whether anybody wants it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub version: u64,
    /// Where the manifest is; `None`: no manifest has it.
    pub source: Option<Place>,
    /// The API holds it: it was asked for there, and no manifest has it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_api: bool,
    /// Who made it, if no manifest did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Owner>,
    #[serde(default, serialize_with = "what_is_set")]
    pub asked: Asked,
    #[serde(default)]
    pub memory: Memory,
}

/// The object that made another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    pub object: ObjectRef,
    /// Another object of the same name owns nothing of this one's.
    pub uid: String,
    /// It wants it still.
    pub wanted: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Without the fields that are as in the default: most are, in most records, and every field has one.
fn what_is_set<S: Serializer>(asked: &Asked, serializer: S) -> Result<S::Ok, S::Error> {
    let json = |asked: &Asked| serde_json::to_value(asked).map_err(serde::ser::Error::custom);
    let (mut set, unset) = (json(asked)?, json(&Asked::default())?);
    if let Some(fields) = set.as_object_mut() {
        fields.retain(|name, field| unset.get(name) != Some(field));
    }
    set.serialize(serializer)
}

impl Record {
    #[must_use]
    pub fn new(document: &Document, uid: String, now: String) -> Self {
        Self {
            object: document.object.clone(),
            uid,
            id: 0,
            created_at: now,
            generation: 1,
            metadata: document.metadata.clone(),
            spec: Json::from(&document.spec),
            version: 0,
            source: Some(document.place.clone()),
            by_api: false,
            owner: None,
            asked: Asked::default(),
            memory: Memory::default(),
        }
    }

    /// The record of what another object makes.
    #[must_use]
    pub fn child(document: &Document, owner: &Record, uid: String, now: String) -> Self {
        let mut child = Self::new(document, uid, now);
        child.held_by(owner);
        child
    }

    /// The record of what the API is asked for.
    #[must_use]
    pub fn of_api(document: &Document, uid: String, now: String) -> Self {
        Self { source: None, by_api: true, ..Self::new(document, uid, now) }
    }

    fn held_by(&mut self, owner: &Record) {
        (self.source, self.by_api) = (None, false);
        self.owner = Some(Owner { object: owner.object.clone(), uid: owner.uid.clone(), wanted: true });
    }

    /// Takes over what its owner wants of it now.
    pub fn update_child(&mut self, document: &Document, owner: &Record) {
        self.update(document);
        self.held_by(owner);
    }

    /// Whether somebody wants it: a manifest, the API, or the object that made it.
    #[must_use]
    pub fn is_present(&self) -> bool {
        self.is_held() || self.owner.as_ref().is_some_and(|owner| owner.wanted)
    }

    /// Whether the user wants it, in a manifest or by the API.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.source.is_some() || self.by_api
    }

    /// Which version of its document this is, of this very object: the second part of its `resourceVersion`.
    #[must_use]
    pub fn document_version(&self) -> String {
        format!("{}.{}", self.version, self.uid.get(..8).unwrap_or(&self.uid))
    }

    /// Whether who read it with this `resourceVersion` has seen its document as it is.
    #[must_use]
    pub fn is_still(&self, resource_version: &str) -> bool {
        let document = resource_version.split_once('.').map(|(_, document)| document);
        document == Some(self.document_version().as_str())
    }

    /// Whether a person sees the same of both: what is remembered shows in the status.
    #[must_use]
    pub fn shows_as(&self, other: &Self) -> bool {
        type Shown<'a> = (&'a str, [u64; 3], &'a Metadata, &'a Json, &'a Option<Place>, &'a Option<Owner>);
        fn shown(of: &Record) -> Shown<'_> {
            let numbers = [of.id, of.generation, of.version];
            (&of.uid, numbers, &of.metadata, &of.spec, &of.source, &of.owner)
        }
        shown(self) == shown(other)
    }

    /// Whether this very object made it.
    #[must_use]
    pub fn is_of(&self, owner: &Record) -> bool {
        self.owner.as_ref().is_some_and(|by| by.object == owner.object && by.uid == owner.uid)
    }

    /// Its data are to go, or to be another object's, as the user said.
    #[must_use]
    pub fn is_asked_away(&self) -> bool {
        self.asked.delete || self.asked.renamed_to.is_some()
    }

    /// Nobody wants it any more: `gone` tells how long the data that it gave up are still kept.
    pub fn let_go(&mut self, gone: Gone) {
        (self.source, self.by_api) = (None, false);
        self.version += 1;
        if let Some(owner) = &mut self.owner {
            owner.wanted = false;
        }
        self.asked.stopped = false;
        self.asked.gone = Some(gone);
    }

    /// Takes over a newer version of the manifest. True when anything changed.
    pub fn update(&mut self, document: &Document) -> bool {
        self.take(document, Some(document.place.clone()))
    }

    /// The same of what the API is asked for.
    pub fn update_by_api(&mut self, document: &Document) -> bool {
        self.take(document, None)
    }

    fn take(&mut self, document: &Document, source: Option<Place>) -> bool {
        let before = self.clone();
        if self.spec != document.spec {
            self.generation += 1;
            self.spec = Json::from(&document.spec);
        }
        self.metadata = document.metadata.clone();
        self.by_api = source.is_none();
        self.source = source;
        self.owner = None;
        // A manifest that came back takes back the consent to delete its data.
        self.asked.delete = false;
        self.asked.gone = None;
        // The same for a name that its data were to go to.
        self.asked.renamed_to = None;
        let document =
            |of: &Self| (of.generation, of.metadata.clone(), of.by_api, of.is_present(), of.owner.is_some());
        if document(self) != document(&before) {
            self.version += 1;
        }
        *self != before
    }

    /// Takes over what the object was before, as it looks now.
    pub fn take_rename(&mut self, rename: Option<&Rename>) {
        self.asked.renamed_from = rename.cloned();
    }

    /// `seawall.dev/paused` holds everything back.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.metadata.is_paused()
    }

    #[must_use]
    pub fn key(&self) -> String {
        key(&self.object)
    }

    /// What stands in a manifest of it.
    #[must_use]
    pub fn manifest(&self) -> Value {
        serde_json::json!({
            "apiVersion": API_VERSION,
            "kind": self.object.kind.as_str(),
            "metadata": self.metadata,
            "spec": self.spec.value(),
        })
    }

    /// The record as a document, to be checked like a fresh one.
    #[must_use]
    pub fn document(&self) -> Document {
        Document {
            object: self.object.clone(),
            metadata: self.metadata.clone(),
            spec: self.spec.value(),
            place: self.source.clone().unwrap_or_default(),
            places: Default::default(),
        }
    }

    /// The last good version with the image that its containers were made from until now: for when what
    /// the version names cannot be found out any more (the catalog lost it, say).
    #[must_use]
    pub fn document_with_pinned_image(&self) -> Option<Document> {
        let each = self.memory.each();
        let mut images = each.iter().filter_map(|(_, work)| work.image.as_ref());
        let pinned = images.next()?;
        // Which of several the manifest means is its kind's to know.
        if images.any(|other| other.reference != pinned.reference) {
            return None;
        }
        let mut document = self.document();
        let spec = document.spec.as_object_mut()?;
        spec.remove("version");
        spec.insert("image".to_owned(), pinned.reference.clone().into());
        Some(document)
    }
}

#[must_use]
pub fn key(object: &ObjectRef) -> String {
    format!("{PREFIX}{object}")
}

#[must_use]
pub fn status_key(object: &ObjectRef) -> String {
    format!("{STATUS}{object}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_of_a_record_is_what_it_is_without_it() {
        let mut record: Record = serde_json::from_value(serde_json::json!({
            "object": "postgres/a", "uid": "u", "createdAt": "", "generation": 1,
            "metadata": {"name": "a"}, "spec": {}, "source": null,
        }))
        .unwrap();
        let written = serde_json::to_value(&record).unwrap();
        assert_eq!((&written["asked"], &written["memory"]), (&serde_json::json!({}), &serde_json::json!({})));
        assert!(written.get("owner").is_none(), "{written}");
        record.asked.restart = Some(String::new());
        let written = serde_json::to_value(&record).unwrap();
        assert_eq!(serde_json::from_value::<Record>(written).unwrap(), record);
    }

    #[test]
    fn its_version_grows_with_each_change_of_its_document_alone() {
        let mut record: Record = serde_json::from_value(serde_json::json!({
            "object": "postgres/a", "uid": "0123456789ab", "createdAt": "", "generation": 1,
            "metadata": {"name": "a"}, "spec": {}, "source": null, "byApi": true,
        }))
        .unwrap();
        assert_eq!((record.is_present(), record.document_version().as_str()), (true, "0.01234567"));
        let mut document = record.document();
        assert!(!record.update_by_api(&document));
        record.asked.stopped = true;
        assert!(!record.update_by_api(&document) && record.version == 0);
        document.metadata.labels.insert("a".into(), "b".into());
        assert!(record.update_by_api(&document));
        assert_eq!((record.version, record.generation), (1, 1));
        document.spec = serde_json::json!({"version": "18"});
        assert!(record.update_by_api(&document));
        assert_eq!((record.version, record.generation), (2, 2));
        // A manifest has it: another version of the same generation; then only its place changes.
        assert!(record.update(&document));
        assert_eq!((record.version, record.generation, record.by_api), (3, 2, false));
        document.place.line = 7;
        assert!(record.update(&document) && record.version == 3);
        record.update_by_api(&document);
        record.let_go(Gone::default());
        assert_eq!((record.version, record.is_present(), record.by_api), (5, false, false));
        let written = serde_json::to_value(&record).unwrap();
        assert!(written.get("byApi").is_none() && written["version"] == 5, "{written}");
    }

    #[test]
    fn a_child_is_written_with_its_owner_until_a_manifest_has_it() {
        let record = |name: &str| -> Record {
            serde_json::from_value(serde_json::json!({
                "object": format!("postgres/{name}"), "uid": format!("uid of {name}"), "createdAt": "",
                "generation": 1, "metadata": {"name": name}, "spec": {}, "source": null,
            }))
            .unwrap()
        };
        let owner = record("o");
        let mut child = Record::child(&record("a").document(), &owner, "u".into(), "t".into());
        let mut written = serde_json::to_value(&child).unwrap();
        let by = serde_json::json!({"object": "postgres/o", "uid": "uid of o", "wanted": true});
        assert_eq!((&written["owner"], &written["source"]), (&by, &Value::Null));
        assert!(child.is_present() && child.is_of(&owner) && !child.is_of(&record("x")));
        child.let_go(Gone::default());
        written = serde_json::to_value(&child).unwrap();
        assert_eq!(written["owner"]["wanted"], Value::Bool(false));
        assert!(!child.is_present() && child.is_of(&owner));
        child.update_child(&record("a").document(), &owner);
        assert!(child.is_present() && child.source.is_none() && child.asked == Asked::default());
        child.update(&record("a").document());
        assert!(child.is_present() && child.owner.is_none() && child.source.is_some());
    }
}
