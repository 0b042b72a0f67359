//! A server that says what each case wants, on a real socket.

use super::*;
use tokio::net::TcpListener;

const PASSWORD: &str = "s3cret-of-ours";

/// Answers whatever comes first with `reply`; then keeps the connection open, or ends it.
async fn server(reply: impl Into<Vec<u8>>, stays: bool) -> Target {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let reply: Vec<u8> = reply.into();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.read(&mut [0; 1024]).await;
        let _ = stream.write_all(&reply).await;
        if stays {
            std::future::pending::<()>().await;
        }
    });
    Target {
        host: "127.0.0.1".parse().unwrap(),
        port,
        container: "id".into(),
        username: "seawall".into(),
        password: Secret::from(PASSWORD),
    }
}

/// What the first command after a login that worked is answered.
async fn of(raw: &[u8]) -> Result<Reply, RedisError> {
    let target = server([b"+OK\r\n", raw].concat(), false).await;
    Network.ask(&target, &[command("PING")]).await.map(|mut replies| replies.pop().unwrap())
}

fn text(text: &str) -> Reply {
    Reply::Text(text.to_owned())
}

#[tokio::test]
async fn replies_are_read() {
    for (raw, want) in [
        ("+OK\r\n", text("OK")),
        ("-ERR no\r\n", Reply::Error("ERR no".to_owned())),
        (":-7\r\n", text("-7")),
        ("$-1\r\n", Reply::Nil),
        ("*-1\r\n", Reply::Nil),
        ("*0\r\n", Reply::List(vec![])),
        ("$0\r\n\r\n", text("")),
        ("$4\r\na\r\nb\r\n", text("a\r\nb")),
        (
            "*3\r\n*2\r\n:1\r\n*1\r\n+a\r\n$1\r\nb\r\n*0\r\n",
            Reply::List(vec![
                Reply::List(vec![text("1"), Reply::List(vec![text("a")])]),
                text("b"),
                Reply::List(vec![]),
            ]),
        ),
    ] {
        assert_eq!(of(raw.as_bytes()).await.unwrap(), want, "{raw:?}");
    }
    assert_eq!(of(b"$2\r\n\xff\xfe\r\n").await.unwrap(), text("\u{fffd}\u{fffd}"));
}

#[tokio::test]
async fn hostile_replies_are_refused() {
    for raw in [
        "",
        "+OK",
        "$5\r\nab",
        "*2\r\n:1\r\n",
        "$9223372036854775807\r\n",
        "$18446744073709551615\r\n",
        "$1048577\r\n",
        "$-2\r\n",
        "*\r\n",
        "$1\r\nabc\r\n",
        "\r\n",
        "+OK\n",
        "HTTP/1.1 400 Bad Request\r\n",
        "%1\r\n+a\r\n+b\r\n",
    ] {
        assert!(of(raw.as_bytes()).await.is_err(), "{raw:?}");
    }
    assert!(of("*1\r\n".repeat(9).as_bytes()).await.is_err());
    assert!(of(&[b'+'; 2 << 20]).await.is_err());
    // A list of as many as one likes takes no more than what came.
    let endless = format!("*9223372036854775807\r\n{}", ":1\r\n".repeat(1 << 19));
    assert!(of(endless.as_bytes()).await.is_err());
}

#[tokio::test]
async fn what_a_server_says_to_a_login() {
    for (reply, want) in [
        ("WRONGPASS no", RedisError::LoginRefused("WRONGPASS no".into())),
        ("NOAUTH no", RedisError::LoginRefused("NOAUTH no".into())),
        ("LOADING Redis is", RedisError::Loading("LOADING Redis is".into())),
        ("MISCONF Redis is", RedisError::PersistenceBroken("MISCONF Redis is".into())),
        (
            "ERR max number of clients reached",
            RedisError::TurnedAway("TooManyConnections", "ERR max number of clients reached".into()),
        ),
        ("ERR what", RedisError::Failed("ERR what".into())),
    ] {
        let target = server(format!("-{reply}\r\n"), true).await;
        assert_eq!(Network.ask(&target, &[]).await.err(), Some(want));
    }
    let nobody = Target { port: 1, ..server("", true).await };
    assert!(matches!(Network.ask(&nobody, &[]).await, Err(RedisError::Refused(_))));
}

#[tokio::test]
async fn no_answer_of_a_server_shows_the_password() {
    for reply in [
        format!("-ERR unknown command 'AUTH', with args beginning with: 'seawall' '{PASSWORD}'\r\n"),
        format!("-WRONGPASS {PASSWORD}\r\n"),
        format!("{PASSWORD}\r\n"),
        format!("*1\r\n+{PASSWORD}\r\n"),
    ] {
        let error = Network.ask(&server(reply, true).await, &[]).await.unwrap_err();
        assert!(!format!("{error:?} {error}").contains(PASSWORD), "{error:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_hangs_is_given_up() {
    assert_eq!(Network.ask(&server("", true).await, &[]).await, Err(RedisError::Hung));
    let half = server("+OK\r\n", true).await;
    assert_eq!(Network.ask(&half, &[command("PING")]).await, Err(RedisError::Hung));
}
