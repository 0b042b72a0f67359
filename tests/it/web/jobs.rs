//! What there is to do, as a page; and one variable alone.

use super::{Browser, one};
use crate::cli::fake::{PASSWORD, event};
use seawall::control::api::{JobList, JobState, JobStep, JobView, StepState};
use seawall::core::plan::{BlockView, Sign, Until, WaitView};

/// One that is under way, and one that needs somebody.
pub fn some() -> JobList {
    let step = |action: &str, state, at: Option<&str>| JobStep {
        sign: Sign::Create,
        action: action.to_owned(),
        cause: "there is no container".to_owned(),
        state,
        at: at.map(str::to_owned),
    };
    let now = (jiff::Timestamp::now() - std::time::Duration::from_secs(70)).to_string();
    let job = |object: &str, state| JobView {
        object: object.to_owned(),
        state,
        since: now.clone(),
        failures: 0,
        steps: Vec::new(),
        waiting: Vec::new(),
        blocked: Vec::new(),
    };
    let steps = vec![
        step("create volume postgres-main-data", StepState::Done, Some(&now)),
        step("create container postgres-main", StepState::Running, Some(&now)),
        step("start postgres-main", StepState::Next, None),
    ];
    let wait = WaitView { on: "ServerStarting".into(), why: "it reads its log".into(), until: Until::Soon };
    let block = BlockView {
        reason: "MajorVersionChange".into(),
        why: "17 is not 18".into(),
        unblock: "seawall upgrade reports".into(),
    };
    JobList {
        items: vec![
            JobView { steps, waiting: vec![wait], ..job("postgres/main", JobState::Running) },
            JobView { blocked: vec![block], ..job("postgres/reports", JobState::Blocked) },
            JobView {
                failures: 3,
                steps: vec![step("pull image remote/postgres:18", StepState::Next, None)],
                ..job("postgres/billing", JobState::Failing)
            },
        ],
    }
}

#[tokio::test]
async fn what_there_is_to_do_is_a_page_with_its_steps() {
    let fake = one();
    let mut browser = Browser::of(&fake, "viewer").await;
    let empty = browser.get("/jobs").await.body;
    assert!(empty.contains("Nothing to do") && empty.contains("aria-current=\"true\">Jobs"), "{empty}");
    fake.change(|w| {
        w.jobs = some();
        w.events = vec![event(1, "postgres/main"), event(2, "operator")];
    });
    let page = browser.get("/jobs").await.body;
    for words in [
        "href=\"/services/postgres/main\"",
        "1 Under way",
        "1 Needs you",
        "create container postgres-main",
        "for <time",
        "it reads its log",
        "17 is not 18",
        "seawall upgrade reports",
        "Tried 3 times without getting on",
        "message 2",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    let (done, running) = (page.find(">Done<").unwrap(), page.find(">Under way<").unwrap());
    assert!(running < done, "the first is the state of the whole job: {page}");
    assert!(!page.contains("href=\"/services/operator\""), "it has no page: {page}");
    // Of any number a page of a known size.
    fake.change(|w| w.jobs.items = vec![some().items[0].clone(); 3_000]);
    let many = browser.get("/jobs").await.body;
    assert!(many.len() < 100_000 && many.contains("and 2960 more"), "{}", many.len());
}

#[tokio::test]
async fn one_variable_is_revealed_alone_by_who_may() {
    let at = "/services/project/shop/environments/production";
    let fake = one();
    for (role, status) in [("viewer", 403), ("operator", 403), ("admin", 200)] {
        let mut browser = Browser::of(&fake, role).await;
        let page = browser.get(at).await;
        assert_eq!(
            page.body.contains("aria-label=\"Reveal POSTGRES_PASSWORD\""),
            role == "admin",
            "{}",
            page.body
        );
        assert!(!page.body.contains("aria-label=\"Reveal POSTGRES_HOST\""), "it is no secret");
        fake.change(|w| w.calls.clear());
        let form = format!("csrf={}&variable=POSTGRES_PASSWORD", page.word());
        let answer = browser.post(&format!("{at}/reveal"), &form).await;
        assert_eq!((answer.status, answer.body.contains(PASSWORD)), (status, status == 200), "{role}");
        let asked = fake.calls().contains(&"reveal project/shop production POSTGRES_PASSWORD".to_owned());
        assert_eq!(asked, status == 200, "{:?}", fake.calls());
        assert!(!fake.calls().iter().any(|call| call.ends_with("false true")), "{:?}", fake.calls());
        assert!(!browser.get(at).await.body.contains(PASSWORD));
    }
}
