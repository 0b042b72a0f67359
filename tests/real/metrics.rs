//! What monitoring sees of a running operator, asked over TCP; and every query of the dashboard, put to a real Prometheus.

use crate::harness::{PATIENCE, Sea, text, wait_for};
use crate::kinds::Kind;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Each from another part of what is looked at, the last one every five minutes.
const FIGURES: [&str; 4] = [
    "seawall_redis_maxmemory_policy{kind=\"redis\",name=\"cache\",policy=\"",
    "seawall_postgres_replication_slot_retained_bytes{kind=\"postgres\",name=\"main\",slot=\"copy\"} ",
    "seawall_postgres_replication_slot_wal_status{kind=\"postgres\",name=\"main\",slot=\"copy\",wal_status=\"reserved\"} 1",
    "seawall_postgres_collation_mismatches{kind=\"postgres\",name=\"main\"} 0",
];

const MAIN: &str = "{version: '18', resources: {memory: 512Mi, cpus: '1.5'}}";

/// An operator with a Postgres that is Ready, and the address of its figures.
fn served() -> (Sea, String) {
    let mut sea = Sea::new();
    sea.run_with(&[("SEAWALL_METRICS_ADDR", "127.0.0.1:0")]);
    sea.postgres("main", MAIN);
    sea.ready("main");
    let version = sea.ok(&["version"]);
    let url = version
        .lines()
        .find_map(|line| line.strip_prefix("metrics   http://"))
        .unwrap_or_else(|| panic!("{version}"));
    let address = url.strip_suffix("/metrics").unwrap().to_owned();
    (sea, address)
}

/// The answer's first line and its body.
fn get(address: &str, path: &str) -> std::io::Result<(String, String)> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    Ok((head.lines().next().unwrap_or_default().to_owned(), body.to_owned()))
}

fn value(body: &str, series: &str) -> Option<f64> {
    let line =
        body.lines().find(|line| line.strip_prefix(series).is_some_and(|rest| rest.starts_with(' ')))?;
    line.rsplit_once(' ')?.1.parse().ok()
}

#[test]
fn a_running_operator_tells_what_prometheus_understands() {
    let (sea, address) = served();
    let (status, body) = get(&address, "/metrics").unwrap();
    assert!(status.contains(" 200 "), "{status}");
    for (series, wanted) in [
        ("seawall_object_ready{kind=\"postgres\",name=\"main\"}", 1.0),
        ("seawall_container_memory_limit_bytes{kind=\"postgres\",name=\"main\"}", 536_870_912.0),
        ("seawall_container_cpu_limit_cores{kind=\"postgres\",name=\"main\"}", 1.5),
        ("seawall_engine_up", 1.0),
        ("seawall_docker_calls_total{call=\"create a container\",outcome=\"Ok\"}", 1.0),
    ] {
        assert!(value(&body, series).is_some_and(|value| value >= wanted), "{series}: {body}");
    }
    assert!(value(&body, "seawall_store_size_bytes").unwrap() > 0.0);
    assert!(!body.contains(&sea.password("main")));
    let mut lint = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool, of Debian's prometheus: deploy/test-tools.sh installs it");
    lint.stdin.take().unwrap().write_all(body.as_bytes()).unwrap();
    let said = lint.wait_with_output().unwrap();
    assert!(said.status.success(), "{}", text(&said));
    let (status, ready) = get(&address, "/readyz").unwrap();
    assert!(status.contains(" 200 "), "{ready}");
    assert!(sea.ok(&["doctor"]).contains(&format!("served at http://{address}/metrics")));
}

#[test]
fn an_address_that_another_operator_has_is_said_and_stops_nothing() {
    let (_first, address) = served();
    let mut second = Sea::new();
    second.run_with(&[("SEAWALL_METRICS_ADDR", &address)]);
    second.postgres("main", MAIN);
    second.ready("main");
    assert!(second.log().contains("figures are not served"), "{}", second.log());
    let doctor = second.cli(&["doctor"]);
    assert_eq!(doctor.status.code(), Some(1));
    assert!(text(&doctor).contains("the operator does not serve its figures"), "{}", text(&doctor));
}

