//! What is done by forms: who may, what becomes of it, what is asked before.

use super::{Browser, one};
use crate::cli::fake::{Fake, PASSWORD, TOKEN, main_view, token_view, view};
use seawall::control::api::*;
use seawall::core::access::{Grant, Role};
use seawall::core::plan::{PlanView, Sign, StepView};
use serde_json::json;

const AT: &str = "/services/postgres/main";

/// The same object, held by nobody's file.
fn by_api() -> Fake {
    let fake = one();
    fake.change(|w| {
        w.list.items[0].metadata.managed_by = Some(ManagedBy::Api);
        let step =
            StepView { sign: Sign::Change, action: "update memory".into(), cause: "spec changed".into() };
        let plan = PlanView { object: "postgres/main".into(), steps: vec![step], ..PlanView::default() };
        w.applied = Applied {
            object: "postgres/main".into(),
            outcome: Outcome::Configured,
            plan: Some(plan),
            ..Applied::default()
        };
    });
    fake
}

#[tokio::test]
async fn every_form_is_for_who_may_send_it() {
    let fake = by_api();
    let forms = [
        ("/operate", "operation=stop", 303, 303),
        ("/limits", "do=save", 303, 303),
        ("/delete", "confirm=main", 403, 303),
        ("/environments/production/reveal", "", 403, 200),
    ];
    let forms = forms.map(|(path, form, operator, admin)| (format!("{AT}{path}"), form, operator, admin));
    let others = [
        ("/create", "do=save&document=a", 303, 303),
        ("/projects", "name=a&environments=b", 303, 303),
        ("/links", "service=postgres/main&of=a/b", 303, 303),
        ("/links/remove", "name=a", 404, 404),
        ("/settings/tokens", "name=ci&role=viewer&expires=90d", 403, 200),
        ("/settings/revoke", "name=ci", 403, 303),
    ];
    let others = others.map(|(path, form, operator, admin)| (path.to_owned(), form, operator, admin));
    for (path, form, operator, admin) in forms.into_iter().chain(others) {
        for (role, status) in [("viewer", 403), ("operator", operator), ("admin", admin)] {
            let mut browser = Browser::of(&fake, role).await;
            let word = browser.get("/services").await.word();
            fake.change(|w| w.calls.clear());
            let answer = browser.post(&path, &format!("csrf={word}&{form}")).await;
            assert_eq!(answer.status, status, "{path} {role}: {}", answer.body);
            assert_eq!(fake.calls().is_empty(), status == 403, "{path} {role}: {:?}", fake.calls());
            // Without the word of the session nobody may.
            fake.change(|w| w.calls.clear());
            assert_eq!(browser.post(&path, form).await.status, 403, "{path} {role}");
            assert_eq!(fake.calls(), Vec::<String>::new(), "{path} {role}");
        }
    }
    for (path, operator) in [
        ("/settings", 403),
        ("/create", 200),
        (format!("{AT}/delete").as_str(), 403),
        (format!("{AT}/limits").as_str(), 200),
    ] {
        for (role, status) in [("viewer", 403), ("operator", operator), ("admin", 200)] {
            assert_eq!(Browser::of(&fake, role).await.get(path).await.status, status, "{path} {role}");
        }
    }
}

