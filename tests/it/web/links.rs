//! Projects, and the forms that link services to their environments.

use super::{Browser, one};
use crate::cli::fake::{Fake, main_view, view};
use seawall::control::api::*;
use serde_json::json;

/// A service, a project of two environments, and a link of one of them.
fn shop(held_by: ManagedBy) -> Fake {
    let fake = one();
    fake.change(|w| {
        let mut project = view("shop", "True", "AsExpected", "");
        project.kind = "Project".into();
        project.spec = json!({"environments": {"production": {}, "staging": {}}});
        let mut link = view("shop-production-main", "False", "LoginFailed", "no route to host");
        link.kind = "Link".into();
        link.spec = json!({"service": "postgres/main", "project": "shop", "environment": "production"});
        link.metadata.managed_by = Some(held_by);
        link.metadata.source = "shop.yaml:9".into();
        w.list.items = vec![main_view(), project, link];
    });
    fake
}

#[tokio::test]
async fn projects_show_what_is_linked_to_each_environment() {
    let empty = Fake::default();
    let page = Browser::of(&empty, "viewer").await.get("/projects").await.body;
    assert!(page.contains("No projects yet") && !page.contains("action=\"/projects\""), "{page}");

    let fake = shop(ManagedBy::Api);
    let mut browser = Browser::of(&fake, "operator").await;
    let page = browser.get("/projects").await.body;
    for words in [
        "/services/project/shop\"",
        "/services/project/shop/environments/production",
        "/services/project/shop/environments/staging",
        "/services/postgres/main",
        "Not ready",
        "none",
        "aria-current=\"true\">Projects",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    for (path, words) in [
        (
            "/services/postgres/main",
            [
                "Linked projects",
                "no route to host",
                "of\" aria-label=\"Environment\"><option>shop/staging</option></select>",
            ],
        ),
        ("/services/project/shop", ["Linked services", "Unlink", "<option>postgres/main</option>"]),
    ] {
        let page = browser.get(path).await.body;
        for words in words {
            assert!(page.contains(words), "{path} {words}: {page}");
        }
    }
    let list = browser.get("/services").await.body;
    assert!(!list.contains("shop-production-main"), "they have their own page: {list}");
    // What a file holds is taken away there.
    let of_file = shop(ManagedBy::File);
    let page = Browser::of(&of_file, "operator").await.get("/services/postgres/main").await.body;
    assert!(page.contains("shop.yaml:9") && !page.contains("Unlink"), "{page}");
}

#[tokio::test]
async fn a_page_of_many_projects_is_small() {
    let fake = one();
    fake.change(|w| {
        let names: serde_json::Map<_, _> = (0..5).map(|n| (format!("env-{n}"), json!({}))).collect();
        let projects = (0..100).map(|n| {
            let mut project = view(&format!("project-{n}"), "True", "AsExpected", "");
            project.kind = "Project".into();
            project.spec = json!({"environments": names.clone()});
            project
        });
        let links = (0..500).map(|n| {
            let mut link = view(&format!("link-{n}"), "True", "Linked", "");
            link.kind = "Link".into();
            link.metadata.managed_by = Some(ManagedBy::Api);
            let (project, name) = (format!("project-{}", n % 100), format!("env-{}", n / 100));
            link.spec = json!({"service": "postgres/main", "project": project, "environment": name});
            link
        });
        w.list.items = [main_view()].into_iter().chain(projects).chain(links).collect();
    });
    let mut browser = Browser::of(&fake, "admin").await;
    for path in ["/projects", "/services/postgres/main", "/services/project/project-0"] {
        let answer = browser.get(path).await;
        assert!(answer.status == 200 && answer.body.len() < 100_000, "{path}: {}", answer.body.len());
    }
    assert!(browser.get("/projects").await.body.contains(" more: "));
}

#[tokio::test]
async fn links_and_projects_are_made_and_taken_away_by_forms() {
    let fake = shop(ManagedBy::Api);
    let mut browser = Browser::of(&fake, "operator").await;
    let word = browser.get("/projects").await.word();
    let at = "at=postgres%2Fmain";
    fake.change(|w| w.calls.clear());
    let form = format!("csrf={word}&{at}&service=postgres%2Fmain&of=shop%2Fstaging");
    let made = browser.post("/links", &form).await;
    assert_eq!((made.status, made.header("location")), (303, Some("/services/postgres/main")));
    let calls = fake.calls();
    let applied = calls.iter().find(|call| call.starts_with("apply")).unwrap();
    for words in ["create: true", "\"postgres/main\"", "\"shop\"", "\"staging\""] {
        assert!(applied.contains(words), "{words}: {applied}");
    }
    for wrong in ["service=postgres&of=shop/staging", "service=postgres/main&of=shop", "of=a/b", ""] {
        let answer = browser.post("/links", &format!("csrf={word}&{wrong}")).await;
        assert_eq!(answer.status, 400, "{wrong}: {}", answer.body);
    }
    fake.change(|w| w.calls.clear());
    let form = format!("csrf={word}&at=project%2Fshop&name=shop-production-main");
    let gone = browser.post("/links/remove", &form).await;
    assert_eq!(gone.header("location"), Some("/services/project/shop"), "{gone:?}");
    assert!(fake.calls().contains(&"delete link/shop-production-main ".to_owned()), "{:?}", fake.calls());
    fake.change(|w| w.calls.clear());
    let made =
        browser.post("/projects", &format!("csrf={word}&name=blog&environments=production%2C+staging")).await;
    assert_eq!(made.header("location"), Some("/projects"), "{made:?}");
    let calls = fake.calls();
    let applied = calls.iter().find(|call| call.starts_with("apply")).unwrap();
    assert!(applied.contains("{\"environments\":{\"production\":{},\"staging\":{}}}"), "{applied}");
    // Nowhere else than to a page of an object.
    let form = format!("csrf={word}&at=https%3A%2F%2Fevil.example&name=shop-production-main");
    assert_eq!(browser.post("/links/remove", &form).await.header("location"), Some("/projects"));

    let of_file = shop(ManagedBy::File);
    let mut browser = Browser::of(&of_file, "operator").await;
    let word = browser.get("/projects").await.word();
    browser.post("/links/remove", &format!("csrf={word}&{at}&name=shop-production-main")).await;
    assert!(!of_file.calls().iter().any(|call| call.starts_with("delete")), "{:?}", of_file.calls());
    assert!(browser.get("/projects").await.body.contains("shop.yaml:9"));
}
