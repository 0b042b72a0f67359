//! ImageCatalog: (engine, version) → image, and the built-in catalog of public images.
//!
//! Pure. Whether an image is managed is not decided here: it is found out from the image itself.

use crate::core::image_ref::ImageReference;
use crate::core::path;
use crate::core::problem::Problem;
use crate::core::resource::Document;
use crate::core::text::{NAME, quoted, shown};
use crate::manifest::scalar::Text;
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

/// Version → image reference, for one engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Catalog {
    images: BTreeMap<String, ImageReference>,
    max_concurrent: u16,
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
        let parsed = |(v, i): (&str, &str)| Some((v.to_owned(), ImageReference::parse(i).ok()?));
        Self { images: images.into_iter().filter_map(parsed).collect(), max_concurrent: 1 }
    }

    /// Later entries win over earlier ones and over the built-in ones. The spec was checked: an entry that
    /// is no reference is left out.
    pub fn extend(&mut self, spec: &ImageCatalogSpec) {
        self.max_concurrent = spec.max_concurrent.unwrap_or(self.max_concurrent);
        for (version, entry) in &spec.images {
            if let Ok(image) = ImageReference::parse(&entry.image.0) {
                self.images.insert(version.clone(), image);
            }
        }
    }

    #[must_use]
    pub fn image(&self, version: &str) -> Option<&ImageReference> {
        self.images.get(version)
    }

    /// How many running databases go to another image at a time.
    #[must_use]
    pub fn max_concurrent(&self) -> u16 {
        self.max_concurrent
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

/// An image as written in a manifest; the error is what is wrong, and what to write.
///
/// # Errors
/// When it is no reference.
pub fn reference(text: &str, example: &str) -> Result<ImageReference, (String, String)> {
    ImageReference::parse(text).map_err(|error| {
        let nearest = error.nearest.map_or_else(
            || format!("write [HOST[:PORT]/]NAME[:TAG][@sha256:DIGEST], for example {example}"),
            |nearest| format!("did you mean {nearest}?"),
        );
        (format!("{} is not an image reference: {}", quoted(text), error.what), nearest)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_image_is_a_reference() {
        assert_eq!(Catalog::builtin().versions(), ["16", "16-alpine", "17", "17-alpine", "18", "18-alpine"]);
    }

    #[test]
    fn what_is_no_reference_is_said_with_what_to_write() {
        for (text, what, nearest) in [
            ("a:b:c", "\"a:b:c\" is not an image reference: ", "did you mean a:b-c?"),
            ("-x", "\"-x\" is not an image reference: ", "for example postgres:18"),
        ] {
            let (got, hint) = reference(text, "postgres:18").unwrap_err();
            assert!(got.starts_with(what) && hint.contains(nearest), "{got}: {hint}");
        }
        assert!(reference("postgres:18", "x").is_ok());
    }
}
