//! Reads the login to a registry as the docker client would: its file, its helpers. Must never wait for
//! either without an end, nor log what they say.

use crate::core::text::line;
use crate::docker::login::{Config, Login, Source, arrives, helper_answer, parse, server_of};
use bollard::auth::DockerCredentials;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use zeroize::Zeroizing;

/// For the file, and for a helper: one may have to ask a cloud for a token.
const LIMIT: Duration = Duration::from_secs(20);
/// Of a file, and of a helper's answer.
const MAX_BYTES: u64 = 1 << 20;

/// The login to `host`, also as the engine takes it; `None` when there is none.
///
/// # Errors
/// In words, when there may be one that cannot be read or handed on.
pub(super) async fn login(host: &str) -> Result<Option<(Login, DockerCredentials)>, String> {
    let login = stored(host).await?;
    login.map(|login| header(&login, host).map(|header| (login, header))).transpose()
}

async fn stored(host: &str) -> Result<Option<Login>, String> {
    let Some(path) = config_path() else { return Ok(None) };
    let failed = |why: String| format!("{}: {why}", path.display());
    let config = tokio::time::timeout(LIMIT, read(&path)).await;
    let config = config.map_err(|_| "took too long to read".to_owned()).and_then(|c| c).map_err(failed)?;
    match config.source(host).map_err(failed)? {
        Source::Nowhere => Ok(None),
        Source::Here(login) => Ok(Some(login)),
        Source::Helper(name) => {
            let asked = tokio::time::timeout(LIMIT, ask(&name, server_of(host))).await;
            let asked = asked.map_err(|_| format!("did not answer within {LIMIT:?}")).and_then(|a| a);
            asked.map_err(|why| format!("credential helper docker-credential-{name}: {why}"))
        }
    }
}

fn config_path() -> Option<PathBuf> {
    let variable = |name| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let folder = variable("DOCKER_CONFIG").or_else(|| variable("HOME").map(|home| home.join(".docker")))?;
    Some(folder.join("config.json"))
}

async fn read(path: &Path) -> Result<Config, String> {
    match tokio::fs::metadata(path).await {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Config::default()),
        Err(e) => return Err(e.to_string()),
        // Anything else could keep a read waiting.
        Ok(found) if !found.is_file() => return Err("not a regular file".to_owned()),
        Ok(_) => {}
    }
    let file = tokio::fs::File::open(path).await.map_err(|e| e.to_string())?;
    let mut text = Zeroizing::new(Vec::new());
    file.take(MAX_BYTES).read_to_end(&mut text).await.map_err(|e| e.to_string())?;
    parse(&text)
}

/// `docker-credential-NAME get`: the server on standard input, JSON on standard output.
async fn ask(name: &str, server: &str) -> Result<Option<Login>, String> {
    let mut child = tokio::process::Command::new(format!("docker-credential-{name}"))
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|e| e.to_string())?;
    if let Some(mut input) = child.stdin.take() {
        // One that does not read says so by its exit code.
        let _ = input.write_all(server.as_bytes()).await;
    }
    let mut answer = Zeroizing::new(Vec::new());
    if let Some(output) = child.stdout.take() {
        output.take(MAX_BYTES).read_to_end(&mut answer).await.map_err(|e| e.to_string())?;
    }
    let status = child.wait().await.map_err(|e| e.to_string())?;
    if status.success() {
        return helper_answer(&answer).map(Some);
    }
    // The protocol has failures on standard output; this one means that there is no login.
    let words = String::from_utf8_lossy(&answer);
    if words.contains("credentials not found") {
        return Ok(None);
    }
    Err(format!("{status}: {}", line(words.trim(), 200)))
}

fn header(login: &Login, host: &str) -> Result<DockerCredentials, String> {
    let mut header =
        DockerCredentials { serveraddress: Some(server_of(host).to_owned()), ..DockerCredentials::default() };
    match login {
        Login::Password { username, password } => {
            header.username = Some(username.clone());
            header.password = Some(password.as_str().to_owned());
        }
        Login::Token(token) => header.identitytoken = Some(token.as_str().to_owned()),
    }
    let text = Zeroizing::new(serde_json::to_string(&header).map_err(|_| "it is not text".to_owned())?);
    if arrives(&text) {
        return Ok(header);
    }
    Err("the login cannot be handed to the engine unchanged, because of a \"~\", \"?\", \">\" or a letter outside ASCII in it; use another \
         password or token for this registry, or pull the image with `docker pull`: a local one is used"
        .to_owned())
}
