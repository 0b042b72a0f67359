//! Who answers: the running operator of this machine, the store itself when none runs, or the operator of another machine.

use super::Context;
use super::backend::OfflineError;
use super::out::{Failure, clean};
use super::remote::Remote;
use crate::control::api::{Api, ApiError, ErrorCode};
use crate::http::client::Client;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// An operator that just starts holds the store a moment before it answers.
const PATIENCE: Duration = Duration::from_secs(3);
const AGAIN: Duration = Duration::from_millis(100);
/// Between two looks for one that is away.
const AWAY: Duration = Duration::from_millis(500);

/// Somebody to ask.
pub struct Connected {
    pub api: Arc<dyn Api>,
    /// Whether an operator runs.
    pub live: bool,
}

/// The operator's socket first, then the store.
///
/// # Errors
/// When nobody answers and the store is held by a process, is damaged, or is not there.
pub async fn connect(context: &Context) -> Result<Connected, Failure> {
    if let Some(server) = &context.server {
        // It says itself what is wrong with it.
        return Ok(Connected { api: Arc::new(server.client()?), live: true });
    }
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(api) = operator(context).await? {
            return Ok(Connected { api, live: true });
        }
        match context.backend.offline(&context.settings).await {
            Ok(api) => return Ok(Connected { api, live: false }),
            Err(OfflineError::Other(error) | OfflineError::NoStore(error)) => return Err(error.into()),
            Err(OfflineError::Locked { .. }) if Instant::now() < until => tokio::time::sleep(AGAIN).await,
            Err(OfflineError::Locked { pid }) => return Err(locked(context, &pid).into()),
        }
    }
}

/// As [`connect`], for what shows status; says when nobody keeps it up to date.
///
/// # Errors
/// As [`connect`], or when standard error is closed.
pub async fn look(context: &mut Context) -> Result<Arc<dyn Api>, Failure> {
    let connected = connect(context).await?;
    if !connected.live {
        writeln!(context.out.stderr, "no operator runs: status is what was last seen, not what is now")?;
    }
    Ok(connected.api)
}

/// As [`connect`]; where nothing was ever run, an installation that starts from nothing.
///
/// # Errors
/// As [`connect`].
pub async fn connect_or_new(context: &Context) -> Result<Connected, Failure> {
    if operator(context).await?.is_none()
        && let Err(OfflineError::NoStore(_)) = context.backend.offline(&context.settings).await
    {
        return Ok(Connected { api: context.backend.new_installation(&context.settings)?, live: false });
    }
    connect(context).await
}

fn client(context: &Context) -> Result<Client, Failure> {
    context.server.as_ref().map_or_else(|| Ok(Client::new(&context.settings.socket())), Remote::client)
}

/// The running operator, if one answers; that of another machine in any case.
///
/// # Errors
/// When there is no token for that one.
pub async fn operator(context: &Context) -> Result<Option<Arc<dyn Api>>, Failure> {
    let client = client(context)?;
    if context.server.is_some() {
        return Ok(Some(Arc::new(client)));
    }
    Ok(client.answers().await.then(|| Arc::new(client) as Arc<dyn Api>))
}

/// For who watches: the operator that answers again after it was away, once it does; it is waited for as long as it takes.
///
/// # Errors
/// What is wrong with the question, which no other operator would answer either.
pub async fn again(context: &mut Context, error: ApiError) -> Result<Arc<dyn Api>, Failure> {
    if error.code != ErrorCode::Unavailable {
        return Err(error.into());
    }
    writeln!(context.out.stderr, "the operator is away ({}); waiting for it", clean(&error.what))?;
    loop {
        tokio::time::sleep(AWAY).await;
        let client = client(context)?;
        if client.answers().await {
            writeln!(context.out.stderr, "the operator is back")?;
            return Ok(Arc::new(client));
        }
    }
}

/// Where none answers: `in DIR`, or `at URL`.
#[must_use]
pub fn place(context: &Context) -> String {
    match &context.server {
        Some(server) => format!("at {}", server.url),
        None => format!("in {}", context.settings.data.display()),
    }
}

/// For what the machine itself is needed, not only its operator.
///
/// # Errors
/// Where another machine's operator is asked.
pub fn here(context: &Context, what: &str) -> Result<(), Failure> {
    let Some(Remote { url, asked, .. }) = &context.server else { return Ok(()) };
    let next =
        if *asked { "leave out --server and SEAWALL_SERVER" } else { "seawall logout, or give --data DIR" };
    Err(Failure::usage(
        format!("{what} works on the machine of the operator, and commands ask {url}"),
        format!("type it there, on its terminal; if this is that machine: {next}"),
    ))
}

/// For what only a running operator can do, such as watching.
///
/// # Errors
/// When none answers.
pub async fn live(context: &Context, what: &str) -> Result<Arc<dyn Api>, Failure> {
    let connected = connect(context).await?;
    if connected.live { Ok(connected.api) } else { Err(needs_operator(context, what).into()) }
}

/// The running operator, for what is more than the [`Api`].
///
/// # Errors
/// When none answers.
pub async fn running(context: &Context, what: &str) -> Result<Client, Failure> {
    live(context, what).await?;
    client(context)
}

pub fn needs_operator(context: &Context, what: &str) -> ApiError {
    let data = context.settings.data.display();
    ApiError::new(
        ErrorCode::Unavailable,
        format!("{what} needs a running operator, and none answers in {data}"),
        "start one with `seawall run`, or name its directory with --data",
    )
}

fn locked(context: &Context, pid: &str) -> ApiError {
    let settings = &context.settings;
    ApiError::new(
        ErrorCode::Unavailable,
        format!(
            "process {pid} holds the store in {} but does not answer on {}: it is starting, leaving or hung",
            settings.data.display(),
            settings.socket().display()
        ),
        format!("try again in a moment; if it stays so, look at the operator's log and at `ps -p {pid}`"),
    )
}
