//! Applications on the real engine, with real client libraries, a real PostgreSQL and a real Redis.

use crate::engine::OwnEngine;
use crate::harness::{Sea, condition, text, wait_for};
use crate::kinds::Kind;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

const WEB: &str = "app/shop-production-web";

/// A project with these applications, a PostgreSQL, and a link between them.
fn shop(sea: &Sea, apps: &str) {
    sea.write("shop.yaml", &project(apps));
    let link = "apiVersion: seawall.dev/v1\nkind: Link\nmetadata: {name: shop-main}\nspec: {service: postgres/main, project: shop, environment: production}\n";
    sea.write("shop-main.yaml", link);
}

pub fn project(apps: &str) -> String {
    format!(
        "apiVersion: seawall.dev/v1\nkind: Project\nmetadata: {{name: shop}}\nspec: {{environments: {{production: {{apps: {{{apps}}}}}}}}}\n"
    )
}

fn visits(greeting: &str, more: &str) -> String {
    format!(
        "web: {{image: 'seawall/visits:test', env: {{GREETING: {greeting}}}, healthCheck: {{http: {{port: 8000, path: /healthz}}, graceSeconds: 40}}{more}}}"
    )
}

fn container(sea: &Sea, app: &str, role: &str) -> String {
    format!("{}-app-shop-production-{app}.{role}", sea.installation)
}

