//! The operator's answers to surfaces: [`Api`] over what is known right now.

use super::api::kind_views;
use super::api::{
    Api, ApiError, Applied, ApplyOptions, AuditEntry, Changes, ConnectionView, DiagnosisView, Done,
    EnvironmentView, ErrorCode, HistoryView, InspectView, IssuedToken, JobList, KeyCheck, KeyList, KillView,
    Lines, LogOptions, ManagedBy, MetadataView, NewToken, ObjectList, ObjectView, Operation, OperatorView,
    OwnerReference, PlanList, PruneItem, PruneView, PublicKeyView, RecommendList, Result, SignInUrl,
    TestView, TokenView, TopList, no_object,
};
use super::environment::Reveal;
use super::objects::{Owner, Record};
use super::operator::Operator;
use super::registry::Kinds;
use super::requested::{not_begun_yet, of_before};
use super::state::{Away, State, resource_version};
use super::versions::Last;
use crate::core::condition::Truth;
use crate::core::event::Event;
use crate::core::names::{API_VERSION, Name, ObjectRef};
use crate::core::plan::{PlanView, Until};
use crate::core::problem::{Place, Problem};
use crate::core::status::Status;
use crate::kinds::{Ask, End};
use crate::secrets::{Algorithm, ExposeSecret};
use crate::store::{Store as _, StoreError, export};
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// What is shown of an object, taken out of the state by its pointers: to write it all down takes long, and nobody
/// is to wait for that.
pub(super) struct Known {
    record: Arc<Record>,
    status: Option<Arc<Status>>,
    /// By this process.
    seen: bool,
    /// Something was asked for, and no pass has begun with it.
    requested: bool,
    moved: bool,
    version: String,
}

impl Known {
    pub(super) fn of(state: &State, record: &Arc<Record>) -> Self {
        let live = state.live.get(&record.object);
        Self {
            record: Arc::clone(record),
            status: state.statuses.get(&record.object).cloned(),
            seen: live.is_some_and(|l| l.seen),
            requested: state.is_requested(record),
            moved: state.has_moved(&record.object),
            version: state.resource_version(record),
        }
    }

    /// Of an object that was gone with this revision.
    pub(super) fn last(Last { record, status, seen }: &Last, revision: u64) -> Self {
        let version = resource_version(revision, record);
        let (record, status) = (Arc::clone(record), status.clone());
        Self { record, status, seen: *seen, requested: false, moved: false, version }
    }
}

fn reference(owner: &Owner) -> OwnerReference {
    OwnerReference {
        api_version: API_VERSION.to_owned(),
        kind: owner.object.kind.as_str().to_owned(),
        name: owner.object.name.to_string(),
        uid: owner.uid.clone(),
        controller: owner.wanted,
    }
}

fn view(Known { record, status, version, .. }: &Known) -> ObjectView {
    let source = record.source.as_ref().map(ToString::to_string).unwrap_or_default();
    ObjectView {
        api_version: API_VERSION.to_owned(),
        kind: record.object.kind.as_str().to_owned(),
        metadata: MetadataView {
            name: record.object.name.to_string(),
            uid: record.uid.clone(),
            id: record.id,
            generation: record.generation,
            resource_version: version.clone(),
            managed_by: match (&record.source, record.by_api) {
                (Some(_), _) => Some(ManagedBy::File),
                (None, true) => Some(ManagedBy::Api),
                (None, false) => None,
            },
            creation_timestamp: record.created_at.clone(),
            labels: record.metadata.labels.clone(),
            annotations: record.metadata.annotations.clone(),
            owner_references: record.owner.iter().map(reference).collect(),
            source,
        },
        spec: record.spec.value(),
        status: status.as_deref().map(Status::json).unwrap_or_default(),
        not_saved_since: None,
    }
}

/// What an earlier process saw is not what is: until the first pass of this one, nobody knows.
fn not_looked_at_yet(view: &mut ObjectView) {
    let conditions = view.status.get_mut("conditions").and_then(|c| c.as_array_mut());
    let ready = conditions.and_then(|c| c.iter_mut().find(|c| c["type"] == "Ready"));
    if let Some(ready) = ready {
        let before = ready["status"].as_str().unwrap_or_default().to_owned();
        ready["message"] =
            format!("not looked at since the operator started; Ready was {before} before").into();
        ready["reason"] = "NotLookedAt".into();
        ready["status"] = Truth::Unknown.as_str().into();
    }
}

