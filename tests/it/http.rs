//! The API as HTTP, asked by a client that is not ours: objects as in Kubernetes, who may ask what over TCP.

mod bad_input;
mod catalog;
pub mod listen;
mod live;
mod objects;
mod program;
mod served;
mod services;
mod services_live;
mod strangers;
mod watch;
mod writes;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// What came back.
#[derive(Debug)]
pub struct Answer {
    status: u16,
    head: String,
    /// `null` when it is no JSON.
    body: Value,
}

/// One request on a connection of its own; `head`: further lines.
async fn ask(to: impl AsyncRead + AsyncWrite + Unpin, line: &str, head: &str, body: &str) -> Answer {
    ask_bytes(to, line, head, body.as_bytes()).await
}

async fn ask_bytes(
    mut to: impl AsyncRead + AsyncWrite + Unpin,
    line: &str,
    head: &str,
    body: &[u8],
) -> Answer {
    let host = if head.to_lowercase().contains("host:") { "" } else { "host: localhost\r\n" };
    let length = body.len();
    let request =
        format!("{line} HTTP/1.1\r\n{host}connection: close\r\ncontent-length: {length}\r\n{head}\r\n");
    // The server may refuse it before it has read all.
    let _ = to.write_all(&[request.as_bytes(), body].concat()).await;
    let mut answer = Vec::new();
    let _ = to.read_to_end(&mut answer).await;
    let text = String::from_utf8_lossy(&answer);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
    Answer { status, head: head.to_owned(), body: serde_json::from_str(body).unwrap_or_default() }
}
