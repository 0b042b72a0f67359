//! Asks the server of an object while somebody waits, ends a session of it, and diagnoses it. What it tells is shown to who
//! asked and to nobody else: it must never be logged or kept.

use super::answers::not_found;
use super::any::Spec;
use super::api::{ApiError, DiagnosisView, ErrorCode, InspectView, KillView, LogOptions, Result};
use super::diagnosis::{Known, of_object};
use super::objects::Record;
use super::operator::Operator;
use super::pass::Typed;
use crate::core::diagnosis::Check;
use crate::core::names::ObjectRef;
use crate::core::seen::{ContainerState, Glance};
use crate::core::table::Table;
use crate::kinds::{Ask, End, Ended, Reconciler, Unanswered};
use futures_util::StreamExt;
use serde_json::Value;
use std::result::Result as Answer;
use std::sync::Arc;
use std::time::Duration;

/// Longest time for an answer to one question, with the login.
const PATIENCE: Duration = Duration::from_secs(15);
/// The same for all of a diagnosis.
const DIAGNOSIS: Duration = Duration::from_secs(45);
/// Lines of a log that a diagnosis shows of an object that is not Ready, and how long it waits for them.
const LOG_LINES: u32 = 5;
const LOG_PATIENCE: Duration = Duration::from_secs(5);

/// What is asked about.
pub struct Asked {
    record: Arc<Record>,
    spec: Spec,
    container: Glance,
}

/// The moment of an object for its kind.
fn typed<R: Reconciler>(operator: &Operator, asked: &Asked) -> Answer<Typed<R>, Unanswered> {
    let object = &asked.record.object;
    Typed::<R>::new(operator, Arc::clone(&asked.record), asked.spec.clone())
        .map_err(|why| Unanswered::new(why, format!("seawall describe {object}")))
}

fn nobody(asked: &Asked) -> Unanswered {
    Unanswered::new(format!("nothing that looks at {} runs", asked.record.object), "seawall run")
}

pub(super) async fn inspect<R: Reconciler>(
    kind: Option<&R>,
    operator: &Operator,
    asked: Asked,
    ask: &Ask,
) -> Answer<Table, Unanswered> {
    let kind = kind.ok_or_else(|| nobody(&asked))?;
    let moment = typed::<R>(operator, &asked)?;
    kind.inspect(&moment.subject(), &asked.container, ask).await
}

pub(super) async fn end<R: Reconciler>(
    kind: Option<&R>,
    operator: &Operator,
    asked: Asked,
    end: &End,
) -> Answer<Ended, Unanswered> {
    let kind = kind.ok_or_else(|| nobody(&asked))?;
    let moment = typed::<R>(operator, &asked)?;
    kind.end(&moment.subject(), &asked.container, end).await
}

pub(super) async fn diagnose<R: Reconciler>(
    kind: Option<&R>,
    operator: &Operator,
    asked: Asked,
    status: &Value,
) -> Vec<Check> {
    match (kind, typed::<R>(operator, &asked)) {
        (Some(kind), Ok(moment)) => kind.diagnose(&moment.subject(), &asked.container, status).await,
        _ => Vec::new(),
    }
}

fn conflict(unanswered: Unanswered) -> ApiError {
    ApiError::new(ErrorCode::Conflict, unanswered.what, unanswered.next)
}

fn too_long(object: &ObjectRef, limit: Duration) -> ApiError {
    let what = format!("{object} gave no answer within {} s", limit.as_secs());
    ApiError::new(ErrorCode::Unavailable, what, format!("seawall top {object} shows whether it is busy"))
}

impl Operator {
    /// What runs of it, as the engine has it now: between passes nobody may know. The inner error: why nothing can be asked.
    async fn asked(&self, object: &ObjectRef) -> Result<Answer<Asked, String>> {
        let record = self.record(object)?;
        let serves = self.kinds.get(object.kind).map(|kind| kind.serves(&record.memory)).unwrap_or_default();
        let Some(spec) = self.state().checked.get(object).cloned() else {
            return Ok(Err(format!("what the manifest of {object} says cannot be used now")));
        };
        let id = record.memory.member(&serves).and_then(|work| work.container.clone());
        let Some(id) = id else { return Ok(Err(format!("{object} has no container yet"))) };
        let seen = self.tools.docker.inspect(&id).await.map_err(|error| {
            ApiError::new(ErrorCode::Unavailable, error.to_string(), "seawall doctor looks at the engine")
        })?;
        Ok(match seen.filter(|seen| seen.state == ContainerState::Running) {
            Some(seen) => Ok(Asked { record, spec, container: seen.glance() }),
            None => Err(format!("no server of {object} runs")),
        })
    }

    async fn must_be_asked(&self, object: &ObjectRef) -> Result<Asked> {
        self.asked(object).await?.map_err(|why| {
            ApiError::new(ErrorCode::Conflict, why, format!("seawall diagnose {object} says more"))
        })
    }