/// What goes on its own if nobody does anything.
fn notices(state: &State) -> Vec<String> {
    let absent = state.live.iter().filter_map(|(object, live)| Some((object, &live.absence.as_ref()?.words)));
    let absent = absent.map(|(object, words)| format!("{object}: {words}"));
    let refused = state.engine.refused.values().cloned();
    let mut all: Vec<String> = state.passed_over.iter().cloned().chain(absent).chain(refused).collect();
    for (object, live) in &state.live {
        let waiting = live.plan.iter().flat_map(|plan| &plan.waiting);
        all.extend(waiting.filter(|w| w.until == Until::Due).map(|w| format!("{object}: {}", w.why)));
    }
    all
}

pub(super) fn not_found(object: &ObjectRef) -> ApiError {
    ApiError::new(ErrorCode::NotFound, format!("{object} does not exist"), "seawall get lists what does")
}

pub(super) fn ended<T>(done: Option<Result<T>>) -> Result<T> {
    let what = "the operation ended abnormally; see the operator's log";
    done.unwrap_or_else(|| Err(ApiError::new(ErrorCode::Internal, what, "say it again")))
}

pub(super) fn store_failed(error: &StoreError) -> ApiError {
    ApiError::new(ErrorCode::Internal, error.to_string(), "free space or repair the disk, then try again")
}

impl Operator {
    pub(super) fn view(&self, known: &Known) -> ObjectView {
        let mut view = view(known);
        if self.running && !known.seen && self.kinds.runs(known.record.object.kind) {
            not_looked_at_yet(&mut view);
        }
        if known.requested {
            not_begun_yet(&mut view);
        }
        if known.moved {
            of_before(&mut view);
        }
        let object = &known.record.object;
        let sampled = self.kinds.get(object.kind).map(|kind| kind.sampled(object)).unwrap_or_default();
        // Until this process has looked, what the one before it found, with its age.
        let sampled = if sampled.is_empty() { self.found_before(&known.record) } else { sampled };
        if let (Some(status), false) = (view.status.as_object_mut(), sampled.is_empty()) {
            status.extend(self.tools.masked(object, sampled));
        }
        view.not_saved_since = self.not_saved_since(&known.record.object);
        view
    }

    /// All that is told at once, with the objects of these records.
    fn listed(&self, keep: impl Fn(&State, &Record) -> bool) -> ObjectList {
        let not_saved = self.not_saved();
        let (mut list, known) = {
            let mut state = self.state();
            let revision = self.stamped(&mut state);
            let mut problems = state.problems.clone();
            problems.extend(state.not_taken_over.as_ref().map(|why| {
                let place = Place { file: self.config.manifests.display().to_string(), ..Place::default() };
                Problem::new(place, "", format!("changes could not be taken over: {why}"))
                    .nearest("these stay as they were; it is tried again every 5 s")
            }));
            let list = ObjectList {
                items: Vec::new(),
                problems,
                guard: state.guard.as_ref().map(super::guard::Guard::message),
                engine_down: state.engine.down.as_ref().map(Away::headline),
                revision,
                notices: not_saved.into_iter().chain(notices(&state)).collect(),
                kinds: kind_views(&self.kinds),
            };
            let records = state.records.values().filter(|record| keep(&state, record));
            (list, records.map(|r| Known::of(&state, r)).collect::<Vec<_>>())
        };
        list.items = known.iter().map(|known| self.view(known)).collect();
        list
    }

    pub(super) fn record(&self, object: &ObjectRef) -> Result<Arc<Record>> {
        self.state().records.get(object).cloned().ok_or_else(|| not_found(object))
    }

    /// Why there is no such object: there may be a manifest that is not good enough for one.
    fn not_made(&self, object: &ObjectRef) -> ApiError {
        let Some(why) = self.state().kept.get(object).cloned() else { return not_found(object) };
        let what = format!("{object} is not made: its manifest has problems: {why}");
        ApiError::new(ErrorCode::Conflict, what, "seawall validate shows all of them")
    }

    pub(super) fn must_run(&self, verb: &str) -> Result<()> {
        if self.running {
            return Ok(());
        }
        Err(ApiError::new(
            ErrorCode::Unavailable,
            format!("{verb} needs a running operator"),
            "start `seawall run`",
        ))
    }
}

#[async_trait]
impl Api for Operator {
    async fn operator(&self) -> Result<OperatorView> {
        let engine = match self.engine().await {
            Ok(info) => format!("Docker {} (API {})", info.version, info.api_version),
            Err(error) => error.to_string(),
        };
        let (metrics, metrics_trouble) = match self.state().metrics.clone() {
            Some(Ok(at)) => (Some(format!("http://{at}/metrics")), None),
            Some(Err(why)) => (None, Some(why)),
            None => (None, None),
        };
        Ok(OperatorView {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            installation: self.config.installation.to_string(),
            store: self.tools.store.id(),
            pid: if self.running { std::process::id() } else { 0 },
            started_at: self.started_at.clone(),
            manifests: self.config.manifests.display().to_string(),
            engine,
            metrics,
            metrics_trouble,
        })
    }

