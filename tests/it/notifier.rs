//! Notifiers on the fake engine, with a webhook that takes, refuses or hangs: what is told, once, and that nobody waits for it.

use crate::machine::rig::{Rig, engine};
use async_trait::async_trait;
use seawall::control::api::Api;
use seawall::control::operator::Times;
use seawall::core::condition::{ConditionType as C, Truth};
use seawall::kinds::notifier::Notifier;
use seawall::kinds::notifier::client::{Post, PostError};
use seawall::kinds::notifier::message::Message;
use seawall::kinds::notifier::target::Target;
use seawall::kinds::postgres::fake_server::healthy_reading;
use seawall::kinds::postgres::wal::{Files, Reading};
use seawall::store::Store;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

const OPS: &str = "notifier/ops";

/// How the webhook behaves.
#[derive(Clone, Copy, PartialEq)]
enum Mood {
    Takes,
    Refuses,
    Hangs,
}

/// What a URL got.
type Sent = (String, Value);

#[derive(Clone)]
struct Hook(Arc<Mutex<(Mood, Vec<Sent>)>>, Arc<AtomicUsize>);

#[async_trait]
impl Post for Hook {
    async fn post(&self, target: &Target, message: &Message) -> Result<(), PostError> {
        self.1.fetch_add(1, Ordering::SeqCst);
        let mood = {
            let mut hook = self.0.lock().unwrap();
            if hook.0 == Mood::Takes {
                hook.1.push((target.uri().to_string(), serde_json::from_str(&message.body).unwrap()));
            }
            hook.0
        };
        match mood {
            Mood::Takes => Ok(()),
            Mood::Refuses => Err(PostError::Refused {
                endpoint: target.endpoint(),
                status: hyper::StatusCode::BAD_GATEWAY,
            }),
            Mood::Hangs => std::future::pending().await,
        }
    }
}

impl Hook {
    fn is(&self, mood: Mood) {
        self.0.lock().unwrap().0 = mood;
    }

    /// How often it was asked.
    fn asked(&self) -> usize {
        self.1.load(Ordering::SeqCst)
    }

    /// `firing postgres/main Ready`, in the order of arrival.
    fn told(&self) -> Vec<String> {
        let words = |body: &Value| -> Vec<String> {
            let word = |alert: &Value, field: &str| alert[field].as_str().unwrap().to_owned();
            let line = |alert: &Value| {
                format!("{} {} {}", word(alert, "status"), word(alert, "object"), word(alert, "condition"))
            };
            body["alerts"].as_array().unwrap().iter().map(line).collect()
        };
        self.0.lock().unwrap().1.iter().flat_map(|(_, body)| words(body)).collect()
    }

    fn messages(&self) -> Vec<Sent> {
        self.0.lock().unwrap().1.clone()
    }

    fn has(&self, line: &str) -> Option<()> {
        self.told().contains(&line.to_owned()).then_some(())
    }

    fn times(&self, line: &str) -> usize {
        self.told().iter().filter(|told| *told == line).count()
    }
}

const SPEC: &str = "{webhook: {url: 'https://hooks.example/T0/secret'}, after: 0s}";

fn notifier(rig: &Rig, spec: &str) {
    let text = format!("apiVersion: seawall.dev/v1\nkind: Notifier\nmetadata: {{name: ops}}\nspec: {spec}\n");
    rig.text("ops.yaml", &text);
}

fn rig() -> (Rig, Hook) {
    let hook = Hook(Arc::new(Mutex::new((Mood::Takes, Vec::new()))), Arc::default());
    let post = hook.clone();
    let more = Arc::new(move |kinds: seawall::control::registry::Kinds, tools: &Arc<_>| {
        kinds.with(Notifier::new(tools, Arc::new(post.clone())))
    });
    (Rig::with(engine(), Times::default(), more), hook)
}

async fn settled() -> (Rig, Hook) {
    let (mut rig, hook) = rig();
    rig.manifest("main", "{version: '18'}");
    notifier(&rig, SPEC);
    rig.drive();
    rig.ready("main").await;
    rig.ready(OPS).await;
    rig.until("nothing is wrong", || (rig.view(OPS)?.status["wrong"] == 0).then_some(())).await;
    (rig, hook)
}

