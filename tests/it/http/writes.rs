//! Objects are written in Kubernetes' form, over the operator itself on the fake engine.

use super::Answer;
use super::services_live::Live;
use seawall::control::api::Api;
use seawall::core::names::ObjectRef;
use serde_json::{Value, json};
use std::time::Duration;

const ALL: &str = "/apis/seawall.dev/v1/postgres";
const MAIN: &str = "/apis/seawall.dev/v1/postgres/main";
const MERGE: &str = "content-type: application/merge-patch+json\r\n";

fn document(spec: &Value) -> Value {
    json!({"apiVersion": "seawall.dev/v1", "kind": "Postgres", "metadata": {"name": "main"}, "spec": spec})
}

fn plain() -> String {
    document(&json!({"version": "18"})).to_string()
}

impl Live {
    async fn one(&self) -> Value {
        self.at(&format!("GET {MAIN}"), "", "").await.body
    }

    /// What a request is answered with when it is to have this status.
    async fn with(&self, status: u16, line: &str, body: &str) -> Value {
        let head = if line.starts_with("PATCH") { MERGE } else { "" };
        let answer = self.at(line, head, body).await;
        assert_eq!(answer.status, status, "{line} {body}: {answer:?}");
        answer.body
    }

    fn memory(&self) -> Option<u64> {
        self.rig.container("main").and_then(|container| container.caps.memory).map(|memory| memory.0 >> 20)
    }
}

fn words(problem: &Value) -> String {
    format!("{} {}", problem["detail"].as_str().unwrap(), problem["next"].as_str().unwrap_or_default())
}

