//! What a person writes reaches the server as it was written; what is not read is said. Over the fake engine.

use crate::machine::rig::Rig;
use seawall::core::condition::ConditionType as C;
use std::time::Duration;

const CONTAINER: &str = "postgres-main";
const PARAMETERS: &str = "/etc/seawall/postgresql.conf";

#[tokio::test(start_paused = true)]
async fn words_without_quotes_and_json_reach_the_server_as_they_were_written() {
    let rig = Rig::start(&[("main", "{version: '18', parameters: {work_mem: 4MB}}")]);
    rig.ready("main").await;
    let before = rig.container("main").unwrap();
    let file = || {
        String::from_utf8(rig.fake.file(CONTAINER, PARAMETERS).unwrap().unwrap().content.to_vec()).unwrap()
    };
    rig.manifest(
        "main",
        "{version: 18, parameters: {log_file_mode: 0444, app.code: 007, app.version: 1.10, app.flag: True, jit: off, app.many: 123456789012345678901}}",
    );
    let wanted = [
        "log_file_mode = '0444'",
        "app.code = '007'",
        "app.version = '1.10'",
        "app.flag = 'True'",
        "jit = 'off'",
        "app.many = '123456789012345678901'",
    ];
    rig.until("as written", || wanted.iter().all(|line| file().contains(line)).then_some(())).await;
    rig.settled("main").await;
    let generation = rig.view("main").unwrap().metadata.generation;
    // The same object from a file that is JSON, in which a number is as good as its text.
    let json = r#"{"apiVersion": "seawall.dev/v1", "kind": "Postgres", "metadata": {"name": "main"},
        "spec": {"version": 18, "parameters": {"log_file_mode": "0400", "work_mem": 8192}}}"#;
    std::fs::write(rig.path("other.json.tmp"), json).unwrap();
    std::fs::rename(rig.path("other.json.tmp"), rig.path("other.json")).unwrap();
    rig.remove("main");
    rig.until("from JSON", || {
        (file().contains("log_file_mode = '0400'") && file().contains("'8192'")).then_some(())
    })
    .await;
    let view = rig.view("main").unwrap();
    assert_eq!((view.metadata.generation, view.metadata.source.as_str()), (generation + 1, "other.json:1:1"));
    let after = rig.container("main").unwrap();
    assert_eq!((after.id, after.started_at), (before.id, before.started_at), "by reloads");
}

#[tokio::test(start_paused = true)]
async fn a_file_that_looks_like_a_manifest_and_is_not_read_is_said_once() {
    let rig = Rig::start(&[("main", "{version: '18'}")]);
    rig.ready("main").await;
    let notices = || rig.notices();
    std::fs::write(rig.path("README.md"), "").unwrap();
    std::fs::write(rig.path(".hidden.yaml"), "").unwrap();
    rig.let_pass(Duration::from_secs(60)).await;
    assert_eq!(notices(), Vec::<String>::new());
    std::fs::write(rig.path("other.YAML"), "").unwrap();
    std::fs::write(rig.path("other.yml.bak"), "").unwrap();
    let words = "other.YAML, other.yml.bak are not read: the name of a manifest ends in .yaml, .yml or .json";
    rig.until("said", || notices().first().is_some_and(|n| n.starts_with(words)).then_some(())).await;
    rig.let_pass(Duration::from_secs(300)).await;
    let events = rig.events();
    let told: Vec<u64> = events.iter().filter(|e| e.message.starts_with(words)).map(|e| e.count).collect();
    assert_eq!(told, [1], "{events:#?}");
    std::fs::remove_file(rig.path("other.YAML")).unwrap();
    std::fs::remove_file(rig.path("other.yml.bak")).unwrap();
    rig.until("over", || notices().is_empty().then_some(())).await;
}

#[tokio::test(start_paused = true)]
async fn a_merge_that_is_not_finished_keeps_the_last_good_version_and_says_so() {
    let rig = Rig::start(&[("main", "{version: '18'}")]);
    rig.ready("main").await;
    let text = std::fs::read_to_string(rig.path("main.yaml")).unwrap();
    let text = format!("{text}<<<<<<< HEAD\n=======\n>>>>>>> other\n");
    std::fs::write(rig.path(".main.tmp"), text).unwrap();
    std::fs::rename(rig.path(".main.tmp"), rig.path("main.yaml")).unwrap();
    let why = rig.reason("main", C::Degraded, "ManifestBroken").await;
    assert!(why.contains("main.yaml:5:1: a merge-conflict marker stands here: finish the merge"), "{why}");
    assert!(rig.is_ready("main"));
}
