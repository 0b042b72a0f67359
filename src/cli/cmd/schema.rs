//! `seawall schema`

use crate::cli::args::SchemaArgs;
use crate::cli::out::Failure;
use crate::cli::{Context, Outcome};
use std::fs;
use std::io::Write;

pub fn run(cx: &mut Context, args: SchemaArgs) -> Outcome {
    let Some(dir) = args.write.map(|dir| cx.settings.cwd.join(dir)) else {
        writeln!(cx.out.stdout, "{}", cx.backend.schema(args.kind).trim_end())?;
        return Ok(0);
    };
    let wrong = |e: std::io::Error| Failure::usage(format!("{}: {e}", dir.display()), "");
    fs::create_dir_all(&dir).map_err(wrong)?;
    for (name, text) in cx.backend.schemas() {
        fs::write(dir.join(&name), text).map_err(wrong)?;
        writeln!(cx.out.stdout, "wrote {}", dir.join(name).display())?;
    }
    Ok(0)
}
