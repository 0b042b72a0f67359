//! The program's top: builds the operator out of its parts and answers what the CLI asks beside the
//! API. Decides nothing; it knows every floor so that no other module has to.

mod doctor;
mod recover;

use crate::cli::backend::{Backend, Check, OfflineError, Validated};
use crate::cli::settings::Listening;
use crate::cli::settings::{RunSettings, Settings};
use crate::control::api::{Api, ApiError, Done, ErrorCode, ObjectList};
use crate::control::driver::drive;
use crate::control::operator::{Config, Operator, Times};
use crate::control::registry::{Kinds, schema_files};
use crate::control::{settle, start};
use crate::core::names::Kind;
use crate::docker::{BollardDocker, Docker};
use crate::http::client::Client;
use crate::http::openapi::OPENAPI;
use crate::http::server::serve_for;
use crate::http::{listen, metrics, openapi, tls};
use crate::manifest::schema::render;
use crate::secrets::{Algorithm, Key, KeyError, Keys, Sealer};
use crate::store::{MemoryStore, SledStore, Store, StoreError};
use crate::web;
use crate::workload::tools::Reach;
use crate::workload::tools::vault::{CIPHER_KEY, SECRETS, cipher_of};
use async_trait::async_trait;
use axum::Router;
use std::collections::BTreeMap;
use std::io::{IsTerminal, Write, stderr};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// After SIGTERM: the step in hand may take this long, then it is cut (crash-only makes that safe).
const LEAVE: Duration = Duration::from_secs(8);
/// A command without an operator holds the store at most this long.
const LOOKING: Duration = Duration::from_secs(10);
/// Between two samples of what objects use.
const SAMPLES: Duration = Duration::from_secs(30);
/// `run --once` gives up waiting for objects after this long.
const ONCE: Duration = Duration::from_secs(300);

/// Open files at once; many systems begin with 1,024.
const FILES: u64 = 16_384;

pub struct Program;

/// A core dump would hold the key and every password: none is written, and no other process of this user may
/// look into the memory. To be called before anything else.
///
/// # Errors
/// Of the system, which then still has them on.
pub fn no_core_dumps() -> std::io::Result<()> {
    use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
    // What is started from here (psql) inherits the limit.
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}

/// As many open files as watchers, strangers and servers together may need, where the system allows it.
fn many_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = maximum.map_or(FILES, |most| most.min(FILES));
    if current.is_some_and(|current| current < wanted)
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum })
    {
        tracing::warn!(%error, "there can be only few connections at once: the limit of open files stays as it is");
    }
}

fn internal(what: impl std::fmt::Display, next: &str) -> ApiError {
    ApiError::new(ErrorCode::Internal, what.to_string(), next)
}

fn store_error(error: &StoreError) -> ApiError {
    let next = match error {
        StoreError::Damaged { .. } => "keep the directory; `seawall recover` rebuilds the store",
        StoreError::Exposed { .. } => "put it right as said, or give another --data",
        StoreError::Newer { .. } => "run the Seawall that wrote it, or a newer one",
        StoreError::Write { .. } => return internal(error, &who_may(error)),
        StoreError::Read { .. } => "run as the user who owns the data directory (sudo seawall …)",
        _ => "",
    };
    internal(error, next)
}

/// What to do when a data directory cannot be used: mostly it is somebody else's, and nothing is wrong with it.
fn who_may(error: &StoreError) -> String {
    let StoreError::Write { path, .. } = error else { return String::new() };
    format!("run as the user who owns {} (sudo seawall …), or free some space there", path.display())
}

fn docker(settings: &Settings) -> Result<Arc<dyn Docker>, ApiError> {
    let docker = BollardDocker::connect(settings.docker_host.as_deref())
        .map_err(|e| internal(e, "give --docker-host unix:///path/to/docker.sock"))?;
    Ok(Arc::new(docker))
}

/// In a container beside the databases (deploy/Dockerfile sets the variable) they are reached by name,
/// on the host by address.
fn reach() -> Reach {
    match std::env::var("SEAWALL_REACH").as_deref() {
        Ok("network") => Reach::Network,
        _ => Reach::Host,
    }
}

