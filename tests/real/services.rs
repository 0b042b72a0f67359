//! The service API as a user of the brief has it, on the real engine: a PostgreSQL and a Redis from their making to their end.

use crate::harness::{PATIENCE, Sea};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

const ROOT: &str = "/api/external-services";
const MI: u64 = 1 << 20;

/// `METHOD PATH` below the service API: the status and the body.
fn ask(sea: &Sea, line: &str, body: &Value) -> (u64, Value) {
    let (method, path) = line.split_once(' ').unwrap_or((line, ""));
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let length = body.len();
    let head = format!(
        "{method} {ROOT}{path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n"
    );
    let mut stream = UnixStream::connect(sea.data.join("seawall.sock")).unwrap();
    stream.set_read_timeout(Some(*PATIENCE)).unwrap();
    stream.write_all((head + &body).as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap_or_else(|_| panic!("{line}: {answer}")))
}

/// What must work.
fn told(sea: &Sea, line: &str, body: &Value) -> Value {
    let (status, answer) = ask(sea, line, body);
    assert!([200, 201].contains(&status), "{line}: {status} {answer:#}\n{}", sea.log());
    answer
}

fn get(sea: &Sea, path: &str) -> Value {
    told(sea, &format!("GET {path}"), &Value::Null)
}

fn until(sea: &Sea, path: &str, what: &str, done: impl Fn(&Value) -> bool) -> Value {
    let begin = Instant::now();
    loop {
        let answer = get(sea, path);
        if done(&answer) {
            return answer;
        }
        assert!(begin.elapsed() < *PATIENCE, "{path}: not {what} in time: {answer:#}\n{}", sea.log());
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn running(sea: &Sea, id: u64) -> Value {
    until(sea, &format!("/{id}"), "running", |service| service["status"] == "running")
}

/// Memory, memory and swap, CPUs, as the engine has them.
fn engine(sea: &Sea, name: &str) -> [u64; 3] {
    let host = sea.inspect(name)["HostConfig"].clone();
    ["Memory", "MemorySwap", "NanoCpus"].map(|key| host[key].as_u64().unwrap_or_default())
}

#[test]
fn a_postgres_is_made_limited_linked_upgraded_and_deleted() {
    let mut sea = Sea::new();
    sea.write(
        "shop.yaml",
        "apiVersion: seawall.dev/v1\nkind: Project\nmetadata: {name: shop}\nspec: {environments: {production: {}}}\n",
    );
    sea.run();
    let create = json!({"name": "my-database", "service_type": "postgres", "parameters":
        {"version": "18", "database": "appdb", "username": "appuser", "password": "The0nePasswordOfTheTest"}});
    let id = told(&sea, "POST", &create)["id"].as_u64().unwrap();
    running(&sea, id);
    assert_eq!(sea.sql("my-database", "SELECT current_user || ' ' || current_database()"), "appuser appdb");
    assert_eq!(sea.password("my-database"), "The0nePasswordOfTheTest");
    assert_eq!(ask(&sea, "POST", &create).0, 409);
    sea.sql("my-database", "CREATE TABLE kept AS SELECT 42 AS n");

    // Limits: in force when it is answered, and the container is the same.
    let before = sea.inspect("my-database");
    let limits = json!({"memory_mb": 512, "memory_swap_mb": 768, "nano_cpus": 500_000_000});
    let resources = format!("PATCH /{id}/resources");
    let answer = told(&sea, &resources, &limits);
    assert_eq!(engine(&sea, "my-database"), [512 * MI, 768 * MI, 500_000_000]);
    let applied = json!({"role": "standalone", "container_name": sea.container("my-database"), "outcome": "applied", "error": null});
    assert_eq!(answer, json!({"limits": limits, "applied": [applied]}));
    let member = get(&sea, &format!("/{id}/runtime"))["members"][0].clone();
    assert_eq!((&member["resource_limits"], &member["drift"]), (&limits, &json!(false)));
    assert_eq!(member["container_id"], before["Id"]);
    assert_eq!((&member["status"], &member["oom_killed"]), (&json!("running"), &json!(false)));
    assert_eq!(sea.inspect("my-database")["State"]["StartedAt"], before["State"]["StartedAt"]);
    // A machine that does much else may be late once.
    let fast = || {
        let begin = Instant::now();
        let stats = get(&sea, &format!("/{id}/stats"))["members"][0].clone();
        assert_eq!(stats["memory_limit_bytes"], 512 * MI, "{stats}");
        assert!(stats["cpu_percent"].is_number() && stats["memory_percent"].is_number(), "{stats}");
        begin.elapsed() < Duration::from_millis(300)
    };
    assert!((0..20).any(|_| fast() && fast()), "never two within 300 ms each");
    let wal = get(&sea, &format!("/{id}/wal-health"));
    assert!(wal["pg_wal_bytes"].as_u64() >= Some(16 * MI) && wal["warnings"].is_array(), "{wal}");
    let checked = told(&sea, &format!("POST /{id}/health-check"), &Value::Null);
    assert!(checked["checks"].as_array().is_some_and(|checks| !checks.is_empty()), "{checked}");
    // All nulls, as the brief's clients send them: none is left, and the data are.
    let none = json!({"memory_mb": null, "memory_swap_mb": null, "nano_cpus": null, "cpu_shares": null, "shm_size_mb": null});
    let answer = told(&sea, &resources, &none);
    assert_eq!(answer["applied"][0]["outcome"], "applied", "{answer}");
    // An engine that cannot take a cap away from a running container has a huge one instead.
    let left = engine(&sea, "my-database")[0];
    assert!(left == 0 || left > 1 << 50, "{left}");
    running(&sea, id);
    assert_eq!(sea.sql("my-database", "SELECT n FROM kept"), "42");

    // An application gets it, and it stays as long as that is so.
    let project = sea.object("project/shop")["metadata"]["id"].as_u64().unwrap();
    told(&sea, &format!("POST /{id}/projects"), &json!({"project_id": project}));
    let environment = format!("/{id}/projects/{project}/environment");
    let masked = until(&sea, &environment, "there", |all| all.as_array().is_some_and(|all| !all.is_empty()));
    until(&sea, &format!("/{id}/projects"), "running", |links| links[0]["status"] == "running");
    let secret = get(&sea, &format!("{environment}/POSTGRES_PASSWORD?reveal=true"))["value"].clone();
    let secret = secret.as_str().unwrap();
    assert!(secret.len() > 20 && !masked.to_string().contains(secret), "{masked}");
    let (status, why) = ask(&sea, &format!("DELETE /{id}?confirm=my-database"), &Value::Null);
    assert!(status == 409 && why["detail"].as_str().unwrap().contains("is referred to by"), "{status} {why}");

    let acted = told(&sea, &format!("POST /{id}/upgrade"), &json!({"version": "18b"}));
    assert_eq!(acted["id"], id);
    let shown = until(&sea, &format!("/{id}"), "upgraded", |service| {
        service["status"] == "running" && service["docker_image"] == "seawall/postgres:18b"
    });
    assert_eq!(shown["parameters"]["password"], "****");
    assert_eq!(sea.sql("my-database", "SELECT n FROM kept"), "42");

    told(&sea, &format!("DELETE /{id}/projects/{project}"), &Value::Null);
    until(&sea, &format!("/{id}/projects"), "unlinked", |links| links == &json!([]));
    let done = told(&sea, &format!("DELETE /{id}"), &Value::Null);
    assert!(done["message"].as_str().unwrap().contains("its data are kept"), "{done}");
    until(&sea, &format!("/{id}/runtime"), "without a container", |of| of["members"] == json!([]));
    assert_eq!(sea.volumes(), [sea.volume("my-database")]);
    told(&sea, &format!("DELETE /{id}?confirm=my-database"), &Value::Null);
    until(&sea, "", "gone", |all| all == &json!([]));
    assert_eq!((sea.volumes(), sea.containers()), (Vec::<String>::new(), Vec::<String>::new()));
}

#[test]
fn a_redis_is_stopped_started_and_its_password_rotated() {
    let mut sea = Sea::of(&crate::kinds::redis::KIND);
    sea.run();
    let create = json!({"name": "cache", "service_type": "redis", "parameters": {"version": "8"}});
    let id = told(&sea, "POST", &create)["id"].as_u64().unwrap();
    running(&sea, id);
    let first = sea.password("redis/cache");
    told(&sea, &format!("POST /{id}/stop"), &Value::Null);
    until(&sea, &format!("/{id}"), "stopped", |service| service["status"] == "stopped");
    let limited = told(&sea, &format!("PATCH /{id}/resources"), &json!({"memory_mb": 128}));
    assert_eq!(limited["applied"][0]["outcome"], "stopped", "{limited}");
    assert_eq!(get(&sea, &format!("/{id}/stats"))["members"][0]["cpu_percent"], Value::Null);
    told(&sea, &format!("POST /{id}/start"), &Value::Null);
    running(&sea, id);
    assert_eq!(engine(&sea, "redis/cache")[..2], [128 * MI, 128 * MI]);
    told(&sea, &format!("POST /{id}/rotate"), &Value::Null);
    let begin = Instant::now();
    while sea.password("redis/cache") == first {
        assert!(begin.elapsed() < *PATIENCE, "the password stays: {}", sea.log());
        std::thread::sleep(Duration::from_millis(200));
    }
    let second = sea.password("redis/cache");
    assert!(sea.lets_in("redis/cache", &second));
    assert_eq!(ask(&sea, &format!("GET /{id}/wal-health"), &Value::Null).0, 404);
    told(&sea, &format!("DELETE /{id}"), &Value::Null);
    until(&sea, &format!("/{id}/runtime"), "without a container", |of| of["members"] == json!([]));
    told(&sea, &format!("DELETE /{id}?confirm=cache"), &Value::Null);
    until(&sea, "", "gone", |all| all == &json!([]));
}
