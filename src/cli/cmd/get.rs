//! `seawall get`

use crate::cli::args::GetArgs;
use crate::cli::connect::{again, live, look};
use crate::cli::format::{Custom, Output, document, json_text, object_name, yaml_text};
use crate::cli::out::{Failure, clean};
use crate::cli::print::{Grid, header, row};
use crate::cli::what::What;
use crate::cli::{Context, Outcome};
use crate::control::api::{Api, ApiError, ErrorCode, KindView, ObjectList, ObjectView};
use crate::core::names::UnknownKind;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;

/// Exit code while removals are held back.
const GUARDED: u8 = 3;
/// Problems shown; `validate` shows all.
const PROBLEMS: usize = 5;
const WATCH_MS: u64 = 30_000;

pub async fn run(cx: &mut Context, args: GetArgs) -> Outcome {
    let what = What::parse(&args.what, args.selector).map_err(|e| Failure::usage(e, ""))?;
    let mut api = if args.watch { live(cx, "watching").await? } else { look(cx).await? };
    let list = api.objects().await?;
    let mut items = what.select(&list);
    let missing = what.missing(&items);
    let mut printer = Printer {
        output: args.output,
        single: what.is_single(&items),
        kinds: list.kinds.clone(),
        headers: !args.no_headers,
        labels: args.show_labels,
        grids: BTreeMap::new(),
    };
    if !items.is_empty() || missing.is_empty() {
        printer.print(cx, &items, true)?;
    }
    if !missing.is_empty() {
        warnings(cx, &list)?;
        let words = format!("{} not found", missing.join(", "));
        let lists = "`seawall get` lists what there is";
        // It may have been meant as a kind.
        let next = match missing.iter().find(|name| !name.contains('/')) {
            Some(word) => format!("{}; {lists}", UnknownKind(word.clone())),
            None => lists.to_owned(),
        };
        return Err(ApiError::new(ErrorCode::NotFound, words, next).into());
    }
    if items.is_empty() && !args.watch {
        writeln!(cx.out.stderr, "No objects found.")?;
    }
    warnings(cx, &list)?;
    if !args.watch {
        return Ok(if list.guard.is_some() { GUARDED } else { 0 });
    }
    let mut revision = list.revision;
    loop {
        let list = match next(&api, revision).await {
            Ok(list) => list,
            Err(error) => {
                // What it counts up from is above what was told before.
                api = again(cx, error).await?;
                revision = 0;
                continue;
            }
        };
        revision = list.revision;
        let now = what.select(&list);
        let changed: Vec<ObjectView> = now.iter().filter(|v| !items.contains(v)).cloned().collect();
        printer.print(cx, &changed, false)?;
        for gone in items.iter().filter(|old| !now.iter().any(|v| v.metadata.uid == old.metadata.uid)) {
            writeln!(cx.out.stderr, "{} is gone", object_name(gone))?;
        }
        cx.out.stdout.flush()?;
        items = now;
    }
}

async fn next(api: &Arc<dyn Api>, after: u64) -> Result<ObjectList, ApiError> {
    api.watch(after, WATCH_MS).await?;
    api.objects().await
}

struct Printer {
    output: Option<Output>,
    single: bool,
    kinds: Vec<KindView>,
    headers: bool,
    /// A column of them.
    labels: bool,
    /// Per kind, once its header is printed.
    grids: BTreeMap<String, Grid>,
}

impl Printer {
    /// `whole`: everything there is; otherwise only what changed.
    fn print(&mut self, cx: &mut Context, items: &[ObjectView], whole: bool) -> io::Result<()> {
        let single = self.single || !whole;
        let text = match &self.output {
            None | Some(Output::Wide) => return self.tables(cx, items),
            Some(Output::Columns(columns)) => {
                let columns = columns.clone();
                return self.columns(cx, items, &columns);
            }
            Some(Output::Name) => items.iter().fold(String::new(), |t, v| t + &object_name(v) + "\n"),
            Some(form) => {
                let documents = if whole {
                    vec![document(items, single)]
                } else {
                    items.iter().map(|v| document(std::slice::from_ref(v), true)).collect()
                };
                let text = |value| match form {
                    Output::Path(template) => template.render(value) + if whole { "" } else { "\n" },
                    Output::Yaml if whole => yaml_text(value),
                    Output::Yaml => format!("---\n{}", yaml_text(value)),
                    _ => json_text(value),
                };
                documents.iter().map(text).collect()
            }
        };
        write!(cx.out.stdout, "{text}")
    }

