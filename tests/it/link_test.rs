//! `seawall link test`: the way of an application, on the fake engine; what programs in the containers answer is scripted.

use crate::machine::rig::Rig;
use seawall::control::api::{Api, ErrorCode, Operation, TestResult, TestStep, TestView};
use seawall::core::condition::ConditionType as C;
use seawall::core::names::ObjectRef;
use seawall::docker::{DockerError, ExecRequest, ExecResult};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const LINK: &str = "link/shop-main";

fn link() -> ObjectRef {
    LINK.parse().unwrap()
}

/// A link to this service, Ready.
async fn linked(service: &str) -> Rig {
    let rig = Rig::start(&[]);
    rig.redis("cache", "", "{version: '8'}");
    rig.manifest("main", "{version: '18'}");
    let head = "apiVersion: seawall.dev/v1\nkind:";
    let project =
        format!("{head} Project\nmetadata: {{name: shop}}\nspec: {{environments: {{production: {{}}}}}}\n");
    let spec = format!("{{service: {service}, project: shop, environment: production, prefix: MY_DB}}");
    rig.text(
        "shop.yaml",
        &format!("{project}---\n{head} Link\nmetadata: {{name: shop-main}}\nspec: {spec}\n"),
    );
    rig.ready(service).await;
    rig.reason(LINK, C::Ready, "LoginSucceeded").await;
    rig
}

fn says(exit_code: i64, stdout: &str, stderr: &str) -> ExecResult {
    ExecResult { exit_code, stdout: stdout.to_owned(), stderr: stderr.to_owned() }
}

/// As a server that is well.
fn well(request: &ExecRequest) -> ExecResult {
    let logs_in = request.env.contains_key("PGPASSWORD") || request.env.contains_key("REDISCLI_AUTH");
    match (request.argv[0].as_str(), logs_in) {
        ("getent", _) => says(0, "172.18.0.2  postgres-main\n", ""),
        ("pg_isready", _) => says(0, "postgres-main:5432 - accepting connections\n", ""),
        ("psql", true) => says(0, "1\n", ""),
        ("redis-cli", true) => says(0, "PONG\n", ""),
        ("redis-cli", false) => says(0, "NOAUTH Authentication required.\n", ""),
        _ => says(127, "", "not scripted"),
    }
}

/// What was asked of which container.
type Asked = Arc<Mutex<Vec<(String, ExecRequest)>>>;

fn script(
    rig: &Rig,
    answer: impl Fn(&ExecRequest) -> Result<ExecResult, DockerError> + Send + Sync + 'static,
) -> Asked {
    let asked = Asked::default();
    let keep = Arc::clone(&asked);
    rig.fake.on_exec(move |c, request| {
        if ["getent", "pg_isready", "psql", "redis-cli"].contains(&request.argv[0].as_str()) {
            keep.lock().unwrap().push((c.name.clone(), request.clone()));
        }
        answer(request)
    });
    asked
}

async fn test(rig: &Rig) -> TestView {
    rig.operator.test(&link()).await.unwrap()
}

async fn password(rig: &Rig) -> String {
    let shop = "project/shop".parse().unwrap();
    let view = rig.operator.environment(&shop, "production", false, true).await.unwrap();
    view.variables.into_iter().find(|v| v.name == "MY_DB_PASSWORD").unwrap().value
}

/// The step, how it ended, and its words.
fn of(view: &TestView, step: TestStep) -> (TestResult, &str) {
    let found = view.steps.iter().find(|s| s.step == step).unwrap();
    (found.result, found.message.as_str())
}

