//! ImageCatalog: names the images of an engine by version. Nothing runs for it: it is in force, or it is not.

pub mod spec;

use super::{About, Act, Context, Reconciler, Scene, Subject, Undone};
use crate::core::condition::{ConditionType, Finding, Truth};
use crate::core::event::Note;
use crate::core::failure::Outlook;
use crate::core::names::Kind;
use crate::core::plan::Plan;
use crate::core::problem::Problem;
use crate::core::resource::Document;
use crate::core::seen::EngineInfo;
use crate::manifest::schema::spec_schema;
use crate::workload::catalog::Catalog;
use crate::workload::observe::{Intent, ObserveError};
use serde_json::{Map, Value};
use spec::ImageCatalogSpec;
use std::collections::BTreeMap;
use std::fmt;

pub struct ImageCatalog;

/// There is nothing to do for a catalog.
#[derive(Clone, PartialEq)]
pub enum Action {}

impl fmt::Display for Action {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

impl Act for Action {
    fn reason(&self) -> &'static str {
        match *self {}
    }
}

impl Reconciler for ImageCatalog {
    type Checked = ImageCatalogSpec;
    type Memory = Map<String, Value>;
    type World = ();
    type Action = Action;
    type Status = Map<String, Value>;
    const ABOUT: About = About {
        kind: Kind::ImageCatalog,
        folder: "image_catalog",
        description: "Names the images of one engine by version. Overrides the built-in catalog.",
        runs: false,
        containers: false,
        rotates: false,
        made_by: None,
        gone: "the catalog is forgotten",
        columns: &[],
        panels: &[],
        metrics: &[],
        history: &[],
        least_memory: 0,
        warnings: None,
        client: None,
        backups: None,
        service: None,
        images: &[],
        spec: spec_schema::<ImageCatalogSpec>,
    };

    fn check(document: &Document, _: &Context<'_>) -> Result<ImageCatalogSpec, Vec<Problem>> {
        spec::check(document)
    }

    fn name_images(spec: &ImageCatalogSpec, catalogs: &mut BTreeMap<Kind, Catalog>) {
        if let Some(catalog) = catalogs.get_mut(&spec.engine.kind()) {
            spec.extend(catalog);
        }
    }

    fn plan(_: &Subject<'_, Self>, (): &()) -> Plan<Action> {
        Plan::default()
    }

    fn findings(_: &Subject<'_, Self>, (): &(), _: &Plan<Action>, outlook: &Outlook) -> Vec<Finding> {
        let loaded = Finding::new(ConditionType::Ready, Truth::True, "Loaded", "its versions can be used");
        let broken = outlook.manifest_broken.as_ref();
        let broken =
            broken.map(|why| Finding::new(ConditionType::Degraded, Truth::True, "ManifestBroken", why));
        std::iter::once(loaded).chain(broken).collect()
    }

    fn status(_: &Subject<'_, Self>, (): &(), _: Option<Map<String, Value>>) -> Map<String, Value> {
        Map::new()
    }

    async fn observe(&self, _: &Subject<'_, Self>, _: &EngineInfo, _: Intent) -> Result<(), ObserveError> {
        Ok(())
    }

    async fn act(
        &self,
        _: &Scene<'_, Self>,
        action: &Action,
        _: &mut Map<String, Value>,
    ) -> Result<Vec<Note>, Undone> {
        match *action {}
    }
}
