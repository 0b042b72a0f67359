//! Applications of a project on the fake engine: made with the variables of their links, rolled, kept, and let go.

use crate::machine::rig::{Rig, engine, image};
use async_trait::async_trait;
use seawall::control::api::{Api, Operation};
use seawall::control::operator::Times;
use seawall::core::condition::{ConditionType as C, Truth};
use seawall::core::pairs::Pairs;
use seawall::core::seen::{ContainerState, SeenContainer, SeenImage};
use seawall::docker::fake::FakeDocker;
use seawall::kinds::app::App;
use seawall::kinds::app::client::Checks;
use seawall::kinds::app_spec::Health;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;

const MAIN: &str = "{version: '18'}";
const WEB: &str = "app/shop-production-web";
const A: &str = "app-shop-production-web.a";
const B: &str = "app-shop-production-web.b";
const HTTP: &str = ", healthCheck: {http: {port: 3000}, graceSeconds: 20}";

/// Every application answers, but for those of images that are named here.
struct Answers {
    docker: Arc<FakeDocker>,
    sick: Arc<Mutex<BTreeSet<String>>>,
}

#[async_trait]
impl Checks for Answers {
    async fn check(&self, id: &str, _: IpAddr, _: &Health) -> Result<String, String> {
        let image = self.docker.seen(id).map(|c| c.image_id).unwrap_or_default();
        if self.sick.lock().unwrap().contains(&image) { Err("answered 503".into()) } else { Ok("200".into()) }
    }
}

struct Shop {
    rig: Rig,
    sick: Arc<Mutex<BTreeSet<String>>>,
}

fn id_of(n: u8) -> String {
    image("x", 18, n).id
}

fn app_image(tag: &str, n: u8, volumes: &[&str]) -> SeenImage {
    SeenImage {
        env: Pairs::default(),
        labels: Pairs::default(),
        volumes: volumes.iter().map(|path| (*path).to_owned()).collect(),
        cmd: vec!["serve".to_owned()],
        entrypoint: Vec::new(),
        ..image(tag, 18, n)
    }
}

impl Shop {
    fn new() -> Self {
        let fake = engine();
        for (tag, n) in [("local/web:1", 0x21), ("local/web:2", 0x22), ("local/web:3", 0x23)] {
            fake.add_image(app_image(tag, n, &[]));
        }
        fake.add_image(app_image("local/data:1", 0x24, &["/data"]));
        fake.add_image(app_image("local/data:2", 0x25, &["/data"]));
        let sick = Arc::new(Mutex::new(BTreeSet::new()));
        let answers: Arc<dyn Checks> =
            Arc::new(Answers { docker: Arc::clone(&fake), sick: Arc::clone(&sick) });
        let more = Arc::new(move |kinds: seawall::control::registry::Kinds, tools: &Arc<_>| {
            kinds.with(App::new(tools, Arc::clone(&answers)))
        });
        Self { rig: Rig::with(fake, Times::default(), more), sick }
    }

    /// With a PostgreSQL, a link to it, and an application.
    fn start(app: &str) -> Self {
        let mut shop = Self::new();
        shop.rig.manifest("main", MAIN);
        shop.link("");
        shop.apps(app);
        shop.rig.drive();
        shop
    }

    fn apps(&self, web: &str) {
        let spec = format!("{{environments: {{production: {{apps: {{web: {web}}}}}}}}}");
        self.project(&spec);
    }

    fn project(&self, spec: &str) {
        let text =
            format!("apiVersion: seawall.dev/v1\nkind: Project\nmetadata: {{name: shop}}\nspec: {spec}\n");
        self.rig.text("shop.yaml", &text);
    }

    fn link(&self, more: &str) {
        let spec = format!("{{service: postgres/main, project: shop, environment: production{more}}}");
        let text =
            format!("apiVersion: seawall.dev/v1\nkind: Link\nmetadata: {{name: shop-main}}\nspec: {spec}\n");
        self.rig.text("shop-main.yaml", &text);
    }

    fn sick(&self, n: u8) {
        self.sick.lock().unwrap().insert(id_of(n));
    }

    fn seen(&self, name: &str) -> Option<SeenContainer> {
        self.rig.fake.seen(name)
    }

    /// Waits until this image serves in this container, alone.
    async fn serves(&self, name: &str, n: u8) -> SeenContainer {
        let other = if name == A { B } else { A };
        let what = format!("{n:x} serves in {name}");
        self.rig
            .until(&what, || {
                let c = self
                    .seen(name)
                    .filter(|c| c.image_id == id_of(n) && c.state == ContainerState::Running)?;
                (self.rig.is_ready(WEB) && self.seen(other).is_none()).then_some(c)
            })
            .await
    }

