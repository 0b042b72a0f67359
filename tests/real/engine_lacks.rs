//! An engine that cannot do all of what is wanted: the rest is applied, and what is missing is said.

use super::engine::OwnEngine;
use super::harness::{condition, image};

#[test]
fn without_docker_init_a_server_runs_and_status_and_doctor_say_what_is_missing() {
    let mut engine = OwnEngine::new();
    engine.configure(r#"{"init-path": "/nowhere/docker-init"}"#);
    engine.start();
    engine.load(&[&image("18")]);
    let mut sea = engine.sea();
    sea.postgres("a", &format!("{{image: '{}', resources: {{memory: 256Mi, cpus: 0.5}}}}", image("18")));
    sea.run();
    let status = sea.ready("a");
    let (truth, reason, words) = condition(&status, "Degraded");
    assert_eq!((truth.as_str(), reason.as_str()), ("True", "EngineLacks"), "{words}");
    assert!(words.contains("has no docker-init"), "{words}");
    assert_eq!(condition(&status, "ResourcesInSync").0, "True");
    let seen = sea.inspect("a");
    assert_eq!(seen["HostConfig"]["Memory"].as_u64(), Some(256 << 20));
    assert_eq!(seen["HostConfig"]["NanoCpus"].as_u64(), Some(500_000_000));
    assert_ne!(seen["HostConfig"]["Init"], true);
    let doctor = sea.cli(&["doctor"]);
    let text = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert!(text.contains("does not find its docker-init"), "{text}");
}
