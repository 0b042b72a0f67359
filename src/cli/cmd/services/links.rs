//! What ties services to environments of projects.

use super::shown::Tie;
use super::{id, line, no_service, printed, said, shown, unknown};
use crate::cli::out::{Failure, clean_lines};
use crate::cli::services::{EnvArgs, EnvVarArgs, LinkArgs, Of, Project, UnlinkArgs};
use crate::cli::waiting::Wait;
use crate::cli::{Context, Outcome, ask};
use crate::control::api::Api;
use crate::control::registry::Kinds;
use crate::core::names::{Name, ObjectRef};
use crate::core::text::url_part;
use crate::http::client::{Client, Method};
use serde_json::{Value, json};
use std::io::Write;

/// The numbers of both; where one is not said, whoever sits there is asked.
async fn both(cx: &mut Context, api: &Client, of: &Of, project: &Project) -> Result<(u64, u64), Failure> {
    if !ask::can(cx) {
        let next = "--project-id ID, or -p SLUG";
        match (of.which().is_none(), project.is_missing()) {
            (true, true) => {
                let what = "it is not said which service, and which project";
                return Err(Failure::missing(what, format!("--id ID, or its name; {next}")));
            }
            (true, false) => return Err(no_service()),
            (false, true) => return Err(Failure::missing("it is not said which project", next)),
            (false, false) => {}
        }
    }
    let service = id(cx, api, of).await?;
    Ok((service, project_id(cx, api, project).await?))
}

async fn project_id(cx: &mut Context, api: &Client, project: &Project) -> Result<u64, Failure> {
    if let Some(id) = project.project_id {
        return Ok(id);
    }
    let kind = Kinds::of_environments();
    let slug = match &project.project {
        Some(slug) => slug.clone(),
        None => {
            let all = api.objects().await?.items;
            let all = all.iter().filter(|view| view.kind == kind.as_str());
            let all: Vec<&str> = all.map(|view| view.metadata.name.as_str()).collect();
            let typed = ask::line(cx, &format!("Which project ({})? ", all.join(", "))).await?;
            Name::parse(&typed).map_err(|e| Failure::usage(e.to_string(), ""))?
        }
    };
    Ok(api.object(&ObjectRef::new(kind, slug)).await?.metadata.id)
}

pub async fn link(cx: &mut Context, api: &Client, args: LinkArgs) -> Outcome {
    let LinkArgs { of, to, after } = args;
    let (service, project) = both(cx, api, &of, &to).await?;
    let mut body = json!({"project_id": project});
    if let Some(environment) = to.environment {
        body["environment"] = environment.into();
    }
    let made = api.service(Method::POST, &format!("/{service}/projects"), Some(&body)).await?;
    let tie: Tie = serde_json::from_value(made.clone()).map_err(|e| unknown(&format!("is no link: {e}")))?;
    if !after.json {
        let kind = tie.service.service_type.as_deref().unwrap_or_default();
        let words = format!("{kind}/{} is being linked to {}", tie.service.slug, tie.whose());
        line(cx, &words)?;
        cx.out.stdout.flush()?;
    }
    if !after.no_wait {
        let object = api.numbered(tie.id).await?;
        let goal = super::ready();
        let wait = Wait { object: &object, goal: &goal, timeout: after.timeout, progress: true };
        let words = wait.until(cx).await?;
        if !after.json {
            line(cx, &words)?;
            let names = names(api, service, project, &tie.environment).await?;
            line(cx, &format!("{} finds {names}", tie.whose()))?;
        }
    }
    if !after.json {
        return Ok(0);
    }
    let all = api.service(Method::GET, &format!("/{service}/projects"), None).await?;
    let now = all.as_array().into_iter().flatten().find(|link| link["id"] == tie.id);
    printed(cx, now.unwrap_or(&made), true, shown::plain)
}

async fn names(api: &Client, service: u64, project: u64, environment: &str) -> Result<String, Failure> {
    let path = path(service, project, "environment", Some(environment), false);
    let all = api.service(Method::GET, &path, None).await?;
    let names: Vec<String> =
        all.as_array().into_iter().flatten().map(|variable| shown::text(variable, "/name")).collect();
    Ok(names.join(", "))
}

fn path(service: u64, project: u64, rest: &str, environment: Option<&str>, reveal: bool) -> String {
    let environment = environment.map(|name| format!("environment={}", url_part(name)));
    let query: Vec<String> =
        environment.into_iter().chain(reveal.then(|| "reveal=true".to_owned())).collect();
    let (rest, query) = (if rest.is_empty() { String::new() } else { format!("/{rest}") }, query.join("&"));
    let mark = if query.is_empty() { "" } else { "?" };
    format!("/{service}/projects/{project}{rest}{mark}{query}")
}

pub async fn unlink(cx: &mut Context, api: &Client, args: UnlinkArgs) -> Outcome {
    let UnlinkArgs { of, from, json, .. } = args;
    let (service, project) = both(cx, api, &of, &from).await?;
    let path = path(service, project, "", from.environment.as_deref(), false);
    let answer = api.service(Method::DELETE, &path, None).await?;
    if json {
        return printed(cx, &answer, true, shown::plain);
    }
    said(cx, &answer, &shown::text(&answer, "/message"))
}

pub async fn env(cx: &mut Context, api: &Client, args: EnvArgs) -> Outcome {
    let EnvArgs { of, project, reveal, json } = args;
    let (service, id) = both(cx, api, &of, &project).await?;
    let path = path(service, id, "environment", project.environment.as_deref(), reveal);
    let all = api.service(Method::GET, &path, None).await?;
    printed(cx, &all, json, shown::variables)
}

pub async fn variable(cx: &mut Context, api: &Client, args: EnvVarArgs) -> Outcome {
    let EnvVarArgs { env: EnvArgs { of, project, reveal, json }, var } = args;
    let Some(var) = var else {
        return Err(Failure::missing(
            "it is not said which variable",
            "--var NAME; seawall services env lists them",
        ));
    };
    let (service, id) = both(cx, api, &of, &project).await?;
    let rest = format!("environment/{}", url_part(&var));
    let path = path(service, id, &rest, project.environment.as_deref(), reveal);
    let one = api.service(Method::GET, &path, None).await?;
    printed(cx, &one, json, |one: &Value, _| clean_lines(&shown::text(one, "/value")) + "\n")
}