fn bloated(rig: &Rig, gib: u64) {
    let files = Ok(Files { bytes: gib << 30, oldest_age_secs: Some(10.0) });
    rig.servers.set_reading("postgres-main", Reading { files, ..healthy_reading() });
}

fn well(rig: &Rig) {
    rig.servers.set_reading("postgres-main", healthy_reading());
}

const BLOAT: &str = "firing postgres/main WalHealthy";
const BLOAT_OVER: &str = "resolved postgres/main WalHealthy";

#[tokio::test(start_paused = true)]
async fn it_is_ready_once_the_webhook_took_a_message() {
    let (mut rig, hook) = rig();
    hook.is(Mood::Refuses);
    notifier(&rig, SPEC);
    rig.drive();
    let words = rig.reason(OPS, C::Ready, "WebhookFailed").await;
    assert!(words.ends_with(": https://hooks.example answered 502 Bad Gateway"), "{words}");
    assert_eq!(rig.condition(OPS, C::Degraded).unwrap().status, Truth::True);
    hook.is(Mood::Takes);
    rig.ready(OPS).await;
    let (url, first) = hook.messages().remove(0);
    assert_eq!((url.as_str(), &first["status"]), ("https://hooks.example/T0/secret", &"test".into()));
    let shown = serde_json::to_string(&rig.view(OPS).unwrap().status).unwrap();
    assert!(!shown.contains("secret") && shown.contains("https://hooks.example\""), "{shown}");
    // Another webhook is another matter.
    notifier(&rig, "{webhook: {url: 'https://hooks.example/T1/secret'}, after: 0s}");
    rig.until("told there", || (hook.messages().len() == 2).then_some(())).await;
}

#[tokio::test(start_paused = true)]
async fn what_goes_wrong_is_told_once_and_once_more_when_it_is_well() {
    let (mut rig, hook) = settled().await;
    bloated(&rig, 4);
    rig.until("told", || hook.has(BLOAT)).await;
    let alert = |hook: &Hook| {
        let mut all =
            hook.messages().into_iter().flat_map(|(_, body)| body["alerts"].as_array().unwrap().clone());
        all.rfind(|alert| alert["condition"] == "WalHealthy").unwrap()
    };
    assert_eq!((&alert(&hook)["severity"], &alert(&hook)["reason"]), (&"warning".into(), &"WalBloat".into()));
    assert!(alert(&hook)["message"].as_str().unwrap().contains("4Gi"), "{}", alert(&hook));
    // Neither a restart of the operator nor time makes it news.
    rig.leave().await;
    rig.restart();
    rig.let_pass(std::time::Duration::from_secs(300)).await;
    assert_eq!((hook.times(BLOAT), hook.times(BLOAT_OVER)), (1, 0), "{:?}", hook.told());
    // That it got worse does.
    bloated(&rig, 400);
    rig.until("told that it is worse", || (hook.times(BLOAT) == 2).then_some(())).await;
    assert_eq!(alert(&hook)["severity"], "critical");
    well(&rig);
    rig.until("told that it is over", || hook.has(BLOAT_OVER)).await;
    rig.let_pass(std::time::Duration::from_secs(300)).await;
    assert_eq!((hook.times(BLOAT), hook.times(BLOAT_OVER)), (2, 1), "{:?}", hook.told());
    assert!(rig.said("Notified", "1 wrong") || rig.said("Notified", "2 wrong"), "{:?}", rig.events());
}

#[tokio::test(start_paused = true)]
async fn what_was_wrong_while_the_webhook_refused_is_told_when_it_takes_again() {
    let (rig, hook) = settled().await;
    hook.is(Mood::Refuses);
    bloated(&rig, 4);
    rig.reason(OPS, C::Ready, "WebhookFailed").await;
    well(&rig);
    rig.reason("main", C::WalHealthy, "WithinLimits").await;
    assert_eq!(hook.times(BLOAT), 0);
    hook.is(Mood::Takes);
    rig.until("told afterwards", || hook.has(BLOAT_OVER)).await;
    rig.ready(OPS).await;
    assert_eq!(rig.condition(OPS, C::Degraded), None);
}