#[tokio::test(start_paused = true)]
async fn an_applications_way_is_gone_with_its_own_variables_and_no_secret_is_told() {
    for (service, container, environment, arguments) in [
        (
            "postgres/main",
            "postgres-main",
            "PGHOST=postgres-main PGPORT=5432 PGUSER=shop_main_a PGDATABASE=shop_production",
            "psql -XwAtc SELECT 1",
        ),
        ("redis/cache", "redis-cache", "", "redis-cli -h redis-cache -p 6379 --user shop_production PING"),
    ] {
        let rig = linked(service).await;
        let asked = script(&rig, |request| Ok(well(request)));
        let view = test(&rig).await;
        assert!(view.passed && view.steps.len() == 5 && view.object == LINK, "{view:?}");
        assert!(view.steps.iter().all(|s| s.result == TestResult::Ok), "{view:?}");
        assert!(of(&view, TestStep::Variables).1.contains("MY_DB_HOST, MY_DB_PORT"), "{view:?}");
        let asked = asked.lock().unwrap().clone();
        assert!(asked.iter().all(|(of, _)| of == container), "{asked:?}");
        let (_, login) = asked.last().unwrap();
        assert_eq!(login.argv.join(" "), arguments);
        for part in environment.split_whitespace() {
            let (name, value) = part.split_once('=').unwrap();
            assert_eq!(login.env.get(name).map(String::as_str), Some(value), "{name}");
        }
        let password = password(&rig).await;
        assert!(login.env.values().any(|value| *value == password), "the very one that is injected");
        let before = asked.iter().rev().skip(1);
        assert!(
            before.clone().count() == 2 && before.clone().all(|(_, r)| !format!("{r:?}").contains(&password))
        );
        assert!(asked.iter().all(|(_, r)| !r.argv.iter().any(|word| word.contains(&password))));
        assert!(!serde_json::to_string(&view).unwrap().contains(&password));
    }
}

#[tokio::test(start_paused = true)]
async fn the_step_that_fails_is_named_with_the_words_of_who_said_no() {
    let rig = linked("postgres/main").await;
    let no = "psql: error: FATAL:  role \"shop_main_a\" is not permitted to log in";
    script(&rig, move |request| match request.env.get("PGPASSWORD") {
        // A server that says more than it should.
        Some(password) => Ok(says(2, "", &format!("{no} with {password}\n"))),
        None => Ok(well(request)),
    });
    let view = test(&rig).await;
    let want = format!("as shop_main_a into shop_production: {no} with ********");
    assert_eq!(of(&view, TestStep::Login), (TestResult::Failed, want.as_str()));
    assert!(
        !view.passed && view.steps.iter().filter(|s| s.result == TestResult::Ok).count() == 4,
        "{view:?}"
    );

    let not_tried = (TestResult::NotTried, "Reachable is not OK");
    script(&rig, |request| Ok(if request.argv[0] == "getent" { says(2, "", "") } else { well(request) }));
    let view = test(&rig).await;
    let want = "the name postgres-main is not found on network seawall";
    assert_eq!(of(&view, TestStep::Reachable), (TestResult::Failed, want));
    assert_eq!(of(&view, TestStep::Login), not_tried);
    // An image may have no such program; then the client has the say.
    script(&rig, |request| {
        Ok(if request.argv[0] == "getent" { says(127, "", "what?") } else { well(request) })
    });
    assert!(test(&rig).await.passed);
    script(&rig, |request| match request.argv[0].as_str() {
        "pg_isready" => Err(DockerError::Timeout { doing: "exec", after: Duration::ZERO }),
        _ => Ok(well(request)),
    });
    let view = test(&rig).await;
    assert_eq!(of(&view, TestStep::Reachable), (TestResult::Failed, "no answer within 10s"));
    assert_eq!(of(&view, TestStep::Login), not_tried);
}

#[tokio::test(start_paused = true)]
async fn of_a_service_that_is_stopped_nothing_is_asked() {
    let rig = linked("postgres/main").await;
    rig.operator.operate(&rig.named("main"), Operation::Stop).await.unwrap();
    rig.reason(LINK, C::Ready, "ServiceNotReady").await;
    // The link knows of it while the server is still being stopped.
    rig.reason("main", C::Ready, "Stopped").await;
    let asked = script(&rig, |request| Ok(well(request)));
    let view = test(&rig).await;
    let (result, words) = of(&view, TestStep::ServiceReady);
    assert!(result == TestResult::Failed && words.starts_with("postgres/main: Stopped: "), "{view:?}");
    assert!(of(&view, TestStep::Ready).1.starts_with("ServiceNotReady: "), "{view:?}");
    for step in [TestStep::Reachable, TestStep::Login] {
        assert_eq!(of(&view, step), (TestResult::NotTried, "ServiceReady is not OK"));
    }
    assert!(!view.passed && asked.lock().unwrap().is_empty());

    for (object, code) in [("link/nowhere", ErrorCode::NotFound), ("project/shop", ErrorCode::Invalid)] {
        assert_eq!(rig.operator.test(&object.parse().unwrap()).await.unwrap_err().code, code, "{object}");
    }
    assert_eq!(rig.operator.test(&rig.named("main")).await.unwrap_err().code, ErrorCode::Invalid);
}
