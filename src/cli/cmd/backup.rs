//! `seawall backup` and `seawall restore`: objects as any other, made, listed and removed by the names of the trade.

use super::{delete, describe, operate, plan};
use crate::cli::args::{self, Goal, ObjectsArg, PlanForm, WaitFlags};
use crate::cli::backups::{
    BackupVerb, CapabilitiesArgs, ListArgs, NowArgs, RestoreVerb, StartArgs, StatusArgs,
};
use crate::cli::connect::{live, look};
use crate::cli::format::json_text;
use crate::cli::named::{Among, Named, maybe};
use crate::cli::out::{Failure, clean};
use crate::cli::print::{Grid, header, row};
use crate::cli::{Context, Outcome};
use crate::control::api::{Api, ApiError, ApplyOptions, ErrorCode, ObjectView, PlanList};
use crate::control::registry::Kinds;
use crate::core::condition::Truth;
use crate::core::names::{Kind, Name, ObjectRef};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::io::Write;
use std::sync::Arc;

pub async fn run(cx: &mut Context, verb: BackupVerb) -> Outcome {
    let backup = |name| ObjectRef::new(Kinds::of_backups(), name);
    match verb {
        BackupVerb::Now(args) => now(cx, args).await,
        BackupVerb::List(args) => list(cx, args).await,
        BackupVerb::Show(args) => describe::run(cx, one(backup(args.name))).await,
        BackupVerb::Delete(args) => {
            let args =
                args::DeleteArgs { of: one(backup(args.name)), confirm: args.confirm, dry_run: args.dry_run };
            delete::run(cx, args).await
        }
    }
}

fn one(object: ObjectRef) -> ObjectsArg {
    ObjectsArg { objects: vec![Named::Object(object)] }
}

pub async fn restore(cx: &mut Context, verb: RestoreVerb) -> Outcome {
    match verb {
        RestoreVerb::Capabilities(args) => capabilities(cx, &args).await,
        RestoreVerb::ListBackups(args) => list(cx, args).await,
        RestoreVerb::Start(args) => start(cx, args).await,
        RestoreVerb::Status(args) => status(cx, args).await,
    }
}

/// The name that an object of ours gets where none is given: of what it is about and when.
fn named(base: &Name, now: Timestamp) -> Result<Name, Failure> {
    let name = format!("{base}-{}", now.strftime("%Y%m%d-%H%M%S"));
    Name::parse(&name).map_err(|error| Failure::usage(error.to_string(), "give it a name: --name NAME"))
}

async fn now(cx: &mut Context, args: NowArgs) -> Outcome {
    let api = live(cx, "backup now").await?;
    let service = args.service.find(&api, Among::Running).await?;
    // A slip in its name would be a backup that waits for ever.
    api.object(&service).await?;
    let target = match args.target {
        Some(target) => target,
        None => only_target(&api).await?,
    };
    let name = match args.name {
        Some(name) => name,
        None => named(&service.name, Timestamp::now())?,
    };
    let object = ObjectRef::new(Kinds::of_backups(), name);
    let document = Kinds::manifest_of_backup(&object.name, &service, &target);
    make(cx, &api, &[(object, document)], args.dry_run, args.wait).await
}

async fn only_target(api: &Arc<dyn Api>) -> Result<Name, Failure> {
    let all = api.objects().await?.items;
    let kind = Kinds::of_backup_targets();
    let mut targets = all.iter().filter(|view| view.kind == kind.as_str());
    match (targets.next(), targets.next()) {
        (Some(only), None) => Name::parse(&only.metadata.name).map_err(|e| Failure::usage(e.to_string(), "")),
        (Some(_), Some(_)) => {
            let next = format!("say which: --target NAME; seawall get {}s lists them", kind.lower());
            Err(Failure::usage("there are several places for backups", next))
        }
        (None, _) => {
            let what = "there is no place for backups yet";
            let next = format!(
                "commit one: {{apiVersion: seawall.dev/v1, kind: {kind}, metadata: {{name: disk}}, spec: {{directory: {{path: /srv/backups}}}}}}"
            );
            Err(Failure::usage(what, next))
        }
    }
}