async fn open_store(settings: &Settings, read: bool) -> Result<Arc<SledStore>, StoreError> {
    let data = settings.data.clone();
    let open = move || if read { SledStore::open_read(&data) } else { SledStore::open(&data) };
    match tokio::task::spawn_blocking(open).await {
        Ok(opened) => opened.map(Arc::new),
        Err(error) => Err(StoreError::Write { path: settings.data.clone(), detail: error.to_string() }),
    }
}

/// A command that only looks holds the store for a moment, and is waited for; an operator is not.
async fn open_to_run(settings: &Settings) -> Result<Arc<SledStore>, StoreError> {
    let until = tokio::time::Instant::now() + LOOKING;
    loop {
        let opened = open_store(settings, false).await;
        let held = matches!(opened, Err(StoreError::Locked { .. }));
        if !held || tokio::time::Instant::now() > until || Client::new(&settings.socket()).answers().await {
            return opened;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn sealer(settings: &Settings, store: &dyn Store, may_create: bool) -> Result<Arc<Sealer>, ApiError> {
    let sealed = store.scan(SECRETS).map_err(|e| store_error(&e))?;
    let keys = if may_create {
        Keys::load_or_create(&settings.key_file, !sealed.is_empty())
    } else {
        Keys::load(&settings.key_file)
    };
    let keys = keys.map_err(|e| {
        let next = match &e {
            KeyError::Io { path, .. } => format!("run as the user who owns {} (sudo seawall …)", path.display()),
            _ => "bring the key file back from its backup, or give --key-file; README, \"Lost store, lost key\", if it is gone for good".to_owned(),
        };
        internal(e, &next)
    })?;
    let cipher = store.get(CIPHER_KEY).map_err(|e| store_error(&e))?;
    let sealer = Sealer::new(keys, cipher_of(cipher.as_ref()));
    let mut broken = Vec::new();
    for (record, body) in &sealed {
        let envelope = serde_json::from_value(body.clone()).map_err(|e| {
            internal(
                format!("{record} is not a sealed secret: {e}"),
                "bring the data directory back from its backup",
            )
        })?;
        if let Err(error) = sealer.open(record, &envelope) {
            broken.push((record, error));
        }
    }
    if let Some(((record, error), more)) = broken.split_first() {
        let more = match more.len() {
            0 => String::new(),
            n => format!(" (nor {n} more: {})", named(more.iter().map(|(record, _)| record.as_str()))),
        };
        return Err(internal(
            format!("the key file {} does not open {record}: {error}{more}", settings.key_file.display()),
            "give the key file that belongs to this store",
        ));
    }
    Ok(Arc::new(sealer))
}

/// The first of many names.
fn named<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.take(10).collect::<Vec<_>>().join(", ")
}

fn config(settings: &Settings, manifests: PathBuf) -> Config {
    Config {
        installation: settings.installation.clone(),
        data: settings.data.clone(),
        manifests,
        env_file_roots: settings.env_file_roots.clone(),
        reach: reach(),
        times: Times {
            removal: settings.removal_grace,
            deletion: settings.deletion_grace,
            ..Times::default()
        },
    }
}

/// An operator that answers from its store and runs no loop.
fn idle(
    settings: &Settings,
    docker: Arc<dyn Docker>,
    store: Arc<dyn Store>,
    sealer: Arc<Sealer>,
) -> Result<Arc<Operator>, StoreError> {
    let manifests = settings.manifests_or_default().unwrap_or_else(|_| settings.cwd.join("manifests"));
    let kinds = |tools: &_| Kinds::all(Some(tools));
    Operator::open(config(settings, manifests), docker, kinds, store, sealer, false)
}

/// Where the API is to be served over TCP, if it is.
fn listen_at(listening: &Listening) -> Result<Option<listen::Listen>, ApiError> {
    let Some(address) = listening.address else { return Ok(None) };
    let files = listening.tls_cert.as_deref().zip(listening.tls_key.as_deref());
    let tls = files.map(|(certificate, key)| tls::server_config(certificate, key)).transpose();
    let tls =
        tls.map_err(|e| internal(e, "give --tls-cert and --tls-key as PEM files that belong together"))?;
    Ok(Some(listen::Listen { address, tls, behind_proxy: listening.behind_proxy, pages: Router::new() }))
}

/// What is done and said once it listens, or does not. `terminal`: somebody reads it, who gets a way in that no log keeps.
fn listens(
    operator: &Arc<Operator>,
    listen: &listen::Listen,
    terminal: bool,
) -> impl Fn(Result<SocketAddr, String>) + use<> {
    let (tls, behind_proxy) = (listen.tls.is_some(), listen.behind_proxy);
    let operator = Arc::clone(operator);
    move |at| match at {
        Ok(address) => {
            tracing::info!(%address, "the API and the dashboard are served over TCP; a way in: seawall dashboard");
            operator.dashboard_at(Some(dashboard_at(address, tls, behind_proxy)));
            if terminal {
                let operator = Arc::clone(&operator);
                tokio::spawn(async move {
                    if let Ok(link) = operator.sign_in_link().await {
                        let line = format!(
                            "\n  The dashboard, signed in once until {}:\n  {}\n\n",
                            link.expires, link.url
                        );
                        let _ = std::io::stderr().write_all(line.as_bytes());
                    }
                });
            }
        }
        Err(why) => tracing::warn!(why, "the API is not served over TCP; tried again every 30 s (--listen)"),
    }
}

/// As a browser reaches it. What a proxy is called, only its owner knows.
fn dashboard_at(address: SocketAddr, tls: bool, behind_proxy: bool) -> String {
    let host = match address.ip().is_unspecified() {
        true => format!("localhost:{}", address.port()),
        false => address.to_string(),
    };
    match (behind_proxy, tls) {
        (true, _) => "https://YOUR-PROXY".to_owned(),
        (false, true) => format!("https://{host}"),
        (false, false) => format!("http://{host}"),
    }
}

/// Resolves at the first SIGTERM or SIGINT.
async fn asked_to_leave() -> Result<&'static str, ApiError> {
    let mut term = signal(SignalKind::terminate()).map_err(|e| internal(e, ""))?;
    let mut int = signal(SignalKind::interrupt()).map_err(|e| internal(e, ""))?;
    tokio::select! {
        _ = term.recv() => Ok("SIGTERM"),
        _ = int.recv() => Ok("SIGINT"),
    }
}

/// At each SIGHUP the manifests are read again. One that comes because the terminal is gone ends the operator, as it always does.
async fn asked_to_look(operator: &Operator, hangups: &mut Signal) -> &'static str {
    let on_terminal = stderr().is_terminal();
    while hangups.recv().await.is_some() {
        if on_terminal && !stderr().is_terminal() {
            break;
        }
        tracing::info!("SIGHUP: the manifests are read again");
        operator.read_again();
    }
    "SIGHUP"
}

