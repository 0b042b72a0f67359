//! `seawall export`: the store, or the objects that no manifest holds as the manifests that take them over.

use crate::cli::args::ExportArgs;
use crate::cli::connect::connect;
use crate::cli::format::{object_name, yaml_text};
use crate::cli::out::Failure;
use crate::cli::{Context, Outcome};
use crate::control::api::{Api, ManagedBy, ObjectView};
use serde_json::{Map, Value, json};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

pub async fn run(cx: &mut Context, args: ExportArgs) -> Outcome {
    let api = connect(cx).await?.api;
    if let Some(dir) = args.manifests {
        return manifests(cx, &api, &dir).await;
    }
    for line in api.export().await? {
        writeln!(cx.out.stdout, "{line}")?;
    }
    Ok(0)
}

async fn manifests(cx: &mut Context, api: &Arc<dyn Api>, dir: &Path) -> Outcome {
    let path = cx.settings.cwd.join(dir);
    std::fs::create_dir_all(&path).map_err(|e| Failure::usage(format!("{}: {e}", path.display()), ""))?;
    let all = api.objects().await?.items;
    let held: Vec<_> = all.iter().filter(|view| view.metadata.managed_by == Some(ManagedBy::Api)).collect();
    if held.is_empty() {
        writeln!(cx.out.stdout, "there is nothing to write: manifests hold every object")?;
    }
    let mut failed = false;
    for view in held {
        let object = object_name(view);
        let file = format!("{}.yaml", object.replace('/', "-"));
        let shown = dir.join(&file).display().to_string();
        match put(&path.join(&file), &yaml_text(&manifest(view))) {
            Ok(()) => writeln!(cx.out.stdout, "{shown}: {object}")?,
            // The others are no worse for it.
            Err(error) => {
                failed = true;
                let what = format!("{object} was not written: {shown}: {error}");
                let next = if error.kind() == io::ErrorKind::AlreadyExists {
                    "no file is overwritten: remove it, or give another directory"
                } else {
                    ""
                };
                cx.out.failure(&Failure::usage(what, next));
            }
        }
    }
    Ok(u8::from(failed))
}

/// As it was asked for: what is sealed in it stays so, and what names a secret names it.
fn manifest(view: &ObjectView) -> Value {
    let mut metadata = Map::from_iter([("name".to_owned(), json!(view.metadata.name))]);
    for (field, pairs) in [("labels", &view.metadata.labels), ("annotations", &view.metadata.annotations)] {
        if !pairs.is_empty() {
            metadata.insert(field.to_owned(), json!(pairs));
        }
    }
    json!({"apiVersion": view.api_version, "kind": view.kind, "metadata": metadata, "spec": view.spec})
}

/// Whole, or not at all.
fn put(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o644).open(path)?;
    let write = |file: &mut File| file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    write(&mut file).inspect_err(|_| drop(std::fs::remove_file(path)))
}
