//! ImageCatalog: (engine, version) → image, and the built-in catalog of public images.
//!
//! Pure. Whether an image is managed is not decided here: it is found out from the image itself.

use crate::core::path;
use crate::core::problem::Problem;
use crate::core::resource::Document;
use crate::core::text::{NAME, quoted, shown};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Names the images of one engine by version. Entries override the built-in catalog.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImageCatalogSpec {
    /// The engine whose versions are named.
    pub engine: EngineName,
    /// Version as used in `spec.version` → image.
    pub images: BTreeMap<String, CatalogImage>,
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
    pub image: String,
}

/// Version → image reference, for one engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Catalog {
    images: BTreeMap<String, String>,
}

impl Catalog {
    /// The public images of the product brief.
    #[must_use]
    pub fn builtin() -> Self {
        let images = [
            ("18", "gotempsh/postgres-walg:18-bookworm"),
            ("18-alpine", "postgres:18-alpine"),
            ("17", "postgres:17-bookworm"),
            ("17-alpine", "postgres:17-alpine"),
            ("16", "postgres:16-bookworm"),
            ("16-alpine", "postgres:16-alpine"),
        ];
        Self { images: images.iter().map(|(v, i)| ((*v).to_owned(), (*i).to_owned())).collect() }
    }

    /// Later entries win over earlier ones and over the built-in ones.
    pub fn extend(&mut self, spec: &ImageCatalogSpec) {
        for (version, entry) in &spec.images {
            self.images.insert(version.clone(), entry.image.clone());
        }
    }

    #[must_use]
    pub fn image(&self, version: &str) -> Option<&str> {
        self.images.get(version).map(String::as_str)
    }

    #[must_use]
    pub fn versions(&self) -> Vec<&str> {
        self.images.keys().map(String::as_str).collect()
    }
}

/// Reads the spec of an ImageCatalog document whose shape is right.
///
/// # Errors
/// With a problem for each entry that cannot be used.
pub fn check(document: &Document) -> Result<ImageCatalogSpec, Vec<Problem>> {
    let spec: ImageCatalogSpec = serde_json::from_value(document.spec.clone())
        .map_err(|e| vec![Problem::new(document.place.clone(), "spec", shown(&e.to_string(), NAME))])?;
    let problems: Vec<Problem> = spec
        .images
        .iter()
        .filter(|(_, entry)| !is_image_reference(&entry.image))
        // More help nobody.
        .take(100)
        .map(|(version, entry)| {
            let path = path::field(&path::field("spec.images", version), "image");
            let place = document.place_of(&path);
            Problem::new(place, path, format!("{} is not an image reference", quoted(&entry.image)))
                .nearest("for example postgres:18-bookworm")
        })
        .collect();
    if problems.is_empty() { Ok(spec) } else { Err(problems) }
}

/// A coarse test for `[registry/]path[:tag][@sha256:…]`; the engine has the last word.
#[must_use]
pub fn is_image_reference(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 255
        && !text.starts_with(['-', ':', '/', '.'])
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.:/@".contains(c))
        && text.split('@').next().is_some_and(|name| {
            let path =
                name.rsplit_once(':').map_or(name, |(p, tag)| if tag.contains('/') { name } else { p });
            let last = path.rsplit('/').next().unwrap_or_default();
            !last.is_empty() && !last.chars().any(|c| c.is_ascii_uppercase())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references() {
        for good in
            ["postgres", "postgres:17-alpine", "a.b:5000/x/y:1", "x@sha256:abcd", "seawall/postgres:18"]
        {
            assert!(is_image_reference(good), "{good}");
        }
        for bad in ["", "Postgres", "a b", ":x", "-x", "x/", "postgres:17 "] {
            assert!(!is_image_reference(bad), "{bad}");
        }
    }
}