    async fn password(&self) -> String {
        let shop = "project/shop".parse().unwrap();
        let view = self.rig.operator.environment(&shop, "production", false, true).await.unwrap();
        view.variables.into_iter().find(|v| v.name == "POSTGRES_PASSWORD").unwrap().value
    }
}

fn web(image: &str, more: &str) -> String {
    format!("{{image: 'local/web:{image}'{more}}}")
}

fn env<'a>(c: &'a SeenContainer, name: &str) -> Option<&'a str> {
    c.env.get(name)
}

#[tokio::test(start_paused = true)]
async fn an_application_waits_for_its_links_and_finds_their_variables() {
    let mut shop = Shop::new();
    shop.link("");
    shop.apps(&web("1", ", env: {LOG_LEVEL: info, N: 1}, resources: {memory: 64Mi}"));
    shop.rig.drive();
    let words = shop.rig.reason(WEB, C::Ready, "LinkNotReady").await;
    assert_eq!(words, "waits for link/shop-main");
    assert!(shop.seen(A).is_none());
    shop.rig.manifest("main", MAIN);
    let c = shop.serves(A, 0x21).await;
    let password = shop.password().await;
    assert_eq!(env(&c, "POSTGRES_PASSWORD"), Some(password.as_str()));
    let url = format!("postgresql://shop_main_a:{password}@postgres-main:5432/shop_production");
    assert_eq!((env(&c, "DATABASE_URL"), env(&c, "POSTGRES_URL")), (Some(url.as_str()), Some(url.as_str())));
    assert_eq!((env(&c, "LOG_LEVEL"), env(&c, "N")), (Some("info"), Some("1")));
    assert_eq!(c.caps.memory.unwrap().0, 64 << 20);
    shop.rig.reason("project/shop", C::Ready, "AppsReady").await;
    shop.rig.settled("nothing is left to do").await;
    let writes = shop.rig.fake.writes();
    shop.rig.let_pass(std::time::Duration::from_secs(300)).await;
    assert_eq!(shop.rig.fake.writes(), writes);
    // The secret is in the container, and nowhere else.
    let told =
        format!("{:?}{:?}{:?}{:?}", shop.rig.all(), shop.rig.events(), shop.rig.plans().await, c.labels);
    assert!(!told.contains(&password) && !shop.rig.memory(WEB).to_string().contains(&password));
}

#[tokio::test(start_paused = true)]
async fn another_version_serves_once_it_is_healthy_and_the_old_one_goes_only_then() {
    let shop = Shop::start(&web("1", HTTP));
    let old = shop.serves(A, 0x21).await;
    shop.sick(0x22);
    shop.apps(&web("2", HTTP));
    let words = shop.rig.reason(WEB, C::Progressing, "RollingOut").await;
    assert!(words.contains("answered 503"), "{words}");
    assert_eq!(shop.seen(A).unwrap().state, ContainerState::Running);
    assert!(shop.rig.condition(WEB, C::Ready).unwrap().status == seawall::core::condition::Truth::True);
    let told = shop.rig.view(WEB).unwrap().status["runtime"].clone();
    let told = |n: usize| ["role", "container_name", "image"].map(|field| told[n][field].clone());
    assert_eq!(
        (told(0), told(1)),
        (["a".into(), A.into(), "local/web:1".into()], ["b".into(), B.into(), "local/web:2".into()])
    );
    shop.sick.lock().unwrap().clear();
    let new = shop.serves(B, 0x22).await;
    assert_eq!(new.restart_policy, "always");
    assert_ne!(new.id, old.id);
    shop.rig.settled("rolled out").await;
    // And back into the first one.
    shop.apps(&web("3", HTTP));
    shop.serves(A, 0x23).await;
}

#[tokio::test(start_paused = true)]
async fn what_does_not_become_healthy_is_given_up_and_what_served_goes_on() {
    let shop = Shop::start(&web("1", HTTP));
    let old = shop.serves(A, 0x21).await;
    shop.sick(0x22);
    shop.apps(&web("2", HTTP));
    let words = shop.rig.reason(WEB, C::Degraded, "RolloutFailed").await;
    assert!(words.contains("not healthy within 20 s: answered 503"), "{words}");
    assert!(
        words.contains("correct it in project/shop") && words.contains("seawall restart app/shop-"),
        "{words}"
    );
    shop.rig.until("gone", || shop.seen(B).is_none().then_some(())).await;
    assert_eq!(shop.seen(A).unwrap().id, old.id);
    shop.rig.reason(WEB, C::Ready, "Healthy").await;
    shop.rig.let_pass(std::time::Duration::from_secs(600)).await;
    assert!(shop.seen(B).is_none() && shop.seen(A).unwrap().id == old.id);
    // By hand removed, it is what was Ready that comes back.
    shop.rig.fake.drift_remove(A).unwrap();
    shop.rig.until("back", || shop.seen(A).filter(|c| c.image_id == id_of(0x21))).await;
    // Asked to, it is tried again.
    shop.sick.lock().unwrap().clear();
    shop.rig.operator.operate(&WEB.parse().unwrap(), Operation::Restart).await.unwrap();
    shop.serves(B, 0x22).await;
}