struct Prometheus {
    child: Child,
    address: String,
    log: PathBuf,
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Prometheus {
    /// With our rules, scraping this operator each second.
    fn start(root: &Path, operator: &str) -> Self {
        let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/prometheus/seawall.rules.yml");
        let ours = fs::read_to_string(rules.with_file_name("prometheus.yml")).unwrap();
        let config = ours
            .replace("seawall.rules.yml", rules.to_str().unwrap())
            .replace("127.0.0.1:9188", operator)
            .replace("15s", "1s");
        let file = root.join("prometheus.yml");
        fs::write(&file, config).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let (address, log) = (format!("127.0.0.1:{port}"), root.join("prometheus.log"));
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", root.join("tsdb").display()))
            .arg(format!("--web.listen-address={address}"))
            .stdout(Stdio::null())
            .stderr(fs::File::create(&log).unwrap())
            .spawn()
            .expect("prometheus: deploy/test-tools.sh installs it");
        Self { child, address, log }
    }

    /// The data of an answer; `Null` when there is none.
    fn ask(&self, path: &str) -> Value {
        let body = get(&self.address, path).map(|(_, body)| body).unwrap_or_default();
        let answer: Value = serde_json::from_str(&body).unwrap_or_default();
        if answer["status"] == "success" { answer["data"].clone() } else { answer }
    }

    fn query(&self, query: &str) -> Value {
        let coded: String = query.bytes().map(|b| format!("%{b:02x}")).collect();
        self.ask(&format!("/api/v1/query?query={coded}"))
    }

    fn until(&self, what: &str, done: impl Fn() -> bool) {
        let start = Instant::now();
        while !done() {
            let log = fs::read_to_string(&self.log).unwrap_or_default();
            assert!(start.elapsed() < *PATIENCE, "never {what}: {log}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

fn found(answer: &Value) -> usize {
    answer["result"].as_array().map_or(0, Vec::len)
}

#[test]
fn every_query_of_the_dashboard_is_answered_and_no_alert_cries_wolf() {
    let (sea, address) = served();
    sea.write("redis-catalog.yaml", &crate::kinds::redis::KIND.catalog("redis"));
    sea.put("redis/cache", "{version: '8'}");
    sea.ready("redis/cache");
    sea.sql("main", "SELECT pg_create_physical_replication_slot('copy', true)");
    wait_for("all figures of a server", || {
        let told = get(&address, "/metrics").ok()?.1;
        FIGURES.iter().all(|figure| told.contains(figure)).then_some(())
    });
    let prometheus = Prometheus::start(sea.root(), &address);
    // Two scrapes for a rate, and one evaluation of the rules after them.
    prometheus.until("scraped", || found(&prometheus.query("seawall:passes:rate5m")) > 0);
    prometheus
        .until("probed", || found(&prometheus.query("rate(seawall_probe_duration_seconds_count[5m])")) > 0);
    let told = get(&address, "/metrics").unwrap().1;
    let names = |query: &str| -> BTreeSet<String> {
        let words = query.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        words.filter(|word| word.starts_with("seawall_")).map(ToOwned::to_owned).collect()
    };
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/grafana/seawall.json");
    let dashboard: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    let mut wrong = Vec::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            let query = target["expr"].as_str().unwrap().replace("$kind", ".*").replace("$name", ".*");
            let answer = prometheus.query(&query);
            // What is told now is found; what has no series now (warnings, say) is not.
            let is_told = |name: &String| told.lines().any(|line| line.starts_with(name.as_str()));
            let picks = ["==", "!=", "!~", "> 0", "=\"True\""].iter().any(|sign| query.contains(sign));
            let expected = names(&query).iter().all(is_told) && !picks;
            if !answer["result"].is_array() || (expected && found(&answer) == 0) {
                wrong.push(format!("{query}: {answer}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let alerts = prometheus.ask("/api/v1/alerts");
    // What the machine's own disk has is no matter of the row.
    let of_disk = |alert: &Value| alert["labels"]["alertname"].as_str().unwrap().starts_with("SeawallDisk");
    let crying: Vec<&Value> = alerts["alerts"].as_array().unwrap().iter().filter(|a| !of_disk(a)).collect();
    assert!(crying.is_empty(), "of a database that is well: {crying:#?}");
}
