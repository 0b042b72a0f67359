//! `seawall token`

use crate::cli::access::{CreateArgs, Form, Once, TokenVerb};
use crate::cli::age::age;
use crate::cli::connect::{connect, live};
use crate::cli::format::json_text;
use crate::cli::print::Grid;
use crate::cli::{Context, Outcome};
use crate::control::api::{NewToken, TokenView};
use jiff::Timestamp;
use std::io::Write;

pub async fn run(cx: &mut Context, verb: TokenVerb) -> Outcome {
    match verb {
        TokenVerb::Create(args) => create(cx, args).await,
        TokenVerb::List { output } => list(cx, output).await,
        TokenVerb::Revoke { name } => {
            let done = live(cx, "token revoke").await?.revoke_token(&name).await?;
            super::done(cx, &done)?;
            Ok(0)
        }
    }
}

async fn create(cx: &mut Context, args: CreateArgs) -> Outcome {
    let (grant, output) = (args.grant(), args.output);
    let new = NewToken { name: args.name, grant, expires: args.expires };
    let made = live(cx, "token create").await?.create_token(&new).await?;
    let view = &made.view;
    let until = view.expires.as_ref().map_or_else(|| "for ever".to_owned(), |at| format!("until {at}"));
    writeln!(cx.out.stderr, "token {}: {}, {until}. It is shown this once.", view.name, view.grant)?;
    match output {
        Once::Text => writeln!(cx.out.stdout, "{}", made.token)?,
        Once::Json => write!(cx.out.stdout, "{}", json_text(&made))?,
    }
    Ok(0)
}

fn row(token: &TokenView, wide: bool, now: Timestamp) -> Vec<String> {
    let ago = |at: &Option<String>| at.as_ref().map_or_else(|| "never".to_owned(), |at| age(at, now));
    let ends = match &token.expires {
        None => "never".to_owned(),
        Some(at) if token.expired => format!("over since {at}"),
        Some(at) => at.clone(),
    };
    let mut row = vec![
        token.name.to_string(),
        token.grant.to_string(),
        age(&token.created, now),
        ends,
        ago(&token.last_used),
    ];
    if wide {
        row.extend([token.created.clone(), token.last_from.map(|from| from.to_string()).unwrap_or_default()]);
    }
    row
}

async fn list(cx: &mut Context, output: Form) -> Outcome {
    let tokens = connect(cx).await?.api.tokens().await?;
    let wide = output == Form::Wide;
    let header = ["NAME", "ALLOWS", "AGE", "EXPIRES", "LAST USED", "CREATED", "LAST FROM"];
    let header = if wide { &header[..] } else { &header[..5] };
    if output == Form::Json {
        write!(cx.out.stdout, "{}", json_text(&tokens))?;
    } else if tokens.is_empty() {
        writeln!(cx.out.stderr, "No tokens found.")?;
    } else {
        let now = Timestamp::now();
        let rows: Vec<_> = tokens.iter().map(|token| row(token, wide, now)).collect();
        write!(cx.out.stdout, "{}", Grid::new(header, cx.out.colour).full(&rows))?;
    }
    Ok(0)
}
