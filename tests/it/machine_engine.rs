//! An engine that answers some questions only, or can do some things only, for every kind with a container: everything else
//! goes on, and nothing is taken away on the strength of what could not be seen.

use crate::kinds::{Kind, machine_tests};
use crate::machine::of::{Of, memory};
use crate::machine::rig::{Rig, engine};
use seawall::control::api::{Api, ErrorCode, Operation};
use seawall::core::condition::{ConditionType as C, Truth};
use seawall::core::seen::{EngineInfo, Lacks};
use seawall::docker::fake::{Fault, What, When};
use seawall::docker::{Docker, DockerError};
use std::time::Duration;

machine_tests!(
    no_answer_about_an_image_ends_a_pass,
    the_way_back_needs_no_answer_about_an_image,
    a_container_stays_until_the_image_of_its_successor_is_seen_to_be_local,
    an_image_that_goes_while_it_is_needed_takes_no_server_with_it,
    one_answer_that_fails_is_asked_for_again,
    an_operation_of_a_user_needs_no_answer_about_an_image,
    ready_is_not_said_from_a_request_on_until_it_is_done,
    an_engine_that_lacks_something_gets_the_rest_and_it_is_said_what_is_missing,
    a_proxy_that_refuses_what_every_look_needs_is_named_and_is_no_outage,
    an_engine_that_was_down_and_is_refused_now_is_said_to_be,
    one_kind_of_request_that_is_refused_leaves_the_rest_working,
    refused_events_are_said_and_the_sweep_finds_what_changes,
);

