//! Asks an application whether it is healthy. It must never wait longer than [`PATIENCE`], and never repeat what an
//! application answered: that is somebody else's text.

use crate::kinds::app_spec::Health;
use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::Empty;
use hyper::Request;
use hyper_util::rt::TokioIo;
use std::net::IpAddr;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// For one check.
pub const PATIENCE: Duration = Duration::from_secs(3);

/// How applications are reached.
#[async_trait]
pub trait Checks: Send + Sync {
    /// What proves that the application at this address is healthy, or why it is not, in words. `id`: of its container.
    async fn check(&self, id: &str, at: IpAddr, health: &Health) -> Result<String, String>;
}

/// Over the network.
pub struct Network;

#[async_trait]
impl Checks for Network {
    async fn check(&self, _: &str, at: IpAddr, health: &Health) -> Result<String, String> {
        let asked = async {
            match health {
                Health::Http { port, path } => get(at, *port, path).await,
                Health::Tcp { port } => {
                    connect(at, *port).await?;
                    Ok(format!("port {port} takes connections"))
                }
                Health::Runs | Health::Exec(_) => Ok(String::new()),
            }
        };
        match timeout(PATIENCE, asked).await {
            Ok(answer) => answer,
            Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
        }
    }
}

async fn connect(at: IpAddr, port: u16) -> Result<TcpStream, String> {
    TcpStream::connect((at, port)).await.map_err(|e| format!("port {port}: {e}"))
}

async fn get(at: IpAddr, port: u16, path: &str) -> Result<String, String> {
    let said = |e: &dyn std::fmt::Display| format!("GET {path} on port {port}: {e}");
    let stream = TokioIo::new(connect(at, port).await?);
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(stream).await.map_err(|e| said(&e))?;
    let request = Request::get(path)
        .header("host", format!("{at}:{port}"))
        .header("user-agent", "seawall")
        .body(Empty::<Bytes>::new())
        .map_err(|e| said(&e))?;
    let mut answer = std::pin::pin!(sender.send_request(request));
    let answered = tokio::select! {
        biased;
        answer = &mut answer => answer,
        // One that closes after its answer has given it.
        _ = connection => answer.await,
    };
    let answered = answered.map_err(|e| said(&e))?;
    let status = answered.status().as_u16();
    if (200..400).contains(&status) {
        Ok(format!("GET {path} on port {port} answered {status}"))
    } else {
        Err(format!("GET {path} on port {port} answered {status}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    /// A server that says this to everybody, and then closes or does nothing more.
    async fn serve(says: &'static str, closes: bool) -> u16 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            let mut open = Vec::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                let _ = stream.read(&mut [0; 1024]).await;
                stream.write_all(says.as_bytes()).await.unwrap();
                if !closes {
                    open.push(stream);
                }
            }
        });
        port
    }

    #[tokio::test]
    async fn an_answer_counts_by_its_status_however_the_connection_ends() {
        for (says, closes, wanted) in [
            ("HTTP/1.0 200 OK\r\n\r\n", true, Ok("answered 200")),
            ("HTTP/1.1 204 No\r\ncontent-length: 0\r\n\r\n", false, Ok("answered 204")),
            ("HTTP/1.1 302 Found\r\nlocation: http://x/\r\n\r\n", true, Ok("answered 302")),
            ("HTTP/1.1 404 No\r\n\r\nhunter2", true, Err("answered 404")),
            ("HTTP/1.0 503 \r\n\r\n", true, Err("answered 503")),
            ("", true, Err("GET /x on port")),
            ("SSH-2.0-x\r\n", true, Err("GET /x on port")),
        ] {
            let port = serve(says, closes).await;
            let health = Health::Http { port, path: "/x".to_owned() };
            for _ in 0..50 {
                let got = Network.check("", Ipv4Addr::LOCALHOST.into(), &health).await;
                match (&got, &wanted) {
                    (Ok(got), Ok(wanted)) => assert!(got.contains(wanted), "{says}: {got}"),
                    (Err(got), Err(wanted)) => {
                        assert!(got.contains(wanted) && !got.contains("hunter2"), "{says}: {got}");
                    }
                    _ => panic!("{says}: {got:?}"),
                }
            }
            let tcp = Network.check("", Ipv4Addr::LOCALHOST.into(), &Health::Tcp { port }).await;
            assert!(tcp.is_ok(), "{tcp:?}");
        }
        let health = Health::Tcp { port: 1 };
        assert!(Network.check("", Ipv4Addr::LOCALHOST.into(), &health).await.unwrap_err().contains("port 1"));
    }
}
