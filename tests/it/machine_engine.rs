//! An engine that answers some questions only, or can do some things only: everything else goes on, and nothing is
//! taken away on the strength of what could not be seen.

use crate::machine::rig::{Rig, engine};
use seawall::control::api::{Api, Operation};
use seawall::control::operator::Times;
use seawall::core::condition::{ConditionType as C, Truth};
use seawall::core::quantity::Bytes;
use seawall::core::seen::{ContainerState, EngineInfo, Lacks};
use seawall::docker::fake::{Fault, What, When};
use seawall::docker::{Docker, DockerError};
use seawall::kinds::postgres::client::SqlError;
use std::time::Duration;

const CONTAINER: &str = "postgres-main";
const FILE: &str = "/etc/seawall/postgresql.conf";

fn spec(more: &str) -> String {
    format!("{{version: '18'{more}}}")
}

async fn settled() -> Rig {
    let rig = Rig::start(&[("main", &spec(", parameters: {work_mem: 8MB}"))]);
    rig.ready("main").await;
    rig.fake.reset_calls();
    rig
}

fn up(rig: &Rig) -> bool {
    rig.container("main").is_some_and(|c| c.state == ContainerState::Running)
}

fn is_ready(rig: &Rig) -> bool {
    rig.condition("main", C::Ready).is_some_and(|c| c.status == Truth::True)
}

fn refused(doing: &'static str, status: u16, detail: &str) -> DockerError {
    DockerError::Refused { doing, status, detail: detail.to_owned() }
}

fn always(rig: &Rig, method: &'static str, what: What) {
    rig.fake.inject(Fault { method, when: When::Before, what, times: usize::MAX });
}

/// What an engine may answer when it is asked for an image, other than what it is.
fn answers() -> Vec<What> {
    let doing = "inspect an image";
    vec![
        What::Hang,
        What::Error(refused(doing, 500, "layer does not exist")),
        What::Error(refused(doing, 404, "404 page not found")),
        What::Error(refused(doing, 200, "the answer could not be understood: expected value")),
        What::Error(DockerError::Unavailable { doing, detail: "connection closed".to_owned() }),
        What::Error(DockerError::Timeout { doing, after: Duration::from_secs(10) }),
    ]
}

/// The manifest that is in force, and one that wants another image.
const WISHES: [&str; 2] = ["18", "18b"];

