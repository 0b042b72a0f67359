//! `seawall services`: the service API of an operator, by hand. What a service is and takes, and what becomes of it, is the
//! API's to say; with `--json` its answer is printed as it came.

mod create;
mod links;
mod shown;

use super::backup;
use crate::cli::args::Goal;
use crate::cli::ask;
use crate::cli::backups::RestoreVerb;
use crate::cli::connect::running;
use crate::cli::format::json_text;
use crate::cli::out::{Failure, clean, clean_lines};
use crate::cli::services::{
    ActArgs, After, ConnectArgs, InfoArgs, Limit, Of, RemoveArgs, ResourcesArgs, ServicesVerb as Verb,
    ShowArgs, Shown, UpdateArgs, UpgradeArgs, Which, which,
};
use crate::cli::waiting::Wait;
use crate::cli::{Context, Outcome};
use crate::control::api::Api;
use crate::core::condition::Truth;
use crate::core::names::ObjectRef;
use crate::http::client::{Client, Method};
use serde_json::{Value, json};
use shown::{details, list, text};
use std::io::Write;

pub async fn run(cx: &mut Context, verb: Verb) -> Outcome {
    let verb = match verb {
        Verb::Restore { verb } => return backup::restore(cx, verb).await,
        Verb::ListBackups(args) => return backup::restore(cx, RestoreVerb::ListBackups(args)).await,
        Verb::RestoreRuns(args) => return backup::restore(cx, RestoreVerb::Status(args)).await,
        Verb::RestoreCapabilities(args) => {
            return backup::restore(cx, RestoreVerb::Capabilities(args)).await;
        }
        Verb::Import(_) => {
            let what = "a container that somebody else made is not taken over yet";
            let next = "make a service, and restore a dump of the other database into it";
            return Err(Failure::usage(what, next));
        }
        verb => verb,
    };
    let api = &running(cx, "services").await?;
    match verb {
        Verb::List(Shown { json }) => {
            let all = api.service(Method::GET, "", None).await?;
            printed(cx, &all, json, list)
        }
        Verb::Create(args) => create::run(cx, api, args).await,
        Verb::Show(args) => show(cx, api, args).await,
        Verb::Remove(args) => remove(cx, api, args).await,
        Verb::Start(args) => act(cx, api, args, "start", ready()).await,
        Verb::Stop(args) => act(cx, api, args, "stop", Goal::Stopped).await,
        Verb::Rotate(args) => act(cx, api, args, "rotate", ready()).await,
        Verb::Update(args) => update(cx, api, args).await,
        Verb::Upgrade(args) => upgrade(cx, api, args).await,
        Verb::Link(args) => links::link(cx, api, args).await,
        Verb::Unlink(args) => links::unlink(cx, api, args).await,
        Verb::Projects(args) => {
            let id = id(cx, api, &args.of).await?;
            let all = api.service(Method::GET, &format!("/{id}/projects"), None).await?;
            printed(cx, &all, args.json, shown::projects)
        }
        Verb::Env(args) => links::env(cx, api, args).await,
        Verb::EnvVar(args) => links::variable(cx, api, args).await,
        Verb::Connect(args) => connect(cx, api, args).await,
        Verb::Resources(args) => resources(cx, api, args).await,
        Verb::Runtime(args) => part(cx, api, (&args.of, "runtime", args.json), shown::runtime).await,
        Verb::Stats(args) => part(cx, api, (&args.of, "stats", args.json), shown::stats).await,
        Verb::Health(args) => part(cx, api, (&args.of, "health", args.json), shown::health).await,
        Verb::WalHealth(args) => part(cx, api, (&args.of, "wal-health", args.json), shown::plain).await,
        Verb::Types(Shown { json }) => {
            let all = api.service(Method::GET, "/types", None).await?;
            printed(cx, &all, json, shown::types)
        }
        Verb::Info(args) => info(cx, api, args).await,
        // Answered above.
        Verb::Restore { .. }
        | Verb::ListBackups(_)
        | Verb::RestoreRuns(_)
        | Verb::RestoreCapabilities(_)
        | Verb::Import(_) => Ok(0),
    }
}