/// Makes these, one after the other, and waits for the last one.
async fn make(
    cx: &mut Context,
    api: &Arc<dyn Api>,
    all: &[(ObjectRef, Value)],
    dry_run: bool,
    wait: WaitFlags,
) -> Outcome {
    let options = ApplyOptions { dry_run, create: true, ..ApplyOptions::default() };
    let mut plans = PlanList::default();
    for (object, document) in all {
        let applied = api.apply(&document.to_string(), &options).await?;
        for warning in &applied.warnings {
            writeln!(cx.out.stderr, "warning: {}", clean(&warning.to_string()))?;
        }
        let dry = if dry_run { " (dry run)" } else { "" };
        writeln!(cx.out.stdout, "{object} {}{dry}", applied.outcome.as_str())?;
        plans.plans.extend(applied.plan);
    }
    if dry_run {
        plan::text(cx, &plans)?;
        return Ok(0);
    }
    let goal = Goal::Condition { kind: "Ready".to_owned(), status: Truth::True };
    let last = all.last().map(|(object, _)| object.clone());
    operate::wait_for(cx, &last.into_iter().collect::<Vec<_>>(), &goal, &wait).await
}

fn told<'a>(view: &'a ObjectView, path: &str) -> &'a str {
    view.status.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

/// Those that ended last come first, and before them those that are under way.
async fn of_kind(
    api: &Arc<dyn Api>,
    kind: Kind,
    is_meant: impl Fn(&ObjectView) -> bool,
) -> Result<(Vec<ObjectView>, Vec<String>, Vec<Vec<String>>), ApiError> {
    let list = api.objects().await?;
    let mut items: Vec<ObjectView> =
        list.items.into_iter().filter(|view| view.kind == kind.as_str() && is_meant(view)).collect();
    items.sort_by_key(|view| {
        let stopped = told(view, "/stoppedAt");
        std::cmp::Reverse((stopped.is_empty(), stopped.to_owned(), view.metadata.creation_timestamp.clone()))
    });
    let about = list.kinds.into_iter().find(|about| about.kind == kind.as_str());
    let Some(about) = about else { return Ok((items, Vec::new(), Vec::new())) };
    let now = Timestamp::now();
    let rows = items.iter().map(|view| row(view, &about, false, false, now)).collect();
    Ok((items, header(&about, false), rows))
}

async fn print(
    cx: &mut Context,
    kind: Kind,
    output: PlanForm,
    is_meant: impl Fn(&ObjectView) -> bool,
    none: &str,
) -> Outcome {
    let api = look(cx).await?;
    let (items, header, rows) = of_kind(&api, kind, is_meant).await?;
    if output == PlanForm::Json {
        write!(cx.out.stdout, "{}", json_text(&items))?;
    } else if items.is_empty() {
        writeln!(cx.out.stderr, "{none}")?;
    } else {
        write!(cx.out.stdout, "{}", Grid::new(&header, cx.out.colour).full(&rows))?;
    }
    Ok(0)
}

async fn list(cx: &mut Context, args: ListArgs) -> Outcome {
    let service = maybe(&look(cx).await?, args.service.as_ref(), Among::Running).await?;
    let service = service.map(|service| service.to_string());
    let is_meant =
        |view: &ObjectView| service.as_ref().is_none_or(|service| told(view, "/service") == service);
    let none = "There are no backups. seawall backup now KIND/NAME takes one.";
    print(cx, Kinds::of_backups(), args.output, is_meant, none).await
}

