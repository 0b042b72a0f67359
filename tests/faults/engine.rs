//! An engine that hangs, is slow, or tells a part: of what it does not tell nothing is said, and what it does tell stays true.

use super::table::{Said, said};
use crate::harness::{Sea, wait_for};
use crate::proxy::before::{Proxy, Rule};
use crate::proxy::{Opened, engine};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// What it is called, how long which requests wait, and why nothing is known then.
type Way = (&'static str, Duration, Which, Option<&'static str>);
type Which = fn(&str) -> bool;

/// Requests that `which` is true of wait so long, or until it is over.
fn held(over: &Arc<AtomicBool>, long: Duration, which: Which) -> Rule {
    let over = Arc::clone(over);
    Box::new(move |request| {
        let begun = Instant::now();
        while which(request) && begun.elapsed() < long && !over.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(20));
        }
        None
    })
}

/// `GET /v1.41/containers/ID/json`
fn is_inspect(request: &str) -> bool {
    request.contains("/containers/") && request.ends_with("/json") && !request.ends_with("/containers/json")
}

#[test]
fn an_engine_that_hangs_is_slow_or_tells_a_part_is_said_and_nothing_else() {
    let mut sea = Sea::new();
    let proxy = Proxy::start(&sea.root().join("proxy.sock"), Some(Path::new(&engine())), Box::new(|_| None));
    sea.docker_host = Some(proxy.address());
    let _opened = Opened(proxy.clone());
    sea.put("a", "{version: '18', parameters: {shared_buffers: 16MB}}");
    sea.run();
    sea.ready("a");
    let before = wait_for("all is known", || {
        let now = said(&sea, "a");
        now.values().all(|(status, _)| status != "Unknown").then_some(now)
    });
    let (hour, second) = (Duration::from_secs(3600), Duration::from_secs(1));
    let ways: [Way; 3] = [
        ("slow", second, |_| true, None),
        ("lists and no inspects", hour, is_inspect, Some("EngineTimeout")),
        ("hangs", hour, |_| true, Some("EngineUnavailable")),
    ];
    for (name, long, which, reason) in ways {
        let over = Arc::<AtomicBool>::default();
        proxy.rules(held(&over, long, which));
        // So that somebody asks it for something.
        sea.ok(&["restart", "postgres/a"]);
        match reason {
            Some(reason) => {
                let only = Said::from([("Ready".to_owned(), ("Unknown".to_owned(), reason.to_owned()))]);
                wait_for(name, || (said(&sea, "a") == only).then_some(()));
            }
            None => {
                let begun = Instant::now();
                while begun.elapsed() < Duration::from_secs(40) {
                    let now = said(&sea, "a");
                    assert_ne!(now["Ready"].0, "Unknown", "{name}: it answers: {now:?}");
                    assert!(!now.contains_key("Degraded"), "{name}: {now:?}");
                    std::thread::sleep(Duration::from_millis(200));
                }
                wait_for(name, || (said(&sea, "a") == before).then_some(()));
            }
        }
        over.store(true, Ordering::Relaxed);
        proxy.rules(Box::new(|_| None));
        wait_for(&format!("{name}: as before"), || (said(&sea, "a") == before).then_some(()));
    }
}
