//! The dashboard as a browser gets it: who is let in and for how long, what other sites cannot do, words of others that stay words, sizes.

mod doing;
mod every;
mod jobs;
mod links;

use crate::cli::fake::{Fake, PASSWORD, event, main_view, problem, used, view};
use async_trait::async_trait;
use seawall::control::api::*;
use seawall::core::access::{Caller, Role};
use seawall::core::measure::Unit;
use seawall::core::plan::{PlanView, Sign, StepView};
use seawall::http::listen::{Listen, serve};
use seawall::secrets::{ExposeSecret, Secret, TokenHash};
use serde_json::json;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

/// A token is the name of a role, until it is revoked.
#[derive(Clone, Default)]
struct Keeper(Arc<Mutex<Vec<String>>>);

impl Keeper {
    fn revoke(&self, token: &str) {
        self.0.lock().unwrap().push(token.to_owned());
    }
}

#[async_trait]
impl Gatekeeper for Keeper {
    async fn admit(&self, token: &Secret, from: IpAddr) -> Result<Caller> {
        let token = token.expose_secret();
        let role = token.parse::<Role>().ok().filter(|_| !self.0.lock().unwrap().contains(&token.to_owned()));
        let nothing = || ApiError::new(ErrorCode::Unauthenticated, "the token opens nothing", "");
        let role = role.ok_or_else(nothing)?;
        Ok(Caller { name: format!("the-{token}"), may: role.permissions(), from: Some(from) })
    }

    async fn redeem(&self, link: &Secret, from: IpAddr) -> Result<Caller> {
        let nothing = || ApiError::new(ErrorCode::Unauthenticated, "the link opens nothing", "");
        let (link, mut used) = (link.expose_secret(), self.0.lock().unwrap());
        if link != "once" || used.contains(&link.to_owned()) {
            return Err(nothing());
        }
        used.push(link.to_owned());
        Ok(Caller { name: "root by a link".to_owned(), from: Some(from), ..Caller::socket() })
    }

    fn still(&self, name: &str, _: &TokenHash) -> bool {
        !self.0.lock().unwrap().iter().any(|revoked| name == format!("the-{revoked}"))
    }
}

/// A browser: what it was given it sends again.
struct Browser {
    at: SocketAddr,
    cookies: BTreeMap<String, String>,
    keeper: Keeper,
    cancel: CancellationToken,
}

#[derive(Debug)]
struct Shown {
    status: u16,
    head: String,
    body: String,
}

impl Shown {
    fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The word of the session, from the first form of the page.
    fn word(&self) -> String {
        let rest = self
            .body
            .split_once("name=\"csrf\" value=\"")
            .unwrap_or_else(|| panic!("no form: {}", self.body))
            .1;
        rest.split_once('"').unwrap().0.to_owned()
    }
}

impl Browser {
    async fn open(fake: &Fake, behind_proxy: bool) -> Self {
        let (cancel, keeper) = (CancellationToken::new(), Keeper::default());
        let (heard, at) = oneshot::channel();
        let heard = Mutex::new(Some(heard));
        let api: Arc<dyn Api> = Arc::new(fake.clone());
        let pages = seawall::web::router(api.clone(), Arc::new(keeper.clone()), behind_proxy, cancel.clone());
        let listen = Listen { address: "127.0.0.1:0".parse().unwrap(), tls: None, behind_proxy, pages };
        let (doors, stop) = (Arc::new(keeper.clone()), cancel.clone());
        tokio::spawn(async move {
            serve(api, doors, listen, stop, |at| heard.lock().unwrap().take().unwrap().send(at).unwrap())
                .await;
        });
        Self { at: at.await.unwrap().unwrap(), cookies: BTreeMap::new(), keeper, cancel }
    }

    /// Signed in.
    async fn of(fake: &Fake, token: &str) -> Self {
        let mut browser = Self::open(fake, false).await;
        let answer = browser.sign_in(token).await;
        assert_eq!((answer.status, answer.header("location")), (303, Some("/services")), "{answer:?}");
        browser
    }

    async fn sign_in(&mut self, token: &str) -> Shown {
        let word = self.get("/sign-in").await.word();
        self.post("/sign-in", &format!("csrf={word}&token={token}")).await
    }

    async fn get(&mut self, path: &str) -> Shown {
        self.ask("GET", path, "", "").await
    }

