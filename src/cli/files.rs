//! Reads a directory of manifests to send their texts: `*.yaml` and `*.yml`, nested, hidden entries
//! left out.

use super::out::Failure;
use crate::http::wire::MAX_REQUEST;
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::Path;

/// Deeper nesting is a loop of links.
const MAX_DEPTH: usize = 32;

/// Path relative to `dir` → text.
pub fn read(dir: &Path) -> Result<BTreeMap<String, String>, Failure> {
    let mut texts = BTreeMap::new();
    let mut room = MAX_REQUEST;
    walk(dir, "", 0, &mut texts, &mut room)?;
    Ok(texts)
}

fn walk(
    dir: &Path,
    prefix: &str,
    depth: usize,
    texts: &mut BTreeMap<String, String>,
    room: &mut usize,
) -> Result<(), Failure> {
    let wrong = |path: &Path, e: io::Error| Failure::usage(format!("{}: {e}", path.display()), "");
    if depth > MAX_DEPTH {
        return Err(Failure::usage(format!("{}: more than {MAX_DEPTH} folders deep", dir.display()), ""));
    }
    for entry in fs::read_dir(dir).map_err(|e| wrong(dir, e))? {
        let entry = entry.map_err(|e| wrong(dir, e))?;
        let path = entry.path();
        let Ok(name) = entry.file_name().into_string() else { continue };
        if name.starts_with('.') {
            continue;
        }
        let shown = format!("{prefix}{name}");
        if path.is_dir() {
            walk(&path, &format!("{shown}/"), depth + 1, texts, room)?;
        } else if path.is_file() && (name.ends_with(".yaml") || name.ends_with(".yml")) {
            let mut text = String::new();
            let limit = u64::try_from(*room).unwrap_or(u64::MAX).saturating_add(1);
            fs::File::open(&path)
                .and_then(|f| f.take(limit).read_to_string(&mut text))
                .map_err(|e| wrong(&path, e))?;
            // JSON makes texts longer; the server tells when it is too much after all.
            *room = room.checked_sub(text.len()).ok_or_else(|| {
                Failure::usage(format!("{} holds more than {} MiB", dir.display(), MAX_REQUEST >> 20), "")
            })?;
            texts.insert(shown, text);
        }
    }
    Ok(())
}
