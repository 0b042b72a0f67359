//! `seawall edit`: the document of an object that no manifest holds, in the user's editor.

use super::apply::documents;
use crate::cli::args::EditArgs;
use crate::cli::connect::live;
use crate::cli::format::yaml_text;
use crate::cli::named::Among;
use crate::cli::out::{Failure, clean};
use crate::cli::{Context, Outcome};
use crate::control::api::{Api, ApplyOptions, ManagedBy, ObjectView};
use crate::manifest::load::MAX_FILE;
use serde_json::{Value, json};
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

pub async fn run(cx: &mut Context, args: EditArgs) -> Outcome {
    let api = live(cx, "edit").await?;
    let object = args.object.find(&api, Among::All).await?;
    let view = api.object(&object).await?;
    if view.metadata.managed_by != Some(ManagedBy::Api) {
        return Err(elsewhere(&api, &view, &object.to_string()).await);
    }
    let before = yaml_text(&document(&view));
    let path = write(&before)?;
    let written = edited(cx, &path);
    let text = match written {
        Ok(text) if text != before => text,
        unchanged => {
            // Nothing of the user's is in it.
            let _ = fs::remove_file(&path);
            unchanged?;
            writeln!(cx.out.stdout, "{object} unchanged")?;
            return Ok(0);
        }
    };
    let kept = |mut failure: Failure| {
        if let Failure::Api(error) = &mut failure {
            let keeps = format!("what was written is kept in {}", path.display());
            error.next = if error.next.is_empty() { keeps } else { format!("{}; {keeps}", error.next) };
        }
        failure
    };
    let documents = documents(&path.display().to_string(), &text).map_err(kept)?;
    if documents.len() != 1 || documents[0].0 != object.to_string() {
        let what = format!("the document is not of {object} any more; nothing was changed");
        return Err(kept(Failure::usage(
            what,
            "an object keeps its kind and name: seawall apply makes another one",
        )));
    }
    let options = ApplyOptions {
        resource_version: Some(view.metadata.resource_version.clone()),
        ..ApplyOptions::default()
    };
    let applied = api.apply(&text, &options).await.map_err(|error| kept(error.into()))?;
    let _ = fs::remove_file(&path);
    for warning in &applied.warnings {
        writeln!(cx.out.stderr, "warning: {}", clean(&warning.to_string()))?;
    }
    writeln!(cx.out.stdout, "{object} {}", applied.outcome.as_str())?;
    Ok(0)
}

/// Where it is edited instead.
async fn elsewhere(api: &Arc<dyn Api>, view: &ObjectView, object: &str) -> Failure {
    let mut parts = view.metadata.source.splitn(3, ':');
    let (file, line) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    if file.is_empty() {
        let what = format!("{object} is held by nobody who could change it; nothing was changed");
        return Failure::usage(what, format!("seawall describe {object} says whose it is"));
    }
    let dir = api.operator().await.map(|operator| operator.manifests).unwrap_or_default();
    let path = Path::new(&dir).join(file);
    Failure::usage(
        format!("{object} has a manifest; nothing was changed"),
        format!("edit {}, line {line}: it is read by itself", path.display()),
    )
}

/// What a user may write of it.
fn document(view: &ObjectView) -> Value {
    let meta = &view.metadata;
    let mut metadata = json!({"name": meta.name});
    for (field, pairs) in [("labels", &meta.labels), ("annotations", &meta.annotations)] {
        if !pairs.is_empty() {
            metadata[field] = json!(pairs);
        }
    }
    json!({"apiVersion": view.api_version, "kind": view.kind, "metadata": metadata, "spec": view.spec})
}

/// A file that nobody else reads or put there.
fn write(text: &str) -> Result<PathBuf, Failure> {
    let now = jiff::Timestamp::now().as_nanosecond();
    let path = std::env::temp_dir().join(format!("seawall-edit-{}-{now}.yaml", std::process::id()));
    let wrong = |e: std::io::Error| Failure::usage(format!("{}: {e}", path.display()), "");
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).map_err(wrong)?;
    file.write_all(text.as_bytes()).map_err(wrong)?;
    Ok(path)
}

/// What the editor left there.
fn edited(cx: &Context, path: &Path) -> Result<String, Failure> {
    let set = ["VISUAL", "EDITOR"].iter().filter_map(|name| cx.environment.get(name));
    let editor = set.map(str::trim).find(|editor| !editor.is_empty()).unwrap_or("vi");
    let wrong = |what: String| Failure::usage(what, "VISUAL or EDITOR names one; nothing was changed");
    // A shell, as it may have arguments of its own.
    let status = Command::new("sh").arg("-c").arg(format!("{editor} \"$0\"")).arg(path).status();
    match status {
        Ok(status) if status.success() => {}
        Ok(status) => return Err(wrong(format!("the editor {editor} ended with {status}"))),
        Err(e) => return Err(wrong(format!("the editor {editor}: {e}"))),
    }
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(MAX_FILE + 1).read_to_string(&mut text));
    read.map_err(|e| wrong(format!("{}: {e}", path.display())))?;
    Ok(text)
}
