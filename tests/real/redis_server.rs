//! A real Redis, made through the engine as the kind makes it: its image, its files, what it says to our client.

use seawall::core::desired::{DesiredContainer, Hardening, RestartPolicy, VolumeMount};
use seawall::core::digest::sha256;
use seawall::core::quantity::Bytes;
use seawall::core::resource::Caps;
use seawall::docker::{BollardDocker, Docker, FileToPut};
use seawall::kinds::redis::client::{Network, RedisError, Reply, Servers, Target, command};
use seawall::kinds::redis::desired::{self, Files, SERVER, users, users_file};
use seawall::kinds::redis::parameters::{self, needs_restart, same};
use seawall::kinds::redis::spec::Persistence;
use seawall::kinds::redis::world::ServerFacts;
use seawall::secrets::{ExposeSecret, Secret, password};
use std::collections::BTreeMap;
use std::process::{Command, Output};
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

const IMAGE: &str = "seawall/redis:8";

fn docker(arguments: &[&str]) -> Output {
    Command::new("docker").args(arguments).output().unwrap()
}

fn said(output: &Output) -> String {
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8_lossy(&text).trim().to_owned()
}

/// A server with all that belongs to it, which goes with it.
struct Server {
    docker: BollardDocker,
    name: String,
    id: String,
    admin: String,
    owner: String,
    files: Files,
}

impl Drop for Server {
    fn drop(&mut self) {
        docker(&["rm", "-f", &self.name]);
        docker(&["volume", "rm", "-f", &self.name]);
        docker(&["network", "rm", &self.name]);
    }
}

impl Server {
    /// Not started.
    async fn new(what: &str, persistence: Persistence, parameters: &[(&str, &str)], more: &str) -> Self {
        Self::hardened(what, persistence, parameters, more, Some("redis"), Some(&[])).await
    }

    async fn hardened(
        what: &str,
        persistence: Persistence,
        parameters: &[(&str, &str)],
        more: &str,
        user: Option<&str>,
        capabilities: Option<&[&str]>,
    ) -> Self {
        let files = Files {
            object: "redis/cache".to_owned(),
            persistence,
            eviction: "noeviction".to_owned(),
            maxmemory: 100 << 20,
            parameters: parameters.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
        };
        let mut server = Self {
            docker: BollardDocker::connect(None).unwrap(),
            name: format!("swredis{}-{what}", std::process::id()),
            id: String::new(),
            admin: password().expose_secret().to_owned(),
            owner: password().expose_secret().to_owned(),
            files,
        };
        let labels = BTreeMap::from([("seawall.dev/installation".to_owned(), server.name.clone())]);
        server.docker.create_volume(&server.name, &labels).await.unwrap();
        server.docker.create_network(&server.name, &labels).await.unwrap();
        let desired = DesiredContainer {
            name: server.name.clone(),
            image: IMAGE.to_owned(),
            env: BTreeMap::new(),
            withheld: BTreeMap::new(),
            command: desired::process().command,
            entrypoint: Vec::new(),
            labels,
            mounts: vec![VolumeMount { volume: server.name.clone(), path: desired::DATA.to_owned() }],
            network: Some(server.name.clone()),
            aliases: Vec::new(),
            ports: Vec::new(),
            caps: Caps { memory: Some(Bytes(256 << 20)), ..Caps::default() },
            restart: RestartPolicy::No,
            stop_signal: None,
            stop_timeout: None,
            hardening: Hardening {
                no_new_privileges: true,
                only_capabilities: capabilities.map(|c| c.iter().map(|c| (*c).to_owned()).collect()),
                pids_limit: 256,
                init: true,
                user: user.map(str::to_owned),
            },
            shm_size: None,
        };
        server.id = server.docker.create(&desired).await.unwrap();
        server.put(desired::CONFIG, &(server.files.text() + more)).await;
        server.put_users(&server.owner).await;
        server
    }

    /// Root's, in a directory of root's: the server reads it by its group, and cannot change or replace it.
    async fn put(&self, path: &str, text: &str) {
        let content = Zeroizing::new(text.as_bytes().to_vec());
        let file = FileToPut { path: path.to_owned(), mode: 0o440, uid: 0, gid: 999, content };
        self.docker.put_files(&self.id, &[file]).await.unwrap();
    }