#[tokio::test(start_paused = true)]
async fn a_check_that_is_corrected_judges_the_container_that_there_is() {
    let mut shop = Shop::new();
    shop.sick(0x21);
    shop.rig.manifest("main", MAIN);
    shop.link("");
    shop.apps(&web("1", HTTP));
    shop.rig.drive();
    shop.rig.reason(WEB, C::Ready, "Unhealthy").await;
    let id = shop.seen(A).unwrap().id;
    for _ in 0..2 {
        shop.apps(&web("1", ""));
        shop.rig.reason(WEB, C::Ready, "Healthy").await;
        shop.apps(&web("1", HTTP));
        shop.rig.reason(WEB, C::Ready, "Unhealthy").await;
    }
    assert_eq!(shop.seen(A).unwrap().id, id, "nothing was made anew for it");
    // One that was given up for its check is tried with another one.
    shop.apps(&web("1", ""));
    shop.rig.reason(WEB, C::Ready, "Healthy").await;
    shop.sick(0x22);
    shop.apps(&web("2", HTTP));
    shop.rig.reason(WEB, C::Degraded, "RolloutFailed").await;
    shop.apps(&web("2", ""));
    shop.serves(B, 0x22).await;
}

#[tokio::test(start_paused = true)]
async fn what_ends_at_once_is_given_up_with_its_last_words() {
    let shop = Shop::start(&web("1", ""));
    let old = shop.serves(A, 0x21).await;
    shop.rig.fake.on_start(|c| (c.image_id == id_of(0x22)).then_some(3));
    shop.apps(&web("2", ""));
    let words = shop.rig.reason(WEB, C::Degraded, "RolloutFailed").await;
    assert!(words.contains("the new container exited with code 3"), "{words}");
    assert_eq!(shop.seen(A).unwrap().id, old.id);
    shop.apps(&web("3", ""));
    shop.serves(B, 0x23).await;
    assert!(!shop.rig.conditions(WEB).iter().any(|c| c.reason == "RolloutFailed"));
}

