//! What a PostgreSQL's container and data tell of it when its record is lost. Pure. Must never guess in the data's disfavour.

use super::record::Memory;
use crate::core::seen::SeenContainer;
use crate::kinds::Found;
use crate::workload;
use serde_json::{Map, Value, json};

fn env(own: Option<&SeenContainer>, key: &str) -> Option<String> {
    own.and_then(|c| c.env.get(key)).filter(|v| !v.is_empty()).map(str::to_owned)
}

pub(super) fn memory(work: workload::Memory, own: Option<&SeenContainer>, found: Option<&Found>) -> Memory {
    let of_data = |key: &str| env(own, key).filter(|_| work.ever_ready);
    let init_database = of_data("POSTGRES_DB");
    Memory {
        data_major: found.and_then(|found| found.major),
        system_identifier: found.and_then(|found| found.identifier.clone()),
        init_username: of_data("POSTGRES_USER"),
        // Made by initdb, so it was there: never made again, empty, behind the user's back.
        seen_databases: init_database.clone().into_iter().collect(),
        init_database,
        work,
        ..Memory::default()
    }
}

pub(super) fn spec(own: Option<&SeenContainer>, found: Option<&Found>) -> Map<String, Value> {
    let mut spec = Map::new();
    let major = found.and_then(|found| found.major);
    spec.insert("version".to_owned(), json!(major.map_or("18".to_owned(), |major| major.to_string())));
    for (key, variable) in [("username", "POSTGRES_USER"), ("database", "POSTGRES_DB")] {
        if let Some(text) = env(own, variable) {
            spec.insert(key.to_owned(), json!(text));
        }
    }
    spec
}