#[async_trait]
impl Backend for Program {
    async fn run(&self, run: RunSettings) -> Result<Option<ObjectList>, ApiError> {
        let settings = &run.settings;
        // What runs once has nothing to serve, nor to tell over time.
        let listen = if run.once { None } else { listen_at(&run.listen)? };
        many_files();
        // From now on one does not end it: it may come before there is anything to read.
        let mut hangups = signal(SignalKind::hangup()).map_err(|e| internal(e, ""))?;
        let store = open_to_run(settings).await.map_err(|e| store_error(&e))?;
        let sealer = sealer(settings, store.as_ref(), true)?;
        let docker = docker(settings)?;
        let mut config = config(settings, run.manifests.clone());
        // Nor is there anything to be kept over time.
        config.times.history = (!run.once).then_some(SAMPLES);
        let operator = Operator::open(config, docker, |tools| Kinds::all(Some(tools)), store, sealer, true)
            .map_err(|e| store_error(&e))?;
        start::check(&operator).await?;
        operator.finish_key_rotation().await;
        let (cancel, stop_http) = (CancellationToken::new(), CancellationToken::new());
        let api: Arc<dyn Api> = operator.clone();
        let socket = settings.socket();
        let mut server = tokio::spawn({
            let stop = stop_http.clone();
            let api = Arc::clone(&api);
            let group = run.socket_group;
            async move { serve_for(api, &socket, group, stop).await }
        });
        let over_tcp = listen.map(|mut at| {
            let secure = at.tls.is_some() || at.behind_proxy;
            at.pages = web::router(operator.clone(), operator.clone(), secure, stop_http.clone());
            let heard = listens(&operator, &at, run.terminal);
            tokio::spawn(listen::serve(api, operator.clone(), at, stop_http.clone(), heard))
        });
        let metrics = settings.metrics_addr.filter(|_| !run.once);
        let metrics =
            metrics.map(|at| tokio::spawn(metrics::serve(Arc::clone(&operator), at, stop_http.clone())));
        tracing::info!(
            manifests = %run.manifests.display(),
            data = %settings.data.display(),
            installation = %settings.installation,
            "seawall runs"
        );
        let mut driver = tokio::spawn(drive(Arc::clone(&operator), cancel.clone()));
        let mut list = None;
        if run.once {
            tokio::select! {
                settled = settle::settled(&operator, ONCE) => list = Some(settled),
                signal = asked_to_leave() => { signal?; }
            }
        } else {
            let signal = tokio::select! {
                signal = asked_to_leave() => signal?,
                signal = asked_to_look(&operator, &mut hangups) => signal,
                // Nobody could ask it anything: that is said at once, not when it leaves.
                ended = &mut server => {
                    cancel.cancel();
                    let why = ended.map_or_else(|e| e.to_string(), |served| {
                        served.err().map(|e| e.to_string()).unwrap_or_default()
                    });
                    return Err(internal(why, "give the socket another place: --socket FILE"));
                }
            };
            tracing::info!(signal, "leaving; containers are untouched");
        }
        cancel.cancel();
        if tokio::time::timeout(LEAVE, &mut driver).await.is_err() {
            tracing::warn!("a step took too long and is cut; the next start finishes it");
            driver.abort();
        }
        stop_http.cancel();
        if let Some(metrics) = metrics {
            let _ = metrics.await;
        }
        if let Some(over_tcp) = over_tcp {
            let _ = tokio::time::timeout(Duration::from_secs(1), over_tcp).await;
        }
        if let Ok(Ok(Err(error))) = tokio::time::timeout(Duration::from_secs(1), server).await {
            return Err(internal(error, ""));
        }
        Ok(list)
    }