#[tokio::test]
async fn what_became_of_it_is_said_on_the_next_page_once() {
    let fake = one();
    let mut browser = Browser::of(&fake, "operator").await;
    let page = browser.get(AT).await;
    for button in ["value=\"restart\"", "value=\"stop\"", "value=\"rotate\""] {
        assert!(page.body.contains(button), "{button}");
    }
    assert!(!page.body.contains("value=\"start\"") && !page.body.contains("/delete"), "{}", page.body);
    let answer =
        browser.post(&format!("{AT}/operate"), &format!("csrf={}&operation=stop", page.word())).await;
    assert_eq!((answer.status, answer.header("location")), (303, Some(AT)));
    assert!(fake.calls().contains(&"Stop postgres/main".to_owned()));
    // A script that fetches a part of the page does not take it away.
    assert!(!browser.ask("GET", AT, "hx-request: true\r\n", "").await.body.contains("postgres/main stops"));
    let next = browser.get(AT).await.body;
    assert!(
        next.contains("postgres/main stops") && next.contains("stopped: true"),
        "with the line to commit"
    );
    assert!(!browser.get(AT).await.body.contains("postgres/main stops"));
    for operation in ["reinitialise", "releaseport", "", "nothing"] {
        let form = format!("csrf={}&operation={operation}", page.word());
        assert_eq!(browser.post(&format!("{AT}/operate"), &form).await.status, 400, "{operation}");
    }
    // What is stopped is started.
    fake.change(|w| w.list.items = vec![view("main", "False", "Stopped", "on purpose")]);
    let page = browser.get(AT).await.body;
    assert!(
        page.contains("value=\"start\"")
            && !page.contains("value=\"stop\"")
            && !page.contains("value=\"rotate\"")
    );
}

#[tokio::test]
async fn a_deletion_is_confirmed_by_name() {
    let fake = by_api();
    let mut browser = Browser::of(&fake, "admin").await;
    let asked = browser.get(&format!("{AT}/delete")).await;
    assert!(asked.body.contains("name=\"keep\""), "{}", asked.body);
    let word = asked.word();
    for typed in ["", "Main", "postgres/main"] {
        let answer = browser.post(&format!("{AT}/delete"), &format!("csrf={word}&confirm={typed}")).await;
        assert_eq!(answer.header("location"), Some(AT), "{typed}");
        assert!(browser.get(AT).await.body.contains("nothing was deleted"), "{typed}");
    }
    assert!(!fake.calls().iter().any(|call| call.starts_with("delete")), "{:?}", fake.calls());
    // With its name sent on, the API would take the data, too.
    browser.post(&format!("{AT}/delete"), &format!("csrf={word}&confirm=main&keep=yes")).await;
    let deleted =
        |fake: &Fake| fake.calls().into_iter().filter(|call| call.starts_with("delete")).collect::<Vec<_>>();
    assert_eq!(deleted(&fake), ["delete postgres/main "]);

    fake.change(|w| {
        w.calls.clear();
        w.list.items[0].metadata.managed_by = None;
    });
    let retained = browser.get(&format!("{AT}/delete")).await.body;
    assert!(
        retained.contains("nobody can bring them back") && !retained.contains("name=\"keep\""),
        "{retained}"
    );
    browser.post(&format!("{AT}/delete"), &format!("csrf={word}&confirm=main")).await;
    assert_eq!(deleted(&fake), ["delete postgres/main main"]);
    fake.change(|w| w.list.items[0] = main_view());
    let of_file = browser.get(&format!("{AT}/delete")).await.body;
    assert!(of_file.contains("shop.yaml:3") && !of_file.contains("name=\"confirm\""), "{of_file}");
}

#[tokio::test]
async fn limits_are_saved_after_their_plan_was_read_and_a_file_is_told_what_to_commit() {
    let fake = by_api();
    let mut browser = Browser::of(&fake, "operator").await;
    let at = format!("{AT}/limits");
    let form = browser.get(&at).await;
    assert!(form.body.contains("value=\"512Mi\"") && !form.body.contains("value=\"save\""), "{}", form.body);
    let fields = format!("csrf={}&limit-memory=on&memory=1Gi&swap=&cpus=2", form.word());
    let patch = "{\"spec\":{\"resources\":{\"memory\":\"1Gi\",\"swap\":null,\"cpus\":null}}}";
    let looked = browser.post(&at, &format!("{fields}&do=plan")).await;
    for words in ["update memory", "spec changed", "value=\"save\"", "value=\"1Gi\""] {
        assert!(looked.body.contains(words), "{words}: {}", looked.body);
    }
    let call = |dry: bool| {
        let options = ApplyOptions { dry_run: dry, ..ApplyOptions::default() };
        format!("patch postgres/main {options:?} {patch}")
    };
    assert!(fake.calls().contains(&call(true)) && !fake.calls().contains(&call(false)), "{:?}", fake.calls());
    let saved = browser.post(&at, &format!("{fields}&do=save")).await;
    assert_eq!(saved.header("location"), Some(AT));
    assert!(fake.calls().contains(&call(false)), "{:?}", fake.calls());
    assert!(browser.get(AT).await.body.contains("postgres/main configured"));
}

