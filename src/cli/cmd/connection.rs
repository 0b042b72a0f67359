//! `seawall connection`

use crate::cli::age::age;
use crate::cli::args::{ConnectionArgs, ConnectionForm};
use crate::cli::connect::connect;
use crate::cli::format::json_text;
use crate::cli::named::Among;
use crate::cli::out::Failure;
use crate::cli::{Context, Outcome};
use crate::control::api::{ConnectionView, HostPort};
use crate::control::registry::Kinds;
use crate::core::condition::Truth;
use crate::core::text::shell_quoted;
use crate::kinds::{Client, Part};
use jiff::Timestamp;
use std::io::Write;

pub async fn run(cx: &mut Context, args: ConnectionArgs) -> Outcome {
    let connected = connect(cx).await?;
    let object = args.object.find(&connected.api, Among::Running).await?;
    let view = connected.api.connection(&object, args.reveal).await?;
    let nothing = || Failure::usage(format!("{object} is nothing to connect to"), "");
    let client = Kinds::all(None).client(object.kind).ok_or_else(nothing)?;
    let in_network = args.network || args.output == ConnectionForm::Docker;
    if let (ConnectionForm::Url | ConnectionForm::Env, Some(server), false) =
        (args.output, &cx.server, in_network)
    {
        writeln!(cx.out.stderr, "this is an address of the machine of {}, not of this one", server.url)?;
    }
    let url = |to: &HostPort, mask: Option<&str>| url(client, &view, to, mask);
    let out = &mut cx.out.stdout;
    // What a script on this machine can use; the network's form where nothing is published.
    let near = view.host.as_ref().filter(|_| !in_network).unwrap_or(&view.network);
    match args.output {
        ConnectionForm::Json => write!(out, "{}", json_text(&view))?,
        ConnectionForm::Url => writeln!(out, "{}", url(near, None))?,
        ConnectionForm::Env | ConnectionForm::Docker => {
            for line in variables(client, &view, near, args.output == ConnectionForm::Env) {
                writeln!(out, "{line}")?;
            }
        }
        ConnectionForm::Text => {
            writeln!(out, "{}\n", headline(&view, connected.live, Timestamp::now()))?;
            writeln!(out, "Username:  {}", view.username)?;
            if !view.database.is_empty() {
                writeln!(out, "Database:  {}", view.database)?;
            }
            writeln!(out, "Password:  {}\n", view.password.as_deref().unwrap_or("****"))?;
            match &cx.server {
                Some(server) => writeln!(out, "From the machine of {}:", server.url)?,
                None => writeln!(out, "From this machine:")?,
            }
            match &view.host {
                Some(host) => writeln!(out, "  {}", url(host, Some("****")))?,
                None => {
                    writeln!(out, "  no port is published; use {} below, or set spec.port", client.program)?
                }
            }
            writeln!(out, "From containers on network {}:", view.network_name)?;
            writeln!(out, "  {}", url(&view.network, Some("****")))?;
            if view.password.is_none() {
                writeln!(out, "\nWith the password: seawall connection {} --reveal", view.object)?;
            }
            let name = view.object.rsplit('/').next().unwrap_or(&view.object);
            writeln!(out, "Straight in:       seawall {} {name}", client.verb)?;
        }
    }
    Ok(0)
}

/// A line each. Docker takes everything behind the sign as it is.
fn variables(client: &Client, view: &ConnectionView, to: &HostPort, quoted: bool) -> Vec<String> {
    let parts = client.variables.iter().filter_map(|(name, part)| Some((*name, value(*part, view, to)?)));
    let line = |(name, value): (&str, String)| match quoted {
        true => format!("{name}={}", shell_quoted(&value)),
        false => format!("{name}={value}"),
    };
    parts.chain([(client.url_variable, url(client, view, to, None))]).map(line).collect()
}