    async fn offline(&self, settings: &Settings) -> Result<Arc<dyn Api>, OfflineError> {
        let store = open_store(settings, true).await.map_err(|e| match e {
            StoreError::Locked { pid, .. } => OfflineError::Locked { pid },
            missing @ StoreError::Missing { .. } => OfflineError::NoStore(store_error(&missing)),
            other => OfflineError::Other(store_error(&other)),
        })?;
        start::belongs(store.as_ref(), &settings.installation, &settings.data)?;
        let sealer = sealer(settings, store.as_ref(), false)?;
        let operator = idle(settings, docker(settings)?, store, sealer)
            .map_err(|e| OfflineError::Other(store_error(&e)))?;
        operator.load_offline();
        Ok(operator)
    }

    fn new_installation(&self, settings: &Settings) -> Result<Arc<dyn Api>, ApiError> {
        let key = Key::throwaway().map_err(|e| internal(e, ""))?;
        let sealer = Arc::new(Sealer::new(key, Algorithm::default()));
        let operator = idle(settings, docker(settings)?, Arc::new(MemoryStore::new()), sealer);
        Ok(operator.map_err(|e| store_error(&e))?)
    }

    fn validate(&self, dir: &Path, settings: &Settings) -> Result<Validated, ApiError> {
        // The catalog comes from the directory itself and the built-in one.
        let _ = settings;
        let report = crate::control::validate::validate(dir)?;
        Ok(Validated {
            problems: report.problems,
            warnings: report.warnings,
            objects: report.objects,
            files: report.files,
            passed_over: report.passed_over,
        })
    }

    fn schema(&self, kind: Option<Kind>) -> String {
        let file = kind.map_or("all.schema.json".to_owned(), |k| format!("{}.schema.json", k.lower()));
        self.schemas().remove(&file).unwrap_or_default()
    }

    fn schemas(&self) -> BTreeMap<String, String> {
        let mut files = schema_files();
        files.insert(OPENAPI.to_owned(), render(&openapi()));
        files
    }

    async fn doctor(&self, settings: &Settings) -> Vec<Check> {
        let docker = docker(settings).ok();
        doctor::checks(settings, docker.as_deref()).await
    }

    async fn recover(&self, settings: &Settings, confirm: Option<&str>) -> Result<Done, ApiError> {
        recover::recover(settings, docker(settings)?, confirm).await
    }
}