    async fn post(&mut self, path: &str, form: &str) -> Shown {
        self.ask("POST", path, "", form).await
    }

    async fn ask(&mut self, method: &str, path: &str, more: &str, form: &str) -> Shown {
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let host = if more.contains("host:") { "" } else { "host: localhost\r\n" };
        let kind = "application/x-www-form-urlencoded";
        let request = format!(
            "{method} {path} HTTP/1.1\r\n{host}connection: close\r\ncookie: {}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n{more}\r\n{form}",
            cookies.join("; "),
            form.len(),
        );
        let mut stream = TcpStream::connect(self.at).await.unwrap();
        let _ = stream.write_all(request.as_bytes()).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        let text = String::from_utf8(answer).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        for line in head.lines().filter_map(|line| line.strip_prefix("set-cookie: ")) {
            let (pair, rest) = line.split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
            if rest.contains("Max-Age=0") {
                self.cookies.remove(name);
            }
        }
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
        Shown { status, head: head.to_owned(), body: body.to_owned() }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

fn one() -> Fake {
    Fake::with(|w| {
        w.list.items = vec![main_view()];
        w.top = used();
        w.events = vec![event(1, "postgres/main")];
    })
}

const PAGES: [&str; 6] = [
    "/jobs",
    "/services",
    "/services/postgres/main",
    "/services/postgres/main/usage",
    "/services/postgres/main/plan",
    "/services/postgres/main/logs",
];

#[tokio::test]
async fn nobody_sees_a_page_without_having_signed_in() {
    let fake = one();
    let mut browser = Browser::open(&fake, false).await;
    for path in PAGES.into_iter().chain(["/"]) {
        let answer = browser.get(path).await;
        assert_eq!((answer.status, answer.header("location")), (303, Some("/sign-in")), "{path}");
        // What a script asks for goes to the sign-in as a whole page, not into a part of one.
        if path != "/" {
            let answer = browser.ask("GET", path, "hx-request: true\r\n", "").await;
            assert_eq!((answer.status, answer.header("hx-redirect")), (401, Some("/sign-in")), "{path}");
        }
    }
    for token in ["mistaken", "", "%20", "x".repeat(600).as_str()] {
        let answer = browser.sign_in(token).await;
        assert_eq!(answer.status, 401, "{token}");
        assert!(!browser.cookies.contains_key("seawall-session") && answer.body.contains("role=\"alert\""));
        assert!(token.len() < 2 || !answer.body.contains(&format!("\"{token}\"")), "it is not told again");
    }
    browser.cookies.insert("seawall-session".to_owned(), "made-up".to_owned());
    assert_eq!(browser.get("/services").await.status, 303);
    assert_eq!(fake.calls(), Vec::<String>::new());
    assert_eq!(browser.sign_in("viewer").await.status, 303);
    for path in PAGES {
        assert_eq!(browser.get(path).await.status, 200, "{path}");
    }
    assert_eq!(browser.get("/").await.header("location"), Some("/services"));
}

#[tokio::test(start_paused = true)]
async fn a_session_ends_with_its_token_after_twelve_hours_and_when_somebody_leaves() {
    let fake = one();
    let mut browser = Browser::of(&fake, "viewer").await;
    assert_eq!(browser.get("/services").await.status, 200);
    browser.keeper.revoke("viewer");
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(browser.get("/services").await.status, 303, "its token is revoked");

    let mut browser = Browser::of(&fake, "operator").await;
    for hours in [6, 5] {
        tokio::time::sleep(Duration::from_secs(hours * 3600)).await;
        assert_eq!(browser.get("/services").await.status, 200);
    }
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(browser.get("/services").await.status, 303, "it lasts no longer for being used");

    let mut browser = Browser::of(&fake, "admin").await;
    let kept = browser.cookies.clone();
    let word = browser.get("/services").await.word();
    let left = browser.post("/sign-out", &format!("csrf={word}")).await;
    assert_eq!((left.status, browser.cookies.contains_key("seawall-session")), (303, false));
    browser.cookies = kept;
    assert_eq!(browser.get("/services").await.status, 303, "whoever kept the cookie has nothing");
}

#[tokio::test(start_paused = true)]
async fn a_link_signs_in_once_and_only_by_its_form() {
    let fake = one();
    let mut browser = Browser::open(&fake, false).await;
    // Whatever looks ahead uses nothing up.
    for _ in 0..2 {
        let page = browser.get("/sign-in?ticket=once").await;
        assert!(page.status == 200 && page.body.contains("value=\"once\""), "{}", page.body);
        assert!(!browser.cookies.contains_key("seawall-session"));
    }
    assert_eq!(browser.post("/sign-in", "csrf=x&ticket=once").await.status, 403);
    for (link, status) in [("wrong", 401), ("", 401), ("once", 303), ("once", 401)] {
        let word = browser.get(&format!("/sign-in?ticket={link}")).await.word();
        let answer = browser.post("/sign-in", &format!("csrf={word}&ticket={link}")).await;
        assert_eq!(answer.status, status, "{link}: {}", answer.body);
        assert!(status == 303 || !answer.body.contains("once\""), "it is not told again");
    }
    let page = browser.get("/settings").await;
    assert!(page.status == 200 && page.body.contains("root by a link"), "{}", page.body);
    // No token of it could be revoked: it ends by time, or by who leaves.
    tokio::time::sleep(Duration::from_secs(11 * 3600)).await;
    assert_eq!(browser.get("/services").await.status, 200);
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(browser.get("/services").await.status, 303);
    let evil = browser.get("/sign-in?ticket=%22%3E%3Cscript%3Ealert(1)%3C/script%3E").await.body;
    assert!(!evil.replace("<script src=", "").contains("<script"), "{evil}");
}

/// What it is told within so many seconds.
async fn heard(browser: &Browser, seconds: u64) -> String {
    let cookies: Vec<String> =
        browser.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let request =
        format!("GET /changes HTTP/1.1\r\nhost: localhost\r\ncookie: {}\r\n\r\n", cookies.join("; "));
    let mut stream = TcpStream::connect(browser.at).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(seconds), stream.read_to_end(&mut answer)).await;
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn an_open_page_is_told_that_something_has_changed_until_its_session_ends() {
    let fake = one();
    assert!(heard(&Browser::open(&fake, false).await, 5).await.starts_with("HTTP/1.1 303"));
    let browser = Browser::of(&fake, "viewer").await;
    let change = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        fake.change(|w| w.list.revision += 1);
        tokio::time::sleep(Duration::from_secs(4)).await;
        browser.keeper.revoke("viewer");
        fake.change(|w| w.list.revision += 1);
    };
    let (told, ()) = tokio::join!(heard(&browser, 20), change);
    assert!(told.contains("content-type: text/event-stream"), "{told}");
    assert_eq!(told.matches("data: ").count(), 2, "{told}");
    assert!(told.ends_with("0\r\n\r\n"), "it ended by itself: {told}");
    for _ in 0..2 {
        // Nor does it keep an operator that leaves.
        let browser = Browser::of(&fake, "admin").await;
        let leave = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            browser.cancel.cancel();
        };
        let begin = std::time::Instant::now();
        tokio::join!(heard(&browser, 20), leave);
        assert!(begin.elapsed() < Duration::from_secs(3), "{:?}", begin.elapsed());
    }
}

