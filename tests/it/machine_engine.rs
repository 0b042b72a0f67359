//! An engine that answers some questions only, or can do some things only: everything else goes on, and nothing is
//! taken away on the strength of what could not be seen.

use crate::machine::rig::Rig;
use seawall::control::api::{Api, Operation};
use seawall::core::condition::{ConditionType as C, Truth};
use seawall::core::quantity::Bytes;
use seawall::core::seen::ContainerState;
use seawall::docker::DockerError;
use seawall::docker::fake::{Fault, What, When};
use seawall::engines::postgres::client::SqlError;
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
