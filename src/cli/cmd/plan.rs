//! `seawall plan`

use crate::cli::args::{PlanArgs, PlanForm};
use crate::cli::connect::connect_or_new;
use crate::cli::format::json_text;
use crate::cli::out::clean;
use crate::cli::print::paint;
use crate::cli::{Context, Outcome, files};
use crate::control::api::PlanList;
use crate::core::plan::{PlanView, Sign};
use std::io::{self, Write};

/// Wider actions push their cause, they do not widen the column.
const MAX_ACTION: usize = 48;

pub async fn run(cx: &mut Context, args: PlanArgs) -> Outcome {
    let connected = connect_or_new(cx).await?;
    let dir = match args.dir {
        Some(dir) => Some(cx.settings.cwd.join(dir)),
        // A running operator knows its manifests; without one they are read from where it would.
        None if connected.live => None,
        None => cx.settings.manifests_or_default().ok(),
    };
    let list = match dir {
        Some(file) if file.is_file() => connected.api.plan_beside(files::read_one(&file)?).await?,
        Some(dir) => connected.api.plan(Some(files::read(&dir)?)).await?,
        None => connected.api.plan(None).await?,
    };
    match args.output {
        PlanForm::Json => write!(cx.out.stdout, "{}", json_text(&list))?,
        PlanForm::Text => text(cx, &list)?,
    }
    let unknown = list.plans.iter().any(|p| p.unknown.is_some());
    let something = list.guard.is_some() || list.plans.iter().any(|p| !settled(p));
    Ok(match (unknown || !list.problems.is_empty(), something) {
        (true, _) => 1,
        (false, true) => 2,
        (false, false) => 0,
    })
}

fn settled(plan: &PlanView) -> bool {
    plan.steps.is_empty() && plan.waiting.is_empty() && plan.blocked.is_empty() && plan.unknown.is_none()
}

pub fn text(cx: &mut Context, list: &PlanList) -> io::Result<()> {
    for problem in &list.problems {
        writeln!(cx.out.stderr, "problem: {}", clean(&problem.to_string()))?;
    }
    for warning in &list.warnings {
        writeln!(cx.out.stderr, "warning: {}", clean(&warning.to_string()))?;
    }
    if let Some(guard) = &list.guard {
        writeln!(cx.out.stderr, "warning: removals are held back: {}", clean(guard))?;
    }
    for plan in list.plans.iter().filter(|p| !settled(p)) {
        one(cx, plan)?;
    }
    writeln!(cx.out.stdout, "{}", summary(list))
}

fn one(cx: &mut Context, plan: &PlanView) -> io::Result<()> {
    let colour = cx.out.colour;
    let out = &mut cx.out.stdout;
    let held =
        if plan.paused { "  (paused: nothing is done until seawall.dev/paused is lifted)" } else { "" };
    writeln!(out, "{}{held}", plan.object)?;
    let mut line = |sign: &str, what: &str, why: &str, width: usize| {
        let gap = " ".repeat(3usize.saturating_sub(sign.chars().count()));
        let text = format!("{:width$}  {}", clean(what), clean(why));
        writeln!(out, "  {gap}{} {}", paint(sign, colour), text.trim_end())
    };
    let width = plan.steps.iter().map(|s| s.action.chars().count()).filter(|n| *n <= MAX_ACTION).max();
    for step in &plan.steps {
        line(step.sign.as_str(), &step.action, &step.cause, width.unwrap_or(0))?;
    }
    for wait in &plan.waiting {
        line("…", &format!("{}:", wait.on), &wait.why, 0)?;
    }
    for block in &plan.blocked {
        line("!", &format!("{}:", block.reason), &block.why, 0)?;
        if !block.unblock.is_empty() {
            line("", "to allow it:", &block.unblock, 0)?;
        }
    }
    if let Some(why) = &plan.unknown {
        line("?", "no plan:", why, 0)?;
    }
    writeln!(out)
}

/// Steps by sign, over all objects.
fn summary(list: &PlanList) -> String {
    let count = |sign: Sign| list.plans.iter().flat_map(|p| &p.steps).filter(|s| s.sign == sign).count();
    let blocked: usize = list.plans.iter().map(|p| p.blocked.len()).sum();
    let waiting: usize = list.plans.iter().map(|p| p.waiting.len()).sum();
    let unknown = list.plans.iter().filter(|p| p.unknown.is_some()).count();
    if list.plans.iter().all(settled) {
        let objects = list.plans.len();
        return format!("Nothing to do: {objects} object{} as planned.", if objects == 1 { "" } else { "s" });
    }
    let mut text = format!(
        "Plan: {} to create, {} to change, {} to replace, {} to delete",
        count(Sign::Create),
        count(Sign::Change),
        count(Sign::Replace),
        count(Sign::Delete)
    );
    let extra = [
        (count(Sign::Data), "touching data"),
        (blocked, "blocked"),
        (waiting, "waiting"),
        (unknown, "not known"),
    ];
    let extra: Vec<String> = extra.iter().filter(|(n, _)| *n > 0).map(|(n, w)| format!("{n} {w}")).collect();
    if !extra.is_empty() {
        text.push_str("; ");
        text.push_str(&extra.join(", "));
    }
    text + "."
}