/// With a parameter in force.
async fn settled(kind: &'static dyn Kind) -> Of {
    let rig = Of::start(kind, &[]);
    rig.put(&rig.live(0));
    rig.ready("main").await;
    rig.fake.reset_calls();
    rig
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

async fn no_answer_about_an_image_ends_a_pass(kind: &'static dyn Kind) {
    // The manifest that is in force, and one that wants another image.
    for (answer, version) in answers().into_iter().flat_map(|a| kind.versions().map(|v| (a.clone(), v))) {
        let what = format!("{answer:?} {version}");
        let mut rig = settled(kind).await;
        let id = rig.container("main").unwrap().id;
        always(&rig, "image", answer);
        let with = |more: &str| rig.put_version("main", "", version, &format!("{}{more}", rig.live(0)));
        with(", resources: {memory: 512Mi}");
        rig.until(&format!("{what}: capped"), || {
            (rig.container("main")?.caps.memory == memory(512) && rig.serves()).then_some(())
        })
        .await;
        rig.fake.drift_kill(&rig.container).unwrap();
        rig.until(&format!("{what}: started"), || (rig.up() && rig.serves()).then_some(())).await;
        rig.fake.drift_restart_policy(&rig.container, "no").unwrap();
        rig.until(&format!("{what}: the policy"), || {
            (rig.container("main")?.restart_policy == "always").then_some(())
        })
        .await;
        with(", stopped: true");
        rig.until(&format!("{what}: stopped"), || {
            (rig.phase("main") == "Stopped" && !rig.up()).then_some(())
        })
        .await;
        with("");
        rig.until(&format!("{what}: up again"), || (rig.up() && rig.serves()).then_some(())).await;
        assert!(!rig.said("EngineUnavailable", ""), "{what}: {:?}", rig.events());
        // A new process knows of the image what the last one wrote down.
        rig.leave().await;
        rig.fake.drift_kill(&rig.container).unwrap();
        rig.restart();
        rig.until(&format!("{what}: started by another"), || (rig.up() && rig.serves()).then_some(())).await;
        assert_eq!(rig.container("main").unwrap().id, id, "{what}: the same container all along");
        rig.fake.clear_faults();
        rig.ready("main").await;
    }
}

async fn the_way_back_needs_no_answer_about_an_image(kind: &'static dyn Kind) {
    for answer in answers() {
        let what = format!("{answer:?}");
        let rig = settled(kind).await;
        let untried = "seawall.dev/skip-trial: 'true'";
        // The running server has the one, and no start was seen with the other.
        let (live, at_start) = (kind.live(), &kind.at_start()[0]);
        let both = format!(
            "restartPolicy: Manual, parameters: {{{}: {}, {}: {}}}",
            live.name, live.values[1], at_start.name, at_start.values[1]
        );
        rig.put_with(untried, &both);
        rig.until("written", || rig.has_live(1).then_some(())).await;
        rig.reason("main", C::PendingRestart, "ParametersChanged").await;
        always(&rig, "image", answer);
        kind.fake_refusals()[0](&rig.fakes(), &rig.container, "Connection refused".to_owned());
        rig.fake.set_logs(&rig.container, Vec::new()).unwrap();
        for _ in 0..3 {
            // The wish may be for another image by then, of which nothing is known either.
            rig.put_version("main", untried, rig.another(), &both);
            if !rig.said("ParametersRestored", "") {
                rig.fake.crash_loop(&rig.container, 137).unwrap();
            }
            rig.let_pass(Duration::from_secs(60)).await;
        }
        kind.fake_answer(&rig.fakes(), &rig.container);
        assert!(rig.said("ParametersRestored", ""), "{what}: {:?}", rig.events());
        rig.until("Ready with the last file", || rig.serves().then_some(())).await;
        assert!(rig.has_live(0));
    }
}

/// A change that needs another container: with another build, and these further fields.
#[derive(Clone, Copy, Debug)]
struct Recreate(bool, &'static str);

const RECREATES: [Recreate; 3] =
    [Recreate(false, "port: 7777"), Recreate(false, "port: none"), Recreate(true, "")];

impl Recreate {
    fn version(&self, kind: &'static dyn Kind) -> &'static str {
        kind.versions()[usize::from(self.0)]
    }

    fn put(&self, rig: &Of) {
        let comma = if self.1.is_empty() { "" } else { ", " };
        rig.put_version("main", "", self.version(rig.kind), &format!("{}{comma}{}", rig.live(0), self.1));
    }
}

async fn a_container_stays_until_the_image_of_its_successor_is_seen_to_be_local(kind: &'static dyn Kind) {
    for wish in RECREATES {
        for answer in answers() {
            let what = format!("{wish:?} {answer:?}");
            let rig = settled(kind).await;
            let before = rig.container("main").unwrap();
            if wish.0 {
                // Known already, and yet it may be gone.
                rig.manifest("other", &kind.spec_of(rig.another(), ""));
                rig.ready("other").await;
            }
            always(&rig, "image", answer);
            rig.fake.reset_calls();
            wish.put(&rig);
            rig.reason("main", C::Degraded, "ImageUnknown").await;
            rig.let_pass(Duration::from_secs(120)).await;
            let after = rig.container("main").unwrap();
            assert_eq!((&after.id, &after.started_at), (&before.id, &before.started_at), "{what}");
            assert!(rig.serves(), "{what}");
            rig.fake.clear_faults();
            rig.until(&format!("{what}: changed"), || {
                rig.container("main").filter(|c| c.id != before.id).map(drop)
            })
            .await;
            rig.ready("main").await;
        }
    }
}

async fn an_image_that_goes_while_it_is_needed_takes_no_server_with_it(kind: &'static dyn Kind) {
    // Before the look, and while the old one is being stopped.
    for (wish, late) in RECREATES.into_iter().flat_map(|w| [false, true].map(|n| (w, n))) {
        let what = format!("{wish:?} {late}");
        let rig = settled(kind).await;
        let before = rig.container("main").unwrap();
        let tag = kind.fake_image(wish.version(kind));
        if wish.0 {
            rig.manifest("other", &kind.spec_of(rig.another(), ""));
            rig.ready("other").await;
        }
        if late {
            let what = What::Slow(Duration::from_secs(5));
            rig.fake.inject(Fault { method: "stop", when: When::Before, what, times: 1 });
        } else {
            rig.fake.remove_image(&tag);
        }
        wish.put(&rig);
        if late {
            rig.until("stopping", || (!rig.up()).then_some(())).await;
            rig.fake.remove_image(&tag);
        }
        rig.reason("main", C::Degraded, "ImagePullFailed").await;
        rig.let_pass(Duration::from_secs(300)).await;
        let Some(after) = rig.container("main") else { panic!("{what}: no container") };
        assert_eq!(after.id, before.id, "{what}: {:#?}", rig.events());
        assert!(rig.up() && rig.serves(), "{what}: {:?} {:#?}", rig.conditions("main"), rig.events());
        assert_eq!(after.restart_policy, "always", "{what}");
    }
}

async fn one_answer_that_fails_is_asked_for_again(kind: &'static dyn Kind) {
    let doing = "inspect an image";
    for (wish, skip) in RECREATES.into_iter().flat_map(|w| (0..6).map(move |n| (w, n))) {
        let rig = settled(kind).await;
        let before = rig.container("main").unwrap();
        let what = What::Error(refused(doing, 500, "not now"));
        rig.fake.inject_after(skip, Fault { method: "image", when: When::Before, what, times: 1 });
        wish.put(&rig);
        rig.until("changed", || rig.container("main").filter(|c| c.id != before.id).map(drop)).await;
        rig.ready("main").await;
        assert!(!rig.said("EngineRefused", ""), "{wish:?} {skip}: {:?}", rig.events());
    }
}

async fn an_operation_of_a_user_needs_no_answer_about_an_image(kind: &'static dyn Kind) {
    for answer in answers() {
        let rig = settled(kind).await;
        always(&rig, "image", answer.clone());
        let started = rig.container("main").unwrap().started_at;
        rig.operator.operate(&rig.named("main"), Operation::Restart).await.unwrap();
        rig.until(&format!("{answer:?}: restarted"), || {
            (rig.container("main")?.started_at != started && rig.serves()).then_some(())
        })
        .await;
    }
}

async fn ready_is_not_said_from_a_request_on_until_it_is_done(kind: &'static dyn Kind) {
    let rig = settled(kind).await;
    let ready = || rig.condition("main", C::Ready).unwrap();
    // Otherwise all may be over before anybody has looked.
    let slow = || {
        let what = What::Slow(Duration::from_secs(2));
        rig.fake.inject(Fault { method: "inspect", when: When::Before, what, times: 1 });
    };
    for _ in 0..2 {
        slow();
        let (started, version) =
            (rig.container("main").unwrap().started_at, rig.view("main").unwrap().metadata.resource_version);
        // What the pass that begins with it sees takes a moment.
        let slow = What::Slow(Duration::from_secs(1));
        rig.fake.inject(Fault { method: "inspect", when: When::Before, what: slow, times: 1 });
        rig.operator.operate(&rig.named("main"), Operation::Restart).await.unwrap();
        assert_eq!((ready().status, ready().reason.as_str()), (Truth::Unknown, "Requested"));
        assert_ne!(rig.view("main").unwrap().metadata.resource_version, version);
        rig.ready("main").await;
        assert_ne!(rig.container("main").unwrap().started_at, started, "it was another start");
    }
    slow();
    rig.operator.operate(&rig.named("main"), Operation::Stop).await.unwrap();
    assert_eq!((ready().status, ready().reason.as_str()), (Truth::Unknown, "Requested"));
    rig.reason("main", C::Ready, "Stopped").await;
    // Asked for once more: it is so already, and nobody waits for it.
    rig.operator.operate(&rig.named("main"), Operation::Stop).await.unwrap();
    assert_eq!(ready().reason, "Stopped");
    rig.operator.operate(&rig.named("main"), Operation::Start).await.unwrap();
    rig.ready("main").await;
    // Nor is what was seen before a manifest was read told as being of that one.
    let is_current = || {
        let view = rig.view("main").unwrap();
        view.status["observedGeneration"] == view.metadata.generation
    };
    for broken in [true, false] {
        slow();
        match broken {
            true => rig.manifest_with("main", "", "{nonsense: 1}"),
            false => rig.put(&rig.live(0)),
        }
        assert!(rig.operator.read_manifests().await.unwrap() && !is_current());
        rig.until("told", || is_current().then_some(())).await;
        let degraded = rig.condition("main", C::Degraded);
        let says = degraded.as_ref().is_some_and(|c| c.reason == "ManifestBroken");
        assert_eq!(says, broken, "{degraded:?}");
    }
    // What has no object has its manifest's problem for an answer.
    rig.manifest_with("bad", "", "{nonsense: 1}");
    let bad = rig.named("bad");
    rig.until("told", || (!rig.problems().is_empty()).then_some(())).await;
    let error = rig.operator.object(&bad).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::Conflict, "{error:?}");
    assert!(error.what.contains("its manifest has problems: bad.yaml:"), "{error:?}");
}

/// With one thing that the engine lacks; then what is in force all the same, and what is said.
async fn an_engine_that_lacks_something_gets_the_rest_and_it_is_said_what_is_missing(
    kind: &'static dyn Kind,
) {
    let none = Lacks::default();
    for (lacks, capped, cpus, words) in [
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
        let mut rig = Of::new(kind, fake);
        let wish = |cap: &str| format!("resources: {{memory: {cap}, cpus: 0.5}}");
        rig.put(&wish("512Mi"));
        rig.drive();
        rig.ready("main").await;
        let caps = rig.container("main").unwrap().caps;
        assert_eq!((caps.memory.is_some(), caps.cpus.is_some()), (capped, cpus), "{lacks:?}");
        let why = rig.reason("main", C::Degraded, "EngineLacks").await;
        assert!(why.contains(words) && why.contains("seawall doctor"), "{why}");
        let synced = rig.condition("main", C::ResourcesInSync).unwrap();
        assert_eq!(synced.status == Truth::True, capped && cpus, "{synced:?}");
        assert!(synced.status == Truth::True || synced.message.contains(words), "{synced:?}");
        // Nothing is tried again and again for it, and a change of the rest arrives.
        rig.fake.reset_calls();
        rig.let_pass(Duration::from_secs(600)).await;
        assert_eq!(rig.fake.writes(), 0, "{lacks:?}: {:?}", rig.fake.call_log());
        rig.put(&wish("768Mi"));
        rig.until("the rest arrives", || {
            let current = rig.view("main")?.status["observedGeneration"] == 2;
            let caps = rig.container("main")?.caps;
            (current && (caps.memory == memory(768)) == capped && rig.serves()).then_some(())
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
            (caps.memory.is_some() && caps.cpus.is_some() && rig.serves()).then_some(())
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

async fn a_proxy_that_refuses_what_every_look_needs_is_named_and_is_no_outage(kind: &'static dyn Kind) {
    for method in ["info", "list", "volumes", "inspect"] {
        let mut rig = settled(kind).await;
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

async fn an_engine_that_was_down_and_is_refused_now_is_said_to_be(kind: &'static dyn Kind) {
    let rig = settled(kind).await;
    rig.fake.stop_engine();
    rig.reason("main", C::Ready, "EngineUnavailable").await;
    always(&rig, "info", What::Error(forbidden("GET /v1.41/info")));
    rig.fake.start_engine();
    rig.reason("main", C::Ready, "ProxyRefuses").await;
    assert!(rig.engine_down().unwrap().contains(REFUSES));
    rig.fake.clear_faults();
    rig.ready("main").await;
}

async fn one_kind_of_request_that_is_refused_leaves_the_rest_working(kind: &'static dyn Kind) {
    // No change of caps or policy: everything but these.
    let rig = settled(kind).await;
    always(&rig, "update", What::Error(forbidden("POST /v1.41/containers/x/update")));
    rig.put(&format!("{}, resources: {{memory: 512Mi}}", rig.live(1)));
    let why = rig.reason("main", C::Degraded, "ProxyRefuses").await;
    assert!(why.contains(REFUSES) && why.contains("containers/x/update"), "{why}");
    assert!(rig.said("ProxyRefuses", "containers/x/update"));
    rig.until("the parameter arrives", || rig.has_live(1).then_some(())).await;
    rig.fake.drift_kill(&rig.container).unwrap();
    rig.until("started", || (rig.up() && rig.serves()).then_some(())).await;
    rig.operator.operate(&rig.named("main"), Operation::Stop).await.unwrap();
    rig.until("stopped", || (!rig.up()).then_some(())).await;
    rig.let_pass(Duration::from_secs(60)).await;
    assert!(!rig.up());
    rig.operator.operate(&rig.named("main"), Operation::Start).await.unwrap();
    rig.until("up again", || (rig.up() && rig.serves()).then_some(())).await;
    rig.fake.clear_faults();
    rig.ready("main").await;

    // No figures, no logs: nothing waits for them but a lowering.
    for method in ["usage", "logs"] {
        let rig = settled(kind).await;
        always(&rig, method, What::Error(forbidden(method)));
        rig.put(&format!("{}, resources: {{memory: 2Gi}}", rig.live(1)));
        rig.fake.drift_kill(&rig.container).unwrap();
        rig.until(&format!("{method}: started"), || (rig.up() && rig.serves()).then_some(())).await;
    }
}

async fn refused_events_are_said_and_the_sweep_finds_what_changes(kind: &'static dyn Kind) {
    let rig = settled(kind).await;
    always(&rig, "events", What::Error(forbidden("GET /v1.41/events")));
    rig.fake.end_event_streams();
    rig.until("said", || rig.notices().iter().any(|n| n.contains("/v1.41/events")).then_some(())).await;
    rig.fake.reset_calls();
    rig.fake.drift_kill(&rig.container).unwrap();
    rig.until("started", || (rig.up() && rig.serves()).then_some(())).await;
    rig.let_pass(Duration::from_secs(300)).await;
    let tries = rig.fake.call_log()["events"];
    assert!(tries < 15, "{tries} tries in 5 minutes");
    rig.fake.clear_faults();
    rig.until("followed again", || rig.notices().is_empty().then_some(())).await;
}
