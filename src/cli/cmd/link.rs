//! `seawall link` and `unlink`: what to commit. Manifests are files, and nobody but their owner writes them. And
//! `seawall link test`: whether what was committed lets in.

use crate::cli::args::{LinkArgs, LinkManifest, LinkTestArgs, LinkVerb, PlanForm, UnlinkArgs};
use crate::cli::connect::{connect, live, look};
use crate::cli::format::{json_text, yaml_text};
use crate::cli::named::{Among, Named};
use crate::cli::out::Failure;
use crate::cli::print::Grid;
use crate::cli::{Context, Outcome};
use crate::control::api::{ManagedBy, TestResult};
use crate::control::registry::Kinds;
use serde_json::{Map, Value};
use std::io::Write;

pub async fn run(cx: &mut Context, args: LinkArgs) -> Outcome {
    match (args.verb, args.manifest) {
        (Some(LinkVerb::Test(args)), _) => test(cx, args).await,
        (None, Some(args)) => print(cx, &args).await,
        (None, None) => Err(Failure::usage("there is nothing to link", "seawall link --help")),
    }
}

async fn test(cx: &mut Context, args: LinkTestArgs) -> Outcome {
    let api = live(cx, "link test").await?;
    let view = api.test(&args.object.find(&api, Among::All).await?).await?;
    if args.output == PlanForm::Json {
        write!(cx.out.stdout, "{}", json_text(&view))?;
        return Ok(u8::from(!view.passed));
    }
    let rows: Vec<_> = view
        .steps
        .into_iter()
        .map(|step| {
            let (result, message) = match step.result {
                TestResult::Ok => ("OK", step.message),
                TestResult::Failed => ("FAILED", step.message),
                TestResult::NotTried => ("-", format!("not tried: {}", step.message)),
            };
            vec![format!("{:?}", step.step), result.to_owned(), message]
        })
        .collect();
    write!(cx.out.stdout, "{}", Grid::new(&["STEP", "RESULT", "MESSAGE"], cx.out.colour).full(&rows))?;
    Ok(u8::from(!view.passed))
}

async fn print(cx: &mut Context, args: &LinkManifest) -> Outcome {
    let service = match &args.service {
        // Nobody need be there to be asked.
        Named::Object(service) => service.clone(),
        named => named.find(&connect(cx).await?.api, Among::Running).await?,
    };
    let of = (&args.of.object.name, args.of.environment.as_str());
    let manifest = Kinds::manifest_of_link(&service, of, args.name.as_ref(), fields(args))
        .map_err(|(why, next)| Failure::usage(why, next))?;
    if !args.dry_run {
        let what = "it is made by its manifest, which only you write";
        let same = format!("{service} {}/{}", of.0, of.1);
        return Err(Failure::usage(what, format!("seawall link {same} --dry-run prints it; commit that")));
    }
    write!(cx.out.stdout, "{}", yaml_text(&manifest))?;
    Ok(0)
}

/// What was given, as the manifest calls it.
fn fields(args: &LinkManifest) -> Map<String, Value> {
    let list = |list: &[String]| (!list.is_empty()).then(|| list.into());
    let rotation: Map<_, _> = args.rotation.iter().map(|(k, v)| (k.clone(), v.as_str().into())).collect();
    let text = |text: &Option<String>| text.as_deref().map(Value::from);
    let all = [
        ("database", text(&args.database)),
        ("prefix", text(&args.prefix)),
        ("credentials", text(&args.credentials)),
        ("keys", text(&args.keys)),
        ("extensions", list(&args.extensions)),
        ("connectionLimit", args.connection_limit.map(Value::from)),
        ("deletionPolicy", text(&args.deletion_policy)),
        ("rotation", (!rotation.is_empty()).then(|| rotation.into())),
    ];
    all.into_iter().filter_map(|(field, value)| Some((field.to_owned(), value?))).collect()
}

pub async fn unlink(cx: &mut Context, args: UnlinkArgs) -> Outcome {
    let api = look(cx).await?;
    let object = args.of.object.find(&api, Among::All).await?;
    let metadata = api.object(&object).await?.metadata;
    if metadata.managed_by == Some(ManagedBy::Api) {
        return Err(Failure::usage(
            format!("{object} has no manifest: it was applied"),
            format!("seawall delete {object}"),
        ));
    }
    let source = metadata.source;
    let file = source.split(':').next().unwrap_or_default();
    if !args.dry_run {
        let what = format!("{object} is undone by removing its manifest, which only you write");
        return Err(Failure::usage(what, format!("remove {object} from {file}, and commit that")));
    }
    let gone = Kinds::all(None).gone(object.kind);
    writeln!(cx.out.stdout, "remove {object} from {source}, and commit that: {gone}")?;
    Ok(0)
}
