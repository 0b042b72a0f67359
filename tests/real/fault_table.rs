//! Bad parameters and bad images on real servers, each through validate → trial → reload → forced restart →
//! correction, with a poller beside it: `make test-faults`. Must never pass a row because an earlier one left the
//! server in the state that it expects: each begins and ends with a good manifest in force.

mod images;
mod parameters;

use super::harness::{Sea, condition, is_degraded, postgres, text, wait_for};
use super::watch::Report;
use serde_json::Value;
use std::cell::Cell;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// Starts of all containers of one installation, as the engine tells them.
struct Starts {
    names: Arc<Mutex<Vec<String>>>,
    events: Child,
}

impl Starts {
    fn of(installation: &str) -> Self {
        let mut events = Command::new("docker")
            .args(["events", "--filter", "type=container", "--filter", "event=start", "--filter"])
            .arg(format!("label=seawall.dev/installation={installation}"))
            .args(["--format", "{{.Actor.Attributes.name}}"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let names = Arc::<Mutex<Vec<String>>>::default();
        let lines = BufReader::new(events.stdout.take().unwrap()).lines();
        std::thread::spawn({
            let names = Arc::clone(&names);
            move || lines.map_while(Result::ok).for_each(|name| names.lock().unwrap().push(name))
        });
        Self { names, events }
    }

    fn count(&self, container: &str) -> usize {
        self.names.lock().unwrap().iter().filter(|name| *name == container).count()
    }
}

impl Drop for Starts {
    fn drop(&mut self) {
        let _ = self.events.kill();
        let _ = self.events.wait();
    }
}

/// One long-lived server that rows are driven through, one after another.
struct Server<'a> {
    sea: &'a Sea,
    starts: &'a Starts,
    name: String,
    /// `version: '18'`.
    version: String,
    /// Counts manifests: each asks for another `work_mem`, so that it shows which one is in force.
    step: Cell<u32>,
    in_force: Cell<u32>,
}

/// For one way back: the start that fails, the one that works, the user's own, and those in between that the engine
/// adds at ever longer intervals before a loaded machine has seen the second.
const MOST_STARTS: usize = 10;
const UNTRIED: &str = "seawall.dev/skip-trial: 'true'";
const GENTLE: &str = "-c statement_timeout=0 -c idle_session_timeout=0 -c search_path=public \
    -c default_transaction_read_only=off -c lock_timeout=0";

impl<'a> Server<'a> {
    fn new(sea: &'a Sea, starts: &'a Starts, name: &str, major: u32) -> Self {
        let version = format!("version: '{major}'");
        let server =
            Self { sea, starts, name: name.to_owned(), version, step: Cell::new(1), in_force: Cell::new(1) };
        sea.write(&format!("{name}.yaml"), &server.manifest("", "", ""));
        sea.ready(name);
        server.sql("CREATE TABLE public.kept AS SELECT 42 AS answer");
        server
    }

    fn manifest(&self, image: &str, annotations: &str, parameters: &str) -> String {
        let kilobytes = 4096 + self.step.get();
        let image = if image.is_empty() { &self.version } else { image };
        let spec = format!(
            "{{{image}, resources: {{memory: 512Mi}}, parameters: {{{parameters}work_mem: {kilobytes}kB}}}}"
        );
        let text = postgres(&self.name, &spec);
        let named = format!("name: {}", self.name);
        text.replacen(&named, &format!("{named}, annotations: {{{annotations}}}"), 1)
    }

    fn object(&self) -> String {
        format!("postgres/{}", self.name)
    }

    fn starts(&self) -> usize {
        self.starts.count(&self.sea.container(&self.name))
    }

    /// Brings a new manifest, and waits until it was read, or found to be broken.
    fn apply(&self, image: &str, annotations: &str, parameters: &str) {
        let before = self.sea.object(&self.name)["metadata"]["generation"].clone();
        self.step.set(self.step.get() + 1);
        self.sea.write(&format!("{}.yaml", self.name), &self.manifest(image, annotations, parameters));
        wait_for("the new manifest", || {
            let now = self.sea.object(&self.name);
            let broken = condition(&now["status"], "Degraded").1 == "ManifestBroken";
            (broken || now["metadata"]["generation"] != before).then_some(())
        });
    }

    /// Waits until nothing more is done by itself.
    fn settled(&self) -> Value {
        self.sea.until(&self.name, "settled", |status| {
            let (truth, reason, _) = condition(status, "Progressing");
            truth == "False" && !["CrashLoop", "OutOfMemory"].contains(&reason.as_str())
        })
    }

    /// `seawall restart`, once for each call, and what comes of it.
    fn restart(&self) -> Value {
        self.restart_once();
        self.settled()
    }

    fn restart_once(&self) {
        let before = self.starts();
        self.sea.ok(&["restart", &self.object()]);
        wait_for("the restart", || (self.starts() > before).then_some(()));
    }

    fn has_its_data(&self, stage: &str) {
        assert_eq!(self.sql("SELECT answer FROM public.kept"), "42", "{stage}: the data");
    }