    async fn put_users(&self, owner: &str) {
        self.put(desired::USERS, &users_file(users(&self.admin, "app", owner))).await;
    }

    async fn target(&self, user: &str, password: &str) -> Target {
        let seen = self.docker.inspect(&self.id).await.unwrap().unwrap();
        Target {
            host: seen.endpoint(&self.name).unwrap().ip.parse().unwrap(),
            port: SERVER.port,
            container: self.id.clone(),
            username: user.to_owned(),
            password: Secret::from(password),
        }
    }

    /// As the administrator.
    async fn ask(&self, commands: &[&str]) -> Result<Vec<Reply>, RedisError> {
        let commands: Vec<_> = commands.iter().map(|words| command(words)).collect();
        Network.ask(&self.target(desired::ADMIN, &self.admin).await, &commands).await
    }

    async fn say(&self, words: &str) -> Result<Reply, RedisError> {
        self.ask(&[words]).await?.pop().unwrap().fine()
    }

    async fn login(&self, user: &str, password: &str) -> Result<(), RedisError> {
        let target = self.target(user, password).await;
        Network.ask(&target, &[command("PING")]).await?.pop().unwrap().fine().map(drop)
    }

    async fn facts(&self) -> ServerFacts {
        let names: Vec<String> = self.files.settings().into_keys().collect();
        let get = format!("CONFIG GET {}", names.join(" "));
        let mut replies = self.ask(&["INFO", &get, "PING"]).await.unwrap().into_iter();
        let mut facts = ServerFacts::read(replies.next().unwrap(), replies.next().unwrap()).unwrap();
        facts.ping = replies.next().unwrap().fine().map(drop);
        facts
    }

