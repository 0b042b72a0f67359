//! What there is to do over the fake engine: steps while they run, a pull, what is tried again, what waits for the user.

use crate::machine::rig::Rig;
use seawall::control::access::asked_by;
use seawall::control::api::{Api, JobState, JobView, StepState};
use seawall::core::access::Caller;
use seawall::core::condition::ConditionType as C;
use seawall::docker::DockerError;
use seawall::docker::fake::{Fault, What, When};
use std::time::Duration;

async fn job(rig: &Rig, name: &str) -> Option<JobView> {
    let name = rig.named(name).to_string();
    rig.operator.jobs().await.unwrap().items.into_iter().find(|job| job.object == name)
}

/// Waits for a job that is like this.
async fn until(rig: &Rig, what: &str, is: impl Fn(&JobView) -> bool) -> JobView {
    for _ in 0..6_000 {
        match job(rig, "main").await {
            Some(job) if is(&job) => return job,
            _ => rig.let_pass(Duration::from_millis(50)).await,
        }
    }
    panic!("never {what}: {:?}", job(rig, "main").await);
}

fn step(job: &JobView, state: StepState) -> Option<&str> {
    job.steps.iter().find(|step| step.state == state).map(|step| step.action.as_str())
}

#[tokio::test(start_paused = true)]
async fn a_change_is_told_step_by_step_and_not_when_it_is_done() {
    let rig = Rig::start(&[]);
    let slow = What::Slow(Duration::from_secs(20));
    rig.fake.inject(Fault { method: "create_volume", when: When::Before, what: slow, times: 1 });
    rig.manifest("main", "{version: '18'}");
    let made = until(&rig, "being made", |job| {
        job.state == JobState::Running
            && step(job, StepState::Running).is_some_and(|action| action.contains("create volume"))
    })
    .await;
    assert!(step(&made, StepState::Done).is_some(), "what came before it: {made:?}");
    let running = made.steps.iter().find(|step| step.state == StepState::Running).unwrap();
    assert!(running.at.is_some() && !running.cause.is_empty(), "{running:?}");
    rig.ready("main").await;
    rig.settled("made").await;
    assert_eq!(job(&rig, "main").await, None);
    assert_eq!(rig.operator.jobs().await.unwrap().items, []);
}

#[tokio::test(start_paused = true)]
async fn a_pull_runs_until_it_fails_and_then_it_is_told_that_it_fails() {
    let rig = Rig::start(&[]);
    let what = What::Slow(Duration::from_secs(30));
    rig.fake.inject(Fault { method: "pull", when: When::Before, what, times: 1 });
    rig.manifest("main", "{version: remote}");
    let pulls = until(&rig, "pulled", |job| job.state == JobState::Running).await;
    assert!(step(&pulls, StepState::Running).unwrap().contains("remote/postgres:18"), "{pulls:?}");
    let since = pulls.since;
    let fails = until(&rig, "failing", |job| job.state == JobState::Failing).await;
    assert!(fails.failures > 0 && fails.since == since, "{fails:?}");
    assert_eq!(step(&fails, StepState::Running), None, "{fails:?}");
    rig.remove("main");
    rig.until("it goes", || rig.view("main").is_none().then_some(())).await;
    assert_eq!(job(&rig, "main").await, None);
}

#[tokio::test(start_paused = true)]
async fn what_fails_is_tried_again_and_what_was_done_before_is_still_told() {
    let rig = Rig::start(&[]);
    let error = DockerError::Refused { doing: "create_volume", status: 500, detail: "no".to_owned() };
    rig.fake.inject(Fault {
        method: "create_volume",
        when: When::Before,
        what: What::Error(error),
        times: 3,
    });
    rig.manifest("main", "{version: '18'}");
    let fails = until(&rig, "failing", |job| job.state == JobState::Failing && job.failures > 1).await;
    assert!(
        step(&fails, StepState::Next).is_some() && step(&fails, StepState::Running).is_none(),
        "{fails:?}"
    );
    rig.ready("main").await;
    rig.settled("made").await;
    assert_eq!(job(&rig, "main").await, None);
}

#[tokio::test(start_paused = true)]
async fn what_needs_the_user_is_told_as_that_with_what_to_say() {
    let rig = Rig::start(&[("main", "{version: '18'}")]);
    rig.ready("main").await;
    rig.manifest("main", "{version: '17'}");
    let blocked = until(&rig, "blocked", |job| job.state == JobState::Blocked).await;
    assert!(!blocked.blocked[0].why.is_empty(), "{blocked:?}");
    rig.manifest("main", "{version: '18'}");
    rig.settled("as it was").await;
    assert_eq!(job(&rig, "main").await, None);
}

#[tokio::test(start_paused = true)]
async fn of_one_variable_nothing_else_is_shown_and_nothing_else_is_written_down() {
    let rig = Rig::start(&[("main", "{version: '18'}")]);
    let head = "apiVersion: seawall.dev/v1\nkind:";
    rig.text(
        "p.yaml",
        &format!("{head} Project\nmetadata: {{name: shop}}\nspec: {{environments: {{production: {{}}}}}}\n"),
    );
    let link = "{service: postgres/main, project: shop, environment: production}";
    rig.text("l.yaml", &format!("{head} Link\nmetadata: {{name: shop-main}}\nspec: {link}\n"));
    rig.reason("project/shop", C::Ready, "LinksReady").await;
    let shop = rig.named("project/shop");
    let ci = Caller { name: "ci".to_owned(), from: Some([10, 0, 0, 1].into()), ..Caller::socket() };
    let one =
        |name: &'static str| asked_by(ci.clone(), rig.operator.reveal_variable(&shop, "production", name));
    let view = one("POSTGRES_URL").await.unwrap();
    let all = rig.operator.environment(&shop, "production", false, true).await.unwrap().variables;
    let secret = |name: &str| all.iter().find(|v| v.name == name).unwrap().value.clone();
    for variable in &view.variables {
        let shown = variable.name == "POSTGRES_URL" || !variable.secret;
        assert_eq!(variable.withheld, !shown, "{variable:?}");
        assert_eq!(
            variable.value.contains(&secret("POSTGRES_PASSWORD")),
            variable.name == "POSTGRES_URL",
            "{variable:?}"
        );
    }
    let told = |words: &str| {
        let events = rig.events();
        events.iter().filter(|e| e.reason == "PasswordRevealed" && e.message.contains(words)).count()
    };
    assert_eq!(told("the variable POSTGRES_URL of production is shown"), 1, "{:?}", rig.events());
    assert_eq!(told("variables of production are shown"), 1);
    // What has no secret, or is not there, leaves nothing.
    for name in ["POSTGRES_HOST", "NOTHING"] {
        assert!(one(name).await.unwrap().variables.iter().all(|v| v.withheld == v.secret), "{name}");
    }
    let audit = rig.operator.audit(0).await.unwrap();
    let shown: Vec<_> =
        audit.iter().filter(|entry| entry.what == "PasswordRevealed").map(|e| e.who.as_str()).collect();
    assert_eq!(shown.len(), 2, "{audit:?}");
    assert_eq!(shown[0], "ci");
}