    async fn objects(&self) -> Result<ObjectList> {
        Ok(self.listed(|_, _| true))
    }

    async fn objects_around(&self, object: &ObjectRef) -> Result<ObjectList> {
        // Any service can be tied to one of these.
        if object.kind == Kinds::of_environments() {
            return self.objects().await;
        }
        let ties = [Kinds::of_links(), Kinds::of_environments()];
        Ok(self.listed(|state, record| {
            let owner = record.owner.as_ref().map(|owner| &owner.object);
            record.object == *object
                || owner == Some(object)
                || ties.contains(&record.object.kind)
                || state.graph.referrers(object).any(|referrer| *referrer == record.object)
        }))
    }

    async fn object(&self, object: &ObjectRef) -> Result<ObjectView> {
        let known = {
            let state = self.state();
            state.records.get(object).map(|r| Known::of(&state, r))
        };
        known.map(|known| self.view(&known)).ok_or_else(|| self.not_made(object))
    }

    async fn numbered(&self, id: u64) -> Result<ObjectRef> {
        let state = self.state();
        let mut records = state.records.values();
        let found = records.find(|record| record.id == id && id > 0);
        found.map(|record| record.object.clone()).ok_or_else(|| no_object(id))
    }

    async fn events(&self, object: Option<&ObjectRef>, after: u64) -> Result<Vec<Event>> {
        let name = object.map(ToString::to_string);
        Ok(self.state().journal.after(name.as_deref(), after))
    }

    async fn top(&self, object: Option<&ObjectRef>) -> Result<TopList> {
        self.use_of(object).await
    }

    async fn history(&self, object: &ObjectRef, metric: Option<&str>, since: u64) -> Result<HistoryView> {
        self.history_of(object, metric, since).await
    }

    async fn recommend(&self, object: Option<&ObjectRef>) -> Result<RecommendList> {
        self.recommendations(object).await
    }

    async fn watch(&self, after: u64, wait_ms: u64) -> Result<u64> {
        let mut revision = self.revision();
        let wait = Duration::from_millis(wait_ms.min(30_000));
        let newer = tokio::time::timeout(wait, revision.wait_for(|r| *r > after)).await;
        match newer {
            Ok(Ok(revision)) => Ok(*revision),
            _ => Ok(*self.revision().borrow()),
        }
    }

    async fn changes(&self, after: Option<u64>) -> Result<Changes> {
        self.changes_after(after)
    }

    async fn plan(&self, files: Option<BTreeMap<String, String>>) -> Result<PlanList> {
        self.preview(files).await
    }

    async fn plan_of(&self, object: &ObjectRef) -> Result<PlanView> {
        self.plan_one(object).await
    }

    async fn read_manifests(&self) -> Result<bool> {
        self.must_run("this")?;
        let read = |me: Arc<Self>| async move { me.read_manifests_now().await.map_err(|e| store_failed(&e)) };
        ended(self.to_the_end(read).await)
    }

    async fn plan_beside(&self, files: BTreeMap<String, String>) -> Result<PlanList> {
        self.preview_beside(files).await
    }

    async fn jobs(&self) -> Result<JobList> {
        Ok(self.job_list())
    }

    async fn operate(&self, object: &ObjectRef, operation: Operation) -> Result<Done> {
        let object = object.clone();
        ended(self.to_the_end(|me| async move { me.do_operate(&object, operation).await }).await)
    }

    async fn rename(&self, old: &ObjectRef, new: &ObjectRef) -> Result<Done> {
        self.must_run("rename")?;
        let (old, new) = (old.clone(), new.clone());
        ended(self.to_the_end(|me| async move { me.rename_object(&old, &new).await }).await)
    }

    async fn apply(&self, document: &str, options: &ApplyOptions) -> Result<Applied> {
        let (document, options) = (document.to_owned(), options.clone());
        ended(self.to_the_end(|me| async move { me.do_apply(&document, &options).await }).await)
    }

    async fn patch(&self, object: &ObjectRef, patch: &str, options: &ApplyOptions) -> Result<Applied> {
        let (object, patch, options) = (object.clone(), patch.to_owned(), options.clone());
        ended(self.to_the_end(|me| async move { me.do_patch(&object, &patch, &options).await }).await)
    }

    async fn delete(&self, object: &ObjectRef, confirm: &str) -> Result<Done> {
        let (object, confirm) = (object.clone(), confirm.to_owned());
        ended(self.to_the_end(|me| async move { me.do_delete(&object, &confirm).await }).await)
    }

    async fn would_delete(&self, object: &ObjectRef, confirm: &str) -> Result<Applied> {
        self.plan_deletion(object, confirm).await
    }

