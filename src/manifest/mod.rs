//! From the user's text to objects with positions, and back to what is wrong with the text.
//!
//! `yaml` reads one text (`broken` says what is wrong with one that is no YAML), `load` reads a directory and finds the objects, `shape` holds a spec against
//! its JSON Schema, `schema` writes the JSON Schemas for editors. Nothing in here knows what a
//! field of an engine means, and only `load::load_dir` touches the disk.

pub mod letter;
pub mod load;
pub mod scalar;
pub mod schema;
pub mod secret;
pub mod shape;
pub mod suggest;
pub mod yaml;

mod broken;
mod header;
