//! `seawall run`

use super::get::by_kind;
use crate::cli::args::{LogForm, RunArgs};
use crate::cli::format::object_name;
use crate::cli::out::{Failure, clean};
use crate::cli::print::{Grid, conditions, header, row};
use crate::cli::settings::{GROUPS, RunSettings};
use crate::cli::{Context, Outcome};
use crate::control::api::{ObjectList, ObjectView};
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
    if args.once {
        // One that runs on waits for it; one that ends would say that all is well.
        if let Err(error) = std::fs::read_dir(&manifests) {
            let what = format!("there are no manifests in {}: {error}", manifests.display());
            return Err(Failure::usage(what, "give their directory: --manifests DIR"));
        }
    }
    let listen = cx.settings.listen.clone().with(&args.listen, &cx.settings.cwd)?;
    let groups = std::fs::read_to_string(GROUPS).unwrap_or_default();
    let socket_group = cx.settings.group(args.socket_group.as_deref(), &groups)?;
    let settings = RunSettings {
        settings: cx.settings.clone(),
        manifests,
        once: args.once,
        socket_group,
        listen,
        terminal,
    };
    match cx.backend.run(settings).await? {
        Some(list) => converged(cx, &list),
        None => Ok(0),
    }
}

fn is_old(view: &ObjectView) -> bool {
    let ready = condition::find(&conditions(view), ConditionType::Ready).cloned();
    ready.is_some_and(|ready| ready.reason == "NotLookedAt")
}

/// The end of `--once`: a table of how it is, and of why for what is not Ready.
fn converged(cx: &mut Context, list: &ObjectList) -> Outcome {
    let now = jiff::Timestamp::now();
    let kinds: Vec<_> = by_kind(&list.items, &list.kinds).into_iter().filter(|(kind, _)| kind.runs).collect();
    for (kind, views) in &kinds {
        // What nobody has looked at is as an earlier process left it: that is told below, and not how it was.
        let fresh = views.iter().filter(|view| !is_old(view));
        let rows: Vec<_> = fresh.map(|v| row(v, kind, false, true, now)).collect();
        if !rows.is_empty() {
            write!(cx.out.stdout, "{}", Grid::new(&header(kind, false), cx.out.colour).full(&rows))?;
        }
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
