//! `seawall services create`: what is missing is told all at once, or asked for where somebody sits at a terminal.

use super::{done, ready, unknown};
use crate::cli::out::{Failure, clean};
use crate::cli::services::{CreateArgs, Setting};
use crate::cli::{Context, Outcome, ask};
use crate::core::text::url_part;
use crate::http::client::{Client, Method};
use crate::secrets::ExposeSecret;
use serde_json::{Map, Value, json};
use std::io::Write;

/// What `-s KEY=VALUE` say.
///
/// # Errors
/// When one says no such thing, or two say the same; not in its own words, which may be a secret.
pub fn parameters(set: &[Setting]) -> Result<Map<String, Value>, Failure> {
    let mut all = Map::new();
    for Setting { name, value } in set {
        let Some(name) = name else {
            return Err(Failure::usage("one of the parameters has no name", "write -s KEY=VALUE"));
        };
        if all.insert(name.clone(), value.expose_secret().into()).is_some() {
            return Err(Failure::usage(format!("the parameter {} is given twice", clean(name)), ""));
        }
    }
    Ok(all)
}

pub async fn schema(api: &Client, word: &str) -> Result<Value, Failure> {
    let path = format!("/types/{}/parameters", url_part(word));
    Ok(api.service(Method::GET, &path, None).await?)
}

/// Of whoever sits there.
pub async fn asked_type(cx: &mut Context, api: &Client) -> Result<Option<String>, Failure> {
    if !ask::can(cx) {
        return Ok(None);
    }
    let types = api.service(Method::GET, "/types", None).await?;
    let all: Vec<&str> = types.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    Ok(Some(ask::line(cx, &format!("Which type ({})? ", clean(&all.join(", ")))).await?))
}

pub async fn run(cx: &mut Context, api: &Client, args: CreateArgs) -> Outcome {
    let CreateArgs { service_type, name, set, yes, after } = args;
    let mut parameters = parameters(&set)?;
    let asks = !yes && ask::can(cx);
    let word = match service_type {
        None if asks => asked_type(cx, api).await?,
        given => given,
    };
    let schema = match &word {
        Some(word) => schema(api, word).await?,
        None => Value::Null,
    };
    let lacks = lacking(&schema, &parameters);
    let mut asked = false;
    let (word, name) = match (word, name) {
        (Some(word), Some(name)) if lacks.is_empty() => (word, name),
        (Some(word), name) if asks => {
            asked = true;
            let name = match name {
                Some(name) => name,
                None => ask::line(cx, "Its name? ").await?,
            };
            for parameter in &lacks {
                let value = answer(cx, &schema, parameter).await?;
                parameters.insert(parameter.clone(), value.into());
            }
            (word, name)
        }
        (word, name) => return Err(missing(word.as_deref(), name.is_none(), &lacks)),
    };
    if asked && !agreed(cx, &word, &name, &schema, &parameters).await? {
        return Err(Failure::usage("nothing was made", ""));
    }
    let body = json!({"name": name, "service_type": word, "parameters": parameters});
    let made = api.service(Method::POST, "", Some(&body)).await?;
    let id = made["id"].as_u64().ok_or_else(|| unknown("has no id"))?;
    let message = format!("{} is being made: its id is {id}", super::object(&made)?);
    done(cx, api, (&made, &message), (ready(), after)).await
}

/// The parameters that a new service needs, and are not given.
fn lacking(schema: &Value, given: &Map<String, Value>) -> Vec<String> {
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    required.filter(|name| !given.contains_key(*name)).map(ToOwned::to_owned).collect()
}

/// All of it at once.
fn missing(word: Option<&str>, no_name: bool, lacks: &[String]) -> Failure {
    let mut all: Vec<String> = Vec::new();
    all.extend(word.is_none().then(|| "-t TYPE".to_owned()));
    all.extend(no_name.then(|| "-n NAME".to_owned()));
    all.extend(lacks.iter().map(|name| format!("-s {name}=…")));
    let next = match word {
        Some(word) => format!("seawall services info {word} tells all of its parameters"),
        None => "seawall services types lists what can be made".to_owned(),
    };
    Failure::missing(format!("this is missing: {}", all.join(" ")), next)
}

async fn answer(cx: &mut Context, schema: &Value, parameter: &str) -> Result<String, Failure> {
    let about = &schema["properties"][parameter];
    let example = about["default"].as_str().or_else(|| about["examples"][0].as_str());
    let example = example.map(|example| format!(" ({example}, say)")).unwrap_or_default();
    if about["writeOnly"] == true {
        let secret = ask::unseen(cx, &format!("{parameter}, unseen: ")).await?;
        return Ok(secret.expose_secret().to_owned());
    }
    ask::line(cx, &clean(&format!("{parameter}{example}: "))).await
}

async fn agreed(
    cx: &mut Context,
    word: &str,
    name: &str,
    schema: &Value,
    parameters: &Map<String, Value>,
) -> Result<bool, Failure> {
    let shown = |(key, value): (&String, &Value)| {
        let secret = schema["properties"][key]["writeOnly"] == true;
        format!("{key}={}", if secret { "****" } else { value.as_str().unwrap_or_default() })
    };
    let all: Vec<String> = parameters.iter().map(shown).collect();
    writeln!(cx.out.stderr, "{}", clean(&format!("{word} {name}: {}", all.join(" "))))?;
    let typed = ask::line(cx, "Make it? [Y/n] ").await?;
    Ok(typed.is_empty() || matches!(typed.to_ascii_lowercase().as_str(), "y" | "yes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_missing_is_told_at_once() {
        let schema = json!({"required": ["database", "username", "password"]});
        let given = Map::from_iter([("username".to_owned(), json!("a"))]);
        let lacks = lacking(&schema, &given);
        let words = missing(Some("postgres"), true, &lacks).to_string();
        assert_eq!(words, "this is missing: -n NAME -s database=… -s password=…");
        let words = missing(None, true, &[]).to_string();
        assert_eq!(words, "this is missing: -t TYPE -n NAME");
        assert_eq!(lacking(&Value::Null, &given), Vec::<String>::new());
    }
}
