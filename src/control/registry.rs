//! The kinds that there are. A new kind is one line in [`Kinds::all`]; nothing else above `src/kinds/` names one.

use super::any::{AnyKind, Erased};
use crate::core::names::{API_VERSION, Kind, Name, ObjectRef};
use crate::kinds::app::App;
use crate::kinds::backup::Backup;
use crate::kinds::backup_target::BackupTarget;
use crate::kinds::image_catalog::ImageCatalog;
use crate::kinds::link::Link;
use crate::kinds::notifier::Notifier;
use crate::kinds::postgres::Postgres;
use crate::kinds::project::Project;
use crate::kinds::redis::Redis;
use crate::kinds::restore::Restore;
use crate::kinds::{About, Client, Inspections, Reconciler};
use crate::manifest::schema::{KindSchema, all, for_kind, render};
use crate::workload::Tools;
use crate::workload::catalog::Catalog;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Kinds, by name.
#[derive(Clone, Default)]
pub struct Kinds(BTreeMap<Kind, Arc<dyn AnyKind>>);

impl Kinds {
    /// Every kind; without tools for what asks no engine and no server.
    #[must_use]
    pub fn all(tools: Option<&Arc<Tools>>) -> Self {
        Self::of(tools, tools.map(Postgres::real), tools.map(Redis::real))
    }

    /// The same with these servers.
    #[must_use]
    pub fn of(tools: Option<&Arc<Tools>>, postgres: Option<Postgres>, redis: Option<Redis>) -> Self {
        let mut kinds = Self::default();
        let postgres_gives = postgres.iter().map(|postgres| (Kind::Postgres, postgres.tenancy()));
        let redis_gives = redis.iter().map(|redis| (Kind::Redis, redis.tenancy()));
        let tenancies = postgres_gives.chain(redis_gives).collect();
        let archives: BTreeMap<_, _> =
            postgres.iter().map(|postgres| (Kind::Postgres, postgres.archive())).collect();
        kinds.put(tools.map(App::real));
        kinds.put(tools.map(|_| Backup::new(archives.clone())));
        kinds.put(tools.map(|_| BackupTarget));
        kinds.put(tools.map(|_| ImageCatalog));
        kinds.put(tools.map(|tools| Link::new(tools, tenancies)));
        kinds.put(tools.map(Notifier::real));
        kinds.put(postgres);
        kinds.put(tools.map(Project::new));
        kinds.put(redis);
        kinds.put(tools.map(|_| Restore::new(archives)));
        kinds
    }

    fn put<R: Reconciler>(&mut self, kind: Option<R>) {
        self.0.insert(R::ABOUT.kind, Arc::new(Erased(kind)));
    }

    /// With this one in the place of the one of its name.
    #[must_use]
    pub fn with<R: Reconciler>(mut self, kind: R) -> Self {
        self.put(Some(kind));
        self
    }

    #[must_use]
    pub fn get(&self, kind: Kind) -> Option<&Arc<dyn AnyKind>> {
        self.0.get(&kind)
    }

