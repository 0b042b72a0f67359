//! Engines: one folder each, of the same file names. Inside a folder `spec, check, facts, desired,
//! plan, action, conditions` are pure; only `client, probe, act, tools` touch adapters
//! (and `fake_server`, which answers in tests and benches what `client` asks).

pub mod catalog;
pub mod ports;
pub mod postgres;

use crate::core::names::Kind;
use crate::manifest::schema::{KindSchema, all, for_kind, render, spec_schema};
use schemars::Schema;
use serde_json::Value;
use std::collections::BTreeMap;

/// One engine.
pub struct Engine {
    pub kind: Kind,
    /// Its folder here, and its name in `tests/goldens/`.
    pub folder: &'static str,
    /// What a user reads about the kind, without markup.
    pub description: &'static str,
    spec: fn() -> Schema,
}

/// The registry: a new engine is one line here; a test says what else it lacks.
pub const ENGINES: [Engine; 1] = [Engine {
    kind: Kind::Postgres,
    folder: "postgres",
    description: "A managed PostgreSQL server: one container, one data volume, proven by logins.",
    spec: spec_schema::<postgres::spec::PostgresSpec>,
}];

/// Every kind with its schema: the one list that validation, editors and docs go by.
#[must_use]
pub fn kinds() -> Vec<KindSchema> {
    let catalog = KindSchema {
        kind: Kind::ImageCatalog,
        description: "Names the images of one engine by version. Overrides the built-in catalog.",
        spec: spec_schema::<catalog::ImageCatalogSpec>(),
    };
    let engines =
        ENGINES.iter().map(|e| KindSchema { kind: e.kind, description: e.description, spec: (e.spec)() });
    std::iter::once(catalog).chain(engines).collect()
}

/// The schema that a document's `spec` is checked by.
#[must_use]
pub fn spec_schemas() -> BTreeMap<Kind, Value> {
    kinds().into_iter().map(|k| (k.kind, k.spec.to_value())).collect()
}

/// File name → text of everything in `schemas/`.
#[must_use]
pub fn schema_files() -> BTreeMap<String, String> {
    let kinds = kinds();
    let mut files: BTreeMap<String, String> =
        kinds.iter().map(|k| (format!("{}.schema.json", k.kind.lower()), render(&for_kind(k)))).collect();
    files.insert("all.schema.json".to_owned(), render(&all(&kinds)));
    files
}
