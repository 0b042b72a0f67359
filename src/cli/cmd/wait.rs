//! `seawall wait`, as kubectl's, with patience for an operator that just starts and for a manifest
//! that was just saved.

use crate::cli::args::{Goal, WaitArgs};
use crate::cli::connect::{operator, place};
use crate::cli::out::Failure;
use crate::cli::print::conditions;
use crate::cli::{Context, Outcome};
use crate::control::api::{Api, ApiError, ErrorCode, ObjectView};
use crate::core::names::ObjectRef;
use serde_json::Value;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long an object may be missing: a saved manifest shows up within this.
const SAVED: Duration = Duration::from_secs(5);
const AGAIN: Duration = Duration::from_millis(200);
const WATCH_MS: u64 = 5_000;

pub async fn run(cx: &mut Context, args: WaitArgs) -> Outcome {
    let until = Instant::now() + args.timeout;
    let mut api = None;
    let mut answered = None;
    let mut seen = Seen::NoOperator;
    loop {
        if api.is_none() {
            api = operator(cx).await?;
        }
        if let Some(asked) = api.clone() {
            let first = *answered.get_or_insert_with(Instant::now);
            match look(&asked, &args.object, &args.goal).await {
                Ok(Seen::Met(words)) => {
                    writeln!(cx.out.stdout, "{words}")?;
                    return Ok(0);
                }
                Ok(Seen::Missing) if first.elapsed() >= SAVED => return Err(not_found(&args.object)),
                Ok(now) => seen = now,
                // The operator restarts: look for it again.
                Err(e) if e.code == ErrorCode::Unavailable => api = None,
                Err(e) => return Err(e.into()),
            }
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(timed_out(cx, &args.object, &seen));
        }
        let pause = left.min(AGAIN);
        match (&api, &seen) {
            (Some(asked), Seen::NotYet { revision, .. }) => {
                let wait = u64::try_from(left.as_millis()).unwrap_or(WATCH_MS).min(WATCH_MS);
                if asked.watch(*revision, wait).await.is_err() {
                    api = None;
                    tokio::time::sleep(pause).await;
                }
            }
            _ => tokio::time::sleep(pause).await,
        }
    }
}

enum Seen {
    NoOperator,
    Missing,
    NotYet { revision: u64, how: String },
    Met(String),
}

async fn look(api: &Arc<dyn Api>, object: &ObjectRef, goal: &Goal) -> Result<Seen, ApiError> {
    // The revision before the look: a change in between ends the watch at once.
    let revision = api.watch(0, 0).await?;
    let view = match api.object(object).await {
        Ok(view) => view,
        Err(e) if e.code == ErrorCode::NotFound => {
            return Ok(match goal {
                Goal::Delete => Seen::Met(format!("{object} deleted")),
                Goal::Condition { .. } => Seen::Missing,
            });
        }
        Err(e) => return Err(e),
    };
    Ok(match goal {
        Goal::Condition { kind, status } if met(&view, kind, status.as_str()) => {
            Seen::Met(format!("{object} condition met"))
        }
        Goal::Condition { kind, .. } => Seen::NotYet { revision, how: how(&view, kind) },
        Goal::Delete => Seen::NotYet { revision, how: format!("{object} is still there") },
    })
}

/// Also that the status is of this generation: a condition of the one before proves nothing.
fn met(view: &ObjectView, kind: &str, status: &str) -> bool {
    let observed = view.status.get("observedGeneration").and_then(Value::as_u64).unwrap_or(0);
    observed >= view.metadata.generation
        && conditions(view)
            .iter()
            .any(|c| c.kind.as_str().eq_ignore_ascii_case(kind) && c.status.as_str() == status)
}

fn how(view: &ObjectView, kind: &str) -> String {
    let conditions = conditions(view);
    match conditions.iter().find(|c| c.kind.as_str().eq_ignore_ascii_case(kind)) {
        Some(c) => format!("{} is {}: {}: {}", c.kind, c.status, c.reason, c.message),
        None => format!("there is no condition {kind}"),
    }
}

fn not_found(object: &ObjectRef) -> Failure {
    ApiError::new(ErrorCode::NotFound, format!("{object} not found"), "`seawall get` lists what there is")
        .into()
}

fn timed_out(cx: &Context, object: &ObjectRef, seen: &Seen) -> Failure {
    let how = match seen {
        Seen::NoOperator => format!("no operator answers {}", place(cx)),
        Seen::Missing => format!("{object} not found"),
        Seen::NotYet { how, .. } | Seen::Met(how) => how.clone(),
    };
    let what = format!("timed out waiting for the condition on {object}");
    ApiError::new(ErrorCode::Conflict, what, how).into()
}