fn ready() -> Goal {
    Goal::Condition { kind: "Ready".to_owned(), status: Truth::True }
}

/// What was answered, as it came or in words.
fn printed(cx: &mut Context, answer: &Value, json: bool, words: fn(&Value, bool) -> String) -> Outcome {
    let words = if json { json_text(answer) } else { words(answer, cx.out.colour) };
    write!(cx.out.stdout, "{words}")?;
    Ok(0)
}

/// One part of a service.
async fn part(
    cx: &mut Context,
    api: &Client,
    (of, part, json): (&Of, &str, bool),
    words: fn(&Value, bool) -> String,
) -> Outcome {
    let id = id(cx, api, of).await?;
    let answer = api.service(Method::GET, &format!("/{id}/{part}"), None).await?;
    printed(cx, &answer, json, words)
}

/// The number of the service that is meant; where none is said, whoever sits there is asked.
async fn id(cx: &mut Context, api: &Client, of: &Of) -> Result<u64, Failure> {
    let meant = match of.which() {
        Some(which) => which.clone(),
        None if ask::can(cx) => {
            let all = api.service(Method::GET, "", None).await?;
            write!(cx.out.stderr, "{}", list(&all, cx.out.colour))?;
            let typed = ask::line(cx, "Which service (ID or name)? ").await?;
            which(&typed).map_err(|why| Failure::usage(why, ""))?
        }
        None => return Err(no_service()),
    };
    match meant {
        Which::Id(id) => Ok(id),
        Which::Slug(name) => number(&api.service(Method::GET, &format!("/by-slug/{name}"), None).await?),
        Which::Object(object) => Ok(api.object(&object).await?.metadata.id),
    }
}

fn no_service() -> Failure {
    Failure::missing("it is not said which service", "--id ID, or its name; seawall services list shows them")
}

fn number(answer: &Value) -> Result<u64, Failure> {
    answer["id"].as_u64().ok_or_else(|| unknown("has no id"))
}

/// An answer of an operator of another version, say.
fn unknown(what: &str) -> Failure {
    Failure::usage(format!("the operator's answer {what}"), "see seawall version")
}

/// The object that a service is.
fn object(service: &Value) -> Result<ObjectRef, Failure> {
    let name = format!("{}/{}", text(service, "/service_type"), text(service, "/slug"));
    name.parse().map_err(|_| unknown("names no service"))
}

/// Says what was answered, waits until it is so, and says that.
async fn done(
    cx: &mut Context,
    api: &Client,
    (answer, message): (&Value, &str),
    (goal, after): (Goal, After),
) -> Outcome {
    let of = object(answer)?;
    if after.no_wait {
        return if after.json { printed(cx, answer, true, shown::plain) } else { said(cx, answer, message) };
    }
    if !after.json {
        said(cx, answer, message)?;
        cx.out.stdout.flush()?;
    }
    let words = Wait { object: &of, goal: &goal, timeout: after.timeout, progress: true }.until(cx).await?;
    if goal == Goal::Delete {
        return if after.json { printed(cx, answer, true, shown::plain) } else { line(cx, &words) };
    }
    let id = number(answer)?;
    if after.json {
        let now = api.service(Method::GET, &format!("/{id}"), None).await?;
        return printed(cx, &now, true, shown::plain);
    }
    line(cx, &words)
}

fn line(cx: &mut Context, words: &str) -> Outcome {
    writeln!(cx.out.stdout, "{words}")?;
    Ok(0)
}

fn said(cx: &mut Context, answer: &Value, message: &str) -> Outcome {
    writeln!(cx.out.stdout, "{}", clean(message))?;
    let commit = text(answer, "/commit");
    if !commit.is_empty() {
        writeln!(cx.out.stdout, "To keep it so, commit:\n  {}", clean_lines(&commit).replace('\n', "\n  "))?;
    }
    Ok(0)
}

/// After a change: it may serve, and not be what was asked for.
async fn troubled(cx: &mut Context, api: &Client, answer: &Value, after: After) -> Outcome {
    if after.no_wait {
        return Ok(0);
    }
    let health = api.service(Method::GET, &format!("/{}/health", number(answer)?), None).await?;
    let troubles = shown::troubles(&health);
    if troubles.is_empty() {
        return Ok(0);
    }
    write!(cx.out.stderr, "it serves, but:\n{troubles}")?;
    Ok(1)
}

