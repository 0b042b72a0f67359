//! Each folder in `examples/` is valid, and `seawall plan` says about it what its `plan.txt` shows.
//!
//! The plan comes from the program itself, over the socket of an operator on the fake engine with a new
//! store. After a wanted change: `UPDATE_PLANS=1 cargo test --test it examples`.

use seawall::control::api::Api;
use seawall::control::operator::{Config, Operator, Times};
use seawall::control::registry::Kinds;
use seawall::core::names::Installation;
use seawall::core::pairs::Pairs;
use seawall::core::seen::SeenImage;
use seawall::docker::fake::FakeDocker;
use seawall::http::server::serve;
use seawall::http::wire::SOCKET;
use seawall::kinds::postgres::Postgres;
use seawall::kinds::postgres::fake_server::FakeServers;
use seawall::secrets::{Algorithm, Key, Sealer};
use seawall::store::MemoryStore;
use seawall::workload::tools::Reach;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn examples() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(root().join("examples"))
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.is_dir())
        .collect();
    found.sort();
    assert!(!found.is_empty());
    found
}

async fn seawall(arguments: &[&str], data: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_seawall"));
    command.args(arguments).arg("--data").arg(data).current_dir(data).stdin(Stdio::null());
    for variable in ["SEAWALL_MANIFESTS", "SEAWALL_INSTALLATION", "SEAWALL_DATA"] {
        command.env_remove(variable);
    }
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

fn words(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The images of deploy/images, as the engine shows them.
fn engine() -> FakeDocker {
    let docker = FakeDocker::new();
    for (major, pgdata, volume, labels) in [
        (
            "18",
            "/var/lib/postgresql/18/docker",
            "/var/lib/postgresql",
            &[("seawall.dev/managed", "true"), ("seawall.dev/capabilities", "pgbackrest,pg_auto_failover")][..],
        ),
        ("17", "/var/lib/postgresql/data", "/var/lib/postgresql/data", &[]),
    ] {
        let reference = format!("seawall/postgres:{major}");
        docker.add_image(SeenImage {
            id: format!("sha256:{:0<64}", major),
            tags: vec![reference.clone()],
            digests: Vec::new(),
            env: Pairs::from([("PG_MAJOR", major), ("PGDATA", pgdata)]),
            labels: labels.iter().copied().collect(),
            volumes: vec![volume.to_owned()],
            architecture: "amd64".to_owned(),
            user: String::new(),
            stop_signal: "SIGINT".to_owned(),
            cmd: vec!["postgres".into()],
            entrypoint: vec!["docker-entrypoint.sh".into()],
        });
        docker.add_image_file(
            &reference,
            "/etc/passwd",
            b"root:x:0:0:root:/root:/bin/bash\npostgres:x:999:999::/var/lib/postgresql:/bin/bash\n",
        );
        docker.add_image_file(&reference, "/usr/bin/postgres", b"postgres");
        docker.add_image_file(&reference, "/usr/lib/pg_stat_statements.so", b"x");
    }
    docker.add_image(SeenImage {
        id: format!("sha256:{:0<64}", "8"),
        tags: vec!["seawall/redis:8".to_owned()],
        digests: Vec::new(),
        env: Pairs::from([("REDIS_VERSION", "8.0.6")]),
        labels: Pairs::default(),
        volumes: vec!["/data".to_owned()],
        architecture: "amd64".to_owned(),
        user: String::new(),
        stop_signal: String::new(),
        cmd: vec!["redis-server".into()],
        entrypoint: vec!["docker-entrypoint.sh".into()],
    });
    docker.add_image_file("seawall/redis:8", "/etc/passwd", b"redis:x:999:999::/data:/usr/sbin/nologin\n");
    docker.add_image_file("seawall/redis:8", "/usr/local/bin/redis-server", b"redis");
    docker
}

/// Which ports are free is this machine's affair: in order of appearance they become 5432, 5433, …, those of Redis 6379, …
fn with_ports_of_a_free_machine(plan: &str) -> String {
    let mut all: [Vec<String>; 2] = Default::default();
    let mut text = String::new();
    for line in plan.lines() {
        let mut line = line.to_owned();
        let port = line.split_once("reserve host port ").and_then(|(_, rest)| rest.split(' ').next());
        if let Some(port) = port.map(str::to_owned) {
            let redis = port.parse::<usize>().unwrap() >= 6379;
            let seen = &mut all[usize::from(redis)];
            if !seen.contains(&port) {
                seen.push(port.clone());
            }
            let place = seen.iter().position(|p| *p == port).unwrap();
            // Of the same width, so that columns stay columns.
            let usual = format!("{:<width$}", if redis { 6379 } else { 5432 } + place, width = port.len());
            line = line.replacen(&port, &usual, 1);
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_example_is_valid_and_plans_what_it_says() {
    for example in examples() {
        let name = example.file_name().unwrap().to_string_lossy().into_owned();
        let manifests = example.join("manifests");
        let manifests_text = manifests.to_str().unwrap();
        assert!(example.join("README.md").is_file(), "{name} has no README.md");
        let data = tempfile::tempdir().unwrap();

        let validated = seawall(&["validate", manifests_text], data.path()).await;
        assert!(validated.status.success(), "{name}: {}", words(&validated));

        let key = Key::load_or_create(&data.path().join("encryption_key"), false).unwrap();
        let config = Config {
            installation: Installation::default(),
            data: data.path().to_owned(),
            manifests: manifests.clone(),
            env_file_roots: Vec::new(),
            reach: Reach::Host,
            times: Times::default(),
        };
        let store = Arc::new(MemoryStore::new());
        let sealer = Arc::new(Sealer::new(key, Algorithm::default()));
        let docker = Arc::new(engine());
        let servers = Arc::new(FakeServers::new(Arc::clone(&docker)));
        let operator = Operator::open(
            config,
            docker,
            |tools| Kinds::all(Some(tools)).with(Postgres::new(tools, servers)),
            store,
            sealer,
            true,
        )
        .unwrap();
        let (socket, stop) = (data.path().join(SOCKET), CancellationToken::new());
        let server = tokio::spawn({
            let (api, socket, stop): (Arc<dyn Api>, _, _) = (operator, socket.clone(), stop.clone());
            async move { serve(api, &socket, stop).await }
        });
        while !socket.exists() {
            tokio::task::yield_now().await;
        }
        let planned = seawall(&["plan", manifests_text], data.path()).await;
        stop.cancel();
        server.await.unwrap().unwrap();
        assert_eq!(planned.status.code(), Some(2), "{name}: {}", words(&planned));
        let text = with_ports_of_a_free_machine(std::str::from_utf8(&planned.stdout).unwrap());
        let file = example.join("plan.txt");
        if std::env::var_os("UPDATE_PLANS").is_some() {
            fs::write(&file, &text).unwrap();
        }
        let expected = fs::read_to_string(&file).unwrap_or_default();
        assert_eq!(text, expected, "examples/{name}/plan.txt differs");
    }
}

#[test]
fn what_make_run_watches_is_valid_and_names_the_images_that_are_built() {
    let report = seawall::control::validate::validate(&root().join("manifests")).unwrap();
    assert_eq!(report.problems, []);
    assert_eq!(report.objects, 3);
    let catalog = |file: &str| {
        let text = fs::read_to_string(root().join(file)).unwrap();
        text.lines().filter(|l| !l.starts_with("# yaml-language-server:")).collect::<Vec<_>>().join("\n")
    };
    let built = catalog("deploy/images/catalog.yaml");
    assert_eq!(catalog("manifests/catalog.yaml"), built);
    assert_eq!(catalog("examples/quickstart/manifests/catalog.yaml"), built);
}

/// A page that names a file that is not there sends its reader into the void.
#[test]
fn the_pages_name_only_files_that_exist() {
    let mut missing = BTreeSet::new();
    for page in [
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "examples/quickstart/README.md",
        "examples/redis/README.md",
        "examples/custom-image/README.md",
    ] {
        let text = fs::read_to_string(root().join(page)).unwrap();
        for word in text.split(|c: char| c.is_whitespace() || "`()[],;:|\"'".contains(c)) {
            let word = word.trim_end_matches(['.', '/']);
            let ours = ["src/", "tests/", "deploy/", "examples/", "schemas/", "benches/", "manifests/"];
            let named = ours.iter().any(|p| word.starts_with(p)) && !word.contains(['*', '<', '{', '$', 'X']);
            // From the root, or from the page itself.
            let beside = root().join(page).parent().unwrap().join(word);
            let of_the_user = page == "README.md" && word.starts_with("manifests/");
            let exists = root().join(word).exists() || beside.exists();
            if named && !exists && !of_the_user {
                missing.insert(format!("{page}: {word}"));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}
