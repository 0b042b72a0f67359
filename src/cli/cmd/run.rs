//! `seawall run`

use super::get::by_kind;
use crate::cli::args::{LogForm, RunArgs};
use crate::cli::format::object_name;
use crate::cli::out::{Failure, clean};
use crate::cli::print::{Grid, conditions, header, row};
use crate::cli::settings::RunSettings;
use crate::cli::{Context, Outcome};
use crate::control::api::ObjectList;
use crate::core::condition::{self, ConditionType, Truth};
use crate::telemetry::{self, Form};
use std::io::{IsTerminal, Write, stderr};

pub async fn run(cx: &mut Context, args: RunArgs) -> Outcome {
    let terminal = stderr().is_terminal();
    let form = match args.log {
        LogForm::Json => Form::Json,
        LogForm::Auto if !terminal => Form::Json,
        _ => Form::Lines { colour: cx.environment.colour(terminal) },
    };
    telemetry::init(form, cx.environment.get(telemetry::LEVEL_VARIABLE))
        .map_err(|e| Failure::usage(e.to_string(), ""))?;
    let manifests = cx.settings.manifests_or_default()?;
    let listen = cx.settings.listen.clone().with(&args.listen, &cx.settings.cwd)?;
    let settings =
        RunSettings { settings: cx.settings.clone(), manifests, once: args.once, listen, terminal };
    match cx.backend.run(settings).await? {
        Some(list) => converged(cx, &list),
        None => Ok(0),
    }
}

/// The end of `--once`: a table of how it is, and of why for what is not Ready.
fn converged(cx: &mut Context, list: &ObjectList) -> Outcome {
    let now = jiff::Timestamp::now();
    let kinds: Vec<_> = by_kind(&list.items, &list.kinds).into_iter().filter(|(kind, _)| kind.runs).collect();
    for (kind, views) in &kinds {
        let rows: Vec<_> = views.iter().map(|v| row(v, kind, false, true, now)).collect();
        write!(cx.out.stdout, "{}", Grid::new(&header(kind, false), cx.out.colour).full(&rows))?;
    }
    let mut wrong = !list.problems.is_empty() || list.guard.is_some() || list.engine_down.is_some();
    for view in kinds.iter().flat_map(|(_, views)| views) {
        let conditions = conditions(view);
        let ready = condition::find(&conditions, ConditionType::Ready);
        // Stopped on purpose is what was asked for, and so is what is left of a removed manifest.
        let as_asked = |c: &condition::Condition| matches!(c.reason.as_str(), "Stopped" | "Retained");
        if ready.is_some_and(|c| c.status == Truth::True || as_asked(c)) {
            continue;
        }
        wrong = true;
        let name = object_name(view);
        let why = ready.map_or("nothing is known yet".to_owned(), |c| format!("{}: {}", c.reason, c.message));
        writeln!(cx.out.stdout, "{name} is not Ready: {}", clean(&why))?;
    }
    super::get::warnings(cx, list)?;
    Ok(u8::from(wrong))
}