    /// What is not known cannot be masked.
    fn knows_its_secrets(&self, object: &ObjectRef) -> Result<()> {
        self.tools.secrets(object).map(drop).map_err(|error| {
            let what = format!("{error}: whether a secret is in the answer cannot be told");
            ApiError::new(ErrorCode::Internal, what, "seawall doctor checks the key file")
        })
    }

    pub(super) async fn answer_of(&self, object: &ObjectRef, ask: &Ask) -> Result<InspectView> {
        self.must_run("this")?;
        let kind = self.kinds.get(object.kind).ok_or_else(|| not_found(object))?;
        let Some(inspection) = kind.inspections().and_then(|all| all.verb(&ask.verb)) else {
            let what = format!("{object} cannot be asked for {:?}", ask.verb);
            return Err(ApiError::new(ErrorCode::Invalid, what, "seawall help lists what can be asked"));
        };
        let asked = self.must_be_asked(object).await?;
        self.knows_its_secrets(object)?;
        let answer = tokio::time::timeout(PATIENCE, kind.inspect(self, asked, ask)).await;
        let table = answer.map_err(|_| too_long(object, PATIENCE))?.map_err(conflict)?;
        Ok(self.tools.masked_of_all(InspectView {
            object: object.to_string(),
            verb: ask.verb.clone(),
            sheet: inspection.sheet,
            table,
        }))
    }

    pub(super) async fn end_session(&self, object: &ObjectRef, end: &End) -> Result<KillView> {
        self.must_run("this")?;
        let kind = self.kinds.get(object.kind).ok_or_else(|| not_found(object))?;
        let asked = self.must_be_asked(object).await?;
        self.knows_its_secrets(object)?;
        let ended = tokio::time::timeout(PATIENCE, kind.end(self, asked, end)).await;
        let Ended { session, since, done } =
            ended.map_err(|_| too_long(object, PATIENCE))?.map_err(conflict)?;
        let message = match done {
            Some((note, message)) => {
                self.answered_for(Some(object), note).await;
                Some(message)
            }
            None => None,
        };
        let view = KillView { object: object.to_string(), session, since, message };
        Ok(self.tools.masked_of_all(view))
    }

    pub(super) async fn diagnosis_of(&self, object: &ObjectRef) -> Result<DiagnosisView> {
        use super::api::Api as _;
        self.must_run("diagnose")?;
        let view = self.object(object).await?;
        let known = Known {
            view: &view,
            events: &self.events(Some(object), 0).await?,
            problems: &self.problems_of(object),
            plan: &self.waits_of(object),
        };
        let ready = known.is_ready();
        let mut checks = of_object(&known);
        if !ready {
            checks.extend(super::diagnosis::of_log(object, &self.last_lines(object).await));
        }
        if let (true, Ok(asked), Some(kind)) = (ready, self.asked(object).await?, self.kinds.get(object.kind))
        {
            let of_server = tokio::time::timeout(DIAGNOSIS, kind.diagnose(self, asked, &view.status)).await;
            checks.extend(of_server.unwrap_or_else(|_| vec![super::diagnosis::no_answer(DIAGNOSIS)]));
        }
        // Where it is none that has containers there is nothing to recommend.
        let limits = self.recommendations(Some(object)).await.unwrap_or_default().items;
        checks.extend(limits.iter().filter_map(super::diagnosis::of_limits));
        checks.sort_by_key(|check| check.level);
        Ok(self.tools.masked_of_all(DiagnosisView { object: object.to_string(), checks }))
    }

    /// What is wrong in the manifest directory, where it is about this object's file.
    fn problems_of(&self, object: &ObjectRef) -> Vec<String> {
        let state = self.state();
        let file = state.records.get(object).and_then(|r| r.source.as_ref().map(|place| place.file.clone()));
        let of_it = state.problems.iter().filter(|p| Some(&p.place.file) == file.as_ref());
        of_it.map(ToString::to_string).take(5).collect()
    }

    /// What its last plan waits for, and what needs consent.
    fn waits_of(&self, object: &ObjectRef) -> Vec<String> {
        let state = self.state();
        let plan = state.live.get(object).and_then(|live| live.plan.as_ref());
        plan.into_iter()
            .flat_map(|plan| {
                let blocks = plan.blocked.iter().map(|b| format!("{}; to allow it: {}", b.why, b.unblock));
                blocks.chain(plan.waiting.iter().map(|w| format!("waits for {}: {}", w.on, w.why)))
            })
            .take(10)
            .collect()
    }

    async fn last_lines(&self, object: &ObjectRef) -> Vec<String> {
        let last = LogOptions { lines: Some(LOG_LINES), ..LogOptions::default() };
        let lines = async {
            let stream = self.log_of(object, &last).await.ok()?;
            let lines: Vec<_> = stream.take(LOG_LINES as usize).collect().await;
            Some(lines.into_iter().filter_map(Answer::ok).collect())
        };
        tokio::time::timeout(LOG_PATIENCE, lines).await.ok().flatten().unwrap_or_default()
    }
}
