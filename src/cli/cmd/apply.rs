//! `seawall apply`: objects that no manifest holds, each as its document.

use crate::cli::args::ApplyArgs;
use crate::cli::connect::live;
use crate::cli::out::{Failure, clean};
use crate::cli::{Context, Outcome};
use crate::control::api::{Api, ApiError, Applied, ApplyOptions, PlanList};
use crate::control::registry::Kinds;
use crate::core::resource::Document;
use crate::manifest::load::{FileText, Loaded, MAX_FILE, load_texts};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::sync::Arc;

/// What the operator calls a document that was sent.
const REQUEST: &str = "request:";

pub async fn run(cx: &mut Context, args: ApplyArgs) -> Outcome {
    let (name, text) = read(cx, &args.file)?;
    let documents = documents(&name, &text)?;
    let api = live(cx, "apply").await?;
    let options = ApplyOptions { dry_run: args.dry_run, ..ApplyOptions::default() };
    let (mut failed, mut plans) = (false, PlanList::default());
    for (object, document) in documents {
        match apply(&api, &document, &options).await {
            Ok(applied) => {
                for warning in &applied.warnings {
                    let warning = warning.to_string();
                    let warning = warning.strip_prefix(REQUEST).map(|rest| format!("{name}:{rest}"));
                    writeln!(cx.out.stderr, "warning: {}", clean(&warning.unwrap_or_default()))?;
                }
                let dry = if args.dry_run { " (dry run)" } else { "" };
                writeln!(cx.out.stdout, "{object} {}{dry}", applied.outcome.as_str())?;
                plans.plans.extend(applied.plan);
            }
            // The others are no worse for it.
            Err(mut error) => {
                failed = true;
                let lines = error.what.lines().map(|line| match line.strip_prefix(REQUEST) {
                    Some(rest) => format!("{name}:{rest}"),
                    None => line.to_owned(),
                });
                error.what = lines.collect::<Vec<_>>().join("\n");
                cx.out.failure(&Failure::Api(error));
            }
        }
    }
    if args.dry_run {
        super::plan::text(cx, &plans)?;
    }
    Ok(u8::from(failed))
}

async fn apply(api: &Arc<dyn Api>, document: &str, options: &ApplyOptions) -> Result<Applied, ApiError> {
    api.apply(document, options).await
}

fn read(cx: &Context, file: &str) -> Result<(String, String), Failure> {
    let mut bytes = Vec::new();
    let name = if file == "-" { "stdin".to_owned() } else { file.to_owned() };
    let wrong = |e: std::io::Error| Failure::usage(format!("{name}: {e}"), "");
    if file == "-" {
        std::io::stdin().take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(wrong)?;
    } else {
        let opened = std::fs::File::open(cx.settings.cwd.join(file)).map_err(wrong)?;
        opened.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(wrong)?;
    }
    if bytes.len() as u64 > MAX_FILE {
        return Err(Failure::usage(format!("{name} is larger than {} MiB", MAX_FILE >> 20), ""));
    }
    let text = String::from_utf8(bytes).map_err(|_| Failure::usage(format!("{name}: not UTF-8 text"), ""))?;
    Ok((name, text))
}

/// Each document by its object, in the order in which they need each other: what names images first, then by kind. All
/// of them, or what is wrong with the text.
pub(super) fn documents(name: &str, text: &str) -> Result<Vec<(String, String)>, Failure> {
    let files = BTreeMap::from([(name.to_owned(), FileText::Bytes(text.as_bytes().to_vec()))]);
    let Loaded { documents, problems, .. } = load_texts(files);
    if !problems.is_empty() {
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        return Err(Failure::usage(problems.join("\n"), ""));
    }
    if documents.is_empty() {
        return Err(Failure::usage(format!("{name} has no documents"), ""));
    }
    let kinds = Kinds::all(None);
    let starts: Vec<usize> = documents.iter().map(|document| document.place.line).collect();
    let end = |n: usize| starts.get(n + 1).copied().unwrap_or(usize::MAX);
    let mut each: Vec<(&Document, String)> = documents
        .iter()
        .enumerate()
        .map(|(n, document)| (document, lines(text, starts[n], end(n))))
        .collect();
    each.sort_by_key(|(document, _)| (kinds.runs(document.object.kind), document.object.clone()));
    Ok(each.into_iter().map(|(document, text)| (document.object.to_string(), text)).collect())
}

/// The lines from `start` up to `end`, at the lines where they stand: problems point there.
fn lines(text: &str, start: usize, end: usize) -> String {
    let mut part = "\n".repeat(start.saturating_sub(1));
    let lines = text.split_inclusive('\n').skip(start.saturating_sub(1));
    lines.take(end.saturating_sub(start)).for_each(|line| part.push_str(line));
    part
}

#[cfg(test)]
mod tests {
    use super::*;

    const CATALOG: &str =
        "apiVersion: seawall.dev/v1\nkind: ImageCatalog\nmetadata: {name: local}\nspec: {engine: postgres}\n";

    #[test]
    fn each_document_is_sent_with_its_lines_what_names_images_first() {
        let main = CATALOG.replace("ImageCatalog", "Postgres");
        let text = format!(
            "# one\n---\n{main}---\n{CATALOG}...\n--- {{apiVersion: seawall.dev/v1, kind: Redis, metadata: {{name: b}}}}\n"
        );
        let sent = documents("f.yaml", &text).unwrap();
        let names: Vec<&str> = sent.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["imagecatalog/local", "postgres/local", "redis/b"]);
        for (name, text) in sent {
            let files = BTreeMap::from([("f".to_owned(), FileText::Bytes(text.into_bytes()))]);
            let read = load_texts(files);
            assert_eq!((read.documents.len(), read.problems.len()), (1, 0), "{name}");
            let line = match name.as_str() {
                "postgres/local" => 3,
                "imagecatalog/local" => 8,
                _ => 13,
            };
            assert_eq!((read.documents[0].object.to_string(), read.documents[0].place.line), (name, line));
        }
        assert!(documents("f.yaml", "# nothing\n").is_err());
        let problems = documents("f.yaml", &text.replace("kind: Redis", "kind: Rediss")).unwrap_err();
        assert!(problems.to_string().starts_with("f.yaml:13:"), "{problems}");
    }
}