fn inspect(name: &str, format: &str) -> String {
    let output = Command::new("docker").args(["inspect", "--format", format, name]).output().unwrap();
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn address(name: &str) -> String {
    inspect(name, "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}")
}

fn get(host: &str, port: u16) -> String {
    let mut answer = String::new();
    if let Ok(mut stream) = TcpStream::connect((host, port)) {
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let _ = stream.write_all(b"GET / HTTP/1.0\r\n\r\n");
        let _ = stream.read_to_string(&mut answer);
    }
    answer
}

/// Until one is healthy in this container, and nothing is left to do.
fn serves(sea: &Sea, app: &str, role: &str) -> String {
    let object = format!("app/shop-production-{app}");
    let name = container(sea, app, role);
    sea.until(&object, &format!("served by {name}"), |status| {
        let settled = condition(status, "Progressing").1 == "Settled";
        let ready = condition(status, "Ready").1 == "Healthy";
        status["container"]["name"] == name.as_str() && settled && ready
    });
    name
}

/// As the documentation of the libraries has it, and nothing else known of the database.
#[test]
fn the_usual_snippets_find_their_database_and_cache() {
    const NODE: &str = "import { Pool } from 'pg';
const pool = new Pool({ connectionString: process.env.POSTGRES_URL });
const userId = 7;
await pool.query('CREATE TABLE users AS SELECT 7 AS id');
const result = await pool.query('SELECT * FROM users WHERE id = $1', [userId]);
console.log('node found', result.rows[0].id);
setInterval(() => {}, 1000);";
    const PYTHON: &str = "import os, time
import psycopg2
conn = psycopg2.connect(os.environ['POSTGRES_URL'])
cursor = conn.cursor()
user_id = 7
while True:
    try:
        cursor.execute('SELECT * FROM users WHERE id = %s', (user_id,))
        break
    except psycopg2.errors.UndefinedTable:
        conn.rollback()
        time.sleep(0.2)
print('python found', cursor.fetchone()[0], flush=True)
time.sleep(3600)";
    const REDIS: &str = "import { createClient } from 'redis';
const client = createClient({ url: process.env.REDIS_URL });
await client.connect();
await client.set(process.env.REDIS_PREFIX + 'n', '41');
console.log('redis counts', await client.incr(process.env.REDIS_PREFIX + 'n'));
setInterval(() => {}, 1000);";
    let sea = Sea::start();
    sea.main();
    sea.write("redis-catalog.yaml", &crate::kinds::redis::KIND.catalog("redis"));
    sea.put("redis/cache", "{version: '8'}");
    let app = |name: &str, program: &str, script: &str| {
        let command = serde_json::to_string(&[program.split(' ').collect::<Vec<_>>(), vec![script]].concat());
        format!("{name}: {{image: 'seawall/clients:test', command: {}}}", command.unwrap())
    };
    let node = "node --input-type=module -e";
    let all = [app("node", node, NODE), app("python", "python3 -c", PYTHON), app("redis", node, REDIS)];
    shop(&sea, &all.join(", "));
    let link = "apiVersion: seawall.dev/v1\nkind: Link\nmetadata: {name: shop-cache}\nspec: {service: redis/cache, project: shop, environment: production}\n";
    sea.write("shop-cache.yaml", link);
    sea.until_condition("project/shop", "Ready", "True", "AppsReady");
    for (app, said) in [("node", "node found 7"), ("python", "python found 7"), ("redis", "redis counts 42")]
    {
        wait_for(said, || {
            let log = text(&sea.cli(&["logs", &format!("app/shop-production-{app}")]));
            log.contains(said).then_some(())
        });
    }
}

#[test]
fn a_page_keeps_counting_through_new_versions_bad_ones_and_a_rotation() {
    let sea = Sea::start();
    sea.main();
    shop(&sea, &visits("one", ""));
    let a = serves(&sea, "web", "a");
    let page = get(&address(&a), 8000);
    assert!(page.contains("<h1>one</h1>") && page.contains("Visit number 1."), "{page}");
    // Another version: the old one goes on until the new one is healthy.
    sea.write("shop.yaml", &project(&visits("two", "")));
    let b = serves(&sea, "web", "b");
    assert!(inspect(&a, "{{.Id}}").is_empty());
    assert!(get(&address(&b), 8000).contains("<h1>two</h1><p>Visit number 2."));
    let events = sea.ok(&["events", WEB]);
    let at = |what: &str| events.find(what).unwrap_or_else(|| panic!("{what}: {events}"));
    assert!(at("RolledOut") < at("ContainerStopped"), "{events}");
    // One that ends, and one that never answers.
    let id = inspect(&b, "{{.Id}}");
    for (bad, why) in [
        (
            "web: {image: 'seawall/visits:test', command: ['sh', '-c', 'echo no licence; exit 4'], healthCheck: {http: {port: 8000}}}",
            "no licence",
        ),
        (
            "web: {image: 'seawall/visits:test', command: ['sleep', '600'], healthCheck: {http: {port: 8000}, graceSeconds: 3}}",
            "not healthy within 3 s",
        ),
        (
            "web: {image: 'seawall/visits:test', command: ['/no/such/program'], healthCheck: {http: {port: 8000}}}",
            "exited with code 127",
        ),
    ] {
        sea.write("shop.yaml", &project(bad));
        let said = wait_for(why, || {
            let status = &sea.object(WEB)["status"];
            let (truth, reason, words) = condition(status, "Degraded");
            (truth == "True" && reason == "RolloutFailed" && words.contains(why)).then_some(words)
        });
        assert!(said.contains("What ran before goes on"), "{said}");
        assert_eq!(inspect(&b, "{{.Id}}"), id);
        let ready = condition(&sea.object(WEB)["status"], "Ready");
        assert_eq!(ready.0, "True", "{ready:?}");
    }
    sea.write("shop.yaml", &project(&visits("two", "")));
    serves(&sea, "web", "b");
    assert_eq!(inspect(&b, "{{.Id}}"), id, "it is what runs");
    // Another password, and nobody of the application is locked out.
    let old = sea.ok(&["env", "shop/production", "--reveal", "-o", "docker"]);
    sea.ok(&["rotate", "link/shop-main"]);
    let a = serves(&sea, "web", "a");
    let new = sea.ok(&["env", "shop/production", "--reveal", "-o", "docker"]);
    let password = |all: &str| {
        let line = all.lines().find_map(|line| line.strip_prefix("POSTGRES_PASSWORD=")).unwrap();
        line.to_owned()
    };
    assert_ne!(password(&old), password(&new));
    assert!(get(&address(&a), 8000).contains("Visit number 3."));
    let made = inspect(&a, "{{.Config.Env}}{{.Config.Labels}}");
    assert!(made.contains(&password(&new)));
    assert!(!inspect(&a, "{{.Config.Labels}}").contains(&password(&new)));
    for told in [&["get", WEB, "-o", "yaml"][..], &["events", WEB], &["describe", WEB], &["export"]] {
        let told = sea.ok(told);
        assert!(!told.contains(&password(&new)) && !told.contains(&password(&old)), "{told}");
    }
    assert!(!sea.log().contains(&password(&new)));
    // By hand away: it comes back as it was.
    Command::new("docker").args(["rm", "-f", &a]).output().unwrap();
    let id = wait_for("another container", || Some(inspect(&a, "{{.Id}}")).filter(|id| !id.is_empty()));
    serves(&sea, "web", "a");
    assert_eq!(inspect(&a, "{{.Id}}"), id);
    assert!(get(&address(&a), 8000).contains("Visit number 4."));
    // Unlinked it has no database, and says so itself.
    sea.remove("shop-main.yaml");
    wait_for("the new one to be given up", || {
        let (_, reason, words) = condition(&sea.object(WEB)["status"], "Degraded");
        (reason == "RolloutFailed" && words.contains("DATABASE_URL")).then_some(())
    });
    sea.write("shop.yaml", &project(""));
    wait_for("the application to go", || sea.object(WEB).is_null().then_some(()));
    assert!(inspect(&a, "{{.Id}}").is_empty());
}

#[test]
fn a_published_port_is_the_new_ones_after_the_old_one_and_a_crash_in_between_loses_neither() {
    let mut sea = Sea::start();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    sea.main();
    let ports = format!(", ports: ['127.0.0.1:{port}:8000'], volumes: ['kept:/srv/kept']");
    shop(&sea, &visits("one", &ports));
    serves(&sea, "web", "a");
    assert!(get("127.0.0.1", port).contains("<h1>one</h1>"));
    let (mut last, mut greeting) = ("a", 1);
    for step in 0..5_u64 {
        greeting += 1;
        let next = if last == "a" { "b" } else { "a" };
        sea.write("shop.yaml", &project(&visits(&format!("g{greeting}"), &ports)));
        std::thread::sleep(Duration::from_millis(60 + 270 * step));
        sea.kill();
        sea.run();
        serves(&sea, "web", next);
        let page = get("127.0.0.1", port);
        assert!(page.contains(&format!("<h1>g{greeting}</h1>")), "{step}: {page}");
        last = next;
    }
    let old = container(&sea, "web", last);
    let bad = format!(
        "web: {{image: 'seawall/visits:test', command: ['sleep', '600'], healthCheck: {{http: {{port: 8000}}, graceSeconds: 3}}{ports}}}"
    );
    sea.write("shop.yaml", &project(&bad));
    sea.until_condition(WEB, "Degraded", "True", "RolloutFailed");
    sea.until_condition(WEB, "Ready", "True", "Healthy");
    assert!(
        get("127.0.0.1", port).contains(&format!("<h1>g{greeting}</h1>")),
        "{}",
        inspect(&old, "{{.State}}")
    );
    let volumes = Command::new("docker")
        .args(["volume", "ls", "-q", "--filter"])
        .arg(format!("label=seawall.dev/installation={}", sea.installation))
        .output()
        .unwrap();
    assert!(text(&volumes).contains("app-shop-production-web.kept"), "{}", text(&volumes));
}

/// In an environment without links nothing differs after it; a link has another password.
#[test]
fn with_the_store_lost_it_runs_on_and_one_with_a_link_is_rolled_once() {
    let mut sea = Sea::start();
    sea.postgres("main", "{version: '18'}");
    shop(&sea, "");
    let idle = "web: {image: 'seawall/visits:test', command: ['python3', '-m', 'http.server', '8000'], volumes: ['kept:/srv/kept'], healthCheck: {http: {port: 8000}}}";
    let whole = |apps: &str| {
        let linked = visits("one", "");
        format!(
            "apiVersion: seawall.dev/v1\nkind: Project\nmetadata: {{name: shop}}\nspec: {{environments: {{production: {{apps: {{{linked}}}}}, staging: {{apps: {{{apps}}}}}}}}}\n"
        )
    };
    sea.write("shop.yaml", &whole(idle));
    let a = serves(&sea, "web", "a");
    assert!(get(&address(&a), 8000).contains("Visit number 1."));
    const STAGING: &str = "app/shop-staging-web";
    sea.until_condition(STAGING, "Ready", "True", "Healthy");
    let name = format!("{}-app-shop-staging-web.a", sea.installation);
    let which = || inspect(&name, "{{.Id}} {{.State.StartedAt}} {{.HostConfig.RestartPolicy.Name}}");
    let (before, uid) = (which(), sea.object(STAGING)["metadata"]["uid"].clone());
    assert!(before.ends_with(" always"), "{before}");
    sea.stop();
    std::fs::remove_dir_all(&sea.data).unwrap();
    let shown = crate::recover::recovered(&sea);
    for line in [
        format!("{STAGING}.a: container {name} (running), stays as it is, and is its Project's again"),
        format!("{WEB}.a: container {a} (running), stays as it is"),
    ] {
        assert!(shown.contains(&line), "{line}: {shown}");
    }
    sea.run();
    // It goes on counting: the database is the same, and its link has another password.
    let b = serves(&sea, "web", "b");
    let page = get(&address(&b), 8000);
    assert!(page.contains("<h1>one</h1><p>Visit number 2."), "{page}");
    assert!(inspect(&a, "{{.Id}}").is_empty());
    sea.until_condition(STAGING, "Ready", "True", "Healthy");
    sea.until(STAGING, "settled", |status| condition(status, "Progressing").1 == "Settled");
    assert_eq!((which(), sea.object(STAGING)["metadata"]["uid"].clone()), (before, uid));
    let events = sea.ok(&["events", STAGING]);
    assert!(events.contains(&format!("{name} of before is taken over as it is")), "{events}");
    // It is its project's.
    sea.write("shop.yaml", &whole(""));
    sea.until_condition(STAGING, "Ready", "False", "Retained");
    wait_for("its container to go", || inspect(&name, "{{.Id}}").is_empty().then_some(()));
    sea.ok(&["delete", STAGING, "--confirm", "shop-staging-web"]);
    wait_for("it to be forgotten", || sea.object(STAGING).is_null().then_some(()));
}

/// Whether Seawall is there meanwhile or not, and with whatever code a program ends when the engine stops it.
#[test]
fn an_engine_that_ends_does_not_give_up_the_version_that_is_tried() {
    let mut engine = OwnEngine::new();
    engine.start();
    engine.load(&["seawall/visits:test"]);
    let mut sea = engine.sea();
    sea.run();
    let script = "import signal, sys, time\nsignal.signal(signal.SIGTERM, lambda *a: sys.exit(1))\nwhile True: time.sleep(1)";
    let app = |n: u32| {
        let command = serde_json::to_string(&["python3", "-c", script]).unwrap();
        let check = "{exec: {command: ['test', '-e', '/tmp/ok']}, graceSeconds: 300}";
        project(&format!(
            "web: {{image: 'seawall/visits:test', command: {command}, env: {{N: {n}}}, healthCheck: {check}}}"
        ))
    };
    let well = |sea: &Sea, engine: &OwnEngine, role: &str| {
        let name = container(sea, "web", role);
        wait_for("it to run", || {
            engine.docker(&["exec", &name, "touch", "/tmp/ok"]).status.success().then_some(())
        });
        serves(sea, "web", role);
    };
    sea.write("shop.yaml", &app(0));
    well(&sea, &engine, "a");
    for (n, role, alone, killed) in [(1, "b", false, false), (2, "a", true, false), (3, "b", false, true)] {
        sea.write("shop.yaml", &app(n));
        sea.until_condition(WEB, "Progressing", "True", "RollingOut");
        if alone {
            sea.kill();
        }
        if killed {
            engine.kill();
        } else {
            engine.stop();
        }
        engine.start();
        if alone {
            sea.run();
        }
        well(&sea, &engine, role);
        let events = sea.ok(&["events", WEB]);
        assert!(!events.contains("RolloutFailed"), "{n}: {events}");
        assert!(events.contains("exited with code 1, and not by itself"), "{n}: {events}");
    }
}

/// An image of one program and nothing else: no shell, no library.
fn bare_image(sea: &Sea) -> String {
    let (tag, dir) = (format!("seawall/bare-{}:test", sea.installation), sea.root().join("bare"));
    std::fs::create_dir_all(&dir).unwrap();
    let source = "fn main() {
    let all: Vec<String> = ['P', 'U'].iter().zip([\"POSTGRES_PASSWORD\", \"POSTGRES_URL\"])
        .map(|(short, name)| format!(\"{short}={}\", std::env::var(name).map_or(0, |value| value.len()))).collect();
    println!(\"{} {:?}\", all.join(\" \"), std::env::args().collect::<Vec<_>>());
    loop { std::thread::sleep(std::time::Duration::from_secs(60)); }
}";
    std::fs::write(dir.join("bare.rs"), source).unwrap();
    let built = Command::new("rustc")
        .args(["-C", "target-feature=+crt-static", "-C", "opt-level=0", "-o", "bare", "bare.rs"])
        .current_dir(&dir)
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", text(&built));
    let file = "FROM scratch\nCOPY bare /bare\nUSER 4711\nENTRYPOINT [\"/bare\"]\nCMD [\"from the image\"]\n";
    std::fs::write(dir.join("Dockerfile"), file).unwrap();
    let built =
        Command::new("docker").args(["build", "-q", "-t", &tag, "."]).current_dir(&dir).output().unwrap();
    assert!(built.status.success(), "{}", text(&built));
    tag
}

#[test]
fn the_launcher_starts_an_image_without_a_shell_and_no_inspect_shows_the_secrets() {
    let sea = Sea::start();
    sea.main();
    let image = bare_image(&sea);
    shop(&sea, &format!("web: {{image: '{image}', injection: file}}"));
    let a = serves(&sea, "web", "a");
    let all = sea.ok(&["env", "shop/production", "--reveal", "-o", "docker"]);
    let value = |name: &str| {
        let line = all.lines().find_map(|line| line.strip_prefix(&format!("{name}="))).unwrap();
        line.to_owned()
    };
    let (password, url) = (value("POSTGRES_PASSWORD"), value("POSTGRES_URL"));
    let said = format!("P={} U={} [\"/bare\", \"from the image\"]", password.len(), url.len());
    let log = wait_for("its words", || Some(text(&sea.cli(&["logs", WEB]))).filter(|log| log.contains("P=")));
    assert!(log.contains(&said), "{log}");
    let whole = Command::new("docker").args(["inspect", &a]).output().unwrap();
    assert!(!text(&whole).contains(&password) && text(&whole).contains("POSTGRES_HOST"), "{}", text(&whole));
    // It starts again by itself with the same.
    Command::new("docker").args(["restart", "-t", "1", &a]).output().unwrap();
    wait_for("it to say so again", || {
        (text(&sea.cli(&["logs", WEB])).matches(&said).count() == 2).then_some(())
    });
    // A command of its own, and the check finds the variables, too.
    let place = "project/shop:environments.production.apps.web.env.STRIPE";
    let letter = crate::secrets::sealed(&sea, place, "sk_live_of_the_shop", &[]);
    let check = "['python3', '-c', 'import os, psycopg2; psycopg2.connect(os.environ[\"DATABASE_URL\"])']";
    let app = format!(
        "web: {{image: 'seawall/clients:test', injection: file, command: ['sleep', '600'], env: {{STRIPE: {{valueFrom: {{sealed: '{letter}'}}}}}}, healthCheck: {{exec: {{command: {check}}}}}}}"
    );
    sea.write("shop.yaml", &project(&app));
    let b = serves(&sea, "web", "b");
    let sees = Command::new("docker").args(["exec", &b, "env"]).output().unwrap();
    assert!(!text(&sees).contains(&password) && !text(&sees).contains("sk_live"), "{}", text(&sees));
    let of_process =
        Command::new("docker").args(["exec", &b, "sh", "-c", "cat /proc/[0-9]*/environ"]).output().unwrap();
    assert!(text(&of_process).contains(&password) && text(&of_process).contains("sk_live_of_the_shop"));
    sea.write("shop.yaml", &project(""));
    wait_for("the application to go", || sea.object(WEB).is_null().then_some(()));
    Command::new("docker").args(["rmi", &image]).output().unwrap();
}