    fn columns(&mut self, cx: &mut Context, items: &[ObjectView], columns: &[Custom]) -> io::Result<()> {
        let cells = |view: &ObjectView| {
            let value = document(std::slice::from_ref(view), true);
            columns.iter().map(|(_, template)| template.render(&value)).collect()
        };
        let rows: Vec<Vec<String>> = items.iter().map(cells).collect();
        let text = match self.grids.get_mut("") {
            Some(grid) => grid.more(&rows),
            None => {
                let header: Vec<&String> = columns.iter().map(|(header, _)| header).collect();
                let grid = self.grids.entry(String::new()).or_insert(Grid::new(&header, cx.out.colour));
                if self.headers { grid.full(&rows) } else { grid.more(&rows) }
            }
        };
        write!(cx.out.stdout, "{text}")
    }

    fn tables(&mut self, cx: &mut Context, items: &[ObjectView]) -> io::Result<()> {
        let wide = self.output.is_some();
        let now = Timestamp::now();
        let kinds = by_kind(items, &self.kinds);
        let several = kinds.len() > 1 || self.grids.len() > 1;
        for (kind, views) in kinds {
            let mut rows: Vec<_> = views.iter().map(|v| row(v, &kind, wide, several, now)).collect();
            let mut header = header(&kind, wide);
            if self.labels {
                header.push("LABELS".to_owned());
                for (row, view) in rows.iter_mut().zip(&views) {
                    let labels = view.metadata.labels.iter().map(|(name, value)| format!("{name}={value}"));
                    row.push(labels.collect::<Vec<_>>().join(","));
                }
            }
            let text = match self.grids.get_mut(&kind.kind) {
                Some(grid) => grid.more(&rows),
                None => {
                    if !self.grids.is_empty() && self.headers {
                        writeln!(cx.out.stdout)?;
                    }
                    let grid = Grid::new(&header, cx.out.colour);
                    let grid = self.grids.entry(kind.kind).or_insert(grid);
                    if self.headers { grid.full(&rows) } else { grid.more(&rows) }
                }
            };
            write!(cx.out.stdout, "{text}")?;
        }
        Ok(())
    }
}

/// The objects of each kind there is one of, in the order of `known`. An operator that does not tell how to show a kind
/// gets the columns that all have.
pub fn by_kind<'a>(items: &'a [ObjectView], known: &[KindView]) -> Vec<(KindView, Vec<&'a ObjectView>)> {
    let mut order = known.to_vec();
    for view in items {
        if !order.iter().any(|kind| kind.kind == view.kind) {
            order.push(KindView { kind: view.kind.clone(), runs: true, columns: Vec::new() });
        }
    }
    let with = order.into_iter().map(|kind| {
        let of = items.iter().filter(|view| view.kind == kind.kind).collect::<Vec<_>>();
        (kind, of)
    });
    with.filter(|(_, of)| !of.is_empty()).collect()
}

/// What concerns no single object, on standard error.
pub fn warnings(cx: &mut Context, list: &ObjectList) -> io::Result<()> {
    let err = &mut cx.out.stderr;
    if let Some(words) = &list.engine_down {
        writeln!(err, "warning: {}", clean(words))?;
    }
    if let Some(words) = &list.guard {
        writeln!(err, "warning: removals are held back: {}", clean(words))?;
    }
    for words in list.notices.iter().take(PROBLEMS) {
        writeln!(err, "warning: {}", clean(words))?;
    }
    if list.notices.len() > PROBLEMS {
        writeln!(
            err,
            "warning: and {} more like these: `seawall describe` tells of each",
            list.notices.len() - PROBLEMS
        )?;
    }
    if !list.problems.is_empty() {
        let (count, s) = (list.problems.len(), if list.problems.len() == 1 { "" } else { "s" });
        writeln!(err, "warning: {count} problem{s} in the manifests; the last good versions stay in force:")?;
        for problem in list.problems.iter().take(PROBLEMS) {
            writeln!(err, "  {}", clean(&problem.to_string()))?;
        }
        if count > PROBLEMS {
            writeln!(err, "  … and {} more: `seawall validate` shows all", count - PROBLEMS)?;
        }
    }
    Ok(())
}
