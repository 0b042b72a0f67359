//! ImageCatalog: (engine, version) → image, over the built-in catalog of public images. Pure.

use crate::core::image_ref::ImageReference;
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
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
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
}

/// One image of a catalog.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
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

/// The public images of the product brief.
#[must_use]
pub fn builtin() -> Catalog {
    Catalog::of(&[
        ("18", "gotempsh/postgres-walg:18-bookworm"),
        ("18-alpine", "postgres:18-alpine"),
        ("17", "postgres:17-bookworm"),
        ("17-alpine", "postgres:17-alpine"),
        ("16", "postgres:16-bookworm"),
        ("16-alpine", "postgres:16-alpine"),
    ])
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

#[cfg(test)]
mod tests {
    #[test]
    fn every_built_in_image_is_a_reference() {
        let catalog = super::builtin();
        assert_eq!(catalog.versions(), ["16", "16-alpine", "17", "17-alpine", "18", "18-alpine"]);
    }
}
