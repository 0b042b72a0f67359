//! A fast poller beside a test: is a new login possible, and what does Seawall say meanwhile? Must never judge what
//! it has not seen itself, nor share a session, a probe or a clock with Seawall.

use super::harness::{Sea, condition, text};
use crate::kinds::Ask;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio_postgres::{Config, NoTls};

/// One look.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Since the first look.
    at: Duration,
    /// Whether a new login worked, or why not.
    login: Result<(), String>,
    /// What Seawall said right after it; `None` is "unknown", or no answer.
    ready: Option<bool>,
}

/// For so long may Ready be True while nobody gets in: what the README promises.
const BLIND: Duration = Duration::from_secs(60);
/// For so long may it be False although logins work: one probe.
const PROBE: Duration = Duration::from_secs(15);
/// A login that hangs counts after 5 s, on both sides; the rest is for a machine that has more to do.
const SLACK: Duration = Duration::from_secs(10);
/// What was not looked at for so long may have been anything in between.
const GAP: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(250);
/// Of one login.
const PATIENCE: Duration = Duration::from_secs(5);

/// What Seawall said against what was so, for too long: one fault for each time.
fn judge(samples: &[Sample]) -> Vec<String> {
    let mut faults = Vec::new();
    let (mut failing, mut red) = (None::<Duration>, None::<Duration>);
    let (mut last, mut told) = (None::<Duration>, false);
    for sample in samples {
        let at = sample.at;
        if last.is_some_and(|last| at - last > GAP) {
            (failing, red, told) = (None, None, false);
        }
        last = Some(at);
        let wrong = match &sample.login {
            Err(why) => {
                red = None;
                let since = *failing.get_or_insert(at);
                // However short it is then True.
                (sample.ready == Some(true) && at - since > BLIND + SLACK)
                    .then(|| (since, format!("Ready is True, and new logins have failed ({why})")))
            }
            Ok(()) => {
                failing = None;
                red = if sample.ready == Some(false) { red.or(Some(at)) } else { None };
                red.filter(|since| at - *since > PROBE + SLACK)
                    .map(|since| (since, "Ready is False, and new logins have worked".to_owned()))
            }
        };
        if let Some((since, what)) = wrong.as_ref().filter(|_| !told) {
            faults.push(format!("second {}: {what} for {} s", at.as_secs(), (at - *since).as_secs()));
        }
        told = wrong.is_some();
    }
    faults
}

/// How long nobody got in, at most.
fn longest_outage(samples: &[Sample]) -> Duration {
    let (mut most, mut since) = (Duration::ZERO, None);
    for sample in samples {
        match sample.login {
            Ok(()) => since = None,
            Err(_) => most = most.max(sample.at - *since.get_or_insert(sample.at)),
        }
    }
    most
}

#[derive(Default)]
struct Seen {
    samples: Vec<Sample>,
    /// `TYPE=STATUS REASON` of all conditions that were seen.
    said: BTreeSet<String>,
}

/// Looks until it ends. What it has against Seawall fails the test when this is dropped.
pub struct Watch {
    object: String,
    seen: Arc<Mutex<Seen>>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// What a watch saw.
pub struct Report {
    pub faults: Vec<String>,
    pub said: BTreeSet<String>,
    pub longest_outage: Duration,
}

impl Sea {
    /// Watches an object that has its port and password, until the answer is dropped.
    pub fn watch(&self, name: &str) -> Watch {
        let object = format!("postgres/{name}");
        let url = self.ok(&["connection", &object, "--reveal", "-o", "url"]);
        Watch::start(object, url.trim(), self.data.join(format!("status/postgres/{name}.yaml")))
    }

    /// The same by the own client of the object's kind; a process for each look.
    pub fn watch_by_client(&self, object: &str) -> Watch {
        let client = self.client(&self.login(object), object, Ask::Login);
        let status = self.data.join(format!("status/{object}.yaml"));
        Watch::begin(object.to_owned(), Way::Client(Box::new(client)), status)
    }
}

/// How to log in.
enum Way {
    Sql(Box<Config>),
    Client(Box<Command>),
}

impl Way {
    async fn login(&mut self) -> Result<(), String> {
        match self {
            Self::Sql(config) => match config.connect(NoTls).await {
                // Whoever is in leaves at once: a slot that is held would change what is measured.
                Ok(_) => Ok(()),
                Err(error) => Err(error.as_db_error().map_or(error.to_string(), |e| e.message().to_owned())),
            },
            // It has a time limit of its own, and this thread nothing else to do.
            Self::Client(client) => {
                let output = client.output().unwrap();
                if output.status.success() { Ok(()) } else { Err(text(&output)) }
            }
        }
    }
}

impl Watch {
    pub fn start(object: String, url: &str, status: PathBuf) -> Self {
        let mut config = Config::from_str(url).unwrap();
        config.connect_timeout(PATIENCE);
        Self::begin(object, Way::Sql(Box::new(config)), status)
    }