    pub fn about(&self) -> impl Iterator<Item = About> + '_ {
        self.0.values().map(|kind| kind.about())
    }

    /// What can be asked of the servers of each kind that has something to tell.
    pub fn inspections(&self) -> impl Iterator<Item = (Kind, &'static Inspections)> + '_ {
        self.0.iter().filter_map(|(kind, any)| Some((*kind, any.inspections()?)))
    }

    /// How to get into the servers of this kind.
    #[must_use]
    pub fn client(&self, kind: Kind) -> Option<&'static Client> {
        self.get(kind)?.about().client
    }

    /// Whether something runs for objects of this kind.
    #[must_use]
    pub fn runs(&self, kind: Kind) -> bool {
        self.get(kind).is_some_and(|kind| kind.about().runs)
    }

    /// The kind whose objects have environments.
    #[must_use]
    pub const fn of_environments() -> Kind {
        Kind::Project
    }

    /// The kind whose objects tie a service to an environment.
    #[must_use]
    pub const fn of_links() -> Kind {
        Kind::Link
    }

    /// The kind of one backup of a service.
    #[must_use]
    pub const fn of_backups() -> Kind {
        Kind::Backup
    }

    /// The kind of the places where backups are put.
    #[must_use]
    pub const fn of_backup_targets() -> Kind {
        Kind::BackupTarget
    }

    /// The kind of what puts a backup into a service.
    #[must_use]
    pub const fn of_restores() -> Kind {
        Kind::Restore
    }

    /// The manifest of a backup of a service, put into this target.
    #[must_use]
    pub fn manifest_of_backup(name: &Name, service: &ObjectRef, target: &Name) -> Value {
        let spec = json!({"service": service.to_string(), "target": target.as_str()});
        manifest(Kind::Backup, name, &spec)
    }

    /// The manifest of what puts a backup into a service.
    #[must_use]
    pub fn manifest_of_restore(name: &Name, backup: &Name, to: &ObjectRef) -> Value {
        let spec = json!({"from": {"backup": backup.as_str()}, "to": {"service": to.to_string()}});
        manifest(Kind::Restore, name, &spec)
    }

    /// What such an object ties together, by its spec: the service, the object that has the environment, and that.
    #[must_use]
    pub fn ends_of_link(spec: &Value) -> Option<(ObjectRef, ObjectRef, String)> {
        crate::kinds::link::ends(spec)
    }

    /// The manifest that ties a service to an environment of an object; see [`crate::kinds::link::manifest`].
    ///
    /// # Errors
    /// When no name can be made of theirs, or it would be no legal manifest: why, and what to do.
    pub fn manifest_of_link(
        service: &ObjectRef,
        of: (&Name, &str),
        name: Option<&Name>,
        fields: serde_json::Map<String, serde_json::Value>,
    ) -> Result<serde_json::Value, (String, &'static str)> {
        crate::kinds::link::manifest(service, of, name, fields)
    }

    /// Whether objects of this kind can be given new passwords.
    #[must_use]
    pub fn rotates(&self, kind: Kind) -> bool {
        self.get(kind).is_some_and(|kind| kind.about().rotates)
    }

    /// The kind of the objects that make those of this one, where no manifest does.
    #[must_use]
    pub fn made_by(&self, kind: Kind) -> Option<Kind> {
        self.get(kind).and_then(|kind| kind.about().made_by)
    }

    /// What runs for its objects are containers with data of their own.
    #[must_use]
    pub fn has_containers(&self, kind: Kind) -> bool {
        self.get(kind).is_some_and(|kind| kind.about().containers)
    }

    /// What becomes of an object of this kind without a manifest, in words.
    #[must_use]
    pub fn gone(&self, kind: Kind) -> &'static str {
        self.get(kind).map_or("it is forgotten", |kind| kind.about().gone)
    }

    /// The images that the kinds bring.
    #[must_use]
    pub fn catalogs(&self) -> BTreeMap<Kind, Catalog> {
        let with_images = self.about().filter(|about| !about.images.is_empty());
        with_images.map(|about| (about.kind, Catalog::of(about.images))).collect()
    }

    /// Every kind with its schema: the one list that validation, editors and docs go by.
    #[must_use]
    pub fn schemas(&self) -> Vec<KindSchema> {
        let schema = |k: About| KindSchema { kind: k.kind, description: k.description, spec: (k.spec)() };
        self.about().map(schema).collect()
    }

    /// The schema that a document's `spec` is checked by.
    #[must_use]
    pub fn spec_schemas(&self) -> BTreeMap<Kind, Value> {
        self.schemas().into_iter().map(|k| (k.kind, k.spec.to_value())).collect()
    }
}

fn manifest(kind: Kind, name: &Name, spec: &Value) -> Value {
    json!({"apiVersion": API_VERSION, "kind": kind.as_str(), "metadata": {"name": name.as_str()}, "spec": spec})
}

/// File name → text of everything in `schemas/`.
#[must_use]
pub fn schema_files() -> BTreeMap<String, String> {
    let all_kinds = Kinds::all(None);
    let made = |kind: Kind| all_kinds.get(kind).is_some_and(|kind| kind.about().made_by.is_some());
    // What nobody writes by hand needs no editor's help.
    let kinds: Vec<KindSchema> = all_kinds.schemas().into_iter().filter(|k| !made(k.kind)).collect();
    let mut files: BTreeMap<String, String> =
        kinds.iter().map(|k| (format!("{}.schema.json", k.kind.lower()), render(&for_kind(k)))).collect();
    files.insert("all.schema.json".to_owned(), render(&all(&kinds)));
    files
}