async fn show(cx: &mut Context, api: &Client, args: ShowArgs) -> Outcome {
    let id = id(cx, api, &args.of).await?;
    let reveal = if args.reveal { "?reveal=true" } else { "" };
    let mut service = api.service(Method::GET, &format!("/{id}{reveal}"), None).await?;
    if !args.json {
        service["projects"] = api.service(Method::GET, &format!("/{id}/projects"), None).await?;
    }
    printed(cx, &service, args.json, details)
}

async fn connect(cx: &mut Context, api: &Client, args: ConnectArgs) -> Outcome {
    let ConnectArgs { env } = args;
    if !env.project.is_missing() {
        return links::env(cx, api, env).await;
    }
    let id = id(cx, api, &env.of).await?;
    let reveal = if env.reveal { "?reveal=true" } else { "" };
    let service = api.service(Method::GET, &format!("/{id}{reveal}"), None).await?;
    if env.json {
        let url = json!({"connection_string": service["connection_string"]});
        return printed(cx, &url, true, shown::plain);
    }
    let url = text(&service, "/connection_string");
    if url.is_empty() {
        let what = format!("{} has no connection string yet", object(&service)?);
        return Err(Failure::usage(what, "seawall services show says how it is"));
    }
    line(cx, &url)
}

async fn act(cx: &mut Context, api: &Client, args: ActArgs, verb: &str, goal: Goal) -> Outcome {
    let id = id(cx, api, &args.of).await?;
    let answer = api.service(Method::POST, &format!("/{id}/{verb}"), None).await?;
    let message = text(&answer, "/message");
    done(cx, api, (&answer, &message), (goal, args.after)).await
}

async fn update(cx: &mut Context, api: &Client, args: UpdateArgs) -> Outcome {
    let parameters = create::parameters(&args.set)?;
    if parameters.is_empty() && args.image.is_none() {
        return Err(Failure::missing("there is nothing to change", "-s KEY=VALUE, or --image IMAGE"));
    }
    let id = id(cx, api, &args.of).await?;
    let mut body = json!({"parameters": parameters});
    if let Some(image) = args.image {
        body["docker_image"] = image.into();
    }
    let answer = api.service(Method::PUT, &format!("/{id}"), Some(&body)).await?;
    let message = format!("{} is being changed", object(&answer)?);
    done(cx, api, (&answer, &message), (ready(), args.after)).await?;
    troubled(cx, api, &answer, args.after).await
}

async fn upgrade(cx: &mut Context, api: &Client, args: UpgradeArgs) -> Outcome {
    let to = match args.to {
        Some(to) => to,
        None if ask::can(cx) => ask::line(cx, "To which image or version? ").await?,
        None => return Err(Failure::missing("it is not said to what", "-v IMAGE, or -v VERSION")),
    };
    let id = id(cx, api, &args.of).await?;
    // No version of a catalog has these.
    let what = if to.contains([':', '/', '@']) { "docker_image" } else { "version" };
    let answer = api.service(Method::POST, &format!("/{id}/upgrade"), Some(&json!({what: to}))).await?;
    let message = text(&answer, "/message");
    done(cx, api, (&answer, &message), (ready(), args.after)).await?;
    troubled(cx, api, &answer, args.after).await
}

async fn remove(cx: &mut Context, api: &Client, args: RemoveArgs) -> Outcome {
    let id = id(cx, api, &args.of).await?;
    let service = api.service(Method::GET, &format!("/{id}"), None).await?;
    let (of, name) = (object(&service)?, text(&service, "/slug"));
    if !args.keep_data && !args.force && !args.yes {
        let what = format!("this destroys {of} with all its data, for good");
        if !ask::can(cx) {
            let next = format!(
                "if that is meant: seawall services remove --id {id} -f; --keep-data keeps its volume"
            );
            return Err(Failure::missing(format!("{what}; nothing was done"), next));
        }
        if ask::line(cx, &format!("{what}. Its name, if that is meant: ")).await? != name {
            return Err(Failure::usage("that is not its name; nothing was done", ""));
        }
    }
    let confirm = if args.keep_data { String::new() } else { format!("?confirm={name}") };
    let answer = api.service(Method::DELETE, &format!("/{id}{confirm}"), None).await?;
    let mut service = service;
    service["message"] = answer["message"].clone();
    let message = text(&answer, "/message");
    let after = After { no_wait: args.after.no_wait || args.keep_data, ..args.after };
    done(cx, api, (&service, &message), (Goal::Delete, after)).await
}

