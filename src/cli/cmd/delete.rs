//! `seawall delete`

use crate::cli::args::DeleteArgs;
use crate::cli::connect::connect;
use crate::cli::named::{Among, Named};
use crate::cli::out::Failure;
use crate::cli::{Context, Outcome};
use crate::control::api::{Api, ManagedBy, PlanList};
use crate::core::names::ObjectRef;
use crate::core::plan::PlanView;
use std::io::Write;
use std::sync::Arc;

pub async fn run(cx: &mut Context, args: DeleteArgs) -> Outcome {
    let objects = &args.of.objects;
    if args.confirm.is_some() && objects.len() > 1 {
        let what = format!("--confirm is consent for one object, and {} are named", objects.len());
        return Err(Failure::usage(what, "nothing was done; delete each by itself"));
    }
    let api = connect(cx).await?.api;
    let (mut code, mut plans) = (0, PlanList::default());
    // The others are no worse for one that fails.
    for named in objects {
        match one(cx, &api, named, &args).await {
            Ok(plan) => plans.plans.extend(plan),
            Err(failure) => code = cx.out.failure(&failure),
        }
    }
    if !plans.plans.is_empty() {
        super::plan::text(cx, &plans)?;
    }
    Ok(code)
}

/// With `--dry-run`, what would be done.
async fn one(
    cx: &mut Context,
    api: &Arc<dyn Api>,
    named: &Named,
    args: &DeleteArgs,
) -> Result<Option<PlanView>, Failure> {
    let object = named.find(api, Among::All).await?;
    let confirm = match &args.confirm {
        Some(confirm) => confirm.clone(),
        // Its data are kept, as when a manifest goes.
        None if is_of_api(api, &object).await => String::new(),
        None => {
            return Err(Failure::usage(
                format!("deleting {object} removes its data for good"),
                format!("if that is meant: seawall delete {object} --confirm {}", object.name),
            ));
        }
    };
    if args.dry_run {
        let applied = api.would_delete(&object, &confirm).await?;
        writeln!(cx.out.stdout, "{object} {} (dry run)", applied.outcome.as_str())?;
        return Ok(applied.plan);
    }
    let done = api.delete(&object, &confirm).await?;
    super::done(cx, &done)?;
    Ok(None)
}

async fn is_of_api(api: &Arc<dyn Api>, object: &ObjectRef) -> bool {
    let view = api.object(object).await;
    view.is_ok_and(|view| view.metadata.managed_by == Some(ManagedBy::Api))
}
