//! Lists, selectors, pages, the parts of one object, and which version of it is shown.

use super::{Answer, ask};
use crate::cli::fake::{Fake, Place, event, view};
use crate::machine::rig::Rig;
use seawall::control::api::Api;
use seawall::core::names::API_VERSION;
use seawall::core::plan::PlanView;
use seawall::kinds::postgres::world::Crowd;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::net::UnixStream;

const ROOT: &str = "/apis/seawall.dev/v1";

fn fake() -> Fake {
    Fake::with(|w| {
        let mut redis = view("cache", "True", "LoginSucceeded", "logged in");
        redis.kind = "Redis".into();
        redis.metadata.labels.clear();
        let main = view("main", "True", "LoginSucceeded", "logged in");
        w.list.items = vec![main, view("shop-eu", "False", "LoginFailed", "no"), redis];
        w.list.revision = 1_234;
        w.list.guard = Some("held".into());
        w.events = vec![event(3, "postgres/main"), event(4, "operator"), event(5, "postgres/main")];
        w.plan.plans = vec![PlanView { object: "postgres/main".into(), paused: true, ..PlanView::default() }];
    })
}

async fn get(place: &Place, path: &str) -> Answer {
    let socket = UnixStream::connect(place.socket()).await.unwrap();
    ask(socket, &format!("GET {path}"), "", "").await
}

fn names(list: &Value) -> Vec<&str> {
    list["items"].as_array().unwrap().iter().map(|item| item["metadata"]["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn lists_are_of_a_kind_or_of_all_and_are_selected_from() {
    let place = Place::live(&fake()).await;
    for (path, want) in [
        ("all", "main shop-eu cache"),
        ("postgres", "main shop-eu"),
        ("pg", "main shop-eu"),
        ("PostgreSQL", "main shop-eu"),
        ("redises", "cache"),
        ("links", ""),
        ("all?labelSelector=team%3Dshop", "main shop-eu"),
        ("all?labelSelector=!team", "cache"),
        ("all?fieldSelector=metadata.name!%3Dmain", "shop-eu cache"),
        ("all?fieldSelector=status.conditions.Ready%3DTrue&labelSelector=team", "main"),
        ("postgres?limit=1", "main"),
        ("postgres?limit=5&continue=postgres/main", "shop-eu"),
    ] {
        let answer = get(&place, &format!("{ROOT}/{path}")).await;
        assert_eq!(names(&answer.body).join(" "), want, "{path}");
    }
    let list = get(&place, &format!("{ROOT}/postgres?limit=1")).await.body;
    assert_eq!((&list["apiVersion"], &list["kind"]), (&json!(API_VERSION), &json!("PostgresList")));
    let metadata = json!({"resourceVersion": "1234", "continue": "postgres/main", "remainingItemCount": 1});
    assert_eq!((&list["metadata"], &list["guard"]), (&metadata, &json!("held")));
    assert_eq!(
        get(&place, &format!("{ROOT}/all")).await.body["metadata"],
        json!({"resourceVersion": "1234"})
    );
    for (path, says) in [
        ("all?labelSelector=a%20b", "labelSelector: \"a b\" selects no labels"),
        ("all?fieldSelector=spec.version%3D18", "there are metadata.name and status.conditions.TYPE"),
        ("all?continue=x", "continue: expected KIND/NAME"),
        ("all?limit=-1", "limit"),
        ("all?resourceVersion=5", "resourceVersion is for watch=true"),
        ("all?watch=true&limit=5", "leave them out with watch=true"),
        ("all?watch=true&resourceVersion=x", "resourceVersion: write that of a list"),
        ("all?watch=yes", "watch"),
    ] {
        let answer = get(&place, &format!("{ROOT}/{path}")).await;
        assert_eq!(answer.status, 400, "{path}");
        assert!(answer.body["detail"].as_str().unwrap().contains(says), "{path}: {:?}", answer.body);
    }
}

#[tokio::test]
async fn an_object_has_its_parts_below_it() {
    let fake = fake();
    let place = Place::live(&fake).await;
    let of = async |path: &str| get(&place, &format!("{ROOT}/{path}")).await;
    let main = of("pg/main").await.body;
    assert_eq!((&main["kind"], &main["metadata"]["resourceVersion"]), (&json!("Postgres"), &json!("7.4.u")));
    let status = of("postgres/main/status").await.body;
    assert_eq!((&status["status"], &status["metadata"]), (&main["status"], &main["metadata"]));
    assert_eq!(status.get("spec"), None);
    assert_eq!(of("postgres/main/plan").await.body["paused"], true);
    let nothing = of("redis/cache/plan").await.body;
    assert_eq!((&nothing["object"], &nothing["steps"]), (&json!("redis/cache"), &json!([])));
    let sequences = |events: Value| -> Vec<u64> {
        events["items"].as_array().unwrap().iter().map(|event| event["sequence"].as_u64().unwrap()).collect()
    };
    assert_eq!(sequences(of("postgres/main/events").await.body), [3, 5]);
    assert_eq!(sequences(of("postgres/main/events?after=3").await.body), [5]);
    assert_eq!(sequences(of("events?after=3").await.body), [4, 5]);
    let logs = of("postgres/main/logs?lines=3").await;
    assert!(logs.head.contains("application/x-ndjson"), "{logs:?}");
    for path in ["postgres/gone", "postgres/gone/status", "postgres/gone/plan"] {
        assert_eq!(of(path).await.status, 404, "{path}");
    }
    assert!(!fake.calls().iter().any(|call| call.starts_with("plan Some")));
}

/// Of the operator itself: the revision in it.
async fn version(rig: &Rig) -> u64 {
    let view = rig.operator.object(&"postgres/main".parse().unwrap()).await.unwrap();
    view.metadata.resource_version.split('.').next().unwrap().parse().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_version_changes_with_what_is_shown_and_with_nothing_else() {
    let mut rig = Rig::start(&[("main", "{version: '18'}"), ("other", "{version: '18'}")]);
    rig.ready("postgres/main").await;
    rig.ready("postgres/other").await;
    rig.settled("both").await;
    let begun = version(&rig).await;
    // A status alone.
    rig.servers.set_crowd("postgres-main", Some(Crowd::Server { max: 100, reserved: 3 }));
    rig.let_pass(Duration::from_secs(16)).await;
    assert!(!rig.is_ready("postgres/main") && version(&rig).await > begun);
    rig.servers.set_crowd("postgres-main", None);
    rig.ready("postgres/main").await;
    rig.settled("main").await;
    let ready = version(&rig).await;
    assert!(ready <= rig.operator.objects().await.unwrap().revision);
    // Looks, proofs and another object leave it alone.
    rig.manifest("other", "{version: '18', resources: {memory: 512Mi}}");
    rig.let_pass(Duration::from_secs(700)).await;
    rig.settled("other").await;
    assert_eq!(version(&rig).await, ready);
    rig.manifest("main", "{version: '18', resources: {memory: 512Mi}}");
    rig.let_pass(Duration::from_secs(60)).await;
    let changed = version(&rig).await;
    assert!(changed > ready, "{changed} {ready}");
    // What the process before told is never taken for what is now.
    rig.crash().await;
    rig.restart();
    let unseen = version(&rig).await;
    assert!(unseen > changed, "{unseen} {changed}");
    rig.ready("postgres/main").await;
    assert!(version(&rig).await > unseen);
}