    async fn connection(&self, object: &ObjectRef, reveal: bool) -> Result<ConnectionView> {
        let mut view = self.way_in(object)?;
        if reveal {
            let password = self.password_of(object)?;
            self.reveals(object, "its password is shown").await?;
            view.password = Some(password.expose_secret().to_owned());
        }
        Ok(view)
    }

    async fn login(&self, object: &ObjectRef, program: &str) -> Result<ConnectionView> {
        let (view, password) = (self.way_in(object)?, self.password_of(object)?);
        self.starts(object, program).await?;
        Ok(ConnectionView { password: Some(password.expose_secret().to_owned()), ..view })
    }

    async fn environment(
        &self,
        object: &ObjectRef,
        environment: &str,
        on_host: bool,
        reveal: bool,
    ) -> Result<EnvironmentView> {
        self.must_run("env")?;
        let which = if reveal { Reveal::All } else { Reveal::Nothing };
        self.variables(object, environment, on_host, which).await
    }

    async fn reveal_variable(
        &self,
        object: &ObjectRef,
        environment: &str,
        variable: &str,
    ) -> Result<EnvironmentView> {
        self.must_run("env")?;
        self.variables(object, environment, false, Reveal::One(variable)).await
    }

    async fn test(&self, object: &ObjectRef) -> Result<TestView> {
        self.must_run("link test")?;
        self.test_link(object).await
    }

    async fn logs(&self, object: &ObjectRef, options: &LogOptions) -> Result<Lines> {
        self.log_of(object, options).await
    }

    async fn inspect(&self, object: &ObjectRef, ask: &Ask) -> Result<InspectView> {
        self.answer_of(object, ask).await
    }

    async fn kill(&self, object: &ObjectRef, end: &End) -> Result<KillView> {
        let (object, end) = (object.clone(), end.clone());
        ended(self.to_the_end(|me| async move { me.end_session(&object, &end).await }).await)
    }

    async fn diagnose(&self, object: &ObjectRef) -> Result<DiagnosisView> {
        self.diagnosis_of(object).await
    }

    async fn prune(&self) -> Result<PruneView> {
        let state = self.state();
        let Some(guard) = &state.guard else { return Ok(PruneView::default()) };
        let what = |object: &ObjectRef| {
            let checked = state.checked.get(object);
            match checked {
                Some(c) if c.given_up() && !self.kinds.has_containers(object.kind) => {
                    "its logins are closed; its data are deleted after the deletion grace"
                }
                Some(c) if c.given_up() => {
                    "the container is removed; volume with all data, credentials and record are deleted after the deletion grace"
                }
                _ if !self.kinds.has_containers(object.kind) => self.kinds.gone(object.kind),
                _ => "the container is removed; volume, credentials and record are kept",
            }
        };
        Ok(PruneView {
            would_remove: guard
                .objects
                .iter()
                .map(|o| PruneItem { object: o.to_string(), what: what(o).to_owned() })
                .collect(),
            guard: Some(guard.headline()),
            confirm: guard.confirm_words(),
        })
    }

    async fn confirm_prune(&self, confirm: &str) -> Result<Done> {
        let confirm = confirm.to_owned();
        ended(self.to_the_end(|me| async move { me.do_confirm_prune(&confirm).await }).await)
    }

    async fn keys(&self) -> Result<KeyList> {
        self.key_list()
    }

    async fn verify_keys(&self) -> Result<KeyCheck> {
        self.key_check()
    }

    async fn rotate_keys(&self, cipher: Option<Algorithm>) -> Result<Done> {
        ended(self.to_the_end(|me| async move { me.do_rotate_keys(cipher).await }).await)
    }

    async fn public_key(&self) -> Result<PublicKeyView> {
        ended(self.to_the_end(|me| async move { me.do_public_key().await }).await)
    }

    async fn create_token(&self, new: &NewToken) -> Result<IssuedToken> {
        let new = new.clone();
        ended(self.to_the_end(|me| async move { me.do_create_token(new).await }).await)
    }

    async fn tokens(&self) -> Result<Vec<TokenView>> {
        Ok(self.token_views())
    }

    async fn sign_in_link(&self) -> Result<SignInUrl> {
        ended(self.to_the_end(|me| async move { me.do_sign_in_link().await }).await)
    }

    async fn revoke_token(&self, name: &Name) -> Result<Done> {
        let name = name.clone();
        ended(self.to_the_end(|me| async move { me.do_revoke_token(&name).await }).await)
    }

    async fn audit(&self, after: u64) -> Result<Vec<AuditEntry>> {
        self.audited_after(after)
    }

    async fn export(&self) -> Result<Vec<String>> {
        export(&self.tools.store).map_err(|e| store_failed(&e))
    }
}