#[tokio::test]
async fn what_a_browser_keeps_and_may_do_is_said_with_every_answer() {
    let fake = one();
    let mut browser = Browser::open(&fake, true).await;
    let first = browser.get("/sign-in").await;
    let word = first.word();
    let answer = browser.post("/sign-in", &format!("csrf={word}&token=viewer")).await;
    let cookie = answer.header("set-cookie").unwrap();
    for part in [
        "__Host-seawall-session=",
        "; HttpOnly",
        "; SameSite=Strict",
        "; Secure",
        "; Path=/",
        "; Max-Age=43200",
    ] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let assets =
        ["/assets/style.css", "/assets/htmx.min.js", "/assets/live.js", "/assets/icon.svg", "/sign-in"];
    for path in PAGES.into_iter().chain(assets) {
        let answer = browser.get(path).await;
        let policy = answer.header("content-security-policy").unwrap();
        assert!(
            policy.starts_with("default-src 'none'; script-src 'self'") && !policy.contains("unsafe"),
            "{path}"
        );
        assert_eq!(answer.header("x-frame-options"), Some("DENY"), "{path}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(answer.header("referrer-policy"), Some("same-origin"), "{path}");
        let keeps = if path.starts_with("/assets/") && answer.status == 200 {
            "private, max-age=3600"
        } else {
            "no-store"
        };
        assert_eq!(answer.header("cache-control"), Some(keeps), "{path}");
        if answer.header("content-type").is_some_and(|kind| kind.starts_with("text/html")) {
            for word in [" style=", " onclick=", "<style", "javascript:", "http://", "src=\"//"] {
                assert!(!answer.body.contains(word), "{path}: {word}");
            }
            assert!(!answer.body.replace("<script src=", "").contains("<script"), "{path}");
        }
    }
}

#[tokio::test]
async fn forms_of_others_are_refused() {
    let fake = one();
    let mut browser = Browser::of(&fake, "admin").await;
    let word = browser.get("/services/postgres/main").await.word();
    fake.change(|w| w.calls.clear());
    let reveal = "/services/postgres/main/reveal";
    for form in ["", "csrf=", "csrf=x", &format!("csrf={word}x"), &format!("other={word}")] {
        for path in [reveal, "/sign-out", "/sign-in"] {
            assert_eq!(browser.post(path, form).await.status, 403, "{path} {form}");
        }
    }
    let right = format!("csrf={word}");
    for (more, status) in [
        ("origin: https://evil.example\r\n", 403),
        ("origin: null\r\n", 403),
        ("host: evil.example\r\n", 403),
        ("origin: http://localhost\r\n", 200),
    ] {
        let answer = browser.ask("POST", reveal, more, &right).await;
        assert_eq!(answer.status, status, "{more}");
        assert_eq!(answer.body.contains(PASSWORD), status == 200, "{more}");
        assert_eq!(fake.calls().is_empty(), status != 200, "{more}");
    }
    // Nor the word of another session.
    let mut other = Browser::of(&fake, "admin").await;
    other.get("/services").await;
    assert_eq!(other.post(reveal, &right).await.status, 403);
    let large = format!("{right}&a={}", "x".repeat(600 << 10));
    assert!([0, 400].contains(&browser.post(reveal, &large).await.status), "it need not be read to its end");
    assert_eq!(browser.get(reveal).await.status, 405, "no address reveals anything");
}

#[tokio::test]
async fn a_password_is_shown_to_who_may_see_it_and_once() {
    let fake = one();
    for (role, status) in [("viewer", 403), ("operator", 403), ("admin", 200)] {
        let mut browser = Browser::of(&fake, role).await;
        fake.change(|w| w.calls.clear());
        let page = browser.get("/services/postgres/main").await;
        assert!(
            page.body.contains("postgresql://appuser:••••••••@postgres-main:5432/appdb"),
            "{}",
            page.body
        );
        assert!(!page.body.contains(PASSWORD));
        assert_eq!(page.body.contains("/reveal"), role == "admin");
        assert!(!fake.calls().contains(&"connection postgres/main true".to_owned()));
        let form = format!("csrf={}", page.word());
        let answer = browser.post("/services/postgres/main/reveal", &form).await;
        assert_eq!((answer.status, answer.body.contains(PASSWORD)), (status, status == 200), "{role}");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert!(!browser.get("/services/postgres/main").await.body.contains(PASSWORD));
    }
}

/// Something in each state, and figures over a day.
fn a_day() -> Fake {
    Fake::with(|w| {
        let mut main = main_view();
        main.status["walHealth"] = json!({
            "stale": false, "probed_at": "2026-11-30T12:00:00Z", "age_secs": 12, "pg_wal_bytes": 4_u64 << 30,
            "max_wal_size_bytes": 1 << 30, "archive_mode": "off", "slots": [],
            "warnings": [{"kind": "wal_bloat", "severity": "warning",
                "message": "pg_wal has 4Gi, 4.0 x max_wal_size of 1Gi", "action": "see which slot keeps it: seawall wal main"}]});
        let states = [
            ("analytics", "True", "LoginSucceeded", ""),
            (
                "billing",
                "False",
                "LoginFailed",
                "the password that is sealed is not the one in force: FATAL: password authentication failed",
            ),
            ("cache-eu", "Unknown", "EngineUnavailable", "the Docker engine does not answer since 2 min"),
            ("orders", "False", "Stopped", "stopped on purpose by seawall stop"),
            ("reports", "False", "Blocked", "another major version needs an upgrade: 17 is not 18"),
        ];
        w.list.items = vec![main];
        // What else decides on the one word.
        let others = [
            ("archive", "False", "ServerStarting", "Progressing"),
            ("ledger", "True", "LoginSucceeded", "Degraded"),
            ("search", "False", "TrialFailed", "Stalled"),
            ("tickets", "True", "LoginSucceeded", "Paused"),
            ("users", "False", "Retained", "WalHealthy"),
            ("visits", "False", "NameConflict", "DiskPressure"),
        ];
        w.list.items.extend(others.map(|(name, ready, reason, also)| {
            let mut other = view(name, ready, reason, "this is what is to be said of it");
            let all = other.status["conditions"].as_array_mut().unwrap();
            let also = json!({"type": also, "status": "True", "reason": "ManifestBroken", "message": "unknown field \"databse\"",
                "lastTransitionTime": "2026-11-30T12:00:00Z", "observedGeneration": 3});
            all.retain(|condition| condition["type"] != also["type"]);
            all.push(also);
            other
        }));
        w.list.items.extend(states.map(|(name, ready, reason, message)| view(name, ready, reason, message)));
        for (kind, name) in [("Link", "shop-production-main"), ("Project", "shop")] {
            let mut other = view(name, "True", "AsExpected", "");
            other.kind = kind.to_owned();
            other.spec = match kind {
                "Link" => json!({"service": "postgres/main", "project": "shop", "environment": "production"}),
                _ => json!({"environments": {"production": {}, "staging": {}}}),
            };
            other.status = json!({"conditions": other.status["conditions"]});
            other.metadata.managed_by = Some(ManagedBy::Api);
            w.list.items.push(other);
        }
        w.list.problems = vec![problem()];
        w.top = used();
        w.jobs = jobs::some();
        w.events = (1..9).map(|n| event(n, "postgres/main")).collect();
        let step = |sign, action: &str, cause: &str| StepView {
            sign,
            action: action.to_owned(),
            cause: cause.to_owned(),
        };
        let steps =
            vec![step(Sign::Change, "update memory of postgres-main", "memory 256Mi → 512Mi: spec changed")];
        w.plan.plans = vec![PlanView { object: "postgres/main".to_owned(), steps, ..PlanView::default() }];
        let series = |name: &str, unit, scale: f64| {
            let wave = |n: i32| (f64::from(n) / 60.0).sin() * 0.4 + (f64::from(n) / 7.0).cos() * 0.1 + 0.6;
            let points = (0..2_880).filter(|n| !(900..1_100).contains(n));
            let points = points.map(|n| Point { at: i64::from(n) * 30, mean: wave(n) * scale, max: scale });
            SeriesView::of(name.to_owned(), unit, points.collect())
        };
        let all = [
            series("memory_bytes", Unit::Bytes, 3e8),
            series("cpu_cores", Unit::Cores, 0.5),
            series("wal_bytes", Unit::Bytes, 1e9),
            series("connections", Unit::Count, 40.0),
            series("cache_hit_ratio", Unit::Percent, 99.0),
        ];
        w.history = HistoryView { to: 86_400, step: 30, series: all.to_vec(), ..HistoryView::default() };
    })
}

/// `make test-browser`
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium"]
async fn in_a_browser() {
    let browser = Browser::open(&a_day(), false).await;
    let empty = Browser::open(&Fake::default(), false).await;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/browser/look.mjs");
    let detail = "/services/postgres/main";
    let pages = [
        "/services",
        detail,
        "/services/postgres/billing",
        "/services/postgres/main/plan",
        "/services/postgres/main/logs",
        "/services/postgres/archive",
        "/services/postgres/main/limits",
        "/services/postgres/main/delete",
        "/services/project/shop",
        "/services/project/shop/environments/production",
        "/create",
        "/create?kind=manifest",
        "/projects",
        "/jobs",
        "/settings",
    ];
    let many = Fake::with(|w| {
        w.list.items =
            (0..160).map(|n| view(&format!("service-{n}"), "True", "LoginSucceeded", "")).collect();
    });
    let many = Browser::open(&many, false).await;
    let none = ["/services", "/projects", "/jobs"];
    for (name, at, paths) in [
        ("day", browser.at, &pages[..]),
        ("empty", empty.at, &none[..]),
        ("many", many.at, &["/services", "/services?page=1"]),
    ] {
        let mut node = tokio::process::Command::new("node");
        node.arg(script).arg(name).arg(format!("http://{at}")).arg("admin").args(paths);
        assert!(node.status().await.unwrap().success(), "{name}");
    }
}

const EVIL: &str = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>&lt;";

#[tokio::test]
async fn words_of_others_stay_words() {
    let fake = Fake::with(|w| {
        let mut evil = view("main", "False", EVIL, EVIL);
        evil.metadata.labels = BTreeMap::from([(EVIL.to_owned(), EVIL.to_owned())]);
        evil.metadata.source = EVIL.to_owned();
        evil.not_saved_since = Some(EVIL.to_owned());
        evil.spec = json!({EVIL: EVIL, "\u{2028}": "</pre><script>"});
        evil.status["server"]["version"] = json!(EVIL);
        evil.status["runtime"][0]["container_name"] = json!(EVIL);
        evil.status["runtime"][0]["status"] = json!(EVIL);
        evil.status["walHealth"] = json!({"stale": false, "archive_command": EVIL, "warnings": [
            {"kind": EVIL, "severity": EVIL, "message": EVIL, "action": EVIL}]});
        let mut other = view(EVIL, "True", EVIL, EVIL);
        other.spec = json!({"service": "postgres/main"});
        other.metadata.creation_timestamp = EVIL.to_owned();
        w.list.items = vec![evil, other];
        w.list.guard = Some(EVIL.to_owned());
        w.list.engine_down = Some(EVIL.to_owned());
        w.list.notices = vec![EVIL.to_owned()];
        let mut wrong = problem();
        wrong.what = EVIL.to_owned();
        w.list.problems = vec![wrong];
        let mut told = event(1, "postgres/main");
        (told.reason, told.message, told.last_seen) = (EVIL.to_owned(), EVIL.to_owned(), EVIL.to_owned());
        w.events = vec![told];
        let step = StepView { sign: Sign::Change, action: EVIL.to_owned(), cause: EVIL.to_owned() };
        w.plan.plans =
            vec![PlanView { object: "postgres/main".to_owned(), steps: vec![step], ..PlanView::default() }];
        w.jobs = jobs::some();
        for job in &mut w.jobs.items {
            (job.object, job.since) = (EVIL.to_owned(), EVIL.to_owned());
            for step in &mut job.steps {
                (step.action, step.cause) = (EVIL.to_owned(), EVIL.to_owned());
            }
        }
        let point = |at| Point { at, mean: 1.0, max: 2.0 };
        let series = SeriesView::of(EVIL.to_owned(), Unit::Count, vec![point(0), point(30)]);
        w.history = HistoryView { to: 60, step: 30, series: vec![series], ..HistoryView::default() };
    });
    let mut browser = Browser::of(&fake, "admin").await;
    for path in PAGES {
        let answer = browser.get(path).await;
        assert_eq!(answer.status, 200, "{path}");
        let body = answer.body.replace("<script src=\"/assets/", "");
        for word in ["<script", "<img src=x", "\"'>"] {
            assert!(
                !body.contains(word),
                "{path}: {}",
                &body[body.find(word).unwrap().saturating_sub(200)..]
            );
        }
        let told = !path.ends_with("/usage") && !path.ends_with("/logs");
        assert!(!told || body.contains("&lt;script&gt;alert(1)"), "{path}: it is shown as it is");
    }
    // In an address, too: what is not a name is told nowhere but as text.
    for path in
        ["/services/postgres/%3Cscript%3E", "/services/%3Cscript%3E/main", "/services/postgres/..%2F..%2Fetc"]
    {
        let answer = browser.get(path).await;
        assert_eq!(answer.status, 404, "{path}");
        assert!(!answer.body.replace("<script src=\"/assets/", "").contains("<script"), "{}", answer.body);
    }
    fake.change(|w| w.error = Some(ApiError::new(ErrorCode::Unavailable, EVIL, EVIL)));
    let answer = browser.get("/services").await;
    assert_eq!(answer.status, 503);
    assert!(
        answer.body.contains("&lt;script&gt;")
            && !answer.body.replace("<script src=", "").contains("<script")
    );
}

#[tokio::test]
async fn a_page_of_a_thousand_services_is_small_and_what_is_not_well_is_on_the_first() {
    let fake = Fake::with(|w| {
        let ready = |n: usize| if n == 777 { "False" } else { "True" };
        let all = (0..1_000).map(|n| view(&format!("service-{n}"), ready(n), "LoginFailed", ""));
        w.list.items = all.collect();
    });
    let mut browser = Browser::of(&fake, "viewer").await;
    let mut seen = std::collections::BTreeSet::new();
    for page in 0..13 {
        let body = browser.get(&format!("/services?page={page}")).await.body;
        assert!(body.len() < 100_000, "{}", body.len());
        assert_eq!(body.contains("service-777\""), page == 0, "{page}");
        assert!(body.contains(&format!("Page {} of 13", page + 1)) && body.contains("999 Ready"), "{page}");
        let names = body.split("href=\"/services/postgres/").skip(1);
        seen.extend(names.map(|rest| rest.split('"').next().unwrap().to_owned()));
    }
    assert_eq!(seen.len(), 1_000);
    // What is asked for beyond the end is the last one.
    assert!(browser.get("/services?page=99").await.body.contains("Page 13 of 13"));
    assert_eq!(browser.get("/services?page=x").await.status, 400);
}

#[tokio::test]
async fn a_page_of_sixty_services_is_small() {
    let fake = Fake::with(|w| {
        w.list.items = (0..60)
            .map(|n| {
                view(
                    &format!("service-{n}"),
                    if n % 3 == 0 { "False" } else { "True" },
                    "LoginFailed",
                    &"why not ".repeat(200),
                )
            })
            .collect();
        w.events = (1..500).map(|n| event(n, "postgres/service-0")).collect();
        let points = (0..20_160).map(|n| Point {
            at: n * 30,
            mean: f64::from(u16::try_from(n % 997).unwrap()),
            max: 1e3,
        });
        let series = SeriesView::of("memory_bytes".to_owned(), Unit::Bytes, points.collect());
        w.history = HistoryView { to: 604_800, step: 30, series: vec![series; 20], ..HistoryView::default() };
    });
    let mut browser = Browser::of(&fake, "admin").await;
    for path in ["/services", "/services/postgres/service-0", "/services/postgres/service-0/logs"] {
        let answer = browser.get(path).await;
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.body.len() < 100_000, "{path}: {}", answer.body.len());
    }
    let list = browser.get("/services").await.body;
    assert_eq!(list.matches("<a href=\"/services/postgres/service-").count(), 60);
}

