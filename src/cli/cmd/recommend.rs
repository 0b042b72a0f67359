//! `seawall recommend`: limits by what was used, as the YAML to commit.

use crate::cli::args::{PlanForm, RecommendArgs};
use crate::cli::connect::connect;
use crate::cli::format::json_text;
use crate::cli::named::{Among, maybe};
use crate::cli::out::clean;
use crate::cli::{Context, Outcome};
use crate::control::api::{Advice, Recommendation};
use crate::core::duration::human;
use std::fmt::Write as _;
use std::io::Write;

pub async fn run(cx: &mut Context, args: RecommendArgs) -> Outcome {
    let api = connect(cx).await?.api;
    let object = maybe(&api, args.object.as_ref(), Among::Running).await?;
    let list = api.recommend(object.as_ref()).await?;
    let text = match args.output {
        PlanForm::Json => json_text(&list),
        PlanForm::Text => list.items.iter().map(text).collect::<Vec<_>>().join("\n"),
    };
    if list.items.is_empty() {
        writeln!(cx.out.stderr, "No containers found.")?;
    }
    write!(cx.out.stdout, "{text}")?;
    Ok(0)
}

/// YAML as a whole: what is no field is a comment.
fn text(item: &Recommendation) -> String {
    let object = clean(&item.object);
    let known = human(item.known_seconds);
    if item.memory.is_none() && item.cpus.is_none() {
        return format!("# {object}: too early: at most {known} of use are known, a day is the least\n");
    }
    let mut text = format!("# {object}, by {known} of use\n");
    if item.yaml.is_empty() {
        let mut keep = |name: &str, advice: Option<&Advice>| {
            if let Some(Advice { now, why, .. }) = advice {
                let _ =
                    writeln!(text, "# keep {name} {}: {why}", now.as_deref().unwrap_or("without a limit"));
            }
        };
        keep("memory", item.memory.as_ref());
        keep("cpus", item.cpus.as_ref());
    } else {
        if let Some(owner) = &item.made_by {
            let _ = writeln!(text, "# in the manifest of {}, where it has this application", clean(owner));
        }
        let lines = if item.made_by.is_some() { item.yaml.clone() } else { nested(&item.yaml) };
        text += &lines;
    }
    text
}

fn nested(yaml: &str) -> String {
    yaml.lines().fold("spec:\n".to_owned(), |all, line| all + "  " + line + "\n")
}
