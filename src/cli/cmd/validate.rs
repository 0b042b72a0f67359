//! `seawall validate`

use crate::cli::args::DirArg;
use crate::cli::out::{Failure, clean};
use crate::cli::{Context, Outcome};
use std::collections::BTreeSet;
use std::io::Write;

pub fn run(cx: &mut Context, args: DirArg) -> Outcome {
    let dir = match args.dir {
        Some(dir) => cx.settings.cwd.join(dir),
        None => cx.settings.manifests_or_default()?,
    };
    let found = cx.backend.validate(&dir, &cx.settings)?;
    let count = |n: usize, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
    if let Some(words) = &found.passed_over {
        writeln!(cx.out.stderr, "note: {}", clean(words))?;
    }
    for warning in &found.warnings {
        writeln!(cx.out.stderr, "warning: {}", clean(&warning.to_string()))?;
    }
    if found.files == 0 && found.problems.is_empty() {
        let what = format!("there is no manifest in {}", dir.display());
        return Err(Failure::usage(
            what,
            "give the directory of the manifests: their names end in .yaml, .yml or .json",
        ));
    }
    if found.problems.is_empty() {
        writeln!(cx.out.stdout, "ok: {} in {}", count(found.objects, "object"), count(found.files, "file"))?;
        return Ok(0);
    }
    for problem in &found.problems {
        writeln!(cx.out.stdout, "{}", clean(&problem.to_string()))?;
    }
    let files: BTreeSet<&str> = found.problems.iter().map(|p| p.place.file.as_str()).collect();
    writeln!(cx.out.stdout, "{} in {}", count(found.problems.len(), "problem"), count(files.len(), "file"))?;
    Ok(1)
}
