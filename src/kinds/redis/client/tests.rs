//! A server that says what each case wants, on a real socket.

use super::*;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

const PASSWORD: &str = "s3cret-of-ours";

/// Answers the first bytes of each of two connections with `reply`, then keeps them open.
async fn server(reply: impl Into<Vec<u8>>) -> Target {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let reply: Vec<u8> = reply.into();
    tokio::spawn(async move {
        let mut kept = Vec::new();
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 1024]).await;
            let _ = stream.write_all(&reply).await;
            kept.push(stream);
        }
        std::future::pending::<()>().await;
    });
    Target { host: "127.0.0.1".parse().unwrap(), port, username: "seawall".into(), epoch: "id now".into() }
}

async fn login(target: &Target) -> Result<Box<dyn Session>, RedisError> {
    Network.login(target, &Secret::from(PASSWORD)).await
}

#[tokio::test]
async fn what_a_server_says_to_a_login_and_to_a_ping() {
    let away = |reason, words: &str| RedisError::TurnedAway { reason, words: words.to_owned() };
    let max = "ERR max number of clients reached";
    let wrong = "WRONGPASS invalid username-password pair or user is disabled.";
    for (reply, at_login, at_ping) in [
        (wrong, RedisError::LoginRefused(wrong.into()), None),
        (
            "NOAUTH Authentication required.",
            RedisError::LoginRefused("NOAUTH Authentication required.".into()),
            None,
        ),
        ("LOADING Redis is", RedisError::Loading("LOADING Redis is".into()), None),
        ("MISCONF Redis is", RedisError::PersistenceBroken("MISCONF Redis is".into()), None),
        (max, away("TooManyConnections", max), Some(away("TooManyConnections", max))),
        ("ERR what", RedisError::Failed("ERR what".into()), Some(RedisError::Failed("ERR what".into()))),
    ] {
        let target = server(format!("-{reply}\r\n")).await;
        assert_eq!(login(&target).await.err(), Some(at_login));
        assert_eq!(Network.answers(&target).await.err(), at_ping);
    }
    assert_eq!(Network.answers(&server("+PONG\r\n").await).await, Ok(()));
}

#[tokio::test]
async fn no_answer_of_a_server_shows_the_password() {
    for reply in [
        format!("-ERR unknown command 'AUTH', with args beginning with: 'seawall' '{PASSWORD}'\r\n"),
        format!("-WRONGPASS {PASSWORD}\r\n"),
        format!("{PASSWORD}\r\n"),
        format!("*1\r\n+{PASSWORD}\r\n"),
    ] {
        let error = login(&server(reply).await).await.err().unwrap();
        assert!(!format!("{error:?} {error}").contains(PASSWORD), "{error:?}");
    }
}

#[tokio::test]
async fn who_is_no_redis_is_refused_and_who_is_not_there_too() {
    for reply in ["HTTP/1.1 400 Bad Request\r\n\r\n", "$9999999999\r\n", ":1\r\n"] {
        let target = server(reply).await;
        assert!(matches!(login(&target).await.err(), Some(RedisError::Failed(_))), "{reply}");
        assert!(matches!(Network.answers(&target).await, Err(RedisError::Failed(_))), "{reply}");
    }
    let nobody = Target { port: 1, ..server("").await };
    assert!(matches!(login(&nobody).await.err(), Some(RedisError::Refused(_))));
    assert!(matches!(Network.answers(&nobody).await, Err(RedisError::Refused(_))));
}

#[tokio::test(start_paused = true)]
async fn who_hangs_is_given_up_and_its_session_not_used_again() {
    let silent = server("").await;
    assert_eq!(login(&silent).await.err(), Some(RedisError::Hung(TIMEOUT)));
    assert_eq!(Network.answers(&silent).await, Err(RedisError::Hung(TIMEOUT)));
    // It answers the login and nothing more; a late answer would be taken for one to the next question.
    let session = login(&server("+OK\r\n").await).await.unwrap();
    assert_eq!(session.load_users().await, Err(RedisError::Hung(TIMEOUT)));
    assert_eq!(session.load_users().await, Err(RedisError::Refused("connection closed".to_owned())));
}