async fn status(cx: &mut Context, args: StatusArgs) -> Outcome {
    let kind = Kinds::of_restores();
    if let (Some(name), PlanForm::Text) = (&args.name, args.output) {
        return describe::run(cx, one(ObjectRef::new(kind, name.clone()))).await;
    }
    let name = args.name.map(|name| name.to_string());
    let is_meant = |view: &ObjectView| name.as_ref().is_none_or(|name| view.metadata.name == *name);
    print(
        cx,
        kind,
        args.output,
        is_meant,
        "There are no restores. seawall restore start BACKUP --to NAME makes one.",
    )
    .await
}

async fn capabilities(cx: &mut Context, args: &CapabilitiesArgs) -> Outcome {
    let service = match &args.service {
        Some(service) => Some(service.find(&look(cx).await?, Among::Running).await?),
        None => None,
    };
    let all = Kinds::all(None);
    let kinds = all.about().filter(|about| about.containers && about.made_by.is_none());
    let kinds = kinds.filter(|about| service.as_ref().is_none_or(|service| service.kind == about.kind));
    let rows: Vec<(Kind, Option<&str>)> = kinds.map(|about| (about.kind, about.backups)).collect();
    let none = "no backups yet";
    if args.output == PlanForm::Json {
        let rows: Vec<Value> = rows
            .iter()
            .map(|(kind, how)| json!({"kind": kind.as_str(), "backups": how.is_some(), "pointInTime": false, "how": how.unwrap_or(none)}))
            .collect();
        write!(cx.out.stdout, "{}", json_text(&rows))?;
        return Ok(0);
    }
    let rows: Vec<Vec<String>> = rows
        .into_iter()
        .map(|(kind, how)| {
            let yes = if how.is_some() { "yes" } else { "no" };
            vec![kind.to_string(), yes.to_owned(), "no".to_owned(), how.unwrap_or(none).to_owned()]
        })
        .collect();
    let header = ["KIND", "BACKUPS", "POINT IN TIME", "HOW"];
    write!(cx.out.stdout, "{}", Grid::new(&header, cx.out.colour).full(&rows))?;
    Ok(0)
}

async fn start(cx: &mut Context, args: StartArgs) -> Outcome {
    let api = live(cx, "restore start").await?;
    let backup = ObjectRef::new(Kinds::of_backups(), args.backup);
    let view = api.object(&backup).await?;
    let service = told(&view, "/service").to_owned();
    let service: ObjectRef = service
        .parse()
        .map_err(|_| Failure::usage(format!("{backup} says of no service that it is of"), ""))?;
    let to = ObjectRef::new(service.kind, args.to);
    let mut all = Vec::new();
    match api.object(&to).await {
        Ok(_) => {}
        Err(error) if error.code == ErrorCode::NotFound => {
            all.push((to.clone(), like(&api, &service, &to).await?));
        }
        Err(error) => return Err(error.into()),
    }
    let name = named(&to.name, Timestamp::now())?;
    let object = ObjectRef::new(Kinds::of_restores(), name);
    let document = Kinds::manifest_of_restore(&object.name, &backup.name, &to);
    all.push((object, document));
    make(cx, &api, &all, args.dry_run, args.wait).await
}

/// A service as this one is, under another name: what belongs to the one alone is left out.
async fn like(api: &Arc<dyn Api>, service: &ObjectRef, to: &ObjectRef) -> Result<Value, Failure> {
    let view = api.object(service).await.map_err(|error| match error.code {
        ErrorCode::NotFound => {
            let next = format!("make a new service first, and restore into it: --to NAME takes one in which nothing is ({to} is not there)");
            Failure::usage(format!("{service} is gone: nothing says how {to} should be"), next)
        }
        _ => error.into(),
    })?;
    let mut spec = view.spec.clone();
    if let Some(spec) = spec.as_object_mut() {
        // Sealed for the other one; taken by the other one; how the other one is.
        for field in ["password", "port", "stopped", "deletionPolicy"] {
            spec.remove(field);
        }
    }
    let (version, kind) = (&view.api_version, &view.kind);
    Ok(json!({"apiVersion": version, "kind": kind, "metadata": {"name": to.name.as_str()}, "spec": spec}))
}
