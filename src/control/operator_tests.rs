//! Writing records from many sides at once, over the store that waits for the disk.

use super::*;
use crate::control::registry::Kinds;
use crate::docker::fake::FakeDocker;
use crate::kinds::postgres::Postgres;
use crate::kinds::postgres::fake_server::FakeServers;
use crate::manifest::load::{FileText, load_texts};
use crate::secrets::{Algorithm, Key};
use crate::store::{Saving, SledStore};
use std::collections::{BTreeMap, BTreeSet};

const MAIN: &str =
    "apiVersion: seawall.dev/v1\nkind: Postgres\nmetadata: {name: main}\nspec: {version: '18'}\n";

#[tokio::test(flavor = "multi_thread")]
async fn changes_of_one_record_made_at_once_all_last() {
    let root = tempfile::tempdir().unwrap();
    let manifests = root.path().join("manifests");
    std::fs::create_dir(&manifests).unwrap();
    std::fs::write(manifests.join("main.yaml"), MAIN).unwrap();
    let key = Key::load_or_create(&root.path().join("key"), false).unwrap();
    let fake = Arc::new(FakeDocker::new());
    let operator = Operator::open(
        Config {
            installation: Installation::parse("default").unwrap(),
            data: root.path().join("data"),
            manifests: manifests.clone(),
            env_file_roots: Vec::new(),
            reach: Reach::Host,
            times: Times { rest: Duration::ZERO, ..Times::default() },
        },
        fake.clone(),
        |tools| Kinds::all(Some(tools)).with(Postgres::new(tools, Arc::new(FakeServers::new(fake)))),
        Arc::new(SledStore::open(&root.path().join("data")).unwrap()),
        Arc::new(Sealer::new(key, Algorithm::default())),
        true,
    )
    .unwrap();
    operator.rescan_manifests().await.unwrap();
    let texts = BTreeMap::from([("main.yaml".to_owned(), FileText::Bytes(MAIN.into()))]);
    let object = load_texts(texts).documents.remove(0).object;

    let mut tasks = tokio::task::JoinSet::new();
    for port in 1..=30 {
        let (operator, object) = (Arc::clone(&operator), object.clone());
        tasks.spawn(async move {
            operator
                .edit(&object, Saving::Durable, |r| r.memory.edit_work(|w| w.refused_ports.extend([port])))
                .await
                .unwrap();
        });
    }
    // The manifest changes meanwhile: that write must not take the others back, nor they it.
    for memory in [128, 256, 512] {
        let spec = format!("{{version: '18', resources: {{memory: {memory}Mi}}}}");
        std::fs::write(manifests.join("main.yaml"), MAIN.replace("{version: '18'}", &spec)).unwrap();
        operator.rescan_manifests().await.unwrap();
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    let record = operator.state().records[&object].clone();
    assert_eq!(record.memory.work().refused_ports, (1..=30).collect::<BTreeSet<u16>>());
    assert_eq!((record.generation, record.spec.value()["resources"]["memory"].as_str()), (4, Some("512Mi")));
    let stored = operator.tools.store.get(&record.key()).unwrap().unwrap();
    assert_eq!(serde_json::from_value::<Record>(stored).unwrap(), *record);
}
