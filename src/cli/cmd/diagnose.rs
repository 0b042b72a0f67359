//! `seawall diagnose`: everything that is worth a word about an object, the worst first.

use crate::cli::args::{DiagnoseArgs, PlanForm};
use crate::cli::connect::live;
use crate::cli::format::json_text;
use crate::cli::named::Among;
use crate::cli::out::{clean, clean_lines};
use crate::cli::print::paint;
use crate::cli::{Context, Outcome};
use crate::core::diagnosis::{Check, Level};
use std::io::{self, Write};

pub async fn run(cx: &mut Context, args: DiagnoseArgs) -> Outcome {
    let api = live(cx, "diagnose").await?;
    let view = api.diagnose(&args.object.find(&api, Among::All).await?).await?;
    let red = view.checks.iter().any(|check| check.level == Level::Red);
    if args.json || args.output == PlanForm::Json {
        write!(cx.out.stdout, "{}", json_text(&view))?;
        return Ok(u8::from(red));
    }
    for check in &view.checks {
        print(cx, check)?;
    }
    let count = |level| view.checks.iter().filter(|check| check.level == level).count();
    let all = [Level::Red, Level::Yellow, Level::Unknown, Level::Green];
    let sum: Vec<String> = all.map(|level| format!("{} {}", count(level), level.as_str())).into();
    writeln!(cx.out.stdout, "\n{}: {}", view.object, sum.join(", "))?;
    Ok(u8::from(red))
}

fn print(cx: &mut Context, check: &Check) -> io::Result<()> {
    let level = check.level.as_str().to_uppercase();
    let gap = " ".repeat(8_usize.saturating_sub(level.len()));
    let level = paint(&level, cx.out.colour);
    let out = &mut cx.out.stdout;
    writeln!(out, "{level}{gap}{}: {}", check.check, clean(&check.found))?;
    for one in &check.of {
        writeln!(out, "          {}", clean(one))?;
    }
    for (title, text) in [("why", &check.why), ("to do", &check.next)] {
        if !text.is_empty() {
            writeln!(out, "        {title}: {}", clean_lines(text))?;
        }
    }
    Ok(())
}