#[tokio::test(start_paused = true)]
async fn an_object_is_made_replaced_patched_and_taken_away() {
    let live = Live::start(&[]).await;
    let planned = live.with(200, &format!("POST {ALL}?dryRun=All"), &plain()).await;
    assert_eq!((&planned["outcome"], planned.get("metadata")), (&json!("created"), None), "{planned}");
    assert!(planned["plan"]["steps"].as_array().unwrap().len() > 3, "{planned}");
    live.with(404, &format!("GET {MAIN}"), "").await;

    let made = live.with(201, &format!("POST {ALL}"), &plain()).await;
    assert_eq!((&made["kind"], &made["metadata"]["name"]), (&json!("Postgres"), &json!("main")));
    assert_eq!((&made["outcome"], &made["metadata"]["managedBy"]), (&json!("created"), &json!("api")));
    assert!(words(&live.with(409, &format!("POST {ALL}"), &plain()).await).contains("exists already"));
    live.rig.ready("main").await;
    live.rig.settled("it is made").await;

    // As it was told, with another spec.
    let mut told = live.one().await;
    told["spec"]["resources"] = json!({"memory": "512Mi"});
    let planned = live.with(200, &format!("PUT {MAIN}?dryRun=All"), &told.to_string()).await;
    assert!(planned["plan"]["steps"][0]["cause"].as_str().unwrap().contains("512Mi"), "{planned}");
    assert_eq!((live.memory(), &live.one().await["spec"]), (None, &json!({"version": "18"})));
    let replaced = live.with(200, &format!("PUT {MAIN}"), &told.to_string()).await;
    assert_eq!((&replaced["outcome"], &replaced["spec"]), (&json!("configured"), &told["spec"]));
    live.rig.until("limited", || (live.memory() == Some(512)).then_some(())).await;
    // That version is not the one any more.
    let stale = words(&live.with(409, &format!("PUT {MAIN}"), &told.to_string()).await);
    assert!(stale.contains("is another version by now"), "{stale}");
    let version = told["metadata"]["resourceVersion"].as_str().unwrap();
    let patch = json!({"metadata": {"resourceVersion": version}, "spec": {"resources": null}});
    live.with(409, &format!("PATCH {MAIN}"), &patch.to_string()).await;
    live.with(409, &format!("PATCH {MAIN}?resourceVersion={version}"), "{\"spec\":{\"resources\":null}}")
        .await;
    // Without one it is what is wanted now.
    live.with(200, &format!("PUT {MAIN}"), &plain()).await;
    let patched =
        live.with(200, &format!("PATCH {MAIN}"), "{\"spec\":{\"resources\":{\"memory\":\"256Mi\"}}}").await;
    assert_eq!(patched["spec"], json!({"version": "18", "resources": {"memory": "256Mi"}}));
    let same = live.with(200, &format!("PATCH {MAIN}"), "{\"spec\":{\"version\":\"18\"}}").await;
    assert_eq!(same["outcome"], "unchanged");
    live.rig.until("limited", || (live.memory() == Some(256)).then_some(())).await;
    live.rig.ready("main").await;

    let planned = live.with(200, &format!("DELETE {MAIN}?dryRun=All"), "").await;
    assert_eq!((&planned["outcome"], &planned["object"]), (&json!("deleted"), &json!("postgres/main")));
    assert!(planned["plan"].to_string().contains("remove container"), "{planned}");
    assert_eq!(live.one().await["metadata"]["managedBy"], "api", "nothing was done");
    let done = live.with(200, &format!("DELETE {MAIN}"), "").await;
    assert!(done["message"].as_str().unwrap().contains("its data are kept"), "{done}");
    live.with(200, &format!("DELETE {MAIN}?confirm=main"), "").await;
    live.rig.until("gone", || live.rig.view("main").is_none().then_some(())).await;
    // What is replaced may be new.
    live.with(201, &format!("PUT {MAIN}"), &plain()).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_written_wrongly_changes_nothing() {
    let live = Live::start(&[]).await;
    live.with(201, &format!("POST {ALL}"), &plain()).await;
    live.rig.ready("main").await;
    let before = live.one().await["metadata"].clone();
    let big = document(&json!({"version": "x".repeat(2 << 20)})).to_string();
    let other = plain().replace("main", "other");
    for (status, line, body, says) in [
        (
            400,
            format!("PUT {MAIN}"),
            other.as_str(),
            "the document is of postgres/other, and the path of postgres/main",
        ),
        (
            400,
            "POST /apis/seawall.dev/v1/redis".to_owned(),
            other.as_str(),
            "postgres/other, which is no Redis",
        ),
        (
            400,
            format!("PATCH {MAIN}"),
            "{\"metadata\":{\"name\":\"other\"}}",
            "neither the kind nor the name",
        ),
        (400, format!("PATCH {MAIN}"), "{\"spec\":{\"resorces\":1}}", "did you mean \"resources\""),
        (400, format!("PATCH {MAIN}"), "{\"spec\":{\"version\":[]}}", "spec.version"),
        (400, format!("PATCH {MAIN}"), "[]", "a patch is one mapping"),
        (400, format!("PATCH {MAIN}"), "{", "broken JSON or YAML"),
        (400, format!("PUT {MAIN}"), "", "the request has no document"),
        (400, format!("PUT {MAIN}"), "{\"kind\":\"Postgres\"}", "apiVersion"),
        (400, format!("POST {ALL}"), big.as_str(), "larger than 1 MiB"),
        (404, "PATCH /apis/seawall.dev/v1/postgres/none".to_owned(), "{}", "does not exist"),
        (404, "DELETE /apis/seawall.dev/v1/postgres/none?dryRun=All".to_owned(), "", "does not exist"),
        (404, "DELETE /apis/seawall.dev/v1/postgres/none".to_owned(), "", "does not exist"),
        (400, "PUT /apis/seawall.dev/v1/postgres/..%2Fmain".to_owned(), other.as_str(), "not a DNS label"),
    ] {
        let why = words(&live.with(status, &line, body).await);
        assert!(why.contains(says), "{line}: {why}");
    }
    for of in [
        "application/json-patch+json",
        "application/strategic-merge-patch+json",
        "application/apply-patch+yaml",
    ] {
        let answer: Answer = live
            .at(&format!("PATCH {MAIN}"), &format!("content-type: {of}\r\n"), "{\"spec\":{\"stopped\":true}}")
            .await;
        assert_eq!(answer.status, 415, "{answer:?}");
    }
    let now = live.one().await["metadata"].clone();
    assert_eq!((&now["generation"], &now["uid"]), (&before["generation"], &before["uid"]));
}

#[tokio::test(start_paused = true)]
async fn of_two_writers_at_once_neither_undoes_the_other() {
    let live = Live::start(&[]).await;
    live.with(201, &format!("POST {ALL}"), &plain()).await;
    live.rig.ready("main").await;
    let line = format!("PATCH {MAIN}");
    let patch = |field: &str, value: Value| json!({"spec": {field: value}}).to_string();
    let (memory_of, parameters) =
        (patch("resources", json!({"memory": "512Mi"})), patch("parameters", json!({"work_mem": "8MB"})));
    tokio::join!(live.with(200, &line, &memory_of), live.with(200, &line, &parameters));
    let spec = json!({"version": "18", "resources": {"memory": "512Mi"}, "parameters": {"work_mem": "8MB"}});
    assert_eq!(live.one().await["spec"], spec);
    // Who says what they saw is told.
    let version = live.one().await["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
    let (one, other) = (patch("port", json!(6001)), patch("port", json!(6002)));
    let line = format!("PATCH {MAIN}?resourceVersion={version}");
    let (one, other) = tokio::join!(live.at(&line, MERGE, &one), live.at(&line, MERGE, &other));
    let mut both = [one.status, other.status];
    both.sort_unstable();
    assert_eq!(both, [200, 409], "{one:?} {other:?}");
    // And two who make it: one does.
    let new = plain().replace("main", "new");
    let line = format!("POST {ALL}");
    let (one, other) = tokio::join!(live.at(&line, "", &new), live.at(&line, "", &new));
    let mut both = [one.status, other.status];
    both.sort_unstable();
    assert_eq!(both, [201, 409], "{one:?} {other:?}");
}

#[tokio::test(start_paused = true)]
async fn what_a_file_holds_is_refused_with_what_to_commit() {
    let live = Live::start(&[("main", "{version: '18'}")]).await;
    live.rig.ready("main").await;
    let limited = document(&json!({"version": "18", "resources": {"memory": "512Mi"}})).to_string();
    for (line, body, commit) in [
        (format!("PUT {MAIN}"), limited.as_str(), "memory: 512Mi"),
        (format!("PUT {MAIN}?dryRun=All"), limited.as_str(), "memory: 512Mi"),
        (format!("PATCH {MAIN}"), "{\"spec\":{\"resources\":{\"cpus\":1}}}", "cpus: 1"),
        (format!("DELETE {MAIN}"), "", "remove postgres/main from main.yaml"),
        (format!("DELETE {MAIN}?confirm=main"), "", "remove postgres/main from main.yaml"),
        (format!("DELETE {MAIN}?confirm=main&dryRun=All"), "", "remove postgres/main from main.yaml"),
    ] {
        let why = words(&live.with(409, &line, body).await);
        assert!(why.contains("has a manifest in main.yaml:1:1; nothing was changed"), "{line}: {why}");
        assert!(why.contains(commit), "{line}: {why}");
    }
    assert!(words(&live.with(409, &format!("POST {ALL}"), &plain()).await).contains("exists already"));
    live.with(200, &format!("POST {MAIN}/stop"), "{}").await;
    live.rig.until("stopped", || (live.rig.phase("main") == "Stopped").then_some(())).await;
    live.with(200, &format!("POST {MAIN}/start"), "").await;
    live.rig.ready("main").await;
    assert_eq!(live.one().await["metadata"]["generation"], 1);
    assert_eq!(live.memory(), None);
}

#[tokio::test(start_paused = true)]
async fn the_plan_of_one_object_is_that_of_the_plan_of_all() {
    let spec = "{version: '18', resources: {memory: 256Mi}}";
    let live = Live::start(&[("main", spec), ("other", spec)]).await;
    live.rig.ready("main").await;
    live.rig.ready("other").await;
    let paused = "seawall.dev/paused: 'true'";
    for name in ["main", "other"] {
        let text = format!(
            "apiVersion: seawall.dev/v1\nkind: Postgres\nmetadata: {{name: {name}, annotations: {{{paused}}}}}\nspec: {{version: '18', resources: {{memory: 512Mi}}}}\n"
        );
        live.rig.text(&format!("{name}.yaml"), &text);
    }
    live.rig.let_pass(Duration::from_secs(30)).await;
    let calls = || live.rig.fake.call_log().values().sum::<u64>();
    let begin = calls();
    let all = live.rig.operator.plan(None).await.unwrap().plans;
    let of_all = calls() - begin;
    for name in ["postgres/main", "postgres/other", "imagecatalog/local"] {
        let object: ObjectRef = name.parse().unwrap();
        let begin = calls();
        let one = live.rig.operator.plan_of(&object).await.unwrap();
        assert!(calls() - begin < of_all, "{name}: {} of {of_all}", calls() - begin);
        let told = all.iter().find(|plan| plan.object == name);
        assert_eq!(Some(&one), told.or(Some(&one)), "{name}");
        assert_eq!(
            (one.steps.len(), one.paused),
            if told.is_some() { (1, true) } else { (0, false) },
            "{name}"
        );
    }
}
