//! `seawall explain`: what a field of a kind is for.

use crate::cli::args::ExplainArgs;
use crate::cli::explain::explain;
use crate::cli::out::Failure;
use crate::cli::{Context, Outcome};
use crate::core::names::Kind;
use std::io::Write;

pub fn run(cx: &mut Context, args: ExplainArgs) -> Outcome {
    let mut parts = args.field.split('.').filter(|part| !part.is_empty());
    let kind: Kind = parts
        .next()
        .unwrap_or_default()
        .parse()
        .map_err(|e: <Kind as std::str::FromStr>::Err| Failure::usage(e.to_string(), ""))?;
    let schema = serde_json::from_str(&cx.backend.schema(Some(kind))).map_err(|_| {
        Failure::usage(format!("nobody writes a manifest of an {kind}: it is made by its owner"), "")
    })?;
    let path: Vec<&str> = parts.collect();
    let page = explain(&schema, kind.lower(), &path, args.recursive)
        .map_err(|what| Failure::usage(what, format!("seawall explain {} --recursive", kind.lower())))?;
    write!(cx.out.stdout, "{page}")?;
    Ok(0)
}
