//! Every page and form with nobody, with who was somebody, and with what another site sends.

use super::{Browser, one};
use seawall::core::access::Role;
use seawall::web::permissions;
use std::time::Duration;

fn at(path: &str) -> String {
    path.replace("{kind}", "postgres").replace("{name}", "main").replace("{environment}", "production")
}

#[tokio::test(start_paused = true)]
async fn no_page_is_for_who_has_no_session_any_more_or_for_another_site() {
    let fake = one();
    let all = permissions();
    assert!(all.len() > 20 && all.iter().any(|(method, ..)| method == "POST"), "{all:?}");
    let mut nobody = Browser::open(&fake, false).await;
    let mut admin = Browser::of(&fake, "admin").await;
    let word = admin.get("/settings").await.word();
    let mut viewer = Browser::of(&fake, "viewer").await;
    let seen = viewer.get("/services").await.word();
    fake.change(|w| w.calls.clear());
    for (method, path, needs) in &all {
        let path = at(path);
        let of = format!("{method} {path}");
        let form = format!("csrf={word}");
        assert_eq!(nobody.ask(method.as_str(), &path, "", &form).await.status, 303, "{of}");
        for host in ["evil.example", "localhost.evil.example"] {
            let answer = admin.ask(method.as_str(), &path, &format!("host: {host}\r\n"), &form).await;
            assert_eq!(answer.status, 403, "{of} {host}");
        }
        if method == "POST" {
            for more in ["origin: https://evil.example\r\n", "origin: null\r\n"] {
                assert_eq!(admin.ask("POST", &path, more, &form).await.status, 403, "{of} {more}");
            }
            for form in ["", "csrf=", "a=b", &format!("csrf={seen}")] {
                assert_eq!(admin.post(&path, form).await.status, 403, "{of} {form}");
            }
        }
        if !Role::Viewer.permissions().contains(needs) {
            let answer = viewer.ask(method.as_str(), &path, "", &format!("csrf={seen}")).await;
            assert_eq!(answer.status, 403, "{of}");
        }
        assert_eq!(fake.calls(), Vec::<String>::new(), "{of}");
    }
    admin.keeper.revoke("admin");
    tokio::time::sleep(Duration::from_secs(3)).await;
    for (method, path, _) in all {
        let answer = admin.ask(method.as_str(), &at(path), "", &format!("csrf={word}")).await;
        assert_eq!(answer.status, 303, "{method} {path}");
    }
    assert_eq!(fake.calls(), Vec::<String>::new());
}
