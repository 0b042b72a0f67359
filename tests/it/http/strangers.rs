//! Every route with who is nobody any more, and with what a page of another site can make a browser send.

use super::ask;
use super::listen::{request, start, start_kept, with_services};
use crate::machine::rig::{Rig, engine};
use seawall::control::api::{Api, NewToken};
use seawall::control::operator::Times;
use seawall::core::access::{Grant, Permission, Role};
use seawall::core::names::Name;
use seawall::http::permissions;
use seawall::store::{Change, Store};
use std::time::Duration;

fn all() -> String {
    Permission::ALL.iter().map(|permission| permission.as_str()).collect::<Vec<_>>().join("+")
}

async fn token(rig: &Rig, name: &str) -> String {
    let new = NewToken {
        name: Name::parse(name).unwrap(),
        grant: Grant::Role(Role::Admin),
        expires: "1h".to_owned(),
    };
    rig.operator.create_token(&new).await.unwrap().token
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_over_or_was_revoked_opens_no_route() {
    let mut rig = Rig::new(engine(), Times::default());
    rig.drive();
    let (fresh, over, revoked) =
        (token(&rig, "fresh").await, token(&rig, "over").await, token(&rig, "revoked").await);
    let mut record = rig.store.get("token/over").unwrap().unwrap();
    record["expires"] = "2020-01-01T00:00:00Z".into();
    rig.store.commit(vec![Change::put("token/over", record)]).await.unwrap();
    rig.leave().await;
    rig.restart();
    let fake = with_services();
    let server = start_kept(&fake, rig.operator.clone(), true).await;
    let knock = |n: usize, token: &str| {
        // From another address each time: who tries too often waits.
        let head =
            format!("authorization: Bearer {token}\r\nx-forwarded-for: 10.0.{}.{}\r\n", n / 250, n % 250 + 1);
        let connect = server.connect();
        async move { (connect.await, head) }
    };
    let (stream, head) = knock(60_000, &revoked).await;
    assert_eq!(ask(stream, "GET /v1/healthz", &head, "").await.status, 200, "it opens something before");
    rig.operator.revoke_token(&Name::parse("revoked").unwrap()).await.unwrap();
    for (n, (method, path, _)) in permissions().into_iter().enumerate() {
        let (path, body) = request(path, method.as_str());
        for (k, token) in [&over, &revoked].into_iter().enumerate() {
            // Nor does anybody try so often in all.
            tokio::time::sleep(Duration::from_secs(10)).await;
            let (stream, head) = knock(2 * n + k, token).await;
            let answer = ask(stream, &format!("{method} {path}"), &head, body).await;
            let code = answer.body["code"].as_str();
            assert_eq!((answer.status, code), (401, Some("Unauthenticated")), "{method} {path}: {answer:?}");
        }
    }
    assert_eq!(fake.calls(), Vec::<String>::new());
    let (stream, head) = knock(60_001, &fresh).await;
    assert_eq!(
        ask(stream, "GET /v1/healthz", &head, "").await.status,
        200,
        "one that is not over still does"
    );
}

#[tokio::test]
async fn no_route_answers_to_another_name_or_does_what_a_page_of_another_site_sends() {
    let fake = with_services();
    let server = start(&fake, None, false).await;
    let token = format!("authorization: Bearer {}\r\n", all());
    for (method, path, _) in permissions() {
        let (path, body) = request(path, method.as_str());
        let line = format!("{method} {path}");
        let evil = "origin: https://evil.example\r\n";
        let mut heads = vec![
            (format!("{token}host: evil.example\r\n"), body, 403),
            (format!("{token}host: 127.0.0.1.evil.example\r\n"), body, 403),
            // A form of a page: the browser sends no token with it.
            (
                format!(
                    "{evil}content-type: application/x-www-form-urlencoded\r\ncookie: seawall-session=x\r\n"
                ),
                "a=b",
                401,
            ),
        ];
        if method.as_str() != "GET" {
            heads[2].2 = 403;
            heads.push((format!("{token}{evil}"), body, 403));
            heads.push((format!("{token}origin: null\r\n"), body, 403));
            heads.push((format!("{token}origin: http://localhost:1\r\n"), body, 403));
        }
        for (head, body, status) in heads {
            let answer = ask(server.connect().await, &line, &head, body).await;
            assert_eq!(answer.status, status, "{line} {head}: {answer:?}");
            assert!(answer.head.contains("application/problem+json"), "{line} {head}: {answer:?}");
        }
    }
    assert_eq!(fake.calls(), Vec::<String>::new());
}

#[tokio::test]
async fn a_question_that_a_route_does_not_know_is_refused_and_broken_text_breaks_nothing() {
    let fake = with_services();
    let server = start(&fake, None, false).await;
    let token = format!("authorization: Bearer {}\r\n", all());
    let document = seawall::http::openapi();
    let mut known = 0;
    for (method, path, _) in permissions() {
        let operation = &document["paths"][path][method.as_str().to_lowercase()];
        let parameters = operation["parameters"].as_array().unwrap();
        let asks = parameters.iter().any(|parameter| parameter["in"] == "query");
        let (target, body) = request(path, method.as_str());
        let more = if target.contains('?') { '&' } else { '?' };
        for (query, refused) in [("nonsense=1", asks), ("%ff%fe=%00", asks), ("a=%", false)] {
            let line = format!("{method} {target}{more}{query}");
            fake.change(|w| w.calls.clear());
            let answer = ask(server.connect().await, &line, &token, body).await;
            match refused {
                true => assert_eq!((answer.status, fake.calls()), (400, Vec::new()), "{line}: {answer:?}"),
                false => assert!((200..500).contains(&answer.status), "{line}: {answer:?}"),
            }
        }
        known += usize::from(asks);
        // No text in the path is one that is not UTF-8.
        if path.contains("{name}") || path.contains("{slug}") || path.contains("{var_name}") {
            let broken = path.replace("{name}", "%ff").replace("{slug}", "%ff").replace("{var_name}", "%ff");
            let (broken, body) = request(&broken, method.as_str());
            let answer = ask(server.connect().await, &format!("{method} {broken}"), &token, body).await;
            assert_eq!(answer.status, 400, "{method} {broken}: {answer:?}");
        }
    }
    assert!(known > 12, "{known}");
}
