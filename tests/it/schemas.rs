//! `schemas/` is what the program would write.

use seawall::http::openapi::OPENAPI;
use seawall::manifest::schema::render;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

#[test]
fn the_files_in_schemas_are_current() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas");
    let mut wanted = seawall::control::registry::schema_files();
    wanted.insert(OPENAPI.to_owned(), render(&seawall::http::openapi()));
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(&dir).unwrap() {
        let entry = entry.unwrap();
        found.insert(entry.file_name().into_string().unwrap(), fs::read_to_string(entry.path()).unwrap());
    }
    assert!(found == wanted, "schemas/ is stale: cargo run -- schema --write schemas");
}