#[tokio::test]
async fn a_new_service_is_made_here_or_its_text_is_committed() {
    let fake = Fake::with(|w| {
        w.applied =
            Applied { object: "postgres/new".into(), outcome: Outcome::Created, ..Applied::default() };
    });
    let mut browser = Browser::of(&fake, "operator").await;
    let form = browser.get("/create?kind=manifest").await;
    assert!(
        form.body.contains("apiVersion: seawall.dev/v1") && !form.body.contains("Create here"),
        "{}",
        form.body
    );
    let document = "kind: X%0D%0Aspec: {}%0D%0A";
    let looked = browser.post("/create", &format!("csrf={}&document={document}&do=plan", form.word())).await;
    assert!(
        looked.body.contains("It would be made") && looked.body.contains("Create here"),
        "{}",
        looked.body
    );
    let made = browser.post("/create", &format!("csrf={}&document={document}&do=save", form.word())).await;
    assert_eq!(made.header("location"), Some("/services/postgres/new"));
    for dry in [true, false] {
        let options = ApplyOptions { dry_run: dry, create: true, resource_version: None };
        let call = format!("apply {options:?} kind: X\nspec: {{}}\n");
        assert!(fake.calls().contains(&call), "{:?}", fake.calls());
    }
}

#[tokio::test]
async fn variables_are_masked_and_settings_show_a_token_once() {
    let fake = Fake::with(|w| {
        let mut shop = view("shop", "True", "AsExpected", "");
        shop.kind = "Project".into();
        shop.spec = json!({"environments": {"production": {}}});
        w.list.items = vec![shop];
        w.tokens = vec![token_view("ci", Grant::Role(Role::Viewer))];
        w.audit = vec![AuditEntry {
            sequence: 1,
            who: "the-admin".into(),
            what: "PasswordRevealed".into(),
            ..AuditEntry::default()
        }];
    });
    let mut browser = Browser::of(&fake, "admin").await;
    let page = browser.get("/services/project/shop").await.body;
    let at = "/services/project/shop/environments/production";
    assert!(page.contains(&format!("href=\"{at}\"")), "{page}");
    let masked = browser.get(at).await;
    assert!(masked.body.contains("POSTGRES_PASSWORD") && !masked.body.contains(PASSWORD), "{}", masked.body);
    let form = format!("csrf={}", masked.word());
    assert!(browser.post(&format!("{at}/reveal"), &form).await.body.contains(PASSWORD));

    let settings = browser.get("/settings").await;
    for words in ["ci", "viewer", "PasswordRevealed", "the-admin", "9.9.9"] {
        assert!(settings.body.contains(words), "{words}: {}", settings.body);
    }
    let made = browser.post("/settings/tokens", &format!("{form}&name=new&role=operator&expires=1d")).await;
    assert!(
        made.body.contains(TOKEN) && !browser.get("/settings").await.body.contains(TOKEN),
        "{}",
        made.body
    );
    assert!(fake.calls().contains(&"create token new operator 1d".to_owned()), "{:?}", fake.calls());
    assert_eq!(browser.post("/settings/tokens", &format!("{form}&name=new&role=king")).await.status, 400);
    browser.post("/settings/revoke", &format!("{form}&name=ci")).await;
    assert!(browser.get("/settings").await.body.contains("token ci is revoked"));
}