async fn resources(cx: &mut Context, api: &Client, args: ResourcesArgs) -> Outcome {
    let id = id(cx, api, &args.of).await?;
    let path = format!("/{id}/resources");
    let changes = args.unlimited || args.memory.is_some() || args.swap.is_some() || args.cpus.is_some();
    let mut limits = json!({});
    if !changes || !args.unlimited {
        let now = api.service(Method::GET, &path, None).await?;
        if !changes {
            return printed(cx, &now, args.json, shown::limits);
        }
        limits = changed(&now["limits"], &args)?;
    }
    let answer = api.service(Method::PATCH, &path, Some(&limits)).await?;
    printed(cx, &answer, args.json, shown::limits)?;
    let failed =
        answer["applied"].as_array().is_some_and(|all| all.iter().any(|one| one["outcome"] == "failed"));
    Ok(u8::from(failed))
}

/// All limits, of which some are other ones than now; swap stays as much as it was above the memory.
fn changed(now: &Value, args: &ResourcesArgs) -> Result<Value, Failure> {
    let now = |name: &str| now[name].as_u64();
    let memory = args.memory.map_or(now("memory_mb"), |limit| limit.0);
    let above = now("memory_swap_mb").map(|all| all.saturating_sub(now("memory_mb").unwrap_or(0)));
    let swap = args.swap.map_or(above, |Limit(swap)| swap).filter(|swap| *swap > 0);
    if memory.is_none() && args.swap.is_some_and(|swap| swap.0.is_some()) {
        return Err(Failure::usage("swap is above the memory, which has no limit", "give --memory, too"));
    }
    let all = memory.map(|memory| memory.saturating_add(swap.unwrap_or(0)));
    let cpus = args.cpus.map_or(now("nano_cpus"), |limit| limit.0);
    Ok(json!({"memory_mb": memory, "memory_swap_mb": all, "nano_cpus": cpus}))
}

async fn info(cx: &mut Context, api: &Client, args: InfoArgs) -> Outcome {
    let word = match args.service_type {
        Some(word) => word,
        None => create::asked_type(cx, api).await?.ok_or_else(|| {
            Failure::missing("it is not said which type", "seawall services types lists what there is")
        })?,
    };
    let schema = create::schema(api, &word).await?;
    printed(cx, &schema, args.json, shown::parameters)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Words {
        #[command(flatten)]
        args: ResourcesArgs,
    }

    #[test]
    fn limits_that_are_not_named_stay() {
        let of = |memory: Option<u64>, all: Option<u64>, cpus: Option<u64>| json!({"memory_mb": memory, "memory_swap_mb": all, "nano_cpus": cpus});
        let half = Some(500_000_000);
        for (now, words, want) in [
            (of(None, None, None), "--memory 512", Some(of(Some(512), Some(512), None))),
            (of(Some(512), Some(768), half), "--memory 1Gi", Some(of(Some(1024), Some(1280), half))),
            (of(Some(512), Some(768), half), "--swap none", Some(of(Some(512), Some(512), half))),
            (of(Some(512), Some(512), half), "--swap 64 --cpus none", Some(of(Some(512), Some(576), None))),
            (of(Some(512), Some(768), half), "--memory none", Some(of(None, None, half))),
            (of(None, None, half), "--swap 64", None),
        ] {
            let typed = ["x"].into_iter().chain(words.split_whitespace());
            let args = Words::parse_from(typed).args;
            assert_eq!(changed(&now, &args).ok(), want, "{words}");
        }
    }
}
