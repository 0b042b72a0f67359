//! Against servers that are none, or mean it badly.

use super::super::prove;
use super::*;
use crate::kinds::postgres::world::Weak;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const PASSWORD: &str = "correct-horse-battery";

fn request(code: i32, rest: &[u8]) -> Vec<u8> {
    let length = i32::try_from(rest.len() + 8).unwrap();
    [&b"R"[..], &length.to_be_bytes(), &code.to_be_bytes(), rest].concat()
}

/// Says `words` to everybody who comes, and keeps everything that it is told.
async fn listener(words: Vec<u8>) -> (SocketAddr, Arc<Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, told) = (listener.local_addr().unwrap(), Arc::<Mutex<Vec<u8>>>::default());
    let kept = Arc::clone(&told);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (words, kept) = (words.clone(), Arc::clone(&kept));
            tokio::spawn(async move {
                let mut chunk = [0; 4096];
                let mut first = true;
                while let Ok(n @ 1..) = stream.read(&mut chunk).await {
                    kept.lock().unwrap().extend_from_slice(&chunk[..n]);
                    if std::mem::take(&mut first) && stream.write_all(&words).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    (address, told)
}

fn target(address: SocketAddr) -> Target {
    Target {
        host: address.ip(),
        port: address.port(),
        username: "app".to_owned(),
        database: "app".to_owned(),
        epoch: "c t 1".to_owned(),
    }
}

async fn login(address: SocketAddr) -> SqlError {
    match PgSession::login(&target(address), &Secret::from(PASSWORD.to_owned())).await {
        Ok(_) => panic!("logged in"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn nothing_of_the_password_leaves_for_a_server_that_asks_for_less_than_a_proof() {
    let md5 = postgres_protocol::authentication::md5_hash(b"app", PASSWORD.as_bytes(), *b"salt");
    for (words, want) in [
        (request(3, b""), Weak::ClearText),
        (request(5, b"salt"), Weak::Md5),
        (request(0, b""), Weak::NoPassword),
        (request(7, b""), Weak::Other("GSSAPI")),
        (request(10, b"PLAIN\0\0"), Weak::Other("a SASL mechanism other than SCRAM-SHA-256")),
    ] {
        let (address, told) = listener(words).await;
        assert_eq!(login(address).await, SqlError::Weak(want));
        let told = told.lock().unwrap().clone();
        // The start-up packet and nothing behind it: its length is its first four bytes.
        let length = u32::from_be_bytes(*told.first_chunk::<4>().unwrap());
        assert_eq!(usize::try_from(length).unwrap(), told.len(), "{want:?}");
        let text = String::from_utf8_lossy(&told).into_owned();
        assert!(text.contains("search_path=pg_catalog") && !text.contains(PASSWORD) && !text.contains(&md5));
    }
}

#[tokio::test]
async fn what_a_server_says_is_cut_and_escaped() {
    let error = |fields: &str| {
        let length = i32::try_from(fields.len() + 5).unwrap();
        [&b"E"[..], &length.to_be_bytes(), fields.as_bytes(), b"\0"].concat()
    };
    let long = format!("SFATAL\0C28000\0M\x1b[2J{}\0", "x".repeat(10_000));
    let (address, _) = listener(error(&long)).await;
    let SqlError::LoginRefused(words) = login(address).await else { panic!() };
    assert!(words.starts_with("\\u{1b}[2Jxxx") && words.chars().count() < 600, "{words}");
    // Not one more reset of the password would open a line of pg_hba.conf.
    let hba = "SFATAL\0C28000\0Mno pg_hba.conf entry for host \"10.0.0.1\"\0RClientAuthentication\0";
    let (address, _) = listener(error(hba)).await;
    let SqlError::TurnedAway { reason: "HbaRejects", words } = login(address).await else { panic!() };
    assert!(words.starts_with("pg_hba.conf does not let this login in: no pg_hba.conf entry"), "{words}");
    // Without a process to say it in the protocol of today.
    let text = b"Ecould not fork new process for connection: Resource temporarily unavailable\n\0".to_vec();
    let (first, _) = listener(text.clone()).await;
    let (second, _) = listener(text).await;
    for error in [login(first).await, prove::answers(&target(second)).await.unwrap_err()] {
        let SqlError::TurnedAway { reason: "NoProcessLeft", words } = error else { panic!("{error:?}") };
        assert_eq!(words, "could not fork new process for connection: Resource temporarily unavailable");
    }
    // An endless one.
    let (address, _) = listener([&b"E"[..], &i32::MAX.to_be_bytes(), &vec![b'x'; 1 << 20]].concat()).await;
    let SqlError::Failed(words) = login(address).await else { panic!() };
    assert!(words.contains("more than 16384 bytes in one message of the login"), "{words}");
    let (address, _) = listener(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()).await;
    assert!(matches!(login(address).await, SqlError::Failed(_)));
}