#[tokio::test]
async fn a_page_says_how_it_is_in_words_and_what_to_do_where_there_is_nothing() {
    let fake = Fake::default();
    let mut browser = Browser::of(&fake, "viewer").await;
    let empty = browser.get("/services").await.body;
    assert!(empty.contains("No services yet") && empty.contains("apiVersion: seawall.dev/v1"), "{empty}");

    fake.change(|w| {
        let mut main = main_view();
        main.status["walHealth"] = json!({"stale": false, "pg_wal_bytes": 48 << 20, "warnings": [
            {"kind": "wal_bloat", "severity": "critical", "message": "too much", "action": "look"}]});
        let mut link = view("shop-production-main", "True", "Linked", "");
        link.kind = "Link".to_owned();
        link.spec = json!({"service": "postgres/main", "project": "shop", "environment": "production"});
        w.list.items = vec![main, view("broken", "False", "LoginFailed", "no route to host"), link];
        w.top = used();
        w.plan.plans = vec![PlanView { object: "postgres/main".to_owned(), ..PlanView::default() }];
    });
    let list = browser.get("/services").await.body;
    for words in
        [">Ready<", ">Not ready<", "no route to host", "18.6", "48Mi", "/ 2Gi", "5433", "1 Not ready"]
    {
        assert!(list.contains(words), "{words}: {list}");
    }
    let page = browser.get("/services/postgres/main").await.body;
    for words in [
        "from <code>shop.yaml:3</code>",
        "Critical",
        "wal bloat",
        "To do: look",
        "/services/link/shop-production-main",
        "/services/project/shop/environments/production",
        "1 killed",
        "0.25",
        "team=shop",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    let plan = browser.get("/services/postgres/main/plan").await.body;
    assert!(plan.contains("Nothing to do"), "{plan}");
    assert_eq!(browser.get("/services/postgres/nothing").await.status, 404);
    assert_eq!(browser.get("/services/nothing/main").await.status, 404);
}