/// What is known, and since when.
fn headline(view: &ConnectionView, live: bool, now: Timestamp) -> String {
    let object = &view.object;
    let Some(ready) = &view.condition else { return format!("{object} was not looked at yet") };
    let known = match (ready.status, live) {
        (Truth::True, true) => format!("{object} accepts logins"),
        (Truth::True, false) => {
            format!("{object} accepted logins when it was last looked at; no operator runs")
        }
        (Truth::False, true) => format!("{object} does not accept logins"),
        (Truth::False, false) => {
            format!("{object} did not accept logins when it was last looked at; no operator runs")
        }
        (Truth::Unknown, _) => format!("whether {object} accepts logins is not known"),
    };
    let (time, reason) = (&ready.last_transition_time, &ready.reason);
    let since = format!("{reason} for {}, since {time}", age(time, now));
    match ready.status {
        Truth::True => format!("{known} ({since})"),
        _ => format!("{known} ({since}): {}", ready.message),
    }
}

/// What a program is told; `None` where there is nothing to tell.
pub fn value(part: Part, view: &ConnectionView, to: &HostPort) -> Option<String> {
    match part {
        Part::Host => Some(to.host.clone()),
        Part::Port => Some(to.port.to_string()),
        Part::Username => Some(view.username.clone()),
        Part::Database => Some(view.database.clone()).filter(|database| !database.is_empty()),
        Part::Password => view.password.clone(),
        Part::Text(text) => Some(text.to_owned()),
    }
}

/// A URL; without a password it has `mask` in its place, or no such part at all.
pub fn url(client: &Client, view: &ConnectionView, to: &HostPort, mask: Option<&str>) -> String {
    view.url(client.scheme, to, mask)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::condition::{Condition, ConditionType};

    fn view() -> ConnectionView {
        ConnectionView {
            object: "postgres/main".into(),
            username: "a@b".into(),
            database: "my db".into(),
            password: Some("p:/ä".into()),
            host: None,
            network: HostPort { host: "::1".into(), port: 5432 },
            network_name: "seawall".into(),
            container: "postgres-main".into(),
            ready: true,
            condition: None,
        }
    }

    #[test]
    fn the_headline_says_what_is_known_and_since_when() {
        let now: Timestamp = "2026-01-01T00:03:20Z".parse().unwrap();
        let said = |status, live| {
            let condition = Condition {
                kind: ConditionType::Ready,
                status,
                reason: "Reason".into(),
                message: "in words".into(),
                last_transition_time: "2026-01-01T00:00:00Z".into(),
                observed_generation: 1,
            };
            headline(&ConnectionView { condition: Some(condition), ..view() }, live, now)
        };
        for (status, live, want) in [
            (
                Truth::True,
                true,
                "postgres/main accepts logins (Reason for 3m20s, since 2026-01-01T00:00:00Z)",
            ),
            (
                Truth::True,
                false,
                "postgres/main accepted logins when it was last looked at; no operator runs (Reason for 3m20s, since 2026-01-01T00:00:00Z)",
            ),
            (
                Truth::False,
                true,
                "postgres/main does not accept logins (Reason for 3m20s, since 2026-01-01T00:00:00Z): in words",
            ),
            (
                Truth::Unknown,
                true,
                "whether postgres/main accepts logins is not known (Reason for 3m20s, since 2026-01-01T00:00:00Z): in words",
            ),
        ] {
            assert_eq!(said(status, live), want);
        }
        assert_eq!(headline(&view(), true, now), "postgres/main was not looked at yet");
    }

    #[test]
    fn awkward_names_survive() {
        let to = HostPort { host: "::1".into(), port: 5432 };
        let view = view();
        let client = Kinds::all(None).client("postgres".parse().unwrap()).unwrap();
        assert_eq!(url(client, &view, &to, None), "postgresql://a%40b:p%3A%2F%C3%A4@[::1]:5432/my%20db");
        let lines = |quoted| variables(client, &view, &to, quoted);
        assert!(lines(true).contains(&"PGDATABASE='my db'".to_owned()), "{:?}", lines(true));
        assert!(lines(false).contains(&"PGDATABASE=my db".to_owned()), "{:?}", lines(false));
        assert_eq!(lines(true).len(), lines(false).len());
        assert_eq!(shell_quoted("it's"), "'it'\\''s'");
        assert_eq!(shell_quoted("plain-1"), "plain-1");
        assert_eq!(shell_quoted(""), "''");
    }
}
