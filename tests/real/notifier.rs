//! Notifiers that post to a real HTTP server, which takes, fails and hangs: what goes wrong is told once, whatever ends meanwhile.

use super::harness::{Sea, version, wait_for};
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

#[derive(Clone, Copy, PartialEq)]
enum Mood {
    Takes,
    Fails,
    Hangs,
}

/// What it was told by whom it took.
#[derive(Default)]
struct Told {
    mood: Option<Mood>,
    asked: usize,
    bodies: Vec<Value>,
}

/// On a port of its own, until the test ends.
struct Hook {
    port: u16,
    told: Arc<Mutex<Told>>,
}

impl Hook {
    fn new(mood: Mood) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let told = Arc::new(Mutex::new(Told { mood: Some(mood), ..Told::default() }));
        let shared = Arc::clone(&told);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || answer(stream, &shared));
            }
        });
        Self { port, told }
    }

    fn with<T>(&self, look: impl FnOnce(&mut Told) -> T) -> T {
        look(&mut self.told.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn is(&self, mood: Mood) {
        self.with(|told| told.mood = Some(mood));
    }

    /// How often this was told: `firing`, `postgres/a`, `Degraded`.
    fn times(&self, status: &str, object: &str, condition: &str) -> usize {
        self.with(|told| {
            let alerts = told.bodies.iter().flat_map(|body| body["alerts"].as_array().cloned().unwrap());
            alerts
                .filter(|a| a["status"] == status && a["object"] == object && a["condition"] == condition)
                .count()
        })
    }
}

fn statuses(body: &Value) -> Vec<Value> {
    let alerts = body["alerts"].as_array().into_iter().flatten();
    alerts.flat_map(|alert| ["status", "object", "condition"].map(|field| alert[field].clone())).collect()
}

fn answer(mut stream: TcpStream, told: &Mutex<Told>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut line, mut length) = (String::new(), 0);
    while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        line.clear();
    }
    let mut body = vec![0; length];
    if reader.read_exact(&mut body).is_err() {
        return;
    }
    let mood = {
        let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
        told.asked += 1;
        if told.mood == Some(Mood::Takes) {
            let body: Value = serde_json::from_slice(&body).unwrap();
            // A crash right after it was taken, and before that was remembered, sends it once more: by its id it is the same.
            let what = |body: &Value| (body["id"].clone(), statuses(body));
            if !told.bodies.iter().any(|known| what(known) == what(&body)) {
                told.bodies.push(body);
            }
        }
        told.mood
    };
    match mood {
        Some(Mood::Takes) => stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").ok(),
        Some(Mood::Fails) => {
            let words = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 6\r\n\r\nsecret";
            stream.write_all(words.as_bytes()).ok()
        }
        _ => {
            std::thread::sleep(Duration::from_secs(120));
            None
        }
    };
}

#[test]
fn a_webhook_is_told_once_of_what_goes_wrong_and_once_that_it_is_well() {
    let mut sea = Sea::start();
    let hook = Hook::new(Mood::Fails);
    let secrets = sea.data.join("secrets");
    fs::create_dir_all(&secrets).unwrap();
    fs::write(secrets.join("ops"), format!("http://127.0.0.1:{}/T0/hidden\n", hook.port)).unwrap();
    fs::set_permissions(secrets.join("ops"), fs::Permissions::from_mode(0o600)).unwrap();
    let spec = "{webhook: {url: {valueFrom: {file: ops}}}, after: 1s}";
    sea.write(
        "ops.yaml",
        &format!("apiVersion: seawall.dev/v1\nkind: Notifier\nmetadata: {{name: ops}}\nspec: {spec}\n"),
    );
    let good = format!("{{version: '{}'}}", version());
    sea.postgres("a", &good);
    sea.ready("a");
    let words = sea.until_condition("notifier/ops", "Ready", "False", "WebhookFailed");
    assert!(words.contains("answered 503"), "{words}");
    hook.is(Mood::Takes);
    sea.ready("notifier/ops");
    assert_eq!(hook.with(|told| told.bodies[0]["notifier"].clone()), "ops");

    // A manifest that is broken, told while the webhook hangs; others do not wait, and a kill -9 makes it no two.
    hook.is(Mood::Hangs);
    let asked = hook.with(|told| told.asked);
    sea.postgres("a", "{version: '18', databse: x}");
    sea.until_condition("a", "Degraded", "True", "ManifestBroken");
    wait_for("it is being told", || (hook.with(|told| told.asked) > asked).then_some(()));
    sea.postgres("b", &good);
    sea.ready("b");
    hook.is(Mood::Takes);
    wait_for("told", || (hook.times("firing", "postgres/a", "Degraded") == 1).then_some(()));
    sea.kill();
    sea.run();
    sea.postgres("a", &good);
    wait_for("told that it is well", || {
        (hook.times("resolved", "postgres/a", "Degraded") == 1).then_some(())
    });
    assert_eq!(hook.times("firing", "postgres/a", "Degraded"), 1);

    let shown = format!("{}{}", sea.ok(&["get", "notifier", "ops", "-o", "yaml"]), sea.log());
    assert!(!shown.contains("hidden") && shown.contains("127.0.0.1"), "{shown}");
    let table = sea.ok(&["get", "notifiers"]);
    assert!(table.contains(&format!("http://127.0.0.1:{}", hook.port)), "{table}");
}
