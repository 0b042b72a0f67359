//! Kinds: one folder each, of the same file names. Inside a folder `spec, check, facts, desired,
//! plan, action, conditions` are pure; only `client, probe, act, tools` touch adapters
//! (and `fake_server`, which answers in tests and benches what `client` asks).

pub mod catalog;

pub mod postgres;

use crate::core::names::Kind;
use crate::manifest::schema::{KindSchema, all, for_kind, render, spec_schema};
use schemars::Schema;
use serde_json::Value;
use std::collections::BTreeMap;

/// A column of a list of objects beside the name, how it is, and its age.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    pub header: &'static str,
    /// JSON pointers into `status`; the first that leads to something counts.
    pub paths: &'static [&'static str],
    /// Only with `-o wide`, behind the age.
    pub wide: bool,
}

/// What everybody else has to know of a kind.
#[derive(Clone, Copy)]
pub struct About {
    pub kind: Kind,
    /// An engine's folder here, and its name in `tests/goldens/`.
    pub folder: Option<&'static str>,
    /// What a user reads about the kind, without markup.
    pub description: &'static str,
    /// Something runs for its objects: they are looked at, and converge.
    pub runs: bool,
    pub columns: &'static [Column],
    spec: fn() -> Schema,
}

/// The registry: a new kind is one line here; a test says what else it lacks.
pub const KINDS: [About; 2] = [
    About {
        kind: Kind::ImageCatalog,
        folder: None,
        description: "Names the images of one engine by version. Overrides the built-in catalog.",
        runs: false,
        columns: &[],
        spec: spec_schema::<catalog::ImageCatalogSpec>,
    },
    About {
        kind: Kind::Postgres,
        folder: Some("postgres"),
        description: "A managed PostgreSQL server: one container, one data volume, proven by logins.",
        runs: true,
        columns: &postgres::COLUMNS,
        spec: spec_schema::<postgres::spec::PostgresSpec>,
    },
];

/// Whether something runs for objects of this kind.
#[must_use]
pub fn runs(kind: Kind) -> bool {
    KINDS.iter().any(|about| about.kind == kind && about.runs)
}

/// Every kind with its schema: the one list that validation, editors and docs go by.
#[must_use]
pub fn kinds() -> Vec<KindSchema> {
    let schema = |k: &About| KindSchema { kind: k.kind, description: k.description, spec: (k.spec)() };
    KINDS.iter().map(schema).collect()
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