#[tokio::test(start_paused = true)]
async fn no_answer_about_an_image_ends_a_pass() {
    for (answer, version) in answers().into_iter().flat_map(|a| WISHES.map(|v| (a.clone(), v))) {
        let what = format!("{answer:?} {version}");
        let mut rig = settled().await;
        let id = rig.container("main").unwrap().id;
        always(&rig, "image", answer);
        let with = |more: &str| {
            rig.manifest("main", &format!("{{version: '{version}', parameters: {{work_mem: 8MB}}{more}}}"));
        };
        with(", resources: {memory: 512Mi}");
        rig.until(&format!("{what}: capped"), || {
            (rig.container("main")?.caps.memory == Some(Bytes(512 << 20)) && is_ready(&rig)).then_some(())
        })
        .await;
        rig.fake.drift_kill(CONTAINER).unwrap();
        rig.until(&format!("{what}: started"), || (up(&rig) && is_ready(&rig)).then_some(())).await;
        rig.fake.drift_restart_policy(CONTAINER, "no").unwrap();
        rig.until(&format!("{what}: the policy"), || {
            (rig.container("main")?.restart_policy == "always").then_some(())
        })
        .await;
        with(", stopped: true");
        rig.until(&format!("{what}: stopped"), || {
            (rig.phase("main") == "Stopped" && !up(&rig)).then_some(())
        })
        .await;
        with("");
        rig.until(&format!("{what}: up again"), || (up(&rig) && is_ready(&rig)).then_some(())).await;
        assert!(!rig.said("EngineUnavailable", ""), "{what}: {:?}", rig.events());
        // A new process knows of the image what the last one wrote down.
        rig.leave().await;
        rig.fake.drift_kill(CONTAINER).unwrap();
        rig.restart();
        rig.until(&format!("{what}: started by another"), || (up(&rig) && is_ready(&rig)).then_some(()))
            .await;
        assert_eq!(rig.container("main").unwrap().id, id, "{what}: the same container all along");
        rig.fake.clear_faults();
        rig.ready("main").await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_way_back_needs_no_answer_about_an_image() {
    for answer in answers() {
        let what = format!("{answer:?}");
        let rig = settled().await;
        let untried = "seawall.dev/skip-trial: 'true'";
        rig.servers.set_answer(CONTAINER, Some(SqlError::Failed("nobody gets in".to_owned())));
        rig.manifest_with("main", untried, &spec(", parameters: {work_mem: 9MB, max_connections: 50}"));
        rig.until("written", || {
            let file = rig.fake.file(CONTAINER, FILE).unwrap().unwrap();
            String::from_utf8_lossy(&file.content).contains("9MB").then_some(())
        })
        .await;
        always(&rig, "image", answer);
        rig.servers.set_answer(CONTAINER, Some(SqlError::Refused("Connection refused".to_owned())));
        rig.fake.set_logs(CONTAINER, Vec::new()).unwrap();
        for _ in 0..3 {
            // The wish may be for another image by then, of which nothing is known either.
            rig.manifest_with(
                "main",
                untried,
                "{version: '18b', parameters: {work_mem: 9MB, max_connections: 50}}",
            );
            if !rig.said("ParametersRestored", "") {
                rig.fake.crash_loop(CONTAINER, 137).unwrap();
            }
            rig.let_pass(Duration::from_secs(60)).await;
        }
        rig.servers.set_answer(CONTAINER, None);
        assert!(rig.said("ParametersRestored", ""), "{what}: {:?}", rig.events());
        rig.until("Ready with the last file", || is_ready(&rig).then_some(())).await;
    }
}

/// Changes that need another container, of the same image.
const RECREATES: [&str; 3] = [
    "{version: '18', port: 7777, parameters: {work_mem: 8MB}}",
    "{version: '18', port: none, parameters: {work_mem: 8MB}}",
    "{version: '18b', parameters: {work_mem: 8MB}}",
];

#[tokio::test(start_paused = true)]
async fn a_container_stays_until_the_image_of_its_successor_is_seen_to_be_local() {
    for wish in RECREATES {
        for answer in answers() {
            let what = format!("{wish} {answer:?}");
            let rig = settled().await;
            let before = rig.container("main").unwrap();
            if wish.contains("18b") {
                // Known already, and yet it may be gone.
                rig.manifest("other", "{version: '18b'}");
                rig.ready("other").await;
            }
            always(&rig, "image", answer);
            rig.fake.reset_calls();
            rig.manifest("main", wish);
            rig.reason("main", C::Degraded, "ImageUnknown").await;
            rig.let_pass(Duration::from_secs(120)).await;
            let after = rig.container("main").unwrap();
            assert_eq!((&after.id, &after.started_at), (&before.id, &before.started_at), "{what}");
            assert!(is_ready(&rig), "{what}");
            rig.fake.clear_faults();
            rig.until(&format!("{what}: changed"), || {
                rig.container("main").filter(|c| c.id != before.id).map(drop)
            })
            .await;
            rig.ready("main").await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_image_that_goes_while_it_is_needed_takes_no_server_with_it() {
    // Before the look, and while the old one is being stopped.
    for (wish, late) in RECREATES.into_iter().flat_map(|w| [false, true].map(|n| (w, n))) {
        let what = format!("{wish} {late}");
        let rig = settled().await;
        let before = rig.container("main").unwrap();
        let tag = if wish.contains("18b") { "local/postgres:18b" } else { "local/postgres:18" };
        if wish.contains("18b") {
            rig.manifest("other", "{version: '18b'}");
            rig.ready("other").await;
        }
        if late {
            let what = What::Slow(Duration::from_secs(5));
            rig.fake.inject(Fault { method: "stop", when: When::Before, what, times: 1 });
        } else {
            rig.fake.remove_image(tag);
        }
        rig.manifest("main", wish);
        if late {
            rig.until("stopping", || (!up(&rig)).then_some(())).await;
            rig.fake.remove_image(tag);
        }
        rig.reason("main", C::Degraded, "ImagePullFailed").await;
        rig.let_pass(Duration::from_secs(300)).await;
        let Some(after) = rig.container("main") else { panic!("{what}: no container") };
        assert_eq!(after.id, before.id, "{what}: {:#?}", rig.events());
        assert!(up(&rig) && is_ready(&rig), "{what}: {:?} {:#?}", rig.conditions("main"), rig.events());
        assert_eq!(after.restart_policy, "always", "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_answer_that_fails_is_asked_for_again() {
    let doing = "inspect an image";
    for (wish, skip) in RECREATES.into_iter().flat_map(|w| (0..6).map(move |n| (w, n))) {
        let rig = settled().await;
        let before = rig.container("main").unwrap();
        let what = What::Error(refused(doing, 500, "not now"));
        rig.fake.inject_after(skip, Fault { method: "image", when: When::Before, what, times: 1 });
        rig.manifest("main", wish);
        rig.until("changed", || rig.container("main").filter(|c| c.id != before.id).map(drop)).await;
        rig.ready("main").await;
        assert!(!rig.said("EngineRefused", ""), "{wish} {skip}: {:?}", rig.events());
    }
}

#[tokio::test(start_paused = true)]
async fn an_operation_of_a_user_needs_no_answer_about_an_image() {
    for answer in answers() {
        let rig = settled().await;
        always(&rig, "image", answer.clone());
        let started = rig.container("main").unwrap().started_at;
        let object = crate::machine::rig::object("main");
        rig.operator.operate(&object, Operation::Restart).await.unwrap();
        rig.until(&format!("{answer:?}: restarted"), || {
            (rig.container("main")?.started_at != started && is_ready(&rig)).then_some(())
        })
        .await;
    }
}

/// With one thing that the engine lacks; then what is in force all the same, and what is said.
#[tokio::test(start_paused = true)]
async fn an_engine_that_lacks_something_gets_the_rest_and_it_is_said_what_is_missing() {
    let none = Lacks::default();
    for (lacks, memory, cpus, words) in [
        (
            Lacks { cpu_quota: true, ..none },
            true,
            false,
            "the engine cannot limit CPUs: cpus 0.5 is not in force",
        ),
        (
            Lacks { memory_limit: true, ..none },
            false,
            true,
            "cannot limit memory: memory 512Mi is not in force",
        ),
        (Lacks { pids_limit: true, ..none }, true, true, "cannot limit processes"),
        (Lacks { init: true, ..none }, true, true, "has no docker-init"),
    ] {
        let fake = engine();
        let info = fake.info().await.unwrap();
        fake.set_info(EngineInfo { lacks, ..info.clone() });
        let mut rig = Rig::new(fake, Times::default());
        let wish = |cap: &str| spec(&format!(", resources: {{memory: {cap}, cpus: 0.5}}"));
        rig.manifest("main", &wish("512Mi"));
        rig.drive();
        rig.ready("main").await;
        let caps = rig.container("main").unwrap().caps;
        assert_eq!((caps.memory.is_some(), caps.cpus.is_some()), (memory, cpus), "{lacks:?}");
        let why = rig.reason("main", C::Degraded, "EngineLacks").await;
        assert!(why.contains(words) && why.contains("seawall doctor"), "{why}");
        let synced = rig.condition("main", C::ResourcesInSync).unwrap();
        assert_eq!(synced.status == Truth::True, memory && cpus, "{synced:?}");
        assert!(synced.status == Truth::True || synced.message.contains(words), "{synced:?}");
        // Nothing is tried again and again for it, and a change of the rest arrives.
        rig.fake.reset_calls();
        rig.let_pass(Duration::from_secs(600)).await;
        assert_eq!(rig.fake.writes(), 0, "{lacks:?}: {:?}", rig.fake.call_log());
        rig.manifest("main", &wish("768Mi"));
        rig.until("the rest arrives", || {
            let current = rig.view("main")?.status["observedGeneration"] == 2;
            let caps = rig.container("main")?.caps;
            (current && (caps.memory == Some(Bytes(768 << 20))) == memory && is_ready(&rig)).then_some(())
        })
        .await;
        // An engine that learnt it applies it in place.
        let id = rig.container("main").unwrap().id;
        rig.fake.set_info(info);
        rig.fake.stop_engine();
        rig.reason("main", C::Ready, "EngineUnavailable").await;
        rig.fake.start_engine();
        rig.until("all of it", || {
            let caps = rig.container("main")?.caps;
            (caps.memory.is_some() && caps.cpus.is_some() && is_ready(&rig)).then_some(())
        })
        .await;
        rig.until("nothing is missing", || {
            rig.condition("main", C::Degraded).is_none_or(|c| c.status != Truth::True).then_some(())
        })
        .await;
        assert_eq!(rig.container("main").unwrap().id, id);
    }
}

fn forbidden(request: &str) -> DockerError {
    DockerError::Forbidden {
        address: "unix:///proxy.sock".to_owned(),
        request: format!("{request} (as the test says)"),
        status: 403,
        said: String::new(),
    }
}

const REFUSES: &str = "the proxy at unix:///proxy.sock refuses";

#[tokio::test(start_paused = true)]
async fn a_proxy_that_refuses_what_every_look_needs_is_named_and_is_no_outage() {
    for method in ["info", "list", "volumes", "inspect"] {
        let mut rig = settled().await;
        let id = rig.container("main").unwrap().id;
        always(&rig, method, What::Error(forbidden(method)));
        rig.fake.end_event_streams();
        if ["list", "volumes"].contains(&method) {
            // Who else uses the volume was seen before; a new process has nothing to go by.
            rig.until("said", || rig.notices().iter().any(|n| n.contains(REFUSES)).then_some(())).await;
            rig.leave().await;
            rig.restart();
        }
        let why = rig.reason("main", C::Ready, "ProxyRefuses").await;
        assert!(why.contains(REFUSES) && why.contains(method), "{method}: {why}");
        assert_eq!(rig.condition("main", C::Ready).unwrap().status, Truth::Unknown, "{method}");
        rig.let_pass(Duration::from_secs(120)).await;
        assert!(rig.said("ProxyRefuses", REFUSES), "{method}: {:?}", rig.events());
        assert!(!rig.said("EngineUnavailable", ""), "{method}: {:?}", rig.events());
        if let Some(words) = rig.engine_down() {
            assert!(words.starts_with("the Docker engine cannot be asked since"), "{words}");
        }
        rig.fake.clear_faults();
        rig.ready("main").await;
        assert_eq!(rig.container("main").unwrap().id, id);
        assert_eq!(rig.engine_down(), None);
        rig.until("no word of it", || rig.notices().is_empty().then_some(())).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_was_down_and_is_refused_now_is_said_to_be() {
    let rig = settled().await;
    rig.fake.stop_engine();
    rig.reason("main", C::Ready, "EngineUnavailable").await;
    always(&rig, "info", What::Error(forbidden("GET /v1.41/info")));
    rig.fake.start_engine();
    rig.reason("main", C::Ready, "ProxyRefuses").await;
    assert!(rig.engine_down().unwrap().contains(REFUSES));
    rig.fake.clear_faults();
    rig.ready("main").await;
}

#[tokio::test(start_paused = true)]
async fn one_kind_of_request_that_is_refused_leaves_the_rest_working() {
    // No change of caps or policy: everything but these.
    let rig = settled().await;
    always(&rig, "update", What::Error(forbidden("POST /v1.41/containers/x/update")));
    rig.manifest("main", &spec(", parameters: {work_mem: 9MB}, resources: {memory: 512Mi}"));
    let why = rig.reason("main", C::Degraded, "ProxyRefuses").await;
    assert!(why.contains(REFUSES) && why.contains("containers/x/update"), "{why}");
    assert!(rig.said("ProxyRefuses", "containers/x/update"));
    rig.until("the parameter arrives", || {
        let file = rig.fake.file(CONTAINER, FILE).unwrap().unwrap();
        String::from_utf8_lossy(&file.content).contains("9MB").then_some(())
    })
    .await;
    rig.fake.drift_kill(CONTAINER).unwrap();
    rig.until("started", || (up(&rig) && is_ready(&rig)).then_some(())).await;
    let object = crate::machine::rig::object("main");
    rig.operator.operate(&object, Operation::Stop).await.unwrap();
    rig.until("stopped", || (!up(&rig)).then_some(())).await;
    rig.let_pass(Duration::from_secs(60)).await;
    assert!(!up(&rig));
    rig.operator.operate(&object, Operation::Start).await.unwrap();
    rig.until("up again", || (up(&rig) && is_ready(&rig)).then_some(())).await;
    rig.fake.clear_faults();
    rig.ready("main").await;

    // No figures, no logs: nothing waits for them but a lowering.
    for method in ["usage", "logs"] {
        let rig = settled().await;
        always(&rig, method, What::Error(forbidden(method)));
        rig.manifest("main", &spec(", parameters: {work_mem: 9MB}, resources: {memory: 2Gi}"));
        rig.fake.drift_kill(CONTAINER).unwrap();
        rig.until(&format!("{method}: started"), || (up(&rig) && is_ready(&rig)).then_some(())).await;
    }
}

#[tokio::test(start_paused = true)]
async fn refused_events_are_said_and_the_sweep_finds_what_changes() {
    let rig = settled().await;
    always(&rig, "events", What::Error(forbidden("GET /v1.41/events")));
    rig.fake.end_event_streams();
    rig.until("said", || rig.notices().iter().any(|n| n.contains("/v1.41/events")).then_some(())).await;
    rig.fake.reset_calls();
    rig.fake.drift_kill(CONTAINER).unwrap();
    rig.until("started", || (up(&rig) && is_ready(&rig)).then_some(())).await;
    rig.let_pass(Duration::from_secs(300)).await;
    let tries = rig.fake.call_log()["events"];
    assert!(tries < 15, "{tries} tries in 5 minutes");
    rig.fake.clear_faults();
    rig.until("followed again", || rig.notices().is_empty().then_some(())).await;
}