#[tokio::test(start_paused = true)]
async fn a_webhook_that_hangs_holds_up_nobody() {
    let (rig, hook) = settled().await;
    hook.is(Mood::Hangs);
    bloated(&rig, 4);
    rig.until("it is being told", || (hook.asked() > 1).then_some(())).await;
    for name in ["a", "b", "c"] {
        rig.manifest(name, "{version: '18'}");
        rig.ready(name).await;
    }
}

#[tokio::test(start_paused = true)]
async fn it_tells_of_an_engine_that_is_away() {
    let (rig, hook) = settled().await;
    rig.fake.stop_engine();
    rig.until("told", || hook.has("firing postgres/main Ready")).await;
    rig.fake.start_engine();
    rig.until("told that it is back", || hook.has("resolved postgres/main Ready")).await;
}

#[tokio::test(start_paused = true)]
async fn one_that_is_stopped_or_deleted_is_no_trouble() {
    let (rig, hook) = settled().await;
    bloated(&rig, 4);
    rig.until("told", || hook.has(BLOAT)).await;
    rig.manifest("main", "{version: '18', stopped: true}");
    rig.reason("main", C::Ready, "Stopped").await;
    rig.until("what is not there is not ill", || hook.has(BLOAT_OVER)).await;
    assert_eq!(hook.times("firing postgres/main Ready"), 0, "{:?}", hook.told());
}

#[tokio::test(start_paused = true)]
async fn a_url_that_cannot_be_read_is_said_and_one_that_can_is_in_no_status() {
    let (mut rig, hook) = rig();
    fs::create_dir_all(rig.data("secrets")).unwrap();
    notifier(&rig, "{webhook: {url: {valueFrom: {file: ops}}}, after: 0s}");
    rig.drive();
    let words = rig.reason(OPS, C::Degraded, "SecretUnreadable").await;
    assert!(words.contains("spec.webhook.url") && words.contains("secrets/ops"), "{words}");
    let put = |text: &str| {
        fs::write(rig.data("secrets/draft"), text).unwrap();
        fs::set_permissions(rig.data("secrets/draft"), fs::Permissions::from_mode(0o600)).unwrap();
        fs::rename(rig.data("secrets/draft"), rig.data("secrets/ops")).unwrap();
    };
    put("gopher://hidden/secret");
    rig.until("it is no URL", || {
        let words = rig.condition(OPS, C::Degraded)?.message;
        (words.contains("must begin with https://") && !words.contains("hidden")).then_some(())
    })
    .await;
    put("https://hooks.example/secret\n");
    rig.ready(OPS).await;
    assert_eq!(hook.messages()[0].0, "https://hooks.example/secret");
    let all = rig.store.records("").unwrap();
    assert!(all.values().all(|record| !record.body.to_string().contains("secret\"")), "in no record");
    assert!(!format!("{:?}", rig.events()).contains("example/secret"));
}

#[tokio::test(start_paused = true)]
async fn without_its_manifest_it_is_silent_and_forgotten() {
    let (rig, hook) = settled().await;
    fs::remove_file(rig.path("ops.yaml")).unwrap();
    rig.until("forgotten", || rig.view(OPS).is_none().then_some(())).await;
    let before = hook.messages().len();
    bloated(&rig, 4);
    rig.reason("main", C::WalHealthy, "WalBloat").await;
    assert_eq!(hook.messages().len(), before);
}

#[tokio::test(start_paused = true)]
async fn a_plan_shows_what_would_be_told() {
    let (mut rig, _) = rig();
    notifier(&rig, SPEC);
    let plans = rig.operator.plan(None).await.unwrap();
    let steps: Vec<_> = plans.plans.iter().flat_map(|plan| &plan.steps).collect();
    assert_eq!(steps[0].action, "tell https://hooks.example: ready to tell what goes wrong");
    rig.drive();
    rig.ready(OPS).await;
}
