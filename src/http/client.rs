//! The API of a running operator, over its unix socket or over TCP with a token (`dial.rs`).
//!
//! One connection per call: nothing is kept, so nothing can be stale after the operator restarted.
//! Every call has a time limit and a limit on the size of its answer.

use super::dial::{Server, To};
use super::document::named;
use super::wire::{
    ALL, AuditQuery, ConfirmBody, ConnectionQuery, DeleteQuery, DryRun, EnvironmentQuery, ErrorBody,
    EventsQuery, EventsView, HistoryQuery, InspectQuery, KillBody, ListView, LogLine, MAX_WAIT_MS, Nothing,
    OBJECTS, PLAN_TIMEOUT, PlanBody, ReadAnswer, RenameBody, RotateKeysBody, TopQuery, WatchAnswer,
    WatchQuery, WriteQuery,
};
use crate::control::api::{
    Api, ApiError, Applied, ApplyOptions, AuditEntry, ConnectionView, DiagnosisView, Done, EnvironmentView,
    ErrorCode, HistoryView, InspectView, IssuedToken, JobList, KeyCheck, KeyList, KillView, Lines,
    LogOptions, NewToken, ObjectList, ObjectView, Operation, OperatorView, PlanList, PruneView,
    PublicKeyView, RecommendList, Result, SignInUrl, TestView, TokenView, TopList,
};
use crate::core::event::Event;
use crate::core::names::{Name, ObjectRef};
use crate::core::plan::PlanView;
use crate::core::text::url_part;
use crate::kinds::{Ask, End};
use crate::secrets::Algorithm;
use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::future::{BoxFuture, Fuse, FusedFuture, FutureExt};
use futures_util::stream::StreamExt;
use http_body_util::{BodyExt, Full, Limited};
pub use hyper::Method;
use hyper::body::Incoming;
use hyper::{Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const CALL: Duration = Duration::from_secs(10);
/// An export reads the whole store; stop, delete and restart may wait for a fast shutdown.
const LONG_CALL: Duration = Duration::from_secs(70);
const PROBE: Duration = Duration::from_secs(2);
/// Largest answer; an export of 10,000 services stays far below.
const MAX_ANSWER: usize = 256 << 20;

/// A client of one operator.
#[derive(Clone, Debug)]
pub struct Client {
    to: To,
}

impl Client {
    #[must_use]
    pub fn new(socket: &Path) -> Self {
        Self { to: To::Socket(socket.to_owned()) }
    }

    #[must_use]
    pub fn of_server(server: Server) -> Self {
        Self { to: To::Server(Arc::new(server)) }
    }

    /// Whether an operator answers within 2 s.
    pub async fn answers(&self) -> bool {
        self.call(Method::GET, "/v1/healthz", Bytes::new(), PROBE).await.is_ok()
    }

    /// Of the service API, as it is told: `path` is below `/api/external-services`.
    ///
    /// # Errors
    /// The API's own, and those of the way there.
    pub async fn service(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value> {
        let body = body.map(ToString::to_string).unwrap_or_default();
        decode(&self.call(method, &format!("/api/external-services{path}"), body.into(), LONG_CALL).await?)
    }

    async fn get<T: DeserializeOwned>(&self, path: &str, limit: Duration) -> Result<T> {
        decode(&self.call(Method::GET, path, Bytes::new(), limit).await?)
    }

    async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
        limit: Duration,
    ) -> Result<T> {
        let body = serde_json::to_vec(body).map_err(|e| internal(format!("the request: {e}")))?;
        decode(&self.call(Method::POST, path, body.into(), limit).await?)
    }

    async fn write(&self, method: Method, path: &str, body: &str, options: &ApplyOptions) -> Result<Applied> {
        let path = with_query(path, &WriteQuery::from(options))?;
        decode(&self.call(method, &path, Bytes::copy_from_slice(body.as_bytes()), LONG_CALL).await?)
    }

    async fn call(&self, method: Method, path: &str, body: Bytes, limit: Duration) -> Result<Bytes> {
        self.within(limit, self.exchange(method, path, body)).await
    }

    async fn within<T>(&self, limit: Duration, answer: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::time::timeout(limit, answer).await.unwrap_or_else(|_| {
            Err(unavailable(
                format!("the operator on {} had no answer within {} s", self.to, limit.as_secs()),
                "look at its log; `seawall doctor` checks what it needs",
            ))
        })
    }

    async fn exchange(&self, method: Method, path: &str, body: Bytes) -> Result<Bytes> {
        let (connection, body) = self.ask(method, path, body).await?;
        self.whole(connection, body).await
    }

    /// Until the answer begins, which is a good one.
    async fn ask(&self, method: Method, path: &str, body: Bytes) -> Result<(Driven, Incoming)> {
        let lost = |what: &str, e: &dyn std::fmt::Display| self.lost(what, e);
        let stream = self.to.connect().await.map_err(|e| lost("no operator on", &e))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|e| lost("no HTTP on", &e))?;
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, self.to.host())
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::CONNECTION, "close");
        if let Some(authorization) = self.to.authorization() {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        let request = request.body(Full::new(body)).map_err(|e| internal(format!("the request: {e}")))?;
        let mut connection = Driven(connection.map(drop).boxed().fuse());
        let answer = connection.meanwhile(sender.send_request(request)).await;
        let response = answer.map_err(|e| lost("lost the operator on", &e))?;
        if response.status().is_success() {
            return Ok((connection, response.into_body()));
        }
        let status = response.status();
        let body = self.whole(connection, response.into_body()).await?;
        Err(failure(status, &body, &self.to))
    }

    /// An answer to its end.
    async fn whole(&self, mut connection: Driven, body: Incoming) -> Result<Bytes> {
        let read = connection.meanwhile(Limited::new(body, MAX_ANSWER).collect()).await;
        Ok(read.map_err(|e| self.lost("could not read the answer from", &e))?.to_bytes())
    }

    fn lost(&self, what: &str, e: &dyn std::fmt::Display) -> ApiError {
        unavailable(format!("{what} {}: {e}", self.to), self.to.next())
    }
}

