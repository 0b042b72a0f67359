//! `seawall label` and `annotate`, as kubectl's.

use crate::cli::args::MarkArgs;
use crate::cli::connect::live;
use crate::cli::marks::Mark;
use crate::cli::named::Among;
use crate::cli::out::{Failure, clean};
use crate::cli::{Context, Outcome};
use crate::control::api::ApplyOptions;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::io::Write;

/// Which of both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    Labels,
    Annotations,
}

impl Field {
    fn name(self) -> &'static str {
        match self {
            Self::Labels => "labels",
            Self::Annotations => "annotations",
        }
    }

    fn done(self) -> &'static str {
        match self {
            Self::Labels => "labeled",
            Self::Annotations => "annotated",
        }
    }
}

pub async fn run(cx: &mut Context, args: MarkArgs, field: Field) -> Outcome {
    let api = live(cx, "changing an object").await?;
    let object = args.object.find(&api, Among::All).await?;
    let metadata = api.object(&object).await?.metadata;
    let is = match field {
        Field::Labels => &metadata.labels,
        Field::Annotations => &metadata.annotations,
    };
    let patch = patch(is, &args.changes, args.overwrite).map_err(|(key, value)| {
        let what = format!("{object}: {key} has a value already: {}", clean(&value));
        Failure::usage(what, "--overwrite replaces it; nothing was changed")
    })?;
    if patch.is_empty() {
        writeln!(cx.out.stdout, "{object} not {}", field.done())?;
        return Ok(0);
    }
    let patch = json!({"metadata": {field.name(): patch}}).to_string();
    let options = ApplyOptions { dry_run: args.dry_run, ..ApplyOptions::default() };
    let applied = api.patch(&object, &patch, &options).await?;
    for warning in &applied.warnings {
        writeln!(cx.out.stderr, "warning: {}", clean(&warning.to_string()))?;
    }
    let dry = if args.dry_run { " (dry run)" } else { "" };
    writeln!(cx.out.stdout, "{object} {}{dry}", field.done())?;
    Ok(0)
}

/// What differs from what is there, as a merge patch; `Err` is one that would be lost, with its value.
fn patch(
    is: &BTreeMap<String, String>,
    changes: &[Mark],
    overwrite: bool,
) -> Result<Map<String, Value>, (String, String)> {
    let mut patch = Map::new();
    for Mark { key, value } in changes {
        match (is.get(key), value) {
            (Some(is), Some(value)) if is == value => {}
            (Some(is), Some(_)) if !overwrite => return Err((key.clone(), is.clone())),
            (None, None) => {}
            (_, value) => {
                patch.insert(key.clone(), value.as_deref().map_or(Value::Null, Value::from));
            }
        }
    }
    Ok(patch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::marks::mark;

    #[test]
    fn only_what_differs_is_asked_for_and_no_value_is_lost_by_the_way() {
        let is = BTreeMap::from([("team".to_owned(), "shop".to_owned())]);
        for (words, overwrite, want) in [
            (&["tier=test"][..], false, Ok(json!({"tier": "test"}))),
            (&["team=shop"], false, Ok(json!({}))),
            (&["team=other"], false, Err(("team".to_owned(), "shop".to_owned()))),
            (&["team=other"], true, Ok(json!({"team": "other"}))),
            (&["team-", "none-"], false, Ok(json!({"team": null}))),
        ] {
            let changes: Vec<Mark> = words.iter().map(|word| mark(word).unwrap()).collect();
            assert_eq!(patch(&is, &changes, overwrite).map(Value::from), want, "{words:?}");
        }
    }
}