    fn sql(&self, sql: &str) -> String {
        let url = self.sea.ok(&["connection", &self.object(), "--reveal", "-o", "url"]);
        let output = Command::new("psql")
            .args([url.trim(), "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", sql])
            .env("PGOPTIONS", GENTLE)
            .output()
            .unwrap();
        assert!(output.status.success(), "{sql}: {}", text(&output));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// The manifest of this step runs, or the last one that ran does.
    fn serves(&self, stage: &str, step: u32) {
        let said = self.sql("SELECT current_setting('work_mem') || ' ' || answer FROM public.kept");
        assert_eq!(said, format!("{}kB 42", 4096 + step), "{stage}: what is in force, and the data");
    }

    fn is_ready(&self, stage: &str, status: &Value) {
        let (truth, reason, words) = condition(status, "Ready");
        assert_eq!(truth, "True", "{stage}: Ready: {reason}: {words}; {}", degraded(status));
    }

    /// What `seawall validate` says of the manifest.
    fn validate(&self, image: &str, parameters: &str) -> (bool, String) {
        let dir = self.sea.root().join(format!("check-{}", self.name));
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("catalog.yaml"), super::harness::catalog()).unwrap();
        fs::write(dir.join("bad.yaml"), self.manifest(image, "", parameters)).unwrap();
        let output = self.sea.cli(&["validate", dir.to_str().unwrap()]);
        (output.status.success(), text(&output))
    }

    /// The good manifest again: everything is as it should be.
    fn correct(&self) {
        self.apply("", "", "");
        self.sea.until(&self.name, "Ready without a complaint after the correction", |status| {
            condition(status, "Ready").0 == "True"
                && condition(status, "Progressing").0 == "False"
                && !is_degraded(status)
        });
        self.in_force.set(self.step.get());
        self.serves("correction", self.step.get());
    }

    /// Drives one row with the poller beside it; all that is wrong with it.
    fn row(&self, drive: impl FnOnce(), allowed: impl Fn(&str) -> bool) -> (Vec<String>, Report) {
        let password = self.sea.status(&self.name)["credentials"]["generation"].clone();
        let watch = self.sea.watch(&self.name);
        let mut wrong = Vec::new();
        if let Err(panic) = catch_unwind(AssertUnwindSafe(drive)) {
            let words = panic.downcast_ref::<String>().cloned();
            wrong.push(words.or(panic.downcast_ref::<&str>().map(|w| (*w).to_owned())).unwrap_or_default());
            // The next row begins with a good server all the same.
            if catch_unwind(AssertUnwindSafe(|| self.correct())).is_err() {
                wrong.push("and no correction arrives".to_owned());
            }
        }
        if self.sea.status(&self.name)["credentials"]["generation"] != password {
            wrong.push("the password was made anew".to_owned());
        }
        let report = watch.end();
        wrong.extend(report.faults.iter().cloned());
        let blamed: Vec<&String> = report.said.iter().filter(|said| !allowed(said)).collect();
        if !blamed.is_empty() {
            wrong.push(format!("blamed on something else: {blamed:?}"));
        }
        (wrong, report)
    }
}

fn degraded(status: &Value) -> String {
    let (truth, reason, words) = condition(status, "Degraded");
    format!("Degraded={truth} {reason}: {words}")
}

/// Drives rows through servers, as many at once as there are servers; each result is printed as it comes.
fn drive<R: Sync>(
    major: u32,
    servers: usize,
    rows: &[R],
    name: impl Fn(&R) -> String + Sync,
    row: impl Fn(&Server<'_>, &R) -> (Vec<String>, Report) + Sync,
) {
    let only = std::env::var("SEAWALL_TEST_ROWS").unwrap_or_default();
    let rows: Vec<&R> = rows.iter().filter(|row| name(row).contains(&only)).collect();
    if rows.is_empty() && !only.is_empty() {
        return println!("{major}: no row of this table has {only:?} in its name");
    }
    let sea = Sea::start();
    let starts = Starts::of(&sea.installation);
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for n in 0..servers {
            let (sea, starts, next, failed, rows, name, row) =
                (&sea, &starts, &next, &failed, &rows, &name, &row);
            scope.spawn(move || {
                let server = Server::new(sea, starts, &format!("s{n}"), major);
                while let Some(one) = rows.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let begun = std::time::Instant::now();
                    let (wrong, report) = row(&server, one);
                    let verdict = if wrong.is_empty() { "as told" } else { "WRONG" };
                    let (took, out) = (begun.elapsed().as_secs(), report.longest_outage);
                    println!("{major} {verdict}: {} ({took} s, away {:.1} s)", name(one), out.as_secs_f32());
                    if !wrong.is_empty() {
                        println!("{wrong:#?}");
                        failed.lock().unwrap().push(format!("{}: {wrong:#?}", name(one)));
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    let left: Vec<String> =
        sea.containers().into_iter().filter(|name| !name.contains("-postgres-s")).collect();
    assert!(left.is_empty(), "left behind: {left:?}");
    assert!(failed.is_empty(), "{} of {} rows on {major}:\n{}", failed.len(), rows.len(), failed.join("\n"));
}