/// A connection, driven by whoever waits for something on it rather than in a task of its own, so that nothing
/// outlives the call.
struct Driven(Fuse<BoxFuture<'static, ()>>);

impl Driven {
    async fn meanwhile<T>(&mut self, wanted: impl Future<Output = T>) -> T {
        tokio::pin!(wanted);
        loop {
            tokio::select! {
                biased;
                done = &mut wanted => return done,
                () = &mut self.0, if !self.0.is_terminated() => {}
            }
        }
    }
}

/// An answer that comes as it is made, a JSON value a line.
struct Reading {
    client: Client,
    connection: Driven,
    body: Incoming,
    /// What was read behind the last whole line.
    rest: BytesMut,
}

impl Reading {
    async fn line(&mut self) -> Result<Option<Bytes>> {
        loop {
            if let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                return Ok(Some(self.rest.split_to(end + 1).freeze()));
            }
            if self.rest.len() > MAX_ANSWER {
                return Err(internal(format!("a line is longer than {MAX_ANSWER} bytes")));
            }
            match self.connection.meanwhile(self.body.frame()).await {
                None => return Ok(None),
                // Trailers say nothing.
                Some(Ok(frame)) => self.rest.extend(frame.into_data().unwrap_or_default()),
                Some(Err(e)) => {
                    return Err(self.client.lost("the answer ended early: lost the operator on", &e));
                }
            }
        }
    }

    async fn log_line(mut self) -> Option<(Result<String>, Reading)> {
        let line = match self.line().await {
            Ok(line) => decode::<LogLine>(&line?),
            Err(error) => Err(error),
        };
        let line = line.and_then(|line| match line {
            LogLine::Text(text) => Ok(text),
            LogLine::Error(error) => Err(error),
        });
        Some((line, self))
    }
}

/// The operator's own words where the body has them.
fn failure(status: StatusCode, body: &[u8], to: &To) -> ApiError {
    match serde_json::from_slice::<ErrorBody>(body) {
        // Only a token can be wrong, and this is where one comes from.
        Ok(ErrorBody { code: ErrorCode::Unauthenticated, detail, .. }) if matches!(to, To::Server(_)) => {
            let next = format!("seawall login {to}, with another token");
            ApiError::new(ErrorCode::Unauthenticated, detail, next)
        }
        Ok(ErrorBody { code, detail, next, .. }) => ApiError::new(code, detail, next),
        Err(_) => internal(format!("{to} answered {status}, not as an operator does")),
    }
}

fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T> {
    serde_json::from_slice(body).map_err(|e| {
        ApiError::new(
            ErrorCode::Internal,
            format!("the operator's answer is not understood: {e}"),
            "operator and command line may be of different versions: see `seawall version`",
        )
    })
}

fn internal(what: String) -> ApiError {
    ApiError::new(ErrorCode::Internal, what, "")
}

fn unavailable(what: String, next: &str) -> ApiError {
    ApiError::new(ErrorCode::Unavailable, what, next)
}

/// `path?query`. Values are numbers, booleans and object references: none needs escaping in a query.
fn with_query(path: &str, query: &impl Serialize) -> Result<String> {
    let query = serde_json::to_value(query).map_err(|e| internal(format!("the query: {e}")))?;
    let pairs: Vec<String> = query
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, value)| match value.as_str() {
            Some(text) => format!("{key}={}", url_part(text)),
            None => format!("{key}={value}"),
        })
        .collect();
    Ok(format!("{path}?{}", pairs.join("&")))
}

