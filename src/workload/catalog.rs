//! Version → image, for each engine: what the kinds bring, and what catalogs in manifests say over it. Pure.
//!
//! Whether an image is managed is not decided here: it is found out from the image itself.

use crate::core::image_ref::ImageReference;
use crate::core::text::quoted;
use std::collections::BTreeMap;

/// Version → image reference, for one engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Catalog {
    images: BTreeMap<String, ImageReference>,
    max_concurrent: u16,
}

impl Catalog {
    /// Of these versions and references; what is no reference is left out.
    #[must_use]
    pub fn of(images: &[(&str, &str)]) -> Self {
        let parsed = |(v, i): &(&str, &str)| Some(((*v).to_owned(), ImageReference::parse(i).ok()?));
        Self { images: images.iter().filter_map(parsed).collect(), max_concurrent: 1 }
    }

    /// Later entries win over earlier ones and over the built-in ones.
    pub fn put(&mut self, version: String, image: ImageReference) {
        self.images.insert(version, image);
    }

    pub fn set_max_concurrent(&mut self, most: u16) {
        self.max_concurrent = most;
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
