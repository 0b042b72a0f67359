//! What no client should send, over every route that the OpenAPI document has: it is refused in words and does nothing.

use super::listen::{request_of, start, with_services};
use super::services_live::Live;
use super::{Answer, ask_bytes};
use seawall::core::access::Permission;
use serde_json::Value;

/// Each operation: method, path, and what the document says of it.
fn operations(document: &Value) -> impl Iterator<Item = (String, &str, &Value)> {
    let paths = document["paths"].as_object().unwrap().iter();
    paths.flat_map(|(path, methods)| {
        let each = methods.as_object().unwrap().iter();
        each.map(|(method, operation)| (method.to_uppercase(), path.as_str(), operation))
    })
}

fn refused(answer: &Answer, status: u16, of: &str) {
    assert_eq!(answer.status, status, "{of}: {answer:?}");
    assert!(answer.head.contains("application/problem+json"), "{of}: {answer:?}");
    assert!(!answer.body["detail"].as_str().unwrap().is_empty(), "{of}: {answer:?}");
}

#[tokio::test]
async fn bodies_that_are_none_are_refused_by_every_route_that_takes_one() {
    let fake = with_services();
    let server = start(&fake, None, false).await;
    let all: Vec<&str> = Permission::ALL.iter().map(|permission| permission.as_str()).collect();
    let head = format!("authorization: Bearer {}\r\n", all.join("+"));
    let (document, large) = (seawall::http::openapi(), vec![b' '; (1 << 20) + 1]);
    let mut count = 0;
    for (method, path, operation) in operations(&document) {
        let Some(body) = operation.get("requestBody") else { continue };
        count += 1;
        let mut bodies: Vec<(&[u8], u16)> = vec![(b"\"\xff\xfe\"", 400), (&large, 413)];
        // The rest of documents is judged by who knows them.
        if body["content"].get("application/yaml").is_none() && method != "PATCH"
            || path.ends_with("resources")
        {
            bodies.extend([
                (&b"{"[..], 400),
                (b"[]", 400),
                (b"null", 400),
                (b"1", 400),
                (b"{\"nonsense\":1}", 400),
            ]);
        }
        let (target, _) = request_of(path, &method, "main", "1");
        for (body, status) in bodies {
            let of = format!("{method} {target} {}", String::from_utf8_lossy(&body[..body.len().min(20)]));
            let answer = ask_bytes(server.connect().await, &format!("{method} {target}"), &head, body).await;
            refused(&answer, status, &of);
            let calls = fake.calls();
            let did = calls.iter().any(|call| !call.starts_with("object"));
            assert!(!did, "{of}: {calls:?}");
        }
    }
    assert!(count > 15, "{count}");
}

#[tokio::test(start_paused = true)]
async fn what_is_not_there_is_404_and_what_is_no_name_is_refused_everywhere() {
    let live = Live::start(&[("main", "{version: '18'}")]).await;
    live.rig.ready("main").await;
    let before = live.rig.view("main").unwrap();
    let document = seawall::http::openapi();
    let long = "a".repeat(300);
    for (method, path, _) in operations(&document) {
        let (named, numbered) = (path.contains("{name}") || path.contains("{slug}"), path.contains("{id}"));
        let target = |name: &str, id: &str| {
            let (target, body) = request_of(path, &method, name, id);
            (format!("{method} {target}"), body)
        };
        // Who replaces an object may make it, and what happened to one is known when it is gone.
        let may_be_none = method == "PUT" || path.ends_with("/events");
        if (named && !may_be_none) || numbered {
            let (line, body) = target("none", "4711");
            refused(&live.at(&line, "", body).await, 404, &line);
        }
        if named {
            for name in ["..%2F..%2Fetc", "%2e%2e", "A", "a%00b", "a%0d%0ab", "%F0%9F%90%8B", long.as_str()] {
                let (line, body) = target(name, "1");
                let answer = live.at(&line, "", body).await;
                // A slug is looked for, whatever it is.
                refused(&answer, if path.contains("{slug}") { 404 } else { 400 }, &line);
            }
        }
        if numbered {
            for id in ["main", "-1", "1.5", "99999999999999999999999", "%2e%2e"] {
                let (line, body) = target("main", id);
                refused(&live.at(&line, "", body).await, 400, &line);
            }
        }
        if path.contains("{kind}") {
            let (line, body) = target("main", "1");
            let line = line.replace("postgres", "nonsense");
            refused(&live.at(&line, "", body).await, 404, &line);
        }
    }
    let after = live.rig.view("main").unwrap();
    assert_eq!((after.metadata.uid, after.spec), (before.metadata.uid, before.spec));
}
