//! Many links on one service, counted at its server.

use crate::engine::Engine;
use crate::program::Program;
use crate::{IMAGE, cpu, line, manifest, manifest_of, ms, resident_mb, seconds, setting, until};
use std::collections::BTreeMap;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::time::sleep;

/// Each line of the server's log begins with the time in seconds since 1970. Nobody but us runs anything.
const COUNTED: &str =
    "{autovacuum: 'off', log_connections: 'on', log_disconnections: 'on', log_line_prefix: '%n '}";
/// Each link was proven anew by a login after so many times SEAWALL_BENCH_SECONDS: a proof lasts ten minutes at most.
const LONG: u32 = 11;
/// Roles and databases that are made without Seawall.
const RAW: u32 = 20;

pub fn project(name: &str, apps: &str) -> String {
    manifest_of("Project", name, &format!("{{environments: {{production: {{apps: {{{apps}}}}}}}}}"))
}

pub fn link(project: &str) -> String {
    let spec = format!("{{service: postgres/main, project: {project}, environment: production}}");
    manifest_of("Link", &format!("{project}-main"), &spec)
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

async fn docker(arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new("docker");
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.kill_on_drop(true).spawn().expect("docker");
    let mut stdin = child.stdin.take().expect("a pipe");
    let (written, output) = tokio::join!(
        async {
            let written = stdin.write_all(input.as_bytes()).await;
            drop(stdin);
            written
        },
        child.wait_with_output()
    );
    let output = output.expect("docker");
    assert!(written.is_ok() && output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

/// As the server's own user, over its socket.
async fn psql(container: &str, sql: &str) -> String {
    let psql = ["exec", "-i", "-u", "postgres", container, "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "app"];
    String::from_utf8(docker(&psql, sql).await.stdout).expect("text")
}

/// What a server has seen so far of others than `psql` in its container.
#[derive(Clone, Copy)]
struct Statements {
    /// In the database that sessions of ours are in.
    session: i64,
    /// In those of tenants.
    tenants: i64,
}

async fn statements(container: &str) -> Statements {
    let of =
        |which: &str| format!("COALESCE(sum(xact_commit + xact_rollback) FILTER (WHERE datname {which}), 0)");
    let tenants = of("NOT IN ('postgres', 'app', 'template0', 'template1')");
    let sql = format!("SELECT {}, {tenants} FROM pg_stat_database", of("= 'postgres'"));
    let answer = psql(container, &sql).await;
    let mut figures = answer.trim().split('|').map(|figure| figure.parse().expect("a figure"));
    let mut next = || figures.next().expect("two figures");
    Statements { session: next(), tenants: next() }
}

/// What a server's log says about connections between two moments.
#[derive(Default)]
struct Connections {
    /// Whatever came in over the network.
    all: usize,
    /// Logins of the service's own user.
    own: usize,
    tenants: usize,
    tenants_in_a_second: usize,
    tenants_at_once: usize,
}

impl Connections {
    async fn of(container: &str, from: f64, to: f64) -> Self {
        let output = docker(&["logs", container], "").await;
        let mut counted = Self::default();
        let (mut by_second, mut changes) = (BTreeMap::<i64, usize>::new(), Vec::new());
        for text in [output.stdout, output.stderr] {
            for line in String::from_utf8_lossy(&text).lines() {
                let Some((at, said)) = line.split_once(' ') else { continue };
                let Some(at) = at.parse::<f64>().ok().filter(|at| (from..to).contains(at)) else { continue };
                let tenant = !said.contains("user=postgres ");
                if said.contains("connection received: host=") && !said.contains("host=[local]") {
                    counted.all += 1;
                } else if said.contains("connection authorized:") && tenant {
                    counted.tenants += 1;
                    *by_second.entry(at as i64).or_default() += 1;
                    changes.push((at, 1));
                } else if said.contains("connection authorized:") && !said.contains("application_name=psql") {
                    counted.own += 1;
                } else if said.contains("disconnection:") && tenant {
                    changes.push((at, -1));
                }
            }
        }
        changes.sort_by(|one, other| one.0.total_cmp(&other.0));
        let mut open = 0i64;
        for (_, change) in changes {
            open += change;
            counted.tenants_at_once = counted.tenants_at_once.max(usize::try_from(open).unwrap_or(0));
        }
        counted.tenants_in_a_second = by_second.values().copied().max().unwrap_or(0);
        counted
    }
}

/// What the links of a service cost while nothing changes.
struct Cost {
    time: Duration,
    statements: Statements,
    connections: Connections,
    cpu: Duration,
    resident: f64,
}

impl Cost {
    async fn of(container: &str, operator: u32, time: Duration) -> Self {
        let (before, used, from) = (statements(container).await, cpu(operator), now());
        sleep(time).await;
        let (to, used, after) = (now(), cpu(operator) - used, statements(container).await);
        Self {
            time,
            statements: Statements {
                session: after.session - before.session,
                tenants: after.tenants - before.tenants,
            },
            connections: Connections::of(container, from, to).await,
            cpu: used,
            resident: resident_mb(operator),
        }
    }

    fn a_minute(&self, count: f64) -> f64 {
        count * 60.0 / self.time.as_secs_f64()
    }

    /// In words; what the service itself costs is taken off the surveys.
    fn figures(&self, none: &Cost) -> [(&'static str, String); 7] {
        let minute = |count: usize| self.a_minute(count as f64);
        let seen = &self.connections;
        let session = |cost: &Cost| cost.a_minute(cost.statements.session as f64);
        let share = self.cpu.as_secs_f64() / self.time.as_secs_f64() * 100.0;
        let (all, tenants) = (minute(seen.own + seen.tenants), minute(seen.tenants));
        [
            ("surveys a minute", format!("{:.1}", session(self) - session(none))),
            (
                "statements in their databases a minute",
                format!("{:.1}", self.a_minute(self.statements.tenants as f64)),
            ),
            ("connections a minute, the service's too", format!("{:.1}", minute(seen.all))),
            ("logins a minute, as tenants", format!("{all:.1}, {tenants:.1}")),
            (
                "most logins in a second, at once",
                format!("{}, {}", seen.tenants_in_a_second, seen.tenants_at_once),
            ),
            ("CPU of one core", format!("{share:.2} %")),
            ("resident", format!("{:.1} MB", self.resident)),
        ]
    }
}

impl Engine {
    pub async fn links(&self) {
        let program = Program::new();
        let installation = program.installation.clone();
        self.cleaning(&[&installation], many(program)).await;
    }
}

/// Links on one service, none, one and many, one after the other.
async fn many(mut program: Program) {
    let links = setting("SEAWALL_BENCH_LINKS", 200);
    let time = Duration::from_secs(setting("SEAWALL_BENCH_SECONDS", 60) as u64);
    let container = format!("{}-postgres-main", program.installation);
    program.write("main.yaml", &manifest("main", &format!("{{image: '{IMAGE}', parameters: {COUNTED}}}")));
    program.start();
    program.until_ready("postgres", 1).await;
    let raw = raw_tenants(&container).await;
    sleep(Duration::from_secs(10)).await;
    let none = Cost::of(&container, program.pid(), time).await;
    let names: Vec<String> = (0..links).map(|n| format!("t{n:03}")).collect();
    let write = |program: &Program, name: &String| {
        program.write(&format!("{name}.yaml"), &format!("{}---\n{}", project(name, ""), link(name)));
    };
    let (first, others) = names.split_first().expect("a link");
    write(&program, first);
    program.until_ready("link", 1).await;
    sleep(Duration::from_secs(10)).await;
    let one = Cost::of(&container, program.pid(), time).await;
    let (begun, from) = (Instant::now(), now());
    others.iter().for_each(|name| write(&program, name));
    program.until_ready("link", links).await;
    let took = begun.elapsed();
    let made = Connections::of(&container, from, now()).await;
    sleep(Duration::from_secs(10)).await;
    let all = Cost::of(&container, program.pid(), time).await;
    // All of them are looked at anew, and nothing has changed.
    program.stop();
    let (before, from) = (statements(&container).await, now());
    program.start();
    until("proven anew", Duration::from_secs(1), async || {
        Connections::of(&container, from, now()).await.tenants >= links
    })
    .await;
    let proven = now() - from;
    // Longer than one survey is taken for the present.
    sleep(Duration::from_secs(15)).await;
    let (after, again) = (statements(&container).await, Connections::of(&container, from, now()).await);
    // As long as it takes until each was proven anew.
    let long = Cost::of(&container, program.pid(), time * LONG).await;
    program.stop();

    let head = format!("{links} links");
    let each = took / u32::try_from(others.len().max(1)).unwrap_or(1);
    line("roles and database of one link raw, by one psql", ms(raw), "");
    line(&format!("{head}: manifests of the last {} to all Ready", others.len()), seconds(took), "");
    line(&format!("{head}: the same for each"), ms(each), "");
    let logins = |seen: &Connections| format!("{} ({} as tenants)", seen.own + seen.tenants, seen.tenants);
    let most = |seen: &Connections| {
        format!("most in a second {}, at once {}", seen.tenants_in_a_second, seen.tenants_at_once)
    };
    line(&format!("{head}: logins while they are made"), logins(&made), &most(&made));
    let nothing = none.figures(&none);
    for ((what, figure), ((_, one), (_, none))) in
        all.figures(&none).into_iter().zip(one.figures(&none).into_iter().zip(nothing))
    {
        line(&format!("{head}: {what}"), figure, &format!("1 link: {one}; none: {none}"));
    }
    let head_again = format!("{head}, started again");
    let asked = after.session - before.session;
    line(&format!("{head_again}: each proven by a login after"), format!("{proven:.0} s"), "");
    line(&format!("{head_again}: logins"), logins(&again), &most(&again));
    line(
        &format!("{head_again}: statements beside those logins"),
        asked,
        "the service's own probes are some",
    );
    for (what, figure) in long.figures(&none) {
        line(&format!("{head} for {:?}: {what}", long.time), figure, "");
    }
}

/// What a link has on the server, by its own client, one after the other; and gone again.
async fn raw_tenants(container: &str) -> Duration {
    let (mut make, mut drop) = (String::new(), String::new());
    for n in 0..RAW {
        make += &format!(
            "CREATE ROLE r{n} NOLOGIN; CREATE ROLE r{n}_a LOGIN PASSWORD 'x'; GRANT r{n} TO r{n}_a; \
             ALTER ROLE r{n}_a SET role TO r{n};\nCREATE DATABASE r{n} OWNER r{n};\n\
             REVOKE ALL ON DATABASE r{n} FROM PUBLIC;\n"
        );
        drop += &format!("DROP DATABASE r{n};\nDROP ROLE r{n}_a, r{n};\n");
    }
    let begun = Instant::now();
    psql(container, &make).await;
    let took = begun.elapsed();
    psql(container, &drop).await;
    took / RAW
}