fn at(object: &ObjectRef, rest: &str) -> String {
    format!("{OBJECTS}/{object}{rest}")
}

#[async_trait]
impl Api for Client {
    async fn operator(&self) -> Result<OperatorView> {
        self.get("/v1/operator", CALL).await
    }
    async fn objects(&self) -> Result<ObjectList> {
        let list: ListView = self.get(&format!("{OBJECTS}/{ALL}"), CALL).await?;
        let revision = list.metadata.resource_version.parse();
        Ok(ObjectList {
            items: list.items,
            problems: list.problems,
            guard: list.guard,
            engine_down: list.engine_down,
            revision: revision.map_err(|e| internal(format!("the list's resourceVersion: {e}")))?,
            notices: list.notices,
            kinds: list.kinds,
        })
    }
    async fn object(&self, object: &ObjectRef) -> Result<ObjectView> {
        self.get(&at(object, ""), CALL).await
    }
    async fn events(&self, object: Option<&ObjectRef>, after: u64) -> Result<Vec<Event>> {
        let path = object.map_or_else(|| format!("{OBJECTS}/events"), |object| at(object, "/events"));
        let events: EventsView = self.get(&with_query(&path, &EventsQuery { after })?, CALL).await?;
        Ok(events.items)
    }
    async fn top(&self, object: Option<&ObjectRef>) -> Result<TopList> {
        let query = TopQuery { object: object.map(ToString::to_string) };
        self.get(&with_query("/v1/top", &query)?, LONG_CALL).await
    }
    async fn history(&self, object: &ObjectRef, metric: Option<&str>, since: u64) -> Result<HistoryView> {
        let query = HistoryQuery { metric: metric.map(ToOwned::to_owned), since };
        self.get(&with_query(&at(object, "/history"), &query)?, LONG_CALL).await
    }
    async fn jobs(&self) -> Result<JobList> {
        self.get("/v1/jobs", CALL).await
    }
    async fn recommend(&self, object: Option<&ObjectRef>) -> Result<RecommendList> {
        let query = TopQuery { object: object.map(ToString::to_string) };
        self.get(&with_query("/v1/recommend", &query)?, LONG_CALL).await
    }
    async fn watch(&self, after: u64, wait_ms: u64) -> Result<u64> {
        let wait_ms = wait_ms.min(MAX_WAIT_MS);
        let path = with_query("/v1/watch", &WatchQuery { after, wait_ms })?;
        let answer: WatchAnswer = self.get(&path, CALL + Duration::from_millis(wait_ms)).await?;
        Ok(answer.revision)
    }
    async fn read_manifests(&self) -> Result<bool> {
        let answer: ReadAnswer = self.post("/v1/manifests/read", &serde_json::json!({}), LONG_CALL).await?;
        Ok(answer.read)
    }
    async fn plan(&self, files: Option<BTreeMap<String, String>>) -> Result<PlanList> {
        self.post("/v1/plan", &PlanBody { files, beside: false }, PLAN_TIMEOUT + Duration::from_secs(5)).await
    }
    async fn plan_beside(&self, files: BTreeMap<String, String>) -> Result<PlanList> {
        let body = PlanBody { files: Some(files), beside: true };
        self.post("/v1/plan", &body, PLAN_TIMEOUT + Duration::from_secs(5)).await
    }
    async fn plan_of(&self, object: &ObjectRef) -> Result<PlanView> {
        self.get(&at(object, "/plan"), PLAN_TIMEOUT + Duration::from_secs(5)).await
    }
    async fn operate(&self, object: &ObjectRef, operation: Operation) -> Result<Done> {
        self.post(&at(object, &format!("/{}", operation.as_str())), &Nothing {}, LONG_CALL).await
    }
    async fn rename(&self, old: &ObjectRef, new: &ObjectRef) -> Result<Done> {
        self.post(&at(old, "/rename"), &RenameBody { to: new.clone() }, LONG_CALL).await
    }
    async fn apply(&self, document: &str, options: &ApplyOptions) -> Result<Applied> {
        let none =
            || ApiError::new(ErrorCode::Invalid, "the document does not say which object it is of", "");
        let object = named(document).ok_or_else(none)?;
        let (method, path) = match options.create {
            true => (Method::POST, format!("{OBJECTS}/{}", object.kind.lower())),
            false => (Method::PUT, at(&object, "")),
        };
        self.write(method, &path, document, options).await
    }
    async fn patch(&self, object: &ObjectRef, patch: &str, options: &ApplyOptions) -> Result<Applied> {
        self.write(Method::PATCH, &at(object, ""), patch, options).await
    }
    async fn delete(&self, object: &ObjectRef, confirm: &str) -> Result<Done> {
        let query = DeleteQuery { confirm: confirm.to_owned(), dry_run: None };
        let path = with_query(&at(object, ""), &query)?;
        decode(&self.call(Method::DELETE, &path, Bytes::new(), LONG_CALL).await?)
    }
    async fn would_delete(&self, object: &ObjectRef, confirm: &str) -> Result<Applied> {
        let query = DeleteQuery { confirm: confirm.to_owned(), dry_run: Some(DryRun::All) };
        let path = with_query(&at(object, ""), &query)?;
        decode(&self.call(Method::DELETE, &path, Bytes::new(), LONG_CALL).await?)
    }
    async fn connection(&self, object: &ObjectRef, reveal: bool) -> Result<ConnectionView> {
        let ask = ConnectionQuery { reveal, program: None };
        self.get(&with_query(&at(object, "/connection"), &ask)?, CALL).await
    }
    async fn login(&self, object: &ObjectRef, program: &str) -> Result<ConnectionView> {
        let ask = ConnectionQuery { reveal: true, program: Some(program.to_owned()) };
        self.get(&with_query(&at(object, "/connection"), &ask)?, CALL).await
    }

