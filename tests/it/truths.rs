//! What the operator says of itself is so: whose logs are shown, what runs already, since when, and what is queued.

use crate::machine::rig::{Rig, object};
use futures_util::StreamExt;
use seawall::control::access::asked_by;
use seawall::control::api::{Api, ErrorCode, LogOptions, Operation};
use seawall::core::access::Caller;
use seawall::core::condition::{ConditionType as C, Truth};
use seawall::core::names::label;
use std::collections::BTreeMap;
use std::time::Duration;

const MAIN: &str = "{version: '18'}";

#[tokio::test(start_paused = true)]
async fn the_log_of_a_container_of_others_is_not_shown() {
    let rig = Rig::start(&[("main", MAIN)]);
    rig.ready("main").await;
    rig.fake.set_logs("postgres-main", vec!["one".to_owned()]).unwrap();
    let main = object("main");
    let log = async || {
        let lines = rig.operator.logs(&main, &LogOptions::default()).await?;
        Ok(lines.map(Result::unwrap).collect::<Vec<_>>().await)
    };
    assert_eq!(log().await, Ok(vec!["one".to_owned()]));
    let ours = rig.container("main").unwrap().labels;
    for key in [label::INSTALLATION, label::STORE, label::NAME] {
        let others = ours.iter().map(|(name, value)| (name, if name == key { "another" } else { value }));
        rig.fake.relabel("postgres-main", others).unwrap();
        let error: seawall::control::api::ApiError = log().await.unwrap_err();
        assert_eq!(error.code, ErrorCode::Conflict);
        assert!(error.what.contains("is not that of postgres/main") && error.what.contains(key), "{error:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_runs_is_not_started_again() {
    let rig = Rig::start(&[("main", MAIN)]);
    rig.ready("main").await;
    let main = object("main");
    let start = async || rig.operator.operate(&main, Operation::Start).await.unwrap().message;
    assert_eq!(start().await, "postgres/main runs already");
    assert!(!rig.said("StartRequested", ""), "{:?}", rig.events());
    rig.operator.operate(&main, Operation::Stop).await.unwrap();
    // Also while its container has not stopped yet.
    assert_eq!(start().await, "postgres/main is being started");
    rig.ready("main").await;
    rig.operator.operate(&main, Operation::Stop).await.unwrap();
    rig.reason("main", C::Ready, "Stopped").await;
    assert_eq!(start().await, "postgres/main is being started");
    rig.ready("main").await;
    assert_eq!(start().await, "postgres/main runs already");
}

#[tokio::test(start_paused = true)]
async fn what_is_asked_for_while_the_engine_is_away_is_said_to_wait_and_is_done_then() {
    let rig = Rig::start(&[("main", MAIN)]);
    rig.ready("main").await;
    let (main, started) = (object("main"), rig.container("main").unwrap().started_at);
    rig.fake.stop_engine();
    rig.until("known", || rig.engine_down()).await;
    let said = rig.operator.operate(&main, Operation::Restart).await.unwrap().message;
    assert!(
        said.starts_with(
            "postgres/main is being restarted, once the engine answers again: the Docker engine"
        ),
        "{said}"
    );
    assert_eq!(said.matches("does not answer").count(), 1, "{said}");
    let said = rig.operator.operate(&main, Operation::Start).await.unwrap().message;
    assert!(said.contains("once the engine answers again"), "nobody knows that it runs: {said}");
    rig.fake.start_engine();
    rig.until("restarted", || {
        (rig.container("main")?.started_at != started && rig.is_ready("main")).then_some(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_is_retained_is_so_since_its_removal() {
    let rig = Rig::start(&[("main", MAIN), ("other", MAIN)]);
    rig.ready("main").await;
    rig.ready("other").await;
    rig.operator.operate(&object("main"), Operation::Stop).await.unwrap();
    rig.reason("main", C::Ready, "Stopped").await;
    let since = |name| rig.condition(name, C::Ready).unwrap().last_transition_time;
    let stopped = since("main");
    // Times are those of the real clock, in whole seconds.
    std::thread::sleep(Duration::from_millis(1_100));
    rig.remove("main");
    rig.until("removed", || rig.container("main").is_none().then_some(())).await;
    rig.reason("main", C::Ready, "Retained").await;
    let removed = since("main");
    assert!(removed > stopped, "{removed} {stopped}");
    std::thread::sleep(Duration::from_millis(1_100));
    rig.let_pass(Duration::from_secs(120)).await;
    assert_eq!(since("main"), removed);
}

#[tokio::test(start_paused = true)]
async fn a_program_of_this_machine_that_logs_in_reveals_nothing() {
    let rig = Rig::start(&[("main", MAIN)]);
    rig.ready("main").await;
    let main = object("main");
    let what = async || {
        let all = rig.operator.audit(0).await.unwrap();
        all.into_iter().map(|entry| format!("{} {}", entry.what, entry.who)).collect::<Vec<_>>()
    };
    let view = asked_by(Caller::user(1000), rig.operator.login(&main, "psql")).await.unwrap();
    assert_eq!(view.password, Some(rig.password("main").await));
    // The second is that of the line above.
    assert_eq!(what().await, ["ClientStarted uid 1000", "PasswordRevealed seawall"]);
    assert!(
        rig.said("ClientStarted", "psql logs in with its password (asked for by uid 1000)"),
        "{:?}",
        rig.events()
    );
    // Over TCP it is told to somebody elsewhere, whatever he calls it.
    let ci = Caller { name: "ci".to_owned(), from: Some([10, 0, 0, 1].into()), ..Caller::socket() };
    asked_by(ci, rig.operator.login(&main, "psql")).await.unwrap();
    assert_eq!(what().await, ["ClientStarted uid 1000", "PasswordRevealed seawall", "PasswordRevealed ci"]);
}

#[tokio::test(start_paused = true)]
async fn a_plan_of_one_file_is_of_what_it_names_beside_the_others() {
    let rig = Rig::start(&[("main", MAIN), ("other", MAIN)]);
    rig.ready("main").await;
    rig.ready("other").await;
    rig.settled("both").await;
    let plan = async |name: &str, text: String| {
        rig.operator.plan_beside(BTreeMap::from([(name.to_owned(), text)])).await.unwrap()
    };
    let list =
        plan("/tmp/x.yaml", rig.document("main", "", "{version: '18', resources: {memory: 512Mi}}")).await;
    let objects: Vec<&str> = list.plans.iter().map(|plan| plan.object.as_str()).collect();
    assert_eq!((objects.as_slice(), list.plans[0].steps.len()), (&["postgres/main"][..], 1), "{list:#?}");
    assert!(list.problems.is_empty() && list.guard.is_none(), "{list:#?}");
    assert!(list.plans[0].steps[0].action.contains("caps"), "{list:#?}");
    // A new one, of a version of the catalog that another file has; and one with a mistake.
    let list = plan("/tmp/x.yaml", rig.document("new", "", MAIN)).await;
    assert!(list.plans[0].object == "postgres/new" && !list.plans[0].steps.is_empty(), "{list:#?}");
    let list = plan("/tmp/x.yaml", rig.document("main", "", "{version: 'none'}")).await;
    assert!(list.problems.len() == 1 && list.problems[0].place.file == "/tmp/x.yaml", "{list:#?}");
    // As it is, there is nothing to do; and nothing of all this came into force.
    let list = plan("/tmp/x.yaml", rig.document("main", "", MAIN)).await;
    assert!(list.plans.len() == 1 && list.plans[0].steps.is_empty(), "{list:#?}");
    assert_eq!(rig.condition("main", C::Ready).unwrap().status, Truth::True);
    assert!(rig.view("new").is_none() && rig.plans().await.len() >= 2);
}
