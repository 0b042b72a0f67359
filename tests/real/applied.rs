//! An object without a file, on the real engine: applied, Ready, exported, and taken over by its file without a restart.

use crate::harness::{Sea, manifest, text};
use std::fs;

#[test]
fn what_is_applied_becomes_a_file_without_a_restart() {
    let sea = Sea::start();
    let file = sea.root().join("main.yaml");
    let spec = "{version: '18', resources: {memory: 256Mi}, parameters: {work_mem: 8MB}}";
    fs::write(&file, manifest("main", "", spec)).unwrap();
    let file = file.to_str().unwrap();
    assert_eq!(sea.ok(&["apply", "-f", file]), "postgres/main created\n");
    let before = sea.ready("main");
    assert_eq!(sea.object("main")["metadata"]["managedBy"], "api");
    assert_eq!(sea.sql("main", "SHOW work_mem"), "8MB");
    assert_eq!(sea.ok(&["apply", "-f", file]), "postgres/main unchanged\n");

    let dir = sea.manifests.to_str().unwrap().to_owned();
    let written = sea.ok(&["export", "--manifests", &dir]);
    assert_eq!(written, format!("{dir}/postgres-main.yaml: postgres/main\n"));
    sea.event("Returned", "postgres-main.yaml:1:1 has it now, no longer the API");
    let object = sea.object("main");
    assert_eq!(object["metadata"]["managedBy"], "file");
    assert!(object["metadata"]["source"].as_str().unwrap().starts_with("postgres-main.yaml:"), "{object}");
    let after = sea.ready("main");
    assert_eq!(after["container"]["id"], before["container"]["id"]);
    assert_eq!(after["container"]["startedAt"], before["container"]["startedAt"]);

    // From here on it is the file that is changed.
    fs::write(file, manifest("main", "", &spec.replace("256Mi", "384Mi"))).unwrap();
    let refused = sea.cli(&["apply", "-f", file]);
    assert!(!refused.status.success());
    let words = text(&refused);
    assert!(words.contains("has a manifest in postgres-main.yaml"), "{words}");
    assert!(words.contains("spec:\n  resources:\n    memory: 384Mi"), "{words}");
}