    async fn environment(
        &self,
        object: &ObjectRef,
        environment: &str,
        on_host: bool,
        reveal: bool,
    ) -> Result<EnvironmentView> {
        let ask = EnvironmentQuery { environment: environment.to_owned(), on_host, reveal };
        self.get(&with_query(&at(object, "/environment"), &ask)?, CALL).await
    }
    async fn test(&self, object: &ObjectRef) -> Result<TestView> {
        self.post(&at(object, "/test"), &serde_json::json!({}), LONG_CALL).await
    }
    async fn logs(&self, object: &ObjectRef, options: &LogOptions) -> Result<Lines> {
        let path = with_query(&at(object, "/logs"), options)?;
        let asked = self.ask(Method::GET, &path, Bytes::new());
        let (connection, body) = self.within(CALL, asked).await?;
        let reading = Reading { client: self.clone(), connection, body, rest: BytesMut::new() };
        Ok(futures_util::stream::unfold(reading, Reading::log_line).boxed())
    }
    async fn inspect(&self, object: &ObjectRef, ask: &Ask) -> Result<InspectView> {
        let query = InspectQuery { database: ask.database.clone(), verbose: ask.verbose };
        self.get(&with_query(&at(object, &format!("/inspect/{}", url_part(&ask.verb))), &query)?, LONG_CALL)
            .await
    }
    async fn kill(&self, object: &ObjectRef, end: &End) -> Result<KillView> {
        let End { session, since, force } = end.clone();
        self.post(&at(object, "/kill"), &KillBody { session, since, force }, LONG_CALL).await
    }
    async fn diagnose(&self, object: &ObjectRef) -> Result<DiagnosisView> {
        self.get(&at(object, "/diagnose"), LONG_CALL).await
    }
    async fn prune(&self) -> Result<PruneView> {
        self.get("/v1/prune", CALL).await
    }
    async fn confirm_prune(&self, confirm: &str) -> Result<Done> {
        self.post("/v1/prune", &ConfirmBody { confirm: confirm.to_owned() }, LONG_CALL).await
    }
    async fn keys(&self) -> Result<KeyList> {
        self.get("/v1/keys", CALL).await
    }
    async fn verify_keys(&self) -> Result<KeyCheck> {
        self.post("/v1/keys/verify", &serde_json::json!({}), LONG_CALL).await
    }
    async fn rotate_keys(&self, cipher: Option<Algorithm>) -> Result<Done> {
        self.post("/v1/keys/rotate", &RotateKeysBody { cipher }, LONG_CALL).await
    }
    async fn public_key(&self) -> Result<PublicKeyView> {
        self.get("/v1/keys/public", CALL).await
    }
    async fn create_token(&self, new: &NewToken) -> Result<IssuedToken> {
        self.post("/v1/tokens", new, LONG_CALL).await
    }
    async fn tokens(&self) -> Result<Vec<TokenView>> {
        self.get("/v1/tokens", CALL).await
    }
    async fn revoke_token(&self, name: &Name) -> Result<Done> {
        decode(&self.call(Method::DELETE, &format!("/v1/tokens/{name}"), Bytes::new(), LONG_CALL).await?)
    }
    async fn sign_in_link(&self) -> Result<SignInUrl> {
        self.post("/v1/sign-in-links", &serde_json::json!({}), LONG_CALL).await
    }
    async fn audit(&self, after: u64) -> Result<Vec<AuditEntry>> {
        self.get(&with_query("/v1/audit", &AuditQuery { after })?, LONG_CALL).await
    }
    async fn export(&self) -> Result<Vec<String>> {
        let body = self.call(Method::GET, "/v1/export", Bytes::new(), LONG_CALL).await?;
        let text = String::from_utf8_lossy(&body);
        Ok(text.lines().map(str::to_owned).collect())
    }
}