    async fn start(&self) {
        self.docker.start(&self.id).await.unwrap();
        let start = Instant::now();
        while let Err(error) = self.ask(&["INFO"]).await {
            let log = self.docker.logs(&self.id, 20).await.unwrap();
            assert!(start.elapsed() < Duration::from_secs(30), "{error}: {log:#?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// As an application would, by Redis' own client. Its password is in the environment of that client.
    fn cli(&self, user: &str, words: &[&str]) -> String {
        let password = if user == desired::ADMIN { &self.admin } else { &self.owner };
        let auth = format!("REDISCLI_AUTH={password}");
        let head = ["exec", "-e", &auth, &self.name, "redis-cli", "--user", user];
        said(&docker(&[&head[..], words].concat()))
    }

    async fn sh(&self, script: &str) -> String {
        said(&docker(&["exec", &self.name, "bash", "-c", script]))
    }
}

#[tokio::test]
async fn a_server_without_any_right_is_all_that_its_files_say() {
    // Values that would be directives, comments or ends of a line if they were not quoted.
    let evil = r#"a"b\c 'd' # "e" {title}"#;
    let given = [
        ("hz", "20"),
        ("proc-title-template", evil),
        ("notify-keyspace-events", "KEA"),
        ("client-output-buffer-limit", "replica 1mb 512kb 60"),
        ("latency-tracking-info-percentiles", "50 99.90"),
        ("maxmemory-clients", "5%"),
        ("io-threads", "2"),
    ];
    let server = Server::new("files", Persistence::Aof, &given, "").await;
    server.start().await;
    let facts = server.facts().await;
    assert_eq!((facts.ping.clone(), facts.loading.as_ref()), (Ok(()), None));
    assert!(facts.version.starts_with("8."), "{}", facts.version);
    for (name, asked) in &server.files.settings() {
        assert!(same(name, asked, facts.told(name)), "{name}: {asked} is {}", facts.told(name));
    }
    assert!(facts.carries(Persistence::Aof) && facts.broken(Persistence::Aof).is_none(), "{facts:?}");
    assert!(facts.used > Some(500_000), "{facts:?}");

    // Nobody of no name, nobody without the password.
    for (user, password) in [("default", ""), ("default", "x"), ("app", "x"), ("seawall", &server.owner)] {
        let error = server.login(user, password).await.err();
        assert!(matches!(error, Some(RedisError::LoginRefused(_))), "{user}: {error:?}");
    }
    server.login("app", &server.owner).await.unwrap();

    // No secret where others look, and no right that is not needed.
    let inspect = said(&docker(&["inspect", &server.name]));
    let inside = "for p in /proc/[0-9]*; do tr '\\0' ' ' <$p/cmdline; tr '\\0' ' ' <$p/environ; done 2>/dev/null; cat /data/appendonlydir/*";
    let seen = inspect + &server.sh(inside).await + &said(&docker(&["logs", &server.name]));
    for secret in [&server.admin, &server.owner] {
        assert!(!seen.contains(secret.as_str()));
        assert!(!seen.contains(&sha256(secret.as_bytes())));
    }
    let status = "for p in /proc/[0-9]*; do grep -q redis-server $p/comm && grep -E '^(Uid|CapEff|CapBnd|NoNewPrivs)' $p/status; done";
    let status = server.sh(status).await;
    for want in ["Uid:\t999\t999", "CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1"]
    {
        assert!(status.contains(want), "{status}");
    }
    let written =
        server.sh("echo x >>/etc/seawall/users.acl; echo x >/etc/seawall/new; ls -lnd /etc/seawall/*").await;
    assert!(written.matches("Permission denied").count() == 2, "{written}");
    assert!(written.contains("-r--r----- 1 0 999"), "{written}");
    for command in [&["acl", "save"][..], &["config", "rewrite"]] {
        assert!(server.cli("seawall", command).contains("ERR"), "{command:?}");
    }
    for protected in ["dir", "dbfilename"] {
        let error = server.say(&format!("CONFIG SET {protected} x")).await.unwrap_err();
        assert!(error.to_string().contains("protected config"), "{error}");
    }

    // A clean stop, and all is there again.
    assert_eq!(server.cli("app", &["set", "k", "v"]), "OK");
    server.docker.stop(&server.id, Duration::from_secs(20)).await.unwrap();
    assert_eq!(server.docker.inspect(&server.id).await.unwrap().unwrap().exit_code, Some(0));
    server.start().await;
    assert_eq!(server.cli("app", &["get", "k"]), "v");
}

#[tokio::test]
async fn parameters_and_passwords_change_in_the_running_server() {
    let server = Server::new("live", Persistence::Rdb, &[("hz", "20"), ("save", "3600 1")], "").await;
    server.start().await;
    server.say("CONFIG SET hz 30 maxmemory 90mb").await.unwrap();
    let facts = server.facts().await;
    assert_eq!((facts.told("hz"), facts.told("maxmemory")), ("30", "94371840"));
    // All or none, and by the name that is refused.
    for (bad, words) in
        [("databases", "immutable"), ("no-such-thing", "Unknown option"), ("activedefrag", "'activedefrag'")]
    {
        let value = if bad == "databases" { "4" } else { "yes" };
        let error = server.say(&format!("CONFIG SET hz 40 {bad} {value}")).await.unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    }
    assert_eq!(server.facts().await.told("hz"), "30");

    // Another password, by the file.
    let new = password().expose_secret().to_owned();
    server.put_users(&new).await;
    server.login("app", &server.owner).await.unwrap();
    server.say("ACL LOAD").await.unwrap();
    server.login("app", &new).await.unwrap();
    let refused = |error| matches!(error, Some(RedisError::LoginRefused(_)));
    assert!(refused(server.login("app", &server.owner).await.err()));
    // One wrong line, and nothing changes.
    server.put(desired::USERS, "user seawall on nopass +@nonsense\n").await;
    let error = server.say("ACL LOAD").await.unwrap_err();
    assert!(error.to_string().contains("users.acl:1"), "{error}");
    server.login("app", &new).await.unwrap();
    assert!(refused(server.login("seawall", "x").await.err()));
}

#[tokio::test]
async fn an_owner_has_what_applications_need_and_nothing_beyond_its_data() {
    let server = Server::new("owner", Persistence::None, &[], "").await;
    server.start().await;
    for words in [
        "ping",
        "info",
        "info server",
        "hello 2",
        "client setinfo lib-name ioredis",
        "client setname worker",
        "client id",
        "client info",
        "command count",
        "acl whoami",
        "select 3",
        "set k v",
        "get k",
        "scan 0",
        "dbsize",
        "expire k 100",
        "publish c m",
        "eval return(1) 0",
        "script load return(1)",
        "function stats",
        "xadd s * a b",
        "sort_ro s2",
        "memory usage k",
        "object encoding k",
        "wait 0 0",
        "time",
        "multi",
        "flushdb",
        "flushall",
    ] {
        let said = server.cli("app", &words.split(' ').collect::<Vec<_>>());
        assert!(!said.contains("NOPERM") && !said.contains("ERR"), "{words}: {said}");
    }
    // The shell would take it for names of files.
    assert!(!server.cli("app", &["keys", "*"]).contains("NOPERM"));
    for words in [
        "config get *",
        "config set dir /tmp",
        "acl list",
        "acl setuser app +@all",
        "shutdown",
        "bgsave",
        "bgrewriteaof",
        "replicaof no one",
        "module list",
        "client list",
        "client kill user seawall",
        "monitor",
        "slowlog get",
        "latency doctor",
        "swapdb 0 1",
        "failover",
        "psync ? -1",
    ] {
        let said = server.cli("app", &words.split(' ').collect::<Vec<_>>());
        assert!(said.contains("NOPERM"), "{words}: {said}");
    }
}

#[tokio::test]
async fn a_server_that_cannot_save_is_up_and_says_so() {
    let server = Server::new("misconf", Persistence::Rdb, &[], "").await;
    server.start().await;
    assert_eq!(server.cli("app", &["set", "k", "v"]), "OK");
    server.sh("chmod 0500 /data").await;
    for broken in [true, false] {
        if !broken {
            server.sh("chmod 0700 /data").await;
        }
        server.cli("seawall", &["bgsave"]);
        let start = Instant::now();
        let facts = loop {
            let facts = server.facts().await;
            if facts.saves.rdb_ok != broken && !facts.saves.rdb_running {
                break facts;
            }
            assert!(start.elapsed() < Duration::from_secs(20), "{facts:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        assert_eq!(matches!(facts.ping, Err(RedisError::PersistenceBroken(_))), broken, "{:?}", facts.ping);
        assert_eq!(facts.broken(Persistence::Rdb).is_some(), broken);
        let told = server.cli("app", &["set", "k", "w"]);
        assert!(told.contains(if broken { "MISCONF" } else { "OK" }), "{told}");
    }
}

#[tokio::test]
async fn a_server_that_loads_tells_how_far_it_is() {
    // Two hidden parameters of Redis' own tests: it waits at every key, and looks at its clients often.
    let slow = "key-load-delay 2000\nloading-process-events-interval-bytes 1024\n";
    let server = Server::new("loading", Persistence::Rdb, &[], slow).await;
    server.start().await;
    let fill = "for i=1,5000 do redis.call('set', 'k'..i, string.rep('x', 100)) end";
    assert_eq!(server.cli("app", &["eval", fill, "0"]), "");
    server.docker.stop(&server.id, Duration::from_secs(20)).await.unwrap();
    server.start().await;
    let facts = server.facts().await;
    assert!(matches!(facts.ping, Err(RedisError::Loading(_))), "{:?}", facts.ping);
    let words = facts.loading.as_deref().unwrap();
    assert!(words.contains(" % so far, about ") && words.contains(" s to go"), "{words}");
    assert_eq!(facts.told("dir"), "/data", "it tells all the rest");
}

#[tokio::test]
async fn a_server_that_is_full_or_hangs_is_told_apart() {
    let server = Server::new("full", Persistence::None, &[("maxclients", "1")], "").await;
    server.start().await;
    let mut held = std::net::TcpStream::connect((server.target("app", "").await.host, SERVER.port)).unwrap();
    std::io::Write::write_all(&mut held, b"PING\r\n").unwrap();
    std::io::Read::read(&mut held, &mut [0; 64]).unwrap();
    let want = RedisError::TurnedAway("TooManyConnections", "ERR max number of clients reached".into());
    assert_eq!(server.login("app", &server.owner).await.err(), Some(want));
    drop(held);
    tokio::time::sleep(Duration::from_millis(300)).await;
    server.login("app", &server.owner).await.unwrap();
    crate::harness::pause(&server.name);
    assert_eq!(server.login("app", &server.owner).await, Err(RedisError::Hung));
    docker(&["unpause", &server.name]);
    let target = server.target("app", &server.owner).await;
    docker(&["kill", &server.name]);
    let gone = Network.ask(&target, &[]).await;
    assert!(matches!(gone, Err(RedisError::Refused(_) | RedisError::Hung)), "{gone:?}");
}

#[tokio::test]
async fn as_root_the_entry_point_needs_one_right_more_than_that_of_postgres() {
    let without: Vec<&str> = SERVER.capabilities.iter().copied().filter(|c| *c != "SETPCAP").collect();
    let server = Server::hardened("few", Persistence::Aof, &[], "", None, Some(&without)).await;
    server.docker.start(&server.id).await.unwrap();
    assert_eq!(server.docker.wait(&server.id, Duration::from_secs(20)).await.unwrap(), 127);
    let log = server.docker.logs(&server.id, 5).await.unwrap().join("\n");
    assert!(log.contains("bounding set: Operation not permitted"), "{log}");

    for (what, capabilities) in [("root", Some(SERVER.capabilities)), ("engine", None)] {
        let server = Server::hardened(what, Persistence::Aof, &[], "", None, capabilities).await;
        server.start().await;
        assert_eq!(server.facts().await.ping, Ok(()), "{what}");
        server.docker.stop(&server.id, Duration::from_secs(20)).await.unwrap();
        assert_eq!(server.docker.inspect(&server.id).await.unwrap().unwrap().exit_code, Some(0), "{what}");
    }
}

#[test]
fn the_image_keeps_the_contract() {
    let run = |arguments: &[&str]| {
        let output = docker(&[&["run", "--rm", "--network", "none"][..], arguments].concat());
        assert!(output.status.success(), "{arguments:?}: {}", said(&output));
        said(&output)
    };
    let format = "{{.Config.WorkingDir}} {{json .Config.Volumes}} {{json .Config.ExposedPorts}} {{json .Config.Entrypoint}} {{json .Config.Cmd}}";
    let layers = |image| said(&docker(&["image", "inspect", "-f", "{{json .RootFS.Layers}}", image]));
    assert_eq!(
        said(&docker(&["image", "inspect", "-f", format, IMAGE])),
        r#"/data {"/data":{}} {"6379/tcp":{}} ["docker-entrypoint.sh"] ["redis-server"]"#
    );
    assert_eq!(layers(IMAGE), layers("seawall/redis:8b"), "another build of the same");
    assert!(run(&[IMAGE, "--version"]).contains("Redis server v=8."), "an option is the server's");
    assert_eq!(
        run(&[IMAGE, "bash", "-c", "id -u; umask; pwd; stat -c %u:%g .; command -v redis-server"]),
        "0\n0077\n/data\n999:999\n/usr/local/bin/redis-server"
    );
    assert_eq!(run(&["--user", "redis", IMAGE, "id", "-u"]), "999");
    // What is plainly Redis's own is given to it; beside anything else nothing is touched.
    for (prepare, want) in [
        ("touch dump.rdb; mkdir -p appendonlydir; touch appendonlydir/a", "999 999 999"),
        ("touch dump.rdb notes; mkdir -p appendonlydir; touch appendonlydir/a", "0 0 0"),
    ] {
        let script = format!(
            "umask 0077; {prepare}; docker-entrypoint.sh redis-server --version >/dev/null; stat -c %u dump.rdb appendonlydir appendonlydir/a"
        );
        let said = run(&["--entrypoint", "bash", IMAGE, "-c", &script]);
        assert_eq!(said.split_whitespace().collect::<Vec<_>>().join(" "), want, "{prepare}");
    }
}

#[test]
fn the_table_of_parameters_is_what_the_server_says() {
    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/redis-settings.sh");
    let output = Command::new(script).arg(IMAGE).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let now = String::from_utf8(output.stdout).unwrap();
    let differs: Vec<&str> =
        now.lines().filter(|line| !parameters::TABLE.lines().any(|l| l == *line)).collect();
    assert!(differs.is_empty() && now == parameters::TABLE, "of another server: {differs:#?}");
    assert!(needs_restart("databases") && !needs_restart("hz"));
}