#[tokio::test(start_paused = true)]
async fn with_a_port_of_this_machine_the_old_one_gives_way_and_comes_back() {
    let ports = ", ports: ['8080:3000']";
    for (image, ok) in [("2", true), ("3", false)] {
        let shop = Shop::start(&web("1", &format!("{ports}{HTTP}")));
        let old = shop.serves(A, 0x21).await;
        assert_eq!(old.port_bindings[0].host, 8080);
        shop.sick(0x23);
        shop.apps(&web(image, &format!("{ports}{HTTP}")));
        if ok {
            shop.serves(B, 0x22).await;
        } else {
            shop.rig.reason(WEB, C::Degraded, "RolloutFailed").await;
            let c = shop.serves(A, 0x21).await;
            assert_eq!((c.id, c.restart_policy.as_str()), (old.id, "always"));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn two_do_not_get_one_port() {
    let shop = Shop::start(&web("1", ", ports: ['8080:3000']"));
    shop.serves(A, 0x21).await;
    shop.project(
        "{environments: {production: {apps: {web: {image: 'local/web:1', ports: ['8080:3000']}}}, staging: {apps: {web: {image: 'local/web:1', ports: ['8080:80']}}}}}",
    );
    let words = shop.rig.reason("app/shop-staging-web", C::Degraded, "PortTaken").await;
    assert!(words.contains(&format!("host port 127.0.0.1:8080 belongs to {WEB}")), "{words}");
}

#[tokio::test(start_paused = true)]
async fn a_new_password_reaches_it_in_another_container() {
    let shop = Shop::start(&web("1", HTTP));
    shop.serves(A, 0x21).await;
    let old = shop.password().await;
    let link = "link/shop-main".parse().unwrap();
    shop.rig.operator.operate(&link, Operation::Rotate).await.unwrap();
    let c = shop.serves(B, 0x21).await;
    let new = shop.password().await;
    assert_ne!(old, new);
    assert_eq!(env(&c, "POSTGRES_PASSWORD"), Some(new.as_str()));
    let caused = "DATABASE_URL, POSTGRES_PASSWORD, POSTGRES_URL, POSTGRES_USER changed";
    assert!(shop.rig.said("ContainerCreated", caused), "{:?}", shop.rig.events());
    let told = format!("{:?}{}", shop.rig.events(), shop.rig.memory(WEB));
    assert!(!told.contains(&new) && !told.contains(&old));
}

#[tokio::test(start_paused = true)]
async fn a_variable_of_its_own_takes_the_place_of_a_links_only_when_it_says_so() {
    let shop = Shop::start(&web("1", ", env: {POSTGRES_HOST: mine}"));
    let words = shop.rig.reason(WEB, C::Degraded, "VariableConflict").await;
    assert!(
        words.contains("link/shop-main gives POSTGRES_HOST") && words.contains("override: true"),
        "{words}"
    );
    assert!(shop.seen(A).is_none());
    shop.apps(&web("1", ", env: {POSTGRES_HOST: {value: mine, override: true}}"));
    let c = shop.serves(A, 0x21).await;
    assert_eq!((env(&c, "POSTGRES_HOST"), env(&c, "POSTGRES_DB")), (Some("mine"), Some("shop_production")));
}

#[tokio::test(start_paused = true)]
async fn an_unlinked_application_loses_the_variables() {
    let shop = Shop::start(&web("1", ""));
    shop.serves(A, 0x21).await;
    shop.rig.remove("shop-main");
    let c = shop.serves(B, 0x21).await;
    assert!(c.env.iter().all(|(name, _)| !name.starts_with("POSTGRES") && name != "DATABASE_URL"));
}

#[tokio::test(start_paused = true)]
async fn it_goes_with_its_project_and_its_volumes_stay_until_they_are_given_up() {
    let shop = Shop::start(&web("1", ", volumes: ['uploads:/srv/up']"));
    let c = shop.serves(A, 0x21).await;
    let volume = "app-shop-production-web.uploads";
    assert!(c.mounts.iter().any(|m| m.volume == volume && m.path == "/srv/up"), "{:?}", c.mounts);
    shop.apps(&web("2", ", volumes: ['uploads:/srv/other']"));
    let c = shop.serves(B, 0x22).await;
    assert!(c.mounts.iter().any(|m| m.volume == volume && m.path == "/srv/other"), "{:?}", c.mounts);
    // Taken out and put back, it is the same.
    let both = ", volumes: ['uploads:/srv/other', 'more:/srv/zz']";
    shop.apps(&web("2", both));
    assert_eq!(shop.serves(A, 0x22).await.mounts.len(), 2);
    shop.apps(&web("2", ", volumes: ['uploads:/srv/other']"));
    assert_eq!(shop.serves(B, 0x22).await.mounts.len(), 1);
    shop.project("{environments: {production: {}}}");
    shop.rig.reason(WEB, C::Ready, "Retained").await;
    shop.rig.until("gone", || (shop.seen(A).is_none() && shop.seen(B).is_none()).then_some(())).await;
    assert!(shop.rig.fake.inventory().iter().any(|name| name == volume));
    shop.apps(&web("2", ", volumes: ['uploads:/srv/other']"));
    shop.rig.until("back", || shop.seen(A).or(shop.seen(B))).await;
    shop.rig.ready(WEB).await;
    shop.project("{environments: {production: {}}}");
    shop.rig.reason(WEB, C::Ready, "Retained").await;
    shop.rig.operator.delete(&WEB.parse().unwrap(), "shop-production-web").await.unwrap();
    shop.rig.until("forgotten", || shop.rig.view(WEB).is_none().then_some(())).await;
    assert!(!shop.rig.fake.inventory().iter().any(|name| name == volume));
}

#[tokio::test(start_paused = true)]
async fn without_volumes_nothing_of_it_is_left() {
    let shop = Shop::start(&web("1", ""));
    shop.serves(A, 0x21).await;
    shop.rig.remove("shop");
    shop.rig.until("forgotten", || shop.rig.view(WEB).is_none().then_some(())).await;
    assert!(shop.seen(A).is_none());
    // Said once it is so.
    let said = || shop.rig.said("Deleted", &format!("{WEB} was forgotten"));
    shop.rig.until("said", || said().then_some(())).await;
}

#[tokio::test(start_paused = true)]
async fn a_link_that_is_lost_or_a_stop_in_the_middle_of_a_rollout_gives_nothing_up() {
    let app = |image: &str| web(image, &format!(", ports: ['8080:3000']{HTTP}"));
    let shop = Shop::start(&app("1"));
    shop.serves(A, 0x21).await;
    let tried = async || {
        shop.sick(0x22);
        shop.apps(&app("2"));
        shop.rig.reason(WEB, C::Progressing, "RollingOut").await;
    };
    tried().await;
    shop.rig.operator.operate(&WEB.parse().unwrap(), Operation::Stop).await.unwrap();
    shop.rig.reason(WEB, C::Ready, "Stopped").await;
    shop.rig.until("none is tried", || shop.seen(B).is_none().then_some(())).await;
    shop.sick.lock().unwrap().clear();
    shop.rig.operator.operate(&WEB.parse().unwrap(), Operation::Start).await.unwrap();
    shop.serves(B, 0x22).await;
    // Back, and the server of the link is away while the next one is tried.
    shop.apps(&app("1"));
    shop.serves(A, 0x21).await;
    tried().await;
    shop.rig.operator.operate(&"postgres/main".parse().unwrap(), Operation::Stop).await.unwrap();
    shop.rig.until("not Ready", || (!shop.rig.is_ready("link/shop-main")).then_some(())).await;
    shop.sick.lock().unwrap().clear();
    shop.serves(B, 0x22).await;
    assert!(!shop.rig.said("RolloutFailed", ""), "{:?}", shop.rig.events());
}

#[tokio::test(start_paused = true)]
async fn what_an_image_keeps_gets_a_volume_and_two_never_write_to_it() {
    let shop = Shop::start("{image: 'local/data:1'}");
    let c = shop.serves(A, 0x24).await;
    assert_eq!(
        c.mounts.iter().map(|m| m.volume.as_str()).collect::<Vec<_>>(),
        ["app-shop-production-web.image.data"]
    );
    shop.apps("{image: 'local/data:2'}");
    let fake = Arc::clone(&shop.rig.fake);
    shop.rig.fake.on_start(move |c| {
        let other = fake.seen(A).filter(|_| c.name == B);
        assert!(other.is_none_or(|other| other.state != ContainerState::Running), "both run");
        None
    });
    shop.serves(B, 0x25).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_done_by_hand_is_put_right() {
    let shop = Shop::start(&web("1", ", resources: {memory: 64Mi}"));
    let old = shop.serves(A, 0x21).await;
    shop.rig.fake.drift_remove(A).unwrap();
    shop.rig.until("another one", || shop.seen(A).filter(|c| c.id != old.id)).await;
    let c = shop.serves(A, 0x21).await;
    shop.rig.fake.drift_kill(A).unwrap();
    shop.rig.until("again", || shop.seen(A).filter(|c| c.state == ContainerState::Running)).await;
    assert_eq!(shop.seen(A).unwrap().id, c.id);
    shop.rig.ready(WEB).await;
    shop.apps(&web("1", ", resources: {memory: 128Mi}"));
    shop.rig.until("capped", || shop.seen(A).filter(|c| c.caps.memory.unwrap().0 == 128 << 20)).await;
    assert_eq!(shop.seen(A).unwrap().id, c.id, "live");
    let web = WEB.parse().unwrap();
    shop.rig.operator.operate(&web, Operation::Stop).await.unwrap();
    shop.rig.until("stopped", || shop.seen(A).filter(|c| !c.state.is_up())).await;
    shop.rig.reason(WEB, C::Ready, "Stopped").await;
    shop.rig.operator.operate(&web, Operation::Start).await.unwrap();
    shop.serves(A, 0x21).await;
}

#[tokio::test(start_paused = true)]
async fn a_crash_between_any_two_writes_of_a_rollout_ends_in_the_new_version() {
    let alone = ", ports: ['8080:3000'], healthCheck: {http: {port: 3000}}";
    for (nth, app) in (0..14).map(|nth| (nth, alone)).chain((0..10).map(|nth| (nth, HTTP))) {
        let mut shop = Shop::start(&web("1", app));
        shop.serves(A, 0x21).await;
        let before = shop.rig.fake.writes();
        shop.apps(&web("2", app));
        let fake = Arc::clone(&shop.rig.fake);
        let ready = || shop.seen(B).is_some() && shop.seen(A).is_none() && shop.rig.is_ready(WEB);
        shop.rig.until("a write", || (fake.writes() > before + nth || ready()).then_some(())).await;
        shop.rig.crash().await;
        shop.rig.restart();
        let c = shop.serves(B, 0x22).await;
        assert_eq!(c.restart_policy, "always", "{nth}");
        shop.rig.settled("after a crash").await;
    }
}

#[tokio::test(start_paused = true)]
async fn no_manifest_is_an_application() {
    let shop = Shop::start(&web("1", ""));
    shop.serves(A, 0x21).await;
    let spec = "{project: shop, environment: production, app: x, container: {image: a}}";
    shop.rig.text(
        "x.yaml",
        &format!("apiVersion: seawall.dev/v1\nkind: App\nmetadata: {{name: x}}\nspec: {spec}\n"),
    );
    let words = shop.rig.until("said", || shop.rig.problems().first().map(ToString::to_string)).await;
    assert!(words.contains("an App is made by a Project") && words.contains("x.yaml:2:"), "{words}");
}

#[tokio::test(start_paused = true)]
async fn from_a_file_it_finds_its_secrets_and_no_description_of_its_container_has_them() {
    let mut shop = Shop::new();
    let secrets = shop.rig.data("secrets");
    std::fs::create_dir_all(&secrets).unwrap();
    let key = secrets.join("stripe");
    std::fs::write(&key, "sk_live_1").unwrap();
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let app = ", injection: file, env: {A: plain, STRIPE: {valueFrom: {file: ./stripe}}}";
    shop.rig.manifest("main", MAIN);
    shop.link("");
    shop.apps(&web("1", app));
    shop.rig.drive();
    let c = shop.serves(A, 0x21).await;
    let password = shop.password().await;
    let names: Vec<&str> = c.env.iter().map(|(name, _)| name).collect();
    assert!(names.contains(&"A") && names.contains(&"POSTGRES_HOST"), "{names:?}");
    for secret in ["POSTGRES_PASSWORD", "POSTGRES_URL", "DATABASE_URL", "STRIPE"] {
        assert!(!names.contains(&secret), "{names:?}");
    }
    let file = |name: &str| shop.rig.fake.file(name, "/.seawall/variables").unwrap().unwrap();
    let text = |name: &str| String::from_utf8(file(name).content.to_vec()).unwrap();
    assert!(
        text(A).contains(&format!("POSTGRES_PASSWORD={password}\0"))
            && text(A).contains("STRIPE=sk_live_1\0")
    );
    assert_eq!(shop.rig.fake.file(A, "/.seawall/launch").unwrap().unwrap().mode, 0o555);
    // Another value is another container, and the old file goes with the old one.
    std::fs::write(&key, "sk_live_2").unwrap();
    shop.serves(B, 0x21).await;
    assert!(text(B).contains("STRIPE=sk_live_2\0"));
    assert!(shop.rig.said("ContainerCreated", "STRIPE changed"), "{:?}", shop.rig.events());
    // Without it nothing is made, and what serves goes on.
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    shop.apps(&web("2", app));
    let words = shop.rig.reason(WEB, C::Progressing, "SecretUnreadable").await;
    assert!(words.contains("STRIPE: ") && words.contains("chmod 600"), "{words}");
    assert_eq!(shop.seen(B).unwrap().state, ContainerState::Running);
    let told = format!("{:?}{:?}{}", shop.rig.all(), shop.rig.events(), shop.rig.memory(WEB));
    assert!(!told.contains("sk_live") && !told.contains(&password));
}

#[tokio::test(start_paused = true)]
async fn one_check_that_fails_is_asked_again_before_it_counts() {
    let shop = Shop::start(&web("1", HTTP));
    shop.serves(A, 0x21).await;
    shop.rig.settled("made").await;
    let ready = || shop.rig.condition(WEB, C::Ready).unwrap();
    let before = ready();
    for _ in 0..3 {
        shop.sick(0x21);
        let doubted = || ready().message.contains("the last check failed (answered 503) and is asked again");
        shop.rig.until("doubted", || doubted().then_some(())).await;
        assert_eq!(ready().status, Truth::True);
        shop.sick.lock().unwrap().clear();
        shop.rig.until("believed", || (ready().message == "200").then_some(())).await;
        assert_eq!(ready().last_transition_time, before.last_transition_time);
    }
    shop.sick(0x21);
    let since = Instant::now();
    shop.rig.reason(WEB, C::Ready, "Unhealthy").await;
    assert!(since.elapsed() < Duration::from_secs(30), "{:?}", since.elapsed());
    shop.sick.lock().unwrap().clear();
    shop.rig.ready(WEB).await;
    // One that does not run is not Ready, whatever its check said before.
    shop.rig.fake.crash_loop(A, 1).unwrap();
    let since = Instant::now();
    shop.rig.until("not Ready", || (!shop.rig.is_ready(WEB)).then_some(())).await;
    assert!(since.elapsed() < Duration::from_secs(2), "{:?}", since.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_ends_gives_no_new_version_up() {
    let alone = format!(", ports: ['8080:3000']{HTTP}");
    for (more, code, killed) in [(HTTP, 1, false), (HTTP, 143, true), (&alone, 0, false), (&alone, 1, true)] {
        let what = format!("{more} {code} {killed}");
        let mut shop = Shop::start(&web("1", more));
        shop.serves(A, 0x21).await;
        shop.sick(0x22);
        shop.apps(&web("2", more));
        shop.rig.reason(WEB, C::Progressing, "RollingOut").await;
        if killed {
            shop.rig.crash().await;
        }
        shop.rig.fake.stop_engine_with(code);
        shop.rig.let_pass(Duration::from_secs(3)).await;
        shop.rig.fake.start_engine();
        if killed {
            shop.rig.restart();
        }
        shop.rig
            .until(&format!("tried again: {what}"), || {
                shop.seen(B).filter(|c| c.state == ContainerState::Running)
            })
            .await;
        shop.rig.reason(WEB, C::Progressing, "RollingOut").await;
        shop.sick.lock().unwrap().clear();
        shop.serves(B, 0x22).await;
        assert!(!shop.rig.said("RolloutFailed", ""), "{what}: {:?}", shop.rig.events());
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_version_that_others_end_is_tried_again_and_not_for_ever() {
    let shop = Shop::start(&web("1", HTTP));
    let old = shop.serves(A, 0x21).await;
    let started = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&started);
    shop.rig.fake.on_start(move |c| {
        count.fetch_add(u32::from(c.name == B), Ordering::Relaxed);
        None
    });
    shop.sick(0x22);
    shop.apps(&web("2", HTTP));
    for times in 1..=3 {
        let runs = || shop.seen(B).filter(|c| c.state == ContainerState::Running);
        shop.rig.until("tried", || runs().filter(|_| started.load(Ordering::Relaxed) == times)).await;
        shop.rig.reason(WEB, C::Progressing, "RollingOut").await;
        shop.rig.fake.drift_kill(B).unwrap();
    }
    let words = shop.rig.reason(WEB, C::Degraded, "RolloutFailed").await;
    assert!(words.contains("killed (exit code 137), started 3 times"), "{words}");
    shop.rig.let_pass(Duration::from_secs(600)).await;
    assert_eq!((started.load(Ordering::Relaxed), shop.seen(A).unwrap().id), (3, old.id));
    // What it does itself gives it up at once, whatever its code is.
    for code in [0, 1, 137] {
        let shop = Shop::start(&web("1", HTTP));
        shop.serves(A, 0x21).await;
        let count = Arc::new(AtomicU32::new(0));
        let starts = Arc::clone(&count);
        shop.rig.fake.on_start(move |c| {
            (c.name == B).then(|| {
                starts.fetch_add(1, Ordering::Relaxed);
                code
            })
        });
        shop.apps(&web("2", HTTP));
        shop.rig.reason(WEB, C::Degraded, "RolloutFailed").await;
        assert_eq!(count.load(Ordering::Relaxed), 1, "{code}");
    }
}

/// A project without a link.
fn plain(image: &str, more: &str) -> Shop {
    let mut shop = Shop::new();
    shop.apps(&web(image, more));
    shop.rig.drive();
    shop
}

#[tokio::test(start_paused = true)]
async fn with_the_store_lost_it_runs_on_and_is_its_projects_again() {
    let volumes = format!(", volumes: ['uploads:/srv/up']{HTTP}");
    let mut shop = plain("1", &volumes);
    shop.serves(A, 0x21).await;
    // In the other container, so that it is not where a new one would begin.
    shop.apps(&web("2", &volumes));
    let old = shop.serves(B, 0x22).await;
    let uid = shop.rig.view(WEB).unwrap().metadata.uid;
    shop.rig.leave().await;
    let writes = shop.rig.fake.writes();
    assert!(shop.rig.recover().await.is_empty());
    let c = shop.serves(B, 0x22).await;
    shop.rig.settled("taken over").await;
    assert_eq!((c.id, c.started_at), (old.id.clone(), old.started_at));
    assert_eq!(shop.rig.fake.writes(), writes, "{:?}", shop.rig.events());
    assert_eq!(shop.rig.view(WEB).unwrap().metadata.uid, uid);
    assert!(shop.rig.said("Recovered", B), "{:?}", shop.rig.events());
    // The image is pinned as before, and its next version is tried beside it.
    shop.sick(0x23);
    shop.apps(&web("3", &volumes));
    shop.rig.reason(WEB, C::Degraded, "RolloutFailed").await;
    assert_eq!(shop.seen(B).unwrap().id, old.id);
    shop.apps(&web("2", &volumes));
    shop.serves(B, 0x22).await;
    assert_eq!(shop.seen(B).unwrap().id, old.id);
    // It goes with its project, and its volume stays and is found again.
    shop.rig.remove("shop");
    shop.rig.until("gone", || (shop.seen(A).is_none() && shop.seen(B).is_none()).then_some(())).await;
    let volume = "app-shop-production-web.uploads";
    assert!(shop.rig.fake.inventory().iter().any(|name| name == volume));
    shop.rig.reason(WEB, C::Ready, "Retained").await;
    shop.rig.operator.delete(&WEB.parse().unwrap(), "shop-production-web").await.unwrap();
    shop.rig.until("forgotten", || shop.rig.view(WEB).is_none().then_some(())).await;
    assert!(!shop.rig.fake.inventory().iter().any(|name| name == volume));
}

#[tokio::test(start_paused = true)]
async fn with_the_store_lost_a_new_password_is_one_normal_rollout() {
    let mut shop = Shop::start(&web("1", HTTP));
    shop.serves(A, 0x21).await;
    let old = shop.password().await;
    shop.rig.leave().await;
    let fake = Arc::clone(&shop.rig.fake);
    shop.rig.fake.on_start(move |c| {
        if c.name == B {
            assert_eq!(
                fake.seen(A).unwrap().state,
                ContainerState::Running,
                "the old one goes on until then"
            );
        }
        None
    });
    assert!(shop.rig.recover().await.is_empty());
    let c = shop.serves(B, 0x21).await;
    let new = shop.password().await;
    assert_ne!(old, new);
    assert_eq!(env(&c, "POSTGRES_PASSWORD"), Some(new.as_str()));
    shop.rig.settled("rolled out").await;
    let made = shop.rig.events().iter().filter(|e| e.reason == "ContainerCreated" && e.object == WEB).count();
    assert_eq!(made, 1, "{:?}", shop.rig.events());
}

#[tokio::test(start_paused = true)]
async fn with_the_store_lost_in_the_middle_of_a_rollout_nothing_that_serves_is_lost() {
    let alone = format!(", ports: ['8080:3000']{HTTP}");
    for (more, good) in [(HTTP, true), (HTTP, false), (&alone, true), (&alone, false)] {
        let what = format!("{more} {good}");
        let mut shop = plain("1", more);
        let old = shop.serves(A, 0x21).await;
        shop.sick(0x22);
        shop.apps(&web("2", more));
        shop.rig.reason(WEB, C::Progressing, "RollingOut").await;
        shop.rig.crash().await;
        assert!(shop.rig.recover().await.is_empty());
        if good {
            shop.rig.reason(WEB, C::Progressing, "RollingOut").await;
            shop.sick.lock().unwrap().clear();
            shop.serves(B, 0x22).await;
        } else {
            shop.rig.reason(WEB, C::Degraded, "RolloutFailed").await;
            let c = shop
                .rig
                .until(&what, || {
                    let c = shop.seen(A).filter(|c| c.state == ContainerState::Running)?;
                    (shop.rig.is_ready(WEB) && shop.seen(B).is_none()).then_some(c)
                })
                .await;
            assert_eq!((c.id, c.restart_policy.as_str()), (old.id, "always"), "{what}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn with_the_store_lost_what_was_stopped_stays_so_and_what_is_anothers_is_left_alone() {
    let mut shop = plain("1", HTTP);
    let old = shop.serves(A, 0x21).await;
    shop.rig.operator.operate(&WEB.parse().unwrap(), Operation::Stop).await.unwrap();
    shop.rig.reason(WEB, C::Ready, "Stopped").await;
    shop.rig.leave().await;
    assert!(shop.rig.recover().await.is_empty());
    shop.rig.reason(WEB, C::Ready, "Stopped").await;
    shop.rig.operator.operate(&WEB.parse().unwrap(), Operation::Start).await.unwrap();
    assert_eq!(shop.serves(A, 0x21).await.id, old.id);
    // Of an image that was made of a container: the labels may be the image's.
    shop.rig.leave().await;
    let copy = SeenImage { labels: shop.seen(A).unwrap().labels, ..app_image("local/copy:1", 0x26, &[]) };
    shop.rig.fake.add_image(copy.clone());
    shop.rig.fake.add_copy("copy", A, &copy.id);
    shop.rig.fake.drift_remove(A).unwrap();
    shop.rig.fake.drift_rename("copy", A).unwrap();
    let id = shop.seen(A).unwrap().id;
    let unproven = shop.rig.recover().await;
    assert_eq!(unproven.iter().map(|u| u.name.as_str()).collect::<Vec<_>>(), [A]);
    shop.rig.reason(WEB, C::Degraded, "NameConflict").await;
    assert_eq!(shop.seen(A).map(|c| (c.id, c.state)), Some((id, ContainerState::Running)));
}
