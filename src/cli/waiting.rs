//! Waiting for an object: for a condition of what is asked for now, never for one of the state before.
//!
//! Before it believes what it sees it has the manifests read, as they are then. It has patience for an operator that restarts,
//! and none for what will not come by itself: no operator, a manifest with problems.

use super::args::Goal;
use super::backend::OfflineError;
use super::connect::{needs_operator, operator, place};
use super::out::{Failure, clean};
use super::print::conditions;
use super::{Context, Outcome};
use crate::control::api::{Api, ApiError, ErrorCode, ObjectView};
use crate::core::condition::{Condition, ConditionType};
use crate::core::names::ObjectRef;
use serde_json::Value;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long an object may be missing: a saved manifest shows up within this.
const SAVED: Duration = Duration::from_secs(5);
/// A started operator has its lock within this.
const STARTED: Duration = Duration::from_secs(1);
const AGAIN: Duration = Duration::from_millis(200);
const WATCH_MS: u64 = 5_000;

/// What to wait for, how long, and whether to say meanwhile how far it is.
pub struct Wait<'a> {
    pub object: &'a ObjectRef,
    pub goal: &'a Goal,
    pub timeout: Duration,
    pub progress: bool,
}

enum Seen {
    NoOperator,
    Missing,
    /// Why what is in the manifests is not in force yet.
    Unread(String),
    NotYet {
        revision: u64,
        how: String,
    },
    Met(String),
}

impl Seen {
    fn how(&self, cx: &Context, object: &ObjectRef) -> String {
        match self {
            Seen::NoOperator => format!("no operator answers {}", place(cx)),
            Seen::Missing => format!("{object} not found"),
            Seen::NotYet { how, .. } | Seen::Unread(how) | Seen::Met(how) => how.clone(),
        }
    }
}

impl Wait<'_> {
    /// Prints that it is so, and ends with 0.
    ///
    /// # Errors
    /// As [`Wait::until`].
    pub async fn run(&self, cx: &mut Context) -> Outcome {
        let words = self.until(cx).await?;
        writeln!(cx.out.stdout, "{words}")?;
        Ok(0)
    }

    /// That it is so, in words.
    ///
    /// # Errors
    /// When the time is over, or waiting is of no use.
    pub async fn until(&self, cx: &mut Context) -> Result<String, Failure> {
        let until = Instant::now() + self.timeout;
        let (mut api, mut answered, mut read) = (None, None, false);
        let (mut alone, mut seen, mut said) = (Instant::now(), Seen::NoOperator, String::new());
        loop {
            if api.is_none() {
                api = operator(cx).await?;
            }
            if let Some(asked) = api.clone() {
                let first = *answered.get_or_insert_with(Instant::now);
                let look = async {
                    if !read && let Some(why) = unread(&asked).await? {
                        return Ok(Seen::Unread(why));
                    }
                    read = true;
                    self.look(&asked).await
                };
                match look.await {
                    Ok(Seen::Met(words)) => return Ok(words),
                    Ok(Seen::Missing) if first.elapsed() >= SAVED => return Err(not_found(self.object)),
                    Ok(now) => seen = now,
                    // The operator restarts: look for it again.
                    Err(e) if e.code == ErrorCode::Unavailable => api = None,
                    Err(e) => return Err(e.into()),
                }
            } else if answered.is_none() && alone.elapsed() >= STARTED {
                if !matches!(cx.backend.offline(&cx.settings).await, Err(OfflineError::Locked { .. })) {
                    return Err(needs_operator(cx, "waiting").into());
                }
                alone = Instant::now();
            }
            let how = seen.how(cx, self.object);
            if self.progress && how != said {
                writeln!(cx.out.stderr, "{}", clean(&how))?;
                said = how;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(self.timed_out(cx, &seen));
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

    async fn look(&self, api: &Arc<dyn Api>) -> Result<Seen, ApiError> {
        // The revision before the look: a change in between ends the watch at once.
        let revision = api.watch(0, 0).await?;
        let (object, goal) = (self.object, self.goal);
        let view = match api.object(object).await {
            Ok(view) => view,
            Err(e) if e.code == ErrorCode::NotFound => {
                return Ok(match goal {
                    Goal::Delete => Seen::Met(format!("{object} deleted")),
                    _ => Seen::Missing,
                });
            }
            Err(e) => return Err(e),
        };
        let conditions = conditions(&view);
        let find = |kind: &str| conditions.iter().find(|c| c.kind.as_str().eq_ignore_ascii_case(kind));
        let (kind, met): (&str, &dyn Fn(&Condition) -> bool) = match goal {
            Goal::Condition { kind, status } => (kind, &|c: &Condition| c.status == *status),
            Goal::Stopped => (ConditionType::Ready.as_str(), &|c: &Condition| c.reason == "Stopped"),
            Goal::Delete => return Ok(Seen::NotYet { revision, how: format!("{object} is still there") }),
        };
        // Also that the status is of this generation: a condition of the one before proves nothing.
        if find(kind).is_some_and(met) && is_current(&view) {
            if let Some(broken) = find("Degraded")
                .filter(|c| c.reason == "ManifestBroken" && !c.kind.as_str().eq_ignore_ascii_case(kind))
            {
                let what = format!("{object}: {}", broken.message);
                return Err(ApiError::new(ErrorCode::Conflict, what, "seawall validate shows all problems"));
            }
            return Ok(Seen::Met(match goal {
                Goal::Stopped => format!("{object} is stopped"),
                _ if self.progress => format!("{object} is Ready"),
                _ => format!("{object} condition met"),
            }));
        }
        let how = match find(kind) {
            Some(_) if !is_current(&view) => format!("what {object} is asked to be now is not in force yet"),
            Some(c) => format!("{} is {}: {}: {}", c.kind, c.status, c.reason, c.message),
            None if conditions.is_empty() => format!("nothing is known of {object} yet"),
            None => format!("there is no condition {kind}"),
        };
        Ok(Seen::NotYet { revision, how })
    }

    fn timed_out(&self, cx: &Context, seen: &Seen) -> Failure {
        let what = format!("timed out waiting for the condition on {}", self.object);
        ApiError::new(ErrorCode::Conflict, what, seen.how(cx, self.object)).into()
    }
}

fn is_current(view: &ObjectView) -> bool {
    let observed = view.status.get("observedGeneration").and_then(Value::as_u64).unwrap_or(0);
    observed >= view.metadata.generation
}

/// Why the manifests as they are now are not in force yet.
async fn unread(api: &Arc<dyn Api>) -> Result<Option<String>, ApiError> {
    match api.read_manifests().await {
        Ok(true) => Ok(None),
        Ok(false) => Ok(Some("the manifests were changed a moment ago, and are not read yet".to_owned())),
        Err(e) if e.code == ErrorCode::Internal => Ok(Some(e.what)),
        Err(e) => Err(e),
    }
}

fn not_found(object: &ObjectRef) -> Failure {
    ApiError::new(ErrorCode::NotFound, format!("{object} not found"), "`seawall get` lists what there is")
        .into()
}
