//! `spec` of an ImageCatalog as people write it: (engine, version) → image, over what the kinds bring. Pure.

use crate::core::image_ref::ImageReference;
use crate::core::names::Kind;
use crate::core::path;
use crate::core::problem::Problem;
use crate::core::resource::Document;
use crate::core::text::{NAME, shown};
use crate::manifest::scalar::Text;
use crate::workload::catalog::{Catalog, reference};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// Names the images of one engine by version. Entries override the built-in catalog.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImageCatalogSpec {
    /// The engine whose versions are named.
    pub engine: EngineName,
    /// Version as used in `spec.version` → image.
    pub images: BTreeMap<String, CatalogImage>,
    /// How many running databases go to another image at a time; the next one goes when one is Ready again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000), example = &1)]
    pub max_concurrent: Option<u16>,
}

/// An engine that catalogs can name images for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EngineName {
    Postgres,
    Redis,
}

impl EngineName {
    /// The kind whose images these are.
    #[must_use]
    pub fn kind(self) -> Kind {
        match self {
            EngineName::Postgres => Kind::Postgres,
            EngineName::Redis => Kind::Redis,
        }
    }
}

/// One image of a catalog.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CatalogImage {
    /// Image reference.
    #[schemars(example = &"postgres:18-bookworm")]
    pub image: Text,
}

impl ImageCatalogSpec {
    /// Puts its entries over those of `catalog`. The spec was checked: an entry that is no reference is left out.
    pub fn extend(&self, catalog: &mut Catalog) {
        if let Some(most) = self.max_concurrent {
            catalog.set_max_concurrent(most);
        }
        for (version, entry) in &self.images {
            if let Ok(image) = ImageReference::parse(&entry.image.0) {
                catalog.put(version.clone(), image);
            }
        }
    }
}

/// Reads the spec of an ImageCatalog document whose shape is right.
///
/// # Errors
/// With a problem for each entry that cannot be used.
pub fn check(document: &Document) -> Result<ImageCatalogSpec, Vec<Problem>> {
    // Before the spec is read as a whole, which fails already where a field is missing.
    let images = document.spec.get("images").and_then(Value::as_object).into_iter().flatten();
    let problem = |(version, entry): (&String, &Value)| {
        let path = path::field(&path::field("spec.images", version), "image");
        let Text(image) = Text::of(entry.get("image")?)?;
        let (what, nearest) = reference(&image, "postgres:18-bookworm").err()?;
        Some(Problem::new(document.place_of(&path), path, what).nearest(nearest))
    };
    // More help nobody.
    let problems: Vec<Problem> = images.filter_map(problem).take(100).collect();
    if !problems.is_empty() {
        return Err(problems);
    }
    serde_json::from_value(document.spec.clone())
        .map_err(|e| vec![Problem::new(document.place.clone(), "spec", shown(&e.to_string(), NAME))])
}