    fn begin(object: String, mut way: Way, status: PathBuf) -> Self {
        let (seen, over) = (Arc::<Mutex<Seen>>::default(), Arc::<AtomicBool>::default());
        let thread = std::thread::spawn({
            let (seen, over) = (Arc::clone(&seen), Arc::clone(&over));
            move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(look(&mut way, &status, &seen, &over));
            }
        });
        Self { object, seen, over, thread: Some(thread) }
    }

    /// Ends it without a failure, for those who judge more than one at once.
    pub fn end(mut self) -> Report {
        self.report()
    }

    fn report(&mut self) -> Report {
        self.over.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
        let seen = self.seen.lock().unwrap();
        let mut faults = judge(&seen.samples);
        if seen.samples.is_empty() {
            faults.push("nothing was looked at".to_owned());
        }
        Report { faults, said: seen.said.clone(), longest_outage: longest_outage(&seen.samples) }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if self.thread.is_some() {
            let faults = self.report().faults;
            if std::thread::panicking() {
                // Two failures at once would end the process; this one may explain the other.
                eprintln!("{}: {faults:#?}", self.object);
            } else {
                assert!(faults.is_empty(), "{}: {faults:#?}", self.object);
            }
        }
    }
}

async fn look(way: &mut Way, status: &PathBuf, seen: &Mutex<Seen>, over: &AtomicBool) {
    let start = Instant::now();
    while !over.load(Ordering::Relaxed) {
        let login = tokio::time::timeout(PATIENCE, way.login()).await;
        let login = login.unwrap_or_else(|_| Err(format!("no answer within {} s", PATIENCE.as_secs())));
        // The file is what `get` says, without a process for each look.
        let text = std::fs::read_to_string(status).unwrap_or_default();
        let said: Value = serde_yaml::from_str(&text).unwrap_or_default();
        let ready = match condition(&said, "Ready").0.as_str() {
            "True" => Some(true),
            "False" => Some(false),
            _ => None,
        };
        let all = said["conditions"].as_array().cloned().unwrap_or_default();
        let word = |c: &Value, key: &str| c[key].as_str().unwrap_or_default().to_owned();
        {
            let mut seen = seen.lock().unwrap();
            seen.samples.push(Sample { at: start.elapsed(), login, ready });
            for c in &all {
                seen.said.insert(format!("{}={} {}", word(c, "type"), word(c, "status"), word(c, "reason")));
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// One sample a second: `+` a login that works, `-` one that does not, with what Seawall says: `T`, `F`, `U`.
fn samples(runs: &[(&str, u64)]) -> Vec<Sample> {
    let mut at = 0;
    let mut list = Vec::new();
    for (what, seconds) in runs {
        for _ in 0..*seconds {
            at += 1;
            if *what == "gap" {
                continue;
            }
            let login = if what.starts_with('+') { Ok(()) } else { Err("closed".to_owned()) };
            let ready = match &what[1..] {
                "T" => Some(true),
                "F" => Some(false),
                _ => None,
            };
            list.push(Sample { at: Duration::from_secs(at), login, ready });
        }
    }
    list
}

#[test]
fn what_is_said_is_held_against_what_is_so() {
    for (runs, faults) in [
        (&[("+T", 500)][..], 0),
        (&[("-F", 500)], 0),
        (&[("+T", 5), ("-T", 70), ("-F", 100), ("+F", 25), ("+T", 9)], 0),
        // Green for too long, also when it was red in between, and once for each time.
        (&[("+T", 5), ("-T", 72)], 1),
        (&[("+T", 5), ("-F", 75), ("-T", 1)], 1),
        (&[("+T", 5), ("-T", 90), ("+T", 1), ("-T", 90), ("+T", 1)], 2),
        // A login that works in between makes good.
        (&[("-T", 50), ("+T", 1), ("-T", 50)], 0),
        // Red for too long.
        (&[("-F", 5), ("+F", 27), ("+T", 5)], 1),
        (&[("+T", 40), ("+F", 25), ("+T", 40)], 0),
        (&[("+F", 20), ("-F", 1), ("+F", 20)], 0),
        // What is unknown is neither.
        (&[("-U", 500), ("+U", 500)], 0),
        (&[("-T", 30), ("-U", 50), ("-F", 5)], 0),
        // What was not looked at proves nothing.
        (&[("-T", 50), ("gap", 60), ("-T", 50)], 0),
        (&[("+F", 20), ("gap", 60), ("+F", 20)], 0),
        (&[("-T", 50), ("gap", 5), ("-T", 50)], 1),
        (&[], 0),
    ] {
        let said = judge(&samples(runs));
        assert_eq!(said.len(), faults, "{runs:?}: {said:?}");
    }
}
